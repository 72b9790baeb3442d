"""Command line of deployments."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twin import answer_cli
from twin.composing import load_project

if TYPE_CHECKING:
    from twin.deployment.project import Project, ProjectConfig


def deploy_main() -> None:
    """Entry point of `twin-deploy` and `scripts/deploy.py`."""
    answer_cli.main(_Deploy())


class _Deploy(answer_cli.Program):
    name = "deploy"
    resumes = False

    def load(self, overrides: Sequence[str], config_name: str) -> "tuple[ProjectConfig, Path]":
        return load_project(overrides, config_name)

    def checked(self, config: "ProjectConfig", folder: Path | None = None) -> "Project":
        from twin.deployment.project import build_project

        return build_project(config)

    def finished(self, folder: Path, config: "ProjectConfig") -> bool:
        from twin import answer_folder

        return answer_folder.finished(folder, config.resolved)

    def run(self, config: "ProjectConfig", folder: Path, ready: "Project") -> None:
        from twin.deployment.findings import deploy
        from twin.reporting import deployment_console

        with deployment_console.progress(ready) as watch:
            deploy(config, folder, watch, ready)

    def report(self, folder: Path) -> None:
        from twin.reporting import deployment_report

        deployment_report.write(folder)

    def show(self, folder: Path) -> bool:
        from twin.reporting import deployment_console

        deployment_console.show(folder)
        return True
