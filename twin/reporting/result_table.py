"""The table of a run's result in the terminal: a row for each number that matters, a column for each cohort."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from twin.reporting import human

UPSETS = ("silent_corruptions", "memory_errors", "hangs", "crashes")
COLOURS = {"good": "green", "tight": "yellow", "broken": "bold red", "none": ""}


def result_table(summary: Mapping[str, Any], sizes: Mapping[str, float]) -> Table:
    """A column per cohort, and one for the fleet where there are several."""
    columns = human.columns(summary["fleet"], summary["cohorts"])
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, overflow="fold")
    limits, brief = human.limits_of(*columns.values()), len(columns) > 1
    rows = [dict(_rows(numbers, summary["run"], sizes, limits, brief)) for numbers in columns.values()]
    for label in rows[0]:  # the fleet has whatever any cohort has
        cells = (row.get(label, Text(human.NOTHING)) for row in rows)
        table.add_row(Text(label, style="bold" if not label.startswith(" ") else ""), *cells)
    return table


Row = tuple[str, Text]


def _rows(
    numbers: Mapping[str, Any],
    run: Mapping[str, Any],
    sizes: Mapping[str, float],
    limits: Sequence[human.Limit],
    brief: bool,
) -> Iterator[Row]:
    """Label and text of every row for one column."""
    yield from _fleet(numbers, sizes)
    yield from _power(numbers, run["duration_s"])
    yield "Limits", Text()
    for limit in limits:
        yield f"  {limit.label}", _limit(limit, numbers, brief)
    yield from _work(numbers)
    yield from _requests(numbers)
    yield from _training(numbers)
    yield from _results(numbers)
    yield from _life(numbers)


def _plain(label: str, text: str, style: str = "") -> Row:
    return f"  {label}", Text(text, style=style)


def _fleet(numbers: Mapping[str, Any], sizes: Mapping[str, float]) -> Iterator[Row]:
    low, high = (np.degrees(sizes.get(key, np.nan)) for key in ("beta_min_rad", "beta_max_rad"))
    yield "Fleet", Text()
    yield _plain("Satellites", human.whole(numbers["satellites"]))
    yield _plain("Mass", human.mass(numbers["mass_kg"]))
    yield _plain("Mass per chip power", human.quantity("kg_per_kw", numbers["specific_mass_kg_per_kw"]))
    yield _plain("Sunlit", f"{human.percent(numbers['sunlit_fraction'])} of the time")
    yield _plain("Beta angle, of all", f"{low:.1f}° to {high:.1f}°" if np.isfinite(low) else human.NOTHING)


def _power(numbers: Mapping[str, Any], duration_s: float) -> Iterator[Row]:
    drawn, curtailed = numbers["array_energy_j"], numbers["curtailed_energy_j"]
    share = human.percent(curtailed / max(drawn + curtailed, 1.0))
    cap = human.si(numbers["nominal_power_w"], "W")
    shed = numbers["shed_energy_j"]
    yield "Power", Text()
    yield _plain("Array, mean drawn", human.si(drawn / duration_s, "W"))
    yield _plain("Load, mean", human.si(numbers["load_energy_j"] / duration_s, "W"))
    yield _plain("Chips and hosts, mean", f"{human.si(numbers['accelerator_energy_j'] / duration_s, 'W')} of {cap}")
    yield _plain("Battery throughput", human.energy(numbers["battery_throughput_j"]))
    yield _plain("Curtailed", f"{human.energy(curtailed)}, {share}")
    yield _plain("Heaters", human.energy(numbers["heater_energy_j"]))
    yield _plain("Shed for lack of power", human.energy(shed), "" if shed < 1e-3 * drawn else COLOURS["tight"])


def _limit(limit: human.Limit, numbers: Mapping[str, Any], brief: bool) -> Text:
    """The extreme and its margin, without kelvins where columns stand side by side."""
    margin, value = human.margin(limit, numbers), human.reached(limit, numbers)
    if brief:
        margin, value = margin.removesuffix(" limit"), value.partition(" (")[0]
    text = Text(value)
    return text.append(f", {margin}", style=COLOURS[human.level(limit, numbers)]) if margin else text


def _work(numbers: Mapping[str, Any]) -> Iterator[Row]:
    share = numbers["mean_compute_rate_flops"] / max(numbers["nominal_compute_rate_flops"], 1.0)
    held = {word: numbers[f"{word}_fraction"] for word in ("throttled", "power_limited")}
    yield "Work", Text()
    yield _plain("Delivered, mean", human.flops(numbers["mean_compute_rate_flops"]))
    yield _plain("Share of nominal", human.percent(share))
    yield _plain("Delivered, in all", human.flop(numbers["delivered_flop"]))
    yield _plain("Waiting at the end", human.flop(max(numbers["backlog_flop"], 0.0)))  # below 0 by rounding
    if "dropped_flop" in numbers:
        share = numbers["dropped_flop"] / max(numbers["assigned_flop"], 1.0)
        yield _plain("Given up", f"{human.flop(numbers['dropped_flop'])}, {human.percent(share)}", _warn(share))
    yield _plain("Throttled by heat", f"{human.percent(held['throttled'])} of the time", _warn(held["throttled"]))
    yield _plain(
        "Limited by power", f"{human.percent(held['power_limited'])} of the time", _warn(held["power_limited"])
    )
    short = numbers["underserved_fraction"]
    yield _plain("Work left undone", f"{human.percent(short)} of the time", _warn(short))
    yield _plain("Binds", str(numbers["binding_limit"]), "bold")
    yield _plain("Because", str(numbers["binding_reason"]))
    yield _plain("Power balance open by", f"{numbers['power_balance_residual']:.0e}")
    yield _plain("Heat balance open by", f"{numbers['heat_balance_residual']:.0e}")


def _requests(numbers: Mapping[str, Any]) -> Iterator[Row]:
    """How long requests wait, where there are any; the fleet alone knows."""
    if "wait_p50_s" in numbers:
        p50, p99 = (human.quantity(key, numbers[key]) for key in ("wait_p50_s", "wait_p99_s"))
        yield _plain("Requests wait", f"p50 {p50}, p99 {p99}")
    if "first_token_p50_s" in numbers:
        p50, p95 = (human.quantity(key, numbers[key]) for key in ("first_token_p50_s", "first_token_p95_s"))
        soon = numbers["first_token_in_time_fraction"]
        yield _plain("First token", f"p50 {p50}, p95 {p95}; {human.percent(soon)} as promised", _warn(1.0 - soon))


def _training(numbers: Mapping[str, Any]) -> Iterator[Row]:
    """What of the work is useful, where the fleet trains."""
    if "useful_flop" in numbers:
        share = numbers["useful_flop"] / max(numbers["delivered_flop"], 1.0)
        yield _plain("Useful to the training", f"{human.flop(numbers['useful_flop'])}, {human.percent(share)}")


def _results(numbers: Mapping[str, Any]) -> Iterator[Row]:
    """What became of results, where they go down."""
    produced = numbers.get("produced_bit")
    if not produced:
        return
    sent, lost, waiting = (numbers[key] for key in ("sent_bit", "data_lost_bit", "data_waited_bit"))
    yield _plain("Results sent down", f"{human.si(sent, 'bit')}, {human.percent(sent / produced)}")
    yield _plain("Results that wait", human.si(waiting, "bit"))
    yield _plain("Results lost", f"{human.si(lost, 'bit')}, {human.percent(lost / produced)}", _warn(lost / produced))


def _life(numbers: Mapping[str, Any]) -> Iterator[Row]:
    """What wears out or is used up, at the pace of the run; rows whose numbers the summary has."""
    rows = [
        ("Dose behind the shield", "dose_gy_per_year"),
        ("Array loses", "array_loss_per_year"),
        ("Battery loses by cycles", "battery_cycle_loss_per_year"),
        ("Drag", "drag_delta_v_m_per_s_per_year"),
        ("Propellant lasts", "propellant_life_years"),
    ]
    found = [_plain(label, human.quantity(key, numbers[key])) for label, key in rows if key in numbers]
    if all(kind in numbers for kind in UPSETS):
        found.append(_plain("Upsets by radiation", human.digits(sum(numbers[kind] for kind in UPSETS))))
    if "satellites_replaced" in numbers:
        found += _servicing(numbers)
    if found:
        yield "Life", Text()
        yield from found
    errors = {key: error for key, error in numbers.items() if key.startswith("sampling_error_") and human.known(error)}
    if errors:
        yield "Sampling error, estimated", Text()
        for key, error in errors.items():
            label = key.removeprefix("sampling_error_").replace("_", " ").capitalize()
            yield _plain(label, f"{100.0 * error:.2g} %", COLOURS["tight"] if error > 0.01 else "")


def _servicing(numbers: Mapping[str, Any]) -> Iterator[Row]:
    """What failed, what was put in its place, and what that weighed at launch."""
    visits, replaced = (human.whole(numbers[key]) for key in ("servicing_visits", "satellites_replaced"))
    spares, successors = (human.mass(numbers[key]) for key in ("spares_mass_kg", "replacement_mass_kg"))
    failed, repaired = (human.whole(numbers[f"accelerators_{word}"]) for word in ("failed", "replaced"))
    yield _plain("Accelerators failed", f"{failed}, {repaired} of them replaced in orbit")
    yield _plain("Accelerators dead", f"{human.percent(numbers['accelerators_dead_fraction'])} of their time")
    yield _plain("Servicing visits", f"{visits}, with {spares} of spares and propellant")
    yield _plain("Satellites replaced", f"{replaced}, {successors} at launch")
    yield _plain("Out of service", f"{human.percent(numbers['out_of_service_fraction'])} of the time")


def _warn(fraction: float) -> str:
    return COLOURS["tight"] if fraction > 1e-3 else ""
