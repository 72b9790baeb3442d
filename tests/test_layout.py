"""Which module may import what, and how long files and functions may be: read off the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import kernels
import twin

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for package in ("twin", "kernels") for path in (ROOT / package).rglob("*.py"))
HEAVY = {"hydra", "omegaconf", "pydantic", "orbax", "xarray", "zarr"}
TELEMETRY = {"twin/store.py", "twin/run.py", *(f"twin/reporting/{p.name}" for p in (ROOT / "twin/reporting").iterdir())}
ALLOWED = {
    "hydra": {"twin/composing.py", "twin/cli.py", "twin/answer_cli.py"},
    "omegaconf": {"twin/composing.py"},
    "pydantic": {"twin/config.py", "twin/schema.py", "twin/design/schema.py", "twin/design/uncertainty_schema.py"},
    "orbax": {"twin/checkpoint.py"},
    "xarray": TELEMETRY | {"twin/ensembles.py"},
    "zarr": TELEMETRY - {"twin/run.py"},
}
SHARED_ECONOMICS = {"economics.finance", "economics.site"}
SHARED_KERNELS = {"quantity", "registry", "constants", "safe_math", "integrators", "beam", *SHARED_ECONOMICS}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 50  # a kernel's signature is a schema and does not count

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def imported(source: str) -> Iterator[str]:
    """Dotted names that a module imports anywhere in it; `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{name.name}" for name in node.names)


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b as c\nfrom d import e\ndef f():\n    from g.h import i\n    from . import j\n"
    assert sorted(imported(source)) == ["..j", "a.b", "d.e", "g.h.i"]


@every_file
def test_imports_go_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).as_posix()
    names = list(imported(path.read_text(encoding="utf-8")))
    assert not [name for name in names if name.startswith(".")], "imports are absolute"
    packages = {name.partition(".")[0] for name in names}
    assert not [package for package, files in ALLOWED.items() if package in packages and own not in files]
    if own.startswith("kernels/"):
        assert not packages & {"twin", *HEAVY}


@pytest.mark.parametrize("path", sorted((ROOT / "kernels").rglob("*.py")), ids=lambda path: path.stem)
def test_physics_kernels_do_not_import_each_other(path: Path) -> None:
    parts = [name.split(".") for name in imported(path.read_text(encoding="utf-8"))]
    own = {".".join(part[1:3] if part[1] == "economics" else part[1:2]) for part in parts if part[0] == "kernels"}
    assert own <= SHARED_KERNELS


@every_file
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    functions = [f for f in ast.walk(ast.parse(text)) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {f.name: (f.end_lineno or f.lineno) - f.body[0].lineno + 1 for f in functions}
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION}


def test_kernels_is_ours_and_lies_beside_twin() -> None:
    """Another published distribution has the same import name."""
    assert kernels.PROJECT == "orbital-datacenter-twin"
    assert Path(kernels.__file__).parents[1] == Path(twin.__file__).parents[1]
