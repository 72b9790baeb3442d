"""Energy that a satellite holds, in its battery and as heat, and what it gains between two states."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import battery, registry
from twin.ageing import condition
from twin.prepare import Shared
from twin.state import Slow, State
from twin.structure import CohortStructure


class Ledger(NamedTuple):
    """Where an account of stored energy stands within a chunk."""

    state: State
    slow: Slow
    gained_j: tuple[Array, Array]  # in the battery and as heat, up to that state


def opened(state: State, slow: Slow) -> Ledger:
    """The account at the start of a chunk."""
    zero = jnp.zeros_like(slow.age_s)
    return Ledger(state, slow, (zero, zero))


def carried_on(
    structure: CohortStructure, shared: Shared, ledger: Ledger, state: State, slow: Slow, renewed: Slow
) -> Ledger:
    """The account up to a state, from which it goes on with renewed slow variables: a new capacity is no flow."""
    return Ledger(state, renewed, closed_j(structure, shared, ledger, state, slow))


def closed_j(
    structure: CohortStructure, shared: Shared, ledger: Ledger, state: State, slow: Slow
) -> tuple[Array, Array]:
    """What battery and body have gained since the account was opened, float64. [J]"""
    battery_j, heat_j = gained_j(structure, shared, (ledger.state, state), (ledger.slow, slow))
    return ledger.gained_j[0] + battery_j, ledger.gained_j[1] + heat_j


def gained_j(
    structure: CohortStructure, shared: Shared, states: tuple[State, State], slow: tuple[Slow, Slow]
) -> tuple[Array, Array]:
    """Change of the energy in the battery and of that held as heat from the first state to the last, float64. [J]

    The battery is taken at the mean of first and last capacity: what the capacity lost to ageing held is no flow.
    """
    model = registry.models("battery")[structure.model("battery")]
    wear = [condition(structure, shared, each) for each in slow]
    health = 0.5 * (wear[0].battery_health + wear[1].battery_health)

    def stored(state: State) -> Array:
        node = structure.topology.nodes[structure.ports.battery[0]]
        charge = state.state_of_charge.astype(jnp.float64)
        place = (charge, state.temperature_k[node], health, wear[1].battery_resistance_growth)
        return battery.stored_energy_j(registry.call(model, shared.profiles["battery"], *place), charge)

    def warmth(state: State) -> Array:
        nodes = zip(structure.topology.nodes, shared.network.heat_capacity_j_per_k, strict=True)
        return sum((c * state.temperature_k[n].astype(jnp.float64) for n, c in nodes), jnp.zeros(()))

    return stored(states[1]) - stored(states[0]), warmth(states[1]) - warmth(states[0])
