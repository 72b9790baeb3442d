"""What the folder of a deployment tells, and the words that terminal and page have for it."""

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from twin import run_folder, tables
from twin.refusal import ConfigError
from twin.reporting import human
from twin.tables import Table

ORBIT, BEAMED = "orbit", "beamed_power"
BASIC = ("months", "costs", "supply", "vintages", "life", "metrics")
NEVER = "never"
WORK = {
    "pflop_day": "PFLOP-day",
    "kwh": "kWh at the chips",
    "accelerator_hour": "accelerator-hour",
    "million_tokens": "million tokens",
}
CHIPS = {"": "", "_without_chips": ", without chips"}
# Groups of the table of results: metric and label.
GROUPS: Mapping[str, Mapping[str, str]] = {
    "Levelised, USD": {f"levelised_usd_per_{work}": f"per {words}" for work, words in WORK.items()},
    "Levelised, without chips, USD": {
        f"levelised_usd_per_{work}_without_chips": f"per {words}" for work, words in WORK.items()
    },
    "Undiscounted, USD": {f"total_usd_per_{work}": f"per {words}" for work, words in WORK.items()},
    "Invested, USD": {
        f"usd_per_w_{watt}{chips}": f"per W {watt}{words}"
        for chips, words in CHIPS.items()
        for watt in ("nominal", "delivered")
    },
    "Money, billion USD": {
        "total_usd": "Spent",
        "residual_usd": "Left at the end",
        "revenue_usd": "Earned by work",
        "net_present_value_usd": "Net present value",
        "cost_of_waiting_usd": "Cost of waiting",
    },
    "Power": {
        "years_to_1_gw": "Years to 1 GW",
        "years_to_10_gw": "Years to 10 GW",
        "years_to_100_gw": "Years to 100 GW",
        "last_power_w": "At the end, GW",
        "most_power_w": "At most, GW",
        "delivered_fraction": "Mean over nominal",
        "units_launched": "Satellites, or their chips",
        "launches": "Launches",
        "launched_kg": "Launched, thousand t",
    },
    "Carbon and water": {
        "carbon_kg_per_kwh": "CO2e, kg per kWh",
        "carbon_kg_per_pflop_day": "CO2e, kg per PFLOP-day",
        "carbon_kg": "CO2e, million t",
        "water_l_per_kwh": "Cooling water, l per kWh",
        "water_l_per_pflop_day": "Cooling water, l per PFLOP-day",
    },
}
_BILLIONS = {*GROUPS["Money, billion USD"], "last_power_w", "most_power_w", "carbon_kg"}
_WHOLE = {"units_launched", "launches"}


class Deployment(NamedTuple):
    """A deployment as its folder has it; `tables` are the CSV files by name."""

    folder: Path
    summary: Mapping[str, Any]
    configuration: Mapping[str, Any]
    tables: Mapping[str, Table]

    @property
    def against(self) -> str:
        """The site that orbit is compared with."""
        return str(self.summary["against"])

    @property
    def places(self) -> list[str]:
        """Orbit, the site that it is compared with, the other sites, and beamed power last."""
        every = self.summary["places"]
        sites = [place for place in every if place not in (ORBIT, self.against, BEAMED)]
        return [place for place in (ORBIT, self.against, *sites, BEAMED) if place in every]

    def column(self, table: str, name: str, **where: str) -> np.ndarray:
        """A column of a table as text or numbers, of the rows that have these words in other columns, (row,)."""
        rows = self.tables[table]
        for key in (name, *where):
            if key not in rows:
                raise _damaged(self.folder, table, f"it has no column {key}")
        chosen = np.ones(len(rows[name]), bool)
        for key, words in where.items():
            chosen &= np.asarray(rows[key]) == words
        return np.asarray(rows[name])[chosen]

    def numbers(self, table: str, name: str, **where: str) -> np.ndarray:
        """A column of numbers; never is infinite."""
        values = self.column(table, name, **where)
        if values.dtype == float:
            return values
        try:
            return np.array([math.inf if value == NEVER else float(value) for value in values])
        except ValueError as error:
            raise _damaged(self.folder, table, f"column {name}: {error}") from None

    def present(self, path: str) -> float | None:
        """The value that a number has, by its path; None where it cannot be told."""
        cohorts = self.configuration.get("cohorts") or {}
        for profiles in (*cohorts.values(), self.configuration):
            found: Any = profiles
            for key in path.split("."):
                found = found.get(key) if isinstance(found, Mapping) else None
            if human.known(found):
                return float(found)
        return None


def is_deployment(folder: Path) -> bool:
    """Whether a folder holds a deployment."""
    return all((folder / f"{name}.csv").is_file() for name in ("metrics", "months"))


def read(folder: str | Path) -> Deployment:
    """Read a folder; ConfigError, in one sentence, where it is unfinished or a file of it is damaged."""
    folder = Path(folder)
    summary = run_folder.summary(folder)
    if not {"places", "against", "verdict", "satellite", "orbit_over_ground"} <= summary.keys():
        raise ConfigError(f"{folder}: this deployment has not finished, or its {run_folder.SUMMARY} is damaged")
    tables = {path.stem: _table(folder, path.stem) for path in sorted(folder.glob("*.csv"))}
    missing = [name for name in BASIC if name not in tables]
    if missing:
        raise ConfigError(f"{folder}: {missing[0]}.csv is missing; deploy again into a new folder")
    found = Deployment(folder, summary, run_folder.configuration(folder) or {}, tables)
    _check_months(found)
    return found


def _table(folder: Path, name: str) -> Table:
    try:
        table = tables.read(folder, name)
    except (ValueError, csv.Error) as error:
        raise _damaged(folder, name, str(error)) from None
    assert table is not None
    return table


def _check_months(deployment: Deployment) -> None:
    """That no place lacks months, as where a file was cut short."""
    places, counts = np.unique(deployment.column("months", "place"), return_counts=True)
    if {*places.tolist()} != {*deployment.summary["places"]} or np.ptp(counts) > 0:
        raise _damaged(deployment.folder, "months", "not every place has the same months")


def _damaged(folder: Path, name: str, why: str) -> ConfigError:
    return ConfigError(f"{folder / name}.csv: damaged, {why}; deploy again into a new folder")


def words(name: str) -> str:
    """A place, an item or a resource in words."""
    return name.replace("_", " ")


def number(value: float) -> str:
    """Four digits, and all before the point of a larger number."""
    return human.digits(value, 4) if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def shown(metric: str, value: Any) -> str:
    """A metric in the unit of its group."""
    if not human.known(value):
        return NEVER if metric.startswith("years_to") else human.NOTHING
    if metric in _WHOLE:
        return human.whole(value)
    if metric.endswith("fraction"):
        return human.percent(value)
    return human.digits(value / (1e9 if metric in _BILLIONS else 1e6 if metric == "launched_kg" else 1.0))


def groups(deployment: Deployment) -> dict[str, dict[str, str]]:
    """Groups of metrics that the deployment has, and their labels."""
    known = deployment.summary["places"][ORBIT]
    found = {group: {m: label for m, label in rows.items() if m in known} for group, rows in GROUPS.items()}
    return {group: rows for group, rows in found.items() if rows}


def cells(deployment: Deployment, metric: str) -> list[str]:
    """A metric at every place, and its ratio of orbit over ground."""
    places, ratio = deployment.summary["places"], deployment.summary["orbit_over_ground"].get(metric)
    return [*(shown(metric, places[p].get(metric)) for p in deployment.places), human.digits(ratio) if ratio else ""]


def satellite(deployment: Deployment) -> dict[str, str]:
    """What the simulation says of a satellite."""
    of = deployment.summary["satellite"]
    return {
        "Mass": human.mass(of["mass_kg"]),
        "Mass per chip power": human.quantity("kg_per_kw", of["specific_mass_kg_per_kw"]),
        "Chips and hosts": f"{human.si(of['nominal_power_w'], 'W')}, {human.whole(of['accelerators'])} accelerators",
        "Compute": human.flops(of["nominal_flops"]),
        "The same over its service life": human.quantity("kg_per_kw", of["specific_mass_over_life_kg_per_kw"]),
        "Array": f"{human.digits(of['array_area_m2'])} m2, {human.si(of['array_power_w'], 'W')} when new",
        "Radiator": f"{human.digits(of['radiator_area_m2'])} m2",
        "Battery": human.energy(of["battery_energy_j"]),
        "Orbit": f"{human.si(of['altitude_m'], 'm')}, {math.degrees(of['inclination_rad']):.1f}° inclined",
        "Sunlit": f"{human.percent(of['sunlit_fraction'])} of the time",
        "Array keeps": f"{human.percent(of['array_health'])} of its power over the service life",
        "Accelerators fail": f"{human.percent(of['chip_failure_per_year'])} a year over the service life",
        "Launch": f"{human.digits(of['launch_usd_per_kg'])} USD/kg to its orbit",
        "Without chips it costs": f"{human.digits(of['satellite_usd_per_w'])} USD/W",
    }


def launcher(deployment: Deployment) -> str:
    """Name of the launcher's profile."""
    return str(deployment.configuration.get("launch", {}).get("name", ""))


def years(dates: Iterable[str]) -> list[str]:
    """The calendar years of months, each once."""
    return list(dict.fromkeys(date[:4] for date in dates))


def by_year(dates: Iterable[str], values: np.ndarray) -> np.ndarray:
    """Sums over calendar years, (year,)."""
    _, which = np.unique([date[:4] for date in dates], return_inverse=True)
    return np.bincount(which, weights=values)


def ladder_sentence(deployment: Deployment) -> str:
    """At which step of the ladder orbit costs no more than the ground."""
    labels, ratios = deployment.column("ladder", "label"), deployment.numbers("ladder", "ratio")
    reached = np.flatnonzero(ratios <= 1.0)
    if not reached.size:
        return f"Parity is not reached: with all {ratios.size - 1} changes orbit still costs {ratios[-1]:.3g} times."
    step = int(reached[0])
    where = f"with change {step}, {labels[step]}" if step else "as it is"
    return f"Parity is reached {where}: orbit then costs {ratios[step]:.3g} times the ground."


def futures_sentences(deployment: Deployment) -> list[str]:
    """How many of the drawn futures reach parity and a crossover."""
    ratios, crossover = (deployment.numbers("futures", name) for name in ("ratio", "crossover_years"))
    told = np.isfinite(ratios)
    if not told.any():
        return [f"None of {human.whole(ratios.size)} futures has a satellite that flies."]
    low, middle, high = np.quantile(ratios[told], [0.05, 0.5, 0.95])
    parity, crosses = (human.percent(np.mean(some[told])) for some in (ratios <= 1.0, np.isfinite(crossover)))
    found = [
        f"In {human.whole(ratios.size)} futures orbit costs {middle:.3g} times the ground in the median, {low:.3g} to "
        f"{high:.3g} in the middle 90 %; it costs no more than the ground in {parity} of them.",
        f"In {crosses} a satellite is at some time cheaper than a unit on the ground of the same month.",
    ]
    if not told.all():
        found.append(f"{human.percent(1.0 - np.mean(told))} of the futures have no satellite that flies.")
    return found


def parity_rows(deployment: Deployment) -> list[tuple[str, str, str, str]]:
    """Break-even values: path, value now, value at parity in plain terms, and their ratio."""
    paths, units, plainly = (deployment.column("parity", name) for name in ("path", "unit", "in_plain_terms"))
    now, factor = (deployment.numbers("parity", name) for name in ("present", "factor"))
    return [
        (
            str(path),
            f"{number(value)} {unit}".rstrip(),
            str(words),
            f"{times:.3g}" if math.isfinite(times) else "",
        )
        for path, unit, words, value, times in zip(paths, units, plainly, now, factor, strict=True)
    ]
