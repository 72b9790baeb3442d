"""State of a satellite between two steps."""

from typing import NamedTuple

from jax import Array


class State(NamedTuple):
    """One leaf (satellite,) per variable; temperatures by node name.

    Slow variables (health, survivors) advance by `slow_weight` times their increment.
    """

    temperature_k: dict[str, Array]
    state_of_charge: Array
    backlog_flop: Array
    battery_health: Array
    array_health: Array
    accelerators_alive: Array
