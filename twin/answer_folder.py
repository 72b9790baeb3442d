"""The folder of an answer, a deployment or a design: configuration, tables as CSV, other files, and its summary."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from twin import run_folder
from twin.refusal import ConfigError
from twin.tables import Table, as_plain, finite, to_csv

SUMMARY, CONFIG, REASON = run_folder.SUMMARY, run_folder.CONFIG, run_folder.REASON
NOTHING: Mapping[str, str] = {}


def finished(folder: Path, resolved: Mapping[str, Any], summary_name: str = SUMMARY) -> bool:
    """Whether the folder holds this answer already; ConfigError when it holds another or cannot be used."""
    found = run_folder.configuration(folder)
    if found is None:
        return False
    if found != as_plain(resolved):
        raise ConfigError(f"{run_folder.named(folder)}: holds another deployment, design or run; choose a new one")
    return bool(run_folder.summary(folder, summary_name))


def begin(folder: Path, resolved: Mapping[str, Any]) -> None:
    """Write what is to be answered to a claimed folder, so that work that is kept on the way is known for its own."""
    run_folder.write_atomically(folder / CONFIG, _config(resolved))


def write(
    folder: Path,
    resolved: Mapping[str, Any],
    summary: Mapping[str, Any],
    tables: Mapping[str, Table],
    files: Mapping[str, str] = NOTHING,
    summary_name: str = SUMMARY,
) -> None:
    """Write configuration, tables, files by path and, last of all, the summary: what has one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {CONFIG: _config(resolved), **files}
    written |= {f"{name}.csv": to_csv(table) for name, table in tables.items()}
    for name, text in {**written, summary_name: json.dumps(finite(summary), indent=1, allow_nan=False)}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        run_folder.write_atomically(folder / name, text)


def refuse(folder: Path, reason: str) -> None:
    """Leave the reason why there is no answer, for whoever ranks a sweep."""
    if folder.is_dir():
        run_folder.write_atomically(folder / REASON, json.dumps({"reason": reason}))


def reason(folder: Path) -> str:
    """Why there is no answer, or that nothing tells."""
    return str(run_folder.summary(folder, REASON).get("reason") or "failed or unfinished")


def _config(resolved: Mapping[str, Any]) -> str:
    return yaml.safe_dump(as_plain(resolved), sort_keys=False)
