"""Work asked of the fleet: steady, of a trace or days of regions, or by the place of a satellite in its orbit."""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Character, Efficiency, Fraction, Fractions, PositiveRatio, Scalar
from kernels.registry import model, part


@model("workload")
def steady(nominal_flops: Array, traced_flops: Array, phase_rad: Array | None, *, utilization: Fraction) -> Array:
    """Constant demand: a fraction of what the fleet can do when new, cool and powered. [flop/s]"""
    del traced_flops, phase_rad
    return nominal_flops * utilization


@model("workload", "daily")
@model("workload")
def trace(nominal_flops: Array, traced_flops: Array, phase_rad: Array | None) -> Array:
    """Demand of a series, already in operations per second: a trace of requests, or the days of regions. [flop/s]"""
    del nominal_flops, phase_rad
    return traced_flops


@model("workload")
def orbit_schedule(nominal_flops: Array, traced_flops: Array, phase_rad: Array, *, schedule: Fractions) -> Array:
    """Demand of a satellite by its place in the orbit: a fraction of what it can do when new and cool. [flop/s]

    `schedule` has the fractions at equal steps of phase from orbit noon on (`orbit.sun_phase_rad`), linear between
    them; the last leads back to the first.
    """
    del traced_flops
    count = len(schedule)
    place = phase_rad * (count / (2.0 * jnp.pi))
    before = jnp.floor(place)
    left = before.astype(jnp.int32) % count
    share = place - before
    return nominal_flops * ((1.0 - share) * schedule[left] + share * schedule[(left + 1) % count])


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
