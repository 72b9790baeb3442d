"""A run that is asked to stop by a signal: saved, exit 0, and the command that goes on."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from shared_run import ORBIT

import twin
from twin import composing, stopping

ROOT = Path(__file__).parents[1]
LONG = [*ORBIT, "time.duration_s=6000000", "time.chunk_s=6000"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_wish_to_stop(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(number)
    with stopping.on_signals(stopping.Stopping()) as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
    assert signal.getsignal(number) == before
    assert capfd.readouterr().err.startswith("Stopping: the chunks under way are finished and saved")


def test_a_second_interrupt_ends_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), stopping.on_signals(stopping.Stopping()):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt_that_python_ignores_comes_again(number: signal.Signals) -> None:
    class Deaf:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            signal.pause()  # until the signal is taken, whose exception ends here

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stopping.interrupting():
        Deaf()
        signal.pause()
    assert signal.getsignal(number) == before and signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def test_an_interrupt_stays_one_where_it_is_taken_for_another_error() -> None:
    with pytest.raises(KeyboardInterrupt), stopping.interrupting():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("as an extension that is being loaded") from None
    with pytest.raises(ImportError), stopping.interrupting():
        raise ImportError


def test_a_terminated_command_says_how_it_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "a run"
    command = [sys.executable, str(ROOT / "scripts/simulate.py"), *LONG, f"hydra.run.dir='{folder}'"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(folder.glob("telemetry.zarr")):
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "Traceback" not in err and err.startswith("Stopping: ")
    data = twin.open_run(folder)
    assert data.attrs["status"] == "stopped" and np.isfinite(data.load_power_w.values).all()
    assert data.sizes["time"] == 0 or list((folder / "checkpoints").iterdir())
    (goes_on,) = (line.strip() for line in out.splitlines() if line.strip().startswith("python "))
    assert shlex.split(goes_on)[2:] == [*LONG, f"hydra.run.dir={folder}"]


@pytest.mark.parametrize("text", ["runs/a run", "it's = (mine), ü", "C:\\x", "$HOME", " ", "'", "\\'"])
def test_a_folder_is_read_by_hydra_as_it_was_told(text: str) -> None:
    (found,) = OverridesParser.create().parse_overrides([f"hydra.run.dir={composing.in_quotes(text)}"])
    assert found.value() == text
