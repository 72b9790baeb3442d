"""From the course of a deployment to the numbers that people compare: every denominator, total and levelised."""

import jax.numpy as jnp
from jax import Array

from kernels.economics import finance, upkeep
from twin.deployment.course import MONTH_H, MONTH_S, PFLOP_DAY_FLOP, Course, Unit, years_at
from twin.deployment.space_prices import FOR_CHIPS

GW_W = 1e9
MILESTONES_GW = (1, 10, 100)
RUNNING = ("operations", "servicing", "disposal", "energy", "repairs")  # paid for units that are in place

Metrics = dict[str, Array]


def metrics(course: Course, terms: upkeep.Terms, chip_flops: Array) -> Metrics:
    """All metrics of a course, (); `chip_flops` is the nominal rate of an accelerator of the first month.

    Levelised costs are present values of costs over present values of work (IEA and NEA, Projected Costs of Generating
    Electricity, 2020, chapter 2); what the units are still worth at the end is taken off, in both kinds.
    """
    once = jnp.ones_like(course.units)
    present = finance.discount_factor(terms.discount_per_year, years_at(course.units.size))
    at_end = finance.discount_factor(terms.discount_per_year, years_at(course.units.size, 1.0))[-1]
    revenue_usd = _revenue_usd(course, terms, chip_flops)
    left_usd = sum(course.residual_usd.values(), jnp.zeros(()))
    net_usd = revenue_usd - total(course)
    work = quantities(course, terms, once)
    return {
        "total_usd": jnp.sum(total(course)),
        "residual_usd": left_usd,
        "revenue_usd": jnp.sum(revenue_usd),
        "net_present_value_usd": jnp.sum(net_usd * present) + left_usd * at_end,
        **per_watt(course),
        **{f"total_{name}": value for name, value in per_work(course, terms, once, jnp.ones(())).items()},
        **{f"levelised_{name}": value for name, value in per_work(course, terms, present, at_end).items()},
        "most_power_w": jnp.max(course.work.nominal_power_w),
        "last_power_w": course.work.nominal_power_w[-1],
        **{f"years_to_{gw}_gw": years_to(course.work.nominal_power_w, gw * GW_W) for gw in MILESTONES_GW},
        "units_launched": jnp.sum(course.events.launched),
        "launches": jnp.sum(course.launches),
        "launched_kg": jnp.sum(course.launched_kg),
        "delivered_flop": jnp.sum(course.work.compute_flops) * MONTH_S,
        "carbon_kg": jnp.sum(course.carbon_kg),
        "carbon_kg_per_kwh": over(jnp.sum(course.carbon_kg), work["kwh"]),
        "carbon_kg_per_pflop_day": over(jnp.sum(course.carbon_kg), work["pflop_day"]),
        "water_l_per_kwh": over(jnp.sum(course.water_l), work["kwh"]),
        "water_l_per_pflop_day": over(jnp.sum(course.water_l), work["pflop_day"]),
    }


def total(course: Course) -> Array:
    """All that is paid in each month, (month,)."""
    return sum(course.costs_usd.values(), jnp.zeros_like(course.units))


def quantities(course: Course, terms: upkeep.Terms, weight: Array) -> Metrics:
    """Energy of accelerators and hosts, hours of working accelerators, work and tokens, months weighted, ()."""
    flop = course.work.compute_flops @ weight * MONTH_S
    return {
        "kwh": course.work.accelerator_power_w @ weight * MONTH_H / 1e3,
        "accelerator_hour": course.work.accelerators @ weight * MONTH_H,
        "pflop_day": flop / PFLOP_DAY_FLOP,
        "million_tokens": flop / terms.work_per_token_flop / 1e6,
    }


def over(amount: Array, quantity: Array) -> Array:
    """An amount over a quantity; infinite without any."""
    some = quantity > 0.0
    return jnp.where(some, amount / jnp.where(some, quantity, 1.0), jnp.inf)


def per_work(course: Course, terms: upkeep.Terms, weight: Array, at_end: Array) -> Metrics:
    """Cost per unit of each denominator, months and the end weighted, with chips and without, ()."""
    chips_usd = sum((course.costs_usd[name] for name in FOR_CHIPS), jnp.zeros_like(course.units))
    chips = chips_usd @ weight - course.residual_usd["chips"] * at_end
    rest = (total(course) - chips_usd) @ weight - course.residual_usd["rest"] * at_end
    found = {}
    for name, quantity in quantities(course, terms, weight).items():
        found[f"usd_per_{name}"] = over(rest + chips, quantity)
        found[f"usd_per_{name}_without_chips"] = over(rest, quantity)
    return found


def per_unit(unit: Unit, terms: upkeep.Terms) -> Metrics:
    """Levelised cost of a unit of each month over its own life, by denominator, (month,)."""
    amounts = {
        "kwh": unit.energy_kwh,
        "accelerator_hour": unit.accelerator_hours,
        "pflop_day": unit.flop / PFLOP_DAY_FLOP,
        "million_tokens": unit.flop / terms.work_per_token_flop / 1e6,
    }
    return {f"usd_per_{name}": unit.cost_usd / amount for name, amount in amounts.items()} | {
        f"usd_per_{name}_without_chips": (unit.cost_usd - unit.chips_usd) / amount for name, amount in amounts.items()
    }


def per_watt(course: Course) -> Metrics:
    """What a new unit takes per watt, mean over those placed: of nominal power, and of the mean power of its life.

    On the ground that is the building with its chips; a power plant is paid with the price of energy.
    """
    launched = course.events.launched
    placed_w = launched @ course.unit.nominal_power_w
    chips_usd, invested_usd = (launched @ usd for usd in (course.unit.capital_chips_usd, course.unit.capital_usd))
    could_w = jnp.sum(course.units * course.unit.nominal_power_w)
    delivered = jnp.sum(course.work.accelerator_power_w) / jnp.where(could_w > 0.0, could_w, 1.0)
    return {
        "delivered_fraction": delivered,
        "usd_per_w_nominal": over(invested_usd, placed_w),
        "usd_per_w_nominal_without_chips": over(invested_usd - chips_usd, placed_w),
        "usd_per_w_delivered": over(invested_usd, placed_w * delivered),
        "usd_per_w_delivered_without_chips": over(invested_usd - chips_usd, placed_w * delivered),
    }


def _revenue_usd(course: Course, terms: upkeep.Terms, chip_flops: Array) -> Array:
    """What the work of each month earns: hours of an accelerator of the first month at full rate, (month,)."""
    price = terms.accelerator_hour_usd * jnp.power(1.0 + terms.price_growth_per_year, years_at(course.units.size))
    return price * course.work.compute_flops / chip_flops * MONTH_H


def years_to(power_w: Array, wanted_w: float) -> Array:
    """Years until a power is first reached, within a month by interpolation; infinite when it never is, ()."""
    reached = power_w >= wanted_w
    first = jnp.argmax(reached)
    before = jnp.where(first > 0, power_w[first - 1], 0.0)
    rise = power_w[first] - before
    part = (wanted_w - before) / jnp.where(rise > 0.0, rise, 1.0)
    return jnp.where(jnp.any(reached), years_at(power_w.size, 0.0)[first] + part / finance.MONTHS_PER_YEAR, jnp.inf)
