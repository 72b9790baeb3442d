"""How the fleet lies on the devices of all processes: shared numbers whole on each, tiles split over them.

Every process ends up with the frames of the whole fleet, so that all of them check and decide alike: its devices hold
one copy between them.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from twin import processes
from twin.structure import Structure

# A device's place is its number in its process, then its process: neighbours of one number differ in process alone.
_DEVICE, _PROCESS = "device", "process"
WHOLE, TILES, FRAMES = PartitionSpec(), PartitionSpec((_DEVICE, _PROCESS)), PartitionSpec(None, _DEVICE)


def devices_of(structure: Structure) -> tuple[Any, ...]:
    """Devices that share the fleet, equally many of each process."""
    return processes.devices()[: structure.devices]


def shardings(devices: tuple[Any, ...]) -> tuple[NamedSharding | None, NamedSharding | None]:
    """Where several devices keep what satellites share, and tiles; one device has no choice."""
    if len(devices) == 1:
        return None, None
    mesh = _mesh(devices)
    return NamedSharding(mesh, WHOLE), NamedSharding(mesh, TILES)


def placed(tree: Any, sharding: NamedSharding | None) -> Any:
    """Arrays that every process has in full, each device with its part of them."""
    if sharding is None:
        return tree
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: jax.make_array_from_callback(leaf.shape, sharding, lambda part: leaf[part]), tree)


def on_all(local: Callable[..., Any], devices: tuple[Any, ...], in_specs: Any, out_specs: Any) -> Callable[..., Any]:
    """A function of one device's tiles, run by every device at once."""
    return jax.shard_map(local, mesh=_mesh(devices), in_specs=in_specs, out_specs=out_specs, check_vma=False)


def over_satellites(leaf: Array) -> Array:
    """Sum over the satellites of one device, leaf (tiles, tile, ...)."""
    return jnp.sum(leaf, axis=(0, 1))


def sum_over_devices(leaf: Array) -> Array:
    """Sum over the satellites of all devices, on each of them."""
    return lax.psum(over_satellites(leaf), (_DEVICE, _PROCESS))


def to_every_process(frames: Any) -> Any:
    """One device's frames (time, satellite) with those of its fellows in the other processes beside them."""
    return jax.tree.map(lambda leaf: lax.all_gather(leaf, _PROCESS, axis=1, tiled=True), frames)


def _mesh(devices: tuple[Any, ...]) -> Mesh:
    many = len({device.process_index for device in devices})
    return Mesh(np.array(devices).reshape(-1, many), (_DEVICE, _PROCESS))
