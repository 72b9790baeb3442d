"""Drift within a cluster, by the motion that follows from it, against the project's orbits and Newton's law.

The motion of a nearly circular orbit about another is that of Clohessy and Wiltshire (J. Aerosp. Sci. 27, 1960, 653) in
the elements of D'Amico and Montenbruck (J. Guid. Control Dyn. 29, 2006, 554).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from kernels import constants as const
from kernels import formation, orbit

AXIS_M, SPACING_M, DAY_S = const.EARTH_RADIUS_M + 650e3, 110.0, 86_400.0


class Cluster(NamedTuple):
    elements: orbit.Elements
    rates: orbit.Rates
    centre: orbit.Elements
    centre_rates: orbit.Rates
    now: formation.Difference
    drift: formation.Difference


def cluster(satellites: int, inclination_rad: float | None = None) -> Cluster:
    """The cluster of conf/constellation/cluster_81.yaml, or one of four on its outermost corners."""
    synchronous = float(orbit.sun_synchronous_inclination_rad(jnp.asarray(AXIS_M), jnp.asarray(0.0)))
    inclination = synchronous if inclination_rad is None else inclination_rad
    centre = orbit.Elements(*map(jnp.asarray, (AXIS_M, 0.0, inclination, 0.3, 0.0, 0.0)))
    spacing_m = SPACING_M if satellites == 81 else 8 * SPACING_M
    ones = jnp.ones(satellites)
    placed = orbit.cluster(jnp.arange(float(satellites)), satellites, centre, spacing_m=spacing_m)
    elements = orbit.Elements(*(leaf * ones for leaf in placed))
    rates, centre_rates = orbit.secular_rates(*elements[:3]), orbit.secular_rates(*centre[:3])
    return Cluster(
        elements,
        rates,
        centre,
        centre_rates,
        formation.difference(elements, centre),
        formation.drift_m_per_s(rates, centre, centre_rates),
    )


def drifted(now: formation.Difference, drift: formation.Difference, turn_rad, time_s) -> formation.Difference:
    """Differences `time_s` later, the eccentricity turned by the perigee's `turn_rad`."""
    later = formation.Difference(*(value + rate * time_s for value, rate in zip(now, drift, strict=True)))
    cosine, sine = jnp.cos(turn_rad), jnp.sin(turn_rad)
    return later._replace(
        eccentricity_x_m=cosine * now.eccentricity_x_m - sine * now.eccentricity_y_m,
        eccentricity_y_m=sine * now.eccentricity_x_m + cosine * now.eccentricity_y_m,
    )


def position_m(now: formation.Difference, latitude_rad) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Place up, ahead and across (along the orbit's normal) of a centre at a mean argument of latitude."""
    cosine, sine = jnp.cos(latitude_rad), jnp.sin(latitude_rad)
    return (
        now.axis_m - now.eccentricity_x_m * cosine - now.eccentricity_y_m * sine,
        now.ahead_m + 2.0 * (now.eccentricity_x_m * sine - now.eccentricity_y_m * cosine),
        now.tilt_m * sine - now.node_m * cosine,
    )


def foretold(made: Cluster, time_s: float, latitude_rad: float) -> np.ndarray:
    turn = made.rates.argument_of_perigee_rad_per_s * time_s
    return np.stack(position_m(drifted(made.now, made.drift, turn, time_s), latitude_rad))


@pytest.mark.parametrize("days", [0.0, 0.02, 1.0, 30.0, 365.25])
def test_places_are_those_of_the_orbits(days):
    """81 satellites within 1 km, whose second-order terms are 4 cm."""
    made, time_s = cluster(81), days * DAY_S
    own, of_centre = (
        orbit.place(orbit.advance(e, r, jnp.asarray(time_s)), r, 0.0)
        for e, r in ((made.elements, made.rates), (made.centre, made.centre_rates))
    )
    both = zip(own.direction, of_centre.direction, strict=True)
    offset = np.stack([own.radius_m * a - of_centre.radius_m * b for a, b in both])
    up, normal = np.stack(of_centre.direction), np.stack(of_centre.orbit_normal)
    seen = np.stack([up, np.cross(normal, up), normal]) @ offset
    flown_rad = sum(made.centre_rates[1:3]) * time_s
    np.testing.assert_allclose(foretold(made, time_s, flown_rad), seen, atol=0.04)
    assert np.max(np.hypot(seen[0], seen[1])) < 1000.0


def test_motion_obeys_clohessy_and_wiltshire():
    """x'' = 2 n y' + 3 n2 x, y'' = -2 n x', z'' = -n2 z, for any differences, without J2."""
    start = formation.Difference(*map(jnp.asarray, (3.0, -40.0, 25.0, 60.0, -15.0, 35.0)))
    n = float(orbit.mean_motion_rad_per_s(jnp.asarray(AXIS_M)))
    still = jnp.asarray(0.0)
    drift = formation.Difference(still, -1.5 * n * start.axis_m, still, still, still, still)

    def at(time_s):
        return jnp.stack(position_m(drifted(start, drift, 0.0 * still, time_s), n * time_s))

    speed, bend = jax.jit(jax.jacfwd(at)), jax.jit(jax.jacfwd(jax.jacfwd(at)))
    for time_s in (0.0, 700.0, 4321.0):
        (x, _, z), (vx, vy, _) = at(time_s), speed(time_s)
        want = [2 * n * vy + 3 * n**2 * x, -2 * n * vx, -(n**2) * z]
        np.testing.assert_allclose(bend(time_s), want, atol=1e-12)


def test_drift_of_a_neighbour_follows_from_axis_and_inclination():
    """First order in J2, with k = 1.5 J2 (R/a)^2 n of a circular orbit.

    Along the orbit -(1.5 n + 3.5 k (3 cos2 i - 1)) da / a - 7 k sin i cos i di; node k (3.5 cos i da / a + sin i di).
    """
    i = 1.2
    centre = orbit.Elements(*map(jnp.asarray, (AXIS_M, 0.0, i, 0.0, 0.0, 0.0)))
    n = float(orbit.mean_motion_rad_per_s(jnp.asarray(AXIS_M)))
    k = 1.5 * const.EARTH_J2 * (const.EARTH_RADIUS_M / AXIS_M) ** 2 * n
    for da, di in ((1.0, 0.0), (0.0, 1e-6)):
        beside = centre._replace(semi_major_axis_m=centre.semi_major_axis_m + da, inclination_rad=jnp.asarray(i + di))
        rates = [orbit.secular_rates(*elements[:3]) for elements in (beside, centre)]
        drift = formation.drift_m_per_s(rates[0], centre, rates[1])
        lead = -(1.5 * n + 3.5 * k * (3 * np.cos(i) ** 2 - 1)) * da / AXIS_M - 7 * k * np.sin(i) * np.cos(i) * di
        node = k * (3.5 * np.cos(i) * da / AXIS_M + np.sin(i) * di)
        assert float(drift.ahead_m) == pytest.approx(lead * AXIS_M, rel=1e-5)
        assert float(drift.node_m) == pytest.approx(node * np.sin(i) * AXIS_M, rel=1e-5)


def acceleration(x: np.ndarray) -> np.ndarray:
    """Newton's and the oblate Earth's, (3, satellite)."""
    r = np.linalg.norm(x, axis=0)
    k, z2 = 1.5 * const.EARTH_J2 * const.EARTH_GRAVITY_M3_PER_S2 * const.EARTH_RADIUS_M**2 / r**5, 5.0 * (x[2] / r) ** 2
    return -const.EARTH_GRAVITY_M3_PER_S2 * x / r**3 - k * x * np.array([1.0 - z2, 1.0 - z2, 3.0 - z2])


def potential_j_per_kg(r: np.ndarray | np.floating, sine: np.ndarray) -> np.ndarray:
    """Whose gradient that is; `sine` of latitude."""
    oblate = const.EARTH_J2 * (const.EARTH_RADIUS_M / r) ** 2 * (1.5 * sine**2 - 0.5)
    return -const.EARTH_GRAVITY_M3_PER_S2 / r * (1.0 - oblate)


def start_of(elements: orbit.Elements, rates: orbit.Rates) -> tuple[np.ndarray, np.ndarray]:
    place = orbit.place(elements, rates, 0.0)
    both = list(zip(place.direction, place.direction_rate_per_s, strict=True))
    at = [place.radius_m * d for d, _ in both]
    moving = [place.radius_rate_m_per_s * d + place.radius_m * rate for d, rate in both]
    return np.stack(at), np.stack(moving)


def integrated(made: Cluster, paced: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean argument of latitude of the centre and places about it after a day, every 15 minutes.

    Paced satellites get the energy of the centre, oblateness included: osculating axes swing with J2 by kilometres in
    every orbit, so that those that are equal at one moment have unequal means.
    """
    (x, v), (x_0, v_0) = start_of(made.elements, made.rates), start_of(made.centre, made.centre_rates)
    if paced:
        r, r_0 = np.linalg.norm(x, axis=0), np.linalg.norm(x_0)
        above = potential_j_per_kg(r, x[2] / r) - potential_j_per_kg(r_0, x_0[2] / r_0)
        v = v * np.sqrt(np.linalg.norm(v_0) ** 2 - 2.0 * above) / np.linalg.norm(v, axis=0)
    start = np.concatenate([np.column_stack([x_0, x]), np.column_stack([v_0, v])])
    shape = start.shape

    def rates(_, y):
        position, velocity = np.split(y.reshape(shape), 2)
        return np.concatenate([velocity, acceleration(position)]).ravel()

    grid_s = np.linspace(0.0, DAY_S, 97)
    found = solve_ivp(rates, (0.0, DAY_S), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-6, t_eval=grid_s)
    x, v = np.split(found.y.T.reshape(grid_s.size, *shape), 2, axis=1)
    up = x[..., 0] / np.linalg.norm(x[..., 0], axis=1)[:, None]
    normal = np.cross(x[..., 0], v[..., 0])
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    node = np.cross([0.0, 0.0, 1.0], normal)
    latitude = np.arctan2(np.sum(np.cross(normal, node) * up, axis=1), np.sum(node * up, axis=1))
    frame = np.stack([up, np.cross(normal, up), normal], axis=1)
    return latitude, np.einsum("tks,tjk->tjs", x[..., 1:] - x[..., :1], frame)


@pytest.mark.parametrize("inclination_rad", [None, 0.925])
def test_places_are_those_of_newton_s_law_with_oblateness(inclination_rad):
    """Corners of the cluster, 0.5 km up and 1 km ahead: without J2 it would be tens of metres after a day.

    Left out are short-period terms, of relative size k = 1.5 J2 (R/a)^2 and twice that ahead, as eccentricities count
    there; drift of second order, some k^2 n t; and the curvature of the orbit over the distance d: 3.3 m in all.
    """
    made = cluster(4, inclination_rad)
    times_s = np.linspace(0.0, DAY_S, 97)
    latitude, seen = integrated(made, paced=True)
    closed = np.stack([foretold(made, t, u) for t, u in zip(times_s, latitude, strict=True)])
    without = np.stack([np.stack(position_m(made.now, u)) for u in latitude])
    far_m, k = np.max(np.abs(seen)), 1.5 * const.EARTH_J2 * (const.EARTH_RADIUS_M / AXIS_M) ** 2
    turned_rad = float(made.centre_rates.mean_anomaly_rad_per_s) * DAY_S
    left_out_m = far_m * (2.0 * k + 3.0 * k**2 * turned_rad + far_m / AXIS_M)
    assert np.max(np.abs(seen - closed)) < left_out_m < 30.0 < np.max(np.abs(seen - without))


def test_satellites_that_do_not_keep_pace_drift_apart():
    made = cluster(4)
    latitude, seen = integrated(made, paced=False)
    closed = foretold(made, DAY_S, latitude[-1])
    assert np.max(np.abs(seen[-1] - closed)) > 200.0


def test_holding_counts_what_gauss_s_equations_ask_for():
    """81 satellites for a year: next to nothing, for all turn alike; 5.4 m/s where the perigees are to stand still.

    By hand: n / 2 times 440 x sqrt(1.25) m times 6.5e-7 rad/s times a year.
    """
    made = cluster(81)
    motion = made.centre_rates.mean_anomaly_rad_per_s
    held = formation.holding(
        made.now, made.drift, made.rates.argument_of_perigee_rad_per_s, motion, jnp.asarray(const.YEAR_S)
    )
    turn = 1.5 * 1.08262668e-3 * (6378.137 / 7028.137) ** 2 * 1.0716e-3 * (0.5 - 2.5 * 0.01929)
    assert float(jnp.max(held.turning_m_per_s)) == pytest.approx(
        0.5 * 1.0716e-3 * 440 * 1.25**0.5 * turn * const.YEAR_S, rel=0.002
    )
    assert float(jnp.max(held.across_m_per_s)) < 1e-3 and float(jnp.max(held.ahead_m_per_s)) < 1e-6
    one_metre = made.now._replace(axis_m=jnp.asarray(1.0)), made.drift._replace(ahead_m=-1.5 * motion)
    held = formation.holding(*one_metre, jnp.asarray(0.0), motion, jnp.asarray(const.YEAR_S))
    assert float(held.ahead_m_per_s) == pytest.approx(0.5 * float(motion), rel=1e-12)
