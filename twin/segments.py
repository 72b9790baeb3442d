"""A stretch of time cut into exchange intervals, save blocks and steps, all in whole numbers."""

from dataclasses import dataclass
from typing import Any

import jax


@dataclass(frozen=True)
class Segment:
    """A run of equal exchange intervals: how many, save blocks in each, steps in each block."""

    exchanges: int
    blocks: int
    steps: int

    @property
    def total_steps(self) -> int:
        """Steps of the whole segment."""
        return self.exchanges * self.blocks * self.steps

    def length_s(self, step_s: Any) -> Any:
        """Length of an exchange interval. [s]"""
        return self.blocks * self.steps * step_s


jax.tree_util.register_static(Segment)


def segments(total_steps: int, save_steps: int, exchange_steps: int) -> list[Segment]:
    """Cut a stretch of time into equal exchange intervals and, if need be, a shorter last one.

    One of save and exchange interval divides the other; a block is the shorter of the two, and the stretch is whole
    in blocks.
    """
    block = min(save_steps, exchange_steps)
    whole, rest = divmod(total_steps, exchange_steps)
    pieces = []
    if whole:
        pieces.append(Segment(whole, exchange_steps // block, block))
    if rest:
        pieces.append(Segment(1, rest // block, block))
    return pieces
