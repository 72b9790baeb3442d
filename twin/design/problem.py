"""What is to be designed: variables in their bounds, an objective and limits over the measures of some scenarios.

A design is judged by rows: measures of a scenario, in SI units. Objective and limits are functions of the rows alone,
so that whoever solves a problem needs nothing but an `Evaluate`: rows and their slopes at some designs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Variable:
    """A number that is chosen: where it lies, its unit and bounds, and its value before."""

    path: str  # as in "radiator.area_m2"; a value of a curve has its number behind it: "workload.schedule.3"
    unit: str
    low: float
    high: float
    first: float
    integer: bool = False
    scales: tuple[str, ...] = ()  # numbers that keep their proportion to it


class Row(NamedTuple):
    """A measure of a scenario."""

    measure: str
    scenario: str


@dataclass(frozen=True)
class Limit:
    """A bound of a measure in one scenario; several scenarios are several limits."""

    name: str
    row: Row
    unit: str
    kind: Literal["least", "most"]
    bound: float
    scale: float  # typical size of the measure, by which its distance is divided


@dataclass(frozen=True)
class Objective:
    """A weighted sum of measures, over the scenarios their mean, their worst, or that of a single one."""

    sense: Literal["minimize", "maximize"]
    terms: tuple[tuple[str, float], ...]  # measure, weight
    over: str  # "mean", "worst", or the name of a scenario
    unit: str


@dataclass(frozen=True)
class Problem:
    """A whole problem of design."""

    name: str
    variables: tuple[Variable, ...]
    scenarios: tuple[str, ...]
    objective: Objective
    limits: tuple[Limit, ...]
    rows: tuple[Row, ...]  # all that objective, limits and report ask for

    @property
    def low(self) -> np.ndarray:
        """Lower bounds, (variable,)."""
        return np.array([variable.low for variable in self.variables])

    @property
    def high(self) -> np.ndarray:
        """Upper bounds, (variable,)."""
        return np.array([variable.high for variable in self.variables])

    @property
    def first(self) -> np.ndarray:
        """Values before, (variable,)."""
        return np.array([variable.first for variable in self.variables])


class Evaluation(NamedTuple):
    """Rows of some designs and their slopes by each variable, float64, in SI units; NaN where a design has none."""

    values: np.ndarray  # (design, row)
    slopes: np.ndarray  # (design, row, variable)


# Rows and slopes of designs (design, variable), in the units of the variables.
Evaluate = Callable[[np.ndarray], Evaluation]
