"""Published studies: their numbers recomputed and corrected, and the way from theirs to ours, line by line."""

import csv
from collections.abc import Mapping
from math import fsum
from types import ModuleType
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels.economics.finance import mean_after_loss
from kernels.economics.published import mccalip, semianalysis, starcloud, suncatcher, turyshev
from twin.conf_path import conf_dir
from twin.refusal import ConfigError, nearest

STUDIES: Mapping[str, ModuleType] = {
    "starcloud": starcloud,
    "mccalip": mccalip,
    "suncatcher": suncatcher,
    "turyshev": turyshev,
    "semianalysis": semianalysis,
}
LAST_LINE = "what the study leaves out or counts otherwise"
MEANING = {
    "rated_power_w": "ours, the mean over sunlit fraction and loss of the array",
    "rated_w_per_kg": "ours, the mean over sunlit fraction and loss of the array",
    "delivered_of_rated": "ours, sunlit fraction and loss of the array",
    "satellite_usd_per_rated_w": "ours, by the same power",
    "chips_usd_per_rated_w": "ours, by the same power",
    "launch_usd_per_rated_w": "ours, by the same power",
    "radiator_temperature_k": "rejects as much as ours",
    "all_but_radiator_kg_per_w": "ours, all but the radiator",
    "nothing": "in our satellite's mass already",
}


class Line(NamedTuple):
    """What one step does to the result."""

    label: str
    value: float
    unit: str


class Waterfall(NamedTuple):
    """The way from a study's number to ours; the lines add up to the difference."""

    study: str
    denominator: str
    theirs: float
    lines: tuple[Line, ...]
    ours: float


class Row(NamedTuple):
    """A published number beside the recomputed and the corrected one; `tolerance` is relative."""

    quantity: str
    published: float
    recomputed: float
    corrected: float
    tolerance: float
    note: str


class PublishedCost(NamedTuple):
    """A published result whose inputs are not public, as a range."""

    source: str
    year: int
    quantity: str
    least: float
    most: float
    unit: str
    remark: str


def published_costs() -> tuple[PublishedCost, ...]:
    """Costs, specific masses and ratios that were published without their inputs."""
    with open(conf_dir() / "data" / "published_costs.csv", newline="", encoding="utf-8") as file:
        return tuple(
            PublishedCost(
                **row | {"year": int(row["year"]), "least": float(row["least"]), "most": float(row["most"])}  # type: ignore[arg-type]
            )
            for row in csv.DictReader(file)
        )


def module(study: str) -> ModuleType:
    """Module of a study; ConfigError when it is none of those that have a result."""
    if study not in STUDIES:
        raise ConfigError(
            f"study = {study!r}: has no result; those with one: {', '.join(STUDIES)}{nearest(study, STUDIES)}"
        )
    return STUDIES[study]


def results(study: str, assumptions: Mapping[str, Array]) -> dict[str, Array]:
    """All numbers of a study by its own arithmetic, errors included; `orbit` and `ground` in its denominator.

    `assumptions` are the numbers of its profile (`twin.model.numbers_of`).
    """
    module(study)
    return registry.call(registry.models("study")[study], assumptions)


def corrected(study: str, assumptions: Mapping[str, Array]) -> dict[str, Array]:
    """The same with every error of the source mended."""
    corrections = module(study).CORRECTIONS
    return [*corrections.values()][-1](**assumptions) if corrections else results(study, assumptions)


def rows(study: str, assumptions: Mapping[str, Array]) -> list[Row]:
    """Every published number of a study beside the recomputed and the corrected one."""
    recomputed, mended = results(study, assumptions), corrected(study, assumptions)
    return [
        Row(name, published, float(recomputed[name]), float(mended[name]), tolerance, note)
        for name, (published, tolerance, note) in module(study).PUBLISHED.items()
    ]


def in_their_terms(ours: Mapping[str, float]) -> dict[str, float]:
    """Our quantities and those that the studies know instead of them.

    Most studies rate a satellite by the power from which sunlit fraction and loss of the array take their part, so that
    what remains is the mean: `rated` is that power.
    """
    kept = float(mean_after_loss(ours["array_loss_per_year"], ours["service_life_years"]))
    delivered = ours["sunlit_fraction"] * kept
    rated_w_per_kg = ours["specific_power_w_per_kg"] / delivered
    rated_w = rated_w_per_kg * ours["satellite_mass_kg"]
    nominal = ours["satellite_power_w"] / rated_w
    return {
        **ours,
        "nothing": 0.0,
        "delivered_of_rated": delivered,
        "rated_power_w": rated_w,
        "rated_w_per_kg": rated_w_per_kg,
        "satellite_usd_per_rated_w": ours["satellite_usd_per_w"] * nominal,
        "chips_usd_per_rated_w": ours["chips_usd_per_w"] * nominal,
        "launch_usd_per_rated_w": ours["launch_usd_per_kg"] / rated_w_per_kg,
        "satellite_usd_per_kg": ours["satellite_usd_per_w"] * ours["satellite_power_w"] / ours["satellite_mass_kg"],
        "usd_per_kw_year_chip": ours["usd_per_kwh_chip"] * suncatcher.HOURS_PER_YEAR,
        "accelerator_power_w": 1e3 * ours["usd_per_accelerator_hour"] / ours["usd_per_kwh_chip"],
    }


def _radiator_terms(assumptions: Mapping[str, Array], ours: Mapping[str, float]) -> dict[str, float]:
    """Our radiator as Turyshev describes one: by its temperature, and its mass apart from that of all else."""
    optics = (assumptions[name] for name in ("radiator_emissivity", "radiator_efficiency", "environment_w_per_m2"))
    radiator_m2_per_w = float(assumptions["power_overhead"]) / ours["radiator_w_per_m2"]
    return {
        "radiator_temperature_k": float(turyshev.equivalent_temperature_k(ours["radiator_w_per_m2"], *optics)),
        "all_but_radiator_kg_per_w": 1.0 / ours["specific_power_w_per_kg"]
        - radiator_m2_per_w * ours["radiator_kg_per_m2"],
    }


def counterparts(
    study: str, assumptions: Mapping[str, Array], ours: Mapping[str, float]
) -> tuple[dict[str, tuple[float, str]], float]:
    """Our values of a study's assumptions, each with where it comes from, and our result in its denominator."""
    chosen = module(study)
    known = in_their_terms(ours)
    if chosen is turyshev:
        known |= _radiator_terms(assumptions, ours)
    found = {name: (known[key], MEANING.get(key, "ours")) for name, key in chosen.SUBSTITUTES.items()}
    return found, known[chosen.OURS]


def waterfall(
    study: str, assumptions: Mapping[str, Array], substitutes: Mapping[str, tuple[float, str]], ours: float
) -> Waterfall:
    """From a study's orbital cost to ours: our values one after the other, its errors mended, and what remains.

    The order is the study's own; a step that changes nothing has no line. ConfigError when a substitute is not one of
    the assumptions that have a counterpart.
    """
    chosen = module(study)
    for name in substitutes:
        if name not in chosen.SUBSTITUTES:
            raise ConfigError(
                f"study.{name}: not an assumption of {study!r} with a counterpart of ours; "
                f"there are {', '.join(chosen.SUBSTITUTES)}{nearest(name, chosen.SUBSTITUTES)}"
            )
    current = dict(assumptions)
    theirs = float(results(study, current)["orbit"])
    steps = []
    for name in (name for name in chosen.SUBSTITUTES if name in substitutes):
        value, where = substitutes[name]
        label = f"{name}: {float(current[name]):.4g} to {value:.4g} ({where})"
        current[name] = jnp.asarray(value, float)
        steps.append((label, float(results(study, current)["orbit"])))
    steps += [(label, float(mended(**current)["orbit"])) for label, mended in chosen.CORRECTIONS.items()]
    before = [theirs, *(after for _, after in steps)]
    changes = [Line(label, after - last, chosen.UNIT) for (label, after), last in zip(steps, before, strict=False)]
    lines = [line for line in changes if line.value != 0.0]
    lines.append(Line(LAST_LINE, ours - theirs - fsum(line.value for line in lines), chosen.UNIT))
    return Waterfall(study, chosen.DENOMINATOR, theirs, tuple(lines), ours)
