"""Pumped coolant loop: flow, pump power, thermostatic bypass and heater."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.quantity import (
    Density,
    Efficiency,
    Fraction,
    Mass,
    MassFlow,
    Power,
    Pressure,
    SpecificHeat,
    Temperature,
    TemperatureWidth,
)
from kernels.registry import model, part


class Loop(NamedTuple):
    """Operation of the loop in a step."""

    capacity_rate_w_per_k: Array  # mass flow x specific heat
    bypass_fraction: Array  # of the flow that goes round the radiator
    pump_power_w: Array
    heater_demand_w: Array


@model("coolant_loop")
def single_phase(
    radiator_outlet_k: Array,
    return_k: Array,
    *,
    mass_flow_kg_per_s: MassFlow,
    specific_heat_j_per_kg_k: SpecificHeat,
    density_kg_per_m3: Density,
    pressure_drop_pa: Pressure,
    pump_efficiency: Efficiency,
    set_point_k: Temperature,
    max_bypass_fraction: Fraction,
    heater_power_w: Power,
    heater_band_k: TemperatureWidth,
) -> Loop:
    """Liquid loop whose mixing valve holds the supply at its set point when the radiator runs colder.

    The bypass that mixes return and radiator outlet to the set point is (set - outlet) / (return - outlet), between
    0 and `max_bypass_fraction`. The heater comes on in proportion as the return falls through a band below the set
    point. Pump power is flow x pressure drop / (density x efficiency).
    """
    lift_k = jnp.maximum(return_k - radiator_outlet_k, 0.0)
    mixing = sm.ramp(set_point_k - radiator_outlet_k, jnp.maximum(lift_k, 1.0))
    bypass = jnp.minimum(mixing, max_bypass_fraction) * sm.ramp(lift_k, 1.0)  # no use when the return is colder
    pump_w = mass_flow_kg_per_s * pressure_drop_pa / (density_kg_per_m3 * pump_efficiency)
    return Loop(
        capacity_rate_w_per_k=jnp.asarray(mass_flow_kg_per_s * specific_heat_j_per_kg_k),
        bypass_fraction=bypass,
        pump_power_w=jnp.asarray(pump_w),
        heater_demand_w=heater_power_w * sm.ramp(set_point_k - return_k, heater_band_k),
    )


@part("coolant_loop")
def filling(
    specific_heat_j_per_kg_k: Array,
    *,
    fluid_mass_kg: Mass,
    hardware_mass_kg: Mass,
    freezing_temperature_k: Temperature,
    max_temperature_k: Temperature,
) -> dict[str, Array]:
    """Fluid and hardware (pumps, lines, accumulator) of a loop: heat capacity, mass and the fluid's limits."""
    return {
        "heat_capacity_j_per_k": fluid_mass_kg * jnp.asarray(specific_heat_j_per_kg_k),
        "mass_kg": jnp.asarray(fluid_mass_kg) + hardware_mass_kg,
        "min_temperature_k": jnp.asarray(freezing_temperature_k),
        "max_temperature_k": jnp.asarray(max_temperature_k),
    }
