"""Where satellites meet: one demand, split over the fleet; and who may work."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import operations, registry
from twin.prepare import Each, Shared
from twin.state import Slow, State
from twin.structure import Structure

FleetSum = Callable[[Array], Array]


class Inputs(NamedTuple):
    """What `exchange` asks of each satellite until the next exchange."""

    asked_flops: Array  # assigned work and what has waited
    assigned_flops: Array
    payload_on: Array  # part of the interval in which accelerators and hosts may draw power


def even_split(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    states: Mapping[str, State],
    slow: Mapping[str, Slow],
    traced_flops: Array,
    start_s: Array,
    exchange_s: float,
    fleet_sum: FleetSum,
    in_service: Mapping[str, Array],
) -> dict[str, Inputs]:
    """Work for every satellite until the next exchange: the demand in proportion to what each is able to do.

    Demand does not shrink with the fleet: what a failed accelerator or a payload that is off leaves undone counts as
    such. Work that waited is asked for on top, to be done within the interval, which begins `start_s` after the start
    of the run. `in_service` is the part of it in which a satellite has been commissioned; before, its payload idles.
    Arrays are (tiles, tile); `fleet_sum` adds over all satellites of all devices.
    """
    profiles = next(iter(shared.values())).profiles
    on = registry.call(operations.payload_on, profiles["operations"], start_s, exchange_s)
    serve = {name: in_service.get(name, 1.0) for name in states}
    one = {name: shared[name].nominal_flops * each[name].present for name in states}
    new = {name: flops * shared[name].profiles["accelerator"]["count"] for name, flops in one.items()}
    able = {name: on * flops * slow[name].accelerators_alive * serve[name] for name, flops in one.items()}
    fleet, fleet_able = (sum(map(fleet_sum, values.values()), jnp.zeros(())) for values in (new, able))
    model = registry.models("workload")[structure.workload_model]
    demand = registry.call(model, profiles["workload"], fleet, traced_flops)
    some = fleet_able > 0.0
    share = demand / jnp.maximum(jnp.where(some, fleet_able, fleet), 1.0)
    inputs = {}
    for name, value in one.items():
        assigned = jnp.where(some, able[name], new[name]) * share
        waiting = states[name].backlog_flop / exchange_s * each[name].present
        asked = jnp.where(some, assigned, assigned * serve[name]) + waiting * serve[name]
        kind = states[name].backlog_flop.dtype
        inputs[name] = Inputs(asked.astype(kind), assigned.astype(kind), (on * jnp.ones_like(value)).astype(kind))
    return inputs
