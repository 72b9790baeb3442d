"""Time value of money and learning curves, which all of the economics share."""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Scalar

MONTHS_PER_YEAR = 12
HOURS_PER_YEAR = 8766.0  # of a Julian year


def discount_factor(rate_per_year: Scalar, years: Array) -> Array:
    """What a payment after some years is worth today."""
    return jnp.power(1.0 + rate_per_year, -years)


def capital_recovery_per_year(rate_per_year: Scalar, years: Scalar) -> Array:
    """Part of an investment that is paid each year, at its end, to have paid it off with interest.

    rate / (1 - (1 + rate)^-years), the capital recovery factor; 1 / years without interest.
    """
    rate = jnp.asarray(rate_per_year)
    none = jnp.abs(rate) < 1e-9
    usual = jnp.where(none, 1.0, rate)
    return jnp.where(none, (1.0 + 0.5 * rate * (years + 1.0)) / years, usual / -jnp.expm1(-years * jnp.log1p(usual)))


def present_years(rate_per_year: Scalar, years: Scalar) -> Array:
    """What a dollar a year, paid evenly over so many years, is worth today. [years]

    (1 - (1 + rate)^-years) / ln(1 + rate); the years themselves without interest.
    """
    force = jnp.log1p(jnp.asarray(rate_per_year))
    none = jnp.abs(force) < 1e-9
    usual = jnp.where(none, 1.0, force)
    return jnp.where(none, years * (1.0 - 0.5 * force * years), -jnp.expm1(-usual * years) / usual)


def learned(learning_rate: Scalar, produced_ratio: Array) -> Array:
    """Price over its first price after production has grown by a ratio: it falls by `learning_rate` per doubling.

    ratio^(log2(1 - learning rate)) (Wright, J. Aeronaut. Sci. 3, 1936).
    """
    return jnp.power(produced_ratio, jnp.log2(1.0 - jnp.asarray(learning_rate)))


def mean_after_loss(loss_per_year: Scalar, years: Scalar) -> Array:
    """Mean over the years of what is left at the start of each, when each year takes the same part of it.

    (1 - (1 - loss)^years) / (loss years), the mean of a geometric series; 1 without loss.
    """
    loss = jnp.asarray(loss_per_year)
    none = jnp.abs(loss) < 1e-9
    usual = jnp.where(none, 0.5, loss)
    return jnp.where(none, 1.0 - 0.5 * loss * (years - 1.0), -jnp.expm1(years * jnp.log1p(-usual)) / (usual * years))
