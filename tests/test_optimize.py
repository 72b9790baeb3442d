"""A problem of the configuration from the command line to its folder and exit code; formulas judge its designs."""

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import Counted

import twin
from twin import composing, run_folder
from twin.design import doubt, satellite
from twin.design.setup import Setup, build_setup
from twin.optimize_cli import optimize_main
from twin.refusal import ConfigError
from twin.reporting import console


def judged(setup: Setup, watts: float) -> Counted:
    """Rows of the reference's problem: so many watts an accelerator, all other limits with room."""
    names = [variable.path for variable in setup.problem.variables]

    def rows(design):
        own = dict(zip(names, design, strict=True))
        area = own["array.area_m2"] + 2.0 * own["radiator.area_m2"]
        mass = area + 1e-6 * own["battery.energy_j"] + 30.0 * own["accelerator.count"]
        told = {"mass_kg": mass, "mean_accelerator_power_w": watts * own["accelerator.count"]}
        return [told.get(row.measure, jnp.asarray(9999.0)) for row in setup.problem.rows]

    return Counted(rows)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the command line with formulas in place of orbits: exit code, the design's JSON, and what was evaluated."""

    def of(watts: float, *overrides: str):
        judges = []
        monkeypatch.setattr(doubt, "judge_of", lambda setup: judges.append(judged(setup, watts)) or judges[-1])
        monkeypatch.setattr(sys, "argv", ["optimize.py", f"hydra.run.dir={tmp_path}/run", *overrides])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        try:
            optimize_main()
            code = 0
        except SystemExit as ended:
            code = ended.code
        found = tmp_path / "run/design.json"
        told = json.loads(found.read_text()) if found.is_file() else {}
        return code, told, [design for judge in judges for design in judge.designs]

    return of


def flown_by(line: str) -> dict[str, Any]:
    """The configuration that a command to simulate composes."""
    _, script, _, folder, *overrides = shlex.split(line)
    assert script == "scripts/simulate.py"
    return composing.composed("simulate", [*overrides, *composing.check_config_dir(folder)])[0]


def test_a_design_ends_with_code_0_and_is_not_sought_twice(run, tmp_path: Path) -> None:
    code, told, designs = run(1001.0, "failures=expected", "seed=7")
    assert code == 0 and told["status"] == "converged" and designs
    assert told["numbers"]["accelerator.count"] == 100.0 and told["numbers"]["array.area_m2"] == 200.0
    assert (tmp_path / "run/satellite/design.yaml").is_file() and (tmp_path / "run/report.html").is_file()
    flown = {name: flown_by(line) for name, line in told["commands"].items()}
    assert {name: own["time"]["start"][:10] for name, own in flown.items()} == {
        "longest_eclipse": "2026-06-21", "perihelion": "2026-01-03"
    }  # fmt: skip
    assert flown["longest_eclipse"]["battery"]["initial_health"] == 0.85
    assert flown["perihelion"]["coating"]["life_fraction"] == 1.0 and flown["perihelion"]["array"]["area_m2"] == 200.0
    assert flown["perihelion"]["constellation"]["satellites"] == 1
    for own in flown.values():
        assert (own["failures"], own["seed"], own["precision"]["dtype"]) == ("expected", 7, "float64")
    code, again, designs = run(1001.0, "failures=expected", "seed=7")
    assert code == 0 and again == told and not designs


def test_limits_that_conflict_end_with_code_1_and_the_nearest_design_is_kept(run) -> None:
    code, told, _ = run(500.0)
    assert code == 1 and told["status"] == "infeasible" and "power (2e+04 W below its least" in told["message"]
    assert told["numbers"]["accelerator.count"] == pytest.approx(160.0)


def test_whole_numbers_that_break_a_limit_end_with_code_1(run, capsys: pytest.CaptureFixture[str]) -> None:
    """100 kW to 100.1 kW are 66.67 to 66.73 times 1500 W."""
    code, told, _ = run(1500.0, "+design.limits.less={measure: mean_accelerator_power_w, most: 100100.0}")
    assert code == 1 and told["status"] == "stopped" and "no whole numbers" in told["message"]
    out = capsys.readouterr().out
    assert "No design was found that holds all limits." in out and "Simulate it" not in out


def test_no_orbit_at_all_ends_with_code_1(run, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(float("nan"))
    assert code == 1 and told["status"] == "stopped" and told["kkt_residual"] is None
    assert "no orbit closes at any start" in capsys.readouterr().out


def test_a_number_that_only_a_scenario_has_is_refused() -> None:
    config = twin.compose_design(["design=compare_32", "+design.scenarios.by_phase=['workload=orbit_schedule']"])
    problem = build_setup(config).problem
    with pytest.raises(ConfigError, match=r"schedule.0 is only in profiles that the scenarios choose; .*workload="):
        satellite.check(problem, config.resolved)


def test_an_interrupted_search_names_the_command_that_goes_on(run, tmp_path: Path, monkeypatch, capsys) -> None:
    def interrupt(self: Counted, designs: np.ndarray) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Counted, "__call__", interrupt)
        assert run(1001.0)[0] == 130
    told = capsys.readouterr().err
    assert told.startswith("error: interrupted; it goes on where it stopped with ") and "Traceback" not in told
    assert shlex.split(told)[-1] == f"hydra.run.dir={tmp_path}/run"
    journal = tmp_path / "run/evaluations.jsonl"
    whole = journal.read_text()
    journal.write_text("garbage\n")
    assert run(1001.0)[0] == 2 and journal.read_text() == "garbage\n"
    assert "evaluations.jsonl: line 1 is damaged" in capsys.readouterr().err
    assert not (tmp_path / "run/refused.json").exists()
    with pytest.raises(ConfigError, match="this design has not finished"):
        console.report(tmp_path / "run")
    journal.unlink()
    journal.mkdir()
    assert run(1001.0)[0] == 2
    assert capsys.readouterr().err.endswith("evaluations.jsonl: cannot be read or written (Is a directory)\n")
    journal.rmdir()
    journal.write_text(whole)
    assert run(1001.0)[0] == 0


def test_a_folder_in_which_another_search_runs_is_left_alone(run, tmp_path: Path, capsys) -> None:
    with run_folder.claimed(tmp_path / "run"):
        assert run(1001.0)[0] == 2
        assert capsys.readouterr().err.endswith("another process is running in it\n")
        with pytest.raises(ConfigError, match="another process is running in it"):
            twin.optimize(twin.compose_design([]), tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [run_folder.LOCK]
