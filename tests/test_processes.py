"""Several processes: they give what one gives, agree on what is refused, and go on when one of them is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import twin
from twin import launching, processes
from twin.checkpoint import Checkpoints
from twin.config import ConfigError

ROOT = Path(__file__).resolve().parents[1]
# Past the first calendar day, at whose end accelerators fail.
SMALL = [
    "constellation.satellites=4",
    "constellation.planes=1",
    "time.duration_s=90000",
    "time.step_s=60",
    "time.save_every_s=3600",
    "time.exchange_s=3600",
    "time.chunk_s=18000",
    "failures=random",
    "accelerator.failure_rate_per_year=300",
    "output.report=false",
]
TEN_DAYS = ["time.duration_s=900000", "checkpoint.every_simulated_s=18000"]
ONE_DEVICE = os.environ["XLA_FLAGS"].replace("device_count=8", "device_count=1")
COUNTED = ("accelerators_alive", "silent_corruptions", "memory_errors", "hangs", "crashes")


def launched(many: int, folder: Path, *overrides: str, restarts: int = 0) -> subprocess.Popen[str]:
    """A run in so many local processes of one device each."""
    command = [sys.executable, str(ROOT / "scripts/launch.py"), str(many), "--restarts", str(restarts), "--"]
    return subprocess.Popen(
        [*command, *SMALL, f"hydra.run.dir={folder}", *overrides],
        env=os.environ | {"XLA_FLAGS": ONE_DEVICE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder.parent,
    )


def finished(run: subprocess.Popen[str]) -> str:
    """What a run that ends well has printed."""
    printed, _ = run.communicate(timeout=600)
    assert run.returncode == 0, printed
    return printed


@pytest.fixture(scope="module")
def one() -> xr.Dataset:
    """The run in this process, on one device."""
    return twin.simulate(twin.compose("simulate", [*SMALL, "distributed.devices=1"]))


def assert_same(found: xr.Dataset, expected: xr.Dataset) -> None:
    """Equal to the round-off of float32; what has failed at random is the same exactly."""
    assert found.attrs["status"] == "finished" and set(found.data_vars) == set(expected.data_vars)
    for name, column in expected.data_vars.items():
        scale = max(float(np.abs(column).max()), 1e-9)
        np.testing.assert_allclose(found[name].values, column.values, rtol=0, atol=1e-5 * scale, err_msg=str(name))
    np.testing.assert_array_equal(found.accelerators_alive.values, expected.accelerators_alive.values)
    ours, theirs = (json.loads(data.attrs["summary"])["fleet"] for data in (found, expected))
    assert {name: ours[name] for name in COUNTED} == {name: theirs[name] for name in COUNTED}
    for name, number in theirs.items():
        assert ours[name] == (number if isinstance(number, str | None) else pytest.approx(number, rel=1e-4, abs=1e-5))
    assert (expected.accelerators_alive[-1] < expected.accelerators_alive[0]).any()


# --- Runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_give_what_one_gives(many: int, one: xr.Dataset, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    printed = finished(launched(many, folder))
    assert_same(twin.open_run(folder), one)
    assert printed.count("Result: ") == 1 and f"on {many} x cpu" in printed
    assert list(tmp_path.iterdir()) == [folder]
    left = {
        "telemetry.zarr",
        "checkpoints",
        "summary.json",
        "status.json",
        "config.yaml",
        "run.lock",
        "run.log",
        ".hydra",
    }
    assert {path.name for path in folder.iterdir()} == left


@pytest.mark.slow
def test_a_run_goes_on_when_any_of_its_processes_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run = launched(2, folder, *TEN_DAYS, restarts=2)
    for number in (1, 0):
        before = newest(folder)
        wait_until(lambda before=before: newest(folder) > before, run)
        os.kill(children(run.pid)[number], signal.SIGKILL)
    printed = finished(run)
    for restart, number in ((1, 1), (2, 0)):
        line = f"launch: process {number} of 2 was ended by SIGKILL; all start anew from the last checkpoint"
        assert f"{line}, restart {restart} of 2" in printed
    whole = twin.simulate(twin.compose("simulate", [*SMALL, *TEN_DAYS, "distributed.devices=1"]))
    assert_same(twin.open_run(folder), whole)
    assert json.loads((folder / "summary.json").read_text())["run"]["continued"] == 2


def newest(folder: Path) -> int:
    """Step of the newest checkpoint, 0 without any."""
    return max((int(path.name) for path in folder.glob("checkpoints/*") if path.name.isdecimal()), default=0)


def children(pid: int) -> list[int]:
    """Processes that a process has started, in order."""
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def wait_until(reached: Any, run: subprocess.Popen[str], at_most_s: float = 300.0) -> None:
    until_s = time.monotonic() + at_most_s
    while not reached():
        assert run.poll() is None and time.monotonic() < until_s, run.communicate()[0]
        time.sleep(0.05)


@pytest.mark.slow
def test_all_processes_refuse_what_the_first_one_refuses(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "thesis.tex").touch()
    run = launched(2, folder, restarts=3)
    printed, _ = run.communicate(timeout=300)
    assert run.returncode == 2 and "Traceback" not in printed and "restart" not in printed
    assert "holds something else, and no config.yaml; choose a new or an empty folder" in printed
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_what_one_refuses_all_refuse_and_each_reads_for_itself(tmp_path: Path) -> None:
    saved = Checkpoints(tmp_path / "checkpoints", keep=1)
    saved.save(20, {"state.a.charge": jnp.ones(5)}, {"step": 20})
    saved.close()
    program = """
import twin
from twin import checkpoint, processes
from twin.config import ConfigError

processes.begin(twin.compose("simulate", ["distributed=env"]).distributed)

def refuse(number):
    if me == number:
        raise ConfigError(f"{number} refuses")

said = []
for number in (0, 1):
    try:
        processes.in_all(lambda: refuse(number))
    except processes.AgreedError as error:
        said.append(str(error))
checkpoints = checkpoint.Checkpoints(here / "checkpoints", 1)
said.append(processes.by_first(lambda: checkpoints.load(20)[1]["step"]))
if me == 1:
    said.append(checkpoints.load(20)[1]["step"])
(here / f"said{me}").write_text(repr(said))
processes.wait()
"""
    ended = supervised(tmp_path, program, restarts=0)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "said0").read_text() == "['0 refuses', '1 refuses', 20]"
    assert (tmp_path / "said1").read_text() == "['0 refuses', '1 refuses', 20, 20]"


# --- The supervisor, with programs that only fail ---------------------------------------------------------------------


def supervised(tmp_path: Path, program: str, restarts: int, *given: str) -> subprocess.CompletedProcess[str]:
    """Two processes of a program, which finds its number as `me` and may write into the folder `here`."""
    start = "import os, pathlib, signal, sys, time\nme = int(os.environ['JAX_PROCESS_ID'])\nhere = pathlib.Path('.')\n"
    (tmp_path / "program.py").write_text(start + program, encoding="utf-8")
    command = [sys.executable, "program.py", *given]
    call = "import sys\nfrom twin import launching\nlaunching.PARTING_S = 1.0\n"
    call += f"sys.exit(launching.Run({command}, 2).supervised({restarts}))"
    return subprocess.run(
        [sys.executable, "-c", call],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_the_others_are_killed_and_all_start_anew(tmp_path: Path) -> None:
    program = """
with (here / f"starts{me}").open("a") as file:
    file.write("x")
if len((here / f"starts{me}").read_text()) < 2:
    if me == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)
print("done", me)
"""
    ended = supervised(tmp_path, program, restarts=1)
    assert ended.returncode == 0 and ended.stdout == "done 0\n"
    assert (
        "process 1 of 2 was ended by SIGKILL; all start anew from the last checkpoint, restart 1 of 1" in ended.stderr
    )
    assert all((tmp_path / f"starts{number}").read_text() == "xx" for number in (0, 1))


@pytest.mark.parametrize(("code", "lines"), [pytest.param(2, 0, marks=pytest.mark.slow), (1, 0), (3, 2)])
def test_only_what_may_pass_is_tried_again(tmp_path: Path, code: int, lines: int) -> None:
    ended = supervised(tmp_path, f"print('no', me)\nsys.exit({code})", restarts=2)
    assert ended.returncode == code
    assert ended.stderr.count("launch: process ") == lines
    assert ended.stderr.count("[process 1] no 1") == lines + 1


def test_signals_are_passed_on_and_what_stops_is_not_started_again(tmp_path: Path) -> None:
    program = """
signal.signal(signal.SIGTERM, lambda *_: (here / f"told{me}").touch() or sys.exit(3))
if me == 0:
    time.sleep(1.0)
    os.kill(os.getppid(), signal.SIGTERM)
time.sleep(60)
"""
    ended = supervised(tmp_path, program, restarts=5)
    assert ended.returncode == 3 and "restart" not in ended.stderr
    assert (tmp_path / "told0").exists() and (tmp_path / "told1").exists()


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ("never", "auto"),
        pytest.param("'from=40'", "auto", marks=pytest.mark.slow),
        pytest.param("must", "must", marks=pytest.mark.slow),
    ],
)
def test_a_restart_goes_on_from_the_newest_checkpoint(given: str, then: str, tmp_path: Path) -> None:
    program = "(here / f'given{me}').open('a').write(sys.argv[1] + ' ')\nsys.exit(3)"
    supervised(tmp_path, program, 1, f"resume={given}")
    assert (tmp_path / "given0").read_text() == f"resume={given} resume={then} "


@pytest.mark.parametrize(
    ("given", "then"),
    [("resume=never", "resume=auto"), ("resume='from=40'", "resume=auto"), ("resume=must", "resume=must")],
)
def test_what_a_restart_changes_of_its_arguments(given: str, then: str) -> None:
    assert launching._going_on(given) == then


def test_a_signal_before_a_start_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = launching.Run([sys.executable, "-c", "import time; time.sleep(600)"], 2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    run.stopping = True
    assert run.supervised(5) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["0"], "N = 0: must be at least 1"),
        (["2", "--restarts", "-1"], "--restarts = -1: must be at least 0"),
        (
            ["2", "--", "distributed=slurm"],
            "distributed=slurm: not for launch.py, which starts one run with",
        ),
        (["2", "--", "-m"], "-m: not for launch.py"),
        (["2", "--", "time.step_s=7"], "time.duration_s = 86400: must be a whole multiple of time.step_s = 7"),
    ],
)
def test_launch_refuses_before_it_starts_anything(
    arguments: list[str], reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["launch.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        launching.main(["false"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {reason}")


# --- Who a process is -------------------------------------------------------------------------------------------------

GIVEN = {"JAX_COORDINATOR_ADDRESS": "node1:1234", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"JAX_PROCESS_ID": ""}, "JAX_PROCESS_ID must be set; scripts/launch.py does so"),
        (dict.fromkeys(GIVEN, ""), "JAX_COORDINATOR_ADDRESS and JAX_NUM_PROCESSES and JAX_PROCESS_ID must be set"),
        ({"JAX_COORDINATOR_ADDRESS": "node1"}, "JAX_COORDINATOR_ADDRESS = 'node1': must be HOST:PORT"),
        ({"JAX_NUM_PROCESSES": "0"}, "JAX_NUM_PROCESSES = '0': must be a whole number, at least 1"),
        ({"JAX_PROCESS_ID": "2"}, "JAX_PROCESS_ID = '2': must be a whole number, from 0 to 1, below JAX_NUM_PROCESSES"),
        ({"JAX_PROCESS_ID": "one"}, "JAX_PROCESS_ID = 'one': must be a whole number"),
    ],
)
def test_environment_must_say_who_a_process_is(
    changed: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GIVEN, **changed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        processes.begin(twin.compose("simulate", ["distributed=env"]).distributed)
    assert str(refused.value).startswith(f"distributed.processes = 'env': {reason}")


def test_slurm_is_found_only_in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(ConfigError, match=r"SLURM_JOB_ID.* not set; start the processes of a job with srun"):
        processes.begin(twin.compose("simulate", ["distributed=slurm"]).distributed)


def test_processes_meet_before_jax_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    jax.devices()
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"'env': the processes do not meet \(jax.distributed.initialize"):
        twin.build(twin.compose("simulate", ["distributed=env"]))


def test_a_sweep_has_one_process_a_run() -> None:
    with pytest.raises(ConfigError, match=r"distributed.processes = 'slurm': a run of a sweep \(-m\) has one process"):
        processes.refuse_sweep(twin.compose("simulate", ["distributed=slurm"]).distributed)


def test_one_process_agrees_with_itself() -> None:
    assert processes.count() == 1 and processes.is_first()
    assert processes.of_all("a") == ["a"] and processes.of_first(3) == 3
    assert processes.any_of(True) and not processes.any_of(False)
    assert processes.by_first(lambda: 5) == 5 and processes.in_all(lambda: 5) == 5


def test_processes_have_equal_shares_of_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Devices of one number in their process stand side by side; what one process has more than another is left."""
    devices = [SimpleNamespace(process_index=process) for process in (0, 0, 0, 1, 1)]
    monkeypatch.setattr(jax, "devices", lambda: devices)
    monkeypatch.setattr(processes, "count", lambda: 2)
    assert processes.devices() == (devices[0], devices[3], devices[1], devices[4])
    with pytest.raises(ConfigError, match=r"distributed.devices = 3: must be a multiple of the number of processes, 2"):
        twin.build(twin.compose("simulate", ["distributed.devices=3"]))
