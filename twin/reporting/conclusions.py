"""The page of conclusions: what deployments and published studies come to, for whoever has to decide."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernels.economics.finance import HOURS_PER_YEAR
from twin.deployment.studies import LAST_LINE, PublishedCost
from twin.reporting import deployment_facts as facts
from twin.reporting import human, weak_assumptions
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.markdown import table
from twin.reporting.weak_assumptions import Variant, label, plainly

MEASURE = "levelised_usd_per_pflop_day"
MASS = "specific_mass"
CHANGED = "what no range covers"
PRICE = "deployment.launch_price_scale"
STEPS, DRIVERS = 3, 6  # that are shown: of a waterfall, of what decides futures
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


class Published(NamedTuple):
    """A study beside the deployment nearest to it: costs in orbit and on the ground, as it has them and mended."""

    deployment: Deployment
    denominator: str
    recomputed: tuple[float, float]
    corrected: tuple[float, float]
    errors: tuple[str, ...]


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
        *_published(found),
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


def _title(name: str) -> str:
    return facts.words(name).replace("published/", "")


def _answer(found: Found) -> list[str]:
    """The result in plain words."""
    ratios = [ratio_of(deployment) for deployment in found.deployments.values()]
    dear = sum(ratio > 1.0 for ratio in ratios)
    lead = (
        f"Work done in orbit is dearer than on the ground in {_share(dear, len(ratios))} deployments: "
        f"{min(ratios):.3g} to {max(ratios):.3g} times per PFLOP-day, chips included."
    )
    return ["## The answer", lead, *(_one_answer(name, of) for name, of in found.deployments.items())]


def _share(some: int, every: int) -> str:
    return {0: "none of the", every: f"all {every}"}.get(some, f"{some} of {every}")


def _one_answer(name: str, deployment: Deployment) -> str:
    reached, binding, *_ = deployment.summary["verdict"]
    orbit, ground = (deployment.summary["places"][place][MEASURE] for place in (ORBIT, deployment.against))
    parts = [
        f"- **{_title(name)}** ({facts.launcher(deployment)}): a PFLOP-day in orbit "
        f"{against_ground(ratio_of(deployment))} ({human.digits(orbit)} and {human.digits(ground)} USD).",
        str(reached),
        str(binding),
    ]
    if "parity" in deployment.tables:
        parts.append(_singly(deployment))
    if "ladder" in deployment.tables:
        parts.append(facts.ladder_sentence(deployment))
    if "futures" in deployment.tables:
        parts.append(_futures_sentence(deployment))
    return " ".join(parts)


def _singly(deployment: Deployment) -> str:
    """Which numbers reach parity alone, and what the price of a launch can do."""
    paths, values = deployment.column("parity", "path"), deployment.numbers("parity", "value")
    enough = [label(str(path)) for path, value in zip(paths, values, strict=True) if np.isfinite(value)]
    found = f"Alone, {' or '.join(enough) or 'no number searched'} can bring parity."
    if PRICE in paths and not np.isfinite(deployment.numbers("parity", "value", path=PRICE)[0]):
        found += f" With launches for next to nothing it is {_at_low(deployment, PRICE):.3g} times."
    return found


def _at_low(deployment: Deployment, path: str) -> float:
    return float(deployment.numbers("parity", "ratio_at_low", path=path)[0])


def _futures_sentence(deployment: Deployment) -> str:
    of = _futures(deployment)
    return (
        f"In {of['Futures']} futures it is {of['Orbit over ground, median']} times in the median "
        f"({of['in the middle 90 %']} in the middle 90 %); {of['Probability of parity']} reach parity, "
        f"{of['Probability of a crossover']} a crossover."
    )


def _deployments(found: Found) -> list[str]:
    """The deployments beside each other, every denominator, and every place."""
    every = found.deployments
    rows = [["Launcher", *map(facts.launcher, every.values())]]
    rows += [["Satellite", *(_satellite(of) for of in every.values())]]
    rows += [["Target, GW", *(_target(of) for of in every.values())]]
    rows += [["What holds it back", *(_binding(of) for of in every.values())]]
    rows += [[name, *(_pair(of, metric, both) for of in every.values())] for name, metric, both in ROWS]
    heads = ["", *map(_title, every)]
    return [
        "## The deployments",
        "Orbit / ground. A watt is one of accelerators and hosts that is placed, renewals included: a satellite is "
        "bought with every generation of chips, a building on the ground serves several.",
        table(heads, rows),
        "Orbit over ground in every denominator, levelised (undiscounted):",
        table(heads, _denominators(every.values())),
        f"Every place, on the ground and with power beamed from orbit ({_title(next(iter(every)))}):",
        _places(every),
    ]


def _pair(deployment: Deployment, metric: str, both: bool) -> str:
    places = deployment.summary["places"]
    shown = [facts.shown(metric, places[place].get(metric)) for place in (ORBIT, deployment.against)]
    return " / ".join(shown) if both else shown[0]


def _satellite(deployment: Deployment) -> str:
    of = deployment.summary["satellite"]
    return (
        f"{human.si(of['nominal_power_w'], 'W')}, {human.mass(of['mass_kg'])}, "
        f"{human.digits(of['satellite_usd_per_w'])} USD/W without chips, {human.digits(of['launch_usd_per_kg'])} "
        "USD/kg to its orbit"
    )


def _target(deployment: Deployment) -> str:
    return human.digits(float(deployment.configuration["deployment"]["target_power_w"]) / 1e9)


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
    heads = ["", *PLACES, *(f"USD/PFLOP-day, {_title(name)}" for name in every)]
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
    heads = ["", *map(_title, asked)]
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
        "All together, each change on top of those before it; orbit over ground (**bold**: at parity):",
        table(heads, steps),
        *(f"{_title(name)}: {facts.ladder_sentence(of)}" for name, of in asked.items()),
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
        table(["", *map(_title, asked)], rows),
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


def _published(found: Found) -> list[str]:
    """Studies with a result of their own, then published costs whose inputs are not public."""
    rows = [_study(name, study) for name, study in found.studies.items()]
    parts = ["## Published studies"]
    if rows:
        heads = ["study", "denominator", "published", "recomputed", "corrected", "ours", "largest steps to ours"]
        parts += [
            "The cost in orbit in the study's own denominator: as printed, by its own arithmetic, with its errors "
            "mended, and by the deployment of ours that is nearest to it (`experiment=published/NAME`).",
            table(heads, rows),
            *_errors(found),
        ]
    if found.costs:
        heads = ["source", "quantity", "published", *(f"ours: {_title(name)}" for name in found.deployments), "remark"]
        ours = [_own_costs(of) for of in found.deployments.values()]
        parts += [
            "Results whose inputs are only partly public:",
            table(heads, (_cost(cost, ours) for cost in found.costs if cost.quantity != MASS)),
            _masses(found),
        ]
    return parts


def _study(name: str, study: Published) -> list[str]:
    of, orbit = study.deployment, study.recomputed[0]
    values = of.numbers("waterfall", "value")
    pairs = zip(of.numbers("study", "published"), of.numbers("study", "recomputed"), strict=True)
    printed = next((value for value, again in pairs if abs(again - orbit) <= 1e-6 * abs(orbit)), float("nan"))
    lines = list(zip(of.column("waterfall", "step")[1:-1], values[1:-1], strict=True))
    largest = sorted(lines, key=lambda line: -abs(line[1]))[:STEPS]
    steps = "; ".join(f"{facts.words(str(step))} **{value:+.3g}**" for step, value in largest)
    numbers = (printed, orbit, study.corrected[0], values[-1])
    return [
        _title(name),
        study.denominator,
        *(facts.number(x) if np.isfinite(x) else human.NOTHING for x in numbers),
        steps,
    ]


def _errors(found: Found) -> list[str]:
    """What is wrong in a source's arithmetic, and what had to be fitted."""
    named = [f"{_title(name)}: {'; '.join(study.errors)}" for name, study in found.studies.items() if study.errors]
    fitted = []
    for name, study in found.studies.items():
        profile = study.deployment.configuration.get("study") or {}
        unknown = [
            f"{facts.words(key)} {facts.number(float(profile[key]))}"
            for key, source in (profile.get("sources") or {}).items()
            if "fitted" in source and key in profile
        ]
        fitted += [f"{_title(name)}: {', '.join(unknown)}"] if unknown else []
    words = {"Errors in the sources, mended in *corrected*": named, "Unknown inputs, fitted to the results": fitted}
    last = f"*{LAST_LINE}* is what no substitution explains: parts, chips or losses that the study does not count."
    return [last, *(f"{what}. {'. '.join(lines)}." for what, lines in words.items() if lines)]


def _masses(found: Found) -> str:
    """Specific masses, published and ours."""
    told = [
        f"{cost.source} {'-'.join(dict.fromkeys(f'{kg:g}' for kg in (cost.least, cost.most)))}"
        for cost in found.costs
        if cost.quantity == MASS
    ]
    own = [
        f"{_title(name)} {human.digits(of['specific_mass_kg_per_kw'])} "
        f"({human.digits(of['specific_mass_over_life_kg_per_kw'])} over its service life)"
        for name, of in ((name, of.summary["satellite"]) for name, of in found.deployments.items())
    ]
    return f"Specific mass, kg/kW, published: {'; '.join(told)}. Ours: {'; '.join(own)}."


def _cost(cost: PublishedCost, ours: Sequence[Mapping[str, tuple[float, ...]]]) -> list[str]:
    scale, unit = (1e-9, f"B{cost.unit}") if cost.least > 1e8 and "GW" in cost.unit else (1.0, cost.unit)
    scale, unit = (1e-6, f"M{unit}") if unit.startswith("USD/MW") else (scale, unit)

    def shown(values: Iterable[float]) -> str:
        return "-".join(dict.fromkeys(human.digits(scale * value) for value in values))

    own = [shown(of[cost.quantity]) if cost.quantity in of else human.NOTHING for of in ours]
    published = f"{shown((cost.least, cost.most))} {unit}".strip()
    return [f"{cost.source}, {cost.year}", facts.words(cost.quantity), published, *own, cost.remark]


def _own_costs(deployment: Deployment) -> dict[str, tuple[float, ...]]:
    """Ours of the published quantities: prices of the first month, and what running and all the rest came to."""
    site, made = deployment.configuration["ground"][deployment.against], deployment.configuration["manufacture"]
    satellite, places = deployment.summary["satellite"], deployment.summary["places"]
    facility = sum(site[name] for name in ("building_usd_per_w", "cooling_usd_per_w", "electrical_usd_per_w"))
    facility += site["pue"] * site.get("connection_usd_per_w", 0.0)
    per_chip_w = satellite["nominal_power_w"] / satellite["accelerators"]
    chips = (made["accelerator_price_usd"] + made["host_price_usd"]) / per_chip_w
    running = sum(
        float(np.sum(deployment.numbers("costs", "usd", place=deployment.against, item=item)[-12:]))
        for item in ("energy", "operations")
    )

    def each_year(place: str, kind: str) -> float:
        of = places[place]
        return of[f"{kind}_usd_per_kwh"] * of["delivered_fraction"] * HOURS_PER_YEAR / 1e3

    ratios = [value for value in deployment.summary["orbit_over_ground"].values() if np.isfinite(value)]
    return {
        "ground_capex": (1e9 * (facility + chips),),
        "ground_compute": (1e9 * chips,),
        "ground_construction": (1e9 * facility,),
        "ground_operations": (1e9 * running / places[deployment.against]["last_power_w"],),
        "ground_total": (1e9 * each_year(deployment.against, "levelised"),),
        "orbit_cost_20_years": (20e6 * each_year(ORBIT, "total"),),
        "ground_cost_20_years": (20e6 * each_year(deployment.against, "total"),),
        "orbit_over_ground": (min(ratios), max(ratios)),
    }


def _commands(found: Found) -> list[str]:
    """How each column is made again."""
    command = "python scripts/deploy.py experiment="
    rows = [(name, f"`{command}{name}`") for name in found.deployments]
    rows += [(name, f"`{command}published/{name} analysis=none`") for name in found.studies]
    rows += [(CHANGED, f"`{command}{next(iter(found.deployments))} analysis=none CHANGE`, one by one")]
    timed = [
        [_title(name), words, f"{found.seconds[name]:.0f} s" if name in found.seconds else ""] for name, words in rows
    ]
    return [
        "## Commands",
        "Each writes a folder with tables, a summary and a page. Times are those of this page, in one process.",
        table(["what", "command", "time"], timed),
    ]
