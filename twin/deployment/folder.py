"""The folder of a deployment: its configuration, its summary, and every table as CSV."""

import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from twin import run_folder
from twin.deployment.tables import Table
from twin.refusal import ConfigError

SUMMARY, CONFIG = run_folder.SUMMARY, run_folder.CONFIG


def finished(folder: Path, resolved: Mapping[str, Any]) -> bool:
    """Whether the folder holds this deployment already; ConfigError when it holds another or cannot be used."""
    found = run_folder.configuration(folder)
    if found is None:
        return False
    if found != _plain(resolved):
        raise ConfigError(f"{run_folder.named(folder)}: holds another deployment or a run; choose a new one")
    return bool(run_folder.summary(folder))


def write(folder: Path, resolved: Mapping[str, Any], summary: Mapping[str, Any], tables: Mapping[str, Table]) -> None:
    """Write configuration, tables and, last of all, the summary: what has one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    with run_folder.claimed(folder):
        run_folder.write_atomically(folder / CONFIG, yaml.safe_dump(_plain(resolved), sort_keys=False))
        for name, table in tables.items():
            run_folder.write_atomically(folder / f"{name}.csv", to_csv(table))
        run_folder.write_atomically(folder / SUMMARY, json.dumps(finite(summary), indent=1, allow_nan=False))


def to_csv(table: Table) -> str:
    """A header of column names, then the rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def read_table(folder: Path, name: str) -> Table | None:
    """A table of the folder, numbers as floats; None when it has none of this name."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {key: _numbers(list(column)) for key, column in zip(header, columns, strict=True)}


def _numbers(column: list[str]) -> list[Any]:
    try:
        return [float(text) for text in column]
    except ValueError:
        return column


def finite(values: Any) -> Any:
    """The same with None where a number is not finite: JSON has no other word for it."""
    if isinstance(values, Mapping):
        return {str(key): finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def _plain(resolved: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(resolved, default=str))
