"""Where satellites meet: one demand, split over the fleet."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import registry
from twin.prepare import Each, Shared
from twin.state import Slow, State
from twin.structure import Structure

FleetSum = Callable[[Array], Array]


class Inputs(NamedTuple):
    """What `exchange` asks of each satellite until the next exchange."""

    asked_flops: Array  # assigned work and what has waited
    assigned_flops: Array


def even_split(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    states: Mapping[str, State],
    slow: Mapping[str, Slow],
    traced_flops: Array,
    exchange_s: float,
    fleet_sum: FleetSum,
) -> dict[str, Inputs]:
    """Work for every satellite until the next exchange: the demand in proportion to nominal capacity.

    Work that waited is asked for on top, to be done within the interval. Arrays are (tiles, tile);
    `fleet_sum` adds over all satellites of all devices.
    """
    capacity = {
        name: shared[name].nominal_flops * slow[name].accelerators_alive * each[name].present for name in states
    }
    fleet = sum((fleet_sum(value) for value in capacity.values()), jnp.zeros(()))
    profile = next(iter(shared.values())).profiles["workload"]
    demand = registry.call(registry.models("workload")[structure.workload_model], profile, fleet, traced_flops)
    share = demand / jnp.maximum(fleet, 1.0)
    inputs = {}
    for name, value in capacity.items():
        assigned = value * share
        asked = assigned + states[name].backlog_flop / exchange_s * each[name].present
        kind = states[name].backlog_flop.dtype
        inputs[name] = Inputs(asked.astype(kind), assigned.astype(kind))
    return inputs
