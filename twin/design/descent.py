"""One way down from one place, with SciPy, until the conditions of an optimum hold.

SLSQP (Kraft, DFVLR-FB 88-28, 1988) and the trust region with a barrier of SciPy (Byrd, Hribar and Nocedal, SIAM J.
Optim. 9, 1999) are given exact slopes, and one evaluation serves value and slopes. The largest of several pieces is
minimised as one more variable that no piece may exceed. A design without rows is worse than all others: the step is
shortened. SLSQP looks at limits only where they hold it, and may go far to where they cannot be met again, or end at a
kink: it is begun anew at the best design so far, each time kept nearer to it, until the conditions hold.
"""

import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.optimize import BFGS, Bounds, NonlinearConstraint, minimize

from twin.design.kkt import Kkt, kkt
from twin.design.program import Form, Look, Trials

Method = Literal["slsqp", "trust_constr", "augmented_lagrangian"]
WORSE = 1e10  # objective, scaled, of a design without rows
OUT_OF_STEPS, NO_BETTER = "after the most iterations", "where no better step was found"
IDLE = 40  # looks in which the best design must get better
BETTER = 0.1  # by so much of the tolerance; a design that misses limits by no more counts as one that holds them
ROUNDING = 1e-9
KINK = 4e-3  # distance, in 0-1, of designs whose slopes are those of other sides of a kink: the last step of all
NEARER, NEAREST = 0.25, 1e-3  # how far SLSQP may go, in 0-1, when it begins anew, and the last such distance


@dataclass(frozen=True)
class Settings:
    """How to search."""

    method: Method = "slsqp"
    starts: int = 1  # the first design, and the rest spread over the bounds
    seed: int = 0
    tolerance: float = 1e-6  # of the conditions of an optimum and of the limits, scaled
    most_iterations: int = 200  # per start

    @property
    def single(self) -> "Settings":
        """For one way down: a method of many starts at once leaves that to SLSQP."""
        return replace(self, method="trust_constr" if self.method == "trust_constr" else "slsqp")


class Descent(NamedTuple):
    """Where a search ended."""

    place: np.ndarray  # (variable,), in 0-1
    look: Look  # of one design
    kkt: Kkt
    converged: bool
    kink: bool  # whether slopes of designs beside it were needed to tell
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


class _OptimalError(Exception):
    """The conditions of an optimum hold."""


class _IdleError(Exception):
    """Looks have found nothing better for long."""


class _Scipy:
    """A form in SciPy's terms: objective, constraints and their slopes by the variables, and by the largest piece."""

    def __init__(self, form: Form, trials: Trials, first: np.ndarray, settings: Settings) -> None:
        self.form, self.trials, self.settings = form, trials, settings
        self.variables, self.several = form.low.size, form.pieces.offset.size > 1
        self.place, self.look = first, trials.look(form, first[None])  # the best so far
        self.residual = kkt(first, self.look).residual  # of its conditions of an optimum
        self.last = self.look  # of the last design that has rows
        self.seen = [(first, self.look)]
        self.steps = self.unknown = self.idle = 0

    @property
    def begin(self) -> np.ndarray:
        """Variables, and the largest piece where there are several."""
        return np.append(self.place, self.look.worst) if self.several else self.place

    def bounds(self, reach: float = 1.0) -> Bounds:
        """0 to 1, and not further than so much from the best place; the largest piece is free."""
        free = [np.inf] * self.several
        low, high = np.maximum(0.0, self.place - reach), np.minimum(1.0, self.place + reach)
        return Bounds(np.append(low, [-each for each in free]), np.append(high, free))  # type: ignore

    def _at(self, point: np.ndarray) -> Look | None:
        """What the form is worth, or None where a design has no rows."""
        look = self.trials.look(self.form, point[None, : self.variables])
        if look.known[0]:
            self.last = look
            return look
        return None

    def value(self, point: np.ndarray) -> float:
        """Objective; ends the search at an optimum, and where nothing better was found for long."""
        look = self._at(point)
        self.idle += 1
        if look is not None:
            self._keep(point[: self.variables], look)
        if self.idle > IDLE:
            raise _IdleError
        if look is None:
            self.unknown += 1
            return WORSE
        return float(point[-1]) if self.several else float(look.worst[0])

    def _keep(self, place: np.ndarray, look: Look) -> None:
        """Keep the better of two designs: of equal ones the one nearer to an optimum; at one the search is over."""
        self.seen.append((place.copy(), look))
        near, residual = BETTER * self.settings.tolerance, kkt(place, look).residual
        before, now = rank(self.look, near), rank(look, near)
        better = now[0] < before[0] - near or (now[0] <= before[0] and now[1] < before[1] - near)
        nearer = now[0] == before[0] and now[1] < before[1] + near and residual < self.residual
        if better or (nearer and residual < 0.5 * self.residual):
            self.idle = 0
        if better or nearer:
            self.place, self.look, self.residual = place.copy(), look, residual
        if self.optimal:
            raise _OptimalError

    def slope(self, point: np.ndarray) -> np.ndarray:
        """Slope of the objective, which is asked for where a step was accepted."""
        self._at(point)
        self.steps += 1
        return np.eye(point.size)[-1] if self.several else self.last.piece_slopes[0, 0]

    def constraints(self, point: np.ndarray) -> np.ndarray:
        """Limits, then distances of the pieces from the largest; none may be negative."""
        look = self._at(point) or self.last
        limits = np.where(self._out_of_reach(point, look), 0.0, look.limits[0])
        return np.append(limits, point[-1] - look.pieces[0]) if self.several else limits

    def constraint_slopes(self, point: np.ndarray) -> np.ndarray:
        """Slopes of the constraints, (constraint, variable)."""
        look = self._at(point) or self.last
        limits = np.where(self._out_of_reach(point, look)[:, None], 0.0, look.limit_slopes[0])
        if not self.several:
            return limits
        slopes = np.vstack([limits, -look.piece_slopes[0]])
        by_largest = np.append(np.zeros(look.limits.size), np.ones(look.pieces.size))
        return np.column_stack([slopes, by_largest])

    def _out_of_reach(self, point: np.ndarray, look: Look) -> np.ndarray:
        """Limits, (limit,), that hold nowhere within the bounds as it looks from here: with them there is no step.

        A battery that runs down in each orbit never gets full, whatever its size, before the others are mended.
        """
        place, slopes = point[: self.variables], look.limit_slopes[0]
        return look.limits[0] + np.maximum(slopes * (1.0 - place), -slopes * place).sum(axis=1) < 0.0

    @property
    def around(self) -> Look:
        """The best design, and all that were tried next to it."""
        beside = [look for place, look in self.seen if 0.0 < np.abs(place - self.place).max() <= KINK]
        return Look(*(np.concatenate(parts) for parts in zip(self.look, *beside, strict=True)))

    @property
    def optimal(self) -> bool:
        """Whether the conditions of an optimum hold at the best design."""
        tolerance = self.settings.tolerance
        return bool(self.look.violation[0] <= tolerance) and self.residual <= tolerance


def descend(form: Form, trials: Trials, first: np.ndarray, settings: Settings, reach: float = 1.0) -> Descent:
    """From a place in 0-1 that has rows to a place where the conditions of an optimum hold, or as near as it comes.

    SLSQP goes at first no further than `reach`, where the optimum is known to be near.
    """
    search, before = _Scipy(form, trials, first, settings), trials.count
    try:
        reason = _trust_constr(search) if settings.method == "trust_constr" else _slsqp(search, reach)
    except _OptimalError:
        reason = ""
    if search.unknown and reason:
        reason += f", and {search.unknown} of the designs tried there have no orbit that closes"
    multipliers, kink = kkt(search.place, search.look), False
    if not search.optimal and search.look.violation[0] <= settings.tolerance:
        around = kkt(search.place, search.around)
        kink = around.residual <= settings.tolerance
        multipliers = around if kink else multipliers
    ended = search.optimal or kink, kink, reason, search.steps, trials.count - before
    return Descent(search.place, search.look, multipliers, *ended)


def _slsqp(search: _Scipy, reach: float) -> str:
    """Why it ended."""
    constraints: Any = {"type": "ineq", "fun": search.constraints, "jac": search.constraint_slopes}
    limited = bool(search.look.limits.size or search.several)
    while reach >= NEAREST:
        left = search.settings.most_iterations - search.steps
        if left <= 0:
            return OUT_OF_STEPS
        begun, search.idle = search.place, 0
        with suppress(_IdleError):
            minimize(
                search.value,
                search.begin,
                jac=search.slope,
                method="SLSQP",
                bounds=search.bounds(reach),
                constraints=constraints if limited else (),
                options={"maxiter": left, "ftol": 1e-2 * search.settings.tolerance**2},
            )
        at_edge = np.abs(search.place - begun).max() >= (1.0 - ROUNDING) * reach
        reach = min(1.0, reach / NEARER) if at_edge else NEARER * reach
    return NO_BETTER


def _trust_constr(search: _Scipy) -> str:
    """Why it ended."""
    limited = bool(search.look.limits.size or search.several)
    slopes: Any = search.constraint_slopes
    constraint = NonlinearConstraint(search.constraints, 0.0, np.inf, jac=slopes, hess=BFGS())
    small = 1e-2 * search.settings.tolerance  # the gradient's own criterion would end it before the barrier is low
    options = {"maxiter": search.settings.most_iterations, "gtol": 0.0, "xtol": 1e-2 * small, "barrier_tol": small}
    with suppress(_IdleError), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "delta_grad == 0.0")  # of limits that are linear
        found = minimize(
            search.value,
            search.begin,
            jac=search.slope,
            hess=BFGS(),
            method="trust-constr",
            bounds=search.bounds(),
            constraints=constraint if limited else (),
            options=options,
        )
        if found.status == 0:
            return OUT_OF_STEPS
    return NO_BETTER
