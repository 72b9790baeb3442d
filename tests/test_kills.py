"""A run that is killed at any instant, again and again, ends as one that was not."""

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import killable_run
import numpy as np

import twin

KILLS = int(os.environ.get("TWIN_KILLS", "5"))  # 30 take a few minutes
LONGEST_S = 2.0  # of stepping, of about 6 in all, until a kill


def started(folder: Path) -> tuple[Any, Any]:
    """The run in a process of its own, and the event of its first chunk."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killable_run"])
    began = context.Event()
    process = context.Process(target=killable_run.go, args=(str(folder), began))
    process.start()
    return process, began


def phase(folder: Path) -> str:
    """What the kill seems to have cut short, by what it left."""
    if list(folder.glob("checkpoints/*tmp*")):
        return "checkpoint"
    if list(folder.rglob("*.partial")):
        return "telemetry"
    return "compute" if (folder / "telemetry.zarr").is_dir() else "start"


def test_killed_at_random_instants_it_ends_bit_for_bit_the_same(tmp_path: Path) -> None:
    whole, _ = started(tmp_path / "whole")
    whole.join(300)
    assert whole.exitcode == 0
    draws, phases, folder = np.random.default_rng(5), [], tmp_path / "killed"
    while len(phases) < KILLS:
        process, began = started(folder)
        if draws.random() < 0.8:
            began.wait(120)
            process.join(draws.uniform(0.0, LONGEST_S))
        else:
            process.join(draws.uniform(0.0, 8.0))  # perhaps before it has begun to step
        if process.exitcode is not None:  # it came to its end before: kill another one
            assert process.exitcode == 0
            assert_same(folder, tmp_path / "whole")
            folder = tmp_path / f"killed{len(phases)}"
            continue
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        phases.append(phase(folder))
        with_frames = (folder / "telemetry.zarr").is_dir()
        assert not with_frames or twin.open_run(folder).attrs["status"] == "running"
    last, _ = started(folder)
    last.join(300)
    assert last.exitcode == 0
    assert_same(folder, tmp_path / "whole")
    print({name: phases.count(name) for name in sorted(set(phases))})


def assert_same(folder: Path, expected: Path) -> None:
    found, whole = twin.open_run(folder), twin.open_run(expected)
    assert found.attrs["status"] == "finished"
    for name in (*whole.data_vars, *whole.coords):
        np.testing.assert_array_equal(found[name].values, whole[name].values)
    ours, theirs = (json.loads((place / "summary.json").read_text()) for place in (folder, expected))
    assert ours["fleet"] == theirs["fleet"] and ours["cohorts"] == theirs["cohorts"]
