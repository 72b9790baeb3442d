"""Compute on the ground: the same accelerators in buildings, month by month, once there is power for them."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels.economics import finance, ground, manufacture, supply, upkeep, vintages
from kernels.economics.finance import MONTHS_PER_YEAR
from kernels.economics.site import Site
from twin.deployment import course, space
from twin.deployment.course import MONTH_H, Costs, Course, Grown, Unit, Work, years_at
from twin.deployment.life import Life
from twin.deployment.project import Numbers, Shape
from twin.deployment.space_prices import satellite_of

LIMITS = ("target", "accelerators")  # what is powered is the target


class Block(NamedTuple):
    """The accelerators of one satellite in a building: the unit on the ground."""

    nominal_power_w: Array
    chips_usd: Costs
    chips_carbon_kg: Array
    failing: Array  # (age,) part of its accelerators that fails in a month, and is put right
    repair_usd: Array  # of all its accelerators
    repair_carbon_kg: Array


def build(shape: Shape, life: Life, numbers: Numbers, site: Site) -> Course:
    """The deployment of the satellites' accelerators at a site; chips leave after the service life, as in orbit."""
    terms = registry.call(upkeep.terms, numbers["economics"])
    plan = registry.call(vintages.plan, numbers["deployment"])
    at_once = plan._replace(loss_per_year=jnp.zeros(()), commissioning_years=jnp.zeros(()))
    block = block_of(life, numbers)
    each = work_of(life, site, plan, shape.ages)
    law = vintages.law(at_once, jnp.ones(shape.ages))
    powered_w = powered(site, plan, jnp.arange(shape.months + 1.0) / MONTHS_PER_YEAR)
    outputs = registry.call(supply.output_per_year, numbers["supply"], years_at(shape.months))
    blocks = outputs["accelerators"].ours / MONTHS_PER_YEAR / life.accelerators
    progress = jnp.power(1.0 + terms.progress_per_year, years_at(shape.months, 0.0))
    wanted = powered_w[1:] / life.nominal_power_w

    def possible(units: Array, month: Array) -> Array:
        """Blocks for which there are accelerators, after those that are put right."""
        return jnp.maximum(blocks[month] - units @ block.failing, 0.0)[None]

    grown = course.grow(law, wanted, possible, jnp.ones(()), progress)
    work = course.done(grown, law, each)
    built_w = _built(site, plan, shape.months)
    kwh = work.accelerator_power_w * MONTH_H / 1e3
    units, launched, failed = jnp.sum(grown.units, axis=1), grown.events.launched, grown.units @ block.failing
    none = jnp.zeros(shape.months)
    return Course(
        units=units,
        by_age=grown.units,
        events=grown.events,
        work=work,
        launches=none,
        launched_kg=none,
        costs_usd={name: usd * launched for name, usd in block.chips_usd.items()}
        | {
            "facility": built_w * site.capex_usd_per_w,
            "energy": kwh * site.pue * site.energy_usd_per_kwh,
            "operations": powered_w[1:] * site.operations_usd_per_w_year / MONTHS_PER_YEAR,
            "repairs": failed * block.repair_usd,
        },
        demand_per_year={"accelerators": MONTHS_PER_YEAR * (launched + failed) * life.accelerators},
        binding=grown.binding,
        carbon_kg=launched * block.chips_carbon_kg
        + failed * block.repair_carbon_kg
        + built_w * site.carbon_kg_per_w
        + kwh * site.pue * site.carbon_kg_per_kwh,
        water_l=kwh * site.water_l_per_kwh,
        unit=_unit(site, block, law, terms, each, progress),
        residual_usd=_residual(site, block, plan, grown, built_w),
    )


def powered(site: Site, plan: vintages.Plan, years: Array) -> Array:
    """IT power that the site can feed, up to the target. [W]"""
    return jnp.minimum(ground.capacity_w(site, years), plan.target_power_w)


def work_of(life: Life, site: Site, plan: vintages.Plan, ages: int) -> Work:
    """What a block with all its chips does in each month, (age,): the work asked in orbit, as far as the site is up.

    A part of the full work takes that part of the full power.
    """
    served = space.in_service(life, plan)
    asked = jnp.sum(served.asked_flops) / jnp.sum(served.asked_flops > 0.0) / life.nominal_flops
    every = jnp.ones(ages)
    return Work(
        nominal_power_w=life.nominal_power_w * every,
        accelerators=site.availability * life.accelerators * every,
        accelerator_power_w=site.availability * asked * life.nominal_power_w * every,
        compute_flops=site.availability * asked * life.nominal_flops * every,
    )


def block_of(life: Life, numbers: Numbers) -> Block:
    """Prices, carbon and repairs of the accelerators and hosts of a satellite."""
    profile, satellite = numbers["manufacture"], satellite_of(life)
    usd = registry.call(manufacture.computers_usd, profile, satellite)
    carbon = registry.call(manufacture.embodied_carbon_kg, profile, satellite)
    return Block(
        nominal_power_w=life.nominal_power_w,
        chips_usd=usd,
        chips_carbon_kg=carbon["accelerators"] + carbon["hosts"],
        failing=course.by_month(failing_per_year(life)) / MONTHS_PER_YEAR,
        repair_usd=registry.call(manufacture.repair_usd, profile, usd),
        repair_carbon_kg=carbon["accelerators"],
    )


def failing_per_year(life: Life) -> Array:
    """Part of the working accelerators that fails in each year, those that are replaced in orbit among them, (year,).

    From the middle of a year to that of the next; the first from the launch on. On the ground they fail alike.
    """
    alive, replaced = life.accelerators_alive, life.accelerators_replaced
    before = jnp.concatenate([life.accelerators[None], alive[:-1]])
    span_years = jnp.where(jnp.arange(alive.size) == 0, 0.5, 1.0)
    return jnp.maximum((before - alive) / span_years + replaced, 0.0) / (0.5 * (before + alive))


def _built(site: Site, plan: vintages.Plan, months: int) -> Array:
    """IT power for which buildings are finished in each month, new ones and those whose life is over, (month,). [W]"""
    edges = jnp.arange(months + 1.0) / MONTHS_PER_YEAR
    generations = 1 + months // MONTHS_PER_YEAR  # no facility lasts less than a year
    lives = site.facility_life_years * jnp.arange(generations)
    return jnp.sum(jnp.diff(powered(site, plan, edges[None, :] - lives[:, None]), axis=1), axis=0)


def _unit(
    site: Site,
    block: Block,
    law: vintages.Law,
    terms: upkeep.Terms,
    each: Work,
    progress: Array,
) -> Unit:
    """A block of each month over the life of its chips, with the facility's annuity for that time."""
    weight = vintages.survivors(law) * finance.discount_factor(terms.discount_per_year, years_at(law.works.size))
    flop, kwh, hours = course.over_life(each, law, weight)
    years = jnp.sum(weight) / MONTHS_PER_YEAR
    facility_years = finance.present_years(terms.discount_per_year, site.facility_life_years)
    yearly_usd_per_w = site.capex_usd_per_w / facility_years + site.operations_usd_per_w_year
    new_usd = sum(block.chips_usd.values(), jnp.zeros(()))
    chips_usd = new_usd + weight @ block.failing * block.repair_usd
    rest_usd = years * yearly_usd_per_w * block.nominal_power_w + kwh * site.pue * site.energy_usd_per_kwh
    same = jnp.ones_like(progress)
    return Unit(
        cost_usd=(chips_usd + rest_usd) * same,
        chips_usd=chips_usd * same,
        flop=flop * progress,
        energy_kwh=kwh * same,
        accelerator_hours=hours * same,
        nominal_power_w=block.nominal_power_w * same,
        capital_usd=(new_usd + site.capex_usd_per_w * block.nominal_power_w) * same,
        capital_chips_usd=new_usd * same,
    )


def _residual(site: Site, block: Block, plan: vintages.Plan, grown: Grown, built_w: Array) -> Costs:
    """What chips and buildings are still worth at the end, written off evenly over their lives, ()."""
    chips_usd = sum(block.chips_usd.values(), jnp.zeros(()))
    ages = course.years_at(built_w.size, 1.0)[::-1]
    unworn = jnp.clip(1.0 - ages / site.facility_life_years, 0.0, 1.0)
    return {
        "chips": course.unworn(grown, plan.service_life_years) * chips_usd,
        "rest": built_w @ unworn * site.capex_usd_per_w,
    }
