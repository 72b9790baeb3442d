"""Motion of the satellites of a cluster about its centre, on a nearly circular orbit, with the drift that J2 causes.

Differences of mean elements, small beside one, give the motion in closed form: without J2 it is that of Clohessy and
Wiltshire (J. Aerosp. Sci. 27, 1960, 653) in the elements of D'Amico and Montenbruck (J. Guid. Control Dyn. 29, 2006,
554); with J2 the differences change at constant rates and the eccentricities turn with the perigee. Left out are terms
of second order in separation over radius (0.1 m at 1 km) and short-period ones of J2.
"""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.constants import EARTH_GRAVITY_M3_PER_S2, EARTH_J2, EARTH_RADIUS_M
from kernels.quantity import Scalar, Vector

Elements: TypeAlias = tuple[Array, Array, Array, Array, Array, Array]  # mean ones, those of `orbit.Elements`
Rates: TypeAlias = tuple[Array, Array, Array, Array]  # secular ones, those of `orbit.Rates`


class Difference(NamedTuple):
    """Of a satellite from the centre: lengths that are small beside the radius, (satellite,) or ()."""

    axis_m: Array
    ahead_m: Array  # mean place along the orbit, the turn of the node included
    eccentricity_x_m: Array  # towards the node, and a quarter turn on, times the semi-major axis
    eccentricity_y_m: Array
    tilt_m: Array  # difference of inclination and of node, times the semi-major axis
    node_m: Array


def difference(elements: Elements, centre: Elements) -> Difference:
    """Differences of mean elements as lengths. [m]"""
    axis, e, i, node, perigee, anomaly = elements
    axis_0, e_0, i_0, node_0, perigee_0, anomaly_0 = centre
    node_rad = _wrapped(node - node_0)
    ahead_rad = _wrapped(perigee + anomaly - perigee_0 - anomaly_0) + node_rad * jnp.cos(i_0)
    return Difference(
        axis - axis_0,
        axis_0 * ahead_rad,
        axis_0 * (e * jnp.cos(perigee) - e_0 * jnp.cos(perigee_0)),
        axis_0 * (e * jnp.sin(perigee) - e_0 * jnp.sin(perigee_0)),
        axis_0 * (i - i_0),
        axis_0 * node_rad * jnp.sin(i_0),
    )


def _wrapped(angle_rad: Array) -> Array:
    return angle_rad - 2.0 * jnp.pi * jnp.round(angle_rad / (2.0 * jnp.pi))


def drifted(now: Difference, drift: Difference, turn_rad: Array, time_s: Array) -> Difference:
    """Differences `time_s` later, the eccentricity turned by the perigee's `turn_rad`."""
    later = Difference(*(value + rate * time_s for value, rate in zip(now, drift, strict=True)))
    cosine, sine = jnp.cos(turn_rad), jnp.sin(turn_rad)
    return later._replace(
        eccentricity_x_m=cosine * now.eccentricity_x_m - sine * now.eccentricity_y_m,
        eccentricity_y_m=sine * now.eccentricity_x_m + cosine * now.eccentricity_y_m,
    )


def drift_m_per_s(rates: Rates, centre: Elements, centre_rates: Rates) -> Difference:
    """Rates of the differences: only the place along the orbit and the node drift steadily. [m/s]"""
    axis, _, inclination = centre[:3]
    node, perigee, anomaly = (own - of_centre for own, of_centre in zip(rates[:3], centre_rates[:3], strict=True))
    zero = jnp.zeros_like(node)
    ahead = axis * (perigee + anomaly + node * jnp.cos(inclination))
    return Difference(zero, ahead, zero, zero, zero, axis * node * jnp.sin(inclination))


def position_m(now: Difference, argument_of_latitude_rad: Array) -> Vector:
    """Place up, ahead and across (along the orbit's normal) of a centre at a mean argument of latitude. [m]"""
    cosine, sine = jnp.cos(argument_of_latitude_rad), jnp.sin(argument_of_latitude_rad)
    return (
        now.axis_m - now.eccentricity_x_m * cosine - now.eccentricity_y_m * sine,
        now.ahead_m + 2.0 * (now.eccentricity_x_m * sine - now.eccentricity_y_m * cosine),
        now.tilt_m * sine - now.node_m * cosine,
    )


def in_frame_of(offset_m: Vector, centre: Vector, normal: Vector) -> Vector:
    """An offset from the centre of a cluster, up, ahead and across; `centre` is its direction from the Earth. [m]"""
    return sm.dot(offset_m, centre), sm.dot(offset_m, sm.cross(normal, centre)), sm.dot(offset_m, normal)


def paced_speed_m_per_s(
    radius_m: Array, sine: Array, centre_radius_m: Array, centre_sine: Array, centre_speed_m_per_s: Array
) -> Array:
    """Speed that gives a satellite the energy of the centre, so that it keeps pace with it. [m/s]

    Osculating axes swing with J2 by kilometres in every orbit: satellites that are given equal ones at one moment have
    unequal mean ones and drift apart. Equal energies, oblateness included, are equal mean axes. `sine`: of latitude.
    """
    potential = _potential_j_per_kg(radius_m, sine) - _potential_j_per_kg(centre_radius_m, centre_sine)
    return jnp.sqrt(centre_speed_m_per_s**2 - 2.0 * potential)


def _potential_j_per_kg(radius_m: Array, sine: Array) -> Array:
    oblate = EARTH_J2 * (EARTH_RADIUS_M / radius_m) ** 2 * (1.5 * sine**2 - 0.5)
    return -EARTH_GRAVITY_M3_PER_S2 / radius_m * (1.0 - oblate)


class Holding(NamedTuple):
    """Change of speed that keeps a satellite where it is in the cluster. [m/s]"""

    ahead_m_per_s: Array  # once: the other semi-major axis that takes the drift along the orbit away
    across_m_per_s: Array  # for the node, over the duration
    turning_m_per_s: Array  # for a perigee that is to stand still, over the duration; none is needed where all turn


def holding(
    now: Difference, drift: Difference, turn_rad_per_s: Array, motion_rad_per_s: Array, duration_s: Scalar
) -> Holding:
    """Least changes of speed of a nearly circular orbit (Gauss's equations; D'Amico and Montenbruck 2006).

    A burn dv along the orbit moves the axis by 2 dv / n and the eccentricity by 2 dv / v, one across the orbit the node
    by dv / (v sin i).
    """
    shape_m = sm.sqrt(now.eccentricity_x_m**2 + now.eccentricity_y_m**2)
    return Holding(
        jnp.abs(drift.ahead_m) / 3.0,
        motion_rad_per_s * jnp.abs(drift.node_m) * duration_s,
        0.5 * motion_rad_per_s * shape_m * jnp.abs(turn_rad_per_s) * duration_s,
    )
