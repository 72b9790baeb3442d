"""A sweep of deployments, ranked: cheapest first, those without a result last, and no runs among them."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import synthetic_deployment as synthetic
import yaml
from synthetic_run import write_run

from twin.config import ConfigError
from twin.reporting import console, ranking


def write_job(folder: Path, launcher: str, *, cost: float | None = 4.0, target_w: float = 5e8, **summary: Any) -> None:
    """A deployment of a sweep in which orbit has this levelised cost; the grid's is 1."""
    synthetic.write(folder)
    path = folder / "summary.json"
    found = json.loads(path.read_text()) | summary
    found["places"]["orbit"]["levelised_usd_per_pflop_day"] = cost
    path.write_text(json.dumps(found))
    path = folder / "config.yaml"
    configuration = yaml.safe_load(path.read_text())
    configuration["deployment"]["target_power_w"] = target_w
    path.write_text(yaml.safe_dump(configuration))
    override(folder, launcher)


def override(folder: Path, launcher: str, *more: str) -> None:
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"launch={launcher}", "analysis=none", *more]))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Four jobs: a costly one, a cheap one, one that was refused, and one whose orbit never works."""
    folder = tmp_path / "sweep"
    write_job(folder / "0", "falcon_heavy", cost=18.0, target_w=1e9)
    write_job(folder / "1", "starship", cost=2.5)
    override(folder / "2", "sounding_rocket")
    write_job(folder / "3", "new_glenn", cost=None)
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "ranking.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_deployments_are_ranked_by_the_cost_of_orbit_over_ground(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.report(sweep)
    text = capsys.readouterr().out
    rows = [line.split() for line in text.splitlines()][2:6]
    assert [row[:4] for row in rows] == [
        ["1", "1", "starship", "2.50"],
        ["2", "0", "falcon_heavy", "18.0"],
        ["3", "3", "new_glenn", "-"],
        ["-", "2", "sounding_rocket", "-"],
    ]
    assert " ".join(rows[3]).endswith("- failed or unfinished")
    assert "cheapest first (levelised_usd_per_pflop_day against grid)." in text and "with care" not in text
    assert max(len(line) for line in text.splitlines() if "ranking.html" not in line) <= console.PLAIN_RANKING_WIDTH


def test_long_overrides_leave_room_for_results(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for job in range(4):
        numbers = f"station_keeping.design_life_years={job}", f"ground.grid.electricity_usd_per_kwh=[0,{job}]"
        override(sweep / str(job), "a_launcher_of_a_rather_long_name" + str(job), *numbers)
    console.report(sweep)
    text = capsys.readouterr().out
    for part in ("unfinished", "4\u202f358", "33.3 %", "2.17", "[0,1]"):
        assert part in text
    assert max(len(line) for line in text.splitlines() if "ranking.html" not in line) <= console.PLAIN_RANKING_WIDTH


def test_ranking_of_deployments_is_kept_in_si_units(sweep: Path) -> None:
    console.report(sweep)
    best, second, *_, last = rows_of(sweep)
    assert "analysis" not in best
    assert (best["rank"], best["job"], best["status"], best["launch"]) == ("1", "1", "finished", "starship")
    numbers = {
        "orbit_over_ground": 2.5,
        "levelised_usd_per_pflop_day": 2.5,
        "levelised_usd_per_pflop_day_without_chips": 4.0,
        "usd_per_w_nominal": 4.0,
        "last_power_w": 4e8,
        "years_to_target": 26 / 12,  # 0.1 GW times the root of the month: 0.5 GW in the 26th
        "launches": 4358.44,
        "specific_mass_kg_per_kw": 96.9,
        "carbon_kg_per_kwh": 4.0,
        "limited_fraction": 1 / 3,
    }
    assert {key: float(best[key]) for key in numbers} == pytest.approx(numbers)
    assert best["binding_limit"] == "launch"
    assert second["years_to_target"] == "inf"
    assert (last["rank"], last["status"], last["orbit_over_ground"]) == ("", "failed or unfinished", "")


def test_target_that_is_not_reached_is_never_and_reports_are_linked(sweep: Path) -> None:
    (sweep / "0" / "report.html").write_text("x")
    text = ranking.to_html(ranking.rank(sweep))
    costly = next(line for line in text.splitlines() if "falcon_heavy" in line)
    assert "<td>never</td>" in costly and 'href="0/report.html"' in costly and 'href="1/report.html"' not in text


def test_measure_and_site_of_a_deployment_are_its_own(tmp_path: Path) -> None:
    write_job(tmp_path / "0", "a", cost=2.0)
    write_job(tmp_path / "1", "b", cost=9.0, measure="carbon_kg_per_kwh", against=synthetic.SITE)
    ranked = ranking.rank(tmp_path)
    assert [job.result["orbit_over_ground"] for job in ranked.jobs] == pytest.approx([2.0, 4.0 / 1.6])
    assert "different measures" in ranking.warning(ranked)
    assert "gas &amp; &lt;i&gt;steam" in ranking.to_html(ranked)


def test_nothing_but_the_target_may_limit(tmp_path: Path) -> None:
    write_job(tmp_path / "0", "a")
    path = tmp_path / "0" / "months.csv"
    path.write_text(path.read_text().replace(",launch\n", ",target\n"))
    (job,) = ranking.rank(tmp_path).jobs
    assert (job.result["limited_fraction"], job.result["binding_limit"]) == (0.0, "target")


@pytest.mark.parametrize("name", ["summary.json", "months.csv", "config.yaml"])
def test_damaged_job_is_last_and_said_to_be(sweep: Path, name: str) -> None:
    path = sweep / "1" / name
    path.write_bytes(path.read_bytes()[:100])
    *_, damaged, unfinished = ranking.rank(sweep).jobs
    assert (damaged.folder.name, damaged.status) == ("1", "damaged")
    assert unfinished.folder.name == "2"


def test_runs_and_deployments_together_are_refused_in_one_sentence(sweep: Path) -> None:
    write_run(sweep / "4")
    with pytest.raises(ConfigError, match=r"deployments \(0\) and runs \(4\)") as refused:
        console.report(sweep)
    assert "\n" not in str(refused.value) and str(sweep) in str(refused.value)
    assert not (sweep / "ranking.csv").exists()
