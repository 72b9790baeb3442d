"""The chunks of a run, one after the other through the compiled loop; the device is a chunk ahead of the host."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from twin import block_schedule, processes, programs, rollout, sampling
from twin.checkpoint import Leaves
from twin.metrics import Metrics
from twin.model import Model
from twin.prepare import Cohort
from twin.segments import Segment, segments
from twin.structure import Moment, Structure, moment

# Schedule of the steps and a remark for each structure that has been measured in this process.
_measured: dict[Structure, tuple[str, str]] = {}


class Chunk(NamedTuple):
    """Steps that are simulated in one go."""

    done: int  # steps simulated before it
    segment: Segment
    now: Moment
    demand_flops: np.ndarray  # (exchanges,)

    @property
    def end(self) -> int:
        """Steps simulated after it."""
        return self.done + self.segment.total_steps


class Flight(NamedTuple):
    """A chunk that the device has been asked for."""

    chunk: Chunk
    carry: rollout.Carry  # used up by the next one
    frames: dict[str, rollout.Frames]
    marks: list[sampling.Marks]  # at its end
    extremes: dict[str, Metrics]  # of the run so far, at its end
    kept: Leaves | None  # the carry at its end, for a checkpoint


T = TypeVar("T")


def chunks(model: Model, first_step: int = 0) -> Iterator[Chunk]:
    """All chunks of a run from a step on that begins one."""
    schedule, demand = model.structure.schedule, np.asarray(model.environment.traced_flops)
    weight = float(model.environment.slow_weight)
    done, first = first_step, first_step // schedule.exchange_steps
    while done < schedule.simulated_steps:
        length = min(schedule.chunk_steps, schedule.simulated_steps - done)
        for segment in segments(length, schedule.save_steps, schedule.exchange_steps):
            yield Chunk(done, segment, moment(schedule, weight, done), demand[first : first + segment.exchanges])
            done, first = done + segment.total_steps, first + segment.exchanges


def flights(
    model: Model, cohorts: dict[str, Cohort], tiles: rollout.Tiles, coming: Iterable[Chunk], due: Callable[[int], bool]
) -> Iterator[Flight]:
    """The coming chunks, the next one already on its way; one that has to be compiled waits for the one before.

    The carry is kept at the end of chunks where `due`, told the steps simulated by then, says so.
    """
    carry = tiles.carry

    def begin(chunk: Chunk) -> Flight:
        nonlocal carry
        keep = due(chunk.end)  # asked before the device has the chunk, as several processes wait for theirs to agree
        carry, frames = through(model, tiles, chunk, carry)
        kept = programs.leaves_of(carry) if keep else None
        marks = marked(model, cohorts, carry) if chunk.now.weight else []
        return Flight(chunk, carry, frames, marks, programs.extremes(model.structure, carry), kept)

    for _, alike in groupby(coming, key=lambda chunk: chunk.segment):
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


def through(
    model: Model, tiles: rollout.Tiles, chunk: Chunk, carry: rollout.Carry
) -> tuple[rollout.Carry, dict[str, rollout.Frames]]:
    """Carry after a chunk and its frames; the carry before it is used up."""
    now = jax.tree.map(partial(jnp.asarray, dtype=jnp.float64), chunk.now)
    program = programs.chunk(model, chunk.segment).result()
    environment = programs.of_any_length(model).environment
    return program(tiles.shared, tiles.each, environment, now, jnp.asarray(chunk.demand_flops), carry)


def marked(model: Model, cohorts: dict[str, Cohort], carry: rollout.Carry) -> list[sampling.Marks]:
    """What has added up so far, where windows stand for longer stretches."""
    if float(model.environment.slow_weight) == 1.0:
        return []
    return [programs.marks(model.structure, cohorts, carry)]


def with_schedule(model: Model, tiles: rollout.Tiles) -> Model:
    """The model with a schedule for the steps of its blocks: where it is open, the faster one of the first chunk."""
    structure = model.structure
    if structure.block_schedule != "auto":
        return model
    if structure not in _measured:
        first = next(chunks(model))

        def first_chunk(schedule: str) -> rollout.Carry:
            tried = scheduled(model, schedule)
            failed = programs.chunk(tried, first.segment).exception()
            # Before any of them runs it: it would wait for the sums of one that cannot.
            if processes.any_of(failed is not None):
                raise failed or RuntimeError("it does not compile in another process")
            return through(tried, tiles, first, jax.tree.map(jnp.copy, tiles.carry))[0]

        _measured[structure] = block_schedule.choose(first_chunk)
    schedule, remark = _measured[structure]
    chosen = scheduled(model, schedule)
    return chosen._replace(notes=(*model.notes, remark))


def scheduled(model: Model, schedule: str) -> Model:
    """The model with its blocks' steps run as said."""
    return model._replace(structure=replace(model.structure, block_schedule=schedule))


def compile_ahead(model: Model) -> None:
    """Begin to compile the first chunk, so that it is ready when the fleet is; nothing where a schedule is yet open."""
    if model.structure.block_schedule != "auto":
        first_program(model, 0)


def first_program(model: Model, first_step: int) -> Future[jax.stages.Compiled] | None:
    """The program of the chunk that begins at a step; None when no step is left."""
    chunk: Any = next(chunks(model, first_step), None)
    return None if chunk is None else programs.chunk(model, chunk.segment)
