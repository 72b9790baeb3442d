"""What the days that end in an exchange interval change: random failures, then renewal, in the carry and its frames."""

from collections.abc import Mapping

from jax import Array, lax

from twin import servicing
from twin.ageing import condition
from twin.carry import Carry
from twin.energy import Ledger
from twin.failures import fail
from twin.frames import Frames
from twin.outputs import telemetry_of_slow
from twin.prepare import Each, Shared
from twin.servicing import Slots, Span
from twin.state import Slow
from twin.structure import CohortStructure, Structure


def days_ended(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    start_days: Array,
    span_s: Span,
    carried: tuple[Carry, dict[str, Ledger]],
    frames: Mapping[str, Frames],
) -> tuple[tuple[Carry, dict[str, Ledger]], dict[str, Frames]]:
    """Carry, ledgers and frames (tiles, block, tile) after the failures and the renewal of the days of an interval."""
    carry, ledgers = carried
    slow, told, ledgers, seen = {**carry.slow}, {**carry.servicing}, {**ledgers}, {**frames}
    for cohort in structure.cohorts:
        name = cohort.name
        own = shared[name], each[name], start_days, span_s
        if cohort.serviced:
            slots = Slots(slow[name], told[name], ledgers[name])
            ended = servicing.days_ended(structure, cohort, *own, carry.state[name], slots)
            slow[name], told[name], ledgers[name] = ended
            seen[name] = _with_ends(frames[name], _telemetry(cohort, shared[name], slow[name]))
        elif structure.failures == "random":
            slow[name] = fail(*own, slow[name])
            seen[name] = _with_ends(frames[name], {"accelerators_alive": slow[name].accelerators_alive})
    return (carry._replace(slow=slow, servicing=told), ledgers), seen


def _telemetry(cohort: CohortStructure, shared: Shared, slow: Slow) -> dict[str, Array]:
    """What is told of slow variables, tile by tile, leaves (tiles, tile)."""
    return lax.map(lambda tile: telemetry_of_slow(tile, condition(cohort, shared, tile)), slow)


def _with_ends(frames: Frames, ends: Mapping[str, Array]) -> Frames:
    """Frames whose last block ends with other values; a frame of this instant is of the satellite that flies on."""
    last = {name: frames[name].at[:, -1].set(leaf.astype(frames[name].dtype)) for name, leaf in ends.items()}
    return frames | last
