"""What the folder of a design tells, and the words that terminal and page have for it."""

import csv
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twin import run_folder, tables
from twin.refusal import ConfigError
from twin.reporting import amounts, human
from twin.tables import Table

BASIC = ("before_after", "measures", "margins", "prices", "starts")
NEEDED = {*BASIC, "objective", "status", "message", "scenarios", "commands", "tolerance"}
INFEASIBLE = "infeasible"
ACTIVE = 1e-3  # margin, in scales of the limit, below which it holds the design
TIGHT = 0.2  # and below which it is near
ENDS = ("before", "after")
Values = Mapping[str, Any]


class Designed(NamedTuple):
    """A design as its folder has it; `tables` are its further CSV files by name."""

    folder: Path
    summary: Mapping[str, Any]
    configuration: Mapping[str, Any]
    tables: Mapping[str, Table]

    @property
    def feasible(self) -> bool:
        """Whether all limits hold."""
        return holds(self.summary)

    @property
    def tolerance(self) -> float:
        """By how much a limit may be missed, in its scale."""
        return self.summary["tolerance"]

    @property
    def several(self) -> bool:
        """Whether there is more than one scenario."""
        return len(self.summary["scenarios"]) > 1

    @property
    def objective(self) -> str:
        """Name of the objective: its measure, or its measures."""
        return " + ".join(self.summary["objective"]["terms"])


def holds(summary: Mapping[str, Any]) -> bool:
    """Whether a design holds all limits; one whose search stopped without an orbit or with a broken limit does not."""
    if summary.get("status") != "stopped":
        return summary.get("status") == "converged"
    known = human.known(summary.get("objective", {}).get("after"))
    return known and not any(broken(row, summary.get("tolerance", 0.0)) for row in summary.get("margins", ()))


def is_design(folder: Path) -> bool:
    """Whether a folder holds a design."""
    return (folder / run_folder.DESIGN).is_file()


def read(folder: str | Path) -> Designed:
    """Read a folder; ConfigError, in one sentence, where it is unfinished or a file of it is damaged."""
    folder = Path(folder)
    summary = run_folder.summary(folder, run_folder.DESIGN)
    if not summary.keys() >= NEEDED:
        raise ConfigError(f"{folder}: this design has not finished, or its {run_folder.DESIGN} is damaged")
    further = {path.stem: _table(folder, path.stem) for path in sorted(folder.glob("*.csv")) if path.stem not in BASIC}
    return Designed(folder, summary, run_folder.configuration(folder) or {}, further)


def _table(folder: Path, name: str) -> Table:
    try:
        found = tables.read(folder, name)
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"{folder / name}.csv: damaged, {error}; design again into a new folder") from None
    assert found is not None
    return found


# --- Words ------------------------------------------------------------------------------------------------------------


def words(name: str) -> str:
    """A name of a limit, a scenario or a measure in words."""
    return name.replace("_", " ")


def measure(name: str) -> str:
    """A measure in words, without its unit: hottest die, mass."""
    ending = next((ending for ending in _UNITS if name.endswith(ending) and not name.endswith(f"_per{ending}")), "")
    return words(name.removesuffix(ending))


_UNITS = ("_kg", "_k", "_w", "_j", "_gy", "_m2", "_usd")


def headline(design: Designed) -> str:
    """What came of the objective, or that there is no design."""
    of = design.summary["objective"]
    if not design.feasible:
        return "No design was found that holds all limits."
    name = measure(design.objective)
    values = " → ".join(amounts.level(design.objective, of["unit"], of[end]) for end in ("before", "after"))
    changed = change(design)
    return f"{_sentence(name)}: {values}{f', {changed}' if changed else ''}."


def change(design: Designed) -> str:
    """What became of the objective, in per cent."""
    of = design.summary["objective"]
    return amounts.change(of["before"], of["after"])


def ending(design: Designed) -> str:
    """How the search ended, as a sentence."""
    return f"{str(design.summary['message']).rstrip('.')}."


def commands(design: Designed) -> Iterator[tuple[str, str]]:
    """What simulates the design, a line for each scenario: what is said before it, and the command."""
    for scenario, line in design.summary["commands"].items():
        yield f"Simulate it in {words(scenario)}:" if design.several else "Simulate it:", str(line)


def residual(design: Designed) -> str:
    """How near the conditions of an optimum are to hold."""
    value = design.summary["kkt_residual"]
    return f"{value:.1e}" if human.known(value) else human.NOTHING


def room(row: Values, key: str = "margin") -> float:
    """Distance of a measure from its bound in scales of the limit; NaN where it has none."""
    return row[key] / row["scale"] if human.known(row[key]) else math.nan


def broken(row: Values, tolerance: float) -> bool:
    """Whether a limit does not hold, or nothing tells."""
    return not room(row) >= -tolerance


def level(row: Values, tolerance: float) -> str:
    """How a limit stands: "broken", "tight" where it holds the design or nearly so, or "good"."""
    if broken(row, tolerance):
        return "broken"
    return "tight" if room(row) < TIGHT else "good"


def margin(row: Values, tolerance: float) -> str:
    """Distance of a measure from its bound in words."""
    value = row["margin"]
    if not broken(row, tolerance) and room(row) <= ACTIVE:
        return "at its limit"
    text = amounts.points(row["measure"], row["unit"], None if value is None else abs(value))
    return f"{text} {'too much' if row['kind'] == 'most' else 'short'}" if value is not None and value < 0.0 else text


def reached(row: Values) -> str:
    """The measure of a limit."""
    value = amounts.rounded(row["value"], row["unit"], (row["bound"], row["value"], row["value_before"]))
    return amounts.level(row["measure"], row["unit"], value)


def bound(row: Values) -> str:
    """The bound of a limit: at least 3.0 K."""
    return f"at {row['kind']} {amounts.level(row['measure'], row['unit'], row['bound'])}"


def label(design: Designed, row: Values) -> str:
    """A limit or a measure, with its scenario where there are several."""
    if row.get("of") == "bound":
        return row["name"]
    name = words(row.get("name") or row.get("limit") or measure(row["measure"]))
    return f"{name}, {words(row['scenario'])}" if design.several and row.get("scenario") else name


def estimated(design: Designed) -> str:
    """Why prices are not exact, if they are not: a remark in a sentence."""
    if design.summary["status"] == "converged":
        return ""
    return f"estimates, as the search stopped at a KKT residual of {residual(design)}"


def paid(design: Designed) -> list[Values]:
    """Limits and bounds that have a price, the dearest step first; each with its step and what that is worth."""
    if not design.feasible:
        return []
    found = []
    for row in design.summary["prices"]:
        size = row["bound"] if row["of"] == "bound" else _size(design, row)
        step = amounts.step(row["measure"], row["unit"], size)
        worth = (row["price"] or 0.0) * step.size
        found.append({**row, "step": step, "worth": worth})
    most = max((abs(row["worth"]) for row in found), default=0.0)
    return sorted((r for r in found if abs(r["worth"]) > 1e-6 * most), key=lambda row: -abs(row["worth"]))


def _size(design: Designed, row: Values) -> float:
    """How large the measure of a limit is: its bound, or its value where that is larger."""
    values = [r["after"] for r in design.summary["measures"] if r["measure"] == row["measure"]]
    return max(map(abs, filter(human.known, [row["bound"], *values])), default=1.0)


def price(design: Designed, row: Values) -> str:
    """A shadow price in plain words: one more kelvin of the die limit saves 0.8 kg."""
    of, step = design.summary["objective"], row["step"]
    better = "save" if of["sense"] == "minimize" else "add"
    verb = better if step.several else f"{better}s"
    return f"{_sentence(_room(design, row))} {verb} {worth(design, row)}."


def worth(design: Designed, row: Values) -> str:
    """What a step of room is worth, in the objective."""
    text = amounts.points(design.objective, design.summary["objective"]["unit"], row["worth"])
    return _TRAILING.sub("", text)


_TRAILING = re.compile(r"(?<=\.[0-9])0+(?![0-9])|\.0+(?![0-9])")  # zeros that say nothing


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _room(design: Designed, row: Values) -> str:
    """More room at a limit or a bound."""
    step, upper = row["step"], row["kind"] == "most"
    first = step.more() if upper or "upper_margin" in row["measure"] else step.less()
    if row["of"] == "bound":
        return f"{first} of {row['name']}, which is at its {'upper' if upper else 'lower'} bound,"
    where = f" in {words(row['scenario'])}" if design.several else ""
    limit = words(row["name"])
    if upper or "upper_margin" in row["measure"]:
        return f"{first} of the {limit} limit{where}"
    return f"{first} required by the {limit} limit{where}"


def unit_of(design: Designed, measure: str) -> str:
    """The unit of a measure."""
    return next(row["unit"] for row in design.summary["measures"] if row["measure"] == measure)


def tightest_first(design: Designed) -> list[Values]:
    """Limits by their room, on top those that have no number."""
    return sorted(design.summary["margins"], key=lambda row: room(row) if human.known(row["margin"]) else -math.inf)


def headroom(design: Designed) -> Iterator[tuple[str, str, str, str, str]]:
    """Limits as rows: name, value, bound, margin, and how it stands; those that hold the design on top."""
    for row in tightest_first(design):
        told = margin(row, design.tolerance), level(row, design.tolerance)
        yield label(design, {**row, "name": row["limit"]}), reached(row), bound(row), *told


def variables(design: Designed) -> Iterator[tuple[str, str, str, str, str]]:
    """Numbers that were chosen: path, before, after, change, and bounds."""
    for row in design.summary["before_after"]:
        before, after, low, high = (
            amounts.level(row["path"], row["unit"], row[key]) for key in ("before", "after", "low", "high")
        )
        held = next((side for side in ("low", "high") if _equal(row[side], row["after"], row)), None)
        at = {"low": ", at the lower bound", "high": ", at the upper bound", None: ""}[held]
        yield row["path"], before, after, amounts.change(row["before"], row["after"]), f"{low} to {high}{at}"


def _equal(one: float, other: float, row: Values) -> bool:
    return abs(one - other) <= 1e-6 * (row["high"] - row["low"])


def measures(design: Designed) -> Iterator[tuple[str, str, str, str]]:
    """All that was measured: name, before, after, and change."""
    rows = design.summary["measures"]
    for row in rows:
        name, unit = row["measure"], row["unit"]
        values = [each[end] for each in rows if each["measure"] == name for end in ENDS]
        ends = [amounts.rounded(row[end], unit, values) for end in ENDS]
        before, after = (amounts.level(name, unit, value) for value in ends)
        told = amounts.is_fraction(name, unit) or "margin" in name
        yield label(design, row), before, after, "" if told else amounts.change(*ends)
