"""The terminal: progress of a run, the table of its result, the ranking of a sweep."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twin.reporting import human

if TYPE_CHECKING:
    from twin import watching
    from twin.model import Model

PLAIN_WIDTH, PLAIN_RANKING_WIDTH = 100, 160
UPSETS = ("silent_corruptions", "memory_errors", "hangs", "crashes")
COLOURS = {"good": "green", "tight": "yellow", "broken": "bold red", "none": ""}


class _Console(Console):
    """A console that falls silent when nobody reads it any more: the run goes on."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from here on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def terminal(plain_width: int = PLAIN_WIDTH) -> Console:
    """Standard output; plain text of a fixed width where it is no terminal."""
    console = _Console(highlight=False)
    return console if console.is_terminal else _Console(highlight=False, width=plain_width, color_system=None)


@contextmanager
def progress(model: "Model", remarks: Sequence[str] = ()) -> Iterator[Callable[["watching.Progress"], None]]:
    """Show a run as it goes: yields what is to be told of every chunk."""
    console = terminal()
    for line in (*introduction(model), *remarks):
        console.print(line, markup=False)
    if not console.is_terminal:
        yield _plain_lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("compiling", total=model.structure.schedule.steps, speed="")

        def watch(now: "watching.Progress") -> None:
            bar.update(task, completed=now.done_steps, description=_clock(now), speed=_speed(now))

        yield watch


def _plain_lines(console: Console) -> Callable[["watching.Progress"], None]:
    """A line for about every tenth of the run."""
    due = every_tenth()

    def watch(now: "watching.Progress") -> None:
        if due(now.done_steps, now.total_steps):
            share = 100.0 * now.done_steps / now.total_steps
            console.print(f"{_clock(now)}  {share:3.0f} %  {_speed(now)}", markup=False)

    return watch


def every_tenth() -> Callable[[int, int], bool]:
    """Whether another tenth has been done since it was last so."""
    shown = 0

    def due(done: int, total: int) -> bool:
        nonlocal shown
        before, shown = shown, max(shown, 10 * done // total)
        return shown > before

    return due


@contextmanager
def counted(model: "Model", designs: int) -> Iterator[Callable[[int, int], None]]:
    """Show an ensemble as it goes: yields what is to be told after every batch, designs done and designs in all."""
    console, due = terminal(), every_tenth()
    for line in (*introduction(model), f"{human.whole(designs)} designs"):
        console.print(line, markup=False)
    if not console.is_terminal:

        def tell(done: int, total: int) -> None:
            if due(done, total):
                console.print(f"{human.whole(done)} designs  {100.0 * done / total:3.0f} %", markup=False)

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("compiling", total=designs)
        yield lambda done, total: bar.update(task, completed=done, description=f"{human.whole(done)} designs")


def _clock(now: "watching.Progress") -> str:
    return np.datetime_as_string(now.time, "m").replace("T", " ") + " UTC"


def _speed(now: "watching.Progress") -> str:
    return human.speed(now.satellite_steps_per_s)


def introduction(model: "Model") -> list[str]:
    """The fleet in one line, then the remarks of whoever built it."""
    cohorts = model.structure.cohorts
    total = sum(cohort.satellites for cohort in cohorts)
    each = "; ".join(f"{c.name}: {human.whole(c.satellites)}, {_where(c)}" for c in cohorts)
    schedule = model.structure.schedule
    weight = float(model.environment.slow_weight)
    span = human.duration(weight * schedule.steps * schedule.step_s)
    if weight != 1.0:
        span += f", {schedule.simulated_steps / (weight * schedule.steps):.1%} of it simulated,"
    plural = "" if total == 1 else "s"
    fleet = f"{human.whole(total)} satellite{plural} ({each}), {span} in steps of {human.duration(schedule.step_s)}"
    return [fleet, *model.notes]


def _where(cohort: Any) -> str:
    orbit, pattern = (cohort.model(slot).replace("_", " ") for slot in ("orbit", "constellation"))
    return orbit if orbit == pattern else f"{orbit}, {pattern}"


def show(folder: str | Path) -> None:
    """Print the result of a run as a table; what is known of it when it did not finish."""
    from twin.reporting.report import reached, read_summary, sizes
    from twin.store import open_run
    from twin.watching import last_words

    folder, console = Path(folder), terminal()
    data = open_run(folder)
    summary, status = read_summary(folder), str(data.attrs["status"])
    if not summary:
        word = {"running": "has not finished", "stopped": "was stopped"}.get(status, status)
        until = f", up to {reached(data)}," if data.sizes["time"] else ""
        text = f"{folder}: this run {word}; {data.sizes['time']} frames{until} can be read"
        console.print(Text(text, style="bold red"))
        if words := last_words(folder):
            console.print(words, markup=False, soft_wrap=True)
        return
    console.print(result_table(summary, sizes(data, {})))
    for line in _facts(folder, summary["run"]):
        console.print(line, markup=False, soft_wrap=True)


def two_columns(heading: str, rows: list[tuple[str, str]]) -> Table:
    """Names and values under a heading."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(heading, overflow="fold", max_width=48)
    table.add_column("", overflow="fold")
    for name, value in rows:
        table.add_row(Text(f"  {name}"), Text(value))
    return table


def show_stopped(folder: Path, data: Any, command: str) -> None:
    """Say how far a run that was asked to stop has come, and the command that goes on."""
    from twin.reporting.report import reached

    console = terminal()
    where = reached(data) if data.sizes["time"] else "the start"
    console.print(f"{folder}: stopped at {where}, saved. It goes on with", soft_wrap=True, markup=False)
    console.print(f"  {command}", soft_wrap=True, markup=False)


def result_table(summary: Mapping[str, Any], sizes: Mapping[str, float]) -> Table:
    """A column per cohort, and one for the fleet where there are several."""
    cohorts = summary["cohorts"]
    columns = ({"fleet": summary["fleet"]} if len(cohorts) > 1 else {}) | cohorts
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, overflow="fold")
    limits, brief = human.limits_of(*columns.values()), len(columns) > 1
    rows = [list(_rows(numbers, summary["run"], sizes, limits, brief)) for numbers in columns.values()]
    for cells in zip(*rows, strict=True):
        label = cells[0][0]
        table.add_row(Text(label, style="bold" if not label.startswith(" ") else ""), *(text for _, text in cells))
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
    yield _plain("Waiting at the end", human.flop(numbers["backlog_flop"]))
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


def _facts(folder: Path, run: Mapping[str, Any]) -> list[str]:
    """How long it took, on what, and where the rest is."""
    took = f"{run['wall_s']:.1f} s (compiling, partly beside it: {run['compile_s']:.1f} s)"
    report = folder / "report.html"
    page = f"Report: {report}" if report.is_file() else f"Result: {folder} (no report.html yet)"
    return [f"{took}; {human.speed(run['satellite_steps_per_s'])} on {run['device']}", page]


def report(path: str | Path) -> None:
    """Write and name the report of a run, a deployment or a design, or rank a sweep; ConfigError for another folder."""
    from twin.config import ConfigError
    from twin.reporting import (
        deployment_console,
        deployment_facts,
        deployment_report,
        design_console,
        design_facts,
        design_report,
        ranking,
    )
    from twin.reporting.report import write_report
    from twin.run_folder import EVALUATIONS

    path = Path(path)
    if (path / "telemetry.zarr").is_dir():
        write_report(path)
        show(path)
    elif deployment_facts.is_deployment(path):
        deployment_report.write(path)
        deployment_console.show(path)
    elif design_facts.is_design(path) or (path / EVALUATIONS).is_file():
        design_report.write(path)
        design_console.show(path)
    elif ranking.is_sweep(path):
        _rank(path)
    elif not path.exists():
        raise ConfigError(f"{path}: no such folder")
    else:
        raise ConfigError(
            f"{path}: holds neither a run (telemetry.zarr), nor a deployment (metrics.csv and months.csv), "
            "nor a design (design.json), nor finished jobs of a sweep (*/summary.json)"
        )


def _rank(folder: Path) -> None:
    """Print a sweep's ranking and keep it as ranking.csv and ranking.html."""
    from twin.reporting import ranking
    from twin.run_folder import write_atomically

    console, ranked = terminal(PLAIN_RANKING_WIDTH), ranking.rank(folder)
    write_atomically(folder / "ranking.csv", ranking.to_csv(ranked))
    write_atomically(folder / "ranking.html", ranking.to_html(ranked))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ranking.header(ranked):
        last, varied = title == "Binds", title in ranked.jobs[0].overrides
        shown = title.replace(".", ".\n") if varied else title  # a long key is not to crowd results out
        table.add_column(Text(shown), no_wrap=not (last or varied), overflow="fold", min_width=12 if last else None)
    for job, row in zip(ranked.jobs, ranking.cells(ranked), strict=True):
        table.add_row(*map(Text, row), style="" if job.result else COLOURS["broken"])
    console.print(table)
    written = f"Ranking: {folder / 'ranking.html'} and {folder / 'ranking.csv'}"
    for line in (ranking.order(ranked), ranking.warning(ranked), written):
        if line:
            console.print(line, markup=False, soft_wrap=True)
