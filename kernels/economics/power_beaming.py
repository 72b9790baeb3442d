"""Space-based solar power: sunlight turned into microwaves in orbit and into electricity for a datacenter below.

The chain and the bookkeeping are those of NASA's Office of Technology, Policy, and Strategy, Space-Based Solar Power
(report 20230018600, January 2024). A watt is a watt on the ground while the station delivers, unless said otherwise.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import capital_recovery_per_year
from kernels.economics.site import Expansion, Facility, Power, Site, per_kwh, site
from kernels.quantity import (
    ArealMass,
    CarbonPerMass,
    Count,
    Efficiency,
    PositiveIrradiance,
    PowerPerYear,
    PricePerMass,
    PricePerPower,
    PricePerPowerYear,
    Ratio,
    Scalar,
    Years,
)
from kernels.registry import part


class Station(NamedTuple):
    """What a watt on the ground takes in orbit."""

    launched_kg_per_w: Array  # for one generation of hardware
    launches_per_payload: Array  # the one that carries it, and those that refuel that one in a low orbit
    delivering_fraction: Array  # of the year
    life_years: Array
    renewals: Array  # generations after the first, over the station's life


@part("power_beaming")
def sunlight_to_grid(
    *,
    solar_cell_efficiency: Efficiency,
    space_conversion_efficiency: Efficiency,
    radio_conversion_efficiency: Efficiency,
    antenna_efficiency: Efficiency,
    atmosphere_efficiency: Efficiency,
    beam_collection_efficiency: Efficiency,
    rectenna_efficiency: Efficiency,
    ground_conversion_efficiency: Efficiency,
) -> Array:
    """Electricity on the ground over sunlight on the cells (NASA OTPS 2024, table 4, after Rodenbeck et al.)."""
    in_space = jnp.asarray(solar_cell_efficiency) * space_conversion_efficiency * radio_conversion_efficiency
    beam = jnp.asarray(antenna_efficiency) * atmosphere_efficiency * beam_collection_efficiency
    return in_space * beam * rectenna_efficiency * ground_conversion_efficiency


@part("power_beaming")
def station(
    sunlight_to_grid: Array,
    *,
    areal_mass_kg_per_m2: ArealMass,
    irradiance_w_per_m2: PositiveIrradiance,
    transfer_mass_ratio: Ratio,
    refuelling_launches: Count,
    servicing_mass_ratio: Ratio,
    delivering_fraction: Efficiency,
    hardware_life_years: Years,
    station_life_years: Years,
) -> Station:
    """Mass from the area of cells that a watt on the ground needs; areal mass is all of the station per area of cells.

    Propulsion that takes it to its orbit, and vehicles that assemble and dispose of it, weigh in proportion to it.
    Without such propulsion the launcher goes to that orbit itself, after refuelling launches.
    """
    area_m2_per_w = 1.0 / (jnp.asarray(irradiance_w_per_m2) * sunlight_to_grid)
    burden = (1.0 + jnp.asarray(transfer_mass_ratio)) * (1.0 + jnp.asarray(servicing_mass_ratio))
    life = jnp.asarray(station_life_years)
    return Station(
        launched_kg_per_w=areal_mass_kg_per_m2 * area_m2_per_w * burden,
        launches_per_payload=1.0 + jnp.asarray(refuelling_launches),
        delivering_fraction=jnp.asarray(delivering_fraction),
        life_years=life,
        renewals=jnp.maximum(life / hardware_life_years - 1.0, 0.0),
    )


@part("power_beaming")
def energy_usd_per_kwh(
    station: Station,
    launch_price_usd_per_kg: Scalar,
    discount_rate_per_year: Scalar,
    *,
    hardware_usd_per_kg: PricePerMass,
    rectenna_usd_per_w: PricePerPower,
    operations_usd_per_w_year: PricePerPowerYear,
) -> Array:
    """Levelised cost of electricity on the ground. [USD/kWh]

    (capital x capital recovery factor + yearly cost) / yearly energy, as NREL's Annual Technology Baseline (2022) and
    NASA OTPS (2024) have it: first generation and rectenna are capital, renewals are spread evenly over the life.
    The price is per kilogram to a low orbit. The energy is that of the delivering part of a year, counted once.
    NASA's 1.59 USD/kWh of the planar array agrees with its own total of 434 BUSD only when it is counted twice.
    """
    launch_usd_per_kg = station.launches_per_payload * launch_price_usd_per_kg
    generation = station.launched_kg_per_w * (launch_usd_per_kg + hardware_usd_per_kg)
    capital = generation + rectenna_usd_per_w
    recovered = capital * capital_recovery_per_year(discount_rate_per_year, station.life_years)
    yearly = recovered + generation * station.renewals / station.life_years + operations_usd_per_w_year
    return per_kwh(yearly, station.delivering_fraction)


@part("power_beaming")
def beamed_site(
    facility: Facility,
    expansion: Expansion,
    station: Station,
    energy_usd_per_kwh: Array,
    *,
    launched_carbon_kg_per_kg: CarbonPerMass,
    development_years: Years,
    assembly_years: Years,
    first_additions_w_per_year: PowerPerYear,
) -> Site:
    """A datacenter at a rectenna, available while the station delivers; carbon is that of all launched hardware."""
    carbon_kg_per_w = launched_carbon_kg_per_kg * station.launched_kg_per_w * (1.0 + station.renewals)
    power = Power(
        energy_usd_per_kwh=energy_usd_per_kwh,
        carbon_kg_per_kwh=per_kwh(carbon_kg_per_w / station.life_years, station.delivering_fraction),
        availability=station.delivering_fraction,
        wait_years=jnp.asarray(development_years) + assembly_years,
        first_w_per_year=jnp.asarray(first_additions_w_per_year),
    )
    return site(facility, expansion, power)
