"""Sun, shadow, albedo and view factors against astropy, exact geometry and published balances."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import TEME, TETE, get_sun
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from kernels import constants as const
from kernels import orbit, sunlight

iers.conf.auto_download = False
iers.conf.auto_max_age = None

RADIUS_M = const.EARTH_RADIUS_M


# --- Sun -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::erfa.ErfaWarning", "ignore::astropy.utils.exceptions.AstropyWarning")
def test_sun_matches_astropy():
    """Direction within 0.012 deg and distance within 1e-4 au of astropy's ephemeris (ERFA epv00) from 2025 to 2035."""
    times = Time("2025-01-01T00:00:00", scale="utc") + np.linspace(0.0, 11 * 365.25, 801) * units.day
    ours = sunlight.sun(sunlight.sun_angles(jnp.asarray(times.jd - 2451545.0)), 0.0)
    for frame in (TEME(obstime=times), TETE(obstime=times)):
        theirs = get_sun(times).transform_to(frame).cartesian.xyz.to_value(units.au)
        distance = np.linalg.norm(theirs, axis=0)
        sine = np.linalg.norm(np.cross(theirs / distance, np.array(ours.direction), axis=0), axis=0)
        assert np.degrees(sine.max()) < 0.012
        assert np.abs(distance - np.asarray(ours.distance_au)).max() < 1e-4


def test_sun_after_a_day_is_the_sun_of_the_next_day():
    start = jnp.asarray(9660.0)
    late, fresh = (
        sunlight.sun(sunlight.sun_angles(start), const.DAY_S),
        sunlight.sun(sunlight.sun_angles(start + 1.0), 0.0),
    )
    np.testing.assert_allclose(late.direction, fresh.direction, rtol=0, atol=1e-8)
    np.testing.assert_allclose(late.distance_au, fresh.distance_au, rtol=1e-12)


# --- Shadow ----------------------------------------------------------------------------------------------------------

RINGS, RING_WEIGHTS = np.polynomial.legendre.leggauss(64)


def visible_disc(direction: np.ndarray, radius_m: float, sun: np.ndarray) -> np.ndarray:
    """Visible fraction of the Sun's disc (equal radiance) at 1 au behind a round Earth, on the sphere of directions.

    A ring of angular radius r about the Sun's centre is hidden where cos limb < cos t cos r + sin t sin r cos f.
    The rings are spaced evenly in arc cosine of their radius, where the hidden part begins.
    """
    limb = np.arcsin(RADIUS_M / radius_m)
    disc = np.arcsin(const.SUN_RADIUS_M / const.ASTRONOMICAL_UNIT_M)
    centre = np.arctan2(np.linalg.norm(np.cross(direction, sun), axis=-1), -(direction @ sun))
    start = np.minimum(np.abs(centre - limb), disc)
    inside = np.where(centre >= limb, 1.0, 0.0)
    # From the ring that first touches the limb to the edge of the disc; the rest of the disc is all dark or all lit.
    stretch = 0.25 * np.pi * (RINGS + 1.0)
    ring = start[:, None] + (disc - start)[:, None] * np.sin(stretch) ** 2
    weight = RING_WEIGHTS * 0.25 * np.pi * np.sin(2.0 * stretch) * (disc - start)[:, None] * np.sin(ring)
    cosine = (np.cos(limb) - np.cos(centre)[:, None] * np.cos(ring)) / (np.sin(centre)[:, None] * np.sin(ring))
    lit = 1.0 - np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi
    return ((lit * weight).sum(axis=1) + inside * (1.0 - np.cos(start))) / (1.0 - np.cos(disc))


@jax.jit
def light(altitude_m, beta_rad, middle_s, step_s):
    """Step-mean lit fraction on a circular orbit without oblateness: the Sun beta above its plane, noon at time 0."""
    axis = const.EARTH_RADIUS_M + altitude_m
    zero = jnp.zeros_like(axis)
    rates = orbit.Rates(zero, zero, orbit.mean_motion_rad_per_s(axis), zero)
    place = orbit.place(orbit.Elements(axis, zero, zero, zero, zero, zero), rates, middle_s)
    sun = sunlight.Sun((jnp.cos(beta_rad), zero, jnp.sin(beta_rad)), zero + 1.0)
    rate = (place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s)
    return sunlight.lit(place.direction, *rate, sun, step_s, earth_flattening=0.0)


def lit(altitude_m, beta_rad, middle_s, step_s):
    return light(altitude_m, beta_rad, middle_s, step_s).fraction


def lit_at(altitude_m, beta_deg, middle_s, step_s):
    return np.asarray(lit(jnp.asarray(altitude_m), jnp.radians(beta_deg), jnp.asarray(middle_s), jnp.asarray(step_s)))


def period_s(altitude_m: float) -> float:
    return float(2.0 * jnp.pi / orbit.mean_motion_rad_per_s(jnp.asarray(RADIUS_M + altitude_m)))


@cache
def eclipse_s(altitude_m: float, beta_deg: float) -> float:
    """Eclipse of an orbit, penumbra by its share, from the exactly visible part of the disc every 0.08 s. [s]"""
    period, beta = period_s(altitude_m), np.radians(beta_deg)
    times = (np.arange(80_000) + 0.5) * period / 80_000
    angle = 2.0 * np.pi * times / period
    direction = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
    sun = np.array([np.cos(beta), 0.0, np.sin(beta)])
    visible = np.ones_like(times)
    separation = np.arccos(np.clip(-direction @ sun, -1.0, 1.0)) - np.arcsin(RADIUS_M / (RADIUS_M + altitude_m))
    near = np.abs(separation) < 0.006
    visible[separation <= -0.006] = 0.0
    visible[near] = visible_disc(direction[near], RADIUS_M + altitude_m, sun)
    return (1.0 - visible).mean() * period


def test_exact_geometry_of_the_tests_is_exact():
    """The visible disc of this file against counting points of the disc."""
    radius_m, offsets = RADIUS_M + 35_786e3, np.linspace(-0.9, 0.9, 7) * 0.00465
    limb = np.arcsin(RADIUS_M / radius_m)
    angle = limb + offsets
    direction = np.stack([-np.cos(angle), np.sin(angle), np.zeros(7)], axis=-1)
    side = (np.arange(1500) + 0.5) / 750 - 1.0
    y, z = np.meshgrid(side, side)
    y, z = (np.sin(np.arcsin(const.SUN_RADIUS_M / const.ASTRONOMICAL_UNIT_M)) * v[y**2 + z**2 < 1.0] for v in (y, z))
    points = np.stack([np.sqrt(1.0 - y**2 - z**2), y, z])
    counted = (-direction @ points < np.cos(limb)).mean(axis=1)
    np.testing.assert_allclose(visible_disc(direction, radius_m, np.array([1.0, 0.0, 0.0])), counted, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("altitude_m", "accuracy"),
    [(160e3, 2e-4), (650e3, 3e-4), (1450e3, 4e-4), (20_200e3, 2.5e-3), (35_786e3, 4e-3)],
)
def test_penumbra_is_that_of_two_discs(altitude_m, accuracy):
    """The straight limb costs the part by which the Earth's limb curves across the Sun's disc."""
    limb = np.arcsin(RADIUS_M / (RADIUS_M + altitude_m))
    angle = limb + np.linspace(-1.1, 1.1, 501) * 0.00465
    direction = np.stack([-np.cos(angle), np.sin(angle), np.zeros(501)])
    zero = jnp.zeros(501)
    sun = sunlight.Sun((jnp.ones(()), jnp.zeros(()), jnp.zeros(())), jnp.ones(()))
    vectors = (tuple(map(jnp.asarray, direction)), (zero, zero, zero))
    ours = sunlight.lit(*vectors, zero + RADIUS_M + altitude_m, zero, sun, 1e-3, earth_flattening=0.0).fraction
    exact = visible_disc(direction.T, RADIUS_M + altitude_m, np.array([1.0, 0.0, 0.0]))
    assert exact.min() == 0.0 and exact.max() == pytest.approx(1.0, abs=1e-12)
    assert np.abs(ours - exact).max() < accuracy


# beta of the solstice, at which a dawn-dusk orbit has its longest eclipse
SOLSTICE_DEG = {400e3: 59.5, 550e3: 58.967, 650e3: 58.574, 1000e3: 57.081, 1500e3: 54.0}
ECLIPSES = [
    pytest.param(h, beta, step_s, marks=() if h in (650e3, 1500e3) and step_s in (10.0, 60.0) else pytest.mark.slow)
    for h, longest in SOLSTICE_DEG.items()
    for beta in (0.0, 30.0, longest)
    for step_s in (5.0, 10.0, 30.0, 60.0)
]


@pytest.mark.parametrize(("altitude_m", "beta_deg", "step_s"), ECLIPSES)
def test_eclipse_has_its_energy_whatever_the_step(altitude_m, beta_deg, step_s):
    """Sum of lit fraction times step over an orbit, at eight phases of the grid, against the exact conical shadow.

    Within 0.05 s of 2100 to 780 s of eclipse up to steps of 30 s; within 0.1 s, a part in 7000, at 60 s and at 1500 km.
    """
    exact_s, period = eclipse_s(altitude_m, beta_deg), period_s(altitude_m)
    count = round(period / step_s)
    step = period / count
    middles = (np.arange(count) + 0.5 + np.arange(8)[:, None] / 8) * step
    errors = (1.0 - lit_at(altitude_m, beta_deg, middles, step)).sum(axis=1) * step - exact_s
    assert np.abs(errors).max() < (0.1 if step_s > 30.0 or altitude_m > 1000e3 else 0.05)


@pytest.mark.parametrize(("altitude_m", "beta_deg"), [(550e3, 66.9), (650e3, 64.9), (650e3, 65.3), (1000e3, 59.9)])
def test_grazing_eclipses(altitude_m, beta_deg):
    """Eclipses of minutes or of penumbra alone: within 0.2 s at steps of 10 s."""
    exact_s, period = eclipse_s(altitude_m, beta_deg), period_s(altitude_m)
    assert 5.0 < exact_s < 300.0
    count = round(period / 10.0)
    step = period / count
    middles = (np.arange(count) + 0.5 + np.arange(8)[:, None] / 8) * step
    errors = (1.0 - lit_at(altitude_m, beta_deg, middles, step)).sum(axis=1) * step - exact_s
    assert np.abs(errors).max() < 0.2


@pytest.mark.parametrize(
    ("altitude_m", "beta_deg", "accuracy"),
    [
        (550e3, 0.0, {1.0: 1e-4, 5.0: 3e-5, 10.0: 3e-5, 30.0: 5e-5, 60.0: 2e-4, 120.0: 8e-4}),
        (650e3, 30.0, {1.0: 1e-4, 5.0: 4e-5, 10.0: 1e-4, 30.0: 5e-4, 60.0: 1.5e-3, 120.0: 4e-3}),
        (650e3, 58.574, {1.0: 1e-4, 5.0: 1e-4, 10.0: 4e-4, 30.0: 2e-3, 60.0: 6e-3, 120.0: 2e-2}),
        (650e3, 65.1, {1.0: 1e-4, 5.0: 1e-4, 10.0: 4e-4, 30.0: 4e-3, 60.0: 1.5e-2, 120.0: 6e-2}),
        (1000e3, 59.9, {1.0: 1e-4, 5.0: 1e-4, 10.0: 4e-4, 30.0: 4e-3, 60.0: 1.5e-2, 120.0: 6e-2}),
    ],
)
def test_step_mean_is_the_mean_over_the_step(altitude_m, beta_deg, accuracy):
    """Against quadrature of the instantaneous fraction, for steps at every phase of entry and exit.

    At 10 s the closed form is within 4e-4 of a step even where the orbit grazes the shadow; beyond, the
    curvature of the Sun's path over the limb grows with the square of the step.
    """
    period, count = period_s(altitude_m), 80_000
    edges = np.arange(count + 1) * period / count
    instant = lit_at(altitude_m, beta_deg, (edges[1:] + edges[:-1]) / 2, 1e-3)
    cumulative = np.concatenate([[0.0], np.cumsum(instant)]) * period / count
    assert instant.min() < 0.7
    for step_s, allowed in accuracy.items():
        start = np.linspace(0.0, period - step_s, 20_011)
        mean = (np.interp(start + step_s, edges, cumulative) - np.interp(start, edges, cumulative)) / step_s
        assert np.abs(lit_at(altitude_m, beta_deg, start + 0.5 * step_s, step_s) - mean).max() < allowed, step_s


@pytest.mark.parametrize(("altitude_m", "beta_deg"), [(550e3, 0.0), (650e3, 58.574), (650e3, 65.1), (1000e3, 59.9)])
def test_lean_is_the_first_moment_over_the_step(altitude_m, beta_deg):
    """Against quadrature of the instantaneous fraction, at every phase of entry and exit, in both precisions."""
    period, count = period_s(altitude_m), 80_000
    edges = np.arange(count + 1) * period / count
    instant = lit_at(altitude_m, beta_deg, (edges[1:] + edges[:-1]) / 2, 1e-3)
    whole = np.concatenate([[0.0], np.cumsum(instant)]) * period / count
    late = np.concatenate([[0.0], np.cumsum(instant * (edges[1:] + edges[:-1]) / 2)]) * period / count
    for step_s, allowed in {10.0: 2e-4, 30.0: 1e-3, 60.0: 4e-3}.items():
        start = np.linspace(0.0, period - step_s, 5_003)
        middle = start + 0.5 * step_s
        mean, moment = (np.interp(start + step_s, edges, a) - np.interp(start, edges, a) for a in (whole, late))
        expected = (middle * mean - moment) / step_s**2
        assert np.abs(expected).max() > 0.003
        for kind, noise in ((jnp.float64, 0.0), (jnp.float32, 3e-4)):
            numbers = (jnp.asarray(x, dtype=kind) for x in (altitude_m, np.radians(beta_deg), middle, step_s))
            assert np.abs(light(*numbers).lean - expected).max() < allowed + noise, (step_s, kind)


def test_gradient_of_the_lean():
    """By altitude and beta against central differences, and finite where the rate of the Sun's height vanishes."""

    @jax.jit
    def early(altitude_m, beta_rad):
        return jnp.abs(light(altitude_m, beta_rad, (jnp.arange(193) + 0.5) * 30.0, 30.0).lean).sum()

    slopes = jax.jit(jax.grad(early, argnums=(0, 1)))
    for altitude_m, beta_deg in ((550e3, 10.0), (650e3, 58.574), (650e3, 64.9)):
        at = (jnp.asarray(altitude_m), jnp.radians(beta_deg))
        by_altitude, by_beta = slopes(*at)
        numeric = (early(at[0] + 5.0, at[1]) - early(at[0] - 5.0, at[1])) / 10.0
        np.testing.assert_allclose(by_altitude, numeric, rtol=1e-3)
        numeric = (early(at[0], at[1] + 1e-6) - early(at[0], at[1] - 1e-6)) / 2e-6
        np.testing.assert_allclose(by_beta, numeric, rtol=1e-3)
    slope = jax.jit(jax.vmap(jax.grad(lambda *a: light(*a).lean, argnums=(0, 1, 2)), in_axes=(None, None, 0, None)))
    times = jnp.linspace(0.0, period_s(650e3), 401)
    for leaf in slope(jnp.asarray(650e3), jnp.asarray(0.0), times, jnp.asarray(30.0)):
        assert np.isfinite(leaf).all()


def test_step_mean_on_an_eccentric_orbit():
    """Where the satellite climbs or falls through the edge of the shadow: perigee 400 km, apogee 3860 km."""
    axis = jnp.asarray(RADIUS_M + 2130e3)
    zero = jnp.zeros(())
    elements = orbit.Elements(axis, jnp.asarray(0.2034), zero, zero, jnp.asarray(2.2), zero)
    motion = orbit.mean_motion_rad_per_s(axis)
    sun = sunlight.Sun((jnp.cos(0.3), zero, jnp.sin(0.3)), jnp.ones(()))

    @jax.jit
    def fraction(middle_s, step_s):
        place = orbit.place(elements, orbit.Rates(zero, zero, motion, zero), middle_s)
        rate = (place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s)
        return sunlight.lit(place.direction, *rate, sun, step_s, earth_flattening=0.0).fraction

    middles = np.arange(0.0, float(2.0 * jnp.pi / motion), 2.5)
    inside = middles[:, None] + 10.0 * ((np.arange(400) + 0.5) / 400 - 0.5)
    mean = np.asarray(fraction(jnp.asarray(inside), 1e-3)).mean(axis=1)
    assert mean.min() < 1e-9 and ((mean > 0.01) & (mean < 0.99)).sum() > 10
    assert np.abs(fraction(jnp.asarray(middles), 10.0) - mean).max() < 5e-4


@settings(deadline=None, max_examples=200)
@given(st.floats(1.6e5, 4e7), st.floats(-90.0, 90.0), st.floats(0.0, 1.0), st.floats(0.1, 120.0))
def test_lit_fraction_is_a_fraction(altitude_m, beta_deg, phase, step_s):
    """Between 0 and 1, full on the day side, and zero where the whole step passes the middle of the shadow."""
    middle_s = phase * period_s(altitude_m)
    fraction = float(lit_at(altitude_m, beta_deg, middle_s, step_s))
    assert 0.0 <= fraction <= 1.0
    towards = np.cos(2.0 * np.pi * phase) * np.cos(np.radians(beta_deg))
    if towards > 0.0:
        assert fraction == pytest.approx(1.0, abs=1e-9)
    across = np.hypot(np.sin(2.0 * np.pi * phase) * np.cos(np.radians(beta_deg)), np.sin(np.radians(beta_deg)))
    if towards < 0.0 and across < 0.5 * RADIUS_M / (RADIUS_M + altitude_m):
        assert fraction == pytest.approx(0.0, abs=1e-9)


@jax.jit
def sunlit_s(altitude_m, beta_rad):
    """Sunlit seconds of 5800 s in steps of 10 s."""
    return lit(altitude_m, beta_rad, (jnp.arange(580) + 0.5) * 10.0, 10.0).sum() * 10.0


slopes_of_sunlit_s = jax.jit(jax.grad(sunlit_s, argnums=(0, 1)))


@pytest.mark.parametrize(("altitude_m", "beta_deg"), [(550e3, 0.0), (650e3, 58.574), (650e3, 64.9), (1000e3, 57.081)])
def test_gradient_of_the_eclipse(altitude_m, beta_deg):
    """Sunlit seconds of an orbit by altitude and beta, in steps of 10 s, against central differences."""

    at = (jnp.asarray(altitude_m), jnp.radians(beta_deg))
    by_altitude, by_beta = slopes_of_sunlit_s(*at)
    numeric = (sunlit_s(at[0] + 5.0, at[1]) - sunlit_s(at[0] - 5.0, at[1])) / 10.0
    np.testing.assert_allclose(by_altitude, numeric, rtol=1e-5)
    numeric = (sunlit_s(at[0], at[1] + 1e-6) - sunlit_s(at[0], at[1] - 1e-6)) / 2e-6
    np.testing.assert_allclose(by_beta, numeric, rtol=1e-4, atol=1e-2)


def test_gradients_are_finite_everywhere():
    """Also at the point opposite the Sun, under it, and where the disc touches the limb."""
    altitude_m = 650e3
    period = period_s(altitude_m)
    limb_s = (0.5 + np.arcsin(RADIUS_M / (RADIUS_M + altitude_m)) / (2.0 * np.pi)) * period
    times = jnp.concatenate([jnp.array([0.0, period / 2.0]), limb_s + jnp.linspace(-12.0, 12.0, 49)])
    slope = jax.jit(jax.vmap(jax.grad(lit, argnums=(0, 1, 2)), in_axes=(None, None, 0, None)))
    for step_s in (0.01, 10.0):
        for leaf in slope(jnp.asarray(altitude_m), jnp.asarray(0.0), times, jnp.asarray(step_s)):
            assert np.isfinite(leaf).all()


@pytest.mark.parametrize(("altitude_m", "beta_deg"), [(550e3, 0.0), (650e3, 58.574), (650e3, 64.9)])
def test_single_precision_is_enough(altitude_m, beta_deg):
    """Single precision keeps every step's fraction within 1e-4 and an orbit's sunlit time within 0.02 s."""
    middles = np.arange(580) * 10.0 + 5.0
    single = [jnp.asarray(v, dtype=jnp.float32) for v in (altitude_m, np.radians(beta_deg), middles, 10.0)]
    short = lit(*single)
    assert short.dtype == jnp.float32
    difference = np.asarray(short, dtype=float) - lit_at(altitude_m, beta_deg, middles, 10.0)
    assert np.abs(difference).max() < 1e-4
    assert abs(difference.sum() * 10.0) < 0.02


# --- View factor -----------------------------------------------------------------------------------------------------


def integrated_view_factor(tilt_rad: float, ratio: float) -> float:
    """Cosine over pi through the Earth's cone: over azimuth in closed form, over nadir angle by quadrature."""

    def ring(nadir_rad: float) -> float:
        mean, swing = np.cos(tilt_rad) * np.cos(nadir_rad), abs(np.sin(tilt_rad) * np.sin(nadir_rad))
        half = np.arccos(np.clip(-mean / max(swing, 1e-300), -1.0, 1.0))
        return 2.0 * (mean * half + swing * np.sin(half)) * np.sin(nadir_rad) / np.pi

    limb, horizon = np.arcsin(1.0 / ratio), abs(np.pi / 2.0 - tilt_rad)
    kinks = [horizon] if 0.0 < horizon < limb else None
    return quad(ring, 0.0, limb, points=kinks, epsabs=1e-12, epsrel=1e-12, limit=200)[0]


@pytest.mark.parametrize("altitude_km", [160.0, 650.0, 1450.0, 35_786.0])
def test_view_factor_is_the_integral_over_the_earth(altitude_km):
    """Every tilt, closely spaced where the plate's own horizon begins to cut the Earth's disc."""
    ratio = 1.0 + altitude_km * 1e3 / RADIUS_M
    seams = np.arccos([1.0 / ratio, -1.0 / ratio])
    near = (seams[:, None] + np.array([-1e-3, -1e-4, -1e-6, 0.0, 1e-6, 1e-4, 1e-3])).ravel()
    tilts = np.concatenate([np.linspace(0.0, np.pi, 91), near])
    exact = [integrated_view_factor(tilt, ratio) for tilt in tilts]
    ours = sunlight.earth_view_factor(jnp.cos(tilts), jnp.asarray(ratio))
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-12)
    short = sunlight.earth_view_factor(jnp.cos(tilts).astype(jnp.float32), jnp.asarray(ratio, dtype=jnp.float32))
    np.testing.assert_allclose(short, exact, rtol=0, atol=1e-6)


@settings(deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(1.02, 20.0))
def test_two_faces_of_a_plate_share_the_earth(cosine, ratio):
    """What the horizon takes from one face it gives to the other: their difference is cos / h^2 at any tilt."""
    front, back = (
        float(sunlight.earth_view_factor(jnp.asarray(sign * cosine), jnp.asarray(ratio))) for sign in (1.0, -1.0)
    )
    assert front - back == pytest.approx(cosine / ratio**2, abs=1e-12)
    assert min(front, back) >= 0.0 and max(front, back) <= ratio**-2 + 1e-12


def test_gradient_of_the_view_factor():
    """Finite and equal to central differences through both seams and at 0 and 180 deg."""
    ratio = jnp.asarray(1.0 + 650e3 / RADIUS_M)
    factor = jax.jit(jax.vmap(sunlight.earth_view_factor, in_axes=(0, None)))
    slopes = jax.jit(jax.vmap(jax.grad(sunlight.earth_view_factor, argnums=(0, 1)), in_axes=(0, None)))
    seams = np.array([1.0, -1.0])[:, None] / float(ratio) + np.array([-1e-4, -1e-6, 0.0, 1e-6, 1e-4])
    cosines = jnp.concatenate([jnp.linspace(-0.999, 0.999, 201), jnp.asarray(seams.ravel())])
    by_cosine, by_ratio = slopes(cosines, ratio)
    numeric = (factor(cosines + 1e-5, ratio) - factor(cosines - 1e-5, ratio)) / 2e-5
    np.testing.assert_allclose(by_cosine, numeric, rtol=0, atol=2e-3)
    smooth = np.abs(np.abs(cosines) * ratio - 1.0) > 1e-3
    np.testing.assert_allclose(by_cosine[smooth], numeric[smooth], rtol=0, atol=1e-7)
    numeric = (factor(cosines, ratio + 1e-6) - factor(cosines, ratio - 1e-6)) / 2e-6
    np.testing.assert_allclose(by_ratio[smooth], numeric[smooth], rtol=0, atol=1e-7)
    for leaf in slopes(jnp.array([-1.0, 1.0]), ratio):
        assert np.isfinite(leaf).all()


# --- Sky -------------------------------------------------------------------------------------------------------------


def sky_at(distance_au=1.0, solar=1361.0, albedo=0.3, infrared=239.0) -> sunlight.Sky:
    return sunlight.sky(
        jnp.asarray(distance_au),
        solar_irradiance_w_per_m2=solar,
        albedo=albedo,
        earth_infrared_w_per_m2=infrared,
    )


def test_sunlight_falls_with_the_square_of_the_distance():
    near, far = sky_at(distance_au=0.9833), sky_at(distance_au=1.0167)
    assert float(near.solar_w_per_m2) == pytest.approx(1361.0 / 0.9833**2)
    assert float(near.solar_w_per_m2 / far.solar_w_per_m2) == pytest.approx((1.0167 / 0.9833) ** 2)
    assert float(near.albedo_w_per_m2 / far.albedo_w_per_m2) == pytest.approx((1.0167 / 0.9833) ** 2)
    assert float(near.infrared_w_per_m2) == float(far.infrared_w_per_m2) == 239.0


def sunlit(cos_nadir, azimuth_rad, cos_zenith, altitude_m=650e3, dtype=jnp.float64):
    """View factors to the Earth and to its sunlit part, of a plate turned `azimuth_rad` from the Sun's azimuth."""
    cos_sun = -cos_nadir * cos_zenith
    cos_sun = cos_sun + jnp.sqrt((1.0 - cos_nadir**2) * (1.0 - cos_zenith**2)) * jnp.cos(azimuth_rad)
    ratio = jnp.asarray(1.0 + altitude_m / RADIUS_M, dtype)
    cos_nadir, cos_sun, cos_zenith = (jnp.asarray(x, dtype) for x in (cos_nadir, cos_sun, cos_zenith))
    view = sunlight.earth_view_factor(cos_nadir, ratio)
    return view, sunlight.sunlit_view_factor(view, cos_nadir, cos_sun, cos_zenith, ratio)


@pytest.mark.parametrize("altitude_m", [160e3, 650e3, 1450e3, 35_786e3])
def test_albedo_by_day_and_by_night(altitude_m):
    """Never brighter than the whole view under the Sun, dark where all the ground in view is, rising with the Sun."""
    cosines = jnp.linspace(-1.0, 1.0, 401)
    cap = float(jnp.sqrt(1.0 - (RADIUS_M / (RADIUS_M + altitude_m)) ** 2))
    for cos_nadir in (-1.0, -0.5, 0.0, 0.5, 1.0):
        for azimuth_rad in (0.0, 1.5, 3.1):
            view, lit = (np.asarray(x) for x in sunlit(cos_nadir, azimuth_rad, cosines, altitude_m))
            assert (lit >= 0.0).all() and (lit <= view).all()
            np.testing.assert_allclose(lit[cosines < -cap], 0.0, atol=1e-9)
            if cos_nadir == 1.0:
                assert (np.diff(lit) >= -1e-15).all()


def test_albedo_leans_with_the_plate():
    """The plate that faces the Sun's side of the ground gets more than the one that turns its back to it."""
    toward, away = (float(sunlit(0.3, azimuth, 0.1)[1]) for azimuth in (0.0, np.pi))
    assert toward > 1.5 * away > 0.0


def test_albedo_in_the_precision_of_a_step():
    cosines, views = jnp.linspace(-1.0, 1.0, 201), jnp.linspace(-1.0, 1.0, 41)[:, None]
    exact, short = (sunlit(views, 0.7, cosines[None, :], dtype=dtype)[1] for dtype in (jnp.float64, jnp.float32))
    assert short.dtype == jnp.float32
    np.testing.assert_allclose(short, exact, rtol=0, atol=2e-6)


def test_gradient_of_the_albedo():
    """Finite everywhere, at night and under the Sun as well, and equal to differences away from the seams."""

    def lit(cos_nadir, cos_sun, cos_zenith, ratio):
        return sunlight.sunlit_view_factor(
            sunlight.earth_view_factor(cos_nadir, ratio), cos_nadir, cos_sun, cos_zenith, ratio
        )

    slopes = jax.jit(jax.grad(lit, argnums=(0, 1, 2, 3)))
    for point in (
        (1.0, -1.0, 1.0),
        (-1.0, 1.0, -1.0),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.9, 0.3, -0.4),
        (0.2, 0.3, 0.2),
    ):
        values = (*map(jnp.asarray, point), jnp.asarray(1.1))
        assert np.isfinite(slopes(*values)).all()
    for k, slope in enumerate(slopes(*values)):
        step = np.where(np.arange(4) == k, 1e-6, 0.0)
        up, down = (lit(*(v + sign * d for v, d in zip(values, step, strict=True))) for sign in (1.0, -1.0))
        assert float(slope) == pytest.approx(float(up - down) / 2e-6, abs=1e-7)
