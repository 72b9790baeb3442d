"""The report of a design: one self-contained page that opens offline, made from its folder alone."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path

import plotly.graph_objects as go

from twin.reporting import amounts, human, page
from twin.reporting import design_facts as facts
from twin.reporting import design_figures as figures
from twin.reporting import design_uncertainty as uncertainty
from twin.reporting.design_facts import Designed
from twin.reporting.figures import to_json
from twin.reporting.report import write_page

SLOTS = ("design", "launch", "manufacture", "economics", "deployment")
MOST_CARDS = 8  # for numbers that were chosen
PRICES = (
    "What a little more room at each limit is worth, all else solved anew: {how}. "
    "Grey: a bound of a number, as problem and not nature set it."
)
EXACT = "exact slopes, so they hold for small steps"
# Sections that need a table of their own: table, heading, note, figure.
ASKED: Mapping[str, tuple[str, str, Callable[[Designed], go.Figure]]] = {
    "pareto": (
        "What more would cost",
        "Each point is the best design at its value of the measure below; hover over it to see which.",
        figures.front,
    ),
    "elasticities": (
        "What a per cent does",
        "Of the best design anew, with each number a per cent larger, by exact slopes and prices; of the numbers that "
        "were chosen: of this design with nothing else changed. Orange raises the objective, blue lowers it.",
        figures.elasticities,
    ),
    "uncertainty": (
        "Room to the limits, of what may come",
        "Dot: the median; bar: between the quantiles that were asked for, over all samples of the uncertain numbers.",
        uncertainty.room,
    ),
    "uncertainty_limits": (
        "How often limits break",
        "Part of the samples that break each limit, with its confidence interval; one whose orbit does not close, or "
        "that no launcher carries, breaks all.",
        uncertainty.failures,
    ),
    "uncertainty_causes": (
        "What makes it uncertain",
        "Part of the variance that each number makes: its total index, which counts what it does together with others, "
        "where indices were asked for; else by slopes.",
        uncertainty.causes,
    ),
}


def write(folder: str | Path) -> Path:
    """Write report.html of a design into its folder; ConfigError, in one sentence, for a damaged file."""
    design = facts.read(folder)
    parts = {
        "title": escape(str(design.configuration.get("design", {}).get("name") or facts.words(design.summary["name"]))),
        "status": _status(design),
        "statement": _statement(design),
        "cards": "\n".join(page.card(*map(escape, entry)) for entry in _cards(design)),
        "sections": "\n".join(_sections(design)),
    }
    return write_page(design.folder, parts)


def _status(design: Designed) -> str:
    """A red line where there is no design, or where the search did not end by itself."""
    if design.summary["status"] == "converged":
        return ""
    return f'<p class="status">{escape(facts.ending(design))}</p>'


def _statement(design: Designed) -> str:
    lines = [f"<b>{escape(facts.headline(design))}</b>"]
    if design.summary["status"] == "converged":
        lines.append(escape(facts.ending(design)))
    if design.feasible:
        lines += [f"{escape(said)} <code>{escape(line)}</code>" for said, line in facts.commands(design)]
    return "<br>".join(lines)


def _cards(design: Designed) -> Iterator[tuple[str, str, str, str]]:
    """The objective, the limits that hold the design, and the numbers."""
    of = design.summary["objective"]
    value = amounts.level(design.objective, of["unit"], of["after"])
    level = "good" if design.feasible else "broken"
    yield facts.measure(design.objective), value, facts.change(design), level
    for name, value, _, margin, level in facts.headroom(design):
        if level != "good":
            yield name, value, margin, level
    numbers = list(facts.variables(design))
    for path, _, after, changed, _ in numbers if len(numbers) <= MOST_CARDS else ():
        yield path, after, changed, "none"
    told = design.summary
    evaluations = f"{human.whole(told['evaluations'])} evaluations, {human.duration(round(told['wall_s'], 1))}"
    yield "Optimality", facts.residual(design), f"KKT residual; {evaluations}", "none"


def _sections(design: Designed) -> Iterator[str]:
    """All parts of the page, the most important first; what the folder has no table for is left out."""
    note = "Green: the objective. Each number as a share of what it was."
    body = _figure("before_after", figures.before_after(design)) + _variables(design)
    yield page.section("Before and after", note, body)
    if design.summary["margins"]:
        note = "Wide: before; narrow: after. Orange: holds the design or nearly so; red: broken."
        yield page.section("Room to the limits", note, _figure("margins", figures.margins(design)))
    if paid := facts.paid(design):
        told = "".join(f"<li>{escape(facts.price(design, row))}</li>" for row in paid)
        note = PRICES.format(how=facts.estimated(design) or EXACT)
        yield page.section("What limits cost", note, f"<ul>{told}</ul>{_figure('prices', figures.prices(design))}")
    for table, (heading, note, draw) in ASKED.items():
        if table in design.tables:
            yield page.section(heading, note, _figure(table, draw(design)))
    note = "Each start of the search and where it led; the dashed line is this design, after rounding."
    yield page.section("Starts", note, _figure("starts", figures.starts(design)))
    yield from _tables(design)


def _figure(name: str, drawn: go.Figure) -> str:
    return page.figure(name, to_json(drawn), {})


def _variables(design: Designed) -> str:
    rows = [[f"<code>{escape(path)}</code>", *map(escape, cells)] for path, *cells in facts.variables(design)]
    return page.table(["", "Before", "After", "", "Bounds"], rows)


def _tables(design: Designed) -> Iterator[str]:
    """All measures, tables that others have left in the folder, and the configuration with its sources."""
    rows = [[*map(escape, row)] for row in facts.measures(design)]
    yield page.section("All measures", "design.json has them in SI.", page.table(["", "Before", "After", ""], rows))
    top = design.configuration
    folds = [page.profile_fold(slot, top[slot]) for slot in SLOTS if isinstance(top.get(slot), Mapping)]
    if folds:
        yield page.section("Problem", "What was asked, each number with its source.", "\n".join(folds))
    note = "The satellite before and its surroundings, each number with its source."
    cohorts = {"before": {slot: values for slot, values in top.items() if slot not in (*SLOTS, "scenarios")}}
    simulated = page.Facts({}, {**top, "cohorts": cohorts}, "finished", {})
    yield page.section("Satellite and simulation", note, page.configuration(simulated))
    versions = [[escape(name), escape(str(number))] for name, number in design.summary["versions"].items()]
    yield page.section("Versions", "", page.table(["", ""], versions))
