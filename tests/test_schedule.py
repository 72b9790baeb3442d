"""One step under every schedule: tiled, sharded, in chunks, lowered for CUDA; and nothing compiles twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl
from jax.experimental.pallas import mosaic_gpu as plgpu

import twin
from twin import rollout, run
from twin.ageing import condition
from twin.anchor import anchor_at
from twin.exchange import Inputs
from twin.step import step

SHORT = ["time.duration_s=6000", "time.save_every_s=300", "constellation.satellites=37", "output.report=false"]
ONE_DEVICE = "distributed.devices=1"


def simulate(*overrides):
    return twin.simulate(twin.compose("simulate", [*SHORT, *overrides]))


@pytest.fixture(scope="module")
def untiled():
    return simulate(ONE_DEVICE)


def assert_same(ours, theirs, tolerance=2e-5):
    """Equal to float32 round-off, of powers relative to the load: some are differences of large ones."""
    load_w = float(theirs.load_power_w.max())
    for name in theirs.data_vars:
        scale = load_w if theirs[name].units == "W" else float(np.abs(theirs[name].values).max()) or 1.0
        np.testing.assert_allclose(ours[name].values / scale, theirs[name].values / scale, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("tile", [8, 64])
def test_tiles_do_not_change_results(untiled, tile):
    assert_same(simulate(ONE_DEVICE, f"distributed.tile={tile}"), untiled)


def test_two_devices_do_not_change_results(untiled):
    assert len(jax.devices()) == 2
    assert_same(simulate("distributed.devices=2", "distributed.tile=8"), untiled)


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


@pytest.mark.parametrize(("save", "exchange"), [(600, 300), (50, 6000), (300, 4200)])
def test_clocks_nest(untiled, save, exchange):
    """Whatever the save and exchange intervals, steady work gives the same day; a last interval may be shorter."""
    other = simulate(ONE_DEVICE, f"time.save_every_s={save}", f"time.exchange_s={exchange}")
    assert other.sizes["time"] == 6000 // save
    assert other.time.values[-1] == untiled.time.values[-1]
    np.testing.assert_allclose(other.array_power_w.mean("time"), untiled.array_power_w.mean("time"), rtol=1e-5)
    np.testing.assert_allclose(other.state_of_charge[-1], untiled.state_of_charge[-1], atol=1e-6)


def test_numbers_do_not_recompile(untiled):
    compiled = run._run_chunk._cache_size()
    simulate(ONE_DEVICE, "solar_cell=azur_3g30c", "accelerator=b200", "radiator=carbon_panel", "orbit.altitude_m=550e3")
    simulate(ONE_DEVICE, "battery=lfp_pack", "coating=osr_quartz", "workload.utilization=0.5", "array.area_m2=300")
    assert run._run_chunk._cache_size() == compiled


@pytest.fixture(scope="module")
def one_step():
    """The float32 step of the reference satellite as a function of arrays, and its arguments."""
    model = twin.build(twin.compose("simulate", ["constellation.satellites=128", ONE_DEVICE]))
    cohort = model.structure.cohorts[0]
    tiles = run._lay_out(model.structure, run._prepare(model.structure, model.params, model.environment), 1)
    carry = tiles.carry
    parts = (tiles.each, carry.state, carry.slow)
    each, state, slow = (jax.tree.map(lambda leaf: leaf[0], part[cohort.name]) for part in parts)
    now = condition(cohort, tiles.shared[cohort.name], slow)
    now = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), now)
    anchor = anchor_at(each, model.environment.start_days, jnp.asarray(0.0))
    anchor = jax.tree.map(lambda leaf: jnp.asarray(leaf).astype(jnp.float32), anchor)
    asked = jnp.full(128, 5e16, jnp.float32)

    def function(shared, anchor, inputs, state, now, start_s):
        return step(cohort, shared, anchor, inputs, state, now, start_s, jnp.float32(10.0))

    return function, (
        tiles.shared[cohort.name],
        anchor,
        Inputs(asked, asked, jnp.ones(128, jnp.float32)),
        state,
        now,
        jnp.zeros((), jnp.float32),
    )


def test_float32_step_has_no_float64(one_step):
    function, arguments = one_step
    assert "f64" not in str(jax.make_jaxpr(function)(*arguments))


def test_step_lowers_for_cuda_under_xla(one_step):
    function, arguments = one_step
    assert jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()


def test_step_lowers_as_one_cuda_kernel(one_step):
    """Mosaic GPU takes the whole step: curves as sums of ramps, roots by `rsqrt`, angles by `atan2`."""
    function, arguments = one_step
    leaves, tree = jax.tree.flatten(arguments)
    results = jax.tree.leaves(jax.eval_shape(function, *arguments))
    knots = [leaf.ndim == 1 and leaf.shape != (128,) for leaf in leaves]

    def body(*references):
        values = [
            [reference[k] for k in range(leaf.shape[0])] if curve else reference[...]
            for reference, leaf, curve in zip(references, leaves, knots, strict=False)
        ]
        for out, value in zip(
            references[len(leaves) :], jax.tree.leaves(function(*tree.unflatten(values))), strict=True
        ):
            out[...] = jnp.broadcast_to(value, (128,))

    shapes = [jax.ShapeDtypeStruct((128,), jnp.float32) for _ in results]
    kernel = plgpu.kernel(body, out_type=shapes, grid=(1,), grid_names=("block",))
    assert "mosaic_gpu" in jax.jit(kernel).trace(*leaves).lower(lowering_platforms=("cuda",)).as_text()


def test_kernel_gives_the_same_numbers(one_step):
    """The step traced inside a kernel, interpreted on the CPU, equals the step under XLA."""
    function, arguments = one_step
    leaves, tree = jax.tree.flatten(arguments)
    expected = jax.tree.leaves(jax.jit(function)(*arguments))

    def body(*references):
        values = [reference[...] for reference in references[: len(leaves)]]
        for out, value in zip(
            references[len(leaves) :], jax.tree.leaves(function(*tree.unflatten(values))), strict=True
        ):
            out[...] = jnp.broadcast_to(value, (128,))

    shapes = [jax.ShapeDtypeStruct((128,), jnp.float32) for _ in expected]
    for ours, theirs in zip(pl.pallas_call(body, out_shape=shapes, interpret=True)(*leaves), expected, strict=True):
        scale = float(jnp.abs(theirs).max()) or 1.0
        np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-5)


def test_segments_cover_every_step_once():
    for total, save, exchange in [(2880, 10, 10), (7, 1, 3), (12, 6, 2), (100, 10, 30), (5, 5, 5)]:
        pieces = rollout.segments(total, save, min(exchange, total))
        assert sum(piece.total_steps for piece in pieces) == total
