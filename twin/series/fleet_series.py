"""What the fleet does as a whole, frame by frame, and what a run has added up of that: on the host, float64."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from twin.checkpoint import Leaves
from twin.model import Model
from twin.prepare import Cohort
from twin.resume import Start
from twin.series.goodput import Training, trains
from twin.series.requests import Requests, has_requests
from twin.variables import REQUESTS, TRAINING

Columns = Mapping[str, np.ndarray]

SUMS = {
    "fleet_assigned_flops": "assigned_flops",
    "fleet_delivered_flops": "compute_rate_flops",
    "fleet_dropped_flops": "dropped_flops",
    "fleet_backlog_flop": "backlog_flop",
    "fleet_downlink_bit_per_s": "downlink_bit_per_s",
    "fleet_data_backlog_bit": "data_backlog_bit",
    "fleet_satellites_in_contact": "contact_fraction",
}
REQUESTED = "fleet_requests_per_s"


def sums(columns: Columns) -> dict[str, np.ndarray]:
    """Series of the fleet, (time,), from frames of all satellites, (time, satellite)."""
    return {name: columns[of].sum(axis=-1, dtype=np.float64) for name, of in SUMS.items()}


class FleetSeries:
    """Series of the fleet, chunk after chunk, and their integrals over the run, those of requests by their number.

    The integrals go on from those of a checkpoint, so that a run that was stopped ends with the same.
    """

    def __init__(self, model: Model, cohorts: Mapping[str, Cohort], start: Start | None = None) -> None:
        """Of a fleet as it was prepared, and of where its run begins."""
        start = start or Start()
        self.model = model
        self.requests = Requests(model, cohorts, start.step, start.leaves) if has_requests(model) else None
        self.training = Training(model, cohorts) if trains(model) else None
        self.integrals: dict[str, Any] = {k: np.asarray(v) for k, v in start.record.get("fleet", {}).items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks for the user."""
        return self.training.notes if self.training else ()

    def __call__(self, columns: Columns, done_steps: int) -> dict[str, np.ndarray]:
        """Series of the frames of a chunk before which so many steps have been simulated."""
        found = sums(columns)
        for part in (self.requests, self.training):
            found |= part(columns, done_steps) if part else {}
        schedule = self.model.structure.schedule
        seconds = float(self.model.environment.slow_weight) * schedule.save_steps * schedule.step_s
        kept = {v.name: seconds for v in TRAINING} if self.training else {}
        if self.requests:
            arrived = seconds * found[REQUESTED]
            kept |= {v.name: seconds if v.name == REQUESTED else arrived for v in REQUESTS}
        for name, weight in kept.items():
            added = np.tensordot(np.broadcast_to(weight, len(found[name])), found[name], axes=1)
            self.integrals[name] = self.integrals.get(name, 0.0) + added
        return found

    def leaves(self) -> Leaves:
        """What the series to come need of those before, as flat arrays by their names."""
        return self.requests.leaves() if self.requests else {}

    def reading(self) -> dict[str, Any]:
        """The integrals as plain numbers and lists."""
        return {name: np.asarray(value).tolist() for name, value in self.integrals.items()}

    def summary(self, metrics: Mapping[str, Any], duration_s: float) -> dict[str, float]:
        """What the summary tells of requests and of training, beside the metrics of the fleet."""
        told: dict[str, float] = {}
        if self.requests:
            arrived = float(self.integrals[REQUESTED])
            means = {v.name: self.integrals[v.name] / max(arrived, 1e-300) for v in REQUESTS}
            told |= self.requests.summary(means, metrics, arrived)
        if self.training:
            means = {v.name: float(self.integrals[v.name]) / duration_s for v in TRAINING}
            told |= self.training.summary(means, float(metrics["delivered_flop"]), duration_s)
        return told
