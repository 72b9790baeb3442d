"""Where satellites meet: one demand, split over the fleet."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jax import Array

from kernels import registry
from twin.prepare import Each, Shared
from twin.state import State
from twin.step import Inputs
from twin.structure import Structure

FleetSum = Callable[[Array], Array]


def even_split(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    states: Mapping[str, State],
    traced_flops: Array,
    exchange_s: float,
    fleet_sum: FleetSum,
) -> dict[str, Inputs]:
    """Work for every satellite until the next exchange: the demand in proportion to nominal capacity.

    Work that waited is asked for on top, to be done within the interval. Arrays are (tiles, tile);
    `fleet_sum` adds over all satellites of all devices.
    """
    capacity = {
        name: shared[name].nominal_flops * states[name].accelerators_alive * each[name].present for name in states
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
