"""Schedulers: how much of the fleet's work each satellite is to get, from what is seen of it. One function each.

A scheduler gives every satellite a weight from 0 to 1 for each operation per second that it is able to do. Work is
in proportion to the weights until those of the largest are full; then more goes to the others. Satellites of weight 0
get what is left when all others are full.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Efficiency, Fraction, TemperatureWidth, TimeConstant
from kernels.registry import model, part


class Seen(NamedTuple):
    """What a scheduler sees of each satellite at the start of an exchange interval, (tiles, tile)."""

    sunlit_fraction: Array  # of the interval ahead
    state_of_charge: Array
    die_margin_k: Array  # of the hottest die below its limit
    waits_s: Array  # time in which the work that waits there could be done
    in_view_fraction: Array  # of the interval ahead, of a site on the ground or a mesh; 0 without a way down


@part("scheduler")
def headroom(*, most_load: Efficiency = 1.0) -> Array:
    """Part of what a satellite is able to do up to which it is filled, as long as there are others."""
    return jnp.asarray(most_load)


@model("scheduler")
def even(seen: Seen) -> Array:
    """All alike: each gets work in proportion to what it is able to do."""
    return jnp.ones_like(seen.state_of_charge)


@model("scheduler")
def sunlight_aware(seen: Seen, *, dark_weight: Fraction, full_charge: Fraction) -> Array:
    """Work goes where the Sun shines; in the dark by `dark_weight`, and less the emptier the battery is.

    Above a charge of `full_charge` a battery in the dark counts as full.
    """
    charge = jnp.clip(seen.state_of_charge / jnp.maximum(full_charge, 1e-3), 0.0, 1.0)
    dark = jnp.asarray(dark_weight) * charge
    return dark + (1.0 - dark) * seen.sunlit_fraction


@model("scheduler")
def thermal_aware(seen: Seen, *, cool_margin_k: TemperatureWidth) -> Array:
    """Work goes where dies are cool: in full from a margin of `cool_margin_k` below their limit on."""
    return jnp.clip(seen.die_margin_k / cool_margin_k, 0.0, 1.0)


@model("scheduler")
def deadline_aware(seen: Seen, *, deadline_s: TimeConstant) -> Array:
    """Work goes where least waits: last of all where the queue takes as long as the deadline."""
    return jnp.clip(1.0 - seen.waits_s / deadline_s, 0.0, 1.0)


@model("scheduler")
def link_aware(seen: Seen, *, unseen_weight: Fraction) -> Array:
    """Work goes where a site on the ground is in view and results get down at once; elsewhere by `unseen_weight`."""
    return unseen_weight + (1.0 - jnp.asarray(unseen_weight)) * seen.in_view_fraction
