"""Whole numbers: what is built in steps, and what the steps cost."""

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import Counted, limit, problem, variables

from twin.design.problem import Evaluate, Problem
from twin.design.solve import Settings, solve

BEST_ANY, BEST_WHOLE = 5885.3327736, 6059.714335  # of the pressure vessel


def vessel(integer: tuple[int, ...]) -> tuple[Problem, Evaluate]:
    """The pressure vessel: thicknesses in sixteenths of an inch, radius and length in inches, cost.

    Yang, Huyck, Karamanoglu and Khan, True Global Optimality of the Pressure Vessel Design Problem, Int. J.
    Bio-Inspired Computation 5, 2013, which proves the optimum with whole thicknesses; the other follows from active
    limits.
    """

    def rows(x):
        shell, head, radius, length = 0.0625 * x[0], 0.0625 * x[1], x[2], x[3]
        cost = 0.6224 * shell * radius * length + 1.7781 * head * radius**2
        cost += 3.1661 * shell**2 * length + 19.84 * shell**2 * radius
        volume = jnp.pi * radius**2 * length + 4.0 / 3.0 * jnp.pi * radius**3
        return cost, shell - 0.0193 * radius, head - 0.00954 * radius, volume

    limits = (limit("shell", "least", 0.0), limit("head", "least", 0.0), limit("volume", "least", 1296000.0, 1e6))
    chosen = variables((1, 99, 20), (1, 99, 12), (10, 200, 60), (10, 200, 120), integer=integer)
    return problem(chosen, ("cost", "shell", "head", "volume"), limits), Counted(rows)


def test_the_pressure_vessel_without_steps() -> None:
    solution = solve(*vessel(()), Settings())
    assert solution.status == "converged" and solution.objective == pytest.approx(BEST_ANY, rel=1e-6)
    np.testing.assert_allclose(
        solution.design * [0.0625, 0.0625, 1, 1], [0.7781686, 0.3846492, 40.3196, 200], rtol=1e-5
    )


def test_the_pressure_vessel_in_steps_costs_what_is_published() -> None:
    solution = solve(*vessel((0, 1)), Settings())
    assert solution.status == "converged" and solution.objective == pytest.approx(BEST_WHOLE, rel=1e-6)
    np.testing.assert_allclose(solution.design, [13, 7, 42.0984456, 176.6365958], rtol=1e-6)
    assert (solution.margins > -1e-3).all()
    assert "rounded x0 12.4507 -> 13, x1 6.15439 -> 7: +3 % of cost" in solution.message


def test_many_whole_numbers_are_rounded_one_after_the_other() -> None:
    """Seven numbers nearest to 3.3 that add up to 24.5 or more: four fours and three threes."""
    rows = Counted(lambda x: (1.0 + jnp.sum((x - 3.3) ** 2), jnp.sum(x)))
    toy = problem(variables(*[(0, 9, 5)] * 7, integer=range(7)), ("f", "sum"), (limit("sum", "least", 24.5),))
    solution = solve(toy, rows, Settings())
    assert sorted(solution.design) == [3, 3, 3, 4, 4, 4, 4]
    assert solution.objective == pytest.approx(1.0 + 3 * 0.09 + 4 * 0.49)


def test_a_whole_number_that_is_one_already_costs_nothing() -> None:
    toy = problem(variables((0, 9, 5), integer=(0,)), ("f",))
    solution = solve(toy, Counted(lambda x: (1.0 + (x[0] - 4) ** 2,)), Settings())
    assert solution.design[0] == 4.0 and solution.objective == pytest.approx(1.0)


def test_whole_numbers_that_hold_no_limit_are_told() -> None:
    """Between 2.3 and 2.6 there is no whole number."""
    limits = (limit("x", "least", 2.3), limit("same", "most", 2.6))
    toy = problem(variables((0, 9, 5), integer=(0,)), ("f", "x", "same"), limits)
    solution = solve(toy, Counted(lambda x: (x[0] ** 2, x[0], x[0])), Settings())
    assert solution.status == "stopped" and "no whole numbers next to the optimum hold all limits" in solution.message
