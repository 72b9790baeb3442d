"""Drift of the satellites of a cluster from its centre, on a nearly circular orbit, and what it takes to hold them.

Differences of mean elements, small beside one, in the form of D'Amico and Montenbruck (J. Guid. Control Dyn. 29, 2006,
554): with J2 they change at constant rates and the eccentricities turn with the perigee. Left out are terms of second
order in separation over radius (0.1 m at 1 km) and short-period ones of J2.
"""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.quantity import Scalar

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


def drift_m_per_s(rates: Rates, centre: Elements, centre_rates: Rates) -> Difference:
    """Rates of the differences: only the place along the orbit and the node drift steadily. [m/s]"""
    axis, _, inclination = centre[:3]
    node, perigee, anomaly = (own - of_centre for own, of_centre in zip(rates[:3], centre_rates[:3], strict=True))
    zero = jnp.zeros_like(node)
    ahead = axis * (perigee + anomaly + node * jnp.cos(inclination))
    return Difference(zero, ahead, zero, zero, zero, axis * node * jnp.sin(inclination))


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
