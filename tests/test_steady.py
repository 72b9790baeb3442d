"""Steady orbits: they close, are those that a long simulation ends in, and have the derivatives of what they find."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from twin import designs, rollout, steady
from twin.metrics import all_metrics
from twin.prepare import prepare
from twin.segments import Segment
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
STEPS, EXCHANGES = 12, 12
WHOLE = STEPS * EXCHANGES
STEP_MS = 40_770  # about the period over 288
PERIOD_S = 5870.94  # of the orbit, to which a run of so many is trimmed
DAYS_ORBITS = 60  # four days: bus and battery take one to warm
CHANGE = 1e-5  # of a number, to either side
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
    middle_ms = round((2 * DAYS_ORBITS - 1) * PERIOD_S * 1e3)  # so that the orbit is the last of those days
    structure = replace(structure, schedule=replace(structure.schedule, step_ms=STEP_MS, duration_ms=middle_ms))
    return structure, model.params, steady.timed(structure, model.environment)


def of_numbers(case, paths):
    """Metrics and carry of the steady orbit as a function of the numbers at some paths, and their present values."""
    structure, params, environment = case
    places = tuple(designs.places(structure, paths).values())

    def metrics(numbers):
        cohorts = prepare(structure, designs.placed(params, places, tuple(numbers)), environment)
        orbit = steady.run(structure, cohorts, environment)
        return all_metrics(structure, cohorts, orbit.carry)[0] | {"gap": orbit.gap[0]}, orbit.carry

    return metrics, jnp.stack([designs.number(params, place) for place in places])


@pytest.fixture(scope="module")
def every(case):
    """Metrics, carries and slopes of the metrics, of one program for all: leaves (point,).

    First the design with its slope by each free number; then those a little above and below in each, and one that
    piles up work, by no number.
    """
    paths = (*FREE, "workload.utilization", "workload.carry_over")
    metrics, at = of_numbers(case, paths)
    count = len(FREE)
    changes, too_much = CHANGE * jnp.diag(at)[:count], at.at[count:].set(1.0)
    points = jnp.concatenate([jnp.tile(at, (count, 1)), at[None] + changes, at[None] - changes, too_much[None]])
    tangents = jnp.zeros_like(points).at[:count, :count].set(jnp.eye(count))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steady, "MOST_TRIES", 20)  # the one would take all
        (value, carry), (slopes, _) = jax.jit(jax.vmap(lambda x, t: jax.jvp(metrics, (x,), (t,))))(points, tangents)
    return value, carry, slopes


@pytest.fixture(scope="module")
def found(every):
    """Metrics, carry, and slopes of the metrics by each free number."""
    value, carry, slopes = every
    value, carry = jax.tree.map(lambda leaf: leaf[0], (value, carry))
    return value, carry, {name: slope[: len(FREE)] for name, slope in slopes.items()}


@pytest.fixture(scope="module")
def around(every):
    """Metrics and carries of designs a little above and below in each free number, and of one that piles up work."""
    return jax.tree.map(lambda leaf: leaf[len(FREE) :], every[:2])


@pytest.fixture(scope="module")
def plain(case):
    """One orbit of the ordinary loop from a date on, in steps of a length, and the fleet before the first."""
    structure, params, environment = case
    cohorts = jax.jit(prepare, static_argnums=0)(structure, params, environment)
    fleet = jax.jit(rollout.lay_out, static_argnums=0)(structure, cohorts)
    segment = Segment(EXCHANGES, 1, STEPS)

    @jax.jit
    def orbit(date_s, carry, step_s, weight):
        now = Moment(date_s, jnp.zeros(()), date_s, jnp.asarray(weight), step_s)
        demand = jnp.zeros(EXCHANGES)
        return rollout.run_chunk(structure, segment, fleet.shared, fleet.each, environment, now, demand, carry)[0]

    (rates,) = (each.rates for each in fleet.each.values())
    turn_rad_per_s = rates.mean_anomaly_rad_per_s + rates.argument_of_perigee_rad_per_s
    period_s = (2.0 * jnp.pi / turn_rad_per_s)[0, 0]
    return orbit, fleet.carry, period_s


@pytest.fixture(scope="module")
def last_of_days(plain):
    """The carry after the last orbit of days, with totals of that orbit alone."""
    orbit, carry, period_s = plain
    for number in range(DAYS_ORBITS - 1):
        carry = orbit(number * period_s, carry, period_s / WHOLE, 1.0)
    before = carry._replace(totals={name: first_totals((1, 1)) for name in carry.totals})
    return orbit((DAYS_ORBITS - 1) * period_s, before, period_s / WHOLE, 1.0)


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
    last = last_of_days
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
    """The ordinary loop from the state found, at the date of that orbit and for the time that it stands for."""
    _, carry, _ = found
    orbit, first, period_s = plain
    begun = first._replace(state=carry.state, work=carry.work)
    after = orbit((DAYS_ORBITS - 1) * period_s, begun, period_s / WHOLE, 2.0 * DAYS_ORBITS - 1.0)
    for mine, others in zip(jax.tree.leaves(carry.state), jax.tree.leaves(after.state), strict=True):
        np.testing.assert_allclose(mine, others, atol=1e-5)


@pytest.mark.slow
def test_a_moment_with_the_step_of_the_schedule_changes_nothing(plain):
    orbit, carry, period_s = plain
    own, schedules = (orbit(period_s, carry, step_s, 1.0) for step_s in (jnp.asarray(STEP_MS / 1000.0), None))
    for mine, others in zip(jax.tree.leaves(own), jax.tree.leaves(schedules), strict=True):
        np.testing.assert_allclose(mine, others, rtol=1e-9, atol=1e-7)


def test_slopes_equal_finite_differences(case, found, around):
    _, _, slopes = found
    _, at = of_numbers(case, FREE)
    count = len(FREE)
    for name in ("mass_kg", "delivered_flop", "max_coolant_temperature_k", "shed_energy_j"):
        values = np.asarray(around[0][name])
        differences = (values[:count] - values[count : 2 * count]) / (2.0 * CHANGE * at)
        least = 1e-6 * np.abs(values[0] / at)
        assert (np.abs(slopes[name] - differences) <= 1e-3 * np.abs(differences) + least).all(), name
    assert (around[0]["gap"][: 2 * count] <= steady.CLOSE).all()
    assert (slopes["delivered_flop"] != 0.0).all()


def test_an_orbit_that_cannot_close_says_so(around):
    """Work that is asked for, not done and kept grows from orbit to orbit."""
    metrics, carry = around
    assert metrics["gap"][-1] > 1.0
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
