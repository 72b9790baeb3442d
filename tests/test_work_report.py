"""The report's sections on work, waits and links, and the rows of the terminal, from made-up series."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import FLEET, RUN, WORKED, write_run
from test_report import figures_of, page_of

from kernels.queueing import THRESHOLDS_S
from twin.reporting import console, globe, human, result_table, series, work_figures, work_flow, work_sections
from twin.reporting.meanings import meaning
from twin.reporting.requests import Requests, requests
from twin.selection import Selection
from twin.store import open_run
from twin.variables import BY_NAME


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("worked") / "run", worked=True)


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return page_of(folder)


def asked_of(folder: Path, edges: list[int]) -> Requests:
    found = requests(open_run(folder), series.Window(np.array(edges)))
    assert found is not None
    return found


def test_waits_are_weighted_by_the_requests_that_arrive(folder: Path) -> None:
    """Of 400 requests 300 wait exponentially long, 10 s on average: the share beyond t is 0.75 exp(-t / 10 s)."""
    asked = asked_of(folder, [0, 60])
    assert asked.mean_per_s == pytest.approx(200.0) and asked.mean_service_s == pytest.approx(6.0)
    assert asked.percentile_s(50.0) == pytest.approx(10.0 * np.log(0.75 / 0.5), rel=1e-5)
    assert asked.percentile_s(99.0) == pytest.approx(10.0 * np.log(0.75 / 0.01), rel=1e-5)
    assert asked.percentile_s(20.0) == 0.0
    for limit_s in (0.0, 1.0, 10.0, 60.0):
        assert asked.share_longer(limit_s) == pytest.approx(0.75 * np.exp(-limit_s / 10.0), rel=1e-5)
    assert asked.share_longer(1e5) == 0.0


def test_waits_over_time_are_those_of_each_bin(folder: Path) -> None:
    asked = asked_of(folder, [0, 1, 2, 60])
    assert asked.percentiles_s(95.0) == pytest.approx([0.0, 10.0 * np.log(20.0), 10.0 * np.log(15.0)], rel=1e-5)
    assert asked.per_s == pytest.approx([100.0, 300.0, 200.0])


def test_frames_that_are_lost_and_bins_without_requests_tell_nothing(folder: Path) -> None:
    data = open_run(folder).load()
    data["share_waiting_longer"][1] = np.nan
    data["fleet_requests_per_s"][:1] = 0.0
    asked = requests(data, series.Window(np.array([0, 1, 2, 4])))
    assert asked is not None
    assert asked.per_s == pytest.approx([0.0, np.nan, 200.0], nan_ok=True)
    assert np.isnan(asked.percentiles_s(50.0)).tolist() == [True, True, False]
    assert asked.percentile_s(50.0) == pytest.approx(10.0 * np.log(1.5), rel=1e-5)
    data["fleet_requests_per_s"][:] = 0.0
    assert requests(data, series.window(0, 60)) is None


def test_page_shows_work_waits_and_links(text: str) -> None:
    figures = figures_of(text)
    assert set(figures) == {"series", "work", "waterfall", "links", "globe", "energy"}
    assert [trace["name"] for trace in figures["work"]["data"]] == [
        "Asked", "Done", "Given up", "Waiting", "Arriving", "p50", "p95", "p99"
    ]  # fmt: skip
    titles = [figures["work"]["layout"][key]["title"]["text"] for key in ("legend", "legend2", "legend3", "legend4")]
    assert [title.strip() for title in titles] == [
        "<b>Work, EFLOP/s</b>", "<b>Work that waits, EFLOP</b>", "<b>Requests, /s</b>", "<b>Wait</b>"
    ]  # fmt: skip
    assert figures["links"]["layout"]["legend"]["title"]["text"].strip() == "<b>Results, Gbit/s</b>"
    body = text.split("</head>")[1]
    rows = [
        ("Time in service, mean", "6 s"),
        ("Wait, p50", "4.05 s"),
        ("Wait, p99", "43.2 s"),
        ("Wait longer than 10 s", "27.6 %"),
        ("Given up", '6.00 ZFLOP</td><td class="number">6.8 %'),
        ("Sent down", '300 Tbit</td><td class="number">75.0 %'),
        ("Lost", '40.0 Tbit</td><td class="number">10.0 %'),
        ("Of that used", "50.0 %"),
        ("A site in view", "8.0 % of the time"),
        ("Light time to the ground, mean", "3.40 ms"),
        ("Light time, at most", "4.90 ms"),
    ]
    for label, value in rows:
        assert f'<tr><td>{label}</td><td class="number">{value}</td></tr>' in body
    assert "<summary><code>ground_network</code> Two sites</summary>" in body
    assert "<td><code>sites.low_place.latitude_rad</code></td><td>-0.4</td><td>a map</td>" in body
    assert "sources.default" not in body


def test_globe_and_map_show_sites_and_links_in_use(tmp_path: Path) -> None:
    text = page_of(write_run(tmp_path / "run", satellites=6, worked=True))
    assert "Lines are links in use: 4; sites in use are filled." in text
    traces = figures_of(text)["globe"]["data"]
    sites = [trace for trace in traces if trace.get("text") == ["High Place", "Low Place"]]
    assert [trace["type"] for trace in sites] == ["scatter3d", "scatter"] and sites[1]["mode"] == "markers+text"
    assert all("meta" not in trace for trace in sites)  # whatever the colouring


@pytest.mark.parametrize("kept", [Selection(tuple(BY_NAME), shares=(0.0, 0.5, 1.0)), Selection(("altitude_m",))])
def test_series_of_the_fleet_are_shown_whatever_is_kept_of_satellites(tmp_path: Path, kept: Selection) -> None:
    text = page_of(write_run(tmp_path / "run", worked=True, kept=kept))
    assert set(figures_of(text)) == {"series", "work", "waterfall", "links", "energy"}


@pytest.mark.parametrize("status", ["running", "failed"])
def test_a_run_without_a_summary_shows_its_series(tmp_path: Path, status: str) -> None:
    text = page_of(write_run(tmp_path / "run", frames=7, status=status, worked=True))
    assert set(figures_of(text)) == {"series", "work", "links", "globe"}
    assert "Wait, p50" in text and "Work asked" not in text


def test_a_run_that_tells_nothing_of_work_has_no_such_sections(tmp_path: Path) -> None:
    for frames, status in ((7, "finished"), (0, "running")):
        text = page_of(write_run(tmp_path / status, frames=frames, status=status))
        assert "<h2>Work</h2>" not in text and "<h2>Links</h2>" not in text
    worked = page_of(write_run(tmp_path / "none", frames=0, status="running", worked=True))
    assert "<h2>Work</h2>" not in worked


TRAINING = {
    "useful_flop": 5e22,
    "straggler_lost_flop": 1e22,
    "exchange_lost_flop": 1.5e22,
    "interruption_lost_flop": 5e21,
}


def losses_of(steps: tuple[work_flow.Step, ...]) -> dict[str, float]:
    """What is lost by label, after a check that steps lead from level to level and that all but gains are losses."""
    there, lost = 0.0, {}
    for step in steps:
        if step.level and step.label not in ("Nominal", "Asked"):
            assert there == pytest.approx(step.flop, rel=1e-12), step.label
        there = step.flop if step.level else there + step.flop
        lost |= {} if step.level else {step.label: -step.flop}
    assert all(lost[label] >= 0.0 for label in lost if label not in ("Beyond the rating", "Waited before", "Other"))
    return lost


@pytest.mark.parametrize(
    ("change", "last"), [({}, "Delivered"), (TRAINING, "Useful"), (TRAINING | {"useful_flop": 4e22}, "Useful")]
)
def test_steps_add_up_to_every_level(change: dict[str, float], last: str) -> None:
    steps = work_flow.steps(FLEET | WORKED | change)
    lost, levels = losses_of(steps), [step.label for step in steps if step.level]
    assert levels[0] == "Nominal" and levels[-3:] == [last, "Asked", "Done"]
    assert lost["Failed or off"] == pytest.approx(1e21) and lost["Not asked"] == pytest.approx(1.3e22)
    assert lost["No power in eclipse"] == pytest.approx(2e21) and lost["No power in sunlight"] == pytest.approx(1e21)
    assert lost["Given up"] == pytest.approx(6e21) and lost["Waits at the end"] == pytest.approx(2e21)
    assert lost.get("Other", 0.0) == pytest.approx(1e22 if change.get("useful_flop") == 4e22 else 0.0)


def test_gains_are_told_apart_from_losses() -> None:
    """Cold dies do more than they are rated for, and what waited before a run may be done in it."""
    cold = {"surplus_flop": 5e21, "unasked_flop": 1.8e22}
    lost = losses_of(work_flow.steps(FLEET | WORKED | cold | {"dropped_flop": 0.0, "assigned_flop": 7e22}))
    assert lost["Beyond the rating"] == pytest.approx(-5e21) and lost["Waited before"] == pytest.approx(-1e22)
    trace = {"surplus_flop": 1e14, "unasked_flop": 1.3e22 + 1e14}
    assert "Beyond the rating" not in losses_of(work_flow.steps(FLEET | WORKED | trace))


def test_no_steps_of_a_summary_that_does_not_tell_them() -> None:
    assert work_flow.steps(FLEET) == () and work_flow.steps({}) == ()


def test_waterfall_is_in_per_cent_of_the_nominal_work(text: str) -> None:
    bars = figures_of(text)["waterfall"]["data"][0]
    assert dict(zip(bars["y"], bars["text"], strict=True)) == {
        "Nominal": "100.0 %", "Failed or off": "-1.0 %", "Not asked": "-13.0 %", "Too hot": "-2.0 %",
        "No power in eclipse": "-2.0 %", "No power in sunlight": "-1.0 %", "Upsets": "-1.0 %", "Delivered": "80.0 %",
        "Asked": "88.0 %", "Given up": "-6.0 %", "Waits at the end": "-2.0 %", "Done": "80.0 %",
    }  # fmt: skip
    nothing = work_figures.waterfall([work_flow.Step("Nominal", 1.0, level=True), work_flow.Step("Lost", 4e-9)])
    assert nothing.data[0].text == ("100.0 %", "0.0 %")  # type: ignore[attr-defined]


def test_waits_below_what_is_told_are_drawn_at_the_foot_of_their_axis() -> None:
    line = work_figures.Line("p50", "#000000", np.array([0.0, 2e-4, 5.0, np.nan]))
    figure: Any = work_figures.over_time(np.arange(4.0), [work_figures.Row("Wait", "s", [line], waits=True)])
    assert figure.data[0].y == pytest.approx([1e-3, 1e-3, 5.0, np.nan], nan_ok=True)
    assert figure.data[0].text == ("0 s", "200 µs", "5 s", human.NOTHING)
    assert figure.layout.yaxis.type == "log" and figure.layout.yaxis.range[1] == pytest.approx(1.0)


def test_lines_over_the_edge_of_the_map_are_drawn_from_both_sides() -> None:
    latitude = (np.array([0.1, 0.2]), np.array([0.3, 0.4]))
    longitude = (np.array([0.5, 3.0]), np.array([0.6, -3.0]))
    (low, high), (west, east) = globe._unwrapped(latitude, longitude)
    assert low.tolist() == [0.1, 0.2, 0.2] and high.tolist() == [0.3, 0.4, 0.4]
    assert west == pytest.approx([0.5, 3.0, 3.0 - 2 * np.pi]) and east == pytest.approx([0.6, 2 * np.pi - 3.0, -3.0])


def test_names_of_neighbours_stand_apart() -> None:
    sites = globe.Sites(("a", "b", "c"), np.array([0.5, 0.6, -1.0]), np.array([0.0, 0.1, 2.0]))
    assert globe._sides(sites) == ["bottom center" if up else "top center" for up in (True, False, True)]
    alone = globe.Sites(("a",), np.zeros(1), np.zeros(1))
    assert globe._sides(alone) == ["top center"]


def test_terminal_tells_of_waits_and_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.show(folder)
    words = " ".join(capsys.readouterr().out.split())
    for part in (
        "Given up 6.00 ZFLOP, 6.8 %",
        "Requests wait p50 4.05 s, p99 43.2 s",
        "Results sent down 300 Tbit, 75.0 %",
        "Results that wait 60.0 Tbit",
        "Results lost 40.0 Tbit, 10.0 %",
    ):
        assert part in words


def test_every_number_of_work_and_links_has_a_meaning() -> None:
    assert [key for key in WORKED | TRAINING if not meaning(key)] == []
    assert human.quantity("sent_bit", 3e14) == "300 Tbit" and human.quantity("x_bit_per_s", 4e9) == "4.00 Gbit/s"
    assert human.duration(0.0235) == "23.5 ms" and human.duration(0.02) == "20 ms"
    assert THRESHOLDS_S[0] == 0.0  # shares of those who wait at all


def test_what_only_the_fleet_knows_stands_in_its_column() -> None:
    fleet, silent = FLEET | WORKED | TRAINING, FLEET | {"dropped_flop": 0.0}
    summary = {"fleet": fleet, "cohorts": {"a": silent, "b": silent}, "run": RUN}
    table = result_table.result_table(summary, {})
    labels = [str(cell).strip() for cell in table.columns[0].cells]
    row = [str(list(column.cells)[labels.index("Useful to the training")]) for column in table.columns[1:]]
    assert row == ["50.0 ZFLOP, 62.5 %", human.NOTHING, human.NOTHING]
    one = result_table.result_table(summary | {"cohorts": {"a": silent}}, {})
    assert "Requests wait" in [str(cell).strip() for cell in one.columns[0].cells]


def test_useful_work_is_drawn_where_the_fleet_trains(folder: Path) -> None:
    data = open_run(folder)
    trained = data.assign(fleet_useful_flops=0.5 * data["fleet_delivered_flops"])
    rows = work_sections._work_rows(trained, series.window(0, 60))
    assert [line.label for line in rows[0].lines] == ["Asked", "Done", "Useful", "Given up"]
    assert rows[0].lines[2].values == pytest.approx(np.full(60, 5e17))
