"""How far the rows of a design spread over samples of what is not known, and how often its limits break."""

from typing import Any

import numpy as np
from scipy import stats

from twin.design.problem import Problem
from twin.design.program import margins_of
from twin.design.propagation import Propagated
from twin.design.uncertain import Uncertain
from twin.design.variance import Indices
from twin.tables import Table

APART = 0.1  # standard deviations by which slopes and samples may differ in mean or deviation and still count as alike
ROUNDING = 1e-6  # of the mean: by so much two ways to find the same orbit may differ


def rows(problem: Problem, values: np.ndarray, interval: float, linear: Propagated) -> Table:
    """Of each row, over samples (sample, row): mean, deviation, quantiles; beside them, what the slopes say.

    Samples without a value are left out, and `without` is their part.
    """
    told = np.isfinite(values).all(axis=1)
    known = values[told] if told.any() else np.full((1, values.shape[1]), np.nan)
    mean = known.mean(axis=0)
    sigma = known.std(axis=0, ddof=1) if len(known) > 1 else np.full_like(mean, np.nan)
    ends = np.quantile(known, [0.5 - 0.5 * interval, 0.5, 0.5 + 0.5 * interval], axis=0)
    apart = np.maximum(np.abs(mean - linear.mean), np.abs(sigma - linear.sigma))
    return {
        "measure": [row.measure for row in problem.rows],
        "scenario": [row.scenario for row in problem.rows],
        "mean": mean.tolist(),
        "sigma": sigma.tolist(),
        "low": ends[0].tolist(),
        "median": ends[1].tolist(),
        "high": ends[2].tolist(),
        "mean_by_slopes": linear.mean.tolist(),
        "sigma_by_slopes": linear.sigma.tolist(),
        "linear": (apart <= APART * np.maximum(sigma, linear.sigma) + ROUNDING * np.abs(mean)).tolist(),
        "without": [float(np.mean(~told))] * len(problem.rows),
    }


def limits(problem: Problem, values: np.ndarray, interval: float) -> Table:
    """Of each limit, the part of samples (sample, row) that break it, with its standard error and Wilson's interval.

    A sample without a value breaks all limits.
    """
    told = np.isfinite(values).all(axis=1, keepdims=True)
    broken, count = np.sum(~(told & (margins_of(problem).of(values) >= 0.0)), axis=0), len(values)
    share = broken / count
    ends = [stats.binomtest(int(k), count).proportion_ci(interval, method="wilson") for k in broken]
    return {
        "limit": [limit.name for limit in problem.limits],
        "scenario": [limit.row.scenario for limit in problem.limits],
        "measure": [limit.row.measure for limit in problem.limits],
        "unit": [limit.unit for limit in problem.limits],
        "kind": [limit.kind for limit in problem.limits],
        "bound": [limit.bound for limit in problem.limits],
        "broken": share.tolist(),
        "standard_error": np.sqrt(share * (1.0 - share) / count).tolist(),
        "broken_low": [float(end.low) for end in ends],
        "broken_high": [float(end.high) for end in ends],
    }


def causes(
    problem: Problem, uncertain: tuple[Uncertain, ...], linear: Propagated, found: Indices | None = None
) -> Table:
    """Of each row and number, its part of the variance: by slopes, and by indices where they were asked for.

    `without` is the part of the samples without rows, for which there are no indices.
    """
    paths = [number.path for number in uncertain]
    table: dict[str, Any] = {
        "measure": [row.measure for row in problem.rows for _ in paths],
        "scenario": [row.scenario for row in problem.rows for _ in paths],
        "path": paths * len(problem.rows),
        "share_by_slopes": linear.shares.ravel().tolist(),
    }
    if found is not None:
        shape = found.first.shape
        table |= {name: np.broadcast_to(part, shape).ravel().tolist() for name, part in found._asdict().items()}
    return table


def correlations(problem: Problem, linear: Propagated) -> Table:
    """How each two rows go together, by slopes: a row of the table and a column for each."""
    return {
        "measure": [row.measure for row in problem.rows],
        "scenario": [row.scenario for row in problem.rows],
        **dict(zip(_names(problem), linear.correlation.T.tolist(), strict=True)),
    }


def members(problem: Problem, uncertain: tuple[Uncertain, ...], samples: np.ndarray, values: np.ndarray) -> Table:
    """Every sample as a row: its numbers, multiples where they are relative, and the rows."""
    numbers = dict(zip((number.path for number in uncertain), samples.T.tolist(), strict=True))
    return numbers | dict(zip(_names(problem), values.T.tolist(), strict=True))


def _names(problem: Problem) -> list[str]:
    return [f"{row.measure}.{row.scenario}" for row in problem.rows]
