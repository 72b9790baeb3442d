"""What is kept of telemetry: variables, satellites, quantiles, and how much of the disk it may take."""

import json
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from synthetic_run import axes_of, frames_of

import twin
from twin import selection, store
from twin.config import ConfigError
from twin.selection import Selection, check_size, estimated_bytes, quantiles, spread
from twin.variables import BY_NAME, FLEET

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
ALL = tuple(BY_NAME)
SERIES = {variable.name for variable in FLEET}
KEPT = {
    "all": Selection(ALL),
    "two variables": Selection(("altitude_m", "state_of_charge")),
    "sample": Selection(ALL, spread(7, 3)),
    "quantiles": Selection(ALL, shares=SHARES),
}


def test_satellites_are_spread_evenly() -> None:
    assert spread(3, 5000).tolist() == [0, 1, 2]
    many = spread(10_500, 5000)
    assert many.size == 5000 and many[0] == 0 and many[-1] == 10_499 and np.ptp(np.diff(many)) <= 1


def test_quantiles_are_values_that_occur_and_pass_over_what_is_missing() -> None:
    values = np.array([[np.nan, 3.0, 1.0, 2.0], [np.nan] * 4, [4.0, 1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_array_equal(quantiles(values, (0.0, 0.5, 1.0)), [[1, 2, 3], [np.nan] * 3, [1, 3, 4]])


def test_quantiles_agree_with_a_sort_for_every_frame_and_node() -> None:
    values = np.random.default_rng(1).normal(size=(3, 2, 101)).astype(np.float32)
    expected = np.sort(values, axis=-1)[..., [0, 5, 25, 50, 75, 95, 100]]
    np.testing.assert_array_equal(quantiles(values, SHARES), expected)


def all_of(satellites: int = 7, frames: int = 30) -> tuple[store.Axes, dict[str, np.ndarray]]:
    """Axes and frames of a fleet with two nodes."""
    nodes = np.random.default_rng(2).random((frames, 2, satellites), np.float32)
    axes = axes_of(satellites, frames)
    return store.Axes(**{**vars(axes), "node": ("bus", "panel")}), {
        **frames_of(satellites, frames),
        "node_temperature_k": nodes,
    }


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT.keys())
def test_a_store_holds_what_memory_does(tmp_path: Path, kept: Selection) -> None:
    fleet, frames = all_of()
    axes = kept.axes(fleet)
    writer = store.Store.create(tmp_path / "telemetry.zarr", axes, 10, {})
    for first in range(0, 30, 10):
        writer.append(kept.pick({name: values[first : first + 10] for name, values in frames.items()}))
    writer.close("finished")
    expected = store.in_memory(kept.pick(frames), axes, {})
    xr.testing.assert_equal(twin.open_run(tmp_path).compute(), expected)
    assert expected.attrs["satellites"] == twin.open_run(tmp_path).attrs["satellites"] == 7
    assert set(expected.data_vars) == {*kept.variables, "node_temperature_k"}


def test_a_sample_keeps_numbers_and_names() -> None:
    fleet, frames = all_of()
    kept = KEPT["sample"]
    data = store.in_memory(kept.pick(frames), kept.axes(fleet), {})
    assert data.satellite.values.tolist() == [0, 3, 6] and data.name.values[1] == "sat-3</script>"
    np.testing.assert_array_equal(data.load_power_w, frames["load_power_w"][:, [0, 3, 6]])


# --- From the configuration ------------------------------------------------------------------------------------------

SHORT = ["time.duration_s=6000", "time.step_s=60", "distributed.devices=1", "output.report=false"]
FEW = "output.variables=[state_of_charge,altitude_m]"


def simulate(*overrides: str, run_dir: Path | None = None) -> xr.Dataset:
    """An orbit of four satellites."""
    return twin.simulate(twin.compose("simulate", [*SHORT, "constellation.satellites=4", *overrides]), run_dir=run_dir)


def test_runs_keep_what_they_are_asked(tmp_path: Path) -> None:
    whole = simulate()
    few = simulate(FEW, "output.satellites=sample", "output.sample=2", run_dir=tmp_path / "few")
    assert set(few.data_vars) - SERIES == {"state_of_charge", "altitude_m"} and few.satellite.values.tolist() == [0, 3]
    np.testing.assert_array_equal(few.altitude_m, whole.altitude_m[:, [0, 3]])
    spans = simulate("output.satellites=quantiles", "output.quantiles=[0,1]")
    assert spans.state_of_charge.dims == ("time", "quantile") and spans["quantile"].values.tolist() == [0.0, 1.0]
    np.testing.assert_array_equal(spans.state_of_charge[:, 0], whole.state_of_charge.min("satellite"))
    np.testing.assert_array_equal(spans.array_power_w[:, 1], whole.array_power_w.max("satellite"))
    same = [json.loads(data.attrs["summary"])["fleet"] for data in (whole, few, spans)]
    assert same[0] == same[1] == same[2]


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("output.variables=[altitude]", "no variable of telemetry is called 'altitude' (did you mean 'altitude_m'?)"),
        ("output.variables=altitude_m", "must be all, or a list of names such as [state_of_charge,altitude_m]"),
        ("output.variables=[]", "output.variables = []: "),
        ("output.satellites=some", "'all', 'sample' or 'quantiles'"),
        ("output.sample=0", "output.sample = 0: "),
        ("output.quantiles=[0.5,0.1]", "output.quantiles = [0.5, 0.1]: must rise from each to the next"),
        ("output.quantiles=[0.5,1.1]", "output.quantiles.1 = 1.1: "),
        ("output.most_gb=0", "output.most_gb = 0: "),
    ],
)
def test_a_wrong_choice_is_refused(override: str, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        twin.compose("simulate", [override])
    assert text in str(refused.value)


def test_a_run_too_large_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        simulate("output.most_gb=1e-6", run_dir=tmp_path / "run")
    assert str(refused.value) == (
        "output.most_gb = 1e-06: telemetry takes up to 1.37e-05 GB, 20 frames of 41 variables of 4 satellites; raise "
        "it, or keep less: output.satellites=quantiles (2.4e-05 GB), output.satellites=sample, "
        "time.save_every_s=4200 or more, or fewer output.variables"
    )
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_told_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 5000))
    config: Any = twin.compose("simulate", [*SHORT, FEW])
    fleet = axes_of(100, 20)  # 16 kB
    with pytest.raises(ConfigError, match=r"and its disk has 5e-06 GB left; choose another one, or keep less: output"):
        check_size(config, fleet, tmp_path / "run")
    check_size(config, fleet, tmp_path / "run", stored=15)


def test_size_is_four_bytes_a_value() -> None:
    fleet, _ = all_of()
    assert estimated_bytes(fleet) == 4 * 30 * 7 * (len(ALL) + 2)
    year = selection.Selection(ALL, shares=SHARES).axes(axes_of(1_000, 52_560))
    assert estimated_bytes(year) == 4 * 52_560 * 7 * len(ALL) < 0.061e9
