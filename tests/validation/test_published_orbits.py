"""Published dawn-dusk orbits.

The sources compute with a cylindrical shadow: a round Earth and a point Sun. Ours is put into that limit by moving the
Sun far away, and shown beside as the twin computes it: the Sun's disc behind an oblate Earth.
"""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernels import constants as const
from kernels import orbit, sunlight
from kernels.quantity import Vector
from validation import engine
from validation.engine import Floats
from validation.rows import Measured, row
from validation.shadow import WGS84_FLATTENING

# Altitude [km], inclination [deg], period [min], beta of the last eclipse and at the solstice [deg], eclipsed there [%]
# and [min], mean sunlit of a year with the node at 18:00 and at 06:00 [%]: closed forms of a circular orbit with
# mu = 398 600.4418 km3/s2, R = 6378.137 km, J2 = 1.08262668e-3, a node rate of 1.99106e-7 rad/s, obliquity 23.44 deg.
PUBLISHED = (
    (550.0, 97.593, 95.650, 67.016, 58.967, 22.646, 21.661, 94.98, 95.17),
    (650.0, 97.986, 97.728, 65.164, 58.574, 20.186, 19.727, 96.00, 96.15),
    (1000.0, 99.479, 105.119, 59.822, 57.081, 12.407, 13.042, 98.46, 98.52),
)
SOLSTICE: Vector = (jnp.zeros(()), jnp.cos(jnp.radians(23.44)), jnp.sin(jnp.radians(23.44)))
A_POINT_AU = 1e6  # from so far the Sun is a point


def plane_of(altitude_km: float, node_rad: float = np.pi) -> orbit.Elements:
    """Circular Sun-synchronous orbit; at the June solstice the node of one at 18:00 stands at 180 deg."""
    return orbit.sun_synchronous(
        jnp.asarray(node_rad - 0.5 * np.pi),
        altitude_m=1e3 * altitude_km,
        eccentricity=0.0,
        argument_of_perigee_rad=0.0,
        ltan_h=18.0,
    )


def period_s(plane: orbit.Elements) -> Array:
    """Kepler's period, as published."""
    return 2.0 * jnp.pi / orbit.mean_motion_rad_per_s(plane.semi_major_axis_m)


@partial(jax.jit, static_argnames="count")
def eclipsed(plane: orbit.Elements, sun: Vector, distance_au: float, flattening: float, count: int = 4000) -> Array:
    """Share of an orbit without J2 spent in the dark, penumbra by its share."""
    zero, step_s = jnp.zeros(()), period_s(plane) / count
    rates = orbit.Rates(zero, zero, orbit.mean_motion_rad_per_s(plane.semi_major_axis_m), zero)
    place = orbit.place(plane, rates, (jnp.arange(count) + 0.5) * step_s)
    track = place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s
    far = sunlight.Sun(sun, jnp.asarray(distance_au))
    return 1.0 - sunlight.lit(*track, far, step_s, earth_flattening=flattening).fraction.mean()


def normal_of(plane: orbit.Elements) -> Vector:
    """Direction of the orbit's angular momentum."""
    return orbit.place(plane, orbit.Rates(*[jnp.zeros(())] * 4), 0.0).orbit_normal


def last_eclipse_deg(plane: orbit.Elements) -> float:
    """Beta of the last eclipse of the Sun's centre behind a round Earth, by bisection."""
    node, normal = (jnp.cos(plane.node_rad), jnp.sin(plane.node_rad), jnp.zeros(())), normal_of(plane)
    low, high = 0.0, 90.0
    for _ in range(30):
        beta = 0.5 * (low + high)
        sine, cosine = np.sin(np.radians(beta)), np.cos(np.radians(beta))
        sun = tuple(sine * n + cosine * x for n, x in zip(normal, node, strict=True))
        dark = float(eclipsed(plane, sun, A_POINT_AU, 0.0)) > 0.0
        low, high = (beta, high) if dark else (low, beta)
    return low


@row(
    "Dawn-dusk at 550, 650, 1000 km: i, T, beta, eclipse",
    against="by hand: closed forms, cylindrical shadow",
    bound=1e-4,
    kind="definition",
)
def test_columns() -> Measured:
    """Relative, the worst of six columns at three altitudes."""
    errors, beside = [], []
    for altitude_km, *columns in PUBLISHED:
        plane = plane_of(altitude_km)
        minutes = float(period_s(plane)) / 60.0
        beta = abs(float(orbit.beta_angle_rad(normal_of(plane), SOLSTICE)))
        share = float(eclipsed(plane, SOLSTICE, A_POINT_AU, 0.0))
        inclination = float(plane.inclination_rad)
        ours = (
            np.degrees(inclination),
            minutes,
            last_eclipse_deg(plane),
            np.degrees(beta),
            100 * share,
            share * minutes,
        )
        errors += [abs(a / b - 1.0) for a, b in zip(ours, columns, strict=False)]
        beside.append(f"{minutes * float(eclipsed(plane, SOLSTICE, 1.0, WGS84_FLATTENING)):.2f}")
    return Measured(max(errors), f"longest eclipse of the disc behind the oblate Earth: {', '.join(beside)} min")


@row(
    "Eclipse at beta 0, 400 and 550 km: period and share",
    against="by hand: closed forms, cylindrical shadow",
    bound=1e-4,
    kind="definition",
)
def test_beta_zero() -> Measured:
    errors, beside = [], []
    for altitude_km, minutes, share in ((400.0, 92.5604, 0.3900996), (550.0, 95.6499, 0.3723108)):
        plane = plane_of(altitude_km, 0.0)
        sun = (jnp.ones(()), jnp.zeros(()), jnp.zeros(()))
        ours = float(eclipsed(plane, sun, A_POINT_AU, 0.0))
        errors += [abs(float(period_s(plane)) / 60.0 / minutes - 1.0), abs(ours / share - 1.0)]
        beside.append(f"{float(eclipsed(plane, sun, 1.0, WGS84_FLATTENING)):.5f}")
    return Measured(max(errors), f"share of the disc behind the oblate Earth: {', '.join(beside)}")


@cache
def sunlit_year(flattening: float) -> tuple[Floats, Floats]:
    """Sunlit share of an orbit on each day of 2026 and the darkest step, (altitude and node at 18:00 or 06:00, day)."""
    days, steps = np.arange(365.0), 660
    start_days = jnp.asarray(9496.5)  # 2026-01-01 since J2000.0
    altitude_km = np.repeat([column[0] for column in PUBLISHED], 2)
    node = sunlight.mean_longitude_rad(start_days) + jnp.pi * jnp.tile(jnp.array([0.5, -0.5]), 3)
    inclination = np.array([float(plane_of(h).inclination_rad) for h in altitude_km])
    each = engine.circular(1e3 * altitude_km, inclination, np.asarray(node))
    periods = np.asarray(2.0 * jnp.pi / each.rates.mean_anomaly_rad_per_s)
    shares, darkest = [], []
    for day in days:
        light = np.asarray(engine.lit(each, start_days, jnp.asarray(day * const.DAY_S), steps, flattening))
        sums = np.concatenate([np.zeros((len(light), 1)), np.cumsum(light, axis=1)], axis=1) * engine.STEP_S
        edges = np.arange(steps + 1) * engine.STEP_S
        shares.append([np.interp(p, edges, y) / p for p, y in zip(periods, sums, strict=True)])
        darkest.append(light.min(axis=1))
    return np.array(shares).T, np.array(darkest).T


@row(
    "Mean sunlit share of a year, dawn-dusk at 550-1000 km",
    against="by hand: closed forms of every orbit, cylinder",
    bound=0.1,
    unit="point",
)
def test_sunlit_share_of_a_year() -> Measured:
    published = np.array([column[-2:] for column in PUBLISHED]).ravel()
    round_earth, oblate = (100.0 * sunlit_year(f)[0].mean(axis=1) for f in (0.0, WGS84_FLATTENING))
    words = ", ".join(f"{share:.2f}" for share in oblate)
    return Measured(float(np.abs(round_earth - published).max()), f"behind the oblate Earth {words} %")


@row(
    "Eclipse season at 650 km, node at 18:00 and 06:00",
    against="by hand: closed forms, cylinder, 87-91 days",
    bound=0.0,
    unit="days outside",
)
def test_season() -> Measured:
    """Days with an eclipse of the Sun's centre, at their first or last orbit: one season, about the node's solstice."""
    outside, beside = 0.0, []
    for flattening in (0.0, WGS84_FLATTENING):
        for least, solstice in zip(sunlit_year(flattening)[1][2:4], (171, 354), strict=True):  # 21 June, 21 December
            centred = np.roll(least, 182 - solstice)
            dark, touched = (int((np.minimum(centred[:-1], centred[1:]) < limit).sum()) for limit in (0.5, 1.0 - 1e-6))
            hidden = np.flatnonzero(centred < 0.5)
            assert (np.diff(hidden) == 1).all() and abs(hidden.mean() - 182.0) < 10.0
            beside.append(f"{dark} days ({touched} with penumbra)")
            outside = max(outside, 87.0 - dark, dark - 91.0) if flattening == 0.0 else outside
    return Measured(outside, f"{' and '.join(beside[:2])}; behind the oblate Earth {' and '.join(beside[2:])}")
