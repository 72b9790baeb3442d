"""Propulsion: thrusters, what holding an orbit and leaving it cost, and the propellant for it."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels.quantity import (
    Fraction,
    Mass,
    PerigeeHeight,
    PositiveCount,
    RatePerYear,
    Ratio,
    SmallFraction,
    SpecificImpulse,
    Speed,
    Years,
)
from kernels.registry import part


class Thruster(NamedTuple):
    """What a propulsion system weighs and how fast its exhaust is."""

    exhaust_m_per_s: Array
    mass_kg: Array  # thrusters, power processing and feed; without tanks
    tank_fraction: Array  # of the propellant's mass
    reserve_fraction: Array  # propellant on top of what the plan needs


class Plan(NamedTuple):
    """What the propellant is for."""

    hold_fraction: Array  # of the drag that thrust makes up for: 1 holds the altitude, 0 lets it decay
    life_s: Array
    avoidance_m_per_s2: Array  # collision avoidance as a mean acceleration
    disposal_perigee_m: Array


@part("propulsion")
def thruster(
    *,
    specific_impulse_s: SpecificImpulse,
    thruster_count: PositiveCount,
    thruster_mass_kg: Mass,
    tank_fraction: SmallFraction,
    reserve_fraction: Fraction,
) -> Thruster:
    """Thrusters with their power processing and feed, and tanks in proportion to the propellant."""
    return Thruster(
        exhaust_m_per_s=specific_impulse_s * jnp.asarray(const.STANDARD_GRAVITY_M_PER_S2),
        mass_kg=jnp.asarray(thruster_count) * thruster_mass_kg,
        tank_fraction=jnp.asarray(tank_fraction),
        reserve_fraction=jnp.asarray(reserve_fraction),
    )


@part("station_keeping")
def plan(
    *,
    hold_fraction: Fraction,
    design_life_years: Years,
    avoidance_manoeuvres_per_year: RatePerYear,
    avoidance_delta_v_m_per_s: Speed,
    disposal_perigee_m: PerigeeHeight,
) -> Plan:
    """Altitude held or left to decay, collision avoidance, and the perigee at which a satellite is disposed of."""
    return Plan(
        hold_fraction=jnp.asarray(hold_fraction),
        life_s=jnp.asarray(design_life_years) * const.YEAR_S,
        avoidance_m_per_s2=avoidance_manoeuvres_per_year * jnp.asarray(avoidance_delta_v_m_per_s) / const.YEAR_S,
        disposal_perigee_m=jnp.asarray(disposal_perigee_m),
    )


def disposal_delta_v_m_per_s(radius_m: Array, perigee_m: Array) -> Array:
    """Burn that lowers the perigee of a circular orbit to a height; nothing when it is lower already. [m/s]

    The first half of a Hohmann transfer. A low-thrust spiral to where the drag takes over costs about as much.
    """
    perigee_radius_m = jnp.minimum(const.EARTH_RADIUS_M + perigee_m, radius_m)
    circular = jnp.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / radius_m)
    return circular * (1.0 - jnp.sqrt(2.0 * perigee_radius_m / (radius_m + perigee_radius_m)))


def spent_fraction(delta_v_m_per_s: Array, exhaust_m_per_s: Ratio) -> Array:
    """Propellant over the mass before a manoeuvre (Tsiolkovsky 1903)."""
    return -jnp.expm1(-delta_v_m_per_s / exhaust_m_per_s)


class Need(NamedTuple):
    """Propellant as an affine function of the mass that is left at the end: per kilogram of it, and constant [kg]."""

    per_final_kg: Array
    constant_kg: Array


def need(thruster: Thruster, plan: Plan, drag_n: Array, disposal_m_per_s: Array) -> Need:
    """Propellant for a life of holding, avoiding and a disposal.

    With thrust against a drag D and an acceleration c, dm/dt = -(D + c m) / u has the closed solution
    m(0) = m(T) exp(c T / u) + D / c (exp(c T / u) - 1); the second term is finite as c vanishes.
    """
    exhaust = thruster.exhaust_m_per_s
    avoidance = plan.avoidance_m_per_s2 * plan.life_s / exhaust
    more = 1.0 + thruster.reserve_fraction
    impulse_ns = plan.hold_fraction * drag_n * plan.life_s
    growth = jnp.where(avoidance > 1e-9, jnp.expm1(avoidance) / jnp.maximum(avoidance, 1e-9), 1.0)
    return Need(
        per_final_kg=more * jnp.expm1(avoidance + disposal_m_per_s / exhaust),
        constant_kg=more * impulse_ns / exhaust * growth,
    )


def use_kg_per_s(plan: Plan, exhaust_m_per_s: Array, held_drag_n: Array, mass_kg: Array) -> Array:
    """Propellant flow of holding against a drag and of avoiding collisions. [kg/s]"""
    return (held_drag_n + plan.avoidance_m_per_s2 * mass_kg) / exhaust_m_per_s
