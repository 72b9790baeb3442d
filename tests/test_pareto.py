"""The front of two measures, against closed forms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from closed_forms import Counted, limit, problem, variables

from twin.design import pareto
from twin.design.descent import Settings
from twin.design.journal import Journal
from twin.design.pareto import FrontPoint, Second
from twin.design.problem import Evaluate, Problem
from twin.design.solve import solve

SECOND = Second("far", "one", "most", "m", 10.0)


def front(toy: tuple[Problem, Evaluate], second: Second, points: int, **given: Any) -> tuple[FrontPoint, ...]:
    """The front behind the best design."""
    return pareto.front(*toy, Settings(), solve(*toy, Settings()), second, points, **given)


@pytest.fixture(scope="module")
def circles():
    """Squared distances from (0, 0) and from (3, 4): along the line between them, sqrt(f) + sqrt(far) = 5."""
    rows = Counted(lambda x: (x[0] ** 2 + x[1] ** 2, (x[0] - 3) ** 2 + (x[1] - 4) ** 2))
    return problem(variables((-5, 5, 4), (-5, 5, -2)), ("near", "far")), rows


def test_the_front_between_two_points_is_the_line_between_them(circles) -> None:
    points = front(circles, SECOND, 6)
    bounds = [point.bound for point in points]
    np.testing.assert_allclose(bounds, np.linspace(0.025, 25.0, 6), atol=1e-6)  # a thousandth inside 0
    for point in points:
        assert np.sqrt(point.solution.objective) + np.sqrt(point.value) == pytest.approx(5.0, abs=1e-3)
        assert point.value == pytest.approx(point.bound, abs=1e-3)
        assert point.solution.status == "converged" and not point.dominated


def test_the_last_price_is_the_slope_of_the_front(circles) -> None:
    """near = (5 - sqrt(far))^2, whose slope at 9 is -(5 - 3) / 3."""
    middle = front(circles, SECOND, 3, low=4.0, high=14.0)[1]
    assert middle.bound == 9.0 and middle.solution.status == "converged"
    assert middle.solution.prices[-1] == pytest.approx(2.0 / 3.0, rel=1e-4)


def test_bounds_beyond_either_end_are_marked(circles) -> None:
    """Below 0 there is no design; above 25 nothing is gained, and the point there is that of the optimum alone."""
    points = front(circles, SECOND, 4, low=-20.0, high=43.0)
    assert [point.solution.status for point in points] == ["infeasible", *["converged"] * 3]
    assert [point.dominated for point in points] == [True, False, False, False]
    assert points[0].solution.objective == pytest.approx(25.0, abs=1e-3)  # the least violation is at (3, 4)
    np.testing.assert_allclose(points[3].solution.design, 0.0, atol=1e-3)


def test_a_measure_to_be_large_in_its_worst_scenario() -> None:
    """Cost x against the lesser of x and 2 - x / 2: more costs more until x = 4/3, where the two meet."""
    yields = np.linspace(0.0, 0.999 * 4 / 3, 5)
    rows = Counted(lambda x: (x[0] + 1.0, x[0], x[0] + 1.0, 2 - x[0] / 2))
    toy = problem(variables((0, 4, 3)), ("cost", "yield"), scenarios=("good", "bad"), over="mean")
    points = front((toy, rows), Second("yield", "worst", "least", "kg", 1.0), 5)
    np.testing.assert_allclose([point.bound for point in points], yields, atol=1e-5)
    np.testing.assert_allclose([point.solution.design[0] for point in points], yields, atol=1e-5)


def test_without_a_design_there_is_one_point() -> None:
    toy = problem(variables((0, 1, 0.5)), ("f", "far"), (limit("f", "least", 2.0),))
    (point,) = front((toy, Counted(lambda x: (x[0], -x[0]))), SECOND, 5)
    assert point.solution.status == "infeasible" and point.dominated


def test_a_front_goes_on_from_its_journal_and_counts_on_from_the_best_design(circles, tmp_path: Path) -> None:
    task, rows = circles
    counts: list[int] = []
    begun = solve(task, rows, Settings()).evaluations
    once = front((task, Journal(tmp_path).over(task, rows)), SECOND, 4, watch=lambda n, *_: counts.append(n))
    assert counts == list(range(begun + 1, begun + len(counts) + 1))
    rows.designs.clear()
    again = front((task, Journal(tmp_path).over(task, rows)), SECOND, 4)
    assert not rows.designs
    assert [point.solution.design.tobytes() for point in again] == [point.solution.design.tobytes() for point in once]
