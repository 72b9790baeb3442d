"""Where searches begin, and which of their ends are the same optimum."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import qmc

from twin.design.descent import Descent, Settings
from twin.design.program import Form, Trials

NEAR = 1e-2  # of the bounds: ends of searches that are the same optimum
EQUAL = 1e-3  # of the objective
HALVINGS = 6  # of the way to a design that has rows


def places(form: Form, first: np.ndarray, settings: Settings) -> np.ndarray:
    """The first design, and the rest of a Sobol sequence over the bounds, (start, variable), in 0-1."""
    others = settings.starts - 1
    if not others:
        return form.place(first)[None]
    spread = qmc.Sobol(first.size, rng=settings.seed).random_base2(int(np.ceil(np.log2(max(2, others)))))
    return np.vstack([form.place(first), spread[:others]])


def known(form: Form, trials: Trials, begin: np.ndarray, together: bool) -> np.ndarray:
    """Places that have rows: those without are moved half the way towards the first that has, as often as need be.

    None is returned for a start that never has rows. `together` evaluates all at once, else one by one.
    """
    batches = [begin] if together else [place[None] for place in begin]
    has = np.concatenate([trials.look(form, batch).known for batch in batches])
    if not has.any():
        return begin[:0]
    anchor = begin[np.argmax(has)]
    for _ in range(HALVINGS):
        if has.all():
            break
        begin = np.where(has[:, None], begin, 0.5 * (begin + anchor))
        batches = [begin] if together else [place[None] for place in begin[~has]]
        found = np.concatenate([trials.look(form, batch).known for batch in batches])
        has = found if together else _filled(has, found)
    return begin[has]


def _filled(has: np.ndarray, found: np.ndarray) -> np.ndarray:
    whole = has.copy()
    whole[~has] = found
    return whole


def same(one: Descent, other: Descent) -> bool:
    """Whether two searches ended in the same optimum."""
    near = np.abs(one.place - other.place).max() <= NEAR
    return bool(near and abs(one.look.worst[0] - other.look.worst[0]) <= EQUAL * max(1.0, abs(one.look.worst[0])))


def optima(descents: Sequence[Descent]) -> list[list[Descent]]:
    """Searches by the optimum in which they ended, in their order; the first of each stands for it."""
    groups: list[list[Descent]] = []
    for descent in descents:
        for group in groups:
            if same(group[0], descent):
                group.append(descent)
                break
        else:
            groups.append([descent])
    return groups
