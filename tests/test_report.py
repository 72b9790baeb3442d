"""The report: one page that opens offline, figures that show what telemetry holds, an energy flow that balances."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_run import FLEET, START, configuration, frames_of, write_run

from twin.reporting import energy_flow, globe, human, page, series
from twin.reporting.meanings import meaning
from twin.reporting.report import sun_rad, write_report
from twin.selection import Selection
from twin.variables import BY_NAME


def figures_of(text: str) -> dict[str, Any]:
    """Figures embedded in a page, by name."""
    found = re.findall(r'<script type="application/json" data-figure="(\w+)">(.*?)</script>', text, re.DOTALL)
    return {name: json.loads(body) for name, body in found}


def page_of(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def test_page_has_everything_and_asks_the_network_for_nothing(tmp_path: Path) -> None:
    text = page_of(write_run(tmp_path / "run"))
    assert set(figures_of(text)) == {"series", "globe", "energy"}
    assert not re.search(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', text.replace("\\/", "/").split("</head>")[1])
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)", text.split("</head>")[1])
    assert "@import" not in text.split("<script>")[0]
    assert len(text) < 8e6
    assert not list((tmp_path / "run").glob("*.partial"))


def test_statement_and_cards_say_what_came_out(tmp_path: Path) -> None:
    body = page_of(write_run(tmp_path / "run")).split("</head>")[1]
    assert "2 satellites in orbit at 550 km" in body
    assert "1.00 EFLOP/s" in body and "80.0 %" in body and "80.0 ZFLOP" in body
    assert (
        '<div class="card broken"><small>State of charge, lowest</small><b>18.0 %</b><small>2.0 points below limit'
        in body
    )
    assert '<div class="card good"><small>Die, hottest</small><b>76.9 °C</b><small>12.0 K below limit' in body
    assert "415 element sets read; 2 dropped" in body


def test_names_from_outside_cannot_break_the_page(tmp_path: Path) -> None:
    body = page_of(write_run(tmp_path / "run")).split("</head>")[1]
    assert "Test <orbit>" not in body and "Test &lt;orbit&gt;" in body
    names = figures_of(body)["globe"]["data"][-1]["text"]
    assert names == ["sat-0</script>", "sat-1</script>"]


def test_two_cohorts_have_their_own_views_and_columns(tmp_path: Path) -> None:
    text = page_of(write_run(tmp_path / "run", satellites=5, cohorts=("first", "second")))
    views = {trace["meta"] for trace in figures_of(text)["series"]["data"]}
    assert views == {"median", "hottest", "emptiest", "first", "fleet", "cohort first", "cohort second"}
    assert "<th>fleet</th><th>first</th><th>second</th>" in text


WORDS = {"failed": "This run failed", "running": "This run has not finished", "stopped": "This run was stopped"}


@pytest.mark.parametrize("status", WORDS)
@pytest.mark.parametrize("frames", [0, 7])
def test_what_a_broken_run_left_is_shown(tmp_path: Path, status: str, frames: int) -> None:
    text = page_of(write_run(tmp_path / "run", frames=frames, status=status))
    assert f'<p class="status">{WORDS[status]}: {frames} of {frames} frames' in text
    assert ("up to 2026-06-14 00:35 UTC" in text) == bool(frames)
    assert set(figures_of(text)) == ({"series", "globe"} if frames else set())


def test_quantiles_are_drawn_as_bands(tmp_path: Path) -> None:
    kept = Selection(tuple(BY_NAME), shares=(0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0))
    text = page_of(write_run(tmp_path / "run", satellites=50, kept=kept))
    figures = figures_of(text)
    assert set(figures) == {"series", "energy"} and "50 satellites in orbit at 550 km" in text
    assert "50 % as a line, 5 to 95 % as a band, 0 and 100 % dotted" in text
    drawn = [trace for trace in figures["series"]["data"] if trace["legendgroup"] == "accelerator_temperature_k"]
    assert {trace["meta"] for trace in drawn} == {"fleet"} and sum(trace.get("fill") == "tonexty" for trace in drawn)


def test_bands_of_quantiles_join_frames_of_a_bin() -> None:
    values = {"x": np.arange(2 * series.MOST_POINTS, dtype=np.float32)[:, None] + np.array([0.0, 10.0, 20.0])}
    window = series.window(0, 2 * series.MOST_POINTS)
    bands = series.curves_of_quantiles(reader(values), np.array([0.1, 0.5, 0.9]), "x", window)["fleet"]
    assert {word: float(band[1]) for word, band in bands.items()} == {
        "lowest": 2.0, "low": 2.5, "median": 12.5, "high": 22.5, "highest": 23.0
    }  # fmt: skip


def test_a_sample_of_few_variables_is_drawn(tmp_path: Path) -> None:
    kept = Selection(("altitude_m", "state_of_charge"), np.array([0, 24, 49]))
    text = page_of(write_run(tmp_path / "run", satellites=50, status="running", kept=kept))
    assert "Telemetry holds 3 satellites of 50, evenly spread." in text
    figures = figures_of(text)
    assert set(figures) == {"series"}
    assert {trace["meta"] for trace in figures["series"]["data"]} == {"emptiest", "first", "fleet"}


def test_points_stand_at_their_own_times_where_the_interval_changes(tmp_path: Path) -> None:
    even = figures_of(page_of(write_run(tmp_path / "even")))["series"]["data"]
    assert all("dx" in trace and "x" not in trace for trace in even)
    minutes = np.cumsum([5] * 30 + [10] * 30)
    folder = write_run(tmp_path / "uneven", time=START + minutes * np.timedelta64(1, "m"))
    traces = [trace for trace in figures_of(page_of(folder))["series"]["data"] if trace["xaxis"] == "x2"]
    assert traces and all(len(trace["x"]["bdata"] if isinstance(trace["x"], dict) else trace["x"]) for trace in traces)


def test_one_satellite_and_one_frame(tmp_path: Path) -> None:
    series_figure = figures_of(page_of(write_run(tmp_path / "run", satellites=1, frames=1)))["series"]
    assert {trace["meta"] for trace in series_figure["data"]} == {"fleet"}
    assert {trace["mode"] for trace in series_figure["data"]} == {"markers"}


def test_a_variable_that_the_design_has_not_is_not_drawn(tmp_path: Path) -> None:
    figure = figures_of(page_of(write_run(tmp_path / "run")))["series"]
    drawn = {trace["legendgroup"] for trace in figure["data"]}
    assert "battery_temperature_k" not in drawn and "array_temperature_k" in drawn


def test_no_run_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no telemetry\.zarr"):
        write_report(tmp_path)


@pytest.mark.parametrize("change", [{}, {"load_energy_j": 95e9}, {"radiated_heat_j": 405e9}, {"battery_heat_j": 1e9}])
def test_energy_flow_balances_at_every_node(change: dict[str, float]) -> None:
    totals = FLEET | change
    flows = energy_flow.energy_flows(totals)
    assert all(flow.energy_j > 0 for flow in flows)
    into = {n: sum(f.energy_j for f in flows if f.target == n) for n in energy_flow.NODES}
    out = {n: sum(f.energy_j for f in flows if f.source == n) for n in energy_flow.NODES}
    for node in energy_flow.NODES:
        if into[node] and out[node]:
            assert into[node] == pytest.approx(out[node], rel=1e-12), node
    assert out[energy_flow.LIGHT] == pytest.approx(totals["array_energy_j"] + totals["absorbed_environment_heat_j"])
    assert into[energy_flow.SPACE] == totals["radiated_heat_j"]
    assert into[energy_flow.WORK] == totals["accelerator_energy_j"]


def test_energy_flow_names_the_price_of_work() -> None:
    flows = energy_flow.energy_flows(FLEET)
    assert energy_flow.label(energy_flow.WORK, flows, FLEET) == "80.0 ZFLOP<br>1.00 pJ/FLOP"
    assert energy_flow.label(energy_flow.CURTAILED, flows, FLEET) == "Curtailed, 2.78 MWh"


def test_sun_is_overhead_where_it_is_noon() -> None:
    latitude, longitude = np.degrees(sun_rad(np.datetime64("2026-06-21T12:00:00", "ns")))
    assert latitude == pytest.approx(23.4, abs=0.1)
    assert longitude == pytest.approx(0.4, abs=0.3)  # equation of time: the Sun is two minutes late


def reader(values: dict[str, np.ndarray]) -> series.Read:
    return lambda name, frames: values[name][frames]


def test_bands_hold_the_fleet_and_long_runs_are_thinned() -> None:
    values = {"x": np.arange(3000 * 101, dtype=np.float32).reshape(3000, 101) % 101}
    window = series.window(0, 3000)
    found = series.curves(reader(values), {"fleet": slice(None)}, {"first": 0}, 101, "x", window)
    assert window.bins == series.MOST_POINTS and window.ends[-1] == 2999
    assert {word: float(band[0]) for word, band in found["fleet"].items()} == {
        "lowest": 0.0, "low": 5.0, "median": 50.0, "high": 95.0, "highest": 100.0
    }  # fmt: skip
    assert found["first"]["median"] == pytest.approx(0.0)


def test_darkest_orbit_is_chosen_and_the_last_of_equals() -> None:
    light = np.ones((100, 1), np.float32)
    assert series.orbit_window(reader({"sunlit_fraction": light}), 100, 1, 300.0, 6000.0).edges[[0, -1]].tolist() == [
        80,
        100,
    ]
    light[30:40] = 0.0
    first = series.orbit_window(reader({"sunlit_fraction": light}), 100, 1, 300.0, 6000.0).edges[0]
    assert 20 <= first <= 30
    assert series.orbit_window(reader({"sunlit_fraction": light}), 10, 1, 300.0, 6000.0).edges[-1] == 10


def test_telling_satellites() -> None:
    values = frames_of(4, 30)
    values["accelerator_temperature_k"][5, 2] = 400.0
    values["state_of_charge"][7, 3] = -1.0
    chosen = series.telling_satellites(reader(values), 30, 4)
    assert chosen["hottest"] == 2 and chosen["emptiest"] == 3 and chosen["first"] == 0


def test_coastline_is_on_the_map() -> None:
    longitude, latitude = globe.coastline_deg()
    assert np.nanmax(np.abs(longitude)) <= 180 and np.nanmax(np.abs(latitude)) <= 90
    assert np.nanmax(np.abs(np.diff(longitude))) < 180  # no line across the whole map


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (human.flops(4.391e18), "4.39 EFLOP/s"),
        (human.flop(999.7e18), "1.00 ZFLOP"),
        (human.si(0.0, "W"), "0 W"),
        (human.si(-1500.0, "W"), "-1.50 kW"),
        (human.energy(3.6e9), "1.00 MWh"),
        (human.celsius(347.85), "74.7 °C (347.9 K)"),
        (human.mass(555_484.0), "555 t"),
        (human.percent(0.0002), "< 0.1 %"),
        (human.duration(86400.0), "1 day"),
        (human.duration(5856.0), "97.6 min"),
        (human.speed(1.19e6), "1.19 M satellite-steps/s"),
        (human.si(None, "W"), human.NOTHING),
        (human.quantity("accelerator_temperature_upper_margin_k", 12.0), "12.00 K"),
        (human.quantity("max_dose_gy", 5.91e-4), "591 µGy"),
        (human.quantity("dose_gy_per_year", 1.5), "1.50 Gy a year"),
        (human.quantity("drag_delta_v_m_per_s_per_year", 4.22), "4.22 m/s a year"),
        (human.quantity("array_loss_per_year", 0.015), "1.5 % a year"),
        (human.quantity("propellant_life_years", 5.67), "5.67 years"),
        (human.quantity("max_semi_major_axis_loss_m", 1234.0), "1.23 km"),
    ],
)
def test_numbers_as_people_read_them(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(("dose_gy", "level"), [(0.5, "good"), (18.5, "tight"), (21.0, "broken")])
def test_dose_is_tight_in_the_last_tenth_of_what_is_allowed(dose_gy: float, level: str) -> None:
    limit = next(limit for limit in human.LIMITS if limit.value == "max_dose_gy")
    numbers = {"max_dose_gy": dose_gy, "dose_upper_margin_gy": 20.0 - dose_gy}
    assert human.level(limit, numbers) == level
    side = "above" if dose_gy > 20.0 else "below"
    assert human.margin(limit, numbers) == f"{human.dose(abs(20.0 - dose_gy))} {side} limit"


def test_every_number_of_the_summary_has_a_meaning() -> None:
    assert [key for key in FLEET if not meaning(key)] == []
    assert meaning("mass_power_electronics_kg") == "Part of the mass of one satellite: power electronics"


def test_limits_are_recovered_from_margins() -> None:
    summary = {"cohorts": {"a": FLEET, "b": FLEET | {"accelerator_temperature_upper_margin_k": 20.0}}}
    assert page.common_limits(summary) == {
        "max_memory_temperature_k": pytest.approx(368.0),
        "min_state_of_charge": pytest.approx(0.2),
        "max_dose_gy": pytest.approx(20.0),
    }


def test_every_profile_is_listed_with_its_sources(tmp_path: Path) -> None:
    body = page_of(write_run(tmp_path / "run")).split("</head>")[1]
    for name in configuration(("reference",), 1)["cohorts"]["reference"]:
        assert f"<summary><code>{name}</code>" in body
    assert "a source" in body
