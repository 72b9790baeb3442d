"""Which uncertain numbers make a row vary: first-order and total indices of its variance (Sobol' 2001, Saltelli 2010).

A first-order index is the part of the variance that knowing the number would take away; a total one, what would be left
if all others were known. Both need numbers that are independent.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from twin.design.uncertain import WHERE, Uncertain, at_probabilities
from twin.design.uncertainty_schema import Uncertainty
from twin.refusal import ConfigError

LEAST = 1e-12  # deviation over size of a row below which it does not vary


class Indices(NamedTuple):
    """Indices, (row, path), with the half widths of their confidence intervals.

    NaN of a row that does not vary, and of all where some of the samples have no rows: `without` is their part.
    """

    first: np.ndarray
    first_confidence: np.ndarray
    total: np.ndarray
    total_confidence: np.ndarray
    without: float


def check(given: Uncertainty) -> None:
    """ConfigError, before anything runs, where indices are asked for that cannot be found."""
    if given.correlated:
        raise ConfigError(
            f"{WHERE}.indices = true: needs independent numbers, and {WHERE}.correlated has some that are not; "
            "must be false, or correlated empty"
        )
    if given.samples & (given.samples - 1):
        raise ConfigError(f"{WHERE}.samples = {given.samples}: must be a power of two for {WHERE}.indices = true")
    _salib()


def indices(values: Callable[[np.ndarray], np.ndarray], uncertain: Sequence[Uncertain], given: Uncertainty) -> Indices:
    """Indices of rows, (sample, row), that `values` gives at samples, (sample, path): samples * (paths + 2) of them."""
    check(given)
    sampler, analyzer = _salib()
    paths = [number.path for number in uncertain]
    problem = {"num_vars": len(paths), "names": paths, "bounds": [[0.0, 1.0]] * len(paths)}
    points = sampler.sample(problem, given.samples, calc_second_order=False, seed=given.seed)
    rows = values(at_probabilities(uncertain, points))
    found = np.stack([_of(analyzer, problem, row, given) for row in rows.T], axis=1)
    return Indices(*found, without=float(np.mean(~np.isfinite(rows).all(axis=1))))


def _of(analyzer: Any, problem: dict[str, Any], row: np.ndarray, given: Uncertainty) -> np.ndarray:
    """Indices of one row, (4, path)."""
    if not np.isfinite(row).all() or row.std() <= LEAST * np.abs(row).max():
        return np.full((4, problem["num_vars"]), np.nan)
    options = {"calc_second_order": False, "conf_level": given.interval, "seed": given.seed}
    found = analyzer.analyze(problem, row, **options)
    return np.array([found[name] for name in ("S1", "S1_conf", "ST", "ST_conf")])


def _salib() -> tuple[Any, Any]:
    try:
        from SALib.analyze import sobol as analyzer
        from SALib.sample import sobol as sampler
    except ImportError:
        raise ConfigError(
            f"{WHERE}.indices = true: needs SALib; pip install 'orbital-datacenter-twin[uncertainty]'"
        ) from None
    return sampler, analyzer
