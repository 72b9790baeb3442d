"""Mass budget of a satellite."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from kernels.quantity import AreaOrNone, Fraction, HeatCapacity, Mass, StartTemperature, StructureFraction
from kernels.registry import part


@part("satellite")
def structure(
    *,
    bus_mass_kg: Mass,
    bus_heat_capacity_j_per_k: HeatCapacity,
    bus_face_area_m2: AreaOrNone,
    structure_fraction: StructureFraction,
    margin_fraction: Fraction,
) -> dict[str, Array]:
    """Bus avionics, attitude control and links, their heat capacity and radiating faces, structure and margin.

    `structure_fraction` is of the dry mass before margin; `margin_fraction` is on top of it.
    """
    return {
        "mass_kg": jnp.asarray(bus_mass_kg),
        "heat_capacity_j_per_k": jnp.asarray(bus_heat_capacity_j_per_k),
        "face_area_m2": jnp.asarray(bus_face_area_m2),
        "structure_fraction": jnp.asarray(structure_fraction),
        "margin_fraction": jnp.asarray(margin_fraction),
    }


@part("satellite")
def first_temperature(*, initial_temperature_k: StartTemperature) -> Array:
    """Temperature of every node at the start of a run. [K]"""
    return jnp.asarray(initial_temperature_k)


def launch_parts_kg(
    components_kg: Mapping[str, Array],
    structure_fraction: Array,
    margin_fraction: Array,
    tank_fraction: Array,
    propellant_per_dry_kg: Array,
    propellant_constant_kg: Array,
) -> dict[str, Array]:
    """Components, tanks, structure, margin and propellant of a satellite, which add up to its mass at launch. [kg]

    Propellant is affine in the dry mass, tanks weigh in proportion to it, and dry mass grows with the tanks: linear,
    and solved in closed form.
    """
    grossed = (1.0 + margin_fraction) / (1.0 - structure_fraction)
    parts = {name: jnp.asarray(mass) for name, mass in components_kg.items()}
    own = sum(parts.values(), jnp.zeros(()))
    burdened = own + tank_fraction * propellant_constant_kg
    dry = grossed * burdened / (1.0 - grossed * tank_fraction * propellant_per_dry_kg)
    propellant = propellant_per_dry_kg * dry + propellant_constant_kg
    parts["tanks"] = tank_fraction * propellant
    parts["structure"] = (own + parts["tanks"]) * structure_fraction / (1.0 - structure_fraction)
    parts["contingency"] = dry - dry / (1.0 + margin_fraction)
    parts["propellant"] = propellant
    return parts
