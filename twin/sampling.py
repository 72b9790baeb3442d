"""The error of simulating windows of a longer time, estimated from the windows themselves.

Every second window alone, and every third, would have given the same figures with a larger error; from how much these
interleaved samples differ follows the standard error of their mean (replicated systematic sampling: Wolter,
Introduction to Variance Estimation, 2nd ed., 2007, chapters 2 and 8). The larger of the two is stated. It does not see
an error that all windows share, such as that of a long step.
"""

from collections.abc import Iterable, Mapping, Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array

from twin.prepare import Cohort
from twin.rollout import Carry, flat
from twin.servicing import grown
from twin.structure import CohortStructure, Structure

INTERLEAVED = (2, 3)  # samples among which the windows are dealt out
Marks = dict[str, dict[str, Array]]
# Powers of what grows evenly that the figures are: capacity is lost to the calendar as the root of its square.
POWERS = {"battery_calendar_loss": 0.5}


def marks(structure: Structure, cohorts: Mapping[str, Cohort], carry: Carry) -> Marks:
    """What has added up so far by the names of the figures, sums over each cohort's satellites, ()."""
    return {c.name: _of_cohort(c, cohorts[c.name], carry) for c in structure.cohorts}


def _of_cohort(cohort: CohortStructure, prepared: Cohort, carry: Carry) -> dict[str, Array]:
    totals = carry.totals[cohort.name]
    slow, health = grown(cohort, prepared.shared, carry.slow[cohort.name], carry.servicing.get(cohort.name))
    figures = {
        "delivered": totals["delivered_flop"],
        "sunlit": totals["sunlit_s"],
        "battery_cycle_loss": slow.battery_cycle_loss,
        "battery_calendar_loss": slow.battery_calendar_square,
        "array_loss": -health,
        "dose": slow.dose_gy,
        "propellant_used": -slow.propellant_kg,
    }
    return {name: jnp.sum(flat(leaf, cohort.satellites)) for name, leaf in figures.items()}


def errors(history: Sequence[Marks], cohorts: Iterable[str], weight: float) -> dict[str, float]:
    """Relative standard error of each figure, as sampling_error_<figure>; none without a history, NaN of nothing.

    `history` holds the marks before the first window and after each; a window stands for `weight` times its length.
    """
    if not history:
        return {}
    names = [*cohorts]
    found = {}
    for figure in history[0][names[0]]:
        marks = np.array([sum(float(mark[name][figure]) for name in names) for mark in history])
        windows = np.diff(marks)
        mean = np.abs(windows.mean())
        error = max(_standard_error(windows, samples) for samples in INTERLEAVED) * np.sqrt(1.0 - 1.0 / weight)
        found[f"sampling_error_{figure}"] = POWERS.get(figure, 1.0) * error / mean if mean > 0.0 else np.nan
    return found


def _standard_error(windows: np.ndarray, samples: int) -> float:
    """Standard error of the mean of the windows from the means of so many interleaved samples of them."""
    means = [windows[first::samples].mean() for first in range(samples)]
    return float(np.std(means, ddof=1) / np.sqrt(samples))
