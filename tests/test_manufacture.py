"""What a satellite costs and emits to make: sums, learning, gradients, and the published prices of whole satellites."""

from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

import twin
from kernels import registry
from kernels.economics import manufacture
from kernels.economics.manufacture import Bill, Satellite
from twin import config
from twin.config import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf" / "manufacture"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
COMPUTERS = ("accelerators", "hosts")
PRICES = {
    name
    for name in registry.schema("manufacture", None)
    if name not in ("development_cost_usd", "reference_satellites", "price_floor_fraction", "repair_price_fraction")
}


@cache
def _composed(name: str) -> dict[str, Any]:
    return twin.compose_project([f"manufacture={name}", "analysis=none"]).resolved["manufacture"]


def profile(name: str) -> dict[str, Any]:
    """A profile with the chips of the reference satellite."""
    return dict(_composed(name))


def satellite(parts_kg: dict[str, float], **sizes: float) -> Satellite:
    sizes["mass_kg"] = sum(parts_kg.values())
    parts = {name: jnp.asarray(mass) for name, mass in parts_kg.items()}
    return Satellite(parts_kg=parts, **{name: jnp.asarray(size) for name, size in sizes.items()})


# conf/satellite/reference.yaml as the twin weighs it, with its triple-junction cells; and with silicon of 290 W/m2.
REFERENCE = satellite(
    {
        "array": 1406.8,
        "battery": 866.7,
        "radiator": 1400.0,
        "coolant_loop": 375.0,
        "bus": 400.0,
        "propulsion": 36.0,
        "power_electronics": 527.3,
        "harness": 210.9,
        "shield": 0.0,
        "accelerators": 240.0,
        "hosts": 576.0,
        "tanks": 18.6,
        "structure": 1514.3,
        "contingency": 1514.3,
        "propellant": 74.2,
    },
    array_power_w=480.0 * 0.9 * 415.9,
    array_area_m2=480.0,
    battery_energy_j=4.68e8,
    radiator_area_m2=200.0,
    accelerators=96.0,
    nominal_power_w=103_969.0,
)
SILICON = REFERENCE._replace(array_power_w=jnp.asarray(480.0 * 0.9 * 290.0))
# conf/satellite/starlink_v2_mini_derived.yaml with the power that Suncatcher (arXiv:2511.19468) takes for the platform.
STARLINK = satellite(
    {
        "array": 165.0,
        "battery": 136.6,
        "radiator": 280.0,
        "coolant_loop": 57.0,
        "bus": 250.0,
        "propulsion": 36.0,
        "power_electronics": 91.6,
        "harness": 36.7,
        "shield": 0.0,
        "accelerators": 40.0,
        "hosts": 96.0,
        "tanks": 3.2,
        "structure": 210.4,
        "contingency": 140.2,
        "propellant": 12.7,
    },
    array_power_w=28_295.0,
    array_area_m2=116.0,
    battery_energy_j=7.92e7,
    radiator_area_m2=40.0,
    accelerators=16.0,
    nominal_power_w=17_328.0,
)
SEMIANALYSIS = (4.1e6 - 1.4e6) / 30.5e3  # June 2026: what a node of 30.5 kW costs more in orbit, launch included
MDAO = 288.0  # spacedc-mdao, comparison with McCalip, 2026: satellites without accelerators, per watt of IT
MCCALIP = 22.0  # December 2025: Starlink V2 mini, his lowest is 5
QUILTY = 200e3 / 7e3  # 2024: Starlink v1, 7 kW; V2 mini at 800,000 USD and 28.3 kW gives 28.3
IRIDIUM = 2.1e9 / 81 / 860.0  # 2010: contract for 81 Iridium NEXT of 860 kg, USD/kg
STARCLOUD = (2e6 + 1.2e6) / 40e6  # 2024: array and shielding of 40 MW
HEAVIEST = float(REFERENCE.mass_kg / REFERENCE.nominal_power_w) * IRIDIUM

BANDS = {
    "series_production": (REFERENCE, "nominal_power_w", SEMIANALYSIS, MDAO),
    "series_silicon": (SILICON, "nominal_power_w", MCCALIP, SEMIANALYSIS),
    "heritage_space": (REFERENCE, "nominal_power_w", MDAO, HEAVIEST),
    "starlink_class": (STARLINK, "array_power_w", MCCALIP, QUILTY),
    "terrestrial_parts": (SILICON, "nominal_power_w", STARCLOUD, 5.0),
}


def bill(name: str, of: Satellite = REFERENCE, ratio: float = 1.0, **changed: Any) -> Bill:
    return manufacture.satellite_bill(of, jnp.asarray(ratio), profile(name) | changed)


def hardware(usd: dict[str, jax.Array]) -> float:
    return float(sum(price for part, price in usd.items() if part not in COMPUTERS))


# --- Prices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_satellite_costs_what_is_published_of_its_kind(name: str) -> None:
    """USD/W of a whole satellite without its computers, per watt that the source counts."""
    of, counted, low, high = BANDS[name]
    assert low <= hardware(bill(name, of).usd) / float(getattr(of, counted)) <= high


def test_bill_is_the_sum_of_sizes_and_prices() -> None:
    """By hand, with prices that are round numbers."""
    usd = bill(
        "series_production",
        cell_price_usd_per_w=10.0,
        panel_price_usd_per_m2=100.0,
        battery_price_usd_per_kwh=1000.0,
        radiator_price_usd_per_m2=2000.0,
        coolant_loop_price_usd_per_kg=100.0,
        power_electronics_price_usd_per_w=2.0,
        bus_price_usd_per_kg=1000.0,
        structure_price_usd_per_kg=100.0,
        propulsion_price_usd_per_kg=1000.0,
        propellant_price_usd_per_kg=10.0,
        laser_terminal_price_usd=1e5,
        laser_terminal_count=3.0,
        integration_fraction=0.5,
        accelerator_price_usd=3e4,
        host_price_usd=1e4,
    ).usd
    by_hand = {
        "solar_array": 1_796_688.0 + 48_000.0,
        "battery": 130_000.0,
        "radiator_and_loop": 400_000.0 + 37_500.0,
        "power_electronics": 207_938.0,
        "bus_and_structure": 400_000.0 + 302_860.0,
        "propulsion": 54_600.0 + 742.0,
        "laser_terminals": 300_000.0,
    }
    by_hand["integration"] = 0.5 * sum(by_hand.values())
    by_hand |= {"accelerators": 2.88e6, "hosts": 0.96e6}
    assert {part: float(price) for part, price in usd.items()} == pytest.approx(by_hand, rel=1e-9)


def test_every_price_moves_the_bill_as_finite_differences_do() -> None:
    values = {name: jnp.asarray(number) for name, number in profile("series_production").items() if name in PRICES}
    fixed = profile("series_production")

    def total(prices: dict[str, jax.Array]) -> jax.Array:
        made = manufacture.satellite_bill(REFERENCE, jnp.asarray(1.7), fixed | prices)
        return sum(made.usd.values(), made.carbon_kg)

    slopes = jax.jit(jax.grad(total))(values)
    assert len(slopes) == 22
    for name, value in values.items():
        step = 1e-4 * value
        up, down = (total(values | {name: value + sign * step}) for sign in (1.0, -1.0))
        assert float(slopes[name]) == pytest.approx(float((up - down) / (2.0 * step)), rel=1e-6), name
        assert float(slopes[name]) != 0.0


def test_repair_of_all_accelerators_is_a_part_of_their_price_and_leaves_the_hosts_alone() -> None:
    computers = {"accelerators": jnp.asarray(2.88e6), "hosts": jnp.asarray(0.96e6)}
    own = profile("series_production") | {"repair_price_fraction": 0.25}
    assert float(registry.call(manufacture.repair_usd, own, computers)) == pytest.approx(0.72e6)


# --- Learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("doublings", (0, 1, 3))
def test_hardware_falls_by_the_learning_rate_with_each_doubling(doublings: int) -> None:
    first, later = (
        bill("series_production", ratio=ratio, learning_rate=0.2, price_floor_fraction=0.1).usd
        for ratio in (1.0, 2.0**doublings)
    )
    for part, price in first.items():
        left = 1.0 if part in COMPUTERS else 0.8**doublings
        assert float(later[part]) == pytest.approx(left * float(price), rel=1e-12), part


def test_learning_ends_at_the_floor() -> None:
    first, last = (hardware(bill("series_production", ratio=ratio).usd) for ratio in (1.0, 1e12))
    assert last == pytest.approx(profile("series_production")["price_floor_fraction"] * first)


def test_production_is_counted_from_the_reference() -> None:
    made = jnp.asarray([0.0, 500.0, 1500.0])
    ratio = manufacture.produced_ratio(made, reference_satellites=500.0)
    assert ratio.tolist() == [1.0, 2.0, 4.0]


def test_development_does_not_depend_on_satellites() -> None:
    values = profile("series_production")
    assert float(registry.call(manufacture.development_usd, values)) == 1e9
    assert bill("series_production", development_cost_usd=0.0).usd == bill("series_production").usd


# --- Carbon -----------------------------------------------------------------------------------------------------------


def test_carbon_adds_up_and_counts_every_kilogram_once() -> None:
    values = profile("series_production")
    parts = registry.call(manufacture.embodied_carbon_kg, values, REFERENCE)
    assert float(bill("series_production").carbon_kg) == pytest.approx(float(sum(parts.values())), rel=1e-12)
    by_kg = dict.fromkeys(("mechanics_carbon_kg_per_kg", "electronics_carbon_kg_per_kg"), 1.0)
    others = ("battery", "accelerators", "hosts")
    counted = registry.call(manufacture.embodied_carbon_kg, values | by_kg, REFERENCE)
    weighed = float(REFERENCE.mass_kg - sum(REFERENCE.parts_kg[name] for name in others))
    assert float(counted["mechanics"] + counted["electronics"]) == pytest.approx(weighed, rel=1e-12)


def test_accelerators_emit_what_the_maker_declares() -> None:
    """NVIDIA, HGX H100 Product Carbon Footprint Summary: 1312 kg for eight."""
    eight = REFERENCE._replace(accelerators=jnp.asarray(8.0))
    parts = registry.call(manufacture.embodied_carbon_kg, profile("series_production"), eight)
    assert float(parts["accelerators"]) == pytest.approx(1312.0)


# --- Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    (
        ({"cell_price_usd_per_w": -1.0}, r"manufacture.cell_price_usd_per_w = -1.*at least 0 usd/W"),
        ({"accelerator_price_usd": -3e4}, r"manufacture.accelerator_price_usd = -30000.*at least 0 usd"),
        ({"learning_rate": 1.0}, r"manufacture.learning_rate = 1.*at least 0 and at most 0.9"),
        ({"reference_satellites": 0.0}, r"manufacture.reference_satellites = 0.*at least 1"),
        ({"cell_price_usd_per_kw": 5.0}, r"manufacture.cell_price_usd_per_kw.*cell_price_usd_per_w"),
    ),
    ids=("negative_price", "negative_chip_price", "total_learning", "no_reference", "misspelt"),
)
def test_impossible_prices_are_refused_in_one_sentence(change: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        config.profile("manufacture", profile("series_production") | change)
    assert "\n" not in str(refused.value)
