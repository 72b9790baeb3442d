"""Queues of many satellites, frame by frame: slots that are taken, and what those who arrive meet.

Queues that are alike are counted together.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernels import queueing, registry, serving
from kernels.queueing import THRESHOLDS_S, Queue, Wait

Floats = np.ndarray

LEAST_IDLE = 1e-3
# Ratios within which queues count as alike: of servers, distances from full and waits by chance; of how long that
# has lasted; of waits for the work before, those beyond a second.
ALIKE, LASTING_ALIKE, BEHIND_ALIKE = 0.08, 0.5, 0.12
LEAST_QUEUES = 256  # of a compiled program
SAME = 0.98  # part of what was busy before from which on a queue counts as busy as before, or more


class Slots(NamedTuple):
    """Slots of satellites at the start of a frame, (satellite,)."""

    taken: Array  # requests there over the slots; those above 1 wait
    busy: Array  # mean part that was busy in the frame before
    lasting_s: Array  # how long it has been so busy, or more


class Offered(NamedTuple):
    """What comes to satellites in each frame, (frame, satellite), but for the time in service, (frame,)."""

    asked: Array  # work that arrives over what all accelerators could do
    speed: Array  # of service, over that when nothing holds a satellite back
    most_waiting: Array  # work that may wait at the end, over what all could do
    service_s: Array  # every slot being busy


@jax.jit
def followed(first: Slots, offered: Offered, length_s: float) -> tuple[Slots, Slots]:
    """Slots after the last frame, and after each one, (frame, satellite).

    No more wait than the account of work says: slots that were free have taken up some of that. While requests wait,
    only the times in service of those that are served are unknown: chance is as old as these.
    """

    def frame(slots: Slots, now: Offered) -> tuple[Slots, Slots]:
        taken, busy = queueing.taken_after(slots.taken, now.asked, now.speed, length_s / now.service_s)
        taken = jnp.minimum(taken, 1.0 + now.most_waiting / now.service_s)
        lasting_s = jnp.where(slots.busy >= SAME * busy, slots.lasting_s, 0.0) + length_s
        of_one_s = now.service_s / jnp.maximum(now.speed, queueing.SLOWEST)
        young_s = jnp.minimum(lasting_s, jnp.maximum(of_one_s, length_s))
        slots = Slots(taken, busy, jnp.where(slots.taken > 1.0, young_s, lasting_s))
        return slots, slots

    return jax.lax.scan(frame, first, offered)


class Load(NamedTuple):
    """What satellites have to serve and to serve it with, (satellite,)."""

    accelerators: Floats
    busy: Floats  # part of the slots that is
    speed: Floats  # of service, over that when nothing holds a satellite back
    lasting_s: Floats  # how long that many have been busy, or more


class Meeting(NamedTuple):
    """Means over the requests of a frame; squared coefficients of variation as those of `twin.structure.Arrivals`."""

    prompt_tokens: float
    output_tokens: float
    arrival_scv: float
    service_scv: float
    prompt_scv: float


class Met(NamedTuple):
    """What those who arrive meet, (satellite,): wait by chance; times in service, to read the prompt, for a token."""

    chance: Wait
    service_s: Floats
    prefill_s: Floats
    output_token_s: Floats


def met(profile: Mapping[str, Any], now: Load, of_requests: Meeting) -> Met:
    """What such requests meet.

    A satellite that is held back serves as many at once as others, each the slower: its time passes more slowly.
    """
    own_s = now.lasting_s * now.speed
    away = np.log1p((1.0 - now.busy) / LEAST_IDLE)
    which = _alike(np.log(np.maximum(now.accelerators, 1.0)) / ALIKE, away / ALIKE, np.log(own_s) / LASTING_ALIKE)
    queues = _means(which, np.ones(which.size), np.maximum(now.accelerators, 1.0), now.busy, own_s)
    found = _of_alike(dict(profile), _padded(queues), of_requests)
    share, *times_s = (np.asarray(values)[which] for values in found)
    mean_s, *others_s = (time_s / now.speed for time_s in times_s)
    return Met(Wait(share, mean_s), *others_s)  # type: ignore[arg-type]


def waiting_longer(arrived: Floats, chance: Wait, behind_s: Floats) -> Floats:
    """Share of all that arrive that wait longer than each of THRESHOLDS_S.

    Of each satellite: how many arrive, (satellite,), their wait by chance, and for the work before them at the start
    and at the end, (2, satellite).
    """
    share, mean_s = map(np.asarray, chance)
    free = ~(behind_s > 0.0).any(axis=0)
    which = _alike(*np.log1p(behind_s) / BEHIND_ALIKE, np.where(free, np.log(np.maximum(mean_s, 1e-9)) / ALIKE, 0.0))
    weight = np.bincount(which, weights=arrived)
    queues = _means(which, arrived, share, mean_s, *np.sort(behind_s, axis=0))
    longer = np.asarray(_longer(_padded(queues)))[:, : weight.size]
    return longer @ weight / max(weight.sum(), 1e-300)


def _alike(*levels: Floats) -> np.ndarray:
    """Number of the kind of each queue, from levels that are rounded."""
    whole = [np.round(level).astype(np.int64) for level in levels]
    from_zero = [level - level.min() for level in whole]
    keys = np.ravel_multi_index(from_zero, [int(level.max()) + 1 for level in from_zero])
    return np.unique(keys, return_inverse=True)[1].ravel()


def _means(which: np.ndarray, weights: Floats, *values: Floats) -> Floats:
    """Means over the queues of each kind, (value, kind)."""
    weights = np.maximum(weights, 1e-300)
    whole = np.bincount(which, weights=weights)
    return np.stack([np.bincount(which, weights=weights * value) / whole for value in values])


def _padded(queues: Floats) -> Floats:
    """Queues in a number that is a power of two, so that few programs serve all; the last one is repeated."""
    count = max(1 << (queues.shape[1] - 1).bit_length(), LEAST_QUEUES)
    return np.concatenate([queues, np.repeat(queues[:, -1:], count - queues.shape[1], axis=1)], axis=1)


@jax.jit
def _of_alike(profile: dict[str, Any], queues: Array, of: Meeting) -> tuple[Array, ...]:
    """Share that waits by chance, its mean wait, times in service, for the prompt and for a token, (queue,)."""
    accelerators, busy, lasting_s = queues
    service = registry.call(serving.service, profile, busy, of.prompt_tokens, of.output_tokens)
    slots = accelerators * service.slots_per_accelerator
    queue = Queue(busy, slots, service.full_service_s, of.arrival_scv, of.service_scv, lasting_s)
    prefill_s = jnp.broadcast_to(service.prefill_s, busy.shape)
    return *queueing.chance_wait(queue), service.service_s, prefill_s, service.output_token_s


@jax.jit
def _longer(queues: Array) -> Array:
    """Share that waits longer than each threshold, (threshold, queue)."""
    share, mean_s, least_s, most_s = queues
    return queueing.longer_than(jnp.asarray(THRESHOLDS_S), Wait(share, mean_s), least_s, most_s)
