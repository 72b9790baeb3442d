"""Solar cell: the printed points, the curve between them, the loss of unequal strings, age."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

from kernels import registry, solar_array, solar_cell

jax.config.update("jax_enable_x64", True)
CONF = Path(__file__).resolve().parents[1] / "conf"
SHEETS = ("azur_3g30c", "azur_4g32c_advanced", "azur_s32_silicon", "solaero_ztj", "xte_sf", "xtj_prime")


def profile(name: str) -> dict:
    return dict(OmegaConf.load(CONF / "solar_cell" / f"{name}.yaml"))


def aged(name: str, fluence_per_m2: float) -> solar_cell.Cell:
    cell = profile(name)
    return registry.call(registry.models("solar_cell")[cell["model"]], cell, jnp.asarray(fluence_per_m2))


@pytest.mark.parametrize("name", SHEETS)
def test_curve_passes_the_points_of_its_sheet_and_has_its_maximum_there(name):
    for fluence in profile(name)["fluence_points_per_m2"]:
        points = aged(name, fluence).reference
        voltage = np.linspace(0.0, float(points.open_circuit_voltage_v), 20001)
        current = np.asarray(solar_cell.current_a_per_m2(points, jnp.asarray(voltage)))
        power = voltage * current
        best = power.argmax()
        printed = points.max_power_voltage_v * points.max_power_current_a_per_m2
        assert current[0] == pytest.approx(float(points.short_circuit_current_a_per_m2), rel=1e-9)
        assert current[-1] == pytest.approx(0.0, abs=1e-6 * current[0])
        assert power[best] == pytest.approx(float(printed), rel=1e-6)
        assert voltage[best] == pytest.approx(float(points.max_power_voltage_v), abs=2e-4 * voltage[-1])
        assert current.max() < 1.02 * current[0]


@pytest.mark.parametrize(("spread", "within"), [(0.002, 0.04), (0.01, 0.25)])
def test_mismatch_loss_is_that_of_a_string_solved_cell_by_cell(spread, within):
    """Cells whose currents scatter, each on its own curve, at the string's best current: second order in the spread."""
    points = jax.tree.map(float, aged("azur_3g30c", 0.0).reference)
    voltage = np.linspace(0.7, 1.0, 20001) * points.open_circuit_voltage_v
    current = np.asarray(solar_cell.current_a_per_m2(points, jnp.asarray(voltage)))
    scatter = np.random.default_rng(0).standard_normal(4000)
    scale = 1.0 + spread * (scatter - scatter.mean()) / scatter.std()
    string = np.linspace(0.94, 0.98, 401) * points.short_circuit_current_a_per_m2
    power = [i * np.interp(i / scale, current[::-1], voltage[::-1]).mean() for i in string]
    lost = 1.0 - max(power) / (points.max_power_voltage_v * points.max_power_current_a_per_m2)
    assert solar_cell.mismatch_loss(points, current_spread=spread) == pytest.approx(lost, rel=within)


def test_fluence_below_the_first_printed_one_is_linear_and_beyond_the_last_follows_the_last_segment():
    cell = profile("azur_3g30c")
    lost = [1.0 - float(aged("azur_3g30c", f).reference.max_power_voltage_v) / 2.411 for f in (1e15, 2e15)]
    assert lost[1] == pytest.approx(2.0 * lost[0], rel=1e-3)
    scale = cell["fluence_scale_per_m2"]
    printed = np.log1p(np.array(cell["fluence_points_per_m2"][-2:]) / scale)
    slope = np.diff(cell["max_power_voltage_v"][-2:]) / np.diff(printed)
    beyond = cell["max_power_voltage_v"][-1] + slope * (np.log1p(3e19 / scale) - printed[-1])
    assert float(aged("azur_3g30c", 3e19).reference.max_power_voltage_v) == pytest.approx(float(beyond[0]), rel=1e-12)
    assert float(aged("azur_3g30c", 1e30).per_kelvin.max_power_voltage_v) == -7.2e-3


@pytest.mark.parametrize("name", ["hjt_silicon", "cigs_foil", "perovskite_silicon_tandem"])
def test_cell_without_a_sheet_gives_its_efficiency_and_loses_a_fixed_part_per_decade(name):
    cell = profile(name)
    at = (cell["reference_temperature_k"], cell["reference_irradiance_w_per_m2"])
    scale = cell["fluence_scale_per_m2"]
    fresh, once, twice = (
        float(solar_cell.maximum_power_w_per_m2(aged(name, f), *at)) / at[1] for f in (0.0, 9.0 * scale, 99.0 * scale)
    )
    assert fresh == pytest.approx(cell["efficiency_bol"])
    lost = [1.0 - once / fresh, 1.0 - twice / fresh]
    assert lost == pytest.approx([cell["power_loss_per_decade"], 2 * cell["power_loss_per_decade"]])
    warm = float(solar_cell.maximum_power_w_per_m2(aged(name, 0.0), at[0] + 10.0, at[1])) / at[1]
    assert warm / fresh - 1.0 == pytest.approx(10.0 * cell["power_coefficient_per_k"])


def test_age_darkens_glass_to_a_limit_and_debris_goes_on():
    wear = {"initial_health": 0.9, "darkening_fraction": 0.02, "darkening_time_s": 1e7, "debris_loss_per_year": 0.01}
    years = jnp.asarray([0.0, 10.0, 20.0]) * 365.25 * 86400.0
    kept = solar_array.remaining(years, **wear)
    np.testing.assert_allclose(kept, 0.9 * np.array([1.0, 0.98, 0.98]) * np.exp([0.0, -0.1, -0.2]), rtol=1e-9)


def test_heavier_glass_weighs_what_it_should():
    bare, thick = (
        solar_cell.build(areal_mass_kg_per_m2=0.9, cover_glass_thickness_m=t, proton_to_electron_ratio=1e3)
        for t in (0.0, 1e-3)
    )
    assert float(thick.covered_kg_per_m2 - bare.covered_kg_per_m2) == pytest.approx(2.554)
    assert float(bare.bare_kg_per_m2) == float(thick.bare_kg_per_m2) == 0.9
