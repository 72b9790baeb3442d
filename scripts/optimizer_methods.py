"""The methods that `scripts/optimizers.py` compares, each through a meter that counts its evaluations and stops it.

Rivals see variables in 0-1, the objective over its value at the start, and margins in the scales of their limits.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.optimize import minimize

from twin.design.descent import Method, Settings
from twin.design.problem import Evaluation, Problem
from twin.design.program import Form, scaled
from twin.design.solve import solve

WORSE = 10.0  # objective and violation, scaled, of a design without rows
STEP = 0.2  # first step of a method that wants one, of the bounds
PENALTY = 10.0  # for each scale of violation; more than any limit's price at the optimum
POPULATION = 48  # of NSGA-II, in whole batches


class Judge(Protocol):
    """Rows of designs, with slopes and without."""

    def __call__(self, designs: np.ndarray) -> Evaluation:
        """Rows and slopes."""
        ...

    def values(self, designs: np.ndarray) -> np.ndarray:
        """Rows alone, (design, row)."""
        ...


class Look(NamedTuple):
    """A design as it was looked at."""

    evaluations: float  # spent so far
    wall_s: float
    objective: float  # in its unit
    violation: float  # largest, in scales of the limits


class SpentError(Exception):
    """The budget is spent."""


@dataclass
class Meter:
    """A problem whose evaluations are counted, recorded, and stopped when there have been enough of them."""

    problem: Problem
    judge: Judge
    slopes_cost: float  # evaluations that a call with slopes costs
    width: int  # designs that are evaluated together
    most_evaluations: float
    most_s: float
    evaluations: float = 0.0
    looks: list[Look] = field(default_factory=list)
    begun: float = field(default_factory=time.perf_counter)
    form: Form = field(init=False)  # the objective in its unit, limits in their scales

    def __post_init__(self) -> None:
        """Objective and limits as functions of the rows."""
        self.form = scaled(self.problem, 1.0)

    def with_slopes(self, designs: np.ndarray) -> Evaluation:
        """Rows and slopes of designs in the units of the variables: an `Evaluate`."""
        parts = []
        for design in designs:
            self._spend(self.slopes_cost)
            parts.append(self.judge(design[None]))
            self._record(parts[-1].values)
        return Evaluation(*(np.concatenate(leaves) for leaves in zip(*parts, strict=True)))

    def functions(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Objective, (design,), in its unit, and margins in scales, (design, limit), at places in 0-1."""
        objectives, margins = [], []
        for first in range(0, len(places), self.width):
            batch = places[first : first + self.width]
            self._spend(len(batch))
            objective, margin = self._record(self.judge.values(self.form.design(batch)))
            objectives.append(objective)
            margins.append(margin)
        return np.concatenate(objectives), np.concatenate(margins)

    def _spend(self, evaluations: float) -> None:
        if self.evaluations + evaluations > self.most_evaluations or self._wall_s > self.most_s:
            raise SpentError
        self.evaluations += evaluations

    @property
    def _wall_s(self) -> float:
        return time.perf_counter() - self.begun

    def _record(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        objectives, margins = self.form.pieces.of(rows).max(axis=1), self.form.limits.of(rows)
        for objective, margin in zip(objectives, margins, strict=True):
            self.looks.append(Look(self.evaluations, self._wall_s, float(objective), float((-margin).max(initial=0.0))))
        return objectives, margins


def reached(looks: Sequence[Look], target: float, tolerance: float) -> Look | None:
    """The first look at a design that holds all limits within a tolerance and is no worse than a target."""
    return next((look for look in looks if look.violation <= tolerance and look.objective <= target), None)


class Rival:
    """A meter's functions for one start, scaled, each design evaluated once though asked for twice in a row."""

    def __init__(self, meter: Meter, first: np.ndarray) -> None:
        self.meter, self.start = meter, meter.form.place(first)
        self.size = 1.0
        self.size = float(abs(self.at(self.start[None])[0][0]))
        self._last = np.full_like(self.start, np.nan), np.nan, np.zeros(0)

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Objectives, (design,), and margins, (design, limit)."""
        objectives, margins = self.meter.functions(np.clip(places, 0.0, 1.0))
        known = np.isfinite(objectives) & np.isfinite(margins).all(axis=1)
        return np.where(known, objectives / self.size, WORSE), np.where(known[:, None], margins, -WORSE)

    def objective(self, place: np.ndarray) -> float:
        """Objective at one place."""
        return self._one(place)[0]

    def margins(self, place: np.ndarray) -> np.ndarray:
        """Margins at one place, (limit,)."""
        return self._one(place)[1]

    def penalised(self, place: np.ndarray) -> float:
        """Objective and an exact penalty for each violation."""
        objective, margins = self._one(place)
        return objective + PENALTY * float(np.maximum(-margins, 0.0).sum())

    def _one(self, place: np.ndarray) -> tuple[float, np.ndarray]:
        if not np.array_equal(place, self._last[0]):
            objectives, margins = self.at(np.asarray(place)[None])
            self._last = np.array(place), float(objectives[0]), margins[0]
        return self._last[1:]


def ours(method: Method, meter: Meter, first: np.ndarray, seed: int) -> None:
    """Our search with exact slopes."""
    begun = [replace(v, first=float(x)) for v, x in zip(meter.problem.variables, first, strict=True)]
    problem = replace(meter.problem, variables=tuple(begun))
    solve(problem, meter.with_slopes, Settings(method=method, starts=1, seed=seed))


def cobyla(meter: Meter, first: np.ndarray, seed: int) -> None:
    """SciPy's COBYLA, begun anew where it has ended."""
    del seed
    rival = Rival(meter, first)
    limits = {"type": "ineq", "fun": rival.margins}
    options = {"rhobeg": STEP, "tol": 1e-6, "maxiter": int(meter.most_evaluations)}
    bounds = [(0.0, 1.0)] * first.size
    place, given = rival.start, {"bounds": bounds, "constraints": [limits], "options": options}
    while True:
        place = minimize(rival.objective, np.clip(place, 0.0, 1.0), method="COBYLA", **given).x


def nelder_mead(meter: Meter, first: np.ndarray, seed: int) -> None:
    """SciPy's Nelder-Mead, adaptive, with an exact penalty; begun anew where it has shrunk."""
    del seed
    rival = Rival(meter, first)
    place, bounds = rival.start, [(0.0, 1.0)] * first.size
    options = {"adaptive": True, "xatol": 1e-6, "fatol": 1e-8, "maxfev": int(meter.most_evaluations)}
    while True:
        inward = np.where(place > 0.5, -STEP, STEP)
        simplex = np.vstack([place, place + np.diag(inward)])
        own = options | {"initial_simplex": simplex}
        place = minimize(rival.penalised, place, method="Nelder-Mead", bounds=bounds, options=own).x


def nsga2(meter: Meter, first: np.ndarray, seed: int) -> None:
    """NSGA-II of pymoo, of one objective, limits before it; the start is one of the first population."""
    from pymoo.algorithms.moo.nsga2 import NSGA2  # pyright: ignore[reportMissingImports]
    from pymoo.core.problem import Problem as Sought  # pyright: ignore[reportMissingImports]
    from pymoo.optimize import minimize as evolve  # pyright: ignore[reportMissingImports]

    rival = Rival(meter, first)

    class Place(Sought):
        def __init__(self) -> None:
            limits = len(meter.problem.limits)
            super().__init__(n_var=first.size, n_obj=1, n_ieq_constr=limits, xl=0.0, xu=1.0)

        def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
            objectives, margins = rival.at(x)
            out["F"], out["G"] = objectives[:, None], -margins

    population = np.random.default_rng(seed).uniform(size=(POPULATION, first.size))
    population[0] = rival.start
    search = NSGA2(pop_size=POPULATION, sampling=population)  # pyright: ignore[reportArgumentType]
    evolve(Place(), search, ("n_eval", int(meter.most_evaluations)), seed=seed, verbose=False)


def cma_es(meter: Meter, first: np.ndarray, seed: int) -> None:
    """CMA-ES of cma with its augmented Lagrangian, begun anew where it has ended."""
    import cma  # pyright: ignore[reportMissingImports]

    cma.constraints_handler._Logger = cma.logger.LoggerDummy  # which else writes a folder where it runs

    rival = Rival(meter, first)
    seen: dict[bytes, tuple[float, np.ndarray]] = {}
    place, own = rival.start, {"bounds": [0.0, 1.0], "verbose": -9, "tolstagnation": 0}
    for again in count():
        search = cma.CMAEvolutionStrategy(place, STEP, own | {"seed": 1 + seed + 1000 * again})
        fitness = cma.ConstrainedFitnessAL(
            lambda x: seen[np.asarray(x).tobytes()][0], lambda x: list(-seen[np.asarray(x).tobytes()][1])
        )
        _evolve(search, fitness, rival, seen)
        place = np.clip(search.result.xfavorite, 0.0, 1.0)


def _evolve(search: Any, fitness: Any, rival: Rival, seen: dict[bytes, tuple[float, np.ndarray]]) -> None:
    """Generations of CMA-ES until it ends, each evaluated at once."""
    while not search.stop():
        places = search.ask()
        objectives, margins = rival.at(np.array(places))
        seen |= {np.asarray(p).tobytes(): (f, g) for p, f, g in zip(places, objectives, margins, strict=True)}
        search.tell(places, [fitness(place) for place in places])
        fitness.update(search)
        seen.clear()


METHODS: dict[str, Callable[[Meter, np.ndarray, int], None]] = {
    "ours, SLSQP": lambda *given: ours("slsqp", *given),
    "ours, augmented Lagrangian": lambda *given: ours("augmented_lagrangian", *given),
    "COBYLA": cobyla,
    "Nelder-Mead": nelder_mead,
    "NSGA-II": nsga2,
    "CMA-ES": cma_es,
}
OURS = ("ours, SLSQP", "ours, augmented Lagrangian")


def run(name: str, meter: Meter, first: np.ndarray, seed: int) -> list[Look]:
    """All that a method looked at from a start, until it ended or its budget was spent."""
    with warnings.catch_warnings(), suppress(SpentError):
        warnings.simplefilter("ignore")
        METHODS[name](meter, first, seed)
    return meter.looks
