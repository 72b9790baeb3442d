"""Ageing: what the slow variables mean to a step, and how fast they change.

Both are evaluated once per save block, in float64, so that the step pays for none of it.
"""

from typing import NamedTuple

from jax import Array

from kernels import radiator, registry
from twin.anchor import Anchor
from twin.prepare import Shared
from twin.state import Slow
from twin.structure import CohortStructure

Rates = dict[str, Array]


class Condition(NamedTuple):
    """What a step reads of the slow variables, in the run's precision; leaves are (satellite,)."""

    battery_health: Array
    array_health: Array
    accelerators_alive: Array
    coating_absorptivity: Array


def condition(structure: CohortStructure, shared: Shared, slow: Slow) -> Condition:
    """What the slow variables mean to the steps of a block."""
    del structure
    coating = shared.profiles["coating"] | {"life_fraction": slow.coating_life_fraction}
    return Condition(
        battery_health=slow.battery_health,
        array_health=slow.array_health,
        accelerators_alive=slow.accelerators_alive,
        coating_absorptivity=registry.call(radiator.aged_optics, coating).absorptivity,
    )


def slow_rates(structure: CohortStructure, shared: Shared, anchor: Anchor, slow: Slow) -> Rates:
    """Rates per second that stay the same through a block, under the names that `variables.SLOW` gives them."""
    del structure, anchor
    return {"accelerators_alive_per_s": -shared.failure_rate_per_s * slow.accelerators_alive}
