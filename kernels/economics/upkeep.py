"""What a fleet costs from year to year, and what its work earns."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import DiscountRate, Fraction, Growth, Money, PricePerHour, PricePerPowerYear, WorkPerToken
from kernels.registry import part


class Upkeep(NamedTuple):
    """Yearly and single costs of satellites in service."""

    operations_per_year: Array  # of what a satellite without chips costs to build
    ground_segment_usd_per_w_year: Array  # of nominal power
    insurance_fraction: Array  # above expected losses, of what is launched, its launch included
    visit_usd: Array
    disposal_usd: Array


class Terms(NamedTuple):
    """Interest, the price of work, and how it is counted."""

    discount_per_year: Array
    accelerator_hour_usd: Array
    price_growth_per_year: Array
    progress_per_year: Array
    work_per_token_flop: Array


@part("deployment")
def upkeep(
    *,
    operations_fraction: Fraction,
    ground_segment_usd_per_w_year: PricePerPowerYear,
    insurance_fraction: Fraction,
    visit_price_usd: Money,
    disposal_price_usd: Money,
) -> Upkeep:
    """Operations a year as a part of the price of the hardware without chips, stations, insurance, visits, disposal."""
    return Upkeep(
        operations_per_year=jnp.asarray(operations_fraction),
        ground_segment_usd_per_w_year=jnp.asarray(ground_segment_usd_per_w_year),
        insurance_fraction=jnp.asarray(insurance_fraction),
        visit_usd=jnp.asarray(visit_price_usd),
        disposal_usd=jnp.asarray(disposal_price_usd),
    )


@part("economics")
def terms(
    *,
    discount_rate_per_year: DiscountRate,
    accelerator_hour_price_usd_per_h: PricePerHour,
    accelerator_hour_growth_per_year: Growth,
    accelerator_progress_per_year: Growth,
    work_per_token_flop: WorkPerToken,
) -> Terms:
    """Real discount rate, price of an accelerator's hour at full work and its change, and progress of new chips.

    Progress is the growth of the work of a chip of the same price and power; it is the same in orbit and on the ground.
    """
    return Terms(
        discount_per_year=jnp.asarray(discount_rate_per_year),
        accelerator_hour_usd=jnp.asarray(accelerator_hour_price_usd_per_h),
        price_growth_per_year=jnp.asarray(accelerator_hour_growth_per_year),
        progress_per_year=jnp.asarray(accelerator_progress_per_year),
        work_per_token_flop=jnp.asarray(work_per_token_flop),
    )
