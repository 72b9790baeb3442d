"""Downlinks: the terminal of a satellite, sites on the ground as it sees them, weather, and which site it uses."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import beam
from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import (
    Aperture,
    DataRate,
    Decibels,
    Efficiency,
    Elevation,
    Frequency,
    Mass,
    PointingError,
    PositiveCount,
    PositivePower,
    PositiveRatio,
    Power,
    SpectralEfficiency,
    Temperature,
    Vector,
    Wavelength,
)
from kernels.registry import model, part

LEAST_SINE = 0.02  # of the elevation by which the path through the air grows: 50 times that of the zenith


class Sites(NamedTuple):
    """Stations on the ground, (site,)."""

    latitude_rad: Array  # geodetic
    longitude_rad: Array
    height_m: Array  # above the ellipsoid
    clear_sky_fraction: Array  # part of the time in which the weather lets a link through


class Laser(NamedTuple):
    """What a satellite's telescope sends down."""

    radiated_w: Array  # equivalent of a source that radiates everywhere alike
    photon_j: Array
    most_bit_per_s: Array


class Radio(NamedTuple):
    """What a satellite's antenna sends down."""

    radiated_w: Array
    bandwidth_hz: Array
    most_bit_per_s: Array


class Sight(NamedTuple):
    """A satellite above the horizon of each site, (site, ...)."""

    sin_elevation: Array
    range_m: Array


class Load(NamedTuple):
    """What the terminal towards the ground weighs and draws."""

    mass_kg: Array
    power_w: Array


# --- The satellite's end ----------------------------------------------------------------------------------------------


@model("downlink", "none")
def no_terminal() -> None:
    """No terminal towards the ground."""


@model("downlink", "optical")
def telescope(
    *,
    transmitted_power_w: PositivePower,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    wavelength_m: Wavelength,
    pointing_error_rad: PointingError,
    channels: PositiveCount,
    channel_bit_per_s: DataRate,
) -> Laser:
    """A laser terminal."""
    gain = beam.aperture_gain(aperture_m, wavelength_m, aperture_efficiency)
    radiated_w = transmitted_power_w * gain * beam.pointing_factor(gain, pointing_error_rad)
    return Laser(radiated_w, beam.photon_energy_j(wavelength_m), jnp.asarray(channels) * channel_bit_per_s)


@model("downlink", "radio")
def antenna(
    *,
    transmitted_power_w: PositivePower,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    frequency_hz: Frequency,
    pointing_error_rad: PointingError,
    bandwidth_hz: Frequency,
    most_bit_per_s_hz: SpectralEfficiency,
) -> Radio:
    """A dish with a transmitter; its best modulation and code carry `most_bit_per_s_hz`."""
    gain = beam.aperture_gain(aperture_m, const.SPEED_OF_LIGHT_M_PER_S / jnp.asarray(frequency_hz), aperture_efficiency)
    radiated_w = transmitted_power_w * gain * beam.pointing_factor(gain, pointing_error_rad)
    return Radio(radiated_w, jnp.asarray(bandwidth_hz), jnp.asarray(bandwidth_hz) * most_bit_per_s_hz)


@part("downlink", of="optical")
@part("downlink", of="radio")
def load(*, terminal_mass_kg: Mass, terminal_power_w: Power) -> Load:
    """Mass and power of the one terminal; it draws its power always."""
    return Load(jnp.asarray(terminal_mass_kg), jnp.asarray(terminal_power_w))


# --- The ground's end -------------------------------------------------------------------------------------------------


@model("ground_network", "none")
def no_network(sender: None, sight: Sight) -> None:
    """No stations."""


@model("ground_network", "optical")
def light(
    sender: Laser,
    sight: Sight,
    *,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    photons_per_bit: PositiveRatio,
    zenith_loss_db: Decibels,
    loss_db: Decibels,
) -> Array:
    """Rate at which a telescope on the ground receives under a clear sky. [bit/s]

    The lesser, rounded, of what the channels carry and what the photons are enough for; `zenith_loss_db` grows with
    the path through the air, `loss_db` (turbulence, margin) does not.
    """
    power_w = _received_w(sender.radiated_w, sight, aperture_m, aperture_efficiency, zenith_loss_db, loss_db)
    return sm.soft_minimum(sender.most_bit_per_s, power_w / (photons_per_bit * sender.photon_j))


@model("ground_network", "radio")
def radio(
    sender: Radio,
    sight: Sight,
    *,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    noise_temperature_k: Temperature,
    zenith_loss_db: Decibels,
    loss_db: Decibels,
) -> Array:
    """Rate at which a dish on the ground receives, its code adapted to the signal (Shannon 1948). [bit/s]

    `loss_db` holds what modem and code lack of Shannon's limit, and the margin.
    """
    power_w = _received_w(sender.radiated_w, sight, aperture_m, aperture_efficiency, zenith_loss_db, loss_db)
    noise_w = const.BOLTZMANN_J_PER_K * noise_temperature_k * sender.bandwidth_hz
    limit = sender.bandwidth_hz * jnp.log1p(power_w / noise_w) / jnp.log(2.0).astype(power_w.dtype)
    return sm.soft_minimum(sender.most_bit_per_s, limit)


@part("ground_network", of="optical")
@part("ground_network", of="radio")
def lowest_sine(*, min_elevation_rad: Elevation) -> Array:
    """Sine of the elevation above which a site sees a satellite."""
    return jnp.sin(jnp.asarray(min_elevation_rad))


def _received_w(
    radiated_w: Array,
    sight: Sight,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    zenith_loss_db: Decibels,
    loss_db: Decibels,
) -> Array:
    """Power at the receiver; a flat atmosphere is longer by one over the sine of the elevation."""
    area_m2 = beam.effective_area_m2(aperture_m, aperture_efficiency)
    air_db = zenith_loss_db / jnp.maximum(sight.sin_elevation, LEAST_SINE)
    return radiated_w * area_m2 * beam.of_decibels(air_db + loss_db) / (4.0 * jnp.pi * sight.range_m**2)


# --- Geometry ---------------------------------------------------------------------------------------------------------


def zenith(sites: Sites, sidereal_angle_rad: Array) -> Vector:
    """Direction away from the ellipsoid at each site, in the frame of the orbits, (site,)."""
    cosine, turned = jnp.cos(sites.latitude_rad), sites.longitude_rad + sidereal_angle_rad
    return cosine * jnp.cos(turned), cosine * jnp.sin(turned), jnp.sin(sites.latitude_rad)


def site_m(sites: Sites, up: Vector) -> Vector:
    """Place of each site on the ellipsoid of WGS-84, (site,), in the frame of `zenith`. [m]"""
    square = const.EARTH_FLATTENING * (2.0 - const.EARTH_FLATTENING)
    normal_m = const.EARTH_RADIUS_M / sm.sqrt(1.0 - square * up[2] * up[2])
    across_m, along_m = normal_m + sites.height_m, (1.0 - square) * normal_m + sites.height_m
    return across_m * up[0], across_m * up[1], along_m * up[2]


def sight(sites: Sites, sidereal_angle_rad: Array, satellite_m: Vector) -> Sight:
    """Elevation, without refraction, and slant range of satellites (...) from each site, (site, ...)."""
    up = zenith(sites, sidereal_angle_rad)
    shape = (-1, *(1,) * jnp.ndim(satellite_m[0]))
    above = tuple(part.reshape(shape) for part in up)
    way = tuple(a - b.reshape(shape) for a, b in zip(satellite_m, site_m(sites, up), strict=True))
    range_m = sm.sqrt(sm.dot(way, way))
    return Sight(sm.dot(above, way) / range_m, range_m)


# --- Which site -------------------------------------------------------------------------------------------------------


def use_of_sites(rates_bit_per_s: Array, free: Array) -> Array:
    """Probability that a satellite's one terminal talks to each site, (site, ...): to the fastest one that is free.

    `free` is the probability that a site is in view under a clear sky, each site's weather by itself. The fastest
    site is used when it is free, the next when that one is not and it is, and so on; what is left of one is the
    probability that there is none.
    """
    order = jnp.argsort(-rates_bit_per_s, axis=0)
    falling = jnp.take_along_axis(free, order, axis=0)
    none_before = jnp.cumprod(1.0 - falling, axis=0)
    none_before = jnp.concatenate([jnp.ones_like(none_before[:1]), none_before[:-1]])
    return jnp.take_along_axis(falling * none_before, jnp.argsort(order, axis=0), axis=0)
