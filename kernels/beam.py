"""Beams of light and radio: what an aperture gathers into one, what pointing loses, what arrives at a distance."""

from math import log

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels.quantity import Scalar


def aperture_gain(aperture_m: Scalar, wavelength_m: Scalar, efficiency: Scalar) -> Array:
    """Gain of a round aperture by its diameter: efficiency (pi D / wavelength)^2."""
    return efficiency * (jnp.pi * jnp.asarray(aperture_m) / wavelength_m) ** 2


def effective_area_m2(aperture_m: Scalar, efficiency: Scalar) -> Array:
    """Area with which a round aperture receives."""
    return efficiency * 0.25 * jnp.pi * jnp.asarray(aperture_m) ** 2


def pointing_factor(gain: Array, error_rad: Scalar) -> Array:
    """Part of the intensity on the axis that a beam has off it: exp(-gain error^2 / 4), a Gaussian's.

    A Gaussian beam of half-angle w at 1 / e^2 has a gain of 8 / w^2 and falls as exp(-2 error^2 / w^2).
    """
    return jnp.exp(-0.25 * gain * error_rad**2)


def captured_fraction(gain: Array, area_m2: Array, distance_m: Scalar) -> Array:
    """Part of a beam that a receiver in its middle takes in, `area_m2` being its effective area.

    1 - exp(-f) of the f of Friis (Proc. IRE 34, 1946): exact for a Gaussian beam in its far field, f itself at a
    distance, never above 1 nearby.
    """
    far = jnp.maximum(jnp.asarray(distance_m), 1.0)
    return -jnp.expm1(-gain * area_m2 / (4.0 * jnp.pi * far * far))


def received_w(transmitted_w: Scalar, gain: Array, area_m2: Array, distance_m: Scalar, loss_db: Scalar) -> Array:
    """Power that a receiver in the middle of a beam takes in, of what was sent into it. [W]"""
    return transmitted_w * captured_fraction(gain, area_m2, distance_m) * of_decibels(loss_db)


def of_decibels(loss_db: Scalar) -> Array:
    """Factor that a loss leaves."""
    return jnp.exp(-0.1 * log(10.0) * jnp.asarray(loss_db))


def photon_energy_j(wavelength_m: Scalar) -> Array:
    """Energy of a photon."""
    return const.PLANCK_J_S * const.SPEED_OF_LIGHT_M_PER_S / jnp.asarray(wavelength_m)
