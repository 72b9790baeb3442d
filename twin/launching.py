"""Several processes of one run on this machine, watched: when one dies all start anew, from the last checkpoint."""

import argparse
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twin import processes
from twin.cli import FAILED, REFUSED, refusing
from twin.composing import load
from twin.refusal import ConfigError

POLL_S = 0.2
PARTING_S = 10.0  # in which the others may end by themselves once one has: they have most likely met the same error
STOPPING_S = 120.0  # the same once a stop was asked for: a checkpoint may still be on its way to the disk
LAST_LINES = 20


def main(command: Sequence[str]) -> None:
    """Entry point of `scripts/launch.py`; `command` starts one process, given its overrides."""
    parser = argparse.ArgumentParser(
        usage="launch.py N [--restarts K] -- [GROUP=PROFILE] [KEY=VALUE] ...",
        description="One run in several processes on this machine; what follows -- is as for simulate.py.",
    )
    parser.add_argument("processes", type=int, metavar="N", help="how many; each gets its share of the cores")
    parser.add_argument("--restarts", type=int, default=3, metavar="K", help="at most, after one died (default 3)")
    own, given = _halves(sys.argv[1:])
    arguments = parser.parse_args(own)
    with refusing():
        for name, number, least in (("N", arguments.processes, 1), ("--restarts", arguments.restarts, 0)):
            if number < least:
                raise ConfigError(f"{name} = {number}: must be at least {least}")
        overrides = _complete(given)
    sys.exit(Run([*command, *overrides], arguments.processes).supervised(arguments.restarts))


def _halves(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first -- and what stands after it."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:cut], arguments[cut + 1 :]


def _complete(overrides: Sequence[str]) -> list[str]:
    """The overrides of every process: one folder for all of them and all their restarts; ConfigError for bad input."""
    for override in overrides:
        if override.startswith(("-", "distributed=")):
            raise ConfigError(f"{override}: not for launch.py, which starts one run with distributed=env")
    own = [override for override in overrides if not override.startswith("hydra.run.dir=")]
    folder = str(load("simulate", [*overrides, "distributed=env"])[1]).replace("\\", "\\\\").replace("'", "\\'")
    return [*own, "distributed=env", f"hydra.run.dir='{folder}'"]


def _going_on(argument: str) -> str:
    """An argument as it is after a restart, which neither begins anew nor goes back to an earlier step again."""
    return "resume=auto" if re.fullmatch(r"\+*resume=['\"]?(never|from=\d+)['\"]?", argument) else argument


class Run:
    """The processes of a run and whether it has been asked to stop."""

    def __init__(self, command: Sequence[str], many: int) -> None:
        self.command, self.many = command, many
        self.group: list[subprocess.Popen[bytes]] = []
        self.stopping = False

    def supervised(self, restarts: int) -> int:
        """Exit code of the run after at most so many restarts; what is refused or goes wrong would do so again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)
        for restart in itertools.count(1):
            with tempfile.TemporaryDirectory() as logs:
                self._start(Path(logs))
                if self.stopping:  # since before all were there to be told
                    self._pass_on(signal.SIGTERM, None)
                dead = self._until_one_fails()
                if dead is None:
                    break
                late = self._part()
                for number in range(1, self.many):
                    if self.group[number].returncode and number not in late and not self.stopping:
                        _tell(number, Path(logs))
            codes = [process.returncode for process in self.group]
            if self.stopping or codes[dead] in (REFUSED, FAILED) or restart > restarts:
                return _exit_code(codes[0] or codes[dead])
            print(
                f"launch: process {dead} of {self.many} {_how(codes[dead])}; all start anew from the last checkpoint, "
                f"restart {restart} of {restarts}",
                file=sys.stderr,
                flush=True,
            )
            self.command = [*map(_going_on, self.command)]
        return 0

    def _start(self, logs: Path) -> None:
        """Start all on a free port; the first has the terminal, the others a file each."""
        address = f"127.0.0.1:{_free_port()}"
        self.group = []
        for number in range(self.many):
            place = {
                processes.ADDRESS: address,
                "JAX_COORDINATOR_BIND_ADDRESS": address,
                processes.COUNT: str(self.many),
                processes.NUMBER: str(number),
                "JAX_LOCAL_DEVICE_IDS": str(number),  # of GPUs: one for each process
            }
            with _log(logs, number).open("wb") as log, _on_cores(number, self.many):
                output = log if number else None
                # In a session of its own, so that signals come from here alone, once.
                started = subprocess.Popen(
                    self.command, env=os.environ | place, stdout=output, stderr=output, start_new_session=True
                )
            self.group.append(started)

    def _until_one_fails(self) -> int | None:
        """Number of the first process that ends with an error; None when all end well.

        Where several have ended since the last look, one that was killed: the others have lost it.
        """
        while True:
            codes = [process.poll() for process in self.group]
            failed = [number for number, code in enumerate(codes) if code]
            if failed or None not in codes:
                return min(failed, key=lambda number: (codes[number] or 0) > 0, default=None)
            time.sleep(POLL_S)

    def _part(self) -> set[int]:
        """Let the others end by themselves for a while, then kill those that are late: they wait for who is gone."""
        until_s = time.monotonic() + (STOPPING_S if self.stopping else PARTING_S)
        late = set()
        for number, process in enumerate(self.group):
            try:
                process.wait(max(until_s - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                late.add(number)
                process.kill()
                process.wait()
        return late

    def _pass_on(self, number: int, _: Any) -> None:
        self.stopping = True
        for process in self.group:
            if process.poll() is None:
                process.send_signal(number)


def _log(logs: Path, number: int) -> Path:
    return logs / f"{number}.log"


def _tell(number: int, logs: Path) -> None:
    """The last lines of a process whose output nobody has seen."""
    lines = _log(logs, number).read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines[-LAST_LINES:]:
        print(f"[process {number}] {line}", file=sys.stderr)


def _exit_code(code: int) -> int:
    """As a shell gives it."""
    return code if code > 0 else 128 - code


def _how(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def _on_cores(number: int, many: int) -> Iterator[None]:
    """What is started in here has its share of the cores, where the system can tell."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_cores = os.sched_getaffinity(0)
    cores, each = sorted(all_cores), max(len(all_cores) // many, 1)
    first = number * each % len(cores)
    os.sched_setaffinity(0, cores[first : first + each])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_cores)
