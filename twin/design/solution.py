"""What a solver found: the design, what limits it, and what each limit costs."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Status = Literal["converged", "infeasible", "stopped"]


class Start(NamedTuple):
    """Where one of several starts led."""

    first: np.ndarray  # (variable,)
    last: np.ndarray  # (variable,)
    objective: float
    violation: float  # largest, in scales of the limits; 0 where all hold
    evaluations: int
    status: Status


@dataclass(frozen=True)
class Solution:
    """The best design found; arrays in SI units, in the order of the problem's variables, rows and limits."""

    design: np.ndarray  # (variable,)
    values: np.ndarray  # (row,)
    slopes: np.ndarray  # (row, variable)
    objective: float
    margins: np.ndarray  # (limit,), 0 or more where the limit holds
    prices: (
        np.ndarray
    )  # (limit,), 0 or more: by how much a unit more of room would better the objective; NaN if infeasible
    bound_prices: np.ndarray  # (variable,): the same for the bounds, above 0 at the upper, below 0 at the lower one
    kkt_residual: (
        float  # of the scaled problem: largest of the Lagrangian's gradient and of multipliers times distances
    )
    tolerance: float  # of that residual where it converged, and of the limits in their scales
    status: Status
    message: str  # one sentence: converged, or why not
    iterations: int
    evaluations: int  # of rows with slopes
    wall_s: float
    starts: tuple[Start, ...]
