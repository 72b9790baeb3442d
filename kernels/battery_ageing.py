"""Fade of a battery by cycles and by the calendar: continuous in time, elementwise, and exact for whole cycles.

Cycles. A cell that lasts N(D) = A / D^k cycles of depth D to 80 % of its capacity loses 0.2 D^k / A in each. The law
charges that loss while the cell discharges, at the depth d below the charge from which the discharge began:
dloss = 0.2 (k / A) d^(k - 1) dd, which adds up to the published loss whatever the step and wherever a cycle ends.
Calendar. The square of the loss grows steadily under constant conditions, loss = sqrt(k t): the square is the state,
so that no step or block length enters (sum of squares under changing conditions: time spent at equal damage).
Sources: linear cycle loss, square root of time: Wang et al., J. Power Sources 269 (2014) 937.
"""

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import (
    ActivationTemperature,
    Efficiency,
    Fraction,
    Hours,
    PositiveCount,
    PositiveRatio,
    Ratio,
    Scalar,
)
from kernels.registry import part

REFERENCE_K = const.ROOM_TEMPERATURE_K  # of cycle life and calendar loss
END_OF_LIFE_LOSS = 0.2  # the loss at which a cell's cycle life is counted
CYCLE_TEST_RATE_PER_H = 0.5  # cycle lives are published at about C/2


def cycle_top(top: Array, before: Array, after: Array) -> Array:
    """Charge from which the depth of a discharge counts, after a step from charge `before` to `after`.

    It falls by what is charged until the charge meets it: a recharge of half of the depth starts a new cycle, a short
    one within a deep discharge hardly shortens it. (An exact rainflow count would need a stack of turning points.)
    """
    return jnp.maximum(after, top - jnp.maximum(after - before, 0.0))


@part("battery")
def cycle_loss_rate_per_s(
    top: Array,
    before: Array,
    after: Array,
    temperature_k: Array,
    step_s: Scalar,
    *,
    cycles_at_full_depth: PositiveCount,
    depth_exponent: PositiveRatio,
    cycle_activation_temperature_k: ActivationTemperature,
    cold_cycle_activation_temperature_k: ActivationTemperature,
    rate_stress_h: Hours,
) -> Array:
    """Capacity lost per second to a step that discharges from `before` to `after`, over that at beginning of life.

    Wear is least at 25 C: above it side reactions speed up, below it plating does (Waldmann et al., J. Power Sources
    262 (2014) 129); it rises linearly with the discharge rate from the C/2 of cycle tests.
    """
    fall = jnp.maximum(before - after, 0.0)
    depth = jnp.maximum(top - 0.5 * (before + after), 1e-6)
    warmth = 1.0 / REFERENCE_K - 1.0 / temperature_k
    stress = jnp.maximum(cycle_activation_temperature_k * warmth, -cold_cycle_activation_temperature_k * warmth)
    hurry = jnp.maximum(1.0 + rate_stress_h * (fall * (const.HOUR_S / step_s) - CYCLE_TEST_RATE_PER_H), 0.0)
    per_depth = jnp.exp((depth_exponent - 1.0) * jnp.log(depth) + stress)
    return END_OF_LIFE_LOSS * (depth_exponent / cycles_at_full_depth / step_s) * hurry * per_depth * fall


@part("battery")
def calendar_square_rate_per_s(
    state_of_charge: Array,
    temperature_k: Array,
    *,
    first_year_calendar_loss: Fraction,
    calendar_activation_temperature_k: ActivationTemperature,
    calendar_charge_slope: Ratio,
) -> Array:
    """Growth per second of the square of the calendar loss.

    `first_year_calendar_loss` is the loss of a year at 25 C and half charge; it changes with the charge by
    `calendar_charge_slope` between empty and full, relative to half charge.
    """
    of_charge = jnp.maximum(1.0 + calendar_charge_slope * (state_of_charge - 0.5), 0.0)
    loss = (
        first_year_calendar_loss
        * of_charge
        * sm.arrhenius(temperature_k, calendar_activation_temperature_k, REFERENCE_K)
    )
    return loss * loss / const.YEAR_S


@part("battery")
def health(cycle_loss: Array, calendar_square: Array, *, resistance_growth_per_loss: Ratio) -> tuple[Array, Array]:
    """Capacity and resistance over those at beginning of life; resistance rises with the capacity lost."""
    left = jnp.maximum(1.0 - cycle_loss - sm.sqrt(calendar_square, 1e-16), 0.01)
    return left, 1.0 + resistance_growth_per_loss * (1.0 - left)


def renewed(cycle_loss: Array, calendar_square: Array, fraction: Scalar) -> tuple[Array, Array]:
    """Cycle loss and square of calendar loss after a fraction of the modules was swapped for new ones.

    The loss is the mean of old and new modules; that new ones lose more to their first years is left out.
    """
    kept = 1.0 - fraction
    return kept * cycle_loss, kept * kept * calendar_square


@part("battery")
def first_losses(*, initial_health: Efficiency) -> tuple[Array, Array]:
    """Cycle loss and square of calendar loss at the start of a run; what was lost before counts as calendar loss."""
    lost = 1.0 - jnp.asarray(initial_health)
    return jnp.zeros_like(lost), lost * lost
