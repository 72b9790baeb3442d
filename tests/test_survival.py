"""Safe mode and the hot case: payload off, heaters on, restart; margins at perihelion."""

import json

import jax.numpy as jnp
import pytest

import twin
from kernels.operations import payload_on

WINDOW = {"payload_off_after_s": 6000.0, "payload_off_for_s": 600.0}


@pytest.mark.parametrize(
    ("start_s", "share"), [(0.0, 1.0), (5700.0, 1.0), (5850.0, 0.5), (6000.0, 0.0), (6300.0, 0.0), (6600.0, 1.0)]
)
def test_payload_is_off_in_its_window(start_s, share):
    assert payload_on(jnp.asarray(start_s), 300.0, **WINDOW) == pytest.approx(share, abs=1e-12)


SAFE_MODE = ["experiment=safe_mode", "constellation.satellites=2"]


@pytest.fixture(scope="module")
def safe_mode():
    return twin.simulate(twin.compose("simulate", SAFE_MODE)).isel(satellite=0)


@pytest.mark.slow
def test_safe_mode_draws_nothing_for_the_payload_and_heats(safe_mode):
    off = safe_mode.isel(time=slice(100, 395))  # the window is 6 000 to 23 700 s, frames of 60 s
    assert float(off.compute_rate_flops.max()) == 0.0
    assert float(off.load_power_w.max()) < 1.2e4
    assert float(off.heater_power_w.max()) > 1e3
    assert float(safe_mode.isel(time=slice(0, 100)).heater_power_w.max()) == 0.0


@pytest.mark.slow
def test_safe_mode_cools_the_fluid_and_restarts(safe_mode):
    before, cold, after = (safe_mode.isel(time=k) for k in (99, 394, -1))
    assert float(cold.coolant_temperature_k) < float(before.coolant_temperature_k) - 30.0
    assert float(after.compute_rate_flops) > 0.95 * float(before.compute_rate_flops)
    assert float(safe_mode.state_of_charge.min()) > 0.2


@pytest.mark.slow
def test_the_reference_coolant_freezes_in_safe_mode(safe_mode):
    """As README says: the shipped heater does not keep the water glycol liquid; the summary says by how much."""
    freezing_k = twin.compose("simulate", SAFE_MODE).cohorts[0].profiles["coolant_loop"].freezing_temperature_k
    margin_k = json.loads(safe_mode.attrs["summary"])["fleet"]["coolant_temperature_lower_margin_k"]
    assert margin_k < 0.0
    assert float(safe_mode.coolant_temperature_k.min()) < freezing_k


@pytest.mark.slow
def test_hot_case_states_its_margins():
    result = twin.simulate(
        twin.compose("simulate", ["experiment=hot_case", "constellation.satellites=2", "time.duration_s=12000"])
    )
    summary = json.loads(result.attrs["summary"])["fleet"]
    for name in ("accelerator_temperature_upper", "coolant_temperature_upper", "radiator_temperature_upper"):
        assert summary[f"{name}_margin_k"] > 0.0
