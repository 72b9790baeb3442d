"""Ensembles: what is measured of many designs, in batches that fit caches and memory, with one compile for all."""

import csv
import io
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jax import Array
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import ArrayLike

from twin import processes, programs, rollout, variables
from twin.designs import Column, Place, columns, placed
from twin.metrics import Metrics, objective
from twin.model import CACHED_TILE, Model
from twin.refusal import ConfigError
from twin.run import HEAVIEST_KG
from twin.structure import Environment, Params, Structure

# What a batch takes at its peak over what it reads and keeps: numbers, prepared fleet, tiles and carry.
TEMPORARIES = 4.0
UNKNOWN_FREE_BYTES = 4e9  # where the system does not say
_AXIS = "design"
_WHOLE, _SPLIT = PartitionSpec(), PartitionSpec(_AXIS)

Watch = Callable[[int, int], None]  # designs done, of how many
Measure = Callable[[Structure, Params, Environment], tuple[Any, Array]]  # what, and the mass of a satellite [kg]


def unwatched(done: int, total: int) -> None:
    """Tell nobody."""


class Plan(NamedTuple):
    """Devices that share the designs, and how many designs each runs at once."""

    devices: tuple[Any, ...]
    width: int

    @property
    def mesh(self) -> Mesh:
        """The devices along the axis of designs."""
        return Mesh(np.array(self.devices), (_AXIS,))

    @property
    def batch(self) -> int:
        """Designs in one call."""
        return len(self.devices) * self.width


def ensemble(
    model: Model,
    designs: Mapping[str, ArrayLike],
    memory_gb: float | None = None,
    watch: Watch = unwatched,
) -> xr.Dataset:
    """Metrics of a whole run of every design, as `twin.objective` gives them, dims (design,); inputs are coordinates.

    `designs` maps paths such as "radiator.area_m2" to values (design,); with several cohorts a cohort's name comes
    first, unless the number belongs to the whole fleet. All else is the model's: a trace's demand, and the seed of
    random failures. A design that no launch mass carries has NaN in all metrics. `memory_gb` is what all devices
    together may use, by default half of what is free. ConfigError for a refused value, before anything runs.
    """
    found = columns(model, designs)
    return _dataset(found, measured(model, found, _objective, memory_gb, watch))


def measured(
    model: Model,
    found: Mapping[str, Column],
    measure: Measure,
    memory_gb: float | None = None,
    watch: Watch = unwatched,
) -> Any:
    """What `measure` gives for every design, a tree of leaves (design, ...); NaN where no launch mass carries it.

    `measure` is a pure function, the same object each time, so that its compiled program is found again.
    """
    if processes.count() > 1:
        raise ConfigError("distributed: an ensemble runs in one process; give each its own part of the designs")
    count = len(next(iter(found.values())).values)
    structure = _on_one_device(model.structure)
    plan = batches(model, count, memory_gb)
    places = tuple(column.place for column in found.values())
    table = np.stack([column.values for column in found.values()])
    # Put where they are read once, not before every batch.
    params, environment = jax.device_put((model.params, model.environment), NamedSharding(plan.mesh, _WHOLE))
    parts = []
    for first in range(0, count, plan.batch):
        picked = np.minimum(np.arange(first, first + plan.batch), count - 1)  # filled up with copies of the last
        batch = _batch(measure, structure, places, plan.mesh, params, environment, tuple(table[:, picked]))
        parts.append(jax.tree.map(lambda leaf, kept=count - first: np.asarray(leaf)[:kept], batch))
        watch(min(first + plan.batch, count), count)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def _objective(structure: Structure, params: Params, environment: Environment) -> tuple[Metrics, Array]:
    metrics = objective(structure, params, environment)
    return metrics, metrics["mass_kg"] / metrics["satellites"]


def batches(model: Model, designs: int, memory_gb: float | None = None) -> Plan:
    """Devices and designs at once: no more than the memory holds, on a CPU no more than stays in a core's cache.

    Widths are powers of two, so that other numbers of designs share a compile.
    """
    if memory_gb is not None and not (math.isfinite(memory_gb) and memory_gb > 0.0):
        raise ConfigError(f"memory_gb = {memory_gb:g}: must be above 0")
    found = tuple(jax.devices())
    free = 0.5 * _free_bytes(found) if memory_gb is None else memory_gb * 1e9
    each = bytes_per_design(model)
    fitting = int(free / each)
    if not fitting:
        raise ConfigError(f"memory_gb = {free / 1e9:.3g}: must be at least {each / 1e9:.3g}, for one design at a time")
    devices = found[: min(designs, fitting)]
    most = min(fitting // len(devices), 1 << (-(-designs // len(devices)) - 1).bit_length())
    if jax.default_backend() == "cpu":
        fleet = max(rollout.tile_size(model.structure, cohort) for cohort in model.structure.cohorts)
        most = min(most, max(CACHED_TILE // fleet, 1))
    return Plan(devices, 1 << (most.bit_length() - 1))


def bytes_per_design(model: Model) -> float:
    """Memory of one design on its own, estimated from the shapes of what it reads and keeps. [bytes]"""
    structure = _on_one_device(model.structure)
    cohorts = jax.eval_shape(partial(programs.prepare, structure), model.params, model.environment)
    tiles = jax.eval_shape(lambda fleet: programs.lay_out(structure, fleet, 1), cohorts)
    leaves = jax.tree.leaves((model.params, model.environment, cohorts, tiles))
    return TEMPORARIES * sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def to_csv(results: xr.Dataset) -> str:
    """A row for each design: its inputs, then all metrics, in SI units."""
    text = io.StringIO()
    names = [*results.coords, *results.data_vars]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*(results[name].values.tolist() for name in names), strict=True))
    return text.getvalue()


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _batch(
    measure: Measure,
    structure: Structure,
    places: tuple[Place, ...],
    mesh: Mesh,
    params: Params,
    environment: Environment,
    numbers: tuple[ArrayLike, ...],
) -> Any:
    """What is measured of a batch, leaves (design, ...): each device runs its own designs."""

    def one(params: Params, environment: Environment, numbers: tuple[ArrayLike, ...]) -> Any:
        found, mass_kg = measure(structure, placed(params, places, numbers), environment)
        carried = (mass_kg > 0.0) & (mass_kg < HEAVIEST_KG)
        return jax.tree.map(lambda leaf: jnp.where(carried, leaf, jnp.nan), found)

    return jax.shard_map(
        jax.vmap(one, in_axes=(None, None, 0)),
        mesh=mesh,
        in_specs=(_WHOLE, _WHOLE, _SPLIT),
        out_specs=_SPLIT,
        check_vma=False,
    )(params, environment, numbers)


def _on_one_device(structure: Structure) -> Structure:
    return replace(structure, devices=1)


def _free_bytes(devices: tuple[Any, ...]) -> float:
    """Memory that these devices have free together; cores of a CPU share that of the machine. [bytes]"""
    stats = [device.memory_stats() for device in devices]
    if all(stats):
        return float(sum(s["bytes_limit"] - s["bytes_in_use"] for s in stats if s))
    names = getattr(os, "sysconf_names", {})
    pages = next((name for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES") if name in names), None)
    return float(os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")) if pages else UNKNOWN_FREE_BYTES


def _dataset(found: Mapping[str, Column], metrics: Mapping[str, np.ndarray]) -> xr.Dataset:
    """Inputs and metrics with their units, as far as the tables of variables and quantities know them."""
    rows = (*variables.TELEMETRY, *variables.TOTALS)
    known = {row.name: {"units": row.unit, "long_name": row.meaning} for row in rows}
    inputs = {path: (_AXIS, column.values, {"units": column.quantity.unit or "1"}) for path, column in found.items()}
    return xr.Dataset({name: (_AXIS, values, known.get(name, {})) for name, values in metrics.items()}, coords=inputs)
