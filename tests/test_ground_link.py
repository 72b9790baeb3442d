"""Downlinks: sites against astropy, rates and the choice of a site in closed form, gradients, refusals."""

from itertools import permutations, product
from pathlib import Path

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.coordinates import ITRS, TEME, AltAz, CartesianRepresentation, EarthLocation
from astropy.time import Time
from omegaconf import OmegaConf

import twin
from kernels import constants as const
from kernels import ground_link, registry
from kernels.ground_link import Sight, Sites
from twin.refusal import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf"
NETWORKS = sorted(path.stem for path in (CONF / "ground_network").glob("*.yaml") if path.stem != "none")


def read(group, name):
    return OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"))


def network(name):
    """Profile of a network and the terminal that comes with it."""
    values = read("ground_network", name)
    terminal = next(part["override /downlink"] for part in values["defaults"] if isinstance(part, dict))
    return values["ground_network"], read("downlink", terminal)


def sites_of(values):
    return Sites(*(jnp.asarray([site[key] for site in values["sites"].values()]) for key in Sites._fields))


def rate(network, terminal, sin_elevation, range_m):
    sender = registry.call(registry.models("downlink")[terminal["model"]], terminal)
    sight = Sight(jnp.asarray(sin_elevation), jnp.zeros(()), jnp.asarray(range_m))
    return registry.call(registry.models("ground_network")[network["model"]], network, sender, sight)


# --- Geometry ---------------------------------------------------------------------------------------------------------


def test_sites_lie_where_astropy_puts_them():
    """Geodetic places on the ellipsoid of WGS-84, to a millimetre."""
    for name in NETWORKS:
        sites = sites_of(network(name)[0])
        ours = np.stack(ground_link.site_m(sites), axis=-1)
        there = EarthLocation.from_geodetic(
            sites.longitude_rad * u.rad, sites.latitude_rad * u.rad, sites.height_m * u.m, ellipsoid="WGS84"
        )
        theirs = np.stack([part.to_value(u.m) for part in there.geocentric], axis=-1)
        assert np.abs(ours - theirs).max() < 1e-3


def test_elevation_and_range_are_those_of_astropy():
    """500 places in TEME over two years: astropy's ITRS (IERS tables, polar motion) and AltAz; range within 0.1 %."""
    generator = np.random.default_rng(3)
    times = Time("2025-01-01T00:00:00", scale="utc") + generator.uniform(0.0, 600.0, 500) * u.day
    sites = sites_of(network("optical_ten_sites")[0])
    turned = const.SIDEREAL_ANGLE_J2000_RAD + const.SIDEREAL_RATE_RAD_PER_DAY * (times.jd - 2451545.0)
    above = generator.normal(size=(3, 500))
    above *= (const.EARTH_RADIUS_M + generator.uniform(4e5, 2e6, 500)) / np.linalg.norm(above, axis=0)
    turns = jnp.asarray(np.mod(turned, 2.0 * np.pi))
    place = ground_link.earth_fixed(tuple(map(jnp.asarray, above)), turns)
    which = np.arange(500) % 10, np.arange(500)
    ours = Sight(*(np.asarray(leaf)[which] for leaf in ground_link.sight(sites, place, place)))
    fixed = TEME(CartesianRepresentation(*above * u.m), obstime=times).transform_to(ITRS(obstime=times))
    latitude, longitude, height = (np.asarray(leaf)[which[0]] for leaf in sites[:3])
    location = EarthLocation.from_geodetic(longitude * u.rad, latitude * u.rad, height * u.m)
    near = fixed.cartesian - location.get_itrs(times).cartesian
    seen = ITRS(near, obstime=times, location=location).transform_to(AltAz(obstime=times, location=location))
    elevation, range_m = seen.alt.to_value(u.rad), near.norm().to_value(u.m)
    np.testing.assert_allclose(ours.range_m, range_m, rtol=1e-3)
    apart_rad = np.abs(np.arcsin(ours.sin_elevation) - elevation)
    assert np.degrees(apart_rad.max()) < 0.01


def test_a_satellite_overhead_stands_at_ninety_degrees():
    sites = Sites(*(jnp.asarray([number]) for number in (0.7, 1.2, 500.0, 1.0)))
    place = tuple(a[0] + 6e5 * b[0] for a, b in zip(ground_link.site_m(sites), ground_link.zenith(sites), strict=True))
    sight = ground_link.sight(sites, place, place)
    assert float(sight.sin_elevation[0]) == pytest.approx(1.0, abs=1e-12)
    assert float(sight.range_m[0]) == pytest.approx(6e5, rel=1e-9)


def test_elevation_rises_by_its_rate():
    sites = sites_of(network("ka_polar")[0])
    place, velocity = (tuple(map(jnp.asarray, vector)) for vector in ((2e6, 1e6, 6.6e6), (-7e3, 1e3, 2e3)))
    later, sooner = (
        ground_link.sight(sites, tuple(a + t * b for a, b in zip(place, velocity, strict=True)), velocity)
        for t in (0.05, -0.05)
    )
    found = ground_link.sight(sites, place, velocity).sin_elevation_rate_per_s
    np.testing.assert_allclose(found, (later.sin_elevation - sooner.sin_elevation) / 0.1, rtol=1e-6)


# --- Rates ------------------------------------------------------------------------------------------------------------


def lossless(name, **changes):
    values, terminal = network(name)
    return {**values, "zenith_loss_db": 0.0, "loss_db": 0.0, **changes}, {**terminal, "pointing_error_rad": 0.0}


def test_optical_rate_is_photons_over_photons_per_bit():
    values, terminal = lossless("optical_ten_sites", photons_per_bit=5000.0)
    gain = terminal["aperture_efficiency"] * (np.pi * terminal["aperture_m"] / terminal["wavelength_m"]) ** 2
    area_m2 = values["aperture_efficiency"] * np.pi / 4.0 * values["aperture_m"] ** 2
    photon_j = 6.62607015e-34 * 299_792_458.0 / terminal["wavelength_m"]
    captured = -np.expm1(-gain * area_m2 / (4.0 * np.pi * 3e6**2))
    expected = terminal["transmitted_power_w"] * captured / photon_j / 5000.0
    assert expected < 5e9  # far below what the channels carry
    assert float(rate(values, terminal, 0.5, 3e6)) == pytest.approx(expected, rel=1e-9)


def test_radio_rate_is_shannons():
    values, terminal = lossless("ka_polar")
    terminal = {**terminal, "transmitted_power_w": 1e-4, "most_bit_per_s_hz": 20.0}
    gain = (
        terminal["aperture_efficiency"]
        * (np.pi * terminal["aperture_m"] * terminal["frequency_hz"] / 2.99792458e8) ** 2
    )
    area_m2 = values["aperture_efficiency"] * np.pi / 4.0 * values["aperture_m"] ** 2
    noise_w = 1.380649e-23 * values["noise_temperature_k"] * terminal["bandwidth_hz"]
    signal = 1e-4 * gain * area_m2 / (4.0 * np.pi * 2e6**2) / noise_w
    expected = terminal["bandwidth_hz"] * np.log2(1.0 + signal)
    assert float(rate(values, terminal, 0.5, 2e6)) == pytest.approx(expected, rel=1e-6)


def test_losses_through_the_air_grow_with_its_path():
    values, terminal = network("optical_ten_sites")
    values = {**values, "photons_per_bit": 1e6}
    high, low = (float(rate(values, terminal, sine, 1e6)) for sine in (1.0, 0.25))
    assert high / low == pytest.approx(10.0 ** (0.1 * 3.0 * values["zenith_loss_db"]), rel=1e-6)


def test_no_more_arrives_than_was_sent():
    """From 0.3 m to 10 m at 500 km, where Friis alone would have 2.8 times the power arrive; photons tell how much."""
    values, terminal = lossless("optical_ten_sites", aperture_m=10.0)
    terminal |= {"aperture_m": 0.3, "channel_bit_per_s": 1e30}
    photon_w = values["photons_per_bit"] * 6.62607015e-34 * 299_792_458.0 / terminal["wavelength_m"]
    received_w = float(rate(values, terminal, 1.0, 5e5)) * photon_w
    friis = 0.6 * 0.5 * (np.pi * 0.3 * 10.0 / (4.0 * terminal["wavelength_m"] * 5e5)) ** 2
    assert friis > 2.5
    assert received_w / terminal["transmitted_power_w"] == pytest.approx(1.0 - np.exp(-friis), rel=1e-9)


def test_a_pass_brings_what_tbird_brought():
    """Schieler et al., Proc. SPIE 12413, 2023: up to 4.8 TB in a pass, from some 500 km.

    A pass through the zenith that loses no time to acquisition brings half as much again, and no more.
    """
    values, terminal = network("optical_ten_sites")
    radius_m, earth_m = const.EARTH_RADIUS_M + 5e5, const.EARTH_RADIUS_M
    angle = np.arange(-300.0, 300.0) * np.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / radius_m**3)
    range_m = np.sqrt(radius_m**2 + earth_m**2 - 2.0 * radius_m * earth_m * np.cos(angle))
    sine = (radius_m * np.cos(angle) - earth_m) / range_m
    up = sine > np.sin(values["min_elevation_rad"])
    brought_byte = np.sum(rate(values, terminal, sine[up], range_m[up])) / 8.0
    assert 4.8e12 < brought_byte < 1.5 * 4.8e12


# --- Which site -------------------------------------------------------------------------------------------------------


def by_enumeration(rates, free):
    """Probability of each site over all weathers, the fastest clear one being used."""
    use, none = np.zeros(len(rates)), 0.0
    for weather in product((True, False), repeat=len(rates)):
        probability = np.prod([p if clear else 1.0 - p for p, clear in zip(free, weather, strict=True)])
        clear = [k for k, is_clear in enumerate(weather) if is_clear]
        if clear:
            use[max(clear, key=lambda k: rates[k])] += probability
        else:
            none += probability
    return use, none


def test_the_fastest_clear_site_is_used():
    free = np.array([0.7, 0.0, 0.5, 1.0, 0.3])
    for rates in list(permutations([5.0, 4.0, 3.0, 2.0, 1.0]))[::17]:
        found = np.asarray(ground_link.use_of_sites(jnp.asarray(rates)[:, None], jnp.asarray(free)[:, None]))[:, 0]
        expected, none = by_enumeration(rates, free)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert found.sum() == pytest.approx(1.0 - none)


def test_diversity_is_the_probability_that_one_of_them_is_clear():
    """Four sites of 0.6 are clear, one at least, for 97.4 % of the time."""
    use = ground_link.use_of_sites(jnp.arange(4.0)[:, None], jnp.full((4, 1), 0.6))
    assert float(use.sum()) == pytest.approx(1.0 - 0.4**4, rel=1e-12)


# --- Gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["optical_ten_sites", "ka_polar"])
def test_gradients_equal_finite_differences(name):
    values, terminal = network(name)
    sites = sites_of(values)
    ends = {"network": values, "terminal": terminal}
    names = [(end, key) for end, held in ends.items() for key, value in held.items() if isinstance(value, float)]
    names = [(end, key) for end, key in names if not key.startswith(("terminal_", "min_"))]

    @jax.jit
    def expected_rate(numbers):
        given = {end: dict(held) for end, held in ends.items()}
        for (end, key), number in zip(names, numbers, strict=False):
            given[end][key] = number
        place = tuple(numbers[len(names) : len(names) + 3, None])
        own = Sites(*numbers[len(names) + 3 :].reshape(4, -1))
        sight = ground_link.sight(own, place, place)
        each = rate(given["network"], given["terminal"], sight.sin_elevation, sight.range_m)
        use = ground_link.use_of_sites(each, own.clear_sky_fraction[:, None])
        return jnp.log(jnp.sum(use * each))

    place = [3e6, 4e6, 5.2e6]
    start = np.array([*(ends[end][key] for end, key in names), *place, *np.concatenate(sites)])
    scale = np.maximum(np.abs(start), 1e-2)
    found = np.asarray(jax.grad(expected_rate)(start)) * scale
    steps = 1e-6 * np.diag(scale)
    expected = [float(expected_rate(start + step) - expected_rate(start - step)) / 2e-6 for step in steps]
    assert np.isfinite(found).all() and np.abs(found).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


# --- Refusals ---------------------------------------------------------------------------------------------------------

OPTICAL = "ground_network=optical_ten_sites"


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            [OPTICAL, "ground_network.min_elevation_rad=1.7453"],
            "ground_network.min_elevation_rad = 1.7453: must be at least 0 and at most 1.5 rad",
        ),
        (
            [OPTICAL, "ground_network.sites.teide.latitude_rad=1.658"],
            "ground_network.sites.teide.latitude_rad = 1.658: must be less than or equal to 1.5707964",
        ),
        (
            [OPTICAL, "ground_network.sites.teide.clear_sky_fraction=1.2"],
            "ground_network.sites.teide.clear_sky_fraction = 1.2: must be less than or equal to 1",
        ),
        (
            [OPTICAL, "+ground_network.sites.teide.latitude_deg=28.3"],
            "ground_network.sites.teide.latitude_deg = 28.3: unknown key (did you mean 'latitude_rad'?)",
        ),
        ([OPTICAL, "+ground_network.sites.moon=5"], "ground_network.sites.moon = 5: "),
        ([OPTICAL, "~ground_network.sites"], "ground_network.sites = {}: must have at least one site"),
        ([OPTICAL, "downlink=none"], "downlink.model = 'none' with ground_network.model = 'optical': no satellite has"),
        ([OPTICAL, "downlink=ka_nisar"], "downlink.model = 'radio' with ground_network.model = 'optical'"),
        (
            [OPTICAL, "+cohorts.a=[]", "+cohorts.b=['downlink=ka_nisar']"],
            "downlink.model = 'radio' with ground_network.model = 'optical': its sites do not receive",
        ),
        ([OPTICAL, "downlink.aperture_m=-1"], "downlink.aperture_m = -1: must be above 0 and at most 100 m"),
        (["downlink=ka_nisar", "downlink.transmitted_power_w=400"], "must not exceed downlink.terminal_power_w = 200"),
        (["ground_network=optical_ten_site"], "(did you mean 'optical_ten_sites'?)"),
    ],
)
def test_impossible_downlinks_are_refused_in_one_sentence(overrides, says):
    with pytest.raises(ConfigError) as refused:
        twin.compose("simulate", overrides)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_cohort_may_do_without_a_terminal():
    config = twin.compose("simulate", [OPTICAL, "+cohorts.a=[]", "+cohorts.b=['downlink=none']"])
    assert [cohort.profiles["downlink"].model for cohort in config.cohorts] == ["optical", "none"]
