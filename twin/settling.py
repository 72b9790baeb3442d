"""Before a window satellites settle in its season: bus and battery, which take a day to warm, are helped on.

A chunk of settling ends a little nearer to the cycle that the window's season would lead to. Bus and battery together
are then moved on by the secant method: from two chunks follows how much of its distance to the cycle a satellite goes
in one, and so how far is left. Differences among their nodes, which pass within hours, are left alone: to move them
on too would swing (projective integration: Gear and Kevrekidis, SIAM J. Sci. Comput. 24 (2003) 1091). What is left of
an orbit between two chunks shows as a rise and is moved on with it: chunks should be whole orbits within a percent.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from twin.prepare import Shared
from twin.state import State
from twin.structure import CohortStructure

FIRST = 4.0  # times the first rise: no more than small batteries bear
MOST = 16.0  # times a rise; as far as bus and battery need that take 16 orbits, a day
ALIKE_K = 1e-3  # starts closer than that tell nothing


class Settling(NamedTuple):
    """Mean temperature of bus and battery at the start of the last chunk of settling, 0 before it, and its rise. [K]"""

    start_k: Array
    rise_k: Array


def unsettled(state: State) -> Settling:
    """What is known before the first chunk."""
    zero = jnp.zeros_like(state.state_of_charge)
    return Settling(zero, zero)


def moved_on(
    structure: CohortStructure, shared: Shared, weight: Array, states: tuple[State, State], before: Settling
) -> tuple[State, Settling]:
    """The last of two states, moved on if the chunk between them was settling, and what the chunk has told.

    A window, whose `weight` is above 0, changes nothing and ends what is known.
    """
    first, last = states
    slow = sorted({*structure.ports.bus, *structure.ports.battery})
    parts = {structure.topology.nodes[i]: shared.network.heat_capacity_j_per_k[i] for i in slow}

    def mean(state: State) -> Array:
        zero = jnp.zeros_like(state.state_of_charge)
        return sum((c * state.temperature_k[node] for node, c in parts.items()), zero) / sum(parts.values())

    start_k, rise_k = mean(first), mean(last) - mean(first)
    gap_k = start_k - before.start_k
    known = (before.start_k > 0.0) & (jnp.abs(gap_k) > ALIKE_K)
    share = jnp.maximum((before.rise_k - rise_k) / jnp.where(known, gap_k, 1.0), 1.0 / MOST)
    settles = weight == 0.0
    more_k = jnp.where(settles, (jnp.where(known, 1.0 / share, FIRST) - 1.0) * rise_k, 0.0)
    battery_k = last.temperature_k[structure.topology.nodes[structure.ports.battery[0]]]
    held_k = shared.profiles["battery"]["heater_set_point_k"] - battery_k
    more_k = jnp.maximum(more_k, jnp.minimum(held_k, 0.0))  # what its heater will do is not known above it
    moved = {node: last.temperature_k[node] + more_k.astype(start_k.dtype) for node in parts}
    now = Settling(*(jnp.where(settles, leaf, 0.0).astype(start_k.dtype) for leaf in (start_k, rise_k)))
    return last._replace(temperature_k=last.temperature_k | moved), now
