"""A run on the host: chunk by chunk through the compiled loop, with health check, telemetry, summary and report."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import xarray as xr
import yaml

from twin import chunks, health, processes, programs, recorder, resume, rollout, run_folder, sampling, store
from twin.clock import Clock, compile_time
from twin.config import Config, ConfigError
from twin.endings import ending
from twin.fleet import Fleet, frame_axes
from twin.frames import gathered
from twin.model import Model, build, use_devices
from twin.prepare import Cohort
from twin.recorder import InMemory, OnDisk, Recorder
from twin.resume import Start
from twin.selection import selection
from twin.series.fleet_series import FleetSeries
from twin.store import Axes
from twin.summary import summarise
from twin.watching import Progress

log = logging.getLogger(__name__)

HEAVIEST_KG = 1e8  # of a satellite: what lies above is the sign of a mass that runs away


Watch = Callable[[Progress], None]
Stop = Callable[[], bool]


class Reached(NamedTuple):
    """Where a run has come to."""

    step: int
    carry: rollout.Carry
    marks: list[sampling.Marks]  # before the first window and after each, where windows stand for longer stretches
    series: FleetSeries


def never() -> bool:
    """Nobody asks a run to stop."""
    return False


def simulate(
    config: Config,
    run_dir: str | Path | None = None,
    watch: Watch | None = None,
    model: Model | None = None,
    start: Start | None = None,
    stop: Stop = never,
) -> xr.Dataset:
    """Run a configuration and return its telemetry.

    With `run_dir`, writes telemetry.zarr, checkpoints, summary.json, config.yaml and report.html there and opens the
    result lazily; without it, writes nothing. A folder that holds the same run is gone on with from its newest sound
    checkpoint, and opened as it is when it has finished. `watch` is told of every chunk; `model` and `start` save
    building and looking again. When `stop`, asked between chunks, says so, the run is saved and ends with the status
    "stopped". The summary is the dataset's attribute `summary`.
    Raises ConfigError for what is refused and HealthError for a run that went wrong, whose telemetry up to then stays
    readable.
    """
    clock = Clock.started()
    use_devices(config.distributed)

    def stopped() -> bool:
        return processes.any_of(stop())

    with processes.together():
        if run_dir is None:
            if stop is not never:
                raise ConfigError("stop: a run that is to be stopped needs a run_dir to be saved in")
            return _in_memory(config, model, watch, clock)
        folder = Path(processes.of_first(str(run_dir)))
        if start is None and processes.by_first(lambda: resume.finished(folder, config)):
            write_missing_report(config, folder)
            return store.open_run(folder)
        model = build(config) if model is None else model
        start = beginning(config, folder, model) if start is None else start
        model = model._replace(notes=(*model.notes, *start.remarks))
        fleet = _ready(model, start, frame_axes(config, model, folder, start))
        with _claimed(folder):
            _in_folder(config, folder, fleet, start, watch, stopped, clock)
        processes.wait()
        return store.open_run(folder)


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """The folder, made if need be, to this run alone; the first process sees to it."""
    with contextlib.ExitStack() as held:

        def claim() -> None:
            if processes.is_first():
                held.enter_context(run_folder.claimed(folder))

        processes.in_all(claim)
        yield


def beginning(config: Config, folder: Path, model: Model) -> Start:
    """Where a run begins that `resume.finished` has let pass; ConfigError before anything is written."""
    start = resume.beginning(folder, config, model)
    axes = frame_axes(config, model, folder, start)
    processes.by_first(lambda: recorder.check(config, axes, folder, start))
    return start


def _in_memory(config: Config, model: Model | None, watch: Watch | None, clock: Clock) -> xr.Dataset:
    """A run that writes nothing."""
    model = build(config) if model is None else model
    fleet = _ready(model, Start(), frame_axes(config, model))
    kept = selection(config.output, fleet.axes.satellites)
    memory = InMemory(kept)
    reached = _advance(fleet, Start(), memory, watch, never, clock)
    summary = _summary(fleet, reached, clock)
    attributes = _attributes(config, fleet.model) | {"summary": json.dumps(summary)}
    return store.in_memory(memory.frames(), kept.axes(fleet.axes), attributes)


def _in_folder(
    config: Config, folder: Path, fleet: Fleet, start: Start, watch: Watch | None, stop: Stop, clock: Clock
) -> None:
    """A run that begins or goes on in a folder that is its own."""
    for remark in start.remarks:
        log.info(remark)
    if start.record:
        clock.goes_on(start.record["clock"])
    with _recording(config, folder, fleet, start) as disk:
        reached = _advance(fleet, start, disk, watch, stop, clock)
        if reached.step < fleet.model.structure.schedule.simulated_steps:
            if reached.step not in (start.step, disk.saved_step):
                leaves = programs.leaves_of(reached.carry) | reached.series.leaves()
                disk.checkpoint(fleet.model, reached.step, leaves, **_record(reached, clock))
            disk.stop()
            return
        disk.finish(_summary(fleet, reached, clock))
    write_missing_report(config, folder)


def write_missing_report(config: Config, folder: Path) -> None:
    """The report of a finished run, where it is wanted and not there; the first process writes it."""
    if config.output.report and processes.is_first() and not (folder / run_folder.REPORT).is_file():
        from twin.reporting.report import write_report

        write_report(folder)


@contextlib.contextmanager
def _recording(config: Config, folder: Path, fleet: Fleet, start: Start) -> Iterator[OnDisk]:
    """What a run leaves behind in its folder; marked as failed when it fails, its last good step kept."""
    disk = None
    try:
        if processes.is_first():
            for old in (run_folder.SUMMARY, run_folder.REPORT):
                (folder / old).unlink(missing_ok=True)
            run_folder.write_atomically(folder / run_folder.CONFIG, to_yaml(config.resolved))
        disk = recorder.on_disk(config, folder, fleet, start, {"summary": "", **_attributes(config, fleet.model)})
        yield disk
    except BaseException as error:  # SystemExit among them
        checkpoints = disk.checkpoints.steps() if disk is not None else []
        named = ending(error, folder, fleet.model.structure, next(iter(checkpoints), start.step))
        if disk is not None:
            disk.fail(str(named or error) or "interrupted", wait=processes.count() == 1 or processes.shared(error))
        if isinstance(error, health.HealthError) and error.place is not None:
            _examine(config, folder, fleet, error)
        if named is not None:
            raise named from error
        raise


def _examine(config: Config, folder: Path, fleet: Fleet, error: health.HealthError) -> None:
    """Leave the step in which a run went wrong; whatever fails here must not hide the error itself."""
    from twin import post_mortem

    model, place = fleet.model, error.place
    assert place is not None
    try:
        start = resume.beginning(folder, replace(config, resume="auto"), model)
        tiles = start.placed(model.structure, programs.tiles_of(model.structure, fleet.cohorts))
        carry = post_mortem.carry_before(model, tiles, chunks.chunks(model, start.step), place.done_steps)
        chunk = next(chunk for chunk in chunks.chunks(model, start.step) if chunk.done == place.done_steps)
        finding = post_mortem.examine(model, tiles, chunk, carry, place)
        if processes.is_first():
            post_mortem.write(folder, finding, str(error), resume.versions())
    except Exception:
        log.exception("the step in which the run went wrong was not found")


def _ready(model: Model, start: Start, axes: Axes) -> Fleet:
    chunks.compile_ahead(model)
    if model.structure.block_schedule == "auto" and start.record:
        model = chunks.scheduled(model, start.record["block_schedule"])
    cohorts = prepared(model)
    tiles = start.placed(model.structure, programs.tiles_of(model.structure, cohorts))
    model = chunks.with_schedule(model, tiles)
    return Fleet(model, cohorts, tiles, axes)


def _advance(fleet: Fleet, start: Start, record: Recorder, watch: Watch | None, stop: Stop, clock: Clock) -> Reached:
    """Run the chunks that are left; each window's frames are checked and recorded while the device runs the next."""
    model, cohorts, tiles, axes = fleet
    structure, schedule = model.structure, model.structure.schedule
    chunk_share = sum(cohort.satellites for cohort in structure.cohorts) * (1 + schedule.settling_chunks)
    names = [str(name) for name in axes.name]
    series = FleetSeries(model, cohorts, start)
    marks = list(start.record["marks"]) if start.record else chunks.marked(model, cohorts, tiles.carry)
    step, carry, frame = start.step, tiles.carry, start.frame
    program = chunks.first_program(model, start.step)
    if program is not None:
        program.result()  # so that no time of its compilation counts as one of stepping
    began, compiled_s = time.perf_counter(), compile_time.total_s
    coming = takewhile(lambda chunk: chunk.done % schedule.grid_steps or not stop(), chunks.chunks(model, start.step))
    for flight in chunks.flights(model, cohorts, tiles, coming, record.due):
        step, carry = flight.chunk.end, flight.carry
        if flight.chunk.now.weight:
            columns = gathered(structure, flight.frames)
            count = next(iter(columns.values())).shape[0]
            times = axes.time[frame : frame + count]
            health.check_decay(columns, times, names)
            health.check_frames(columns, times, names, flight.chunk.done)
            record.append(columns | series(columns, flight.chunk.done))
            frame += count
            marks += flight.marks
            compiling_s, compiled_s = compile_time.total_s - compiled_s, compile_time.total_s
            took_s = max(time.perf_counter() - began - compiling_s, 1e-9)
            began = time.perf_counter()
            clock.stepping_s += took_s
            speed = flight.chunk.segment.total_steps * chunk_share / took_s
            now = Progress(step, schedule.simulated_steps, times[-1], speed)
            record.tell(now, flight.extremes)
            if watch is not None:
                watch(now)
        if flight.kept is not None:
            record.checkpoint(
                model, step, flight.kept | series.leaves(), **_record(Reached(step, carry, marks, series), clock)
            )
        del flight  # its frames leave the device before another chunk is begun
    return Reached(step, carry, marks, series)


def _record(reached: Reached, clock: Clock) -> dict[str, Any]:
    """What a checkpoint holds beside the carry."""
    numbers: list[Any] = jax.tree.map(float, reached.marks)
    return {"marks": numbers, "clock": clock.reading(), "fleet": reached.series.reading()}


def _summary(fleet: Fleet, reached: Reached, clock: Clock) -> dict[str, Any]:
    """The summary of a run at its end; HealthError when its energy does not balance."""
    model, cohorts = fleet.model, fleet.cohorts
    whole, each = programs.all_metrics(model.structure, cohorts, reached.carry)
    health.check_balance(float(whole["power_balance_residual"]), float(whole["heat_balance_residual"]))
    facts, plain = _run_facts(model, clock), {name: float(value) for name, value in whole.items()}
    whole |= reached.series.summary(plain, facts["duration_s"])
    model = model._replace(notes=(*model.notes, *reached.series.notes))
    return summarise(model, cohorts, whole, each, facts, reached.marks)


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


def _attributes(config: Config, model: Model) -> dict[str, str]:
    return {
        "configuration": json.dumps(config.resolved),
        **resume.versions(),
        "precision": model.structure.precision,
    }


def _run_facts(model: Model, clock: Clock) -> dict[str, Any]:
    structure, schedule, weight = model.structure, model.structure.schedule, float(model.environment.slow_weight)
    steps = sum(cohort.satellites for cohort in structure.cohorts) * schedule.simulated_steps
    return {
        **clock.reading(),
        "satellite_steps": steps,
        "satellite_steps_per_s": round(steps / max(clock.stepping_s, 1e-9)),
        "step_s": schedule.step_s,
        "simulated_s": schedule.simulated_steps * schedule.step_s,
        "duration_s": round(weight * schedule.steps * schedule.step_s, 3),
        "schedule": structure.block_schedule,
        "device": f"{len(programs.devices_of(structure))} x {jax.devices()[0].device_kind} ({jax.default_backend()})",
        **resume.versions(),
        "precision": structure.precision,
    }


def to_yaml(values: Mapping[str, Any]) -> str:
    """A plain mapping as YAML."""
    return yaml.safe_dump(json.loads(json.dumps(values, default=str)), sort_keys=False, allow_unicode=True)
