"""Where the clocks stand at the start of a chunk, float64: phases, and what depends on the date."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import orbit, sunlight
from twin.prepare import Each


class Anchor(NamedTuple):
    """Phases and epoch quantities at the start of a chunk; `elements` and `rates` are (satellite,)."""

    elements: orbit.Elements
    rates: orbit.Rates
    sun: sunlight.SunAngles
    sidereal_angle_rad: Array
    sidereal_rate_rad_per_s: Array


# Leaves of an anchor with the satellite axis; the others are the same for all.
PER_SATELLITE = ("elements", "rates")


def anchor_at(each: Each, start_days: Array, time_s: Array) -> Anchor:
    """Phases and epoch quantities `time_s` after the start of the run, float64."""
    days = start_days + time_s / orbit.const.DAY_S
    rates = each.rates
    later = rates.mean_anomaly_rad_per_s + rates.mean_anomaly_rad_per_s2 * time_s
    turned = orbit.const.SIDEREAL_ANGLE_J2000_RAD + orbit.const.SIDEREAL_RATE_RAD_PER_DAY * days
    return Anchor(
        elements=orbit.with_forced_eccentricity(orbit.advance(each.elements, rates, time_s), each.forced_eccentricity),
        rates=rates._replace(mean_anomaly_rad_per_s=later),
        sun=sunlight.sun_angles(days),
        sidereal_angle_rad=jnp.mod(turned, 2.0 * jnp.pi),
        sidereal_rate_rad_per_s=jnp.asarray(orbit.const.SIDEREAL_RATE_RAD_PER_DAY / orbit.const.DAY_S),
    )
