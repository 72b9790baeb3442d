"""Links between satellites: light from terminal to terminal, or a mesh of other satellites that relays."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import beam
from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import (
    Aperture,
    Count,
    DataRate,
    Decibels,
    Distance,
    Duration,
    Efficiency,
    Fraction,
    HopLength,
    Mass,
    PathStretch,
    PointingError,
    PositiveCount,
    PositivePower,
    PositiveRatio,
    Power,
    Scalar,
    Vector,
    Wavelength,
)
from kernels.registry import model, part


class Link(NamedTuple):
    """What one terminal carries to another satellite."""

    bit_per_s: Array
    delay_s: Array  # one way


class Terminals(NamedTuple):
    """What all terminals of a kind weigh and draw."""

    number: Array
    mass_kg: Array
    power_w: Array


def received_w(
    transmitted_w: Scalar,
    gain: Array,
    wavelength_m: Scalar,
    distance_m: Scalar,
    loss_db: Scalar,
    pointing_error_rad: Scalar,
) -> Array:
    """Power that a terminal receives from its equal, both of a gain and both off their aim by the same error. [W]

    A receiver that couples into a fibre has the pattern of a sender, so that its own error costs as much again.
    """
    area_m2 = gain * jnp.asarray(wavelength_m) ** 2 / (4.0 * jnp.pi)
    both = beam.pointing_factor(gain, pointing_error_rad) ** 2
    return beam.received_w(transmitted_w * both, gain, area_m2, distance_m, loss_db)


def delay_s(distance_m: Scalar) -> Array:
    """Time that light takes in a vacuum."""
    return jnp.asarray(distance_m) / const.SPEED_OF_LIGHT_M_PER_S


@model("link")
def none(distance_m: Array) -> None:
    """No terminals towards other satellites."""


@model("link")
def optical(
    distance_m: Array,
    *,
    transmitted_power_w: PositivePower,
    aperture_m: Aperture,
    aperture_efficiency: Efficiency,
    wavelength_m: Wavelength,
    pointing_error_rad: PointingError,
    loss_db: Decibels,
    photons_per_bit: PositiveRatio,
    channels: PositiveCount,
    channel_bit_per_s: DataRate,
) -> Link:
    """Laser link between two equal terminals.

    Its rate is the lesser, rounded (`safe_math.soft_minimum`), of what its channels carry and of what the received
    photons are enough for. Where a source states the gain, choose `aperture_efficiency` so that
    `beam.aperture_gain` gives it.
    """
    gain = beam.aperture_gain(aperture_m, wavelength_m, aperture_efficiency)
    power_w = received_w(transmitted_power_w, gain, wavelength_m, distance_m, loss_db, pointing_error_rad)
    enough_bit_per_s = power_w / (photons_per_bit * beam.photon_energy_j(wavelength_m))
    return Link(sm.soft_minimum(channels * jnp.asarray(channel_bit_per_s), enough_bit_per_s), delay_s(distance_m))


@model("link")
def mesh(
    distance_m: Array,
    *,
    share_bit_per_s: DataRate,
    availability: Fraction,
    path_stretch: PathStretch,
    hop_m: HopLength,
    hop_delay_s: Duration,
    access_m: Distance,
) -> Link:
    """A terminal into a mesh of other satellites, over a distance along the great circle.

    `share_bit_per_s` is what the mesh carries for one terminal while it is available; the path is longer than the
    great circle by `path_stretch`, and each of its hops, the first among them, adds a delay. `access_m` are the ways
    into the mesh and down from it, together.
    """
    flown_m = path_stretch * jnp.asarray(distance_m)
    waits_s = (1.0 + flown_m / hop_m) * hop_delay_s
    return Link(availability * share_bit_per_s + 0.0 * flown_m, delay_s(flown_m + access_m) + waits_s)


@part("link", of="mesh")
def gateway_m(*, gateway_distance_m: Distance) -> Array:
    """Mean distance along the great circle to where the mesh lands on the ground."""
    return jnp.asarray(gateway_distance_m)


@part("link", of="optical")
def clearance_m(here: Vector, there: Vector, *, grazing_height_m: Distance) -> Array:
    """How far the line of sight between two places, by components in metres, passes above Earth and air.

    Negative where they block it. The Earth is a sphere of its equatorial radius.
    """
    way = sm.difference(there, here)
    along = sm.clip(-sm.ratio(sm.dot(here, way), sm.dot(way, way), 1.0), 0.0, 1.0)
    nearest = sm.difference(here, sm.scale(way, -along))
    return sm.sqrt(sm.dot(nearest, nearest)) - (const.EARTH_RADIUS_M + grazing_height_m)


@part("link", of="optical")
@part("link", of="mesh")
def terminals(*, terminals: Count, terminal_mass_kg: Mass, terminal_power_w: Power) -> Terminals:
    """Terminals towards other satellites; they draw their power always."""
    number = jnp.asarray(terminals)
    return Terminals(number, number * terminal_mass_kg, number * terminal_power_w)
