"""Slopes of shipped problems by every number that they vary, against differences where chips throttle and starve."""

import numpy as np
import pytest

from twin.composing import compose_design
from twin.design.judge import Judge
from twin.design.setup import build_setup

pytestmark = pytest.mark.slow
STUDIES = ("lightest_continuous", "lightest_shedding", "compute_per_tonne", "cheapest_altitude")
STEP = 1e-7  # of the range of a number: kinks, where a load is shed a step later, lie as near as 1e-6
NOTHING = 1e-5  # of a row: over a whole range it changes by no more, and its slope is rounding


@pytest.mark.parametrize("study", STUDIES)
def test_slopes_of_a_study_equal_differences(study: str) -> None:
    setup = build_setup(compose_design([f"experiment={study}"]))
    problem, judge = setup.problem, Judge(setup)
    span = problem.high - problem.low
    generic = 1.0 + 0.01 * np.random.default_rng(0).uniform(size=span.size)
    design = np.clip(problem.first * generic, problem.low + 0.01 * span, problem.high - 0.01 * span)
    shifts = STEP * np.diag(span)
    (values,), (slopes,) = judge(design[None])
    if study.startswith("lightest"):
        throttled = problem.rows.index(next(r for r in problem.rows if r.measure == "overheat_upper_margin_k"))
        starved = problem.rows.index(next(r for r in problem.rows if r.measure == "power_margin_w"))
        assert values[throttled] < 0.0 and values[starved] < 0.0
    above, below = judge.values(design + shifts), judge.values(design - shifts)
    differences = ((above - below) / (2.0 * STEP)).T
    exact = slopes * span
    size = np.abs(differences).max(axis=1, keepdims=True)
    told = np.isfinite(values)
    assert np.all(np.isfinite(exact[told]))
    nothing = NOTHING * (1.0 + np.abs(values[:, None]))
    assert np.all((np.abs(exact - differences) <= 1e-3 * size + nothing)[told])
    limited = [problem.rows.index(limit.row) for limit in problem.limits]
    aimed = [k for k, row in enumerate(problem.rows) if row.measure in dict(problem.objective.terms)]
    assert np.all(np.any(exact[limited + aimed] != 0.0, axis=0))
