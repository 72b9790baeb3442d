"""Telemetry that survives: killed at any moment it reads up to its committed frame and goes on bit for bit."""

import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from synthetic_run import START, axes_of, frames_of

import twin
from twin import store
from twin.config import ConfigError
from twin.store import Axes, Store, stored_times

FRAMES, AT_ONCE = 40, 4
NAMES = ("altitude_m", "state_of_charge")


class Killed(BaseException):
    """The end of a process, which no handler sees."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_TOGETHER", 2)  # of AT_ONCE frames: chunks of 8
    monkeypatch.setattr(store, "TIMES_PER_CHUNK", 16)


def axes(frames: int = FRAMES, satellites: int = 3) -> Axes:
    return replace(axes_of(satellites, frames), variables=NAMES)


def part(first: int, last: int, satellites: int = 3) -> dict[str, np.ndarray]:
    """Frames that all differ."""
    whole = frames_of(satellites, FRAMES)
    return {name: whole[name][first:last] + np.arange(first, last, dtype=np.float32)[:, None] for name in NAMES}


def feed(writer: Store, last: int, at_once: int = AT_ONCE) -> Store:
    """Append all frames after those committed, up to `last`."""
    for first in range(writer.committed, last, at_once):
        writer.append(part(first, min(first + at_once, last)))
    return writer


def create(folder: Path, frames: int = FRAMES) -> Store:
    folder.mkdir(exist_ok=True)
    return Store.create(folder / "telemetry.zarr", axes(frames), AT_ONCE, {"configuration": "{}"})


def resume(folder: Path, frame: int, frames: int = FRAMES) -> Store:
    return Store.resume(folder / "telemetry.zarr", axes(frames), frame, {})


def content(folder: Path) -> dict[str, bytes]:
    """All files of a store."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def assert_holds(folder: Path, frames: int, status: str) -> None:
    data = twin.open_run(folder)
    assert data.sizes["time"] == frames and data.attrs["status"] == status
    assert_right(data)


def assert_right(data: xr.Dataset) -> None:
    """All frames are those that were written."""
    frames = data.sizes["time"]
    np.testing.assert_array_equal(data["time"], axes().time[:frames])
    for name in NAMES:
        np.testing.assert_array_equal(data[name], part(0, frames)[name])


# --- Killed at any moment --------------------------------------------------------------------------------------------


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], bool]:
    """Run something whose process dies before its n-th change of the disk; whether it died before it was done."""
    changes = {name: getattr(os, name) for name in ("replace", "rename", "unlink", "rmdir")}

    def run(last: int, act: Callable[[], Any]) -> bool:
        count = 0

        def counted(name: str) -> Callable[..., Any]:
            def change(*arguments: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count > last:  # a dead process changes nothing more
                    raise Killed
                return changes[name](*arguments, **options)

            return change

        with monkeypatch.context() as patched:
            for name in changes:
                patched.setattr(os, name, counted(name))
            try:
                act()
            except Killed:
                return True
        return False

    return run


def test_a_kill_while_creating_leaves_no_store(tmp_path: Path, killed_at: Any) -> None:
    create(tmp_path / "whole")
    expected, change = content(tmp_path / "whole"), 0
    while killed_at(change, lambda: create(tmp_path / "run")):
        assert not (tmp_path / "run/telemetry.zarr").exists()
        change += 3
    assert change > 10 and content(tmp_path / "run") == expected


def test_a_kill_at_any_moment_loses_nothing_committed(tmp_path: Path, killed_at: Any) -> None:
    """A run that is stopped, goes on from an earlier frame to a later end, and finishes; killed at every step."""
    feed(create(tmp_path / "whole"), FRAMES).close("finished")
    expected = content(tmp_path / "whole")
    create(tmp_path / "template", 20)
    folder, reached = tmp_path / "run", [0]

    def act() -> None:
        writer = feed(Store(folder / "telemetry.zarr"), 12)
        writer.write()
        reached[0] = 12
        writer.close("stopped")
        reached[0] = 6
        feed(resume(folder, 6), FRAMES).close("finished")

    change = 0
    while True:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "template", folder)
        reached[0] = 0
        died = killed_at(change, act)
        data = twin.open_run(folder)
        assert data.sizes["time"] >= reached[0]
        assert_right(data)
        feed(resume(folder, data.sizes["time"] // 2), FRAMES).close("finished")
        assert content(folder) == expected
        if not died:
            break
        change += 1
    assert change > 40


def test_a_killed_process_leaves_what_a_reader_saw(tmp_path: Path) -> None:
    """Kill -9 in the middle of writing, while this process reads; then on to the end."""
    code = "import sys, test_store as t; w = t.create(t.Path(sys.argv[1]))\nwhile w.committed < 40: t.slowly(w)"
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "run")], env=environment)
    seen = 0
    try:
        while seen < 20 and process.poll() is None:
            if (tmp_path / "run/telemetry.zarr").exists():
                data = twin.open_run(tmp_path / "run")
                assert_right(data)
                seen = data.sizes["time"]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 20 <= seen < 40
    feed(resume(tmp_path / "run", seen - 3), FRAMES).close("finished")
    assert_holds(tmp_path / "run", FRAMES, "finished")


def slowly(writer: Store) -> None:
    """One frame more, at a pace that a reader can follow."""
    writer.append(part(writer.committed, writer.committed + 1))
    writer.write()


# --- Gone on with ----------------------------------------------------------------------------------------------------


def test_a_store_that_stopped_has_no_tail_and_grows_again(tmp_path: Path) -> None:
    feed(create(tmp_path), 10).close("stopped", "SIGTERM")
    plain = xr.open_zarr(tmp_path / "telemetry.zarr")
    assert plain.sizes["time"] == 10 and not plain.state_of_charge.isnull().any()
    assert_holds(tmp_path, 10, "stopped")
    assert twin.open_run(tmp_path).attrs["failure"] == "SIGTERM"
    writer = resume(tmp_path, 10)
    assert twin.open_run(tmp_path).attrs["failure"] == "" and writer.committed == 10
    feed(writer, FRAMES).close("finished")
    assert_holds(tmp_path, FRAMES, "finished")


def test_frames_after_the_one_resumed_from_are_gone_at_once(tmp_path: Path) -> None:
    feed(create(tmp_path), 30).close("failed", "no memory")
    resume(tmp_path, 13)
    assert_holds(tmp_path, 13, "running")
    assert bool(xr.open_zarr(tmp_path / "telemetry.zarr").altitude_m[13:].isnull().all())


def test_another_cadence_after_the_resumed_frame(tmp_path: Path) -> None:
    feed(create(tmp_path), 20).close("stopped")
    before = stored_times(tmp_path / "telemetry.zarr")[:10]
    longer = np.concatenate([before, before[-1] + np.arange(1, 31) * np.timedelta64(20, "m")])
    writer = Store.resume(tmp_path / "telemetry.zarr", replace(axes(), time=longer), 10, {})
    feed(writer, FRAMES, at_once=3).close("finished")
    data = twin.open_run(tmp_path)
    np.testing.assert_array_equal(data["time"], longer)
    np.testing.assert_array_equal(data.altitude_m, part(0, FRAMES)["altitude_m"])


@pytest.mark.parametrize(
    ("changed", "frame", "text"),
    [
        ({"variables": ("altitude_m",)}, 5, "state_of_charge would be kept only before or only from here on"),
        ({"satellite": np.array([0, 1, 5])}, 5, "keeps other values of 'satellite' than this run"),
        ({"quantile": (0.0, 1.0)}, 5, "keeps other values of 'quantile' than this run"),
        ({"node": ("bus",)}, 5, "node_temperature_k would be kept only before or only from here on"),
        ({"time": START + np.arange(FRAMES)}, 5, "its first 5 frames are of other times than those of this run"),
        ({}, 21, "cannot be gone on with at frame 21: holds only 20; resume from an earlier step"),
    ],
)
def test_what_cannot_be_gone_on_with_is_left_as_it_is(
    tmp_path: Path, changed: dict[str, Any], frame: int, text: str
) -> None:
    feed(create(tmp_path), 20).close("stopped")
    before = content(tmp_path)
    with pytest.raises(ConfigError, match=text):
        Store.resume(tmp_path / "telemetry.zarr", replace(axes(), **changed), frame, {})
    assert content(tmp_path) == before


def test_a_store_is_never_replaced(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(FileExistsError):
        create(tmp_path)


# --- What waits ------------------------------------------------------------------------------------------------------


def test_frames_wait_for_a_chunk_but_not_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(store.time, "monotonic", lambda: now[0])
    writer = create(tmp_path)
    writer.append(part(0, 3))
    assert writer.committed == 0
    writer.append(part(3, 10))
    assert writer.committed == 8  # a whole chunk
    now[0] = store.MOST_WAIT_S + 1.0
    writer.append(part(10, 11))
    assert writer.committed == 11 and twin.open_run(tmp_path).sizes["time"] == 11
    writer.append(part(11, 12))
    assert writer.committed == 11
    writer.write()
    assert_holds(tmp_path, 12, "running")


# --- Damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_missing_file_is_told(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    feed(create(tmp_path), FRAMES).close("finished")
    damage(tmp_path / "telemetry.zarr/altitude_m/c/2/0")
    with pytest.warns(UserWarning, match=r"altitude_m/c/2/0 is missing; what they held reads as NaN"):
        twin.open_run(tmp_path)
    told = r"altitude_m/c/2/0 is missing; resume=from=0, or a new folder"
    with pytest.raises(ConfigError, match=told):
        resume(tmp_path, FRAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        feed(resume(tmp_path, 16), FRAMES).close("finished")  # all that is missing comes after it
        assert_holds(tmp_path, FRAMES, "finished")


def test_a_chunk_that_has_rotted_is_an_error_of_reading(tmp_path: Path) -> None:
    feed(create(tmp_path), FRAMES).close("finished")
    chunk = tmp_path / "telemetry.zarr" / "altitude_m" / "c" / "0" / "0"
    text = bytearray(chunk.read_bytes())
    text[len(text) // 2] ^= 1
    chunk.write_bytes(text)
    with pytest.raises(ValueError, match="checksum"):
        twin.open_run(tmp_path)["altitude_m"].load()
