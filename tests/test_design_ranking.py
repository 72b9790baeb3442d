"""A sweep of designs over a catalogue, ranked by the objective, with what conflicts where there is no design."""

import csv
import json
import math
import shutil
from pathlib import Path

import pytest
import synthetic_design as synthetic
import yaml
from synthetic_run import write_run

from twin import answer_folder
from twin.config import ConfigError
from twin.optimize_cli import _Optimize
from twin.reporting import console, ranking


def override(folder: Path, cell: str) -> None:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"solar_cell={cell}", "design=least_mass"]))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A design, to be copied."""
    return synthetic.write(tmp_path_factory.mktemp("design") / "run")


def write_job(folder: Path, written: Path, cell: str, mass_kg: float, **changed: str) -> None:
    """A copy of a design with another mass."""
    shutil.copytree(written, folder)
    found = json.loads((folder / "design.json").read_text()) | changed
    found["objective"]["after"] = mass_kg
    (folder / "design.json").write_text(json.dumps(found))
    override(folder, cell)


@pytest.fixture
def sweep(tmp_path: Path, written: Path) -> Path:
    """Five jobs: two designs, one that stopped, one that conflicts and one that was refused."""
    folder = tmp_path / "sweep"
    write_job(folder / "0", written, "heavy", 8100.0)
    write_job(folder / "1", written, "light", 7912.0)
    write_job(folder / "2", written, "stopped", 8000.0, status="stopped")
    none = synthetic.infeasible()
    write_job(folder / "3", written, "dark", 7000.0, status=none.status, message=none.message)
    override(folder / "4", "absent")
    answer_folder.refuse(folder / "4", "solar_cell=absent: no such <profile>")
    return folder


def test_best_satellite_of_the_catalogue_comes_first(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.report(sweep)
    text = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in text.splitlines()]
    rows = [line for line in lines if line[:3] in ("1 1", "2 2", "3 0")]
    start = "1 1 light 7 912 kg 9 161 kg 471.3 m2 140 m2 61 converged work, hot <case>,"
    assert rows[0].startswith(start) and [row.split()[2] for row in rows] == ["light", "stopped", "heavy"]
    assert "By their objective, best first (minimize mass_kg)." in text
    folded = "".join(text.split())
    assert "theselimitsconflict:die" in folded and "nosuch<profile>" in folded
    assert max(len(line) for line in text.splitlines() if "ranking.html" not in line) <= console.PLAIN_RANKING_WIDTH


def test_ranking_is_kept_in_si_with_every_number(sweep: Path) -> None:
    console.report(sweep)
    with (sweep / "ranking.csv").open(newline="") as file:
        best, *_, conflicting, refused = csv.DictReader(file)
    assert (best["rank"], best["solar_cell"], best["ended"]) == ("1", "light", "converged")
    numbers = {"objective": 7912.0, "mass_kg": 7912.0, "array.area_m2": 471.3, "accelerator.count": 61.0}
    assert {key: float(best[key]) for key in numbers} == pytest.approx(numbers)
    assert best["binding_limit"] == "work, hot <case>, radiator.area_m2, charge, longest eclipse, die, hot <case>"
    assert conflicting["rank"] == "" and conflicting["status"].startswith("No design was found that holds all limits")
    assert refused["status"] == "solar_cell=absent: no such <profile>"
    page = (sweep / "ranking.html").read_text()
    assert "no such &lt;profile&gt;" in page and "these limits conflict" in page


def test_damaged_design_is_said_to_be(sweep: Path) -> None:
    path = sweep / "1" / "design.json"
    path.write_bytes(path.read_bytes()[:100])
    jobs = {job.folder.name: job for job in ranking.rank(sweep).jobs}
    assert jobs["1"].status == "damaged" and not jobs["1"].result


def test_maximised_objectives_rank_the_largest_first_and_others_warn(tmp_path: Path, written: Path) -> None:
    for number, (sense, value) in enumerate([("maximize", 1.0), ("maximize", 3.0), ("minimize", 2.0)]):
        write_job(tmp_path / str(number), written, f"cell_{number}", value)
        path = tmp_path / str(number) / "design.json"
        found = json.loads(path.read_text())
        found["objective"]["sense"] = sense
        path.write_text(json.dumps(found))
    ranked = ranking.rank(tmp_path)
    assert [job.folder.name for job in ranked.jobs][:2] == ["1", "0"]
    assert "have different objectives" in ranking.warning(ranked)


def test_designs_and_runs_together_are_refused(sweep: Path) -> None:
    write_run(sweep / "5")
    with pytest.raises(ConfigError, match=r"designs \(0\) and runs \(5\)"):
        console.report(sweep)


def test_sweeper_is_told_worse_than_any_where_there_is_no_design() -> None:
    """Also of a job that was refused before its objective was known to be valid."""
    assert _Optimize().nothing({"design": {"objective": {"minimize": "mass_kg", "maximize": None}}}) == math.inf
    assert (
        _Optimize().nothing({"design": {"objective": {"minimize": None, "maximize": "delivered_flops"}}}) == -math.inf
    )
    assert _Optimize().nothing({}) == math.inf


def test_whole_catalogue_is_checked_of_another_sweeper_the_first_alone() -> None:
    axes = ["solar_cell=choice(xtj_prime,azur_3g30c)", "battery=nca_pack,lfp_pack", "design.solver.starts=1"]
    assert len(_Optimize().to_check(axes)) == 4
    (first,) = _Optimize().to_check([*axes, "hydra/sweeper=optuna"])
    assert first == ["solar_cell=xtj_prime", "battery=nca_pack", "design.solver.starts=1"]
