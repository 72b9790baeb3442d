"""What holds a design where it is: multipliers of its limits and bounds, and how near it is to being optimal.

The conditions of Karush, Kuhn and Tucker (Nocedal and Wright, Numerical Optimization, 2006, 12.3) are solved for the
multipliers as non-negative least squares: the Lagrangian's gradient and each multiplier times its distance are to be 0.
Limits that depend on each other have no single multipliers; the least squares take as few of them as suffice.

Orbits are computed in steps: where a battery is full, or a load is shed, in another step than before, slopes jump. An
optimum at such a kink has slopes on its sides of which a mean fulfils the conditions, none alone (Burke, Lewis and
Overton, SIAM J. Optim. 15, 2005).
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from twin.design.program import Look

ACTIVE = 1e-4  # distance, scaled, below which a limit with a multiplier is said to hold the design
NOTHING = 1e-9  # of the largest multiplier, or of the objective: noise


class Kkt(NamedTuple):
    """Multipliers of a scaled form at one place; all 0 or more."""

    pieces: np.ndarray  # (piece,), their sum is 1 at an optimum
    limits: np.ndarray  # (limit,)
    lower: np.ndarray  # (variable,)
    upper: np.ndarray
    residual: float  # the largest of the Lagrangian's gradient and of multiplier times distance

    def holding(self, place: np.ndarray, look: Look) -> "Kkt":
        """Multipliers of what the design is held by, 0 for what is further away."""
        near = [np.abs(distance) < ACTIVE for distance in (look.limits[0], place, 1.0 - place)]
        limits, lower, upper = (np.where(*each, 0.0) for each in zip(near, self[1:4], strict=True))
        return self._replace(limits=limits, lower=lower, upper=upper)


def kkt(place: np.ndarray, look: Look) -> Kkt:
    """Multipliers at a place in 0-1, (variable,), from what the form is worth there.

    Slopes of further designs in the look, after the first, are those of other sides of a kink.
    """
    pieces, limits = look.pieces[0], look.limits[0]
    sides, sizes = len(look.pieces), (len(pieces), len(limits), place.size, place.size)
    own = np.tile(pieces.max() - pieces, sides), np.tile(limits, sides), place, 1.0 - place
    distances, eye = np.concatenate(own), np.eye(place.size)
    by_side = [part.reshape(-1, place.size) for part in (-look.piece_slopes, look.limit_slopes)]
    slopes = np.concatenate([*by_side, eye, -eye])  # (multiplier, variable)
    whole = (np.arange(distances.size) < own[0].size).astype(float)  # the multipliers of the pieces add up to 1
    matrix = np.vstack([slopes.T, whole, np.diag(distances)])
    target = np.concatenate([np.zeros(place.size), [1.0], np.zeros(distances.size)])
    multipliers = _solved(matrix, target, single=own[0].size == 1)
    multipliers[multipliers < NOTHING * max(1.0, multipliers.max())] = 0.0
    residual = np.abs(matrix @ multipliers - target).max()
    on_pieces, on_limits, *on_bounds = np.split(multipliers, np.cumsum([part.size for part in own])[:-1])
    totals = (part.reshape(sides, size).sum(axis=0) for part, size in zip((on_pieces, on_limits), sizes, strict=False))
    return Kkt(*totals, *on_bounds, residual=float(residual))


def _solved(matrix: np.ndarray, target: np.ndarray, single: bool) -> np.ndarray:
    """Non-negative least squares; the multiplier of a single piece is 1."""
    if not single:
        return nnls(matrix, target, maxiter=100 * matrix.shape[1])[0]
    rest = nnls(matrix[:, 1:], target - matrix[:, 0], maxiter=100 * matrix.shape[1])[0]
    return np.concatenate([[1.0], rest])
