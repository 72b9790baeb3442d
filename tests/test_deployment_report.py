"""What a person sees of a deployment: the page, the terminal's table, and sentences for damaged folders."""

import base64
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
import synthetic_deployment as synthetic
from synthetic_life import life, shape_and_numbers

from twin.config import ConfigError
from twin.deployment.outcome import outcome
from twin.reporting import console, deployment_console, deployment_facts, deployment_report
from twin.reporting.deployment_facts import GROUPS

ALWAYS = {"comparison", "course", "breakdown", "curves", "supply", "vintages", "life"}
# Tables that bring a figure of their name, and those that bring a table under a heading.
DRAWN = ("map_price", "ladder", "tornado", "elasticities", "capacity", "drivers", "futures", "waterfall")
LISTED = {"parity": "<h2>Break-even</h2>", "study": "<h2>The study's numbers</h2>"}


def page_of(folder: Path) -> str:
    return deployment_report.write(folder).read_text(encoding="utf-8")


def figures_of(text: str) -> dict[str, Any]:
    """Figures embedded in a page, by name."""
    found = re.findall(r'<script type="application/json" data-figure="(\w+)">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(body) for name, body in found}


def numbers(values: Any) -> np.ndarray:
    """Numbers of a trace, which Plotly writes as text or as base 64."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return np.array(values, float)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Page of a folder that has every table."""
    return page_of(synthetic.write(tmp_path_factory.mktemp("whole") / "run", **synthetic.answers()))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Page of a folder that has no more than every deployment has."""
    return page_of(synthetic.write(tmp_path_factory.mktemp("bare") / "run"))


# --- The page -----------------------------------------------------------------------------------------------------


def test_page_asks_the_network_for_nothing_and_is_small(whole: str) -> None:
    body = whole.split("</head>")[1]
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)", body)
    assert "@import" not in whole.split("<script>")[0]
    assert len(whole) < 8e6


def test_page_has_a_section_for_each_table_and_none_without(whole: str, bare: str) -> None:
    assert set(figures_of(bare)) == ALWAYS
    assert set(figures_of(whole)) == ALWAYS | {*DRAWN}
    for heading in LISTED.values():
        assert heading in whole and heading not in bare


@pytest.mark.parametrize("table", [*DRAWN, *LISTED])
def test_each_table_brings_its_own_section(tmp_path: Path, table: str, bare: str) -> None:
    text = page_of(synthetic.write(tmp_path / "run", **{table: synthetic.answers()[table]}))
    assert set(figures_of(text)) - ALWAYS == ({table} & {*DRAWN})
    assert text.count("<h2>") == bare.count("<h2>") + 1


def test_verdict_stands_on_top_with_the_satellite(bare: str) -> None:
    lead = bare.split("</head>")[1].split('<div class="cards">')[0]
    assert "<b>Orbit never reaches 1 GW: 0.4 GW at equilibrium.</b> It is held by &lt;launch&gt;." in lead
    assert "9\u202f161 kg with 104 kW of chips and hosts at 650 km" in lead and "launched by A &amp; B rockets" in lead


def test_names_from_outside_cannot_break_the_page(whole: str) -> None:
    body = whole.split("</head>")[1]
    assert "<h1>Half a &lt;gigawatt&gt;</h1>" in body and "&lt;b&gt;a guess&lt;/b&gt;" in body
    prose = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    for name in ("<i>", "<launch>", "<as printed>", "<b>a guess"):
        assert name not in prose
    assert "</script" not in "".join(map(json.dumps, figures_of(whole).values()))


def test_every_number_of_the_configuration_has_its_source(bare: str) -> None:
    assert "<td><code>price_usd</code></td>" in bare and "ground.grid" in bare and "altitude_m" in bare


def test_costs_of_a_place_add_up_and_small_ones_are_one(bare: str) -> None:
    bars = {trace["name"]: trace for trace in figures_of(bare)["breakdown"]["data"]}
    assert bars.keys() == {"launch", "accelerators", "energy", "hosts", "the rest", "left at the end"}
    orbit = {name: float(numbers(bar["x"])[bar["y"].index("orbit")]) for name, bar in bars.items()}
    assert orbit["launch"] == pytest.approx(120.0) and orbit["the rest"] == pytest.approx(0.1)
    assert orbit["left at the end"] == pytest.approx(-0.5)


def test_bars_of_launches_show_what_limits_them(bare: str) -> None:
    bars = {trace["name"]: trace for trace in figures_of(bare)["course"]["data"] if trace["type"] == "bar"}
    assert numbers(bars["launch"]["y"]).tolist() == [120.0, 0.0, 0.0]
    assert numbers(bars["target"]["y"]).tolist() == [0.0, 120.0, 120.0]


def test_demand_is_a_share_of_the_worlds_output(bare: str) -> None:
    cells, launch = figures_of(bare)["supply"]["data"]
    assert numbers(cells["y"]).tolist() == [1.0] * 3 and numbers(launch["y"]).tolist() == [50.0] * 3
    assert len(set(cells["marker"]["color"])) == 1
    first, *later = launch["marker"]["color"]
    assert first not in later and later == cells["marker"]["color"][1:]


def test_vintages_are_stacked_by_year_of_launch(bare: str) -> None:
    traces = figures_of(bare)["vintages"]["data"]
    assert [trace["name"] for trace in traces] == ["2026", "2027", "2028"]
    assert numbers(traces[1]["y"]).tolist() == [0.0, 108.0, 108.0]


def test_a_choice_of_denominator_shows_one_curve_per_place(bare: str) -> None:
    traces = figures_of(bare)["curves"]["data"]
    shown = [trace["name"] for trace in traces if trace["visible"]]
    assert shown == ["orbit", "grid", synthetic.SITE, "beamed power"]
    assert {trace["meta"] for trace in traces} == set(re.findall(r'<option value="(\w+)">', bare))


def test_map_has_the_contour_of_parity_and_the_deployment(whole: str) -> None:
    heat, contour, here = figures_of(whole)["map_price"]["data"]
    ratio = 10.0 ** numbers(heat["z"]).reshape(2, 3)
    np.testing.assert_allclose(ratio, [[0.5, 1.0, 7.0], [0.6, 4.0, 9.0]], rtol=1e-6)
    assert contour["contours"]["start"] == contour["contours"]["end"] == 0.0
    assert (here["x"], here["y"]) == ([1.5e6], [6.5e5])


def test_futures_that_never_cross_over_are_counted_as_never(whole: str) -> None:
    years = figures_of(whole)["futures"]["data"][1]
    assert years["x"] == ["2026", "2027", "2028", "never"]
    np.testing.assert_allclose(numbers(years["y"]), [0.0, 100 / 3, 0.0, 200 / 3], rtol=1e-6)
    assert "In 4 futures orbit costs 2 times the ground in the median" in whole
    assert "25.0 % of the futures have no satellite that flies" in whole


def test_ladder_says_at_which_step_parity_is_reached(whole: str) -> None:
    assert "Parity is reached with change 2, thin array: orbit then costs 0.9 times the ground." in whole
    (bar,) = figures_of(whole)["ladder"]["data"]
    np.testing.assert_allclose(numbers(bar["x"]) + bar["base"], [4.0, 1.2, 0.9], rtol=1e-6)


def test_waterfall_ends_where_its_steps_lead(whole: str) -> None:
    (fall,) = figures_of(whole)["waterfall"]["data"]
    assert fall["measure"] == ["absolute", "relative", "relative", "total"]
    assert numbers(fall["x"])[:-1].sum() == pytest.approx(numbers(fall["x"])[-1])


# --- The terminal -------------------------------------------------------------------------------------------------


def test_report_of_a_folder_writes_the_page_and_shows_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = synthetic.write(tmp_path / "run", **synthetic.answers())
    console.report(folder)
    text = capsys.readouterr().out
    assert f"Report: {folder / 'report.html'}" in text
    for part in (
        "Orbit never reaches 1 GW",
        "never",
        "28\u202f569",
        "4\u202f358",
        "-138",
        "96.1 % of the time",
        "96.9 kg/kW",
        "launch.price_usd",
        "1\u202f500\u202f000 USD; parity: 3e5 USD",
        "Parity is reached with change 2",
        "In 4 futures",
    ):
        assert part in text
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines() if "report.html" not in line) <= console.PLAIN_WIDTH


def test_ratio_stands_beside_the_places_in_their_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deployment_console.show(synthetic.write(tmp_path / "run"))
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("  per PFLOP-day"))
    assert row.split()[2:] == ["4.00", "1.00", "1.60", "2.00", "4.00"]
    assert "no report.html yet" in lines[-1] and not any("Ladder" in line for line in lines)


def test_every_metric_of_a_deployment_has_a_row() -> None:
    shape, of_slots = shape_and_numbers()
    found = jax.eval_shape(lambda life: outcome(shape, life, of_slots).metrics["orbit"], life())
    rows = {metric for group in GROUPS.values() for metric in group}
    work = {metric for metric in found if metric.startswith("total_usd_per_") and metric.endswith("_without_chips")}
    assert found.keys() - work - {"delivered_flop"} == rows


def test_progress_in_a_pipe_is_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    shape, of_slots = shape_and_numbers()
    slots = {"orbit": "sun_synchronous", "constellation": "walker"}
    cohort = SimpleNamespace(name="reference", satellites=8, model=slots.__getitem__)
    schedule = SimpleNamespace(steps=2880, step_s=30.0)
    model = SimpleNamespace(
        environment=SimpleNamespace(slow_weight=1.0),
        structure=SimpleNamespace(cohorts=(cohort,), schedule=schedule),
        notes=(),
    )
    project: Any = SimpleNamespace(model=model, shape=shape, numbers=of_slots, launcher="A & B")
    with deployment_console.progress(project) as watch:
        watch("life of a satellite", 0, 1)
        for done in range(1, 1001):
            watch("futures", done, 1000)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("8 satellites (reference: 8, sun synchronous, walker)")
    assert lines[1].startswith("1.00 GW in orbit within 30 years, satellites that serve 5 years, launched by A & B")
    assert lines[2].startswith("Compared with grid; on the ground: grid, ")
    assert lines[3:5] == ["life of a satellite", "futures"]
    assert lines[5] == "  100 of 1\u202f000" and lines[-1] == "  1\u202f000 of 1\u202f000" and len(lines) == 15


# --- Damaged folders ----------------------------------------------------------------------------------------------


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def cut(path: Path, part: float) -> None:
    text = path.read_bytes()
    path.write_bytes(text[: int(part * len(text))])


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("months.csv", lambda path: rewrite(path, ",10.0,", ",ten,"), "column launched"),
        ("months.csv", lambda path: rewrite(path, "nominal_power_w", "power"), "no column nominal_power_w"),
        ("months.csv", lambda path: cut(path, 0.53), "damaged"),
        ("costs.csv", lambda path: path.write_bytes(b""), "damaged"),
        ("costs.csv", lambda path: path.write_bytes(b"\xff\xfe\x00"), "damaged"),
        ("life.csv", Path.unlink, "life.csv is missing"),
        ("ladder.csv", lambda path: rewrite(path, "1.2", "x"), "column ratio"),
        ("summary.json", lambda path: cut(path, 0.5), "has not finished, or its summary.json is damaged"),
        ("summary.json", Path.unlink, "has not finished"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_sentence(tmp_path: Path, name: str, damage: Any, sentence: str) -> None:
    folder = synthetic.write(tmp_path / "run", **synthetic.answers())
    damage(folder / name)
    with pytest.raises(ConfigError, match=re.escape(sentence)) as refused:
        console.report(folder)
    assert "\n" not in str(refused.value) and str(folder) in str(refused.value)
    assert not (folder / "report.html").exists()


def test_rows_cut_between_lines_are_noticed(tmp_path: Path) -> None:
    folder = synthetic.write(tmp_path / "run")
    path = folder / "months.csv"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-5]), encoding="utf-8")
    with pytest.raises(ConfigError, match="not every place has the same months"):
        deployment_facts.read(folder)
