"""Drag in free molecular flow: the force on a plate and what it does to an orbit."""

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import erf

from kernels import constants as const
from kernels.quantity import Fraction, MolarMass, Temperature
from kernels.registry import part


@part("atmosphere")
def plate_coefficient(
    cosine: Array,
    speed_m_per_s: Array,
    *,
    gas_temperature_k: Temperature,
    gas_molar_mass_kg_per_mol: MolarMass,
    wall_temperature_k: Temperature,
    energy_accommodation: Fraction,
) -> Array:
    """Drag coefficient of one side of a plate, referred to its area, by the cosine of its normal to the velocity.

    Diffuse reflection with incomplete accommodation: Sentman 1961, LMSC-448514, in the form of Moe & Moe 2005,
    Planet. Space Sci. 53, 793. A plate in the flow has 2.0-2.4; one along it keeps its friction, about 0.07 a side.
    """
    gas_constant = const.GAS_CONSTANT_J_PER_MOL_K / gas_molar_mass_kg_per_mol
    ratio = speed_m_per_s / jnp.sqrt(2.0 * gas_constant * gas_temperature_k)
    thermal = 4.0 * gas_constant * wall_temperature_k / speed_m_per_s**2
    re_emitted = jnp.sqrt(0.5 * (1.0 + energy_accommodation * (thermal - 1.0)))
    spread = jnp.exp(-((cosine * ratio) ** 2)) / ratio
    facing = 1.0 + erf(cosine * ratio)
    incoming = spread / jnp.sqrt(jnp.pi) + cosine * (1.0 + 0.5 / ratio**2) * facing
    return incoming + 0.5 * cosine * re_emitted * (cosine * jnp.sqrt(jnp.pi) * facing + spread)


def pressure_pa(density_kg_per_m3: Array, speed_m_per_s: Array) -> Array:
    """Dynamic pressure of the flow. [Pa]"""
    return 0.5 * density_kg_per_m3 * speed_m_per_s**2


def axis_loss_m_per_s(force_n: Array, mass_kg: Array, semi_major_axis_m: Array) -> Array:
    """Loss of semi-major axis under a drag on a circular orbit: 2 F / (n m) (Vallado 2013, section 9.3.1)."""
    return 2.0 * force_n / mass_kg * jnp.sqrt(semi_major_axis_m**3 / const.EARTH_GRAVITY_M3_PER_S2)


def stretch(semi_major_axis_m: Array, loss_m: Array) -> Array:
    """Semi-major axis before a loss over that after it: mean motion grows with its power of 3/2, J2 rates with 7/2."""
    return semi_major_axis_m / (semi_major_axis_m - loss_m)
