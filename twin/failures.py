"""Random failures on a calendar: one draw per satellite, kind and simulated day, whatever the schedule and the devices.

A satellite's stream of random numbers belongs to the seed and to its place in the run; the day since the start of the
run and the kind are folded into it. A day's chances are computed from the day's number and the orbit's mean dose,
never from sums of steps, so that they are the same bits in every tiling. The failures of a day take effect at the first
exchange boundary at or after its end; those of a last, unfinished day are not drawn.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from kernels import failures, radiation, registry
from kernels.constants import DAY_S, YEAR_S
from kernels.quantity import Scalar
from kernels.solar_cycle import solar_cycle_activity
from twin.prepare import Each, Shared
from twin.state import Slow

MODES = ("accelerators", *failures.UPSETS)
ROUNDING_S = 1e-4  # clocks are whole milliseconds, kept in float64


def fail(shared: Shared, each: Each, start_days: Array, span_s: tuple[Array, Array], slow: Slow) -> Slow:
    """Slow variables after the failures of all calendar days that ended in (from, to], leaves (tiles, tile)."""
    launched_s = -registry.call(failures.first_age_s, shared.profiles["reliability"])
    return lax.fori_loop(*days(*span_s), partial(fail_on, shared, each, start_days, launched_s), slow)


def days(from_s: Array, to_s: Array) -> tuple[Array, Array]:
    """First of the calendar days that end in (from_s, to_s] and the one after the last, counted from the start."""
    first, last = (jnp.floor((time_s + ROUNDING_S) / DAY_S).astype(jnp.int32) for time_s in (from_s, to_s))
    return first, last


def fail_on(shared: Shared, each: Each, start_days: Array, launched_s: Array, day: Array, slow: Slow) -> Slow:
    """Binomial deaths and Poisson upsets of one day; those that die are exposed for half of it.

    `launched_s` is the mean launch of the accelerators on board since the start of the run, () or (tiles, tile).
    """
    alive = slow.accelerators_alive
    profile = shared.profiles["reliability"]
    law = registry.call(failures.hazard, profile, registry.call(failures.base_rate, shared.profiles["accelerator"]))
    ages = [((day + k) * DAY_S - launched_s) / YEAR_S for k in (0, 1)]
    before, after = (failures.cumulative_hazard(law, age) for age in ages)
    chance = jnp.broadcast_to(-jnp.expm1(before - after), alive.shape)
    dead = jnp.minimum(_each(jax.random.binomial, _keys(each, day, "accelerators"), alive, chance), alive)
    activity = solar_cycle_activity(start_days + day + 0.5)
    exposed_gy = (alive - 0.5 * dead) * sum(radiation.dose_rate(each.field, activity)) * DAY_S
    upsets = {
        name: getattr(slow, name) + _each(jax.random.poisson, _keys(each, day, name), exposed_gy * per_gy)
        for name, per_gy in shared.upsets.per_gy.items()
    }
    return slow._replace(accelerators_alive=alive - dead, **upsets)


def _keys(each: Each, day: Scalar, mode: str) -> Array:
    """Key of every satellite for a day and a kind of failure."""
    number = day * len(MODES) + MODES.index(mode)
    return jax.vmap(jax.vmap(jax.random.fold_in, (0, None)), (0, None))(each.random_key, number)


def _each(draw: Callable[..., Array], keys: Array, *numbers: Array) -> Array:
    """A draw per satellite, float64."""
    return jax.vmap(jax.vmap(draw))(keys, *numbers).astype(jnp.float64)
