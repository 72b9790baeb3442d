"""What fails: upsets that radiation causes and that pass, and accelerators that die with age."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.constants import YEAR_S
from kernels.quantity import (
    Age,
    Dose,
    Duration,
    PositiveCount,
    PositiveRatio,
    RatePerYear,
    Scalar,
    WearOutShape,
    Years,
)
from kernels.registry import part

UPSETS = ("silent_corruptions", "memory_errors", "hangs", "crashes")


class Upsets(NamedTuple):
    """What a gray in silicon does to an accelerator."""

    per_gy: dict[str, Array]  # events, by the names of `UPSETS`
    stopped_s_per_gy: Array  # time for which its work stops


@part("reliability")
def upsets(
    *,
    silent_corruption_dose_gy: Dose,
    memory_error_dose_gy: Dose,
    hang_dose_gy: Dose,
    crash_dose_gy: Dose,
    silent_corruption_recovery_s: Duration,
    memory_error_recovery_s: Duration,
    hang_recovery_s: Duration,
    crash_recovery_s: Duration,
    accelerators_per_host: PositiveCount,
    accelerators_per_job: PositiveCount,
) -> Upsets:
    """Upsets from the mean dose between two events of a kind, and the work that they stop.

    Silent corruption of a result, uncorrectable memory error and hang befall an accelerator and stop its job; a crash
    befalls a host and stops all its accelerators, or the job where that is larger. The kinds are those of the proton
    test of the TPU v6e (Aguera y Arcas et al., Project Suncatcher, arXiv 2511.19468, 2025).
    """
    job, host = jnp.asarray(accelerators_per_job), jnp.asarray(accelerators_per_host)
    doses = (silent_corruption_dose_gy, memory_error_dose_gy, hang_dose_gy, crash_dose_gy * host)
    recovery = (silent_corruption_recovery_s, memory_error_recovery_s, hang_recovery_s, crash_recovery_s)
    stopped = (job, job, job, jnp.maximum(job, host))
    events = [1.0 / jnp.asarray(dose) for dose in doses]
    lost = [each * s * many for each, s, many in zip(events, recovery, stopped, strict=True)]
    return Upsets(dict(zip(UPSETS, events, strict=True)), sum(lost[1:], lost[0]))


def stopped_fraction(stopped_s_per_gy: Scalar, dose_rate_gy_per_s: Array) -> Array:
    """Part of the time in which upsets keep an accelerator from work: down time over up and down time together.

    The unavailability of an alternating renewal process (Barlow and Proschan, Statistical Theory of Reliability, 1975).
    """
    down = stopped_s_per_gy * dose_rate_gy_per_s
    return down / (1.0 + down)


class Hazard(NamedTuple):
    """How the failure rate of an accelerator follows its age: burn-in, a constant rate and Weibull wear-out."""

    base_rate_per_year: Array
    burn_in_ratio: Array
    burn_in_years: Array
    wear_out_shape: Array
    wear_out_scale_years: Array


@part("accelerator")
def base_rate(*, failure_rate_per_year: RatePerYear) -> Array:
    """Failure rate of an accelerator between burn-in and wear-out. [1/year]"""
    return jnp.asarray(failure_rate_per_year)


@part("reliability")
def hazard(
    base_rate_per_year: Scalar,
    *,
    burn_in_ratio: PositiveRatio,
    burn_in_years: Years,
    wear_out_shape: WearOutShape,
    wear_out_scale_years: Years,
) -> Hazard:
    """Burn-in starts at `burn_in_ratio` times the base rate and falls to it with `burn_in_years`; wear-out is added.

    The base rate is per year.
    """
    numbers = (base_rate_per_year, burn_in_ratio, burn_in_years, wear_out_shape, wear_out_scale_years)
    return Hazard(*map(jnp.asarray, numbers))


def cumulative_hazard(hazard: Hazard, age_years: Array) -> Array:
    """Expected failures of an accelerator up to an age; it survives with a probability of exp(-hazard).

    Wear-out adds (age / scale)^shape (Weibull, J. Appl. Mech. 18, 1951).
    """
    base, ratio, burn_in_years, shape, scale_years = hazard
    early = (ratio - 1.0) * burn_in_years * -jnp.expm1(-age_years / burn_in_years)
    return base * (age_years + early) + sm.power(age_years / scale_years, shape)


def hazard_per_year(hazard: Hazard, age_years: Array) -> Array:
    """Rate at which an accelerator of an age fails: the slope of its cumulative hazard."""
    base, ratio, burn_in_years, shape, scale_years = hazard
    early = 1.0 + (ratio - 1.0) * jnp.exp(-age_years / burn_in_years)
    return base * early + shape / scale_years * sm.power(age_years / scale_years, shape - 1.0)


@part("reliability")
def first_age_s(*, age_years: Age) -> Array:
    """Age at the start of the run. [s]"""
    return jnp.asarray(age_years) * YEAR_S


@part("reliability")
def dose_limit(*, dose_limit_gy: Dose) -> Array:
    """Dose up to which accelerators are known to work as specified. [Gy]"""
    return jnp.asarray(dose_limit_gy)
