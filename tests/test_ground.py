"""Datacenters on the ground: what their energy costs by each way of powering them, and how fast they grow."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from kernels import registry
from kernels.economics import ground, site
from twin import config
from twin.refusal import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf" / "ground"
PROFILES = sorted(path.stem for path in CONF.glob("*.yaml"))
RATE = 0.077  # weighted cost of capital after tax in Lazard, LCOE+, 2025


def profile(name, **changes):
    with (CONF / f"{name}.yaml").open(encoding="utf-8") as file:
        return {**yaml.safe_load(file), **changes}


def site_of(values, rate=RATE):
    facility, expansion = registry.call(ground.facility, values), registry.call(site.expansion, values)
    return registry.call(registry.models("ground")[values["model"]], values, facility, expansion, rate)


def recovery(rate, years):
    return rate / (1.0 - (1.0 + rate) ** -years)


# --- Published numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "low_usd_per_mwh", "high_usd_per_mwh"), [("solar_storage", 50.0, 131.0), ("gas_turbine", 48.0, 109.0)]
)
def test_energy_cost_lies_in_lazards_range(name, low_usd_per_mwh, high_usd_per_mwh):
    """Lazard, Levelized Cost of Energy+, June 2025, unsubsidised: photovoltaics with storage, combined cycle."""
    assert low_usd_per_mwh < 1e3 * float(site_of(profile(name)).energy_usd_per_kwh) < high_usd_per_mwh


def test_mccalips_fuel():
    """Economics of orbital vs terrestrial data centers (2025): 1.19106 BUSD for 1 GW at PUE 1.2, 5 years at 0.85."""
    values = profile("gas_turbine", heat_rate_btu_per_kwh=6200.0, gas_usd_per_mmbtu=4.30, gas_growth_per_year=0.0)
    values |= {
        "turbine_usd_per_w": 0.0,
        "turbine_operations_usd_per_w_year": 0.0,
        "turbine_operations_usd_per_kwh": 0.0,
    }
    energy = float(site_of(values).energy_usd_per_kwh)
    assert energy * 1e6 * 8760.0 * 0.85 * 5.0 * 1.2 / 1e9 == pytest.approx(1.19106, rel=1e-3)


@pytest.mark.parametrize("name", PROFILES)
def test_facility_costs_and_overhead_are_those_of_the_industry(name):
    """12-15 USD/W (Turner & Townsend, 2025); PUE from 1.09, the best, to 1.56, the mean of the Uptime survey (2024)."""
    found = site_of(profile(name))
    assert 12.0 <= float(found.capex_usd_per_w) <= 15.0
    assert 1.09 <= float(found.pue) <= 1.56


def test_queue_of_the_united_states():
    """LBNL, Queued Up: 2025 Edition: a median of 55 months; 13 % of the capacity that asks is built."""
    values = profile("grid_us")
    found = site_of(values)
    assert float(found.time_to_power_years) == pytest.approx(55.0 / 12.0, rel=1e-4)
    assert float(found.additions_w_per_year * found.pue) == pytest.approx(0.13 * values["requested_w_per_year"])


# --- Closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("growth", [0.0, 0.02, RATE, -0.03])
def test_level_price_is_worth_as_much_as_the_growing_one(growth):
    years = np.arange(1, 15)
    discount = (1.0 + RATE) ** -years
    expected = ((1.0 + growth) ** years * discount).sum() / discount.sum()
    assert float(ground.levelized_ratio(RATE, growth, jnp.asarray(14.0))) == pytest.approx(expected, rel=1e-12)


def test_grid_energy_is_its_price_and_the_connection():
    values = profile("grid_us", electricity_growth_per_year=0.0)
    expected = values["electricity_usd_per_kwh"] + 0.25 * recovery(RATE, 14.0) / 8.766
    assert float(site_of(values).energy_usd_per_kwh) == pytest.approx(expected, rel=1e-12)


def test_gas_energy_and_carbon_follow_the_heat_rate():
    values = profile("gas_turbine", gas_growth_per_year=0.0)
    plant = 1.3 * (2.4 * recovery(RATE, 30.0) + 0.015) / 8.766
    found = site_of(values)
    assert float(found.energy_usd_per_kwh) == pytest.approx(6.654e-3 * 4.3 + 0.0025 + plant, rel=1e-12)
    assert float(found.carbon_kg_per_kwh) == pytest.approx(6.654e-3 * 53.06, rel=1e-12)


def test_solar_energy_is_arrays_batteries_and_backup():
    array = 5.2 * (0.697 * recovery(RATE, 30.0) + 0.012)
    plant = (array + 19.0 * 0.125 * recovery(RATE, 20.0) + recovery(RATE, 30.0)) / 8.766
    found = site_of(profile("solar_storage"))
    assert float(found.energy_usd_per_kwh) == pytest.approx(plant + 0.03 * 0.06, rel=1e-12)
    assert float(found.carbon_kg_per_kwh) == pytest.approx(0.97 * 0.05 + 0.03 * 0.478, rel=1e-12)


def test_nuclear_bears_interest_while_it_is_built():
    found = site_of(profile("nuclear"))
    capital = 9.0 * (1.0 + RATE) ** 4.0 * recovery(RATE, 60.0)
    assert float(found.energy_usd_per_kwh) == pytest.approx((capital + 0.16) / 8.766 / 0.92 + 0.009, rel=1e-12)
    assert float(found.time_to_power_years) == 11.0


def test_site_waits_for_the_later_of_building_and_power():
    assert float(site_of(profile("grid_us", queue_years=0.5)).time_to_power_years) == 2.0
    assert float(site_of(profile("grid_us", queue_years=7.0)).time_to_power_years) == 7.0


def test_an_efficient_facility_serves_more_it_with_the_same_power():
    lean, fat = site_of(profile("grid_us", pue=1.0)), site_of(profile("grid_us", pue=2.0))
    assert float(lean.additions_w_per_year) == 2.0 * float(fat.additions_w_per_year)
    assert float(lean.most_additions_w_per_year) == 2.0 * float(fat.most_additions_w_per_year)


# --- Capacity ---------------------------------------------------------------------------------------------------------


def grown(years, first=1e9, growth=0.25, most=4e9, wait_years=3.0):
    found = site_of(profile("grid_us"))._replace(
        additions_w_per_year=jnp.asarray(first),
        additions_growth_per_year=jnp.asarray(growth),
        most_additions_w_per_year=jnp.asarray(most),
        time_to_power_years=jnp.asarray(wait_years),
    )
    return ground.capacity_w(found, jnp.asarray(years))


@pytest.mark.parametrize("growth", [0.25, 0.0, -0.2])
@pytest.mark.parametrize("most", [4e9, 5e8], ids=["ceiling_above", "ceiling_below"])
def test_capacity_is_the_integral_of_the_additions(growth, most):
    powered = np.linspace(0.0, 20.0, 200_001)
    rate = np.minimum(min(1e9, most) * (1.0 + growth) ** powered, most)
    integral = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2.0 * np.diff(powered))])
    found = grown(3.0 + powered[::1000], growth=growth, most=most)
    np.testing.assert_allclose(found, integral[::1000], rtol=1e-8)


def test_time_to_power_shifts_the_capacity_exactly():
    years = np.arange(0.0, 30.0, 0.25)
    np.testing.assert_array_equal(grown(years + 4.0, wait_years=7.0), grown(years))
    assert not np.asarray(grown(years[years <= 3.0])).any()


def test_capacity_never_falls_and_ends_at_the_ceiling():
    capacity = np.asarray(grown(np.arange(0.0, 41.0)))
    assert (np.diff(capacity) >= 0.0).all()
    assert capacity[-1] - capacity[-2] == pytest.approx(4e9, rel=1e-12)


# --- Gradients and bad input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROFILES)
def test_gradients_equal_finite_differences(name):
    values = profile(name)
    names = [key for key, value in values.items() if isinstance(value, float)]

    @jax.jit
    def everything(numbers):
        found = site_of({**values, **dict(zip(names, numbers[:-1], strict=True))}, numbers[-1])
        return sum(jnp.log(number) for number in found) + jnp.log(ground.capacity_w(found, jnp.asarray(16.1)))

    start = np.array([*(values[key] for key in names), RATE])
    found = np.asarray(jax.grad(everything)(start))
    step = 1e-6 * np.maximum(np.abs(start), 1e-3)
    expected = [float(everything(start + d) - everything(start - d)) for d in np.diag(step)] / (2.0 * step)
    assert np.isfinite(found).all() and found.any()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("growth", "years"),
    [(0.25, 6.0), (0.25, 30.0), (0.0, 6.0), (-0.2, 6.0)],
    ids=["grows", "full", "steady", "shrinks"],
)
def test_gradient_of_capacity_by_growth(growth, years):
    slope = float(jax.grad(lambda number: grown(years, growth=number))(growth))
    step = 1e-5
    expected = float(grown(years, growth=growth + step) - grown(years, growth=growth - step)) / (2.0 * step)
    assert slope == pytest.approx(expected, rel=1e-6)


def test_gradient_before_power_is_zero_and_finite():
    slopes = jax.grad(lambda first, growth, most: grown(1.0, first, growth, most), argnums=(0, 1, 2))(1e9, 0.0, 4e9)
    assert [float(slope) for slope in slopes] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "key", "value", "says"),
    [
        ("grid_us", "electricity_usd_per_kwh", -0.1, "electricity_usd_per_kwh = -0.1: must be at least 0 usd/kWh"),
        ("grid_us", "pue", 0.9, "ground.pue = 0.9: must be at least 1 and at most 5"),
        ("grid_us", "completed_fraction", 0.0, "must be above 0 and at most 1"),
        ("gas_turbine", "gas_usd_per_mmbtu", "4 USD", "must be a number, in the unit that its key names"),
        ("solar_storage", "storage_hours", 4.0, "unknown key (did you mean 'storage_h'?)"),
        ("nuclear", "model", "nuclaer", "not a known model; known: gas_turbine, grid, nuclear, solar_storage"),
    ],
)
def test_bad_input_is_one_sentence(name, key, value, says):
    with pytest.raises(ConfigError) as refused:
        config.profile("ground", profile(name, **{key: value}))
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_a_missing_number_is_named_with_its_model():
    values = profile("grid_us")
    del values["queue_years"]
    with pytest.raises(ConfigError, match=r"ground\.queue_years: missing; model 'grid' needs it"):
        config.profile("ground", values)


@pytest.mark.parametrize("name", PROFILES)
def test_profile_is_valid(name):
    assert config.profile("ground", profile(name)).model == profile(name)["model"]
