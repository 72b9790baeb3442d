"""What of a fleet's work ends up in the model that it trains, frame by frame: on the host.

All satellites are members of one synchronous job, with parts of each batch in proportion to the work that they are
assigned. The job goes at the pace of the member that does least of its part: one that lies dark without charge holds up
all others; one without a part, for want of accelerators or before it is commissioned, does not. Pace is that of means
over frames, so that what members lose to each other within a frame is not seen.
"""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernels import collective, registry, training
from kernels.constants import DAY_S
from kernels.training import Job
from twin.clusters.cluster import all_reduce, cluster, failures_per_s, upsets_per_s
from twin.model import Model
from twin.prepare import Cohort
from twin.refusal import ConfigError
from twin.structure import moment

Columns = Mapping[str, np.ndarray]

LOSSES = ("straggler", "exchange", "interruption")
BUILT = ("ring", "torus")  # networks with a link to each of few neighbours; a full one is a bound


def trains(model: Model) -> bool:
    """Whether the fleet trains."""
    return model.structure.workload_model == "training"


class Training:
    """What the exchange of gradients and interruptions leave of the work of a fleet in step."""

    def __init__(self, model: Model, cohorts: Mapping[str, Cohort]) -> None:
        """Of a fleet as it was prepared."""
        self.model, self.cohorts = model, [(cohorts[c.name], c.satellites) for c in model.structure.cohorts]
        profile = self.cohorts[0][0].shared.profiles["workload"]
        self.job: Job = registry.call(training.job, profile)
        self.upsets_per_s = np.concatenate([np.asarray(upsets_per_s(cohort)) for cohort, _ in self.cohorts])
        self.exchange_s, self.notes = _exchange_s(model, cohorts, self.job)

    def __call__(self, columns: Columns, done_steps: int) -> dict[str, np.ndarray]:
        """Series of the frames of a chunk before which so many steps have been simulated."""
        assigned, done, alive = (
            columns[name].astype(np.float64) for name in ("assigned_flops", "compute_rate_flops", "accelerators_alive")
        )
        delivered, in_step = done.sum(axis=-1), in_step_flops(assigned, done)
        rate_per_s = alive @ self.upsets_per_s + self._failing_per_s(alive, done_steps)
        exchanged, useful = map(np.asarray, _left(self.job, self.exchange_s, in_step, rate_per_s, alive.sum(axis=-1)))
        left = (delivered, in_step, exchanged, useful)
        lost = {f"fleet_{name}_lost_flops": left[k] - left[k + 1] for k, name in enumerate(LOSSES)}
        return {"fleet_useful_flops": useful, **lost}

    def _failing_per_s(self, alive: np.ndarray, done_steps: int) -> np.ndarray:
        """Rate of failures in each frame, by the age of satellites that were never replaced, (time,)."""
        schedule = self.model.structure.schedule
        steps = done_steps + schedule.save_steps * np.arange(len(alive))
        passed_s = moment(schedule, float(self.model.environment.slow_weight), steps).date_s
        rates, first = np.zeros(len(alive)), 0
        for cohort, count in self.cohorts:
            age_s = float(cohort.slow.age_s[0]) + np.maximum(passed_s, 0.0)
            each = np.asarray(failures_per_s(self.model.structure.failures, cohort, jnp.asarray(age_s)))
            rates += each * alive[:, first : first + count].sum(axis=-1)
            first += count
        return rates

    def summary(self, means: Mapping[str, float], delivered_flop: float, duration_s: float) -> dict[str, float]:
        """The work of the run by where it went, from the means of the series; it adds up to what was delivered."""
        lost = [means[f"fleet_{name}_lost_flops"] for name in LOSSES]
        seen = max(means["fleet_useful_flops"] + sum(lost), 1e-300)
        lost_flop = {f"{name}_lost_flop": delivered_flop * part / seen for name, part in zip(LOSSES, lost, strict=True)}
        useful_flop = delivered_flop - sum(lost_flop.values())
        peak_flop = duration_s * sum(
            float(cohort.budget.accelerators * cohort.shared.profiles["accelerator"]["peak_flops"]) * count
            for cohort, count in self.cohorts
        )
        days = float(training.training_flop(self.job)) / max(useful_flop, 1e-300) * duration_s / DAY_S
        uninterrupted_flop = useful_flop + lost_flop["interruption_lost_flop"]
        return {
            "useful_flop": useful_flop,
            **lost_flop,
            "training_days": days if useful_flop > 0.0 else np.inf,
            "model_flop_utilization": uninterrupted_flop / max(peak_flop, 1.0),
            "delivered_model_flop_utilization": useful_flop / max(peak_flop, 1.0),
        }


def in_step_flops(assigned_flops: np.ndarray, done_flops: np.ndarray) -> np.ndarray:
    """Work of members that wait for each other, (time,), of work assigned and done, (time, member)."""
    member = assigned_flops > 0.0
    part = np.where(member, assigned_flops, 1.0)
    pace = np.min(done_flops / part, axis=-1, where=member, initial=np.inf)
    whole = np.sum(part, axis=-1, where=member)
    return np.minimum(np.where(np.isfinite(pace), pace, 0.0) * whole, done_flops.sum(axis=-1))


@jax.jit
def _left(job: Job, exchange_s: Array, in_step: Array, rate_per_s: Array, accelerators: Array) -> tuple[Array, Array]:
    """What the exchange of gradients leaves of work in step, and what interruptions leave of that, (time,). [flop/s]"""
    exchanged = training.exchanged_flops(in_step, training.step_flop(job), exchange_s, job.overlap_fraction)
    written_s = training.checkpoint_s(job, jnp.maximum(accelerators, 1.0))
    interval_s = training.interval_s(job, rate_per_s, written_s)
    return exchanged, exchanged * training.useful_fraction(rate_per_s, interval_s, written_s, job.restart_s)


def _exchange_s(model: Model, cohorts: Mapping[str, Cohort], job: Job) -> tuple[Array, tuple[str, ...]]:
    """Time to add up the gradients of a step, inside satellites and between them, and what is to be said of it."""
    members = [(cohorts[c.name].shared.profiles, c.satellites) for c in model.structure.cohorts]
    fabric = registry.call(training.fabric, members[0][0]["workload"])
    size_byte = training.gradient_byte(job)
    over = partial(collective.inside_s, size_byte=size_byte, byte_per_s=fabric.inside_byte_per_s)
    inside_s = jnp.stack(
        [over(jnp.maximum(p["accelerator"]["count"], 1.0), latency_s=fabric.message_latency_s) for p, _ in members]
    ).max()
    if sum(count for _, count in members) == 1:
        return inside_s, ()
    try:
        found = all_reduce(cluster(model, cohorts), size_byte, fabric.message_latency_s)
    except ConfigError as reason:
        return inside_s, (f"Exchange of gradients between satellites is not counted; {reason}",)
    between = {name: found[name]["between_satellites_s"] for name in BUILT if name in found}
    fastest = min(between, key=lambda name: float(between[name]))
    return inside_s + between[fastest], (f"Gradients are exchanged by a {fastest} of links",)
