"""A run that went wrong: the step in which it began is found, kept and run again; other ends are named."""

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from twin import chunks, health, post_mortem, programs, records, run
from twin.endings import RunError, ending
from twin.frames import gathered
from twin.health import HealthError, Place
from twin.model import Model
from twin.post_mortem import Finding
from twin.structure import Structure

FIRE = "thermal_network.boundaries.fire"
SHORT = [
    "time.duration_s=3000",
    "time.step_s=60",
    "time.exchange_s=600",
    "time.save_every_s=600",
    "time.chunk_s=1200",
    "constellation.satellites=2",
    "distributed.devices=1",
    "workload=inference_azure_conv",
    f"+{FIRE}={{node:battery,conductance_w_per_k:0.0,temperature_k:1e5}}",
]
STEPS, CHUNK = 10, 20  # of an exchange interval, of a chunk


def model_of(*overrides: str) -> Model:
    return twin.build(twin.compose("simulate", [*SHORT, *overrides]))


def examined(model: Model, spoilt: Place | None = None) -> tuple[Finding, HealthError]:
    """What is found of a run that goes wrong; `spoilt` is a frame of the first chunk that arrives as NaN."""
    tiles = programs.tiles_of(model.structure, run.prepared(model))
    carry, names = tiles.carry, ["one", "two"]
    for chunk in chunks.chunks(model):
        carry, frames = chunks.through(model, tiles, chunk, carry)
        columns = {name: np.array(column) for name, column in gathered(model.structure, frames).items()}
        if spoilt is not None:
            columns[spoilt.variable][spoilt.frame, spoilt.satellite] = np.nan
        try:
            health.check_frames(columns, np.arange(len(columns["altitude_m"])), names)
        except HealthError as error:
            assert error.place is not None
            anew = programs.tiles_of(model.structure, run.prepared(model))
            before = post_mortem.carry_before(model, anew, chunks.chunks(model), chunk.done)
            return post_mortem.examine(model, anew, chunk, before, error.place), error
    raise AssertionError("nothing went wrong")


def replayed(finding: Finding, folder: Path) -> dict[str, float]:
    post_mortem.write(folder, finding, "a sentence", {"jax_version": jax.__version__})
    return post_mortem.replay(folder)


@pytest.mark.slow
def test_a_fire_in_the_battery(tmp_path: Path) -> None:
    """It grows too hot in the course of an interval: the first step beyond the range is found, not the first of all."""
    finding, error = examined(model_of(f"{FIRE}.conductance_w_per_k=24.0"))
    assert error.place == Place("battery_temperature_k", 0, 0)
    number = int(finding.read.number)
    assert finding.where == "step" and finding.done_steps + number < STEPS
    assert "outputs.battery_temperature_k" in finding.wrong and finding.wrong["outputs.battery_temperature_k"] > 1500.0
    before_k = float(finding.read.state.temperature_k["battery"][0])
    assert number > 0 and 300.0 < before_k <= 1500.0
    assert replayed(finding, tmp_path) == finding.wrong
    record = json.loads((tmp_path / "failure.json").read_text(encoding="utf-8"))
    assert (record["failure"], record["where"], record["step"]) == ("a sentence", "step", number)
    assert record["jax_version"] == jax.__version__ and record["cohort"] == "reference"
    assert set(record["wrong"]) == set(finding.wrong)
    with np.load(tmp_path / "failure.npz", allow_pickle=False) as file:
        keys = [key.partition(".")[0] for key in file.files]
        assert {"shared", "anchor", "inputs", "state", "slow", "condition", "gave"} <= set(keys)
        assert file["state.temperature_k.battery"] == np.float32(before_k) and "slow.propellant_kg" in file.files


@pytest.mark.slow
def test_work_without_bounds_in_a_later_interval(tmp_path: Path) -> None:
    """What a step is given is named before what it makes of it, in the interval and chunk where it came."""
    model = model_of()
    environment = model.environment
    spiked = environment._replace(traced_flops=environment.traced_flops.at[3].set(1e39))
    finding, _ = examined(model._replace(environment=spiked))
    assert (finding.where, finding.done_steps, int(finding.read.number)) == ("step", CHUNK, STEPS)
    assert finding.wrong == {"inputs.asked_flops": np.inf, "inputs.assigned_flops": np.inf}
    assert replayed(finding, tmp_path) == finding.wrong


@pytest.mark.slow
def test_a_number_that_overflows_in_the_fleet_s_constants(tmp_path: Path) -> None:
    finding, _ = examined(model_of("thermal_network.nodes.bus.heat_capacity_j_per_k=1e300"))
    assert finding.where == "step" and int(finding.read.number) == 0
    assert "shared.profiles.thermal_network.nodes.bus.heat_capacity_j_per_k" in finding.wrong
    assert replayed(finding, tmp_path) == finding.wrong


@pytest.mark.slow
def test_a_fault_of_the_machine_is_not_found_again(tmp_path: Path) -> None:
    finding, error = examined(model_of(), Place("array_power_w", 1, 1))
    assert error.place == Place("array_power_w", 1, 1)
    assert (finding.where, int(finding.read.number), finding.wrong) == ("nowhere", STEPS, {})
    assert replayed(finding, tmp_path) == {}


def test_the_earliest_value_is_named() -> None:
    columns = {name: np.zeros((4, 2), dtype=np.float32) for name in ("array_power_w", "load_power_w")}
    columns["array_power_w"][3, 0] = columns["load_power_w"][1, 1] = np.nan
    with pytest.raises(HealthError, match="load_power_w = nan W of satellite 1") as failed:
        health.check_frames(columns, np.arange(4), ["one", "two"])
    assert failed.value.place == Place("load_power_w", 1, 1)


def test_trees_come_back_as_they_were() -> None:
    structure = model_of().structure
    plain = json.loads(json.dumps(asdict(structure)))
    assert records.built(Structure, plain) == structure
    tree = {"a.b": (jnp.ones(1), {(0, 1): jnp.zeros(2)})}
    leaves = records.flat(tree)
    assert set(leaves) == {"a%2Eb.0", "a%2Eb.1.(0, 1)"}
    kind = dict[str, tuple[jax.Array, dict[tuple[int, int], jax.Array]]]
    assert jax.tree.structure(records.built(kind, records.nested(leaves))) == jax.tree.structure(tree)


# --- Ends that lie outside the model ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def structure() -> Structure:
    return model_of().structure


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_full_disk_under_the_store(small_disk: Path, structure: Structure) -> None:
    import zarr

    group = zarr.open_group(small_disk / "run", mode="w")
    array: Any = group.create_array("x", shape=(800, 1000), chunks=(400, 1000), dtype="float32", compressors=None)
    with pytest.raises(OSError) as failed:
        array[:] = np.ones((800, 1000), dtype=np.float32)
    found = ending(failed.value, small_disk / "run", structure, 360)
    assert isinstance(found, RunError) and str(found).startswith(f"{small_disk / 'run'}: the disk is full, ")
    assert str(found).endswith(
        "B free: free space, then give the same command again, with "
        f"hydra.run.dir={small_disk / 'run'}; it goes on from step 360"
    )


def wrapped(inner: BaseException) -> Exception:
    outer = ValueError("Error writing a checkpoint")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError(f'RESOURCE_EXHAUSTED: Failed to write "d/3d": {os.strerror(errno.ENOSPC)}'), "the disk is full, "),
        (wrapped(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))), "the disk quota is used up, "),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "can no longer be written (Read-only file system): see to it"),
        (ExceptionGroup("all", [PermissionError(errno.EACCES, "x")]), "can no longer be written (Permission denied)"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"), "2 satellites on each of"),
        (MemoryError("Unable to allocate 12 GiB"), "also lower time.chunk_s, raise time.save_every_s"),
    ],
)
def test_ends_are_named(error: Exception, words: str, structure: Structure, tmp_path: Path) -> None:
    found = ending(error, tmp_path, structure, None)
    assert found is not None and words in str(found) and "\n" not in str(found)
    assert str(found).endswith("; it begins anew")


def test_other_errors_pass(structure: Structure, tmp_path: Path) -> None:
    for error in (KeyError("x"), HealthError("nan"), OSError(errno.ENOENT, "No such file or directory")):
        assert ending(error, tmp_path, structure, 1) is None
