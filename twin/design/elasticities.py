"""What a number does to the objective: of the design as it is, and by its prices of the best design anew.

The optimum of a problem that depends on a number p moves by what p does to objective and limits at the design alone,
each limit times its price: d f*/dp = df/dp - sum(price dg/dp). Its own move adds nothing (the envelope theorem; Fiacco,
Introduction to Sensitivity and Stability Analysis in Nonlinear Programming, 1983, 3.2). Whole numbers stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from twin.design.kkt import kkt
from twin.design.problem import Problem
from twin.design.program import Look, margins_of, pieces_of, scaled, sign_of, weighted
from twin.design.solution import Solution
from twin.tables import Table


class Number(NamedTuple):
    """A number that is no variable of the problem, and may differ by scenario."""

    path: str
    unit: str
    values: np.ndarray  # (row,), in the scenario of the row
    slopes: np.ndarray  # (row,) of the rows by it


class Elasticity(NamedTuple):
    """Slope of the objective by a number, and per cent of it for a per cent of the number; NaN where either is 0."""

    of: str  # "variable": of the design as it is; "number", "limit", "bound": of the best design anew
    path: str
    unit: str
    value: float  # NaN where it differs by scenario
    slope: float
    elasticity: float


def objective_weights(problem: Problem, found: Solution) -> np.ndarray:
    """Slope of the objective by each row, (row,): of a worst case, by the shares in which scenarios hold the design.

    NaN where the design has no rows to tell the worst by.
    """
    pieces = pieces_of(problem)
    shares = np.ones(1) if len(pieces.offset) == 1 else _shares(problem, found)
    return sign_of(problem) * shares @ pieces.matrix


def _shares(problem: Problem, found: Solution) -> np.ndarray:
    """Part that each scenario has in the worst of them, (scenario,)."""
    size = float(np.abs(pieces_of(problem).of(found.values)).max()) or 1.0
    whole = np.array([variable.integer for variable in problem.variables])
    low, high = (np.where(whole, found.design, bound) for bound in (problem.low, problem.high))
    form = replace(scaled(problem, size), low=low, high=high)
    parts = ((part.of(found.values), part.slopes(found.slopes * form.span)) for part in (form.pieces, form.limits))
    look = Look(*(array[None] for part in parts for array in part))
    if not look.known[0]:
        return np.full(len(problem.scenarios), np.nan)
    shares = kkt(form.place(found.design), look).pieces
    return shares / shares.sum()


def by_variables(problem: Problem, found: Solution) -> Iterator[Elasticity]:
    """Of the design as it is, by each of its numbers with nothing else changed."""
    slopes = weighted(objective_weights(problem, found), found.slopes)
    for variable, value, slope in zip(problem.variables, found.design.tolist(), slopes.tolist(), strict=True):
        yield _elasticity("variable", variable.path, variable.unit, value, slope, found.objective)


def by_numbers(problem: Problem, found: Solution, numbers: Sequence[Number]) -> Iterator[Elasticity]:
    """Of the best design anew, by numbers that are not chosen."""
    held = found.prices @ margins_of(problem).matrix
    weights = objective_weights(problem, found) - sign_of(problem) * held
    for path, unit, values, slopes in numbers:
        slope, change = weighted(weights, np.stack([slopes, values * slopes], axis=-1)).tolist()
        value = float(values[0]) if np.all(values == values[0]) else float("nan")
        relative = change / found.objective if found.objective and values.any() else float("nan")
        yield Elasticity("number", path, unit, value, slope, relative)


def by_limits(problem: Problem, found: Solution) -> Iterator[Elasticity]:
    """Of the best design anew, by the bounds of limits and variables that hold it."""
    for limit, price in zip(problem.limits, found.prices.tolist(), strict=True):
        room = 1.0 if limit.kind == "most" else -1.0
        if price:
            name = f"{limit.name}, {limit.row.scenario}" if len(problem.scenarios) > 1 else limit.name
            slope = -sign_of(problem) * price * room
            yield _elasticity("limit", name, limit.unit, limit.bound, slope, found.objective)
    for variable, price in zip(problem.variables, found.bound_prices.tolist(), strict=True):
        side, bound = ("upper", variable.high) if price > 0.0 else ("lower", variable.low)
        if price:
            slope = -sign_of(problem) * price
            yield _elasticity("bound", f"{variable.path}, {side} bound", variable.unit, bound, slope, found.objective)


def table(problem: Problem, found: Solution, numbers: Sequence[Number] = ()) -> Table:
    """All of them, the strongest first; without prices, where no design holds all limits, those of the design alone."""
    priced = found.status == "converged"
    anew = [*by_numbers(problem, found, numbers), *by_limits(problem, found)] if priced else []
    rows = sorted([*by_variables(problem, found), *anew], key=_strength)
    return {name: [getattr(row, name) for row in rows] for name in Elasticity._fields}


def _strength(row: Elasticity) -> float:
    return -abs(row.elasticity) if np.isfinite(row.elasticity) else 1.0


def _elasticity(of: str, path: str, unit: str, value: float, slope: float, objective: float) -> Elasticity:
    relative = slope * value / objective if objective and value else float("nan")
    return Elasticity(of, path, unit, value, slope, relative)
