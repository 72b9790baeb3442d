"""Uncertainty carried to the rows of a design by their slopes: exact where rows are linear in the uncertain numbers.

First-order second-moment method (JCGM 100:2008, Guide to the Expression of Uncertainty in Measurement, section 5).
"""

from typing import NamedTuple

import numpy as np


class Propagated(NamedTuple):
    """Rows as their slopes have them."""

    mean: np.ndarray  # (row,)
    sigma: np.ndarray  # (row,)
    correlation: np.ndarray  # (row, row), NaN with a row that does not vary
    shares: np.ndarray  # (row, path) of the variance, summing to 1; one of a correlated number may be below 0


def propagated(values: np.ndarray, slopes: np.ndarray, covariance: np.ndarray) -> Propagated:
    """Rows at the means (row,), with slopes (row, path) there, of numbers of a covariance (path, path)."""
    each = slopes @ covariance
    spread = each @ slopes.T
    sigma = np.sqrt(np.diag(spread))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = spread / np.outer(sigma, sigma)
        shares = each * slopes / np.square(sigma)[:, None]
    return Propagated(values, sigma, correlation, shares)
