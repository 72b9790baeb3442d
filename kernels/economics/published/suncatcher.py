"""Aguera y Arcas et al. (Google), Project Suncatcher, arXiv 2511.19468, 2025: launched power against grid power.

Its price of power is that of the launch alone, per kW of the array: no satellite, chips, ground stations or eclipse.
"""

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import capital_recovery_per_year, learned, mean_after_loss
from kernels.quantity import (
    DiscountRate,
    Efficiency,
    FractionPerYear,
    LearningRate,
    Mass,
    PositiveMass,
    PositivePower,
    PowerUsageEffectiveness,
    PricePerEnergy,
    PricePerMass,
    PricePerPower,
    Scalar,
    Years,
)
from kernels.registry import model

DENOMINATOR = "USD per kW of array power and year; launch alone"
UNIT = "USD/kW/y"
OURS = "usd_per_kw_year_chip"
SUBSTITUTES = {
    "service_years": "service_life_years",
    "sunlit_fraction": "sunlit_fraction",
    "array_loss_per_year": "array_loss_per_year",
    "satellite_power_w": "rated_power_w",
    "satellite_mass_kg": "satellite_mass_kg",
    "launch_usd_per_kg": "launch_usd_per_kg",
    "satellite_usd_per_w": "satellite_usd_per_rated_w",
    "chips_usd_per_w": "chips_usd_per_rated_w",
    "operations_per_year": "operations_fraction_per_year",
    "discount_rate_per_year": "discount_rate_per_year",
}
# Output: what the paper prints, relative tolerance, remark.
PUBLISHED = {
    "learned_usd_per_kg": (199.635, 1e-3, "printed as below 200, after 370 000 t more"),
    "learned_sooner_usd_per_kg": (300.115, 1e-3, "printed as about 300, after 104 000 t more"),
    "orbit": (810.0, 0.015, "Starlink v2 mini at 200 USD/kg"),
    "starlink_v2_today": (14_700.0, 0.015, "at 3 600 USD/kg"),
    "starlink_v1": (1_470.0, 0.015, "at 200 USD/kg"),
    "starlink_v1_today": (26_600.0, 0.015, "at 3 600 USD/kg"),
    "iridium_next": (6_900.0, 0.015, "at 200 USD/kg"),
    "iridium_next_today": (124_600.0, 0.015, "at 3 600 USD/kg"),
    "ground": (570.0, 0.03, "0.06 USD/kWh and a PUE of 1.09"),
    "ground_high": (3_000.0, 0.03, "0.25 USD/kWh and a PUE of 1.4"),
}
CORRECTIONS = {}  # nothing in its arithmetic is wrong; what it leaves out are assumptions of zero
HOURS_PER_YEAR = 8760.0


def launched_usd_per_kw_year(mass_kg: Scalar, power_w: Scalar, years: Scalar, launch_usd_per_kg: Scalar) -> Array:
    """Launch price per kW of array power and year of service."""
    return jnp.asarray(mass_kg) * launch_usd_per_kg / (jnp.asarray(power_w) * 1e-3 * years)


@model("study")
def suncatcher(
    *,
    satellite_mass_kg: Mass,
    satellite_power_w: PositivePower,
    service_years: Years,
    starlink_v1_mass_kg: Mass,
    starlink_v1_power_w: PositivePower,
    starlink_v1_years: Years,
    iridium_next_mass_kg: Mass,
    iridium_next_power_w: PositivePower,
    iridium_next_years: Years,
    launch_usd_per_kg: PricePerMass,
    launch_today_usd_per_kg: PricePerMass,
    first_launch_usd_per_kg: PricePerMass,
    first_launched_kg: PositiveMass,
    more_launched_kg: Mass,
    sooner_launched_kg: Mass,
    launch_learning_rate: LearningRate,
    sunlit_fraction: Efficiency,
    array_loss_per_year: FractionPerYear,
    satellite_usd_per_w: PricePerPower,
    chips_usd_per_w: PricePerPower,
    operations_per_year: FractionPerYear,
    discount_rate_per_year: DiscountRate,
    low_energy_usd_per_kwh: PricePerEnergy,
    low_pue: PowerUsageEffectiveness,
    high_energy_usd_per_kwh: PricePerEnergy,
    high_pue: PowerUsageEffectiveness,
) -> dict[str, Array]:
    """Price of a kW for a year, launched and from the grid [USD/kW/y], and the launch price that learning leads to.

    All launch prices of the table are per year without interest; `orbit` is the same where interest, build, operations,
    eclipse and loss are zero, as in the paper.
    """
    lives = {
        "starlink_v2": (satellite_mass_kg, satellite_power_w, service_years),
        "starlink_v1": (starlink_v1_mass_kg, starlink_v1_power_w, starlink_v1_years),
        "iridium_next": (iridium_next_mass_kg, iridium_next_power_w, iridium_next_years),
    }
    table = {name: launched_usd_per_kw_year(*life, launch_usd_per_kg) for name, life in lives.items()}
    today = {f"{name}_today": launched_usd_per_kw_year(*life, launch_today_usd_per_kg) for name, life in lives.items()}
    launch_usd_per_w = launch_usd_per_kg * jnp.asarray(satellite_mass_kg) / satellite_power_w
    at_start_usd_per_w = launch_usd_per_w + satellite_usd_per_w + chips_usd_per_w
    recovery = capital_recovery_per_year(discount_rate_per_year, service_years)
    yearly_usd_per_w = recovery * at_start_usd_per_w + jnp.asarray(operations_per_year) * satellite_usd_per_w
    delivered = sunlit_fraction * mean_after_loss(array_loss_per_year, service_years)
    low, high = (
        HOURS_PER_YEAR * jnp.asarray(price) * pue
        for price, pue in ((low_energy_usd_per_kwh, low_pue), (high_energy_usd_per_kwh, high_pue))
    )
    first = jnp.asarray(first_launched_kg)

    def launch_price(more_kg: Scalar) -> Array:
        return first_launch_usd_per_kg * learned(launch_learning_rate, (first + more_kg) / first)

    return {
        "orbit": 1e3 * yearly_usd_per_w / delivered,
        "ground": low,
        "ground_high": high,
        **table,
        **today,
        "learned_usd_per_kg": launch_price(more_launched_kg),
        "learned_sooner_usd_per_kg": launch_price(sooner_launched_kg),
    }
