"""Visits and replacement: what is renewed at the end of the days on which satellites are due, and the account of it.

A satellite is due by the calendar day and the day of its launch, so that tiles, chunks and devices do not matter.
Renewal takes effect where random failures do, at the first exchange boundary at or after the end of the day, after
them. A successor is a new satellite in the old slot; temperatures, charge and the work that waits go on as they were.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernels import battery_ageing, registry, servicing
from kernels.constants import DAY_S
from twin import energy, failures
from twin.ageing import condition
from twin.energy import Ledger
from twin.prepare import Each, Shared
from twin.state import UNDONE, Servicing, Slow, State
from twin.structure import CohortStructure, Structure

# What a new satellite begins at 0; drag met and upsets are accounts of the slot and go on.
WORN = (
    "battery_cycle_loss",
    "battery_calendar_square",
    "electron_fluence_per_m2",
    "semi_major_axis_loss_m",
    "phase_lead_rad",
    "node_lead_rad",
    "coating_life_fraction",
    "age_s",
    "accelerators_younger_s",
    "dose_gy",
)
Span = tuple[Array, Array]  # from, to


class Slots(NamedTuple):
    """What renewal changes, leaves (tiles, tile)."""

    slow: Slow
    servicing: Servicing
    ledger: Ledger


class Due(NamedTuple):
    """Who is renewed at the end of a day, and at which age; leaves (satellite,)."""

    visited: Array
    replaced: Array
    age_s: Array


def in_service(serviced: Servicing, span_s: Span) -> Array:
    """Part of an interval in which each satellite is given work; times since the start of the run."""
    return servicing.in_service(*span_s, serviced.in_service_s)


def days_ended(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    each: Each,
    start_days: Array,
    span_s: Span,
    state: State,
    slots: Slots,
) -> Slots:
    """Slots after the failures and the renewal of all calendar days that ended in an interval, day by day if random."""
    slots = slots._replace(servicing=_told(shared, slots, span_s))
    first, last = failures.days(*span_s)
    renew = partial(_renewed, structure, cohort, shared, state)
    if structure.failures != "random":
        return lax.cond(last > first, lambda: renew(first, last, slots), lambda: slots)

    def one_day(day: Array, slots: Slots) -> Slots:
        launched_s = slots.servicing.launched_s + slots.slow.accelerators_younger_s
        slow = failures.fail_on(shared, each, start_days, launched_s, day, slots.slow)
        return renew(day, day + 1, slots._replace(slow=slow))

    return lax.fori_loop(first, last, one_day, slots)


def _told(shared: Shared, slots: Slots, span_s: Span) -> Servicing:
    """The account with the time that slots were out of service and accelerators dead in an interval."""
    told, length_s = slots.servicing, span_s[1] - span_s[0]
    dead = shared.profiles["accelerator"]["count"] - slots.slow.accelerators_alive
    return told._replace(
        out_of_service_s=told.out_of_service_s + (1.0 - in_service(told, span_s)) * length_s,
        accelerators_dead_s=told.accelerators_dead_s + dead * length_s,
    )


def _renewed(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    state: State,
    first: Array,
    last: Array,
    slots: Slots,
) -> Slots:
    """Slots after the renewal that is due from the end of one day to that of another, tile by tile."""
    now_s = jnp.asarray(last * DAY_S, dtype=jnp.float64)

    def of_tile(tile: tuple[State, Slots]) -> Slots:
        state, slots = tile
        due = _due(shared, slots, first, last)
        renew = partial(_renew, structure, cohort, shared, due, now_s, state, slots)
        return lax.cond(jnp.any(due.visited | due.replaced), renew, lambda: slots)

    return lax.map(of_tile, (state, slots))


def _due(shared: Shared, slots: Slots, first: Array, last: Array) -> Due:
    plan = registry.call(servicing.planned, shared.profiles["servicing"])
    slow, told, spare_kg = slots.slow, slots.servicing, shared.propellant_kg - shared.disposal_kg
    before_s, age_s = (day * DAY_S - told.launched_s for day in (first, last))
    alive = _part(slow.accelerators_alive, shared.profiles["accelerator"]["count"])
    left = _part(slow.propellant_kg - shared.disposal_kg, spare_kg)
    replaced = servicing.life_over(plan, age_s, told.turn, alive, left)
    return Due(servicing.visit_due(plan, before_s, age_s, told.turn) & ~replaced, replaced, age_s)


def _part(now: Array, new: Array) -> Array:
    """What is left of what there was at launch, never less than nothing; all of nothing."""
    return jnp.where(new > 0.0, jnp.maximum(now, 0.0) / jnp.where(new > 0.0, new, 1.0), 1.0)


def _renew(
    structure: Structure, cohort: CohortStructure, shared: Shared, due: Due, now_s: Array, state: State, slots: Slots
) -> Slots:
    """Slots of a tile in which somebody is due; stored energy is accounted for up to here, as capacities jump."""
    plan = registry.call(servicing.planned, shared.profiles["servicing"])
    before, some = slots.slow, due.visited | due.replaced
    visited = _visited(plan, shared, before, due.age_s, structure.failures == "random")
    new = _new(shared, before)
    after = Slow(
        *(
            jnp.where(due.replaced, fresh, jnp.where(due.visited, better, old))
            for old, better, fresh in zip(before, visited, new, strict=True)
        )
    )
    carried = energy.carried_on(cohort, shared, slots.ledger, state, before, after)
    ledger = jax.tree.map(partial(jnp.where, some), carried, slots.ledger)
    undone = {name: getattr(before, name) - getattr(after, name) for name in UNDONE}
    healths = [condition(cohort, shared, slow).array_health for slow in (before, after)]
    undone["array_health"] = healths[0] - healths[1]
    told = slots.servicing
    told = told._replace(
        turn=jnp.where(due.replaced, 0.0, told.turn),
        launched_s=jnp.where(due.replaced, now_s, told.launched_s),
        in_service_s=jnp.where(due.replaced, now_s + plan.commissioning_s, told.in_service_s),
        undone={name: told.undone[name] + change for name, change in undone.items()},
    )
    return Slots(after, _counted(told, due, before, visited), ledger)


def _counted(told: Servicing, due: Due, before: Slow, visited: Slow) -> Servicing:
    """The account with the visits and the successors of a day."""

    def gained(name: str) -> Array:
        return jnp.where(due.visited, getattr(visited, name) - getattr(before, name), 0.0)

    return told._replace(
        visits=told.visits + due.visited,
        satellites_replaced=told.satellites_replaced + due.replaced,
        accelerators_replaced=told.accelerators_replaced + gained("accelerators_alive"),
        accelerators_retired=told.accelerators_retired + jnp.where(due.replaced, before.accelerators_alive, 0.0),
        propellant_refilled_kg=told.propellant_refilled_kg + gained("propellant_kg"),
        highest_dose_gy=jnp.maximum(told.highest_dose_gy, before.dose_gy),
    )


def _visited(plan: servicing.Plan, shared: Shared, slow: Slow, age_s: Array, whole: bool) -> Slow:
    """What a visit makes of a satellite of an age; where failures are counted, whole accelerators are replaced."""
    dead = jnp.maximum(shared.profiles["accelerator"]["count"] - slow.accelerators_alive, 0.0)
    repaired = plan.accelerators_replaced_fraction * dead
    repaired = jnp.round(repaired) if whole else repaired
    missing_kg = jnp.maximum(shared.propellant_kg - slow.propellant_kg, 0.0)
    worn = battery_ageing.renewed(slow.battery_cycle_loss, slow.battery_calendar_square, plan.battery_renewed_fraction)
    return slow._replace(
        accelerators_alive=slow.accelerators_alive + repaired,
        accelerators_younger_s=servicing.younger_s(
            slow.accelerators_younger_s, age_s, slow.accelerators_alive, repaired
        ),
        propellant_kg=slow.propellant_kg + plan.propellant_refilled_fraction * missing_kg,
        battery_cycle_loss=worn[0],
        battery_calendar_square=worn[1],
    )


def _new(shared: Shared, slow: Slow) -> Slow:
    """A new satellite in the slot of an old one, on the orbit that the slot began with."""
    ones = jnp.ones_like(slow.age_s)
    return slow._replace(
        accelerators_alive=shared.profiles["accelerator"]["count"] * ones,
        propellant_kg=shared.propellant_kg * ones,
        **dict.fromkeys(WORN, 0.0 * ones),
    )


def grown(cohort: CohortStructure, shared: Shared, slow: Slow, told: Servicing | None) -> tuple[Slow, Array]:
    """Slow variables and health of the array as if nothing had been renewed: what the whole run has added up to."""
    health = condition(cohort, shared, slow).array_health
    if told is None:
        return slow, health
    kept = {name: getattr(slow, name) + told.undone[name] for name in UNDONE}
    return slow._replace(**kept), health + told.undone["array_health"]
