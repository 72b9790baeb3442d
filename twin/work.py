"""The accounts of a satellite's work, its ability and its results, float64: nothing is lost or invented.

Work that arrives is done, waits, or is given up. What accelerators are able to do is used, lost, or not asked for. The
results of what is done are sent down, wait, or are lost.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from kernels import workload
from kernels.quantity import Scalar
from twin.exchange import Inputs
from twin.links import Contact
from twin.prepare import Shared
from twin.state import Work
from twin.variables import RESULTS


def accounted(
    shared: Shared,
    inputs: Inputs,
    there: Contact | None,
    work: Work,
    alive: Array,
    used: Mapping[str, Array],
    length_s: Scalar,
) -> tuple[Work, dict[str, Array]]:
    """What waits after a block of `length_s`, and the accounts' mean rates.

    `alive` is how many accelerators work, `used` the mean rates that steps tell (`variables.USED`). Where results have
    no way down, none are counted.
    """
    done_flops = used["compute_rate_flops"]
    work, rates = after_block(shared, inputs, work, alive, done_flops, length_s)
    rates |= unused(inputs.able_flops, used)
    if there is None:
        return work, rates | dict.fromkeys(RESULTS, jnp.zeros_like(done_flops))
    work, results = sent_down(shared, there, work, done_flops, length_s)
    return work, rates | results


def after_block(
    shared: Shared, inputs: Inputs, work: Work, alive: Array, done_flops: Array, length_s: Scalar
) -> tuple[Work, dict[str, Array]]:
    """What waits after a block of `length_s` in which `done_flops` were done on average, and the account's mean rates.

    Assigned = done + dropped + waited, what has joined those that wait. [flop/s]
    """
    arrived_flop, done_flop = inputs.assigned_flops * length_s, done_flops * length_s
    rules = shared.waiting_rules
    longest_flop = workload.longest_flop(rules, shared.nominal_flops * alive)
    queue = workload.queued(work.backlog_flop, arrived_flop, done_flop, rules, longest_flop)
    rates = {
        "able_flops": inputs.able_flops,
        "assigned_flops": inputs.assigned_flops,
        "dropped_flops": queue.dropped_flop / length_s,
        "waited_flops": (queue.backlog_flop - work.backlog_flop) / length_s,
    }
    return work._replace(backlog_flop=queue.backlog_flop), rates


def unused(able_flops: Array, used: Mapping[str, Array]) -> dict[str, Array]:
    """What accelerators are able to do and nothing asks for, or what they do beyond that, mean rates. [flop/s]

    Able + surplus = unasked + `used`: delivered, and lost to heat, lack of power and upsets.
    """
    rest = able_flops - sum(used.values(), jnp.zeros(()))
    return {"unasked_flops": jnp.maximum(rest, 0.0), "surplus_flops": jnp.maximum(-rest, 0.0)}


def sent_down(
    shared: Shared, there: Contact, work: Work, done_flops: Array, length_s: Scalar
) -> tuple[Work, dict[str, Array]]:
    """What results wait after a block, and mean rates: produced = sent + lost + waited. [bit/s]

    What the store on board has no room for is lost.
    """
    produced_bit = done_flops * length_s * shared.product_bit_per_flop
    there_bit, able_bit = work.data_backlog_bit + produced_bit, there.bit_per_s.astype(jnp.float64) * length_s
    sent_bit = jnp.minimum(there_bit, able_bit)
    left_bit = there_bit - sent_bit
    waits_bit = jnp.minimum(left_bit, shared.data_store_bit)
    rates = {
        "produced_bit_per_s": produced_bit / length_s,
        "downlink_bit_per_s": sent_bit / length_s,
        "data_lost_bit_per_s": (left_bit - waits_bit) / length_s,
        "data_waited_bit_per_s": (waits_bit - work.data_backlog_bit) / length_s,
        "downlink_able_bit_per_s": able_bit / length_s,
        "in_view": there.seen_fraction.astype(jnp.float64),
        "contact_fraction": there.contact_fraction.astype(jnp.float64),
        "ground_delay_s": there.delay_s.astype(jnp.float64),
        "late_bit": sent_bit / length_s * there.delay_s,
    }
    return work._replace(data_backlog_bit=waits_bit), rates
