"""Radiation among grey diffuse surfaces that see each other: what each absorbs of all the reflections.

`views[i, j]` is the part of what leaves surface i that arrives at j; pairs that see nothing of each other are left out.
What is missing to one in all the views of a surface goes to a black opening, so the same functions serve an open set
and a closed box. Numbers are scalars or have the satellite axis.
"""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from kernels.integrators import factorise

Pairs = Mapping[tuple[int, int], Array]


def irradiation(views: Pairs, absorptivities: tuple[Array, ...]) -> dict[tuple[int, int], Array]:
    """Irradiance of surface i for each unit of irradiance that arrives at surface j from outside, all reflections in.

    Reciprocity (area_i view_ij = area_j view_ji) is the caller's: it makes the answer conserve energy. (The
    net-radiation method: Modest, Radiative Heat Transfer, 3rd ed. 2013, section 5.3.)
    """
    count, zero = len(absorptivities), jnp.zeros(())
    matrix = {(k, k): zero + 1.0 for k in range(count)}
    for (i, j), view in views.items():
        matrix[i, j] = matrix.get((i, j), zero) - view * (1.0 - absorptivities[j])
    solve = factorise(matrix, count)
    columns = [solve(tuple(zero + float(i == j) for i in range(count))) for j in range(count)]
    return {(i, j): columns[j][i] for i in range(count) for j in range(count)}


def gebhart_factors(views: Pairs, emissivities: tuple[Array, ...]) -> dict[tuple[int, int], Array]:
    """Part of what surface i emits that surface j absorbs, directly and by reflections; the rest leaves the set.

    Times emissivity_i area_i it is the exchange area of the pair in sigma T^4, symmetric in i and j (Gebhart 1961, Int.
    J. Heat Mass Transfer 3, 341). Infinite for a closed set without any emissivity.
    """
    reflected = irradiation(views, emissivities)
    factors = dict.fromkeys(reflected, jnp.zeros(()))
    for i in range(len(emissivities)):
        for (via, j), view in views.items():
            factors[i, j] = factors[i, j] + reflected[i, via] * view * emissivities[j]
    return factors
