"""Ends of a run that lie outside the model, each as the one sentence that the user reads."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from twin.reporting import human
from twin.run_folder import existing
from twin.structure import Structure
from twin.variables import TELEMETRY

FULL = (errno.ENOSPC, errno.EDQUOT)
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE)
OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory")


class RunError(Exception):
    """A run that could not go on; its text says why, what helps, and from where it can go on."""


def ending(error: BaseException, folder: Path, structure: Structure, last_step: int | None) -> RunError | None:
    """The sentence for a full or unwritable disk or a lack of memory; None for any other error.

    `last_step` is that of the last checkpoint. Libraries wrap errors of the system: causes and messages are read too.
    """
    again = f"then give the same command again, with hydra.run.dir={folder}"
    again += f"; it goes on from step {last_step}" if last_step else "; it begins anew"
    causes = list(_causes(error))
    number = next((found for cause in causes if (found := _number(cause))), None)
    if number in FULL:
        what = "the disk is full" if number == errno.ENOSPC else "the disk quota is used up"
        return RunError(f"{folder}: {what}, {human.si(float(_free_bytes(folder)), 'B')} free: free space, {again}")
    if number is not None:
        return RunError(f"{folder}: can no longer be written ({os.strerror(number)}): see to it, {again}")
    if any(isinstance(c, MemoryError) or any(words in str(c) for words in OUT_OF_MEMORY) for c in causes):
        return RunError(f"out of memory with {_load(structure)}; {again}")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that led to it."""
    yield error
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _causes(part)
    before = error.__cause__ or error.__context__
    if before is not None:
        yield from _causes(before)


def _number(error: BaseException) -> int | None:
    """Which of the errors of a disk this is, by its number or by its words."""
    told = error.errno if isinstance(error, OSError) else None
    return next((n for n in (*FULL, *UNWRITABLE) if n == told or os.strerror(n) in str(error)), None)


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(existing(folder)).free


def _load(structure: Structure) -> str:
    """What a device has to hold, and what lessens it."""
    schedule = structure.schedule
    satellites = -(-sum(cohort.satellites for cohort in structure.cohorts) // structure.devices)
    frames = schedule.chunk_steps // schedule.save_steps
    size = human.si(4.0 * frames * len(TELEMETRY) * satellites, "B")
    fewer = (
        "lower distributed.tile or use more devices; in a new folder, also lower time.chunk_s, raise time.save_every_s"
    )
    if structure.node_temperatures:
        fewer += " or set output.node_temperatures=false"
    each = f"{human.whole(satellites)} satellites on each of {structure.devices} devices"
    once = f"{human.whole(structure.tile)} at once, and frames of {size} a chunk"
    return f"{each}, {once}: {fewer}"
