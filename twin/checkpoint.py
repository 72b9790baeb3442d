"""Checkpoints of a run, with Orbax: all that is needed to go on, and a digest of every leaf.

Orbax takes care of atomic and asynchronous saving, also from several processes; it does not notice flipped bits. A
checkpoint therefore holds a CRC-32 of every leaf, and one of the record that holds them; whatever does not agree with
its digest is never used. Leaves are flat, one number per satellite, so that a run goes on with any number of devices,
processes and satellites per tile. Random draws lie on a calendar keyed by the seed: there are no keys to save.
"""

import json
import logging
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.tree_util import keystr

from twin import processes

Leaves = dict[str, Any]  # array of a number per satellite, padding of the last tile included, by its path in the carry

STATE, RECORD = "state", "record"


class DamagedError(Exception):
    """A checkpoint that cannot be trusted; its text says why."""


def leaves_of(carry: Any) -> dict[str, Array]:
    """Leaves of a carry, (tiles, tile), as flat arrays by their paths; traced."""
    return {keystr(path, simple=True, separator="."): leaf.reshape(-1) for path, leaf in _paths(carry)}


def carry_of(first: Any, leaves: Mapping[str, np.ndarray], tiled: Mapping[str, Any]) -> Any:
    """The carry with the numbers of a checkpoint; `first` gives shapes and precision.

    `tiled` lays out the numbers of a cohort's satellites, by its name. DamagedError when a leaf is missing.
    """

    def restored(path: Any, leaf: Any) -> Any:
        name = keystr(path, simple=True, separator=".")
        if name not in leaves:
            raise DamagedError(f"lacks {name}")
        return tiled[path[1].key](leaves[name]).astype(leaf.dtype)

    return jax.tree_util.tree_map_with_path(restored, first)


def _paths(tree: Any) -> Sequence[tuple[Any, Any]]:
    return jax.tree_util.tree_flatten_with_path(tree)[0]


def digest(leaf: np.ndarray) -> int:
    """CRC-32 of an array, its type and its length."""
    return zlib.crc32(np.ascontiguousarray(leaf).data, zlib.crc32(f"{leaf.dtype}{leaf.shape}".encode()))


def _pieces(leaf: Array | np.ndarray) -> list[list[int]]:
    """Start, stop and digest of what each device of this process, or its host, holds of a flat array."""
    if isinstance(leaf, np.ndarray):
        return [[0, leaf.size, digest(leaf)]]
    shards = {shard.index[0].start or 0: np.asarray(shard.data) for shard in leaf.addressable_shards}
    return [[start, start + part.size, digest(part)] for start, part in sorted(shards.items())]


def _digests(leaves: Mapping[str, Array | np.ndarray]) -> dict[str, list[list[int]]]:
    """Pieces of every leaf, those of all processes."""
    parts = processes.of_all({name: _pieces(leaf) for name, leaf in leaves.items()})
    return {name: sorted({piece[0]: piece for part in parts for piece in part[name]}.values()) for name in leaves}


class Checkpoints:
    """The checkpoints of one run's folder, by the number of steps simulated."""

    def __init__(self, folder: Path, keep: int) -> None:
        """Of `folder`, which need not exist yet; the newest `keep` remain."""
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.WARNING)
        self.ocp, self.folder, self.keep = ocp, folder.absolute(), keep
        self.manager: Any = None

    def steps(self) -> list[int]:
        """Steps of all checkpoints, the newest first."""
        found = (int(entry.name) for entry in self.folder.glob("*") if entry.is_dir() and entry.name.isdecimal())
        return sorted(found, reverse=True)

    def save(self, step: int, leaves: Mapping[str, Array | np.ndarray], record: Mapping[str, Any]) -> None:
        """Begin to save; it is done in the background. Raises what went wrong with the one before."""
        manager, args = self._opened(), self.ocp.args
        whole = {**record, "digests": _digests(leaves)}
        text = json.dumps(whole)
        signed = {"text": text, "digest": zlib.crc32(text.encode())}
        manager.save(step, args=args.Composite(state=args.PyTreeSave(dict(leaves)), record=args.JsonSave(signed)))

    def close(self) -> None:
        """Wait, and let go of the folder."""
        if self.manager is not None:
            manager, self.manager = self.manager, None
            manager.close()

    def record(self, step: int) -> dict[str, Any]:
        """The record of a checkpoint; DamagedError when it is not what was saved."""
        signed = self._read(step, RECORD, self.ocp.args.JsonRestore())
        text = signed.get("text") if isinstance(signed, dict) else None
        if not isinstance(text, str) or zlib.crc32(text.encode()) != signed.get("digest"):
            raise DamagedError("its record does not agree with its digest")
        return json.loads(text)

    def load(self, step: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Leaves and record of a checkpoint; DamagedError when anything is not what was saved."""
        record = self.record(step)
        digests = record.pop("digests")
        whole = self.ocp.RestoreArgs(restore_type=np.ndarray)
        restore = self.ocp.args.PyTreeRestore(
            item=dict.fromkeys(digests, 0), restore_args=dict.fromkeys(digests, whole)
        )
        leaves = self._read(step, STATE, restore)
        for name, pieces in digests.items():
            leaf = np.asarray(leaves[name])
            if pieces[-1][1] != leaf.size or any(digest(leaf[a:b]) != crc for a, b, crc in pieces):
                raise DamagedError(f"{name} does not agree with its digest")
        return leaves, record

    def set_aside(self, step: int) -> None:
        """Put a damaged checkpoint out of the way, so that its step can be saved again."""
        self.close()
        place = self.folder / f"damaged-{step}"
        shutil.rmtree(place, ignore_errors=True)
        (self.folder / str(step)).rename(place)

    def forget_after(self, step: int) -> None:
        """Remove the checkpoints of later steps, which are simulated anew, and what was never finished."""
        self.close()
        self.forget_unfinished()
        for later in self.steps():
            if later > step:
                shutil.rmtree(self.folder / str(later))

    def forget_unfinished(self) -> None:
        """Remove what a save that did not come to its end has left."""
        for unfinished in self.folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(unfinished)

    def _opened(self) -> Any:
        if self.manager is None:
            options = self.ocp.CheckpointManagerOptions(max_to_keep=self.keep, enable_async_checkpointing=True)
            self.manager = self.ocp.CheckpointManager(self.folder, options=options)
        return self.manager

    def _read(self, step: int, item: str, restore: Any) -> Any:
        """An item of a checkpoint; whatever Orbax finds wrong with it is a DamagedError.

        Each process reads for itself: one that fails must not leave the others waiting.
        """
        handlers = {STATE: self.ocp.PyTreeCheckpointHandler, RECORD: self.ocp.JsonCheckpointHandler}
        alone = self.ocp.options.MultiprocessingOptions(primary_host=None, active_processes={jax.process_index()})
        try:
            with self.ocp.Checkpointer(handlers[item](), multiprocessing_options=alone) as reader:
                return reader.restore(self.folder / str(step) / item, restore)
        except Exception as error:
            first = " ".join(str(error).split())[:200]
            raise DamagedError(f"{item} cannot be read ({first or type(error).__name__})") from error
