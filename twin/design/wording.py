"""What is said of the end of a search, in one sentence."""

from collections.abc import Sequence

import numpy as np

from twin.design import starts
from twin.design.descent import Descent
from twin.design.problem import Limit, Problem
from twin.design.program import Form, scales_of

RESTORED = "; no start led here: found from the least violated design"


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def of_end(problem: Problem, end: Descent) -> str:
    """How a search ended, and what holds the design."""
    held = end.kkt.holding(end.place, end.look)
    holding = _named(problem, np.flatnonzero(held.limits)) + _bounds(problem, end)
    by = f"held by {listed(holding)}" if holding else "held by no limit and no bound"
    how = f"Converged{' at a kink' * end.kink}" if end.converged else f"Stopped {end.reason}"
    return f"{how}, {by}, KKT residual {end.kkt.residual:.1e}"


def _named(problem: Problem, limits: np.ndarray) -> list[str]:
    """Limits, each once, with the scenarios where it holds if there are several."""
    scenarios: dict[str, list[str]] = {}
    for limit in limits:
        scenarios.setdefault(problem.limits[limit].name, []).append(problem.limits[limit].row.scenario)
    several = len(problem.scenarios) > 1
    return [f"{name} ({', '.join(where)})" if several else name for name, where in scenarios.items()]


def of_starts(problem: Problem, form: Form, ordered: Sequence[Descent], count: int) -> str:
    """Where the starts led, the best end first; nothing for a single start."""
    if count == 1:
        return ""
    here, *others = starts.optima(ordered)
    text = f"; {len(here)} of {count} starts lead here"
    if not others:
        return text
    best, other = float(here[0].look.worst[0]), others[0][0]
    worse = 100.0 * (float(other.look.worst[0]) - best) / abs(best) if best else float("inf")
    design = zip(problem.variables, form.design(other.place), strict=True)
    where = ", ".join(f"{variable.path} {value:.4g}" for variable, value in design)
    what = "another optimum" if other.converged else f"another stopped {other.reason}"
    return f"{text}; {what}, {worse:.2g} % worse, at {where}"


def of_lost(lost: int, count: int) -> str:
    """How many starts led nowhere, as no orbit closes there or on the way to one that has."""
    return f"; of {count} starts {lost} {'has' if lost == 1 else 'have'} no orbit that closes" if lost else ""


def of_rounding(problem: Problem, relaxed: np.ndarray, design: np.ndarray, before: float, after: float) -> str:
    """What was rounded, and what it cost."""
    moved = [
        f"{variable.path} {relaxed[place]:.6g} -> {design[place]:.0f}"
        for place, variable in enumerate(problem.variables)
        if variable.integer
    ]
    terms = problem.objective.terms
    name = terms[0][0] if len(terms) == 1 else "the objective"
    change = f"{100.0 * (after - before) / abs(before):+.2g} %" if before else f"{after:+.3g} {problem.objective.unit}"
    return f"; rounded {', '.join(moved)}: {change} of {name}"


def of_conflict(problem: Problem, least: Descent, conflict: Sequence[int]) -> str:
    """Which limits conflict, by how much in the least violated design, and which bounds keep it there."""
    violations = least.look.pieces[0, :-1] * scales_of(problem)
    parts = [_violated(problem.limits[limit], violations[limit]) for limit in conflict]
    held = _bounds(problem, least)
    bounds = f", with {listed(held)}" if held else ""
    word = "these limits conflict" if len(parts) > 1 else "this limit cannot hold"
    return f"No design was found that holds all limits; {word}: {listed(parts)}{bounds}"


def _violated(limit: Limit, by: float) -> str:
    side = "below its least" if limit.kind == "least" else "above its most"
    unit = f" {limit.unit}" if limit.unit else ""
    if by <= 0.0:  # as a limit that conflicts may, where the others are violated in its place
        return f"{limit.name} (holds there, at {limit.kind} {limit.bound:.6g}{unit})"
    return f"{limit.name} ({by:.4g}{unit} {side}, {limit.bound:.6g}{unit})"


def _bounds(problem: Problem, end: Descent) -> list[str]:
    """Bounds that hold a design."""
    held = end.kkt.holding(end.place, end.look)
    sides = zip(("lower", "upper"), (np.flatnonzero(held.lower), np.flatnonzero(held.upper)), strict=True)
    return [f"{problem.variables[place].path} at its {side} bound" for side, places in sides for place in places]
