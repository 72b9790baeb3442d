"""The summary of a run: flat keys with unit suffixes, margins, and which limit binds."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import limits, sampling
from twin.budget import Budget
from twin.metrics import Metrics
from twin.model import Model
from twin.prepare import Cohort

Flat = dict[str, Any]


def summarise(
    model: Model,
    cohorts: Mapping[str, Cohort],
    fleet: Metrics,
    each: Mapping[str, Metrics],
    facts: Mapping[str, Any],
    marks: Sequence[sampling.Marks],
) -> dict[str, Flat]:
    """Plain dict for summary.json: `fleet`, `cohorts.<name>` and `run`; the error of sampling where there are marks."""
    weight = float(model.environment.slow_weight)
    flats = {
        name: _with_margins(plain(values), cohorts[name].budget, facts["duration_s"])
        | plain(sampling.errors(marks, [name], weight))
        for name, values in each.items()
    }
    whole = plain(fleet) | plain(sampling.errors(marks, [*flats], weight))
    margins = dict.fromkeys(key for flat in flats.values() for key in flat if "_margin" in key)
    whole |= {key: min(flat[key] for flat in flats.values() if key in flat) for key in margins}
    single = len(flats) == 1
    for key in ("binding_limit", "binding_reason"):
        whole[key] = "; ".join(flat[key] if single else f"{name}: {flat[key]}" for name, flat in flats.items())
    return {
        "fleet": whole,
        "cohorts": flats,
        "run": {**facts, "notes": list(model.notes), "start": _start(model)},
    }


def plain(values: Mapping[str, Any]) -> Flat:
    """Floats for JSON; what a design does not have is None."""
    numbers = {name: float(value) for name, value in values.items()}
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def _with_margins(flat: Flat, budget: Budget, duration_s: float) -> Flat:
    """Distance to every limit, negative when it is broken, and what binds."""
    margins = limits.margins(flat, budget)
    found = limits.verdicts(flat, margins, budget, duration_s)
    return {
        **flat,
        **margins,
        "satellite_mass_kg": float(budget.mass_kg),
        **{f"mass_{part}_kg": float(mass) for part, mass in budget.parts_kg.items()},
        "binding_limit": " and ".join(verdict.name for verdict in found),
        "binding_reason": found[0].reason if len(found) == 1 else "; ".join(f"{v.name}: {v.reason}" for v in found),
    }


def _start(model: Model) -> float:
    return float(model.environment.start_days)
