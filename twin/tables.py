"""Tables of answers: columns by name, as CSV and back; numbers as JSON and YAML can have them."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Table = dict[str, Sequence[Any]]


def to_csv(table: Table) -> str:
    """A header of column names, then the rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue()


def read(folder: Path, name: str) -> Table | None:
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


def at(values: Any, path: str) -> Any:
    """What lies at a dotted path of nested mappings and lists; None where nothing does."""
    for key in path.split("."):
        if isinstance(values, Mapping):
            values = values.get(key)
        elif isinstance(values, list) and key.isdecimal() and int(key) < len(values):
            values = values[int(key)]
        else:
            return None
    return values


def as_plain(resolved: Mapping[str, Any]) -> Any:
    """A configuration of nothing but mappings, lists, numbers and text."""
    return json.loads(json.dumps(resolved, default=str))
