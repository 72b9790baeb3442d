"""The best design of a problem: starts, descents, whole numbers, and the answer."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twin.design import first_order, infeasible, rounding, starts, wording
from twin.design.descent import Descent, Settings, descend
from twin.design.problem import Evaluate, Problem
from twin.design.program import Form, Trials, Watch, margins_of, objective_at, scaled, scales_of, sign_of, unwatched
from twin.design.solution import Solution, Start, Status

CHANGE, NAUGHT = 1e-3, 1e-9


def solve(problem: Problem, evaluate: Evaluate, settings: Settings, watch: Watch = unwatched) -> Solution:
    """The best design that the settings find; `status` and `message` say how it ended."""
    begun = time.perf_counter()
    trials = Trials(problem, evaluate, watch)
    solution = _Search(problem, trials, settings).solution()
    return replace(solution, evaluations=trials.count, wall_s=time.perf_counter() - begun)


class _Search:
    """One problem, its objective sized by the first design that has rows."""

    def __init__(self, problem: Problem, trials: Trials, settings: Settings) -> None:
        self.problem, self.trials, self.settings = problem, trials, settings
        form = scaled(problem, 1.0)
        wanted = starts.places(form, problem.first, settings)
        self.begins = starts.known(form, trials, wanted, together=settings.method == "augmented_lagrangian")
        self.size = self._size(form)
        self.form = scaled(problem, self.size)

    def _size(self, form: Form) -> float:
        """The objective at the start, or its change over the bounds where that is near 0, or 1 where both are."""
        if not len(self.begins):
            return 1.0
        look = self.trials.look(form, self.begins[:1])
        size = max(abs(float(look.worst[0])), CHANGE * float(np.abs(look.piece_slopes).max()))
        return size if size > NAUGHT else 1.0

    def solution(self) -> Solution:
        """The best end of all."""
        if not len(self.begins):
            return self._unknown()
        descents = self._descents()
        told = tuple(self._start(begin, end) for begin, end in zip(self.begins, descents, strict=True))
        found = [descent for descent in descents if self._holds(descent)]
        lost = wording.of_lost(self.settings.starts - len(self.begins), self.settings.starts)
        if found:
            ordered = sorted(found, key=lambda descent: descent.rank(self.settings.tolerance))
            best, led = ordered[0], wording.of_starts(self.problem, self.form, ordered, self.settings.starts)
        else:
            least = infeasible.restored(self.problem, self.trials, descents, self.settings)
            if least.look.worst[0] > self.settings.tolerance:
                return self._infeasible(least, told, lost)
            best, led = self._again(least), wording.RESTORED
        form, end, remark = self._whole(best)
        return self._told(form, end, told, wording.of_end(self.problem, end) + led + lost + remark)

    def _descents(self) -> list[Descent]:
        """Where each start leads."""
        if self.settings.method == "augmented_lagrangian":
            return first_order.searched(self.form, self.trials, self.begins, self.settings)
        return [descend(self.form, self.trials, begin, self.settings) for begin in self.begins]

    def _holds(self, descent: Descent) -> bool:
        return bool(descent.look.violation[0] <= self.settings.tolerance)

    def _again(self, least: Descent) -> Descent:
        """On from a design that holds all limits, which no start had found; never away from them."""
        stay = replace(self.settings, method="slsqp", most_iterations=0)
        ends = [descend(self.form, self.trials, least.place, how) for how in (stay, self.settings.single)]
        return min(ends, key=lambda end: end.rank(self.settings.tolerance))

    def _whole(self, best: Descent) -> tuple[Form, Descent, str]:
        """With whole numbers where they are asked for, and what they cost."""
        if not any(variable.integer for variable in self.problem.variables):
            return self.form, best, ""
        relaxed = self.form.design(best.place)
        found = rounding.rounded(self.problem, self.trials, self.form, relaxed, self.settings)
        if found is None:
            return self.form, best._replace(converged=False, reason="as no orbit closes at whole numbers"), ""
        form, end = found
        if not self._holds(end):
            end = end._replace(converged=False, reason="as no whole numbers next to the optimum hold all limits")
        before, after = self._objective(best), self._objective(end)
        return form, end, wording.of_rounding(self.problem, relaxed, form.design(end.place), before, after)

    def _objective(self, end: Descent) -> float:
        return sign_of(self.problem) * self.size * float(end.look.worst[0])

    def _start(self, begin: np.ndarray, end: Descent) -> Start:
        status: Status = "converged" if end.converged else "stopped" if self._holds(end) else "infeasible"
        first, last = self.form.design(begin), self.form.design(end.place)
        return Start(first, last, self._objective(end), float(end.look.violation[0]), end.evaluations, status)

    def _told(self, form: Form, end: Descent, told: Sequence[Start], message: str) -> Solution:
        """The answer at the end of a search, in SI units."""
        status: Status = "converged" if end.converged else "stopped"
        solution = self._answer(form.design(end.place), status, message, told)
        span, held = np.where(form.span > 0.0, form.span, np.inf), end.kkt.holding(end.place, end.look)
        return replace(
            solution,
            prices=held.limits * self.size / scales_of(self.problem),
            bound_prices=(held.upper - held.lower) * self.size / span,
            kkt_residual=end.kkt.residual,
            iterations=end.iterations,
        )

    def _infeasible(self, least: Descent, told: Sequence[Start], lost: str) -> Solution:
        """The least violated design; no limit has a price there, and the residual is that of the least violation."""
        conflict = infeasible.conflicting(self.problem, self.trials, least, self.settings)
        message = wording.of_conflict(self.problem, least, conflict) + lost
        solution = self._answer(self.form.design(least.place), "infeasible", message, told)
        return replace(solution, kkt_residual=least.kkt.residual, iterations=least.iterations)

    def _unknown(self) -> Solution:
        """The answer where no start has rows."""
        return self._answer(self.problem.first, "stopped", "Stopped at the start: no orbit closes at any start", ())

    def _answer(self, design: np.ndarray, status: Status, message: str, told: Sequence[Start]) -> Solution:
        """An answer without prices."""
        values, slopes = (part[0] for part in self.trials.at(design[None]))
        return Solution(
            design=design,
            values=values,
            slopes=slopes,
            objective=objective_at(self.problem, values),
            margins=margins_of(self.problem).of(values),
            prices=np.full(len(self.problem.limits), np.nan),
            bound_prices=np.full(design.size, np.nan),
            kkt_residual=np.nan,
            tolerance=self.settings.tolerance,
            status=status,
            message=message,
            iterations=0,
            evaluations=self.trials.count,
            wall_s=0.0,
            starts=tuple(told),
        )
