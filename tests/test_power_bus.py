"""Power bus: every watt accounted for, limits kept, essential loads first, and no jumps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import power_bus

watts = st.one_of(st.just(0.0), st.floats(0.0, 1e6))
efficiencies = st.one_of(st.just(1.0), st.floats(0.5, 1.0))


def _ordered(values):
    """Array, charge limit, discharge limit, the working part of it, essential and compute demand."""
    array, charge, discharge, part, essential, compute = values
    return (array, charge, discharge, part * discharge, essential, compute)


parts = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.0, 1.0))
inputs = st.tuples(watts, watts, watts, parts, watts, watts).map(_ordered)
converters = st.tuples(efficiencies, efficiencies, efficiencies, efficiencies)
NAMES = ("array", "load", "charge", "discharge")


@jax.jit
def regulated(values, etas):
    named = {f"{name}_converter_efficiency": eta for name, eta in zip(NAMES, etas, strict=True)}
    return power_bus.regulated(*values, **named)


@jax.jit
def stacked(values, etas):
    return jnp.stack(regulated(tuple(values), tuple(etas)))


jacobian = jax.jit(jax.jacfwd(stacked))


def allocate(values, etas) -> power_bus.Allocation:
    given = regulated(tuple(map(jnp.asarray, values)), tuple(map(jnp.asarray, etas)))
    return power_bus.Allocation(*map(float, given))


@settings(deadline=None, max_examples=300)
@given(inputs, converters)
def test_every_watt_is_accounted_for(values, etas):
    """array = essential + compute + battery + loss, and the loss is that of the converters on the way."""
    bus, small = allocate(values, etas), 1e-9 * (1.0 + max(values))
    balance = bus.array_w - bus.essential_w - bus.compute_w - bus.battery_w - bus.conversion_loss_w
    assert abs(balance) < small
    array, load, charge, discharge = etas
    charging, discharging = max(bus.battery_w, 0.0), max(-bus.battery_w, 0.0)
    lost = (
        bus.array_w * (1.0 - array)
        + (bus.essential_w + bus.compute_w) * (1.0 / load - 1.0)
        + charging * (1.0 / charge - 1.0)
        + discharging * (1.0 - discharge)
    )
    assert bus.conversion_loss_w == pytest.approx(lost, abs=10.0 * small)


@settings(deadline=None, max_examples=300)
@given(inputs, converters)
def test_no_limit_is_exceeded(values, etas):
    bus, small = allocate(values, etas), 1e-9 * (1.0 + max(values))
    available, charge_limit, discharge_limit, _, essential, compute = values
    assert -small <= bus.array_w <= available + small
    assert bus.curtailed_w == pytest.approx(available - bus.array_w, abs=small)
    assert -discharge_limit - small <= bus.battery_w <= charge_limit + small
    assert -small <= bus.essential_w <= essential + small
    assert -small <= bus.compute_w <= compute + small
    assert bus.conversion_loss_w >= -small


@settings(deadline=None, max_examples=300)
@given(inputs, converters)
def test_priorities(values, etas):
    """Essential loads, then compute, then charging, then curtailment; the battery helps only what the array cannot."""
    bus, small = allocate(values, etas), 1e-9 * (1.0 + max(values))
    available, charge_limit, discharge_limit, working_limit, essential, compute = values
    array, load, _, discharge = etas
    if bus.compute_w > small:
        assert bus.essential_w == pytest.approx(essential, abs=small)
    shed = essential + compute - bus.essential_w - bus.compute_w
    if bus.essential_w < essential - small:  # everything there is goes to essential loads
        reach = (available * array + discharge_limit * discharge) * load
        assert bus.essential_w == pytest.approx(reach, abs=10.0 * small)
        assert bus.battery_w == pytest.approx(-discharge_limit, abs=10.0 * small)
    if bus.compute_w < compute - small:  # compute has what the reserve leaves
        reach = (available * array + working_limit * discharge) * load
        assert bus.compute_w == pytest.approx(max(reach - bus.essential_w, 0.0), abs=10.0 * small)
    if bus.compute_w > small:
        assert bus.battery_w >= -working_limit - 10.0 * small
    if bus.battery_w > small:
        assert shed < small
    if bus.curtailed_w > small / array:
        assert shed < small and bus.battery_w == pytest.approx(charge_limit, abs=10.0 * small)
    if bus.battery_w < -small:
        assert bus.array_w == pytest.approx(available, abs=10.0 * small)


@settings(deadline=None, max_examples=200)
@given(inputs, converters, st.integers(0, 5), st.floats(1e-3, 1e3))
def test_no_jumps(values, etas, which, change):
    """A watt more of anything moves no answer by more than the product of the converters' ratios."""
    moved = list(values)
    moved[which] += change
    moved[2] = max(moved[2:4])
    before, after = allocate(values, etas), allocate(moved, etas)
    steepest = 1.0 / (etas[0] * etas[1] * min(etas[2], etas[3]))
    for a, b in zip(before, after, strict=True):
        assert abs(b - a) <= (2.0 * steepest + 1.0) * change + 1e-9 * (1.0 + max(moved))


@settings(deadline=None, max_examples=200)
@given(inputs, converters, st.floats(0.0, 1e5))
def test_more_supply_never_serves_less(values, etas, more):
    """Loads served rise with the array, and with the battery's limit; they never fall with demand."""
    small = 1e-9 * (1.0 + max(values) + more)
    before = allocate(values, etas)
    for which in (0, 2, 3, 4, 5):
        moved = list(values)
        moved[which] += more
        moved[2] = max(moved[2:4])
        after = allocate(moved, etas)
        served = before.essential_w + before.compute_w
        assert after.essential_w + after.compute_w >= served - small
        if which != 5:
            assert after.essential_w >= before.essential_w - small


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # array, charge, discharge and working limit, essential, compute; converters 0.9, 0.8, 0.9, 0.9
        ((200.0, 50.0, 80.0, 80.0, 20.0, 100.0), (150 / 0.9 + 30 / 0.9, 0.0, 20.0, 100.0, 27.0)),
        (
            (400.0, 50.0, 80.0, 80.0, 20.0, 100.0),
            ((150 + 50 / 0.9) / 0.9, 400 - (150 + 50 / 0.9) / 0.9, 20.0, 100.0, 50.0),
        ),
        ((100.0, 50.0, 80.0, 80.0, 20.0, 100.0), (100.0, 0.0, 20.0, 100.0, -60 / 0.9)),
        ((0.0, 50.0, 80.0, 80.0, 20.0, 100.0), (0.0, 0.0, 20.0, 37.6, -80.0)),
        ((0.0, 50.0, 80.0, 40.0, 20.0, 100.0), (0.0, 0.0, 20.0, 8.8, -40.0)),
        ((0.0, 50.0, 80.0, 40.0, 50.0, 100.0), (0.0, 0.0, 50.0, 0.0, -50 / 0.72)),
        ((0.0, 50.0, 20.0, 0.0, 20.0, 100.0), (0.0, 0.0, 14.4, 0.0, -20.0)),
    ],
    ids=[
        "charging by what is left",
        "battery full rate, rest curtailed",
        "battery helps",
        "compute shed at the discharge limit",
        "compute shed at the reserve",
        "essential loads use the reserve",
        "essential shed",
    ],
)
def test_by_hand(values, expected):
    bus = allocate(values, (0.9, 0.8, 0.9, 0.9))
    assert bus[:5] == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(inputs, converters, st.integers(0, 2**32 - 1))
def test_gradients_match_finite_differences(values, etas, seed):
    """Finite everywhere, also at zero and where two regimes meet; a little aside, equal to differences."""
    shares = jnp.asarray(etas)
    assert np.isfinite(jacobian(jnp.asarray(values), shares)).all()
    aside = np.array(values) + np.random.default_rng(seed).uniform(0.1, 1.0, 6)
    slopes = jacobian(jnp.asarray(aside), shares)
    for k, row in enumerate(1e-3 * np.eye(6)):
        before, here, after = (np.asarray(stacked(jnp.asarray(aside + sign * row), shares)) for sign in (-1, 0, 1))
        if np.abs(after - 2.0 * here + before).max() < 1e-8:  # no meeting in between
            np.testing.assert_allclose(slopes[:, k], (after - before) / 2e-3, rtol=0, atol=1e-5)


def test_inputs_of_zero_give_zero():
    assert allocate((0.0,) * 6, (0.97, 0.97, 0.98, 0.98)) == (0.0,) * 6


def test_converter_mass():
    assert float(power_bus.converter_mass(jnp.asarray(120e3), specific_mass_kg_per_w=0.005)) == pytest.approx(600.0)
