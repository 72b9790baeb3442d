"""Satellites of a growing fleet by their age in months: launch, loss, retirement, and what the makers can keep up with.

A fleet is an array over ages, moved on by one place a month: units of a place were launched in the same month and are
one vintage. Units are real numbers, so that all that follows from them is differentiable; whole ones are for tables.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import MONTHS_PER_YEAR
from kernels.quantity import Density, PositivePower, PositiveRatio, RatePerYear, Ratio, Scalar, ServiceLife
from kernels.registry import part


class Plan(NamedTuple):
    """What is to be built, and what becomes of a satellite."""

    target_power_w: Array  # of accelerators and hosts, of the satellites in service
    spares_fraction: Array  # satellites that stand by in orbit, of those that the target asks for
    service_life_years: Array
    loss_per_year: Array
    commissioning_years: Array
    stowed_density_kg_per_m3: Array


class Law(NamedTuple):
    """What a month does to units of each age, (age,)."""

    survival: Array  # () of a month, by chance
    stays: Array  # part of the survivors that are not retired when they reach the next age
    works: Array  # part of the month of that age in which they are in service
    worth: Array  # what a unit counts for towards the target, beside a new one without fault


class Stock(NamedTuple):
    """Units in orbit by age in months, (age,), and what they can do beside the first vintage."""

    units: Array
    progress: Array


class Events(NamedTuple):
    """Units to which something happened in a month, ()."""

    launched: Array
    lost_at_launch: Array
    failed: Array
    retired: Array


@part("deployment")
def plan(
    *,
    target_power_w: PositivePower,
    spares_fraction: Ratio,
    service_life_years: ServiceLife,
    loss_per_year: RatePerYear,
    commissioning_years: Ratio,
    stowed_density_kg_per_m3: Density,
) -> Plan:
    """Target of a deployment, spares in orbit, and the life of a satellite: losses by chance, then retirement."""
    return Plan(
        target_power_w=jnp.asarray(target_power_w),
        spares_fraction=jnp.asarray(spares_fraction),
        service_life_years=jnp.asarray(service_life_years),
        loss_per_year=jnp.asarray(loss_per_year),
        commissioning_years=jnp.asarray(commissioning_years),
        stowed_density_kg_per_m3=jnp.asarray(stowed_density_kg_per_m3),
    )


@part("deployment")
def scaled(mass_kg: Scalar, delivered_flops: Array, *, mass_scale: PositiveRatio, delivered_scale: PositiveRatio):
    """Launch mass and delivered work as the twin has them, times what a study of their uncertainty makes of them."""
    return mass_scale * jnp.asarray(mass_kg), delivered_scale * delivered_flops


@part("deployment")
def scaled_price(launch_usd: Array, *, launch_price_scale: PositiveRatio) -> Array:
    """Price of a launch, times what a study of its uncertainty makes of it, whatever the launcher."""
    return launch_price_scale * launch_usd


def law(plan: Plan, worth: Array) -> Law:
    """Survival by chance, retirement at the end of the service life, and service after commissioning.

    `worth` is (age,). A life that ends within a month ends for the part of the units that the month has of it.
    """
    age = jnp.arange(worth.size + 1.0)
    kept = jnp.clip(MONTHS_PER_YEAR * plan.service_life_years - age, 0.0, 1.0)
    some = kept[:-1] > 0.0
    return Law(
        survival=jnp.exp(-plan.loss_per_year / MONTHS_PER_YEAR),
        stays=jnp.where(some, kept[1:] / jnp.where(some, kept[:-1], 1.0), 0.0),
        works=jnp.clip(age[1:] - MONTHS_PER_YEAR * plan.commissioning_years, 0.0, 1.0),
        worth=worth,
    )


def survivors(law: Law) -> Array:
    """Part of the units that reach orbit and are still there at each age in months, (age,)."""
    return jnp.cumprod(jnp.concatenate([jnp.ones(1), law.survival * law.stays[:-1]]))


def empty(ages: int) -> Stock:
    """A fleet before its first launch."""
    return Stock(jnp.zeros(ages), jnp.ones(ages))


def month(
    stock: Stock, law: Law, wanted: Array, possible: Array, success: Array, progress: Array
) -> tuple[Stock, Events]:
    """A month: the fleet grows older, then as many units are launched as are missing and possible.

    `wanted` is how many units without fault the fleet should be worth, `possible` how many can be launched.
    """
    lived = law.survival * stock.units
    stayed = law.stays * lived
    missing = jnp.maximum(wanted - stayed[:-1] @ law.worth[1:], 0.0) / (success * law.worth[0])
    launched = jnp.minimum(missing, possible)
    units = jnp.concatenate([(success * launched)[None], stayed[:-1]])
    events = Events(
        launched=launched,
        lost_at_launch=(1.0 - success) * launched,
        failed=jnp.sum(stock.units - lived),
        retired=jnp.sum(lived - stayed),
    )
    return Stock(units, jnp.concatenate([progress[None], stock.progress[:-1]])), events
