"""Turyshev, "Orbital data centers: spacecraft constraints and economic viability", arXiv 2604.27197, 2026: 1 MW.

Mass per delivered kW, and what a kg in orbit may cost when a kW on the ground costs 10 to 40 kUSD.
"""

import jax.numpy as jnp
from jax import Array

from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4
from kernels.quantity import (
    ArealMass,
    Efficiency,
    Irradiance,
    PositivePower,
    PositiveRatio,
    PricePerMass,
    PricePerPower,
    Scalar,
    SpecificMass,
    Temperature,
)
from kernels.registry import model

DENOMINATOR = "USD per W of delivered power; launch alone"
UNIT = "USD/W"
OURS = "usd_per_w_delivered_without_chips"
SUBSTITUTES = {
    "radiator_temperature_k": "radiator_temperature_k",
    "radiator_kg_per_m2": "radiator_kg_per_m2",
    "fixed_kg_per_w": "nothing",
    "array_and_storage_kg_per_w": "all_but_radiator_kg_per_w",
    "launch_usd_per_kg": "launch_usd_per_kg",
    "build_usd_per_kg": "satellite_usd_per_kg",
}
# Output: what the paper prints, relative tolerance, remark.
PUBLISHED = {
    "emitted_w_per_m2": (650.947, 1e-5, ""),
    "net_w_per_m2": (500.947, 1e-5, "less 150 W/m2 from the environment"),
    "radiator_m2": (2_500.0, 3e-3, "of 1.25 MW; 2 495 before rounding"),
    "radiator_kg_per_kw": (12.5, 3e-3, "12.476 before rounding"),
    "subsystems_kg_per_kw": (29.4, 2e-3, "array, storage and radiator"),
    "least_kg_per_kw": (34.0, 2e-3, "whole system"),
    "most_kg_per_kw": (59.0, 2e-3, "whole system"),
    "allowed_usd_per_kg": (250.0, 2e-3, "launch and build at 10 kUSD/kW and about 40 kg/kW"),
    "allowed_high_usd_per_kg": (1_000.0, 2e-3, "at 40 kUSD/kW"),
}
CORRECTIONS = {}  # nothing in its arithmetic is wrong


def equivalent_temperature_k(
    net_w_per_m2: Scalar, emissivity: Scalar, efficiency: Scalar, environment_w_per_m2: Scalar
) -> Array:
    """Temperature at which a radiator of the paper rejects as much: the inverse of its radiator equation."""
    black = (jnp.asarray(net_w_per_m2) + environment_w_per_m2) / (jnp.asarray(emissivity) * efficiency)
    return (black / STEFAN_BOLTZMANN_W_PER_M2_K4) ** 0.25


@model("study")
def turyshev(
    *,
    power_w: PositivePower,
    power_overhead: PositiveRatio,
    radiator_emissivity: Efficiency,
    radiator_efficiency: Efficiency,
    radiator_temperature_k: Temperature,
    environment_w_per_m2: Irradiance,
    radiator_kg_per_m2: ArealMass,
    array_and_storage_kg_per_w: SpecificMass,
    fixed_kg_per_w: SpecificMass,
    least_fixed_kg_per_w: SpecificMass,
    most_fixed_kg_per_w: SpecificMass,
    launch_usd_per_kg: PricePerMass,
    build_usd_per_kg: PricePerMass,
    ground_usd_per_w: PricePerPower,
    ground_high_usd_per_w: PricePerPower,
) -> dict[str, Array]:
    """Cost of a delivered W in orbit and its benchmark on the ground [USD/W], radiator and specific mass."""
    black = STEFAN_BOLTZMANN_W_PER_M2_K4 * jnp.asarray(radiator_temperature_k) ** 4
    emitted = radiator_emissivity * radiator_efficiency * black
    net = emitted - environment_w_per_m2
    radiator_m2 = power_overhead * jnp.asarray(power_w) / net
    radiator_kg_per_w = radiator_m2 * radiator_kg_per_m2 / power_w
    subsystems_kg_per_w = radiator_kg_per_w + array_and_storage_kg_per_w
    kg_per_w = subsystems_kg_per_w + fixed_kg_per_w
    return {
        "orbit": kg_per_w * (jnp.asarray(launch_usd_per_kg) + build_usd_per_kg),
        "ground": jnp.asarray(ground_usd_per_w),
        "ground_high": jnp.asarray(ground_high_usd_per_w),
        "emitted_w_per_m2": emitted,
        "net_w_per_m2": net,
        "radiator_m2": radiator_m2,
        "radiator_kg_per_kw": 1e3 * radiator_kg_per_w,
        "subsystems_kg_per_kw": 1e3 * subsystems_kg_per_w,
        "kg_per_kw": 1e3 * kg_per_w,
        "least_kg_per_kw": 1e3 * (subsystems_kg_per_w + least_fixed_kg_per_w),
        "most_kg_per_kw": 1e3 * (subsystems_kg_per_w + most_fixed_kg_per_w),
        "allowed_usd_per_kg": ground_usd_per_w / kg_per_w,
        "allowed_high_usd_per_kg": ground_high_usd_per_w / kg_per_w,
    }
