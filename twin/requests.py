"""How long the requests of a fleet wait, frame by frame, from the frames of all its satellites: on the host.

A request waits until its satellite has done the work before it: as long as the frames to come say, for the rate of the
moment, which in an eclipse may be none, does not last. Besides it waits by chance, where its satellite is almost full.
Satellites whose queues are alike are counted together.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kernels import queueing
from kernels.queueing import THRESHOLDS_S, Wait
from twin.checkpoint import Leaves
from twin.delays import QUIET, delays
from twin.model import Model
from twin.prepare import Cohort
from twin.queues import Load, met, waiting_longer

Columns = Mapping[str, np.ndarray]
Floats = np.ndarray

FULL = 0.999  # part of what is there to do below which a satellite is held back by power or heat
LEAST_SPEED = 0.05  # below, nothing is served before the rate has risen again
MOST_LOAD = 4.0  # beyond, arrivals by chance tell nothing more
SAME = 0.98  # part of a load from which on the one before counts as the same, or more
AT_ONCE = 512  # satellites whose delays are found together
LONG_S = 10.0


def has_requests(model: Model) -> bool:
    """Whether something tells of requests."""
    return bool(np.any(np.asarray(model.environment.arrivals.requests) > 0.0))


class Delays(NamedTuple):
    """What those who arrive at satellites at which work waits have before them; see `delays`."""

    some: np.ndarray  # numbers of these satellites
    change: Floats  # (frame, satellite)
    waits_s: Floats  # (4, frame, satellite)


class Requests:
    """How long requests wait, chunk after chunk; what waited at the end of the chunk before is remembered."""

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
        self.arrivals = [np.asarray(series, dtype=np.float64) for series in model.environment.arrivals]
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
        held = self._held(np.stack(able), columns["assigned_flops"], np.concatenate([begin[None], backlog]), length_s)
        lasting_s, load, rows = np.zeros(len(begin)), np.full(len(begin), np.inf), []
        for k in range(len(able)):
            before, load = load, _load(columns["assigned_flops"][k], able[k])
            lasting_s = np.where(before >= SAME * load, lasting_s, 0.0) + length_s
            rows.append(self._frame(columns, k, able[k], lasting_s, held, done_steps + k * save_steps))
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

    def _held(self, able_flops: Floats, assigned_flops: Floats, backlog_flop: Floats, length_s: float) -> Delays:
        """Delays of the satellites at which something waits.

        After the last frame a satellite is taken to be able to do what it was an orbit before, then the mean of that.
        """
        quiet_flop = QUIET * self.each_flops * length_s
        (some,) = np.nonzero((backlog_flop > quiet_flop).any(axis=0))
        orbit = min(max(round(self.period_s / length_s), 1), len(able_flops))
        found = []
        for part in np.split(some, range(AT_ONCE, some.size, AT_ONCE)):  # one without any, where none waits
            backlog = np.where(backlog_flop[:, part] > quiet_flop[part], backlog_flop[:, part], 0.0)
            able = np.concatenate([able_flops[:, part], able_flops[-orbit:, part]])
            found.append(delays(able, assigned_flops[:, part].astype(np.float64), backlog, length_s))
        return Delays(some, *(np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True)))

    def _frame(
        self, columns: Columns, number: int, able_flops: Floats, lasting_s: Floats, held: Delays, done_steps: int
    ) -> dict[str, np.ndarray]:
        of_requests, requests_per_s = self._arriving(done_steps)
        assigned, alive = (columns[k][number].astype(np.float64) for k in ("assigned_flops", "accelerators_alive"))
        speed = np.minimum(able_flops / np.maximum(self.each_flops * alive, 1e-300), 1.0)
        speed = np.where(speed > LEAST_SPEED, speed, 1.0)
        there = met(self.profile, Load(alive, _load(assigned, able_flops), speed, lasting_s), of_requests)
        share = assigned / max(assigned.sum(), 1e-300)
        which, part, behind_s = _parts(assigned.size, held, number)
        chance = Wait(*(values[which] for values in there.chance))
        return {
            "fleet_requests_per_s": np.asarray(requests_per_s),
            "fleet_service_s": there.service_s @ share,
            "fleet_prefill_s": there.prefill_s @ share,
            "share_waiting_longer": waiting_longer(share[which] * part, chance, behind_s),
        }

    def _arriving(self, done_steps: int) -> tuple[tuple[float, ...], float]:
        """Means over the requests of the frame after so many steps, of tokens and variations, and their rate."""
        schedule = self.model.structure.schedule
        per = max(schedule.save_steps // schedule.exchange_steps, 1)
        first = done_steps // schedule.exchange_steps
        requests, *means = (series[first : first + per] for series in self.arrivals)
        weights = requests if requests.sum() else np.ones_like(requests)
        rate_per_s = requests.sum() / (len(requests) * schedule.exchange_steps * schedule.step_s)
        return tuple(float(np.average(series, weights=weights)) for series in means), float(rate_per_s)

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
        requests, prompt, output, *_ = self.arrivals
        work_flop = self.profile["work_flop_per_token"] * float(requests @ (prompt + output))
        return float(requests @ output) / max(work_flop, 1.0)


def _nominal_clock(cohort: Cohort) -> float:
    """Clock at which an accelerator does its nominal work."""
    shared = cohort.shared
    return float(shared.nominal_flops / (shared.profiles["accelerator"]["peak_flops"] * shared.work.work_efficiency))


def _parts(satellites: int, held: Delays, number: int) -> tuple[np.ndarray, Floats, Floats]:
    """Arrivals of a frame, in two parts where work waits: satellites, parts, waits (2, part)."""
    change, waits_s = held.change[number], held.waits_s[:, number]
    (twice,) = np.nonzero(change < 1.0)
    which, part = np.arange(satellites + twice.size), np.ones(satellites + twice.size)
    which[satellites:], part[satellites:], part[held.some] = held.some[twice], 1.0 - change[twice], change
    whole_s = np.zeros((2, which.size))
    whole_s[:, held.some], whole_s[:, satellites:] = waits_s[:2], waits_s[2:, twice]
    whole_s[1, held.some] = np.where(change < 1.0, waits_s[1], waits_s[3])
    return which, part, whole_s


def _load(assigned_flops: Floats, able_flops: Floats) -> Floats:
    """Work that arrives over what can be done."""
    return assigned_flops / np.maximum(able_flops, assigned_flops / MOST_LOAD + 1e-300)
