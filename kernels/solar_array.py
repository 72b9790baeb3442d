"""Solar array: what its cells could deliver at their temperature, and what its faces absorb."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import (
    Area,
    ArealHeatCapacity,
    ArealMass,
    CurrentDensity,
    CurrentDensityPerKelvin,
    Efficiency,
    Fraction,
    Optics,
    PositiveIrradiance,
    RelativePerKelvin,
    Temperature,
    Voltage,
    VoltagePerKelvin,
)
from kernels.registry import model, part


class Panel(NamedTuple):
    """Array panel: area, the part of it that makes electricity at its terminals, heat capacity, rear optics."""

    area_m2: Array
    electric_area_m2: Array
    packing_fraction: Array
    heat_capacity_j_per_k: Array
    areal_mass_kg_per_m2: Array
    substrate_absorptivity: Array
    rear: Optics


@model("solar_cell")
def maximum_power_point(
    temperature_k: Array,
    irradiance_w_per_m2: Array,
    *,
    max_power_voltage_v: Voltage,
    max_power_current_a_per_m2: CurrentDensity,
    voltage_coefficient_v_per_k: VoltagePerKelvin,
    current_coefficient_a_per_m2_k: CurrentDensityPerKelvin,
    reference_temperature_k: Temperature,
    reference_irradiance_w_per_m2: PositiveIrradiance,
) -> Array:
    """Maximum power of a cell from its datasheet's voltage, current and their temperature coefficients. [W/m2]

    Current is proportional to irradiance; the logarithmic change of voltage is left out.
    """
    warmer_k = temperature_k - reference_temperature_k
    voltage = max_power_voltage_v + voltage_coefficient_v_per_k * warmer_k
    current = max_power_current_a_per_m2 + current_coefficient_a_per_m2_k * warmer_k
    power = jnp.maximum(voltage, 0.0) * jnp.maximum(current, 0.0)
    return power * irradiance_w_per_m2 / reference_irradiance_w_per_m2


@model("solar_cell")
def linear_efficiency(
    temperature_k: Array,
    irradiance_w_per_m2: Array,
    *,
    efficiency_bol: Efficiency,
    power_coefficient_per_k: RelativePerKelvin,
    reference_temperature_k: Temperature,
) -> Array:
    """Maximum power of a cell of which only efficiency and relative coefficient are published. [W/m2]"""
    change = 1.0 + power_coefficient_per_k * (temperature_k - reference_temperature_k)
    return irradiance_w_per_m2 * efficiency_bol * jnp.maximum(change, 0.0)


@part("solar_cell")
def cell_optics(*, absorptivity: Fraction, emissivity: Fraction) -> Optics:
    """Solar absorptivity and infrared emissivity of the covered cell."""
    return Optics(jnp.asarray(absorptivity), jnp.asarray(emissivity))


@part("solar_cell")
def cell_mass(*, areal_mass_kg_per_m2: ArealMass) -> Array:
    """Mass of the cell with its cover, per cell area. [kg/m2]"""
    return jnp.asarray(areal_mass_kg_per_m2)


@part("array")
def panel(
    *,
    area_m2: Area,
    packing_fraction: Efficiency,
    wiring_efficiency: Efficiency,
    initial_health: Efficiency,
    substrate_absorptivity: Fraction,
    rear_absorptivity: Fraction,
    rear_emissivity: Fraction,
    areal_heat_capacity_j_per_m2_k: ArealHeatCapacity,
    structure_mass_kg_per_m2: ArealMass,
) -> tuple[Panel, Array]:
    """Panel of a given area and the health its cells start with.

    `packing_fraction` is cell area over panel area; `wiring_efficiency` covers harness, diodes and mismatch, whose
    loss stays in the panel as heat; `structure_mass_kg_per_m2` is everything but the cells.
    """
    area = jnp.asarray(area_m2)
    return (
        Panel(
            area_m2=area,
            electric_area_m2=area * packing_fraction * wiring_efficiency,
            packing_fraction=jnp.asarray(packing_fraction),
            heat_capacity_j_per_k=area * areal_heat_capacity_j_per_m2_k,
            areal_mass_kg_per_m2=jnp.asarray(structure_mass_kg_per_m2),
            substrate_absorptivity=jnp.asarray(substrate_absorptivity),
            rear=Optics(jnp.asarray(rear_absorptivity), jnp.asarray(rear_emissivity)),
        ),
        jnp.asarray(initial_health),
    )
