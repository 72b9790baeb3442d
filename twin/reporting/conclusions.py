"""The page of conclusions: what deployments and published studies come to, for whoever has to decide."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from twin.deployment.studies import PublishedCost
from twin.reporting import deployment_facts as facts
from twin.reporting import human, published_results, weak_assumptions
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.markdown import table
from twin.reporting.published_results import Published
from twin.reporting.weak_assumptions import Variant, label, plainly

MEASURE = "levelised_usd_per_pflop_day"
CHANGED = "what no range covers"
PRICE = "deployment.launch_price_scale"
DRIVERS = 6  # that are shown, of what decides futures
# Rows of the table of deployments: label, metric, whether the site that orbit is compared with has it too.
ROWS = (
    ("Power at the end, GW", "last_power_w", True),
    ("Years to 1 GW", "years_to_1_gw", True),
    ("Years to 10 GW", "years_to_10_gw", True),
    ("Years to 100 GW", "years_to_100_gw", True),
    ("Delivered power over nominal", "delivered_fraction", True),
    ("Invested, USD per W nominal", "usd_per_w_nominal", True),
    ("Invested, USD per W delivered", "usd_per_w_delivered", True),
    ("USD per kWh at the chips", "levelised_usd_per_kwh", True),
    ("USD per PFLOP-day", MEASURE, True),
    ("the same without chips", f"{MEASURE}_without_chips", True),
    ("Net present value, billion USD", "net_present_value_usd", True),
    ("CO2e, kg per PFLOP-day", "carbon_kg_per_pflop_day", True),
    ("Launches", "launches", False),
    ("Launched, thousand t", "launched_kg", False),
)
# Columns of the table of places: head, metric.
PLACES = {
    "GW at the end": "last_power_w",
    "years to 10 GW": "years_to_10_gw",
    "to 100 GW": "years_to_100_gw",
    "USD/W nominal": "usd_per_w_nominal",
    "USD/kWh": "levelised_usd_per_kwh",
    "CO2e, kg/PFLOP-day": "carbon_kg_per_pflop_day",
}


class Found(NamedTuple):
    """All that the page tells of; `deployments` and `studies` by name, the first deployment is the main one."""

    deployments: Mapping[str, Deployment]
    studies: Mapping[str, Published]
    costs: Sequence[PublishedCost]
    variants: Sequence[Variant]
    seconds: Mapping[str, float]  # of each experiment
    made: str  # date and versions


def page(found: Found) -> str:
    """The page in Markdown."""
    main = next(iter(found.deployments.values()))
    parts = [
        "# What the twin concludes about compute in orbit",
        f"Written by `python scripts/conclusions.py`, {found.made}. Every number is computed; change an assumption and "
        "run it again. Costs are levelised, in USD of 2026, unless said; *orbit / ground* compares with the "
        f"{facts.words(main.against)}.",
        *_answer(found),
        *_deployments(found),
        *_parity(found),
        *_uncertainty(found),
        *published_results.section(found.deployments, found.studies, found.costs),
        *weak_assumptions.section(main, found.variants, found.costs),
        *_commands(found),
    ]
    return "\n\n".join(parts) + "\n"


def against_ground(ratio: float) -> str:
    """A ratio of costs in words."""
    if not np.isfinite(ratio):
        return "cannot be compared with the ground"
    if 0.995 <= ratio < 1.005:
        return "costs as much as the ground"
    if ratio >= 1.995:
        return f"is {ratio:.1f} times as dear as the ground"
    return f"is {100.0 * abs(ratio - 1.0):.0f} % {'dearer' if ratio > 1.0 else 'cheaper'} than the ground"


def ratio_of(deployment: Deployment, metric: str = MEASURE) -> float:
    """Orbit over ground; NaN where it has no value."""
    return float(deployment.summary["orbit_over_ground"].get(metric, float("nan")))


def _answer(found: Found) -> list[str]:
    """The result in plain words."""
    ratios = [ratio_of(deployment) for deployment in found.deployments.values()]
    dear = sum(ratio > 1.0 for ratio in ratios)
    lead = (
        f"Work done in orbit is dearer than on the ground in {_share(dear, len(ratios))} deployments: "
        f"{min(ratios):.3g} to {max(ratios):.3g} times per PFLOP-day, chips included."
    )
    bullets = "\n".join(_one_answer(name, of) for name, of in found.deployments.items())
    return ["## The answer", lead, bullets, *weak_assumptions.lean(next(iter(found.deployments.values())))]


def _share(some: int, every: int) -> str:
    return {0: "none of the", every: f"all {every}"}.get(some, f"{some} of {every}")


def _one_answer(name: str, deployment: Deployment) -> str:
    reached, binding, *_ = deployment.summary["verdict"]
    orbit, ground = (deployment.summary["places"][place][MEASURE] for place in (ORBIT, deployment.against))
    parts = [
        f"- **{facts.words(name)}** ({facts.launcher(deployment)}): a PFLOP-day in orbit "
        f"{against_ground(ratio_of(deployment))} ({human.digits(orbit)} and {human.digits(ground)} USD).",
        str(reached),
        str(binding),
    ]
    if "ladder" in deployment.tables:
        parts.append(facts.ladder_sentence(deployment))
    if "futures" in deployment.tables:
        parts.append(_futures_sentence(deployment))
    return " ".join(parts)


def _singly(deployment: Deployment) -> str:
    """Which numbers reach parity alone, and what the price of a launch can do."""
    paths, values = deployment.column("parity", "path"), deployment.numbers("parity", "value")
    enough = [
        f"{label(str(path))} at {plainly(deployment, str(path), value)}"
        for path, value in zip(paths, values, strict=True)
        if np.isfinite(value)
    ]
    found = f"Alone, {' or '.join(enough) or 'none of the numbers searched'} would bring parity."
    if PRICE in paths and not np.isfinite(deployment.numbers("parity", "value", path=PRICE)[0]):
        found += f" With launches for next to nothing it is {_at_low(deployment, PRICE):.3g} times."
    return found


def _at_low(deployment: Deployment, path: str) -> float:
    return float(deployment.numbers("parity", "ratio_at_low", path=path)[0])


def _futures_sentence(deployment: Deployment) -> str:
    of = _futures(deployment)
    return (
        f"In {of['Futures']} futures it is {of['Orbit over ground, median']} times in the median "
        f"({of['in the middle 90 %']} in the middle 90 %); {_some(of['Probability of parity'])} of them reach parity, "
        f"in {_some(of['Probability of a crossover'])} a new satellite ever beats a new unit on the ground."
    )


def _some(percent: str) -> str:
    return "none" if percent == human.percent(0.0) else percent


def _deployments(found: Found) -> list[str]:
    """The deployments beside each other, every denominator, and every place."""
    every = found.deployments
    rows = [["Launcher", *map(facts.launcher, every.values())]]
    rows += [["Satellite", *(_satellite(of) for of in every.values())]]
    rows += [["Target, GW", *(human.digits(_target_gw(of)) for of in every.values())]]
    rows += [["What holds it back", *(_binding(of) for of in every.values())]]
    chips = [published_results.chips_usd_per_w(of) for of in every.values()]
    rows += [["Accelerators and hosts at first, USD per W", *map(human.digits, chips)]]
    rows += [[name, *(_pair(of, metric, both) for of in every.values())] for name, metric, both in ROWS]
    heads = ["", *map(facts.words, every)]
    return [
        "## The deployments",
        "Orbit / ground. Invested is what a new unit takes: a satellite in orbit, or a building, each with its chips; "
        "a satellite lasts as long as its chips, a building for several generations of them.",
        table(heads, rows),
        *published_results.dear_chips(every, found.costs),
        "Orbit over ground in every denominator, levelised (undiscounted):",
        table(heads, _denominators(every.values())),
        f"Every place, on the ground and with power beamed from orbit ({facts.words(next(iter(every)))}):",
        _places(every),
    ]


def _pair(deployment: Deployment, metric: str, both: bool) -> str:
    """A metric in orbit and on the ground; nothing for years to more than the target."""
    places = deployment.summary["places"]
    if metric.startswith("years_to") and float(metric.split("_")[2]) > _target_gw(deployment):
        return human.NOTHING
    shown = [facts.shown(metric, places[place].get(metric)) for place in (ORBIT, deployment.against)]
    return " / ".join(shown) if both else shown[0]


def _satellite(deployment: Deployment) -> str:
    of = deployment.summary["satellite"]
    return (
        f"{human.si(of['nominal_power_w'], 'W')}, {human.mass(of['mass_kg'])}, "
        f"{human.digits(of['satellite_usd_per_w'])} USD/W without chips, {human.digits(of['launch_usd_per_kg'])} "
        "USD/kg to its orbit"
    )


def _target_gw(deployment: Deployment) -> float:
    return float(deployment.configuration["deployment"]["target_power_w"]) / 1e9


def _binding(deployment: Deployment) -> str:
    names, counts = np.unique(deployment.column("months", "binding", place=ORBIT), return_counts=True)
    held = sorted(zip(-counts, names, strict=True))
    return ", ".join(f"{facts.words(str(name))} in {-count} months" for count, name in held if name != "target") or "-"


def _denominators(every: Iterable[Deployment]) -> list[list[str]]:
    every = list(every)
    rows = []
    for work, words in facts.WORK.items():
        for chips, less in facts.CHIPS.items():
            name = f"usd_per_{work}{chips}"
            cells = [f"{ratio_of(of, f'levelised_{name}'):.3g} ({ratio_of(of, f'total_{name}'):.3g})" for of in every]
            rows.append([f"per {words}{less}", *cells])
    for watt in ("nominal", "delivered"):
        for chips, less in facts.CHIPS.items():
            name = f"usd_per_w_{watt}{chips}"
            rows.append([f"per W {watt}{less}", *(f"{ratio_of(of, name):.3g}" for of in every)])
    return rows


def _places(every: Mapping[str, Deployment]) -> str:
    """All of the main deployment, and the cost of work in the others."""
    main = next(iter(every.values()))
    heads = ["", *PLACES, *(f"USD/PFLOP-day, {facts.words(name)}" for name in every)]
    rows = []
    for place in main.places:
        own = [facts.shown(metric, main.summary["places"][place].get(metric)) for metric in PLACES.values()]
        rows.append([facts.words(place), *own, *(_work_usd(of, place) for of in every.values())])
    return table(heads, rows)


def _work_usd(deployment: Deployment, place: str) -> str:
    """Cost of a PFLOP-day; nothing where no unit was ever placed."""
    value = deployment.summary["places"].get(place, {}).get(MEASURE)
    return human.digits(value) if human.known(value) and value > 0.0 else human.NOTHING


def _parity(found: Found) -> list[str]:
    """Break-even values of single numbers, and the ladder."""
    asked = {name: of for name, of in found.deployments.items() if "parity" in of.tables and "ladder" in of.tables}
    if not asked:
        return []
    heads = ["", *map(facts.words, asked)]
    paths = list(dict.fromkeys(str(path) for of in asked.values() for path in of.column("parity", "path")))
    singles = [[label(path), *(_break_even(of, path) for of in asked.values())] for path in paths]
    labels = next(iter(asked.values())).column("ladder", "label").tolist()
    ladders = [of.numbers("ladder", "ratio") for of in asked.values()]
    steps = [
        [f"{step} {words}", *(_bold(f"{ratio[step]:.3g}", ratio[step] <= 1.0) for ratio in ladders)]
        for step, words in enumerate(labels)
    ]
    return [
        "## What would have to be true",
        "One number at a time, all else as it is: its value now, and the value at which orbit costs what the ground "
        "costs; or the best ratio that any value searched reaches.",
        table(heads, singles),
        "All together, each change on top of those before it; orbit over ground (**bold**: at parity). A change that "
        "helps the ground as well, such as chips that last, can raise it.",
        table(heads, steps),
        *(f"- {facts.words(name)}: {_singly(of)} {facts.ladder_sentence(of)}" for name, of in asked.items()),
    ]


def _bold(text: str, really: bool) -> str:
    return f"**{text}**" if really else text


def _break_even(deployment: Deployment, path: str) -> str:
    if path not in deployment.column("parity", "path"):
        return human.NOTHING
    row = {
        key: float(deployment.numbers("parity", key, path=path)[0])
        for key in ("present", "low", "high", "ratio_at_low", "ratio_at_high", "value")
    }
    now = plainly(deployment, path, row["present"])
    if np.isfinite(row["value"]):
        return f"{now}; parity at **{plainly(deployment, path, row['value'])}**"
    best = "low" if row["ratio_at_low"] <= row["ratio_at_high"] else "high"
    return f"{now}; none, {row[f'ratio_at_{best}']:.3g} at {plainly(deployment, path, row[best])}"


def _uncertainty(found: Found) -> list[str]:
    """What futures say, and which numbers decide."""
    asked = {name: of for name, of in found.deployments.items() if "futures" in of.tables and "drivers" in of.tables}
    if not asked:
        return []
    told = [_futures(of) for of in asked.values()]
    rows = [[key, *(of[key] for of in told)] for key in told[0]]
    return [
        "## Uncertainty",
        "All ranges of `conf/analysis/full.yaml` drawn at once. Where the deployment as it is lies below most of its "
        "futures, its values are nearer the favourable ends of their ranges. *Crossover*: a satellite of some month "
        "is cheaper than a unit on the ground of the same month.",
        table(["", *map(facts.words, asked)], rows),
    ]


def _futures(deployment: Deployment) -> dict[str, str]:
    ratios, crossover = (deployment.numbers("futures", name) for name in ("ratio", "crossover_years"))
    told = np.isfinite(ratios)
    ratios, crossover, now = ratios[told], crossover[told], ratio_of(deployment)
    low, middle, high = np.quantile(ratios, [0.05, 0.5, 0.95]) if ratios.size else [float("nan")] * 3
    crosses = crossover[np.isfinite(crossover)]
    paths, ranks = deployment.column("drivers", "path"), deployment.numbers("drivers", "rank_correlation")
    found = {
        "Futures": human.whole(told.size),
        "Orbit over ground, median": f"{middle:.3g}",
        "in the middle 90 %": f"{low:.3g} to {high:.3g}",
        "as it is": f"{now:.3g}, dearer than {human.percent(float(np.mean(ratios < now)))} of the futures",
        "Probability of parity": human.percent(float(np.mean(ratios <= 1.0))),
        "Probability of a crossover": human.percent(crosses.size / max(ratios.size, 1)),
        "Year of the crossover, median": _calendar(deployment, float(np.median(crosses))) if crosses.size else "never",
    }
    strongest = [f"{label(str(path))} ({rank:+.2f})" for path, rank in zip(paths, ranks, strict=True)][:DRIVERS]
    return found | {"Strongest drivers (rank correlation)": "; ".join(strongest)}


def _calendar(deployment: Deployment, after_years: float) -> str:
    year, month = str(deployment.column("months", "date", place=ORBIT)[0]).split("-")
    return f"{int(year) + (int(month) - 1) / 12.0 + after_years:.0f}"


def _commands(found: Found) -> list[str]:
    """How each column is made again."""
    command = "python scripts/deploy.py experiment="
    rows = [(name, f"`{command}{name}`") for name in found.deployments]
    rows += [(name, f"`{command}published/{name} analysis=none`") for name in found.studies]
    rows += [(CHANGED, f"`{command}{next(iter(found.deployments))} analysis=none CHANGE`, one by one")]
    timed = [
        [facts.words(name), words, f"{found.seconds[name]:.0f} s" if name in found.seconds else ""]
        for name, words in rows
    ]
    return [
        "## Commands",
        "Each writes a folder with tables, a summary and a page. Times are those of this page, in one process.",
        table(["what", "command", "time"], timed),
    ]
