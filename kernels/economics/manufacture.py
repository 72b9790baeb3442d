"""What a satellite costs and emits to make: parts by what sizes them, learning by the number made, chips as bought."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels import registry
from kernels.economics.finance import learned
from kernels.quantity import (
    CarbonPerEnergy,
    CarbonPerMass,
    CarbonPerPower,
    Count,
    Fraction,
    LearningRate,
    Mass,
    Money,
    PositiveCount,
    PricePerArea,
    PricePerEnergy,
    PricePerMass,
    PricePerPower,
)
from kernels.registry import part


class Satellite(NamedTuple):
    """What a satellite consists of, as far as prices and emissions go by it."""

    parts_kg: Mapping[str, Array]  # as in the mass budget; they add up to the mass at launch
    array_power_w: Array  # cells at the beginning of life, at their reference temperature and irradiance
    array_area_m2: Array
    battery_energy_j: Array
    radiator_area_m2: Array
    accelerators: Array
    nominal_power_w: Array  # accelerators and hosts at full load
    mass_kg: Array


class Bill(NamedTuple):
    """What a satellite costs, by part, and emits to make."""

    usd: dict[str, Array]
    carbon_kg: Array  # CO2 equivalent


def satellite_bill(satellite: Satellite, produced_ratio: Array, profile: Mapping[str, Any]) -> Bill:
    """Price of a satellite by part and its embodied carbon, from a profile of the slot.

    Hardware gets cheaper with production; accelerators and hosts are bought on a market that a fleet does not move.
    """
    factor = registry.call(price_factor, profile, produced_ratio)
    hardware = registry.call(hardware_usd, profile, satellite)
    usd = {name: factor * price for name, price in hardware.items()}
    usd |= registry.call(computers_usd, profile, satellite)
    carbon = registry.call(embodied_carbon_kg, profile, satellite)
    return Bill(usd=usd, carbon_kg=sum(carbon.values(), jnp.zeros(())))


@part("manufacture")
def produced_ratio(satellites: Array, *, reference_satellites: PositiveCount) -> Array:
    """Satellites made in all over those made when the profile's prices held, for satellites of the project."""
    return 1.0 + jnp.asarray(satellites) / reference_satellites


@part("manufacture")
def price_factor(produced_ratio: Array, *, learning_rate: LearningRate, price_floor_fraction: Fraction) -> Array:
    """Price of hardware over the profile's price: the learning curve, down to a floor of materials and energy."""
    return jnp.maximum(learned(learning_rate, produced_ratio), price_floor_fraction)


@part("manufacture")
def development_usd(*, development_cost_usd: Money) -> Array:
    """Non-recurring cost of design, qualification and factory tooling. [USD]"""
    return jnp.asarray(development_cost_usd)


@part("manufacture")
def computers_usd(satellite: Satellite, *, accelerator_price_usd: Money, host_price_usd: Money) -> dict[str, Array]:
    """Accelerators, and for each of them its share of host, memory and network. [USD]"""
    return {
        "accelerators": satellite.accelerators * accelerator_price_usd,
        "hosts": satellite.accelerators * host_price_usd,
    }


@part("manufacture")
def repair_usd(computers_usd: Mapping[str, Array], *, repair_price_fraction: Fraction) -> Array:
    """What it costs on the ground to put accelerators right that failed, all of a satellite's. [USD]

    A fraction of new ones: warranty, repair and refurbishment pay the rest.
    """
    return repair_price_fraction * computers_usd["accelerators"]


@part("manufacture")
def hardware_usd(
    satellite: Satellite,
    *,
    cell_price_usd_per_w: PricePerPower,
    panel_price_usd_per_m2: PricePerArea,
    battery_price_usd_per_kwh: PricePerEnergy,
    radiator_price_usd_per_m2: PricePerArea,
    coolant_loop_price_usd_per_kg: PricePerMass,
    power_electronics_price_usd_per_w: PricePerPower,
    bus_price_usd_per_kg: PricePerMass,
    structure_price_usd_per_kg: PricePerMass,
    propulsion_price_usd_per_kg: PricePerMass,
    propellant_price_usd_per_kg: PricePerMass,
    laser_terminal_price_usd: Money,
    laser_terminal_count: Count,
    integration_fraction: Fraction,
) -> dict[str, Array]:
    """Parts of a satellite without its computers, with their integration and test. [USD]

    Cells by their power, panels (substrate, hinges, glass, lay-down) by area; power electronics with the harness, by
    the power that they carry; bus: avionics, attitude control and radio; structure with shield and mass margin.
    """
    kg = satellite.parts_kg
    usd = {
        "solar_array": satellite.array_power_w * cell_price_usd_per_w
        + satellite.array_area_m2 * panel_price_usd_per_m2,
        "battery": satellite.battery_energy_j / const.KILOWATT_HOUR_J * battery_price_usd_per_kwh,
        "radiator_and_loop": satellite.radiator_area_m2 * radiator_price_usd_per_m2
        + kg["coolant_loop"] * coolant_loop_price_usd_per_kg,
        "power_electronics": satellite.nominal_power_w * power_electronics_price_usd_per_w,
        "bus_and_structure": kg["bus"] * bus_price_usd_per_kg
        + sum((kg[name] for name in FRAME), jnp.zeros(())) * structure_price_usd_per_kg,
        "propulsion": (kg["propulsion"] + kg["tanks"]) * propulsion_price_usd_per_kg
        + kg["propellant"] * propellant_price_usd_per_kg,
        "laser_terminals": jnp.asarray(laser_terminal_count) * laser_terminal_price_usd,
    }
    return usd | {"integration": integration_fraction * sum(usd.values(), jnp.zeros(()))}


ELECTRONICS = ("bus", "power_electronics", "harness", "terminals")
FRAME = ("structure", "shield", "contingency")
MECHANICS = ("array", "radiator", "coolant_loop", "propulsion", "tanks", *FRAME, "propellant")


@part("manufacture")
def embodied_carbon_kg(
    satellite: Satellite,
    *,
    cell_carbon_kg_per_w: CarbonPerPower,
    battery_carbon_kg_per_kwh: CarbonPerEnergy,
    mechanics_carbon_kg_per_kg: CarbonPerMass,
    electronics_carbon_kg_per_kg: CarbonPerMass,
    accelerator_carbon_kg: Mass,
    host_carbon_kg: Mass,
) -> dict[str, Array]:
    """CO2 equivalent, cradle to gate, of what a satellite is made of. [kg]

    Cells by power, and the mass of the array, most of it substrate, as mechanics; every other kilogram belongs to
    one entry. Test and transport are left out.
    """
    kg = satellite.parts_kg
    return {
        "cells": satellite.array_power_w * cell_carbon_kg_per_w,
        "battery": satellite.battery_energy_j / const.KILOWATT_HOUR_J * battery_carbon_kg_per_kwh,
        "mechanics": sum((kg[name] for name in MECHANICS), jnp.zeros(())) * mechanics_carbon_kg_per_kg,
        "electronics": sum((kg[name] for name in ELECTRONICS if name in kg), jnp.zeros(()))
        * electronics_carbon_kg_per_kg,
        "accelerators": satellite.accelerators * accelerator_carbon_kg,
        "hosts": satellite.accelerators * host_carbon_kg,
    }
