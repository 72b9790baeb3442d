"""What is asked of a run that went wrong: the step in which it began, kept with all that it read, and run again.

`examine` goes through the failing chunk anew, by exchange interval, block and step; `write` leaves failure.npz and
failure.json for a bug report; `replay` runs the step of these two files again, which need no other.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from twin import records, rollout
from twin.ageing import Condition, condition
from twin.anchor import PER_SATELLITE, Anchor
from twin.chunks import Chunk, through
from twin.contacts import contacts
from twin.exchange import Inputs
from twin.health import Place, wrong
from twin.links import Contact
from twin.model import Model
from twin.placement import devices_of, over_satellites, shardings
from twin.prepare import Shared
from twin.run_folder import FAILURE, write_atomically
from twin.segments import Segment
from twin.state import Slow, State, Work
from twin.step import step
from twin.structure import CohortStructure, Moment, Structure
from twin.totals import first_totals
from twin.variables import BY_NAME

ARRAYS, RECORD = FAILURE
STEP, BLOCK, NOWHERE = "step", "block", "nowhere"
FLOAT = "%.9g"

_anchored = jax.jit(rollout.anchored, static_argnums=(0, 1))
_contacts = jax.jit(partial(contacts, fleet_sum=over_satellites), static_argnums=0)
_inputs_of = jax.jit(rollout.inputs_of, static_argnums=(0, 1))
_run_tile = jax.jit(rollout.run_tile, static_argnums=(0, 1, 3))
_step = jax.jit(step, static_argnums=0)
_of_slow = jax.jit(condition, static_argnums=0)


class Read(NamedTuple):
    """All that a step of one satellite reads; leaves with the satellite axis are (1,)."""

    shared: Shared
    anchor: Anchor  # of the chunk
    inputs: Inputs  # of the exchange interval
    there: Contact | None  # in it
    condition: Condition  # of the block
    slow: Slow  # at the start of the block, as is what waits
    work: Work
    state: State
    number: Array  # of the step in the chunk, ()
    weight: Array  # calendar time per simulated time, ()


@dataclass(frozen=True)
class Finding:
    """Where a satellite went wrong.

    `where` is "step", or "block" when all steps of a block are sound and only what follows from them is not (`read` is
    then that of its first step), or "nowhere" when nothing went wrong this time (a fault of the machine?).
    """

    structure: Structure
    cohort: str
    where: str
    done_steps: int  # before the chunk
    read: Read
    wrong: Mapping[str, float]  # by dotted name: what the step reads, or what it gives
    gave: Mapping[str, Any]  # outputs and state of the step, or frame and slow variables of the block


def carry_before(model: Model, tiles: rollout.Tiles, coming: Iterable[Chunk], step: int) -> rollout.Carry:
    """The carry at the start of the chunk that begins at a step, reached from that of `tiles`, used up."""
    carry = tiles.carry
    for chunk in coming:
        if chunk.done == step:
            break
        carry = through(model, tiles, chunk, carry)[0]
    return carry


def examine(model: Model, tiles: rollout.Tiles, chunk: Chunk, carry: rollout.Carry, place: Place) -> Finding:
    """The step in which the satellite of `place` first went wrong; `carry` is that at the start of the chunk.

    Runs on all devices of the run, whose every process has to call it.
    """
    structure, schedule = model.structure, model.structure.schedule
    cohort, number = _whose(structure, place.satellite)
    mine = _Satellite(structure, cohort, number)
    anchor = mine.anchor(model, tiles, chunk.now, carry)
    first = place.frame * schedule.save_steps // schedule.exchange_steps
    last = min(first + max(schedule.save_steps // schedule.exchange_steps, 1), chunk.segment.exchanges)
    reads = _reads(model, mine, tiles, chunk, carry, anchor, range(first, last))
    sound: Read | None = None
    for read in reads:
        found = _in_block(structure, cohort, chunk.segment.steps, read)
        if found:
            where, read, names, gave = found
            return Finding(structure, cohort.name, where, chunk.done, read, names, gave)
        sound = sound or read
    assert sound is not None
    return Finding(structure, cohort.name, NOWHERE, chunk.done, sound, {}, {})


def _whose(structure: Structure, satellite: int) -> tuple[CohortStructure, int]:
    """Cohort of a satellite of the fleet, and its number there."""
    for cohort in structure.cohorts:
        if satellite < cohort.satellites:
            return cohort, satellite
        satellite -= cohort.satellites
    raise IndexError(f"the fleet has no satellite {satellite}")


class _Satellite(NamedTuple):
    """One satellite among the tiles."""

    structure: Structure
    cohort: CohortStructure
    number: int

    def of(self, tree: Any, shape: tuple[int, ...] = (1,)) -> Any:
        """Its part of leaves (tiles, tile), on every device."""
        whole, _ = shardings(devices_of(self.structure))

        def pick(leaf: Array) -> Array:
            return leaf.reshape(-1)[self.number].reshape(shape)

        return jax.jit(lambda tree: jax.tree.map(pick, tree), out_shardings=whole)(tree)

    def anchor(self, model: Model, tiles: rollout.Tiles, now: Moment, carry: rollout.Carry) -> Anchor:
        """Its anchor for the chunk, as the loop computes it."""
        name = self.cohort.name
        tile = self.of((tiles.each[name], carry.slow[name]), (1, 1))
        found = _anchored(self.structure, self.cohort, tiles.shared[name], *tile, model.environment, now)
        own = {key: jax.tree.map(lambda leaf: leaf[0], getattr(found, key)) for key in PER_SATELLITE}
        return found._replace(**own)


def _reads(
    model: Model,
    mine: _Satellite,
    tiles: rollout.Tiles,
    chunk: Chunk,
    carry: rollout.Carry,
    anchor: Anchor,
    intervals: range,
) -> Iterator[Read]:
    """What the first step of every block of some exchange intervals reads."""
    structure, segment, name = model.structure, chunk.segment, mine.cohort.name
    weight = jnp.asarray(chunk.now.weight, dtype=jnp.float64)
    anchors = {
        c.name: _anchored(
            structure, c, tiles.shared[c.name], tiles.each[c.name], carry.slow[c.name], model.environment, chunk.now
        )
        for c in structure.cohorts
    }
    for interval in intervals:
        fleet = _after(model, tiles, chunk, carry, interval)
        now = jax.tree.map(partial(jnp.asarray, dtype=jnp.float64), chunk.now)
        interval_s = segment.length_s(structure.schedule.step_s)
        when = model.environment, now.date_s, jnp.asarray(interval * interval_s), interval_s
        everyones = _contacts(structure, tiles.shared, tiles.each, anchors, *when)
        there = mine.of(everyones[name])
        place = everyones, now, model.environment.start_days, jnp.asarray(interval), chunk.demand_flops[interval]
        given = mine.of(_inputs_of(structure, segment, tiles.shared, tiles.each, anchors, *place, fleet)[name])
        inputs = jax.tree.map(lambda leaf: leaf.astype(structure.precision), given)
        state, slow, work = mine.of((fleet.state[name], fleet.slow[name], fleet.work[name]))
        for block in range(segment.blocks):
            number = jnp.asarray((interval * segment.blocks + block) * segment.steps, dtype=jnp.int32)
            worn = _condition(structure, mine.cohort, tiles.shared[name], slow)
            read = Read(tiles.shared[name], anchor, inputs, there, worn, slow, work, state, number, weight)
            yield read
            if block + 1 < segment.blocks:
                state, slow, work, _ = _run_block(structure, mine.cohort, segment.steps, read)


def _after(model: Model, tiles: rollout.Tiles, chunk: Chunk, carry: rollout.Carry, intervals: int) -> rollout.Carry:
    """The fleet after the first exchange intervals of a chunk."""
    if not intervals:
        return carry
    begun = chunk._replace(
        segment=replace(chunk.segment, exchanges=intervals), demand_flops=chunk.demand_flops[:intervals]
    )
    return through(model, tiles, begun, jax.tree.map(jnp.copy, carry))[0]


def _in_block(
    structure: Structure, cohort: CohortStructure, steps: int, read: Read
) -> tuple[str, Read, dict[str, float], dict[str, Any]] | None:
    """The first step of a block that goes wrong, or the block itself; None when all of it is sound."""
    at = read
    for _ in range(steps):
        names, gave, after = _run_step(structure, cohort, at)
        if names:
            return STEP, at, names, gave
        at = at._replace(state=after, number=at.number + 1)
    _, slow, _, frame = _run_block(structure, cohort, steps, read)
    gave = {"frame": frame, "slow": slow}
    names = _wrong_among(gave)
    return (BLOCK, read, names, gave) if names else None


def _run_step(
    structure: Structure, cohort: CohortStructure, read: Read
) -> tuple[dict[str, float], dict[str, Any], State]:
    """What is wrong of what a step reads, else of what it gives; all that it gives; the state after it."""
    kind, step_s = jnp.dtype(structure.precision), structure.schedule.step_s
    start_s = read.number.astype(kind) * kind.type(step_s)
    given = (read.shared, read.anchor, read.inputs, read.state, read.condition)
    after, out = _step(cohort, *given, start_s, kind.type(step_s))
    gave = {"outputs": out, "state": after}
    return _wrong_among(read._asdict()) or _wrong_among(gave), gave, after


def _run_block(
    structure: Structure, cohort: CohortStructure, steps: int, read: Read
) -> tuple[State, Slow, Work, dict[str, Any]]:
    """State, slow variables, what waits and frame after the block that `read` begins, run as the loop runs it."""
    segment = Segment(1, 1, steps)
    state, slow, work, _, frame = _run_tile(
        structure,
        cohort,
        segment,
        structure.schedule.step_s,
        read.shared,
        read.weight,
        read.number // steps,
        read.anchor,
        read.inputs,
        read.there,
        read.state,
        read.slow,
        read.work,
        first_totals((1,)),
    )
    return state, slow, work, jax.tree.map(lambda leaf: leaf[0], frame)


def _condition(structure: Structure, cohort: CohortStructure, shared: Shared, slow: Slow) -> Condition:
    kind = jnp.dtype(structure.precision)
    return jax.tree.map(lambda leaf: leaf.astype(kind), _of_slow(cohort, shared, slow))


def _wrong_among(tree: Any) -> dict[str, float]:
    """Values that are not finite or not plausible, by dotted name; infinite outputs are quantities a design lacks."""
    found = {}
    for path, leaf in records.flat(tree).items():
        name = path.rpartition(".")[2]
        lacking = path.startswith("outputs.") and name not in BY_NAME
        bad = np.isnan(leaf) if lacking else wrong(name, leaf)
        if bad.any():
            found[path] = float(leaf[bad][0])
    return found


def write(folder: Path, finding: Finding, sentence: str, facts: Mapping[str, Any]) -> None:
    """Leave failure.npz and failure.json; `facts` are what else the developer wants to know: time, versions, device."""
    read, number = finding.read, int(finding.read.number)
    gave = {f"gave.{name}": leaf for name, leaf in records.flat(finding.gave).items()}
    record = {
        "failure": sentence,
        "where": finding.where,
        "wrong": {name: FLOAT % value for name, value in finding.wrong.items()},
        "cohort": finding.cohort,
        "step": finding.done_steps + number,
        "step_of_chunk": number,
        **facts,
        "structure": asdict(finding.structure),
    }
    partial_file = folder / f"{ARRAYS}.partial"
    with partial_file.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **records.flat(read), **gave)
    partial_file.replace(folder / ARRAYS)
    write_atomically(folder / RECORD, json.dumps(record, indent=2, default=str) + "\n")


def replay(folder: str | Path) -> dict[str, float]:
    """Run the step, or the block, of a folder's failure.npz again: what goes wrong in it, by dotted name."""
    record = json.loads((Path(folder) / RECORD).read_text(encoding="utf-8"))
    structure: Structure = records.built(Structure, record["structure"])
    cohort = next(cohort for cohort in structure.cohorts if cohort.name == record["cohort"])
    with np.load(Path(folder) / ARRAYS, allow_pickle=False) as file:
        leaves = {name: jnp.asarray(file[name]) for name in file.files}
    read: Read = records.built(Read, records.nested(leaves))
    schedule = structure.schedule
    if record["where"] == STEP:
        return _run_step(structure, cohort, read)[0]
    found = _in_block(structure, cohort, min(schedule.save_steps, schedule.exchange_steps), read)
    return found[2] if found else {}
