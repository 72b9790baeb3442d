"""Where satellites meet: one demand, given out by a scheduler, or one for each by its place; and who may work."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import operations, registry, workload
from kernels.scheduler import Seen, headroom
from twin.prepare import Each, Shared
from twin.scheduling import UNITS, Sums, poured
from twin.state import Slow, Work
from twin.structure import Structure

ByCohort = Mapping[str, Array]
# What a scheduler sees of the satellites, told what each is able to do.
Look = Callable[[ByCohort], Mapping[str, Seen]]


class Inputs(NamedTuple):
    """What `exchange` asks of each satellite until the next exchange; work in float64."""

    asked_flops: Array  # assigned work and what has waited
    assigned_flops: Array
    payload_on: Array  # part of the interval in which accelerators and hosts may draw power
    able_flops: Array  # what its accelerators could do, were they cool and powered


def work_asked(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    work: Mapping[str, Work],
    slow: Mapping[str, Slow],
    traced_flops: Array,
    start_s: Array,
    exchange_s: float,
    fleet_sum: Sums,
    in_service: ByCohort,
    phases: ByCohort,
    look: Look,
) -> dict[str, Inputs]:
    """Work for every satellite until the next exchange: the demand as the scheduler gives it out.

    Demand does not shrink with the fleet: what a failed accelerator or a payload that is off leaves undone counts as
    such. Where `phases` has the places of satellites in their orbits, each has a demand of its own by its place, that
    of all its accelerators, dead ones too, and no other satellite does what it leaves undone. Work that waited is
    asked for on top, to be done within the interval, which begins `start_s` after the start of the run. `in_service` is
    the part of it in which a satellite has been commissioned; before, its payload idles. Batch work waits for sunlight.
    Arrays are (tiles, tile);
    `fleet_sum` adds over all satellites of all devices.
    """
    profiles = next(iter(shared.values())).profiles
    on = registry.call(operations.payload_on, profiles["operations"], start_s, exchange_s)
    serve = {name: in_service.get(name, 1.0) for name in work}
    one = {name: shared[name].nominal_flops * each[name].present for name in work}
    new = {name: flops * shared[name].profiles["accelerator"]["count"] for name, flops in one.items()}
    able = {name: on * flops * slow[name].accelerators_alive * serve[name] for name, flops in one.items()}
    model = registry.models("workload")[structure.workload_model]
    demand = partial(registry.call, model, profiles["workload"])
    if phases:
        assigned = {name: demand(flops, traced_flops, phases[name]) for name, flops in new.items()}
        asked = {name: flops * serve[name] for name, flops in assigned.items()}
    else:
        fleet = sum(map(fleet_sum, new.values()), jnp.zeros(()))
        assigned, some = _given_out(structure, shared, demand(fleet, traced_flops, None), new, able, look, fleet_sum)
        asked = {name: jnp.where(some, flops, flops * serve[name]) for name, flops in assigned.items()}
    waits = structure.workload_model == "batch"
    views = look(able) if waits else {}
    inputs = {}
    for name, value in one.items():
        waiting = work[name].backlog_flop / exchange_s * each[name].present * serve[name]
        there = asked[name] + waiting
        if waits:
            lit = views[name].sunlit_fraction
            there = asked[name] * registry.call(workload.allowed_fraction, profiles["workload"], lit) + waiting * lit
        given = there, assigned[name], on * jnp.ones_like(value), able[name]
        inputs[name] = Inputs(*(leaf.astype(jnp.float64) for leaf in given))
    return inputs


def _given_out(
    structure: Structure,
    shared: Mapping[str, Shared],
    demand: Array,
    new: ByCohort,
    able: ByCohort,
    look: Look,
    fleet_sum: Sums,
) -> tuple[dict[str, Array], Array]:
    """Work assigned to every satellite, and whether any is able to do some; else it goes by what they were new."""
    first = next(iter(shared.values()))
    some = sum(map(fleet_sum, able.values()), jnp.zeros(())) > 0.0
    by = {name: jnp.where(some, able[name], flops) for name, flops in new.items()}
    scheduler = registry.models("scheduler")[structure.scheduler_model]
    if structure.scheduler_model == "even":
        weights = {name: jnp.ones_like(flops) for name, flops in by.items()}
    else:
        weights = {
            name: registry.call(scheduler, first.profiles["scheduler"], view) for name, view in look(able).items()
        }
    unit = first.nominal_flops.astype(jnp.float64) / UNITS
    room = registry.call(headroom, first.profiles["scheduler"])
    return poured(demand, weights, {name: room * flops for name, flops in by.items()}, unit, fleet_sum), some
