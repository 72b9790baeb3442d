"""A fleet that is ready to go, and the coordinates of its frames."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kernels.queueing import THRESHOLDS_S
from twin import processes, rollout, run_folder
from twin.config import Config
from twin.frames import nodes_of
from twin.model import Model
from twin.prepare import Cohort
from twin.refusal import ConfigError
from twin.resume import Start
from twin.series.goodput import trains
from twin.series.requests import has_requests
from twin.store import Axes, stored_times
from twin.structure import moment


class Fleet(NamedTuple):
    """A run that is ready to go: model, prepared cohorts, their tiles, and the coordinates of the fleet's frames."""

    model: Model
    cohorts: dict[str, Cohort]
    tiles: rollout.Tiles
    axes: Axes


def frame_axes(config: Config, model: Model, folder: Path | None = None, start: Start | None = None) -> Axes:
    """Coordinates of the frames of the whole fleet.

    Those of a run that goes on in a folder have the times written there, then those at the cadence it has now.
    """
    axes = _axes(config, model)
    if folder is None or start is None or not start.record:
        return axes
    schedule = model.structure.schedule
    windows = start.step // schedule.chunk_steps // (schedule.settling_chunks + 1)
    coming = axes.time[windows * (schedule.chunk_steps // schedule.save_steps) :]
    written = processes.by_first(lambda: _written_ns(folder, start.frame))
    return replace(axes, time=np.concatenate([np.array(written, "datetime64[ns]"), coming]))


def _written_ns(folder: Path, frames: int) -> list[int]:
    """Times of the first frames of the folder's store, since 1970."""
    try:
        times = stored_times(folder / run_folder.TELEMETRY)[:frames]
    except FileNotFoundError as error:
        raise ConfigError(f"{error}; choose another folder") from None
    return times.astype("datetime64[ns]").astype(np.int64).tolist()


def _axes(config: Config, model: Model) -> Axes:
    schedule = model.structure.schedule
    frames = schedule.steps // schedule.save_steps
    window, inside = np.divmod(np.arange(frames) * schedule.save_steps, schedule.chunk_steps)
    chunk = window * (schedule.settling_chunks + 1) + schedule.settling_chunks
    begun = moment(schedule, float(model.environment.slow_weight), chunk * schedule.chunk_steps + inside)
    frame_ms = schedule.save_steps * schedule.step_ms
    ends_ms = np.rint(begun.date_s * 1e3).astype(np.int64) + config.time.start_ms + frame_ms
    catalogues = [(c.name, model.catalogue[c.name]) for c in model.structure.cohorts]
    nodes = nodes_of(model.structure) if model.structure.node_temperatures else ()
    return Axes(
        time=ends_ms.astype("datetime64[ms]").astype("datetime64[ns]"),
        satellite=np.arange(sum(len(c.names) for _, c in catalogues)),
        name=np.array([name for _, c in catalogues for name in c.names], dtype=object),
        norad_id=np.array([number for _, c in catalogues for number in c.norad_ids], dtype=np.int64),
        cohort=np.array([cohort for cohort, c in catalogues for _ in c.names], dtype=object),
        node=nodes,
        series=True,
        wait_s=tuple(THRESHOLDS_S) if has_requests(model) else (),
        training=trains(model),
    )
