"""The words and tables of the report, as HTML."""

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

from twin.reporting import human
from twin.reporting.meanings import meaning

SERIES_NOTE = (
    "One satellite, or the fleet: its median as a line, the middle 90 % of satellites as a band, the extremes dotted. "
)
POINTS_NOTE = (
    "Dashed lines are limits. The orbit shown is the darkest of the run. Powers, compute and sunlit fraction are means "
    "over the interval that ends at the point, the others values at its end."
)
ENERGY_NOTE = (
    "Energy of the whole run and fleet. All electricity ends as heat; the work is what it leaves behind. "
    "Albedo and the Earth's infrared count on every surface, sunlight also where no cell lies."
)
RUN_SLOTS = (
    "time",
    "workload",
    "scheduler",
    "ground_network",
    "environment",
    "atmosphere",
    "operations",
    "precision",
    "distributed",
    "output",
)


class Facts(NamedTuple):
    """What the words are made of; `summary` is empty for a run that did not finish."""

    summary: Mapping[str, Any]
    configuration: Mapping[str, Any]
    status: str
    sizes: Mapping[str, float]
    reached: str = ""  # last instant simulated
    failure: str = ""

    @property
    def fleet(self) -> Mapping[str, Any]:
        """Numbers of the whole fleet."""
        return self.summary.get("fleet", {})

    @property
    def cohorts(self) -> Mapping[str, Mapping[str, Any]]:
        """Configuration of each cohort."""
        return self.configuration.get("cohorts") or {}


def title(facts: Facts) -> str:
    """Heading of the page."""
    designs = f"the {_listed(facts.cohorts)} design{'s' if len(facts.cohorts) > 1 else ''}"
    return escape(f"{count(facts.sizes['satellites'])} of {designs}")


def count(satellites: float) -> str:
    """A number of satellites in words."""
    return "1 satellite" if satellites == 1 else f"{human.whole(satellites)} satellites"


def _listed(names: Iterable[str]) -> str:
    *most, last = [*names] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _sampling(time: Mapping[str, Any]) -> str:
    if time.get("weight", 1) == 1:
        return ""
    windows = math.ceil(time["duration_s"] / (time["weight"] * time["chunk_s"]))
    share = windows * (time["chunk_s"] + time["settle_s"]) / time["duration_s"]
    return f", by windows of {human.duration(time['chunk_s'])}: with their settling {share:.1%} of that time"


def status(facts: Facts) -> str:
    """A red line for a run that failed or stopped."""
    if facts.status == "finished" and facts.summary:
        return ""
    word = _STATUS.get(facts.status, "No summary was written")
    written, planned = facts.sizes["frames"], facts.sizes["frames_planned"]
    until = f", up to {facts.reached}," if facts.reached else ""
    frames = f"{written:.0f} of {planned:.0f} frames{until} were written, and only they are shown."
    reason = f" {escape(facts.failure)}" if facts.failure else ""
    return f'<p class="status">{word}: {frames}{reason}</p>'


_STATUS = {"failed": "This run failed", "running": "This run has not finished", "stopped": "This run was stopped"}


def kept(satellites: int, of: int) -> str:
    """Which satellites telemetry holds, where it is not all of them."""
    return f"Telemetry holds {count(satellites)} of {human.whole(of)}, evenly spread. " if satellites < of else ""


def quantiles_note(shares: Mapping[str, float]) -> str:
    """How the quantiles of the fleet are drawn."""
    percent = {word: f"{100 * share:.4g}" for word, share in shares.items()}
    return (
        "The fleet, by the share of its satellites that lie below: {median} % as a line, {low} to {high} % as a band, "
        "{lowest} and {highest} % dotted. "
    ).format(**percent)


def altitude(sizes: Mapping[str, float]) -> str:
    """Altitude of the fleet in words; empty without telemetry."""
    if "altitude_min_m" not in sizes:
        return ""
    low, high = sizes["altitude_min_m"] / 1e3, sizes["altitude_max_m"] / 1e3
    return f"{low:.0f} km" if high - low < 1 else f"{low:.0f} to {high:.0f} km"


def statement(facts: Facts) -> str:
    """What was simulated and what came out, in plain English."""
    time, sizes, fleet = facts.configuration.get("time", {}), facts.sizes, facts.fleet
    orbits = dict.fromkeys(str(c.get("orbit", {}).get("name", "")) for c in facts.cohorts.values())
    height = altitude(sizes)
    start = escape(str(time.get("start", "")).replace("T", " "))
    words = (
        f"{count(sizes['satellites'])} in orbit{f' at {height}' if height else ''} ({escape('; '.join(orbits))}), "
        f"simulated for {human.duration(time.get('duration_s'))} from {start} UTC in steps of "
        f"{human.duration(time.get('step_s'))}{_sampling(time)}."
    )
    return words + (_outcome(fleet) if fleet else "")


def _outcome(fleet: Mapping[str, Any]) -> str:
    who = "It" if fleet["satellites"] == 1 else "The fleet"
    share = fleet["mean_compute_rate_flops"] / max(fleet["nominal_compute_rate_flops"], 1.0)
    return (
        f" {who} spent {human.percent(fleet['sunlit_fraction'])} of the time in sunlight and delivered "
        f"<b>{human.flops(fleet['mean_compute_rate_flops'])}</b> on average, {human.percent(share)} of what its "
        f"accelerators give at the power cap: {human.flop(fleet['delivered_flop'])} in all. "
        f"What holds it back: <b>{escape(binding(fleet))}</b> ({escape(str(fleet['binding_reason']))})."
    )


def binding(fleet: Mapping[str, Any]) -> str:
    """What binds, in words."""
    limit = str(fleet["binding_limit"])
    return "nothing but the demand" if limit == "demand" else limit


def cards(facts: Facts) -> str:
    """Key numbers, coloured by how near their limits are."""
    fleet = facts.fleet
    if not fleet:
        return ""
    duration_s = facts.summary["run"]["duration_s"]
    shed = fleet["shed_energy_j"] / max(fleet["accelerator_energy_j"], 1.0)
    cap = human.si(fleet["nominal_power_w"], "W")
    entries = [
        ("Compute, mean", human.flops(fleet["mean_compute_rate_flops"]), human.flop(fleet["delivered_flop"]), "none"),
        (
            "Chips and hosts, mean",
            human.si(fleet["accelerator_energy_j"] / duration_s, "W"),
            f"{cap} at the cap",
            "none",
        ),
        ("Array, mean", human.si(fleet["array_energy_j"] / duration_s, "W"), f"{_curtailed(fleet)} curtailed", "none"),
        ("Mass", human.mass(fleet["mass_kg"]), human.quantity("kg_per_kw", fleet["specific_mass_kg_per_kw"]), "none"),
        *((limit.label, *_split(limit, fleet), human.level(limit, fleet)) for limit in human.limits_of(fleet)),
        (
            "Throttled by heat",
            human.percent(fleet["throttled_fraction"]),
            "of the time",
            _of_none(fleet["throttled_fraction"]),
        ),
        ("Shed for lack of power", human.percent(shed), "of the accelerators' energy", _of_none(shed)),
    ]
    return "\n".join(card(*entry) for entry in entries)


def _curtailed(fleet: Mapping[str, Any]) -> str:
    return human.percent(fleet["curtailed_energy_j"] / max(fleet["array_energy_j"] + fleet["curtailed_energy_j"], 1.0))


def _split(limit: human.Limit, fleet: Mapping[str, Any]) -> tuple[str, str]:
    value, _, kelvin = human.reached(limit, fleet).partition(" (")
    return value, human.margin(limit, fleet) or kelvin.removesuffix(")")


def _of_none(fraction: float) -> str:
    return "good" if fraction < 1e-3 else "tight" if fraction < 0.05 else "broken"


def card(label: str, value: str, note: str, level: str) -> str:
    """A key number; `level` colours it: good, tight, broken or none."""
    return f'<div class="card {level}"><small>{label}</small><b>{value}</b><small>{note}</small></div>'


def common_limits(summary: Mapping[str, Any]) -> dict[str, float]:
    """Limits that all cohorts share, by the key of the extreme that they bound; recovered from the margins."""
    found: dict[str, float] = {}
    for limit in human.LIMITS:
        sign = 1.0 if limit.value.startswith("max") else -1.0
        each = [
            c[limit.value] + sign * c[limit.margin]
            for c in summary.get("cohorts", {}).values()
            if human.known(c.get(limit.margin))
        ]
        if each and max(each) - min(each) < 1e-3 * abs(each[0]):
            found[limit.value] = each[0]
    return found


def section(heading: str, note: str, body: str) -> str:
    """A part of the page."""
    return f'<h2>{heading}</h2>\n<p class="note">{note}</p>\n{body}'


def figure(name: str, text: str, options: Mapping[str, str], word: str = "Show", least_px: int = 760) -> str:
    """Place of a figure, its JSON, and a drop-down where there is something to choose.

    On a screen that is narrower than `least_px` it is scrolled.
    """
    choices = "".join(f'<option value="{escape(key)}">{escape(words)}</option>' for key, words in options.items())
    choice = f'<label>{word} <select data-for="{name}">{choices}</select></label>' if len(options) > 1 else ""
    place = f'<div class="scroll"><div id="{name}" style="min-width:{least_px}px"></div></div>'
    return f'{choice}{place}\n<script type="application/json" data-figure="{name}">{text}</script>'


def tables(facts: Facts, versions: Mapping[str, str]) -> list[str]:
    """Numbers of the summary, configuration with sources, and facts of the run."""
    sections = []
    if facts.fleet:
        sections.append(
            section("All numbers", "Units are chosen for reading; summary.json has them in SI.", _numbers(facts))
        )
    parts = _parts(facts)
    if parts:
        sections.append(section("Mass", "Parts of one satellite at launch, and their share.", parts))
    sections.append(section("Configuration", "What was simulated, each number with its source.", configuration(facts)))
    run = {**versions, **facts.summary.get("run", {})}
    rows = [[_code(key), escape(_value(key, value))] for key, value in run.items() if key not in ("start", "notes")]
    rows += [["note", escape(str(note))] for note in run.get("notes", [])]
    return [*sections, section("Run", "", table(["", ""], rows))]


def _numbers(facts: Facts) -> str:
    cohorts = facts.summary["cohorts"]
    columns = human.columns(facts.fleet, cohorts)
    keys = dict.fromkeys(key for numbers in columns.values() for key in numbers)
    rows = [[_code(key), *(human.quantity(key, n.get(key)) for n in columns.values()), meaning(key)] for key in keys]
    return table(["", *map(escape, columns), "Meaning"], rows)


def _parts(facts: Facts) -> str:
    """Mass of each part of a satellite, one column per design, the heaviest of the first design on top."""
    cohorts = facts.summary.get("cohorts", {})
    masses = {
        name: {k[5:-3]: v for k, v in numbers.items() if k.startswith("mass_") and k != "mass_kg"}
        for name, numbers in cohorts.items()
    }
    first = next(iter(masses.values()), {})
    rows = [
        [
            escape(part.replace("_", " ")),
            *(f"{human.mass(own[part])}, {human.percent(own[part] / sum(own.values()))}" for own in masses.values()),
        ]
        for part in sorted(first, key=lambda part: -first[part])
    ]
    return table(["", *map(escape, masses)], rows) if rows else ""


def _value(key: str, value: Any) -> str:
    if key == "satellite_steps_per_s":
        return human.speed(value)
    return human.quantity(key, value) if key.endswith("_s") else str(value)


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table of ready cells."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "\n".join(
        "<tr>" + "".join(f'<td class="number">{c}</td>' if c[:1].isdigit() else f"<td>{c}</td>" for c in row) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{top}</tr>\n{body}</table></div>'


def configuration(facts: Facts) -> str:
    """One fold per profile: of the run, then of every cohort."""
    top = facts.configuration
    folds = [profile_fold(slot, top[slot]) for slot in RUN_SLOTS if isinstance(top.get(slot), Mapping)]
    single = {key: top[key] for key in ("failures", "seed") if key in top}
    folds.append(profile_fold("other", {"name": "Failures and seed", **single}))
    for name, profiles in facts.cohorts.items():
        own = [
            profile_fold(slot, p)
            for slot, p in profiles.items()
            if isinstance(p, Mapping) and slot not in (*RUN_SLOTS, "cohorts")
        ]
        folds.append(f"<h3>{escape(name)}</h3>" + "".join(own))
    return "\n".join(folds)


def profile_fold(slot: str, profile: Mapping[str, Any]) -> str:
    """A profile as a fold: its name, its values and their sources."""
    sources = _sources(profile)
    flat = _flat({key: value for key, value in profile.items() if key != "name"})
    rows = [[_code(k), escape(str(v)), escape(_source(sources, k))] for k, v in flat.items()]
    name = escape(str(profile.get("name") or ""))
    body = table(["", "Value", "Source"], rows)
    return f"<details><summary><code>{escape(slot)}</code> {name}</summary>{body}</details>"


def _sources(values: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Sources of a profile and of what lies in it, by dotted paths."""
    found = {f"{path}{key}": str(text) for key, text in (values.get("sources") or {}).items()}
    for key, value in values.items():
        found |= _sources(value, f"{path}{key}.") if isinstance(value, Mapping) and key != "sources" else {}
    return found


def _source(sources: Mapping[str, str], key: str) -> str:
    """The source of a nested key: its own, or that of what it lies in."""
    while key not in sources and "." in key:
        key = key.rpartition(".")[0]
        if f"{key}.default" in sources:
            return sources[f"{key}.default"]
    return sources.get(key, sources.get("default", ""))


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested keys as dotted paths, without their sources."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key == "sources":
            continue
        found |= _flat(value, f"{path}{key}.") if isinstance(value, Mapping) and value else {f"{path}{key}": value}
    return found
