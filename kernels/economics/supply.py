"""What the world can make in a year of what satellites are made of, what a fleet may have of it, and what it asks."""

from typing import NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels.quantity import AreaPerYear, CountPerYear, EnergyPerYear, Growth, PowerPerYear, Scalar, Share
from kernels.registry import part

RESOURCES = ("solar_cells", "accelerators", "batteries", "radiators", "laser_terminals", "satellites")
SUPPLY_UNITS = {
    "solar_cells": "W",
    "accelerators": "accelerators",
    "batteries": "kWh",
    "radiators": "m2",
    "laser_terminals": "terminals",
    "satellites": "satellites",
}


class Output(NamedTuple):
    """What is made in a year of one resource, in its unit."""

    world: Array
    ours: Array  # the part of it that the project can have


class Consumer(Protocol):
    """What a satellite takes of the supply."""

    @property
    def array_power_w(self) -> Array:
        """Power of the cells at the beginning of life, at their reference temperature and irradiance."""
        ...

    @property
    def accelerators(self) -> Array:
        """Number of accelerators."""
        ...

    @property
    def battery_energy_j(self) -> Array:
        """Capacity of the battery."""
        ...

    @property
    def radiator_area_m2(self) -> Array:
        """Area of the radiator's panels."""
        ...


def _output(years: Array, first: Scalar, growth_per_year: Scalar, most: Scalar, share: Scalar = 1.0) -> Output:
    world = jnp.minimum(first * jnp.power(1.0 + jnp.asarray(growth_per_year), years), most)
    return Output(world=world, ours=share * world)


@part("supply")
def output_per_year(
    years: Array,
    *,
    solar_cells_w_per_year: PowerPerYear,
    solar_cells_growth_per_year: Growth,
    most_solar_cells_w_per_year: PowerPerYear,
    solar_cells_share: Share,
    accelerators_per_year: CountPerYear,
    accelerators_growth_per_year: Growth,
    most_accelerators_per_year: CountPerYear,
    accelerators_share: Share,
    batteries_kwh_per_year: EnergyPerYear,
    batteries_growth_per_year: Growth,
    most_batteries_kwh_per_year: EnergyPerYear,
    batteries_share: Share,
    radiators_m2_per_year: AreaPerYear,
    radiators_growth_per_year: Growth,
    most_radiators_m2_per_year: AreaPerYear,
    radiators_share: Share,
    laser_terminals_per_year: CountPerYear,
    laser_terminals_growth_per_year: Growth,
    most_laser_terminals_per_year: CountPerYear,
    laser_terminals_share: Share,
    satellites_per_year: CountPerYear,
    satellites_growth_per_year: Growth,
    most_satellites_per_year: CountPerYear,
) -> dict[str, Output]:
    """Output of each of RESOURCES a year, in SUPPLY_UNITS, at `years` since the start of deployment.

    Exponential growth from the first year's to a ceiling. Satellites come from the project's own factories.
    """
    rows = (
        (solar_cells_w_per_year, solar_cells_growth_per_year, most_solar_cells_w_per_year, solar_cells_share),
        (accelerators_per_year, accelerators_growth_per_year, most_accelerators_per_year, accelerators_share),
        (batteries_kwh_per_year, batteries_growth_per_year, most_batteries_kwh_per_year, batteries_share),
        (radiators_m2_per_year, radiators_growth_per_year, most_radiators_m2_per_year, radiators_share),
        (
            laser_terminals_per_year,
            laser_terminals_growth_per_year,
            most_laser_terminals_per_year,
            laser_terminals_share,
        ),
        (satellites_per_year, satellites_growth_per_year, most_satellites_per_year),
    )
    return {name: _output(years, *row) for name, row in zip(RESOURCES, rows, strict=True)}


def demand_per_satellite(satellite: Consumer, laser_terminals: Scalar) -> dict[str, Array]:
    """What one satellite takes of each of RESOURCES, in SUPPLY_UNITS."""
    return {
        "solar_cells": jnp.asarray(satellite.array_power_w),
        "accelerators": jnp.asarray(satellite.accelerators),
        "batteries": satellite.battery_energy_j / jnp.asarray(const.KILOWATT_HOUR_J),
        "radiators": jnp.asarray(satellite.radiator_area_m2),
        "laser_terminals": jnp.asarray(laser_terminals),
        "satellites": jnp.ones(()),
    }
