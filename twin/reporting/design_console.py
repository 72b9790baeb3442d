"""The terminal of a design: progress of the search, then what came of it, what limits it, and what each limit costs."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twin import run_folder
from twin.design.problem import Problem
from twin.design.program import Watch
from twin.reporting import amounts, human
from twin.reporting import console as terminals
from twin.reporting import design_facts as facts
from twin.reporting.design_facts import Designed

EVERY_S = 5.0  # between lines where there is no terminal


@contextmanager
def progress(problem: Problem) -> Iterator[Watch]:
    """Introduce a problem and show its search: yields what is told evaluations, best objective and violation."""
    console = terminals.terminal()
    for line in introduction(problem):
        console.print(line, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield _plain_lines(console, problem)
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task("compiling", total=None)
        yield lambda *now: bar.update(task, description=_now(problem, *now))


def _plain_lines(console: Console, problem: Problem) -> Watch:
    """A line for the first evaluation and then for one every few seconds."""
    begun = time.monotonic()
    told_s = -math.inf

    def watch(evaluations: int, objective: float, violation: float) -> None:
        nonlocal told_s
        since_s = time.monotonic() - begun
        if since_s - told_s >= EVERY_S:
            told_s = since_s
            words = f"{_now(problem, evaluations, objective, violation)}, {human.duration(round(since_s))}"
            console.print(words, markup=False, soft_wrap=True)

    return watch


def _now(problem: Problem, evaluations: int, objective: float, violation: float) -> str:
    """How far a search has come; a violation counts in typical sizes of the limits."""
    name, unit = " + ".join(measure for measure, _ in problem.objective.terms), problem.objective.unit
    held = "all limits hold" if violation <= 1e-6 else f"limits are missed by {violation:.2g}"
    plural = "" if evaluations == 1 else "s"
    best = f"{facts.measure(name)} {amounts.level(name, unit, objective)}, {held}" if math.isfinite(objective) else ""
    return f"{human.whole(evaluations)} evaluation{plural}{': ' if best else ''}{best}"


def introduction(problem: Problem) -> list[str]:
    """What is designed, for what, and within what."""
    over = problem.objective
    aim = " + ".join(facts.measure(name) for name, _ in over.terms)
    where = f"{over.over} of the scenarios" if over.over in ("mean", "worst") else f"in {facts.words(over.over)}"
    scenarios = ", ".join(map(facts.words, problem.scenarios))
    limits = ", ".join(dict.fromkeys(facts.words(limit.name) for limit in problem.limits)) or "none"
    return [
        f"{problem.name}: {over.sense} {aim}{f', {where}' if len(problem.scenarios) > 1 else ''}",
        f"Numbers: {', '.join(variable.path for variable in problem.variables)}",
        f"Limits: {limits}; scenarios: {scenarios}",
    ]


def show(folder: str | Path) -> None:
    """Print a design from its folder; ConfigError, in one sentence, where it is damaged."""
    design, console = facts.read(folder), terminals.terminal()
    style = "bold" if design.feasible else terminals.COLOURS["broken"]
    console.print(Text(facts.headline(design), style=style))
    console.print(Text(facts.ending(design), style="" if design.summary["status"] == "converged" else style))
    for block in _blocks(design):
        console.print()
        console.print(block)
    console.print()
    for line in _where(design):
        console.print(line, markup=False, soft_wrap=True)


def _blocks(design: Designed) -> Iterator[Table | Text]:
    """Numbers, limits, prices and measures, one under the other."""
    yield _table(("Number", "before", "after", "", "bounds"), facts.variables(design))
    limits = list(facts.headroom(design))
    if limits:
        rows = [(*row[:3], Text(row[3], style=terminals.COLOURS[row[4]])) for row in limits]
        yield _table(("Limit", "value", "bound", "margin"), rows)
    if prices := facts.paid(design):
        told = "\n".join(f"  {facts.price(design, row)}" for row in prices)
        heading = ", ".join(filter(None, ["What limits cost, at the margin", facts.estimated(design)]))
        yield Text.assemble((f"{heading}\n", "bold"), told)
    yield _table(("Measure", "before", "after", ""), facts.measures(design))


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str | Text, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if 0 < number < 3 else "left", overflow="fold")
    for first, *others in rows:
        table.add_row(Text(f"  {first}"), *(cell if isinstance(cell, Text) else Text(cell) for cell in others))
    return table


def _where(design: Designed) -> Iterator[str]:
    """How long it took, how to go on, and where the rest is."""
    told, report = design.summary, design.folder / run_folder.REPORT
    yield (
        f"{human.duration(round(told['wall_s'], 1))}; {human.whole(told['evaluations'])} evaluations with slopes, "
        f"{human.whole(told['iterations'])} iterations; KKT residual {facts.residual(design)}"
    )
    if design.feasible:
        yield from (" ".join(line) for line in facts.commands(design))
    rest = f"tables: {design.folder / '*.csv'}"
    yield f"Report: {report}; {rest}" if report.is_file() else f"Result: {design.folder} (no report.html yet); {rest}"
