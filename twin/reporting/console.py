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
from twin.reporting.result_table import COLOURS, result_table

if TYPE_CHECKING:
    from twin import watching
    from twin.model import Model

PLAIN_WIDTH, PLAIN_RANKING_WIDTH = 100, 160


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
