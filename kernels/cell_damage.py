"""Fluence of 1 MeV electrons that does to a cell what the particles of its orbit do through its cover glass."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates

from kernels.quantity import Ratio, Scalar
from kernels.registry import part

GLASS_STEP_M = 2.5e-5  # rates follow a power of the thickness plus this, from bare cells on
NEGLIGIBLE_PER_M2_S = 1e4  # 3e7 per cm2 and year, a hundred-thousandth of a low orbit's


class FluenceTable(NamedTuple):
    """Equivalent rates by (activity, altitude, inclination, thickness), activity being solar minimum and maximum.

    Electrons count as 1 MeV electrons, trapped and solar protons as 10 MeV protons. [1/m2/s]
    """

    altitude_m: Array
    inclination_rad: Array
    thickness_m: Array
    electron_per_m2_s: Array
    proton_per_m2_s: Array
    solar_proton_per_m2_s: Array


class FluenceRate(NamedTuple):
    """Rate of 1 MeV electrons at solar minimum and at solar maximum, (satellite,). [1/m2/s]"""

    quiet_per_m2_s: Array
    active_per_m2_s: Array


@part("environment")
def solar_proton_factor(*, solar_proton_factor: Ratio) -> Scalar:
    """Solar protons over those that 95 % of solar cycles do not exceed."""
    return solar_proton_factor


def fluence_rate(
    table: FluenceTable,
    altitude_m: Array,
    inclination_rad: Array,
    thickness_m: Scalar,
    proton_to_electron_ratio: Scalar,
    solar_proton_factor: Scalar,
) -> FluenceRate:
    """Rate behind a thickness of glass on circular orbits, from one side, the other being shielded.

    Logarithmic in the rate between the table's entries; outside its altitudes that of the nearest one. The belts are
    symmetric about the equator, so a retrograde orbit counts as its mirror image.
    """
    through = [_through_glass(table.thickness_m, rates, thickness_m) for rates in table[3:]]
    electrons, protons, solar = through
    total = electrons + proton_to_electron_ratio * (protons + solar_proton_factor * solar)
    tilt = jnp.minimum(inclination_rad, jnp.pi - inclination_rad)
    place = [_position(table.altitude_m, altitude_m), _position(table.inclination_rad, tilt)]
    quiet, active = (map_coordinates(_log(state), place, order=1, mode="nearest") for state in total)
    return FluenceRate(_exp(quiet), _exp(active))


def _through_glass(thickness_m: Array, rates: Array, wanted_m: Scalar) -> Array:
    """Rates behind a thickness, as a power law of the glass plus `GLASS_STEP_M` between the tabulated ones."""
    place = _position(jnp.log(thickness_m + GLASS_STEP_M), jnp.log(wanted_m + GLASS_STEP_M))
    below = jnp.clip(jnp.floor(place).astype(int), 0, len(thickness_m) - 2)
    part = place - below
    return _exp((1.0 - part) * _log(rates[..., below]) + part * _log(rates[..., below + 1]))


def _position(grid: Array, x: Scalar) -> Array:
    """Fractional index of x on a rising grid."""
    return jnp.interp(x, grid, jnp.arange(len(grid), dtype=float))


def _log(rate: Array) -> Array:
    return jnp.log(rate + NEGLIGIBLE_PER_M2_S)


def _exp(logarithm: Array) -> Array:
    return jnp.maximum(jnp.exp(logarithm) - NEGLIGIBLE_PER_M2_S, 0.0)
