"""What one measure costs in another: the objective against bounds of a second measure, from one end to the other.

The epsilon-constraint method (Haimes, Lasdon and Wismer, IEEE Trans. SMC 1, 1971): each point is a whole problem with
one more limit, begun from the design of its neighbour on the looser side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from twin.design.descent import Settings
from twin.design.problem import Evaluate, Limit, Objective, Problem, Row
from twin.design.program import Watch, objective_at, sign_of, unwatched
from twin.design.solution import Solution
from twin.design.solve import solve

INSIDE = 1e-3  # of the range: how far the tight end that is found lies from the best of the second measure
ALIKE = 1e-6  # of the range of the front: differences that dominate nothing


@dataclass(frozen=True)
class Second:
    """The measure that is bounded, in one scenario or in the worst of all; `kind` as in a limit."""

    measure: str
    over: str  # "worst", or the name of a scenario
    kind: Literal["least", "most"]
    unit: str
    scale: float

    @property
    def sense(self) -> Literal["minimize", "maximize"]:
        """Which way the measure is better."""
        return "minimize" if self.kind == "most" else "maximize"

    def as_objective(self, problem: Problem) -> Problem:
        """The problem whose objective is this measure."""
        return replace(problem, objective=Objective(self.sense, ((self.measure, 1.0),), self.over, self.unit))

    def limits(self, problem: Problem, bound: float) -> tuple[Limit, ...]:
        """Its bound, in each scenario that counts."""
        scenarios = problem.scenarios if self.over == "worst" else (self.over,)
        rows = (Row(self.measure, scenario) for scenario in scenarios)
        return tuple(
            Limit(f"{self.measure} of the front", row, self.unit, self.kind, bound, self.scale) for row in rows
        )

    def value(self, problem: Problem, values: np.ndarray) -> float:
        """The measure at a design, from its rows."""
        return objective_at(self.as_objective(problem), values)


class FrontPoint(NamedTuple):
    """A point of the front; the prices of the second measure are the last of its solution."""

    bound: float
    value: float  # of the second measure
    solution: Solution
    dominated: bool  # another point is as good in both and better in one; or no design was found


def front(
    problem: Problem,
    evaluate: Evaluate,
    settings: Settings,
    free: Solution,
    second: Second,
    points: int,
    low: float | None = None,
    high: float | None = None,
    watch: Watch = unwatched,
) -> tuple[FrontPoint, ...]:
    """The front from a low to a high bound of the second measure; `free` is the best design without one.

    An end that is not given is found: the bound at which the limit begins to cost, or next to the best that the second
    measure can be, where a single design is left. One point alone where no design holds the limits without it.
    """
    walk = _Walk(evaluate, settings, free.evaluations, watch)
    loose_given, tight_given = (high, low) if second.kind == "most" else (low, high)
    if free.status == "infeasible" or np.isnan(free.objective):
        value = second.value(problem, free.values)
        return (FrontPoint(value, value, free, dominated=True),)
    loose = second.value(problem, free.values) if loose_given is None else loose_given
    tight, anchor = tight_given, None
    if tight is None:
        best = walk.solved(_begun(second.as_objective(problem), free.design))
        tight, anchor = second.value(problem, best.values), best.design
        tight += INSIDE * (loose - tight)
    found, begin = [], free.design
    for bound in np.linspace(loose, tight, points).tolist():
        bounded = replace(problem, limits=problem.limits + second.limits(problem, bound))
        solution = walk.nearby(bounded, begin, anchor)
        begin = solution.design if solution.status != "infeasible" else begin
        found.append(FrontPoint(bound, second.value(problem, solution.values), solution, dominated=False))
    return _marked(sorted(found, key=lambda point: point.bound), problem, second)


class _Walk:
    """Solves one problem after the other, and counts on."""

    def __init__(self, evaluate: Evaluate, settings: Settings, done: int, watch: Watch) -> None:
        self.evaluate, self.settings, self.done, self.watch = evaluate, settings, done, watch

    def solved(self, problem: Problem, settings: Settings | None = None) -> Solution:
        """The best design, from all starts."""
        before = self.done

        def told(evaluations: int, best_objective: float, violation: float) -> None:
            self.watch(before + evaluations, best_objective, violation)

        solution = solve(problem, self.evaluate, settings or self.settings, watch=told)
        self.done += solution.evaluations
        return solution

    def nearby(self, problem: Problem, begin: np.ndarray, anchor: np.ndarray | None) -> Solution:
        """The best design next to a neighbour's; where none is found, next to the anchor, which holds all limits."""
        near = replace(self.settings.single, starts=1)
        solution = self.solved(_begun(problem, begin), near)
        if solution.status == "infeasible" and anchor is not None:
            return self.solved(_begun(problem, anchor), near)
        return solution


def _begun(problem: Problem, design: np.ndarray) -> Problem:
    """The problem with another first design."""
    begun = (replace(variable, first=float(value)) for variable, value in zip(problem.variables, design, strict=True))
    return replace(problem, variables=tuple(begun))


def _marked(points: Sequence[FrontPoint], problem: Problem, second: Second) -> tuple[FrontPoint, ...]:
    """Points with those that others dominate marked; the infeasible ones dominate nothing."""
    signs = np.array([sign_of(problem), sign_of(second.as_objective(problem))])
    costs = signs * np.array([(point.solution.objective, point.value) for point in points])
    costs[[point.solution.status == "infeasible" for point in points]] = np.inf
    held = np.array([np.isfinite(cost).all() for cost in costs])
    alike = ALIKE * (np.ptp(costs[held], axis=0) if held.any() else np.zeros(2))
    return tuple(
        point._replace(dominated=not holds or _beaten(cost, costs, alike))
        for point, cost, holds in zip(points, costs, held, strict=True)
    )


def _beaten(cost: np.ndarray, costs: np.ndarray, alike: np.ndarray) -> bool:
    """Whether any is as good in both measures, and better in one."""
    return bool(((costs <= cost + alike).all(axis=1) & (costs < cost - alike).any(axis=1)).any())
