"""A deployment from its configuration to all that is found: life of the satellite, courses, metrics, answers, study."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from twin import answer_folder, run_folder
from twin.deployment import answers, beside, space, verdict
from twin.deployment import life as lives
from twin.deployment.answers import Answers
from twin.deployment.life import Life
from twin.deployment.outcome import ORBIT, Outcome, outcome
from twin.deployment.project import Project, ProjectConfig, build_project
from twin.deployment.questions import Watch, unwatched
from twin.deployment.tables import tables
from twin.refusal import ConfigError
from twin.tables import Table

SERVED = ("sunlit_fraction", "array_health", "chip_failure_per_year", "launch_usd_per_kg", "satellite_usd_per_w")

_life = jax.jit(lives.life, static_argnums=0)
_outcome = jax.jit(outcome, static_argnums=0)


class Findings(NamedTuple):
    """All that is found; `summary` and `tables` are what a folder keeps of it."""

    project: Project
    life: Life
    outcome: Outcome
    answers: Answers
    summary: dict[str, Any]
    tables: dict[str, Table]


def deploy(
    config: ProjectConfig,
    run_dir: str | Path | None = None,
    watch: Watch = unwatched,
    project: Project | None = None,
) -> Findings:
    """Deploy a fleet and compare it with the ground; writes the folder `run_dir` when one is given.

    ConfigError when the configuration cannot be built, or the folder holds something else.
    """
    if run_dir is not None:
        answer_folder.finished(Path(run_dir), config.resolved)
    project = build_project(config) if project is None else project
    watch("life of a satellite", 0, 1)
    life = jax.block_until_ready(_life(project.model.structure, project.model.params, project.model.environment))
    _check_lives(project, life)
    _check_fits(project, life)
    watch("deployment", 0, 1)
    found = jax.block_until_ready(_outcome(project.shape, life, project.numbers))
    asked = answers.answers(project, config.analysis, life, watch)
    drawn = tables(project, life, found) | beside.tables(config, project, life, found) | answers.tables(asked)
    result = Findings(project, life, found, asked, _summary(project, life, found, asked), drawn)
    if run_dir is not None:
        with run_folder.claimed(Path(run_dir)):
            answer_folder.write(Path(run_dir), config.resolved, result.summary, result.tables)
    return result


def _check_lives(project: Project, life: Life) -> None:
    """ConfigError when the satellite does not last as long as it is to serve."""
    whole = np.isfinite(np.asarray(life.delivered_flops))
    years = float(project.numbers["deployment"]["service_life_years"])
    if not whole[: math.ceil(years)].all():
        raise ConfigError(
            f"deployment.service_life_years = {years:g}: the satellite lasts {int(whole.argmin())} years, then its "
            "orbit or its power fails; give it more propellant (station_keeping.design_life_years), another orbit or a "
            "shorter service life"
        )


def _check_fits(project: Project, life: Life) -> None:
    """ConfigError when the launcher cannot carry a satellite of this mass to its orbit."""
    carrier = space.vehicle(project.shape, space.scaled(life, project.numbers), project.numbers)
    if carrier.satellites < 1.0:
        mass_kg = float(life.mass_kg * project.numbers["deployment"]["mass_scale"])
        raise ConfigError(
            f"launch = {project.launcher!r}: carries {float(carrier.payload_kg):.0f} kg to "
            f"{float(life.altitude_m) / 1e3:.0f} km and {float(jnp.degrees(life.inclination_rad)):.1f} degrees, "
            f"{float(carrier.satellites):.2f} of a satellite of {mass_kg:.0f} kg; choose a larger launcher, a lower "
            "orbit or a lighter satellite"
        )


def _summary(project: Project, life: Life, found: Outcome, asked: Answers) -> dict[str, Any]:
    """What people and programs look up first."""
    by_place = {place: {name: float(value) for name, value in of.items()} for place, of in found.metrics.items()}
    against = by_place[project.shape.against]
    ratios = {
        name: value / against[name]
        for name, value in by_place[ORBIT].items()
        if "usd_per" in name and math.isfinite(value) and 0.0 < against[name] < math.inf
    }
    scalars = {name: float(leaf) for name, leaf in life._asdict().items() if getattr(leaf, "ndim", 1) == 0}
    told = beside.ours(project, life, found)
    return {
        "verdict": verdict.sentences(project, found),
        "satellite": scalars
        | {name: told[name] for name in SERVED}
        | {
            "specific_mass_kg_per_kw": 1e3 * scalars["mass_kg"] / float(life.accelerator_power_w[0]),
            "specific_mass_over_life_kg_per_kw": 1e3 / told["specific_power_w_per_kg"],
        },
        "places": by_place,
        "orbit_over_ground": ratios,
        "against": project.shape.against,
        "measure": asked.measure,
        "futures": asked.summary,
    }
