"""What a run leaves behind as it goes: frames in memory, or telemetry and checkpoints in its folder."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from twin import processes, resume, run_folder
from twin.checkpoint import Checkpoints, Leaves
from twin.config import Config
from twin.model import Model
from twin.resume import Start
from twin.schema import Checkpoint
from twin.store import Axes, Columns, Store


class Recorder(Protocol):
    """Takes what a run gives, in the order in which it comes."""

    def append(self, columns: Columns) -> None:
        """Take the next frames."""
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

    def __init__(self) -> None:
        self.parts: list[Columns] = []

    def append(self, columns: Columns) -> None:
        """Take the next frames."""
        self.parts.append(columns)

    def due(self, step: int) -> bool:
        """Never."""
        return False

    def checkpoint(self, model: Model, step: int, leaves: Leaves, **record: Any) -> None:
        """Nothing."""

    def frames(self) -> dict[str, np.ndarray]:
        """All frames in one piece; they are handed over."""
        names = tuple(self.parts[0])
        return {name: np.concatenate([dict(part)[name] for part in self.parts]) for name in names}


class Elsewhere:
    """Stands for the store in a process that is not the first, which writes it."""

    committed = 0

    def append(self, columns: Columns) -> None:
        """Nothing."""

    def write(self) -> None:
        """Nothing."""

    def close(self, status: str, reason: str = "") -> None:
        """Nothing."""


class OnDisk:
    """Telemetry and checkpoints of a run in its folder; every process saves its part of a checkpoint."""

    def __init__(
        self, config: Config, store: Store | Elsewhere, checkpoints: Checkpoints, due: Callable[[int], bool]
    ) -> None:
        self.config, self.store, self.checkpoints, self.due = config, store, checkpoints, due
        self.saved_step: int | None = None

    def append(self, columns: Columns) -> None:
        """Take the next frames."""
        self.store.append(columns)

    def checkpoint(self, model: Model, step: int, leaves: Leaves, **record: Any) -> None:
        """Write the frames that wait, then begin to save; done in the background."""
        self.store.write()
        self.checkpoints.save(step, leaves, resume.record_of(self.config, model, step, self.store.committed, **record))
        self.saved_step = step

    def close(self, status: str, reason: str = "") -> None:
        """Wait for the last checkpoint and mark the telemetry with how the run ended."""
        try:
            self.checkpoints.close()
        finally:
            self.store.close(status, reason)


class Due:
    """When checkpoints are due: by the clock on the wall, by simulated time, and at the last boundary of chunks.

    Only at boundaries of chunks, which lie on the same grid however long the run is. The first process's clock counts.
    """

    def __init__(self, settings: Checkpoint, model: Model, first_step: int) -> None:
        schedule = model.structure.schedule
        self.chunk_steps = schedule.chunk_steps
        self.last = schedule.simulated_steps // schedule.chunk_steps * schedule.chunk_steps
        self.every_steps = settings.every_simulated_s / (schedule.step_s * _pace(model))
        self.every_wall_s = settings.every_wall_s
        self.step, self.wall_s = first_step, time.monotonic()

    def __call__(self, step: int) -> bool:
        """Whether one is due at the end of a chunk; it is then taken as made."""
        if step % self.chunk_steps or step == self.step:
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


def on_disk(
    folder: Path,
    config: Config,
    model: Model,
    start: Start,
    axes: Axes,
    at_once: int,
    attributes: Mapping[str, Any],
) -> OnDisk:
    """The recorder of a run that begins, or goes on, in a folder of its own."""
    checkpoints = Checkpoints(folder / run_folder.CHECKPOINTS, config.checkpoint.keep)
    store = _store(folder, checkpoints, start, axes, at_once, attributes) if processes.is_first() else Elsewhere()
    processes.wait()
    return OnDisk(config, store, checkpoints, Due(config.checkpoint, model, start.step))


def _store(
    folder: Path, checkpoints: Checkpoints, start: Start, axes: Axes, at_once: int, attributes: Mapping[str, Any]
) -> Store:
    """The telemetry to go on with; checkpoints that lie after the start are out of the way."""
    path = folder / run_folder.TELEMETRY
    if start.again:
        for step in checkpoints.steps():
            if step > start.step:
                checkpoints.set_aside(step)
    if path.is_dir():
        return Store.resume(path, axes, start.frame, attributes)
    return Store.create(path, axes, at_once, attributes)
