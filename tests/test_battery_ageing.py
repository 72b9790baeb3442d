"""Fade of the battery: whole cycles cost what is published, years add up, and a run wears its battery by both."""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_run import ORBIT
from validation.test_battery import fade

import twin
from kernels import battery_ageing, registry
from kernels.constants import YEAR_S

WARM_K = 298.15
CYCLES = {
    "cycles_at_full_depth": 340.0,
    "depth_exponent": 2.6,
    "cycle_activation_temperature_k": 3800.0,
    "cold_cycle_activation_temperature_k": 3500.0,
    "rate_stress_h": 0.15,
}
CALENDAR = {
    "first_year_calendar_loss": 0.03,
    "calendar_activation_temperature_k": 5000.0,
    "calendar_charge_slope": 1.5,
}


def ramps(corners, steps: int) -> jax.Array:
    """States of charge through corners, `steps` steps from each to the next."""
    pieces = [np.linspace(a, b, steps, endpoint=False) for a, b in pairwise(corners)]
    return jnp.asarray(np.concatenate([*pieces, corners[-1:]]))


def at_half_rate(corners, steps=100, temperature_k=WARM_K, **changes) -> float:
    """Fade of a sequence whose first leg runs at C/2, the rate of cycle tests."""
    step_s = abs(corners[1] - corners[0]) / steps * 7200.0
    return float(fade(ramps(corners, steps), step_s, jnp.asarray(temperature_k), CYCLES | changes))


@settings(deadline=None, max_examples=40)
@given(st.floats(0.05, 1.0), st.floats(1.5, 4.0), st.floats(100.0, 1e4))
def test_a_cycle_costs_what_its_depth_is_published_to_cost(depth, exponent, cycles):
    """0.2 D^k / A from full to D and back, within 1e-3 in a hundred steps; charging costs nothing."""
    changes = {"depth_exponent": exponent, "cycles_at_full_depth": cycles}
    expected = 0.2 * depth**exponent / cycles
    assert at_half_rate([1.0, 1.0 - depth, 1.0], **changes) == pytest.approx(expected, rel=1e-3)
    once = at_half_rate([1.0, 1.0 - depth], **changes)
    assert at_half_rate([1.0, 1.0 - depth, 1.0, 1.0 - depth], **changes) == pytest.approx(2.0 * once, rel=1e-9)


def test_fade_does_not_depend_on_the_step():
    """Second order in the step: ten steps per discharge are within 1 %, a hundred within 1e-4."""
    exact = 0.2 * 0.3**2.6 / 340.0
    errors = [abs(at_half_rate([1.0, 0.7], steps) / exact - 1.0) for steps in (10, 100)]
    assert errors[0] < 1e-2 and errors[1] < 1e-4


def test_a_short_recharge_does_not_start_a_new_cycle():
    """A short recharge in a deep discharge changes its wear by less than 15 %; half of the depth starts anew."""
    steady: dict[str, Any] = {"rate_stress_h": 0.0}
    whole = at_half_rate([1.0, 0.4], **steady)
    assert at_half_rate([1.0, 0.72, 0.75, 0.4], **steady) == pytest.approx(whole, rel=0.15)
    apart = at_half_rate([1.0, 0.4, 0.8, 0.5], **steady)
    assert apart == pytest.approx(0.2 * (0.6**2.6 + 0.3**2.6) / 340.0, rel=1e-3)


def test_wear_is_least_at_25_c_and_rises_with_the_rate():
    """Arrhenius on both sides of 25 C; 1 + 0.15 (rate - C/2) in the discharge rate."""
    base = at_half_rate([0.9, 0.6])
    for temperature_k, activation_k in ((318.15, 3800.0), (278.15, -3500.0)):
        expected = np.exp(activation_k * (1.0 / WARM_K - 1.0 / temperature_k))
        assert expected > 1.5
        assert at_half_rate([0.9, 0.6], temperature_k=temperature_k) / base == pytest.approx(expected, rel=1e-9)
    charges = ramps([0.9, 0.6], 100)
    quick = float(fade(charges, 0.3 / 100 * 3600.0 / 2.0, jnp.asarray(WARM_K), CYCLES))
    assert quick / base == pytest.approx(1.0 + 0.15 * 1.5, rel=1e-9)


def test_calendar_loss_goes_with_the_root_of_time():
    """Half of the loss of four years in one, whatever the steps; three years warm follow one cool at equal damage."""

    def square(state_of_charge, temperature_k, years):
        rate = battery_ageing.calendar_square_rate_per_s(
            jnp.asarray(state_of_charge), jnp.asarray(temperature_k), **CALENDAR
        )
        return float(rate) * years * YEAR_S

    def lost(total):
        return 1.0 - float(
            battery_ageing.health(jnp.asarray(0.0), jnp.asarray(total), resistance_growth_per_loss=1.0)[0]
        )

    assert lost(square(0.5, WARM_K, 1.0)) == pytest.approx(0.03, rel=1e-9)
    assert lost(square(0.5, WARM_K, 4.0)) == pytest.approx(0.06, rel=1e-9)
    assert lost(square(0.9, WARM_K, 1.0)) == pytest.approx(0.03 * 1.6, rel=1e-9)
    warm = np.exp(5000.0 * (1.0 / WARM_K - 1.0 / 308.15))
    both = square(0.5, WARM_K, 1.0) + square(0.5, 308.15, 3.0)
    assert lost(both) == pytest.approx(0.03 * np.sqrt(1.0 + 3.0 * warm**2), rel=1e-9)


def test_resistance_grows_with_the_capacity_lost():
    left, growth = battery_ageing.health(jnp.asarray(0.05), jnp.asarray(0.1**2), resistance_growth_per_loss=2.0)
    assert float(left) == pytest.approx(0.85, rel=1e-12) and float(growth) == pytest.approx(1.3, rel=1e-12)


def test_gradients_match_finite_differences():
    """Fade of a cycle and of a year by every parameter, temperature and depth."""
    names = [*CYCLES, *CALENDAR]

    @jax.jit
    def outcome(values):
        numbers = dict(zip(names, values[: len(names)], strict=True))
        temperature_k, depth = values[-2], values[-1]
        charges = 0.95 - depth * jnp.linspace(0.0, 1.0, 21)
        cycles = fade(charges, 200.0, temperature_k, {name: numbers[name] for name in CYCLES})
        rate = battery_ageing.calendar_square_rate_per_s(
            jnp.asarray(0.7), temperature_k, **{name: numbers[name] for name in CALENDAR}
        )
        return battery_ageing.health(1e3 * cycles, rate * YEAR_S, resistance_growth_per_loss=1.0)[0]

    at = np.array([*CYCLES.values(), *CALENDAR.values(), 305.0, 0.3])
    ours = np.asarray(jax.jit(jax.grad(outcome))(jnp.asarray(at)))
    for k, value in enumerate(at):
        delta = np.zeros(at.size)
        delta[k] = 1e-5 * value
        numeric = float(outcome(jnp.asarray(at + delta)) - outcome(jnp.asarray(at - delta))) / (2.0 * delta[k])
        assert ours[k] == pytest.approx(numeric, rel=1e-5, abs=1e-9)


def test_gradients_are_finite_at_rest_and_at_the_turn():
    """No discharge, no depth yet, an unused battery."""

    @jax.grad
    def slope(values):
        top, before, after, temperature_k, square = values
        rate = battery_ageing.cycle_loss_rate_per_s(top, before, after, temperature_k, 10.0, **CYCLES)
        left, growth = battery_ageing.health(rate * 1e6, square, resistance_growth_per_loss=1.0)
        return left + growth + battery_ageing.cycle_top(top, before, after)

    for after in (0.6, 0.5, 0.4):
        for top in (0.5, 0.8):
            for temperature_k in (WARM_K, 280.0):
                assert np.isfinite(slope(jnp.array([top, 0.5, after, temperature_k, 0.0]))).all()


@pytest.fixture(scope="module")
def orbits():
    """Two orbits of a few reference satellites with a battery as new."""
    changes = [*ORBIT, "time.duration_s=12000", "time.chunk_s=6000", "battery.initial_health=1.0"]
    return twin.simulate(twin.compose("simulate", changes))


@pytest.mark.slow
def test_a_run_wears_its_battery(orbits):
    """Health falls all the time, by the calendar's root law and the cycles that the run's own charge record shows."""
    chosen = twin.compose("simulate", []).cohorts[0].profiles["battery"]
    numbers = {name: getattr(chosen, name) for name in registry.schema("battery", "equivalent_circuit")}
    health = orbits.battery_health.values
    assert (np.diff(health, axis=0) < 0.0).all()
    charge, kelvin = orbits.state_of_charge.values, orbits.battery_temperature_k.values
    seconds = float(np.diff(orbits.time.values[:2])[0] / np.timedelta64(1, "s"))
    calendar = {name: numbers[name] for name in CALENDAR}
    cycles = {name: numbers[name] for name in CYCLES}
    for k in range(charge.shape[1]):
        square = battery_ageing.calendar_square_rate_per_s(
            jnp.asarray(charge[:, k]), jnp.asarray(kelvin[:, k]), **calendar
        )
        start = np.concatenate([[numbers["initial_state_of_charge"]], charge[:, k]])
        worn = fade(jnp.asarray(start, dtype=jnp.float64), seconds, jnp.asarray(float(kelvin[:, k].mean())), cycles)
        lost = np.sqrt(float(square.sum()) * seconds) + float(worn)
        assert float(worn) > 1e-6
        assert 1.0 - float(health[-1, k]) == pytest.approx(lost, rel=0.03)


def test_resistance_and_capacity_of_the_run_belong_together(orbits):
    per_loss = twin.compose("simulate", []).cohorts[0].profiles["battery"].resistance_growth_per_loss
    grown = 1.0 + per_loss * (1.0 - orbits.battery_health.values)
    np.testing.assert_allclose(orbits.battery_resistance_growth.values, grown, rtol=1e-6)
