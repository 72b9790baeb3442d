"""Power bus: who gets the watts of the array and the battery, and what conversion costs."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Efficiency, Power, SpecificMass
from kernels.registry import model, part


class Allocation(NamedTuple):
    """Mean powers of a step; array = essential + compute + battery + conversion loss. [W]"""

    array_w: Array
    curtailed_w: Array
    essential_w: Array
    compute_w: Array
    battery_w: Array
    conversion_loss_w: Array


@model("power_bus")
def regulated(
    array_available_w: Array,
    charge_limit_w: Array,
    discharge_limit_w: Array,
    working_limit_w: Array,
    essential_demand_w: Array,
    compute_demand_w: Array,
    *,
    array_converter_efficiency: Efficiency,
    load_converter_efficiency: Efficiency,
    charge_converter_efficiency: Efficiency,
    discharge_converter_efficiency: Efficiency,
) -> Allocation:
    """Regulated bus: essential loads first, then compute, then charging; what is left is curtailed.

    The battery gives what the array lacks: to compute up to `working_limit_w`, which fades at its reserve, so that
    compute is shed continuously; to essential loads up to `discharge_limit_w`, which fades when it is empty.
    """
    from_array = array_available_w * array_converter_efficiency

    def ceiling_w(battery_w: Array) -> Array:
        return (from_array + battery_w * discharge_converter_efficiency) * load_converter_efficiency

    essential = jnp.minimum(essential_demand_w, ceiling_w(discharge_limit_w))
    compute = jnp.minimum(compute_demand_w, jnp.maximum(ceiling_w(working_limit_w) - essential, 0.0))
    bus_load = (essential + compute) / load_converter_efficiency
    surplus = from_array - bus_load
    charging = jnp.minimum(jnp.maximum(surplus, 0.0) * charge_converter_efficiency, charge_limit_w)
    discharging = jnp.maximum(-surplus, 0.0) / discharge_converter_efficiency
    drawn = (jnp.minimum(bus_load, from_array) + charging / charge_converter_efficiency) / array_converter_efficiency
    battery = charging - discharging
    return Allocation(
        array_w=drawn,
        curtailed_w=array_available_w - drawn,
        essential_w=essential,
        compute_w=compute,
        battery_w=battery,
        conversion_loss_w=drawn - essential - compute - battery,
    )


@part("power_bus")
def converter_mass(peak_power_w: Array, *, specific_mass_kg_per_w: SpecificMass) -> Array:
    """Mass of power management and distribution for a peak power. [kg]"""
    return peak_power_w * specific_mass_kg_per_w


@part("power_bus")
def harness_mass(peak_power_w: Array, *, harness_specific_mass_kg_per_w: SpecificMass) -> Array:
    """Mass of the cables and connectors that carry a peak power. [kg]"""
    return peak_power_w * harness_specific_mass_kg_per_w


@part("satellite")
def housekeeping(*, bus_power_w: Power) -> Array:
    """Continuous power of avionics, attitude control and communications. [W]"""
    return jnp.asarray(bus_power_w)
