"""Optima of real satellites: against a grid, from many starts, and their prices against solving anew."""

from dataclasses import replace

import numpy as np
import pytest

from twin.composing import compose_design
from twin.design.judge import Judge
from twin.design.problem import Problem
from twin.design.program import margins_of
from twin.design.setup import build_setup
from twin.design.solution import Solution
from twin.design.solve import Settings, solve

pytestmark = pytest.mark.slow
ONE_SCENARIO = ["~design.scenarios.perihelion", "design.limits.dies.least=1.0"]
FIXED = ["~design.variables.radiator", "~design.variables.accelerator", "accelerator.count=56", "radiator.area_m2=145"]


def judged(*overrides: str) -> tuple[Problem, Judge]:
    setup = build_setup(compose_design(["experiment=lightest_continuous", *overrides]))
    return setup.problem, Judge(setup)


def solved(problem: Problem, judge: Judge, starts: int = 1) -> Solution:
    return solve(problem, judge, Settings(starts=starts, tolerance=1e-5, most_iterations=400))


def test_two_variables_end_where_a_fine_grid_has_its_best() -> None:
    problem, judge = judged(*ONE_SCENARIO, *FIXED)
    found = solved(problem, judge)
    assert found.status == "converged"
    around = found.design[:, None] * np.linspace(0.9, 1.1, 41)
    grid = np.stack(np.meshgrid(*around, indexing="ij"), axis=-1).reshape(-1, 2)
    values = judge.values(grid)
    margins = margins_of(problem).of(values)
    mass_kg = values[:, problem.rows.index(next(row for row in problem.rows if row.measure == "mass_kg"))]
    best_kg = mass_kg[np.all(margins >= 0.0, axis=1)].min()
    assert found.objective <= best_kg * (1.0 + 1e-6)
    assert best_kg == pytest.approx(found.objective, rel=5e-3)


def test_starts_of_six_variables_end_in_one_optimum_or_say_that_they_stopped() -> None:
    """Of those that creep along the kinks of two limits none is called an optimum."""
    more = [
        "+design.variables.accelerator.power_cap_w={low: 900.0, high: 1400.0}",
        "+design.variables.satellite.bus_face_area_m2={low: 5.0, high: 30.0}",
    ]
    problem, judge = judged(*ONE_SCENARIO, *more)
    relaxed = replace(problem, variables=tuple(replace(v, integer=False) for v in problem.variables))
    found = solved(relaxed, judge, starts=20)
    alike = [abs(start.objective / found.objective - 1.0) < 1e-4 and start.violation < 1e-4 for start in found.starts]
    assert np.mean(alike) >= 0.9
    assert alike == [start.status == "converged" for start in found.starts]


@pytest.mark.parametrize(("name", "share"), [("dies", 1e-2), ("power", 1e-2), ("recharge", 1e-3)])
def test_a_price_foretells_what_a_part_of_its_limit_is_worth(name: str, share: float) -> None:
    """Of recharge a thousandth: the fuller a battery the slower it fills; a whole point changes its price by half."""
    problem, judge = judged(*ONE_SCENARIO, "design.limits.dies.least=3.0")
    relaxed = replace(problem, variables=tuple(replace(v, integer=False) for v in problem.variables))
    found = solved(relaxed, judge)
    (k,) = (k for k, limit in enumerate(relaxed.limits) if limit.name == name)
    eased = share * relaxed.limits[k].bound
    limits = tuple(replace(limit, bound=limit.bound - eased * (n == k)) for n, limit in enumerate(relaxed.limits))
    anew = solved(replace(relaxed, limits=limits), judge)
    assert found.prices[k] > 0.0
    assert found.objective - anew.objective == pytest.approx(found.prices[k] * eased, rel=0.1)
