"""Which schedule runs the steps of a block on this machine, when the configuration leaves it open."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from twin import processes
from twin.rollout import Carry
from twin.state import State

# Of its largest value, by how much a leaf of the state may differ after a chunk; round-off stays far below.
AGREEMENT = 1e-3


def choose(first_chunk: Callable[[str], Carry]) -> tuple[str, str]:
    """The faster of "scan" and "kernel", and a remark that says why; the scan unless the kernel runs and agrees.

    `first_chunk` runs the first chunk of the run with the schedule named and returns its end; each runs twice, and the
    second time counts. All processes take what the first one found.
    """
    name, remark = processes.of_first(_faster(first_chunk))
    return name, remark


def _faster(first_chunk: Callable[[str], Carry]) -> tuple[str, str]:
    scan_s, expected = _timed(first_chunk, "scan")
    kernel_s, found, reason = 0.0, expected, ""
    try:
        kernel_s, found = _timed(first_chunk, "kernel")
    except Exception as error:  # of any kind: compilers raise what they like
        reason = (str(error) or type(error).__name__).splitlines()[0]
    reasons = [told for told in processes.of_all(reason) if told]
    if reasons:
        return "scan", f"Steps run as a scan: the kernel does not run here ({reasons[0]})"
    if not all(_agree(found.state[name], state) for name, state in expected.state.items()):
        return "scan", "Steps run as a scan: the kernel does not give the same numbers here"
    name, ratio = ("kernel", scan_s / kernel_s) if kernel_s < scan_s else ("scan", kernel_s / scan_s)
    return name, f"Steps run as a {name}, {ratio:.2g} times as fast here as the other schedule"


def _timed(first_chunk: Callable[[str], Carry], schedule: str) -> tuple[float, Carry]:
    jax.block_until_ready(first_chunk(schedule))
    began_s = time.perf_counter()
    after = jax.block_until_ready(first_chunk(schedule))
    return time.perf_counter() - began_s, after


def _agree(found: State, expected: State) -> bool:
    """Whether temperatures and charge are the same but for round-off; the backlog may be a small difference."""

    def close(ours: jax.Array, theirs: jax.Array) -> bool:
        return bool(jnp.all(jnp.abs(ours - theirs) <= AGREEMENT * jnp.max(jnp.abs(theirs))))

    told = [(state.temperature_k, state.state_of_charge) for state in (found, expected)]
    return all(jax.tree.leaves(jax.tree.map(close, *told)))
