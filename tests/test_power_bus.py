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
inputs = st.tuples(watts, watts, watts, watts, watts)
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
    available, charge_limit, discharge_limit, essential, compute = values
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
    available, charge_limit, discharge_limit, essential, compute = values
    array, load, _, discharge = etas
    if bus.compute_w > small:
        assert bus.essential_w == pytest.approx(essential, abs=small)
    shed = essential + compute - bus.essential_w - bus.compute_w
    if shed > small:
        reach = (available * array + discharge_limit * discharge) * load
        assert bus.essential_w + bus.compute_w == pytest.approx(reach, abs=10.0 * small)
        assert bus.battery_w == pytest.approx(-discharge_limit, abs=10.0 * small)
    if bus.battery_w > small:
        assert shed < small
    if bus.curtailed_w > small / array:
        assert shed < small and bus.battery_w == pytest.approx(charge_limit, abs=10.0 * small)
    if bus.battery_w < -small:
        assert bus.array_w == pytest.approx(available, abs=10.0 * small)


@settings(deadline=None, max_examples=200)
@given(inputs, converters, st.integers(0, 4), st.floats(1e-3, 1e3))
def test_no_jumps(values, etas, which, change):
    """A watt more of anything moves no answer by more than the product of the converters' ratios."""
    moved = list(values)
    moved[which] += change
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
    for which in (0, 2, 3, 4):
        moved = list(values)
        moved[which] += more
        after = allocate(moved, etas)
        served = before.essential_w + before.compute_w
        assert after.essential_w + after.compute_w >= served - small
        if which != 4:
            assert after.essential_w >= before.essential_w - small


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # array 200 W, charge 50 W, discharge 80 W, essential 20 W, compute 100 W, converters 0.9, 0.8, 0.9, 0.9
        ((200.0, 50.0, 80.0, 20.0, 100.0), (150 / 0.9 + 30 / 0.9, 0.0, 20.0, 100.0, 27.0)),
        ((400.0, 50.0, 80.0, 20.0, 100.0), ((150 + 50 / 0.9) / 0.9, 400 - (150 + 50 / 0.9) / 0.9, 20.0, 100.0, 50.0)),
        ((100.0, 50.0, 80.0, 20.0, 100.0), (100.0, 0.0, 20.0, 100.0, -60 / 0.9)),
        ((0.0, 50.0, 80.0, 20.0, 100.0), (0.0, 0.0, 20.0, 37.6, -80.0)),
        ((0.0, 50.0, 20.0, 20.0, 100.0), (0.0, 0.0, 14.4, 0.0, -20.0)),
    ],
    ids=[
        "charging by what is left",
        "battery full rate, rest curtailed",
        "battery helps",
        "compute shed",
        "essential shed",
    ],
)
def test_by_hand(values, expected):
    bus = allocate(values, (0.9, 0.8, 0.9, 0.9))
    assert bus[:5] == pytest.approx(expected, rel=1e-12)


@settings(deadline=None, max_examples=50)
@given(inputs, converters)
def test_gradients_match_finite_differences(values, etas):
    """Finite everywhere, also at zero and where two regimes meet; away from a meeting, equal to differences."""
    slopes = jacobian(jnp.asarray(values), jnp.asarray(etas))
    assert np.isfinite(slopes).all()
    step = 1e-2
    forward, backward = (
        (stacked(jnp.asarray(np.array(values) + sign * step * row), jnp.asarray(etas)) for row in np.eye(5))
        for sign in (1.0, -1.0)
    )
    here = stacked(jnp.asarray(values), jnp.asarray(etas))
    for k, (after, before) in enumerate(zip(forward, backward, strict=True)):
        one_sided = (np.asarray(after - here) / step, np.asarray(here - before) / step)
        straight = np.abs(one_sided[0] - one_sided[1]).max() < 1e-6
        if straight:
            np.testing.assert_allclose(slopes[:, k], one_sided[0], rtol=0, atol=1e-5)


def test_inputs_of_zero_give_zero():
    assert allocate((0.0,) * 5, (0.97, 0.97, 0.98, 0.98)) == (0.0,) * 6


def test_converter_mass():
    assert float(power_bus.converter_mass(jnp.asarray(120e3), specific_mass_kg_per_w=0.005)) == pytest.approx(600.0)
