"""Links between satellites: published numbers, closed forms, gradients, what they weigh and draw, refusals."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

import twin
from kernels import beam, link, registry
from kernels import constants as const
from kernels import safe_math as sm
from twin import budget
from twin.prepare import prepare
from twin.refusal import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf" / "link"
SUNCATCHER_DB = 105.1


def profile(name, **changes):
    return {**dict(OmegaConf.load(CONF / f"{name}.yaml")), **changes}


def at(distance_m, name="suncatcher", **changes):
    values = profile(name, **changes)
    return registry.call(registry.models("link")[values["model"]], values, jnp.asarray(distance_m))


# --- Published numbers ------------------------------------------------------------------------------------------------


def test_suncatcher_receives_what_its_paper_says():
    """Aguera y Arcas et al., arXiv 2511.19468, 2025: 5 W, 105.1 dB at both ends, 1.55 um, 5 000 km, 3 dB of losses."""
    power_w = link.received_w(5.0, beam.of_decibels(-SUNCATCHER_DB), 1.55e-6, 5e6, 3.0, 0.0)
    assert float(power_w) == pytest.approx(1.59689e-6, rel=1e-3)


def test_at_the_confocal_range_a_receiver_takes_in_most_of_the_beam():
    """The same paper: pi a^2 / wavelength, some 5 km for 5 cm; there perfect apertures pass on 1 - 1/e."""
    aperture_m, wavelength_m = 0.1, 1.55e-6
    gain, area_m2 = beam.aperture_gain(aperture_m, wavelength_m, 1.0), beam.effective_area_m2(aperture_m, 1.0)
    assert float(beam.captured_fraction(gain, area_m2, 5067.08)) == pytest.approx(1.0 - np.exp(-1.0), rel=1e-5)


# --- Closed forms -----------------------------------------------------------------------------------------------------


def test_power_far_away_is_that_of_friis():
    """Received over sent: gain gain (wavelength / 4 pi range)^2, and a quarter of it at twice the distance."""
    gain, wavelength_m, range_m = 2e10, 1.55e-6, 1e7
    power_w = float(link.received_w(3.0, jnp.asarray(gain), wavelength_m, range_m, 0.0, 0.0))
    assert power_w == pytest.approx(3.0 * (gain * wavelength_m / (4.0 * np.pi * range_m)) ** 2, rel=1e-6)


def test_no_more_arrives_than_was_sent():
    for distance_m in (0.0, 1.0, 1e3, 1e5):
        power_w = float(link.received_w(3.0, jnp.asarray(2e10), 1.55e-6, distance_m, 3.0, 0.0))
        assert 0.0 < power_w <= 3.0 * 10.0**-0.3 * (1.0 + 1e-12)


def test_short_links_carry_what_their_channels_do():
    assert float(at(200.0, channels=24.0, channel_bit_per_s=4e11).bit_per_s) == pytest.approx(9.6e12, rel=1e-9)


def test_both_ends_lose_by_their_pointing():
    """Equal terminals, each off its aim: two times what the pattern of one loses."""
    gain = jnp.asarray(2e10)
    aimed, off = (float(link.received_w(3.0, gain, 1.55e-6, 1e7, 3.0, error)) for error in (0.0, 5e-6))
    assert off / aimed == pytest.approx(np.exp(-0.5 * 2e10 * 5e-6**2), rel=1e-12)


@pytest.mark.parametrize("error_rad", [0.0, 1e-6, 5e-6, 2e-5])
def test_pointing_loss_is_that_of_a_gaussian_beam(error_rad):
    """A beam of half-angle w at 1 / e^2 has exp(-2 error^2 / w^2) of its intensity beside its axis."""
    half_angle_rad = 1.2e-5
    found = beam.pointing_factor(jnp.asarray(8.0 / half_angle_rad**2), error_rad)
    assert float(found) == pytest.approx(np.exp(-2.0 * (error_rad / half_angle_rad) ** 2), rel=1e-12)


def test_gain_of_the_gaussian_beam_is_the_solid_angle_over_that_of_its_power():
    """4 pi over the integral of exp(-2 a^2 / w^2) over all directions is 8 / w^2."""
    half_angle_rad = 0.01
    angle = np.linspace(0.0, 0.1, 200_001)
    intensity = np.asarray(beam.pointing_factor(jnp.asarray(8.0 / half_angle_rad**2), jnp.asarray(angle)))
    solid = np.trapezoid(intensity * 2.0 * np.pi * np.sin(angle), angle)
    assert 4.0 * np.pi / solid == pytest.approx(8.0 / half_angle_rad**2, rel=1e-4)


@pytest.mark.parametrize("above_m", [-2e5, -1.0, 1.0, 3e5])
def test_line_of_sight_clears_the_earth_by_the_closed_form(above_m):
    """Two places at equal height see each other past the middle of their chord, at r cos(half the angle)."""
    grazing_m, radius_m = 8e4, const.EARTH_RADIUS_M + 6.5e5
    half_rad = np.arccos((const.EARTH_RADIUS_M + grazing_m + above_m) / radius_m)
    here, there = ((radius_m * np.cos(a), radius_m * np.sin(a), 0.0) for a in (0.4 - half_rad, 0.4 + half_rad))
    vectors = (tuple(map(jnp.asarray, place)) for place in (here, there))
    found = float(link.clearance_m(*vectors, grazing_height_m=grazing_m))
    assert found == pytest.approx(above_m, abs=1e-6)


def test_neighbours_see_each_other_at_the_height_of_the_lower_one():
    here, there = (tuple(map(jnp.asarray, (7e6 + up_m, 0.0, 0.0))) for up_m in (0.0, 1e3))
    for pair in ((here, there), (there, here), (here, here)):
        assert float(link.clearance_m(*pair, grazing_height_m=0.0)) == pytest.approx(7e6 - const.EARTH_RADIUS_M)


def test_light_takes_its_time():
    assert float(at(299_792_458.0).delay_s) == 1.0


def test_mesh_is_longer_than_the_great_circle_and_waits_at_each_hop():
    changes = {"path_stretch": 1.5, "hop_m": 1e6, "hop_delay_s": 1e-3, "availability": 0.9, "share_bit_per_s": 2e10}
    changes |= {"access_m": 1e6}
    found = at(4e6, "starlink_mesh", **changes)
    assert float(found.delay_s) == pytest.approx(7e6 / 299_792_458.0 + 7e-3, rel=1e-12)
    assert float(found.bit_per_s) == pytest.approx(1.8e10, rel=1e-12)


@pytest.mark.parametrize("ratio", [1e-6, 0.5, 1.0, 2.0, 1e6])
def test_rounded_minimum_is_below_both_by_at_most_eight_percent(ratio):
    found = float(sm.soft_minimum(jnp.asarray(3e9), jnp.asarray(3e9 * ratio)))
    least = 3e9 * min(ratio, 1.0)
    assert 2.0**-0.125 * least * (1.0 - 1e-12) <= found <= least
    assert ratio == 1.0 or found > 0.9995 * least


def test_all_of_it_holds_in_single_precision():
    distances = jnp.asarray(np.geomspace(1.0, 4e7, 50))
    for name in ("suncatcher", "starlink_laser", "condor_mk3", "starlink_mesh"):
        double = at(distances, name)
        values = {k: np.float32(v) if isinstance(v, float) else v for k, v in profile(name).items()}
        single = registry.call(registry.models("link")[values["model"]], values, distances.astype(jnp.float32))
        for ours, exact in zip(single, double, strict=True):
            assert ours.dtype == jnp.float32
            np.testing.assert_allclose(ours, exact, rtol=2e-5)


# --- Gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["suncatcher", "starlink_laser", "condor_mk3", "starlink_mesh"])
@pytest.mark.parametrize("distance_m", [300.0, 2e5, 3e6])
def test_gradients_equal_finite_differences(name, distance_m):
    values = profile(name)
    model = registry.models("link")[values["model"]]
    names = list(registry.parameters(model))

    @jax.jit
    def carried(numbers):
        found = registry.call(model, dict(zip(names, numbers[:-1], strict=True)), numbers[-1])
        return jnp.log(found.bit_per_s) + jnp.log(found.delay_s)

    start = np.array([*(float(values[key]) for key in names), distance_m])
    found = np.asarray(jax.grad(carried)(start)) * start  # per relative change, as the numbers' sizes differ by 1e18
    steps = 1e-5 * np.diag(start)
    expected = [float(carried(start + step) - carried(start - step)) / 2e-5 for step in steps]
    assert np.isfinite(found).all() and np.abs(found).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_gradient_of_the_clearance():
    numbers = jnp.asarray([7e6, 0.0, 1e5, 2e6, 6.5e6, -3e5])

    def clearance(places):
        return link.clearance_m(tuple(places[:3]), tuple(places[3:]), grazing_height_m=8e4)

    expected = [float(clearance(numbers + d) - clearance(numbers - d)) / 2.0 for d in jnp.eye(6)]
    np.testing.assert_allclose(jax.grad(clearance)(numbers), expected, rtol=1e-6, atol=1e-8)


# --- What terminals weigh and draw ------------------------------------------------------------------------------------


def model_of(*overrides):
    return twin.build(twin.compose("simulate", ["constellation=single", *overrides]))


def shapes(model):
    return jax.eval_shape(prepare, model.structure, model.params, model.environment)["reference"]


@pytest.mark.parametrize(
    ("overrides", "kg", "watts"),
    [
        (["link=suncatcher"], 40.0, 800.0),
        (["ground_network=optical_ten_sites"], 5.0, 120.0),
        (["link=starlink_mesh", "ground_network=ka_polar"], 40.0, 280.0),
    ],
    ids=["neighbours", "ground", "both"],
)
def test_terminals_add_their_mass_and_what_the_bus_must_feed(overrides, kg, watts):
    model = model_of(*overrides)
    params = model.params["reference"]
    assert float(budget.essential_w(params)) == 1500.0 + watts
    parts = {"link": link.terminals, "downlink": budget.ground_link.load}
    carried = [registry.call(kernel, params[slot]).mass_kg for slot, kernel in parts.items() if params[slot]]
    assert float(sum(carried)) == kg
    assert "terminals" in shapes(model).budget.parts_kg


def test_without_links_there_is_neither_a_part_nor_a_number():
    model = model_of()
    params = model.params["reference"]
    assert params["link"] == params["downlink"] == {} and params["ground_network"] == {"sites": {}}
    assert float(budget.essential_w(params)) == float(params["satellite"]["bus_power_w"])
    assert "terminals" not in shapes(model).budget.parts_kg


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["link.aperture_m=-0.1"], "link.aperture_m = -0.1: must be above 0 and at most 100 m"),
        (["link.photons_per_bit=0"], "link.photons_per_bit = 0: must be above 0"),
        (["link.loss_db=-3"], "link.loss_db = -3: must be at least 0 and at most 100 dB"),
        (["link.pointing_error_rad=2"], "link.pointing_error_rad = 2: must be at least 0 and at most 1.57 rad"),
        (
            ["link.transmitted_power_w=300"],
            "link.transmitted_power_w = 300: must not exceed link.terminal_power_w = 200",
        ),
        (["link=starlink_mesh", "link.path_stretch=0.9"], "link.path_stretch = 0.9: must be at least 1"),
        (["link=sun_catcher"], "(did you mean 'suncatcher'?)"),
    ],
)
def test_impossible_links_are_refused_in_one_sentence(overrides, says):
    with pytest.raises(ConfigError) as refused:
        twin.compose("simulate", ["link=suncatcher", *overrides] if "link=" not in overrides[0] else overrides)
    assert says in str(refused.value) and "\n" not in str(refused.value)
