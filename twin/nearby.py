"""Steady orbits of many satellites that are nearly alike, found from those of one: values alone, a dozen times faster.

The start of the orbit that closes and how it answers to a change of the start are found once, for one satellite. The
others begin there, fly plain orbits, and learn from each what their own answer is (Broyden, A class of methods for
solving nonlinear simultaneous equations, 1965, the first of its two updates, of the inverse).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from twin import steady
from twin.carry import Carry
from twin.prepare import Cohort
from twin.segments import Segment
from twin.steady import CLOSE, Orbit, Steady
from twin.structure import Environment, Structure

MOST_TRIES = 25  # orbits; whoever needs more is found by Newton's method


class Neighbour(NamedTuple):
    """Of each steady orbit of a satellite, in units of the gap: its start, and how that makes up for what it misses."""

    start: Array  # (orbit, variable)
    inverse: Array  # (orbit, variable, variable)


class _Search(NamedTuple):
    start: Array  # (variable,) of the orbit flown last
    missed: Array  # (variable,) by its end
    inverse: Array
    tries: Array
    after: Carry


def neighbour(structure: Structure, cohorts: dict[str, Cohort], environment: Environment) -> tuple[Neighbour, Array]:
    """What the others begin from, and the gaps of its orbits, (orbit,)."""

    def close(structure: Structure, segment: Segment, orbit: Orbit, carry: Carry, given: Any) -> Any:
        found = steady.searched(structure, segment, orbit, carry)
        inverse = jnp.linalg.inv((1.0 + steady.NEUTRAL) * jnp.eye(found.start.size) - found.slope)
        return found.after, (Neighbour(found.start, inverse), found.gap)

    return steady.each_orbit(structure, cohorts, environment, close)[1]


def run(structure: Structure, cohorts: dict[str, Cohort], environment: Environment, beside: Neighbour) -> Steady:
    """Every steady orbit of a run of one satellite near another one; pure, for `jit` and `vmap`, without derivatives.

    Above `steady.CLOSE` a gap says that the orbit was not found.
    """
    carry, ends = steady.each_orbit(structure, cohorts, environment, _closed, beside)
    return Steady(carry, *ends)


def _closed(structure: Structure, segment: Segment, orbit: Orbit, carry: Carry, given: Neighbour) -> Any:
    ranges = steady.ranges_of(orbit, carry)
    flown = partial(steady.fly_from, structure, segment, ranges, orbit, carry)

    def fly(before: _Search) -> _Search:
        change = before.inverse @ before.missed
        start = jnp.clip(before.start + change, ranges.low / ranges.unit, ranges.high / ranges.unit)
        end, after = flown(start[:, None])
        missed = end[:, 0] - start
        inverse = _learned(before.inverse, start - before.start, missed - before.missed)
        return _Search(start, missed, jnp.where(before.tries > 0, inverse, before.inverse), before.tries + 1, after)

    def open_still(search: _Search) -> Array:
        return (search.tries == 0) | ((_gap(search) > CLOSE) & (search.tries < MOST_TRIES))

    _, after = jax.eval_shape(flown, given.start[:, None])
    empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), after)
    first = _Search(given.start, jnp.zeros_like(given.start), given.inverse, jnp.zeros((), jnp.int32), empty)
    found = lax.while_loop(open_still, fly, first)
    return found.after, (_gap(found), found.tries)


def _gap(search: _Search) -> Array:
    return jnp.max(jnp.abs(search.missed))


def _learned(inverse: Array, moved: Array, changed: Array) -> Array:
    """The inverse of the negative slope of what is missed, corrected so that it explains the last change."""
    along = moved @ inverse
    size = along @ changed
    known = size != 0.0
    update = jnp.outer(moved + inverse @ changed, along) / jnp.where(known, size, 1.0)
    return inverse - jnp.where(known, update, 0.0)
