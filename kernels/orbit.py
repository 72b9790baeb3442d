"""Orbits: mean elements with J2 secular rates, their position and velocity, ground track and beta angle.

Frame: true equator and mean equinox of date (TEME), the frame of two-line elements.
Mean elements are carried in time by the first-order secular theory (Kozai 1959; Vallado 2013, eq. 9-41);
short-period terms, below 7 km in low orbits, are left out.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import (
    Altitude,
    Angle,
    Distance,
    Eccentricity,
    HourOfDay,
    Inclination,
    PositiveCount,
    Ratio,
    Scalar,
    Vector,
)
from kernels.registry import model


class Elements(NamedTuple):
    """Mean elements at one instant; each leaf is () or (satellite,)."""

    semi_major_axis_m: Array
    eccentricity: Array
    inclination_rad: Array
    node_rad: Array
    argument_of_perigee_rad: Array
    mean_anomaly_rad: Array


class Rates(NamedTuple):
    """Secular rates of the three angles [rad/s] and the acceleration of the mean anomaly [rad/s2]."""

    node_rad_per_s: Array
    argument_of_perigee_rad_per_s: Array
    mean_anomaly_rad_per_s: Array
    mean_anomaly_rad_per_s2: Array


class Place(NamedTuple):
    """Where a satellite is: unit position and its rate, in TEME, with the radius and its rate."""

    radius_m: Array
    radius_rate_m_per_s: Array
    direction: Vector
    direction_rate_per_s: Vector
    orbit_normal: Vector


def mean_motion_rad_per_s(semi_major_axis_m: Array) -> Array:
    """Unperturbed mean motion (Kepler's third law). [rad/s]"""
    return jnp.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / semi_major_axis_m**3)


def secular_rates(semi_major_axis_m: Array, eccentricity: Array, inclination_rad: Array) -> Rates:
    """First-order J2 secular rates of node, perigee and mean anomaly (Vallado 2013, eq. 9-41). [rad/s]"""
    motion = mean_motion_rad_per_s(semi_major_axis_m)
    flat = 1.0 - eccentricity**2
    factor = 1.5 * const.EARTH_J2 * (const.EARTH_RADIUS_M / (semi_major_axis_m * flat)) ** 2 * motion
    cosine = jnp.cos(inclination_rad)
    return Rates(
        node_rad_per_s=-factor * cosine,
        argument_of_perigee_rad_per_s=factor * (2.5 * cosine**2 - 0.5),
        mean_anomaly_rad_per_s=motion + factor * jnp.sqrt(flat) * (1.5 * cosine**2 - 0.5),
        mean_anomaly_rad_per_s2=jnp.zeros_like(motion),
    )


def sun_synchronous_inclination_rad(semi_major_axis_m: Array, eccentricity: Array) -> Array:
    """Inclination whose J2 node rate follows the mean Sun; NaN above about 5 970 km. [rad]"""
    motion = mean_motion_rad_per_s(semi_major_axis_m)
    focus = (const.EARTH_RADIUS_M / (semi_major_axis_m * (1.0 - eccentricity**2))) ** 2
    cosine = -const.SUN_SYNCHRONOUS_RATE_RAD_PER_S / (1.5 * const.EARTH_J2 * focus * motion)
    return jnp.arccos(cosine)


@model("orbit")
def sun_synchronous(
    mean_sun_rad: Array,
    *,
    altitude_m: Altitude,
    eccentricity: Eccentricity,
    argument_of_perigee_rad: Angle,
    ltan_h: HourOfDay,
) -> Elements:
    """Reference plane of a Sun-synchronous orbit: inclination from altitude, node from the mean local time.

    `altitude_m` is the semi-major axis less the Earth's equatorial radius; `ltan_h` is mean solar time.
    """
    axis = const.EARTH_RADIUS_M + jnp.asarray(altitude_m)
    return Elements(
        axis,
        jnp.asarray(eccentricity),
        sun_synchronous_inclination_rad(axis, jnp.asarray(eccentricity)),
        mean_sun_rad + (jnp.asarray(ltan_h) - 12.0) * jnp.pi / 12.0,
        jnp.asarray(argument_of_perigee_rad),
        jnp.zeros(()),
    )


@model("orbit")
def inclined(
    mean_sun_rad: Array,
    *,
    altitude_m: Altitude,
    eccentricity: Eccentricity,
    argument_of_perigee_rad: Angle,
    inclination_rad: Inclination,
    node_rad: Angle,
) -> Elements:
    """Reference plane of an orbit given by its inclination and right ascension of the node."""
    del mean_sun_rad
    return Elements(
        const.EARTH_RADIUS_M + jnp.asarray(altitude_m),
        jnp.asarray(eccentricity),
        jnp.asarray(inclination_rad),
        jnp.asarray(node_rad),
        jnp.asarray(argument_of_perigee_rad),
        jnp.zeros(()),
    )


@model("orbit", "element_sets")
def no_common_plane(mean_sun_rad: Array) -> Elements:
    """Origin of angles for a constellation whose satellites bring their own elements."""
    zero = jnp.zeros_like(mean_sun_rad)
    return Elements(zero + const.EARTH_RADIUS_M, zero, zero, zero, zero, zero)


@model("constellation", "element_sets")
def own_elements(index: Array, satellites: int, reference: Elements) -> Elements:
    """Constellation without a pattern: the caller replaces these elements by those of each satellite."""
    del satellites
    return Elements(*(leaf + 0.0 * index for leaf in reference))


@model("constellation")
def walker(
    index: Array,
    satellites: int,
    reference: Elements,
    *,
    planes: PositiveCount,
    phasing: Ratio,
    node_span_rad: Angle,
) -> Elements:
    """Walker pattern: satellites spread over planes whose nodes span `node_span_rad` (2 pi: delta, pi: star).

    `phasing` is Walker's F: neighbouring planes are shifted by F times 2 pi over the number of satellites.
    `index` (satellite,) counts them plane by plane.
    """
    per_plane = satellites / jnp.asarray(planes)
    plane = jnp.floor((index + 0.5) / per_plane)
    slot = index - plane * per_plane
    return reference._replace(
        node_rad=reference.node_rad + node_span_rad * plane / planes,
        mean_anomaly_rad=2.0 * jnp.pi * (slot / per_plane + phasing * plane / satellites),
    )


@model("constellation")
def cluster(index: Array, satellites: int, reference: Elements, *, spacing_m: Distance) -> Elements:
    """Square lattice in the orbit plane in which every satellite circles the centre on a 2:1 ellipse each orbit.

    A satellite x above and y ahead of the centre has eccentricity sqrt(x^2 + y^2/4) / a and its perigee where it is
    lowest (Clohessy & Wiltshire 1960); `spacing_m` is the lattice constant along both axes.
    """
    side = math.ceil(math.sqrt(satellites))
    row = jnp.floor((index + 0.5) / side)
    up_m = (row - (side - 1) / 2.0) * spacing_m
    ahead_m = (index - row * side - (side - 1) / 2.0) * spacing_m
    return _circling(reference, up_m, 0.5 * ahead_m)


@model("constellation")
def disc(index: Array, satellites: int, reference: Elements, *, spacing_m: Distance) -> Elements:
    """Lattice in the orbit plane that fills a 2:1 ellipse: twice as wide ahead as up, as the ellipses flown in it are.

    Up and half of ahead, in which the whole lattice turns once an orbit, it is square: neighbours are `spacing_m` to
    twice that apart, whichever way they lie. The places nearest to the centre are taken: 81 of them fill a radius of
    five spacings. `index` (satellite,) counts them row by row.
    """
    reach = math.ceil(math.sqrt(satellites / math.pi)) + 1
    rows, columns = np.divmod(np.arange((2 * reach + 1) ** 2), 2 * reach + 1) - np.asarray(reach)
    taken = np.sort(np.argsort(rows**2 + columns**2, kind="stable")[:satellites])
    place = index.astype(int)
    return _circling(reference, *(jnp.asarray(line[taken], float)[place] * spacing_m for line in (rows, columns)))


def _circling(reference: Elements, up_m: Array, half_ahead_m: Array) -> Elements:
    """Elements of satellites that pass these places on their ellipses about the centre; half of the place ahead."""
    size = jnp.hypot(up_m, half_ahead_m) / reference.semi_major_axis_m
    anomaly = jnp.arctan2(half_ahead_m, jnp.where(size > 0.0, -up_m, 1.0))
    return reference._replace(
        eccentricity=size,
        argument_of_perigee_rad=reference.argument_of_perigee_rad - anomaly,
        mean_anomaly_rad=anomaly,
    )


def brouwer_axis_m(kozai_motion_rad_per_s: Array, eccentricity: Array, inclination_rad: Array) -> Array:
    """Semi-major axis from the mean motion of a two-line element set (Hoots & Roehrich 1980, section 6). [m]"""
    k2 = 0.5 * const.EARTH_J2 * const.EARTH_RADIUS_M**2
    first = (const.EARTH_GRAVITY_M3_PER_S2 / kozai_motion_rad_per_s**2) ** (1.0 / 3.0)
    shape = (3.0 * jnp.cos(inclination_rad) ** 2 - 1.0) / (1.0 - eccentricity**2) ** 1.5
    delta = 1.5 * k2 * shape / first**2
    second = first * (1.0 - delta / 3.0 - delta**2 - 134.0 / 81.0 * delta**3)
    delta = 1.5 * k2 * shape / second**2
    return second / (1.0 - delta)


def mean_radius_factor(semi_major_axis_m: Array, eccentricity: Array, inclination_rad: Array) -> Array:
    """Mean radius over the mean semi-major axis: the constant part of the J2 short-period terms.

    Kozai 1959, Astron. J. 64, 367, eq. 22 averaged over the orbit; +4.5 km for a low Sun-synchronous orbit.
    """
    focus = const.EARTH_RADIUS_M / (semi_major_axis_m * (1.0 - eccentricity**2))
    shape = jnp.sqrt(1.0 - eccentricity**2) * (1.0 - 3.0 * jnp.cos(inclination_rad) ** 2)
    return 1.0 + 0.75 * const.EARTH_J2 * focus**2 * shape


def forced_eccentricity(semi_major_axis_m: Array, inclination_rad: Array) -> Array:
    """Northward part of the eccentricity that J3 holds up, which mean elements of two-line sets leave out.

    Brouwer 1959, Astron. J. 64, 378: long-period terms for small eccentricity; 14 km along a low polar orbit.
    """
    ratio = -0.5 * const.EARTH_J3 / const.EARTH_J2 * const.EARTH_RADIUS_M
    return ratio / semi_major_axis_m * jnp.sin(inclination_rad)


def with_forced_eccentricity(elements: Elements, forced: Array) -> Elements:
    """Elements whose eccentricity vector has grown northward by `forced`; the mean argument of latitude stays.

    The free part turns with the perigee, the forced part stands still: this belongs after `advance`.
    """
    free, sine = elements.eccentricity, jnp.sin(elements.argument_of_perigee_rad)
    east, north = forced * jnp.cos(elements.argument_of_perigee_rad), forced * sine
    grown = sm.sqrt(free * free + forced * (2.0 * free * sine + forced))
    turn_rad = jnp.arctan2(east, jnp.where(grown > 1e-14, free + north, 1.0))
    return elements._replace(
        eccentricity=free + forced * (2.0 * free * sine + forced) / jnp.maximum(grown + free, 1e-14),
        argument_of_perigee_rad=elements.argument_of_perigee_rad + turn_rad,
        mean_anomaly_rad=elements.mean_anomaly_rad - turn_rad,
    )


def advance(elements: Elements, rates: Rates, time_s: Array) -> Elements:
    """Mean elements after `time_s` under their secular rates; angles stay within one turn."""

    def wrap(angle_rad: Array) -> Array:
        return angle_rad - 2.0 * jnp.pi * lax.stop_gradient(jnp.round(angle_rad / (2.0 * jnp.pi)))

    turned = rates.mean_anomaly_rad_per_s * time_s + 0.5 * rates.mean_anomaly_rad_per_s2 * time_s**2
    return elements._replace(
        node_rad=wrap(elements.node_rad + rates.node_rad_per_s * time_s),
        argument_of_perigee_rad=wrap(elements.argument_of_perigee_rad + rates.argument_of_perigee_rad_per_s * time_s),
        mean_anomaly_rad=wrap(elements.mean_anomaly_rad + turned),
    )


def eccentric_anomaly(mean_anomaly_rad: Array, eccentricity: Array) -> tuple[Array, Array]:
    """Sine and cosine of the eccentric anomaly: a third-order guess and two Halley steps.

    Exact to 1e-15 rad up to an eccentricity of 0.75 and to 1e-9 rad up to 0.9, in float64.
    """
    sin_m, cos_m = jnp.sin(mean_anomaly_rad), jnp.cos(mean_anomaly_rad)
    guess = eccentricity * sin_m * lax.rsqrt(1.0 - 2.0 * eccentricity * cos_m + eccentricity**2)
    anomaly = mean_anomaly_rad + guess
    sine, cosine = jnp.sin(anomaly), jnp.cos(anomaly)
    for _ in range(2):
        error = anomaly - eccentricity * sine - mean_anomaly_rad
        slope = 1.0 - eccentricity * cosine
        change = -error / (slope - 0.5 * eccentricity * sine * error / slope)
        anomaly = anomaly + change
        sine, cosine = sm.turned(sine, cosine, change)
    return sine, cosine


def _turned_with_time(start_rad: Array, turn_rad: Array) -> tuple[Array, Array]:
    """Sine and cosine of an angle that drifts slowly; those of its start are computed once per chunk."""
    return sm.turned(jnp.sin(start_rad), jnp.cos(start_rad), turn_rad)


def place(elements: Elements, rates: Rates, time_s: Scalar) -> Place:
    """Position and velocity `time_s` after the instant of the elements, secular rates included.

    `time_s` stays within a chunk of at most a day: node and perigee turn by a series, good to 1e-10 that far.
    """
    e = elements.eccentricity
    sine, cosine = eccentric_anomaly(elements.mean_anomaly_rad + rates.mean_anomaly_rad_per_s * time_s, e)
    flat = sm.sqrt(1.0 - e * e)
    shrink = 1.0 - e * cosine
    radius = elements.semi_major_axis_m * shrink
    sin_p, cos_p = _turned_with_time(elements.argument_of_perigee_rad, rates.argument_of_perigee_rad_per_s * time_s)
    sin_n, cos_n = _turned_with_time(elements.node_rad, rates.node_rad_per_s * time_s)
    sin_i, cos_i = jnp.sin(elements.inclination_rad), jnp.cos(elements.inclination_rad)

    # Along and across the line of apsides, as a unit vector; then turned by the argument of perigee.
    apsis, across = (cosine - e) / shrink, flat * sine / shrink
    cos_u, sin_u = apsis * cos_p - across * sin_p, across * cos_p + apsis * sin_p
    direction = (
        cos_u * cos_n - sin_u * cos_i * sin_n,
        cos_u * sin_n + sin_u * cos_i * cos_n,
        sin_u * sin_i,
    )
    ahead = (
        -sin_u * cos_n - cos_u * cos_i * sin_n,
        -sin_u * sin_n + cos_u * cos_i * cos_n,
        cos_u * sin_i,
    )
    motion = rates.mean_anomaly_rad_per_s
    turn_rad_per_s = motion * flat / (shrink * shrink) + rates.argument_of_perigee_rad_per_s
    in_plane, drift = sm.scale(ahead, turn_rad_per_s), rates.node_rad_per_s
    return Place(
        radius_m=radius,
        radius_rate_m_per_s=elements.semi_major_axis_m * motion * e * sine / shrink,
        direction=direction,
        direction_rate_per_s=(in_plane[0] - drift * direction[1], in_plane[1] + drift * direction[0], in_plane[2]),
        orbit_normal=(sin_i * sin_n, -sin_i * cos_n, cos_i * jnp.ones_like(sin_n)),
    )


def beta_angle_rad(orbit_normal: Vector, sun: Vector) -> Array:
    """Angle of the Sun above the orbit plane, positive towards the orbit normal. [rad]"""
    return sm.arcsin(sm.dot(orbit_normal, sun))


def sun_phase_rad(direction: Vector, orbit_normal: Vector, sun: Vector) -> Array:
    """Angle flown since orbit noon, the place nearest to the Sun's direction in the plane; -pi to pi. [rad]

    0 where the Sun stands on the orbit's axis and no place is noon.
    """
    across, along = sm.dot(orbit_normal, sm.cross(sun, direction)), sm.dot(sun, direction)
    somewhere = across * across + along * along > 1e-20
    return sm.arctan2(jnp.where(somewhere, across, 0.0), jnp.where(somewhere, along, 1.0))


def latitude_longitude_rad(direction: Vector, sidereal_angle_rad: Array) -> tuple[Array, Array]:
    """Geocentric latitude and longitude (-pi to pi) of a unit vector in TEME. [rad]"""
    sine, cosine = jnp.sin(sidereal_angle_rad), jnp.cos(sidereal_angle_rad)
    east = cosine * direction[1] - sine * direction[0]
    prime = cosine * direction[0] + sine * direction[1]
    return sm.arcsin(direction[2]), sm.arctan2(east, prime)
