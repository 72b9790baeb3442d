"""Where satellites meet: one demand, given out by a scheduler, or one for each by its place; and who may work."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import operations, registry, workload
from kernels.scheduler import Seen, headroom
from twin.carry import Carry
from twin.prepare import Each, Shared
from twin.scheduling import UNITS, Sums, poured, whole_units
from twin.structure import Profile, Structure

ByCohort = Mapping[str, Array]
# What a scheduler sees of the satellites, told what each is able to do.
Look = Callable[[ByCohort], Mapping[str, Seen]]


class Interval(NamedTuple):
    """An exchange interval, and what is known of it beforehand; by cohort (tiles, tile)."""

    start_s: Array  # since the start of the run
    length_s: Any
    traced_flops: Array  # demand of the series
    in_service: ByCohort  # part of it in which satellites are commissioned, where that is not always
    phases: ByCohort  # places of satellites in their orbits, where each has a demand of its own by its place


class Inputs(NamedTuple):
    """What `work_asked` gives each satellite until the next exchange; work in float64."""

    asked_flops: Array  # assigned work and what has waited
    assigned_flops: Array
    payload_on: Array  # part of the interval in which accelerators and hosts may draw power
    able_flops: Array  # what its accelerators could do, were they cool and powered


def work_asked(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    carry: Carry,
    interval: Interval,
    look: Look,
    fleet_sum: Sums,
) -> dict[str, Inputs]:
    """Work for every satellite until the next exchange: what is assigned, and what has waited, within the interval.

    Demand does not shrink with the fleet: what a failed accelerator, a payload that is off or a satellite before its
    commissioning leaves undone counts as such. Arrays are (tiles, tile); `fleet_sum` adds over all satellites of all
    devices.
    """
    profiles = next(iter(shared.values())).profiles
    on = registry.call(operations.payload_on, profiles["operations"], interval.start_s, interval.length_s)
    serve = {name: interval.in_service.get(name, 1.0) * each[name].present for name in each}
    alive = {name: carry.slow[name].accelerators_alive for name in each}
    able = {name: on * shared[name].nominal_flops * alive[name] * serve[name] for name in each}
    if interval.phases:
        assigned = _by_place(structure, shared, each, interval)
        asked = {name: flops * serve[name] for name, flops in assigned.items()}
    else:
        assigned, some = _given_out(structure, shared, each, interval.traced_flops, able, look, fleet_sum)
        asked = {name: jnp.where(some, flops, flops * serve[name]) for name, flops in assigned.items()}
    waiting = {name: carry.work[name].backlog_flop / interval.length_s * serve[name] for name in each}
    if structure.workload_model == "batch":
        asked, waiting = _in_sunlight(profiles["workload"], look(able), asked, waiting)
    there = {name: jnp.maximum(asked[name] + waiting[name], 0.0) for name in each}  # rounding may be owed
    return {name: Inputs(there[name], assigned[name], on * jnp.ones_like(able[name]), able[name]) for name in each}


def _new_flops(shared: Shared) -> Array:
    """What all accelerators of a satellite are able to do when it is new."""
    return shared.nominal_flops.astype(jnp.float64) * shared.profiles["accelerator"]["count"]


def _demand(structure: Structure, shared: Mapping[str, Shared]) -> Callable[..., Array]:
    """The workload, which knows a demand by what is able to do it, the series and the place."""
    profile = next(iter(shared.values())).profiles["workload"]
    return partial(registry.call, registry.models("workload")[structure.workload_model], profile)


def _by_place(
    structure: Structure, shared: Mapping[str, Shared], each: Mapping[str, Each], interval: Interval
) -> dict[str, Array]:
    """Work assigned to every satellite by its place, as if new; no other satellite does what one leaves undone."""
    demand = _demand(structure, shared)
    return {
        name: demand(_new_flops(shared[name]) * each[name].present, interval.traced_flops, phase)
        for name, phase in interval.phases.items()
    }


def _given_out(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    traced_flops: Array,
    able: ByCohort,
    look: Look,
    fleet_sum: Sums,
) -> tuple[dict[str, Array], Array]:
    """Work assigned to every satellite, and whether any is able to do some; else it goes by what they were new.

    Sums over the fleet are of whole satellites and whole units: the same in any order.
    """
    first = next(iter(shared.values()))
    unit = first.nominal_flops.astype(jnp.float64) / UNITS
    room = registry.call(headroom, first.profiles["scheduler"])
    rooms = {name: room * flops for name, flops in able.items()}
    some = sum((fleet_sum(whole_units(flops, unit)) for flops in rooms.values()), jnp.zeros(())) > 0.0
    new = {name: jnp.maximum(_new_flops(shared[name]), unit) * each[name].present for name in each}
    by = {name: jnp.where(some, flops, new[name]) for name, flops in rooms.items()}
    fleet = sum((_new_flops(shared[name]) * fleet_sum(each[name].present) for name in each), jnp.zeros(()))
    demand = _demand(structure, shared)(fleet, traced_flops, None)
    return poured(demand, _weights(structure, first, able, look), by, unit, fleet_sum), some


def _weights(structure: Structure, shared: Shared, able: ByCohort, look: Look) -> dict[str, Array]:
    """The scheduler's, by what it sees; one that treats all alike looks at nothing."""
    if structure.scheduler_model == "even":
        return {name: jnp.ones_like(flops) for name, flops in able.items()}
    scheduler, profile = registry.models("scheduler")[structure.scheduler_model], shared.profiles["scheduler"]
    return {name: registry.call(scheduler, profile, view) for name, view in look(able).items()}


def _in_sunlight(
    profile: Profile, views: Mapping[str, Seen], asked: ByCohort, waiting: ByCohort
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Of new work that may wait for sunlight, and of what has waited, what is to be done in the interval."""
    lit = {name: view.sunlit_fraction for name, view in views.items()}
    at_once = {name: registry.call(workload.allowed_fraction, profile, part) for name, part in lit.items()}
    return (
        {name: flops * at_once[name] for name, flops in asked.items()},
        {name: flops * lit[name] for name, flops in waiting.items()},
    )
