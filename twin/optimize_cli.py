"""Command line of designs."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import answer_cli
from twin.composing import load_design, sweep

if TYPE_CHECKING:
    from twin.design.setup import DesignConfig, Setup


def optimize_main() -> None:
    """Entry point of `twin-optimize` and `scripts/optimize.py`."""
    answer_cli.main(_Optimize())


class _Optimize(answer_cli.Program):
    name = "optimize"
    resumes = True

    def load(self, overrides: Sequence[str], config_name: str) -> "tuple[DesignConfig, Path]":
        return load_design(overrides, config_name)

    def checked(self, config: "DesignConfig", folder: Path | None = None) -> "Setup":
        from twin.design.optimize import checked

        return checked(config, folder)

    def finished(self, folder: Path, config: "DesignConfig") -> bool:
        from twin.design import folder as designs

        return designs.finished(folder, config.resolved)

    def run(self, config: "DesignConfig", folder: Path, ready: "Setup") -> float:
        from twin.design.optimize import optimize
        from twin.reporting import design_console

        with design_console.progress(ready.problem) as watch:
            return optimize(config, folder, watch, ready).solution.objective

    def report(self, folder: Path) -> None:
        from twin.reporting import design_report

        design_report.write(folder)

    def show(self, folder: Path) -> bool:
        from twin.reporting import design_console, design_facts

        design_console.show(folder)
        return design_facts.read(folder).feasible

    def to_check(self, overrides: list[str]) -> list[list[str]]:
        """All; of another sweeper than Hydra's own, which tries a few of them, the first."""
        jobs = sweep(overrides)
        return jobs[:1] if any(override.startswith("hydra/sweeper=") for override in overrides) else jobs

    def nothing(self, composed: Any) -> float:
        """Worse than any objective."""
        objective = (composed.get("design") or {}).get("objective") or {}
        return math.inf if objective.get("maximize") is None else -math.inf
