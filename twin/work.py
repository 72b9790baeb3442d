"""The account of a satellite's work, float64: what arrives is done, waits, or is given up, and nothing is lost."""

import jax.numpy as jnp
from jax import Array

from kernels import workload
from kernels.quantity import Scalar
from twin.exchange import Inputs
from twin.prepare import Shared
from twin.state import Work


def after_block(
    shared: Shared, inputs: Inputs, work: Work, done_flops: Array, length_s: Scalar
) -> tuple[Work, dict[str, Array]]:
    """What waits after a block of `length_s` in which `done_flops` were done on average, and the account's mean rates.

    Assigned = done + dropped + waited, what has joined those that wait. [flop/s]
    """
    arrived_flop, done_flop = inputs.assigned_flops * length_s, done_flops.astype(jnp.float64) * length_s
    longest_flop = inputs.able_flops * shared.queue.patience_s
    queue = workload.queued(work.backlog_flop, arrived_flop, done_flop, shared.queue, longest_flop)
    rates = {
        "assigned_flops": inputs.assigned_flops,
        "dropped_flops": queue.dropped_flop / length_s,
        "waited_flops": (queue.backlog_flop - work.backlog_flop) / length_s,
    }
    return work._replace(backlog_flop=queue.backlog_flop), rates
