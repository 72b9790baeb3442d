"""Telemetry on disk: a preallocated Zarr store that is readable at any moment up to its `committed` frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from twin.variables import TELEMETRY, Variable

FILL = np.float32(np.nan)
SATELLITES_PER_CHUNK = 8192
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


class Store:
    """Writer of a run's telemetry; the only state of a run on disk that grows."""

    def __init__(self, path: Path, axes: Axes, frames_per_chunk: int, attributes: Mapping[str, Any]) -> None:
        """Create the store at its full length, with nothing committed."""
        xr.Dataset(coords=axes.coordinates(), attrs=dict(attributes)).to_zarr(path, mode="w-", consolidated=False)
        self.group = zarr.open_group(path, mode="r+")
        length = {"time": axes.time.size, "satellite": axes.satellite.size, "node": len(axes.node)}
        chunk = {"time": frames_per_chunk, "satellite": SATELLITES_PER_CHUNK, "node": len(axes.node)}
        for variable in _variables(bool(axes.node)):
            dims = _dims(variable)
            self.group.create_array(
                variable.name,
                shape=tuple(length[d] for d in dims),
                chunks=tuple(max(min(chunk[d], length[d]), 1) for d in dims),
                dtype="float32",
                fill_value=FILL,
                dimension_names=dims,
                attributes={**_attributes(variable)},
            )
        for name in ("committed", "status"):
            self.group.create_array(name, shape=(), dtype="int64", fill_value=0, dimension_names=())
        self.committed = 0

    def append(self, frames: Mapping[str, np.ndarray]) -> None:
        """Write the next frames, (time, ..., satellite), then commit them."""
        count = 0
        for name, values in frames.items():
            count = values.shape[0]
            self._array(name)[self.committed : self.committed + count] = values
        self.committed += count
        self._array("committed")[...] = self.committed

    def close(self, status: str, reason: str = "") -> None:
        """Mark the run "finished", or "failed" with a reason."""
        self.group.attrs["failure"] = reason
        self._array("status")[...] = STATUS.index(status)

    def _array(self, name: str) -> Any:
        return self.group[name]


STATUS = ("running", "finished", "failed")


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
