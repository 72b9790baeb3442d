"""Work poured over the fleet by the weights of a scheduler, the same whatever the devices that share the fleet.

Weights are rounded to levels and abilities to whole units, so that sums over satellites are sums of whole numbers in
float64 and do not depend on their order; satellites of one level are treated alike, and no tie is left to be broken.
"""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jax import Array, lax

LEVELS = 64
UNITS = 2.0**20  # an accelerator's ability in whole units: 2^53 of them are exact, 1e6 satellites of 8 000 accelerators

Sums = Callable[[Array], Array]  # of leaves (tiles, tile, ...) over all satellites of all devices, (...)
ByCohort = Mapping[str, Array]


def poured(demand: Array, weights: ByCohort, able: ByCohort, unit: Array, fleet_sum: Sums) -> dict[str, Array]:
    """Work for every satellite, (tiles, tile), which adds up to the demand. [flop/s]

    Each gets its ability times its weight times what all have in common, and at most its ability, unless the demand
    is more than the whole fleet is able to do: then all get in proportion to their ability. Those without a weight
    share what the others have no room for. Where no satellite is able to do anything, `able` must say what to go by
    instead.
    """
    whole = {name: whole_units(value, unit) for name, value in able.items()}
    level = {name: levels(value) for name, value in weights.items()}
    by_level = sum((fleet_sum(_by_level(level[name], whole[name])) for name in whole), jnp.zeros(LEVELS + 1))
    last, weighted = by_level[0], by_level[1:]
    wanted = demand / unit
    most = jnp.maximum(wanted / jnp.maximum(jnp.sum(by_level), 1.0), 1.0)
    share = _height(wanted, weighted, most)
    rest = jnp.maximum(wanted - most * jnp.sum(weighted), 0.0) / jnp.maximum(last, 1.0)
    part = jnp.minimum(jnp.append(rest, share * jnp.arange(1, LEVELS + 1) / LEVELS), most)
    return {name: whole[name] * unit * part[level[name]] for name in whole}


def whole_units(able: Array, unit: Array) -> Array:
    """Ability in whole units; its slope is that of the ability."""
    exact = able / unit
    return exact + lax.stop_gradient(jnp.round(exact) - exact)


def levels(weight: Array) -> Array:
    """Level of a weight, 0 for none alone."""
    return jnp.clip(jnp.ceil(weight * LEVELS).astype(jnp.int32), 0, LEVELS)


def _by_level(level: Array, whole: Array) -> Array:
    """Ability of each level, (1, 1, level)."""
    return jnp.zeros((1, 1, LEVELS + 1), whole.dtype).at[0, 0, level.reshape(-1)].add(whole.reshape(-1))


def _height(wanted: Array, by_level: Array, most: Array) -> Array:
    """What all have in common, so that the shares of all levels add up to what is wanted.

    It is looked for level by level: those above a level have their most, those up to it their weight's part. The first
    that does not give a level more than its most is the one.
    """
    weight = jnp.arange(1, LEVELS + 1) / LEVELS
    above = jnp.cumsum(by_level[::-1])[::-1] - by_level  # ability of the levels above each
    below = jnp.cumsum(by_level * weight)  # weighted ability of each and those below
    height = jnp.maximum(wanted - most * above, 0.0) / jnp.maximum(below, 1e-9)
    fits = (height * weight <= most * (1.0 + 1e-12)) & (below > 0.0)
    # From the top: the highest level that fits is the one, as those above it are full.
    highest = LEVELS - 1 - jnp.argmax(fits[::-1])
    return jnp.where(jnp.any(fits), height[highest], most * LEVELS)
