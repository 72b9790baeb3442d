"""What a run tells of itself while it goes: status.json and the lines of its log."""

import json
import logging
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from twin import watching
from twin.metrics import EXTREMES
from twin.watching import Pace, Progress, Watcher

STEPS, SATELLITES = 4000, 10
LIMITS = {"max_accelerator_temperature_k": 360.0, "min_battery_temperature_k": 273.0, "min_state_of_charge": 0.2}
EASY: dict[str, Any] = {
    **dict.fromkeys(EXTREMES, np.nan),
    "max_accelerator_temperature_k": 340.0,
    "min_battery_temperature_k": 280.0,
    "max_battery_temperature_k": 300.0,
    "min_state_of_charge": 0.5,
    "max_dose_gy": 0.1,
}
LOG = "twin.watching"


def watcher(folder: Path, *names: str, done_steps: int = 0) -> Watcher:
    """Of a run whose cohorts have these names and together ten satellites."""
    cohorts = tuple(SimpleNamespace(name=name, satellites=SATELLITES // len(names)) for name in names)
    structure = SimpleNamespace(cohorts=cohorts, schedule=SimpleNamespace(simulated_steps=STEPS))
    model: Any = SimpleNamespace(structure=structure)
    prepared: Any = {name: SimpleNamespace(budget=SimpleNamespace(limits=LIMITS)) for name in names}
    return Watcher(folder, model, prepared, done_steps)


def at(done: int, steps_per_s: float = 100.0) -> Progress:
    return Progress(done, STEPS, np.datetime64("2026-06-14T06:00", "ns"), steps_per_s * SATELLITES)


def status(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "status.json").read_text(encoding="utf-8"))


def test_status_from_the_first_moment_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "WRITE_EVERY_S", 0.0)
    seen = watcher(tmp_path, "a")
    first = status(tmp_path)
    assert watching.last_words(tmp_path) == watching.last_words(tmp_path / "none") == ""
    assert (first["state"], first["pid"], first["host"]) == ("running", os.getpid(), socket.gethostname())
    assert first["done_steps"] == 0 and first["wall_left_s"] is None and first["simulated_until"] is None
    seen.chunk(at(1000), {"a": EASY})
    seen.checkpointed([1000])
    seen.chunk(at(2000), {"a": EASY | {"min_state_of_charge": 0.4}})
    now = status(tmp_path)
    assert (now["done_steps"], now["total_steps"], now["done_fraction"]) == (2000, STEPS, 0.5)
    assert now["simulated_until"] == "2026-06-14T06:00:00Z" and now["checkpoint_step"] == 1000
    assert now["satellite_steps_per_s"] == 1000 and now["wall_left_s"] == 20
    assert now["battery_temperature_lower_margin_k"] == 7.0 and now["max_vapour_quality"] is None
    assert now["state_of_charge_lower_margin"] == pytest.approx(0.2) and now["min_state_of_charge"] == 0.4
    assert now["nearest_limit"] == "battery temperature, 7.0 K away"
    assert not any(isinstance(value, dict | list) for value in now.values())
    said = watching.last_words(tmp_path)
    assert said.startswith("2026-06-14 06:00 UTC  50.0 %  ") and f"by process {os.getpid()} on " in said
    seen.end("failed", "the disk is full")
    assert status(tmp_path) | {"updated": ""} == now | {"state": "failed", "reason": "the disk is full", "updated": ""}


def test_the_worst_cohort_counts(tmp_path: Path) -> None:
    seen = watcher(tmp_path, "a", "b")
    seen.chunk(at(1000), {"a": EASY, "b": EASY | {"max_accelerator_temperature_k": 362.5}})
    seen.end("stopped")
    now = status(tmp_path)
    assert now["max_accelerator_temperature_k"] == 362.5 and now["min_battery_temperature_k"] == 280.0
    assert now["accelerator_temperature_upper_margin_k"] == -2.5
    assert now["nearest_limit"] == "b: accelerator temperature, 2.5 K beyond the limit"


def test_a_line_for_every_chunk_but_a_file_only_now_and_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen = watcher(tmp_path, "a", done_steps=500)
    with caplog.at_level(logging.INFO, LOG):
        for done in (1000, 2000):
            seen.chunk(at(done), {"a": EASY})
    assert status(tmp_path)["done_steps"] == 500
    assert [record.name for record in caplog.records] == [LOG, LOG]
    assert caplog.messages[1].split("  ") == [
        "2026-06-14 06:00 UTC",
        "50.0 %",
        "1.00 k satellite-steps/s",
        "20 s left",
        "nearest limit: battery temperature, 7.0 K away",
        "die up to 66.9 °C (340.0 K)",
        "battery 6.9 °C (280.0 K) to 26.9 °C (300.0 K)",
        "charge down to 50.0 %",
    ]


def test_the_pace_follows_the_last_minute() -> None:
    pace = Pace()
    assert pace.left_s(1) is None
    for _ in range(10):
        pace.add(100, 1.0)
    assert pace.left_s(100) == pytest.approx(1.0)
    pace.add(100, 600.0)
    assert pace.left_s(100) == pytest.approx(600.0, rel=1e-3)


def test_a_status_that_cannot_be_written_ends_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen = watcher(tmp_path, "a")
    (tmp_path / "status.json.partial").mkdir()
    seen.end("finished")
    assert "status.json cannot be written: Is a directory" in caplog.text
