"""A project beside a published study: our quantities by the names that the studies use, as tables."""

from typing import Any

import numpy as np
from scipy import optimize

from kernels import registry
from kernels.economics import upkeep, vintages
from kernels.economics.finance import mean_after_loss
from twin.deployment import space, studies
from twin.deployment.life import Life
from twin.deployment.metrics import RUNNING
from twin.deployment.outcome import ORBIT, Outcome, site_of
from twin.deployment.project import Project, ProjectConfig
from twin.deployment.space_prices import CHIPS
from twin.model import numbers_of
from twin.tables import Table

NONE = "none"
BUILT_NOT = ("launch", "insurance", "development", *RUNNING, *CHIPS)


def tables(config: ProjectConfig, project: Project, life: Life, outcome: Outcome) -> dict[str, Table]:
    """The study's rows and the waterfall from its number to ours; nothing without a study."""
    study = config.study.model
    if study == NONE:
        return {}
    assumptions = numbers_of("study", config.study)
    rows = studies.rows(study, assumptions)
    substitutes, number = studies.counterparts(study, assumptions, ours(project, life, outcome))
    fall = studies.waterfall(study, assumptions, substitutes, number)
    steps = [("theirs", fall.theirs), *((line.label, line.value) for line in fall.lines), ("ours", fall.ours)]
    return {
        "study": {name: [getattr(row, name) for row in rows] for name in studies.Row._fields},
        "waterfall": {
            "step": [label for label, _ in steps],
            "value": [value for _, value in steps],
            "unit": [fall.denominator] * len(steps),
        },
    }


def ours(project: Project, life: Life, outcome: Outcome) -> dict[str, float]:
    """Our quantities under the names of the studies: means over a satellite's service life and over the deployment."""
    life = space.scaled(life, project.numbers)
    plan = registry.call(vintages.plan, project.numbers["deployment"])
    costs = registry.call(upkeep.upkeep, project.numbers["deployment"])
    terms = registry.call(upkeep.terms, project.numbers["economics"])
    course, found = outcome.courses[ORBIT], outcome.metrics[ORBIT]
    years = float(plan.service_life_years)
    served = _served(life, years)
    launched_w = float(np.sum(course.events.launched) * life.nominal_power_w)
    spent = {name: float(np.sum(usd)) for name, usd in course.costs_usd.items()}
    built_usd = sum(usd for name, usd in spent.items() if name not in BUILT_NOT)
    mean_power_w = served(life.accelerator_power_w)
    alive = np.asarray(life.accelerators_alive)
    numbers: dict[str, Any] = {
        "sunlit_fraction": served(life.sunlit_fraction),
        "array_health": served(life.array_health),
        "array_loss_per_year": _even_loss(served(life.array_health), years),
        "specific_power_w_per_kg": mean_power_w / life.mass_kg,
        "satellite_mass_kg": life.mass_kg,
        "satellite_power_w": life.nominal_power_w,
        "launch_usd_per_kg": spent["launch"] / np.sum(course.launched_kg),
        "satellite_usd_per_w": built_usd / launched_w,
        "chips_usd_per_w": sum(spent[name] for name in CHIPS) / launched_w,
        "chip_failure_per_year": 1.0 - (served(alive) / float(life.accelerators)) ** (2.0 / years),
        "service_life_years": years,
        "discount_rate_per_year": terms.discount_per_year,
        "operations_fraction_per_year": costs.operations_per_year,
        "radiator_w_per_m2": mean_power_w / life.radiator_area_m2,
        "radiator_kg_per_m2": life.parts_kg["radiator"] / life.radiator_area_m2,
        "ground_availability": site_of(project.shape, project.numbers, project.shape.against).availability,
        "usd_per_kwh_chip": found["levelised_usd_per_kwh"],
        "usd_per_kwh_chip_without_chips": found["levelised_usd_per_kwh_without_chips"],
        "usd_per_w_delivered_without_chips": found["usd_per_w_delivered_without_chips"],
        "usd_per_accelerator_hour": found["levelised_usd_per_accelerator_hour"],
    }
    return {name: float(value) for name, value in numbers.items()}


def _even_loss(mean: float, years: float) -> float:
    """The loss per year, the same in all, that leaves such a mean over so many years, as studies count it."""
    root: Any = optimize.brentq(lambda loss: float(mean_after_loss(loss, years)) - mean, 0.0, 0.5)
    return float(root)


def _served(life: Life, years: float):
    """Mean of a curve over the service life, the last year in part."""
    weight = np.clip(years - np.arange(len(life.delivered_flops)), 0.0, 1.0)
    return lambda curve: float(np.average(np.asarray(curve), weights=weight))
