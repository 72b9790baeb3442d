"""How long the work that waits at satellites delays what arrives, from what they are able to do frame by frame."""

from typing import Literal

import numpy as np

from kernels.queueing import LONGEST_WAIT_S

Floats = np.ndarray

QUIET = 1e-5  # part of the work of a frame up to which waiting work is rounding


def delays(able_flops: Floats, assigned_flops: Floats, backlog_flop: Floats, length_s: float) -> tuple[Floats, Floats]:
    """Where each frame changes, (frame, satellite), and waits by the work before, (4, frame, satellite).

    Waits are those of arrivals at the start, just before and after the change, and at the end of a frame, first come
    first served. Work assigned has as many frames as there are answers, what waits an edge more; `able_flops` goes on.
    A frame in which a satellite is able to do more than in one neighbour and less than in the other is half way
    between light and dark: it does what it did before, or all that arrives, then what it does after.
    """
    count, whole = len(assigned_flops), np.zeros_like(able_flops[:1])
    before, after = np.concatenate([able_flops[:1], able_flops[:-1]]), np.concatenate([able_flops[1:], able_flops[-1:]])
    free = backlog_flop[:-1] <= 0.0
    before[:count] = np.where(free, np.minimum(before[:count], assigned_flops), before[:count])
    change = (able_flops - after) / np.where(before == after, 1.0, before - after)
    split = (change > 0.0) & (change < 1.0) & (before != after)
    change = np.where(split, change, 1.0)
    first = np.where(split, before, able_flops) * change * length_s
    pieces = np.stack([first, able_flops * length_s - first], axis=1).reshape(2 * len(able_flops), -1)
    work = np.concatenate([whole, np.cumsum(np.maximum(pieces, 0.0), axis=0)])
    starts_s = length_s * np.arange(len(able_flops))[:, None]
    edges_s = np.stack([np.broadcast_to(starts_s, change.shape), starts_s + change * length_s], axis=1)
    edges_s = np.concatenate([edges_s.reshape(pieces.shape), whole + length_s * len(able_flops)])
    inside = np.maximum(backlog_flop[:-1] + assigned_flops * change[:count] * length_s - first[:count], 0.0)
    inside = np.where(free & (inside < QUIET * assigned_flops * length_s), 0.0, inside)
    starts, changes, ends = slice(0, 2 * count, 2), slice(1, 2 * count, 2), slice(2, 2 * count + 1, 2)
    found = (
        _until_s(work, edges_s, starts, backlog_flop[:-1], "right") - edges_s[starts],
        _until_s(work, edges_s, changes, inside, "left") - edges_s[changes],
        _until_s(work, edges_s, changes, inside, "right") - edges_s[changes],
        _until_s(work, edges_s, ends, backlog_flop[1:], "left") - edges_s[ends],
    )
    return change[:count], np.stack(found)


def _until_s(work: Floats, edges_s: Floats, at: slice, waiting: Floats, side: Literal["left", "right"]) -> Floats:
    """When what waits at some edges has been done; with `side` right when any work after it is begun.

    `work` is done by `edges_s`, (edge, satellite), and on at the mean rate of all. At most LONGEST_WAIT_S later.
    """
    scale = np.where(work[-1] > 0.0, work[-1], 1.0)
    place = 2.0 * np.arange(work.shape[1])  # keeps satellites apart in one sorted row
    done, wanted = (work / scale + place).T.ravel(), (work[at] + waiting) / scale + place
    sooner = np.minimum(wanted, place + 1.5).T
    first = len(work) * np.arange(work.shape[1])[:, None]
    found = np.searchsorted(done, sooner.ravel(), side).reshape(sooner.shape) - first
    after = np.clip(found, 1, len(work) - 1)
    low, high = done[first + after - 1], done[first + after]
    part = np.where(found > after, 1.0, np.clip((sooner - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0))
    times_s = edges_s.T.ravel()
    begin_s = times_s[first + after - 1]
    until_s = (begin_s + part * (times_s[first + after] - begin_s)).T
    until_s += edges_s[-1] * np.maximum(wanted - place - 1.0, 0.0)
    return np.clip(np.where(work[-1] > 0.0, until_s, np.inf), edges_s[at], edges_s[at] + LONGEST_WAIT_S)
