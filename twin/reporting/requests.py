"""Requests of a run as its series tell them: how many arrive and how long they wait, over time and in all."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from kernels import queueing
from twin.reporting import series
from twin.variables import THRESHOLD

SERIES = ("fleet_requests_per_s", "fleet_service_s", "share_waiting_longer")


class Requests(NamedTuple):
    """Sums over the frames of each bin, weighted by the requests that arrive in them."""

    thresholds_s: np.ndarray  # (threshold,)
    frames: np.ndarray  # that tell of requests, (bin,)
    arrived: np.ndarray  # requests a second, (bin,)
    service_s: np.ndarray  # (bin,)
    longer: np.ndarray  # those that wait longer, (bin, threshold)

    @property
    def per_s(self) -> np.ndarray:
        """Requests that arrive in each bin, (bin,); NaN where no frame tells."""
        return _over(self.arrived, self.frames)

    @property
    def mean_per_s(self) -> float:
        """Mean rate at which requests arrive, over the whole run."""
        return float(self.arrived.sum() / max(self.frames.sum(), 1.0))

    @property
    def mean_service_s(self) -> float:
        """Mean time in service of all requests."""
        return float(_over(self.service_s.sum(), self.arrived.sum()))

    @property
    def shares(self) -> np.ndarray:
        """Share of all requests that wait longer than each threshold, (threshold,)."""
        return _over(self.longer.sum(axis=0), self.arrived.sum())

    def percentile_s(self, percent: float) -> float:
        """Wait that so many per cent of all requests do not exceed."""
        return queueing.percentile_s(self.shares, percent, self.thresholds_s)

    def percentiles_s(self, percent: float) -> np.ndarray:
        """The same of the requests of each bin, (bin,); NaN where none arrive."""
        shares = _over(self.longer, self.arrived[:, None])
        return np.array([queueing.percentile_s(row, percent, self.thresholds_s) for row in shares])

    def share_longer(self, limit_s: float) -> float:
        """Share of all requests that wait longer."""
        return float(queueing.share_longer(self.shares, limit_s, self.thresholds_s))


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0.0, part / np.where(whole > 0.0, whole, 1.0), np.nan)


def requests(data: xr.Dataset, frames: series.Window) -> Requests | None:
    """Requests in bins of frames; None where telemetry tells of none."""
    if not {*SERIES} <= {*data.data_vars}:
        return None
    thresholds_s = data[THRESHOLD].values.astype(float)
    parts = [_summed(data, frames.edges[start : stop + 1]) for start, stop in series.blocks(frames, thresholds_s.size)]
    found = Requests(thresholds_s, *(np.concatenate(column) for column in zip(*parts, strict=True)))
    return found if found.arrived.sum() > 0.0 else None


def _summed(data: xr.Dataset, edges: np.ndarray) -> tuple[np.ndarray, ...]:
    """Sums of some bins in the order of `Requests`; a frame that has been lost counts as none."""
    block = data[[*SERIES]].isel(time=slice(int(edges[0]), int(edges[-1])))
    per_s, service_s, longer = (block[name].values.astype(float) for name in SERIES)
    known = np.isfinite(per_s) & np.isfinite(service_s) & np.isfinite(longer).all(axis=1)
    per_s, service_s, longer = np.where(known, per_s, 0.0), np.where(known, service_s, 0.0), longer * 1.0
    longer[~known] = 0.0
    sums = (known.astype(float), per_s, per_s * service_s, per_s[:, None] * longer)
    return tuple(np.add.reduceat(values, edges[:-1] - edges[0]) for values in sums)
