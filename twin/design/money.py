"""What one satellite costs to make, to launch and to keep, at the prices of the first that is launched."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels.economics import finance, launch, manufacture, upkeep, vintages

Profiles = Mapping[str, Mapping[str, Any]]

_PARTS = (manufacture.hardware_usd, manufacture.computers_usd)
_LAUNCH = (launch.payload_kg, launch.fairing, launch.success_probability)
_CADENCE = "learning_by_cadence"  # the model of launch prices that counts launches
# What a price depends on only after the first launch.
_LATER = {"cadence_growth_per_year", "learning_fraction", "reference_mass_kg", "other_mass_kg_per_year"}
_DEPLOYMENT = {
    "service_life_years",
    "stowed_density_kg_per_m3",
    "launch_price_scale",
    "operations_fraction",
    "ground_segment_usd_per_w_year",
    "insurance_fraction",
    "disposal_price_usd",
}


class Costs(NamedTuple):
    """Costs of a satellite, ()."""

    made_usd: Array
    launch_usd: Array  # its share of a launch
    usd_per_year: Array
    launcher_share: Array  # of what the launcher carries to its orbit


def costs(made: Mapping[str, Any], launcher: str, profiles: Profiles) -> Costs:
    """Costs of a satellite as `deployment.life.made` tells of it; `launcher` is the model of the launch price.

    A year costs what pays off, over the service life and with interest, the satellite with its launch, its insurance
    and its share of those lost at launch, and its disposal; and operations and stations on the ground. Not counted:
    development, spares, losses in orbit, and the fall of prices with production.
    """
    satellite = manufacture.Satellite(**{name: made[name] for name in manufacture.Satellite._fields})
    hardware, computers = (registry.call(kernel, profiles["manufacture"], satellite) for kernel in _PARTS)
    hardware_usd = sum(hardware.values(), jnp.zeros(()))
    made_usd = hardware_usd + sum(computers.values(), jnp.zeros(()))
    plan = registry.call(vintages.plan, profiles["deployment"])
    share = made["mass_kg"] / _carried_kg(made, plan, profiles["launch"])
    launch_usd = share * _price_usd(launcher, profiles)
    rules = registry.call(upkeep.upkeep, profiles["deployment"])
    rate = registry.call(upkeep.terms, profiles["economics"]).discount_per_year
    success = registry.call(launch.success_probability, profiles["launch"])
    at_once_usd = (1.0 + rules.insurance_fraction) * (made_usd + launch_usd) / success
    later_usd = rules.disposal_usd * finance.discount_factor(rate, plan.service_life_years)
    kept_usd = rules.operations_per_year * hardware_usd + rules.ground_segment_usd_per_w_year * made["nominal_power_w"]
    recovered = finance.capital_recovery_per_year(rate, plan.service_life_years)
    return Costs(made_usd, launch_usd, recovered * (at_once_usd + later_usd) + kept_usd, share)


def read(launcher: str) -> dict[str, set[str]]:
    """Numbers of each slot that costs depend on, at the first launch of a model of launch prices."""
    launching = (*_LAUNCH, registry.models("launch")[launcher])
    if launcher == _CADENCE:
        launching += (launch.launches_per_year,)
    return {
        "launch": {name for kernel in launching for name in registry.parameters(kernel)} - _LATER,
        "manufacture": {name for kernel in _PARTS for name in registry.parameters(kernel)},
        "economics": {"discount_rate_per_year"},
        "deployment": _DEPLOYMENT,
    }


def _carried_kg(made: Mapping[str, Any], plan: vintages.Plan, profile: Mapping[str, Any]) -> Array:
    """What a launch carries to the satellite's orbit: by mass or by volume, whichever is less."""
    payload_kg = registry.call(launch.payload_kg, profile, made["altitude_m"], made["inclination_rad"])
    return jnp.minimum(payload_kg, registry.call(launch.fairing, profile) * plan.stowed_density_kg_per_m3)


def _price_usd(launcher: str, profiles: Profiles) -> Array:
    """Price of the first launch of a project."""
    per_year = registry.call(launch.launches_per_year, profiles["launch"], 0.0)
    usd = registry.call(registry.models("launch")[launcher], profiles["launch"], 0.0, 0.0, per_year)
    return registry.call(vintages.scaled_price, profiles["deployment"], usd)
