"""The one loop: exchanges over the fleet, tiles of satellites, steps in time.

A chunk is a scan over exchange intervals; in each, `exchange` gives every satellite its work, then every tile of
satellites runs its steps on its own. Frames are means over save intervals and values at their ends. Simulation,
gradients, sweeps and sharded runs all call `run_chunk`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernels.scheduler import Seen
from twin import energy, servicing, variables
from twin.ageing import Condition, condition, slow_rates
from twin.anchor import PER_SATELLITE, Anchor, anchor_at, in_air, over_tiles, sun_phase_rad
from twin.block_steps import block_steps
from twin.carry import Carry, closed
from twin.contacts import contacts
from twin.day_ends import days_ended
from twin.energy import Ledger
from twin.exchange import Inputs, Interval, work_asked
from twin.frames import Frames, in_order
from twin.links import Contact
from twin.outputs import telemetry_of_place, telemetry_of_slow, telemetry_of_state
from twin.placement import (
    FRAMES,
    TILES,
    WHOLE,
    on_all,
    over_satellites,
    placed,
    shardings,
    sum_over_devices,
    to_every_process,
)
from twin.prepare import Cohort, Each, Shared
from twin.scheduling import Sums
from twin.seen import seen
from twin.segments import Segment, segments
from twin.settling import unsettled
from twin.state import Slow, State, Work
from twin.step import step
from twin.structure import CohortStructure, Environment, Moment, Structure, moment
from twin.totals import Totals, added, aged, extremes_with, first_totals
from twin.work import accounted

Tile = tuple[State, Slow, Work, Totals, Frames]  # after an exchange interval
Stepped = tuple[State, dict[str, Array], dict[str, Array]]  # state, sums and extremes of a block


def tiled(leaf: Array, tile: int, devices: int = 1) -> Array:
    """(satellite,) to (tiles, tile), padded with copies of the last satellite; tiles are whole per device."""
    satellites = leaf.shape[0]
    tiles = -(-satellites // tile)
    tiles = -(-tiles // devices) * devices
    padded = jnp.concatenate([leaf, jnp.broadcast_to(leaf[-1:], (tiles * tile - satellites,))])
    return padded.reshape(tiles, tile)


def flat(leaf: Array, satellites: int) -> Array:
    """(tiles, tile) back to (satellite,), without padding."""
    return leaf.reshape(-1)[:satellites]


def tile_size(structure: Structure, cohort: CohortStructure, devices: int = 1) -> int:
    """Satellites per tile: the configured size, or less for a small cohort."""
    return min(structure.tile, -(-cohort.satellites // devices))


class Tiles(NamedTuple):
    """A fleet laid out for the loop, per cohort: shared constants, per-satellite constants and the first carry."""

    shared: dict[str, Shared]
    each: dict[str, Each]
    carry: Carry


def lay_out(structure: Structure, cohorts: Mapping[str, Cohort], devices: int = 1) -> Tiles:
    """Tile a prepared fleet and cast what the step reads to the run's precision; the rest stays float64."""
    kind = jnp.dtype(structure.precision)
    shared, each, state, slow, work, totals, serviced = {}, {}, {}, {}, {}, {}, {}
    for cohort in structure.cohorts:
        prepared = cohorts[cohort.name]
        split = partial(tiled, tile=tile_size(structure, cohort, devices), devices=devices)
        shared[cohort.name] = jax.tree.map(lambda leaf: jnp.asarray(leaf).astype(kind), prepared.shared)
        tiles: Each = jax.tree.map(split, prepared.each)
        real = (jnp.arange(tiles.present.size) < cohort.satellites).reshape(tiles.present.shape)
        each[cohort.name] = tiles._replace(present=jnp.where(real, tiles.present, 0.0))
        first: State = jax.tree.map(split, prepared.state)
        state[cohort.name] = jax.tree.map(lambda leaf: leaf.astype(kind), first)
        slow[cohort.name] = jax.tree.map(split, prepared.slow)
        work[cohort.name] = jax.tree.map(split, prepared.work)
        totals[cohort.name] = first_totals(real.shape)
        if cohort.serviced:
            serviced[cohort.name] = jax.tree.map(split, prepared.servicing)
    settling = {name: unsettled(first) for name, first in state.items()}
    return Tiles(shared, each, Carry(state, slow, work, totals, settling, serviced))


def run_chunk(
    structure: Structure,
    segment: Segment,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    environment: Environment,
    now: Moment,
    traced_flops: Array,
    carry: Carry,
    fleet_sum: Sums = over_satellites,
) -> tuple[Carry, dict[str, Frames]]:
    """Run a segment: the carry at its end and its frames, leaves (time, satellite), in order of `frames.in_order`.

    Orbits, Sun and air are those of the date `now`; totals, wear and failures those of the time that it stands for,
    none while satellites settle.
    `traced_flops` is the demand per exchange interval, (exchanges,). `fleet_sum` adds over the satellites of all
    devices.
    """
    step_s = step_length_s(structure, now)
    anchors = {
        c.name: anchored(structure, c, shared[c.name], each[c.name], carry.slow[c.name], environment, now)
        for c in structure.cohorts
    }

    def exchange_interval(
        before: tuple[Carry, dict[str, Ledger]], interval: tuple[Array, Array]
    ) -> tuple[tuple[Carry, dict[str, Ledger]], dict[str, Frames]]:
        (carry, opened), (number, demand) = before, interval
        interval_s = segment.length_s(step_s)
        span_s = _span_s(interval_s, now, number)
        place = anchors, environment, now.date_s, number * interval_s, interval_s
        there = contacts(structure, shared, each, *place, fleet_sum)
        given = (anchors, there, now, environment.start_days, number, demand)
        inputs = inputs_of(structure, segment, shared, each, *given, carry, fleet_sum)
        states, slow, work, totals, frames = {}, {}, {}, {}, {}
        for cohort in structure.cohorts:
            name = cohort.name
            run = partial(run_tile, structure, cohort, segment, step_s, shared[name], now.weight, number)
            before_tile = carry.state[name], carry.slow[name], carry.work[name], carry.totals[name]
            after_tile = over_tiles(run, anchors[name], inputs[name], there[name], *before_tile)
            states[name], slow[name], work[name], totals[name], frames[name] = after_tile
        after = carry._replace(state=states, slow=slow, work=work, totals=totals)
        return days_ended(structure, shared, each, environment.start_days, span_s, (after, opened), frames)

    numbers = jnp.arange(segment.exchanges, dtype=jnp.int32)
    ledgers = {name: energy.opened(carry.state[name], carry.slow[name]) for name in carry.servicing}
    (last, ledgers), frames = lax.scan(exchange_interval, (carry, ledgers), (numbers, traced_flops))
    ordered = {name: in_order(structure.schedule, leaves) for name, leaves in frames.items()}
    return closed(structure, shared, now.weight, (carry, last), ledgers), ordered


def step_length_s(structure: Structure, now: Moment) -> Any:
    """Length of a step: a number of the schedule, or an array where the moment has its own. [s]"""
    return structure.schedule.step_s if now.step_s is None else now.step_s


def _span_s(interval_s: Any, now: Moment, number: Array) -> tuple[Array, Array]:
    """Time since the start of the run that an exchange interval stands for: from, to."""
    return tuple(now.counted_s + now.weight * (number + k) * interval_s for k in (0, 1))


def inputs_of(
    structure: Structure,
    segment: Segment,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    anchors: Mapping[str, Anchor],
    there: Mapping[str, Contact | None],
    now: Moment,
    start_days: Array,
    number: Array,
    demand_flops: Array,
    carry: Carry,
    fleet_sum: Sums = over_satellites,
) -> dict[str, Inputs]:
    """What each satellite is given in an exchange interval of a segment, by its number there.

    Work by the place in the orbit is that of the middle of the interval.
    """

    def look(able: Mapping[str, Array]) -> dict[str, Seen]:
        start_s = number * segment.length_s(step_length_s(structure, now))
        told = {c.name: (carry.state[c.name], carry.work[c.name], able[c.name]) for c in structure.cohorts}
        return {
            c.name: seen(c, shared[c.name], anchors[c.name], there[c.name], *told[c.name], start_s, interval_s)
            for c in structure.cohorts
        }

    interval_s = segment.length_s(step_length_s(structure, now))
    span_s = _span_s(interval_s, now, number)
    middle_s = (number + 0.5) * interval_s
    middle = start_days, now.date_s + middle_s, now.flown_s + middle_s
    placed = structure.cohorts if structure.workload_model == "orbit_schedule" else ()
    interval = Interval(
        start_s=now.date_s + number * interval_s,
        length_s=interval_s,
        traced_flops=demand_flops,
        in_service={name: servicing.in_service(account, span_s) for name, account in carry.servicing.items()},
        phases={c.name: sun_phase_rad(each[c.name], carry.slow[c.name], *middle) for c in placed},
    )
    return work_asked(structure, shared, each, carry, interval, look, fleet_sum)


def anchored(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    each: Each,
    slow: Slow,
    environment: Environment,
    now: Moment,
) -> Anchor:
    """Anchor of a chunk, tile by tile: float64 needs room for one tile only. What all share is any tile's."""
    kind = jnp.dtype(structure.precision)

    def of_tile(tile: tuple[Each, Slow]) -> Anchor:
        mine, slow = tile
        still = anchor_at(mine, environment.start_days, now.date_s, now.flown_s)
        flown = in_air(structure, cohort, shared, mine, still, slow, environment, now.date_s)
        return jax.tree.map(lambda leaf: leaf.astype(kind), flown)

    tiles = lax.map(of_tile, (each, slow))
    first = jax.tree.map(lambda leaf: leaf[0], tiles)
    return first._replace(**{name: getattr(tiles, name) for name in PER_SATELLITE})


def run_tile(
    structure: Structure,
    cohort: CohortStructure,
    segment: Segment,
    step_s: Any,
    shared: Shared,
    weight: Array,
    interval: Array,
    anchor: Anchor,
    inputs: Inputs,
    there: Contact | None,
    state: State,
    slow: Slow,
    work: Work,
    totals: Totals,
) -> Tile:
    """One tile through one exchange interval: scan over save blocks, scan over steps in each.

    A gradient keeps what passes from block to block; a block's states, then each step, are computed anew.
    """
    kind = jnp.dtype(structure.precision)
    own_step_s = kind.type(step_s) if isinstance(step_s, float) else step_s.astype(kind)
    asked = jax.tree.map(lambda leaf: leaf.astype(kind), inputs)

    def one_step(shared: Shared, own: tuple[Anchor, Inputs, Condition], carry: Stepped, number: Array) -> Stepped:
        anchor, inputs, now = own
        state, sums, extremes = carry
        start_s = number.astype(kind) * own_step_s
        state, out = step(cohort, shared, anchor, inputs, state, now, start_s, own_step_s)
        sums = {name: value + out[name] for name, value in sums.items()}
        return state, sums, extremes_with(extremes, out)

    stepped = partial(block_steps, structure.block_schedule, one_step)

    @partial(jax.checkpoint, prevent_cse=False)
    def one_block(carry: tuple[State, Slow, Work, Totals], block: Array):
        state, slow, work, totals = carry
        zero = jnp.zeros_like(state.state_of_charge)
        sums = dict.fromkeys(variables.SUMMED, zero)
        extremes = {t.name: totals[t.name].astype(kind) for t in variables.TOTALS if t.kind != "sum"}
        now: Condition = jax.tree.map(lambda leaf: leaf.astype(kind), condition(cohort, shared, slow))
        first = (interval * segment.blocks + block) * segment.steps
        state, sums, extremes = stepped(shared, (anchor, asked, now), (state, sums, extremes), first, segment.steps)
        used = {name: sums[name].astype(jnp.float64) / segment.steps for name in variables.USED}
        alive, length_s = slow.accelerators_alive, weight * step_s
        work, rates = accounted(shared, inputs, there, work, alive, used, segment.steps * step_s)
        sums |= {name: segment.steps * rate for name, rate in rates.items()}
        extremes = extremes_with(extremes, rates)
        totals = added(totals, sums, extremes, length_s)
        means = {name: sums[name] / segment.steps for name in variables.MEANS}
        steady = slow_rates(cohort, shared, anchor, slow, means, state)
        slow = aged(slow, sums, steady, segment.steps, length_s)
        end_s = (first + segment.steps).astype(kind) * own_step_s
        ends = telemetry_of_state(cohort, state) | telemetry_of_place(anchor, end_s)
        ends |= telemetry_of_slow(slow, condition(cohort, shared, slow)) | work._asdict()
        ends["ground_site"] = zero - 1.0 if there is None else there.site
        frame: Frames = means | {name: ends[name] for name in variables.ENDS}
        if structure.node_temperatures:
            frame["node_temperature_k"] = dict(state.temperature_k)
        return (state, slow, work, totals), frame

    blocks = jnp.arange(segment.blocks, dtype=jnp.int32)
    (state, slow, work, totals), frames = lax.scan(one_block, (state, slow, work, totals), blocks)
    return state, slow, work, totals, frames


def nothing(carry: Carry, done: Any) -> None:
    """No mark."""


def run_all(
    structure: Structure,
    tiles: Tiles,
    environment: Environment,
    fleet_sum: Sums = over_satellites,
    mark: Callable[[Carry, Any], Any] = nothing,
) -> tuple[Carry, Any]:
    """The whole run as one traced function: a scan over chunks, each anchored anew; frames are not kept.

    Besides the carry at its end there is what `mark` reads of the carry and the steps done after each chunk, those of
    settling among them; leaves (chunk, ...). It may be differentiated, so steps are scanned whatever the structure
    says: the kernel goes forward only.
    """
    structure = replace(structure, block_schedule="scan")
    schedule = structure.schedule
    per_chunk = schedule.chunk_steps // schedule.exchange_steps
    whole, rest = divmod(schedule.simulated_steps, schedule.chunk_steps)
    carry, demand = tiles.carry, environment.traced_flops

    def chunk(segment: Segment, carry: Carry, done: Array, traced: Array) -> tuple[Carry, Any]:
        now = moment(schedule, environment.slow_weight, done)
        carry, _ = run_chunk(structure, segment, *tiles[:2], environment, now, traced, carry, fleet_sum)
        return carry, mark(carry, done + segment.total_steps)

    marks = []
    if whole:
        (segment,) = segments(schedule.chunk_steps, schedule.save_steps, schedule.exchange_steps)
        starts = jnp.arange(whole) * schedule.chunk_steps
        traced = demand[: whole * per_chunk].reshape(whole, per_chunk)
        carry, marked = lax.scan(lambda carry, item: chunk(segment, carry, *item), carry, (starts, traced))
        marks.append(marked)
    done, first = whole * schedule.chunk_steps, whole * per_chunk
    for segment in segments(rest, schedule.save_steps, schedule.exchange_steps):
        traced = demand[first : first + segment.exchanges]
        carry, marked = chunk(segment, carry, jnp.asarray(done), traced)
        marks.append(jax.tree.map(lambda leaf: leaf[None], marked))
        done, first = done + segment.total_steps, first + segment.exchanges
    return carry, jax.tree.map(lambda *parts: jnp.concatenate(parts), *marks)


def spread(tiles: Tiles, devices: tuple[Any, ...]) -> Tiles:
    """Tiles where the devices of `run_chunk_on` keep them, so that the first chunk is compiled as all others are."""
    whole, split = shardings(devices)
    return Tiles(placed(tiles.shared, whole), placed(tiles.each, split), placed(tiles.carry, split))


def run_chunk_on(
    structure: Structure,
    segment: Segment,
    devices: tuple[Any, ...],
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    environment: Environment,
    now: Moment,
    traced_flops: Array,
    carry: Carry,
) -> tuple[Carry, dict[str, Frames]]:
    """`run_chunk` with the tiles spread over devices; on one device, the same function as it is."""
    if len(devices) == 1:
        return run_chunk(structure, segment, shared, each, environment, now, traced_flops, carry)

    def local(*arguments: Any) -> tuple[Carry, dict[str, Frames]]:
        carry, frames = run_chunk(structure, segment, *arguments, fleet_sum=sum_over_devices)
        return carry, to_every_process(frames)

    return on_all(local, devices, (WHOLE, TILES, WHOLE, WHOLE, WHOLE, TILES), (TILES, FRAMES))(
        shared, each, environment, now, traced_flops, carry
    )


def run_all_on(structure: Structure, devices: tuple[Any, ...], tiles: Tiles, environment: Environment) -> Carry:
    """`run_all` with the tiles spread over devices; on one device, the same function as it is."""
    if len(devices) == 1:
        return run_all(structure, tiles, environment)[0]

    def local(shared: dict[str, Shared], each: dict[str, Each], carry: Carry, environment: Environment) -> Carry:
        return run_all(structure, Tiles(shared, each, carry), environment, sum_over_devices)[0]

    return on_all(local, devices, (WHOLE, TILES, TILES, WHOLE), TILES)(*tiles, environment)
