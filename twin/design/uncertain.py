"""Numbers that are not known for sure: what they may turn out to be, and evenly spread samples of that.

Samples are points in (0, 1), made normal, correlated (Gaussian copula: Nelsen, An Introduction to Copulas, 2006), made
probabilities again, and values by the inverse of each distribution function.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.stats import qmc

from twin.design.problem import Variable
from twin.design.setup import Setup
from twin.design.spots import Held, Numbers, Spot, found
from twin.design.uncertainty_schema import Distribution, Uncertainty
from twin.refusal import ConfigError, nearest

WHERE = "design.uncertainty"
TAIL = 1e-9  # probability beyond which nothing is drawn, on each side
NODES = 40  # of the quadrature of a covariance, in each direction


class Uncertain(NamedTuple):
    """A number that is not known for sure; where its spot is a factor, its values are multiples."""

    spot: Spot
    distribution: Any  # of scipy.stats, frozen

    @property
    def path(self) -> str:
        """Where it lies."""
        return self.spot.path

    @property
    def ends(self) -> tuple[float, float]:
        """Between which values it is drawn."""
        low, high = self.distribution.ppf([TAIL, 1.0 - TAIL])
        return float(low), float(high)


def of_setup(setup: Setup) -> tuple[Uncertain, ...]:
    """The uncertain numbers of a problem; ConfigError for one that may leave what is allowed."""
    given = setup.design.uncertainty
    if given is None:
        return ()
    variables = {variable.path: variable for variable in setup.problem.variables}
    scaled = {path for variable in setup.problem.variables for path in variable.scales}
    numbers = [_uncertain(path, own, setup.known, path in variables) for path, own in given.parameters.items()]
    for number in numbers:
        if (curve := number.path.rpartition(".")[0]) in given.parameters:
            raise ConfigError(f"{_at(number.path)}: {curve} is uncertain as a whole; must be left out, or the curve")
        if number.path in scaled and not number.spot.factor:
            raise ConfigError(f"{_at(number.path)}: goes with a variable of the design, so that it must be relative")
        _check_range(number, setup.numbers, variables.get(number.path))
    return tuple(numbers)


def _at(path: str) -> str:
    return f"{WHERE}.parameters.{path}"


def _uncertain(path: str, given: Distribution, known: Mapping[str, Held], chosen: bool) -> Uncertain:
    (first, *others) = found(f"{WHERE}.parameters", path, known)
    if others and not given.relative:
        raise ConfigError(f"{_at(path)}: is a curve, so that its distribution must be relative")
    if chosen and not given.relative:
        raise ConfigError(f"{_at(path)}: is a variable of the design, so that its distribution must be relative")
    whole = first._replace(path=path, positions=()) if others else first
    return Uncertain(whole._replace(factor=given.relative), frozen(given))


def frozen(given: Distribution) -> Any:
    """The distribution as SciPy has it."""
    match given.distribution:
        case "uniform":
            return stats.uniform(given.low, given.high - given.low)
        case "triangular":
            width = given.high - given.low
            return stats.triang((given.likely - given.low) / width, given.low, width)
        case "normal":
            return stats.norm(given.mean, given.sigma)
        case "lognormal":
            return stats.lognorm(given.sigma_log, scale=given.median)
        case "truncated":
            ends = ((end - given.mean) / given.sigma for end in (given.low, given.high))
            return stats.truncnorm(*ends, given.mean, given.sigma)


def _check_range(number: Uncertain, numbers: Sequence[Numbers], variable: Variable | None) -> None:
    """ConfigError for a number whose distribution reaches beyond what the quantity may be."""
    quantity = number.spot.quantity
    for base in _bases(number.spot, numbers, variable):
        for end in number.ends:
            if not quantity.accepts(base * end):
                tails = "" if np.isfinite(number.distribution.support()).all() else "; try truncated, with low and high"
                raise ConfigError(
                    f"{_at(number.path)}: its distribution reaches {base * end:.4g}; must be {quantity.allowed}{tails}"
                )


def _bases(spot: Spot, numbers: Sequence[Numbers], variable: Variable | None) -> Iterator[float]:
    """What the values of a distribution are multiplied by."""
    if not spot.factor:
        yield 1.0
    elif variable is not None:
        yield from (variable.low, variable.high)
    else:
        for scenario in numbers:
            yield from np.ravel(spot._replace(factor=False).of(scenario)).tolist()


def correlations(given: Uncertainty) -> np.ndarray:
    """Correlation of the normal numbers behind each two, (path, path); ConfigError for what cannot be one."""
    paths = list(given.parameters)
    matrix = np.eye(len(paths))
    for number, group in enumerate(given.correlated):
        where = f"{WHERE}.correlated.{number}"
        for path in group.paths:
            if path not in paths:
                raise ConfigError(f"{where}: {path}: is not among {WHERE}.parameters{nearest(path, paths)}")
        for one, other in combinations((paths.index(path) for path in group.paths), 2):
            if one == other or matrix[one, other]:
                raise ConfigError(f"{where}: {paths[one]} and {paths[other]} are the same or correlated twice")
            matrix[one, other] = matrix[other, one] = group.correlation
    least = float(np.linalg.eigvalsh(matrix)[0])
    if not least > 1e-12:
        raise ConfigError(
            f"{WHERE}.correlated: no numbers can be correlated like this together (least eigenvalue {least:.2g}; "
            "must be above 0); make correlations smaller, or give those between all of the numbers"
        )
    return matrix


def samples(uncertain: Sequence[Uncertain], given: Uncertainty, count: int | None = None) -> np.ndarray:
    """Values of the uncertain numbers, (sample, path): `count` of them, or as many as are configured."""
    points = _points(given, len(uncertain), count or given.samples)
    normal = stats.norm.ppf(np.clip(points, TAIL, 1.0 - TAIL)) @ np.linalg.cholesky(correlations(given)).T
    return at_probabilities(uncertain, stats.norm.cdf(normal))


def at_probabilities(uncertain: Sequence[Uncertain], points: np.ndarray) -> np.ndarray:
    """Values of each number below which it lies with these probabilities, (sample, path)."""
    points = np.clip(points, TAIL, 1.0 - TAIL)
    columns = zip(uncertain, points.T, strict=True)
    return np.stack([number.distribution.ppf(column) for number, column in columns], axis=1)


def _points(given: Uncertainty, dimensions: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(given.seed)
    if given.method == "random":
        return rng.random((count, dimensions))
    if given.method == "latin_hypercube":
        return qmc.LatinHypercube(dimensions, rng=rng).random(count)
    return qmc.Sobol(dimensions, rng=rng).random(count)


def means(uncertain: Sequence[Uncertain]) -> np.ndarray:
    """Mean of each number, (path,)."""
    return np.array([float(number.distribution.mean()) for number in uncertain])


def covariance(uncertain: Sequence[Uncertain], given: Uncertainty) -> np.ndarray:
    """Covariance of the values of each two numbers, (path, path)."""
    correlation = correlations(given)
    matrix = np.diag([float(number.distribution.var()) for number in uncertain])
    for one, other in combinations(range(len(uncertain)), 2):
        if correlation[one, other]:
            pair = uncertain[one].distribution, uncertain[other].distribution
            matrix[one, other] = matrix[other, one] = _covariance(*pair, correlation[one, other])
    return matrix


def _covariance(one: Any, other: Any, correlation: float) -> float:
    """Covariance of two numbers whose normal numbers are correlated, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    first, second = np.meshgrid(nodes, nodes, indexing="ij")
    together = correlation * first + np.sqrt(1.0 - correlation**2) * second
    values = [
        number.ppf(np.clip(stats.norm.cdf(normal), 1e-16, 1.0 - 1e-16))
        for number, normal in ((one, first), (other, together))
    ]
    deviations = [value - number.mean() for value, number in zip(values, (one, other), strict=True)]
    return float(reduce(np.multiply, (*deviations, np.outer(weights, weights))).sum())
