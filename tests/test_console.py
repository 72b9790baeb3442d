"""The terminal: progress, the table of a run, the ranking of a sweep, and sentences for what is neither."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from synthetic_run import write_run

from twin.config import ConfigError
from twin.reporting import console, human, ranking, result_table
from twin.watching import Progress


def model(satellites: int = 1200) -> Any:
    """As much of a built model as the console looks at."""
    slots = {"orbit": "sun_synchronous", "constellation": "walker"}
    cohort = SimpleNamespace(name="reference", satellites=satellites, model=slots.__getitem__)
    schedule = SimpleNamespace(steps=2880, step_s=30.0)
    notes = ("415 element sets read; 2 dropped [stale]",)
    return SimpleNamespace(
        environment=SimpleNamespace(slow_weight=1.0),
        structure=SimpleNamespace(cohorts=(cohort,), schedule=schedule),
        notes=notes,
    )


def test_progress_in_a_pipe_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress(model()) as watch:
        for done in range(0, 2881, 20):
            watch(Progress(done, 2880, np.datetime64("2026-06-14T12:00:00", "ns"), 1.2e6))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1\u202f200 satellites (reference: 1\u202f200, sun synchronous, walker), 1 day in steps of 30 s"
    assert lines[1] == "415 element sets read; 2 dropped [stale]"
    assert lines[-1] == "2026-06-14 12:00 UTC  100 %  1.20 M satellite-steps/s"
    assert len(lines) == 12
    assert not any(ord(letter) < 32 for line in lines for letter in line)


def test_table_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.report(write_run(tmp_path / "run"))
    text = capsys.readouterr().out
    assert (tmp_path / "run" / "report.html").is_file()
    for part in (
        "1.00 EFLOP/s",
        "76.9 °C (350.0 K), 12.0 K below limit",
        "18.0 %, 2.0 points below limit",
        "80.0 kg/kW",
        "500 mGy, 19.5 Gy below limit",
        "1.50 Gy a year",
        "4.22 m/s a year",
        "5.67 years",
        "6.00",
    ):
        assert part in text
    assert "1.20 M satellite-steps/s on 1 x cpu" in text and str(tmp_path / "run" / "report.html") in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines() if "report.html" not in line) <= 100


def test_life_has_rows_only_for_what_the_summary_has() -> None:
    rows = dict(result_table._life({"propellant_life_years": None, "array_loss_per_year": 0.015}))
    assert {label.strip(): str(text) for label, text in rows.items()} == {
        "Life": "",
        "Array loses": "1.5 % a year",
        "Propellant lasts": human.NOTHING,
    }
    assert list(result_table._life({})) == []


def test_table_has_a_column_per_cohort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.show(write_run(tmp_path / "run", cohorts=("suncatcher", "ai1")))
    head = capsys.readouterr().out.splitlines()[0].split()
    assert head == ["fleet", "suncatcher", "ai1"]


def test_run_that_failed_is_said_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.report(write_run(tmp_path / "run", frames=3, status="failed"))
    assert "this run failed; 3 frames, up to 2026-06-14 00:15 UTC, can be read" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Three jobs: a good one, a better one, and one that failed."""
    folder = tmp_path / "sweep"
    for number, (chip, work) in enumerate([("h100_sxm", 8e22), ("b200", 16e22)]):
        write_run(folder / str(number), delivered_flop=work)
        _override(folder / str(number), chip)
    write_run(folder / "2", frames=2, status="failed")
    _override(folder / "2", "tpu_v7")
    (folder / "multirun.yaml").write_text("hydra: {}\n")
    return folder


def _override(folder: Path, chip: str) -> None:
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"accelerator={chip}", "time.duration_s=86400"]))


def test_sweep_is_ranked_by_work_per_mass(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.report(sweep)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:3] for line in lines[2:5]] == [["1", "1", "b200"], ["2", "0", "h100_sxm"], ["-", "2", "tpu_v7"]]
    assert lines[4][-1] == "failed"
    assert (sweep / "ranking.html").is_file()
    rows = (sweep / "ranking.csv").read_text().splitlines()
    assert rows[0].startswith("rank,job,status,accelerator,flop_per_kg,")
    assert rows[1].startswith("1,1,finished,b200,8e+19,")
    assert rows[3].startswith(",2,failed,tpu_v7,,")


def test_ranking_page_links_to_reports_that_exist(sweep: Path) -> None:
    (sweep / "1" / "report.html").write_text("x")
    text = ranking.to_html(ranking.rank(sweep))
    assert 'href="1/report.html"' in text and 'href="0/report.html"' not in text


def test_jobs_without_hydra_are_told_apart_by_their_configuration(tmp_path: Path) -> None:
    for name, frames in (("a", 5), ("b", 6)):
        write_run(tmp_path / name, frames=frames)
    assert [dict(job.overrides) for job in ranking.rank(tmp_path).jobs] == [
        {"time.duration_s": "1500.0"},
        {"time.duration_s": "1800.0"},
    ]


def test_unlike_number_formats_are_pointed_out(sweep: Path) -> None:
    assert ranking.warning(ranking.rank(sweep)) == ""
    path = sweep / "1" / "config.yaml"
    path.write_text(path.read_text().replace("bf16 dense", "fp8 dense"))
    assert "different number formats" in ranking.warning(ranking.rank(sweep))
    assert "bf16 dense, fp8 dense" in ranking.order(ranking.rank(sweep))


@pytest.mark.parametrize("name", ["", "missing"])
def test_neither_run_nor_sweep_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"holds neither a run|no such folder") as refused:
        console.report(tmp_path / name)
    assert "\n" not in str(refused.value)
