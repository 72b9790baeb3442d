"""Pages about designs say what the code has: measures, the problem that is worked out, and the commands."""

import re
import shlex
from pathlib import Path

import pytest

from twin import composing
from twin.design.measures import MEASURES
from twin.design.optimize import checked
from twin.design.setup import Setup

ROOT = Path(__file__).resolve().parents[1]
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("docs/optimization.md", "docs/uncertainty.md")}
(MINE,) = re.findall(r"```yaml\n(# conf/design/my.yaml\n.*?)```", PAGES["docs/optimization.md"], re.DOTALL)
(UNSURE,) = re.findall(r"```yaml\n(# conf/design/unsure.yaml\n.*?)```", PAGES["docs/uncertainty.md"], re.DOTALL)
LINES = re.findall(
    r"^python scripts/optimize\.py(?! -m)(?!.*runs/best satellite)(.*)$", "\n".join(PAGES.values()), re.M
)
COMMANDS = sorted({line.partition(" #")[0].strip() for line in LINES})
ALONE = [command for command in COMMANDS if re.fullmatch(r"experiment=\S+", command)]


@pytest.fixture
def built(tmp_path: Path):
    """The problem of some overrides, with the profiles of the pages at hand."""
    (tmp_path / "design").mkdir()
    (tmp_path / "design/my.yaml").write_text(MINE, encoding="utf-8")
    (tmp_path / "design/unsure.yaml").write_text(UNSURE, encoding="utf-8")

    def of(overrides: list[str]) -> Setup:
        return checked(composing.load_design([*overrides, *composing.check_config_dir(str(tmp_path))])[0])

    return of


def test_the_table_of_measures_is_that_of_the_code() -> None:
    head, mark, table = (ROOT / "docs/measures.md").read_text(encoding="utf-8").partition("| --- | --- | --- |\n")
    assert head.endswith("| measure | unit | meaning |\n") and mark
    assert table == "".join(f"| `{one.name}` | {one.unit} | {one.meaning} |\n" for one in MEASURES.values())


# Problems of experiments alone are those of tests/test_profiles.py.
@pytest.mark.parametrize(
    "command",
    [pytest.param(command, marks=pytest.mark.slow) if command in ALONE else command for command in COMMANDS],
)
def test_a_command_of_the_pages_is_a_problem(built, command: str) -> None:
    words = [word for word in shlex.split(command) if word not in ("--config-dir", "mine")]
    assert built(words).problem.variables


def test_the_problem_of_the_page_is_what_it_says(built) -> None:
    problem = built(["design=my"]).problem
    assert [variable.path for variable in problem.variables] == [
        "array.area_m2", "radiator.area_m2", "accelerator.power_cap_w"
    ]  # fmt: skip
    assert problem.variables[0].high == 2.0 * problem.variables[0].first
    assert problem.scenarios == ("june", "january") and len(problem.limits) == 5


def test_uncertain_numbers_of_the_page_are_a_problem(built) -> None:
    design = built(["design=unsure"]).design
    assert design.uncertainty and list(design.uncertainty.parameters) == [
        "accelerator.junction_resistance_k_per_w", "array.wiring_efficiency"
    ]  # fmt: skip
    assert design.robust and design.robust.k == 2.0
