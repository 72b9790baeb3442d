"""Where limits cannot all hold: the design that violates them least, and which of them conflict.

The largest violation, in scales of the limits, is minimised (the elastic problem). A limit without which the others
still cannot hold is dropped, one after the other; those that are left conflict, and any one of them less could be
satisfied (the deletion filter of Chinneck and Dravnieks, ORSA J. Comput. 3, 1991). As the search is local, "cannot"
means that no search found a design.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twin.design.descent import Descent, Settings, descend
from twin.design.problem import Problem
from twin.design.program import Affine, Form, Trials, margins_of, scales_of

MOST_BEGINNINGS = 3


def elastic(problem: Problem, chosen: Sequence[int]) -> Form:
    """Minimise the largest violation of some limits, or 0 where they all hold."""
    violations = margins_of(problem).times(-1.0 / scales_of(problem)).among(chosen)
    nothing = Affine(np.zeros((1, len(problem.rows))), np.zeros(1))
    return Form(problem.low, problem.high, violations + nothing, violations.among([]))


def restored(problem: Problem, trials: Trials, descents: Sequence[Descent], settings: Settings) -> Descent:
    """The design that violates limits least, sought from the ends of some searches, the least violated first."""
    form = elastic(problem, range(len(problem.limits)))
    begins = sorted(descents, key=lambda descent: float(descent.look.violation[0]))[:MOST_BEGINNINGS]
    found = []
    for begin in begins:
        found.append(descend(form, trials, begin.place, _by_slsqp(settings)))
        if found[-1].look.worst[0] <= settings.tolerance:
            break
    return min(found, key=lambda descent: float(descent.look.worst[0]))


def conflicting(problem: Problem, trials: Trials, least: Descent, settings: Settings) -> list[int]:
    """Places of limits that cannot hold together, none of which can be spared, from the least violated design."""

    def conflict(chosen: Sequence[int]) -> bool:
        end = descend(elastic(problem, chosen), trials, least.place, _by_slsqp(settings))
        return bool(end.look.worst[0] > settings.tolerance)

    left = [int(place) for place in np.flatnonzero(least.kkt.pieces[:-1] > settings.tolerance)]
    if not left or not conflict(left):
        left = list(range(len(problem.limits)))
    for limit in tuple(left):
        others = [other for other in left if other != limit]
        if others and conflict(others):
            left = others
    return left


def _by_slsqp(settings: Settings) -> Settings:
    return replace(settings, method="slsqp")
