"""The wall time of a run, and what of it was spent compiling."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax


class _CompileTime:
    """Seconds that JAX has spent compiling in this process."""

    def __init__(self) -> None:
        self.total_s = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            self.total_s += duration_secs


compile_time = _CompileTime()


@dataclass
class Clock:
    """Wall time of a run, what was spent before it was continued included."""

    started_s: float
    compiled_before_s: float
    stepping_s: float = 0.0  # in its chunks, telemetry included
    continued: int = 0

    @classmethod
    def started(cls) -> "Clock":
        """A clock that runs from now on."""
        return cls(time.perf_counter(), compile_time.total_s)

    def goes_on(self, before: Mapping[str, Any]) -> None:
        """Add what the clock of the run showed at the checkpoint that it goes on from."""
        self.started_s -= before["wall_s"]
        self.compiled_before_s -= before["compile_s"]
        self.stepping_s += before["stepping_s"]
        self.continued = before["continued"] + 1

    def reading(self) -> dict[str, Any]:
        """Seconds since the start, of them compiling and stepping, and how often the run was continued."""
        return {
            "wall_s": round(time.perf_counter() - self.started_s, 3),
            "compile_s": round(compile_time.total_s - self.compiled_before_s, 3),
            "stepping_s": self.stepping_s,
            "continued": self.continued,
        }
