"""The report of a deployment: one self-contained page that opens offline, made from its folder alone."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from twin.reporting import deployment_answers as answers
from twin.reporting import deployment_facts as facts
from twin.reporting import deployment_figures as figures
from twin.reporting import human, page
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.figures import to_json
from twin.reporting.report import write_page

SLOTS = ("deployment", "launch", "supply", "manufacture", "economics", "ground", "power_beaming", "study", "analysis")
MEASURE = "levelised_usd_per_pflop_day"
TIGHT = 1.25  # a ratio of orbit over ground up to which they are near each other

# Sections that need a table of their own: table, heading, note, figure.
Drawn = Callable[[Deployment], go.Figure]
ASKED: Mapping[str, tuple[str, str, Drawn]] = {
    "ladder": (
        "What would have to be true",
        "Changes that add up from top to bottom: each bar is the ratio with its change and all above it.",
        answers.ladder,
    ),
    "tornado": (
        "What matters most",
        "Ratio of orbit over ground when one number goes to an end of its range, all else as it is.",
        answers.tornado,
    ),
    "elasticities": (
        "What a per cent does",
        "Exact derivatives of the whole chain with the simulated satellite. Orange makes orbit dearer, blue cheaper.",
        answers.elasticities,
    ),
    "futures": (
        "What may come",
        "Numbers drawn from their ranges, the whole chain for each.",
        answers.futures,
    ),
    "capacity": (
        "What may be built",
        "Over all futures: the median as a line, the quantiles as bands.",
        answers.fan,
    ),
    "drivers": (
        "What decides between the futures",
        "Orange: more of it makes orbit dearer; blue: cheaper.",
        answers.drivers,
    ),
}
TOLD: Mapping[str, Callable[[Deployment], list[str]]] = {
    "ladder": lambda deployment: [facts.ladder_sentence(deployment)],
    "futures": facts.futures_sentences,
}


def write(folder: str | Path) -> Path:
    """Write report.html of a deployment into its folder; ConfigError, in one sentence, for a damaged file."""
    deployment = facts.read(folder)
    parts = {
        "title": escape(_title(deployment)),
        "status": "",
        "statement": _statement(deployment),
        "cards": "\n".join(page.card(*entry) for entry in _cards(deployment)),
        "sections": "\n".join(_sections(deployment)),
    }
    return write_page(deployment.folder, parts)


def _title(deployment: Deployment) -> str:
    return str(deployment.configuration.get("deployment", {}).get("name") or "Compute in orbit and on the ground")


def _statement(deployment: Deployment) -> str:
    """The verdict, then of what."""
    first, *others = deployment.summary["verdict"] or [""]
    of, design = deployment.summary["satellite"], deployment.configuration.get("satellite", {}).get("name", "")
    chips = human.si(of["nominal_power_w"], "W")
    satellite = (
        f"The satellite, {escape(str(design))}: {human.mass(of['mass_kg'])} with {chips} of chips and hosts at "
        f"{human.si(of['altitude_m'], 'm')}, simulated over its life; launched by {escape(facts.launcher(deployment))}."
    )
    return f"<b>{escape(str(first))}</b> {escape(' '.join(map(str, others)))}<br>{satellite}"


def _cards(deployment: Deployment) -> Iterator[tuple[str, str, str, str]]:
    """Key numbers, coloured by whether orbit is cheaper."""
    of, places, ratios = (deployment.summary[key] for key in ("satellite", "places", "orbit_over_ground"))
    orbit, ground = places[ORBIT], places[deployment.against]
    over = f"times {escape(facts.words(deployment.against))}"
    for metric, words in ((MEASURE, ""), (f"{MEASURE}_without_chips", ", no chips")):
        if ratio := ratios.get(metric):
            level = "good" if ratio <= 1.0 else "tight" if ratio <= TIGHT else "broken"
            usd = f"{human.digits(orbit[metric])} against {human.digits(ground[metric])} USD"
            yield f"PFLOP-day{words}, orbit over ground", f"{human.digits(ratio)} {over}", usd, level
    carbon = [place["carbon_kg_per_pflop_day"] for place in (orbit, ground)]
    if all(map(human.known, carbon)) and carbon[1] > 0.0:
        ratio, kg = carbon[0] / carbon[1], " against ".join(map(human.digits, carbon))
        yield "CO2e per PFLOP-day", f"{human.digits(ratio)} {over}", f"{kg} kg", "good" if ratio <= 1.0 else "broken"
    yield (
        "Power at the end",
        human.si(orbit["last_power_w"], "W"),
        f"at most {human.si(orbit['most_power_w'], 'W')}",
        "none",
    )
    launches = f"{human.whole(orbit['launches'])} launches"
    yield "Satellites launched", human.whole(orbit["units_launched"]), launches, "none"
    value = orbit["net_present_value_usd"]
    spent = f"{human.digits(orbit['total_usd'] / 1e9)} spent"
    yield "Net present value, billion USD", human.digits(value / 1e9), spent, "good" if value > 0 else "broken"
    mass = human.quantity("kg_per_kw", of["specific_mass_kg_per_kw"])
    yield "Satellite", human.mass(of["mass_kg"]), mass, "none"
    yield "Sunlit", human.percent(of["sunlit_fraction"]), "of the time, simulated", "none"


def _sections(deployment: Deployment) -> Iterator[str]:
    """All parts of the page, the most important first; what the folder has no table for is left out."""
    yield _pictured("comparison", "Orbit over ground", _comparison_note(deployment), figures.comparison(deployment))
    target_w = deployment.configuration.get("deployment", {}).get("target_power_w")
    note = "Accelerators that work, with their hosts, at full load. Bars: what limits the launches of each year."
    yield _pictured("course", "How much gets built", note, figures.capacity(deployment, target_w))
    note = "All that is paid over all work that is done; satellites and machines that are left at the end count back."
    yield _pictured("breakdown", "What a PFLOP-day is made of", note, figures.breakdown(deployment))
    curves, options = figures.cost_curves(deployment)
    note = "Cost of a satellite, or a unit on the ground, over its own life, by the month in which it is placed."
    yield page.section("How costs develop", note, page.figure("curves", to_json(curves), options))
    yield from _asked(deployment)
    yield from _study(deployment)
    yield from _physical(deployment)
    yield from _tables(deployment)


def _pictured(name: str, heading: str, note: str, figure: go.Figure) -> str:
    return page.section(heading, note, page.figure(name, to_json(figure), {}))


def _comparison_note(deployment: Deployment) -> str:
    return (
        f"Every denominator of cost, on a logarithmic scale; large: over {escape(facts.words(deployment.against))}. "
        "Levelised costs are present values of costs over present values of work."
    )


def _asked(deployment: Deployment) -> Iterator[str]:
    """Parity, its maps, ladder, sensitivities and futures, each where it was asked."""
    if "parity" in deployment.tables:
        note = "The value that one number would need for orbit to cost as much as the ground, all else as it is."
        yield page.section("Break-even", note, _parity(deployment))
    for name in answers.maps(deployment):
        heading = f"Parity over {escape(facts.words(name.removeprefix(answers.MAP)))}"
        note = "Blue: orbit is cheaper. The line is parity. White: no satellite with these numbers flies."
        yield _pictured(name, heading, note, answers.parity_map(deployment, name))
    for name, (heading, note, draw) in ASKED.items():
        if name in deployment.tables:
            told = escape(" ".join(TOLD[name](deployment))) if name in TOLD else ""
            yield _pictured(name, heading, f"{note} {told}".strip(), draw(deployment))


def _parity(deployment: Deployment) -> str:
    rows = [
        [f"<code>{escape(path)}</code>", escape(now), escape(words), factor]
        for path, now, words, factor in facts.parity_rows(deployment)
    ]
    return page.table(["", "Now", "Break-even", "Times what it is"], rows)


def _study(deployment: Deployment) -> Iterator[str]:
    """A published study: its numbers recomputed, and the way from its result to ours."""
    if "waterfall" in deployment.tables:
        note = "Our values in place of the study's, one after the other, then its errors mended; the last bar is ours."
        yield _pictured("waterfall", "From a published study to here", note, answers.waterfall(deployment))
    if "study" in deployment.tables:
        table = deployment.tables["study"]
        rows = zip(*([_cell(value) for value in column] for column in table.values()), strict=True)
        head = [escape(facts.words(name)).capitalize() for name in table]
        note = "Each number of the study as published, recomputed from its own inputs, and with its errors mended."
        yield page.section("The study's numbers", note, page.table(head, rows))


def _physical(deployment: Deployment) -> Iterator[str]:
    note = "Demand of the deployment over what the world makes of each in that year. Red: this limits launches."
    yield _pictured("supply", "Supply chain", note, figures.supply(deployment))
    note = "Launched, lost, failed and retired, month by month; each colour is a year of launch."
    yield _pictured("vintages", "Satellites in orbit", note, figures.vintages(deployment))
    note = "From the simulation of the satellite over its life: orbit, radiation, heat, failures and servicing."
    rows = [[escape(name), escape(value)] for name, value in facts.satellite(deployment).items()]
    body = page.figure("life", to_json(figures.life(deployment)), {}) + page.table(["", ""], rows)
    yield page.section("Life of a satellite", note, body)


def _tables(deployment: Deployment) -> Iterator[str]:
    """All numbers side by side, and the assumptions with their sources."""
    places = [escape(facts.words(place)) for place in deployment.places]
    rows: list[list[str]] = []
    for group, metrics in facts.groups(deployment).items():
        rows.append([f"<b>{escape(group)}</b>", *("" for _ in places), ""])
        rows += [[escape(label), *facts.cells(deployment, metric)] for metric, label in metrics.items()]
    head = ["", *places, f"orbit / {escape(facts.words(deployment.against))}"]
    yield page.section("All numbers", "metrics.csv has them in SI.", page.table(head, rows))
    top = deployment.configuration
    folds = [
        page.profile_fold(slot, top[slot]) for slot in SLOTS if slot != "ground" and isinstance(top.get(slot), Mapping)
    ]
    folds += [page.profile_fold(f"ground.{name}", site) for name, site in (top.get("ground") or {}).items()]
    note = "What was assumed, each number with its source."
    yield page.section("Assumptions", note, "\n".join(folds))
    simulated = page.Facts({}, top, "finished", {})
    yield page.section("Satellite and simulation", note, page.configuration(simulated))


def _cell(value: Any) -> str:
    return facts.number(value) if human.known(value) else escape(str(value))
