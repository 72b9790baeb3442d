"""The compiled programs of a run. Each is compiled once per structure, whatever the numbers: a sweep shares them."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Sharding

from twin import checkpoint, metrics, rollout, sampling
from twin.model import Model
from twin.placement import devices_of, shardings
from twin.prepare import Cohort
from twin.prepare import prepare as _prepare
from twin.segments import Segment
from twin.structure import Structure, moment, no_arrivals

prepare = jax.jit(_prepare, static_argnums=0)
lay_out = jax.jit(rollout.lay_out, static_argnums=(0, 2))
all_metrics = jax.jit(metrics.all_metrics, static_argnums=0)
extremes = jax.jit(metrics.extremes, static_argnums=0)
marks = jax.jit(sampling.marks, static_argnums=0)
leaves_of = jax.jit(checkpoint.leaves_of)
run_chunk = jax.jit(rollout.run_chunk_on, static_argnums=(0, 1, 2), donate_argnames="carry")

_compiling = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compiling")
_chunks: dict[tuple[Structure, Segment], Future[jax.stages.Compiled]] = {}


def forget() -> None:
    """Drop every compiled program of this process, JAX's own among them; the next use compiles or loads it anew."""
    _chunks.clear()
    jax.clear_caches()


def tiles_of(structure: Structure, cohorts: dict[str, Cohort]) -> rollout.Tiles:
    """A prepared fleet laid out for the loop, on its devices."""
    return rollout.spread(lay_out(structure, cohorts, structure.devices), devices_of(structure))


def of_any_length(model: Model) -> Model:
    """The model without its duration, which a chunk does not depend on."""
    schedule = replace(model.structure.schedule, steps=0, settling_chunks=0, duration_ms=0)
    return model._replace(
        structure=replace(model.structure, schedule=schedule),
        environment=model.environment._replace(traced_flops=jnp.zeros(()), arrivals=no_arrivals(())),
    )


def chunk(model: Model, segment: Segment) -> Future[jax.stages.Compiled]:
    """The program of `rollout.run_chunk_on` for a segment; it compiles in the background, from shapes alone.

    It is called as `program(shared, each, environment, now, traced_flops, carry)`; environment of `of_any_length`.
    """
    model = of_any_length(model)
    key = (model.structure, segment)
    if key not in _chunks:
        # Traced here, as only one thread can; compiled there, while others are.
        _chunks[key] = _compiling.submit(lowered(model, segment).compile)
    return _chunks[key]


def lowered(model: Model, segment: Segment) -> jax.stages.Lowered:
    """The program of a chunk before it is compiled."""
    return run_chunk.lower(*_shapes(model, segment))


def _shapes(model: Model, segment: Segment) -> tuple[Any, ...]:
    """Arguments of a chunk without their numbers, where `tiles_of` puts them."""
    structure = model.structure
    cohorts = jax.eval_shape(partial(prepare, structure), model.params, model.environment)
    tiles = jax.eval_shape(lambda fleet: lay_out(structure, fleet, structure.devices), cohorts)
    whole, split = shardings(devices_of(structure))

    def placed(tree: Any, where: Sharding | None) -> Any:
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), tree)

    now = jax.tree.map(lambda _: jax.ShapeDtypeStruct((), jnp.float64), moment(structure.schedule, 1.0, 0))
    demand = jax.ShapeDtypeStruct((segment.exchanges,), jnp.float64)
    laid = placed(tiles.shared, whole), placed(tiles.each, split)
    fixed = structure, segment, devices_of(structure)
    return (*fixed, *laid, placed(model.environment, None), now, demand, placed(tiles.carry, split))
