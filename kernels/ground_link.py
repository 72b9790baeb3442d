"""Downlinks: the terminal of a satellite, sites on the ground as it sees them, weather, and which site it uses."""

from math import log
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernels import beam
from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import (
    Aperture,
    DataRate,
    Decibels,
    Duration,
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
    WeatherSpell,
)
from kernels.registry import model, part

UNLIMITED = 1e6  # telescopes at a site
LEAST_SINE = 0.02  # of the elevation by which the path through the air grows: 50 times that of the zenith


class Sites(NamedTuple):
    """Stations on the ground, (site,)."""

    latitude_rad: Array  # geodetic
    longitude_rad: Array
    height_m: Array  # above the ellipsoid
    clear_sky_fraction: Array  # part of the time in which the weather lets a link through


class Laser(NamedTuple):
    """What a satellite's telescope sends down."""

    sent_w: Array  # less what pointing loses
    gain: Array
    photon_j: Array
    most_bit_per_s: Array


class Radio(NamedTuple):
    """What a satellite's antenna sends down."""

    sent_w: Array  # less what pointing loses
    gain: Array
    bandwidth_hz: Array
    most_bit_per_s: Array


class Sight(NamedTuple):
    """A satellite above the horizon of each site, (site, ...)."""

    sin_elevation: Array
    sin_elevation_rate_per_s: Array
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
    sent_w = transmitted_power_w * beam.pointing_factor(gain, pointing_error_rad)
    return Laser(sent_w, gain, beam.photon_energy_j(wavelength_m), jnp.asarray(channels) * channel_bit_per_s)


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
    sent_w = transmitted_power_w * beam.pointing_factor(gain, pointing_error_rad)
    return Radio(sent_w, gain, jnp.asarray(bandwidth_hz), jnp.asarray(bandwidth_hz) * most_bit_per_s_hz)


@part("downlink", of="optical")
@part("downlink", of="radio")
def load(*, terminal_mass_kg: Mass, terminal_power_w: Power) -> Load:
    """Mass and power of the one terminal; it draws its power always."""
    return Load(jnp.asarray(terminal_mass_kg), jnp.asarray(terminal_power_w))


@part("downlink", of="optical")
@part("downlink", of="radio")
def acquired_after_s(*, acquisition_s: Duration) -> Array:
    """Time that the two ends take to find each other, from when the site sees the satellite on."""
    return jnp.asarray(acquisition_s)


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
    the path through the air, `loss_db` (turbulence, pointing at the ground's end, margin) does not.
    """
    power_w = _received_w(sender, sight, aperture_m, aperture_efficiency, zenith_loss_db, loss_db)
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

    `loss_db` holds what modem and code lack of Shannon's limit, the pointing of the dish, and the margin.
    """
    power_w = _received_w(sender, sight, aperture_m, aperture_efficiency, zenith_loss_db, loss_db)
    noise_w = const.BOLTZMANN_J_PER_K * noise_temperature_k * sender.bandwidth_hz
    limit = sender.bandwidth_hz * jnp.log1p(power_w / noise_w) / log(2.0)
    return sm.soft_minimum(sender.most_bit_per_s, limit)


@part("ground_network", of="optical")
@part("ground_network", of="radio")
def lowest_sine(*, min_elevation_rad: Elevation) -> Array:
    """Sine of the elevation above which a site sees a satellite, where refraction raises it to the lowest allowed.

    By Bennett (J. Navigation 35, 255, 1982), for light at sea level; air on mountains refracts by a quarter less, moist
    air refracts radio by some tenth more.
    """
    seen_deg = jnp.degrees(jnp.asarray(min_elevation_rad))
    raised_arcmin = 1.0 / jnp.tan(jnp.radians(seen_deg + 7.31 / (seen_deg + 4.4)))
    return jnp.sin(jnp.radians(seen_deg - raised_arcmin / 60.0))


@part("ground_network", of="optical")
@part("ground_network", of="radio")
def spell_s(*, weather_spell_s: WeatherSpell) -> Array:
    """Time for which the weather of a site stays as it is."""
    return jnp.asarray(weather_spell_s)


@part("ground_network", of="optical")
@part("ground_network", of="radio")
def telescopes(*, telescopes: PositiveCount = UNLIMITED) -> Array:
    """Telescopes or dishes of a site, each of which receives one satellite at a time."""
    return jnp.asarray(telescopes)


def _received_w(
    sender: Laser | Radio,
    sight: Sight,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    zenith_loss_db: Decibels,
    loss_db: Decibels,
) -> Array:
    """Power at the receiver; a flat atmosphere is longer by one over the sine of the elevation."""
    area_m2 = beam.effective_area_m2(aperture_m, aperture_efficiency)
    air_db = zenith_loss_db / jnp.maximum(sight.sin_elevation, LEAST_SINE)
    return beam.received_w(sender.sent_w, sender.gain, area_m2, sight.range_m, air_db + loss_db)


# --- Geometry ---------------------------------------------------------------------------------------------------------


def earth_fixed(vector: Vector, sidereal_angle_rad: Array) -> Vector:
    """A vector in the frame of the orbits as the Earth sees it, whose first axis is in the plane of Greenwich."""
    sine, cosine = jnp.sin(sidereal_angle_rad), jnp.cos(sidereal_angle_rad)
    return cosine * vector[0] + sine * vector[1], cosine * vector[1] - sine * vector[0], vector[2]


def zenith(sites: Sites) -> Vector:
    """Direction away from the ellipsoid at each site, fixed to the Earth, (site,)."""
    cosine = jnp.cos(sites.latitude_rad)
    east, north = cosine * jnp.sin(sites.longitude_rad), jnp.sin(sites.latitude_rad)
    return cosine * jnp.cos(sites.longitude_rad), east, north


def site_m(sites: Sites) -> Vector:
    """Place of each site on the ellipsoid of WGS-84, fixed to the Earth, (site,). [m]"""
    up, square = zenith(sites), const.EARTH_FLATTENING * (2.0 - const.EARTH_FLATTENING)
    normal_m = const.EARTH_RADIUS_M / sm.sqrt(1.0 - square * up[2] * up[2])
    across_m, along_m = normal_m + sites.height_m, (1.0 - square) * normal_m + sites.height_m
    return across_m * up[0], across_m * up[1], along_m * up[2]


def sight(sites: Sites, satellite_m: Vector, velocity_m_per_s: Vector) -> Sight:
    """Elevation, without refraction, and slant range of satellites (...) from each site, (site, ...).

    Place and velocity are fixed to the Earth: as seen by one who turns with it.
    """
    axes = jnp.ndim(satellite_m[0])
    up, ground_m = (_before(vector, axes) for vector in (zenith(sites), site_m(sites)))
    moving, place = (_behind(vector) for vector in (velocity_m_per_s, satellite_m))
    way = sm.difference(place, ground_m)
    nearness_per_m = lax.rsqrt(sm.dot(way, way))
    sine = sm.dot(up, way) * nearness_per_m
    rate = (sm.dot(up, moving) - sine * sm.dot(way, moving) * nearness_per_m) * nearness_per_m
    return Sight(sine, rate, 1.0 / nearness_per_m)


def raised(sight: Sight, lowest: Array) -> Sight:
    """Satellites below the lowest sine of the elevation as their height would have them there, at that range."""
    low_m = const.EARTH_RADIUS_M * lowest
    height_m2 = sight.range_m * (sight.range_m + 2.0 * const.EARTH_RADIUS_M * sight.sin_elevation)
    nearest_m = sm.sqrt(low_m * low_m + height_m2) - low_m
    below = sight.sin_elevation < lowest
    return sight._replace(
        sin_elevation=jnp.maximum(sight.sin_elevation, lowest), range_m=jnp.where(below, nearest_m, sight.range_m)
    )


def _behind(vector: Vector) -> Vector:
    """A vector of each satellite, (...), with an axis for the sites before."""
    return vector[0][None], vector[1][None], vector[2][None]


def _before(vector: Vector, axes: int) -> Vector:
    """A vector of each site, (site,), with axes for the satellites behind."""
    x, y, z = (part.reshape(-1, *(1,) * axes) for part in vector)
    return x, y, z


# --- Which site -------------------------------------------------------------------------------------------------------


def use_of_sites(rates_bit_per_s: Array, free: Array) -> Array:
    """Probability that a satellite's one terminal talks to each site, (site, ...): to the fastest one that is free.

    `free` is the probability that a site is in view under a clear sky, each site's weather by itself. The fastest
    site is used when it is free, the next when that one is not and it is, and so on; what is left of one is the
    probability that there is none.
    """
    sites = jnp.arange(len(free)).reshape(-1, *(1,) * (free.ndim - 1))
    own, other = rates_bit_per_s[None], rates_bit_per_s[:, None]
    sooner = (other > own) | ((other == own) & (sites[:, None] < sites[None]))  # (other, site, ...)
    return free * jnp.prod(jnp.where(sooner, 1.0 - free[:, None], 1.0), axis=0)
