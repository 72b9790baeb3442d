"""Command line of programs whose answer is a folder: Hydra composes, all is checked, and only then anything written."""

import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.cli import FAILED, INTERRUPTED, goes_on, refusing
from twin.composing import check_config_dir, sweep
from twin.conf_path import conf_dir
from twin.stopping import interrupting


class Program(ABC):
    """What one of these programs does; it imports what it needs when it is asked, as Hydra's help needs nothing."""

    name: str  # of its configuration
    resumes: bool  # whether a run that was interrupted goes on where it stopped

    @abstractmethod
    def load(self, overrides: Sequence[str], config_name: str) -> tuple[Any, Path]:
        """Validated configuration and Hydra's run directory; ConfigError."""

    @abstractmethod
    def checked(self, config: Any, folder: Path | None = None) -> Any:
        """What the run needs, built; ConfigError for all that would be refused later, its folder too if known."""

    @abstractmethod
    def finished(self, folder: Path, config: Any) -> bool:
        """Whether the answer is there; ConfigError where the folder holds something else."""

    @abstractmethod
    def run(self, config: Any, folder: Path, ready: Any) -> float | None:
        """Answer into a folder, with its progress shown; what whoever sweeps is told."""

    @abstractmethod
    def report(self, folder: Path) -> None:
        """Write the report of an answer."""

    @abstractmethod
    def show(self, folder: Path) -> bool:
        """Print an answer; whether it is what was asked for."""

    def to_check(self, overrides: list[str]) -> list[list[str]]:
        """Jobs of a sweep that are checked before the first begins."""
        return sweep(overrides)

    def nothing(self, composed: Any) -> float | None:
        """What whoever sweeps is told of a job without an answer."""
        return None


class _Session:
    """What the checks before Hydra starts hand to the job, and how jobs ended."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ready: tuple[Any, Any] | None = None  # of the only job, where it is no sweep
        self.failed = 0  # jobs that ended in an error
        self.found: list[bool] = []  # of the others, whether what was asked for was found
        self.again = ""  # the command that goes on with what is under way, once it is

    @property
    def unsuccessful(self) -> bool:
        """A sweep may try what is impossible, as long as something is found."""
        return self.failed > 0 or (bool(self.found) and not any(self.found))


def main(program: Program) -> None:
    """Run a program from the command line; exits with a code other than 0 where there is no answer."""
    import hydra
    from hydra._internal.utils import get_args_parser

    arguments = get_args_parser().parse_args()
    looking = (arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)
    session = _Session(program)
    try:
        with interrupting():
            if not any(looking):
                _check_first(arguments, session)

            @hydra.main(config_path=str(conf_dir()), config_name=program.name, version_base="1.3")
            def job(composed: Any) -> float | None:
                told = _job(session)
                return program.nothing(composed) if told is None else told

            job()
    except KeyboardInterrupt:
        resumed = program.resumes and session.again
        told = f"it goes on where it stopped with {session.again}" if resumed else "the same command begins anew"
        print(f"error: interrupted; {told}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if session.unsuccessful:
        sys.exit(FAILED)


def _check_first(arguments: Any, session: _Session) -> None:
    """Refuse bad input before Hydra creates a folder; exit when the answer is already there."""
    from twin.run_folder import REPORT, check_unclaimed, check_writable

    program = session.program
    name = arguments.config_name or program.name
    with refusing():
        found_in = check_config_dir(arguments.config_dir)
        if arguments.multirun:
            for overrides in program.to_check(arguments.overrides):
                program.checked(program.load([*overrides, *found_in], name)[0])
            return
        config, run_dir = program.load([*arguments.overrides, *found_in], name)
        if program.finished(run_dir, config):
            if not (run_dir / REPORT).is_file():
                program.report(run_dir)
            sys.exit(0 if program.show(run_dir) else FAILED)
        check_unclaimed(run_dir)
        check_writable(run_dir)
        session.ready = config, program.checked(config, run_dir)


def _job(session: _Session) -> float | None:
    """One run of Hydra: the answer into its output folder, and shown."""
    from hydra.core.hydra_config import HydraConfig

    from twin import answer_folder
    from twin.refusal import ConfigError

    logging.raiseExceptions = False  # a full disk has no room for a log; the run says so itself
    program, hydra_config = session.program, HydraConfig.get()
    session.again = goes_on(hydra_config)
    folder = Path(hydra_config.runtime.output_dir)
    try:
        if session.ready is None:
            config, _ = program.load(list(hydra_config.overrides.task), str(hydra_config.job.config_name))
            ready = program.checked(config)
        else:
            config, ready = session.ready
        told = program.run(config, folder, ready)
        program.report(folder)
        session.found.append(program.show(folder))
        return told if session.found[-1] else None
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        answer_folder.refuse(folder, str(error))
    except OSError as error:
        print(f"error: {folder}: cannot be written ({error.strerror or error})", file=sys.stderr)
    session.failed += 1
    return None
