"""Power beamed from orbit: NASA's chain and cost of electricity, what lowers it, and the site that it makes."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from kernels import registry
from kernels.economics import ground, power_beaming, site
from kernels.economics.finance import HOURS_PER_YEAR
from twin import config
from twin.refusal import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf"
CHAIN = (
    "solar_cell_efficiency",
    "space_conversion_efficiency",
    "radio_conversion_efficiency",
    "antenna_efficiency",
    "atmosphere_efficiency",
    "beam_collection_efficiency",
    "rectenna_efficiency",
    "ground_conversion_efficiency",
)
# NASA OTPS, 2024: 100 MUSD, in the improved case 50, for a launch of 100 t to a low orbit, less 15 % for so many. The
# interest rate is not published; 3 % fits both designs.
USD_PER_KG, IMPROVED_USD_PER_KG = 850.0, 425.0
RATE = 0.03
PUBLISHED = {
    "rd1_heliostat_swarm": (USD_PER_KG, 0.61, 0.02),
    "rd2_planar_array": (USD_PER_KG, 1.59, 0.02),
    "rd1_improved": (IMPROVED_USD_PER_KG, 0.03, 0.166),
    "rd2_improved": (IMPROVED_USD_PER_KG, 0.08, 0.0625),
}


def profile(name, **changes):
    with (CONF / "power_beaming" / f"{name}.yaml").open(encoding="utf-8") as file:
        return {**yaml.safe_load(file), **changes}


def station_of(values):
    chain = registry.call(power_beaming.sunlight_to_grid, values)
    return registry.call(power_beaming.station, values, chain)


def cost(values, price_usd_per_kg=USD_PER_KG, rate=RATE):
    return registry.call(power_beaming.energy_usd_per_kwh, values, station_of(values), price_usd_per_kg, rate)


def facility_of(name="grid_us"):
    with (CONF / "ground" / f"{name}.yaml").open(encoding="utf-8") as file:
        return registry.call(ground.facility, yaml.safe_load(file))


def beamed(values, price_usd_per_kg=USD_PER_KG):
    expansion = registry.call(site.expansion, values)
    energy = cost(values, price_usd_per_kg)
    return registry.call(power_beaming.beamed_site, values, facility_of(), expansion, station_of(values), energy)


# --- The chain and the station ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rd1_heliostat_swarm", "rd2_planar_array"])
def test_chain_of_eight_efficiencies_is_nasas(name):
    chain = registry.call(power_beaming.sunlight_to_grid, profile(name))
    assert float(chain) == pytest.approx(0.1296994, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "area_m2", "mean_mw", "mass_kg", "launches"),
    [
        ("rd1_heliostat_swarm", 11.473e6, 2028.791344, 5.9e6, 2321),
        ("rd2_planar_array", 19.0e6, 2021.948467, 10.0e6, 3960),
    ],
)
def test_station_has_nasas_power_mass_and_launches(name, area_m2, mean_mw, mass_kg, launches):
    values = profile(name)
    station = station_of(values)
    power_w = area_m2 * values["irradiance_w_per_m2"] * registry.call(power_beaming.sunlight_to_grid, values)
    assert float(power_w * station.delivering_fraction) == pytest.approx(mean_mw * 1e6, rel=1e-6)
    launched_kg = float(power_w * station.launched_kg_per_w)
    assert launched_kg / (1.0 + values["servicing_mass_ratio"]) == pytest.approx(mass_kg, rel=1e-5)
    assert float(station.renewals) == pytest.approx(2.0)
    assert float(station.launches_per_payload) * launched_kg * 3 / 100e3 == pytest.approx(launches, rel=1e-4)


# --- The cost of electricity ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PUBLISHED)
def test_nasas_cost_of_electricity(name):
    """Published costs count the capacity factor twice: in the mean power of table 4 and in the formula's 8 760 hours.

    Totals of 276 and 434 BUSD for the same mean power are as 1 to 1.57, the published 0.61 and 1.59 as 1 to 2.6, which
    is that over 0.6. Counted once, RD2 costs 0.96 USD/kWh; RD1 hardly changes. Neither interest rate nor split of costs
    is published: what is fitted stands in the profiles. Tolerances: 2 %, and rounding for the improved stations, whose
    set of improvements is inferred.
    """
    price, published, tolerance = PUBLISHED[name]
    values = profile(name)
    assert float(cost(values, price)) / values["delivering_fraction"] == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize(
    ("changes", "price_usd_per_kg", "rd1", "rd2"),
    [
        ({}, USD_PER_KG / 2.0, 0.32, 0.36),
        ({}, USD_PER_KG / 10.0, 0.61, 0.69),
        ({"transfer_mass_ratio": 0.172, "refuelling_launches": 0.0}, USD_PER_KG, 0.63, 0.69),
        ({"hardware_life_years": 15.0}, USD_PER_KG, 0.26, 0.26),
        ({"solar_cell_efficiency": 0.5}, USD_PER_KG, 0.25, 0.26),
    ],
    ids=["launch_50_musd", "launch_10_musd", "electric_propulsion", "life_15_years", "cells_50_percent"],
)
def test_savings_are_those_of_nasas_sensitivity_analyses(changes, price_usd_per_kg, rd1, rd2):
    """To 5 points: NASA has servicers and debris vehicles whose cost does not scale with the mass (section 4)."""
    for name, published in (("rd1_heliostat_swarm", rd1), ("rd2_planar_array", rd2)):
        saved = 1.0 - cost(profile(name, **changes), price_usd_per_kg) / cost(profile(name))
        assert float(saved) == pytest.approx(published, abs=0.05)


def test_planar_array_counted_once():
    assert float(cost(profile("rd2_planar_array"))) == pytest.approx(1.59 * 0.6, rel=0.02)


@pytest.mark.parametrize(("name", "total_busd"), [("rd1_heliostat_swarm", 276.0), ("rd2_planar_array", 434.0)])
def test_costs_of_thirty_years_come_to_nasas_total(name, total_busd):
    values = profile(name)
    peak_w = 1e6 * {"rd1_heliostat_swarm": 2028.791344 / 0.997, "rd2_planar_array": 2021.948467 / 0.6}[name]
    energy_kwh = peak_w / 1e3 * values["delivering_fraction"] * HOURS_PER_YEAR * 30.0
    assert float(cost(values, rate=0.0)) * energy_kwh / 1e9 == pytest.approx(total_busd, rel=2e-3)


def test_cost_in_closed_form():
    values = profile("rd1_heliostat_swarm", hardware_life_years=30.0, rectenna_usd_per_w=0.0)
    values |= {"operations_usd_per_w_year": 0.0, "hardware_usd_per_kg": 100.0}
    kg_per_w = 0.514251 * 1.008692 / (1367.5 * 0.1296994)
    factor = 0.05 / (1.0 - 1.05**-30)
    expected = kg_per_w * 13100.0 * factor * 1e3 / (8766.0 * 0.997)
    assert float(cost(values, 1000.0, 0.05)) == pytest.approx(expected, rel=1e-6)


def test_hardware_that_outlives_the_station_is_not_renewed():
    once = cost(profile("rd1_heliostat_swarm", hardware_life_years=30.0))
    assert float(cost(profile("rd1_heliostat_swarm", hardware_life_years=90.0))) == float(once)


@pytest.mark.parametrize("name", [*CHAIN, "delivering_fraction", "hardware_life_years"])
def test_a_better_station_costs_less(name):
    values = profile("rd2_planar_array")
    slope = jax.grad(lambda number: cost({**values, name: number}))(values[name])
    assert float(slope) < 0.0


@pytest.mark.parametrize(
    "name",
    [
        "areal_mass_kg_per_m2",
        "transfer_mass_ratio",
        "refuelling_launches",
        "servicing_mass_ratio",
        "hardware_usd_per_kg",
    ],
)
def test_a_heavier_or_dearer_station_costs_more(name):
    values = profile("rd2_planar_array")
    slope = jax.grad(lambda number: cost({**values, name: number}))(values[name])
    assert float(slope) > 0.0


@pytest.mark.parametrize("name", ["rd1_heliostat_swarm", "rd2_improved"])
def test_gradients_equal_finite_differences(name):
    values = profile(name)
    names = [key for key, value in values.items() if isinstance(value, float)]

    @jax.jit
    def energy_and_carbon(numbers):
        mixed = {**values, **dict(zip(names, numbers[:-1], strict=True))}
        found = beamed(mixed, 1000.0 * numbers[-1])
        return jnp.log(found.energy_usd_per_kwh) + jnp.log(found.carbon_kg_per_kwh) + found.time_to_power_years

    start = np.array([*(values[key] for key in names), 1.0])
    found = np.asarray(jax.grad(energy_and_carbon)(start))
    step = 1e-6 * np.maximum(np.abs(start), 1e-3)
    shifts = np.diag(step)
    expected = [float(energy_and_carbon(start + d) - energy_and_carbon(start - d)) for d in shifts] / (2.0 * step)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


# --- The site ---------------------------------------------------------------------------------------------------------


def test_site_is_a_ground_facility_that_runs_while_the_station_delivers():
    values = profile("rd2_planar_array")
    found, facility = beamed(values), facility_of()
    assert float(found.capex_usd_per_w) == float(facility.capex_usd_per_w)
    assert float(found.energy_usd_per_kwh) == float(cost(values))
    assert float(found.availability) == pytest.approx(0.6 * float(facility.availability))
    assert float(found.time_to_power_years) == pytest.approx(10.0 + 12.6)
    assert float(found.additions_w_per_year * found.pue) == pytest.approx(2.67e8)
    assert float(ground.capacity_w(found, jnp.asarray(22.0))) == 0.0


def test_carbon_is_that_of_all_generations_over_all_energy():
    values = profile("rd1_heliostat_swarm", launched_carbon_kg_per_kg=1000.0)
    launched_kg = 2321 / 13 * 100e3
    energy_kwh = 2028.791344e3 * HOURS_PER_YEAR * 30.0
    assert float(beamed(values).carbon_kg_per_kwh) == pytest.approx(1000.0 * launched_kg / energy_kwh, rel=1e-4)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("rectenna_efficiency", 1.2, "power_beaming.rectenna_efficiency = 1.2: must be above 0 and at most 1"),
        ("hardware_usd_per_kg", -1.0, "power_beaming.hardware_usd_per_kg = -1.0: must be at least 0 usd/kg"),
        ("station_life_years", 0.0, "power_beaming.station_life_years = 0.0: must be above 0 and at most 100 years"),
        ("antena_efficiency", 0.9, "unknown key (did you mean 'antenna_efficiency'?)"),
    ],
)
def test_bad_input_is_one_sentence(key, value, says):
    with pytest.raises(ConfigError) as refused:
        config.profile("power_beaming", profile("rd1_heliostat_swarm", **{key: value}))
    assert says in str(refused.value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_profile_is_valid(name):
    assert config.profile("power_beaming", profile(name)).name
