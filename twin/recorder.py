"""What a run leaves behind as it goes: frames in memory, or telemetry and checkpoints in its folder."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from twin import processes, resume, run_folder
from twin.checkpoint import Checkpoints, Leaves
from twin.config import Config
from twin.fleet import Fleet
from twin.model import Model
from twin.refusal import ConfigError
from twin.resume import Start
from twin.schema import Checkpoint
from twin.selection import Selection, check_size, selection
from twin.store import Axes, Columns, Store, check_same
from twin.watching import Progress, Watcher


def check(config: Config, axes: Axes, folder: Path, start: Start) -> None:
    """ConfigError when the frames of a run would not fit, or not to those that its folder holds."""
    check_size(config, axes, folder, start.frame)
    path, kept = folder / run_folder.TELEMETRY, selection(config.output, axes.satellites)
    if start.frame:
        try:
            check_same(path, kept.axes(axes), start.frame)
        except FileNotFoundError as error:
            raise ConfigError(f"{error}; choose another folder") from None


Extremes = Mapping[str, Mapping[str, Any]]  # of the run so far, by cohort


class Recorder(Protocol):
    """Takes what a run gives, in the order in which it comes."""

    def append(self, columns: Columns) -> None:
        """Take the next frames."""
        ...

    def tell(self, now: Progress, extremes: Extremes) -> None:
        """Take where the run stands, its frames up to there appended."""
        ...

    @property
    def due(self) -> Callable[[int], bool]:
        """Whether a checkpoint is wanted of the chunk that ends at a step."""
        ...

    def checkpoint(self, model: Model, step: int, leaves: Leaves, **record: Any) -> None:
        """Take what is needed to go on from a step, up to which all frames have been appended."""
        ...


class InMemory:
    """Frames of a run that writes nothing."""

    def __init__(self, kept: Selection) -> None:
        self.kept, self.parts = kept, list[Columns]()

    def append(self, columns: Columns) -> None:
        """Take the next frames."""
        self.parts.append(dict(self.kept.pick(columns)))

    def tell(self, now: Progress, extremes: Extremes) -> None:
        """Nothing."""

    def due(self, step: int) -> bool:
        """Never."""
        return False

    def checkpoint(self, model: Model, step: int, leaves: Leaves, **record: Any) -> None:
        """Nothing."""

    def frames(self) -> dict[str, np.ndarray]:
        """All frames in one piece; they are handed over."""
        return {name: np.concatenate([part.pop(name) for part in self.parts]) for name in tuple(self.parts[0])}


class Elsewhere:
    """Stands for the store in a process that is not the first, which writes it."""

    committed = 0

    def write(self) -> None:
        """Nothing."""

    def close(self, status: str, reason: str = "") -> None:
        """Nothing."""


class OnDisk:
    """Telemetry, checkpoints and status of a run in its folder; every process saves its part of a checkpoint."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        kept: Selection,
        store: Store | Elsewhere,
        checkpoints: Checkpoints,
        due: Callable[[int], bool],
        watcher: Watcher | None,
    ) -> None:
        self.config, self.folder, self.kept, self.store, self.checkpoints = config, folder, kept, store, checkpoints
        self.due, self.watcher = due, watcher
        self.saved_step: int | None = None

    def append(self, columns: Columns) -> None:
        """Take the next frames; only the process with the store picks what is kept."""
        if isinstance(self.store, Store):
            self.store.append(self.kept.pick(columns))

    def tell(self, now: Progress, extremes: Extremes) -> None:
        """Write log and status."""
        if self.watcher is not None:
            self.watcher.chunk(now, extremes)
            self.watcher.checkpointed(self.checkpoints.steps()[:1])

    def checkpoint(self, model: Model, step: int, leaves: Leaves, **record: Any) -> None:
        """Write the frames that wait, then begin to save; done in the background."""
        self.store.write()
        self.checkpoints.save(step, leaves, resume.record_of(self.config, model, step, self.store.committed, **record))
        self.saved_step = step

    def stop(self) -> None:
        """Wait for the last checkpoint, then mark telemetry and status: the run may go on."""
        self.checkpoints.close()
        self._mark("stopped", "asked to stop")

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Wait for the last checkpoint, mark the telemetry, then leave the summary: the run has reached its end."""
        self.checkpoints.close()
        self.store.close("finished")
        if self.watcher is not None:
            text = json.dumps(summary, indent=2) + "\n"
            run_folder.write_atomically(self.folder / run_folder.SUMMARY, text)
            self._end("finished", "")

    def fail(self, reason: str, wait: bool) -> None:
        """The same as far as it goes after an error, which counts more than what fails in its wake."""
        with contextlib.suppress(Exception):
            if wait:
                self.checkpoints.close()
        with contextlib.suppress(Exception):
            if self.watcher is not None:
                self.checkpoints.forget_unfinished()  # a full disk has no room for a word otherwise
            self._mark("failed", reason)

    def _mark(self, status: str, reason: str) -> None:
        try:
            self.store.close(status, reason)
        finally:
            self._end(status, reason)

    def _end(self, status: str, reason: str) -> None:
        if self.watcher is not None:
            self.watcher.checkpointed(self.checkpoints.steps()[:1])
            self.watcher.end(status, reason)


class Due:
    """When checkpoints are due: by the clock on the wall, by simulated time, and at the last boundary of chunks.

    Only at ends of chunks that count, which lie on the same grid however long the run is. The first process's clock
    counts.
    """

    def __init__(self, settings: Checkpoint, model: Model, first_step: int) -> None:
        schedule = model.structure.schedule
        self.grid_steps = schedule.grid_steps
        self.last = schedule.simulated_steps // self.grid_steps * self.grid_steps
        self.every_steps = settings.every_simulated_s / (schedule.step_s * _pace(model))
        self.every_wall_s = settings.every_wall_s
        self.step, self.wall_s = first_step, time.monotonic()

    def __call__(self, step: int) -> bool:
        """Whether one is due at the end of a chunk; it is then taken as made."""
        if step % self.grid_steps or step == self.step:
            return False
        now_s = time.monotonic()
        late = processes.is_first() and now_s - self.wall_s >= self.every_wall_s
        if step - self.step >= self.every_steps or step == self.last or processes.any_of(late):
            self.step, self.wall_s = step, now_s
            return True
        return False


def _pace(model: Model) -> float:
    """Calendar time that goes by per simulated time, settling included."""
    return float(model.environment.slow_weight) / (1 + model.structure.schedule.settling_chunks)


def on_disk(config: Config, folder: Path, fleet: Fleet, start: Start, attributes: Mapping[str, Any]) -> OnDisk:
    """The recorder of a run that begins, or goes on, in a folder of its own."""
    checkpoints = Checkpoints(folder / run_folder.CHECKPOINTS, config.checkpoint.keep)
    kept, due = selection(config.output, fleet.axes.satellites), Due(config.checkpoint, fleet.model, start.step)

    def begun() -> tuple[Store | Elsewhere, Watcher | None]:
        if not processes.is_first():
            return Elsewhere(), None
        if start.again:
            _clear(folder, checkpoints, start)
        store = _store(folder, fleet.model, kept.axes(fleet.axes), start.frame, attributes)
        return store, Watcher(folder, fleet.model, fleet.cohorts, start.step)

    store, watcher = processes.in_all(begun)
    return OnDisk(config, folder, kept, store, checkpoints, due, watcher)


def _clear(folder: Path, checkpoints: Checkpoints, start: Start) -> None:
    """Put what lies after the start out of the way: later checkpoints, and the traces of a failure."""
    for step in start.damaged:
        checkpoints.set_aside(step)
    checkpoints.forget_after(start.step)
    for trace in run_folder.FAILURE:
        (folder / trace).unlink(missing_ok=True)


def _store(folder: Path, model: Model, axes: Axes, frame: int, attributes: Mapping[str, Any]) -> Store:
    """The telemetry to go on with."""
    path, schedule = folder / run_folder.TELEMETRY, model.structure.schedule
    if frame:
        return Store.resume(path, axes, frame, attributes)
    if path.is_dir():
        shutil.rmtree(path)
    at_once = max(min(schedule.chunk_steps, schedule.steps) // schedule.save_steps, 1)
    return Store.create(path, axes, at_once, attributes)
