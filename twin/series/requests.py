"""How long the requests of a fleet wait, frame by frame, from the frames of all its satellites: on the host.

A request waits for a slot until its satellite has done the work of those before it: as long as the frames to come say,
for the rate of the moment, which in an eclipse may be none, does not last. Besides it waits by chance, where slots are
almost all taken. Satellites whose queues are alike are counted together.

The rate of arrivals in a frame is that of the demand; within a frame requests come as they like. Frames that are short
against the time in service follow every burst of a trace.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from kernels import queueing, registry, serving
from kernels.queueing import Wait
from twin.checkpoint import Leaves
from twin.model import Model
from twin.prepare import Cohort
from twin.series.delays import QUIET, delays
from twin.series.queues import Load, Meeting, Offered, Slots, followed, met, waiting_longer

Columns = Mapping[str, np.ndarray]
Floats = np.ndarray

FULL = 0.999  # part of what is there to do below which a satellite is held back by power or heat
LEAST_SPEED = 0.05  # below, nothing is served before the rate has risen again
AT_ONCE = 512  # satellites whose delays are found together
MIXED_S = 600.0
LONG_S = 10.0
PERCENTS = (50, 95, 99)
LEAVES = "requests"  # before the names of what a checkpoint keeps


def has_requests(model: Model) -> bool:
    """Whether something tells of requests."""
    return bool(np.any(np.asarray(model.environment.arrivals.requests) > 0.0))


class Able(NamedTuple):
    """What satellites are able to do, (frame, satellite)."""

    whole_flops: Floats  # all that are alive, at the nominal clock
    able_flops: Floats
    leaving_flops: Floats  # what they are able to do, and what is given up


class Delays(NamedTuple):
    """What those who arrive at satellites at which work waits have before them; see `delays`."""

    some: np.ndarray  # numbers of these satellites
    change: Floats  # (frame, satellite)
    waits_s: Floats  # (4, frame, satellite)


class Past(NamedTuple):
    """What is remembered of the frames before, the last axis being (satellite,)."""

    backlog_flop: Floats
    taken: Floats  # as in `Slots`
    busy: Floats
    lasting_s: Floats
    orbit_flops: Floats  # that could leave, in the frames of an orbit, (frame, satellite)
    frame_s: Floats  # length of these, (1,)

    @property
    def slots(self) -> Slots:
        """Slots at the end of the last frame."""
        return Slots(jnp.asarray(self.taken), jnp.asarray(self.busy), jnp.asarray(self.lasting_s))


class Requests:
    """How long requests wait, chunk after chunk."""

    def __init__(
        self, model: Model, cohorts: Mapping[str, Cohort], done_steps: int = 0, leaves: Leaves | None = None
    ) -> None:
        """Of a fleet as it was prepared, and of the checkpoint that it goes on from, if it does."""
        parts = [(cohorts[c.name], c.satellites) for c in model.structure.cohorts]
        self.model, self.reached, schedule = model, done_steps, model.structure.schedule
        self.length_s = schedule.save_steps * schedule.step_s
        self.each_flops = np.concatenate([np.full(n, float(p.shared.nominal_flops)) for p, n in parts])
        self.nominal_clock = np.concatenate([np.full(n, _nominal_clock(p)) for p, n in parts])
        self.period_s = 2.0 * np.pi / float(np.mean(parts[0][0].each.rates.mean_anomaly_rad_per_s))
        first = model.structure.cohorts[0].name
        self.arrivals = [np.asarray(series, dtype=np.float64) for series in model.environment.arrivals]
        self.profile = {k: float(v) for k, v in model.params[first]["workload"].items() if np.ndim(v) == 0}
        self.targets = serving.Targets(*registry.call(serving.targets, self.profile))
        self.past: Past | None = None
        if leaves is not None:
            past = Past._make(np.asarray(leaves[f"{LEAVES}.{name}"]) for name in Past._fields)
            orbit = past.orbit_flops.reshape(-1, self.each_flops.size)
            self.past = past._replace(orbit_flops=orbit if past.frame_s[0] == self.length_s else orbit[:0])

    def leaves(self) -> Leaves:
        """What is remembered, as flat arrays by their names."""
        past = self.past._asdict() if self.past else {}
        return {f"{LEAVES}.{name}": np.asarray(values).ravel() for name, values in past.items()}

    def __call__(self, columns: Columns, done_steps: int) -> dict[str, np.ndarray]:
        """Series of the frames of a chunk before which so many steps have been simulated.

        A chunk that does not follow the one before begins as if its first frame had lasted.
        """
        past = self.past if done_steps == self.reached else None
        backlog, assigned = (columns[name].astype(np.float64) for name in ("backlog_flop", "assigned_flops"))
        able = self._able(columns, np.concatenate([(past.backlog_flop if past else backlog[0])[None], backlog]))
        meetings, requests_per_s = self._arriving(done_steps, len(backlog))
        service_s = self._full_service_s(meetings)
        offered = _offered(assigned, backlog, able, service_s)
        start = past.slots if past else _lasting(offered)
        end, after = followed(start, offered, self.length_s)
        orbit = np.concatenate([past.orbit_flops if past else able.leaving_flops[:0], able.leaving_flops])
        orbit = orbit[-max(round(self.period_s / self.length_s), 1) :]
        waiting_flop = _waiting_flop(start, after, service_s, able.whole_flops)
        held = self._held(able.leaving_flops, orbit, assigned, waiting_flop)
        loads = _loads(columns["accelerators_alive"], offered, after)
        rows = [self._frame(assigned[k], load, meetings[k], held, k) for k, load in enumerate(loads)]
        taken, busy, lasting_s = map(np.asarray, end)
        self.past = Past(backlog[-1], taken, busy, lasting_s, orbit, np.full(1, self.length_s))
        self.reached = done_steps + len(rows) * self.model.structure.schedule.save_steps
        series = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return {"fleet_requests_per_s": requests_per_s} | series

    def _able(self, columns: Columns, backlog_flop: Floats) -> Able:
        """What satellites are able to do: what they do, if they are held back, or what their clocks allow.

        A satellite that does less than all that is there is held back. `backlog_flop` has an edge more than frames.
        """
        names = ("assigned_flops", "compute_rate_flops", "dropped_flops", "accelerators_alive", "clock_fraction")
        assigned, done, dropped, alive, clock = (columns[name].astype(np.float64) for name in names)
        there = assigned + np.maximum(backlog_flop[:-1], 0.0) / self.length_s
        whole = self.each_flops * alive
        allowed = whole * np.where(there > 0.0, np.minimum(clock / self.nominal_clock, 1.0), 1.0)
        able = np.where(done < FULL * there, done, np.maximum(allowed, done))
        return Able(whole, able, able + dropped)

    def _full_service_s(self, of: list[Meeting]) -> Floats:
        """Time in service in each frame, every slot being taken, (frame,)."""
        prompt, output = (np.array([getattr(meeting, name) for meeting in of]) for name in Meeting._fields[:2])
        service = registry.call(serving.service, self.profile, jnp.ones(len(of)), prompt, output)
        return np.maximum(np.asarray(service.full_service_s), queueing.SHORTEST_S)

    def _held(self, leaving_flops: Floats, orbit_flops: Floats, assigned_flops: Floats, waiting_flop: Floats) -> Delays:
        """Delays of the satellites at which something waits.

        After the last frame a satellite is taken to do what it did an orbit before, then the mean of that.
        """
        quiet_flop = QUIET * self.each_flops * self.length_s
        (some,) = np.nonzero((waiting_flop > quiet_flop).any(axis=0))
        found = []
        for part in np.split(some, range(AT_ONCE, some.size, AT_ONCE)):  # one without any, where none waits
            waiting = np.where(waiting_flop[:, part] > quiet_flop[part], waiting_flop[:, part], 0.0)
            leaving = np.concatenate([leaving_flops[:, part], orbit_flops[:, part]])
            found.append(delays(leaving, assigned_flops[:, part], waiting, self.length_s))
        return Delays(some, *(np.concatenate(parts, axis=-1) for parts in zip(*found, strict=True)))

    def _frame(self, assigned: Floats, load: Load, of: Meeting, held: Delays, number: int) -> dict[str, np.ndarray]:
        share = assigned / max(assigned.sum(), 1e-300)
        there = met(self.profile, load, _dealt(of, share))
        which, part, behind_s = _parts(assigned.size, held, number)
        chance = Wait(*(values[which] for values in there.chance))
        return {
            "fleet_service_s": there.service_s @ share,
            "fleet_prefill_s": there.prefill_s @ share,
            "fleet_output_token_s": there.output_token_s @ share,
            "fleet_output_tokens_in_time_fraction": (there.output_token_s <= self.targets.output_token_s) @ share,
            "share_waiting_longer": waiting_longer(share[which] * part, chance, behind_s),
        }

    def _arriving(self, done_steps: int, frames: int) -> tuple[list[Meeting], Floats]:
        """Means over the requests up to the end of each frame after so many steps, and the rate in each.

        Means are over MIXED_S: the few that arrive in a short frame say little of the many in service.
        """
        schedule = self.model.structure.schedule
        interval_s = schedule.exchange_steps * schedule.step_s
        meetings, rates_per_s = [], np.zeros(frames)
        for k in range(frames):
            first, last = ((done_steps + n * schedule.save_steps) // schedule.exchange_steps for n in (k, k + 1))
            last = max(last, first + 1)
            rates_per_s[k] = self.arrivals[0][first:last].sum() / ((last - first) * interval_s)
            mixed = slice(max(min(first, last - round(MIXED_S / interval_s)), 0), last)
            requests, *means = (series[mixed] for series in self.arrivals)
            weights = requests if requests.sum() else np.ones_like(requests)
            meetings.append(Meeting._make(float(np.average(series, weights=weights)) for series in means))
        return meetings, rates_per_s

    def summary(self, means: Mapping[str, Any], metrics: Mapping[str, float], requests: float) -> dict[str, float]:
        """Waits of all requests of the run, and the tokens put out, from means over requests of the series."""
        shares, means_of = np.asarray(means["share_waiting_longer"]), lambda name: float(means[f"fleet_{name}"])
        first = queueing.first_token_longer(shares, means_of("prefill_s"), self._prompt_scv())
        tokens = metrics["delivered_flop"] * self._tokens_per_flop()
        return {
            "requests": requests,
            **{f"wait_p{percent}_s": queueing.percentile_s(shares, percent) for percent in PERCENTS},
            f"waited_longer_than_{LONG_S:g}_s_fraction": queueing.share_longer(shares, LONG_S),
            **{f"first_token_p{percent}_s": queueing.percentile_s(first, percent) for percent in PERCENTS},
            "first_token_in_time_fraction": 1.0 - queueing.share_longer(first, float(self.targets.first_token_s)),
            "output_token_s": means_of("output_token_s"),
            "output_tokens_in_time_fraction": means_of("output_tokens_in_time_fraction"),
            "served_tokens": tokens,
            "tokens_per_joule": tokens / max(metrics["load_energy_j"], 1e-300),
        }

    def _prompt_scv(self) -> float:
        """Squared coefficient of variation of all prompts of the run."""
        requests, prompt, *_, scv = self.arrivals
        mean, square = (float(requests @ values) / requests.sum() for values in (prompt, prompt**2 * (1.0 + scv)))
        return max(square / max(mean**2, 1e-300) - 1.0, 0.0)

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


def _offered(assigned_flops: Floats, backlog_flop: Floats, able: Able, service_s: Floats) -> Offered:
    """What comes to slots; where no accelerator is left all that comes waits."""
    whole = np.maximum(able.whole_flops, np.where(able.whole_flops > 0.0, 0.0, np.maximum(assigned_flops, 1.0)))
    speed = np.minimum(able.able_flops / whole, 1.0)
    return Offered(*map(jnp.asarray, (assigned_flops / whole, speed, backlog_flop / whole, service_s)))


def _lasting(offered: Offered) -> Slots:
    """Slots where the first frame has lasted: as many are taken as it takes, and none waits."""
    taken = jnp.minimum(offered.asked[0] / jnp.maximum(offered.speed[0], queueing.SLOWEST), 1.0)
    return Slots(taken, jnp.zeros_like(taken), jnp.zeros_like(taken))


def _waiting_flop(start: Slots, after: Slots, service_s: Floats, whole_flops: Floats) -> Floats:
    """Work that waits for slots at the start and at the end of each frame, (frame + 1, satellite)."""
    waiting = np.concatenate([np.asarray(start.taken)[None], np.asarray(after.taken)]) - 1.0
    of_all_flop = service_s[:, None] * whole_flops
    return np.maximum(waiting, 0.0) * np.concatenate([of_all_flop[:1], of_all_flop])


def _loads(alive: np.ndarray, offered: Offered, after: Slots) -> list[Load]:
    speed = np.where(np.asarray(offered.speed) > LEAST_SPEED, np.asarray(offered.speed), 1.0)
    columns = (alive.astype(np.float64), np.asarray(after.busy), speed, np.asarray(after.lasting_s))
    return [Load(*row) for row in zip(*columns, strict=True)]


def _dealt(of: Meeting, share: Floats) -> Meeting:
    """Requests as a satellite meets them that gets each with the probability `share`, (satellite,): fewer bunches."""
    return of._replace(arrival_scv=1.0 + float(share @ share) * (of.arrival_scv - 1.0))
