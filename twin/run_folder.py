"""The folder of a run: never overwritten, refused when it holds something else."""

import json
import os
import tempfile
from pathlib import Path

import yaml

from twin.config import Config, ConfigError

# What Hydra has put there before the run starts.
OWN = {".hydra", "run.log"}


def holds_run(folder: Path, config: Config) -> bool:
    """Whether the folder already holds this very run, finished; ConfigError when it cannot be used for it."""
    what = f"hydra.run.dir = {str(folder)!r}"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{what}: is a file, not a folder")
    if folder.is_dir() and {entry.name for entry in folder.iterdir()} - OWN:
        return _is_finished(folder, config, what)
    existing = next(p for p in [folder, *folder.absolute().parents] if p.exists())
    if not existing.is_dir():
        raise ConfigError(f"{what}: {str(existing)!r} is a file, not a folder")
    try:
        os.rmdir(tempfile.mkdtemp(dir=existing))
    except OSError as error:
        raise ConfigError(f"{what}: cannot be written ({error.strerror})") from None
    return False


def _is_finished(folder: Path, config: Config, what: str) -> bool:
    """True for the same configuration; ConfigError for anything else."""
    if not (folder / "telemetry.zarr").is_dir():
        raise ConfigError(f"{what}: holds something else; choose a new or an empty folder")
    if not (folder / "summary.json").is_file():
        raise ConfigError(f"{what}: holds an unfinished run; choose another folder or remove it")
    before = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    if before != json.loads(json.dumps(config.resolved)):
        raise ConfigError(f"{what}: holds a finished run of another configuration; choose another folder")
    return True


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or none of it."""
    partial_file = path.with_name(path.name + ".partial")
    partial_file.write_text(text, encoding="utf-8")
    os.replace(partial_file, path)
