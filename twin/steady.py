"""Steady orbits: the state that an orbit ends in as it began, found by shooting instead of by simulating weeks.

A run of steady orbits is the one loop with its windows settled: each stands for an equal stretch of the run's time, and
begins in the state that the orbit returns. That state is found by Newton's method on the map from one end of the orbit
to the other (Keller, Numerical Methods for Two-Point Boundary-Value Problems, 1968), whose derivative is carried along
as tangents of the same loop; derivatives by parameters follow from the implicit function theorem.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.flatten_util import ravel_pytree

from twin import rollout
from twin.carry import Carry
from twin.prepare import Cohort
from twin.rollout import Segment
from twin.structure import Environment, Moment, Structure

MOST_TRIES = 30
CLOSE = 1e-6  # K, and in the units of the rest of the state
LONGEST_K = 40.0  # of a step of Newton's method


class Search(NamedTuple):
    """Where the search for the closed orbit stands."""

    start: Array
    gap: Array
    tries: Array
    slope: Array
    after_slope: Carry


class Steady(NamedTuple):
    """A run of steady orbits at its end, and how far each orbit was from closing and after how many iterations."""

    carry: Carry
    gap: Array  # (orbit,), K or in the units of the state
    iterations: Array


def scheduled(structure: Structure, orbits: int, steps: int, exchanges: int) -> Structure:
    """The structure of a run of so many orbits, each of `exchanges` intervals of so many steps."""
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


def timed(structure: Structure, environment: Environment) -> Environment:
    """The environment of a run of steady orbits, which stand for all of its time."""
    schedule = structure.schedule
    return environment._replace(
        slow_weight=jnp.asarray(schedule.duration_ms / (schedule.steps * schedule.step_ms)),
        traced_flops=jnp.zeros(schedule.steps // schedule.exchange_steps),
    )


def run(structure: Structure, cohorts: dict[str, Cohort], environment: Environment) -> Steady:
    """Every steady orbit of a run of one satellite, in a structure of `scheduled`; pure, for `jit`, `grad`, `vmap`."""
    schedule = structure.schedule
    orbits = schedule.steps // schedule.chunk_steps
    tiles = rollout.lay_out(structure, cohorts)
    each = next(iter(cohorts.values())).each
    period_s = 2.0 * jnp.pi / (each.rates.mean_anomaly_rad_per_s + each.rates.argument_of_perigee_rad_per_s)[0]
    stretch_s = schedule.duration_ms / 1000.0 / orbits
    segment = Segment(schedule.chunk_steps // schedule.exchange_steps, 1, schedule.exchange_steps)

    def orbit(carry: Carry, number: Array) -> tuple[Carry, tuple[Array, Array]]:
        now = Moment(
            date_s=(number + 0.5) * stretch_s - 0.5 * period_s,
            flown_s=jnp.zeros(()),
            counted_s=number * stretch_s,
            weight=stretch_s / period_s,
            step_s=period_s / schedule.chunk_steps,
        )
        return _closed(structure, segment, (tiles, environment, now), carry)

    carry, (gap, iterations) = lax.scan(orbit, tiles.carry, jnp.arange(orbits))
    return Steady(carry, gap, iterations)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _flown(
    structure: Structure, segment: Segment, unravel: Callable[[Array], Any], given: Any, carry: Carry, start: Array
) -> tuple[Array, Carry]:
    tiles, environment, now = given
    demand = environment.traced_flops[: segment.exchanges]
    begun = carry._replace(state=unravel(start))
    after, _ = rollout.run_chunk(structure, segment, *tiles[:2], environment, now, demand, begun)
    return ravel_pytree(after.state)[0], after


def _closed(structure: Structure, segment: Segment, given: Any, carry: Carry) -> tuple[Carry, tuple[Array, Array]]:
    """The carry after the orbit that closes, how far it was from closing, and after how many tries."""
    guess, unravel = ravel_pytree(carry.state)
    unit = jnp.eye(guess.size, dtype=guess.dtype)
    flown = partial(_flown, structure, segment, unravel)
    held = jax.tree.map(lax.stop_gradient, (given, carry))

    def with_slopes(start: Array) -> tuple[tuple[Array, Carry], tuple[Array, Carry]]:
        def push(tangent: Array) -> Any:
            return jax.jvp(partial(flown, *held), (start,), (tangent,))

        return jax.vmap(push, out_axes=(None, -1))(unit)

    def newton(before: Search) -> Search:
        (end, _), (slope, after_slope) = with_slopes(before.start)
        change = jnp.linalg.solve(unit - slope, end - before.start)
        change = change * jnp.minimum(1.0, LONGEST_K / jnp.maximum(jnp.max(jnp.abs(change)), 1e-12))
        gap = jnp.max(jnp.abs(end - before.start))
        return Search(before.start + change, gap, before.tries + 1, slope, after_slope)

    def goes_on(before: Search) -> Array:
        return (before.gap > CLOSE) & (before.tries < MOST_TRIES)

    shapes = jax.eval_shape(partial(flown, *held), guess)
    zeros = jax.tree.map(lambda leaf: jnp.zeros((*leaf.shape, guess.size), leaf.dtype), shapes)
    first = Search(lax.stop_gradient(guess), jnp.asarray(jnp.inf, guess.dtype), jnp.zeros((), jnp.int32), *zeros)
    found = lax.stop_gradient(lax.while_loop(goes_on, newton, first))
    end, after = flown(given, carry, found.start)
    moved = jnp.linalg.solve(unit - found.slope, end - found.start)  # 0, but for its derivatives
    closed = jax.tree.map(lambda leaf, slope: leaf + slope @ moved, after, found.after_slope)
    return closed, (found.gap, found.tries)
