"""Queues of many satellites in a frame: what those who arrive meet; queues that are alike are counted together."""

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
# Ratios within which queues count as alike: of servers, distances from load 1 and waits by chance; of how long a load
# has lasted; of waits for the work before, those beyond a second.
ALIKE, LASTING_ALIKE, BEHIND_ALIKE = 0.08, 0.5, 0.12
LEAST_QUEUES = 256  # of a compiled program


class Load(NamedTuple):
    """What satellites have to serve and to serve it with, (satellite,)."""

    accelerators: Floats
    load: Floats  # work that arrives over what can be done
    speed: Floats  # of service, over that when nothing holds a satellite back
    lasting_s: Floats  # how long the load has been what it is, or more


class Met(NamedTuple):
    """What those who arrive meet, (satellite,): wait by chance, time in service, time to read the prompt."""

    chance: Wait
    service_s: Floats
    prefill_s: Floats


def met(profile: Mapping[str, Any], now: Load, of_requests: tuple[float, ...]) -> Met:
    """What requests meet that have such mean tokens of prompt and output and such variation of arrival and service.

    A satellite that is held back serves as many at once as others, each the slower: its time passes more slowly.
    """
    own_s = now.lasting_s * now.speed
    away = np.sign(1.0 - now.load) * np.log1p(np.abs(1.0 - now.load) / LEAST_IDLE)
    which = _alike(np.log(np.maximum(now.accelerators, 1.0)) / ALIKE, away / ALIKE, np.log(own_s) / LASTING_ALIKE)
    queues = _means(which, np.ones(which.size), np.maximum(now.accelerators, 1.0), now.load, own_s)
    found = _of_alike(dict(profile), _padded(queues), of_requests)
    share, *times_s = (np.asarray(values)[which] for values in found)
    mean_s, service_s, prefill_s = (time_s / now.speed for time_s in times_s)
    return Met(Wait(share, mean_s), service_s, prefill_s)  # type: ignore[arg-type]


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
def _of_alike(profile: dict[str, Any], queues: Array, of_requests: tuple[float, ...]) -> tuple[Array, ...]:
    """Share that waits by chance, its mean wait, time in service and for the prompt, (queue,)."""
    accelerators, load, lasting_s = queues
    prompt, output, arrival_scv, service_scv, *_ = of_requests
    service = registry.call(serving.service, profile, load, prompt, output)
    slots = accelerators * service.slots_per_accelerator
    queue = Queue(load, slots, service.full_service_s, arrival_scv, service_scv, 0.0, 0.0, lasting_s)
    prefill_s = jnp.broadcast_to(service.prefill_s, load.shape)
    return *queueing.chance_wait(queue), service.service_s, prefill_s


@jax.jit
def _longer(queues: Array) -> Array:
    """Share that waits longer than each threshold, (threshold, queue)."""
    share, mean_s, least_s, most_s = queues
    return queueing.longer_than(jnp.asarray(THRESHOLDS_S), Wait(share, mean_s), least_s, most_s)
