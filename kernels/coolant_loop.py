"""Pumped coolant loop, liquid or boiling: flow, pump, thermostatic bypass, heater, and what limits the fluid."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.quantity import (
    Coefficient,
    CoefficientKelvin,
    CoefficientPerKelvin,
    Density,
    Efficiency,
    Fraction,
    LatentHeat,
    Mass,
    MassFlow,
    PositivePressure,
    Power,
    Pressure,
    Scalar,
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
    vapour_quality: Array  # at the exit of the evaporator; -inf in a loop that does not boil


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
        vapour_quality=jnp.full_like(return_k, -jnp.inf),
    )


@model("coolant_loop")
def two_phase(
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
    latent_heat_j_per_kg: LatentHeat,
    subcooling_k: TemperatureWidth,
    saturation_a: Coefficient,
    saturation_b_k: CoefficientKelvin,
    saturation_c: Coefficient,
    saturation_d_per_k: CoefficientPerKelvin,
) -> Loop:
    """Loop whose fluid boils in the cold plate and condenses in the radiator, both near saturation.

    Along the way the pressure falls by `pressure_drop_pa`, and the saturation temperature with it by a glide of
    drop / (dp/dT). Spread evenly over that glide the latent heat is a large heat capacity: the flow carries
    flow x latent heat x quality with a fall of quality x glide, and the network's energy balance holds as in a
    liquid. Quality at the evaporator's exit is (heat / flow - specific heat x subcooling) / latent heat. Below
    a band above the set point liquid floods the condenser, which acts as a bypass; below the set point the heater
    comes on.
    """
    curve = (saturation_a, saturation_b_k, saturation_c, saturation_d_per_k)
    glide_k = jnp.maximum(pressure_drop_pa / saturation_slope_pa_per_k(jnp.asarray(set_point_k), *curve), 0.1)
    bypass = max_bypass_fraction * sm.ramp(set_point_k + heater_band_k - return_k, heater_band_k)
    fall_k = (1.0 - bypass) * jnp.maximum(return_k - radiator_outlet_k, 0.0)
    warming_j_per_kg = specific_heat_j_per_kg_k * jnp.asarray(subcooling_k)
    return Loop(
        capacity_rate_w_per_k=mass_flow_kg_per_s * latent_heat_j_per_kg / glide_k,
        bypass_fraction=bypass,
        pump_power_w=jnp.asarray(mass_flow_kg_per_s * pressure_drop_pa / (density_kg_per_m3 * pump_efficiency)),
        heater_demand_w=heater_power_w * sm.ramp(set_point_k - return_k, heater_band_k),
        vapour_quality=jnp.maximum(fall_k / glide_k - warming_j_per_kg / latent_heat_j_per_kg, 0.0),
    )


def saturation_pressure_pa(temperature_k: Array, a: Scalar, b_k: Scalar, c: Scalar, d_per_k: Scalar) -> Array:
    """Vapour pressure exp(a + b / T + c ln T + d T). [Pa]

    Equation 101 of the DIPPR data bank (Perry's Chemical Engineers' Handbook, 8th ed. 2008, table 2-8).
    """
    return jnp.exp(a + b_k / temperature_k + c * jnp.log(temperature_k) + d_per_k * temperature_k)


def saturation_slope_pa_per_k(temperature_k: Array, a: Scalar, b_k: Scalar, c: Scalar, d_per_k: Scalar) -> Array:
    """Derivative of `saturation_pressure_pa` by temperature. [Pa/K]"""
    relative = -b_k / (temperature_k * temperature_k) + c / temperature_k + d_per_k
    return saturation_pressure_pa(temperature_k, a, b_k, c, d_per_k) * relative


@part("coolant_loop", of="two_phase")
def boiling_limits(
    saturation_a: Array,
    saturation_b_k: Array,
    saturation_c: Array,
    saturation_d_per_k: Array,
    *,
    max_pressure_pa: PositivePressure,
    dry_out_quality: Efficiency,
) -> dict[str, Array]:
    """Temperature at which the vapour reaches the pressure that the walls bear, and the quality at which they dry out.

    Newton's method on the logarithm of the pressure against 1 / T, from 300 K.
    """
    curve = (saturation_a, saturation_b_k, saturation_c, saturation_d_per_k)
    temperature = jnp.asarray(300.0)
    for _ in range(8):
        pressure = saturation_pressure_pa(temperature, *curve)
        slope = saturation_slope_pa_per_k(temperature, *curve) / pressure * temperature**2  # d ln p / d(-1 / T)
        temperature = 1.0 / (1.0 / temperature - jnp.log(max_pressure_pa / pressure) / slope)
    return {"max_temperature_k": temperature, "dry_out_quality": jnp.asarray(dry_out_quality)}


@part("coolant_loop")
def operating_point(
    mass_flow_kg_per_s: Array,
    pressure_drop_pa: Array,
    *,
    pump_shut_off_pressure_pa: PositivePressure,
    pump_design_flow_fraction: Efficiency,
) -> dict[str, Array]:
    """Flow and pressure where the pump's curve meets the loop's, under the names that the loop's models read.

    The pump gives shut-off (1 - (flow / run-out)^2), the loop asks for drop (flow / design)^2; its own flow and drop
    are those of the design, and `pump_design_flow_fraction` is design over run-out flow.
    """
    at_design_pa = pressure_drop_pa + pump_shut_off_pressure_pa * jnp.asarray(pump_design_flow_fraction) ** 2
    square = pump_shut_off_pressure_pa / at_design_pa
    return {"mass_flow_kg_per_s": mass_flow_kg_per_s * jnp.sqrt(square), "pressure_drop_pa": pressure_drop_pa * square}


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
