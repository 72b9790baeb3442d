"""Ensembles: each design's own answer, whatever the batch; what is refused before anything runs; the command."""

import csv
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import twin
from twin import ensembles
from twin.designs import placed, read_csv
from twin.ensemble_cli import ensemble_main

SHORT = ["time.duration_s=1200", "precision=float64", "distributed.devices=1"]
COUNT = 9  # one more than the devices of the tests, so that a device runs two at once and batches are filled up
DESIGNS = {
    "radiator.area_m2": np.linspace(150.0, 90.0, COUNT).tolist(),
    "orbit.altitude_m": np.linspace(500e3, 800e3, COUNT).tolist(),
    "workload.utilization": np.linspace(1.0, 0.4, COUNT).tolist(),
    "propulsion.specific_impulse_s": [1500.0] * (COUNT - 2) + [0.5, 1500.0],  # no launch mass carries the last but one
}


def built(*overrides):
    return twin.build(twin.compose("simulate", [*SHORT, "constellation.satellites=2", *overrides]))


@pytest.fixture(scope="module")
def model():
    return built()


@pytest.fixture(scope="module")
def results(model):
    return twin.ensemble(model, DESIGNS)


def test_each_design_is_that_of_a_single_run(model, results):
    (name,) = model.params
    single = jax.jit(twin.objective, static_argnums=0)
    for k in (0, 3, COUNT - 1):
        params = {name: {slot: dict(profile) for slot, profile in model.params[name].items()}}
        for path, values in DESIGNS.items():
            slot, key = path.split(".")
            params[name][slot][key] = jax.numpy.asarray(values[k])
        found = single(model.structure, params, model.environment)
        left_flop = 1e-12 * float(found["nominal_flop"])  # of large numbers
        for metric, value in found.items():
            least = left_flop if metric.endswith("_flop") else 1e-12
            np.testing.assert_allclose(results[metric][k], value, rtol=1e-9, atol=least, err_msg=metric)
    assert len(set(results.delivered_flop.values)) == COUNT


def test_a_design_without_a_launch_mass_is_nan_and_alone(results):
    unknown = results.to_array().isnull()
    assert unknown[:, COUNT - 2].all()
    assert not unknown[:, COUNT - 1].any()
    np.testing.assert_array_equal(unknown.any("variable"), np.arange(COUNT) == COUNT - 2)


def test_dataset_has_units_and_inputs(results):
    assert dict(results.sizes) == {"design": COUNT}
    assert results.max_accelerator_temperature_k.attrs["units"] == "K"
    assert results["radiator.area_m2"].attrs["units"] == "m2"
    assert results["workload.utilization"].attrs["units"] == "1"
    np.testing.assert_array_equal(results["orbit.altitude_m"], DESIGNS["orbit.altitude_m"])


@pytest.mark.slow
def test_any_batch_gives_the_same(model, results):
    """One design at a time on two devices, so that the last one runs beside its copy, of which nothing is left."""
    told = []
    memory_gb = 2.5 * ensembles.bytes_per_design(model) / 1e9
    small = ensembles.ensemble(model, DESIGNS, memory_gb, lambda *count: told.append(count))
    assert told == [(2, COUNT), (4, COUNT), (6, COUNT), (8, COUNT), (COUNT, COUNT)]
    assert dict(small.sizes) == {"design": COUNT}
    for metric in results:
        np.testing.assert_allclose(small[metric], results[metric], rtol=1e-9, atol=1e-12, err_msg=str(metric))


def test_other_numbers_share_the_compile(model, results):
    before = ensembles._batch._cache_size()
    areas_m2 = [80.0, *DESIGNS["radiator.area_m2"][1:]]
    other = twin.ensemble(model, {**DESIGNS, "radiator.area_m2": areas_m2})
    assert ensembles._batch._cache_size() == before
    assert other.max_accelerator_temperature_k[0] > results.max_accelerator_temperature_k[0]
    np.testing.assert_array_equal(other.delivered_flop[1:], results.delivered_flop[1:])


def test_batches_follow_memory_cache_and_designs(model):
    each_gb = ensembles.bytes_per_design(model) / 1e9
    devices = len(jax.devices())
    assert ensembles.batches(model, 10**6).width == 64  # two satellites each: 128 in a core's cache
    assert ensembles.batches(model, 3 * devices).width == 4
    shrunk = ensembles.batches(model, 10**6, 9.5 * devices * each_gb)
    assert (len(shrunk.devices), shrunk.width) == (devices, 8)
    assert ensembles.batches(model, 10**6, 1.5 * each_gb).batch == 1
    assert ensembles.batches(built("constellation.satellites=1000"), 10**6).width == 1


def test_a_program_takes_no_more_than_planned(model, results):
    """What XLA states of the compiled batch, arguments and temporaries, against the estimate."""
    plan = ensembles.batches(model, COUNT)
    places = tuple(column.place for column in ensembles.columns(model, DESIGNS).values())
    numbers = tuple(np.zeros(plan.batch) for _ in places)
    everywhere = NamedSharding(plan.mesh, PartitionSpec())
    shared = jax.device_put((model.params, model.environment), everywhere)
    structure = ensembles._on_one_device(model.structure)
    lowered = ensembles._batch.lower(ensembles._objective, structure, places, plan.mesh, *shared, numbers)
    stated = lowered.compile().memory_analysis().temp_size_in_bytes
    assert 0 < stated < plan.width * ensembles.bytes_per_design(model)


def test_a_cohort_of_a_mixed_fleet_has_its_own_numbers():
    fleet = twin.build(twin.compose("simulate", [*SHORT, "+cohorts.a=['array.area_m2=300']", "+cohorts.b=[]"]))
    found = ensembles.columns(fleet, {"a.radiator.area_m2": [1.0], "workload.utilization": [0.5]})
    places = tuple(column.place for column in found.values())
    params = placed(fleet.params, places, (1.0, 0.5))
    assert params["a"]["radiator"]["area_m2"] == 1.0
    assert params["b"]["radiator"]["area_m2"] == fleet.params["b"]["radiator"]["area_m2"]
    assert params["a"]["workload"]["utilization"] == params["b"]["workload"]["utilization"] == 0.5
    assert fleet.params["a"]["workload"]["utilization"] != 0.5
    with pytest.raises(twin.ConfigError, match=r"^radiator.area_m2: no number .* mean '[ab].radiator.area_m2'"):
        ensembles.columns(fleet, {"radiator.area_m2": [1.0]})


@pytest.mark.parametrize(
    ("designs", "sentence"),
    [
        ({}, "designs: no column; must map"),
        ({"radiator.area": [1.0]}, r"radiator.area: no number .* \(did you mean 'radiator.area_m2'\?\)"),
        ({"constellation.satellites": [3.0]}, "constellation.satellites: no number that a design can vary"),
        ({"radiator.area_m2": [5.0, -1.0]}, "design 1: radiator.area_m2 = -1: must be above 0 m2"),
        ({"radiator.area_m2": [np.nan]}, "design 0: radiator.area_m2 = nan: must be above 0 m2"),
        ({"radiator.area_m2": "wide"}, "radiator.area_m2: must be a column of numbers"),
        ({"radiator.area_m2": []}, r"radiator.area_m2: must be a column of numbers.* its shape is \(0,\)"),
        ({"radiator.area_m2": [1.0], "array.area_m2": [1.0, 2.0]}, "array.area_m2: 2 values; must be as many as .*, 1"),
        ({"battery.open_circuit_voltage_v": [3.0]}, "battery.open_circuit_voltage_v: is a curve"),
        ({"accelerator.power_cap_w": [700.0, 1.0]}, "design 1: accelerator.power_cap_w = 1: must be above idle"),
        ({"orbit.altitude_m": [9e6]}, "design 0: orbit.altitude_m = 9e[+]06: no Sun-synchronous orbit"),
    ],
)
def test_refused(model, designs, sentence):
    with pytest.raises(twin.ConfigError, match=f"^{sentence}"):
        twin.ensemble(model, designs)


@pytest.mark.parametrize("memory_gb", [0.0, -1.0, np.nan, 1e-9])
def test_memory_that_holds_no_design_is_refused(model, memory_gb):
    with pytest.raises(twin.ConfigError, match=r"^memory_gb = .*: must be "):
        twin.ensemble(model, DESIGNS, memory_gb)


def command(monkeypatch, *arguments):
    """Exit status of the command line."""
    monkeypatch.setattr(sys, "argv", ["ensemble.py", *map(str, arguments)])
    try:
        ensemble_main()
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "designs.csv"
    rows = [",".join(DESIGNS), *(",".join(map(str, row)) for row in zip(*DESIGNS.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_command_writes_inputs_and_metrics(monkeypatch, results, table, tmp_path):
    out = tmp_path / "metrics.csv"
    assert command(monkeypatch, table, *SHORT, "constellation.satellites=2", f"out={out}") == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [*DESIGNS, *results.data_vars]
    np.testing.assert_array_equal([float(row["delivered_flop"]) for row in rows], results.delivered_flop)
    assert [float(row["orbit.altitude_m"]) for row in rows] == DESIGNS["orbit.altitude_m"]


def test_command_refuses_in_one_sentence(monkeypatch, capsys, table, tmp_path):
    def refused(*arguments):
        assert command(monkeypatch, *arguments) == 2
        return capsys.readouterr().err

    there = tmp_path / "there.csv"
    there.write_text("mine")
    assert "is there already and is not overwritten" in refused(table, f"out={there}")
    assert there.read_text() == "mine"
    assert "no such folder" in refused(table, f"out={tmp_path / 'none' / 'out.csv'}")
    new = f"out={tmp_path / 'new.csv'}"
    assert "memory_gb = 'much': must be a number" in refused(table, new, "memory_gb=much")
    assert "cannot be read as a CSV table" in refused(tmp_path / "none.csv", new)
    assert "unknown" in refused(table, new, "radiator.aera_m2=3")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["designs.csv", "there.csv"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must have a header of paths such as radiator.area_m2, and a row for each design"),
        ("array.area_m2\n", "must have a header"),
        ("array.area_m2,array.area_m2\n1,2\n", "the column 'array.area_m2' stands there twice"),
        ("array.area_m2,radiator.area_m2\n1,2\n\n3\n", "line 4: 1 values; the header has 2"),
        ("array.area_m2\n1\nwide\n", "line 3: array.area_m2 = 'wide': must be a number"),
    ],
)
def test_tables_that_are_none(tmp_path, text, sentence):
    path = tmp_path / "designs.csv"
    path.write_text(text)
    with pytest.raises(twin.ConfigError, match=sentence):
        read_csv(path)
