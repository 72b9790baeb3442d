"""Work asked of the fleet: steady, of a trace or days of regions, or by the place of a satellite in its orbit."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Bits, Character, Duration, Efficiency, Fraction, Fractions, PositiveRatio
from kernels.registry import model, part

FOREVER_S, UNBOUNDED_BIT = 1e12, 1e24


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
def batch(nominal_flops: Array, traced_flops: Array, phase_rad: Array | None, *, utilization: Fraction) -> Array:
    """Work that comes at a constant rate and may wait for sunlight. [flop/s]"""
    del traced_flops, phase_rad
    return nominal_flops * utilization


@part("workload", of="batch")
def allowed_fraction(sunlit_fraction: Array, *, dark_fraction: Fraction) -> Array:
    """Part of new work that is done at once: all in sunlight, `dark_fraction` of it in the dark."""
    return dark_fraction + (1.0 - jnp.asarray(dark_fraction)) * sunlit_fraction


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


@part("workload", of="steady")
@part("workload", of="batch")
@part("workload", of="training")
@part("workload", of="orbit_schedule")
def efficiency(*, work_efficiency: Efficiency) -> Array:
    """Part of the peak at rated clock that a kind of work reaches; where requests are served, slots and times say."""
    return jnp.asarray(work_efficiency)


@part("workload")
def character(
    work_efficiency: Array,
    *,
    power_intensity: PositiveRatio,
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


class WaitingRules(NamedTuple):
    """How work waits."""

    carry_over: Array
    patience_s: Array


@part("workload")
def waiting_rules(*, carry_over: Fraction, patience_s: Duration = FOREVER_S) -> WaitingRules:
    """Part of the unfinished work that waits; the rest is lost, and what is more than `patience_s` of full work."""
    return WaitingRules(jnp.asarray(carry_over), jnp.asarray(patience_s))


def longest_flop(rules: WaitingRules, full_flops: Array) -> Array:
    """The longest queue: what is done in the time of patience at full ability, on or off; none is too long forever."""
    return jnp.where(rules.patience_s >= FOREVER_S, jnp.inf, full_flops * rules.patience_s)


@part("workload")
def store(*, data_store_bit: Bits = UNBOUNDED_BIT) -> Array:
    """Results for which there is room on board until they are sent down."""
    return jnp.asarray(data_store_bit)


class Queued(NamedTuple):
    """Work that waits after a stretch of time, and what has been given up in it. [flop]"""

    backlog_flop: Array
    dropped_flop: Array


def queued(
    backlog_flop: Array, arrived_flop: Array, done_flop: Array, rules: WaitingRules, longest_flop: Array
) -> Queued:
    """What is left undone of new work waits by the part that is carried over, up to the longest queue.

    Arrived + backlog before = done + dropped + backlog after. Work done beyond what was there, which rounding allows,
    is owed: it makes the backlog negative by as much, and the next work is done already.
    """
    left = backlog_flop + arrived_flop - done_flop
    new = jnp.minimum(jnp.maximum(arrived_flop - done_flop, 0.0), jnp.maximum(left, 0.0))
    kept = left - (1.0 - rules.carry_over) * new
    waits = jnp.minimum(kept, longest_flop)
    return Queued(waits, left - waits)
