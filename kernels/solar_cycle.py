"""The eleven-year cycle of solar activity by date."""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Scalar

MINIMUM_DAYS = 7273.5  # 2019-12-01 since J2000.0: minimum before cycle 25 (SILSO, Royal Observatory of Belgium, 2020)
RISE_DAYS = 1766.0  # to the maximum of cycle 25, 2024-10 (SILSO smoothed sunspot number, 2025)
LENGTH_DAYS = 11.0 * 365.25  # mean cycle (Hathaway, The Solar Cycle, Living Rev. Sol. Phys. 12, 2015)


def solar_cycle_activity(days_since_j2000: Scalar) -> Array:
    """Solar activity, 0 at the minimum of December 2019 and 1 at the maximum of October 2024, repeated every 11 years.

    Half a cosine up in 4.8 years and one down in 6.2; elementwise, with a continuous slope.
    """
    passed = jnp.mod(jnp.asarray(days_since_j2000) - MINIMUM_DAYS, LENGTH_DAYS)
    rising = passed / RISE_DAYS
    falling = 1.0 + (passed - RISE_DAYS) / (LENGTH_DAYS - RISE_DAYS)
    return 0.5 * (1.0 - jnp.cos(jnp.pi * jnp.where(passed < RISE_DAYS, rising, falling)))
