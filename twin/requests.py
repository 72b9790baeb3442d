"""How long the requests of a fleet wait, frame by frame, from the frames of all its satellites: on the host.

A request waits until its satellite has done the work before it: as long as the frames to come say, for the rate of the
moment, which in an eclipse may be none, does not last. Besides it waits by chance, where its satellite is almost full.
Satellites whose queues are alike are counted together.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernels import queueing, registry, serving
from kernels.queueing import LONGEST_WAIT_S, THRESHOLDS_S, Queue
from twin.checkpoint import Leaves
from twin.model import Model
from twin.prepare import Cohort

Columns = Mapping[str, np.ndarray]
Floats = np.ndarray

FULL = 0.999  # part of what is there to do below which a satellite is held back by power or heat
QUIET = 1e-5  # part of the work of a frame up to which waiting work is rounding
LEAST_SPEED = 0.05  # below, nothing is served before the rate has risen again
LEAST_IDLE, MOST_LOAD = 1e-3, 4.0
# Within these ratios queues count as alike: of servers, speeds and distances from load 1; of waits beyond a second.
ALIKE, WAITS_ALIKE = 0.05, 0.06
LEAST_QUEUES = 256  # of a compiled program
AT_ONCE = 4096  # satellites whose waits are found together
LONG_S = 10.0


def has_requests(model: Model) -> bool:
    """Whether something tells of requests."""
    return bool(np.any(np.asarray(model.environment.arrivals.requests) > 0.0))


class Requests:
    """How long requests wait, chunk after chunk; what waited at the end of the chunk before is remembered."""

    notes: tuple[str, ...] = ()

    def __init__(
        self, model: Model, cohorts: Mapping[str, Cohort], done_steps: int = 0, leaves: Leaves | None = None
    ) -> None:
        """Of a fleet as it was prepared, and of the checkpoint that it goes on from, if it does."""
        parts = [(cohorts[c.name], c.satellites) for c in model.structure.cohorts]
        names = [(f"work.{c.name}.backlog_flop", c.satellites) for c in model.structure.cohorts]
        self.model, self.reached = model, done_steps
        self.waiting_flop = np.concatenate([leaves[k][:n] if leaves else np.zeros(n) for k, n in names])
        self.each_flops = np.concatenate([np.full(n, float(p.shared.nominal_flops)) for p, n in parts])
        self.nominal_clock = np.concatenate([np.full(n, _nominal_clock(p)) for p, n in parts])
        self.period_s = 2.0 * np.pi / float(np.mean(parts[0][0].each.rates.mean_anomaly_rad_per_s))
        first = model.structure.cohorts[0].name
        self.profile = {k: float(v) for k, v in model.params[first]["workload"].items() if np.ndim(v) == 0}

    def __call__(self, columns: Columns, done_steps: int) -> dict[str, np.ndarray]:
        """Series of the frames of a chunk before which so many steps have been simulated.

        What waited before a chunk that follows others of which nothing is kept is taken to be what waits at the end of
        its first frame.
        """
        backlog, save_steps = columns["backlog_flop"], self.model.structure.schedule.save_steps
        length_s = save_steps * self.model.structure.schedule.step_s
        begin = self.waiting_flop if done_steps == self.reached else backlog[0]
        able = [self._able_flops(columns, k, backlog[k - 1] if k else begin, length_s) for k in range(len(backlog))]
        waits_s = self._waits_s(np.stack(able), np.concatenate([begin[None].astype(backlog.dtype), backlog]), length_s)
        rows = [
            self._frame(columns, k, able[k], waits_s[k : k + 2], done_steps + k * save_steps) for k in range(len(able))
        ]
        self.waiting_flop, self.reached = backlog[-1], done_steps + len(rows) * save_steps
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _able_flops(self, columns: Columns, number: int, waiting_flop: Floats, length_s: float) -> Floats:
        """What satellites are able to do in a frame: what they do, if they are held back, or what their clocks allow.

        A satellite that does less than all that is there is held back.
        """
        assigned, done, alive, clock = (
            columns[name][number].astype(np.float64)
            for name in ("assigned_flops", "compute_rate_flops", "accelerators_alive", "clock_fraction")
        )
        there = assigned + np.maximum(waiting_flop, 0.0) / length_s
        whole = self.each_flops * alive
        allowed = whole * np.where(there > 0.0, np.minimum(clock / self.nominal_clock, 1.0), 1.0)
        return np.where(done < FULL * there, done, np.maximum(allowed, done))

    def _waits_s(self, able_flops: Floats, backlog_flop: Floats, length_s: float) -> Floats:
        """Time in which the work that waits will have been done, (time + 1, satellite).

        After the last frame a satellite is able to do what it was an orbit before, then the mean of that.
        """
        waits_s = np.zeros(backlog_flop.shape)
        quiet_flop = QUIET * self.each_flops * length_s
        (some,) = np.nonzero((backlog_flop > quiet_flop).any(axis=0))
        orbit = min(max(round(self.period_s / length_s), 1), len(able_flops))
        for part in np.split(some, range(AT_ONCE, some.size, AT_ONCE)):
            able = np.concatenate([able_flops[:, part], able_flops[-orbit:, part]])
            backlog = np.where(backlog_flop[:, part] > quiet_flop[part], backlog_flop[:, part], 0.0)
            waits_s[:, part] = fluid_waits_s(able, backlog, length_s, able[-orbit:].mean(axis=0))
        return waits_s

    def _frame(
        self, columns: Columns, number: int, able_flops: Floats, waits_s: Floats, done_steps: int
    ) -> dict[str, np.ndarray]:
        schedule, arrivals = self.model.structure.schedule, self.model.environment.arrivals
        length_s = schedule.save_steps * schedule.step_s
        per = max(schedule.save_steps // schedule.exchange_steps, 1)
        first = done_steps // schedule.exchange_steps
        told = [np.asarray(series[first : first + per]).astype(np.float64) for series in arrivals]
        requests, *means = told
        weights = requests if requests.sum() else np.ones_like(requests)
        of_requests = tuple(float(np.average(series, weights=weights)) for series in means)
        exchange_s = schedule.exchange_steps * schedule.step_s
        assigned, alive = (
            columns[name][number].astype(np.float64) for name in ("assigned_flops", "accelerators_alive")
        )
        queues, share = _alike(assigned, able_flops, alive, self.each_flops, waits_s)
        longer, *times_s = (np.asarray(v) for v in _waits(self.profile, _padded(queues), of_requests, length_s))
        service_s, prefill_s = (time_s[: share.size] @ share for time_s in times_s)
        return {
            "fleet_requests_per_s": np.asarray(requests.sum() / (len(requests) * exchange_s)),
            "fleet_service_s": service_s,
            "fleet_prefill_s": prefill_s,
            "share_waiting_longer": longer[:, : share.size] @ share,
        }

    def summary(self, means: Mapping[str, Any], metrics: Mapping[str, float], requests: float) -> dict[str, float]:
        """Waits of all requests of the run, and the tokens put out, from means over requests of the series."""
        shares = np.asarray(means["share_waiting_longer"])
        wait_s = {percent: queueing.percentile_s(shares, percent) for percent in (50, 95, 99)}
        late = int(np.argmin(np.abs(THRESHOLDS_S - LONG_S)))
        tokens = metrics["delivered_flop"] * self._tokens_per_flop()
        return {
            "requests": requests,
            **{f"wait_p{percent}_s": time_s for percent, time_s in wait_s.items()},
            f"waited_longer_than_{LONG_S:g}_s_fraction": float(shares[late]),
            "first_token_p95_s": wait_s[95] + float(means["fleet_prefill_s"]),
            "served_tokens": tokens,
            "tokens_per_joule": tokens / max(metrics["load_energy_j"], 1e-300),
        }

    def _tokens_per_flop(self) -> float:
        """Tokens put out by an operation, mean over the run."""
        requests, prompt, output, *_ = (np.asarray(series) for series in self.model.environment.arrivals)
        work_flop = self.profile["work_flop_per_token"] * float(requests @ (prompt + output))
        return float(requests @ output) / max(work_flop, 1.0)


def _nominal_clock(cohort: Cohort) -> float:
    """Clock at which an accelerator does its nominal work."""
    shared = cohort.shared
    return float(shared.nominal_flops / (shared.profiles["accelerator"]["peak_flops"] * shared.work.work_efficiency))


def fluid_waits_s(able_flops: Floats, backlog_flop: Floats, length_s: float, after_flops: Floats) -> Floats:
    """Time until what waits at each edge of the first frames has been done, (edge, satellite), first come first served.

    `able_flops` (frame, satellite) may hold more frames than `backlog_flop` (edge, satellite) has; `after_flops`
    (satellite,) is what is done after them. No wait exceeds LONGEST_WAIT_S.
    """
    work = np.concatenate([np.zeros_like(able_flops[:1]), np.cumsum(able_flops * length_s, axis=0)])
    work = np.concatenate([work, work[-1:] + after_flops * LONGEST_WAIT_S])
    scale = np.maximum(work[-1], 1e-300)
    place = np.arange(work.shape[1]) * 2.0  # keeps satellites apart in one sorted row
    edges = (work / scale + place).T
    wanted = (np.minimum((work[: len(backlog_flop)] + backlog_flop) / scale, 1.5) + place).T
    first = np.arange(work.shape[1])[:, None] * len(work)
    after = np.searchsorted(edges.ravel(), wanted.ravel()).reshape(wanted.shape) - first
    after = np.clip(after, 1, len(work) - 1)
    low, high = (np.take_along_axis(edges, after - k, axis=1) for k in (1, 0))
    part = np.clip((wanted - low) / np.maximum(high - low, 1e-300), 0.0, 1.0)
    edges_s = np.append(np.arange(len(work) - 1) * length_s, (len(work) - 2) * length_s + LONGEST_WAIT_S)
    done_s = edges_s[after - 1] + part * np.diff(edges_s)[after - 1]
    never = (wanted - place[:, None] > 1.0) | (work[-1] <= 0.0)[:, None]
    waits_s = np.where(never, LONGEST_WAIT_S, done_s - edges_s[: len(backlog_flop)])
    return np.where(backlog_flop.T > 0.0, np.clip(waits_s, 0.0, LONGEST_WAIT_S), 0.0).T


def _alike(
    assigned_flops: Floats, able_flops: Floats, alive: Floats, each_flops: Floats, waits_s: Floats
) -> tuple[Floats, Floats]:
    """Queues that differ, and the share of the arrivals of each.

    Rows: accelerators, load, speed of service, wait at the start and at the end of a frame. A satellite that is held
    back serves as many at once, each the slower.
    """
    whole = np.maximum(each_flops * alive, 1e-300)
    load = np.minimum(assigned_flops / np.maximum(able_flops, 1e-300), MOST_LOAD)
    speed = np.minimum(able_flops / whole, 1.0)
    speed = np.where(speed > LEAST_SPEED, speed, 1.0)
    idle = 1.0 - load
    away = np.sign(idle) * np.log1p(np.abs(idle) / LEAST_IDLE) / ALIKE
    levels = [np.log(np.maximum(alive, 1.0)) / ALIKE, away, -np.log(speed) / ALIKE, *np.log1p(waits_s) / WAITS_ALIKE]
    whole_levels = [np.round(level).astype(np.int64) for level in levels]
    least = [int(level.min()) for level in whole_levels]
    span = [int(level.max()) - low + 1 for level, low in zip(whole_levels, least, strict=True)]
    keys = np.ravel_multi_index([level - low for level, low in zip(whole_levels, least, strict=True)], span)
    kinds, which = np.unique(keys, return_inverse=True)
    servers, away, slow, *waits = (level + low for level, low in zip(np.unravel_index(kinds, span), least, strict=True))
    idle = np.sign(away) * LEAST_IDLE * np.expm1(np.abs(away) * ALIKE)
    rows = [np.exp(servers * ALIKE), 1.0 - idle, np.exp(-slow * ALIKE), *(np.expm1(w * WAITS_ALIKE) for w in waits)]
    share = np.bincount(which.ravel(), weights=assigned_flops, minlength=kinds.size)
    return np.stack(rows), share / max(share.sum(), 1e-300)


def _padded(queues: np.ndarray) -> np.ndarray:
    """Queues in a number that is a power of two, so that few programs serve all; the last one is repeated."""
    count = max(1 << (queues.shape[1] - 1).bit_length(), LEAST_QUEUES)
    return np.concatenate([queues, np.repeat(queues[:, -1:], count - queues.shape[1], axis=1)], axis=1)


@partial(jax.jit, static_argnums=3)
def _waits(profile: dict[str, Any], queues: Any, of_requests: Any, length_s: float) -> Any:
    """Share that waits longer than each threshold, (threshold, queue); time in service and for the prompt, (queue,)."""
    accelerators, load, speed, start_s, end_s = queues
    prompt, output, arrival_scv, service_scv = of_requests
    service = registry.call(serving.service, profile, load, prompt, output)
    slots = accelerators * service.slots_per_accelerator
    queue = Queue(load, slots, service.full_service_s / speed, arrival_scv, service_scv, start_s, end_s, length_s)
    longer = queueing.share_waiting_longer(jnp.asarray(THRESHOLDS_S), queue)
    return longer, service.service_s / speed, service.prefill_s / speed
