"""A deployment as tables: columns by name, whole units where people count them."""

from collections.abc import Iterable

import jax
import numpy as np

from kernels import registry
from kernels.economics import supply, upkeep
from kernels.economics.finance import MONTHS_PER_YEAR
from twin.deployment import metrics, on_ground, space
from twin.deployment.course import Course, years_at
from twin.deployment.life import Life
from twin.deployment.outcome import ORBIT, Outcome
from twin.deployment.project import Project
from twin.tables import Table

LAUNCH_UNIT = "launches"


def tables(project: Project, life: Life, outcome: Outcome) -> dict[str, Table]:
    """All tables of a deployment by name."""
    life, outcome = jax.tree.map(np.asarray, (life, outcome))
    return {
        "months": _joined(_months(project, place, course) for place, course in outcome.courses.items()),
        "costs": _joined(_costs(project, place, course) for place, course in outcome.courses.items()),
        "supply": _supply(project, outcome.courses[ORBIT]),
        "vintages": _vintages(project, outcome.courses[ORBIT]),
        "life": _life(life),
        "metrics": _metrics(outcome),
    }


def dates(project: Project) -> list[str]:
    """The month in which each month of the deployment begins, as 2026-01."""
    start = np.datetime64(project.start_ms, "ms").astype("datetime64[M]")
    return [str(start + month) for month in range(project.shape.months)]


def limits_of(place: str) -> tuple[str, ...]:
    """What can limit a deployment at a place, in the order of `Course.binding`."""
    return space.LIMITS if place == ORBIT else on_ground.LIMITS


def _joined(parts: Iterable[Table]) -> Table:
    """Tables of the same columns below each other."""
    first, *others = parts
    return {name: [*column, *(value for part in others for value in part[name])] for name, column in first.items()}


def _months(project: Project, place: str, course: Course) -> Table:
    months = project.shape.months
    terms = registry.call(upkeep.terms, project.numbers["economics"])
    unit = {f"unit_{name}": np.asarray(values) for name, values in metrics.per_unit(course.unit, terms).items()}
    names = limits_of(place)
    columns = {
        "units": course.units,
        **course.events._asdict(),
        "launches": course.launches,
        "launched_kg": course.launched_kg,
        **course.work._asdict(),
        "cost_usd": metrics.total(course),
        "carbon_kg": course.carbon_kg,
        "water_l": course.water_l,
        **unit,
    }
    return {
        "place": [place] * months,
        "date": dates(project),
        **{name: np.asarray(values).tolist() for name, values in columns.items()},
        "binding": [names[k] for k in course.binding],
    }


def _costs(project: Project, place: str, course: Course) -> Table:
    months, items = project.shape.months, list(course.costs_usd)
    return {
        "place": [place] * (months * len(items)),
        "date": dates(project) * len(items),
        "item": [item for item in items for _ in range(months)],
        "usd": np.concatenate([course.costs_usd[item] for item in items]).tolist(),
    }


def _supply(project: Project, course: Course) -> Table:
    """What the deployment in orbit takes of each resource in a year, what it can have, and what the world makes."""
    months = project.shape.months
    outputs = registry.call(supply.output_per_year, project.numbers["supply"], years_at(months))
    flights = np.asarray(space.launches_per_year(project.shape, project.numbers))
    world = {name: np.asarray(outputs[name].world) for name in supply.RESOURCES} | {"launch": flights}
    ours = {name: np.asarray(outputs[name].ours) for name in supply.RESOURCES} | {"launch": flights}
    units = {**supply.SUPPLY_UNITS, "launch": LAUNCH_UNIT}
    parts = (
        {
            "resource": [name] * months,
            "date": dates(project),
            "unit": [units[name]] * months,
            "demand_per_year": course.demand_per_year[name].tolist(),
            "ours_per_year": ours[name].tolist(),
            "world_per_year": world[name].tolist(),
            "binds": (course.binding == 1 + number).tolist(),
        }
        for number, name in enumerate(world)
    )
    return _joined(parts)


def _vintages(project: Project, course: Course) -> Table:
    """Satellites of each month of launch: how many, and how many of them are in orbit at the end of each year."""
    months, ages = course.by_age.shape
    ends = np.arange(MONTHS_PER_YEAR - 1, months, MONTHS_PER_YEAR)
    age = ends[:, None] - np.arange(months)[None, :]
    there = (age >= 0) & (age < ages)
    alive = np.where(there, course.by_age[ends[:, None], np.clip(age, 0, ages - 1)], 0.0)
    table: Table = {"launched_in": dates(project), "launched": course.events.launched.tolist()}
    return table | {f"in_orbit_after_year_{year + 1}": row.tolist() for year, row in enumerate(alive)}


def _life(life: Life) -> Table:
    curves = {name: leaf.tolist() for name, leaf in life._asdict().items() if getattr(leaf, "ndim", 0) == 1}
    return {"year": list(range(1, len(life.delivered_flops) + 1)), **curves}


def _metrics(outcome: Outcome) -> Table:
    places = list(outcome.metrics)
    names = list(outcome.metrics[ORBIT])
    return {"metric": names, **{place: [float(outcome.metrics[place][name]) for name in names] for place in places}}
