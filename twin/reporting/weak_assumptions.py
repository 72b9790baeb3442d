"""Weak assumptions of a deployment: what their ranges do to the result, and which way those without a range push."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from twin.deployment.studies import PublishedCost
from twin.reporting import deployment_facts as facts
from twin.reporting import human
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.markdown import table

LEAST = 0.03  # a range that moves the ratio by less is only counted
LABELS = {
    "deployment.launch_price_scale": "price of a launch",
    "deployment.mass_scale": "mass of satellites",
    "deployment.service_life_years": "service life",
    "deployment.stowed_density_kg_per_m3": "density of stowed satellites",
    "deployment.loss_per_year": "satellites lost",
    "deployment.operations_fraction": "operations, of the hardware",
    "deployment.ground_segment_usd_per_w_year": "ground stations",
    "deployment.insurance_fraction": "insurance",
    "deployment.commissioning_years": "commissioning",
    "launch.reference_payload_kg": "payload of the launcher, to 200 km due east",
    "launch.success_fraction": "launches that succeed",
    "manufacture.learning_rate": "saved with each doubling of the series",
    "manufacture.cell_price_usd_per_w": "solar cells",
    "manufacture.panel_price_usd_per_m2": "panels that carry them",
    "manufacture.accelerator_price_usd": "accelerator",
    "manufacture.bus_price_usd_per_kg": "bus",
    "accelerator.failure_rate_per_year": "accelerators that fail",
    "economics.discount_rate_per_year": "discount rate",
    "ground.grid.electricity_usd_per_kwh": "electricity from the grid",
    "ground.grid.pue": "PUE on the ground",
}
# Ends of names and the unit that a reader wants: factor, words.
UNITS = {
    "usd_per_w_year": (1.0, "USD/W a year"),
    "usd_per_kwh": (1.0, "USD/kWh"),
    "usd_per_kg": (1.0, "USD/kg"),
    "usd_per_m2": (1.0, "USD/m2"),
    "usd_per_w": (1.0, "USD/W"),
    "kg_per_m3": (1.0, "kg/m3"),
    "rate_per_year": (100.0, "% a year"),
    "loss_per_year": (100.0, "% a year"),
    "growth_per_year": (100.0, "% a year"),
    "launches_per_year": (1.0, "a year"),
    "learning_rate": (100.0, "%"),
    "fraction": (100.0, "%"),
    "years": (1.0, "years"),
    "usd": (1.0, "USD"),
    "kg": (1e-3, "t"),
}
SCALES = {
    "deployment.launch_price_scale": ("launch_usd_per_kg", "USD/kg"),
    "deployment.mass_scale": ("mass_kg_per_kw", "kg per nominal kW"),
}


class Variant(NamedTuple):
    """The main deployment with one assumption changed."""

    assumption: str
    change: str  # overrides
    why: str
    ratio: float
    power_w: float


def label(path: str) -> str:
    """A number in words."""
    words = facts.words(path.rpartition(".")[2])
    for ending in UNITS:
        words = words.removesuffix(f" {facts.words(ending)}")
    return LABELS.get(path, words)


def plainly(deployment: Deployment, path: str, value: float) -> str:
    """A value in its unit; a factor on launch prices or masses as what it makes of them."""
    if path in SCALES and "ladder" in deployment.tables:
        name, unit = SCALES[path]
        return f"{human.digits(value * deployment.numbers('ladder', name)[0])} {unit}"
    for ending, (factor, unit) in UNITS.items():
        if path.endswith(ending):
            return f"{human.digits(factor * value)} {unit}"
    return human.digits(value)


def section(deployment: Deployment, variants: Sequence[Variant], costs: Sequence[PublishedCost]) -> list[str]:
    """What is weak and which way it pushes."""
    parts = ["## Weak assumptions and which way they push"]
    if "tornado" in deployment.tables:
        parts += _ranges(deployment)
    if variants:
        parts += _variants(deployment, variants)
    return [*parts, *_prose(deployment, costs)]


def lean(deployment: Deployment) -> list[str]:
    """Whom the values taken favour, all in all."""
    if "tornado" not in deployment.tables:
        return []
    rows = _rows(deployment)
    orbit, ground = (sum(row[-1] == whom for row in rows) for whom in (ORBIT, "ground"))
    return [
        f"Of the {len(rows)} ranges that move the first of these by {LEAST:g} or more, {orbit} leave more room for a "
        f"dearer orbit than for a cheaper one, {ground} for a cheaper one."
    ]


def _rows(deployment: Deployment) -> list[list[str]]:
    """A row for each range that matters, the widest first."""
    names = ("low", "high", "present", "ratio", "ratio_at_low", "ratio_at_high")
    found = zip(
        map(str, deployment.column("tornado", "path")),
        *(deployment.numbers("tornado", name).tolist() for name in names),
        strict=True,
    )
    return [_range(deployment, *row) for row in found if max(abs(row[5] - row[4]), abs(row[6] - row[4])) >= LEAST]


def _ranges(deployment: Deployment) -> list[str]:
    rows = _rows(deployment)
    small = len(deployment.tables["tornado"]["path"]) - len(rows)
    heads = ["assumption", "value", "range", "ratio at low", "at high", "orbit gains when it is", "value taken favours"]
    return [
        f"Each range of `conf/analysis/full.yaml` alone, on {_ratio(deployment):.3g} as it is. A value favours "
        "orbit when most of what its range leaves open would make orbit dearer. "
        f"{small} more ranges move the ratio by less than {LEAST:g}.",
        table(heads, rows),
    ]


def _ratio(deployment: Deployment) -> float:
    return float(deployment.summary["orbit_over_ground"]["levelised_usd_per_pflop_day"])


def _range(
    deployment: Deployment, path: str, low: float, high: float, now: float, ratio: float, at_low: float, at_high: float
) -> list[str]:
    span = f"{plainly(deployment, path, low)} to {plainly(deployment, path, high)}"
    cells = [label(path), plainly(deployment, path, now), span, f"{at_low:.3g}", f"{at_high:.3g}"]
    return [*cells, better(ratio, at_low, at_high), leaning(ratio, at_low, at_high)]


def better(ratio: float, at_low: float, at_high: float) -> str:
    """Which end of a range is good for orbit, if one is better than the value taken."""
    if min(at_low, at_high) >= ratio - 1e-6:
        return "as it is"
    return "lower" if at_low < at_high else "higher"


def leaning(ratio: float, at_low: float, at_high: float) -> str:
    """Whom the value taken favours: most of its range would be worse for orbit, or better."""
    worse, gain = max(at_low, at_high) - ratio, ratio - min(at_low, at_high)
    if min(worse, gain) > 0.8 * max(worse, gain):
        return "neither"
    return "orbit" if worse > gain else "ground"


def _variants(deployment: Deployment, variants: Sequence[Variant]) -> list[str]:
    base = _ratio(deployment)
    heads = ["assumption", "change", "orbit / ground", "GW at the end", "the assumption favours", "why it is weak"]
    rows = []
    for of in variants:
        found = (f"{of.ratio:.3g}", facts.shown("last_power_w", of.power_w), pushes(base, of.ratio))
        rows.append([of.assumption, f"`{of.change}`", *found, of.why])
    return [f"What no range covers, deployed again with another assumption ({base:.3g} as it is):", table(heads, rows)]


def pushes(base: float, changed: float) -> str:
    """Whom an assumption favours whose change takes the ratio from `base` to `changed`."""
    if abs(changed / base - 1.0) < 0.005:
        return "neither"
    return "orbit" if changed > base else "ground"


def _prose(deployment: Deployment, costs: Sequence[PublishedCost]) -> Iterator[str]:
    """What is not modelled at all, with the direction that follows from leaving it out."""
    orbit = deployment.summary["places"][ORBIT]
    against = deployment.summary["places"][deployment.against]
    satellites = float(np.max(deployment.numbers("months", "units", place=ORBIT)))
    favours_orbit = (
        "**Latency and links.** Every FLOP that is delivered counts as sold, at the price on the ground; no data has "
        "to come up or down, and no job spans satellites.",
        f"**Soot, water and ozone.** The {human.whole(orbit['launches'])} launches count with their CO2e alone; black "
        "carbon and water in the stratosphere, and metals of re-entry, are left out.",
        f"**Crowding.** {human.whole(satellites)} satellites at once lose no more to debris than one, and need no "
        "slots, spectrum or licences.",
        "**Risk.** One discount rate for both: capital for an untried fleet costs what it costs for a building.",
        "**Unproven parts.** Silicon cells and carbon-fibre radiators of this size have not flown; prices of cells, "
        "radiators, bus and terminals are estimates or a single price list, for a series that does not exist.",
    )
    favours_ground = (
        "**Failed chips.** The rate counts interruptions of Llama 3's training as dead accelerators, and wear-out "
        f"is that of old ones: {_alive(deployment)}. On the ground they are replaced, in orbit they stay dead; the "
        "range above has what another rate does.",
        f"**Masses.** Satellites are summed from their parts{_heavier(deployment, costs)}.",
        "**Power on the ground.** Each site is taken to get the power that it asks for, after its queue; the ratio "
        "compares costs, not dates. Power at once would be worth "
        f"{human.digits(against['cost_of_waiting_usd'] / 1e9)} billion USD to the {facts.words(deployment.against)} "
        "(less than nothing where work earns less than it costs).",
        "**Water and land.** They have no price.",
    )
    yield "Not modelled, or not measured above. Leaving it out favours orbit:"
    yield "\n".join(f"- {words}" for words in favours_orbit)
    yield "Leaving it out, or counting it so, favours the ground:"
    yield "\n".join(f"- {words}" for words in favours_ground)


def _alive(deployment: Deployment) -> str:
    """How many accelerators still work in the last year of service."""
    alive = deployment.numbers("life", "accelerators_alive")
    year = min(round(float(deployment.configuration["deployment"]["service_life_years"])), alive.size)
    part = float(alive[year - 1]) / deployment.summary["satellite"]["accelerators"]
    return f"in year {year} {human.percent(part)} of a satellite's accelerators work"


def _heavier(deployment: Deployment, costs: Sequence[PublishedCost]) -> str:
    """How much heavier satellites are than companies state theirs."""
    satellite = deployment.summary["satellite"]
    own = 1e3 * satellite["mass_kg"] / satellite["nominal_power_w"]
    stated = [cost.least for cost in costs if cost.quantity == "specific_mass" and "company" in cost.remark]
    if not stated:
        return ""
    times = f"{own / max(stated):.1f} to {own / min(stated):.1f}"
    return f"; at {human.digits(own)} kg per nominal kW they weigh {times} times what companies state"
