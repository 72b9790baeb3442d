"""Command line of deployments: Hydra composes, the schema validates, and only then is anything written."""

import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.cli import FAILED, INTERRUPTED, REFUSED
from twin.composing import check_config_dir, load_project, sweep
from twin.conf_path import conf_dir

if TYPE_CHECKING:
    from twin.deployment.project import Project, ProjectConfig


class _Session:
    """What the checks before Hydra starts hand to the job, and how jobs ended."""

    def __init__(self) -> None:
        self.ready: tuple[ProjectConfig, Project] | None = None  # of the only job, where it is no sweep
        self.failed = 0


def deploy_main() -> None:
    """Entry point of `twin-deploy` and `scripts/deploy.py`."""
    import hydra
    from hydra._internal.utils import get_args_parser

    arguments = get_args_parser().parse_args()
    looking = (arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)
    session = _Session()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        if not any(looking):
            _check_first(arguments, session)

        @hydra.main(config_path=str(conf_dir()), config_name="deploy", version_base="1.3")
        def job(_: Any) -> None:
            _job(session)

        job()
    except KeyboardInterrupt:
        print("error: interrupted; the same command begins anew", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if session.failed:
        sys.exit(FAILED)


def _check_first(arguments: Any, session: _Session) -> None:
    """Refuse bad input before Hydra creates a folder; exit 0 when the deployment is already there."""
    from twin import answer_folder
    from twin.config import ConfigError
    from twin.deployment.project import build_project
    from twin.reporting import deployment_console, deployment_report
    from twin.run_folder import REPORT

    name = arguments.config_name or "deploy"
    try:
        found_in = check_config_dir(arguments.config_dir)
        if arguments.multirun:
            for overrides in sweep(arguments.overrides):
                build_project(load_project([*overrides, *found_in], name)[0])
            return
        config, run_dir = load_project([*arguments.overrides, *found_in], name)
        if answer_folder.finished(run_dir, config.resolved):
            if not (run_dir / REPORT).is_file():
                deployment_report.write(run_dir)
            deployment_console.show(run_dir)
            sys.exit(0)
        session.ready = config, build_project(config)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(REFUSED)


def _job(session: _Session) -> None:
    """One run of Hydra: deploy into its output folder, show progress and the result."""
    from hydra.core.hydra_config import HydraConfig

    from twin import answer_folder
    from twin.config import ConfigError
    from twin.deployment.findings import deploy
    from twin.deployment.project import build_project
    from twin.reporting import deployment_console, deployment_report

    logging.raiseExceptions = False  # a full disk has no room for a log; the run says so itself
    hydra_config = HydraConfig.get()
    folder = Path(hydra_config.runtime.output_dir)
    try:
        if session.ready is None:
            config, _ = load_project(list(hydra_config.overrides.task), str(hydra_config.job.config_name))
            project = build_project(config)
        else:
            config, project = session.ready
        with deployment_console.progress(project) as watch:
            deploy(config, folder, watch, project)
        deployment_report.write(folder)
        deployment_console.show(folder)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        answer_folder.refuse(folder, str(error))
        session.failed += 1
    except OSError as error:
        print(f"error: {folder}: cannot be written ({error.strerror or error})", file=sys.stderr)
        session.failed += 1
