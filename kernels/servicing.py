"""Servicing visits and replacement: when a satellite is due, and what a visit or a successor changes."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels.quantity import Age, Duration, Fraction, Lifetime, Scalar
from kernels.registry import model

SHORTEST_S = 1e-3  # of a length that is divided by


class Plan(NamedTuple):
    """What is renewed and when; times in seconds."""

    visit_interval_s: Array
    accelerators_replaced_fraction: Array
    propellant_refilled_fraction: Array
    battery_renewed_fraction: Array
    service_life_s: Array
    least_accelerators_fraction: Array
    least_propellant_fraction: Array
    campaign_s: Array
    commissioning_s: Array


@model("servicing")
def none() -> None:
    """Nothing is renewed: what fails stays so, and satellites fly on as long as they can."""


@model("servicing")
def planned(
    *,
    visit_interval_years: Lifetime,
    accelerators_replaced_fraction: Fraction,
    propellant_refilled_fraction: Fraction,
    battery_renewed_fraction: Fraction,
    service_life_years: Lifetime,
    least_accelerators_fraction: Fraction,
    least_propellant_fraction: Fraction,
    campaign_years: Age,
    commissioning_s: Duration,
) -> Plan:
    """Visits at multiples of an interval, and a successor at the end of life, by the satellite's age.

    A visit replaces fractions of the dead accelerators, of the propellant missing and of the battery. Life ends with
    its years, or earlier when fewer accelerators work, or less of the propellant that is not for the disposal is left,
    than the least fractions of those at launch. The satellites that a run begins with take their turns within a
    campaign: the last of a cohort is due at the ages stated, the first by `campaign_years` earlier. Their successors
    are due at the ages stated, so that the next campaign is as long. A successor gets no work for `commissioning_s`.
    """
    return Plan(
        visit_interval_s=jnp.asarray(visit_interval_years) * const.YEAR_S,
        accelerators_replaced_fraction=jnp.asarray(accelerators_replaced_fraction),
        propellant_refilled_fraction=jnp.asarray(propellant_refilled_fraction),
        battery_renewed_fraction=jnp.asarray(battery_renewed_fraction),
        service_life_s=jnp.asarray(service_life_years) * const.YEAR_S,
        least_accelerators_fraction=jnp.asarray(least_accelerators_fraction),
        least_propellant_fraction=jnp.asarray(least_propellant_fraction),
        campaign_s=jnp.asarray(campaign_years) * const.YEAR_S,
        commissioning_s=jnp.asarray(commissioning_s),
    )


def visit_due(plan: Plan, before_s: Array, after_s: Array, turn: Array) -> Array:
    """Whether a visit falls between two ages of a satellite.

    `turn` goes from 1, first in the first campaign, to 0; that of a successor is 0.
    """
    early_s = turn * plan.campaign_s
    visits = [jnp.floor((age_s + early_s) / plan.visit_interval_s) for age_s in (before_s, after_s)]
    return visits[1] > visits[0]


def life_over(plan: Plan, age_s: Array, turn: Array, alive_fraction: Array, propellant_fraction: Array) -> Array:
    """Whether a satellite is replaced: for its age, its dead accelerators or the propellant that is left to use."""
    aged = age_s + turn * plan.campaign_s >= plan.service_life_s
    dead = alive_fraction < plan.least_accelerators_fraction
    return aged | dead | (propellant_fraction < plan.least_propellant_fraction)


def younger_s(before_s: Array, age_s: Array, kept: Array, added: Array) -> Array:
    """By how much the accelerators on board are younger than their satellite, in the mean, after some were added. [s]

    Their hazard is taken at the mean age: a mix of worn and new ones fails somewhat more often than that, by the
    burn-in of the new ones and, with a Weibull shape above 2, by the wear of the old ones.
    """
    several = jnp.maximum(kept + added, 1e-9)
    return jnp.where(kept + added > 0.0, (kept * before_s + added * age_s) / several, before_s)


def in_service(from_s: Array, to_s: Array, in_service_s: Array) -> Array:
    """Part of an interval after a satellite was commissioned; one without length is in service or it is not."""
    length_s: Scalar = to_s - from_s
    part = jnp.clip((to_s - in_service_s) / jnp.maximum(length_s, SHORTEST_S), 0.0, 1.0)
    return jnp.where(length_s > 0.0, part, jnp.where(from_s >= in_service_s, 1.0, 0.0))
