"""The summary of a run: flat keys with unit suffixes, margins, and which limit binds."""

import math
from collections.abc import Mapping
from typing import Any

from twin.budget import Budget
from twin.metrics import Metrics
from twin.model import Model
from twin.prepare import Cohort

# A limit counts as binding when it holds the fleet back for more than this part of the time.
NOTICEABLE = 1e-3

Flat = dict[str, Any]


def summarise(
    model: Model, cohorts: Mapping[str, Cohort], fleet: Metrics, each: Mapping[str, Metrics], facts: Mapping[str, Any]
) -> dict[str, Flat]:
    """Plain dict for summary.json: `fleet`, `cohorts.<name>` and `run`."""
    flats = {name: _with_margins(_plain(values), cohorts[name].budget) for name, values in each.items()}
    whole = _plain(fleet)
    margins = dict.fromkeys(key for flat in flats.values() for key in flat if "_margin" in key)
    whole |= {key: min(flat[key] for flat in flats.values() if key in flat) for key in margins}
    single = len(flats) == 1
    limits = [flat["binding_limit"] if single else f"{name}: {flat['binding_limit']}" for name, flat in flats.items()]
    whole["binding_limit"] = "; ".join(limits)
    return {
        "fleet": whole,
        "cohorts": flats,
        "run": {**facts, "notes": list(model.notes), "start": _start(model)},
    }


def _plain(values: Mapping[str, Any]) -> Flat:
    """Floats for JSON; what a design does not have is None."""
    numbers = {name: float(value) for name, value in values.items()}
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def _with_margins(flat: Flat, budget: Budget) -> Flat:
    """Distance to every limit, negative when it is broken, and the name of the one that binds."""
    margins = {}
    for name, limit in budget.limits.items():
        value = flat[name]
        if value is not None:
            margins[_margin_name(name)] = float(limit) - value if name.startswith("max") else value - float(limit)
    return {
        **flat,
        **margins,
        "satellite_mass_kg": float(budget.mass_kg),
        **{f"mass_{part}_kg": float(mass) for part, mass in budget.parts_kg.items()},
        "binding_limit": binding_limit(flat, margins),
    }


def _margin_name(limit: str) -> str:
    """max_battery_temperature_k becomes battery_temperature_upper_margin_k."""
    side, _, quantity = limit.partition("_")
    word = "upper" if side == "max" else "lower"
    stem = quantity.removesuffix("_k")
    return f"{stem}_{word}_margin" + ("_k" if stem != quantity else "")


def binding_limit(flat: Flat, margins: Mapping[str, float]) -> str:
    """What holds a design back: heat or power while it works, and broken limits; else the cap or the demand."""
    die, memory = (margins.get(f"{part}_temperature_upper_margin_k", math.inf) for part in ("accelerator", "memory"))
    held = {
        "memory temperature" if memory < die else "accelerator temperature": flat["throttled_fraction"],
        "power": flat["power_limited_fraction"],
    }
    worst = max(held, key=lambda name: held[name])
    broken = [
        name for name, margin in margins.items() if margin < -0.01 and not name.startswith(("accelerator", "memory"))
    ]
    words = [worst] if held[worst] > NOTICEABLE else []
    words += [_in_words(name) for name in broken]
    if words:
        return " and ".join(words)
    unmet = flat["assigned_flop"] - flat["delivered_flop"]
    return "power cap of the accelerators" if unmet > NOTICEABLE * max(flat["assigned_flop"], 1.0) else "demand"


def _in_words(margin: str) -> str:
    """coolant_temperature_lower_margin_k becomes "coolant temperature too low"."""
    if margin == "vapour_quality_upper_margin":
        return "dry-out of the evaporator"
    words = margin.removesuffix("_k").removesuffix("_margin").replace("_", " ")
    return words.replace("upper", "too high").replace("lower", "too low")


def _start(model: Model) -> float:
    return float(model.environment.start_days)
