"""One step under every schedule: tiled, sharded, in chunks, lowered for CUDA; and nothing compiles twice."""

import json
import re
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared_run import ORBIT

import twin
from kernels import safe_math as sm
from twin import block_schedule, programs, rollout
from twin.ageing import condition
from twin.anchor import anchor_at
from twin.block_steps import block_steps
from twin.exchange import Inputs
from twin.prepare import prepare
from twin.segments import Segment, segments
from twin.state import State
from twin.step import step
from twin.structure import moment

*SHORT, ONE_DEVICE = ORBIT


def simulate(*overrides):
    return twin.simulate(twin.compose("simulate", [*SHORT, *overrides]))


@pytest.fixture(scope="module")
def untiled():
    return simulate(ONE_DEVICE)


def assert_same(ours, theirs, tolerance=2e-5):
    """Equal to float32 round-off, of powers relative to the load, of work to what is asked: some are differences."""
    asked_flops = float(theirs.assigned_flops.max())
    large = {"W": float(theirs.load_power_w.max()), "flop/s": asked_flops, "flop": 300.0 * asked_flops}
    for name in theirs.data_vars:
        scale = large.get(theirs[name].units, float(np.abs(theirs[name].values).max())) or 1.0
        np.testing.assert_allclose(ours[name].values / scale, theirs[name].values / scale, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("tile", [pytest.param(8, marks=pytest.mark.slow), 64])
def test_tiles_do_not_change_results(untiled, tile):
    assert_same(simulate(ONE_DEVICE, f"distributed.tile={tile}"), untiled)


@pytest.mark.parametrize("devices", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_devices_do_not_change_results(untiled, devices):
    """Nor do chunks compile anew: what a chunk leaves is what the next one takes."""
    assert len(jax.devices()) == 8
    compiled = len(programs._chunks)
    spread = simulate(f"distributed.devices={devices}", "distributed.tile=4", "time.chunk_s=1500")
    held = ["drag_delta_v_m_per_s"]  # through a chunk, see below
    assert_same(spread.drop_vars(held), untiled.drop_vars(held), 5e-5)
    assert len(programs._chunks) == compiled + 1


@pytest.mark.slow
def test_chunks_do_not_change_results(untiled):
    """Phases are anchored anew in each chunk, in float64; drag is held through a chunk and follows the date."""
    short = simulate(ONE_DEVICE, "time.chunk_s=600")
    held = ["drag_delta_v_m_per_s"]
    assert_same(short.drop_vars(held), untiled.drop_vars(held), 5e-5)
    np.testing.assert_allclose(short.drag_delta_v_m_per_s[-1], untiled.drag_delta_v_m_per_s[-1], rtol=1e-3)


def test_precisions_agree(untiled):
    """Float32 against float64 over an orbit: the worst deviation of every variable, relative to its range."""
    double = simulate(ONE_DEVICE, "precision=float64")
    assert_same(untiled, double, 2e-3)
    np.testing.assert_allclose(untiled.state_of_charge, double.state_of_charge, atol=2e-5)
    np.testing.assert_allclose(untiled.accelerator_temperature_k, double.accelerator_temperature_k, atol=0.02)


@pytest.mark.parametrize(
    ("save", "exchange"),
    [
        (100, 6000),
        pytest.param(600, 300, marks=pytest.mark.slow),
        pytest.param(300, 4200, marks=pytest.mark.slow),
    ],
)
def test_clocks_nest(untiled, save, exchange):
    """Whatever the save and exchange intervals, steady work gives the same day; a last interval may be shorter."""
    other = simulate(ONE_DEVICE, f"time.save_every_s={save}", f"time.exchange_s={exchange}")
    assert other.sizes["time"] == 6000 // save
    assert other.time.values[-1] == untiled.time.values[-1]
    np.testing.assert_allclose(other.array_power_w.mean("time"), untiled.array_power_w.mean("time"), rtol=1e-5)
    np.testing.assert_allclose(other.state_of_charge[-1], untiled.state_of_charge[-1], atol=1e-6)


def test_numbers_do_not_recompile(untiled):
    compiled = len(programs._chunks)
    simulate(ONE_DEVICE, "solar_cell=azur_3g30c", "accelerator=b200", "radiator=carbon_panel", "orbit.altitude_m=550e3")
    simulate(ONE_DEVICE, "battery=lfp_pack", "coating=osr_quartz", "workload.utilization=0.5", "array.area_m2=300")
    assert len(programs._chunks) == compiled


def traceable(satellites):
    """Structure of the reference fleet, its tiles as shapes, and its environment; nothing is computed."""
    overrides = [f"constellation.satellites={satellites}", f"distributed.tile={satellites}", ONE_DEVICE]
    model = twin.build(twin.compose("simulate", overrides))
    cohorts = jax.eval_shape(partial(prepare, model.structure), model.params, model.environment)
    tiles = jax.eval_shape(partial(rollout.lay_out, model.structure), cohorts)
    return model.structure, tiles, model.environment


def test_float32_step_has_no_float64():
    structure, tiles, environment = traceable(128)
    cohort = structure.cohorts[0]

    def single(tree):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf).astype(jnp.float32), tree)

    def prepared(each, state, slow, shared):
        each, state, slow = jax.tree.map(lambda leaf: leaf[0], (each, state, slow))
        anchor = single(anchor_at(each, environment.start_days, jnp.zeros(())))
        return anchor, state, single(condition(cohort, shared, slow))

    def function(shared, anchor, inputs, state, now, start_s):
        return step(cohort, shared, anchor, inputs, state, now, start_s, jnp.float32(10.0))

    shared, *parts = (part[cohort.name] for part in (tiles.shared, tiles.each, tiles.carry.state, tiles.carry.slow))
    anchor, state, now = jax.eval_shape(prepared, *parts, shared)
    inputs = Inputs(*[jnp.ones(128, jnp.float32)] * 4)
    assert "f64" not in str(jax.make_jaxpr(function)(shared, anchor, inputs, state, now, jnp.float32(0.0)))


@pytest.fixture(scope="module")
def in_kernel():
    return simulate(ONE_DEVICE, "distributed.schedule=kernel")


def test_kernel_gives_the_same_run(untiled, in_kernel):
    """Blocks as interpreted kernels equal blocks as scans to float32 round-off."""
    assert_same(in_kernel, untiled)
    assert json.loads(in_kernel.summary)["run"]["schedule"] == "kernel"


@pytest.mark.gpu
@pytest.mark.skipif(jax.default_backend() == "cpu", reason="needs a GPU")
def test_compiled_kernel_gives_the_same_run():
    assert_same(simulate("distributed.schedule=kernel"), simulate("distributed.schedule=scan"))


def test_on_a_cpu_the_schedule_is_a_scan(untiled):
    run_facts = json.loads(untiled.summary)["run"]
    assert run_facts["schedule"] == "scan" and not run_facts["notes"]


def test_an_open_schedule_is_measured(untiled, in_kernel):
    """Both schedules are tried on the first chunk, and the run goes on with the one that it names."""
    config = twin.compose("simulate", [*SHORT, ONE_DEVICE])
    model = twin.build(config)
    open_model = model._replace(structure=replace(model.structure, block_schedule="auto"))
    result = twin.simulate(config, model=open_model)
    facts = json.loads(result.summary)["run"]
    assert f"Steps run as a {facts['schedule']}, " in facts["notes"][0]
    assert_same(result, untiled)


class Trial:
    """First chunks that take a stated time by a clock that stands still otherwise."""

    def __init__(self, monkeypatch, seconds, drift_k=0.0):
        self.now_s, self.seconds, self.drift_k = 0.0, seconds, drift_k
        monkeypatch.setattr(block_schedule.time, "perf_counter", lambda: self.now_s)

    def __call__(self, schedule):
        self.now_s += self.seconds[schedule]
        node_k = jnp.asarray([300.0, 310.0]) + (self.drift_k if schedule == "kernel" else 0.0)
        charge = jnp.asarray([0.5, 0.6])
        state = State({"bus": node_k}, {}, charge, *(0.0 * charge for _ in range(2)))
        return rollout.Carry({"fleet": state}, {}, {}, {}, {}, {})


@pytest.mark.parametrize(
    ("seconds", "drift_k", "schedule", "remark"),
    [
        ({"scan": 3.0, "kernel": 1.0}, 0.0, "kernel", "Steps run as a kernel, 3 times as fast"),
        ({"scan": 3.0, "kernel": 1.0}, 0.01, "kernel", "Steps run as a kernel, 3 times as fast"),
        ({"scan": 1.0, "kernel": 2.0}, 0.0, "scan", "Steps run as a scan, 2 times as fast"),
        ({"scan": 3.0, "kernel": 1.0}, 1.0, "scan", "does not give the same numbers"),
        ({"scan": 3.0, "kernel": 1.0}, np.nan, "scan", "does not give the same numbers"),
        ({"scan": 3.0}, 0.0, "scan", "does not run here ('kernel')"),
    ],
)
def test_the_faster_schedule_wins_if_it_is_right(monkeypatch, seconds, drift_k, schedule, remark):
    chosen, told = block_schedule.choose(Trial(monkeypatch, seconds, drift_k))
    assert chosen == schedule and remark in told


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["distributed.schedule=triton"], "distributed.schedule = 'triton': "),
        (["distributed.schedule=kernel", "precision=float64"], "the kernel computes in float32"),
    ],
)
def test_bad_schedules_are_refused(overrides, sentence):
    with pytest.raises(twin.ConfigError, match=re.escape(sentence)):
        twin.compose("simulate", overrides)


def cool(shared, own, carry, number):
    """A step as small as can be: shared numbers and curve, a scalar and an array of one's own, the step's number."""
    (rate, curve), (sky_k, source_k) = shared, own
    drop = rate * (carry["k"] - sky_k) - source_k * sm.interpolate(curve, carry["k"] / 400.0)
    return {"k": carry["k"] - drop, "clock": carry["clock"] + number.astype(jnp.float32)}


@pytest.mark.parametrize("satellites", [3, 128, 300])
def test_programs_cover_every_satellite(satellites):
    k = jnp.linspace(200.0, 350.0, satellites, dtype=jnp.float32)
    shared = (jnp.float32(0.1), jnp.linspace(0.0, 1.0, 3, dtype=jnp.float32))
    own = (jnp.float32(3.0), k / 100.0)
    first = jnp.asarray(4, jnp.int32)
    scan, kernel = (
        jax.jit(block_steps, static_argnums=(0, 1, 6))(
            schedule, cool, shared, own, {"k": k, "clock": jnp.zeros_like(k)}, first, 5
        )
        for schedule in ("scan", "kernel")
    )
    np.testing.assert_allclose(kernel["k"], scan["k"], rtol=1e-6)
    np.testing.assert_array_equal(kernel["clock"], np.full(satellites, 4 + 5 + 6 + 7 + 8))


@pytest.mark.parametrize("schedule", ["scan", "kernel"])
def test_chunk_lowers_for_cuda(schedule):
    """The whole chunk, its blocks as kernels of Mosaic GPU or as scans; nothing is run."""
    structure, tiles, environment = traceable(200)
    structure = replace(structure, block_schedule=schedule)
    chunk = jax.jit(partial(rollout.run_chunk, structure, Segment(2, 1, 30)))
    now = moment(structure.schedule, environment.slow_weight, 0)
    arguments = (tiles.shared, tiles.each, environment, now, jnp.zeros(2), tiles.carry)
    lowered = chunk.trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()
    assert ("mosaic_gpu" in lowered) == (schedule == "kernel")


def test_segments_cover_every_step_once():
    for total, save, exchange in [(2880, 10, 10), (7, 1, 3), (12, 6, 2), (100, 10, 30), (5, 5, 5)]:
        pieces = segments(total, save, min(exchange, total))
        assert sum(piece.total_steps for piece in pieces) == total
