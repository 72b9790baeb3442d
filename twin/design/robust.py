"""A design that is good in spite of what is not known: each row stands for all samples, a little to its bad side.

The samples are the same for every design, so that rows are functions of the design, with slopes by the chain rule.
"""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from twin.design.problem import Evaluate, Evaluation, Problem, Row
from twin.design.schema import Front
from twin.design.uncertainty_schema import Robust
from twin.refusal import ConfigError


def robust(
    evaluate: Evaluate, problem: Problem, samples: np.ndarray, given: Robust, front: Front | None = None
) -> Evaluate:
    """Rows of designs over samples (sample, path) as the statistic has them: an `Evaluate` again.

    `evaluate` is given designs with a sample behind, (design, variable + path), and gives slopes by the variables. A
    row has no value where one of the samples has none. The second measure of a `front` has its bad side too.
    ConfigError for a row that is bad on both sides.
    """
    sides = bad_sides(problem, front)
    statistic = {"mean_plus_sigma": _mean_plus_sigma, "quantile": _quantile}[given.statistic]
    number = given.k if given.probability is None else given.probability

    def evaluated(designs: np.ndarray) -> Evaluation:
        designs = np.atleast_2d(designs)
        count, own = len(designs), len(samples)
        numbers = np.concatenate([np.repeat(designs, own, axis=0), np.tile(samples, (count, 1))], axis=1)
        values, slopes = (leaf.reshape(count, own, *leaf.shape[1:]) for leaf in evaluate(numbers))
        return statistic(values, slopes, sides, float(number or 0.0))

    return evaluated


def bad_sides(problem: Problem, front: Front | None = None) -> np.ndarray:
    """Of each row, (row,): 1 where more is worse, -1 where less is, 0 where nothing depends on it."""
    sides = np.zeros(len(problem.rows))
    for row, side in _sides(problem, front):
        place = problem.rows.index(row)
        if sides[place] == -side:
            raise ConfigError(
                f"design.robust: {row.measure} in {row.scenario} is wanted to be both large and small; "
                "a robust design can have only one side of a measure"
            )
        sides[place] = side
    return sides


def _sides(problem: Problem, front: Front | None) -> Iterator[tuple[Row, float]]:
    """Rows that matter, and to which side each is bad."""
    for limit in problem.limits:
        yield limit.row, _beyond(limit.kind)
    for row in problem.rows if front else ():
        if front and row.measure == front.measure and front.over in ("worst", row.scenario):
            yield row, _beyond(front.kind)
    sense = 1.0 if problem.objective.sense == "minimize" else -1.0
    weights = dict(problem.objective.terms)
    for row in problem.rows:
        if weights.get(row.measure) and problem.objective.over in ("mean", "worst", row.scenario):
            yield row, sense * float(np.sign(weights[row.measure]))


def _beyond(kind: str) -> float:
    """The side of a bound on which it is broken."""
    return 1.0 if kind == "most" else -1.0


def _mean_plus_sigma(values: np.ndarray, slopes: np.ndarray, sides: np.ndarray, k: float) -> Evaluation:
    """Mean and so many standard deviations to the bad side, of values (design, sample, row)."""
    mean, mean_slope = values.mean(axis=1), slopes.mean(axis=1)
    off = values - mean[:, None]
    free = values.shape[1] - 1
    sigma = np.sqrt(np.square(off).sum(axis=1) / free)
    by = (off[..., None] * slopes).sum(axis=1) / free
    sigma_slope = by / np.where(sigma > 0.0, sigma, np.inf)[..., None]
    away = k * sides
    return Evaluation(mean + away * sigma, mean_slope + away[:, None] * sigma_slope)


def _quantile(values: np.ndarray, slopes: np.ndarray, sides: np.ndarray, probability: float) -> Evaluation:
    """Quantile to the bad side as a weighted mean of all values in their order (Harrell and Davis 1982).

    Rows on which nothing depends have their mean.
    """
    order = np.argsort(values, axis=1)
    count = values.shape[1]
    upper = harrell_davis(count, probability)
    weights = np.stack([{1.0: upper, -1.0: upper[::-1]}.get(side, np.full(count, 1.0 / count)) for side in sides], -1)
    sorted_values = np.take_along_axis(values, order, axis=1)
    sorted_slopes = np.take_along_axis(slopes, order[..., None], axis=1)
    return Evaluation((weights * sorted_values).sum(axis=1), (weights[..., None] * sorted_slopes).sum(axis=1))


def harrell_davis(count: int, probability: float) -> np.ndarray:
    """Weights of values in their order, (count,), in the estimate of a quantile."""
    beta = stats.beta((count + 1) * probability, (count + 1) * (1.0 - probability))
    return np.diff(beta.cdf(np.linspace(0.0, 1.0, count + 1)))
