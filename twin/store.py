"""Telemetry on disk: a Zarr store that is readable at any moment up to its `committed` frame, and can be gone on with.

Zarr replaces every file as a whole. A frame is committed after all its chunks are written; what is cut off is no longer
committed before its chunks go. Shapes change array by array, so readers take them from the one file of the group.
"""

import math
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from twin.refusal import ConfigError
from twin.run_folder import SUMMARY, TELEMETRY
from twin.variables import BY_NAME, FLEET, OF_FLEET, REQUESTS, THRESHOLD, TRAINING, Variable

FILL = np.float32(np.nan)
# A write costs a millisecond and another per megabyte: chunks of 4 MB, but of no more than 64 chunks of the loop.
VALUES_PER_CHUNK, MOST_TOGETHER, LEAST_SATELLITES = 2**20, 64, 8192
TIMES_PER_CHUNK = 2**14
MOST_WAIT_S = 5.0  # wall time after which frames are written though they fill no chunk
# The checksum makes rot on the disk an error of reading; it costs 8 % of a write.
CODECS = (BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"), Crc32cCodec())
STATUS = ("running", "finished", "failed", "stopped")
NODE_TEMPERATURE = Variable("node_temperature_k", "K", "end", "Temperature of every node of the thermal network")
TIME = {
    "long_name": "End of the save interval, UTC",
    "units": "nanoseconds since 1970-01-01",
    "calendar": "proleptic_gregorian",
}

Columns = dict[str, np.ndarray]  # frames by variable, (time, ..., column)


@dataclass(frozen=True)
class Axes:
    """Coordinates of a run's frames, and the variables that they hold: of single satellites, or quantiles over all."""

    time: np.ndarray  # datetime64[ns], (time,)
    satellite: np.ndarray
    name: np.ndarray
    norad_id: np.ndarray
    cohort: np.ndarray
    node: tuple[str, ...]
    variables: tuple[str, ...] = tuple(BY_NAME)
    series: bool = False  # whether those of the fleet as a whole are kept too
    wait_s: tuple[float, ...] = ()  # thresholds of how long requests wait, where there are any
    quantile: tuple[float, ...] = ()  # of the fleet, instead of satellites
    training: bool = False  # whether the fleet trains
    fleet: int = 0  # satellites simulated; 0: those of `satellite`

    @property
    def satellites(self) -> int:
        """Satellites simulated."""
        return self.fleet or self.satellite.size

    @property
    def column(self) -> str:
        """Last dimension of every variable."""
        return "quantile" if self.quantile else "satellite"

    @property
    def lengths(self) -> dict[str, int]:
        """Length of every dimension."""
        columns = len(self.quantile) or self.satellite.size
        return {"time": self.time.size, "node": len(self.node), THRESHOLD: len(self.wait_s), self.column: columns}

    def coordinates(self) -> dict[str, Any]:
        """As xarray coordinates, without time."""
        if self.quantile:
            coords: dict[str, Any] = {
                "quantile": ("quantile", np.array(self.quantile), {"long_name": "Share of the fleet below"})
            }
        else:
            coords = {
                "satellite": ("satellite", self.satellite, {"long_name": "Number in file or build order"}),
                "name": ("satellite", self.name, {"long_name": "Name"}),
                "norad_id": ("satellite", self.norad_id, {"long_name": "Catalogue number, 0 for none"}),
                "cohort": ("satellite", self.cohort, {"long_name": "Satellites of one design"}),
            }
        if self.wait_s:
            coords[THRESHOLD] = (THRESHOLD, np.array(self.wait_s), {"long_name": "Wait of a request", "units": "s"})
        return coords | ({"node": ("node", np.array(self.node, dtype=object))} if self.node else {})

    def table(self) -> tuple[Variable, ...]:
        """What is kept, as rows of the table of variables."""
        whole = (
            *(FLEET if self.series else ()),
            *(REQUESTS if self.wait_s else ()),
            *(TRAINING if self.training else ()),
        )
        kept = (*(BY_NAME[name] for name in self.variables), *whole)
        return (*kept, NODE_TEMPERATURE) if self.node else kept

    def dims(self, variable: Variable) -> tuple[str, ...]:
        """Dimensions of a variable."""
        if variable in OF_FLEET:
            return ("time", THRESHOLD) if variable.name == "share_waiting_longer" else ("time",)
        return ("time", "node", self.column) if variable is NODE_TEMPERATURE else ("time", self.column)


def _attributes(variable: Variable) -> dict[str, str]:
    return {"units": variable.unit, "long_name": variable.meaning, "cell_methods": variable.cell_method}


def _chunk(frames_at_once: int, columns: int) -> tuple[int, int]:
    """Frames and columns of a chunk on disk: whole appends of so many frames, side by side where they are small."""
    wide = min(max(VALUES_PER_CHUNK // frames_at_once, LEAST_SATELLITES), columns)
    together = min(max(VALUES_PER_CHUNK // (frames_at_once * wide), 1), MOST_TOGETHER)
    return together * frames_at_once, wide


class Store:
    """Writer of a run's telemetry; the only state of a run on disk that grows."""

    def __init__(self, path: Path) -> None:
        """Write on after the committed frame of a store that is in order: one of `create` or `resume`."""
        self.path = path
        with zarr.config.set({"array.write_empty_chunks": True}):  # a missing file is damage, not emptiness
            self.arrays = dict(zarr.open_group(path, mode="r+", use_consolidated=False).arrays())
        self.committed = int(self.arrays["committed"][()])  # type: ignore[arg-type]
        timed = [a for name, a in self.arrays.items() if name != "time" and _is_timed(a)]
        self.full = timed[0].chunks[0]  # frames of a chunk
        self.waiting: list[Columns] = []
        self.written_s = time.monotonic()

    @classmethod
    def create(cls, path: Path, axes: Axes, frames_at_once: int, attributes: Mapping[str, Any]) -> "Store":
        """A new store at its full length, nothing committed; chunks suit appends of `frames_at_once`.

        It gets its name when it is complete. Raises FileExistsError where there is one.
        """
        if path.exists():
            raise FileExistsError(f"{path}: is there already")
        draft = path.with_name(path.name + ".partial")
        shutil.rmtree(draft, ignore_errors=True)
        dataset = xr.Dataset(coords=axes.coordinates(), attrs={**attributes, "satellites": axes.satellites})
        dataset.to_zarr(draft, mode="w-", consolidated=False)
        _create_arrays(zarr.open_group(draft, mode="r+"), axes, frames_at_once)
        _publish(draft, {})
        draft.rename(path)
        return cls(path)

    @classmethod
    def resume(cls, path: Path, axes: Axes, frame: int, attributes: Mapping[str, Any]) -> "Store":
        """Go on with a store after its first `frame` frames; later ones, committed or not, are cut off.

        `axes.time` holds the stored times up to `frame` and those to come after it, `stored_times` gives them;
        `attributes` replace those of the same name. Raises ConfigError, before anything is changed, when the store
        keeps something else, lacks frames or one of their files.
        """
        check_same(path, axes, frame)
        for left in path.rglob("*.partial"):
            left.unlink()
        store = cls(path)
        store._set("status", STATUS.index("running"))
        store._set("committed", frame)
        store._cut(frame, axes.time.size)
        store.arrays["time"][frame:] = axes.time[frame:].astype("datetime64[ns]").astype(np.int64)
        _publish(path, {**attributes, "failure": ""})
        store.committed = frame
        return store

    def append(self, frames: Columns) -> None:
        """Take the next frames, (time, ..., column); they are written with the chunk that they fill.

        When nothing has been written for MOST_WAIT_S they are written at once, so that a watcher sees them.
        """
        self.waiting.append(frames)
        ready = self.committed + sum(_count(part) for part in self.waiting)
        whole = ready - ready % self.full
        if time.monotonic() - self.written_s > MOST_WAIT_S:
            self.write()
        elif whole > self.committed:
            self._commit(whole)

    def write(self) -> None:
        """Write and commit all frames that wait."""
        if self.waiting:
            self._commit(self.committed + sum(_count(part) for part in self.waiting))

    def close(self, status: str, reason: str = "") -> None:
        """Write what waits, cut the store to what is committed, and mark the run, with the reason of a failure."""
        try:
            self.write()
        finally:
            if self.committed < self.arrays["time"].shape[0]:
                for array in self._timed():
                    array.resize((self.committed, *array.shape[1:]))
            _publish(self.path, {"failure": reason})
            self._set("status", STATUS.index(status))

    def _commit(self, end: int) -> None:
        """Write the frames that wait up to `end`, then commit them; the rest goes on waiting."""
        count = end - self.committed
        rest: Columns = {}
        for name in self.waiting[0]:
            parts = [frames[name] for frames in self.waiting]
            joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
            self.arrays[name][self.committed : end] = joined[:count]
            rest[name] = joined[count:].copy()
        self._set("committed", end)
        self.committed, self.waiting = end, [rest] if _count(rest) else []
        self.written_s = time.monotonic()

    def _cut(self, frame: int, length: int) -> None:
        """Drop all chunks after `frame`, give every array its new length, and clear the chunk that `frame` cuts."""
        for array in self._timed():
            array.resize((frame, *array.shape[1:]))
            array.resize((length, *array.shape[1:]))
            end = min(-(-frame // array.chunks[0]) * array.chunks[0], length)
            if frame < end:
                array[frame:end] = array.fill_value

    def _timed(self) -> Iterator[zarr.Array]:
        return (array for array in self.arrays.values() if _is_timed(array))

    def _set(self, name: str, value: int) -> None:
        self.arrays[name][...] = value


def _create_arrays(group: zarr.Group, axes: Axes, frames_at_once: int) -> None:
    """Arrays of a new store, without their data but for the time."""
    lengths = axes.lengths
    together, wide = _chunk(frames_at_once, lengths[axes.column])
    chunk = {"time": together, "node": 1, THRESHOLD: lengths[THRESHOLD], axes.column: wide}
    for variable in axes.table():
        dims = axes.dims(variable)
        group.create_array(
            variable.name,
            shape=tuple(lengths[d] for d in dims),
            chunks=tuple(max(min(chunk[d], lengths[d]) if d != "time" else chunk[d], 1) for d in dims),
            dtype="float64" if variable in (*FLEET, *TRAINING) else "float32",
            compressors=CODECS,
            fill_value=FILL,
            dimension_names=dims,
            attributes={**_attributes(variable)},
        )
    times = group.create_array(
        "time",
        shape=axes.time.shape,
        chunks=(TIMES_PER_CHUNK,),
        dtype="int64",
        compressors=CODECS,
        fill_value=0,
        dimension_names=("time",),
        attributes={**TIME},
        config={"write_empty_chunks": True},
    )
    times[:] = axes.time.astype("datetime64[ns]").astype(np.int64)
    for name in ("committed", "status"):
        group.create_array(name, shape=(), dtype="int64", fill_value=0, dimension_names=())


def _publish(path: Path, attributes: Mapping[str, Any]) -> None:
    """Attributes, and all arrays' shapes as they are now in the one file from which readers take them."""
    zarr.open_group(path, mode="r+").attrs.update(attributes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that other libraries than Zarr's own may not know such a file
        zarr.consolidate_metadata(path)


def _count(frames: Columns) -> int:
    return next(iter(frames.values())).shape[0]


def _is_timed(array: zarr.Array) -> bool:
    return (getattr(array.metadata, "dimension_names", None) or ("",))[0] == "time"


def _missing(path: Path, frames: int) -> list[str]:
    """Chunk files of the first frames that are not there, or empty."""
    group = zarr.open_group(path, mode="r")
    absent = []
    for name, array in group.arrays():
        if _is_timed(array):
            shape = (frames, *array.shape[1:])
            counts = [math.ceil(n / c) for n, c in zip(shape, array.chunks, strict=True)]
            keys = ("/".join([name, "c", *map(str, place)]) for place in np.ndindex(*counts))
            absent += [key for key in keys if not _has_content(path / key)]
    return absent


def _has_content(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def check_same(path: Path, axes: Axes, frame: int) -> None:
    """ConfigError when a store cannot be gone on with after `frame`."""
    what, instead = f"{path}: cannot be gone on with", "choose a new folder"
    stored = _opened(path)
    kept = {str(n) for n, v in stored.data_vars.items() if v.dims[:1] == ("time",)}
    asked = {variable.name for variable in axes.table()}
    if kept != asked:
        differ = ", ".join(sorted(kept ^ asked))
        raise ConfigError(f"{what}: {differ} would be kept only before or only from here on; {instead}")
    for name, (_, values, *_) in axes.coordinates().items():
        if name not in stored or not np.array_equal(stored[name].values, values):
            raise ConfigError(f"{what}: keeps other values of {name!r} than this run; {instead}")
    committed = int(stored["committed"])
    if committed < frame:
        raise ConfigError(f"{what} at frame {frame}: holds only {committed}; resume from an earlier step, or {instead}")
    if not np.array_equal(stored["time"].values[:frame], axes.time[:frame]):
        raise ConfigError(f"{what}: its first {frame} frames are of other times than those of this run; {instead}")
    absent = _missing(path, frame)
    if absent:
        raise ConfigError(
            f"{path}: {_named(absent)} missing; resume=from=0, or a new folder, simulates those frames again"
        )
    _check_sound(path, frame)


def _check_sound(path: Path, frame: int) -> None:
    """ConfigError when the chunks that `frame` cuts, which are written anew, have rotted."""
    for name, array in zarr.open_group(path, mode="r", use_consolidated=False).arrays():
        if _is_timed(array) and frame % array.chunks[0]:
            try:
                array[frame - 1 : frame]
            except ValueError as error:
                raise ConfigError(
                    f"{path}: {name} is damaged at frame {frame - 1} ({error}); resume=from=0, or a new folder, "
                    "simulates it again"
                ) from None


def _named(absent: list[str]) -> str:
    return absent[0] + (" is" if len(absent) == 1 else f" and {len(absent) - 1} more chunk files are")


def _opened(path: Path) -> xr.Dataset:
    """All of a store; FileNotFoundError when there is none."""
    if not path.is_dir():
        raise FileNotFoundError(f"{path.parent}: no {path.name} here; not the folder of a run")
    try:
        return xr.open_zarr(path, decode_timedelta=False)
    except (ValueError, KeyError, OSError) as error:
        raise FileNotFoundError(f"{path}: not a telemetry store of a run") from error


def stored_times(path: Path) -> np.ndarray:
    """Times of the committed frames of a store, (time,); FileNotFoundError when there is none."""
    stored = _opened(path)
    return stored["time"].values[: int(stored["committed"])]


def open_run(run_dir: str | Path) -> xr.Dataset:
    """Telemetry of a running, killed, stopped, failed or finished run up to its last committed frame.

    Attributes: `status`, and `summary` (JSON, empty before the end) as in summary.json. FileNotFoundError when the
    folder holds no telemetry; a warning when files of it are missing, whose frames read as NaN.
    """
    path = Path(run_dir) / TELEMETRY
    data = _opened(path)
    committed, status = int(data["committed"]), STATUS[int(data["status"])]
    absent = _missing(path, committed)
    if absent:
        warnings.warn(f"{path}: {_named(absent)} missing; what they held reads as NaN", stacklevel=2)
    finished = Path(run_dir) / SUMMARY
    summary = finished.read_text(encoding="utf-8") if finished.is_file() else ""
    frames = data.drop_vars(["committed", "status"]).isel(time=slice(0, committed))
    return frames.assign_attrs(status=status, summary=summary)


def in_memory(frames: Columns, axes: Axes, attributes: Mapping[str, Any]) -> xr.Dataset:
    """The same dataset without a store."""
    variables = {v.name: (axes.dims(v), frames[v.name], _attributes(v)) for v in axes.table()}
    coords = {"time": ("time", axes.time, {"long_name": TIME["long_name"]}), **axes.coordinates()}
    facts = {**attributes, "satellites": axes.satellites, "status": "finished"}
    return xr.Dataset(variables, coords=coords, attrs=facts)
