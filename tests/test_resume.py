"""A run that is continued is the run that would have been; one that cannot be is refused in one sentence."""

import json
import multiprocessing
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import killable_run
import numpy as np
import pytest
import xarray as xr

import twin
from twin.config import ConfigError

# Chunks of 20 min, on four devices; every chunk leaves a checkpoint.
TINY = [
    "constellation.satellites=5",
    "time.duration_s=7200",
    "time.step_s=60",
    "time.chunk_s=1200",
    "distributed.devices=4",
    "distributed.tile=2",
    "checkpoint.every_simulated_s=1200",
    "checkpoint.keep=10",
    "failures=random",
    "output.report=false",
]
CHUNK = 20  # steps
OTHERWISE = ["time.save_every_s=600", "distributed.devices=1", "distributed.tile=128"]


def run(folder: Path, *overrides: str, chunks: int | None = None) -> xr.Dataset:
    """Simulate into a folder, asked to stop after so many chunks."""
    asked = iter([False] * chunks + [True]) if chunks is not None else None
    stop: Callable[[], bool] = (lambda: next(asked)) if asked is not None else (lambda: False)
    return twin.simulate(twin.compose("simulate", [*TINY, *overrides]), run_dir=folder, stop=stop)


def facts(data: xr.Dataset) -> dict[str, Any]:
    """The summary without what belongs to the machine."""
    summary = json.loads(data.attrs["summary"])
    return {key: value for key, value in summary.items() if key != "run"}


def assert_same(found: xr.Dataset, expected: xr.Dataset) -> None:
    """Bit for bit the same telemetry and summary."""
    assert found.attrs["status"] == expected.attrs["status"] == "finished"
    assert facts(found) == facts(expected)
    for name in (*expected.data_vars, *expected.coords):
        np.testing.assert_array_equal(found[name].values, expected[name].values)


def assert_close(found: xr.Dataset, expected: xr.Dataset) -> None:
    """The same but for round-off of float32, and the same failures."""
    for name in expected.data_vars:
        largest = expected[name.replace("dropped", "assigned")]  # what is dropped is left of large numbers
        scale = float(np.nanmax(np.abs(largest.values), initial=1e-30))
        pair = found[name].values, expected[name].values
        np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-5 * scale, err_msg=name)
    np.testing.assert_array_equal(found.accelerators_alive.values, expected.accelerators_alive.values)


def refused(folder: Path, *overrides: str) -> str:
    """The sentence; nothing in the folder has changed."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(ConfigError) as error:
        run(folder, *overrides)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return str(error.value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """The run without a break."""
    return run(tmp_path_factory.mktemp("whole") / "a").load()


@pytest.fixture(scope="module")
def halted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose run was asked to stop after three chunks of six. Not to be continued."""
    folder = tmp_path_factory.mktemp("halted") / "a"
    run(folder, chunks=3)
    return folder


@pytest.fixture
def copied(halted: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(halted, tmp_path / "run"))


def steps(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in (folder / "checkpoints").iterdir() if path.name.isdecimal())


# --- The run that would have been ------------------------------------------------------------------------------------


def test_a_stopped_run_is_saved_where_it_stopped(halted: Path, whole: xr.Dataset) -> None:
    data = twin.open_run(halted)
    assert data.attrs["status"] == "stopped" and data.attrs["summary"] == ""
    assert steps(halted)[-1] == 3 * CHUNK
    for name in whole.data_vars:
        np.testing.assert_array_equal(data[name].values, whole[name].values[: data.sizes["time"]])


def test_it_goes_on_bit_for_bit(copied: Path, whole: xr.Dataset) -> None:
    data = run(copied)
    assert_same(data, whole)
    assert json.loads(data.attrs["summary"])["run"]["continued"] == 1


def test_a_finished_run_is_left_as_it_is(copied: Path, whole: xr.Dataset) -> None:
    run(copied)
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    assert_same(run(copied), whole)
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


def test_stopped_again_and_again_it_arrives_all_the_same(tmp_path: Path, whole: xr.Dataset) -> None:
    for _ in range(2):
        data = run(tmp_path / "a", chunks=2)
    assert data.attrs["status"] == "stopped"
    assert_same(run(tmp_path / "a"), whole)


@pytest.mark.parametrize("duration_s", [3600, pytest.param(4200, marks=pytest.mark.slow)])
def test_a_finished_run_grows_longer(tmp_path: Path, whole: xr.Dataset, duration_s: int) -> None:
    """Also where its end lies within a chunk: the grid of chunks is that of the longer run."""
    run(tmp_path / "a", f"time.duration_s={duration_s}")
    assert_same(run(tmp_path / "a"), whole)


def test_it_goes_on_from_an_earlier_step(copied: Path, whole: xr.Dataset) -> None:
    run(copied)
    assert_same(run(copied, f"resume=from={CHUNK}"), whole)


def test_without_a_checkpoint_it_begins_anew(copied: Path, whole: xr.Dataset) -> None:
    shutil.rmtree(copied / "checkpoints")
    assert_same(run(copied), whole)


@pytest.mark.slow
def test_windows_of_a_longer_time_go_on(tmp_path: Path) -> None:
    windows = ["time.weight=10", "time.settle_s=1200", "time.duration_s=72000", "time.save_every_s=600"]
    expected = run(tmp_path / "whole", *windows)
    run(tmp_path / "a", *windows, chunks=5)
    assert_same(run(tmp_path / "a", *windows), expected)


# --- Elsewhere -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("layout", [("1", "128"), ("8", "1")])
def test_it_goes_on_with_other_devices_and_tiles(copied: Path, whole: xr.Dataset, layout: tuple[str, str]) -> None:
    devices, tile = layout
    assert_close(run(copied, f"distributed.devices={devices}", f"distributed.tile={tile}"), whole)


@pytest.mark.slow
def test_it_goes_on_in_the_other_precision_with_a_warning(copied: Path, whole: xr.Dataset) -> None:
    data = run(copied, "precision=float64")
    assert_close(data, whole)
    notes = json.loads(data.attrs["summary"])["run"]["notes"]
    assert any(note.startswith("Warning: goes on in float64, begun in float32") for note in notes)


def test_it_goes_on_at_another_cadence_on_other_devices(copied: Path, whole: xr.Dataset) -> None:
    """What stands at instants is that of the run without a break, at every frame that both have."""
    data = run(copied, *OTHERWISE)
    first, rest = np.split(data.time.values, [np.searchsorted(data.time.values, whole.time.values[12])])
    assert (np.diff(first) == np.timedelta64(300, "s")).all() and (np.diff(rest) == np.timedelta64(600, "s")).all()
    np.testing.assert_array_equal(data.time.values[-1], whole.time.values[-1])
    instants = [name for name, column in whole.data_vars.items() if column.attrs["cell_methods"] == "time: point"]
    assert "battery_temperature_k" in instants and "time" in whole.battery_temperature_k.dims
    assert_close(data[instants], whole[instants].sel(time=data.time))


# --- Refused ---------------------------------------------------------------------------------------------------------


def test_another_design_is_refused_with_old_and_new_value(halted: Path) -> None:
    sentence = refused(halted, "battery.energy_j=5e8", "time.exchange_s=600")
    assert "holds a run of another configuration" in sentence
    assert re.search(r"battery\.energy_j was [\d.]+, is 500000000[;,]", sentence)
    assert "time.exchange_s was 300, is 600" in sentence


REFUSED = {
    "resume=never": "holds a run already; choose another folder",
    "resume=from=7": "resume = 'from=7': no checkpoint of that step; there are 20, 40, 60, and 0 for the start",
    "time.duration_s=2400": "time.duration_s: the run has been simulated for 3600 s already",
    "time.save_every_s=900": "time.save_every_s = 900: makes chunks of 900 s, the run has chunks of 1200 s",
    "seed=1": "seed was 0, is 1",
}


@pytest.mark.parametrize("override", REFUSED)
def test_what_cannot_go_on_is_refused(halted: Path, override: str) -> None:
    assert REFUSED[override] in refused(halted, override)


def test_nothing_to_go_on_from(tmp_path: Path) -> None:
    assert "holds no run to go on with" in refused(tmp_path / "a", "resume=must")


def test_a_shorter_run_than_the_finished_one_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a", "time.duration_s=2400")
    assert "has been simulated for 2400; choose another folder" in refused(tmp_path / "a", "time.duration_s=1200")


def test_windows_that_would_move_are_refused(tmp_path: Path) -> None:
    windows = ["time.weight=10", *OTHERWISE]
    run(tmp_path / "a", *windows, "time.duration_s=60000", chunks=2)
    assert "give a multiple of 12000 s" in refused(tmp_path / "a", *windows, "time.duration_s=66000")


def test_a_telemetry_that_is_gone_is_refused(copied: Path) -> None:
    shutil.rmtree(copied / "telemetry.zarr")
    assert "telemetry.zarr is missing" in refused(copied)


def test_another_format_of_checkpoints_is_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.resume.FORMAT", 3)
    assert "its checkpoints have format 2, this program writes 3" in refused(copied)


def test_two_processes_do_not_run_in_one_folder(copied: Path) -> None:
    from twin import run_folder

    with run_folder.claimed(copied):
        assert "another process is running in it" in refused(copied)


# --- Damage ----------------------------------------------------------------------------------------------------------


def test_a_damaged_checkpoint_is_skipped_for_the_one_before_and_named(copied: Path, whole: xr.Dataset) -> None:
    for path in (copied / "checkpoints" / "60" / "state").rglob("d/*"):
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    data = run(copied)
    assert_same(data, whole)
    notes = json.loads(data.attrs["summary"])["run"]["notes"]
    assert any(note.startswith("Checkpoint 60 is damaged and set aside: ") for note in notes)
    assert (copied / "checkpoints" / "damaged-60").is_dir() and 60 in steps(copied)


def test_a_run_whose_checkpoints_are_all_damaged_keeps_its_telemetry(copied: Path, whole: xr.Dataset) -> None:
    for record in (copied / "checkpoints").rglob("record/metadata"):
        record.write_text("{}", encoding="utf-8")
    assert "all damaged, the newest one 60" in refused(copied)
    assert_same(run(copied, "resume=from=0"), whole)


# --- Finished --------------------------------------------------------------------------------------------------------


def test_a_whole_number_is_the_same_value(copied: Path, whole: xr.Dataset) -> None:
    assert_same(run(copied, "time.exchange_s=300", "time.chunk_s=1200.0", "seed=0"), whole)


def test_what_a_finished_run_has_not_kept_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a", "time.duration_s=1200")
    other = ["time.duration_s=1200", "precision=float64", "output.satellites=quantiles", "time.save_every_s=600"]
    sentence = refused(tmp_path / "a", *other)
    assert "holds the run, finished: output.satellites was all, is quantiles; precision.dtype was float32" in sentence
    assert "time.save_every_s was 300, is 600" in sentence


def test_a_report_that_is_missing_is_written(tmp_path: Path) -> None:
    run(tmp_path / "a", "time.duration_s=1200")
    assert not (tmp_path / "a" / "report.html").exists()
    run(tmp_path / "a", "time.duration_s=1200", "output.report=true")
    assert (tmp_path / "a" / "report.html").exists()


def test_a_run_without_a_folder_cannot_be_stopped() -> None:
    with pytest.raises(ConfigError, match="needs a run_dir"):
        twin.simulate(twin.compose("simulate", TINY), stop=lambda: False)


# --- Killed ----------------------------------------------------------------------------------------------------------

KILLS = int(os.environ.get("TWIN_KILLS", "2"))  # 30 take some minutes
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


@pytest.mark.slow
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
            assert_same(twin.open_run(folder), twin.open_run(tmp_path / "whole"))
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
    assert_same(twin.open_run(folder), twin.open_run(tmp_path / "whole"))
    print({name: phases.count(name) for name in sorted(set(phases))})
