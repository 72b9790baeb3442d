"""The folder of a run: never overwritten, refused when it holds something else or when another process runs in it."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from twin.refusal import ConfigError

CONFIG, SUMMARY, DESIGN, TELEMETRY = "config.yaml", "summary.json", "design.json", "telemetry.zarr"
REPORT, CHECKPOINTS, LOCK, EVALUATIONS = "report.html", "checkpoints", "run.lock", "evaluations.jsonl"
FAILURE = ("failure.npz", "failure.json")
REASON = "refused.json"  # why there is no answer
# What a run that was ended while it began, or refused, may have left before its configuration.
BEFORE = {".hydra", "run.log", LOCK, REASON, f"{CONFIG}.partial"}


def named(folder: Path) -> str:
    """How a refusal begins that has to do with the folder."""
    return f"hydra.run.dir = {str(folder)!r}"


def configuration(folder: Path) -> dict[str, Any] | None:
    """The configuration of the run that the folder holds; None when a run can begin there.

    ConfigError when neither is so.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{named(folder)}: is a file, not a folder")
    if not (folder / CONFIG).is_file():
        _check_usable(folder)
        return None
    try:
        found = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{named(folder)}: its {CONFIG} cannot be read; choose another folder")
    return found


def _check_usable(folder: Path) -> None:
    if folder.is_dir() and {entry.name for entry in folder.iterdir()} - BEFORE:
        raise ConfigError(f"{named(folder)}: holds something else, and no {CONFIG}; choose a new or an empty folder")
    if not existing(folder).is_dir():
        raise ConfigError(f"{named(folder)}: {str(existing(folder))!r} is a file, not a folder")
    check_writable(folder)


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(p for p in (path, *path.absolute().parents) if p.exists())


def check_writable(folder: Path) -> None:
    """ConfigError when nothing can be written to the folder, or where it would be made."""
    try:
        os.rmdir(tempfile.mkdtemp(dir=existing(folder)))
    except OSError as error:
        raise ConfigError(f"{named(folder)}: cannot be written ({error.strerror})") from None


def summary(folder: Path, name: str = SUMMARY) -> dict[str, Any]:
    """The summary of a run that has reached its end; empty without one, or when it cannot be read."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """The folder, made if need be, to ourselves; ConfigError when another process runs in it. The lock ends with it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{named(folder)}: another process is running in it") from None
        except OSError:
            pass  # a file system without locks
        yield


def check_unclaimed(folder: Path) -> None:
    """ConfigError when another process runs in the folder."""
    if (folder / LOCK).is_file():
        with claimed(folder):
            pass


def new_file(name: str) -> Path:
    """A file for an answer, `out=` of a command; ConfigError when it is there already or its folder is not."""
    path = Path(name)
    if path.exists():
        raise ConfigError(f"out = {name!r}: is there already and is not overwritten; choose another file")
    if not path.parent.is_dir():
        raise ConfigError(f"out = {name!r}: no such folder {str(path.parent)!r}")
    return path


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or none of it."""
    partial_file = path.with_name(path.name + ".partial")
    try:
        with partial_file.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial_file, path)
    except OSError:
        partial_file.unlink(missing_ok=True)
        raise
