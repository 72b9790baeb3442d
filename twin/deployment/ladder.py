"""What would have to be true: changes that add up, step by step, until orbit costs no more than the ground."""

from typing import Any

import numpy as np

from twin.deployment import paths
from twin.deployment.questions import Inquiry, Told, designs_of, tell
from twin.schema import Analysis

START = "as it is"


def ladder(inquiry: Inquiry, analysis: Analysis) -> list[dict[str, Any]]:
    """A row for each step, the first as all is now: ratio with it and all before it, and what the step does to it."""
    columns, count = _columns(inquiry, analysis), 1 + len(analysis.ladder)
    found = tell(inquiry, columns, count, "ladder")
    labels = [START, *(step.label for step in analysis.ladder)]
    changes = ["", *(_changes(inquiry, step.values, step.relative) for step in analysis.ladder)]
    factors = found.ratio / np.concatenate([found.ratio[:1], found.ratio[:-1]])
    return [
        {"step": number, "label": label, "values": change, **_of(found, number, inquiry.measure), "factor": factor}
        for number, (label, change, factor) in enumerate(zip(labels, changes, factors.tolist(), strict=True))
    ]


def ladder_designs(inquiry: Inquiry, analysis: Analysis) -> np.ndarray:
    """Numbers of the satellite at each step, (step, path)."""
    return designs_of(inquiry, _columns(inquiry, analysis), 1 + len(analysis.ladder))


def _columns(inquiry: Inquiry, analysis: Analysis) -> dict[str, np.ndarray]:
    """Values at each step of all numbers that change."""
    current, steps = dict(inquiry.base), [dict(inquiry.base)]
    for step in analysis.ladder:
        current |= _values(inquiry, step.values, step.relative)
        steps.append(dict(current))
    return {path: np.array([values[path] for values in steps]) for path in inquiry.base}


def _values(inquiry: Inquiry, values: dict[str, float], relative: bool) -> dict[str, float]:
    return {p: v * (paths.present(inquiry.project, p) if relative else 1.0) for p, v in values.items()}


def _changes(inquiry: Inquiry, values: dict[str, float], relative: bool) -> str:
    return ", ".join(f"{path} = {value:.4g}" for path, value in _values(inquiry, values, relative).items())


def _of(found: Told, step: int, measure: str) -> dict[str, float]:
    return {
        "ratio": float(found.ratio[step]),
        "orbit": float(found.orbit[measure][step]),
        "ground": float(found.ground[measure][step]),
        "launch_usd_per_kg": float(found.launch_usd_per_kg[step]),
        "mass_kg_per_kw": float(found.mass_kg_per_kw[step]),
    }
