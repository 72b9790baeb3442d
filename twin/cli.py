"""Command line of simulation and reports: what is refused is refused before anything is written."""

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.composing import check_config_dir, in_quotes, load, quoted, sweep
from twin.conf_path import conf_dir
from twin.refusal import ConfigError
from twin.stopping import Stopping, on_signals

if TYPE_CHECKING:
    from twin.config import Config
    from twin.model import Model
    from twin.resume import Start

REFUSED, FAILED, INTERRUPTED = 2, 1, 130


@contextmanager
def refusing() -> Iterator[None]:
    """Bad input ends the program in one sentence, and so does a file that cannot be read or written."""
    try:
        yield
    except ConfigError as error:
        told = str(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        told = f"{where}cannot be read or written ({error.strerror or error})"
    else:
        return
    print(f"error: {told}", file=sys.stderr)
    sys.exit(REFUSED)


@contextmanager
def answering() -> Iterator[None]:
    """The same for a program that writes its answer at the end, all at once, if nobody interrupts it."""
    try:
        with refusing():
            yield
    except KeyboardInterrupt:
        print("error: interrupted; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)


class _Session:
    """What the checks before Hydra starts hand to the job, and how jobs ended."""

    def __init__(self, stop: Stopping) -> None:
        self.ready: tuple[Config, Model, Start] | None = None  # of the only job, where it is no sweep
        self.failed = 0
        self.stop = stop


def simulate_main() -> None:
    """Entry point of `twin-simulate` and `scripts/simulate.py`."""
    import hydra
    from hydra._internal.utils import get_args_parser

    sys.argv[1:] = [quoted(argument) for argument in sys.argv[1:]]
    arguments = get_args_parser().parse_args()
    looking = (arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)
    try:
        with on_signals(Stopping()) as stop:
            session = _Session(stop)
            if not any(looking):
                _check_first(arguments, session)

            @hydra.main(config_path=str(conf_dir()), config_name="simulate", version_base="1.3")
            def job(_: Any) -> None:
                _job(session)

            job()
    except KeyboardInterrupt:
        print("error: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if session.failed:
        sys.exit(FAILED)


def _check_first(arguments: Any, session: _Session) -> None:
    """Refuse bad input before Hydra creates a folder; exit 0 when the run is already there."""
    name = arguments.config_name or "simulate"
    with refusing():
        found_in = check_config_dir(arguments.config_dir)
        from twin import processes, resume
        from twin.model import use_devices
        from twin.run import write_missing_report

        if arguments.multirun:
            for overrides in sweep(arguments.overrides):
                processes.refuse_sweep(load(name, [*overrides, *found_in])[0].distributed)
            return
        config, folder = load(name, [*arguments.overrides, *found_in])
        use_devices(config.distributed)
        with processes.together():
            folder = Path(processes.of_first(str(folder)))
            if processes.by_first(lambda: resume.finished(folder, config)):
                write_missing_report(config, folder)
                if processes.is_first():
                    _show_finished(folder)
                sys.exit(0)
            model, start = _ready(config, folder)
        session.ready = config, model, start
    if not processes.is_first():
        _follow(config, folder, model, start, session.stop)


def _follow(config: "Config", folder: Path, model: "Model", start: "Start", stop: Stopping) -> None:
    """A process that is not the first: it computes; Hydra's folder, files and console are the first one's."""
    from twin.health import HealthError
    from twin.processes import AgreedError
    from twin.run import simulate

    try:
        with on_signals(stop):
            simulate(config, folder, None, model, start, stop)
    except (ConfigError, HealthError) as error:
        if not isinstance(error, AgreedError):  # the first says that one
            print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _ready(config: "Config", folder: Path) -> "tuple[Model, Start]":
    """Model and beginning of a run; ConfigError before anything is written, also where no launch mass exists."""
    from twin.chunks import compile_ahead
    from twin.model import build
    from twin.run import beginning, prepared

    model = build(config)
    compile_ahead(model)
    start = beginning(config, folder, model)
    prepared(model)
    return model, start


def _job(session: _Session) -> None:
    """One run of Hydra: simulate into its output folder, show progress and the result."""
    from hydra.core.hydra_config import HydraConfig

    from twin.endings import RunError
    from twin.health import HealthError
    from twin.model import build
    from twin.reporting import console
    from twin.run import simulate

    logging.raiseExceptions = False  # a full disk has no room for a log; the run says so itself
    hydra_config = HydraConfig.get()
    overrides = list(hydra_config.overrides.task)
    folder = Path(hydra_config.runtime.output_dir)
    if session.stop() and session.ready is None:  # the rest of a sweep
        return
    try:
        if session.ready is None:
            config = load(str(hydra_config.job.config_name), overrides)[0]
            model, start = build(config), None
        else:
            config, model, start = session.ready
        remarks = () if start is None else start.remarks
        with on_signals(session.stop) as stop, console.progress(model, remarks) as watch:
            data = simulate(config, folder, watch, model, start, stop)
        if data.attrs["status"] == "stopped":
            console.show_stopped(folder, data, goes_on(hydra_config))
        else:
            console.show(folder)
    except (ConfigError, HealthError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        session.failed += 1


def goes_on(hydra_config: Any) -> str:
    """The command that goes on where this one has been stopped."""
    from twin import processes

    run_dir = f"hydra.run.dir={in_quotes(str(hydra_config.runtime.output_dir))}"
    if processes.count() > 1:
        return f"the same command, with {run_dir}"
    sweep = str(hydra_config.mode).endswith("MULTIRUN")
    place = f"hydra.sweep.dir={in_quotes(str(hydra_config.sweep.dir))}" if sweep else run_dir
    program = ["python", sys.argv[0]] if sys.argv[0].endswith(".py") else [sys.argv[0]]
    own = [a for a in sys.argv[1:] if not a.startswith(("hydra.run.dir=", "hydra.sweep.dir=", "resume="))]
    return shlex.join([*program, *own, place])


def _show_finished(folder: Path) -> None:
    from twin.reporting import console

    console.show(folder)


def report_main() -> None:
    """Entry point of `twin-report` and `scripts/report.py`: the report of a run, the ranked table of a sweep."""
    from twin.reporting import console

    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: report.py RUN_OR_SWEEP_DIR", file=sys.stderr)
        sys.exit(0 if "-h" in sys.argv or "--help" in sys.argv else REFUSED)
    with refusing():
        console.report(Path(sys.argv[1]))
