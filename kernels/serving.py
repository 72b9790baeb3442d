"""Language models that are served on accelerators: slots for requests, and how long a request holds one.

A replica of the model runs as many requests at once as it has slots. Each takes part in every step of decoding, which
takes longer the more slots are busy, and stands still while the prompts of others are read.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import (
    BitPerFlop,
    BitPerToken,
    FlopPerToken,
    Flops,
    PositiveCount,
    Scalar,
    TimeConstant,
)
from kernels.registry import part


class Service(NamedTuple):
    """What requests meet at full clock; times in seconds, `full_service_s` with every slot busy."""

    slots_per_accelerator: Array
    prefill_s: Array
    output_token_s: Array
    service_s: Array
    full_service_s: Array


class Lengths(NamedTuple):
    """Mean tokens of the requests of a trace."""

    prompt_tokens: Array
    output_tokens: Array


class Targets(NamedTuple):
    """Times that a request is to keep: to its first token, and from each token to the next. [s]"""

    first_token_s: Array
    output_token_s: Array


@part("workload", of="trace")
@part("workload", of="daily")
def targets(*, first_token_target_s: TimeConstant, output_token_target_s: TimeConstant) -> Targets:
    """What users are promised; the time per output token is the mean over a request."""
    return Targets(jnp.asarray(first_token_target_s), jnp.asarray(output_token_target_s))


def full_seconds_per_token(
    *,
    work_flop_per_token: FlopPerToken,
    prefill_flops: Flops,
    accelerators_per_replica: PositiveCount,
    slots_per_replica: PositiveCount,
    time_per_output_token_s: TimeConstant,
) -> tuple[Array, Array]:
    """Time in service per token of the prompt and of the output, every slot being busy. [s, s]

    While a request is served each of the other slots begins anew once, and its prompt is read.
    """
    prefill_s = work_flop_per_token / (accelerators_per_replica * prefill_flops)
    return jnp.asarray(slots_per_replica * prefill_s), jnp.asarray(time_per_output_token_s)


@part("workload", of="trace")
@part("workload", of="daily")
def service(
    load: Array,
    prompt_tokens: Array,
    output_tokens: Array,
    *,
    work_flop_per_token: FlopPerToken,
    prefill_flops: Flops,
    accelerators_per_replica: PositiveCount,
    slots_per_replica: PositiveCount,
    time_per_output_token_s: TimeConstant,
    least_time_per_output_token_s: TimeConstant,
) -> Service:
    """Service of requests with such mean numbers of tokens, arrays of one shape.

    `load` is the work that arrives over what can be done. The time in service grows linearly with the slots in use,
    which are as many as arrive in that time (Little 1961): fewer than in proportion to the load. A step of decoding
    takes `least_time_per_output_token_s` in an empty replica and `time_per_output_token_s` in a full one.
    """
    prompt_s = work_flop_per_token / (accelerators_per_replica * prefill_flops)
    prefill_s = prompt_tokens * prompt_s
    alone_s = prefill_s + output_tokens * least_time_per_output_token_s
    crowded_s = prefill_s * (slots_per_replica - 1.0)
    crowded_s = crowded_s + output_tokens * (time_per_output_token_s - least_time_per_output_token_s)
    some = jnp.clip(load, 0.0, 1.0)
    busy = some * alone_s / jnp.maximum(alone_s + crowded_s * (1.0 - some), 1e-12)
    service_s = alone_s + crowded_s * busy
    token_s = (service_s - prefill_s) / jnp.maximum(output_tokens, 1e-12)
    slots = jnp.asarray(slots_per_replica / accelerators_per_replica)
    return Service(slots, prefill_s, token_s, service_s, alone_s + crowded_s)


def full_rate_flops(served: Service, work_flop: Array) -> Array:
    """Work rate of an accelerator whose slots are all busy with requests of so much work each. [flop/s]"""
    return served.slots_per_accelerator / served.full_service_s * work_flop


@part("workload")
def product_bit(
    done_flop: Array,
    output_tokens: Scalar,
    *,
    output_bit_per_flop: BitPerFlop = 0.0,
    output_bit_per_token: BitPerToken = 0.0,
) -> Array:
    """What work leaves to be sent: by work done, and by tokens put out. [bit]"""
    return jnp.asarray(done_flop * output_bit_per_flop + output_tokens * output_bit_per_token)
