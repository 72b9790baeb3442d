"""What the fleet does as a whole, frame by frame, from the frames of all its satellites: on the host.

Sums are of float64. How long requests wait follows from the queue of each satellite in each frame; satellites whose
queues are alike are counted together.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernels import queueing, registry, serving
from kernels.queueing import THRESHOLDS_S, Queue
from twin.model import Model
from twin.prepare import Cohort

Columns = Mapping[str, np.ndarray]

SUMS = {
    "fleet_assigned_flops": "assigned_flops",
    "fleet_delivered_flops": "compute_rate_flops",
    "fleet_dropped_flops": "dropped_flops",
    "fleet_backlog_flop": "backlog_flop",
    "fleet_downlink_bit_per_s": "downlink_bit_per_s",
    "fleet_data_backlog_bit": "data_backlog_bit",
}
LOAD_DIGITS, WAIT_DIGITS = 1024.0, 64.0  # to which loads, and logarithms of backlogs, count as alike
FULL = 0.999  # part of what is there to do below which a satellite is held back by power or heat


def has_requests(model: Model) -> bool:
    """Whether something tells of requests."""
    return bool(np.any(np.asarray(model.environment.arrivals.requests) > 0.0))


def sums(columns: Columns) -> dict[str, np.ndarray]:
    """Series of the fleet, (time,), from frames of all satellites, (time, satellite)."""
    found = {name: columns[of].sum(axis=-1, dtype=np.float64) for name, of in SUMS.items()}
    return found | {"fleet_satellites_in_contact": (columns["ground_site"] >= 0.0).sum(axis=-1, dtype=np.float64)}


class Requests:
    """How long requests wait, chunk after chunk; what waited at the end of the chunk before is remembered."""

    def __init__(self, model: Model, cohorts: Mapping[str, Cohort]) -> None:
        """Of a fleet as it was prepared."""
        self.model, self.reached, self.waiting_flop = model, -1, np.zeros(())
        parts = [(cohorts[c.name], c.satellites) for c in model.structure.cohorts]
        self.each_flops = np.concatenate([np.full(n, float(p.shared.nominal_flops)) for p, n in parts])
        first = model.structure.cohorts[0].name
        self.profile = {k: float(v) for k, v in model.params[first]["workload"].items() if np.ndim(v) == 0}

    def __call__(self, columns: Columns, done_steps: int) -> dict[str, np.ndarray]:
        """Series of the frames of a chunk before which so many steps have been simulated.

        What waited before the first chunk of all that are seen is taken to be what waits at the end of its first frame.
        """
        backlog, save_steps = columns["backlog_flop"], self.model.structure.schedule.save_steps
        if done_steps != self.reached:
            self.waiting_flop = backlog[0].astype(np.float64) if done_steps else np.zeros(backlog.shape[1])
        rows = [self._frame(columns, number, done_steps + number * save_steps) for number in range(backlog.shape[0])]
        self.reached = done_steps + len(rows) * save_steps
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _frame(self, columns: Columns, number: int, done_steps: int) -> dict[str, np.ndarray]:
        schedule, arrivals = self.model.structure.schedule, self.model.environment.arrivals
        length_s = schedule.save_steps * schedule.step_s
        per = max(schedule.save_steps // schedule.exchange_steps, 1)
        first = done_steps // schedule.exchange_steps
        told = [np.asarray(series[first : first + per]).astype(np.float64) for series in arrivals]
        requests, *means = told
        weights = requests if requests.sum() else np.ones_like(requests)
        prompt, output, arrival_scv, service_scv = (float(np.average(series, weights=weights)) for series in means)
        exchange_s = schedule.exchange_steps * schedule.step_s
        queues, share = self._queues(columns, number, length_s)
        many = _padded(queues)
        longer, service_s = _waits(self.profile, many, (prompt, output, arrival_scv, service_scv), length_s)
        longer, service_s = np.asarray(longer)[:, : share.size], np.asarray(service_s)[: share.size]
        return {
            "fleet_requests_per_s": np.asarray(requests.sum() / (len(requests) * exchange_s)),
            "fleet_service_s": service_s @ share,
            "share_waiting_longer": longer @ share,
        }

    def _queues(self, columns: Columns, number: int, length_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Queues that differ, (accelerators, load, backlog at start, at end), and the share of the arrivals of each.

        A satellite that does less than all that is there is held back: it is able to do what it does.
        """
        assigned, done, alive, ends = (
            columns[name][number].astype(np.float64)
            for name in ("assigned_flops", "compute_rate_flops", "accelerators_alive", "backlog_flop")
        )
        starts, self.waiting_flop = self.waiting_flop, ends
        whole = np.maximum(self.each_flops * alive, 1.0)
        held = done < FULL * (assigned + starts / length_s)
        able = np.where(held, done, np.maximum(whole, done))
        known = np.maximum(able, 1e-9)
        load = np.where(able > 0.0, np.minimum(assigned / known, 1e6), 1e6)
        backlogs = (np.log1p(np.minimum(np.maximum(work, 0.0) / known, 1e9)) for work in (starts, ends))
        working = np.round(alive * np.minimum(able / whole, 1.0))
        table = np.stack([working, np.ceil(load * LOAD_DIGITS), *(np.round(b * WAIT_DIGITS) for b in backlogs)])
        kinds, which = np.unique(table, axis=1, return_inverse=True)
        share = np.bincount(which.ravel(), weights=assigned, minlength=kinds.shape[1])
        kinds[1] /= LOAD_DIGITS
        kinds[2:] = np.expm1(kinds[2:] / WAIT_DIGITS)
        return kinds, share / max(share.sum(), 1e-300)


def _padded(queues: np.ndarray) -> np.ndarray:
    """Queues in a number that is a power of two, so that few programs serve all; the last one is repeated."""
    count = 1 << (queues.shape[1] - 1).bit_length()
    return np.concatenate([queues, np.repeat(queues[:, -1:], count - queues.shape[1], axis=1)], axis=1)


@partial(jax.jit, static_argnums=3)
def _waits(profile: dict[str, Any], queues: Any, of_requests: Any, length_s: float) -> Any:
    """Share that waits longer than each threshold, (threshold, queue), and time in service, (queue,)."""
    accelerators, load, start_s, end_s = queues
    prompt, output, arrival_scv, service_scv = of_requests
    service = registry.call(serving.service, profile, load, prompt, output)
    slots = accelerators * service.slots_per_accelerator
    queue = Queue(load, slots, service.full_service_s, arrival_scv, service_scv, start_s, end_s, length_s)
    return queueing.share_waiting_longer(jnp.asarray(THRESHOLDS_S), queue), service.service_s
