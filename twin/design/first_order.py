"""All starts at once downhill with an augmented Lagrangian, to find which optima there are.

The method of multipliers (Nocedal and Wright, Numerical Optimization, 2006, 17.3) with Adam (Kingma and Ba, 2015, in
Optax) for its steps. The starts are the batch of one evaluation, so that a device that evaluates many designs in the
time of one is used. It comes near; whoever wants the optimum goes on from there with second-order steps.
"""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import optax

from twin.design.descent import Descent, Settings, descend
from twin.design.program import Form, Look, Trials

RATE = 0.05  # of the bounds, first step
LAST_RATE = 0.05  # of the first
ROUND = 10  # steps between updates of the multipliers
WEIGHT, MOST_WEIGHT = 10.0, 1e4
NEAR = 0.02  # of the bounds: places that lead to the same optimum
AT_REST = 1e-2  # of the bounds, largest move in a round; and violation


class _Price(NamedTuple):
    """What violations cost each start."""

    multipliers: np.ndarray  # (start, constraint)
    weight: np.ndarray  # (start, 1)
    violation: np.ndarray  # (start,), when last updated


def approach(form: Form, trials: Trials, begin: np.ndarray, settings: Settings) -> tuple[np.ndarray, int]:
    """Places near an optimum, (start, variable), from places in 0-1 that have rows; and the steps to there."""
    look = trials.look(form, begin)
    points = np.column_stack([begin, look.worst])
    price = _free(points, look)
    adam = optax.adam(optax.cosine_decay_schedule(RATE, max(1, settings.most_iterations), LAST_RATE))
    downhill = jax.jit(adam.update)
    state, share, round_began, step = adam.init(points), np.ones((len(begin), 1)), begin, 0
    for step in range(1, settings.most_iterations + 1):
        moves, state = downhill(_gradient(points, look, price), state)
        tried = points + share * np.asarray(moves)
        tried[:, :-1] = np.clip(tried[:, :-1], 0.0, 1.0)
        found = trials.look(form, tried[:, :-1])
        share = np.where(found.known[:, None], share, 0.5 * share)
        points, look = _where(found.known, tried, points), Look(*map(partial(_where, found.known), found, look))
        if look.pieces.shape[1] == 1:
            points[:, -1] = look.worst
        if step % ROUND == 0:
            price = _updated(points, look, price)
            if np.abs(points[:, :-1] - round_began).max() < AT_REST and look.violation.max() < AT_REST:
                break
            round_began = points[:, :-1].copy()
    return points[:, :-1], step


def searched(form: Form, trials: Trials, begin: np.ndarray, settings: Settings) -> list[Descent]:
    """Where each start leads: the starts that come near each other share the end of one search by SLSQP."""
    near, steps = approach(form, trials, begin, settings)
    leaders: list[tuple[np.ndarray, Descent]] = []
    ends = []
    for place in near:
        end = next((end for leader, end in leaders if np.abs(leader - place).max() <= NEAR), None)
        if end is None:
            end = descend(form, trials, place, replace(settings, method="slsqp"))
            leaders.append((place, end))
            ends.append(end._replace(evaluations=steps + end.evaluations))
        else:
            ends.append(end._replace(evaluations=steps))
    return ends


def _where(chosen: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """New numbers of the chosen starts, old ones of the others."""
    return np.where(chosen.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def _free(points: np.ndarray, look: Look) -> _Price:
    """Violations cost nothing yet but their weight."""
    starts, constraints = _constraints(points, look).shape
    return _Price(np.zeros((starts, constraints)), np.full((starts, 1), WEIGHT), np.full(starts, np.inf))


def _constraints(points: np.ndarray, look: Look) -> np.ndarray:
    """Limits, and how far the last variable is above each piece, (start, constraint)."""
    return np.concatenate([look.limits, points[:, -1:] - look.pieces], axis=1)


def _gradient(points: np.ndarray, look: Look, price: _Price) -> np.ndarray:
    """Of the augmented Lagrangian, (start, variable and largest piece)."""
    force = np.maximum(0.0, price.multipliers - price.weight * _constraints(points, look))
    on_limits, on_pieces = np.split(force, [look.limits.shape[1]], axis=1)
    if on_pieces.shape[1] == 1:
        on_pieces = np.ones_like(on_pieces)
    by_place = np.einsum("sp,spv->sv", on_pieces, look.piece_slopes)
    by_place -= np.einsum("sl,slv->sv", on_limits, look.limit_slopes)
    return np.column_stack([by_place, 1.0 - on_pieces.sum(axis=1)])


def _updated(points: np.ndarray, look: Look, price: _Price) -> _Price:
    """Multipliers after a round; the weight doubles where the violation has not halved."""
    constraints = _constraints(points, look)
    violation = np.maximum(0.0, -constraints.min(axis=1))
    heavier = np.where(violation > 0.5 * price.violation, 2.0, 1.0)[:, None]
    multipliers = np.maximum(0.0, price.multipliers - price.weight * constraints)
    return _Price(multipliers, np.minimum(price.weight * heavier, MOST_WEIGHT), violation)
