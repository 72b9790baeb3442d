"""A problem of design as a solver sees it: variables in 0-1, functions of the rows, and remembered evaluations.

What is minimised is the largest of some pieces (one for a mean or a single scenario, one per scenario for the worst),
so that a least violation of limits is a problem of the same form.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from twin.design.problem import Evaluate, Evaluation, Problem

Watch = Callable[[int, float, float], None]
"""Told evaluations so far, the best objective and its violation in scales of the limits, after each evaluation."""


def unwatched(evaluations: int, best_objective: float, violation: float) -> None:
    """Tell nobody."""


def weighted(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Weighted sums of rows, of which those without weight may have no number, (..., column) of (..., row, column)."""
    (read,) = np.nonzero(weights)
    return weights[read] @ rows[..., read, :]


class Affine(NamedTuple):
    """Functions that are weighted sums of rows."""

    matrix: np.ndarray  # (function, row)
    offset: np.ndarray  # (function,)

    def of(self, values: np.ndarray) -> np.ndarray:
        """Functions of rows, (..., function) of (..., row); a row without a number spoils only those that read it."""
        return self._read(values[..., None])[..., 0] + self.offset

    def slopes(self, slopes: np.ndarray) -> np.ndarray:
        """Slopes of the functions, (..., function, variable) of (..., row, variable)."""
        return self._read(slopes)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Sums over the rows that each function reads, (..., function, column) of (..., row, column)."""
        sums = np.empty((*rows.shape[:-2], len(self.matrix), rows.shape[-1]))
        for place, weights in enumerate(self.matrix):
            sums[..., place, :] = weighted(weights, rows)
        return sums

    def __add__(self, other: "Affine") -> "Affine":  # type: ignore[override]
        """The functions of both."""
        return Affine(np.vstack([self.matrix, other.matrix]), np.concatenate([self.offset, other.offset]))

    def times(self, factor: np.ndarray | float) -> "Affine":
        """Each function times its factor."""
        factors = np.broadcast_to(factor, self.offset.shape)
        return Affine(self.matrix * factors[:, None], self.offset * factors)

    def among(self, chosen: Sequence[int]) -> "Affine":
        """Some of the functions."""
        return Affine(self.matrix[list(chosen)], self.offset[list(chosen)])


def sign_of(problem: Problem) -> float:
    """1 where the objective is minimised, -1 where it is maximised."""
    return 1.0 if problem.objective.sense == "minimize" else -1.0


def pieces_of(problem: Problem) -> Affine:
    """The objective times its sign, in its unit: a piece per scenario where the worst counts, else one."""
    column = {row: place for place, row in enumerate(problem.rows)}
    over = problem.objective.over
    scenarios = problem.scenarios if over in ("mean", "worst") else (over,)
    matrix = np.zeros((len(scenarios), len(problem.rows)))
    for place, scenario in enumerate(scenarios):
        for measure, weight in problem.objective.terms:
            matrix[place, column[measure, scenario]] += sign_of(problem) * weight  # type: ignore[index]
    if over == "mean":
        matrix = matrix.mean(axis=0, keepdims=True)
    return Affine(matrix, np.zeros(len(matrix)))


def objective_at(problem: Problem, values: np.ndarray) -> float:
    """The objective of rows, (row,), in its unit."""
    return sign_of(problem) * float(pieces_of(problem).of(values).max())


def margins_of(problem: Problem) -> Affine:
    """Distance of every limit from its bound, in its unit, 0 or more where it holds."""
    column = {row: place for place, row in enumerate(problem.rows)}
    matrix = np.zeros((len(problem.limits), len(problem.rows)))
    signs = np.array([1.0 if limit.kind == "least" else -1.0 for limit in problem.limits])
    for place, limit in enumerate(problem.limits):
        matrix[place, column[limit.row]] = signs[place]
    return Affine(matrix, -signs * np.array([limit.bound for limit in problem.limits]))


def scales_of(problem: Problem) -> np.ndarray:
    """Scale of every limit, (limit,)."""
    return np.array([limit.scale for limit in problem.limits])


@dataclass(frozen=True)
class Form:
    """Minimise the largest piece with no limit negative, all of it scaled; variables in 0-1 stand for low to high."""

    low: np.ndarray  # (variable,)
    high: np.ndarray
    pieces: Affine
    limits: Affine

    @property
    def span(self) -> np.ndarray:
        """What 0-1 stands for; 0 for a variable that is held."""
        return self.high - self.low

    def design(self, place: np.ndarray) -> np.ndarray:
        """Designs at places in 0-1, never outside the bounds by rounding."""
        return np.clip(self.low + place * self.span, self.low, self.high)

    def place(self, design: np.ndarray) -> np.ndarray:
        """Where designs lie in 0-1; 0 for a variable that is held."""
        return np.clip((design - self.low) / np.where(self.span > 0.0, self.span, 1.0), 0.0, 1.0)


def scaled(problem: Problem, size: float) -> Form:
    """A problem with its objective divided by its size and its limits by their scales."""
    pieces, limits = pieces_of(problem).times(1.0 / size), margins_of(problem).times(1.0 / scales_of(problem))
    return Form(problem.low, problem.high, pieces, limits)


class Look(NamedTuple):
    """What a form is worth at some places; slopes by the variables in 0-1."""

    pieces: np.ndarray  # (design, piece)
    piece_slopes: np.ndarray  # (design, piece, variable)
    limits: np.ndarray  # (design, limit)
    limit_slopes: np.ndarray  # (design, limit, variable)

    @property
    def known(self) -> np.ndarray:
        """Which designs have all rows and slopes, (design,)."""
        return np.all([np.isfinite(part.reshape(len(part), -1)).all(axis=1) for part in self], axis=0)

    @property
    def worst(self) -> np.ndarray:
        """The largest piece, (design,)."""
        return self.pieces.max(axis=1)

    @property
    def violation(self) -> np.ndarray:
        """The largest violation, (design,); 0 where all limits hold."""
        return (-self.limits).max(axis=1, initial=0.0)


class Trials:
    """The evaluations of a problem: none is made twice, and each is counted and told to whoever watches.

    A batch that is not known whole is evaluated whole: whoever evaluates compiles for its size.
    """

    def __init__(self, problem: Problem, evaluate: Evaluate, watch: Watch = unwatched) -> None:
        self.problem, self.evaluate, self.watch = problem, evaluate, watch
        self.known: dict[bytes, Evaluation] = {}
        self.best = (np.inf, np.inf)  # violation, objective times its sign
        self.form = scaled(problem, 1.0)

    @property
    def count(self) -> int:
        """Designs evaluated so far."""
        return len(self.known)

    def at(self, designs: np.ndarray) -> Evaluation:
        """Rows and slopes of designs, (design, variable)."""
        keys = [design.tobytes() for design in designs]
        if not all(key in self.known for key in keys):
            found = self.evaluate(designs)
            for key, values, slopes in zip(keys, found.values, found.slopes, strict=True):
                self.known.setdefault(key, Evaluation(np.asarray(values, float), np.asarray(slopes, float)))
            self._tell([self.known[key].values for key in keys])
        return Evaluation(*(np.stack(parts) for parts in zip(*(self.known[key] for key in keys), strict=True)))

    def look(self, form: Form, places: np.ndarray) -> Look:
        """What a form is worth at places in 0-1, (design, variable)."""
        values, slopes = self.at(form.design(places))
        parts = ((part.of(values), part.slopes(slopes) * form.span) for part in (form.pieces, form.limits))
        return Look(*(array for part in parts for array in part))

    def _tell(self, values: list[np.ndarray]) -> None:
        read = np.stack(values)
        violation = (-self.form.limits.of(read)).max(axis=1, initial=0.0)
        worst = self.form.pieces.of(read).max(axis=1)
        closed = np.isfinite(worst) & np.isfinite(violation)
        self.best = min([self.best, *zip(violation[closed].tolist(), worst[closed].tolist(), strict=True)])
        self.watch(self.count, sign_of(self.problem) * self.best[1], self.best[0])
