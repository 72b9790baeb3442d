"""What a datacenter on the ground is to its owner: the facility, the power that reaches its meter, and both as a site.

Ground alternatives and power beamed from orbit speak of the same site, so that they are compared like for like.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import HOURS_PER_YEAR
from kernels.quantity import Growth, PowerPerYear, Scalar
from kernels.registry import part

W_PER_KW = 1000.0


class Facility(NamedTuple):
    """A building with its cooling and electrical plant, per watt of IT power."""

    capex_usd_per_w: Array
    life_years: Array
    operations_usd_per_w_year: Array
    availability: Array
    build_years: Array
    pue: Array
    water_l_per_kwh: Array  # of IT energy
    carbon_kg_per_w: Array


class Expansion(NamedTuple):
    """How the power that is added in a year grows, and its ceiling, at the meter."""

    growth_per_year: Array
    most_w_per_year: Array


class Power(NamedTuple):
    """Electricity at the meter, and how soon and how fast it comes."""

    energy_usd_per_kwh: Array
    carbon_kg_per_kwh: Array
    availability: Array
    wait_years: Array
    first_w_per_year: Array


class Site(NamedTuple):
    """A datacenter with its power: all per watt of IT power unless the name says otherwise."""

    capex_usd_per_w: Array
    facility_life_years: Array
    energy_usd_per_kwh: Array  # at the meter
    pue: Array
    operations_usd_per_w_year: Array
    availability: Array
    time_to_power_years: Array
    additions_w_per_year: Array
    additions_growth_per_year: Array
    most_additions_w_per_year: Array
    carbon_kg_per_w: Array
    carbon_kg_per_kwh: Array  # at the meter
    water_l_per_kwh: Array  # of IT energy


@part("ground")
@part("power_beaming")
def expansion(*, additions_growth_per_year: Growth, most_additions_w_per_year: PowerPerYear) -> Expansion:
    """Yearly growth of what is added, and the most that is added in a year. [1/year; W/year at the meter]"""
    return Expansion(jnp.asarray(additions_growth_per_year), jnp.asarray(most_additions_w_per_year))


def site(facility: Facility, expansion: Expansion, power: Power) -> Site:
    """A facility that is built while its power is waited for; a watt at the meter serves 1 / PUE of IT."""
    return Site(
        capex_usd_per_w=facility.capex_usd_per_w,
        facility_life_years=facility.life_years,
        energy_usd_per_kwh=power.energy_usd_per_kwh,
        pue=facility.pue,
        operations_usd_per_w_year=facility.operations_usd_per_w_year,
        availability=facility.availability * power.availability,
        time_to_power_years=jnp.maximum(facility.build_years, power.wait_years),
        additions_w_per_year=power.first_w_per_year / facility.pue,
        additions_growth_per_year=expansion.growth_per_year,
        most_additions_w_per_year=expansion.most_w_per_year / facility.pue,
        carbon_kg_per_w=facility.carbon_kg_per_w,
        carbon_kg_per_kwh=power.carbon_kg_per_kwh,
        water_l_per_kwh=facility.water_l_per_kwh,
    )


def per_kwh(per_w_year: Array, capacity_factor: Scalar) -> Array:
    """What a watt costs or emits in a year, over the energy that it gives in a Julian year. [USD or kg, per kWh]"""
    return W_PER_KW * per_w_year / (HOURS_PER_YEAR * jnp.asarray(capacity_factor))
