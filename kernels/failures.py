"""What fails: upsets that radiation causes and that pass, and accelerators that die with age."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels import safe_math as sm
from kernels.constants import YEAR_S
from kernels.quantity import (
    Age,
    Dose,
    Duration,
    PositiveCount,
    PositiveRatio,
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


@part("reliability")
def cumulative_hazard(
    age_years: Array,
    base_rate_per_year: Scalar,
    *,
    burn_in_ratio: PositiveRatio,
    burn_in_years: Years,
    wear_out_shape: WearOutShape,
    wear_out_scale_years: Years,
) -> Array:
    """Expected failures of an accelerator up to an age: burn-in, a constant rate and Weibull wear-out.

    The rate starts at `burn_in_ratio` times the base rate and falls to it with `burn_in_years`; wear-out adds
    (age / scale)^shape (Weibull, J. Appl. Mech. 18, 1951). Survival is exp(-hazard).
    """
    early = (burn_in_ratio - 1.0) * burn_in_years * -jnp.expm1(-age_years / burn_in_years)
    return base_rate_per_year * (age_years + early) + sm.power(age_years / wear_out_scale_years, wear_out_shape)


def hazard_per_year(age_years: Array, base_rate_per_year: Scalar, profile: Mapping[str, Array]) -> Array:
    """Rate at which an accelerator of an age fails: the slope of its cumulative hazard."""

    def so_far(age: Array) -> Array:
        return registry.call(cumulative_hazard, profile, age, base_rate_per_year)

    return jax.jvp(so_far, (age_years,), (jnp.ones_like(age_years),))[1]


@part("reliability")
def lifetime(*, age_years: Age, dose_limit_gy: Dose) -> tuple[Array, Array]:
    """Age at the start of the run [s], and the dose up to which accelerators are known to work as specified [Gy]."""
    return jnp.asarray(age_years) * YEAR_S, jnp.asarray(dose_limit_gy)
