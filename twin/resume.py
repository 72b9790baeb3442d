"""Where a run begins: afresh, or where the newest sound checkpoint in its folder leaves it."""

import hashlib
import json
import platform
import zlib
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from twin import processes, run_folder
from twin.checkpoint import Checkpoints, DamagedError, Leaves, carry_of, digest
from twin.config import RUN_KEYS, Config
from twin.model import Model
from twin.placement import devices_of, placed, shardings
from twin.refusal import ConfigError
from twin.rollout import Tiles, tile_size, tiled
from twin.structure import Structure

FORMAT = 2  # of the record and the leaves
# What may change when a run goes on; all else changes what would have been computed.
FREE = (
    "time.duration_s",
    "time.save_every_s",
    "time.name",
    *(key for key in RUN_KEYS if key not in ("time", "failures", "seed")),
)
MOST_NAMED = 4


class Start(NamedTuple):
    """Where a run begins."""

    step: int = 0  # steps simulated before it
    frame: int = 0  # frames written by then
    record: Mapping[str, Any] = {}
    leaves: Leaves | None = None
    again: bool = False  # whether the folder holds the run already
    damaged: tuple[int, ...] = ()  # later checkpoints that cannot be used
    remarks: tuple[str, ...] = ()

    def placed(self, structure: Structure, tiles: Tiles) -> Tiles:
        """Tiles with the carry of the checkpoint."""
        if self.leaves is None:
            return tiles
        layouts = {}
        for cohort in structure.cohorts:
            tile = tile_size(structure, cohort, structure.devices)
            layouts[cohort.name] = lambda leaf, n=cohort.satellites, tile=tile: tiled(leaf[:n], tile, structure.devices)
        try:
            carry = carry_of(tiles.carry, self.leaves, layouts)
        except DamagedError as error:
            raise ConfigError(f"its checkpoints are of another version of the program ({error})") from None
        return tiles._replace(carry=placed(carry, shardings(devices_of(structure))[1]))


def record_of(config: Config, model: Model, step: int, frame: int, **rest: Any) -> dict[str, Any]:
    """What a checkpoint says of itself, and of the run that may go on from it."""
    structure = model.structure
    return {
        "format": FORMAT,
        "step": step,
        "frame": frame,
        "step_ms": structure.schedule.step_ms,
        "chunk_steps": structure.schedule.chunk_steps,
        "weight": float(model.environment.slow_weight),
        "precision": structure.precision,
        "block_schedule": structure.block_schedule,
        "configuration": _configuration(config),
        "inputs": _inputs(model),
        "demand": _demand(model, step),
        "versions": versions(),
        **rest,
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that the numbers depend on."""
    packages = ("jax", "jaxlib", "numpy", "xarray", "zarr", "orbax-checkpoint")
    found = {f"{name.replace('-', '_')}_version": version(name) for name in packages}
    return {**found, "python_version": platform.python_version()}


def _configuration(config: Config) -> str:
    """Digest of all that the configuration says about the physics."""
    return hashlib.sha256(json.dumps(sorted(_physics(config.resolved))).encode()).hexdigest()


def _inputs(model: Model) -> dict[str, int]:
    """Digest of every slot of every cohort and of every series: what the data files have brought is among them."""
    named = {f"{c}.{slot}": numbers for c, slots in model.params.items() for slot, numbers in slots.items()}
    named |= {n: s for n, s in model.environment._asdict().items() if n not in ("traced_flops", "arrivals")}
    return {
        n: zlib.crc32(str([digest(np.asarray(leaf)) for leaf in jax.tree.leaves(s)]).encode()) for n, s in named.items()
    }


def _demand(model: Model, step: int) -> int:
    """Digest of the demand up to a step."""
    traced = np.asarray(model.environment.traced_flops)
    return digest(traced[: step // model.structure.schedule.exchange_steps])


def finished(folder: Path, config: Config) -> bool:
    """Whether the folder holds this very run, finished. ConfigError when it cannot be used for this run at all."""
    before = run_folder.configuration(folder)
    if before is None:
        if config.resume != "auto" and config.resume != "never":
            raise ConfigError(f"resume = {config.resume!r}: {str(folder)!r} holds no run to go on with")
        return False
    if config.resume == "never":
        raise ConfigError(f"resume = 'never': {str(folder)!r} holds a run already; choose another folder")
    old, new = (dict(_physics(resolved)) for resolved in (before, config.resolved))
    _refuse_changes(f"{run_folder.named(folder)}: holds a run of another configuration", old, new)
    was_s, is_s = float(before["time"]["duration_s"]), config.time.duration_s
    if not run_folder.summary(folder) or config.resume.startswith("from="):
        run_folder.check_writable(folder)
        run_folder.check_unclaimed(folder)
        return False
    if is_s < was_s:
        raise ConfigError(
            f"time.duration_s = {is_s:g}: the run in {str(folder)!r} has been simulated for {was_s:g}; "
            "choose another folder"
        )
    if is_s > was_s:
        run_folder.check_writable(folder)
        return False
    old, new = (dict(_kept(resolved)) for resolved in (before, config.resolved))
    _refuse_changes(f"{run_folder.named(folder)}: holds the run, finished", old, new)
    _check_telemetry(folder)
    return True


def _check_telemetry(folder: Path) -> None:
    if not (folder / run_folder.TELEMETRY).is_dir():
        raise ConfigError(f"{run_folder.named(folder)}: its {run_folder.TELEMETRY} is missing; choose another folder")


def _refuse_changes(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """ConfigError for the keys that differ, with old and new value."""
    keys = [key for key in {**old, **new} if old.get(key, "nothing") != new.get(key, "nothing")]
    if keys:
        named = [f"{key} was {_shown(old, key)}, is {_shown(new, key)}" for key in keys[:MOST_NAMED]]
        more = "; and more" if len(keys) > MOST_NAMED else ""
        raise ConfigError(f"{what}: {'; '.join(named)}{more}; choose another folder, or give the values it has")


def _shown(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key, "nothing")
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _kept(resolved: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values that make what a finished run has left: nothing of it is made anew."""
    output = {key: value for key, value in resolved["output"].items() if key not in ("report", "most_gb", "sources")}
    yield from _flat({"output": output, "precision": {"dtype": resolved["precision"]["dtype"]}})
    yield "time.save_every_s", _as_read(resolved["time"]["save_every_s"])


def _physics(resolved: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys and values that results depend on; of cohorts their designs, with one cohort under no name."""
    cohorts = dict(resolved["cohorts"])
    designs = {f"cohorts.{name}.": design for name, design in cohorts.items()} if len(cohorts) > 1 else {}
    whole = {key: values for key, values in resolved.items() if key != "cohorts"}
    for start, values in {"": whole, **designs}.items():
        for key, value in _flat(values):
            top = key.partition(".")[0]
            free = top in FREE or key in FREE or ".sources." in f".{key}."
            if not free and not (start and top in (*RUN_KEYS, "cohorts")):
                yield f"{start}{key}", value


def _flat(values: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, _as_read(values)


def _as_read(value: Any) -> Any:
    """Numbers as floats: 300 and 300.0 are one value."""
    if isinstance(value, list):
        return [_as_read(each) for each in value]
    exact = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53
    return float(value) if exact else value


def beginning(folder: Path, config: Config, model: Model) -> Start:
    """Where a run that `finished` has let pass begins. ConfigError when it cannot go on from what the folder holds."""
    if processes.by_first(lambda: run_folder.configuration(folder) is None):
        return Start()
    checkpoints = Checkpoints(folder / run_folder.CHECKPOINTS, config.checkpoint.keep)
    loaded: dict[int, tuple[Leaves, dict[str, Any]]] = {}  # in the first process, so that it need not read again
    step, found = processes.by_first(lambda: _chosen(folder, config, checkpoints, loaded))
    remarks = [f"Checkpoint {bad} is damaged and set aside: {why}" for bad, why in found]
    damaged = tuple(bad for bad, _ in found)
    if step is None:
        anew = "No checkpoint to go on from: begins anew"
        return Start(again=True, damaged=damaged, remarks=(*remarks, anew))
    leaves, record = loaded.get(step) or checkpoints.load(step)
    remarks += processes.in_all(lambda: _check(record, config, model))
    remarks.append(f"Goes on from step {step} of {model.structure.schedule.simulated_steps}")
    return Start(step, record["frame"], record, leaves, True, damaged, tuple(remarks))


def _chosen(
    folder: Path, config: Config, checkpoints: Checkpoints, loaded: dict[int, tuple[Leaves, dict[str, Any]]]
) -> tuple[int | None, list[tuple[int, str]]]:
    """Step of the checkpoint to go on from, which is put into `loaded`, None without any; those damaged, and why."""
    steps = checkpoints.steps()
    if config.resume.startswith("from="):
        steps = _wanted(int(config.resume.partition("=")[2]), steps)
    damaged = []
    for step in steps:
        try:
            loaded[step] = checkpoints.load(step)
        except DamagedError as error:
            if config.resume.startswith("from="):
                raise ConfigError(f"resume = {config.resume!r}: the checkpoint is damaged: {error}") from None
            damaged.append((step, str(error)))
            continue
        _check_telemetry(folder)
        return step, damaged
    if config.resume == "must":
        raise ConfigError(f"resume = 'must': {str(folder)!r} holds no sound checkpoint; resume=auto begins anew there")
    if damaged:
        raise ConfigError(
            f"{run_folder.named(folder)}: its checkpoints are all damaged, the newest one {damaged[0][0]}: "
            f"{damaged[0][1]}; resume=from=0 begins anew there and drops the telemetry that is written"
        )
    return None, damaged


def _wanted(step: int, steps: list[int]) -> list[int]:
    if step and step not in steps:
        there = ", ".join(str(s) for s in sorted(steps)) or "none"
        raise ConfigError(f"resume = 'from={step}': no checkpoint of that step; there are {there}, and 0 for the start")
    return [step] if step else []


def _check(record: Mapping[str, Any], config: Config, model: Model) -> list[str]:
    """Remarks on what differs; ConfigError where results would not be those of the run that began."""
    structure, schedule = model.structure, model.structure.schedule
    if record.get("format") != FORMAT:
        raise ConfigError(
            f"its checkpoints have format {record.get('format')}, this program writes {FORMAT}; "
            "go on with the version of the program that wrote them"
        )
    done_s = record["step"] * record["step_ms"] / 1000.0
    if schedule.chunk_steps != record["chunk_steps"]:
        was_s, is_s = (steps * schedule.step_s for steps in (record["chunk_steps"], schedule.chunk_steps))
        raise ConfigError(
            f"time.save_every_s = {schedule.save_steps * schedule.step_s:g}: makes chunks of {is_s:g} s, the run has "
            f"chunks of {was_s:g} s; must divide them"
        )
    if schedule.simulated_steps < record["step"]:
        raise ConfigError(
            f"time.duration_s: the run has been simulated for {done_s:g} s already; give a longer one or another folder"
        )
    if float(model.environment.slow_weight) != record["weight"]:
        raise ConfigError(
            f"time.duration_s: its windows would each stand for {float(model.environment.slow_weight):.8g} times their "
            f"length, those of the run stand for {record['weight']:.8g}; give a multiple of "
            f"{schedule.chunk_steps * schedule.step_s * record['weight']:.8g} s"
        )
    if record["configuration"] != _configuration(config):
        raise ConfigError(
            f"{run_folder.CONFIG} is not that of the run that its checkpoints belong to; choose another folder"
        )
    changed = [name for name, crc in _inputs(model).items() if record["inputs"].get(name) != crc]
    if changed:
        raise ConfigError(
            f"{changed[0]}: its numbers are not those that the run began with, though the configuration is the same: "
            "a data file or the program has changed; choose another folder"
        )
    if _demand(model, record["step"]) != record["demand"]:
        raise ConfigError(
            "time.duration_s: the demand is scaled to the mean of the trace over the run, and would be another one in "
            "the time that has been simulated; choose another folder, where a workload.scale lets the run grow"
        )
    return list(_remarks(record, structure))


def _remarks(record: Mapping[str, Any], structure: Structure) -> Iterator[str]:
    if record["precision"] != structure.precision:
        yield (
            f"Warning: goes on in {structure.precision}, begun in {record['precision']}: equal to the round-off of the "
            "coarser only"
        )
    for name, now in versions().items():
        if record["versions"].get(name) != now:
            what = name.removesuffix("_version")
            yield f"{what} is now {now}, was {record['versions'].get(name)}: results are equal to round-off"
