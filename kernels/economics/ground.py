"""Datacenters on the ground: the facility, four ways to power it, and how fast their capacity grows.

A watt of power stands for a watt that the meter may draw all year: plants are sized for, and paid off at, full load.
"""

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import capital_recovery_per_year
from kernels.economics.site import W_PER_KW, Expansion, Facility, Power, Site, per_kwh, site
from kernels.quantity import (
    BuildingLife,
    CarbonPerEnergy,
    CarbonPerFuel,
    CarbonPerPower,
    CountPerYear,
    Efficiency,
    Fraction,
    Growth,
    HeatRate,
    Hours,
    PositivePower,
    PositiveRatio,
    PowerPerYear,
    PowerUsageEffectiveness,
    PricePerEnergy,
    PricePerFuel,
    PricePerPower,
    PricePerPowerYear,
    Scalar,
    WaterPerEnergy,
    Years,
)
from kernels.registry import model, part

MMBTU_PER_BTU = 1e-6


@part("ground")
def facility(
    *,
    building_usd_per_w: PricePerPower,
    cooling_usd_per_w: PricePerPower,
    electrical_usd_per_w: PricePerPower,
    facility_life_years: BuildingLife,
    maintenance_usd_per_w_year: PricePerPowerYear,
    staff_usd_per_w_year: PricePerPowerYear,
    facility_availability: Efficiency,
    facility_build_years: Years,
    pue: PowerUsageEffectiveness,
    water_l_per_kwh: WaterPerEnergy,
    embodied_carbon_kg_per_w: CarbonPerPower,
) -> Facility:
    """Building, cooling and electrical plant, all per watt of IT; PUE and water are those of its climate."""
    return Facility(
        capex_usd_per_w=jnp.asarray(building_usd_per_w) + cooling_usd_per_w + electrical_usd_per_w,
        life_years=jnp.asarray(facility_life_years),
        operations_usd_per_w_year=jnp.asarray(maintenance_usd_per_w_year) + staff_usd_per_w_year,
        availability=jnp.asarray(facility_availability),
        build_years=jnp.asarray(facility_build_years),
        pue=jnp.asarray(pue),
        water_l_per_kwh=jnp.asarray(water_l_per_kwh),
        carbon_kg_per_w=jnp.asarray(embodied_carbon_kg_per_w),
    )


@model("ground")
def grid(
    facility: Facility,
    expansion: Expansion,
    discount_rate_per_year: Scalar,
    *,
    electricity_usd_per_kwh: PricePerEnergy,
    electricity_growth_per_year: Growth,
    connection_usd_per_w: PricePerPower,
    queue_years: Years,
    requested_w_per_year: PowerPerYear,
    completed_fraction: Efficiency,
    grid_availability: Efficiency,
    grid_carbon_kg_per_kwh: CarbonPerEnergy,
) -> Site:
    """Electricity bought from a grid, after the interconnection queue that only a part of the requests comes through.

    The energy price is level over the facility's life: a price that grows, and the connection, paid off with interest.
    """
    rate, life = discount_rate_per_year, facility.life_years
    connection = jnp.asarray(connection_usd_per_w) * capital_recovery_per_year(rate, life)
    price = electricity_usd_per_kwh * levelized_ratio(rate, electricity_growth_per_year, life)
    power = Power(
        energy_usd_per_kwh=price + per_kwh(connection, 1.0),
        carbon_kg_per_kwh=jnp.asarray(grid_carbon_kg_per_kwh),
        availability=jnp.asarray(grid_availability),
        wait_years=jnp.asarray(queue_years),
        first_w_per_year=jnp.asarray(requested_w_per_year) * completed_fraction,
    )
    return site(facility, expansion, power)


@model("ground")
def gas_turbine(
    facility: Facility,
    expansion: Expansion,
    discount_rate_per_year: Scalar,
    *,
    turbine_usd_per_w: PricePerPower,
    turbine_life_years: Years,
    turbine_operations_usd_per_w_year: PricePerPowerYear,
    turbine_operations_usd_per_kwh: PricePerEnergy,
    spare_ratio: PositiveRatio,
    heat_rate_btu_per_kwh: HeatRate,
    gas_usd_per_mmbtu: PricePerFuel,
    gas_growth_per_year: Growth,
    gas_carbon_kg_per_mmbtu: CarbonPerFuel,
    delivery_years: Years,
    turbines_per_year: CountPerYear,
    turbine_w: PositivePower,
    turbine_availability: Efficiency,
) -> Site:
    """Gas turbines on the site, `spare_ratio` watts of them for a watt of load.

    Fuel and carbon follow the heat rate; price and heat are per higher heating value.
    """
    rate = discount_rate_per_year
    capital = jnp.asarray(turbine_usd_per_w) * capital_recovery_per_year(rate, turbine_life_years)
    yearly = spare_ratio * (capital + turbine_operations_usd_per_w_year)
    heat_mmbtu_per_kwh = jnp.asarray(heat_rate_btu_per_kwh) * MMBTU_PER_BTU
    gas = gas_usd_per_mmbtu * levelized_ratio(rate, gas_growth_per_year, facility.life_years)
    power = Power(
        energy_usd_per_kwh=heat_mmbtu_per_kwh * gas + turbine_operations_usd_per_kwh + per_kwh(yearly, 1.0),
        carbon_kg_per_kwh=heat_mmbtu_per_kwh * gas_carbon_kg_per_mmbtu,
        availability=jnp.asarray(turbine_availability),
        wait_years=jnp.asarray(delivery_years),
        first_w_per_year=jnp.asarray(turbines_per_year) * turbine_w / spare_ratio,
    )
    return site(facility, expansion, power)


@model("ground")
def solar_storage(
    facility: Facility,
    expansion: Expansion,
    discount_rate_per_year: Scalar,
    *,
    overbuild_ratio: PositiveRatio,
    storage_h: Hours,
    solar_share: Fraction,
    array_usd_per_w: PricePerPower,
    array_operations_usd_per_w_year: PricePerPowerYear,
    array_life_years: Years,
    array_w_per_year: PowerPerYear,
    battery_usd_per_kwh: PricePerEnergy,
    battery_life_years: Years,
    backup_usd_per_w: PricePerPower,
    backup_life_years: Years,
    backup_usd_per_kwh: PricePerEnergy,
    backup_carbon_kg_per_kwh: CarbonPerEnergy,
    solar_carbon_kg_per_kwh: CarbonPerEnergy,
    solar_build_years: Years,
    solar_availability: Efficiency,
) -> Site:
    """Arrays and batteries off the grid: `overbuild_ratio` watts and `storage_h` watt hours for a watt of load.

    They serve `solar_share` of the energy; backup generators for the whole load serve the rest.
    """
    rate = discount_rate_per_year
    array = array_usd_per_w * capital_recovery_per_year(rate, array_life_years) + array_operations_usd_per_w_year
    battery = battery_usd_per_kwh / W_PER_KW * capital_recovery_per_year(rate, battery_life_years)
    backup = backup_usd_per_w * capital_recovery_per_year(rate, backup_life_years)
    rest = 1.0 - jnp.asarray(solar_share)
    plant = per_kwh(overbuild_ratio * array + storage_h * battery + backup, 1.0)
    power = Power(
        energy_usd_per_kwh=plant + rest * backup_usd_per_kwh,
        carbon_kg_per_kwh=solar_share * jnp.asarray(solar_carbon_kg_per_kwh) + rest * backup_carbon_kg_per_kwh,
        availability=jnp.asarray(solar_availability),
        wait_years=jnp.asarray(solar_build_years),
        first_w_per_year=jnp.asarray(array_w_per_year) / overbuild_ratio,
    )
    return site(facility, expansion, power)


@model("ground")
def nuclear(
    facility: Facility,
    expansion: Expansion,
    discount_rate_per_year: Scalar,
    *,
    reactor_usd_per_w: PricePerPower,
    reactor_life_years: Years,
    reactor_operations_usd_per_w_year: PricePerPowerYear,
    fuel_usd_per_kwh: PricePerEnergy,
    licensing_years: Years,
    construction_years: Years,
    reactor_capacity_factor: Efficiency,
    reactor_w_per_year: PowerPerYear,
    reactor_availability: Efficiency,
    reactor_carbon_kg_per_kwh: CarbonPerEnergy,
) -> Site:
    """A nuclear plant whose overnight cost is spent evenly over its construction and bears interest until power.

    Interest is that of half the construction; a grid stands in while the plant rests, at the plant's own price.
    """
    rate = jnp.asarray(discount_rate_per_year)
    interest = jnp.power(1.0 + rate, 0.5 * jnp.asarray(construction_years))
    capital = reactor_usd_per_w * interest * capital_recovery_per_year(rate, reactor_life_years)
    plant = per_kwh(capital + reactor_operations_usd_per_w_year, reactor_capacity_factor)
    power = Power(
        energy_usd_per_kwh=plant + fuel_usd_per_kwh,
        carbon_kg_per_kwh=jnp.asarray(reactor_carbon_kg_per_kwh),
        availability=jnp.asarray(reactor_availability),
        wait_years=jnp.asarray(licensing_years) + construction_years,
        first_w_per_year=jnp.asarray(reactor_w_per_year),
    )
    return site(facility, expansion, power)


def levelized_ratio(rate_per_year: Scalar, growth_per_year: Scalar, years: Array) -> Array:
    """Level yearly payment over the present price, of a price that grows: both are worth the same over the years.

    The ratio of two capital recovery factors, the second at the discount rate net of the growth.
    """
    net = (1.0 + jnp.asarray(rate_per_year)) / (1.0 + jnp.asarray(growth_per_year)) - 1.0
    return capital_recovery_per_year(rate_per_year, years) / capital_recovery_per_year(net, years)


def capacity_w(site: Site, years: Array) -> Array:
    """IT capacity that has power, at years since the decision to build. [W]

    Nothing before the time to power. From then on the additions of a year grow at a constant rate up to their
    ceiling; this is their integral, in closed form.
    """
    first = jnp.minimum(site.additions_w_per_year, site.most_additions_w_per_year)
    powered = jnp.maximum(years - site.time_to_power_years, 0.0)
    rate = jnp.log1p(site.additions_growth_per_year)
    climbs, changes = rate > 1e-9, jnp.abs(rate) > 1e-9
    ramp = jnp.log(site.most_additions_w_per_year / first) / jnp.where(climbs, rate, 1.0)
    growing = jnp.where(climbs, jnp.minimum(powered, ramp), powered)
    usual = jnp.where(changes, rate, 1.0)
    effective = jnp.where(changes, jnp.expm1(usual * growing) / usual, growing * (1.0 + 0.5 * rate * growing))
    return first * effective + site.most_additions_w_per_year * (powered - growing)
