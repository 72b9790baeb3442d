"""Radiator panels, the fins between their tubes, and their coating."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4 as SIGMA
from kernels.constants import YEAR_S
from kernels.quantity import (
    Area,
    ArealHeatCapacity,
    ArealMass,
    Conductivity,
    Efficiency,
    Fraction,
    Lifetime,
    Optics,
    PositiveCount,
    Temperature,
    Thickness,
)
from kernels.registry import part


class Radiator(NamedTuple):
    """A panel: area of one side, which parts of its two faces radiate, heat capacity, mass and limits."""

    area_m2: Array
    second_face_fraction: Array
    heat_capacity_j_per_k: Array
    mass_kg: Array
    min_temperature_k: Array
    max_temperature_k: Array


@part("radiator")
def panel(
    *,
    area_m2: Area,
    second_face_fraction: Fraction,
    areal_heat_capacity_j_per_m2_k: ArealHeatCapacity,
    areal_mass_kg_per_m2: ArealMass,
    min_temperature_k: Temperature,
    max_temperature_k: Temperature,
) -> Radiator:
    """Flat panel with fluid passages; `area_m2` is one side.

    `second_face_fraction` is 1 for a deployed panel and 0 for one on a wall.
    """
    area = jnp.asarray(area_m2)
    return Radiator(
        area_m2=area,
        second_face_fraction=jnp.asarray(second_face_fraction),
        heat_capacity_j_per_k=area * areal_heat_capacity_j_per_m2_k,
        mass_kg=area * areal_mass_kg_per_m2,
        min_temperature_k=jnp.asarray(min_temperature_k),
        max_temperature_k=jnp.asarray(max_temperature_k),
    )


@part("radiator")
def folded_area_m2(area_m2: Array, *, folded_layers: PositiveCount) -> Array:
    """Area of the panels at launch, folded or rolled into so many layers. [m2]"""
    return area_m2 / folded_layers


@part("radiator")
def fin_efficiency(
    emissivity: Array,
    *,
    facesheet_thickness_m: Thickness,
    conductivity_w_per_m_k: Conductivity,
    tube_spacing_m: Thickness,
    design_temperature_k: Temperature,
) -> Array:
    """Radiated heat over that of a panel which is everywhere as warm as its tubes. ()

    A facesheet per radiating face (half of a sheet that radiates from both), of in-plane conductivity, is a fin from
    each tube to half-way to the next. Its efficiency falls with the cube of the tubes' temperature and is taken at
    `design_temperature_k`.
    """
    half_m = 0.5 * jnp.asarray(tube_spacing_m)
    return radiating_fin_efficiency(
        emissivity
        * SIGMA
        * jnp.asarray(design_temperature_k) ** 3
        * half_m**2
        / (conductivity_w_per_m_k * facesheet_thickness_m)
    )


def _chebyshev(intervals: int) -> np.ndarray:
    """Derivative on [0, 1] of the polynomial through Chebyshev's points (Trefethen 2000, Spectral Methods, ch. 6)."""
    k = np.arange(intervals + 1)
    x = 0.5 - 0.5 * np.cos(np.pi * k / intervals)
    weight = np.where((k == 0) | (k == intervals), 2.0, 1.0) * (-1.0) ** k
    off = np.outer(weight, 1.0 / weight) / (x[:, None] - x[None, :] + np.eye(k.size))
    return off - np.diag(off.sum(axis=1))


_SLOPE = _chebyshev(10)


def radiating_fin_efficiency(conduction_number: Array) -> Array:
    """Efficiency of a straight fin that radiates to cold space, by collocation and Newton's method.

    Solves t'' = n t^4, t = 1 at the root, t' = 0 at the tip, with n = emissivity sigma T^3 L^2 / (k d) for a length L
    and a thickness d per radiating face (Siegel & Howell, Thermal Radiation Heat Transfer, 4th ed. 2002, ch. 10).
    """
    count = len(_SLOPE)
    inner = np.ones(count)
    inner[[0, -1]] = 0.0
    ends = np.zeros((count, count))
    ends[0, 0], ends[-1] = 1.0, _SLOPE[-1]
    linear = inner[:, None] * (_SLOPE @ _SLOPE) + ends
    root = np.eye(count)[0]

    def newton(_: int, t: Array) -> Array:
        residual = linear @ t - inner * conduction_number * t**4 - root
        return t - jnp.linalg.solve(linear - jnp.diag(4.0 * inner * conduction_number * t**3), residual)

    t = lax.fori_loop(0, 8, newton, jnp.ones(count))
    return -(_SLOPE[0] @ t) / conduction_number


@part("coating")
def aged_optics(
    *,
    absorptivity_bol: Fraction,
    absorptivity_eol: Fraction,
    emissivity_bol: Efficiency,
    emissivity_eol: Efficiency,
    life_fraction: Fraction,
) -> Optics:
    """Solar absorptivity and emissivity of a coating at a fraction of its life, between BOL and EOL values.

    Beyond its life they stay at the EOL values.
    """
    spent = jnp.minimum(life_fraction, 1.0)
    return Optics(
        absorptivity_bol + (absorptivity_eol - jnp.asarray(absorptivity_bol)) * spent,
        emissivity_bol + (emissivity_eol - jnp.asarray(emissivity_bol)) * spent,
    )


@part("coating")
def ageing_rate_per_s(*, design_life_years: Lifetime) -> Array:
    """Rate at which a coating's life passes in sunlight, where ultraviolet light and what it fixes darken it. [1/s]

    Whatever the angle of the light: contamination, particles and reflected light reach a shaded face as well.
    """
    return 1.0 / (jnp.asarray(design_life_years) * YEAR_S)
