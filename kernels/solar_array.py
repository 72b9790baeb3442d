"""Solar array: what wiring, mismatch and years in orbit leave of its cells' power, and what its faces absorb."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.constants import COVER_GLASS_KG_PER_M3, YEAR_S
from kernels.quantity import (
    Area,
    ArealHeatCapacity,
    ArealMass,
    Efficiency,
    Fraction,
    Optics,
    PositiveCount,
    RatePerYear,
    TimeConstant,
)
from kernels.registry import part


class Panel(NamedTuple):
    """Array panel: area, the part of it that makes electricity at its terminals, heat capacity, rear optics."""

    area_m2: Array
    electric_area_m2: Array
    packing_fraction: Array
    heat_capacity_j_per_k: Array
    areal_mass_kg_per_m2: Array
    substrate_absorptivity: Array
    rear: Optics


@part("array")
def panel(
    *,
    area_m2: Area,
    packing_fraction: Efficiency,
    wiring_efficiency: Efficiency,
    substrate_absorptivity: Fraction,
    rear_absorptivity: Fraction,
    rear_emissivity: Fraction,
    areal_heat_capacity_j_per_m2_k: ArealHeatCapacity,
    structure_mass_kg_per_m2: ArealMass,
) -> Panel:
    """Panel of a given area.

    `packing_fraction` is cell area over panel area; `wiring_efficiency` covers harness and diodes, whose loss stays in
    the panel as heat; `structure_mass_kg_per_m2` is everything but the cells.
    """
    area = jnp.asarray(area_m2)
    return Panel(
        area_m2=area,
        electric_area_m2=area * packing_fraction * wiring_efficiency,
        packing_fraction=jnp.asarray(packing_fraction),
        heat_capacity_j_per_k=area * areal_heat_capacity_j_per_m2_k,
        areal_mass_kg_per_m2=jnp.asarray(structure_mass_kg_per_m2),
        substrate_absorptivity=jnp.asarray(substrate_absorptivity),
        rear=Optics(jnp.asarray(rear_absorptivity), jnp.asarray(rear_emissivity)),
    )


@part("array")
def folded_area_m2(area_m2: Array, *, folded_layers: PositiveCount) -> Array:
    """Area of the blanket or the panels at launch, folded or rolled into so many layers. [m2]"""
    return area_m2 / folded_layers


@part("array")
def rear_shield_m(cell_kg_per_m2: Array, *, substrate_shield_kg_per_m2: ArealMass) -> Array:
    """Cover glass that weighs as much as what shields the junctions from behind: the cell itself and its substrate. [m]

    JPL 96-9 adds the fluence through the rear to that through the front in the same way.
    """
    return (cell_kg_per_m2 + substrate_shield_kg_per_m2) / COVER_GLASS_KG_PER_M3


@part("array")
def remaining(
    age_s: Array,
    *,
    initial_health: Efficiency,
    darkening_fraction: Fraction,
    darkening_time_s: TimeConstant,
    debris_loss_per_year: RatePerYear,
) -> Array:
    """Power that age alone leaves: glass darkens towards a limit, debris takes cells at a steady rate.

    No annealing: a data sheet's cells are annealed before they are measured, and for cells in orbit no rate is
    published.
    """
    clear = 1.0 - darkening_fraction * (1.0 - jnp.exp(-age_s / darkening_time_s))
    return initial_health * clear * jnp.exp(-debris_loss_per_year * age_s / YEAR_S)
