"""Synchronous training: how long a step takes, and what interruptions leave of the time.

Every member works on its part of a batch and waits for the slowest; then all exchange gradients. An interruption of any
member sends all of them back to the last checkpoint.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.constants import DAY_S, YEAR_S
from kernels.quantity import ByteRate, Bytes, Duration, Fraction, LargeCount, RatePerYear, Scalar
from kernels.registry import model, part

FLOP_PER_PARAMETER_AND_TOKEN = 6.0  # forward and backward pass, Kaplan et al., arXiv 2001.08361, 2020
NEWTON_STEPS = 5  # from the start below, 1e-15 for any cost of a checkpoint


class Fabric(NamedTuple):
    """What connects the accelerators of a satellite, and what a message costs wherever it goes."""

    inside_byte_per_s: Array
    message_latency_s: Array


class Job(NamedTuple):
    """A model, how it is trained, and what its checkpoints take."""

    model_parameters: Array
    training_tokens: Array
    batch_tokens: Array
    gradient_per_parameter_byte: Array
    state_per_parameter_byte: Array
    overlap_fraction: Array
    checkpoint_byte_per_s: Array
    restart_s: Array
    checkpoint_interval_s: Array  # of work between two checkpoints; 0 for the best one


@model("workload")
def training(nominal_flops: Array, traced_flops: Array, phase_rad: Array | None, *, utilization: Fraction) -> Array:
    """A training job asks at all times for a fraction of what the fleet can do when new, cool and powered. [flop/s]"""
    del traced_flops, phase_rad
    return nominal_flops * utilization


@part("workload", of="training")
def job(
    *,
    model_parameters: LargeCount,
    training_tokens: LargeCount,
    batch_tokens: LargeCount,
    gradient_per_parameter_byte: Bytes,
    state_per_parameter_byte: Bytes,
    overlap_fraction: Fraction,
    checkpoint_byte_per_s: ByteRate,
    restart_s: Duration,
    checkpoint_interval_s: Duration,
) -> Job:
    """A training job.

    `overlap_fraction` is the part of the computation of a step behind which the exchange of gradients can hide;
    `checkpoint_byte_per_s` what each accelerator writes of its share of the state; `restart_s` the time from an
    interruption until training goes on from its last checkpoint, detection and loading included. Between two
    checkpoints lie `checkpoint_interval_s` of work, or where that is 0 what `best_interval_s` says.
    """
    counts = (model_parameters, training_tokens, batch_tokens)
    sizes = (gradient_per_parameter_byte, state_per_parameter_byte)
    rest = (overlap_fraction, checkpoint_byte_per_s, restart_s, checkpoint_interval_s)
    return Job(*map(jnp.asarray, (*counts, *sizes, *rest)))


@part("workload", of="training")
def fabric(*, inside_byte_per_s: ByteRate, message_latency_s: Duration) -> Fabric:
    """Rate each way of an accelerator to the others of its satellite; latency of any message, but for light's."""
    return Fabric(jnp.asarray(inside_byte_per_s), jnp.asarray(message_latency_s))


@part("workload", of="training")
def other_interruptions_per_s(*, other_interruption_rate_per_year: RatePerYear) -> Array:
    """Rate at which hosts, network or software stop a job, for each of its accelerators. [1/s]"""
    return jnp.asarray(other_interruption_rate_per_year / YEAR_S)


def step_flop(job: Job) -> Array:
    """Work of one step: 6 operations per parameter and token of the batch, attention and recomputation left out."""
    return FLOP_PER_PARAMETER_AND_TOKEN * job.model_parameters * job.batch_tokens


def training_flop(job: Job) -> Array:
    """Work of the whole training, 6 N D (Kaplan et al. 2020; Hoffmann et al., arXiv 2203.15556, 2022)."""
    return FLOP_PER_PARAMETER_AND_TOKEN * job.model_parameters * job.training_tokens


def gradient_byte(job: Job) -> Array:
    """Gradients that every step adds up over all members. [byte]"""
    return job.model_parameters * job.gradient_per_parameter_byte


def checkpoint_s(job: Job, accelerators: Scalar) -> Array:
    """Time for which training stands still while all accelerators write their shares of the state. [s]"""
    return job.model_parameters * job.state_per_parameter_byte / (job.checkpoint_byte_per_s * accelerators)


def compute_s(work_flop: Array, members: Scalar, slowest_flops: Array) -> Array:
    """Time to work through a step in equal parts: all wait for the slowest member. [s]"""
    return work_flop / (members * slowest_flops)


def step_s(compute_s: Array, exchange_s: Array, overlap_fraction: Scalar) -> Array:
    """Length of a step: its computation, and what of the exchange of gradients does not hide behind it. [s]"""
    return compute_s + jnp.maximum(exchange_s - overlap_fraction * compute_s, 0.0)


def exchanged_flops(in_step_flops: Array, work_flop: Array, exchange_s: Array, overlap_fraction: Scalar) -> Array:
    """What the exchange of gradients leaves of the rate of members in step: work over `step_s`, and 0 of none."""
    exposed = jnp.maximum(exchange_s * in_step_flops / work_flop - overlap_fraction, 0.0)
    return in_step_flops / (1.0 + exposed)


def model_flop_utilization(work_flop: Array, step_s: Array, peak_flops: Array) -> Array:
    """Work of a step over what all members at their peak would do meanwhile (Chowdhery et al., PaLM, 2022)."""
    return work_flop / (step_s * peak_flops)


def training_days(job: Job, step_s: Array, useful_fraction: Array) -> Array:
    """Days to train on all tokens. [d]"""
    return job.training_tokens / job.batch_tokens * step_s / useful_fraction / DAY_S


def useful_fraction(rate_per_s: Array, interval_s: Array, checkpoint_s: Array, restart_s: Scalar) -> Array:
    """Part of the time that ends up in the model, for interruptions at a constant rate r, whenever they strike.

    After each interval t of work a checkpoint takes d; after an interruption, R passes until work goes on:

        t r exp(-r R) / (exp(r (t + d)) - 1)

    the inverse of the expected time per work in Daly's complete model, Future Gener. Comput. Syst. 22, 2006, 303. Exact
    for any ratio of t, d and R to 1/r; interruptions strike during checkpoints and restarts, too.
    """
    span = rate_per_s * (interval_s + checkpoint_s)
    some = jnp.maximum(span, 1e-12)
    unbroken = jnp.where(span > 1e-12, some / jnp.expm1(some), 1.0 - 0.5 * span)
    return interval_s / (interval_s + checkpoint_s) * unbroken * jnp.exp(-rate_per_s * restart_s)


def interval_s(job: Job, rate_per_s: Array, checkpoint_s: Array) -> Array:
    """Work between two checkpoints: what the job says, or the best. [s]"""
    chosen = job.checkpoint_interval_s
    return jnp.where(chosen > 0.0, chosen, best_interval_s(rate_per_s, checkpoint_s))


def best_interval_s(rate_per_s: Array, checkpoint_s: Array) -> Array:
    """Work between two checkpoints that leaves the largest useful fraction. [s]

    With c = r d and u = 1 - r t the slope of `useful_fraction` is zero where log u - u + 1 + c = 0, so that
    u = -W(-exp(-1 - c)) with Lambert's W; found by Newton's method. For small c it is the sqrt(2 d / r) of Young,
    Commun. ACM 17, 1974, 530; the higher-order estimate of Daly 2006 lies within 2 % of it up to c = 1.
    """
    rate = jnp.maximum(rate_per_s, 1e-30)
    cost = jnp.maximum(rate * checkpoint_s, 1e-30)
    log_u = -cost - jnp.sqrt(2.0 * cost)
    for _ in range(NEWTON_STEPS):
        log_u = log_u + (log_u - jnp.expm1(log_u) + cost) / jnp.expm1(log_u)
    return -jnp.expm1(log_u) / rate
