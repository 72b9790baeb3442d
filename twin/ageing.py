"""Ageing: what the slow variables mean to a step, and how fast they change.

Both are evaluated once per save block, in float64, so that the step pays for none of it.
"""

from typing import NamedTuple

from jax import Array

from kernels import battery_ageing, registry
from twin.anchor import Anchor
from twin.prepare import Shared
from twin.state import Slow
from twin.structure import CohortStructure

Rates = dict[str, Array]


class Condition(NamedTuple):
    """What a step reads of the slow variables, in the run's precision; leaves are (satellite,)."""

    battery_health: Array
    battery_resistance_growth: Array
    array_health: Array
    accelerators_alive: Array


def condition(structure: CohortStructure, shared: Shared, slow: Slow) -> Condition:
    """What the slow variables mean to the steps of a block."""
    del structure
    health, growth = registry.call(
        battery_ageing.health, shared.profiles["battery"], slow.battery_cycle_loss, slow.battery_calendar_square
    )
    return Condition(health, growth, slow.array_health, slow.accelerators_alive)


def slow_rates(structure: CohortStructure, shared: Shared, anchor: Anchor, slow: Slow) -> Rates:
    """Rates per second that stay the same through a block, under the names that `variables.SLOW` gives them."""
    del structure, anchor
    return {"accelerators_alive_per_s": -shared.failure_rate_per_s * slow.accelerators_alive}
