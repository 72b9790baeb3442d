"""What numbers do to an optimum: prices and slopes at one design against the problem solved anew at moved numbers."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from twin.design import elasticities
from twin.design.elasticities import Number
from twin.design.problem import Evaluation, Limit, Objective, Problem, Row, Variable
from twin.design.solution import Solution
from twin.design.solve import Settings, solve

NUMBERS = {"density": 4.0, "flux": 0.6, "load": 90.0, "drag": 0.3, "surroundings": 1.0}
OTHERS = (1.0, 1.1)  # surroundings of each scenario
NONE: dict[str, float] = {}
SETTINGS = Settings(tolerance=1e-10)
Numbers = dict[str, float]


def rows_of(design: np.ndarray, n: Numbers, other: float) -> np.ndarray:
    """Mass, heat that is left over and power of two areas, in a scenario whose surroundings are `other`."""
    radiator, array = design
    mass = n["density"] * radiator + 2.0 * array + n["drag"] * other * array**1.5 / 10.0
    heat = n["load"] - other * n["flux"] * radiator + 0.02 * array
    return np.array([mass, heat, 1.4 * array - 0.01 * other * array**1.2])


def by_differences(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """Slopes to about ten digits, by complex steps, (row, number)."""
    return np.stack([np.imag(function(at + 1e-30j * unit)) / 1e-30 for unit in np.eye(at.size)], axis=-1)


def whole(design: np.ndarray, n: Numbers) -> np.ndarray:
    """Rows of both scenarios, measure by measure."""
    return np.stack([rows_of(design, n, n["surroundings"] * other) for other in OTHERS], axis=1).ravel()


def evaluate(n: Numbers) -> Callable[[np.ndarray], Evaluation]:
    """Rows and slopes with these numbers."""

    def judge(designs: np.ndarray) -> Evaluation:
        values = np.stack([whole(design, n) for design in designs])
        slopes = np.stack([by_differences(lambda d: whole(d, n), design) for design in designs])
        return Evaluation(values, slopes)

    return judge


def problem(over: str = "mean", sense: str = "minimize", bounds: Numbers = NONE) -> Problem:
    measures, scenarios = ("mass_kg", "heat_w", "power_w"), ("cold", "hot")
    sign = 1.0 if sense == "minimize" else -1.0
    return Problem(
        name="toy",
        variables=(
            Variable("radiator.area_m2", "m2", 10.0, 500.0, 250.0),
            Variable("array.area_m2", "m2", bounds.get("low", 60.0), 400.0, 200.0),
        ),
        scenarios=scenarios,
        objective=Objective(sense, (("mass_kg", sign),), over, "kg"),  # type: ignore[arg-type]
        limits=(
            *(Limit("heat", Row("heat_w", s), "W", "most", bounds.get("heat", 5.0), 10.0) for s in scenarios),
            *(Limit("power", Row("power_w", s), "W", "least", bounds.get("power", 120.0), 100.0) for s in scenarios),
        ),
        rows=tuple(Row(measure, scenario) for measure in measures for scenario in scenarios),
    )


def solved(of: Problem, n: Numbers = NUMBERS) -> Solution:
    solution = solve(of, evaluate(n), SETTINGS)
    assert solution.status == "converged", solution.message
    return solution


def numbers_at(design: np.ndarray) -> list[Number]:
    names, values = list(NUMBERS), np.array([*NUMBERS.values()])
    slopes = by_differences(lambda v: whole(design, dict(zip(names, v, strict=True))), values)
    return [Number(name, "", np.full(len(slopes), NUMBERS[name]), slopes[:, k]) for k, name in enumerate(names)]


@pytest.mark.parametrize("over", ["mean", "worst", "hot"])
@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_slope_of_the_optimum_by_a_number_is_that_of_solving_anew(over: str, sense: str) -> None:
    of = problem(over, sense)
    here = solved(of)
    for row in elasticities.by_numbers(of, here, numbers_at(here.design)):
        step = 1e-3 * row.value
        ends = [solved(of, {**NUMBERS, row.path: row.value + side * step}).objective for side in (1.0, -1.0)]
        assert row.slope == pytest.approx((ends[0] - ends[1]) / (2.0 * step), rel=1e-4, abs=1e-7), row.path
        assert row.elasticity == pytest.approx(row.slope * row.value / here.objective)


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
@pytest.mark.parametrize(("key", "value", "path"), [
    ("heat", 5.0, "heat, cold"), ("power", 120.0, "power, hot"), ("low", 95.0, "array.area_m2, lower bound"),
])  # fmt: skip
def test_slope_of_the_optimum_by_a_bound_is_that_of_solving_anew(sense: str, key: str, value: float, path: str) -> None:
    own = {"low": 95.0} if key == "low" else {}
    of = problem(sense=sense, bounds=own)
    rows = {row.path: row for row in elasticities.by_limits(of, solved(of))}
    step = 1e-3 * value
    ends = [solved(problem("mean", sense, {**own, key: value + side * step})).objective for side in (1.0, -1.0)]
    assert rows[path].slope == pytest.approx((ends[0] - ends[1]) / (2.0 * step), rel=1e-4)
    assert rows[path].value == value


def test_variables_count_with_nothing_else_changed() -> None:
    of = problem()
    here = solved(of)
    radiator, array = elasticities.by_variables(of, here)
    assert radiator.slope == pytest.approx(NUMBERS["density"])
    assert array.slope == pytest.approx(2.0 + 1.05 * 0.3 * 0.15 * np.sqrt(here.design[1]))


def test_table_has_the_strongest_first_and_no_prices_where_no_design_is() -> None:
    of = problem()
    here = solved(of)
    table = elasticities.table(of, here, numbers_at(here.design))
    sizes = np.abs(np.array(table["elasticity"], float))
    assert (np.diff(sizes) <= 0.0).all() and {*table["of"]} == {"variable", "number", "limit"}
    none = elasticities.table(of, replace(here, status="infeasible"), numbers_at(here.design))
    assert {*none["of"]} == {"variable"}


@pytest.mark.parametrize("over", ["mean", "worst", "hot"])
def test_a_number_that_differs_by_scenario_counts_in_each_with_its_own_value(over: str) -> None:
    of = problem(over)
    here = solved(of)
    (together,) = (row for row in numbers_at(here.design) if row.path == "surroundings")
    own = np.tile(OTHERS, 3)
    (row,) = elasticities.by_numbers(of, here, [Number("other", "", own, together.slopes / own)])
    ends = [solved(of, {**NUMBERS, "surroundings": 1.0 + step}).objective for step in (1e-3, -1e-3)]
    assert row.elasticity == pytest.approx((ends[0] - ends[1]) / 2e-3 / here.objective, rel=1e-4)
    assert np.isnan(row.value)


def test_without_an_orbit_nothing_is_said_of_the_worst() -> None:
    of = problem("worst")
    none = solve(
        of,
        lambda designs: Evaluation(np.full((len(designs), 6), np.nan), np.full((len(designs), 6, 2), np.nan)),
        SETTINGS,
    )
    assert none.status == "stopped" and np.isnan(elasticities.table(of, none)["elasticity"]).all()
