"""Whole numbers: solved for as if they were not, then rounded both ways, with all else solved for again."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np

from twin.design.descent import Descent, Settings, descend
from twin.design.problem import Problem
from twin.design.program import Form, Trials

MOST_TOGETHER = 6  # whole numbers of which all combinations are tried; more are rounded one after the other
WHOLE = 1e-9
BESIDE = 0.05  # how far, in 0-1, the others are first looked for from where they were


def rounded(
    problem: Problem, trials: Trials, form: Form, relaxed: np.ndarray, settings: Settings
) -> tuple[Form, Descent] | None:
    """The best design with whole numbers next to a relaxed design: the form that holds them, and the end of its search.

    None where no orbit closes next to it.
    """
    by_slsqp = replace(settings, method="slsqp")
    whole = [place for place, variable in enumerate(problem.variables) if variable.integer]
    if len(whole) <= MOST_TOGETHER:
        return _best(form, trials, relaxed, whole, by_slsqp)
    best = None
    while whole:
        nearest = min(whole, key=lambda place: abs(relaxed[place] - round(relaxed[place])))
        whole.remove(nearest)
        best = _best(form, trials, relaxed, [nearest], by_slsqp)
        if best is None:
            return None
        form, relaxed = best[0], best[0].design(best[1].place)
    return best


def _best(
    form: Form, trials: Trials, relaxed: np.ndarray, whole: list[int], settings: Settings
) -> tuple[Form, Descent] | None:
    """The best of all ways to round some variables."""
    ends = []
    for values in product(*(_next_to(form, relaxed, place) for place in whole)):
        held = _holding(form, whole, values)
        place = held.place(relaxed)
        if trials.look(held, place[None]).known[0]:
            ends.append((held, descend(held, trials, place, settings, BESIDE)))
    return min(ends, key=lambda end: end[1].rank(settings.tolerance), default=None)


def _next_to(form: Form, relaxed: np.ndarray, place: int) -> list[float]:
    """Whole numbers within the bounds on both sides of a value."""
    value = float(relaxed[place])
    sides = {np.floor(value + WHOLE), np.ceil(value - WHOLE)}
    inside = sorted(side for side in sides if form.low[place] <= side <= form.high[place])
    return inside or [float(np.clip(round(value), np.ceil(form.low[place]), np.floor(form.high[place])))]


def _holding(form: Form, whole: Iterable[int], values: Iterable[float]) -> Form:
    low, high = form.low.copy(), form.high.copy()
    low[list(whole)] = high[list(whole)] = list(values)
    return replace(form, low=low, high=high)
