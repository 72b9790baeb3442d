"""What passes from chunk to chunk, and what the end of a chunk adds to it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jax import Array, lax

from twin import energy, variables
from twin.energy import Ledger
from twin.prepare import Shared
from twin.settling import Settling, moved_on
from twin.state import Servicing, Slow, State, Work
from twin.structure import CohortStructure, Structure
from twin.totals import Totals


class Carry(NamedTuple):
    """What passes from chunk to chunk, per cohort; leaves (tiles, tile)."""

    state: dict[str, State]
    slow: dict[str, Slow]
    work: dict[str, Work]
    totals: dict[str, Totals]
    settling: dict[str, Settling]
    servicing: dict[str, Servicing]  # of the cohorts that are serviced


def closed(
    structure: Structure,
    shared: Mapping[str, Shared],
    weight: Array,
    carries: tuple[Carry, Carry],
    ledgers: Mapping[str, Ledger],
) -> Carry:
    """The carry at the end of a chunk: stored energy in the totals, or satellites moved on as they settle."""
    first, last = carries
    totals, states, known = {}, {}, {}
    for cohort in structure.cohorts:
        name, own = cohort.name, shared[cohort.name]

        def of_tile(tile: tuple[Any, ...], cohort: CohortStructure = cohort, own: Shared = own) -> tuple[Any, ...]:
            first, last, slow, before, ledger = tile
            gained_j = energy.closed_j(cohort, own, ledger, last, slow)
            return gained_j, *moved_on(cohort, own, weight, (first, last), before)

        ledger = ledgers.get(name) or energy.opened(first.state[name], first.slow[name])
        place = first.state[name], last.state[name], last.slow[name], first.settling[name], ledger
        gained, states[name], known[name] = lax.map(of_tile, place)
        added = zip(variables.STORED, gained, strict=True)
        totals[name] = last.totals[name] | {key: last.totals[name][key] + weight * gain_j for key, gain_j in added}
    return last._replace(state=states, totals=totals, settling=known)
