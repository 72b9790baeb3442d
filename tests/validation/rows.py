"""Rows of docs/validation.md: what was checked against what, the error found, and the bound that a test asserts.

A row is a test function `@row(...) def test_x() -> float` that returns the error it measured, or `Measured` to add
words to the table. pytest asserts the bound; `scripts/validate.py` writes the table from the same functions.
"""

import functools
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pytest

# What a row can show: scripts/validate.py explains the words above its table.
Kind = Literal["independent", "fit", "definition"]


@dataclass(frozen=True)
class Measured:
    """An error, and what a reader of the table should see beside it."""

    error: float
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table. `target` is the error aimed at where `bound` is wider, and `reason` says why it is."""

    what: str
    against: str
    unit: str
    bound: float
    measure: Callable[[], float | Measured]
    target: float | None
    reason: str
    kind: Kind

    def measured(self) -> Measured:
        """Run the comparison."""
        found = self.measure()
        return found if isinstance(found, Measured) else Measured(float(found))


def row(
    what: str,
    *,
    against: str,
    bound: float,
    unit: str = "",
    target: float | None = None,
    reason: str = "",
    kind: Kind = "independent",
) -> Callable[[Callable[[], float | Measured]], Callable[[], None]]:
    """Make a measurement a test that asserts `error <= bound`, and a row of the table."""
    if target is not None and not reason:
        raise TypeError(f"{what}: a bound wider than its target needs a reason")
    if kind not in get_args(Kind):
        raise TypeError(f"{what}: kind is {kind!r}, allowed: {', '.join(get_args(Kind))}")

    def decorate(measure: Callable[[], float | Measured]) -> Callable[[], None]:
        made = Row(what, against, unit, bound, measure, target, reason, kind)

        @functools.wraps(measure)
        def test() -> None:
            found = made.measured()
            assert found.error <= bound, f"{what}: {found.error:.4g} {unit}, allowed {bound:g}. {found.detail}"

        del test.__annotations__["return"]
        test.row = made  # type: ignore[attr-defined]
        return test

    return decorate


def reference_data(name: str) -> Path:
    """A file that is too large or not licensed to be shipped, under TWIN_DATA; the test is skipped without it."""
    folder = os.environ.get("TWIN_DATA")
    if folder is None or not (Path(folder) / name).is_file():
        pytest.skip(f"needs {name} under TWIN_DATA")
    return Path(folder) / name


def needs(package: str) -> None:
    """Skip a row whose independent program is not installed: `pip install -e .[validation]`."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}: pip install -e .[validation]")
