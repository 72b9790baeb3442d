"""The course of a deployment, month by month, in orbit or on the ground: the one scan that both share."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernels.constants import YEAR_S
from kernels.economics import finance, vintages
from kernels.economics.finance import MONTHS_PER_YEAR

MONTH_S = YEAR_S / MONTHS_PER_YEAR
MONTH_H = finance.HOURS_PER_YEAR / MONTHS_PER_YEAR
PFLOP_DAY_FLOP = 1e15 * 86400.0

Costs = dict[str, Array]


class Work(NamedTuple):
    """What units do, in total or one of them: leaves share their dims."""

    nominal_power_w: Array  # of accelerators that work, with their hosts, at full load
    accelerators: Array
    accelerator_power_w: Array  # mean, with hosts
    compute_flops: Array


class Unit(NamedTuple):
    """A unit placed in each month, over its life, as present values of that month, (month,)."""

    cost_usd: Array
    chips_usd: Array  # the part of it that is for accelerators and hosts
    flop: Array
    energy_kwh: Array  # at the accelerators and hosts
    accelerator_hours: Array
    nominal_power_w: Array  # when new; no present value, nor are the next two
    capital_usd: Array  # what it takes to place it
    capital_chips_usd: Array


class Course(NamedTuple):
    """A deployment; leaves are (month,) unless said."""

    units: Array  # at the end of the month
    by_age: Array  # (month, age) the same by months since launch
    events: vintages.Events
    work: Work
    launches: Array
    launched_kg: Array
    costs_usd: Costs
    demand_per_year: dict[str, Array]  # of each resource
    binding: Array  # which of `names` limits what is launched; 0 is none but the target
    carbon_kg: Array
    water_l: Array
    unit: Unit
    residual_usd: Costs  # () what is left of the units at the end, for chips and for the rest


class Grown(NamedTuple):
    """What the scan over months gives, (month,) or (month, age)."""

    units: Array
    progress: Array
    events: vintages.Events
    binding: Array


def years_at(months: int, within: float = 0.5) -> Array:
    """Years from the start of the deployment to a place in each month, (month,)."""
    return (jnp.arange(months) + within) / MONTHS_PER_YEAR


def by_month(curve: Array) -> Array:
    """A curve over years of life, (year,), at each month of it, (age,)."""
    return jnp.repeat(curve, MONTHS_PER_YEAR)


def grow(
    law: vintages.Law,
    wanted: Array,
    possible: Callable[[Array, Array], Array],
    success: Array,
    progress: Array,
) -> Grown:
    """Scan over months; `possible` gives what each resource allows of new units, (resource,), from units and month.

    `wanted` and `progress` are (month,). A month in which the target is all that limits has 0 as its binding.
    """

    def one(stock: vintages.Stock, at: tuple[Array, Array, Array]) -> tuple[vintages.Stock, Grown]:
        number, wanted, progress = at
        limits = possible(stock.units, number)
        least = jnp.min(limits)
        stock, events = vintages.month(stock, law, wanted, least, success, progress)
        binding = jnp.where(events.launched < least, 0, 1 + jnp.argmin(limits))
        return stock, Grown(stock.units, stock.progress, events, binding)

    numbers = jnp.arange(wanted.size)
    return lax.scan(one, vintages.empty(law.works.size), (numbers, wanted, progress))[1]


def done(grown: Grown, law: vintages.Law, each: Work) -> Work:
    """What the units of each month do, (month,), from what one does at each age, (age,)."""
    in_service = grown.units * law.works[None, :]
    totals = Work(*(in_service @ leaf for leaf in each))
    return totals._replace(compute_flops=(in_service * grown.progress) @ each.compute_flops)


def over_life(each: Work, law: vintages.Law, weight: Array) -> tuple[Array, Array, Array]:
    """Work, energy and accelerator-hours of a unit over its life, each month with its weight, (age,): flop, kWh, h."""
    weight = weight * law.works
    flop = weight @ each.compute_flops * MONTH_S
    return flop, weight @ each.accelerator_power_w * MONTH_H / 1e3, weight @ each.accelerators * MONTH_H


def unworn(grown: Grown, service_life_years: Array, price: Array | None = None) -> Array:
    """Units that are left at the end, each for the part of its life that is still to come, ().

    `price` of a unit of each month, (month,), makes money of them.
    """
    last = grown.units[-1]
    left = jnp.clip(1.0 - years_at(last.size, 1.0) / service_life_years, 0.0, 1.0)
    if price is None:
        return last @ left
    months, ages = price.size, last.size
    by_age = jnp.zeros(ages).at[: min(ages, months)].set(price[::-1][:ages])
    return (last * left) @ by_age
