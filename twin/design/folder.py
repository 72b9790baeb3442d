"""The folder of a design: the satellite as a profile, every number as JSON, and what limits it as tables."""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twin import answer_folder
from twin.design import satellite
from twin.design.measures import MEASURES
from twin.design.pareto import FrontPoint, Second
from twin.design.problem import Problem
from twin.design.program import margins_of, objective_at
from twin.design.solution import Solution
from twin.run_folder import DESIGN
from twin.tables import Table

VERSIONS = ("orbital-datacenter-twin", "jax", "numpy", "scipy")


class Answer(NamedTuple):
    """A problem, what was found, and what else was asked of it; tables by name, as they are to be written."""

    problem: Problem
    solution: Solution
    before: np.ndarray  # rows of the first design, (row,); NaN where it has none
    resolved: Mapping[str, Any]  # the configuration of the problem
    choices: Mapping[str, str]  # the profile of each group
    asked: Mapping[str, Table]


def finished(folder: Path, resolved: Mapping[str, Any]) -> bool:
    """Whether the folder holds this design already; ConfigError when it holds another or something else."""
    return answer_folder.finished(folder, resolved, DESIGN)


def write(folder: Path, answer: Answer) -> None:
    """Write all of a design; ConfigError when the folder holds something else."""
    finished(folder, answer.resolved)
    files = satellite.files(answer.problem, answer.solution.design, answer.resolved, answer.choices)
    told = tables(answer.problem, answer.solution, answer.before) | dict(answer.asked)
    answer_folder.write(folder, answer.resolved, summary(folder, answer), told, files, DESIGN)


def summary(folder: Path, answer: Answer) -> dict[str, Any]:
    """Every number of a design, as JSON can have it."""
    problem, found = answer.problem, answer.solution
    over = problem.objective
    return {
        "name": problem.name,
        "status": found.status,
        "message": found.message,
        "objective": {
            "sense": over.sense,
            "terms": dict(over.terms),
            "over": over.over,
            "unit": over.unit,
            "before": objective_at(problem, answer.before),
            "after": found.objective,
        },
        "scenarios": list(problem.scenarios),
        "numbers": satellite.numbers(problem, found.design, answer.resolved),
        "commands": satellite.commands(folder, problem, answer.resolved, answer.choices),
        "kkt_residual": found.kkt_residual,
        "tolerance": found.tolerance,
        "iterations": found.iterations,
        "evaluations": found.evaluations,
        "wall_s": found.wall_s,
        "choices": dict(answer.choices),
        "versions": versions(),
        **{name: _rows(table) for name, table in tables(problem, found, answer.before).items()},
    }


def tables(problem: Problem, found: Solution, before: np.ndarray) -> dict[str, Table]:
    """What every design has: numbers before and after, measures, margins, prices and starts."""
    return {
        "before_after": _before_after(problem, found),
        "measures": {
            "measure": [row.measure for row in problem.rows],
            "scenario": [row.scenario for row in problem.rows],
            "unit": [MEASURES[row.measure].unit for row in problem.rows],
            "before": before.tolist(),
            "after": found.values.tolist(),
        },
        "margins": _margins(problem, found, before),
        "prices": _prices(problem, found),
        "starts": _starts(problem, found),
    }


def _before_after(problem: Problem, found: Solution) -> Table:
    variables = problem.variables
    return {
        "path": [variable.path for variable in variables],
        "unit": [variable.unit for variable in variables],
        "before": [variable.first for variable in variables],
        "after": found.design.tolist(),
        "low": [variable.low for variable in variables],
        "high": [variable.high for variable in variables],
        "integer": [variable.integer for variable in variables],
    }


def _margins(problem: Problem, found: Solution, before: np.ndarray) -> Table:
    """A limit a row; margins are 0 or more where it holds."""
    limits, place = problem.limits, {row: number for number, row in enumerate(problem.rows)}
    columns = [place[limit.row] for limit in limits]
    return {
        "limit": [limit.name for limit in limits],
        "scenario": [limit.row.scenario for limit in limits],
        "measure": [limit.row.measure for limit in limits],
        "unit": [limit.unit for limit in limits],
        "kind": [limit.kind for limit in limits],
        "bound": [limit.bound for limit in limits],
        "scale": [limit.scale for limit in limits],
        "value_before": before[columns].tolist(),
        "value": found.values[columns].tolist(),
        "margin_before": margins_of(problem).of(before).tolist(),
        "margin": found.margins.tolist(),
    }


def _prices(problem: Problem, found: Solution) -> Table:
    """By how much a unit more of room betters the objective: of every limit, then of the bounds that hold a number."""
    limits = [
        ("limit", limit.name, limit.row.scenario, limit.row.measure, limit.unit, limit.kind, limit.bound, price)
        for limit, price in zip(problem.limits, found.prices.tolist(), strict=True)
    ]
    bounds = [
        ("bound", v.path, "", v.path, v.unit, *(("most", v.high) if price > 0.0 else ("least", v.low)), abs(price))
        for v, price in zip(problem.variables, found.bound_prices.tolist(), strict=True)
        if abs(price) > 0.0
    ]
    return _table(("of", "name", "scenario", "measure", "unit", "kind", "bound", "price"), [*limits, *bounds])


def _starts(problem: Problem, found: Solution) -> Table:
    ends: Table = {
        f"{word}.{variable.path}": [float(getattr(start, word)[number]) for start in found.starts]
        for word in ("first", "last")
        for number, variable in enumerate(problem.variables)
    }
    columns = ("status", "objective", "violation", "evaluations")
    return {**{name: [getattr(start, name) for start in found.starts] for name in columns}, **ends}


def pareto(problem: Problem, second: Second, points: Sequence[FrontPoint], chosen: Solution) -> Table:
    """A front as a table in the order of its bounds, and behind it the design that was chosen."""
    here = second.value(problem, chosen.values)
    rows = [*points, FrontPoint(here, here, chosen, dominated=False)]
    designs = np.array([point.solution.design for point in rows])
    return {
        "status": [point.solution.status for point in rows],
        "chosen": [point.solution is chosen for point in rows],
        "dominated": [point.dominated for point in rows],
        "bound": [point.bound for point in rows],
        second.measure: [point.value for point in rows],
        "objective": [point.solution.objective for point in rows],
        **{variable.path: designs[:, number].tolist() for number, variable in enumerate(problem.variables)},
    }


def _table(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def _rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def versions() -> dict[str, str]:
    """Of Python and of the packages that the numbers depend on."""
    return {name: _version(name) for name in VERSIONS} | {"python": platform.python_version()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
