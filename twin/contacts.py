"""Contacts of the whole fleet in an exchange interval: the weather over the sites, whose telescopes are shared out.

Weather comes in spells on a calendar of its own: each site has one draw for each, which belongs to the seed, the
site's name and the spell's number since J2000, whatever the satellites, the devices, and the start of the run.
"""

from collections.abc import Mapping
from functools import partial
from zlib import crc32

import jax
import jax.numpy as jnp
from jax import Array

from kernels import ground_link, registry
from kernels.constants import DAY_S
from kernels.quantity import Scalar
from twin.anchor import Anchor, over_tiles
from twin.links import Contact, Passes, contact, lands, passes
from twin.prepare import Each, Shared
from twin.scheduling import Sums
from twin.structure import CohortStructure, Environment, Structure

UNITS = 2.0**20  # an interval in whole units, so that sums of its parts do not depend on their order


def contacts(
    structure: Structure,
    shared: Mapping[str, Shared],
    each: Mapping[str, Each],
    anchors: Mapping[str, Anchor],
    environment: Environment,
    date_s: Scalar,
    start_s: Array,
    length_s: Scalar,
    fleet_sum: Sums,
) -> dict[str, Contact | None]:
    """Contact of every satellite, leaves (tiles, tile), by cohort; None where one has no way down.

    Anchors are those of `date_s` after the start of the run, and the interval begins `start_s` after them.
    """
    landing = [cohort for cohort in structure.cohorts if lands(structure, cohort)]
    if not landing:
        return {cohort.name: None for cohort in structure.cohorts}
    network = shared[landing[0].name]
    clear = clear_skies(structure, network, environment, date_s + start_s + 0.5 * length_s)
    found = {c.name: _passes(structure, c, shared[c.name], anchors[c.name], clear, start_s, length_s) for c in landing}
    served = _served(structure, network, found, each, fleet_sum)
    known = {c.name: contact(c, shared[c.name], found[c.name], served) for c in landing}
    return {cohort.name: known.get(cohort.name) for cohort in structure.cohorts}


def clear_skies(structure: Structure, shared: Shared, environment: Environment, date_s: Scalar) -> Array:
    """Whether the weather lets links through at each site, so long after the start of the run: 1 or 0, (site,)."""
    if not structure.sites:
        return jnp.zeros(0)
    network = shared.profiles["ground_network"]
    lasts_s = registry.call(ground_link.spell_s, network).astype(jnp.float64)
    spell = jnp.floor((environment.start_days * DAY_S + date_s) / lasts_s).astype(jnp.int64)
    names = jnp.asarray([crc32(name.encode()) for name in structure.sites], dtype=jnp.uint32)
    keys = jax.vmap(partial(jax.random.fold_in, jax.random.key(environment.seed)))(names)
    drawn = jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, spell)))(keys)
    fractions = jnp.stack([network["sites"][name]["clear_sky_fraction"] for name in structure.sites])
    return (drawn < fractions).astype(jnp.float64)


def _passes(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    clear: Array,
    start_s: Array,
    length_s: Scalar,
) -> Passes:
    """Passes of a cohort, tile by tile, as memory wants; leaves (tiles, tile, ...)."""
    kind = anchor.elements.node_rad.dtype
    begin_s, long_s = jnp.asarray(start_s, kind), jnp.asarray(length_s, kind)

    return over_tiles(lambda own: passes(structure, cohort, shared, own, clear, begin_s, long_s), anchor)


def _served(
    structure: Structure, shared: Shared, found: Mapping[str, Passes], each: Mapping[str, Each], fleet_sum: Sums
) -> Array:
    """Part of what satellites want of each site that its telescopes can give, the same to all, (site,)."""
    if not structure.sites:
        return jnp.ones(0)
    wanted = jnp.zeros(len(structure.sites))
    for name, own in found.items():
        units = jnp.round(own.use.astype(jnp.float64) * each[name].present[..., None] * UNITS)
        wanted = wanted + fleet_sum(units) / UNITS
    have = registry.call(ground_link.telescopes, shared.profiles["ground_network"]).astype(jnp.float64)
    return jnp.minimum(1.0, have / jnp.maximum(wanted, 1.0 / UNITS))
