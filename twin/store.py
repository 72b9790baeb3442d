"""Telemetry on disk: a preallocated Zarr store that is readable at any moment up to its `committed` frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

from twin.variables import TELEMETRY, Variable

FILL = np.float32(np.nan)
# A write costs a millisecond and another per megabyte: chunks of 4 MB, but of no more than 64 chunks of the loop.
VALUES_PER_CHUNK, MOST_TOGETHER, LEAST_SATELLITES = 2**20, 64, 8192
CODEC = BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle")
NODE_TEMPERATURE = Variable("node_temperature_k", "K", "end", "Temperature of every node of the thermal network")


@dataclass(frozen=True)
class Axes:
    """Coordinates of a run's frames."""

    time: np.ndarray  # datetime64[ns], (time,)
    satellite: np.ndarray
    name: np.ndarray
    norad_id: np.ndarray
    cohort: np.ndarray
    node: tuple[str, ...]

    def coordinates(self) -> dict[str, Any]:
        """As xarray coordinates."""
        coords = {
            "time": ("time", self.time, {"long_name": "End of the save interval, UTC"}),
            "satellite": ("satellite", self.satellite, {"long_name": "Number in file or build order"}),
            "name": ("satellite", self.name, {"long_name": "Name"}),
            "norad_id": ("satellite", self.norad_id, {"long_name": "Catalogue number, 0 for none"}),
            "cohort": ("satellite", self.cohort, {"long_name": "Satellites of one design"}),
        }
        return coords | ({"node": ("node", np.array(self.node, dtype=object))} if self.node else {})


def _variables(nodes: bool) -> tuple[Variable, ...]:
    return (*TELEMETRY, NODE_TEMPERATURE) if nodes else TELEMETRY


def _dims(variable: Variable) -> tuple[str, ...]:
    return ("time", "node", "satellite") if variable is NODE_TEMPERATURE else ("time", "satellite")


def _attributes(variable: Variable) -> dict[str, str]:
    return {"units": variable.unit, "long_name": variable.meaning, "cell_methods": variable.cell_method}


def _chunk(frames_at_once: int, satellites: int) -> dict[str, int]:
    """Frames and satellites of a chunk on disk: whole appends of so many frames, side by side where they are small."""
    wide = min(max(VALUES_PER_CHUNK // frames_at_once, LEAST_SATELLITES), satellites)
    together = min(max(VALUES_PER_CHUNK // (frames_at_once * wide), 1), MOST_TOGETHER)
    return {"time": together * frames_at_once, "satellite": wide}


class Store:
    """Writer of a run's telemetry; the only state of a run on disk that grows."""

    @classmethod
    def create(cls, path: Path, axes: Axes, frames_at_once: int, attributes: Mapping[str, Any]) -> "Store":
        """Create."""
        return cls(path, axes, frames_at_once, attributes)

    @classmethod
    def resume(cls, path: Path, axes: Axes, frame: int, frames_at_once: int, attributes: Mapping[str, Any]) -> "Store":
        """Resume."""
        self = cls.__new__(cls)
        self.group = zarr.open_group(path, mode="r+")
        self.arrays = {v.name: self.group[v.name] for v in _variables(bool(axes.node))}
        self.group["time"].resize((axes.time.size,))
        self.group["time"][...] = (axes.time - axes.time[0]) // np.timedelta64(1, "ns")
        for a in self.arrays.values():
            a.resize((axes.time.size, *a.shape[1:]))
        self.arrays |= {n: self.group[n] for n in ("committed", "status")}
        self.arrays["committed"][...] = frame
        self.arrays["status"][...] = 0
        self.full = self.arrays["load_power_w"].chunks[0]
        self.committed, self.waiting = frame, []
        return self

    def __init__(self, path: Path, axes: Axes, frames_at_once: int, attributes: Mapping[str, Any]) -> None:
        """Create the store at its full length, nothing committed; all appends but the last are of `frames_at_once`."""
        xr.Dataset(coords=axes.coordinates(), attrs=dict(attributes)).to_zarr(path, mode="w-", consolidated=False)
        self.group = zarr.open_group(path, mode="r+")
        length = {"time": axes.time.size, "satellite": axes.satellite.size, "node": len(axes.node)}
        chunk = {**_chunk(frames_at_once, axes.satellite.size), "node": 1}
        self.arrays = {}
        for variable in _variables(bool(axes.node)):
            dims = _dims(variable)
            self.arrays[variable.name] = self.group.create_array(
                variable.name,
                shape=tuple(length[d] for d in dims),
                chunks=tuple(max(min(chunk[d], length[d]), 1) for d in dims),
                dtype="float32",
                compressors=CODEC,
                fill_value=FILL,
                dimension_names=dims,
                attributes={**_attributes(variable)},
                config={"write_empty_chunks": True},
            )
        for name in ("committed", "status"):
            self.arrays[name] = self.group.create_array(name, shape=(), dtype="int64", fill_value=0, dimension_names=())
        self.full = min(chunk["time"], length["time"])
        self.committed = 0
        self.waiting: list[Mapping[str, np.ndarray]] = []

    def append(self, frames: Mapping[str, np.ndarray]) -> None:
        """Take the next frames, (time, ..., satellite); they are written with the chunk that they fill."""
        self.waiting.append(frames)
        if sum(_count(frames) for frames in self.waiting) >= self.full:
            self.write()

    def write(self) -> None:
        """Write the frames that wait, then commit them."""
        if not self.waiting:
            return
        end = self.committed + sum(_count(frames) for frames in self.waiting)
        for name in self.waiting[0]:
            parts = [frames[name] for frames in self.waiting]
            self.arrays[name][self.committed : end] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self.arrays["committed"][...] = end
        self.committed, self.waiting = end, []

    def close(self, status: str, reason: str = "") -> None:
        """Write what waits and mark the run "finished", or "failed" with a reason."""
        try:
            self.write()
        finally:
            self.group.attrs["failure"] = reason
            self.arrays["status"][...] = STATUS.index(status)


def _count(frames: Mapping[str, np.ndarray]) -> int:
    return next(iter(frames.values())).shape[0]


STATUS = ("running", "finished", "failed", "stopped")


def stored_times(path: Path) -> np.ndarray:
    """Times."""
    return xr.open_zarr(path, consolidated=False)["time"].values


def open_run(run_dir: str | Path) -> xr.Dataset:
    """Telemetry of a running, killed or finished run up to its last committed frame.

    Attributes: `status`, and `summary` (JSON, empty before the end) as in summary.json. FileNotFoundError when the
    folder holds no telemetry.
    """
    path = Path(run_dir) / "telemetry.zarr"
    if not path.is_dir():
        raise FileNotFoundError(f"{run_dir}: no telemetry.zarr here; not the folder of a run")
    try:
        data = xr.open_zarr(path, consolidated=False, decode_timedelta=False)
    except (ValueError, KeyError, OSError) as error:
        raise FileNotFoundError(f"{path}: not a telemetry store of a run") from error
    committed, status = int(data["committed"]), STATUS[int(data["status"])]
    finished = Path(run_dir) / "summary.json"
    summary = finished.read_text(encoding="utf-8") if finished.is_file() else ""
    frames = data.drop_vars(["committed", "status"]).isel(time=slice(0, committed))
    return frames.assign_attrs(status=status, summary=summary)


def in_memory(frames: Mapping[str, np.ndarray], axes: Axes, attributes: Mapping[str, Any]) -> xr.Dataset:
    """The same dataset without a store."""
    variables = {
        v.name: (_dims(v), frames[v.name], _attributes(v)) for v in _variables(bool(axes.node)) if v.name in frames
    }
    return xr.Dataset(variables, coords=axes.coordinates(), attrs={**attributes, "status": "finished"})
