"""Command line of designs: Hydra composes, the schema validates, and only then is anything written."""

import logging
import math
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.cli import FAILED, INTERRUPTED, REFUSED
from twin.composing import check_config_dir, load_design, sweep
from twin.conf_path import conf_dir

if TYPE_CHECKING:
    from twin.design.setup import DesignConfig, Setup


class _Session:
    """What the checks before Hydra starts hand to the job, and how jobs ended."""

    def __init__(self) -> None:
        self.ready: tuple[DesignConfig, Setup] | None = None  # of the only job, where it is no sweep
        self.failed = 0


def optimize_main() -> None:
    """Entry point of `twin-optimize` and `scripts/optimize.py`."""
    import hydra
    from hydra._internal.utils import get_args_parser

    arguments = get_args_parser().parse_args()
    looking = (arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)
    session = _Session()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        if not any(looking):
            _check_first(arguments, session)

        @hydra.main(config_path=str(conf_dir()), config_name="optimize", version_base="1.3")
        def job(composed: Any) -> float:
            found = _job(session)
            return _worst(composed) if found is None else found

        job()
    except KeyboardInterrupt:
        print("error: interrupted; with hydra.run.dir=FOLDER of this run it goes on where it stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if session.failed:
        sys.exit(FAILED)


def _check_first(arguments: Any, session: _Session) -> None:
    """Refuse bad input before Hydra creates a folder; exit when the design is already there."""
    from twin.config import ConfigError
    from twin.design import folder
    from twin.design.optimize import checked
    from twin.reporting import design_report
    from twin.run_folder import REPORT

    name = arguments.config_name or "optimize"
    try:
        found_in = check_config_dir(arguments.config_dir)
        if arguments.multirun:
            for overrides in _to_check(arguments.overrides):
                checked(load_design([*overrides, *found_in], name)[0])
            return
        config, run_dir = load_design([*arguments.overrides, *found_in], name)
        if folder.finished(run_dir, config.resolved):
            if not (run_dir / REPORT).is_file():
                design_report.write(run_dir)
            sys.exit(0 if _shown(run_dir) else FAILED)
        session.ready = config, checked(config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(REFUSED)


def _to_check(overrides: list[str]) -> list[list[str]]:
    """Every job of a sweep; of another sweeper, which tries a few of them, the first alone."""
    jobs = sweep(overrides)
    return jobs[:1] if any(override.startswith("hydra/sweeper=") for override in overrides) else jobs


def _shown(folder: Path) -> bool:
    """Print a design; whether it holds all limits."""
    from twin.reporting import design_console, design_facts

    design_console.show(folder)
    return design_facts.read(folder).feasible


def _worst(composed: Any) -> float:
    """What whoever sweeps is told of a job without a design: worse than any objective."""
    objective = (composed.get("design") or {}).get("objective") or {}
    return math.inf if objective.get("maximize") is None else -math.inf


def _job(session: _Session) -> float | None:
    """One run of Hydra: design into its output folder, show progress and the result; the objective of a design."""
    from hydra.core.hydra_config import HydraConfig

    from twin import answer_folder
    from twin.config import ConfigError
    from twin.design.optimize import checked, optimize
    from twin.reporting import design_console, design_report

    logging.raiseExceptions = False  # a full disk has no room for a log; the run says so itself
    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    try:
        if session.ready is None:
            config, _ = load_design(list(hydra_config.overrides.task), str(hydra_config.job.config_name))
            setup = checked(config)
        else:
            config, setup = session.ready
        with design_console.progress(setup.problem) as watch:
            answer = optimize(config, folder, watch, setup)
        design_report.write(folder)
        if _shown(folder):
            return answer.solution.objective
        session.failed += 1
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        answer_folder.refuse(folder, str(error))
        session.failed += 1
    except OSError as error:
        print(f"error: {folder}: cannot be written ({error.strerror or error})", file=sys.stderr)
        session.failed += 1
    return None
