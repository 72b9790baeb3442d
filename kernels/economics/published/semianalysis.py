"""SemiAnalysis, "To boldly go: the case for space datacenters", June 2026: 16 accelerators on 30.5 kW.

Its results are public, its inputs only partly: what is missing is fitted to them and says so in the profile.
"""

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import capital_recovery_per_year
from kernels.quantity import (
    DiscountRate,
    Efficiency,
    FractionPerYear,
    PositivePower,
    PowerUsageEffectiveness,
    PricePerEnergy,
    PricePerPower,
    Years,
)
from kernels.registry import model

DENOMINATOR = "USD per hour of an accelerator delivered, levelised; with chips"
UNIT = "USD/h"
OURS = "usd_per_accelerator_hour"
SUBSTITUTES = {
    "accelerator_power_w": "accelerator_power_w",
    "service_years": "service_life_years",
    "delivered_fraction": "delivered_of_rated",
    "launch_usd_per_w": "launch_usd_per_rated_w",
    "satellite_usd_per_w": "satellite_usd_per_rated_w",
    "chips_usd_per_w": "chips_usd_per_rated_w",
    "operations_per_year": "operations_fraction_per_year",
    "discount_rate_per_year": "discount_rate_per_year",
}
# Output: what the article prints, relative tolerance, remark.
PUBLISHED = {
    "orbit": (10.91, 0.05, "levelised, USD per accelerator-hour; inputs fitted"),
    "ground": (2.49, 0.05, "levelised; inputs fitted"),
    "ownership_usd_per_h": (8.64, 0.05, "total cost of ownership; inputs fitted"),
    "ground_ownership_usd_per_h": (2.37, 0.05, "total cost of ownership; inputs fitted"),
    "capex_usd": (4.1e6, 0.05, "16 accelerators, 30.5 kW"),
    "ground_capex_usd": (1.4e6, 0.05, "the same on the ground"),
    "launch_usd": (1.6e6, 0.05, ""),
    "accelerators": (16.0, 0.05, "of 1.906 kW"),
}
CORRECTIONS = {}  # inputs that are not public cannot be called wrong
HOURS_PER_YEAR = 8760.0


@model("study")
def semianalysis(
    *,
    power_w: PositivePower,
    accelerator_power_w: PositivePower,
    service_years: Years,
    satellite_usd_per_w: PricePerPower,
    launch_usd_per_w: PricePerPower,
    chips_usd_per_w: PricePerPower,
    operations_per_year: FractionPerYear,
    discount_rate_per_year: DiscountRate,
    delivered_fraction: Efficiency,
    chip_years: Years,
    facility_usd_per_w: PricePerPower,
    facility_years: Years,
    pue: PowerUsageEffectiveness,
    ground_energy_usd_per_kwh: PricePerEnergy,
    ground_delivered_fraction: Efficiency,
) -> dict[str, Array]:
    """Cost of an accelerator-hour in orbit and on the ground [USD/h]: of ownership, and over what is delivered.

    In orbit everything lasts as long as the satellite; on the ground chips and facility each have their life.
    """
    at_start_usd_per_w = jnp.asarray(satellite_usd_per_w) + launch_usd_per_w + chips_usd_per_w
    in_orbit = capital_recovery_per_year(discount_rate_per_year, service_years)
    orbit_usd_per_w_year = in_orbit * at_start_usd_per_w + jnp.asarray(operations_per_year) * satellite_usd_per_w
    chips, facility = (capital_recovery_per_year(discount_rate_per_year, life) for life in (chip_years, facility_years))
    energy_usd_per_w_year = 1e-3 * HOURS_PER_YEAR * jnp.asarray(ground_energy_usd_per_kwh) * pue
    ground_usd_per_w_year = chips * chips_usd_per_w + facility * facility_usd_per_w + energy_usd_per_w_year
    orbit, ground = (
        accelerator_power_w / HOURS_PER_YEAR * yearly for yearly in (orbit_usd_per_w_year, ground_usd_per_w_year)
    )
    return {
        "orbit": orbit / delivered_fraction,
        "ground": ground / ground_delivered_fraction,
        "ownership_usd_per_h": orbit,
        "ground_ownership_usd_per_h": ground,
        "capex_usd": at_start_usd_per_w * power_w,
        "ground_capex_usd": (jnp.asarray(chips_usd_per_w) + facility_usd_per_w) * power_w,
        "launch_usd": jnp.asarray(launch_usd_per_w) * power_w,
        "accelerators": jnp.asarray(power_w) / accelerator_power_w,
    }
