"""Coolant loop and workload: the mixing valve, the pump, and the queue of unfinished work."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from scipy.optimize import brentq

import twin
from kernels import coolant_loop, registry, workload

CONF = Path(__file__).parents[1] / "conf"

LOOP = {
    "mass_flow_kg_per_s": 6.0,
    "specific_heat_j_per_kg_k": 3400.0,
    "density_kg_per_m3": 1070.0,
    "pressure_drop_pa": 2.0e5,
    "pump_efficiency": 0.45,
    "set_point_k": 293.15,
    "max_bypass_fraction": 0.95,
    "heater_power_w": 3000.0,
    "heater_band_k": 5.0,
}
loop_of = jax.jit(lambda outlet_k, return_k: coolant_loop.single_phase(outlet_k, return_k, **LOOP))


def loop(outlet_k: float, return_k: float) -> coolant_loop.Loop:
    return coolant_loop.Loop(*map(float, loop_of(jnp.asarray(outlet_k), jnp.asarray(return_k))))


temperatures = st.floats(200.0, 400.0)


def test_colder_return_is_not_bypassed():
    """A return colder than the radiator's outlet would only cool the supply."""
    assert loop(LOOP["set_point_k"] - 20.0, LOOP["set_point_k"] - 30.0).bypass_fraction == 0.0


@settings(deadline=None, max_examples=200)
@given(temperatures, st.floats(0.0, 150.0))
def test_mixed_supply_holds_the_set_point(outlet_k, warmer_k):
    """Colder by less than the droop of 1 K where the valve can reach the set point; open or shut elsewhere."""
    return_k = outlet_k + warmer_k
    now = loop(outlet_k, return_k)
    supply_k = now.bypass_fraction * return_k + (1.0 - now.bypass_fraction) * outlet_k
    assert 0.0 <= now.bypass_fraction <= LOOP["max_bypass_fraction"]
    if outlet_k >= LOOP["set_point_k"]:
        assert now.bypass_fraction == 0.0
    elif warmer_k >= 1.0 and now.bypass_fraction < LOOP["max_bypass_fraction"]:
        assert LOOP["set_point_k"] - 1.0 < supply_k + 1e-9 and supply_k <= LOOP["set_point_k"] + 1e-9
    else:
        reach = LOOP["set_point_k"] - outlet_k >= LOOP["max_bypass_fraction"] * (return_k - outlet_k)
        assert reach and supply_k < LOOP["set_point_k"]


def test_valve_is_continuous_and_shuts_as_the_radiator_warms():
    outlets = jnp.linspace(250.0, 310.0, 6001)
    bypass = np.asarray(loop_of(outlets, jnp.full(6001, 310.0)).bypass_fraction)
    assert (np.diff(bypass) <= 1e-12).all() and np.abs(np.diff(bypass)).max() < 1e-3
    assert bypass[0] > 0.6 and bypass[-1] == 0.0


def test_pump_power_and_capacity_rate():
    """Volume flow times pressure drop over efficiency, 2492 W; 6 kg/s of water-glycol carry 20.4 kW/K."""
    now = loop(280.0, 310.0)
    assert now.pump_power_w == pytest.approx(6.0 / 1070.0 * 2.0e5 / 0.45, rel=1e-12)
    assert now.pump_power_w == pytest.approx(2492.2, abs=0.1)
    assert now.capacity_rate_w_per_k == pytest.approx(20_400.0, rel=1e-12)


@pytest.mark.parametrize(
    ("return_k", "power_w"), [(300.0, 0.0), (293.15, 0.0), (290.65, 1500.0), (288.15, 3000.0), (250.0, 3000.0)]
)
def test_heater_comes_on_in_proportion(return_k, power_w):
    assert loop(280.0, return_k).heater_demand_w == pytest.approx(power_w, rel=1e-9, abs=1e-9)


def test_loop_gradients_match_finite_differences():
    """Valve and heater by both temperatures and by the set point: mixing, shut, heating, and return colder."""

    @jax.jit
    def outcome(values):
        outlet_k, return_k, set_point_k = values
        now = coolant_loop.single_phase(outlet_k, return_k, **LOOP | {"set_point_k": set_point_k})
        return jnp.stack([now.bypass_fraction, 1e-3 * now.heater_demand_w])

    slopes = jax.jit(jax.jacfwd(outcome))
    for case in ((285.0, 310.0, 293.15), (300.0, 320.0, 293.15), (285.0, 290.0, 293.15), (292.9, 280.0, 293.15)):
        at = jnp.array(case)
        numeric = [(outcome(at + step) - outcome(at - step)) / 2e-4 for step in 1e-4 * np.eye(3)]
        np.testing.assert_allclose(slopes(at), np.array(numeric).T, rtol=1e-6, atol=1e-9)


def profile(name):
    return OmegaConf.to_container(OmegaConf.load(CONF / "coolant_loop" / f"{name}.yaml"))


def operating(flow, drop, shut_off, fraction):
    values = {"pump_shut_off_pressure_pa": shut_off, "pump_design_flow_fraction": fraction}
    return coolant_loop.operating_point(jnp.asarray(flow), jnp.asarray(drop), **values)


@pytest.mark.parametrize("name", [path.stem for path in sorted((CONF / "coolant_loop").glob("*.yaml"))])
def test_pumps_of_the_profiles_give_the_design_flow(name):
    loop = profile(name)
    point = operating(
        5.0, loop["pressure_drop_pa"], loop["pump_shut_off_pressure_pa"], loop["pump_design_flow_fraction"]
    )
    assert float(point["mass_flow_kg_per_s"]) == pytest.approx(5.0, rel=1e-12)
    assert float(point["pressure_drop_pa"]) == pytest.approx(loop["pressure_drop_pa"], rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 20.0), st.floats(1e4, 1e6), st.floats(1e4, 1e6), st.floats(0.1, 1.0))
def test_pump_runs_where_its_curve_meets_the_loops(flow, drop, shut_off, fraction):
    def excess_pa(x):
        return shut_off * (1.0 - (x * fraction / flow) ** 2) - drop * (x / flow) ** 2

    point = operating(flow, drop, shut_off, fraction)
    root = brentq(excess_pa, 0.0, flow / fraction, xtol=1e-12)
    assert float(point["mass_flow_kg_per_s"]) == pytest.approx(root, rel=1e-6)
    assert float(point["pressure_drop_pa"]) == pytest.approx(drop * (root / flow) ** 2, rel=1e-6)


def boiling(outlet_k, return_k, **changes):
    values = profile("ammonia_two_phase") | {"mass_flow_kg_per_s": 0.18, "heater_power_w": 3000.0} | changes
    return registry.call(coolant_loop.two_phase, values, jnp.asarray(outlet_k), jnp.asarray(return_k))


def test_boiling_loop_is_nearly_isothermal_and_dries_out():
    """117 kW in 0.18 kg/s: a quality of 0.54 with a fall of 1 K; half the flow would need more than all of it."""
    now = boiling(299.0, 300.0)
    heat_w = float(now.capacity_rate_w_per_k)
    assert float(now.vapour_quality) == pytest.approx((heat_w / 0.18 - 4740.0 * 3.0) / 1.186e6, rel=1e-9)
    assert 0.4 < float(now.vapour_quality) < 0.6 and 9e4 < heat_w < 1.3e5 and float(now.bypass_fraction) == 0.0
    assert float(boiling(298.0, 300.0).vapour_quality) > 0.8
    assert float(boiling(300.0, 299.0).vapour_quality) == 0.0
    assert float(now.pump_power_w) == pytest.approx(0.18 / 600.0 * 5e4 / 0.3)


def test_condenser_floods_before_the_heater_comes_on():
    set_point_k = profile("ammonia_two_phase")["set_point_k"]
    for above_k, bypass, heater_w in ((6.0, 0.0, 0.0), (2.5, 0.475, 0.0), (0.0, 0.95, 0.0), (-5.0, 0.95, 3000.0)):
        now = boiling(280.0, set_point_k + above_k)
        assert float(now.bypass_fraction) == pytest.approx(bypass) and float(now.heater_demand_w) == heater_w


def test_wall_pressure_is_a_temperature_and_slopes_are_derivatives():
    values = profile("ammonia_two_phase")
    curve = [values[f"saturation_{name}"] for name in ("a", "b_k", "c", "d_per_k")]
    for limit_pa in (1e6, 4.1e6, 9e6):
        found = registry.call(coolant_loop.boiling_limits, values | {"max_pressure_pa": limit_pa}, *curve)
        pressure = coolant_loop.saturation_pressure_pa(found["max_temperature_k"], *curve)
        assert float(pressure) == pytest.approx(limit_pa, rel=1e-9)
    at = jnp.asarray(300.0)
    slope = jax.grad(lambda t: coolant_loop.saturation_pressure_pa(t, *curve))(at)
    assert float(coolant_loop.saturation_slope_pa_per_k(at, *curve)) == pytest.approx(float(slope), rel=1e-12)
    grads = jax.jacfwd(lambda t: jnp.stack(boiling(t[0], t[1])))(jnp.array([299.0, 300.0]))
    assert np.isfinite(grads).all()


def test_dry_out_and_freezing_are_reported():
    config = twin.compose(
        "simulate",
        [
            "coolant_loop=ammonia_two_phase",
            "coolant_loop.mass_flow_kg_per_s=0.1",
            "coolant_loop.freezing_temperature_k=292.9",
            "constellation.satellites=2",
            "time.duration_s=6000",
            "distributed.devices=1",
        ],
    )
    summary = json.loads(twin.simulate(config).attrs["summary"])["fleet"]
    assert summary["max_vapour_quality"] > 0.8 and summary["vapour_quality_upper_margin"] < 0.0
    assert summary["coolant_temperature_lower_margin_k"] < 0.0 < summary["coolant_temperature_upper_margin_k"]
    assert "dry-out of the evaporator" in summary["binding_limit"]
    assert "coolant temperature too low" in summary["binding_limit"]


flops = st.floats(0.0, 1e18)
queued = jax.jit(workload.queued)


def rules(carry_over):
    return workload.WaitingRules(jnp.asarray(carry_over), jnp.asarray(workload.FOREVER_S))


@settings(deadline=None, max_examples=200)
@given(
    st.floats(0.0, 1e20), flops, st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.1, 600.0), st.floats(0.0, 1e20)
)
def test_queue_after_a_stretch(backlog, arrived, part, carry_over, length_s, longest):
    """Work left undone waits by the part that is carried over, up to the longest queue; the account closes exactly."""
    arrived, done = arrived * length_s, part * (backlog + arrived * length_s)
    waits, dropped = map(float, queued(*map(jnp.asarray, (backlog, arrived, done)), rules(carry_over), longest))
    scale = 1e-15 * (backlog + arrived) + 1e-300
    assert waits + dropped == pytest.approx(backlog + arrived - done, abs=4.0 * scale)
    lost = (1.0 - carry_over) * max(min(arrived - done, backlog + arrived - done), 0.0)
    assert waits == pytest.approx(min(backlog + arrived - done - lost, longest), abs=8.0 * scale)
    assert dropped >= -4.0 * scale


def test_rounding_is_owed_and_does_not_gather():
    """A chip that does a little too much each time has done the next work already; nothing piles up for years."""
    backlog = jnp.zeros(())
    for done in (1.0 + 1e-7, 1.0 - 1e-7) * 500:
        backlog, dropped = queued(backlog, jnp.asarray(1.0), jnp.asarray(done), rules(0.0), jnp.asarray(jnp.inf))
        assert abs(float(dropped)) < 1e-15
    assert abs(float(backlog)) < 1.001e-7
