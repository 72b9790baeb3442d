"""Run every comparison of tests/validation and write docs/validation.md: `python scripts/validate.py`.

Rows that need files outside the project read them from the folder that TWIN_DATA names; rows that need another
program want `pip install -e .[validation]`.
"""

import importlib
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import pytest  # noqa: E402
from rich.progress import track  # noqa: E402
from validation.rows import Row  # noqa: E402

HEAD = """# Validation

What the twin's physics was compared with, and by how much it differs. Written by `python scripts/validate.py`; the
same comparisons run as tests (`pytest tests/validation`), which assert the bounds. A bound that is wider than the
error aimed at says why.

What a row shows depends on where the other side of its comparison comes from:

- **independent**: a measurement, another program or another calculation that gave the model none of its numbers, or
  data that the test itself keeps from the fit. A small error is evidence that the model is right.
- **fit**: parameters were fitted to, or informed by, the data compared with. A small error shows that the law can
  follow the data, not that it predicts other data.
- **definition**: an identity, the twin's own equations solved in another way, or a published formula or figure with
  its own inputs. A small error shows that the code does what it says, not that nature does.
"""


def main() -> None:
    """Measure all rows, or those of the named modules, and write the table; exit 1 when a bound is broken."""
    chosen = sys.argv[1:]
    files = sorted((ROOT / "tests" / "validation").glob("test_*.py"))
    modules = [importlib.import_module(f"validation.{f.stem}") for f in files if not chosen or f.stem in chosen]
    rows = [(module, item.row) for module in modules for item in vars(module).values() if hasattr(item, "row")]
    sections: dict[str, list[str]] = {}
    broken, skipped = [], []
    for module, row in track(rows, description="comparing"):
        line, state = _line(row, module.__name__)
        sections.setdefault(_title(module), []).append(line)
        broken += [row.what] if state == "broken" else []
        skipped += [row.what] if state == "skipped" else []
    text = HEAD + "".join(_section(title, lines) for title, lines in sections.items())
    if chosen:
        print(text)
    else:
        (ROOT / "docs" / "validation.md").write_text(text, encoding="utf-8")
    for word, names in (("broken", broken), ("not run", skipped)):
        if names:
            print(f"{len(names)} {word}: {'; '.join(names)}")
    sys.exit(1 if broken else 0)


def _title(module: object) -> str:
    return (module.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _section(title: str, lines: list[str]) -> str:
    head = "| what | against | kind | error | bound | remarks | command |\n" + 7 * "| --- " + "|\n"
    return f"\n## {title}\n\n{head}" + "".join(lines)


def _line(row: Row, module: str) -> tuple[str, str]:
    started = time.perf_counter()
    state, error, words = "ok", "not run", ""
    try:
        found = row.measured()
    except pytest.skip.Exception as reason:
        state, words = "skipped", str(reason)
    else:
        error, words = f"{found.error:.3g} {row.unit}".strip(), found.detail
        if not found.error <= row.bound:
            state, error = "broken", f"**{error}**"
    if row.target is not None:
        words = f"{words} Aimed at {row.target:g}: {row.reason}".strip()
    path = f"tests/{module.replace('.', '/')}.py"
    slow = any(mark.name == "slow" for mark in getattr(row.measure, "pytestmark", ()))
    command = f"`pytest {'-m slow ' if slow else ''}{path}::{row.measure.__name__}`"
    print(f"{row.what}: {error} ({time.perf_counter() - started:.1f} s)")
    bound = f"{row.bound:g} {row.unit}".strip()
    return f"| {row.what} | {row.against} | {row.kind} | {error} | {bound} | {words} | {command} |\n", state


if __name__ == "__main__":
    main()
