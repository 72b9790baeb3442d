"""Limits that cannot all hold: which, and by how much."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import Counted, limit, problem, variables

from twin.design import wording
from twin.design.solve import Settings, solve


def test_the_limits_that_conflict_are_named_with_what_they_lack() -> None:
    """x + y >= 10 and 2 x + y <= 7 need x <= -3; x >= 0 by its bound. The two others could hold."""
    rows = Counted(lambda x: (x[0] ** 2 + x[1] ** 2, x[0] + x[1], 2 * x[0] + x[1], x[1], x[0] - x[1]))
    limits = (
        limit("span", "least", 10.0, 10.0),
        limit("mass", "most", 7.0, 5.0),
        limit("height", "most", 50.0),
        limit("lean", "most", 40.0),
    )
    toy = problem(variables((0, 20, 9), (0, 20, 1)), ("f", "span", "mass", "height", "lean"), limits)
    solution = solve(toy, rows, Settings(starts=3))
    assert solution.status == "infeasible" and all(start.status == "infeasible" for start in solution.starts)
    np.testing.assert_allclose(solution.design, [0.0, 8.0], atol=1e-4)  # 0.2 of 10 and 0.2 of 5 are 3 in all
    np.testing.assert_allclose(solution.margins[:2], [-2.0, -1.0], atol=1e-4)
    assert "span (2 m below its least, 10 m) and mass (1 m above its most, 7 m)" in solution.message
    assert "x0 at its lower bound" in solution.message and "height" not in solution.message
    assert np.isnan(solution.prices).all()


def test_one_limit_beyond_the_bounds_is_named_alone() -> None:
    toy = problem(
        variables((0, 2, 1), (0, 2, 1)), ("f", "x", "y"), (limit("x", "least", 5.0), limit("y", "least", 1.0))
    )
    solution = solve(toy, Counted(lambda x: (x[0] + x[1], x[0], x[1])), Settings())
    assert solution.status == "infeasible" and solution.kkt_residual < 1e-6
    assert "this limit cannot hold: x (3 m below its least, 5 m), with x0 at its upper bound" in solution.message


def test_a_limit_that_holds_at_the_least_violated_design_is_said_to() -> None:
    broken, held = limit("span", "least", 10.0), limit("mass", "most", 7.0)
    toy = problem(variables((0, 20, 9)), ("f", "span", "mass"), (broken, held))
    look = SimpleNamespace(pieces=np.array([[2.0, -3.0, 0.0]]))
    nothing = SimpleNamespace(lower=np.zeros(1, bool), upper=np.zeros(1, bool))
    end = SimpleNamespace(look=look, place=None, kkt=SimpleNamespace(holding=lambda *_: nothing))
    told = wording.of_conflict(toy, end, [0, 1])  # type: ignore[arg-type]
    assert told.endswith("conflict: span (2 m below its least, 10 m) and mass (holds there, at most 7 m)")


def test_three_limits_of_which_any_two_could_hold() -> None:
    """Inside a triangle's three half planes that point outwards there is nothing, but any two meet."""
    rows = Counted(lambda x: (x[0], x[1], x[0] * 0.9 - x[1] * 0.5, -x[0] * 0.9 - x[1] * 0.5, x[0] + 7 * x[1]))
    limits = (*(limit(name, "least", 1.0) for name in "abc"), limit("d", "least", -99.0))
    toy = problem(variables((-9, 9, 3), (-9, 9, 4)), ("f", *"abcd"), limits)
    solution = solve(toy, rows, Settings())
    assert solution.status == "infeasible"
    assert all(f"{name} (" in solution.message for name in "abc") and "d (" not in solution.message


@pytest.mark.parametrize("method", ["slsqp", "augmented_lagrangian"])
def test_a_feasible_design_that_no_start_found_is_gone_on_from(method) -> None:
    """One step is too few from the start, but the least violation needs no more, and the search goes on from there."""
    rows = Counted(lambda x: ((x[0] - 4) ** 2 + 1, x[0] ** 2))
    toy = problem(variables((-10, 10, 9)), ("f", "square"), (limit("square", "most", 1.0),))
    solution = solve(toy, rows, Settings(method, most_iterations=3))
    assert {start.status for start in solution.starts} == {"infeasible"}
    assert solution.status != "infeasible" and solution.margins[0] > -1e-6
    assert solution.design[0] == pytest.approx(1.0, abs=0.5)
    assert "no start led here: found from the least violated design" in solution.message


def test_starts_without_an_orbit_are_counted() -> None:
    """Beyond x = 1 there is no number, and half the way back six times is not enough from where most starts lie."""
    rows = Counted(lambda x: ((x[0] - 0.5) ** 2 + jnp.where(x[0] > 1.0, jnp.nan, 0.0), x[0]))
    toy = problem(variables((0, 1e4, 0.6)), ("f", "x"), (limit("x", "most", 2.0),))
    solution = solve(toy, rows, Settings(starts=4))
    lost = 4 - len(solution.starts)
    assert lost > 0 and f"{4 - lost} of 4 starts lead here; of 4 starts {lost} ha" in solution.message
    assert "no orbit that closes" in solution.message
