"""Work by the place in the orbit: where noon is, what is asked there, of whom, and its gradient."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import constants as const
from kernels import orbit, sunlight, workload
from twin import designs, metrics, rollout, steady
from twin.anchor import anchor_at, sun_phase_rad
from twin.prepare import prepare
from twin.segments import segments
from twin.structure import moment

SHORT = ["time.duration_s=6000", "precision=float64", "distributed.devices=1", "constellation.satellites=5"]
SCHEDULE = [0.9, 0.7, 0.5, 0.1, 0.3, 0.6]


def built(*overrides):
    model = twin.build(twin.compose("simulate", [*SHORT, *overrides]))
    cohorts = jax.jit(prepare, static_argnums=0)(model.structure, model.params, model.environment)
    return model, rollout.lay_out(model.structure, cohorts)


@pytest.fixture(scope="module")
def scheduled():
    return built("workload=orbit_schedule", f"workload.schedule={SCHEDULE}")


@pytest.fixture(scope="module")
def even():
    return built(f"workload.utilization={SCHEDULE[0]}")


def asked(model, tiles, number=0, **changes):
    """What is given to each satellite in an exchange interval, (satellite,)."""
    now = moment(model.structure.schedule, model.environment.slow_weight, 0)
    (segment,) = segments(300, 15, 15)
    (cohort,) = model.structure.cohorts
    carry = tiles.carry._replace(**changes)
    anchors: dict = {}  # what is asked by place alone looks at none
    given = (anchors, {}, now, model.environment.start_days, jnp.asarray(number), jnp.zeros(()), carry)
    inputs = rollout.inputs_of(model.structure, segment, tiles.shared, tiles.each, *given)[cohort.name]
    return jax.tree.map(lambda leaf: rollout.flat(leaf, cohort.satellites), inputs)


def test_schedule_is_linear_between_its_values_and_periodic():
    values, turn = jnp.asarray(SCHEDULE), 2.0 * jnp.pi

    def fraction(turns):
        phase = jnp.asarray(turns) * turn
        return workload.orbit_schedule(jnp.asarray(2e18), jnp.zeros(()), phase, schedule=values) / 2e18

    at = np.arange(6) / 6
    np.testing.assert_allclose(fraction(at + 1e-13), SCHEDULE, rtol=1e-9)
    np.testing.assert_allclose(fraction(at + 0.25 / 6), 0.75 * np.array(SCHEDULE) + 0.25 * np.roll(SCHEDULE, -1))
    for turns in (-1.0, 1.0, 2.0):
        np.testing.assert_allclose(fraction(at + turns + 0.03), fraction(at + 0.03), rtol=1e-12)


@pytest.mark.parametrize("beta_rad", [0.0, 0.7, -1.4])
def test_phase_is_flown_from_noon(beta_rad):
    """A Sun anywhere above the plane: noon is under it, and phase grows along the flight."""
    sun = (jnp.cos(beta_rad), jnp.zeros(()), jnp.sin(beta_rad))
    for flown in (-3.0, -0.5 * np.pi, 0.0, 0.4, 3.1):
        direction = (jnp.cos(flown), jnp.sin(flown), jnp.zeros(()))
        normal = (jnp.zeros(()), jnp.zeros(()), jnp.ones(()))
        assert float(orbit.sun_phase_rad(direction, normal, sun)) == pytest.approx(flown, abs=1e-12)


def test_phase_and_its_gradient_are_finite_under_a_sun_on_the_axis():
    axis = (jnp.zeros(()), jnp.zeros(()), jnp.ones(()))

    def phase(x):
        return orbit.sun_phase_rad((x, jnp.sqrt(1.0 - x * x), jnp.zeros(())), axis, axis)

    assert [float(f(jnp.asarray(0.5))) for f in (phase, jax.grad(phase))] == [0.0, 0.0]


def test_darkness_is_half_a_turn_from_noon(scheduled):
    """The middle of every satellite's eclipse, found from the light on it, lies at phase pi."""
    model, tiles = scheduled
    (each,), (slow,) = tiles.each.values(), tiles.carry.slow.values()
    start = model.environment.start_days
    times_s = jnp.arange(0.0, 5900.0, 5.0)

    def looked(time_s):
        anchor = anchor_at(each, start, time_s)
        place, sun = orbit.place(anchor.elements, anchor.rates, 0.0), sunlight.sun(anchor.sun, 0.0)
        along = sum(a * b for a, b in zip(place.direction, sun.direction, strict=True))
        shadow = (along < 0.0) & (place.radius_m * jnp.sqrt(1.0 - along**2) < const.EARTH_RADIUS_M)
        return sun_phase_rad(each, slow, start, time_s, time_s), shadow

    phase, shadow = (np.asarray(leaf).reshape(len(times_s), -1)[:, :5] for leaf in jax.vmap(looked)(times_s))
    for own, dark in zip(phase.T, shadow.T, strict=True):
        turned = np.mod(own[dark], 2.0 * np.pi)
        assert 0.15 < dark.mean() < 0.25
        assert 0.5 * (turned.min() + turned.max()) == pytest.approx(np.pi, abs=0.01)
    assert np.mod(np.diff(phase, axis=0), 2.0 * np.pi).max() < 0.01  # it grows, by an orbit's rate


def test_each_satellite_is_asked_by_its_place(scheduled):
    model, tiles = scheduled
    (each,), (slow,), (shared,) = tiles.each.values(), tiles.carry.slow.values(), tiles.shared.values()
    middle_s = jnp.asarray(2.5 * 300.0)
    phase = sun_phase_rad(each, slow, model.environment.start_days, middle_s, middle_s).reshape(-1)[:5]
    nominal = shared.nominal_flops * shared.profiles["accelerator"]["count"]
    expected = np.interp(np.mod(phase, 2 * np.pi), np.arange(7) * np.pi / 3, [*SCHEDULE, SCHEDULE[0]]) * nominal
    found = asked(model, tiles, number=2)
    np.testing.assert_allclose(found.assigned_flops, expected, rtol=1e-10)
    np.testing.assert_array_equal(found.asked_flops, found.assigned_flops)
    assert np.ptp(found.assigned_flops) > 0.2 * nominal


def test_no_other_satellite_does_what_dead_chips_leave_undone(scheduled):
    model, tiles = scheduled
    (name,) = tiles.carry.slow
    slow = tiles.carry.slow[name]
    fewer = {name: slow._replace(accelerators_alive=slow.accelerators_alive.at[0, 1].set(0.0))}
    np.testing.assert_array_equal(asked(model, tiles, slow=fewer).assigned_flops, asked(model, tiles).assigned_flops)


def test_an_even_schedule_is_steady_work(scheduled, even):
    (model, tiles), flat = scheduled, jnp.full(len(SCHEDULE), SCHEDULE[0])
    (name,) = tiles.shared
    shared = tiles.shared[name]
    profiles = {**shared.profiles, "workload": {**shared.profiles["workload"], "schedule": flat}}
    levelled = tiles._replace(shared={name: shared._replace(profiles=profiles)})
    for ours, theirs in zip(asked(model, levelled), asked(*even), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_other_workloads_know_no_phase(even, scheduled, monkeypatch):
    def never(*_):
        raise AssertionError("a phase was traced")

    monkeypatch.setattr(rollout, "sun_phase_rad", never)
    assert float(asked(*even).assigned_flops[0]) > 0.0
    with pytest.raises(AssertionError, match="a phase was traced"):
        asked(*scheduled)


def test_single_values_are_places_of_a_design(scheduled):
    model, _ = scheduled
    (name,) = model.params
    found = designs.columns(model, {"workload.schedule.3": [0.2, 0.4], "array.area_m2": [400.0, 500.0]})
    place = found["workload.schedule.3"].place
    assert float(designs.number(model.params, place)) == SCHEDULE[3]
    changed = designs.placed(model.params, (place,), (0.4,))
    np.testing.assert_array_equal(changed[name]["workload"]["schedule"], [*SCHEDULE[:3], 0.4, *SCHEDULE[4:]])
    np.testing.assert_array_equal(model.params[name]["workload"]["schedule"], SCHEDULE)


@pytest.mark.parametrize(
    ("paths", "sentence"),
    [
        ({"workload.schedule.6": [0.5]}, "workload.schedule.6: no number that a design can vary (did you mean"),
        ({"workload.schedule": [0.5]}, "workload.schedule: is a curve; designs vary single numbers, such as workload"),
        ({"workload.schedule.1": [1.5]}, "design 0: workload.schedule.1 = 1.5: must be at least 0 and at most 1"),
    ],
)
def test_bad_places_are_refused(scheduled, paths, sentence):
    with pytest.raises(twin.ConfigError, match=re.escape(sentence)):
        designs.columns(scheduled[0], paths)


@pytest.mark.slow
def test_gradient_by_each_value_of_a_steady_orbit():
    """Work and the deepest discharge of the closed orbit, by every value of the schedule, against differences."""
    overrides = ["time=year", "constellation.planes=1", "workload=orbit_schedule", f"workload.schedule={SCHEDULE}"]
    model = twin.build(twin.compose("simulate", [*SHORT[1:3], "constellation.satellites=1", *overrides]))
    structure = steady.scheduled(model.structure, 1, 10, 12)
    environment = steady.timed(structure, model.environment)
    found = designs.places(structure, [f"workload.schedule.{k}" for k in range(len(SCHEDULE))])

    def measured(values):
        params = designs.placed(model.params, tuple(found.values()), tuple(values))
        cohorts = prepare(structure, params, environment)
        told = metrics.all_metrics(structure, cohorts, steady.run(structure, cohorts, environment).carry)[0]
        return jnp.stack([told["delivered_flop"] / 1e24, told["min_state_of_charge"]])

    values, unit = jnp.asarray(SCHEDULE), jnp.eye(len(SCHEDULE))
    measured = jax.jit(measured)
    slopes = jax.jit(jax.vmap(lambda t: jax.jvp(measured, (values,), (t,))[1], out_axes=1))(unit)
    differences = jnp.stack([(measured(values + 1e-4 * t) - measured(values - 1e-4 * t)) / 2e-4 for t in unit], axis=1)
    assert (np.abs(slopes[0]) > 1e-3).all()
    np.testing.assert_allclose(slopes, differences, rtol=2e-4, atol=1e-7)
