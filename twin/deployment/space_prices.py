"""What a fleet in orbit costs: prices month by month, what is paid at them, and a single satellite's whole life."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels.economics import finance, manufacture, upkeep, vintages
from kernels.economics.finance import MONTHS_PER_YEAR
from twin.deployment import course
from twin.deployment.course import Costs, Grown, Unit, Work, years_at
from twin.deployment.life import Life
from twin.deployment.project import Numbers, Shape

CHIPS = ("accelerators", "hosts")  # of a new unit
FOR_CHIPS = (*CHIPS, "repairs")  # and those that replace what failed


class Vehicle(NamedTuple):
    """The launcher on its way to the orbit of the satellites."""

    payload_kg: Array
    satellites: Array  # per launch, by mass or volume, whichever is less
    per_year: Array  # launches of all pads, (month,)
    success: Array


class Needs(NamedTuple):
    """What a satellite needs in each month of its life, (age,)."""

    resupply_kg: Array
    accelerators: Array
    visits: Array


class Prices(NamedTuple):
    """Prices of the satellites of a month, (month,) or ()."""

    parts_usd: Costs
    launch_usd: Array  # of a launch
    upkeep: upkeep.Upkeep
    ground_segment_usd: Array  # a year, of a satellite
    accelerator_usd: Array  # with its share of the hosts
    development_usd: Array
    carbon_kg: Array  # of making a satellite

    @property
    def chips_usd(self) -> Array:
        """Accelerators and hosts of a satellite."""
        return sum((self.parts_usd[name] for name in CHIPS), jnp.zeros(()))

    @property
    def hardware_usd(self) -> Array:
        """A satellite without its chips."""
        return sum((usd for name, usd in self.parts_usd.items() if name not in CHIPS), jnp.zeros(()))

    def insurance_usd(self, satellites: Array) -> Array:
        """Insurance of a satellite of which a launch carries so many."""
        launch_usd = self.launch_usd / satellites
        return self.upkeep.insurance_fraction * (self.hardware_usd + self.chips_usd + launch_usd)

    @property
    def operations_usd_per_year(self) -> Array:
        """Operations and stations on the ground for a satellite."""
        return self.upkeep.operations_per_year * self.hardware_usd + self.ground_segment_usd


def prices(shape: Shape, life: Life, numbers: Numbers, carrier: Vehicle, launched: Array, launched_kg: Array) -> Prices:
    """Prices as production and launches go on: what has been made and launched until the middle of each month."""
    made, cumulative_kg = (jnp.cumsum(amount) - 0.5 * amount for amount in (launched, launched_kg))
    profile = numbers["manufacture"]
    bill = manufacture.satellite_bill(
        satellite_of(life), registry.call(manufacture.produced_ratio, profile, made), profile
    )
    price = registry.models("launch")[shape.model("launch")]
    launch_usd = registry.call(price, numbers["launch"], years_at(shape.months), cumulative_kg, carrier.per_year)
    costs = registry.call(upkeep.upkeep, numbers["deployment"])
    return Prices(
        parts_usd=bill.usd,
        launch_usd=registry.call(vintages.scaled_price, numbers["deployment"], launch_usd),
        upkeep=costs,
        ground_segment_usd=costs.ground_segment_usd_per_w_year * life.nominal_power_w,
        accelerator_usd=sum(bill.usd[name] for name in CHIPS) / life.accelerators,
        development_usd=registry.call(manufacture.development_usd, profile),
        carbon_kg=bill.carbon_kg,
    )


def satellite_of(life: Life) -> manufacture.Satellite:
    """What the price of a satellite depends on."""
    return manufacture.Satellite(**{name: getattr(life, name) for name in manufacture.Satellite._fields})


def costs(prices: Prices, grown: Grown, needs: Needs, carrier: Vehicle, launches: Array) -> Costs:
    """What is paid in each month, by what it is for, (month,)."""
    launched = grown.events.launched
    units = jnp.sum(grown.units, axis=1)
    return {name: usd * launched for name, usd in prices.parts_usd.items()} | {
        "launch": launches * prices.launch_usd,
        "insurance": launched * prices.insurance_usd(carrier.satellites),
        "operations": units * prices.operations_usd_per_year / MONTHS_PER_YEAR,
        "servicing": grown.units @ needs.visits * prices.upkeep.visit_usd,
        "repairs": grown.units @ needs.accelerators * prices.accelerator_usd,
        "disposal": grown.events.retired * prices.upkeep.disposal_usd,
        "development": jnp.zeros_like(launched).at[0].set(prices.development_usd),
    }


def unit(
    prices: Prices,
    life: Life,
    plan: vintages.Plan,
    law: vintages.Law,
    terms: upkeep.Terms,
    carrier: Vehicle,
    needs: Needs,
    each: Work,
    progress: Array,
) -> Unit:
    """A satellite of each month, which pays for its share of spares and of those lost at launch; not of development.

    A spare costs as much as a satellite at work, in orbit too. Its capital is that of the satellite alone, with those
    lost. Prices of later years are those of its first month.
    """
    ages = law.works.size
    present = vintages.survivors(law)
    weight = present * finance.discount_factor(terms.discount_per_year, years_at(ages))
    flop, kwh, hours = course.over_life(each, law, weight)
    kept, tried = 1.0 + plan.spares_fraction, 1.0 / carrier.success
    replaced_usd = weight @ needs.accelerators * prices.accelerator_usd
    launch_usd_per_kg = prices.launch_usd / carrier.payload_kg
    later = (
        jnp.sum(weight) / MONTHS_PER_YEAR * prices.operations_usd_per_year
        + weight @ needs.visits * prices.upkeep.visit_usd
        + weight @ needs.resupply_kg * launch_usd_per_kg
        + _disposal(prices, terms, law, present)
    )
    at_once = prices.hardware_usd + prices.launch_usd / carrier.satellites + prices.insurance_usd(carrier.satellites)
    chips_usd = kept * (tried * prices.chips_usd + replaced_usd)
    same = jnp.ones_like(prices.launch_usd)
    return Unit(
        cost_usd=kept * (tried * at_once + later) + chips_usd,
        chips_usd=chips_usd * same,
        flop=flop * progress,
        energy_kwh=kwh * same,
        accelerator_hours=hours * same,
        nominal_power_w=life.nominal_power_w * same,
        capital_usd=tried * (at_once + prices.chips_usd),
        capital_chips_usd=tried * prices.chips_usd * same,
    )


def _disposal(prices: Prices, terms: upkeep.Terms, law: vintages.Law, present: Array) -> Array:
    """Present value of the disposal of what reaches the end of its life."""
    retired = present * law.survival * (1.0 - law.stays)
    ends = finance.discount_factor(terms.discount_per_year, years_at(present.size, 1.0))
    return retired @ ends * prices.upkeep.disposal_usd


def residual(prices: Prices, plan: vintages.Plan, law: vintages.Law, carrier: Vehicle, grown: Grown) -> Costs:
    """What the satellites are still worth at the end, their launch included, written off evenly over their life, ().

    Of the chips those that work.
    """
    living = grown._replace(units=grown.units * law.worth[None, :])
    placed_usd = prices.hardware_usd + prices.launch_usd / carrier.satellites
    same = jnp.ones_like(prices.launch_usd)
    return {
        "chips": course.unworn(living, plan.service_life_years, prices.chips_usd * same),
        "rest": course.unworn(grown, plan.service_life_years, placed_usd),
    }
