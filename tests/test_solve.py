"""The solvers on problems whose optimum, multipliers and other optima are known."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import Counted, limit, problem, quadratic, variables
from scipy.optimize import minimize

from twin.design.problem import Evaluate, Problem
from twin.design.program import Affine
from twin.design.solve import Settings, solve

METHODS = [Settings("slsqp"), Settings("trust_constr"), Settings("augmented_lagrangian", starts=3)]
every_method = pytest.mark.parametrize("settings", METHODS, ids=lambda settings: settings.method)


@pytest.fixture(scope="module")
def rosen_suzuki() -> tuple[Problem, Evaluate]:
    """Problem 43 of Hock and Schittkowski, Test Examples for Nonlinear Programming, 1981: -44 at (0, 1, 2, -1)."""

    def rows(x):
        a, b, c, d = x
        squares = a**2 + b**2 + c**2 + d**2
        return (
            squares + c**2 - 5 * a - 5 * b - 21 * c + 7 * d,
            squares + a - b + c - d,
            squares + b**2 + d**2 - a - d,
            squares + a**2 - d**2 + 2 * a - b - d,
        )

    limits = (limit("g1", "most", 8.0, 8.0), limit("g2", "most", 10.0, 10.0), limit("g3", "most", 5.0, 5.0))
    return problem(variables(*[(-5.0, 5.0, 0.5)] * 4), ("f", "g1", "g2", "g3"), limits), Counted(rows)


@pytest.fixture(scope="module")
def hills() -> tuple[Problem, Evaluate]:
    """A bent valley like Rosenbrock's with two ends, the left one 0.2 lower."""
    rows = Counted(lambda x: (1.0 + (x[0] ** 2 - 1) ** 2 + 0.1 * x[0] + 20 * (x[1] - x[0] ** 2) ** 2,))
    return problem(variables((-2.0, 2.0, 1.5), (-1.0, 3.0, 0.0)), ("height",)), rows


@every_method
def test_a_quadratic_with_linear_limits_has_the_prices_found_by_hand(settings: Settings) -> None:
    solution = solve(*quadratic(), settings)
    assert solution.status == "converged" and solution.kkt_residual <= settings.tolerance
    np.testing.assert_allclose(solution.design, [1.5, 1.5], atol=1e-4)
    np.testing.assert_allclose(solution.prices, [1.0, 2.0, 0.0], atol=2e-4)
    np.testing.assert_allclose(solution.margins, [0.0, 0.0, 6.5], atol=1e-4)
    np.testing.assert_allclose(solution.bound_prices, 0.0, atol=1e-6)
    assert "held by sum and first" in solution.message


@every_method
def test_the_rosen_suzuki_problem_ends_where_the_book_says(rosen_suzuki, settings: Settings) -> None:
    solution = solve(*rosen_suzuki, settings)
    assert solution.status == "converged"
    assert solution.objective == pytest.approx(-44.0, abs=1e-3)
    np.testing.assert_allclose(solution.design, [0.0, 1.0, 2.0, -1.0], atol=1e-3)
    np.testing.assert_allclose(solution.prices, [1.0, 0.0, 2.0], atol=1e-3)


def test_multipliers_are_those_of_slsqp(rosen_suzuki) -> None:
    pytest.importorskip("scipy", minversion="1.16")  # which returns them
    toy, evaluate = rosen_suzuki
    bounds = np.array([limit.bound for limit in toy.limits])
    found = minimize(
        lambda x: evaluate(x[None]).values[0, 0],
        toy.first,
        jac=lambda x: evaluate(x[None]).slopes[0, 0],
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda x: bounds - evaluate(x[None]).values[0, 1:],
            "jac": lambda x: -evaluate(x[None]).slopes[0, 1:],
        },
        options={"ftol": 1e-12},
    )
    np.testing.assert_allclose(solve(toy, evaluate, Settings()).prices, found.multipliers, atol=1e-4)


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_a_price_is_what_a_little_more_room_is_worth(sense: str) -> None:
    """Moved by 1 % and solved again, for limits of both kinds, a bound and either sense."""
    sign = 1.0 if sense == "minimize" else -1.0
    rows = Counted(lambda x: (sign * (jnp.exp(x[0]) + x[1] ** 2 + 4 / x[2]), x[0] + x[1], x[2] * x[1] ** 2))
    limits = (limit("sum", "least", 3.0), limit("product", "most", 4.0, 5.0))
    toy = problem(variables((0.5, 3.0, 2.0), (0.1, 4.0, 2.0), (0.1, 3.0, 1.0)), ("f", "sum", "product"), limits, sense)
    solution = solve(toy, rows, Settings())
    assert solution.status == "converged" and (solution.prices > 0.05).all()
    for place, loosened in enumerate((replace(limits[0], bound=2.97), replace(limits[1], bound=4.04))):
        again = replace(toy, limits=tuple(loosened if at == place else each for at, each in enumerate(limits)))
        better = sign * (solution.objective - solve(again, rows, Settings()).objective)
        assert better == pytest.approx(solution.prices[place] * abs(loosened.bound - limits[place].bound), rel=0.1)


def test_a_bound_has_a_price_of_the_sign_of_its_side() -> None:
    toy = problem(variables((1.0, 5.0, 2.0), (0.0, 4.0, 2.0)), ("f",))
    solution = solve(toy, Counted(lambda x: (3.0 * x[0] - 2.0 * x[1],)), Settings())
    np.testing.assert_allclose(solution.bound_prices, [-3.0, 2.0])
    assert "x0 at its lower bound and x1 at its upper bound" in solution.message


def test_limits_that_say_the_same_share_one_price() -> None:
    toy, evaluate = quadratic()
    twice = replace(toy, limits=(*toy.limits, replace(toy.limits[0], name="again")))
    solution = solve(twice, evaluate, Settings())
    assert solution.status == "converged"
    assert solution.prices[0] + solution.prices[3] == pytest.approx(1.0) and (solution.prices >= 0.0).all()


@pytest.mark.parametrize(
    "settings", [*METHODS[:2], pytest.param(METHODS[2], marks=pytest.mark.slow)], ids=lambda settings: settings.method
)
def test_the_worst_scenario_is_met_at_its_kink(settings: Settings) -> None:
    """max((x-2)^2 + y^2, (x+2)^2 + y^2 + 1) is least where both are equal: x = -1/8, y = 0 (by hand)."""
    rows = Counted(lambda x: ((x[0] - 2) ** 2 + x[1] ** 2, (x[0] + 2) ** 2 + x[1] ** 2 + 1))
    toy = problem(variables((-5, 5, 3), (-5, 5, 4)), ("f",), over="worst", scenarios=("left", "right"))
    solution = solve(toy, rows, settings)
    assert solution.status == "converged"
    np.testing.assert_allclose(solution.design, [-0.125, 0.0], atol=1e-4)
    assert solution.objective == pytest.approx((2.125) ** 2, abs=1e-4)


def test_worst_mean_and_one_scenario_of_what_is_maximised() -> None:
    """Of 4 - (x-1)^2 and 2 - (x+1)^2: the worst is best at -1/2, the mean at 0, the first alone at 1."""
    rows = Counted(lambda x: (4 - (x[0] - 1) ** 2, 2 - (x[0] + 1) ** 2))
    best = {"worst": (-0.5, 1.75), "mean": (0.0, 2.0), "left": (1.0, 4.0)}
    for over, (place, value) in best.items():
        toy = problem(variables((-3, 3, 2)), ("f",), sense="maximize", over=over, scenarios=("left", "right"))
        solution = solve(toy, rows, Settings())
        assert solution.design[0] == pytest.approx(place, abs=1e-5) and solution.objective == pytest.approx(value)


@pytest.mark.parametrize("method", ["slsqp", "augmented_lagrangian"])
def test_several_optima_are_told_apart_and_the_best_wins(hills, method) -> None:
    solution = solve(*hills, Settings(method, starts=8, seed=1))
    ends = {round(float(start.last[0])) for start in solution.starts}
    assert ends == {-1, 1} and len(solution.starts) == 8
    assert solution.status == "converged" and round(solution.design[0]) == -1
    assert solution.objective == pytest.approx(min(start.objective for start in solution.starts), rel=1e-12)
    here = sum(start.last[0] < 0 for start in solution.starts)
    assert f"{here} of 8 starts lead here; another optimum, 22 % worse, at x0 0.98" in solution.message


def test_all_starts_are_one_batch_until_they_are_near(hills) -> None:
    toy, evaluate = hills
    sizes = []

    def sized(designs):
        sizes.append(len(designs))
        return evaluate(designs)

    solve(toy, sized, Settings("augmented_lagrangian", starts=8, seed=1))
    alone = sizes.index(1)
    assert set(sizes[:alone]) == {8} and set(sizes[alone:]) == {1}


def test_a_search_is_the_same_twice(hills) -> None:
    one, two = (solve(*hills, Settings("augmented_lagrangian", starts=4, seed=3)) for _ in range(2))
    assert one.design.tobytes() == two.design.tobytes() and one.evaluations == two.evaluations


def test_an_optimum_of_two_variables_is_that_of_brute_force() -> None:
    rows = Counted(lambda x: (jnp.sin(3 * x[0]) + (x[0] - x[1]) ** 2 + 0.2 * x[1], x[0] * x[1]))
    toy = problem(variables((-2, 2, 0), (-2, 2, 0)), ("f", "product"), (limit("product", "least", 0.5),))
    axis = np.linspace(-2, 2, 401)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    f, product = rows(grid).values.T
    best = np.argmin(np.where(product >= 0.5, f, np.inf))
    solution = solve(toy, rows, Settings(starts=8))
    assert solution.objective <= f[best] and solution.objective == pytest.approx(f[best], abs=2e-3)
    np.testing.assert_allclose(solution.design, grid[best], atol=0.02)


@pytest.mark.parametrize("method", ["slsqp", "trust_constr", "augmented_lagrangian"])
def test_designs_without_an_orbit_are_stepped_back_from(method) -> None:
    """Beyond x + y = 3 there is no number; the optimum at (1, 1) is reached from the other corner all the same."""
    rows = Counted(lambda x: ((x[0] - 1) ** 2 + 5 * (x[1] - 1) ** 2 + jnp.where(x[0] + x[1] > 3, jnp.nan, 0.0),))
    toy = problem(variables((-20, 4, -19), (-20, 4, -19)), ("f",))
    solution = solve(toy, rows, Settings(method, starts=4))
    assert solution.status == "converged" and len(solution.starts) == 4
    np.testing.assert_allclose(solution.design, [1.0, 1.0], atol=1e-2)


@pytest.mark.parametrize("method", ["slsqp", "trust_constr"])
def test_a_search_that_ends_where_orbits_no_longer_close_says_so(method) -> None:
    rows = Counted(lambda x: (jnp.where(x[0] < 0.3, jnp.nan, x[0] + (x[1] - 1) ** 2),))
    solution = solve(problem(variables((0, 1, 0.9), (0, 2, 0.1)), ("f",)), rows, Settings(method))
    assert solution.status == "stopped" and 0.3 <= solution.design[0] < 0.31
    assert (
        np.isfinite(solution.values).all()
        and "of the designs tried there have no orbit that closes" in solution.message
    )


def test_no_orbit_at_all_is_an_answer() -> None:
    toy = problem(variables((0, 1, 0.5)), ("f",), (limit("f", "most", 1.0),))
    solution = solve(toy, Counted(lambda x: (x[0] + jnp.nan,)), Settings(starts=3))
    assert solution.status == "stopped" and "no orbit closes at any start" in solution.message


def test_a_row_that_nothing_reads_may_be_missing() -> None:
    toy = problem(variables((0, 1, 0.5)), ("f", "other"))
    solution = solve(toy, Counted(lambda x: ((x[0] - 0.2) ** 2 + 1, jnp.nan * x[0])), Settings())
    assert solution.status == "converged" and np.isnan(solution.values[1])


def test_a_row_without_a_number_spoils_what_reads_it_alone() -> None:
    sums = Affine(np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]), np.array([0.0, 1.0]))
    np.testing.assert_array_equal(
        sums.of(np.array([[np.nan, 1.0, 2.0], [1.0, 1.0, np.inf]])), [[np.nan, 7], [3, np.inf]]
    )
    slopes = np.array([[np.nan, 1.0], [1.0, 1.0], [2.0, 4.0]])
    np.testing.assert_array_equal(sums.slopes(slopes), [[np.nan, 3.0], [6.0, 12.0]])


def test_out_of_iterations_is_said(hills) -> None:
    solution = solve(*hills, Settings(most_iterations=2))
    assert solution.status == "stopped" and solution.message.startswith("Stopped after the most iterations")


def test_whoever_watches_sees_each_evaluation_and_a_best_that_never_gets_worse() -> None:
    seen = []
    toy, evaluate = quadratic()
    solution = solve(toy, evaluate, Settings(starts=2), watch=lambda *told: seen.append(told))
    counts, objectives, violations = zip(*seen, strict=True)
    assert counts == tuple(range(1, solution.evaluations + 1)) and len(evaluate.designs) == solution.evaluations
    ranks = list(zip(violations, objectives, strict=True))
    assert ranks == sorted(ranks, reverse=True)
    assert objectives[-1] == pytest.approx(solution.objective)
