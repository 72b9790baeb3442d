"""Starcloud (then Lumen Orbit), "Why we should train AI in space", white paper, 2024: 40 MW for 8.2, not 167 MUSD.

Its radiator takes the solar absorptivity for infrared; its shielding flies at 30 USD/kg, all else at 50. It has neither
chips nor battery, radiator and bus in the price.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from kernels.economics.finance import capital_recovery_per_year, mean_after_loss
from kernels.quantity import (
    DiscountRate,
    Efficiency,
    Fraction,
    FractionPerYear,
    Money,
    PositiveIrradiance,
    PositiveMass,
    PositivePower,
    PowerPerMass,
    PricePerEnergy,
    PricePerMass,
    PricePerPower,
    SpecificMass,
    Temperature,
    Years,
)
from kernels.registry import model

DENOMINATOR = "USD per kWh of power over the service life; chips at no price"
UNIT = "USD/kWh"
OURS = "usd_per_kwh_chip"
SUBSTITUTES = {
    "shielding_kg_per_w": "nothing",
    "service_years": "service_life_years",
    "sunlit_fraction": "sunlit_fraction",
    "array_loss_per_year": "array_loss_per_year",
    "specific_power_w_per_kg": "rated_w_per_kg",
    "launch_usd_per_kg": "launch_usd_per_kg",
    "satellite_usd_per_w": "satellite_usd_per_rated_w",
    "chips_usd_per_w": "chips_usd_per_rated_w",
    "operations_per_year": "operations_fraction_per_year",
    "discount_rate_per_year": "discount_rate_per_year",
}
# Output: what the paper prints, relative tolerance, remark.
PUBLISHED = {
    "net_w_per_m2": (633.08, 1e-5, "with the solar absorptivity on infrared, one face seeing the Earth"),
    "array_m2": (1.84865e7, 1e-5, "of 5 GW"),
    "array_side_m": (4299.59, 1e-5, "of a square; printed as 4 km"),
    "energy_usd": (140e6, 2e-3, "on the ground, 10 years"),
    "terrestrial_usd": (167e6, 2e-3, "energy, cooling and backup power"),
    "array_usd": (2e6, 1e-9, ""),
    "launch_usd": (5e6, 1e-9, "of 100 t: 50 USD/kg, where the text says 30"),
    "launches": (1.0, 1e-9, "of 100 t for 40 MW; others count up to 22"),
    "shielding_usd": (1.2e6, 1e-9, "40 t at 30 USD/kg"),
    "space_usd": (8.2e6, 1e-9, "array, launch and shielding; no chips, battery, radiator or bus"),
    "array_and_launch_usd_per_kwh": (0.002, 2e-3, "7 MUSD by 40 MW and 10 years"),
}
STEFAN_BOLTZMANN_W_PER_M2_K4 = 5.67e-8  # with the digits of the paper
HOURS_PER_YEAR = 8760.0


def net_w_per_m2(
    emissivity: Array,
    absorptivity: Array,
    infrared_absorptivity: Array,
    temperatures_k: tuple[Array, Array],
    solar_w_per_m2: Array,
    albedo: Array,
    view: Array,
    earthward_faces: float,
) -> dict[str, Array]:
    """What a plate of two faces emits, absorbs and is rid of, with one face to the Sun. [W/m2 of plate]

    Temperatures of plate and Earth; the Earth fills a part `view` of the sky of each of the faces that see it.
    """
    plate, earth = (STEFAN_BOLTZMANN_W_PER_M2_K4 * jnp.asarray(kelvin) ** 4 for kelvin in temperatures_k)
    emitted = 2.0 * emissivity * plate
    solar = solar_w_per_m2 * absorptivity
    from_earth = earthward_faces * view * (infrared_absorptivity * earth + absorptivity * albedo * solar_w_per_m2)
    return {
        "emitted_w_per_m2": emitted,
        "solar_w_per_m2": solar,
        "earth_w_per_m2": from_earth,
        "net_w_per_m2": emitted - solar - from_earth,
    }


@model("study")
def starcloud(
    *,
    radiator_emissivity: Efficiency,
    radiator_absorptivity: Fraction,
    radiator_temperature_k: Temperature,
    earth_temperature_k: Temperature,
    earth_albedo: Fraction,
    earth_view_factor: Fraction,
    solar_w_per_m2: PositiveIrradiance,
    array_power_w: PositivePower,
    cell_efficiency: Efficiency,
    array_output_fraction: Efficiency,
    power_w: PositivePower,
    service_years: Years,
    sunlit_fraction: Efficiency,
    array_loss_per_year: FractionPerYear,
    specific_power_w_per_kg: PowerPerMass,
    payload_kg: PositiveMass,
    launch_usd_per_kg: PricePerMass,
    satellite_usd_per_w: PricePerPower,
    chips_usd_per_w: PricePerPower,
    shielding_kg_per_w: SpecificMass,
    shielding_launch_usd_per_kg: PricePerMass,
    operations_per_year: FractionPerYear,
    discount_rate_per_year: DiscountRate,
    ground_energy_usd_per_kwh: PricePerEnergy,
    ground_cooling_usd: Money,
    ground_backup_usd: Money,
) -> dict[str, Array]:
    """Cost of power in orbit and on the ground [USD/kWh], radiator and array, as the white paper computes them."""
    radiator = net_w_per_m2(
        jnp.asarray(radiator_emissivity),
        jnp.asarray(radiator_absorptivity),
        jnp.asarray(radiator_absorptivity),
        (jnp.asarray(radiator_temperature_k), jnp.asarray(earth_temperature_k)),
        jnp.asarray(solar_w_per_m2),
        jnp.asarray(earth_albedo),
        jnp.asarray(earth_view_factor),
        earthward_faces=1.0,
    )
    array_m2 = array_power_w / (jnp.asarray(solar_w_per_m2) * cell_efficiency * array_output_fraction)
    mass_kg = power_w / jnp.asarray(specific_power_w_per_kg)
    launch_usd = mass_kg * launch_usd_per_kg
    array_usd, chips_usd = satellite_usd_per_w * jnp.asarray(power_w), chips_usd_per_w * jnp.asarray(power_w)
    shielding_usd = jnp.asarray(shielding_kg_per_w) * power_w * shielding_launch_usd_per_kg
    space_usd = array_usd + launch_usd + shielding_usd + chips_usd
    ground_kwh = jnp.asarray(power_w) * 1e-3 * HOURS_PER_YEAR * service_years
    energy_kwh = ground_kwh * sunlit_fraction * mean_after_loss(array_loss_per_year, service_years)
    recovered_usd = capital_recovery_per_year(discount_rate_per_year, service_years) * service_years * space_usd
    operations_usd = operations_per_year * array_usd * service_years
    energy_usd = ground_kwh * ground_energy_usd_per_kwh
    terrestrial_usd = energy_usd + ground_cooling_usd + ground_backup_usd
    return {
        "orbit": (recovered_usd + operations_usd) / energy_kwh,
        "ground": terrestrial_usd / ground_kwh,
        **radiator,
        "radiator_m2": power_w / radiator["net_w_per_m2"],
        "array_m2": array_m2,
        "array_side_m": jnp.sqrt(array_m2),
        "mass_kg": mass_kg,
        "launches": mass_kg / payload_kg,
        "array_usd": array_usd,
        "launch_usd": launch_usd,
        "shielding_usd": shielding_usd,
        "space_usd": space_usd,
        "array_and_launch_usd_per_kwh": (array_usd + launch_usd) / energy_kwh,
        "energy_usd": energy_usd,
        "terrestrial_usd": terrestrial_usd,
    }


def _with_radiator(assumptions: dict[str, Any], earthward_faces: float) -> dict[str, Array]:
    """Results with the emissivity on the Earth's infrared (Kirchhoff) and a number of faces that see the Earth."""
    a = {name: jnp.asarray(value) for name, value in assumptions.items()}
    radiator = net_w_per_m2(
        a["radiator_emissivity"],
        a["radiator_absorptivity"],
        a["radiator_emissivity"],
        (a["radiator_temperature_k"], a["earth_temperature_k"]),
        a["solar_w_per_m2"],
        a["earth_albedo"],
        a["earth_view_factor"],
        earthward_faces,
    )
    return {**starcloud(**a), **radiator, "radiator_m2": a["power_w"] / radiator["net_w_per_m2"]}


def emissivity_for_infrared(**assumptions: Any) -> dict[str, Array]:
    """Results with the radiator's emissivity, not its solar absorptivity, on the Earth's infrared."""
    return _with_radiator(assumptions, 1.0)


def both_faces_see_the_earth(**assumptions: Any) -> dict[str, Array]:
    """Besides, the Earth shines on both of the faces that radiate: an edge to the Sun and one to the Earth."""
    return _with_radiator(assumptions, 2.0)


def one_launch_price(**assumptions: Any) -> dict[str, Array]:
    """Besides, the shielding flies at the price of everything else."""
    return both_faces_see_the_earth(
        **{**assumptions, "shielding_launch_usd_per_kg": assumptions["launch_usd_per_kg"]},
    )


# Each mends one error and those before it.
CORRECTIONS = {
    "emissivity, not solar absorptivity, for the Earth's infrared": emissivity_for_infrared,
    "both faces of the radiator see the Earth": both_faces_see_the_earth,
    "shielding launched at the price of all else": one_launch_price,
}
