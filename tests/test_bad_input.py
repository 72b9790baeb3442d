"""Refused input: one sentence with key, what was given, what is allowed, the nearest name; and nothing is written."""

import copy
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from twin import resume, run
from twin.composing import load
from twin.config import ConfigError, validate
from twin.inputs import two_line

ROOT = Path(__file__).resolve().parents[1]
TLE = (ROOT / "conf/data/dawn_dusk_sso_2026-06-14.tle").read_text(encoding="utf-8")
NAME, FIRST, SECOND = TLE.splitlines()[:3]
ELEMENT_SETS = ["constellation=element_sets", "constellation.file=dawn_dusk_sso_2026-06-14.tle"]
NUMBER = "must be a number, in the unit that its key names, without a unit of its own"
HYDRA = "hydra.* settings belong to the command line"
PROFILE = "must be the name of a profile; there are lco_pack, lfp_pack, nca_pack, nmc_pack, saft_ves180"
UNREADABLE = "cannot be read; write GROUP=PROFILE or KEY=VALUE"

# Name: overrides, and what the sentence must hold.
COMPOSED: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "wrong group": (["solarcell=xtj_prime"], ("solarcell: unknown key", "(did you mean 'solar_cell'?)")),
    "wrong profile": (
        ["solar_cell=xtj_prme"],
        ("solar_cell=xtj_prme: no such profile", "(did you mean 'xtj_prime'?)", "there are azur_3g30c, "),
    ),
    "one wrong profile of several": (["array=[rigid_panel,nope]"], ("array=nope: no such profile", "rigid_panel")),
    "wrong key": (["orbit.altitud_m=5e5"], ("orbit.altitud_m: unknown key", "(did you mean 'orbit.altitude_m'?)")),
    "key below a number": (["array.area_m2.x=3"], ("array.area_m2.x: unknown key", "(did you mean 'array.area_m2'?)")),
    "unknown +key": (["+sead=3"], ("sead = 3: unknown key", "(did you mean 'seed'?)")),
    "unknown +key in a group": (["+array.aria_m2=3"], ("array.aria_m2 = 3: unknown key", "(did you mean 'area_m2'?)")),
    "unknown +key like none": (["+array.colour=blue"], ("array.colour = 'blue': unknown key",)),
    "below": (["orbit.altitude_m=5e4"], ("orbit.altitude_m = 50000.0: must be at least 150000 and at most 1e+08 m",)),
    "negative": (["array.area_m2=-3"], ("array.area_m2 = -3: must be above 0 m2",)),
    "not finite": (["array.area_m2=nan"], ("array.area_m2 = nan: must be above 0 m2",)),
    "battery of zero size": (["battery.energy_j=0"], ("battery.energy_j = 0: must be above 0 J",)),
    "no satellites": (["constellation.satellites=0"], ("constellation.satellites = 0: must be at least 1",)),
    "half a satellite": (["constellation.satellites=4.5"], ("constellation.satellites = 4.5: must be a whole number",)),
    "word for a number": (["array.area_m2=large"], (f"array.area_m2 = 'large': {NUMBER}",)),
    "flag for a number": (["array.area_m2=true"], (f"array.area_m2 = True: {NUMBER}",)),
    "nothing for a number": (["array.area_m2=null"], (f"array.area_m2 = None: {NUMBER}",)),
    "list for a number": (["array.area_m2=[1,2]"], (f"array.area_m2 = [1, 2]: {NUMBER}",)),
    "unit in the value": (["array.area_m2=12m2"], (f"array.area_m2 = '12m2': {NUMBER}",)),
    "word for a flag": (["output.report=maybe"], ("output.report = 'maybe': must be",)),
    "number for a group": (["battery=5"], (f"battery=5: {PROFILE}",)),
    "null group": (["battery=null"], (f"battery=null: {PROFILE}",)),
    "null workload": (["workload=null"], ("workload=null: must be the name of a profile; there are batch_sunlit, ",)),
    "group twice": (["+array=rigid_panel"], ("Multiple values for array", "override array: rigid_panel")),
    "no such interpolation": (["array.area_m2=${foo}"], ("'foo' not found", "array.area_m2")),
    "sweep without -m": (["array.area_m2=1,2"], ("Ambiguous value for argument 'array.area_m2=1,2'",)),
    "key taken away": (["~array.area_m2"], ("array.area_m2: missing",)),
    "no equals sign": (["array"], (f"'array': {UNREADABLE}",)),
    "open bracket": (["array.area_m2=[1"], (f"'array.area_m2=[1': {UNREADABLE}",)),
    "wrong model": (["solar_cell.model=nope"], ("solar_cell.model = 'nope'", "current_voltage, linear_efficiency")),
    "short curve": (
        ["battery.open_circuit_voltage_v=[3,4]"],
        ("battery.open_circuit_voltage_v = [3, 4]: ", "21 items, not 2"),
    ),
    "schedule of one value": (
        ["workload=orbit_schedule", "workload.schedule=[0.5]"],
        ("workload.schedule = [0.5]: must have at least 2 items, not 1",),
    ),
    "schedule of too many values": (
        ["workload=orbit_schedule", f"workload.schedule={[0.5] * 129}"],
        ("must have at most 128 items, not 129",),
    ),
    "schedule above what there is": (
        ["workload=orbit_schedule", "workload.schedule=[0.5,1.2]"],
        ("workload.schedule.1 = 1.2: must be at least 0 and at most 1",),
    ),
    "number for a schedule": (
        ["workload=orbit_schedule", "workload.schedule=0.5"],
        ("workload.schedule = 0.5: must be a list",),
    ),
    "unequal columns of a sheet": (
        ["solar_cell.max_power_voltage_v=[2.39,2.17]"],
        ("solar_cell.max_power_voltage_v: 2 values; must be as many as solar_cell.fluence_points_per_m2, 5",),
    ),
    "sheet out of order": (
        ["solar_cell.coefficient_fluence_points_per_m2=[5e18,1e18,3e19,1e20]"],
        ("solar_cell.coefficient_fluence_points_per_m2.1 = 1e+18: must be above the fluence before it",),
    ),
    "power beyond open circuit": (
        ["solar_cell.open_circuit_voltage_v=[2.3,2.2,2.1,2.0,1.9]"],
        ("solar_cell.max_power_voltage_v.0 = 2.39: must be 0.6 to 0.999 of solar_cell.open_circuit_voltage_v.0 = 2.3",),
    ),
    "series for steady work": (
        ["workload=training_8b", "+workload.file=azure_llm_2023_conv.csv.gz"],
        ("workload.file = 'azure_llm_2023_conv.csv.gz': belongs to workloads of model trace, such as ",),
    ),
    "patience where nothing waits": (
        ["workload=inference_azure_conv", "workload.carry_over=0", "+workload.patience_s=60"],
        ("workload.patience_s = 60 with workload.carry_over = 0: nothing waits that could be given up",),
    ),
    "key that takes a plus": (
        ["workload=inference_azure_conv", "workload.patience_s=60"],
        ("workload.patience_s: unknown key", "takes a + in front, +workload.patience_s"),
    ),
    "part of another workload": (
        ["workload/serving=h100_llama_70b"],
        ("workload/serving: the chosen workload has no such part; there is one in inference_azure_conv, ",),
    ),
    "key of another choice": (["scheduler.dark_weight=0.1"], ("scheduler.dark_weight: unknown key",)),
    "key of a chosen profile": (
        ["ground_network=optical_ten_sites", "ground_network.sites.tiede.height_m=0"],
        ("ground_network.sites.tiede: unknown key (did you mean 'ground_network.sites.teide'?)",),
    ),
    "nothing in view": (
        ["scheduler=link_aware", "link=starlink_laser"],
        ("scheduler.model = 'link_aware': no satellite has a way to the ground to go by; choose a ground_network",),
    ),
    "nothing given out": (
        ["workload=orbit_schedule", "scheduler=thermal_aware"],
        ("scheduler.model = 'thermal_aware' with workload.model = 'orbit_schedule': each satellite is asked",),
    ),
    "no such material": (["solar_cell.damage_material=tin"], ("solar_cell.damage_material = 'tin'", "silicon")),
    "no such node": (
        ["thermal_network.ports.battery=[batery]"],
        ("thermal_network.ports.battery = 'batery': no such node", "(did you mean 'battery'?)"),
    ),
    "no bus": (["thermal_network.ports.bus=[]"], ("thermal_network.ports.bus: missing; components without a port",)),
    "cells on two faces": (
        ["thermal_network.surfaces.array_rear.optics=solar_cell"],
        ("surfaces.array_rear.optics = 'solar_cell': only one face may carry the cells, and array_front does",),
    ),
    "cells on half a face": (
        ["thermal_network.surfaces.array_front.area_share=0.5"],
        ("thermal_network.surfaces.array_front.area_share = 0.5: must be 1, as the face carries the cells",),
    ),
    "a shield thinner than the tables": (
        ["radiation.shielding_m=0.001"],
        ("radiation.shielding_m = 0.001: must be at least 0.002 and at most 0.02 m",),
    ),
    "node without a temperature": (
        ["+thermal_network.nodes.mast={heat_capacity_j_per_k:0.0}"],
        ("thermal_network.nodes.mast.heat_capacity_j_per_k = 0: a node without heat capacity needs a coupling",),
    ),
    "step does not divide": (
        ["time.step_s=7"],
        ("time.duration_s = 86400: must be a whole multiple of time.step_s = 7",),
    ),
    "save does not divide": (
        ["time.duration_s=1000"],
        ("time.duration_s = 1000: must be a whole multiple of time.save_every_s = 300",),
    ),
    "exchange does not nest": (
        ["time.exchange_s=460"],
        ("time.exchange_s = 460: must divide time.save_every_s = 300 or be a whole multiple of it",),
    ),
    "windows longer than the run": (
        ["time.weight=3"],
        ("time.weight = 3: two stretches of 64800 s, time.weight chunks each, must fit in time.duration_s = 86400",),
    ),
    "settling without gaps": (
        ["time.settle_s=600"],
        ("time.settle_s = 600: must be 0 where time.weight = 1: one window follows the other",),
    ),
    "settling in part": (
        ["time=year_sampled", "time.settle_s=6000"],
        ("time.settle_s = 6000: must be a whole multiple of time.chunk_s = 5880",),
    ),
    "settling from window to window": (
        ["time=year_sampled", "time.weight=4"],
        ("time.settle_s = 11760: must be at most 8818.39, half of what lies between two windows",),
    ),
    "windows of odd intervals": (
        ["time=year_sampled", "time.chunk_s=6000"],
        ("time.chunk_s = 6000: must be a whole multiple of 840 s where time.weight is above 1",),
    ),
    "safe mode between windows": (
        ["operations=safe_mode", "time.weight=2"],
        ("time.weight = 2: must be 1 where operations.payload_off_for_s = 17700",),
    ),
    "half a millisecond": (["time.step_s=0.0015"], ("time.step_s = 0.0015: must be a whole number of milliseconds",)),
    "endless": (["time.duration_s=inf"], ("time.duration_s = inf: ",)),
    "not an instant": (["time.start=tomorrow"], ("time.start = 'tomorrow'", "ISO 8601, such as 2026-06-14T00:00:00")),
    "another century": (["time.start=1850-01-01"], ("time.start = '1850-01-01': must lie in 1950-2049",)),
    "failure mode": (
        ["failures=expcted"],
        ("'expcted': must be one of none, expected, random", "(did you mean 'expected'?)"),
    ),
    "seed": (["seed=-1"], ("seed = -1: must be a whole number from 0 to 2^63 - 1",)),
    "hydra in compose": (["hydra.run.dir=/tmp/x"], (f"hydra.run.dir=/tmp/x: {HYDRA}",)),
    "+hydra in compose": (["+hydra.verbose=true"], (f"+hydra.verbose=true: {HYDRA}",)),
    "element sets with an orbit": (
        [*ELEMENT_SETS, "orbit=dawn_dusk_550"],
        ("constellation.model = 'element_sets' with orbit.model = 'sun_synchronous'", "bring their own orbits"),
    ),
    "orbit of element sets alone": (["orbit=element_sets"], ("constellation.model = 'walker' with orbit.model",)),
    "no file": (["constellation=element_sets"], ("constellation.file: missing; give constellation.file=VALUE",)),
    "null file": (["constellation=element_sets", "constellation.file=null"], ("needs constellation.file=PATH",)),
    "cohorts": (["cohorts=3"], ("cohorts = 3: must map a cohort's name to a list of overrides",)),
    "cohort": (["+cohorts.a=3"], ("cohorts.a = 3: must be a list of overrides, such as [satellite=reference]",)),
    "key of a cohort": (['+cohorts.a=["satelite=x"]'], ("cohorts.a: satelite: unknown key", "'satellite'")),
    "value of a cohort": (['+cohorts.a=["array.area_m2=-1"]'], ("cohorts.a: array.area_m2 = -1: must be above 0",)),
    "clock of a cohort": (
        ['+cohorts.a=["time.step_s=5"]'],
        ("cohorts.a: time belongs to the whole run, a cohort has only its design: time.step_s=5",),
    ),
    "hydra in a cohort": (['+cohorts.a=["hydra.run.dir=/tmp/x"]'], (f"cohorts.a: hydra.run.dir=/tmp/x: {HYDRA}",)),
}


def refusal(overrides: list[str]) -> str:
    """The one sentence with which overrides are refused, when composed or when built."""
    with pytest.raises(ConfigError) as refused:
        twin.build(twin.compose("simulate", overrides))
    sentence = str(refused.value)
    assert sentence and "\n" not in sentence and "Traceback" not in sentence
    return sentence


@pytest.mark.parametrize("name", COMPOSED)
def test_override_is_refused_in_one_sentence(name: str) -> None:
    overrides, parts = COMPOSED[name]
    sentence = refusal(overrides)
    for part in parts:
        assert part in sentence


def test_command_line_alone_may_set_hydra(tmp_path: Path) -> None:
    config, folder = load("simulate", [f"hydra.run.dir={tmp_path}"])
    assert folder == tmp_path and config.seed == 0
    with pytest.raises(ConfigError, match="Cannot find primary config 'simulat'"):
        twin.compose("simulat")


def test_more_devices_than_there_are() -> None:
    assert "distributed.devices = 99: this machine has " in refusal(["distributed.devices=99"])


def signed(line: str) -> str:
    """The line with its checksum made right."""
    return f"{line[:68]}{two_line.checksum(line)}"


FALLEN = signed(SECOND[:52] + "17.50000000" + SECOND[63:])
FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "empty": ("", ("the file is empty",)),
    "of another kind": ("a,b\n1,2\n", ("line 1: 'a,b' begins no known format",)),
    "cut in a line": (
        f"{TLE}{FIRST}\n{SECOND[:40]}\n",
        (f"line {len(TLE.splitlines()) + 2}: 40 characters; a line of an element set has 69",),
    ),
    "cut after line 1": (f"{NAME}\n{FIRST}\n", ("line 3: the end of the file given where the line 2 of line 2 must",)),
    "bad checksum": (f"{NAME}\n{FIRST[:68]}x\n{SECOND}\n", ("line 2: checksum 'x' given, 8 computed",)),
    "damaged number": (
        f"{FIRST}\n{signed(SECOND[:8] + '10x' + SECOND[11:])}\n",
        ("line 2: inclination = '10x", "in columns 9-17 is not as the format has it"),
    ),
    "all fallen": (
        f"{NAME}\n{FIRST}\n{FALLEN}\n",
        ("all 1 element sets have decayed at the run's start", f"the first is {NAME} (7530): "),
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_file_of_element_sets_is_refused(tmp_path: Path, name: str) -> None:
    text, parts = FILES[name]
    path = tmp_path / "fleet.tle"
    path.write_text(text, encoding="utf-8")
    sentence = refusal(["constellation=element_sets", f"constellation.file={path}"])
    for part in (f"constellation.file = '{path}': {path}", *parts):
        assert part in sentence


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "nowhere.tle", "no such file"), (tmp_path, "cannot be read (Is a directory)")):
        assert f"{path}: {reason}" in refusal(["constellation=element_sets", f"constellation.file={path}"])
    assert "no such file in the working directory, " in refusal([ELEMENT_SETS[0], "constellation.file=nowhere.tle"])
    assert "satellites has 'NOPE' in its name" in refusal([*ELEMENT_SETS, "constellation.subset=NOPE"])


TRACES: dict[str, tuple[str, str]] = {
    "negative time": ("time_s,tokens\n-1,5\n3,5\n", "line 2: time_s = '-1'; allowed is 0 to 1e+15"),
    "times out of order": (
        "time_s,tokens\n0,5\n9,5\n3,5\n",
        "line 4: time_s = '3' is before the line above; records must be in order of time",
    ),
    "unit in a number": ("time_s,tokens\n0 s,5\n", "line 2: time_s = '0 s' is not a number"),
    "unknown columns": ("when,what\n0,5\n", "line 1: header 'when,what' is not known; known are "),
    "far apart": ("time_s,tokens\n0,5\n1e14,5\n", "line 3: time_s = '1e14' is 1e+14 s after the first record; allowed"),
    "nothing asked": ("time_s,tokens\n0,0\n5,0\n", "the whole trace asks for 0 tokens"),
}


@pytest.fixture(scope="module")
def traced() -> Any:
    return twin.compose("simulate", ["workload=inference_azure_conv", "constellation.satellites=1"])


@pytest.mark.parametrize("name", TRACES)
def test_trace_is_refused(tmp_path: Path, traced: Any, name: str) -> None:
    text, part = TRACES[name]
    path = tmp_path / "demand.csv"
    path.write_text(text, encoding="utf-8")
    workload = traced.workload.model_copy(update={"file": str(path)})
    with pytest.raises(ConfigError) as refused:
        twin.build(replace(traced, workload=workload))
    assert str(refused.value).startswith(f"workload.file = '{path}': {path}") and part in str(refused.value)


# --- Run folders -----------------------------------------------------------------------------------------------------


def finished(folder: Path, config: Any) -> Path:
    """A folder as a finished run of a configuration leaves it, as far as the check looks."""
    (folder / "telemetry.zarr").mkdir(parents=True)
    (folder / "summary.json").write_text('{"run": {}}', encoding="utf-8")
    (folder / "config.yaml").write_text(run.to_yaml(config.resolved), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def config() -> Any:
    return twin.compose("simulate", ["constellation.satellites=1"])


def refused_folder(folder: Path, config: Any) -> str:
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(ConfigError) as refused:
        twin.simulate(config, run_dir=folder)
    assert sorted(folder.parent.rglob("*")) == before
    assert str(refused.value).startswith(f"hydra.run.dir = {str(folder)!r}: ")
    return str(refused.value)


def test_a_file_is_no_run_folder(tmp_path: Path, config: Any) -> None:
    file = tmp_path / "run"
    file.write_text("notes", encoding="utf-8")
    assert "is a file, not a folder" in refused_folder(file, config)
    with pytest.raises(ConfigError, match="is a file, not a folder"):
        twin.simulate(config, run_dir=file / "below")


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path, config: Any) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    assert "holds something else, and no config.yaml; choose a new or an empty folder" in refused_folder(folder, config)


def test_a_finished_run_of_another_configuration_is_left_alone(tmp_path: Path, config: Any) -> None:
    folder = finished(tmp_path / "run", config)
    other = twin.compose("simulate", ["constellation.satellites=2"])
    assert "holds a run of another configuration: constellation.satellites was 1, is 2" in refused_folder(folder, other)
    assert resume.finished(folder, config)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path, config: Any) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be written (Permission denied)" in refused_folder(tmp_path / "run", config)


# --- The command -----------------------------------------------------------------------------------------------------

COMMANDS: dict[str, tuple[list[str], str]] = {
    "wrong key": (["orbit.altitud_m=5e5"], "orbit.altitud_m: unknown key (did you mean 'orbit.altitude_m'?)"),
    "value with unit": (["array.area_m2=12m2"], f"array.area_m2 = '12m2': {NUMBER}"),
    "missing file": (["constellation=element_sets", "constellation.file=nowhere.tle"], "nowhere.tle: no such file"),
    "null group": (["battery=null"], f"battery=null: {PROFILE}"),
    "sweep with one bad value": (["-m", "array.area_m2=480,-1"], "array.area_m2 = -1: must be above 0 m2"),
    "sweep of a wrong key": (["-m", "array.aria_m2=480,500"], "array.aria_m2: unknown key"),
}
BOTH_WAYS = ("wrong key", "sweep with one bad value")  # a run and a sweep; the sentences themselves are tested above


@pytest.mark.parametrize(
    "name", [name if name in BOTH_WAYS else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
)
def test_command_refuses_in_one_line_and_writes_nothing(tmp_path: Path, name: str) -> None:
    arguments, sentence = COMMANDS[name]
    folder = tmp_path / "out"
    command = [sys.executable, str(ROOT / "scripts/simulate.py"), *arguments]
    command += [f"hydra.run.dir={folder}", f"hydra.sweep.dir={folder}"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ") and sentence in line
    assert "Traceback" not in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []


# --- Anything else ---------------------------------------------------------------------------------------------------


@cache
def composed() -> dict[str, Any]:
    """The plain dict of a run."""
    resolved = twin.compose("simulate", ["constellation.satellites=1"]).resolved
    return {key: value for key, value in resolved.items() if key != "cohorts"}


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Path of every value in a plain dict."""
    items = values.items() if isinstance(values, Mapping) else enumerate(values) if isinstance(values, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def put(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with a value put at a path."""
    changed = copy.deepcopy(values)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


EXTREMES = st.sampled_from([0, -0.0, -1, 1e-320, 1e308, math.inf, -math.inf, math.nan, 2**63, 10**400, "", "???", True])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | EXTREMES
JSON_LIKE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)


def assert_validates_or_refuses(values: dict[str, Any]) -> None:
    try:
        assert validate(values).cohorts
    except ConfigError as refused:
        assert str(refused) and "\n" not in str(refused)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_stands_anywhere_validates_or_is_refused(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(places(composed()), key=str)))
    if data.draw(st.booleans()) and not isinstance(path[-1], int):
        path = (*path[:-1], data.draw(st.text(max_size=8) | st.sampled_from(["model", "file", "name", "sources"])))
    assert_validates_or_refuses(put(composed(), path, data.draw(JSON_LIKE)))


@pytest.mark.parametrize("key", ["duration_s", "step_s", "save_every_s", "exchange_s", "chunk_s"])
@pytest.mark.parametrize("value", [0, -1, 1e-320, 1e308, math.inf, math.nan, 10**400, "", None, True, [], {}])
def test_no_clock_stops_the_check_of_clocks(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^time\.{key} = "):
        validate(put(composed(), ("time", key), value))
