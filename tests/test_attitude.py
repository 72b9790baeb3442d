"""Attitude laws: what each face of the satellite sees of the Sun and of the Earth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import attitude, orbit, sunlight

FIXED = {"right_ascension_rad": 1.5708, "declination_rad": 0.4091}
LAWS = {
    "sun_pointing_edge_on": (attitude.sun_pointing_edge_on, {}),
    "sun_pointing_inertial": (attitude.sun_pointing_inertial, {}),
    "local_vertical": (attitude.local_vertical, {}),
    "fixed_in_space": (attitude.fixed_in_space, FIXED),
}
SUN_POINTING = ("sun_pointing_edge_on", "sun_pointing_inertial")


def view(law, sun, up, normal, error_rad=0.0) -> attitude.View:
    function, parameters = LAWS[law]
    vectors = [tuple(map(jnp.asarray, vector)) for vector in (sun, up, normal)]
    return function(*vectors, pointing_error_rad=error_rad, **parameters)


def scene(beta_rad, phase_rad, inclination_rad=1.71, node_rad=0.4):
    """Sun, up and orbit normal of a satellite `phase_rad` past noon, the Sun beta above its orbit."""
    node = np.array([np.cos(node_rad), np.sin(node_rad), 0.0])
    normal = np.array([np.sin(inclination_rad) * node[1], -np.sin(inclination_rad) * node[0], np.cos(inclination_rad)])
    across = np.cross(normal, node)
    noon = np.cos(0.7) * node + np.sin(0.7) * across
    ahead = np.cross(normal, noon)
    sun = np.cos(beta_rad) * noon + np.sin(beta_rad) * normal
    return sun, np.cos(phase_rad) * noon + np.sin(phase_rad) * ahead, normal


betas, phases = st.floats(-1.5, 1.5), st.floats(-3.1, 3.1)
errors = st.floats(0.0, 0.3)


@pytest.mark.parametrize("law", LAWS)
@settings(deadline=None, max_examples=40)
@given(betas, phases, errors)
def test_a_law_only_turns_the_axes(law, beta_rad, phase_rad, error_rad):
    """Views are unit vectors, the angle between Sun and nadir is kept, and a driven array turns about its boom only."""
    sun, up, normal = scene(beta_rad, phase_rad)
    if abs(sun @ up) > 0.9999:
        return
    seen = view(law, sun, up, normal, error_rad)
    for leaf in seen:
        assert np.linalg.norm(leaf) == pytest.approx(1.0, abs=1e-12)
    for sun_seen, nadir_seen in ((seen.sun_body, seen.nadir_body), (seen.sun_array, seen.nadir_array)):
        assert np.dot(sun_seen, nadir_seen) == pytest.approx(-(sun @ up), abs=1e-12)
    upright = view(law, sun, up, normal)
    assert float(upright.sun_body[1]) == pytest.approx(float(upright.sun_array[1]), abs=1e-12)
    assert float(upright.nadir_body[1]) == pytest.approx(float(upright.nadir_array[1]), abs=1e-12)


@pytest.mark.parametrize("law", SUN_POINTING)
@settings(deadline=None, max_examples=40)
@given(betas, phases, errors)
def test_pointing_error_costs_its_cosine(law, beta_rad, phase_rad, error_rad):
    """Exactly at the Sun without error; with one, the array keeps its cosine and the radiator gets its sine."""
    sun, up, normal = scene(beta_rad, phase_rad)
    if abs(sun @ up) > 0.9999:
        return
    np.testing.assert_allclose(view(law, sun, up, normal).sun_body, [1.0, 0.0, 0.0], rtol=0, atol=1e-12)
    turned = view(law, sun, up, normal, error_rad)
    np.testing.assert_allclose(turned.sun_body, [np.cos(error_rad), np.sin(error_rad), 0.0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(turned.sun_array, turned.sun_body, rtol=0, atol=0)


@settings(deadline=None, max_examples=40)
@given(betas, phases)
def test_edge_on_radiator_sees_neither_sun_nor_nadir(beta_rad, phase_rad):
    """Its normal is perpendicular to both: each face has the view factor of a plate seen edge-on, 0.241 at 650 km."""
    sun, up, normal = scene(beta_rad, phase_rad)
    if abs(sun @ up) > 0.9999:
        return
    seen = view("sun_pointing_edge_on", sun, up, normal)
    assert abs(seen.sun_body[1]) < 1e-12 and abs(seen.nadir_body[1]) < 1e-12
    assert float(seen.nadir_body[0]) == pytest.approx(-(sun @ up), abs=1e-12)
    assert seen.nadir_body[2] > 0.0  # the same deck faces the Earth all the way round
    factor = sunlight.earth_view_factor(seen.nadir_body[1], jnp.asarray(1.0 + 650.0 / 6378.137))
    assert float(factor) == pytest.approx(0.24069, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(betas, phases)
def test_inertial_radiator_keeps_its_normal(beta_rad, phase_rad):
    """It lies in the equator's plane, perpendicular to the Sun, wherever the satellite is on its orbit."""
    sun, up, normal = scene(beta_rad, phase_rad)
    seen = view("sun_pointing_inertial", sun, up, normal)
    expected = np.array([-sun[1], sun[0], 0.0]) / np.hypot(sun[0], sun[1])
    assert float(seen.nadir_body[1]) == pytest.approx(-(expected @ up), abs=1e-12)
    assert abs(expected @ sun) < 1e-12


@pytest.mark.parametrize("beta_deg", [-75.0, -20.0, 0.0, 45.0, 58.6])
def test_local_vertical_over_an_orbit(beta_deg):
    """Radiator along the orbit normal: always sin(beta) of the Sun; array on its boom: always cos(beta).

    A plate edge-on to the Earth with its normal along the velocity meets the Sun with up to cos(beta), 0.52 at
    58.6 deg; the radiator of this law, edge-on to the Earth as well, meets it with 0.85 there all the time.
    """
    beta = np.radians(beta_deg)
    along = []
    for phase in np.linspace(0.0, 2.0 * np.pi, 73):
        sun, up, normal = scene(beta, phase)
        seen = view("local_vertical", sun, up, normal)
        np.testing.assert_allclose(seen.nadir_body, [0.0, 0.0, 1.0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(seen.sun_array, [np.cos(beta), -np.sin(beta), 0.0], rtol=0, atol=1e-12)
        assert float(seen.sun_body[1]) == pytest.approx(-np.sin(beta), abs=1e-12)
        assert float(seen.sun_body[0]) == pytest.approx(sun @ np.cross(normal, up), abs=1e-12)
        turned = (float(seen.sun_body[2]) / np.cos(beta), 0.0, float(seen.sun_body[0]) / np.cos(beta))
        np.testing.assert_allclose(seen.nadir_array, turned, rtol=0, atol=1e-12)
        along.append(float(seen.sun_body[0]))
    assert max(along) == pytest.approx(np.cos(beta), abs=1e-12)
    if beta_deg == 58.6:
        assert max(along) == pytest.approx(0.52, abs=2e-3)


def test_local_vertical_uses_the_axes_of_the_orbit():
    """With the place that the orbit kernel gives: z is nadir, x the direction of flight on a circular orbit."""
    elements = orbit.Elements(*map(jnp.asarray, (7.0e6, 0.0, 1.71, 0.3, 0.2, 1.1)))
    zero = jnp.zeros(())
    rates = orbit.Rates(zero, zero, orbit.mean_motion_rad_per_s(elements.semi_major_axis_m), zero)
    place = orbit.place(elements, rates, 700.0)
    flight = np.array(place.direction_rate_per_s) / np.linalg.norm(place.direction_rate_per_s)
    for sun, axis in ((flight, [1.0, 0.0, 0.0]), (-np.array(place.direction), [0.0, 0.0, 1.0])):
        seen = view("local_vertical", sun, place.direction, place.orbit_normal)
        np.testing.assert_allclose(seen.sun_body, axis, rtol=0, atol=1e-12)


def test_fixed_in_space_meets_the_sun_of_its_day():
    """Held at the Sun's place of the June solstice: full light that day, edge-on at the equinox, behind in December."""
    days = jnp.array([9667.8, 9762.0, 9851.3])  # 21 June, 23 September and 21 December 2026
    cosines = [
        float(view("fixed_in_space", sunlight.sun(sunlight.sun_angles(d), 0.0).direction, *np.eye(3)[1:]).sun_body[0])
        for d in days
    ]
    np.testing.assert_allclose(cosines, [1.0, 0.0, -1.0], rtol=0, atol=0.02)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("beta_rad", "phase_rad"), [(0.0, 0.0), (0.0, np.pi), (np.pi / 2.0, 1.0), (0.3, 0.0), (0.0, np.pi / 2.0)]
)
def test_gradients_are_finite_where_frames_swing_round(law, beta_rad, phase_rad):
    """Under the Sun, opposite to it, and with the Sun on the orbit normal."""
    sun, up, normal = (tuple(map(jnp.asarray, vector)) for vector in scene(beta_rad, phase_rad))
    function, parameters = LAWS[law]

    def total(sun, up, normal, error):
        seen = function(sun, up, normal, pointing_error_rad=error, **parameters)
        return sum(weight * leaf for weight, leaf in enumerate(jax.tree.leaves(seen), start=1))

    values = jax.tree.leaves(jax.grad(total, argnums=(0, 1, 2, 3))(sun, up, normal, jnp.asarray(0.01)))
    assert np.isfinite(values).all() and np.isfinite(total(sun, up, normal, 0.01))


@pytest.mark.parametrize("law", LAWS)
def test_gradient_by_pointing_error(law):
    vectors = [tuple(map(jnp.asarray, vector)) for vector in scene(0.9, 0.6)]
    function, parameters = LAWS[law]

    def seen(error):
        return jnp.stack(jax.tree.leaves(function(*vectors, pointing_error_rad=error, **parameters)))

    numeric = (seen(jnp.asarray(0.051)) - seen(jnp.asarray(0.049))) / 0.002
    np.testing.assert_allclose(jax.jacfwd(seen)(jnp.asarray(0.05)), numeric, rtol=0, atol=1e-6)
