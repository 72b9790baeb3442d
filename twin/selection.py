"""What is kept of a run's telemetry: which variables, of all satellites, a sample or as quantiles; and its size."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from twin.refusal import ConfigError
from twin.run_folder import existing
from twin.store import NODE_TEMPERATURE, Axes, Columns
from twin.variables import BY_NAME, OF_FLEET

GB = 1e9
WHOLE = {variable.name for variable in OF_FLEET}


@dataclass(frozen=True)
class Selection:
    """Names of the variables kept, and columns of the satellites or shares of the quantiles; else all satellites."""

    variables: tuple[str, ...]
    columns: np.ndarray | None = None
    shares: tuple[float, ...] = ()

    def pick(self, frames: Columns) -> Columns:
        """What is kept of frames of the whole fleet, (time, ..., satellite), in their order."""
        kept = {name: values for name, values in frames.items() if name in (*self.variables, NODE_TEMPERATURE.name)}
        whole = {name: values for name, values in frames.items() if name in WHOLE}
        if self.shares:
            with ThreadPoolExecutor() as pool:  # sorting lets other threads run
                found = pool.map(lambda values: quantiles(values, self.shares), kept.values())
                return dict(zip(kept, found, strict=True)) | whole
        if self.columns is not None:
            return {name: values[..., self.columns] for name, values in kept.items()} | whole
        return kept | whole

    def axes(self, fleet: Axes) -> Axes:
        """Axes of what is kept of frames on the axes of the whole fleet."""
        axes = replace(fleet, variables=self.variables, quantile=self.shares, fleet=fleet.satellites)
        some = slice(0, 0) if self.shares else slice(None) if self.columns is None else self.columns
        own = {key: getattr(fleet, key)[some] for key in ("satellite", "name", "norad_id", "cohort")}
        return replace(axes, **own)


def selection(output: Any, satellites: int) -> Selection:
    """What the settings `output` keep of a fleet of so many satellites."""
    variables = tuple(name for name in BY_NAME if name in output.variables)
    if output.satellites == "quantiles":
        return Selection(variables, shares=tuple(output.quantiles))
    if output.satellites == "sample":
        return Selection(variables, spread(satellites, output.sample))
    return Selection(variables)


def spread(satellites: int, most: int) -> np.ndarray:
    """Columns of at most so many satellites, evenly over the fleet."""
    return np.unique(np.linspace(0, satellites - 1, min(satellites, most)).round().astype(int))


def quantiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Quantiles over the last axis, (..., share): values that occur, of the nearest rank; NaN is passed over."""
    rows = values.reshape(-1, values.shape[-1])
    counts = values.shape[-1] - np.isnan(rows).sum(axis=-1)
    found = np.full((rows.shape[0], len(shares)), np.nan, values.dtype)
    for count in np.unique(counts[counts > 0]):
        alike = counts == count
        ranks = np.rint(np.multiply(shares, count - 1)).astype(int)
        found[alike] = np.partition(rows[alike], ranks, axis=-1)[:, ranks]  # NaN goes last
    return found.reshape(*values.shape[:-1], len(shares))


def estimated_bytes(axes: Axes) -> int:
    """Upper bound of what frames on these axes take on disk: four bytes a value, as if compression did not help."""
    lengths = axes.lengths
    return sum(4 * int(np.prod([lengths[d] for d in axes.dims(v)], dtype=float)) for v in axes.table())


def check_size(config: Any, fleet: Axes, folder: Path, stored: int = 0) -> None:
    """ConfigError when telemetry of a run would exceed `output.most_gb`, or the room on the folder's disk.

    `fleet` are the axes of the whole fleet; `stored` of their frames are on the disk already.
    """
    output = config.output
    axes = selection(output, fleet.satellites).axes(fleet)
    needed_gb = estimated_bytes(axes) / GB
    if needed_gb > output.most_gb:
        raise ConfigError(
            f"output.most_gb = {output.most_gb:g}: telemetry takes up to {needed_gb:.3g} GB, {_amount(axes)}; "
            f"raise it, or {_smaller(config, fleet, needed_gb / output.most_gb)}"
        )
    free_gb = shutil.disk_usage(existing(folder)).free / GB
    more_gb = needed_gb * (1 - stored / max(axes.time.size, 1))
    if more_gb > free_gb:
        raise ConfigError(
            f"hydra.run.dir = {str(folder)!r}: telemetry takes up to {more_gb:.3g} GB, {_amount(axes)}, and its disk "
            f"has {free_gb:.3g} GB left; choose another one, or {_smaller(config, fleet, more_gb / max(free_gb, 1e-9))}"
        )


def _amount(axes: Axes) -> str:
    """What is kept, in words."""
    of = f"{len(axes.quantile)} quantiles" if axes.quantile else f"{axes.satellite.size} satellites"
    nodes = f" and {len(axes.node)} node temperatures" if axes.node else ""
    return f"{axes.time.size} frames of {len(axes.variables)} variables{nodes} of {of}"


def _smaller(config: Any, fleet: Axes, excess: float) -> str:
    """Overrides that bring telemetry down to what there is room for, by how many times it exceeds that."""
    ways = [f"time.save_every_s={config.time.save_every_s * np.ceil(excess):g} or more", "fewer output.variables"]
    if config.output.satellites != "quantiles":
        shares = Selection(tuple(config.output.variables), shares=tuple(config.output.quantiles))
        ways.insert(0, f"output.satellites=quantiles ({estimated_bytes(shares.axes(fleet)) / GB:.2g} GB)")
        ways.insert(1, "output.satellites=sample")
    return f"keep less: {', '.join(ways[:-1])}, or {ways[-1]}"
