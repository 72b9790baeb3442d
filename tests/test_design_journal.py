"""A search that is cut off goes on where it stopped, from the evaluations on disk."""

from dataclasses import fields, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import Counted, limit, problem, quadratic, variables

from twin.design.journal import FILE, Journal
from twin.design.problem import Evaluation
from twin.design.solution import Solution
from twin.design.solve import Settings, solve
from twin.refusal import ConfigError

WAYS = [Settings(starts=2), Settings("trust_constr"), Settings("augmented_lagrangian", starts=4, most_iterations=30)]


class Killed(Exception):
    """As if the power had gone."""


class Mortal:
    """Evaluates until its time has come."""

    def __init__(self, evaluate: Counted, calls: int) -> None:
        self.evaluate, self.left = evaluate, calls

    def __call__(self, designs: np.ndarray) -> Evaluation:
        if not self.left:
            raise Killed
        self.left -= 1
        return self.evaluate(designs)


@pytest.fixture(scope="module")
def toy():
    """Whole numbers, a limit that binds, and a region without rows."""
    chosen = variables((0.0, 5.0, 4.0), (0, 6, 1), integer=(1,))
    rows = Counted(lambda x: (jnp.where(x[0] > 4.5, jnp.nan, (x[0] - 1) ** 4 + (x[1] - 2.4) ** 2 + 1 / 3), x[0] * x[1]))
    return problem(chosen, ("f", "product"), (limit("product", "least", 3.0),)), rows


def exact(solution: Solution) -> list[object]:
    """All of a solution but its time, bit for bit."""
    parts = (getattr(solution, field.name) for field in fields(solution) if field.name not in ("wall_s", "starts"))
    whole = [part.tobytes() if isinstance(part, np.ndarray) else part for part in parts]
    return whole + [[np.asarray(part).tobytes() for part in start] for start in solution.starts]


@pytest.mark.parametrize("settings", WAYS, ids=lambda settings: settings.method)
@pytest.mark.parametrize("calls", [0, 1, 7])
def test_killed_and_begun_again_it_ends_in_the_same_bits(tmp_path: Path, toy, settings, calls) -> None:
    task, rows = toy
    rows.designs.clear()
    straight = solve(task, rows, settings)
    whole = len(rows.designs)
    rows.designs.clear()
    with pytest.raises(Killed):
        solve(task, Journal(tmp_path).over(task, Mortal(rows, calls)), settings)
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"designs": [[1.0, 2.')  # cut off while it was written
    again = solve(task, Journal(tmp_path).over(task, rows), settings)
    assert exact(again) == exact(straight)
    assert len(rows.designs) == whole  # none was made twice
    rows.designs.clear()
    assert exact(solve(task, Journal(tmp_path).over(task, rows), settings)) == exact(straight) and not rows.designs


def test_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    task, _ = quadratic()
    numbers = np.array([[np.pi, np.nan, -np.inf, 5e-324]])
    found = Evaluation(numbers, np.stack([numbers, -numbers], axis=-1))
    Journal(tmp_path).over(task, lambda designs: found)(np.array([[0.1, 0.2]]))

    def never(designs: np.ndarray) -> Evaluation:
        raise AssertionError

    read = Journal(tmp_path).over(task, never)(np.array([[0.1, 0.2]]))
    np.testing.assert_array_equal(read.values, found.values)
    np.testing.assert_array_equal(read.slopes, found.slopes)


def test_the_journal_of_another_problem_is_refused(tmp_path: Path) -> None:
    task, evaluate = quadratic()
    Journal(tmp_path, "altitude 550 km").over(task, evaluate)
    other = replace(task, limits=task.limits[:1])
    for journal, given in ((Journal(tmp_path, "altitude 550 km"), other), (Journal(tmp_path, "altitude 600 km"), task)):
        with pytest.raises(ConfigError, match="holds evaluations of another problem"):
            journal.over(given, evaluate)


def test_a_line_that_is_damaged_in_the_middle_is_told(tmp_path: Path) -> None:
    task, evaluate = quadratic()
    solve(task, Journal(tmp_path).over(task, evaluate), Settings())
    lines = (tmp_path / FILE).read_text().splitlines(keepends=True)
    (tmp_path / FILE).write_text("".join([lines[0], lines[1][:40] + "\n", *lines[2:]]))
    with pytest.raises(ConfigError, match="line 2 is damaged"):
        solve(task, Journal(tmp_path).over(task, evaluate), Settings())


@pytest.mark.parametrize("line", [
    "[1.0]", "7", "{}", '{"designs": [[1, 2]], "values": 3, "slopes": 4}',
    '{"designs": [[1], [1, 2]], "values": [[1]], "slopes": [[[1, 2]]]}',
    '{"designs": [[1, 2]], "values": [[1]], "slopes": [[[1]]]}', '{"designs": {}, "values": {}, "slopes": {}}',
])  # fmt: skip
def test_a_line_of_another_shape_is_as_good_as_damaged(tmp_path: Path, line: str) -> None:
    task, evaluate = quadratic()
    Journal(tmp_path).over(task, evaluate)
    (first,) = (tmp_path / FILE).read_text().splitlines()
    for number, lines in ((1, [line]), (2, [first, line])):
        (tmp_path / FILE).write_text("".join(f"{own}\n" for own in lines))
        with pytest.raises(ConfigError, match=f"line {number} is damaged"):
            Journal(tmp_path).over(task, evaluate)
