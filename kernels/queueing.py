"""How long requests wait for a slot: many servers, one queue, followed through time.

Two waits add up. Requests that found every server busy stand before the next one: how many there are follows from what
has arrived, as a fluid (`taken_after`; Newell 1982, Applications of Queueing Theory, chapter 2). Arrivals that bunch by
chance wait besides, where servers are almost all busy: a share of them, Erlang's, exponentially long (Whitt 1993,
Production and Operations Management 2, 114).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import gammaincc, gammaln, ndtri

from kernels import safe_math as sm
from kernels.quantity import Scalar

LONGEST_WAIT_S = 1.0e6  # where nothing is served, and at most: waits are told up to here
THRESHOLDS_S = np.concatenate([[0.0], np.geomspace(1e-3, LONGEST_WAIT_S, 91)])  # of a table of shares, ten a decade
SHORTEST_S = 1e-9  # that counts as a wait
LEAST_SHARE = 1e-12  # below which no request waits so long
LEAST_SERVERS = 1e-6
SLOWEST = 1e-6  # speed of service that counts as none
DRAWS = 256
FAR_BEYOND = 4.0  # standard deviations of the number in service above which every server is busy
SETTLING = (
    9.0 * np.pi / 8.0
)  # a queue at load 1 is on average over its first t as long as sqrt(t / SETTLING) deviations


class Queue(NamedTuple):
    """A queue in an interval, arrays of one shape or scalars.

    `load` is the work that arrives over what `servers` can do; `arrival_scv` and `service_scv` are squared coefficients
    of variation of the times between arrivals and of the times in service. `interval_s` is how long that lasts: a load
    near 1 would take longer to fill the queue.
    """

    load: Scalar
    servers: Scalar
    service_s: Scalar
    arrival_scv: Scalar
    service_scv: Scalar
    interval_s: Scalar


class Wait(NamedTuple):
    """Wait by chance: the share of arrivals that has one, and its mean among these. [1, s]"""

    share: Array
    mean_s: Array


def erlang_b(servers: Scalar, load: Scalar) -> Array:
    """Probability that all of `servers` are busy where nobody waits; for any real number of servers, float64.

    Poisson's density over its sum, written with the deviation from load 1 so that a million servers lose no digits.
    """
    load = jnp.clip(load, 1e-9, 1.0 + FAR_BEYOND / jnp.sqrt(servers))
    density = servers * (1.0 - load + jnp.log(load)) + servers * (jnp.log(servers) - 1.0) - gammaln(servers + 1.0)
    return jnp.exp(density) / gammaincc(servers + 1.0, servers * load)


def _correction(load: Array, idle: Array, servers: Array, arrival_scv: Array, service_scv: Array) -> Array:
    """Mean wait over that of Allen and Cunneen, which many servers make wrong: Whitt 1993, equations 2.16 to 2.25."""
    mean_scv = 0.5 * (arrival_scv + service_scv)
    roots = (servers - 1.0) * (jnp.sqrt(4.0 + 5.0 * servers) - 2.0) / (16.0 * servers)
    gamma = jnp.clip(idle * roots / load, 0.0, 0.24)
    regular_service = 1.0 + gamma
    regular_arrivals = (1.0 - 4.0 * gamma) * jnp.exp(-2.0 * idle / (3.0 * load))
    both = jnp.minimum(0.5 * (regular_service + regular_arrivals), 1.0) ** (2.0 * jnp.maximum(1.0 - mean_scv, 0.0))
    steadier = jnp.maximum(arrival_scv - service_scv, 0.0)  # in service than in arrival
    burstier = jnp.maximum(service_scv - arrival_scv, 0.0)
    of_service = sm.ratio(4.0 * steadier, 4.0 * steadier + service_scv)
    of_arrivals = sm.ratio(burstier, 4.0 * mean_scv)
    return both + of_service * (regular_service - both) + of_arrivals * (regular_arrivals - both)


def chance_wait(queue: Queue) -> Wait:
    """Wait by chance: exact for M/M/c, an approximation for others; smooth across load 1.

    Arrivals in bunches act as if there were fewer servers (Hayward, in Fredericks 1980, BSTJ 59, 807). From load 1 on,
    and just below, the queue is as long as it grows within the interval.
    """
    servers = jnp.maximum(queue.servers, LEAST_SERVERS)
    load = jnp.maximum(queue.load, 1e-9)
    arrival_scv, service_scv = jnp.asarray(queue.arrival_scv), jnp.asarray(queue.service_scv)
    unrest_s = (arrival_scv + service_scv) * queue.service_s / servers
    idle, grown = 1.0 - load, 0.25 * SETTLING * unrest_s / queue.interval_s
    width = sm.sqrt(idle**2 + grown)
    peakedness = jnp.maximum(1.0 + (arrival_scv - 1.0) / (1.0 + service_scv), 0.1)
    blocked = erlang_b(servers / peakedness, load)
    spare = jnp.maximum(0.5 * (idle + width), 0.0)  # a smooth maximum of idle and 0
    share = blocked / (blocked + spare * (1.0 - blocked))
    mean_s = 0.5 * unrest_s / width * _correction(load, spare, servers, arrival_scv, service_scv)
    return Wait(jnp.minimum(share, 1.0), jnp.minimum(mean_s, LONGEST_WAIT_S))


def taken_after(taken: Array, asked: Array, speed: Array, services: Scalar) -> tuple[Array, Array]:
    """Requests at the servers and before them, over the number of servers, after `services` times in service.

    Also the mean part of the servers that is busy meanwhile. `asked` arrive in a time in service, over the number of
    servers; those in service leave at `speed`, 1 where nothing holds them back, as if their times were exponential.
    Exact for steady `asked` and `speed`: towards a balance below 1, in proportion to time above.
    """
    speed = jnp.maximum(speed, SLOWEST)
    balance = asked / speed
    filling, full = balance > 1.0, taken > 1.0
    gap = jnp.where(filling & ~full, (balance - taken) / jnp.where(filling, balance - 1.0, 1.0), 1.0)
    until_full = jnp.where(filling, jnp.log(gap) / speed, jnp.inf)
    until_free = jnp.where(filling, jnp.inf, (taken - 1.0) / jnp.where(filling, 1.0, jnp.maximum(speed - asked, 1e-12)))
    first = jnp.clip(jnp.where(full, until_free, until_full), 0.0, services)
    decayed = balance + (taken - balance) * jnp.exp(-speed * first)
    between = jnp.where(full, taken + (asked - speed) * first, decayed)
    rest = services - first
    from_full, from_free = between + (asked - speed) * rest, balance + (between - balance) * jnp.exp(-speed * rest)
    after = jnp.where(rest > 0.0, jnp.where(full, from_free, from_full), between)
    busy = jnp.where(speed > SLOWEST, (asked - (after - taken) / services) / speed, 0.5 * (taken + after))
    return jnp.maximum(after, 0.0), jnp.clip(busy, 0.0, 1.0)


def longer_than(threshold_s: Array, chance: Wait, least_s: Array, most_s: Array) -> Array:
    """Share of arrivals that wait longer than each threshold, (threshold, *queue), for those before and by chance.

    For those before they wait between `least_s` and `most_s`, each time as likely. None waits longer than
    LONGEST_WAIT_S.
    """
    shape = jnp.broadcast_shapes(*map(jnp.shape, (*chance, least_s, most_s)))
    limit_s = jnp.reshape(jnp.maximum(threshold_s, SHORTEST_S), (-1, *(1,) * len(shape)))
    share, mean_s, least_s, most_s = (jnp.broadcast_to(value, shape)[None] for value in (*chance, least_s, most_s))
    mean_s, spread_s = jnp.maximum(mean_s, SHORTEST_S), jnp.maximum(most_s - least_s, SHORTEST_S)
    behind = jnp.clip((least_s + spread_s - limit_s) / spread_s, 0.0, 1.0)
    beyond_s = jnp.maximum(limit_s - least_s - spread_s, 0.0)
    part = jnp.clip(limit_s - least_s, 0.0, spread_s)  # of the spread that lies below the limit
    besides = share * jnp.exp(-beyond_s / mean_s) * -jnp.expm1(-part / mean_s) * mean_s / spread_s
    return jnp.where(limit_s < LONGEST_WAIT_S, jnp.minimum(behind + besides, 1.0), 0.0)


def first_token_longer(shares: np.ndarray, mean_s: float, scv: float) -> np.ndarray:
    """Share whose wait and a lognormal time after it exceed each of THRESHOLDS_S, (threshold,); on the host.

    `shares` are those that wait longer. The time after has such a mean and squared coefficient of variation, and is
    taken at equally likely values.
    """
    deviates = np.asarray(ndtri((np.arange(DRAWS) + 0.5) / DRAWS))
    draws = np.exp(np.sqrt(np.log1p(scv)) * deviates)
    left_s = THRESHOLDS_S[:, None] - mean_s * draws / draws.mean()
    return np.where(left_s < 0.0, 1.0, share_longer(shares, np.maximum(left_s, 0.0))).mean(axis=1)


def share_longer(shares: np.ndarray, limit_s: np.ndarray | float, thresholds_s: np.ndarray = THRESHOLDS_S) -> Any:
    """Share that takes longer than a time, of the shares (threshold,) of some; its logarithm is linear between them."""
    found = np.exp(np.interp(limit_s, thresholds_s, np.log(np.maximum(shares, LEAST_SHARE))))
    return np.where(found > 2.0 * LEAST_SHARE, found, 0.0)[()]


def percentile_s(shares: np.ndarray, percent: float, thresholds_s: np.ndarray = THRESHOLDS_S) -> float:
    """Time that `percent` of the requests do not exceed, of the shares (threshold,) that take longer; on the host.

    Between thresholds the logarithm of the share is linear in time. 0 where fewer take any, NaN where there are none.
    """
    shares = np.minimum.accumulate(np.asarray(shares, dtype=np.float64))
    left = 1.0 - percent / 100.0
    if not np.isfinite(shares).all():
        return float("nan")
    after = int(np.searchsorted(-shares, -left, side="left"))
    if after == 0:
        return float(thresholds_s[0])
    if after == len(shares):
        return float(thresholds_s[-1])
    high, low = np.log(shares[after - 1]), np.log(max(shares[after], LEAST_SHARE))
    part = (high - np.log(left)) / (high - low)
    return float(thresholds_s[after - 1] + part * (thresholds_s[after] - thresholds_s[after - 1]))
