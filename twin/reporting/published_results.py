"""Published studies and costs beside those of deployments, for the page of conclusions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kernels.economics.finance import HOURS_PER_YEAR
from twin.deployment.studies import LAST_LINE, PublishedCost
from twin.reporting import deployment_facts as facts
from twin.reporting import human
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.markdown import table

STEPS = 3  # of a waterfall that are shown
MASS = "specific_mass"
DEAR = 2.0  # times the published price of chips
HEADLINES = {"starcloud": "space_usd"}  # the printed number that stands for the cost in orbit, if not "orbit"


class Published(NamedTuple):
    """A study beside the deployment nearest to it: costs in orbit and on the ground, as it has them and mended."""

    deployment: Deployment
    denominator: str
    recomputed: tuple[float, float]
    corrected: tuple[float, float]
    errors: tuple[str, ...]


def section(
    deployments: Mapping[str, Deployment], studies: Mapping[str, Published], costs: Sequence[PublishedCost]
) -> list[str]:
    """Studies with a result of their own, then published costs whose inputs are not public."""
    rows = [_study(name, study) for name, study in studies.items()]
    parts = ["## Published studies"]
    if rows:
        heads = ["study", "denominator", "published", "recomputed", "corrected", "ours", "largest steps to ours"]
        parts += [
            "The cost in orbit in the study's own denominator: as printed, by its own arithmetic, with its errors "
            "mended, and by the deployment of ours that is nearest to it (`experiment=published/NAME`).",
            table(heads, rows),
            *_errors(studies),
        ]
    if costs:
        heads = ["source", "quantity", "published", *(f"ours: {facts.words(name)}" for name in deployments), "remark"]
        ours = [_own_costs(of) for of in deployments.values()]
        parts += [
            "Results whose inputs are only partly public:",
            table(heads, (_cost(cost, ours) for cost in costs if cost.quantity != MASS)),
            _masses(deployments, costs),
        ]
    return parts


def _study(name: str, study: Published) -> list[str]:
    of, orbit = study.deployment, study.recomputed[0]
    values = of.numbers("waterfall", "value")
    printed, again = (
        of.numbers("study", column, quantity=HEADLINES.get(name, ORBIT)) for column in ("published", "recomputed")
    )
    published = orbit * float(printed[0] / again[0]) if printed.size else float("nan")
    lines = list(zip(of.column("waterfall", "step")[1:-1], values[1:-1], strict=True))
    largest = sorted(lines, key=lambda line: -abs(line[1]))[:STEPS]
    steps = "; ".join(f"{facts.words(str(step))} **{value:+.3g}**" for step, value in largest)
    numbers = (published, orbit, study.corrected[0], values[-1])
    return [
        facts.words(name),
        study.denominator,
        *(facts.number(x) if np.isfinite(x) else human.NOTHING for x in numbers),
        steps,
    ]


def _errors(studies: Mapping[str, Published]) -> list[str]:
    """What is wrong in a source's arithmetic, and what had to be fitted."""
    named = [f"{facts.words(name)}: {'; '.join(study.errors)}" for name, study in studies.items() if study.errors]
    fitted = []
    for name, study in studies.items():
        profile = study.deployment.configuration.get("study") or {}
        unknown = [
            f"{facts.words(key)} {facts.number(float(profile[key]))}"
            for key, source in (profile.get("sources") or {}).items()
            if "fitted" in source and key in profile
        ]
        fitted += [f"{facts.words(name)}: {', '.join(unknown)}"] if unknown else []
    words = {"Errors in the sources, mended in *corrected*": named, "Unknown inputs, fitted to the results": fitted}
    last = f"*{LAST_LINE}* is what no substitution explains: parts, chips or losses that the study does not count."
    return [last, *(f"{what}. {'. '.join(lines)}." for what, lines in words.items() if lines)]


def _masses(deployments: Mapping[str, Deployment], costs: Sequence[PublishedCost]) -> str:
    """Specific masses, published and ours."""
    told = [
        f"{cost.source} {'-'.join(dict.fromkeys(f'{kg:g}' for kg in (cost.least, cost.most)))}"
        for cost in costs
        if cost.quantity == MASS
    ]
    own = [
        f"{facts.words(name)} {human.digits(of['specific_mass_kg_per_kw'])} "
        f"({human.digits(of['specific_mass_over_life_kg_per_kw'])} over its service life)"
        for name, of in ((name, of.summary["satellite"]) for name, of in deployments.items())
    ]
    ours = f"Ours, of mean power in the first year: {'; '.join(own)}."
    return f"Specific mass, kg/kW, published: {'; '.join(told)}. {ours}"


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
    site, places = deployment.configuration["ground"][deployment.against], deployment.summary["places"]
    facility = sum(site[name] for name in ("building_usd_per_w", "cooling_usd_per_w", "electrical_usd_per_w"))
    facility += site["pue"] * site.get("connection_usd_per_w", 0.0)
    chips = chips_usd_per_w(deployment)
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


def chips_usd_per_w(deployment: Deployment) -> float:
    """Price of an accelerator with its host, per W of their power."""
    made, satellite = deployment.configuration["manufacture"], deployment.summary["satellite"]
    usd = made["accelerator_price_usd"] + made["host_price_usd"]
    return float(usd * satellite["accelerators"] / satellite["nominal_power_w"])


def dear_chips(deployments: Mapping[str, Deployment], costs: Sequence[PublishedCost]) -> list[str]:
    """Which deployments pay so much for chips that the rest hardly counts, beside what is published of them."""
    published = [cost for cost in costs if cost.quantity == "ground_compute"]
    if not published:
        return []
    most = max(published, key=lambda cost: cost.most)
    times = {name: 1e9 * chips_usd_per_w(of) / most.most for name, of in deployments.items()}
    return [
        f"{facts.words(name)} pays {ratio:.1f} times what {most.source} counts for chips ({most.most / 1e9:g} USD/W): "
        "its ratios with chips are nearer to 1 for it, those without chips are not."
        for name, ratio in times.items()
        if ratio > DEAR
    ]
