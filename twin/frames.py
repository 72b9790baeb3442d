"""Frames on their way from the loop to the store: put in order on the device, gathered on the host."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from twin import variables
from twin.structure import Schedule, Structure

Frames = dict[str, Any]


def in_order(schedule: Schedule, frames: Frames) -> Frames:
    """Frames (exchange, tiles, block, tile) as (time, satellite), float32, padding included; done on the device.

    Blocks are joined where a save interval spans several exchanges.
    """
    blocks = max(schedule.save_steps // schedule.exchange_steps, 1)

    def ordered(name: str, leaf: Array) -> Array:
        exchanges, tiles, parts, tile = leaf.shape
        rows = leaf.swapaxes(1, 2).reshape(exchanges * parts // blocks, blocks, tiles * tile)
        row = jnp.mean(rows, axis=1) if name in variables.MEANS else rows[:, -1]
        return row.astype(jnp.float32)

    return {name: jax.tree.map(lambda part, name=name: ordered(name, part), leaf) for name, leaf in frames.items()}


def gathered(structure: Structure, frames: Mapping[str, Frames]) -> dict[str, np.ndarray]:
    """Ordered frames of all cohorts and devices as one array per variable, (time, satellite), without padding.

    `node_temperature_k` is (time, node, satellite), NaN where a cohort's network lacks a node.
    """
    columns: dict[str, list[np.ndarray]] = {}
    for cohort in structure.cohorts:
        for name, leaf in frames[cohort.name].items():
            if name == "node_temperature_k":
                have = {node: np.concatenate(_parts(part, cohort.satellites), axis=1) for node, part in leaf.items()}
                missing = np.full_like(next(iter(have.values())), np.nan)
                parts = [np.stack([have.get(node, missing) for node in nodes_of(structure)], axis=1)]
            else:
                parts = _parts(leaf, cohort.satellites)
            columns.setdefault(name, []).extend(parts)
    return {name: np.concatenate(parts, axis=-1) for name, parts in columns.items()}


def _parts(leaf: Array, satellites: int) -> list[np.ndarray]:
    """Columns of each device, in order, without the padding of the last ones; views where the device is the host."""
    shards = {shard.index[1].start or 0: shard.data for shard in leaf.addressable_shards}
    return [np.asarray(shards[first])[:, : satellites - first] for first in sorted(shards) if first < satellites]


def nodes_of(structure: Structure) -> tuple[str, ...]:
    """Nodes of all cohorts' thermal networks, in order of first appearance."""
    return tuple(dict.fromkeys(node for cohort in structure.cohorts for node in cohort.topology.nodes))
