"""Work asked of the fleet: steady, or following a trace of demand."""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Character, Efficiency, Fraction, PositiveRatio, Scalar
from kernels.registry import model, part


@model("workload")
def steady(nominal_flops: Array, traced_flops: Array, *, utilization: Fraction) -> Array:
    """Constant demand: a fraction of what the fleet can do when new, cool and powered. [flop/s]"""
    del traced_flops
    return nominal_flops * utilization


@model("workload")
def trace(nominal_flops: Array, traced_flops: Array) -> Array:
    """Demand of a request trace, already in operations per second. [flop/s]"""
    del nominal_flops
    return traced_flops


@part("workload")
def character(
    *,
    power_intensity: PositiveRatio,
    work_efficiency: Efficiency,
    load_floor: Fraction,
    half_load: PositiveRatio,
    least_load: Efficiency,
) -> Character:
    """Power and rate of a kind of work on a kind of accelerator.

    Fully loaded at rated clock: dynamic power over that of large matrix multiplication, and work rate over the peak.
    Large matrix multiplication is 1 and 1; serving is bound by memory, which lowers both. At part load dynamic power
    is `load_floor` + (1 - `load_floor`) u (1 + `half_load`) / (u + `half_load`), u being the rate over the highest at
    this clock: a server of a language model reads all its weights for the smallest batch. Below `least_load`, the
    smallest batch, work is gathered on fewer accelerators.
    """
    values = (power_intensity, work_efficiency, load_floor, half_load, least_load)
    return Character(*(jnp.asarray(value) for value in values))


@part("workload")
def queue(*, carry_over: Fraction) -> Array:
    """Part of the unfinished work that waits for the next interval; the rest is lost."""
    return jnp.asarray(carry_over)


def waiting_flop(
    backlog_flop: Array, assigned_flops: Array, done_flops: Array, carry_over: Array, step_s: Scalar
) -> Array:
    """Work waiting after a step: what is left undone joins it, what is done beyond the assignment leaves it."""
    surplus = (assigned_flops - done_flops) * step_s
    return jnp.maximum(backlog_flop + jnp.where(surplus > 0.0, carry_over * surplus, surplus), 0.0)
