"""Steady orbits: they close, are those that a long simulation ends in, and have the derivatives of what they find."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from twin import designs, rollout, steady
from twin.prepare import prepare
from twin.structure import Moment
from twin.totals import first_totals

# Eclipse season; heat binds in one part of the sunlit arc, the array in another, and the battery in eclipse.
DESIGN = [
    "constellation.satellites=1",
    "constellation.planes=1",
    "precision=float64",
    "distributed.devices=1",
    "array.area_m2=240",
    "radiator.area_m2=95",
    "battery.energy_j=1.2e8",
    "battery.discharge_rate_per_h=0.3",
]
STEPS, EXCHANGES = 12, 24
WHOLE = STEPS * EXCHANGES
STEP_MS = 20_354  # the period over 288, within 2e-5
DAYS_ORBITS = 75  # five days: bus and battery take one to warm
FREE = (
    "radiator.area_m2",
    "battery.energy_j",
    "orbit.altitude_m",
    "thermal_network.couplings.battery_to_bus.conductance_w_per_k",
)


@pytest.fixture(scope="module")
def case():
    """Structure of one orbit that stands for the middle of a run, parameters and environment."""
    model = twin.build(twin.compose("simulate", DESIGN))
    structure = steady.scheduled(model.structure, 1, STEPS, EXCHANGES)
    middle_ms = (2 * DAYS_ORBITS - 1) * WHOLE * STEP_MS  # so that the orbit is the last of those days
    structure = replace(structure, schedule=replace(structure.schedule, step_ms=STEP_MS, duration_ms=middle_ms))
    return structure, model.params, steady.timed(structure, model.environment)


@pytest.fixture(scope="module")
def program(case):
    """Metrics, state and slopes by the free numbers, of any parameters: (metrics, state), (number, ...)."""
    structure, _, environment = case
    places = tuple(designs.places(structure, FREE).values())

    @jax.jit
    def of(params):
        def found(numbers):
            placed = designs.placed(params, places, tuple(numbers))
            cohorts = prepare(structure, placed, environment)
            orbit = steady.run(structure, cohorts, environment)
            return steady.all_metrics(structure, cohorts, orbit.carry)[0] | {"gap": orbit.gap[0]}, orbit.carry

        at = jnp.stack([designs.number(params, place) for place in places])
        pushed = jax.vmap(lambda tangent: jax.jvp(found, (at,), (tangent,)), out_axes=(None, 0))
        return pushed(jnp.eye(len(places)))

    return of


@pytest.fixture(scope="module")
def found(case, program):
    (metrics, carry), (slopes, _) = program(case[1])
    return metrics, carry, slopes


@pytest.fixture(scope="module")
def plain(case):
    """One orbit of the ordinary loop, by its number and the carry before it, and the fleet before the first."""
    structure, params, environment = case
    cohorts = jax.jit(prepare, static_argnums=0)(structure, params, environment)
    tiles = jax.jit(rollout.lay_out, static_argnums=0)(structure, cohorts)
    segment = rollout.Segment(EXCHANGES, 1, STEPS)

    @partial(jax.jit, static_argnums=2)
    def orbit(number, carry, own_step=True):
        start_s = number * WHOLE * STEP_MS / 1000.0
        step_s = jnp.asarray(STEP_MS / 1000.0) if own_step else None
        now = Moment(start_s, start_s, start_s, jnp.ones(()), step_s)
        fleet = tiles.shared, tiles.each
        return rollout.run_chunk(structure, segment, *fleet, environment, now, jnp.zeros(EXCHANGES), carry)[0]

    return orbit, tiles.carry


@pytest.fixture(scope="module")
def last_of_days(plain):
    """The carry after the last orbit of days, with totals of that orbit alone, and the one before it."""
    orbit, carry = plain
    for number in range(DAYS_ORBITS - 1):
        carry = orbit(float(number), carry)
    before = carry._replace(totals={name: first_totals((1, 1)) for name in carry.totals})
    return orbit(DAYS_ORBITS - 1.0, before), before


def test_it_closes_where_heat_and_power_bind(found):
    metrics, *_ = found
    assert metrics["gap"] <= steady.CLOSE
    assert metrics["throttled_fraction"] > 0.1
    assert metrics["shed_energy_j"] > 0.01 * metrics["accelerator_energy_j"]
    assert metrics["sunlit_fraction"] < 0.82


def test_balances_close(found):
    assert found[0]["heat_balance_residual"] < 1e-9
    assert found[0]["power_balance_residual"] < 1e-4


def test_it_is_the_orbit_of_a_long_simulation(found, last_of_days):
    _, carry, _ = found
    last, _ = last_of_days
    (name,) = carry.state
    for node, kelvin in last.state[name].temperature_k.items():
        np.testing.assert_allclose(carry.state[name].temperature_k[node], kelvin, atol=0.05, err_msg=node)
    np.testing.assert_allclose(carry.state[name].state_of_charge, last.state[name].state_of_charge, atol=2e-4)
    weight = 2 * DAYS_ORBITS - 1
    for total, value in last.totals[name].items():
        mine = carry.totals[name][total]
        if total.endswith("_k"):
            np.testing.assert_allclose(mine, value, atol=0.05, err_msg=total)
        elif total in ("delivered_flop", "accelerator_energy_j", "array_energy_j", "radiated_heat_j", "sunlit_s"):
            np.testing.assert_allclose(mine / weight, value, rtol=3e-4, err_msg=total)
    np.testing.assert_allclose(
        carry.totals[name]["min_state_of_charge"], last.totals[name]["min_state_of_charge"], atol=2e-4
    )


def test_one_more_orbit_changes_nothing(found, plain):
    """The ordinary loop from the state found, at the date of that orbit."""
    _, carry, _ = found
    orbit, first = plain
    after = orbit(DAYS_ORBITS - 1.0, first._replace(state=carry.state))
    for mine, others in zip(jax.tree.leaves(carry.state), jax.tree.leaves(after.state), strict=True):
        np.testing.assert_allclose(mine, others, atol=5e-3)


def test_a_moment_with_the_step_of_the_schedule_changes_nothing(plain):
    orbit, carry = plain
    own, schedules = orbit(3.0, carry), orbit(3.0, carry, False)
    for mine, others in zip(jax.tree.leaves(own), jax.tree.leaves(schedules), strict=True):
        np.testing.assert_allclose(mine, others, rtol=1e-12, atol=1e-12)


def test_slopes_equal_finite_differences(case, program, found):
    structure, params, _ = case
    _, _, slopes = found
    for k, (path, place) in enumerate(designs.places(structure, FREE).items()):
        value = float(designs.number(params, place))
        change = 1e-5 * value
        (high, _), _ = program(designs.placed(params, (place,), (jnp.asarray(value + change),)))
        (low, _), _ = program(designs.placed(params, (place,), (jnp.asarray(value - change),)))
        for name in ("mass_kg", "delivered_flop", "max_coolant_temperature_k", "min_state_of_charge"):
            difference = (high[name] - low[name]) / (2.0 * change)
            scale = 1e-7 * abs(float(high[name])) / value
            np.testing.assert_allclose(slopes[name][k], difference, rtol=1e-3, atol=scale, err_msg=f"{name} by {path}")
        assert slopes["delivered_flop"][k] != 0.0


def test_an_orbit_that_cannot_close_says_so(case, program):
    """Work that is asked for, not done and kept grows from orbit to orbit."""
    structure, params, _ = case
    places = designs.places(structure, ("workload.utilization", "workload.carry_over"))
    (metrics, carry), _ = program(designs.placed(params, tuple(places.values()), (jnp.ones(()), jnp.ones(()))))
    assert metrics["gap"] > 1.0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(carry.state))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["constellation.satellites=2"], "constellation.satellites = 2: must be 1"),
        (["precision=float32"], "precision = 'float32': must be float64"),
        (["workload=inference_azure_conv"], "workload.model = 'trace'"),
        (["+cohorts.a=[]", "+cohorts.b=[]"], "cohorts = a, b: must be one design"),
    ],
)
def test_refused(overrides, sentence):
    model = twin.build(twin.compose("simulate", [*DESIGN, *overrides]))
    with pytest.raises(twin.ConfigError, match=f"^{sentence}"):
        steady.scheduled(model.structure, 1, STEPS, EXCHANGES)
