"""A run on the host: chunk by chunk through the compiled loop, with health check, telemetry, summary and report."""

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
import yaml

from twin import block_schedule, health, programs, rollout, run_folder, sampling, store
from twin.config import Config, ConfigError
from twin.frames import gathered, nodes_of
from twin.model import Model, build
from twin.prepare import Cohort
from twin.selection import check_size, selection
from twin.structure import Moment, Structure, moment
from twin.summary import summarise

# Schedule of the steps and a remark for each structure that has been measured in this process.
_measured: dict[Structure, tuple[str, str]] = {}

HEAVIEST_KG = 1e8  # of a satellite: what lies above is the sign of a mass that runs away


class _CompileTime:
    """Seconds that JAX has spent compiling in this process."""

    def __init__(self) -> None:
        self.total_s = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            self.total_s += duration_secs


_compile_time = _CompileTime()


@dataclass(frozen=True)
class Progress:
    """Where a run stands, for whoever watches."""

    done_steps: int
    total_steps: int
    time: Any  # numpy datetime64, UTC
    satellite_steps_per_s: float


class Chunk(NamedTuple):
    """Steps that are simulated in one go."""

    done: int  # steps simulated before it
    segment: rollout.Segment
    now: Moment
    demand_flops: np.ndarray  # (exchanges,)


class Flight(NamedTuple):
    """A chunk that the device has been asked for."""

    chunk: Chunk
    carry: rollout.Carry  # used up by the next one
    frames: dict[str, rollout.Frames]
    marks: list[sampling.Marks]  # at its end


T = TypeVar("T")
Watch = Callable[[Progress], None]


@dataclass
class Clock:
    """Wall time of a run: since its start, and in its chunks, telemetry included."""

    started_s: float
    compiled_before_s: float
    stepping_s: float = 0.0


def simulate(
    config: Config, run_dir: str | Path | None = None, watch: Watch | None = None, model: Model | None = None
) -> xr.Dataset:
    """Run a configuration and return its telemetry.

    With `run_dir`, writes telemetry.zarr, summary.json, config.yaml and report.html there and opens the result lazily;
    without it, writes nothing. A folder that holds the same run, finished, is opened as it is. `watch` is told of
    every chunk; `model` saves building the configuration again. The summary is the dataset's attribute `summary`.
    Raises ConfigError for refused data files and HealthError for a run that went wrong, whose telemetry up to then
    stays readable.
    """
    clock = Clock(time.perf_counter(), _compile_time.total_s)
    folder = None if run_dir is None else Path(run_dir)
    if folder is not None and run_folder.holds_run(folder, config):
        return store.open_run(folder)
    model = build(config) if model is None else model
    compile_ahead(model)
    cohorts = prepared(model)
    tiles = programs.tiles_of(model.structure, cohorts)
    model = _settled(model, tiles)
    axes = _axes(config, model)
    kept_of = selection(config.output, axes.satellites)
    attributes = {"summary": "", "configuration": json.dumps(config.resolved), **_versions(model.structure)}
    writer = None
    if folder is not None:
        check_size(config, axes, folder)
        folder.mkdir(parents=True, exist_ok=True)
        run_folder.write_atomically(folder / "config.yaml", to_yaml(config.resolved))
        at_once = _frames_per_chunk(model.structure)
        writer = store.Store.create(folder / "telemetry.zarr", kept_of.axes(axes), at_once, attributes)
    kept: list[dict[str, np.ndarray]] = []
    keep = kept.append if writer is None else writer.append
    try:
        carry, marks = _advance(model, cohorts, tiles, axes, lambda columns: keep(kept_of.pick(columns)), watch, clock)
        fleet, each = programs.all_metrics(model.structure, cohorts, carry)
        health.check_balance(float(fleet["power_balance_residual"]), float(fleet["heat_balance_residual"]))
    except (Exception, KeyboardInterrupt) as error:
        if writer is not None:
            writer.close("failed", str(error) or "interrupted")
        raise
    summary = summarise(model, cohorts, fleet, each, _run_facts(model, clock), marks)
    if writer is None or folder is None:
        frames = {name: np.concatenate([part.pop(name) for part in kept]) for name in tuple(kept[0])}
        return store.in_memory(frames, kept_of.axes(axes), attributes | {"summary": json.dumps(summary)})
    writer.close("finished")
    run_folder.write_atomically(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    if config.output.report:
        from twin.reporting.report import write_report

        write_report(folder)
    return store.open_run(folder)


def _advance(
    model: Model,
    cohorts: dict[str, Cohort],
    tiles: rollout.Tiles,
    axes: store.Axes,
    sink: Callable[[dict[str, np.ndarray]], None],
    watch: Watch | None,
    clock: Clock,
) -> tuple[rollout.Carry, list[sampling.Marks]]:
    """Run all chunks; each window's frames are checked and handed to `sink` while the device runs the next chunk.

    Also what has added up before the first window and after each one, where windows stand for longer stretches.
    """
    structure, schedule = model.structure, model.structure.schedule
    chunk_share = sum(cohort.satellites for cohort in structure.cohorts) * (1 + schedule.settling_chunks)
    names = [str(name) for name in axes.name]
    carry, frame, marks = tiles.carry, 0, _marked(model, cohorts, tiles.carry)
    _first_program(model).result()  # so that no time of its compilation counts as one of stepping
    began, compiled_s = time.perf_counter(), _compile_time.total_s
    for flight in _flights(model, cohorts, tiles):
        carry = flight.carry
        if flight.chunk.now.weight:
            columns = gathered(structure, flight.frames)
            count = next(iter(columns.values())).shape[0]
            times = axes.time[frame : frame + count]
            health.check_decay(columns, times, names)
            health.check_frames(columns, times, names)
            sink(columns)
            frame += count
            marks += flight.marks
            compiling_s, compiled_s = _compile_time.total_s - compiled_s, _compile_time.total_s
            took_s = max(time.perf_counter() - began - compiling_s, 1e-9)
            began = time.perf_counter()
            clock.stepping_s += took_s
            if watch is not None:
                done, segment, *_ = flight.chunk
                speed = segment.total_steps * chunk_share / took_s
                watch(Progress(done + segment.total_steps, schedule.simulated_steps, times[-1], speed))
        del flight  # its frames leave the device before another chunk is begun
    return carry, marks


def _marked(model: Model, cohorts: dict[str, Cohort], carry: rollout.Carry) -> list[sampling.Marks]:
    """What has added up so far, where windows stand for longer stretches."""
    if float(model.environment.slow_weight) == 1.0:
        return []
    return [programs.marks(model.structure, cohorts, carry)]


def _flights(model: Model, cohorts: dict[str, Cohort], tiles: rollout.Tiles) -> Iterator[Flight]:
    """Every chunk of a run, the next one already on its way; one that has to be compiled waits for the one before."""
    carry = tiles.carry

    def begin(chunk: Chunk) -> Flight:
        nonlocal carry
        carry, frames = _through(model, tiles, chunk, carry)
        return Flight(chunk, carry, frames, _marked(model, cohorts, carry) if chunk.now.weight else [])

    for _, alike in groupby(_chunks(model), key=lambda chunk: chunk.segment):
        yield from one_behind(map(begin, alike))


def one_behind(begun: Iterator[T]) -> Iterator[T]:
    """Every item once the next one has begun; when the next one cannot begin, the error comes after the last item."""
    waiting: list[T] = []
    try:
        for item in begun:
            yield from waiting
            waiting = [item]
    except (Exception, KeyboardInterrupt):
        yield from waiting
        raise
    yield from waiting


def _through(
    model: Model, tiles: rollout.Tiles, chunk: Chunk, carry: rollout.Carry
) -> tuple[rollout.Carry, dict[str, rollout.Frames]]:
    """Carry after a chunk and its frames; the carry before it is used up."""
    now = Moment(*(jnp.asarray(number, dtype=jnp.float64) for number in chunk.now))
    program = programs.chunk(model, chunk.segment).result()
    environment = programs.of_any_length(model).environment
    return program(tiles.shared, tiles.each, environment, now, jnp.asarray(chunk.demand_flops), carry)


def _settled(model: Model, tiles: rollout.Tiles) -> Model:
    """The model with a schedule for the steps of its blocks: where it is open, the faster one of the first chunk."""
    structure = model.structure
    if structure.block_schedule != "auto":
        return model
    if structure not in _measured:
        first = next(_chunks(model))

        def first_chunk(schedule: str) -> rollout.Carry:
            tried = model._replace(structure=replace(structure, block_schedule=schedule))
            return _through(tried, tiles, first, jax.tree.map(jnp.copy, tiles.carry))[0]

        _measured[structure] = block_schedule.choose(first_chunk)
    schedule, remark = _measured[structure]
    settled = replace(structure, block_schedule=schedule)
    return model._replace(structure=settled, notes=(*model.notes, remark))


def compile_ahead(model: Model) -> None:
    """Begin to compile the first chunk, so that it is ready when the fleet is; nothing where a schedule is yet open."""
    if model.structure.block_schedule != "auto":
        _first_program(model)


def _first_program(model: Model) -> Future[jax.stages.Compiled]:
    return programs.chunk(model, next(_chunks(model)).segment)


def prepared(model: Model) -> dict[str, Cohort]:
    """Constants and first state of a built run; ConfigError when no launch mass carries a design's propellant."""
    cohorts = programs.prepare(model.structure, model.params, model.environment)
    for name, cohort in cohorts.items():
        if not 0.0 < float(cohort.budget.mass_kg) < HEAVIEST_KG:
            impulse_s = float(cohort.shared.profiles["propulsion"]["specific_impulse_s"])
            raise ConfigError(
                f"propulsion.specific_impulse_s = {impulse_s:g}: no launch mass of {name} carries the propellant of "
                "its station-keeping, avoidance and disposal; raise it, or choose a higher orbit or fewer manoeuvres"
            )
    return cohorts


def _chunks(model: Model) -> Iterator[Chunk]:
    """All chunks of a run, one after the other."""
    schedule, demand = model.structure.schedule, np.asarray(model.environment.traced_flops)
    done = first = 0
    while done < schedule.simulated_steps:
        length = min(schedule.chunk_steps, schedule.simulated_steps - done)
        for segment in rollout.segments(length, schedule.save_steps, schedule.exchange_steps):
            now = moment(schedule, float(model.environment.slow_weight), done)
            yield Chunk(done, segment, now, demand[first : first + segment.exchanges])
            done, first = done + segment.total_steps, first + segment.exchanges


def _frames_per_chunk(structure: Structure) -> int:
    schedule = structure.schedule
    return max(min(schedule.chunk_steps, schedule.steps) // schedule.save_steps, 1)


def _axes(config: Config, model: Model) -> store.Axes:
    schedule = model.structure.schedule
    frames = schedule.steps // schedule.save_steps
    window, inside = np.divmod(np.arange(frames) * schedule.save_steps, schedule.chunk_steps)
    chunk = window * (schedule.settling_chunks + 1) + schedule.settling_chunks
    begun = moment(schedule, float(model.environment.slow_weight), chunk * schedule.chunk_steps + inside)
    frame_ms = schedule.save_steps * schedule.step_ms
    ends_ms = np.rint(begun.date_s * 1e3).astype(np.int64) + config.time.start_ms + frame_ms
    catalogues = [(c.name, model.catalogue[c.name]) for c in model.structure.cohorts]
    nodes = nodes_of(model.structure) if model.structure.node_temperatures else ()
    return store.Axes(
        time=ends_ms.astype("datetime64[ms]").astype("datetime64[ns]"),
        satellite=np.arange(sum(len(c.names) for _, c in catalogues)),
        name=np.array([name for _, c in catalogues for name in c.names], dtype=object),
        norad_id=np.array([number for _, c in catalogues for number in c.norad_ids], dtype=np.int64),
        cohort=np.array([cohort for cohort, c in catalogues for _ in c.names], dtype=object),
        node=nodes,
    )


def _versions(structure: Structure) -> dict[str, str]:
    packages = ("jax", "jaxlib", "numpy", "xarray", "zarr")
    versions = {f"{name}_version": version(name) for name in packages}
    return {**versions, "python_version": platform.python_version(), "precision": structure.precision}


def _run_facts(model: Model, clock: Clock) -> dict[str, Any]:
    structure, schedule, weight = model.structure, model.structure.schedule, float(model.environment.slow_weight)
    steps = sum(cohort.satellites for cohort in structure.cohorts) * schedule.simulated_steps
    return {
        "wall_s": round(time.perf_counter() - clock.started_s, 3),
        "compile_s": round(_compile_time.total_s - clock.compiled_before_s, 3),
        "satellite_steps": steps,
        "satellite_steps_per_s": round(steps / max(clock.stepping_s, 1e-9)),
        "step_s": schedule.step_s,
        "simulated_s": schedule.simulated_steps * schedule.step_s,
        "duration_s": round(weight * schedule.steps * schedule.step_s, 3),
        "schedule": structure.block_schedule,
        "device": f"{len(programs.devices_of(structure))} x {jax.devices()[0].device_kind} ({jax.default_backend()})",
        **_versions(structure),
    }


def to_yaml(values: Mapping[str, Any]) -> str:
    """A plain mapping as YAML."""
    return yaml.safe_dump(json.loads(json.dumps(values, default=str)), sort_keys=False, allow_unicode=True)
