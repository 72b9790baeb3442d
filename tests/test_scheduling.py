"""Work poured over a fleet: by weight, up to what each is able to do, the same in any order; and schedulers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from kernels import registry
from kernels.quantity import Fraction
from kernels.scheduler import Seen
from twin import rollout
from twin.contacts import contacts
from twin.placement import TILES, WHOLE, on_all, over_satellites, sum_over_devices
from twin.prepare import prepare
from twin.scheduling import LEVELS, UNITS, levels, poured
from twin.segments import segments
from twin.structure import moment

UNIT = 1e15 / UNITS
pour = jax.jit(lambda demand, weights, able: poured(demand, weights, able, jnp.asarray(UNIT), over_satellites))


def given_out(demand, weights, able):
    cohorts = ({"a": jnp.asarray(part, dtype=jnp.float64)[None]} for part in (weights, able))
    return np.asarray(pour(jnp.asarray(demand), *cohorts)["a"])[0]


part = st.one_of(st.just(0.0), st.floats(1e-9, 1.0))  # numbers below the normal ones are zero to XLA


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(part, st.floats(0.01, 1.0)), min_size=8, max_size=8), part)
def test_all_work_is_given_out_and_none_gets_more_than_it_can_do(rows, load):
    weights, able = np.array(rows).T
    able = np.round(able * 1e15 / UNIT) * UNIT
    demand = load * able.sum()
    found = given_out(demand, weights, able)
    assert found.sum() == pytest.approx(demand, rel=1e-12)
    assert np.all(found <= able * (1.0 + 1e-9))
    level, share = np.ceil(weights * LEVELS), found / able
    if np.any(share[level == 0.0] > 0.0):
        assert np.all(share[level > 0.0] >= 1.0 - 1e-9)
        np.testing.assert_allclose(share[level == 0.0], share[level == 0.0][0], rtol=1e-9)
    level, share = level[level > 0.0], share[level > 0.0]
    filled = share >= 1.0 - 1e-9
    if not filled.all():
        common = share[~filled] / level[~filled]
        np.testing.assert_allclose(common, common[0], rtol=1e-9)  # in proportion to the weight
        assert np.all(level[filled] * common[0] >= 1.0 - 1e-9)  # who is full would have had more


@pytest.mark.parametrize(("load", "shares"), [(0.5, [1.0, 0.0]), (0.75, [1.0, 0.5]), (1.2, [1.2, 1.2])])
def test_weight_0_is_for_what_the_others_have_no_room_for(load, shares):
    able = np.array([1e15, 1e15])
    np.testing.assert_allclose(given_out(load * able.sum(), [1.0, 0.0], able), shares * able, rtol=1e-12)
    np.testing.assert_allclose(given_out(load * able.sum(), [0.0, 0.0], able), load * able, rtol=1e-12)


def test_more_than_the_fleet_can_do_is_given_by_what_each_can_do():
    able = np.array([1e15, 2e15, 3e15])
    np.testing.assert_allclose(given_out(12e15, [1.0, 0.2, 0.0], able), 2.0 * able, rtol=1e-12)


def test_work_given_out_is_the_same_in_any_order_to_the_last_bit():
    """As on any number of devices: sums are of whole numbers."""
    draw = np.random.default_rng(1)
    weights, able = draw.uniform(size=(2, 5000))
    order = draw.permutation(5000)
    found = given_out(1e18, weights, 1e15 * able)
    np.testing.assert_array_equal(found[order], given_out(1e18, weights[order], 1e15 * able[order]))


def test_slopes_by_ability_and_demand_are_those_without_rounding():
    able = jnp.array([[1e15, 2e15, 3e15]])

    def first(demand, able):
        return poured(demand, {"a": jnp.ones((1, 3))}, {"a": able}, jnp.asarray(UNIT), over_satellites)["a"][0, 0]

    by_demand, by_able = jax.grad(first, argnums=(0, 1))(jnp.asarray(3e15), able)
    assert float(by_demand) == pytest.approx(1.0 / 6.0)
    np.testing.assert_allclose(by_able[0], 0.5 * np.array([5.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0]), rtol=1e-9)


SEEN = Seen(
    sunlit_fraction=jnp.array([1.0, 0.0, 0.0]),
    state_of_charge=jnp.array([1.0, 1.0, 0.3]),
    die_margin_k=jnp.array([40.0, 10.0, -1.0]),
    waits_s=jnp.array([0.0, 300.0, 900.0]),
    in_view_fraction=jnp.array([0.0, 0.5, 1.0]),
)


@pytest.mark.parametrize(
    ("name", "profile", "weights"),
    [
        ("even", {}, [1.0, 1.0, 1.0]),
        ("sunlight_aware", {"dark_weight": 0.2, "full_charge": 0.6}, [1.0, 0.2, 0.1]),
        ("thermal_aware", {"cool_margin_k": 20.0}, [1.0, 0.5, 0.0]),
        ("deadline_aware", {"deadline_s": 600.0}, [1.0, 0.5, 0.0]),
        ("link_aware", {"unseen_weight": 0.2}, [0.2, 0.6, 1.0]),
    ],
)
def test_weights_of_schedulers(name, profile, weights):
    np.testing.assert_allclose(registry.call(registry.models("scheduler")[name], profile, SEEN), weights, rtol=1e-12)


# --- In a fleet ------------------------------------------------------------------------------------------------------

SHORT = ["workload=inference_azure_conv", "constellation.satellites=16", "time.duration_s=6000", "time.chunk_s=6000"]


def built(*overrides):
    """A model of a short run, its tiles and the name of its cohort."""
    model = twin.build(twin.compose("simulate", [*SHORT, "distributed.devices=1", *overrides]))
    return model, rollout.lay_out(model.structure, prepare(*model[:3])), model.structure.cohorts[0].name


def by_interval(model, tiles, name):
    """Work assigned in each interval, the state held, and how long the ground is in view, (interval, satellite)."""
    structure, environment, (cohort,) = model.structure, model.environment, model.structure.cohorts
    (segment,) = segments(structure.schedule.steps, structure.schedule.save_steps, structure.schedule.exchange_steps)
    now = jax.tree.map(jnp.asarray, moment(structure.schedule, 1.0, 0))
    shared, each, carry = tiles
    anchor = rollout.anchored(structure, cohort, shared[name], each[name], carry.slow[name], environment, now)
    length_s = segment.length_s(structure.schedule.step_s)

    def at(number):
        when = environment, now.date_s, number * length_s, length_s
        there = contacts(structure, shared, each, {name: anchor}, *when, over_satellites)
        told = {name: anchor}, there, now, environment.start_days, number, environment.traced_flops[number], carry
        inputs = rollout.inputs_of(structure, segment, shared, each, *told)
        reach = there[name]
        in_view = jnp.zeros_like(inputs[name].assigned_flops) if reach is None else reach.seen_fraction
        return inputs[name].assigned_flops[0], in_view[0]

    return map(np.asarray, jax.jit(lambda: jax.lax.map(at, jnp.arange(segment.exchanges)))())


def test_work_goes_to_satellites_in_view():
    """While none is full, in proportion to `unseen_weight` and the part of the interval in which a site is in view."""
    ground = ["ground_network=optical_ten_sites", "scheduler=link_aware", "workload.load_fraction=0.1"]
    assigned, in_view = by_interval(*built(*ground))
    assert in_view.max() > 0.9 and 0.1 < np.mean(in_view > 0.0) < 0.6
    weight = np.asarray(levels(jnp.float32(0.2) + jnp.float32(0.8) * in_view))
    part = assigned / assigned.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(part, weight / weight.sum(axis=1, keepdims=True), rtol=1e-9)


def test_a_scheduler_of_ones_own(monkeypatch):
    """A function registered before the configuration is composed is a choice like those that are shipped."""
    monkeypatch.setitem(registry._models, "scheduler", dict(registry.models("scheduler")))

    @registry.model("scheduler")
    def by_charge(seen: Seen, *, least_charge: Fraction):
        return jnp.clip((seen.state_of_charge - least_charge) / (1.0 - jnp.asarray(least_charge)), 0.0, 1.0)

    with pytest.raises(twin.ConfigError, match=r"scheduler.least_charge: missing; model 'by_charge' needs it"):
        twin.compose("simulate", ["scheduler.model=by_charge"])
    model, tiles, name = built("scheduler.model=by_charge", "+scheduler.least_charge=0.5", "workload.load_fraction=0.2")
    charge = jnp.linspace(0.4, 1.0, 16, dtype=jnp.float32)[None]
    tiles.carry.state[name] = tiles.carry.state[name]._replace(state_of_charge=charge)
    assigned, _ = by_interval(model, tiles, name)
    assert np.all(np.diff(assigned, axis=1) >= 0.0) and np.all(assigned[:, -1] > 2.0 * assigned[:, 0])


@pytest.mark.slow
def test_work_given_out_is_the_same_on_two_devices():
    """Bit by bit, from what is seen of the satellites to what each is given."""
    one, two = (
        twin.simulate(
            twin.compose(
                "simulate",
                [*SHORT, "scheduler=sunlight_aware", "distributed.tile=8", f"distributed.devices={devices}"],
            )
        )
        for devices in (1, 2)
    )
    assert float((one.assigned_flops.max("satellite") / one.assigned_flops.min("satellite")).max()) > 1.5
    np.testing.assert_array_equal(two.assigned_flops, one.assigned_flops)


def given_at_once(model, shared, each, carry, fleet_sum=over_satellites):
    """What every satellite is given in the first interval by a scheduler that looks at nothing, (tiles, tile)."""
    structure, environment = model.structure, model.environment
    (segment,) = segments(structure.schedule.steps, structure.schedule.save_steps, structure.schedule.exchange_steps)
    now = jax.tree.map(jnp.asarray, moment(structure.schedule, 1.0, 0))
    told = {}, {}, now, environment.start_days, jnp.asarray(0), environment.traced_flops[0], carry
    (inputs,) = rollout.inputs_of(structure, segment, shared, each, *told, fleet_sum).values()
    return inputs


@pytest.mark.parametrize("satellites", [40, pytest.param(100, marks=pytest.mark.slow)])
def test_work_that_follows_the_size_of_the_fleet_is_the_same_on_two_devices(satellites):
    """Bit by bit in float64: the nominal work of a fleet is no sum that depends on its order."""
    choice = ["workload=steady", "precision=float64", f"distributed.tile={satellites // 2}"]
    model, tiles, _ = built(*choice, f"constellation.satellites={satellites}")
    alone = jax.jit(partial(given_at_once, model))(*tiles)
    shared_out = partial(given_at_once, model, fleet_sum=sum_over_devices)
    both = jax.jit(on_all(shared_out, tuple(jax.devices()[:2]), (WHOLE, TILES, TILES), TILES))(*tiles)
    assert alone.assigned_flops.dtype == jnp.float64
    np.testing.assert_array_equal(both.assigned_flops, alone.assigned_flops)


@pytest.mark.parametrize("alive", [0.0, 1e-9, *(pytest.param(n, marks=pytest.mark.slow) for n in (1e-3, 96.0))])
def test_all_of_the_demand_is_assigned_however_little_the_fleet_can_do(alive):
    """Also where what each is able to do is less than the unit in which work is counted."""
    model, (shared, each, carry), name = built("scheduler=even")
    slow = carry.slow[name]._replace(accelerators_alive=jnp.full_like(each[name].present, alive))
    assigned = given_at_once(model, shared, each, carry._replace(slow={name: slow})).assigned_flops
    assert float(assigned.sum()) == pytest.approx(float(model.environment.traced_flops[0]), rel=1e-12)


def test_work_that_is_owed_for_rounding_is_never_asked_for():
    """Where nothing is assigned, a satellite that has done a little too much is asked for nothing, not for less."""
    model, (shared, each, carry), name = built("scheduler=even")
    quiet = model._replace(environment=model.environment._replace(traced_flops=0.0 * model.environment.traced_flops))
    work = carry.work[name]._replace(backlog_flop=jnp.full_like(each[name].present, -1e9))
    inputs = given_at_once(quiet, shared, each, carry._replace(work={name: work}))
    assert float(jnp.abs(inputs.asked_flops).max()) == float(jnp.abs(inputs.assigned_flops).max()) == 0.0
