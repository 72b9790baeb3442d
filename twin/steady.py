"""Steady orbits: the state that an orbit ends in as it began, found by shooting instead of by simulating weeks.

A run of steady orbits is the one loop with its windows settled: each orbit stands for an equal stretch of the run and
begins in the state to which it returns. Newton's method finds that state (Keller, Numerical Methods for Two-Point
Boundary-Value Problems, 1968); the slopes that it needs come from a fleet of copies, each starting a little off in one
variable. Derivatives by parameters are those of the one orbit, carried to its fixed point by the implicit function
theorem, in forward mode.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_derivatives import SymbolicZero

from kernels import radiation
from kernels.orbit import Rates
from twin import rollout
from twin.carry import Carry
from twin.prepare import Cohort, Each, Shared
from twin.refusal import ConfigError
from twin.segments import Segment
from twin.state import State, Work
from twin.structure import Environment, Moment, Structure, no_arrivals

CLOSE = 1e-6  # gap of an orbit that counts as closed
MOST_TRIES = 60
OFF = 1e-5  # of a copy's start, in units of the gap: between rounding and curvature, slopes are within about 1e-7
LONGEST, SHORTEST = 40.0, 0.5  # steps of Newton's method in each variable, in units of the gap
FAR = 20.0  # orbits ahead, where there is no balance to be seen
COLDEST_K = 3.0
NEUTRAL = 1e-9  # added to the matrix for what an orbit leaves as it was, such as the charge of an idle battery


class Steady(NamedTuple):
    """A run of steady orbits at its end, and how the search for each orbit ended.

    The gap is what an orbit misses at its end: the largest difference of any temperature in K, of any charge in points
    (0.01), of waiting work and results in hundredths of an orbit's at full load. Only up to `CLOSE` is it a steady
    orbit; above, the orbit flown last was counted as it was.
    """

    carry: Carry
    gap: Array  # (orbit,)
    tries: Array  # (orbit,), orbits flown


class Orbit(NamedTuple):
    """What an orbit is given besides the state in which it begins."""

    shared: dict[str, Shared]
    each: dict[str, Each]
    environment: Environment
    now: Moment


class _Search(NamedTuple):
    """Where the search stands; states as (variable,) in units of the gap."""

    start: Array  # to be flown next
    plain: Array  # whether that is where the last orbit ended
    longest: Array  # step of Newton's method
    reached: Array  # gap of the orbit that the last such step was taken from
    tries: Array
    gap: Array  # of the last orbit, as are all that follow
    change: Array  # of its start, by Newton's method
    slope: Array  # of its end, (variable, variable)
    after: Carry
    after_slope: Carry  # leaves (1, variable)


class Ranges(NamedTuple):
    """Of each variable of a state, (variable,): the unit of its gap, and where it is looked for."""

    unit: Array
    low: Array
    high: Array
    drifts: Array  # whether it may gather from orbit to orbit: charges


# Closes an orbit of a segment with what is given for it: gives its carry at the end, and what is told of it.
Close = Callable[[Structure, Segment, Orbit, Carry, Any], tuple[Carry, Any]]


def scheduled(structure: Structure, orbits: int, steps: int, exchanges: int) -> Structure:
    """The structure of a run of so many orbits, each of `exchanges` intervals of so many steps.

    Over years seasons count evenly if the number of orbits has no factor in common with that of the years: with a
    multiple of it, all years are seen on the same few days.

    ConfigError for anything but one satellite of one design in float64 with a demand that does not follow a trace.
    """
    _check(structure)
    whole = steps * exchanges
    schedule = replace(
        structure.schedule,
        steps=orbits * whole,
        chunk_steps=whole,
        exchange_steps=steps,
        save_steps=steps,
        settling_chunks=0,
    )
    return replace(structure, schedule=schedule, devices=1, tile=1, block_schedule="scan")


def _check(structure: Structure) -> None:
    first, *others = structure.cohorts
    if others:
        names = ", ".join(cohort.name for cohort in structure.cohorts)
        raise ConfigError(f"cohorts = {names}: must be one design for steady orbits")
    if first.satellites != 1:
        raise ConfigError(f"constellation.satellites = {first.satellites}: must be 1 for steady orbits")
    if structure.precision != "float64":
        raise ConfigError(f"precision = {structure.precision!r}: must be float64 for steady orbits")
    if structure.workload_model in ("trace", "daily"):
        raise ConfigError(
            f"workload.model = {structure.workload_model!r}: never repeats from orbit to orbit; must be another one, "
            "such as steady, for steady orbits"
        )


def timed(structure: Structure, environment: Environment) -> Environment:
    """The environment of a run of steady orbits, which stand for all of its time."""
    schedule = structure.schedule
    return environment._replace(
        slow_weight=jnp.asarray(schedule.duration_ms / (schedule.steps * schedule.step_ms)),
        traced_flops=jnp.zeros(schedule.steps // schedule.exchange_steps),
        arrivals=no_arrivals((schedule.steps // schedule.exchange_steps,)),
    )


def run(structure: Structure, cohorts: dict[str, Cohort], environment: Environment) -> Steady:
    """Every steady orbit of a run of one satellite, in a structure of `scheduled`."""

    def close(structure: Structure, segment: Segment, orbit: Orbit, carry: Carry, given: Any) -> Any:
        carry, gap, tries = _closed(structure, segment, orbit, carry)
        return carry, (gap, tries)

    carry, ends = each_orbit(structure, cohorts, environment, close)
    return Steady(carry, *ends)


def each_orbit(
    structure: Structure, cohorts: dict[str, Cohort], environment: Environment, close: Close, given: Any = None
) -> tuple[Carry, Any]:
    """The carry at the end of a run whose orbits `close` closes, and what it tells of each, leaves (orbit, ...).

    `given`, leaves (orbit, ...), is what it is given for each.
    """
    schedule = structure.schedule
    orbits = schedule.steps // schedule.chunk_steps
    shared, each, first = rollout.lay_out(structure, cohorts)
    each = {name: _all_longitudes(own) for name, own in each.items()}
    (rates,) = (own.rates for own in each.values())
    lasts_s = period_s(rates)[0, 0]
    stretch_s = schedule.duration_ms / 1000.0 / orbits
    segment = Segment(schedule.chunk_steps // schedule.exchange_steps, 1, schedule.exchange_steps)

    def orbit(carry: Carry, turn: tuple[Array, Any]) -> tuple[Carry, Any]:
        number, own = turn
        now = Moment(
            date_s=(number + 0.5) * stretch_s - 0.5 * lasts_s,
            flown_s=jnp.zeros(()),
            counted_s=number * stretch_s,
            weight=stretch_s / lasts_s,
            step_s=lasts_s / schedule.chunk_steps,
        )
        return close(structure, segment, Orbit(shared, each, environment, now), carry, own)

    turns = jnp.arange(orbits), given
    if orbits > 1:
        return lax.scan(orbit, first, turns)
    carry, told = orbit(first, jax.tree.map(lambda leaf: leaf[0], turns))
    return carry, jax.tree.map(lambda leaf: leaf[None], told)


def period_s(rates: Rates) -> Array:
    """Time from node to node, (...)."""
    return 2.0 * jnp.pi / (rates.mean_anomaly_rad_per_s + rates.argument_of_perigee_rad_per_s)


def _all_longitudes(each: Each) -> Each:
    """An orbit stands for those of many days, which cross the anomaly at all longitudes."""
    return each._replace(anomaly=radiation.over_longitudes(each.anomaly))


def _close(structure: Structure, segment: Segment, orbit: Orbit, carry: Carry) -> tuple[Carry, Array, Array]:
    """The carry after the orbit that closes, its gap, and how many were flown to find it."""
    return _ended(searched(structure, segment, orbit, carry))


def _closed_jvp(structure: Structure, segment: Segment, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """How the closed orbit changes: as any orbit from its start, and as the start does to close it again."""
    found = searched(structure, segment, *primals)
    ranges = ranges_of(*primals)
    leaves, tree = jax.tree.flatten((*primals, found.start))
    slopes = _all_moving(tangents, (primals[1], found.start))
    moves = [not isinstance(slope, SymbolicZero) for slope in slopes]

    def flown(moving: list[Array]) -> tuple[Array, Carry]:
        rest = iter(moving)
        orbit, carry, start = tree.unflatten([next(rest) if m else leaf for leaf, m in zip(leaves, moves, strict=True)])
        return fly_from(structure, segment, ranges, orbit, carry, start[:, None])

    place, direction = ([leaf for leaf, m in zip(row, moves, strict=True) if m] for row in (leaves, slopes))
    _, (end, after) = jax.jvp(flown, (place,), (direction,))
    moved = _moved(after, found.after_slope, _newton(found.slope, end[:, 0]))
    return _ended(found), (moved, jnp.zeros_like(found.gap), np.zeros((), jax.dtypes.float0))


_closed: jax.custom_jvp[Any] = jax.custom_jvp(_close, nondiff_argnums=(0, 1))
_closed.defjvp(_closed_jvp, symbolic_zeros=True)


def _all_moving(tangents: Any, carried: Any) -> list[Any]:
    """Tangents of orbit and carry, and of a start that stays; what is carried moves, if only by nothing.

    Loops find out by repeated tracing what moves in what they carry: so they are told.
    """
    orbit, carry = (jax.tree.leaves(part, is_leaf=lambda leaf: isinstance(leaf, SymbolicZero)) for part in tangents)
    still = 0.0 * sum(jnp.sum(leaf) for leaf in (*orbit, *carry) if not isinstance(leaf, SymbolicZero))
    carry += [None] * (len(jax.tree.leaves(carried)) - len(carry))
    moving = [
        jnp.zeros_like(leaf) + still if slope is None or isinstance(slope, SymbolicZero) else slope + still
        for slope, leaf in zip(carry, jax.tree.leaves(carried), strict=True)
    ]
    return [*orbit, *moving]


def _ended(found: _Search) -> tuple[Carry, Array, Array]:
    """Carry after the last orbit of a search, moved on by what it missed if it closed; its gap, and orbits flown."""
    last = jnp.where(found.gap <= CLOSE, found.change, 0.0)
    return _moved(found.after, found.after_slope, last), found.gap, found.tries


def _moved(after: Carry, slope: Carry, change: Array) -> Carry:
    """A carry, leaves (1, 1), after an orbit whose start has changed."""
    return jax.tree.map(lambda leaf, by: leaf + by @ change[:, None], after, slope)


def _newton(slope: Array, miss: Array) -> Array:
    """Change of the start that makes up for what the end misses."""
    return jnp.linalg.solve((1.0 + NEUTRAL) * jnp.eye(miss.size) - slope, miss)


@partial(jax.jit, static_argnums=(0, 1))
def searched(structure: Structure, segment: Segment, orbit: Orbit, carry: Carry) -> _Search:
    """The search at its end: Newton's method, and a plain orbit wherever it does not lead nearer to a closed one."""
    ranges = ranges_of(orbit, carry)
    start = rows(carry, ranges)[:, 0]

    def flown_from(start: Array) -> tuple[Array, Array, Carry, Carry]:
        return _with_slopes(partial(fly_from, structure, segment, ranges), orbit, carry, start)

    def fly(before: _Search) -> _Search:
        end, slope, after, after_slope = flown_from(before.start)
        miss = end - before.start
        gap = jnp.max(jnp.abs(miss))
        gap = jnp.where(jnp.isfinite(gap), gap, jnp.inf)
        change = _newton(slope, miss)
        # What an orbit hardly changes, or drives away from a balance, goes on the way that it goes.
        drifts = ranges.drifts & (change * miss < 0.0)
        ahead = jnp.where(drifts, FAR * miss, change)
        plain = ~before.plain & (gap > 0.5 * before.gap)
        nearer = jnp.where(gap < before.reached, jnp.minimum(2.0 * before.longest, LONGEST), before.longest / 4.0)
        longest = jnp.where(plain, before.longest, jnp.maximum(nearer, SHORTEST))
        reached = jnp.where(plain, before.reached, gap)
        start = jnp.where(plain, end, before.start + jnp.clip(ahead, -longest, longest))
        start = jnp.clip(start, ranges.low / ranges.unit, ranges.high / ranges.unit)
        return _Search(start, plain, longest, reached, before.tries + 1, gap, change, slope, after, after_slope)

    def open_still(search: _Search) -> Array:
        return (search.gap > CLOSE) & (search.tries < MOST_TRIES)

    end, slope, *after = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(flown_from, start))
    far, none = jnp.asarray(jnp.inf), jnp.zeros((), jnp.int32)
    first = _Search(start, jnp.asarray(True), jnp.asarray(LONGEST), far, none, far, end, slope, *after)
    return lax.while_loop(open_still, fly, first)


def _with_slopes(flown: Any, orbit: Orbit, carry: Carry, start: Array) -> tuple[Array, Array, Carry, Carry]:
    """End and carry of an orbit, and their slopes by its start: all copies of the satellite are flown at once."""
    count = start.size
    each, copies = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (1, count + 1)), (orbit.each, carry))
    starts = start[:, None] + OFF * jnp.eye(count, count + 1, 1)
    ends, after = flown(orbit._replace(each=each), copies, starts)

    def slope(leaf: Array) -> Array:
        off = leaf[:, 1:] - leaf[:, :1]
        return jnp.where(jnp.isfinite(off), off, 0.0) / OFF  # what a design lacks is infinite

    first = jax.tree.map(lambda leaf: leaf[:, :1], after)
    return ends[:, 0], slope(ends), first, jax.tree.map(slope, after)


@partial(jax.jit, static_argnums=(0, 1))
def fly_from(
    structure: Structure, segment: Segment, ranges: Ranges, orbit: Orbit, carry: Carry, starts: Array
) -> tuple[Array, Carry]:
    """Ends (variable, copy) and carry, leaves (1, copy), of an orbit flown from such starts."""
    variables, tree = starts * ranges.unit[:, None], jax.tree.structure((carry.state, carry.work))
    state, work = tree.unflatten(list(variables[:, None]))
    begun = carry._replace(state=state, work=work)
    shared, each, environment, now = orbit
    demand = environment.traced_flops[: segment.exchanges]
    after, _ = rollout.run_chunk(structure, segment, shared, each, environment, now, demand, begun)
    return rows(after, ranges), after


def rows(carry: Carry, ranges: Ranges) -> Array:
    """State and waiting work of copies in units of the gap, (variable, copy)."""
    return jnp.concatenate(jax.tree.leaves((carry.state, carry.work))) / ranges.unit[:, None]


def ranges_of(orbit: Orbit, carry: Carry) -> Ranges:
    """Unit and range of each variable of a satellite's state."""
    ((name, state),) = carry.state.items()
    shared, each = orbit.shared[name], orbit.each[name]
    orbit_s = 2.0 * jnp.pi / each.rates.mean_anomaly_rad_per_s[0, 0]
    work_flop = shared.nominal_flops * shared.profiles["accelerator"]["count"] * orbit_s
    results_bit = work_flop * shared.product_bit_per_flop

    def filled(*numbers: Any) -> Array:
        """Numbers for temperatures, their rises, charges, the rise of the charge, work and results that wait."""
        kelvin, rise_k, charge, charge_rise, *waits = (jnp.asarray(number, jnp.float64) for number in numbers)
        nodes, sensed = dict.fromkeys(state.temperature_k, kelvin), dict.fromkeys(state.rise_k, rise_k)
        return jnp.stack(jax.tree.leaves((State(nodes, sensed, charge, charge_rise, charge), Work(*waits))))

    return Ranges(
        unit=filled(1.0, 1.0, 0.01, 0.01, *(jnp.maximum(0.01 * most, 1.0) for most in (work_flop, results_bit))),
        low=filled(COLDEST_K, -jnp.inf, 0.0, -1.0, 0.0, 0.0),
        high=filled(jnp.inf, jnp.inf, 1.0, 1.0, jnp.inf, jnp.inf),
        drifts=filled(0.0, 0.0, 1.0, 0.0, 0.0, 0.0) > 0.0,
    )
