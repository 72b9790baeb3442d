"""Where satellites meet: one demand, split over the fleet, or one for each by its place; and who may work."""

from collections.abc import Callable, Mapping
from functools import partial
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


def work_asked(
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
    phases: Mapping[str, Array],
) -> dict[str, Inputs]:
    """Work for every satellite until the next exchange: the demand in proportion to what each is able to do.

    Demand does not shrink with the fleet: what a failed accelerator or a payload that is off leaves undone counts as
    such. Where `phases` has the places of satellites in their orbits, each has a demand of its own by its place, that
    of all its accelerators, dead ones too, and no other satellite does what it leaves undone. Work that waited is
    asked for on top, to be done within the interval, which begins `start_s` after the start of the run. `in_service` is
    the part of it in which a satellite has been commissioned; before, its payload idles. Arrays are (tiles, tile);
    `fleet_sum` adds over all satellites of all devices.
    """
    profiles = next(iter(shared.values())).profiles
    on = registry.call(operations.payload_on, profiles["operations"], start_s, exchange_s)
    serve = {name: in_service.get(name, 1.0) for name in states}
    one = {name: shared[name].nominal_flops * each[name].present for name in states}
    new = {name: flops * shared[name].profiles["accelerator"]["count"] for name, flops in one.items()}
    able = {name: on * flops * slow[name].accelerators_alive * serve[name] for name, flops in one.items()}
    model = registry.models("workload")[structure.workload_model]
    demand = partial(registry.call, model, profiles["workload"])
    if phases:
        assigned = {name: demand(flops, traced_flops, phases[name]) for name, flops in new.items()}
        asked = {name: flops * serve[name] for name, flops in assigned.items()}
    else:
        assigned, asked = _even_split(new, able, serve, lambda fleet: demand(fleet, traced_flops, None), fleet_sum)
    inputs = {}
    for name, value in one.items():
        waiting = states[name].backlog_flop / exchange_s * each[name].present
        kind = states[name].backlog_flop.dtype
        given = asked[name] + waiting * serve[name], assigned[name], on * jnp.ones_like(value)
        inputs[name] = Inputs(*(leaf.astype(kind) for leaf in given))
    return inputs


def _even_split(
    new: Mapping[str, Array],
    able: Mapping[str, Array],
    serve: Mapping[str, Array | float],
    demand: Callable[[Array], Array],
    fleet_sum: FleetSum,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Work assigned to and asked of every satellite, by what it is able to do; where none is, by what it was new."""
    fleet, fleet_able = (sum(map(fleet_sum, values.values()), jnp.zeros(())) for values in (new, able))
    some = fleet_able > 0.0
    share = demand(fleet) / jnp.maximum(jnp.where(some, fleet_able, fleet), 1.0)
    assigned = {name: jnp.where(some, able[name], flops) * share for name, flops in new.items()}
    return assigned, {name: jnp.where(some, flops, flops * serve[name]) for name, flops in assigned.items()}
