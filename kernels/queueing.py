"""How long requests wait: many servers, one queue, from the state of the queue in an interval.

Two waits meet. Work left over from before (`backlog_s_at_start` to `backlog_s_at_end`, linear in between) delays
every arrival alike: a fluid. Arrivals that bunch by chance wait besides where servers are almost all busy: a share of
them, Erlang's, exponentially long (Whitt 1993, Production and Operations Management 2, 114). The longer one counts:
while a backlog is worked off, chance moves its end to and fro and adds nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import gammaincc, gammaln, ndtri

from kernels import safe_math as sm
from kernels.quantity import Scalar

LONGEST_WAIT_S = 1.0e6  # where nothing is served, and at most: waits are told up to here
THRESHOLDS_S = np.concatenate([[0.0], np.geomspace(1e-3, LONGEST_WAIT_S, 91)])  # of a table of shares, ten a decade
LEAST_SERVERS = 1e-6
FAR_BEYOND = 4.0  # standard deviations of the number in service above which every server is busy
SETTLING = (
    9.0 * np.pi / 8.0
)  # a queue at load 1 is on average over its first t as long as sqrt(t / SETTLING) deviations


class Queue(NamedTuple):
    """A queue in an interval, arrays of one shape or scalars.

    `load` is the work that arrives over what `servers` can do; `arrival_scv` and `service_scv` are squared coefficients
    of variation of the times between arrivals and of the times in service. `interval_s` is how long that lasts: a load
    near 1 would take longer to fill the queue. A backlog is waiting work over the rate at which work is done.
    """

    load: Scalar
    servers: Scalar
    service_s: Scalar
    arrival_scv: Scalar
    service_scv: Scalar
    backlog_s_at_start: Scalar
    backlog_s_at_end: Scalar
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
    """Wait by chance without a backlog: exact for M/M/c, an approximation for others; smooth across load 1.

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


def _backlogs_s(queue: Queue) -> tuple[Array, Array]:
    """Least and most backlog in the interval; the longest where nothing is served. [s]"""
    ends = (queue.backlog_s_at_start, queue.backlog_s_at_end)
    served = jnp.asarray(queue.servers) > 0.0
    start_s, end_s = (jnp.where(served, jnp.clip(end, 0.0, LONGEST_WAIT_S), LONGEST_WAIT_S) for end in ends)
    return jnp.minimum(start_s, end_s), jnp.maximum(start_s, end_s)


def share_waiting_longer(threshold_s: Array, queue: Queue) -> Array:
    """Share of the interval's arrivals that wait longer than each threshold, (threshold, *queue).

    None waits longer than LONGEST_WAIT_S; where nothing is served all wait so long.
    """
    return longer_than(threshold_s, chance_wait(queue), *_backlogs_s(queue))


def longer_than(threshold_s: Array, chance: Wait, least_s: Array, most_s: Array) -> Array:
    """Share of arrivals that wait longer than each threshold, (threshold, *queue), by chance or by the work before.

    Of that they wait between `least_s` and `most_s`, each time as likely.
    """
    shape = jnp.broadcast_shapes(*map(jnp.shape, (*chance, least_s, most_s)))
    limit_s = jnp.reshape(threshold_s, (-1, *(1,) * len(shape)))
    share, mean_s, least_s, most_s = (jnp.broadcast_to(value, shape)[None] for value in (*chance, least_s, most_s))
    behind = jnp.clip((most_s - limit_s) / jnp.maximum(most_s - least_s, 1e-9), 0.0, 1.0)
    by_chance = share * jnp.exp(-limit_s / jnp.maximum(mean_s, 1e-9))
    return jnp.where(limit_s < LONGEST_WAIT_S, behind + (1.0 - behind) * by_chance, 0.0)


def mean_wait_s(queue: Queue) -> Array:
    """Mean wait of the interval's arrivals. [s]"""
    least_s, most_s = _backlogs_s(queue)
    wait = chance_wait(queue)
    tail_s = jnp.maximum(wait.mean_s, 1e-9)
    spread = jnp.maximum((most_s - least_s) / tail_s, 1e-6)
    besides_s = wait.share * wait.mean_s * jnp.exp(-least_s / tail_s) * -jnp.expm1(-spread) / spread
    return jnp.minimum(0.5 * (least_s + most_s) + besides_s, LONGEST_WAIT_S)


def share_taking_longer(threshold_s: Array, queue: Queue, least_s: Scalar, mean_s: Scalar, scv: Scalar) -> Array:
    """Share of arrivals whose wait, `least_s` and a lognormal time of `mean_s` together exceed each threshold.

    (threshold, *queue). The lognormal time is that in service, with squared coefficient of variation `scv`, taken at
    sixteen equally likely values; a scalar, as `least_s` and `mean_s`.
    """
    deviates = ndtri((jnp.arange(16.0) + 0.5) / 16.0)
    log_scv = jnp.log1p(jnp.asarray(scv))
    draws = jnp.exp(sm.sqrt(log_scv) * deviates - 0.5 * log_scv)
    times_s = least_s + mean_s * draws / jnp.mean(draws)
    left_s = jnp.asarray(threshold_s)[:, None] - times_s[None, :]
    longer = share_waiting_longer(jnp.maximum(left_s, 0.0).ravel(), queue)
    longer = longer.reshape(*left_s.shape, *longer.shape[1:])
    over = jnp.reshape(left_s, (*left_s.shape, *(1,) * (longer.ndim - 2))) < 0.0
    return jnp.mean(jnp.where(over, 1.0, longer), axis=1)


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
    high, low = np.log(shares[after - 1]), np.log(max(shares[after], 1e-12))
    part = (high - np.log(left)) / (high - low)
    return float(thresholds_s[after - 1] + part * (thresholds_s[after] - thresholds_s[after - 1]))
