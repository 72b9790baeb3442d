"""Radiator panels and their coating."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import (
    Area,
    ArealHeatCapacity,
    ArealMass,
    Efficiency,
    Fraction,
    Optics,
    Temperature,
)
from kernels.registry import part


class Radiator(NamedTuple):
    """A panel: area of one side, which parts of its two faces radiate, heat capacity, mass and limits."""

    area_m2: Array
    second_face_fraction: Array
    fin_efficiency: Array
    heat_capacity_j_per_k: Array
    mass_kg: Array
    min_temperature_k: Array
    max_temperature_k: Array


@part("radiator")
def panel(
    *,
    area_m2: Area,
    second_face_fraction: Fraction,
    fin_efficiency: Efficiency,
    areal_heat_capacity_j_per_m2_k: ArealHeatCapacity,
    areal_mass_kg_per_m2: ArealMass,
    min_temperature_k: Temperature,
    max_temperature_k: Temperature,
) -> Radiator:
    """Flat panel with fluid passages; `area_m2` is one side.

    `second_face_fraction` is 1 for a deployed panel and 0 for one on a wall; `fin_efficiency` is
    radiated heat over that of a panel at the fluid's temperature throughout.
    """
    area = jnp.asarray(area_m2)
    return Radiator(
        area_m2=area,
        second_face_fraction=jnp.asarray(second_face_fraction),
        fin_efficiency=jnp.asarray(fin_efficiency),
        heat_capacity_j_per_k=area * areal_heat_capacity_j_per_m2_k,
        mass_kg=area * areal_mass_kg_per_m2,
        min_temperature_k=jnp.asarray(min_temperature_k),
        max_temperature_k=jnp.asarray(max_temperature_k),
    )


@part("coating")
def aged_optics(
    *,
    absorptivity_bol: Fraction,
    absorptivity_eol: Fraction,
    emissivity_bol: Efficiency,
    emissivity_eol: Efficiency,
    life_fraction: Fraction,
) -> Optics:
    """Solar absorptivity and emissivity of a coating at a fraction of its life, between BOL and EOL values."""
    return Optics(
        absorptivity_bol + (absorptivity_eol - jnp.asarray(absorptivity_bol)) * life_fraction,
        emissivity_bol + (emissivity_eol - jnp.asarray(emissivity_bol)) * life_fraction,
    )
