"""What the report plots: bands over the fleet in bins of time, a telling orbit, and telling satellites."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from twin.selection import quantiles

# Frames of one variable: read(name, frames) -> (time, satellite), or (time, quantile).
Read = Callable[[str, slice], np.ndarray]
MOST_POINTS = 600
MOST_VALUES = 20_000_000
QUANTILES = {"lowest": 0.0, "low": 0.05, "median": 0.5, "high": 0.95, "highest": 1.0}
SHARES = tuple(QUANTILES.values())


class Window(NamedTuple):
    """Frames to plot, cut into bins that each become a point."""

    edges: np.ndarray  # frame numbers, (bin + 1,)

    @property
    def bins(self) -> int:
        """Number of points."""
        return self.edges.size - 1

    @property
    def ends(self) -> np.ndarray:
        """Last frame of every bin, (bin,)."""
        return self.edges[1:] - 1


def window(first: int, last: int) -> Window:
    """Frames `first` to before `last` in at most MOST_POINTS bins of one length, the first one perhaps shorter."""
    length = -(-(last - first) // MOST_POINTS)
    # Counted from the end, so that the bins' ends, where their points stand, are evenly spaced.
    return Window(np.concatenate([[first], np.arange(last, first, -length)[::-1]]))


def blocks(frames: Window, columns: int) -> Iterator[tuple[int, int]]:
    """Ranges of bins whose frames fit in memory together."""
    longest = int(np.diff(frames.edges).max(initial=1))
    together = max(MOST_VALUES // max(columns * longest, 1), 1)
    for start in range(0, frames.bins, together):
        yield start, min(start + together, frames.bins)


def curves(
    read: Read,
    groups: Mapping[str, np.ndarray | slice],
    chosen: Mapping[str, int],
    satellites: int,
    name: str,
    frames: Window,
) -> dict[str, dict[str, np.ndarray]]:
    """Quantiles over each group of satellites, and the mean over each bin of each chosen satellite; all (bin,)."""
    bands = {group: {word: np.full(frames.bins, np.nan, np.float32) for word in QUANTILES} for group in groups}
    alone = {word: np.full(frames.bins, np.nan, np.float32) for word in chosen}
    for start, stop in blocks(frames, satellites):
        offset = frames.edges[start]
        block = read(name, slice(int(offset), int(frames.edges[stop])))
        for point in range(start, stop):
            rows = block[frames.edges[point] - offset : frames.edges[point + 1] - offset]
            for group, members in groups.items():
                for word, value in zip(QUANTILES, quantiles(rows[:, members].ravel(), SHARES), strict=True):
                    bands[group][word][point] = value
            for word, satellite in chosen.items():
                alone[word][point] = rows[:, satellite].mean()
    return {word: {"median": values} for word, values in alone.items()} | bands


def bands_of(shares: np.ndarray) -> dict[str, int]:
    """Columns of quantiles of which a curve's bands are made: the outermost ones, and those nearest to QUANTILES."""
    found = {word: int(np.abs(shares - share).argmin()) for word, share in QUANTILES.items()}
    return found | {"lowest": 0, "highest": shares.size - 1}


def curves_of_quantiles(read: Read, shares: np.ndarray, name: str, frames: Window) -> dict[str, dict[str, np.ndarray]]:
    """Bands of the fleet from its quantiles in every frame, (bin,): extremes over each bin, of the others the mean."""
    block = read(name, slice(int(frames.edges[0]), int(frames.edges[-1])))
    starts, lengths = frames.edges[:-1] - frames.edges[0], np.diff(frames.edges)[:, None]
    over = {"lowest": np.minimum.reduceat(block, starts), "highest": np.maximum.reduceat(block, starts)}
    mean = (np.add.reduceat(block, starts, dtype=np.float64) / lengths).astype(np.float32)
    return {"fleet": {word: over.get(word, mean)[:, column] for word, column in bands_of(shares).items()}}


def orbit_window(
    read: Read, frames: int, satellites: int, interval_s: float, period_s: float, time_s: np.ndarray | None = None
) -> Window:
    """The darkest full orbit of the run, the last of several alike; the whole run when it is shorter than an orbit.

    With the `time_s` of all frames, an orbit in which frames are missing is none, unless all are.
    """
    length = math.ceil(period_s / interval_s) if math.isfinite(period_s) else frames
    if length >= frames:
        return window(0, frames)
    light = np.concatenate([block.mean(axis=1) for block in _all(read, "sunlit_fraction", frames, satellites)])
    summed = np.concatenate([[0.0], np.cumsum(light, dtype=np.float64)])
    mean = (summed[length:] - summed[:-length]) / length
    if time_s is not None:
        gap = np.concatenate([[0], np.cumsum(np.diff(time_s) > 1.5 * interval_s)])
        broken = gap[length - 1 :] > gap[: frames - length + 1]
        mean = mean if broken.all() else np.where(broken, np.nan, mean)
    first = int(np.flatnonzero(mean <= np.nanmin(mean) + 1e-3)[-1]) if np.isfinite(mean).any() else frames - length
    return window(first, first + length)


def telling_satellites(read: Read, frames: int, satellites: int) -> dict[str, int]:
    """Column of the satellite with the median peak of die temperature, of the hottest, the emptiest and the first.

    Those of which the run keeps no telemetry are left out.
    """
    heat = np.full(satellites, -np.inf, np.float32)
    charge = np.full(satellites, np.inf, np.float32)
    for block in _all(read, "accelerator_temperature_k", frames, satellites):
        heat = np.fmax(heat, np.fmax.reduce(block, axis=0))
    for block in _all(read, "state_of_charge", frames, satellites):
        charge = np.fmin(charge, np.fmin.reduce(block, axis=0))
    warm = {"median": int(np.argsort(heat)[satellites // 2]), "hottest": int(heat.argmax())}
    empty = {"emptiest": int(charge.argmin())}
    return (warm if np.isfinite(heat).any() else {}) | (empty if np.isfinite(charge).any() else {}) | {"first": 0}


def _all(read: Read, name: str, frames: int, satellites: int) -> Iterator[np.ndarray]:
    """All frames of a variable in blocks that fit in memory."""
    together = max(MOST_VALUES // max(satellites, 1), 1)
    for start in range(0, frames, together):
        yield read(name, slice(start, min(start + together, frames)))
