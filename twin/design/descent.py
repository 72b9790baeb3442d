"""One way down from one place, with SciPy, until the conditions of an optimum hold.

SLSQP (Kraft, DFVLR-FB 88-28, 1988) and the trust region with a barrier of SciPy (Byrd, Hribar and Nocedal, SIAM J.
Optim. 9, 1999) are given exact slopes, and one evaluation serves value and slopes. The largest of several pieces is
minimised as one more variable that no piece may exceed. A design without rows is worse than all others: the step is
shortened.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import BFGS, Bounds, NonlinearConstraint, minimize

from twin.design.kkt import Kkt, kkt
from twin.design.program import Form, Look, Trials

Method = Literal["slsqp", "trust_constr", "augmented_lagrangian"]
WORSE = 1e10  # objective, scaled, of a design without rows
OUT_OF_STEPS, NO_BETTER = "after the most iterations", "where no better step was found"
PATIENCE = 20  # accepted steps in which the best must get better by more than the tolerance
IDLE = 40  # looks, those of steps that were not accepted among them, in which it must
TRIES = 3  # of SLSQP, which begins anew where it finds no better step


@dataclass(frozen=True)
class Settings:
    """How to search."""

    method: Method = "slsqp"
    starts: int = 1  # the first design, and the rest spread over the bounds
    seed: int = 0
    tolerance: float = 1e-6  # of the conditions of an optimum and of the limits, scaled
    most_iterations: int = 200  # per start


class Descent(NamedTuple):
    """Where a search ended."""

    place: np.ndarray  # (variable,), in 0-1
    look: Look  # of one design
    kkt: Kkt
    converged: bool
    reason: str  # why it ended where it did not converge
    iterations: int
    evaluations: int  # designs that were new

    def rank(self, tolerance: float) -> tuple[float, float]:
        """Less is better."""
        return rank(self.look, tolerance)


def rank(look: Look, tolerance: float) -> tuple[float, float]:
    """Of a design, less is better: violation beyond the tolerance, then the largest piece."""
    violation = float(look.violation[0])
    return (violation if violation > tolerance else 0.0, float(look.worst[0]))


class _EndError(Exception):
    """The search is over; its text says why, nothing where the conditions of an optimum hold."""


class _Scipy:
    """A form in SciPy's terms: objective, constraints and their slopes by the variables, and by the largest piece."""

    def __init__(self, form: Form, trials: Trials, first: np.ndarray, settings: Settings) -> None:
        self.form, self.trials, self.settings = form, trials, settings
        self.variables, self.several = form.low.size, form.pieces.offset.size > 1
        self.place, self.look = first, trials.look(form, first[None])
        self.last = self.look  # of the last design that has rows
        self.ranks: list[tuple[float, float]] = []  # the best so far, at each accepted step
        self.unknown = 0
        self.idle, self.best = 0, rank(self.look, settings.tolerance)

    @property
    def begin(self) -> np.ndarray:
        """Variables, and the largest piece where there are several."""
        return np.append(self.place, self.look.worst) if self.several else self.place

    @property
    def bounds(self) -> Bounds:
        """0 to 1; the largest piece is free."""
        free = [np.inf] * self.several
        return Bounds([0.0] * self.variables + [-each for each in free], [1.0] * self.variables + free)  # type: ignore

    def _at(self, point: np.ndarray) -> Look | None:
        """What the form is worth, or None where a design has no rows."""
        look = self.trials.look(self.form, point[None, : self.variables])
        if look.known[0]:
            self.last = look
            return look
        return None

    def value(self, point: np.ndarray) -> float:
        """Objective; ends the search where looks have found nothing better for long."""
        look = self._at(point)
        self._wait(look)
        if look is None:
            self.unknown += 1
            return WORSE
        return float(point[-1]) if self.several else float(look.worst[0])

    def _wait(self, look: Look | None) -> None:
        tolerance = self.settings.tolerance
        found = self.best if look is None else min(self.best, rank(look, tolerance))
        gained = np.subtract(self.best, found)
        if gained[0] > tolerance or (gained[0] >= 0.0 and gained[1] > tolerance):
            self.idle, self.best = 0, found
        self.idle += 1
        if self.idle > IDLE:
            raise _EndError(NO_BETTER)

    def slope(self, point: np.ndarray) -> np.ndarray:
        """Slope of the objective, which is asked for where a step was accepted."""
        look = self._at(point)
        if look is not None:
            self.accept(point, look)
        return np.eye(point.size)[-1] if self.several else self.last.piece_slopes[0, 0]

    def constraints(self, point: np.ndarray) -> np.ndarray:
        """Limits, then distances of the pieces from the largest; none may be negative."""
        look = self._at(point) or self.last
        return np.append(look.limits[0], point[-1] - look.pieces[0]) if self.several else look.limits[0]

    def constraint_slopes(self, point: np.ndarray) -> np.ndarray:
        """Slopes of the constraints, (constraint, variable)."""
        look = self._at(point) or self.last
        if not self.several:
            return look.limit_slopes[0]
        slopes = np.vstack([look.limit_slopes[0], -look.piece_slopes[0]])
        by_largest = np.append(np.zeros(look.limits.size), np.ones(look.pieces.size))
        return np.column_stack([slopes, by_largest])

    def accept(self, point: np.ndarray, look: Look) -> None:
        """Keep the better of two designs; end where the conditions of an optimum hold."""
        place, tolerance = point[: self.variables].copy(), self.settings.tolerance
        if self.optimal(place, look):
            self.place, self.look = place, look
            raise _EndError("")
        if rank(look, tolerance) <= rank(self.look, tolerance):
            self.place, self.look = place, look
        self.ranks.append(rank(self.look, tolerance))
        before = self.ranks[max(0, len(self.ranks) - 1 - PATIENCE)]
        if len(self.ranks) > PATIENCE and np.subtract(before, self.ranks[-1]).max() < tolerance:
            raise _EndError(NO_BETTER)

    def optimal(self, place: np.ndarray, look: Look) -> bool:
        """Whether the conditions of an optimum hold."""
        tolerance = self.settings.tolerance
        return bool(look.violation[0] <= tolerance) and kkt(place, look).residual <= tolerance


def descend(form: Form, trials: Trials, first: np.ndarray, settings: Settings) -> Descent:
    """From a place in 0-1 that has rows to a place where the conditions of an optimum hold, or as near as it comes."""
    search, before = _Scipy(form, trials, first, settings), trials.count
    run = _trust_constr if settings.method == "trust_constr" else _slsqp
    try:
        reason = run(search)
    except _EndError as end:
        reason = str(end)
    if search.unknown and reason:
        reason += f", and {search.unknown} of the designs tried there have no orbit that closes"
    multipliers = kkt(search.place, search.look)
    converged = search.optimal(search.place, search.look)
    return Descent(search.place, search.look, multipliers, converged, reason, len(search.ranks), trials.count - before)


def _slsqp(search: _Scipy) -> str:
    """Why it ended."""
    constraints: Any = {"type": "ineq", "fun": search.constraints, "jac": search.constraint_slopes}
    limited = bool(search.look.limits.size or search.several)
    reason = OUT_OF_STEPS
    for _ in range(TRIES):
        left = search.settings.most_iterations - len(search.ranks)
        if left <= 0:
            break
        begun = rank(search.look, search.settings.tolerance)
        found = minimize(
            search.value,
            search.begin,
            jac=search.slope,
            method="SLSQP",
            bounds=search.bounds,
            constraints=constraints if limited else (),
            options={"maxiter": left, "ftol": 1e-2 * search.settings.tolerance**2},
        )
        search.slope(found.x)
        reason = OUT_OF_STEPS if found.status == 9 else NO_BETTER
        if rank(search.look, search.settings.tolerance) == begun:
            break
    return reason


def _trust_constr(search: _Scipy) -> str:
    """Why it ended."""
    limited = bool(search.look.limits.size or search.several)
    slopes: Any = search.constraint_slopes
    constraint = NonlinearConstraint(search.constraints, 0.0, np.inf, jac=slopes, hess=BFGS())
    small = 1e-2 * search.settings.tolerance  # the gradient's own criterion would end it before the barrier is low
    options = {"maxiter": search.settings.most_iterations, "gtol": 0.0, "xtol": 1e-2 * small, "barrier_tol": small}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "delta_grad == 0.0")  # of limits that are linear
        found = minimize(
            search.value,
            search.begin,
            jac=search.slope,
            hess=BFGS(),
            method="trust-constr",
            bounds=search.bounds,
            constraints=constraint if limited else (),
            options=options,
        )
    search.slope(found.x)
    return OUT_OF_STEPS if found.status == 0 else NO_BETTER
