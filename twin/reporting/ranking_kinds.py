"""The kinds of jobs that a sweep can have: what is read of each, by what they are ranked, and in which columns."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twin import run_folder
from twin.deployment.space import LIMITS
from twin.deployment.verdict import years_to_target
from twin.refusal import ConfigError
from twin.reporting import deployment_facts as facts
from twin.reporting import human
from twin.store import open_run

Result = Mapping[str, Any]  # of a finished job, in SI

MARGIN = "accelerator_temperature_upper_margin_k"


class Column(NamedTuple):
    """A result: title for people, key in the CSV, value in SI from a job's result, and its text."""

    title: str
    key: str
    take: Callable[[Result], Any]
    text: Callable[[Any], str]


class Kind(NamedTuple):
    """A kind of jobs; those of the greatest merit come first."""

    name: str
    order: str
    merit: Callable[[Result], float]
    columns: Sequence[Column]
    read: Callable[[Path], Result]  # ConfigError where the folder is damaged
    status: Callable[[Path], str]  # of a job without a result
    terms: Callable[[Result], Sequence[str]]  # in which a job counts; those of other terms do not compare
    unlike: str  # what such jobs do


def of(folder: Path) -> Kind | None:
    """What kind of job a folder holds, finished or not; None where nothing tells."""
    summary = run_folder.summary(folder)
    if (folder / run_folder.TELEMETRY).is_dir() or "fleet" in summary:
        return RUNS
    return DEPLOYMENTS if facts.is_deployment(folder) or "places" in summary else None


# --- Runs ---------------------------------------------------------------------------------------------------------


def _run(folder: Path) -> Result:
    summary = run_folder.summary(folder)
    if "fleet" not in summary:
        raise ConfigError(f"{folder}: its {run_folder.SUMMARY} is damaged")
    cohorts = (run_folder.configuration(folder) or {}).get("cohorts") or {}
    formats = dict.fromkeys(str(c["accelerator"]["number_format"]) for c in cohorts.values() if "accelerator" in c)
    return summary["fleet"] | {"number_formats": tuple(formats)}


def _run_status(folder: Path) -> str:
    try:
        status = str(open_run(folder).attrs["status"])
    except (OSError, KeyError, ValueError):
        return "failed before its first frame"
    return "unfinished" if status == "running" else status


def _flop_per_kg(fleet: Result) -> float:
    return fleet["delivered_flop"] / fleet["mass_kg"]


RUNS = Kind(
    name="runs",
    order="By work delivered for each kilogram launched",
    merit=_flop_per_kg,
    columns=(
        Column("Per mass", "flop_per_kg", _flop_per_kg, lambda v: human.si(v, "FLOP/kg")),
        Column(
            "PFLOP/s\neach",
            "flops_per_satellite",
            lambda n: n["mean_compute_rate_flops"] / n["satellites"],
            lambda v: human.digits(v / 1e15),
        ),
        Column(
            "PFLOP/s\nper t",
            "flops_per_kg",
            lambda n: n["mean_compute_rate_flops"] / n["mass_kg"],
            lambda v: human.digits(v / 1e12),
        ),
        Column("kg/kW", "specific_mass_kg_per_kw", lambda n: n["specific_mass_kg_per_kw"], human.digits),
        Column("Die margin", "die_margin_k", lambda n: n.get(MARGIN), lambda v: f"{v:.1f} K"),
        Column("Lowest\ncharge", "min_state_of_charge", lambda n: n["min_state_of_charge"], human.percent),
        Column("Throttled", "throttled_fraction", lambda n: n["throttled_fraction"], human.percent),
        Column("Binds", "binding_limit", lambda n: n["binding_limit"], str),
    ),
    read=_run,
    status=_run_status,
    terms=lambda fleet: fleet["number_formats"],
    unlike="count FLOP in different number formats",
)


# --- Deployments --------------------------------------------------------------------------------------------------


def _deployment(folder: Path) -> Result:
    """Metrics of orbit and what else is told of a deployment; None or infinite where there is no such number."""
    found = facts.read(folder)
    measure, target_w = found.summary.get("measure"), found.present("deployment.target_power_w")
    if measure is None or target_w is None:
        raise ConfigError(f"{folder}: its {run_folder.SUMMARY} or {run_folder.CONFIG} is damaged")
    orbit, ground = (found.summary["places"][place] for place in (facts.ORBIT, found.against))
    ours, theirs = orbit.get(measure), ground.get(measure)
    compares = human.known(ours) and human.known(theirs) and theirs > 0.0
    power_w = found.numbers("months", "nominal_power_w", place=facts.ORBIT)
    return orbit | {
        "orbit_over_ground": ours / theirs if compares else None,
        "terms": f"{measure} against {found.against}",
        "years_to_target": years_to_target(power_w, target_w),
        "specific_mass_kg_per_kw": found.summary["satellite"]["specific_mass_kg_per_kw"],
        **_limits(found),
    }


def _limits(deployment: facts.Deployment) -> Result:
    """In what part of the months something else than its target holds orbit back, and what does so most often."""
    target = LIMITS[0]
    months = Counter(deployment.column("months", "binding", place=facts.ORBIT).tolist())
    free = months.pop(target, 0)
    most = max(months, key=lambda limit: months[limit], default=target)
    return {"limited_fraction": months.total() / (months.total() + free), "binding_limit": most}


def _metric(title: str, key: str) -> Column:
    return Column(title, key, lambda orbit: orbit.get(key), lambda value: facts.shown(key, value))


DEPLOYMENTS = Kind(
    name="deployments",
    order="By what orbit costs over what the ground costs, cheapest first",
    merit=lambda orbit: -math.inf if orbit["orbit_over_ground"] is None else -orbit["orbit_over_ground"],
    columns=(
        Column("Orbit/\nground", "orbit_over_ground", lambda orbit: orbit["orbit_over_ground"], human.digits),
        _metric("USD per\nPFLOP-day", "levelised_usd_per_pflop_day"),
        _metric("without\nchips", "levelised_usd_per_pflop_day_without_chips"),
        _metric("USD/W\nnominal", "usd_per_w_nominal"),
        _metric("GW at\nthe end", "last_power_w"),
        _metric("Years to\ntarget", "years_to_target"),
        _metric("Launches", "launches"),
        _metric("kg/kW", "specific_mass_kg_per_kw"),
        _metric("CO2e,\nkg/kWh", "carbon_kg_per_kwh"),
        _metric("Months\nlimited", "limited_fraction"),
        Column("Binds", "binding_limit", lambda orbit: orbit["binding_limit"], facts.words),
    ),
    read=_deployment,
    status=lambda folder: "failed or unfinished",
    terms=lambda orbit: [orbit["terms"]],
    unlike="compare by different measures or with different sites",
)
