"""McCalip, "Economics of orbital vs terrestrial data centers", code of December 2025: 1 GW for five years.

It divides energy on the ground by an availability of 0.85 and in orbit by 1; its breakeven launch price leaves out
operations, replacement and development. Its sunlit fraction is set, not computed; no chips in either price.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import capital_recovery_per_year, mean_after_loss
from kernels.quantity import (
    Area,
    DiscountRate,
    Efficiency,
    FractionPerYear,
    HeatRate,
    Money,
    PositiveMass,
    PositivePower,
    PowerPerMass,
    PowerUsageEffectiveness,
    PricePerFuel,
    PricePerMass,
    PricePerPower,
    Scalar,
    Years,
)
from kernels.registry import model

DENOMINATOR = "USD per kWh of mean power over the service life; without chips"
UNIT = "USD/kWh"
OURS = "usd_per_kwh_chip_without_chips"
SUBSTITUTES = {
    "service_years": "service_life_years",
    "sunlit_fraction": "sunlit_fraction",
    "cell_loss_per_year": "array_loss_per_year",
    "satellite_power_w": "rated_power_w",
    "specific_power_w_per_kg": "rated_w_per_kg",
    "launch_usd_per_kg": "launch_usd_per_kg",
    "satellite_usd_per_w": "satellite_usd_per_rated_w",
    "chip_failure_per_year": "chip_failure_per_year",
    "operations_per_year": "operations_fraction_per_year",
    "discount_rate_per_year": "discount_rate_per_year",
    "ground_availability": "ground_availability",
}
# Output: what the code prints with its defaults, relative tolerance, remark.
PUBLISHED = {
    "mean_capacity": (0.951234453, 1e-8, "mean over the years of (1 - 0.025)^year"),
    "initial_power_w": (1_072_719.94e3, 1e-8, "array power for 1 GW on average"),
    "satellites": (39_731.0, 0.0, "whole"),
    "mass_kg": (29_390_054.79, 1e-9, ""),
    "launches": (294.0, 0.0, "whole, of 100 t"),
    "hardware_usd": (23.600214e9, 1e-8, ""),
    "launch_usd": (14.695027e9, 1e-7, ""),
    "operations_usd": (1.180011e9, 1e-6, "1 % of hardware a year"),
    "replacement_usd": (10.620096e9, 1e-7, "9 % of hardware a year, though the hardware has no chips"),
    "development_usd": (1e9, 1e-9, ""),
    "total_usd": (51.095348e9, 1e-8, ""),
    "usd_per_w": (51.0953, 1e-5, "of mean power"),
    "orbit": (1.16656, 1e-5, "LCOE; energy over an availability of 1"),
    "breakeven_launch_usd_per_kg": (-263.657, 1e-5, "without operations, replacement and development"),
    "ground_usd_per_w": (15.85106, 1e-6, ""),
    "ground_infrastructure_usd": (14.66e9, 1e-9, ""),
    "ground_fuel_usd": (1.19106e9, 1e-5, ""),
    "ground": (0.42576, 1e-5, "LCOE; energy over an availability of 0.85"),
}
HOURS_PER_YEAR = 8760.0


def _orbit(
    power_w: Scalar, hardware_usd: Array, launch_usd: Array, development_usd: Scalar, rates: tuple[Scalar, ...]
) -> dict[str, Array]:
    """Bill of the orbital side; rates: operations, replacement, interest [1/year] and years."""
    operations_per_year, failure_per_year, discount_rate_per_year, years = rates
    operations_usd, replacement_usd = (rate * hardware_usd * years for rate in (operations_per_year, failure_per_year))
    at_start_usd = hardware_usd + launch_usd + development_usd
    recovered_usd = capital_recovery_per_year(discount_rate_per_year, years) * years * at_start_usd
    energy_kwh = jnp.asarray(power_w) * 1e-3 * HOURS_PER_YEAR * years
    total_usd = at_start_usd + operations_usd + replacement_usd
    return {
        "orbit": (recovered_usd + operations_usd + replacement_usd) / energy_kwh,
        "usd_per_w": total_usd / power_w,
        "total_usd": total_usd,
        "hardware_usd": hardware_usd,
        "launch_usd": launch_usd,
        "operations_usd": operations_usd,
        "replacement_usd": replacement_usd,
        "development_usd": jnp.asarray(development_usd),
    }


@model("study")
def mccalip(
    *,
    power_w: PositivePower,
    service_years: Years,
    launch_usd_per_kg: PricePerMass,
    satellite_usd_per_w: PricePerPower,
    specific_power_w_per_kg: PowerPerMass,
    satellite_power_w: PositivePower,
    satellite_array_m2: Area,
    sunlit_fraction: Efficiency,
    cell_loss_per_year: FractionPerYear,
    chip_failure_per_year: FractionPerYear,
    development_usd: Money,
    operations_per_year: FractionPerYear,
    payload_kg: PositiveMass,
    discount_rate_per_year: DiscountRate,
    turbine_usd_per_w: PricePerPower,
    electrical_usd_per_w: PricePerPower,
    mechanical_usd_per_w: PricePerPower,
    civil_usd_per_w: PricePerPower,
    network_usd_per_w: PricePerPower,
    pue: PowerUsageEffectiveness,
    gas_usd_per_mmbtu: PricePerFuel,
    heat_rate_btu_per_kwh: HeatRate,
    ground_availability: Efficiency,
) -> dict[str, Array]:
    """Cost of energy in orbit and on the ground [USD/kWh] and their bills, as the code computes them.

    Satellites and launches are whole; names in `_exact`, and `orbit_smooth`, are without that and can be derived.
    """
    mean_capacity = mean_after_loss(cell_loss_per_year, service_years)
    initial_w = power_w / (mean_capacity * sunlit_fraction)
    satellites_exact = initial_w / satellite_power_w
    rates = (operations_per_year, chip_failure_per_year, discount_rate_per_year, service_years)

    def bill(satellites: Array) -> dict[str, Array]:
        rated_w = satellites * satellite_power_w
        launch_usd = rated_w / specific_power_w_per_kg * launch_usd_per_kg
        return _orbit(power_w, rated_w * satellite_usd_per_w, launch_usd, development_usd, rates)

    satellites = jnp.ceil(satellites_exact)
    mass_kg = satellites * satellite_power_w / specific_power_w_per_kg
    infrastructure_usd_per_w = (
        jnp.asarray(turbine_usd_per_w) * pue
        + electrical_usd_per_w
        + mechanical_usd_per_w
        + civil_usd_per_w
        + network_usd_per_w
    )
    ground_kwh_per_w = 1e-3 * HOURS_PER_YEAR * jnp.asarray(service_years) * ground_availability
    fuel_usd_per_w = 1e-6 * jnp.asarray(heat_rate_btu_per_kwh) * gas_usd_per_mmbtu * pue * ground_kwh_per_w
    ground_usd_per_w = infrastructure_usd_per_w + fuel_usd_per_w
    launched_kg_per_w = initial_w / specific_power_w_per_kg / power_w
    hardware_usd_per_w = satellite_usd_per_w * initial_w / power_w
    return {
        **bill(satellites),
        "orbit_smooth": bill(satellites_exact)["orbit"],
        "ground": ground_usd_per_w / ground_kwh_per_w,
        "mean_capacity": mean_capacity,
        "initial_power_w": initial_w,
        "satellites": satellites,
        "satellites_exact": satellites_exact,
        "array_m2": satellites * satellite_array_m2,
        "mass_kg": mass_kg,
        "launches": jnp.ceil(mass_kg / payload_kg),
        "launches_exact": mass_kg / payload_kg,
        "ground_usd_per_w": ground_usd_per_w,
        "ground_infrastructure_usd": infrastructure_usd_per_w * power_w,
        "ground_fuel_usd": fuel_usd_per_w * power_w,
        "breakeven_launch_usd_per_kg": (ground_usd_per_w - hardware_usd_per_w) / launched_kg_per_w,
    }


def one_availability(**assumptions: Any) -> dict[str, Array]:
    """Results with the energy of both sides over the availability of the ground."""
    results = mccalip(**assumptions)
    return results | {name: results[name] / assumptions["ground_availability"] for name in ("orbit", "orbit_smooth")}


def breakeven_with_all_costs(**assumptions: Any) -> dict[str, Array]:
    """Besides, a breakeven launch price that pays for operations, replacement and development too."""
    results = one_availability(**assumptions)
    exact = results["satellites_exact"] / results["satellites"]  # the breakeven price knows no whole satellites
    other_usd = exact * (results["operations_usd"] + results["replacement_usd"]) + results["development_usd"]
    launched_kg = results["initial_power_w"] / assumptions["specific_power_w_per_kg"]
    return results | {
        "breakeven_launch_usd_per_kg": results["breakeven_launch_usd_per_kg"] - other_usd / launched_kg,
    }


# Each mends one error and those before it.
CORRECTIONS = {
    "energy in orbit and on the ground over the same availability": one_availability,
    "breakeven launch price with operations, replacement and development": breakeven_with_all_costs,
}
