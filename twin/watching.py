"""A run as others see it while it goes: a line of its log for every chunk, and status.json in its folder."""

import json
import logging
import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np

from twin import limits
from twin.metrics import EXTREMES
from twin.model import Model
from twin.prepare import Cohort
from twin.reporting import human
from twin.run_folder import write_atomically
from twin.summary import plain

STATUS = "status.json"
WRITE_EVERY_S = 1.0
SMOOTHED_S = 60.0  # of wall time, over which the speed is averaged

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever watches."""

    done_steps: int
    total_steps: int
    time: Any  # numpy datetime64, UTC
    satellite_steps_per_s: float


class Pace:
    """Wall time that a step takes; what was longer than `SMOOTHED_S` ago hardly counts."""

    def __init__(self) -> None:
        self.steps = self.took_s = 0.0

    def add(self, steps: int, took_s: float) -> None:
        """Count steps that have just been done."""
        kept = math.exp(-took_s / SMOOTHED_S)
        self.steps = kept * self.steps + steps
        self.took_s = kept * self.took_s + took_s

    def left_s(self, steps: int) -> float | None:
        """Wall time that so many steps will take; None before any has been done."""
        return steps * self.took_s / self.steps if self.steps else None


class Watcher:
    """Writes log and status.json of a run that stands at `done_steps`."""

    def __init__(self, folder: Path, model: Model, cohorts: Mapping[str, Cohort], done_steps: int = 0) -> None:
        self.path = folder / STATUS
        self.budgets: dict[str, Any] = jax.device_get({name: cohort.budget for name, cohort in cohorts.items()})
        self.satellites = sum(cohort.satellites for cohort in model.structure.cohorts)
        self.pace, self.written_s = Pace(), -math.inf
        total = model.structure.schedule.simulated_steps
        self.status: dict[str, Any] = {
            "state": "running",
            "reason": "",
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": _now(),
            "updated": "",
            "simulated_until": None,
            "done_steps": done_steps,
            "total_steps": total,
            "done_fraction": done_steps / total,
            "satellites": self.satellites,
            "satellite_steps_per_s": None,
            "wall_left_s": None,
            "checkpoint_step": done_steps or None,
        }
        self._write()

    def chunk(self, now: Progress, extremes: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell of a chunk whose frames are stored; `extremes` as `metrics.extremes` gives them at its end."""
        steps = now.done_steps - self.status["done_steps"]
        self.pace.add(steps, steps * self.satellites / now.satellite_steps_per_s)
        left_s = self.pace.left_s(now.total_steps - now.done_steps)
        self.status |= {
            "simulated_until": np.datetime_as_string(now.time, "s", timezone="UTC"),
            "done_steps": now.done_steps,
            "done_fraction": now.done_steps / now.total_steps,
            "satellite_steps_per_s": round(now.satellite_steps_per_s),
            "wall_left_s": None if left_s is None else round(left_s),
            **self._worst({name: plain(values) for name, values in jax.device_get(extremes).items()}),
        }
        log.info(_line(self.status))
        if time.monotonic() - self.written_s >= WRITE_EVERY_S:
            self._write()

    def checkpointed(self, steps: Sequence[int]) -> None:
        """Tell of the newest checkpoint, if there is another one, from which the run can go on."""
        for step in steps:
            if step != self.status["checkpoint_step"]:
                self.status["checkpoint_step"] = step
                log.info("checkpoint at step %d", step)

    def end(self, state: str, reason: str = "") -> None:
        """Tell how the run has ended: "finished", "stopped" or "failed", and why."""
        self.status |= {"state": state, "reason": reason}
        log.info("%s at step %d%s", state, self.status["done_steps"], f": {reason}" if reason else "")
        self._write()

    def _worst(self, each: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Extremes and margins of the worst cohort, and the nearest limit of all in words."""
        margins = {name: limits.margins(flat, self.budgets[name]) for name, flat in each.items()}
        where, (limit, _) = min(
            ((name, limits.nearest(of, self.budgets[name])) for name, of in margins.items()),
            key=lambda item: item[1][1],
        )
        kinds = {**EXTREMES, "max_dose_gy": "max"}
        words = (
            f"{limits.what(limit)}, {limits.distance(limit, margins[where][limit])}" if limit else "none is modelled"
        )
        return {
            "nearest_limit": words if len(each) == 1 else f"{where}: {words}",
            **{name: _worst_of(kind, [flat[name] for flat in each.values()]) for name, kind in kinds.items()},
            **{
                name: _worst_of("min", [of.get(name) for of in margins.values()])
                for of in margins.values()
                for name in of
            },
        }

    def _write(self) -> None:
        """Write the status; where that fails, a word of the log has to do: the run itself may go on."""
        self.written_s = time.monotonic()
        self.status["updated"] = _now()
        try:
            write_atomically(self.path, json.dumps(self.status, indent=2) + "\n")
        except OSError as error:
            log.warning("%s cannot be written: %s", self.path, error.strerror)


def last_words(folder: Path) -> str:
    """What status.json last told of a run, in two lines; empty where it has told nothing of a chunk."""
    try:
        status = json.loads((folder / STATUS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    if not isinstance(status, dict) or not status.get("simulated_until"):
        return ""
    return f"{_line(status)}\nSaid at {status['updated']} by process {status['pid']} on {status['host']}"


def _worst_of(kind: str, values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return (max if kind == "max" else min)(known) if known else None


def _line(status: Mapping[str, Any]) -> str:
    """What the log says of a chunk."""
    battery, charge = (status[key] for key in ("max_battery_temperature_k", "min_state_of_charge"))
    return "  ".join(
        (
            f"{status['simulated_until'][:16].replace('T', ' ')} UTC",
            f"{100.0 * status['done_fraction']:.1f} %",
            human.speed(status["satellite_steps_per_s"]),
            f"{human.duration(status['wall_left_s'])} left",
            f"nearest limit: {status['nearest_limit']}",
            f"die up to {human.celsius(status['max_accelerator_temperature_k'])}",
            f"battery {human.celsius(status['min_battery_temperature_k'])} to {human.celsius(battery)}",
            f"charge down to {human.percent(charge)}",
        )
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
