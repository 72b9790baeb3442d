"""A run in a process of its own, to be killed: its package is loaded once, before it is forked."""

import os
from pathlib import Path
from typing import Any

import twin
from twin import checkpoint, chunks, prepare, recorder, run, summary  # noqa: F401  loaded before the fork

SMALL = [
    "constellation.satellites=3",
    "time.duration_s=86400",
    "time.step_s=60",
    "time.chunk_s=600",
    "checkpoint.every_simulated_s=1800",
    "distributed.devices=2",
    "failures=random",
    "output.report=false",
]


def go(folder: str, began: Any) -> None:
    """Simulate into a folder, and say so when the first chunk is done."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    config = twin.compose("simulate", SMALL)
    twin.simulate(config, run_dir=Path(folder), watch=lambda now: began.set())
