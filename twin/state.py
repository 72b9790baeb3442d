"""State of a satellite between two steps: what changes within an orbit, and what changes over months."""

from typing import NamedTuple

from jax import Array


class State(NamedTuple):
    """What a step advances, in the run's precision: one leaf (satellite,) per variable; temperatures by node name."""

    temperature_k: dict[str, Array]
    state_of_charge: Array
    backlog_flop: Array


class Slow(NamedTuple):
    """What changes over months, float64, one leaf (satellite,) per variable.

    A step reads it and gives rates; the loop adds them up over a save block (`variables.SLOW`), times `slow_weight`:
    in float32 an increment of ten seconds would be lost in a sum over years.
    """

    battery_health: Array
    array_health: Array
    accelerators_alive: Array
    coating_life_fraction: Array
