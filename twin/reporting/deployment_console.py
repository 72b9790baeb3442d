"""The terminal of a deployment: progress while it is worked out, then its verdict and orbit beside the ground."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from twin import run_folder
from twin.reporting import console as terminals
from twin.reporting import deployment_facts as facts
from twin.reporting import human
from twin.reporting.deployment_facts import Deployment

if TYPE_CHECKING:
    from twin.deployment.project import Project

Watch = Callable[[str, int, int], None]


@contextmanager
def progress(project: "Project") -> Iterator[Watch]:
    """Introduce a deployment and show it as it is worked out: yields what is to be told what is done, and how much."""
    console = terminals.terminal()
    for line in introduction(project):
        console.print(line, markup=False, soft_wrap=True)
    if not console.is_terminal:
        yield _plain_lines(console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        tasks: dict[str, TaskID] = {}

        def watch(what: str, done: int, total: int) -> None:
            if what not in tasks:
                for earlier in tasks.values():
                    bar.update(earlier, total=1, completed=1)
                tasks[what] = bar.add_task(what, total=None, count="")
            if total > 1:
                bar.update(tasks[what], total=total, completed=done, count=f"{human.whole(done)}/{human.whole(total)}")

        yield watch


def _plain_lines(console: Console) -> Watch:
    """A line when something begins, then one for about every tenth of it."""
    due: dict[str, Callable[[int, int], bool]] = {}

    def watch(what: str, done: int, total: int) -> None:
        if what not in due:
            due[what] = terminals.every_tenth()
            console.print(what, markup=False)
        if total > 1 and due[what](done, total):
            console.print(f"  {human.whole(done)} of {human.whole(total)}", markup=False)

    return watch


def introduction(project: "Project") -> list[str]:
    """The satellite that is simulated, then what is deployed and compared."""
    shape, numbers = project.shape, project.numbers["deployment"]
    sites = ", ".join(map(facts.words, shape.sites))
    return [
        *terminals.introduction(project.model),
        f"{human.si(float(numbers['target_power_w']), 'W')} in orbit within {shape.months / 12:g} years, satellites "
        f"that serve {float(numbers['service_life_years']):g} years, launched by {project.launcher}",
        f"Compared with {facts.words(shape.against)}; on the ground: {sites}, and power beamed from orbit",
    ]


def show(folder: str | Path) -> None:
    """Print the result of a deployment from its folder; ConfigError, in one sentence, where it is damaged."""
    deployment, console = facts.read(folder), terminals.terminal()
    for sentence in deployment.summary["verdict"]:
        console.print(Text(str(sentence), style="bold"))
    console.print()
    console.print(result_table(deployment))
    console.print()
    console.print(terminals.two_columns("Satellite, from its simulation", list(facts.satellite(deployment).items())))
    for block in _answers(deployment):
        console.print()
        console.print(block)
    console.print()
    console.print(_where(deployment), markup=False, soft_wrap=True)


def result_table(deployment: Deployment) -> Table:
    """A column per place, and the ratio of orbit over the site that it is compared with."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("", no_wrap=True)
    for place in deployment.places:
        table.add_column(facts.words(place), justify="right", overflow="fold", max_width=10)
    table.add_column(f"orbit / {facts.words(deployment.against)}", justify="right", overflow="fold", max_width=8)
    for group, metrics in facts.groups(deployment).items():
        table.add_row(Text(group, style="bold"))
        for metric, label in metrics.items():
            table.add_row(f"  {label}", *map(Text, facts.cells(deployment, metric)))
    return table


def _answers(deployment: Deployment) -> Iterator[Table | Text]:
    """What was asked besides: parity, ladder and futures, where the folder has them."""
    if "parity" in deployment.tables:
        rows = [(path, f"{now}; parity: {words}") for path, now, words, _ in facts.parity_rows(deployment)]
        yield terminals.two_columns("Break-even, all else as it is", rows)
    if "ladder" in deployment.tables:
        labels, ratios = deployment.column("ladder", "label"), deployment.numbers("ladder", "ratio")
        rows = [(f"{k} {label}", f"{ratio:.3g}") for k, (label, ratio) in enumerate(zip(labels, ratios, strict=True))]
        yield terminals.two_columns("Ladder, orbit over ground", rows)
        yield Text(facts.ladder_sentence(deployment))
    if "futures" in deployment.tables:
        yield Text("\n".join(facts.futures_sentences(deployment)))


def _where(deployment: Deployment) -> str:
    report = deployment.folder / run_folder.REPORT
    tables = f"tables: {deployment.folder / '*.csv'}"
    return (
        f"Report: {report}; {tables}"
        if report.is_file()
        else f"Result: {deployment.folder} (no report.html yet); {tables}"
    )
