"""A deployment as the configuration has it: the satellite's fleet, the profiles of the undertaking, their numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import yaml
from jax import Array

from kernels.economics.finance import MONTHS_PER_YEAR
from twin import config as fleet_config
from twin.conf_path import conf_dir
from twin.config import Config, ConfigError
from twin.deployment import life, paths
from twin.model import Model, build, numbers_of
from twin.refusal import nearest

SLOTS = ("launch", "supply", "manufacture", "economics", "deployment", "power_beaming")
GROUND = "ground."
ORBIT, BEAMED = "orbit", "beamed_power"  # places beside the sites on the ground
RESERVED = (ORBIT, BEAMED)
OWN_KEYS = (*SLOTS, "ground", "study", "analysis")

Numbers = Mapping[str, Mapping[str, Array]]  # of each slot; a site's is called ground.<name>


@dataclass(frozen=True)
class ProjectConfig:
    """A validated deployment; `resolved` is the plain dict it came from."""

    fleet: Config
    profiles: Mapping[str, Any]  # by slot; a site's is called ground.<name>
    study: Any
    analysis: Any
    resolved: Mapping[str, Any]


@dataclass(frozen=True)
class Shape:
    """What is static: months, months of a satellite's life, and the models by slot."""

    months: int
    ages: int
    models: tuple[tuple[str, str], ...]
    against: str  # the site that orbit is compared with

    def model(self, slot: str) -> str:
        """Name of the model of a slot."""
        return dict(self.models)[slot]

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the datacenters on the ground."""
        return tuple(slot.removeprefix(GROUND) for slot, _ in self.models if slot.startswith(GROUND))


jax.tree_util.register_static(Shape)


class Project(NamedTuple):
    """A deployment, built: the model of its satellite, its shape and its numbers."""

    model: Model
    shape: Shape
    numbers: Numbers
    start_ms: int  # of the first month, since 1970-01-01 UTC
    launcher: str  # for people


def validate(composed: Mapping[str, Any]) -> ProjectConfig:
    """Validate a composed deployment; ConfigError names the first key that is wrong."""
    for key in OWN_KEYS:
        if key not in composed:
            raise ConfigError(f"{key}: missing; a deployment is composed from conf/deploy.yaml")
    if composed.get("cohorts"):
        raise ConfigError("cohorts: a deployment has one design; give its overrides themselves")
    own = {key: value for key, value in composed.items() if key not in OWN_KEYS}
    fleet = fleet_config.validate({**own, **of_a_run()})
    profiles = dict(_profiles(composed))
    against, sites = profiles["deployment"].against, composed["ground"]
    if against not in sites:
        raise ConfigError(
            f"deployment.against = {against!r}: must be one of the sites, {', '.join(sites)}{nearest(against, sites)}"
        )
    return ProjectConfig(
        fleet=fleet,
        profiles=profiles,
        study=fleet_config.profile("study", composed["study"]),
        analysis=fleet_config.analysis(composed["analysis"]),
        resolved=dict(composed),
    )


def of_a_run() -> dict[str, Any]:
    """What belongs to a run and its folder, as `simulate` has it: a life is simulated, but nothing of it is kept."""
    values = yaml.safe_load((conf_dir() / "simulate.yaml").read_text(encoding="utf-8"))
    return {key: values[key] for key in ("output", "checkpoint", "resume")}


def _profiles(composed: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for slot in SLOTS:
        yield slot, fleet_config.profile(slot, composed[slot])
    if not isinstance(composed["ground"], Mapping) or not composed["ground"]:
        raise ConfigError("ground: must have at least one site, such as +ground@ground.grid=grid_us")
    for name, site in composed["ground"].items():
        if name in RESERVED:
            raise ConfigError(f"{GROUND}{name}: the name is taken by what is no site; choose another one")
        yield f"{GROUND}{name}", fleet_config.profile("ground", site, f"{GROUND}{name}")


def build_project(config: ProjectConfig) -> Project:
    """Model, shape and numbers of a deployment; ConfigError for what no single key can show."""
    if config.fleet.distributed.processes != "one":
        raise ConfigError("distributed.processes: a deployment runs in one process")
    model = build(config.fleet)
    life.check(model)
    years = life.years(model)
    deployment = config.profiles["deployment"]
    if deployment.service_life_years > years:
        raise ConfigError(
            f"deployment.service_life_years = {deployment.service_life_years:g}: must be at most {years}, "
            "the years of a satellite's life that are simulated (time.duration_s)"
        )
    models = tuple((slot, getattr(profile, "model", "")) for slot, profile in config.profiles.items())
    shape = Shape(MONTHS_PER_YEAR * deployment.horizon_years, MONTHS_PER_YEAR * years, models, deployment.against)
    numbers = {slot: numbers_of(slot.partition(".")[0], profile) for slot, profile in config.profiles.items()}
    project = Project(model, shape, numbers, config.fleet.time.start_ms, config.profiles["launch"].name)
    paths.check(project, config.analysis)
    return project
