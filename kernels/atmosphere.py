"""The thermosphere: its density by altitude and solar activity, and the activity itself."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import ApIndex, SolarFlux
from kernels.registry import model


class Activity(NamedTuple):
    """What drives the density at an instant: 81-day mean of F10.7 and geomagnetic Ap; both ()."""

    f107_sfu: Array
    ap: Array


class Record(NamedTuple):
    """Activity as measured and predicted, on its own grid; each leaf (knot,)."""

    days: Array  # since J2000.0, UT
    f107_sfu: Array
    ap: Array


class Table(NamedTuple):
    """Logarithm of the mean density [kg/m3], (ap, f107, altitude), and its knots."""

    ap: Array
    f107_sfu: Array
    altitude_m: Array
    log_density: Array


@model("atmosphere")
def recorded(days: Array, record: Record) -> Activity:
    """Activity of a date from the record, linear between its knots and constant beyond its ends."""
    return Activity(jnp.interp(days, record.days, record.f107_sfu), jnp.interp(days, record.days, record.ap))


@model("atmosphere")
def constant(days: Array, record: Record, *, f107_sfu: SolarFlux, ap: ApIndex) -> Activity:
    """The same activity at all times."""
    del days, record
    return Activity(jnp.asarray(f107_sfu), jnp.asarray(ap))


def _between(x: Array, knots: Array) -> tuple[Array, Array]:
    """Knot below x and the way to the next one, beyond [0, 1] outside the table: end intervals are extrapolated."""
    lower = jnp.clip(jnp.searchsorted(knots, x, side="right") - 1, 0, knots.shape[0] - 2)
    return lower, (x - knots[lower]) / (knots[lower + 1] - knots[lower])


def log_profile(table: Table, activity: Activity) -> Array:
    """Logarithm of the density at the table's altitudes for an activity, bilinear. (altitude,)"""
    p, ahead_p = _between(activity.ap, table.ap)
    f, ahead_f = _between(activity.f107_sfu, table.f107_sfu)
    low, high = ((1.0 - ahead_f) * table.log_density[k, f] + ahead_f * table.log_density[k, f + 1] for k in (p, p + 1))
    return (1.0 - ahead_p) * low + ahead_p * high


def density_kg_per_m3(altitude_m: Array, table: Table, log_density: Array) -> Array:
    """Mean density at an altitude from a profile of `log_profile`; exponential beyond its ends.

    Between knots the logarithm is a cubic whose slope at each is that of the parabola through three, so that the drag
    of an orbit, which crosses a few knots, has a steady derivative by its altitude. Averaged over latitude, season and
    hour: the bulge of the afternoon, a factor of 3 to 10 over the night at 500-650 km, is left out.
    """
    knots = table.altitude_m
    apart_m = jnp.diff(knots)
    secant = jnp.diff(log_density) / apart_m
    middle = (apart_m[1:] * secant[:-1] + apart_m[:-1] * secant[1:]) / (apart_m[1:] + apart_m[:-1])
    slope = jnp.concatenate([secant[:1], middle, secant[-1:]])
    h, ahead = _between(altitude_m, knots)
    t, rise = jnp.clip(ahead, 0.0, 1.0), secant[h]
    bend = (1.0 - t) * (slope[h] - rise) + t * (rise - slope[h + 1])
    beyond = ahead - t
    return jnp.exp(log_density[h] + apart_m[h] * ((t + beyond) * rise + t * (1.0 - t) * bend))
