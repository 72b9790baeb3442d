"""A satellite's life with round numbers, so that deployments are tested without simulating one."""

from collections.abc import Sequence

import jax.numpy as jnp

import twin
from kernels.economics.finance import MONTHS_PER_YEAR
from twin.deployment import project as projects
from twin.deployment.life import Life
from twin.model import numbers_of

YEARS = 10
PARTS_KG = {
    "array": 800.0,
    "battery": 700.0,
    "accelerators": 200.0,
    "hosts": 400.0,
    "power_electronics": 500.0,
    "harness": 200.0,
    "shield": 0.0,
    "radiator": 600.0,
    "coolant_loop": 300.0,
    "bus": 300.0,
    "propulsion": 40.0,
    "tanks": 20.0,
    "structure": 500.0,
    "contingency": 400.0,
    "propellant": 40.0,
}


def life(alive_per_year: float = 0.95, visits: float = 0.0) -> Life:
    """A satellite of 5 t and 100 kW that loses a twentieth of its accelerators a year."""
    alive = 100.0 * alive_per_year ** jnp.arange(YEARS)
    none = jnp.zeros(YEARS)
    return Life(
        mass_kg=jnp.asarray(sum(PARTS_KG.values())),
        parts_kg={name: jnp.asarray(kg) for name, kg in PARTS_KG.items()},
        nominal_power_w=jnp.asarray(1e5),
        accelerators=jnp.asarray(100.0),
        nominal_flops=jnp.asarray(1e17),
        array_area_m2=jnp.asarray(500.0),
        array_power_w=jnp.asarray(1.5e5),
        battery_energy_j=jnp.asarray(4e8),
        radiator_area_m2=jnp.asarray(200.0),
        altitude_m=jnp.asarray(6.5e5),
        inclination_rad=jnp.asarray(1.71),
        asked_flops=9e16 + none,
        delivered_flops=9e14 * alive,
        accelerator_power_w=9e2 * alive,
        accelerators_alive=alive,
        sunlit_fraction=0.96 + none,
        array_health=1.0 - 0.01 * jnp.arange(YEARS),
        accelerators_replaced=visits + none,
        resupply_kg=50.0 * visits + none,
        visits=visits + none,
    )


def shape_and_numbers(overrides: Sequence[str] = (), years: int = YEARS) -> tuple[projects.Shape, projects.Numbers]:
    """Shape and numbers of a composed deployment whose satellite has a life of so many years."""
    config = twin.compose_project(overrides)
    models = tuple((slot, getattr(profile, "model", "")) for slot, profile in config.profiles.items())
    deployment = config.profiles["deployment"]
    months = MONTHS_PER_YEAR * deployment.horizon_years
    shape = projects.Shape(months, MONTHS_PER_YEAR * years, models, deployment.against)
    numbers = {slot: numbers_of(slot.partition(".")[0], profile) for slot, profile in config.profiles.items()}
    return shape, numbers
