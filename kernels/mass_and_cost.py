"""Mass budget of a satellite."""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import AreaOrNone, Fraction, HeatCapacity, Mass, StructureFraction, Temperature
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
    """Bus avionics and tanks, its heat capacity and radiating faces, structure and margin as fractions of dry mass."""
    return {
        "mass_kg": jnp.asarray(bus_mass_kg),
        "heat_capacity_j_per_k": jnp.asarray(bus_heat_capacity_j_per_k),
        "face_area_m2": jnp.asarray(bus_face_area_m2),
        "structure_fraction": jnp.asarray(structure_fraction),
        "margin_fraction": jnp.asarray(margin_fraction),
    }


@part("satellite")
def first_temperature(*, initial_temperature_k: Temperature) -> Array:
    """Temperature of every node at the start of a run. [K]"""
    return jnp.asarray(initial_temperature_k)


def dry_mass_kg(component_mass_kg: Array, structure_fraction: Array, margin_fraction: Array) -> Array:
    """Mass of a satellite: components, structure as a fraction of the dry mass, and margin on top. [kg]"""
    return component_mass_kg / (1.0 - structure_fraction) * (1.0 + margin_fraction)
