"""What is asked of a problem whose numbers are not known for sure: tables of a design, and a robust way to judge it."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from twin.design import propagation, spread, uncertain, variance
from twin.design.judge import Judge
from twin.design.members import Members
from twin.design.problem import Evaluate, Problem
from twin.design.robust import bad_sides, robust
from twin.design.setup import Setup
from twin.design.uncertain import Uncertain
from twin.design.uncertainty_schema import Uncertainty
from twin.tables import Table


class Doubt(NamedTuple):
    """A problem with its uncertain numbers, and what gives rows at them.

    `values` gives rows (design, sample, row) of designs (design, variable) at samples (sample, path); `evaluate` rows
    and slopes by the uncertain numbers of designs with a sample behind, (design, variable + path).
    """

    problem: Problem
    numbers: tuple[Uncertain, ...]
    given: Uncertainty
    values: Callable[[np.ndarray, np.ndarray], np.ndarray]
    evaluate: Evaluate


def of_setup(setup: Setup) -> Doubt | None:
    """What is uncertain of a problem, if anything; ConfigError, before anything runs, for what is refused."""
    given = setup.design.uncertainty
    if given is None:
        return None
    numbers = uncertain.of_setup(setup)
    uncertain.correlations(given)
    if given.indices:
        variance.check(given)
    if setup.design.robust is not None:
        bad_sides(setup.problem, setup.design.pareto)
    spots, own = [number.spot for number in numbers], len(setup.spots)
    by = range(own, own + len(spots))
    return Doubt(setup.problem, numbers, given, Members(setup, spots), Judge(setup, spots, by))


def judge_of(setup: Setup) -> Evaluate:
    """What judges designs of a problem: as they are, or robustly where it asks for that."""
    own, given = setup.design.robust, setup.design.uncertainty
    if own is None or given is None:
        return Judge(setup)
    numbers = uncertain.of_setup(setup)
    samples = uncertain.samples(numbers, given, own.samples)
    return robust(Judge(setup, [number.spot for number in numbers]), setup.problem, samples, own, setup.design.pareto)


def asked(doubt: Doubt, design: np.ndarray) -> dict[str, Table]:
    """Tables of a design, (variable,): its rows, limits, causes, and all samples with their rows."""
    problem, numbers, given = doubt.problem, doubt.numbers, doubt.given
    samples = uncertain.samples(numbers, given)
    values = doubt.values(design[None], samples)[0]
    middle = doubt.evaluate(np.concatenate([design, uncertain.means(numbers)])[None])
    linear = propagation.propagated(middle.values[0], middle.slopes[0], uncertain.covariance(numbers, given))
    alone = partial(_alone, doubt, design)
    found = variance.indices(alone, numbers, given) if given.indices else None
    return {
        "uncertainty": spread.rows(problem, values, given.interval, linear),
        "uncertainty_limits": spread.limits(problem, values, given.interval),
        "uncertainty_causes": spread.causes(problem, numbers, linear, found),
        "uncertainty_correlations": spread.correlations(problem, linear),
        "uncertainty_samples": spread.members(problem, numbers, samples, values),
    }


def _alone(doubt: Doubt, design: np.ndarray, samples: np.ndarray) -> np.ndarray:
    return doubt.values(design[None], samples)[0]
