"""Launching satellites: payload to their own orbit, cadence of all pads, carbon and price of a launch."""

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels import safe_math as sm
from kernels.economics.finance import learned
from kernels.quantity import (
    Altitude,
    CarbonPerMass,
    CountPerYear,
    Efficiency,
    Growth,
    Inclination,
    Latitude,
    LearningRate,
    Mass,
    MassPerYear,
    Money,
    MoneyPerYear,
    PositiveCount,
    PositiveMass,
    PricePerMass,
    Ratio,
    Scalar,
    SpecificImpulse,
    Volume,
)
from kernels.registry import model, part


def raising_m_per_s(from_radius_m: Scalar, to_radius_m: Scalar) -> Array:
    """Both burns of a Hohmann transfer between circular orbits, negative where it leads down. [m/s]"""
    first, last = jnp.asarray(from_radius_m), jnp.asarray(to_radius_m)
    speed, speed_there = (jnp.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / radius) for radius in (first, last))
    perigee, apogee = jnp.sqrt(2.0 * last / (first + last)), jnp.sqrt(2.0 * first / (first + last))
    return speed * (perigee - 1.0) + speed_there * (1.0 - apogee)


def ascent_m_per_s(speed_m_per_s: Scalar, inclination_rad: Scalar, latitude_rad: Scalar) -> Array:
    """Speed that a rocket adds to that of the turning Earth to reach a circular orbit. [m/s]

    The length of the difference between the orbit's inertial velocity above the site, on the azimuth with
    cos i = cos(latitude) sin(azimuth), and the site's own velocity. An inclination below the latitude, or above its
    supplement, is reached from the nearest one by a turn of the plane, 2 v sin(turn / 2).
    Gravity and drag losses, alike for all orbits, are left out (Vallado, Fundamentals of Astrodynamics, ch. 6, 2013).
    """
    speed, wanted, latitude = map(jnp.asarray, (speed_m_per_s, inclination_rad, latitude_rad))
    reached = sm.clip(wanted, latitude, jnp.pi - latitude)
    equator_m_per_s = const.EARTH_ROTATION_RAD_PER_S * const.EARTH_RADIUS_M
    site_m_per_s = equator_m_per_s * jnp.cos(latitude)
    square = speed**2 - 2.0 * speed * equator_m_per_s * jnp.cos(reached) + site_m_per_s**2
    return jnp.sqrt(square) + 2.0 * speed * jnp.sin(0.5 * jnp.abs(wanted - reached))


@part("launch")
def payload_kg(
    altitude_m: Scalar,
    inclination_rad: Scalar,
    *,
    reference_payload_kg: Mass,
    reference_altitude_m: Altitude,
    reference_inclination_rad: Inclination,
    site_latitude_rad: Latitude,
    stage_mass_kg: PositiveMass,
    specific_impulse_s: SpecificImpulse,
) -> Array:
    """Payload to a circular orbit, from that to a reference orbit; never below zero. [kg]

    What arrives in the reference orbit, the stage with its residuals and reserves (`stage_mass_kg`) and the payload, is
    part propellant when the orbit is a dearer one: m_stage + m = (m_stage + m_reference) exp(-dv / u) (Tsiolkovsky
    1903), where dv is the Hohmann transfer from the reference altitude and what a launch into the other inclination
    takes more. Altitude and inclination broadcast.
    """
    radius_m = const.EARTH_RADIUS_M + jnp.asarray(reference_altitude_m)
    speed_m_per_s = jnp.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / radius_m)
    more_m_per_s = (
        raising_m_per_s(radius_m, const.EARTH_RADIUS_M + jnp.asarray(altitude_m))
        + ascent_m_per_s(speed_m_per_s, inclination_rad, site_latitude_rad)
        - ascent_m_per_s(speed_m_per_s, reference_inclination_rad, site_latitude_rad)
    )
    exhaust_m_per_s = const.STANDARD_GRAVITY_M_PER_S2 * specific_impulse_s
    arriving_kg = (stage_mass_kg + reference_payload_kg) * jnp.exp(-more_m_per_s / exhaust_m_per_s)
    return jnp.maximum(arriving_kg - stage_mass_kg, 0.0)


@part("launch")
def fairing(*, fairing_volume_m3: Volume) -> Array:
    """Volume under the fairing. [m3]"""
    return jnp.asarray(fairing_volume_m3)


@part("launch")
def success_probability(*, success_fraction: Efficiency) -> Array:
    """Probability that a launch delivers its satellites."""
    return jnp.asarray(success_fraction)


@part("launch")
def launches_per_year(
    years: Scalar,
    *,
    pads: PositiveCount,
    pad_launches_per_year: CountPerYear,
    first_launches_per_year: CountPerYear,
    cadence_growth_per_year: Growth,
) -> Array:
    """Launches from all pads together, a logistic curve of time since the start of the deployment. [1/year]

    It grows by `cadence_growth_per_year` a year while it is small, and levels off at what the pads allow
    (Verhulst 1838).
    """
    ceiling = pads * jnp.asarray(pad_launches_per_year)
    first = jnp.minimum(first_launches_per_year, ceiling)
    left = jnp.power(1.0 + jnp.asarray(cadence_growth_per_year), -jnp.asarray(years))
    return ceiling / (1.0 + (ceiling / first - 1.0) * left)


@part("launch")
def launch_carbon_kg(
    *,
    fuel_mass_kg: Mass,
    oxidizer_mass_kg: Mass,
    vented_fuel_kg: Mass,
    built_mass_kg: Mass,
    burnt_fuel_carbon_kg_per_kg: CarbonPerMass,
    vented_fuel_carbon_kg_per_kg: CarbonPerMass,
    made_fuel_carbon_kg_per_kg: CarbonPerMass,
    made_oxidizer_carbon_kg_per_kg: CarbonPerMass,
    vehicle_carbon_kg_per_kg: CarbonPerMass,
) -> Array:
    """CO2-equivalent of a launch over a hundred years: propellant burnt, vented and made, and the vehicle. [kg]

    `fuel_mass_kg` is burnt, what is vented comes on top of it. `built_mass_kg` is the hardware built for each launch:
    what is expended, and what is reused divided by its flights. Soot, alumina and water left above the tropopause are
    not in it; they may outweigh it (Dominguez Calabuig et al., Acta Astronautica 221, 2024).
    """
    fuel_kg = jnp.asarray(fuel_mass_kg)
    return (
        fuel_kg * burnt_fuel_carbon_kg_per_kg
        + vented_fuel_kg * jnp.asarray(vented_fuel_carbon_kg_per_kg)
        + (fuel_kg + vented_fuel_kg) * made_fuel_carbon_kg_per_kg
        + oxidizer_mass_kg * jnp.asarray(made_oxidizer_carbon_kg_per_kg)
        + built_mass_kg * jnp.asarray(vehicle_carbon_kg_per_kg)
    )


@model("launch")
def fixed_price(years: Scalar, cumulative_kg: Scalar, launches_per_year: Scalar, *, price_usd: Money) -> Array:
    """One price for the whole vehicle, whenever and however often it flies. [USD per launch]"""
    return jnp.full(jnp.broadcast_shapes(*map(jnp.shape, (years, cumulative_kg, launches_per_year))), price_usd)


@model("launch")
def learning_by_mass(
    years: Scalar,
    cumulative_kg: Scalar,
    launches_per_year: Scalar,
    *,
    reference_price_usd_per_kg: PricePerMass,
    reference_mass_kg: PositiveMass,
    learning_fraction: LearningRate,
    floor_price_usd_per_kg: PricePerMass,
    priced_payload_kg: PositiveMass,
    other_mass_kg_per_year: MassPerYear,
) -> Array:
    """Price that falls by `learning_fraction` with each doubling of the mass launched so far. [USD per launch]

    The mass is `reference_mass_kg` at the start, this deployment's `cumulative_kg` and what others launch in the years
    since. The price per kilogram, of which `priced_payload_kg` makes a launch, falls to a floor (the learning curve of
    Aguera y Arcas et al., Project Suncatcher, arXiv 2511.19468, 2025).
    """
    launched_kg = reference_mass_kg + cumulative_kg + jnp.asarray(other_mass_kg_per_year) * years
    price_usd_per_kg = reference_price_usd_per_kg * learned(learning_fraction, launched_kg / reference_mass_kg)
    each = jnp.maximum(price_usd_per_kg, floor_price_usd_per_kg) * priced_payload_kg
    return jnp.broadcast_to(each, jnp.broadcast_shapes(each.shape, jnp.shape(launches_per_year)))


@model("launch")
def learning_by_cadence(
    years: Scalar,
    cumulative_kg: Scalar,
    launches_per_year: Scalar,
    *,
    fixed_usd_per_year: MoneyPerYear,
    vehicle_usd: Money,
    flights_per_vehicle: PositiveCount,
    expended_usd: Money,
    refurbishment_usd: Money,
    propellant_usd: Money,
    margin_fraction: Ratio,
) -> Array:
    """Price from below: what a year of pads, fleet and people costs over its launches, and a flight. [USD per launch]

    A flight costs its share of a reused vehicle, what is expended with it, refurbishment and propellant;
    `margin_fraction` is what the seller adds. `launches_per_year`, above zero, are all that share the fixed cost.
    """
    flight_usd = jnp.asarray(vehicle_usd) / flights_per_vehicle + expended_usd + refurbishment_usd + propellant_usd
    each = (1.0 + margin_fraction) * (fixed_usd_per_year / jnp.asarray(launches_per_year) + flight_usd)
    return jnp.broadcast_to(each, jnp.broadcast_shapes(each.shape, jnp.shape(years), jnp.shape(cumulative_kg)))
