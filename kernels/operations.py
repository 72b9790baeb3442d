"""Operations: when the payload is allowed to run."""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Duration, Scalar
from kernels.registry import part


@part("operations")
def payload_on(
    start_s: Array, length_s: Scalar, *, payload_off_after_s: Duration, payload_off_for_s: Duration
) -> Array:
    """Part of an interval in which the payload may run; switched off it draws nothing, its hosts included.

    `start_s` is the time since the start of the run. Safe mode lasts `payload_off_for_s`, from `payload_off_after_s`.
    """
    end_s = payload_off_after_s + payload_off_for_s
    off_s = jnp.minimum(start_s + length_s, end_s) - jnp.maximum(start_s, payload_off_after_s)
    return jnp.maximum(1.0 - jnp.maximum(off_s, 0.0) / length_s, 0.0)
