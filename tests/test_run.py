"""A run from configuration to folder: what it writes, what its numbers mean, and how it fails."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import twin
from twin import health, run
from twin.health import HealthError
from twin.variables import FLEET, TELEMETRY

DAY = ["constellation.satellites=64", "distributed.devices=1", "output.report=false"]
FRAMES, INTERVAL_S = 288, 300
NUMBERS = (
    "array_energy_j",
    "load_energy_j",
    "battery_throughput_j",
    "curtailed_energy_j",
    "conversion_loss_j",
    "delivered_flop",
    "sunlit_fraction",
    "max_accelerator_temperature_k",
    "min_state_of_charge",
    "throttled_fraction",
    "shed_energy_j",
    "mass_kg",
    "specific_mass_kg_per_kw",
    "power_balance_residual",
    "heat_balance_residual",
)
TEMPERATURES = [variable.name for variable in TELEMETRY if variable.unit == "K"]


def simulate(*overrides: str, run_dir: Path | None = None) -> xr.Dataset:
    """A day of 64 reference satellites; other numbers reuse the compiled loop."""
    return twin.simulate(twin.compose("simulate", [*DAY, *overrides]), run_dir=run_dir)


def summary_of(result: xr.Dataset) -> dict[str, Any]:
    return json.loads(result.attrs["summary"])


@pytest.fixture(scope="module")
def day() -> xr.Dataset:
    """The reference fleet in eclipse season, float32, in memory."""
    return simulate()


@pytest.fixture(scope="module")
def folder(day: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, written."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    simulate("output.report=true", run_dir=folder)
    return folder


# --- What a run gives ------------------------------------------------------------------------------------------------


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert simulate().attrs["status"] == "finished"
    assert list(tmp_path.iterdir()) == []


def test_variables_are_those_of_the_table(day: xr.Dataset) -> None:
    assert set(day.data_vars) == {variable.name for variable in (*TELEMETRY, *FLEET)}
    for variable in TELEMETRY:
        column = day[variable.name]
        assert column.dims == ("time", "satellite") and column.dtype == np.float32
        assert column.attrs == {
            "units": variable.unit,
            "long_name": variable.meaning,
            "cell_methods": "time: mean" if variable.kind == "mean" else "time: point",
        }
        assert np.isfinite(column).all()


def test_a_frame_stands_at_the_end_of_its_interval(day: xr.Dataset) -> None:
    assert day.sizes == {"time": FRAMES, "satellite": 64}
    ends = np.datetime64("2026-06-14T00:00:00", "ns") + np.arange(1, FRAMES + 1) * np.timedelta64(INTERVAL_S, "s")
    np.testing.assert_array_equal(day.time, ends)
    np.testing.assert_array_equal(day.satellite, np.arange(64))
    assert set(day.cohort.values) == {"reference"} and day.name.values[63] == "reference-63"


def test_powers_add_up_in_every_frame(day: xr.Dataset) -> None:
    """Array = load + battery + conversion loss, to the round-off of float32."""
    left = day.array_power_w
    right = day.load_power_w + day.battery_power_w + day.conversion_loss_w
    np.testing.assert_allclose(left, right, atol=1e-5 * float(left.max()))


def test_energy_accounts_close_over_the_day(day: xr.Dataset) -> None:
    fleet = summary_of(day)["fleet"]
    assert 0.0 <= fleet["power_balance_residual"] < 1e-4
    assert 0.0 <= fleet["heat_balance_residual"] < 1e-3


def test_summary_has_its_keys_and_agrees_with_the_frames(day: xr.Dataset) -> None:
    summary = summary_of(day)
    assert set(summary) == {"fleet", "cohorts", "run"} and set(summary["cohorts"]) == {"reference"}
    for flat in (summary["fleet"], summary["cohorts"]["reference"]):
        assert all(np.isfinite(flat[key]) for key in NUMBERS) and isinstance(flat["binding_limit"], str)
    fleet = summary["fleet"]
    for key, column in (
        ("array_energy_j", "array_power_w"),
        ("load_energy_j", "load_power_w"),
        ("curtailed_energy_j", "curtailed_power_w"),
        ("delivered_flop", "compute_rate_flops"),
    ):
        assert fleet[key] == pytest.approx(float(day[column].sum(dtype=np.float64)) * INTERVAL_S, rel=1e-5)
    assert fleet["sunlit_fraction"] == pytest.approx(float(day.sunlit_fraction.mean(dtype=np.float64)), rel=1e-5)
    assert fleet["min_state_of_charge"] <= float(day.state_of_charge.min())
    assert fleet["max_accelerator_temperature_k"] >= float(day.accelerator_temperature_k.max())
    facts = summary["run"]
    assert facts["satellite_steps"] == 64 * 4320 and facts["step_s"] == 20.0 and facts["duration_s"] == 86_400.0
    assert facts["wall_s"] > 0.0 and facts["compile_s"] >= 0.0 and facts["satellite_steps_per_s"] > 0
    assert facts["precision"] == "float32" and "cpu" in facts["device"] and facts["jax_version"]


# --- The folder ------------------------------------------------------------------------------------------------------


def test_folder_holds_the_whole_run(folder: Path) -> None:
    own = {"telemetry.zarr", "checkpoints", "summary.json", "config.yaml", "report.html", "status.json", "run.lock"}
    assert {path.name for path in folder.iterdir()} == own


def test_stored_run_equals_the_one_in_memory(day: xr.Dataset, folder: Path) -> None:
    stored = twin.open_run(folder)
    assert stored.attrs["status"] == "finished"
    xr.testing.assert_equal(stored.compute(), day)
    for name, column in day.data_vars.items():
        assert stored[name].attrs == column.attrs
    written = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary_of(stored) == written
    assert written["fleet"] == summary_of(day)["fleet"] and written["cohorts"] == summary_of(day)["cohorts"]


def test_same_run_again_returns_what_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(run, "_advance", None)  # nothing may be computed again
    again = simulate("output.report=true", run_dir=folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    xr.testing.assert_equal(again.compute(), twin.open_run(folder).compute())
    assert summary_of(again)["fleet"]["satellites"] == 64


def test_a_folder_without_telemetry_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no telemetry\.zarr here; not the folder of a run"):
        twin.open_run(tmp_path)


# --- What the numbers say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "lit", "tolerance"), [("2026-06-21", 1.0 - 0.2019, 0.003), ("2026-12-10", 1.0, 0.0)])
def test_sunlit_fraction_of_the_published_orbit(start: str, lit: float, tolerance: float) -> None:
    """Dawn-dusk at 650 km, round Earth: longest eclipse f_max of Suncatcher's orbit in June, none in December.

    One plane, phases evenly spread: the fleet's mean is that of whole orbits.
    """
    result = simulate(f"time.start={start}", "constellation.node_span_rad=0", "environment.earth_flattening=0")
    assert float(result.sunlit_fraction.mean(dtype=np.float64)) == pytest.approx(lit, abs=tolerance + 1e-6)
    assert summary_of(result)["fleet"]["sunlit_fraction"] == pytest.approx(lit, abs=tolerance + 1e-6)


def test_a_satellite_that_is_too_small_runs_and_says_so() -> None:
    """A tenth of the battery and a third of the array: what it cannot power is shed, and nothing else breaks."""
    result = simulate("battery.energy_j=4e7", "array.area_m2=150")
    fleet = summary_of(result)["fleet"]
    assert fleet["binding_limit"].startswith(("array", "battery"))
    assert fleet["power_limited_fraction"] > 0.5 and fleet["shed_energy_j"] > 0.1 * fleet["load_energy_j"]
    assert fleet["delivered_flop"] < 0.7 * fleet["assigned_flop"]
    for name in TEMPERATURES:
        assert ((result[name] > 150.0) & (result[name] < 400.0)).all(), name
    assert float(result.state_of_charge.min()) > -1e-6


# --- Two designs, a trace, failures, node temperatures: one structure ------------------------------------------------

COHORTS = [
    '+cohorts.reference=["satellite=reference","constellation.satellites=3","constellation.planes=1"]',
    '+cohorts.ai1=["satellite=spacex_ai1_like","constellation.satellites=2","constellation.planes=1",'
    '"+thermal_network.nodes.boom.heat_capacity_j_per_k=1e4",'
    '"+thermal_network.couplings.boom_to_bus={from:boom,to:bus,conductance_w_per_k:5.0}"]',
]
ORBIT_S, RATE_PER_YEAR = 6000.0, 50.0


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """An orbit of two cohorts that work off a burst of requests while their accelerators fail."""
    trace = tmp_path_factory.mktemp("traces") / "burst.csv"
    trace.write_text("time_s,tokens\n0,5000\n600,100\n1200,40\n5700,60\n", encoding="utf-8")
    return twin.simulate(
        twin.compose(
            "simulate",
            [
                f"time.duration_s={ORBIT_S}",
                "distributed.devices=1",
                "output.node_temperatures=true",
                "failures=expected",
                f"accelerator.failure_rate_per_year={RATE_PER_YEAR}",
                "reliability.burn_in_ratio=1.0",
                "workload=inference_azure_conv",
                f"workload.file={trace}",
                "workload.load_fraction=0.4",
                "workload.measured_on=null",
                *COHORTS,
            ],
        )
    )


def test_cohorts_stand_side_by_side(mixed: xr.Dataset) -> None:
    summary = summary_of(mixed)
    assert list(mixed.cohort.values) == ["reference"] * 3 + ["ai1"] * 2
    assert list(mixed.name.values) == ["reference-0", "reference-1", "reference-2", "ai1-0", "ai1-1"]
    assert set(summary["cohorts"]) == {"reference", "ai1"}
    for key in ("array_energy_j", "delivered_flop", "mass_kg", "satellites"):
        assert summary["fleet"][key] == pytest.approx(sum(flat[key] for flat in summary["cohorts"].values()))
    for name, flat in summary["cohorts"].items():
        assert f"{name}: {flat['binding_limit']}" in summary["fleet"]["binding_limit"]
        own = mixed.array_power_w.where(mixed.cohort == name, drop=True)
        assert flat["array_energy_j"] == pytest.approx(float(own.sum(dtype=np.float64)) * INTERVAL_S, rel=1e-5)


def test_every_node_has_a_temperature_on_request(mixed: xr.Dataset, day: xr.Dataset) -> None:
    nodes = mixed.node_temperature_k
    assert nodes.dims == ("time", "node", "satellite") and nodes.attrs["units"] == "K"
    np.testing.assert_array_equal(nodes.sel(node="battery"), mixed.battery_temperature_k)
    np.testing.assert_array_equal(nodes.sel(node="accelerator"), mixed.accelerator_temperature_k)
    boom = mixed.cohort == "ai1"
    assert np.isfinite(nodes.sel(node="boom").where(boom, drop=True)).all()
    assert np.isnan(nodes.sel(node="boom").where(~boom, drop=True)).all()
    assert "node_temperature_k" not in day


def test_accelerators_fail_at_their_rate(mixed: xr.Dataset, day: xr.Dataset) -> None:
    years = np.arange(1, 21) * INTERVAL_S / (365.25 * 86_400.0)
    surviving = np.exp(-RATE_PER_YEAR * years)
    for first, column in ((96.0, 0), (64.0, 4)):
        np.testing.assert_allclose(mixed.accelerators_alive[:, column], first * surviving, rtol=1e-4)
    assert (day.accelerators_alive == 96.0).all()


def test_work_that_waits_is_done_later(mixed: xr.Dataset) -> None:
    """A burst of more than an interval's work: it waits, is worked off, and none is lost."""
    backlog, rate = mixed.backlog_flop.sum("satellite"), mixed.compute_rate_flops.sum("satellite")
    assert float(backlog[0]) > 5.0 * INTERVAL_S * float(rate[0])
    assert (np.diff(backlog[:5]) < 0.0).all() and float(rate[3]) > 0.8 * float(rate[0])
    assert float(backlog[12]) < 1e-6 * float(backlog[0]) and float(rate[15]) < 1e-6 * float(rate[0])
    fleet = summary_of(mixed)["fleet"]
    assert fleet["assigned_flop"] == pytest.approx(fleet["delivered_flop"] + fleet["backlog_flop"], rel=1e-5)
    assert any("trace scaled by" in note for note in summary_of(mixed)["run"]["notes"])


# --- A run that goes wrong -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_bad_value_names_variable_satellite_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that is none in the second chunk: the first one stays readable, and the store says why."""
    gathered, chunks = run.gathered, []

    def spoiled(*arguments: Any) -> dict[str, np.ndarray]:
        columns = gathered(*arguments)
        chunks.append(columns)
        if len(chunks) == 2:
            columns["battery_temperature_k"][3, 5] = np.nan
        return columns

    monkeypatch.setattr(run, "gathered", spoiled)
    with pytest.raises(HealthError) as failed:
        simulate(run_dir=tmp_path / "run")
    reason = str(failed.value)
    assert reason.startswith("battery_temperature_k = nan K of satellite 5 (reference-5) at 2026-06-14T06:20:00")
    assert "must be finite and between 2 and 1500; likely cause: " in reason
    assert_failed(tmp_path / "run", reason, frames=72)
    left = json.loads((tmp_path / "run" / "failure.json").read_text(encoding="utf-8"))
    assert left["where"] == "nowhere"  # the satellite itself was well
    monkeypatch.undo()
    assert simulate(run_dir=tmp_path / "run").attrs["status"] == "finished"
    assert not (tmp_path / "run" / "failure.json").exists()


def test_an_account_that_does_not_close_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "HEAT_LIMIT", 0.0)
    with pytest.raises(HealthError, match=r"heat balance of the worst satellite is open by .* \(limit 0\)") as failed:
        simulate(run_dir=tmp_path / "run")
    assert_failed(tmp_path / "run", str(failed.value), frames=FRAMES)


def assert_failed(folder: Path, reason: str, frames: int) -> None:
    """A failed run is readable up to its last good chunk, says why, and has neither summary nor report."""
    left = twin.open_run(folder)
    assert left.attrs["status"] == "failed" and left.attrs["failure"] == reason
    assert left.sizes["time"] == frames and np.isfinite(left.battery_temperature_k).all()
    assert json.loads((folder / "status.json").read_text(encoding="utf-8"))["reason"] == reason
    assert not {"summary.json", "report.html"} & set(os.listdir(folder))
