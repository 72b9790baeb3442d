"""The kinds of jobs that a sweep can have: what is read of each, by what they are ranked, and in which columns."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from twin import answer_folder, run_folder
from twin.deployment.space import LIMITS
from twin.deployment.verdict import years_to_target
from twin.refusal import ConfigError
from twin.reporting import amounts, design_facts, human
from twin.reporting import deployment_facts as facts
from twin.store import open_run

Result = Mapping[str, Any]  # of a finished job, in SI

MARGIN = "accelerator_temperature_upper_margin_k"


class Column(NamedTuple):
    """A result: title for people, key in the CSV, value in SI from a job's result, and its text."""

    title: str
    key: str
    take: Callable[[Result], Any]
    text: Callable[[Any], str]
    shown: bool = True  # to people; the CSV has all


class Kind(NamedTuple):
    """A kind of jobs; those of the greatest merit come first."""

    name: str
    order: str
    merit: Callable[[Result], float]
    columns: Callable[[Sequence[Result]], Sequence[Column]]  # for these results
    ended: Callable[[Path], bool]  # whether there is a result to read
    read: Callable[[Path], Result]  # ConfigError where the folder is damaged
    status: Callable[[Path], str]  # of a job without a result
    terms: Callable[[Result], Sequence[str]]  # in which a job counts; those of other terms do not compare
    unlike: str  # what such jobs do


def of(folder: Path) -> Kind | None:
    """What kind of job a folder holds, finished or not; None where nothing tells."""
    summary = run_folder.summary(folder)
    if (folder / run_folder.TELEMETRY).is_dir() or "fleet" in summary:
        return RUNS
    if design_facts.is_design(folder):
        return DESIGNS
    return DEPLOYMENTS if facts.is_deployment(folder) or "places" in summary else None


def _has_summary(folder: Path) -> bool:
    return (folder / run_folder.SUMMARY).is_file()


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


def _done_fraction(fleet: Result) -> float | None:
    """Part of the work assigned that was done; None where there was none."""
    assigned = fleet.get("assigned_flop")
    return fleet["delivered_flop"] / assigned if assigned else None


def _some_undone(results: Sequence[Result]) -> bool:
    return any((_done_fraction(fleet) or 0.0) < 0.9995 for fleet in results)


def _run_columns(results: Sequence[Result]) -> Sequence[Column]:
    """What was done, by mass, and the margins; what was asked and left undone, where some was."""
    return (
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
        Column("Work\ndone", "done_fraction", _done_fraction, human.percent, shown=_some_undone(results)),
        Column(
            "Battery lost\na year",
            "battery_cycle_loss_per_year",
            lambda n: n.get("battery_cycle_loss_per_year"),
            human.percent,
        ),
        Column("Throttled", "throttled_fraction", lambda n: n["throttled_fraction"], human.percent),
        Column("Binds", "binding_limit", lambda n: n["binding_limit"], str),
    )


RUNS = Kind(
    name="runs",
    order="By work delivered for each kilogram launched",
    merit=_flop_per_kg,
    ended=_has_summary,
    columns=_run_columns,
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
    ended=_has_summary,
    columns=lambda _: (
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
    status=answer_folder.reason,
    terms=lambda orbit: [orbit["terms"]],
    unlike="compare by different measures or with different sites",
)


# --- Designs ------------------------------------------------------------------------------------------------------

MOST_NUMBERS = 6  # of a design that a table shows


def _design(folder: Path) -> Result:
    """Objective, mass, numbers and what holds a design."""
    found = design_facts.read(folder)
    of, rows = found.summary["objective"], found.summary["before_after"]
    mass = next((row["after"] for row in found.summary["measures"] if row["measure"] == "mass_kg"), None)
    holding = dict.fromkeys(design_facts.label(found, row) for row in design_facts.paid(found))
    return {
        "sense": of["sense"],
        "name": found.objective,
        "unit": of["unit"],
        "objective": of["after"],
        "before": of["before"],
        "mass_kg": mass,
        "status": found.summary["status"],
        "binding_limit": ", ".join(holding) or "nothing",
        "numbers": {row["path"]: (row["after"], row["unit"]) for row in rows},
    }


def _has_design(folder: Path) -> bool:
    found = run_folder.summary(folder, run_folder.DESIGN)
    return design_facts.is_design(folder) and ("status" not in found or design_facts.holds(found))


def _no_design(folder: Path) -> str:
    """Which limits conflict, or why the job ended before that was known."""
    found = run_folder.summary(folder, run_folder.DESIGN)
    return str(found.get("message") or answer_folder.reason(folder))


def _design_columns(results: Sequence[Result]) -> Sequence[Column]:
    """Objective, change, mass, the numbers of these designs, how the search ended, and what holds them."""
    name, unit = next(((result["name"], result["unit"]) for result in results), ("objective", ""))
    units = {path: unit for result in results for path, (_, unit) in result["numbers"].items()}
    numbers = [_number(place, *number) for place, number in enumerate(units.items())]
    return (
        Column(
            design_facts.measure(name), "objective", lambda r: r["objective"], lambda v: amounts.level(name, unit, v)
        ),
        Column("Before", "before", lambda r: r["before"], lambda v: amounts.level(name, unit, v)),
        Column("Mass", "mass_kg", lambda r: r["mass_kg"], human.mass, shown=name != "mass_kg"),
        *numbers,
        Column("Search", "ended", lambda r: r["status"], str),
        Column("Binds", "binding_limit", lambda r: r["binding_limit"], str),
    )


def _number(place: int, path: str, unit: str) -> Column:
    def text(value: float) -> str:
        return amounts.level(path, unit, value)

    title = path.replace(".", ".\n")
    return Column(title, path, lambda r: r["numbers"].get(path, (None,))[0], text, shown=place < MOST_NUMBERS)


def _merit(result: Result) -> float:
    if not human.known(result["objective"]):
        return -math.inf
    return result["objective"] if result["sense"] == "maximize" else -result["objective"]


DESIGNS = Kind(
    name="designs",
    order="By their objective, best first",
    merit=_merit,
    columns=_design_columns,
    ended=_has_design,
    read=_design,
    status=_no_design,
    terms=lambda result: [f"{result['sense']} {result['name']}"],
    unlike="have different objectives",
)
