"""What comes of a project: its course and metrics in orbit, at every site on the ground, and with power beamed down."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels.economics import ground, power_beaming, site, upkeep
from kernels.economics.site import Site
from twin.deployment import metrics, on_ground, space
from twin.deployment.course import Course
from twin.deployment.life import Life
from twin.deployment.metrics import Metrics
from twin.deployment.project import BEAMED, GROUND, ORBIT, Numbers, Shape


class Outcome(NamedTuple):
    """Courses and metrics by place: orbit, each site on the ground, and beamed power."""

    courses: dict[str, Course]
    metrics: dict[str, Metrics]


def outcome(shape: Shape, life: Life, numbers: Numbers) -> Outcome:
    """The whole chain behind a satellite's life, a pure function of all numbers for `jit`, `grad` and `vmap`.

    The cost of waiting is what a site's net present value would gain if its power were there at once.
    """
    courses = {ORBIT: space.deploy(shape, life, numbers)}
    sites = {name: site_of(shape, numbers, name) for name in shape.sites}
    sites[BEAMED] = beamed(shape, numbers, courses[ORBIT])
    courses |= {name: on_ground.build(shape, life, numbers, where) for name, where in sites.items()}
    terms = registry.call(upkeep.terms, numbers["economics"])
    chip_flops = life.nominal_flops / life.accelerators
    found = {name: metrics.metrics(each, terms, chip_flops) for name, each in courses.items()}
    for name in courses:
        found[name]["cost_of_waiting_usd"] = jnp.zeros(())
    for name, where in sites.items():
        at_once = on_ground.build(shape, life, numbers, where._replace(time_to_power_years=jnp.zeros(())))
        value_usd = metrics.metrics(at_once, terms, chip_flops)["net_present_value_usd"]
        found[name]["cost_of_waiting_usd"] = value_usd - found[name]["net_present_value_usd"]
    return Outcome(courses, found)


def site_of(shape: Shape, numbers: Numbers, name: str) -> Site:
    """A site on the ground."""
    profile = numbers[f"{GROUND}{name}"]
    model = registry.models("ground")[shape.model(f"{GROUND}{name}")]
    return registry.call(
        model,
        profile,
        registry.call(ground.facility, profile),
        registry.call(site.expansion, profile),
        _discount_per_year(numbers),
    )


def beamed(shape: Shape, numbers: Numbers, orbit: Course) -> Site:
    """A datacenter at a receiver of power from orbit: in buildings as of the site that is compared with.

    Stations are launched at the mean price of a launch of this project; what carries them on is part of their mass.
    """
    profile = numbers["power_beaming"]
    launch_usd = jnp.sum(orbit.costs_usd["launch"]) / jnp.maximum(jnp.sum(orbit.launches), 1e-9)
    station = registry.call(power_beaming.station, profile, registry.call(power_beaming.sunlight_to_grid, profile))
    energy = registry.call(
        power_beaming.energy_usd_per_kwh,
        profile,
        station,
        launch_usd / numbers["launch"]["reference_payload_kg"],
        _discount_per_year(numbers),
    )
    facility = registry.call(ground.facility, numbers[f"{GROUND}{shape.against}"])
    return registry.call(
        power_beaming.beamed_site, profile, facility, registry.call(site.expansion, profile), station, energy
    )


def _discount_per_year(numbers: Numbers) -> Array:
    return registry.call(upkeep.terms, numbers["economics"]).discount_per_year
