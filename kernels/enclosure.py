"""Radiation among grey diffuse surfaces that see each other: what each absorbs of all the reflections.

Matrices are [from, to]: `view_factors[i, j]` is the part of what leaves i that arrives at j. A row that adds up to
less than one leaves the rest to a black opening, so the same functions serve an open set and a closed box.
"""

import jax.numpy as jnp
from jax import Array


def irradiation(view_factors: Array, absorptivities: Array) -> Array:
    """Irradiance of surface i for each unit of irradiance that arrives at surface j from outside, all reflections in.

    Reciprocity (area_i view_ij = area_j view_ji) is the caller's: it makes the answer conserve energy. (n, n), (n) to
    (n, n) (the net-radiation method: Modest, Radiative Heat Transfer, 3rd ed. 2013, section 5.3).
    """
    return jnp.linalg.inv(jnp.eye(len(absorptivities)) - view_factors * (1.0 - absorptivities)[None, :])


def gebhart_factors(view_factors: Array, emissivities: Array) -> Array:
    """Part of what surface i emits that surface j absorbs, directly and by reflections; the rest leaves the set.

    Times emissivity_i area_i it is the exchange area of the pair in sigma T^4, symmetric in i and j. (n, n), (n) to
    (n, n) (Gebhart 1961, Int. J. Heat Mass Transfer 3, 341). Singular for a closed set without any emissivity.
    """
    return irradiation(view_factors, emissivities) @ view_factors * emissivities[None, :]
