"""The one table of what a design can be measured by: name, unit, meaning, and how it follows from a steady run."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.constants import HOUR_S, YEAR_S
from twin import limits, variables
from twin.deployment.course import PFLOP_DAY_FLOP
from twin.design.money import Costs
from twin.metrics import ENERGIES, EXTREMES, Metrics
from twin.refusal import ConfigError, nearest


class Seen(NamedTuple):
    """What is seen of a satellite in a scenario, ()."""

    metrics: Metrics
    limits: dict[str, Array]  # of its hardware
    duration_s: Array
    orbits: Array  # that it stands for
    battery_j: Array  # at the health that it has at first
    accelerators: Array
    folded_area_m2: Array
    costs: Costs


class Measure(NamedTuple):
    """A number by which designs are compared or limited."""

    name: str
    unit: str
    meaning: str
    of: Callable[[Seen], Array]


MARGINS = {
    "max_overheat_k": "Of die and memory to their limits, did they all that is asked",
    "max_accelerator_temperature_k": "Of the hottest die to its limit, where the governor holds it at the closest",
    "max_memory_temperature_k": "Of the hottest memory stacks to their limit",
    "max_battery_temperature_k": "Of the warmest battery to its upper limit",
    "min_battery_temperature_k": "Of the coldest battery to the least at which it may be charged",
    "max_radiator_temperature_k": "Of the warmest radiator to its limit",
    "max_coolant_temperature_k": "Of the warmest coolant to its limit",
    "min_coolant_temperature_k": "Of the coldest fluid to its limit or the radiator's",
    "max_dose_gy": "Of the dose at the end to that which the accelerators were tested to",
    "min_state_of_charge": "Of the lowest state of charge to the reserve",
    "max_vapour_quality": "Of the highest vapour quality to dry-out",
}
_NOT_WANTED = ("battery_energy_j",)  # nothing in an orbit that closes
_OTHERS = {
    "mass_kg": ("kg", "Mass at launch"),
    "nominal_power_w": ("W", "Accelerators and hosts at full load"),
    "nominal_compute_rate_flops": ("flop/s", "Work rate of all accelerators at full load"),
    "sunlit_fraction": ("1", "Part of the time in sunlight"),
    "in_view_fraction": ("1", "Part of the time in which a site on the ground is in view, or a mesh relays"),
    "ground_delay_s": ("s", "Light time of the results that are sent, from a satellite to the ground, mean"),
    "throttled_fraction": ("1", "Part of the time in which a temperature limits the clock"),
    "underserved_fraction": ("1", "Part of the time in which less than 95 % of the work was done"),
    "power_limited_fraction": ("1", "Part of the time in which the bus limits the accelerators"),
    "battery_cycle_loss_per_year": ("per_year", "Battery capacity that cycling takes"),
    "array_loss_per_year": ("per_year", "Array power lost to particles, light and debris"),
    "dose_gy_per_year": ("Gy/year", "Ionising dose behind the shield"),
    "accelerators_alive": ("accelerators", "Accelerators that work at the end"),
    "drag_delta_v_m_per_s_per_year": ("m/s/year", "Drag met, as a change of speed"),
    "propellant_used_kg": ("kg", "Propellant used"),
    "propellant_life_years": ("years", "How long the rest of the propellant lasts"),
    "power_balance_residual": ("1", "What the electric account misses"),
    "heat_balance_residual": ("1", "What the thermal account misses"),
}


def _metric(name: str, seen: Seen) -> Array:
    return seen.metrics[name]


def _margin(limit: str, seen: Seen) -> Array:
    sign = 1.0 if limit.startswith("max") else -1.0
    return sign * (seen.limits[limit] - seen.metrics[limit])


def _mean(name: str, seen: Seen) -> Array:
    return seen.metrics[name] / seen.duration_s


def _served_charge_margin(seen: Seen) -> Array:
    """What a battery lacks shows in its charge only down to the reserve, where the bus begins to shed."""
    return _margin("min_state_of_charge", seen) - seen.metrics["shed_energy_j"] / (seen.orbits * seen.battery_j)


def _cost_usd(seen: Seen) -> Array:
    return seen.costs.made_usd + seen.costs.launch_usd


def _usd_per_flop(seen: Seen) -> Array:
    return seen.costs.usd_per_year / (YEAR_S * _mean("delivered_flop", seen))


def _usd_per_accelerator_hour(seen: Seen) -> Array:
    each_flops = seen.metrics["nominal_compute_rate_flops"] / seen.accelerators
    return HOUR_S * each_flops * _usd_per_flop(seen)


_DERIVED = (
    Measure("mean_accelerator_power_w", "W", "Accelerators and hosts, mean", partial(_mean, "accelerator_energy_j")),
    Measure("delivered_flops", "flop/s", "Work delivered, mean", partial(_mean, "delivered_flop")),
    Measure(
        "delivered_flop_per_kg",
        "flop/kg",
        "Work delivered in a year for each kilogram at launch",
        lambda seen: YEAR_S * _mean("delivered_flop", seen) / seen.metrics["mass_kg"],
    ),
    Measure(
        "kg_per_kw",
        "kg/kW",
        "Mass at launch for the mean power of accelerators and hosts",
        partial(_metric, "specific_mass_kg_per_kw"),
    ),
    Measure(
        "power_margin_w",
        "W",
        "What the array could have given more, less what the accelerators went short of; means",
        lambda seen: _mean("curtailed_energy_j", seen) - _mean("shed_energy_j", seen),
    ),
    Measure(
        "served_charge_margin",
        "1",
        "Of the lowest state of charge to the reserve, had the battery given what was shed in an orbit too",
        _served_charge_margin,
    ),
    Measure(
        "unserved_fraction",
        "1",
        "Part of the work asked that was not done",
        lambda seen: 1.0 - seen.metrics["delivered_flop"] / seen.metrics["assigned_flop"],
    ),
    Measure(
        "downlink_margin_bit_per_s",
        "bit/s",
        "What links to the ground could carry, less the results of the work; means",
        lambda seen: _mean("downlink_able_bit", seen) - _mean("produced_bit", seen),
    ),
    Measure("folded_area_m2", "m2", "Array and radiator as they are folded", lambda seen: seen.folded_area_m2),
    Measure(
        "launcher_share",
        "1",
        "Part of a launch, by mass or by volume, to this orbit; at most 1/N where N fly together",
        lambda seen: seen.costs.launcher_share,
    ),
    Measure("cost_usd", "usd", "Making the first satellite, and its share of the first launch", _cost_usd),
    Measure("usd_per_year", "usd/year", "Capital paid off over its life, and upkeep", lambda s: s.costs.usd_per_year),
    Measure(
        "usd_per_accelerator_hour",
        "usd/h",
        "Cost of a year over the work of a year, in hours of an accelerator at full work",
        _usd_per_accelerator_hour,
    ),
    Measure(
        "usd_per_pflop_day",
        "usd/PFLOP-day",
        "Cost of a year over the work of a year, for 1e15 flop/s through a day",
        lambda seen: PFLOP_DAY_FLOP * _usd_per_flop(seen),
    ),
    Measure("flop_per_usd", "flop/usd", "Work for the cost of it", lambda seen: 1.0 / _usd_per_flop(seen)),
)


def _rows() -> Iterator[Measure]:
    totals = {total.name: (total.unit, total.meaning) for total in variables.TOTALS}
    told = {name: totals[name] for name in (*ENERGIES, *EXTREMES) if name not in _NOT_WANTED}
    for name, (unit, meaning) in (told | {"max_dose_gy": ("Gy", "Dose at the end")} | _OTHERS).items():
        yield Measure(name, unit, meaning, partial(_metric, name))
    for limit, meaning in MARGINS.items():
        unit = "K" if limit.endswith("_k") else "Gy" if limit.endswith("_gy") else "1"
        yield Measure(limits.margin_name(limit), unit, meaning, partial(_margin, limit))
    yield from _DERIVED


MEASURES = {measure.name: measure for measure in _rows()}
BOILING = limits.margin_name("max_vapour_quality")
_TOLD = (
    "mass_kg",
    "cost_usd",
    "usd_per_accelerator_hour",
    "usd_per_pflop_day",
    "delivered_flops",
    "delivered_flop_per_kg",
    "mean_accelerator_power_w",
    "kg_per_kw",
    "unserved_fraction",
    "power_margin_w",
    "folded_area_m2",
    "launcher_share",
    "sunlit_fraction",
    "battery_cycle_loss_per_year",
    "array_loss_per_year",
    *map(limits.margin_name, MARGINS),
)
_TYPICAL = {"K": 10.0, "1": 0.1}
_LEAST = {"W": 1e3, "J": 1e8, "flop": 1e20, "kg": 100.0, "usd": 1e5, "m2": 10.0, "bit": 1e9, "bit/s": 1e6}


def known(where: str, name: str) -> Measure:
    """A measure by its name; ConfigError with the nearest one."""
    if name not in MEASURES:
        raise ConfigError(f"{where} = {name!r}: no such measure{nearest(name, MEASURES)}; docs/measures.md has all")
    return MEASURES[name]


def reported(boils: bool) -> tuple[str, ...]:
    """What is told of every design, whatever is asked."""
    return tuple(name for name in _TOLD if boils or name != BOILING)


def scale(measure: Measure, bound: float) -> float:
    """Typical size by which the distance of a measure to a bound is divided."""
    return _TYPICAL.get(measure.unit) or max(abs(bound), _LEAST.get(measure.unit, 0.0)) or 1.0


def values(seen: Seen, names: tuple[str, ...]) -> Array:
    """Measures by name, (measure,), float64."""
    return jnp.stack([jnp.asarray(MEASURES[name].of(seen), dtype=jnp.float64) for name in names])
