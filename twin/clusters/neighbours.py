"""Who is near whom, from places: links to the nearest in sight, and what the graph of them is like; on the host.

Trees, components and routes are SciPy's; memory grows with the number of links, never with pairs of satellites.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import KDTree

from kernels import link, orbit, registry
from kernels.constants import SPEED_OF_LIGHT_M_PER_S
from twin.anchor import anchor_at
from twin.model import Model
from twin.prepare import prepare
from twin.structure import Environment, Params, Profile, Structure

Places: TypeAlias = NDArray[np.float64]  # (satellite, 3) [m]
Sees: TypeAlias = Callable[[Places, Places], NDArray[np.bool_]]  # whether pairs of places see each other, (pair,)

CUTS = 36  # directions in each principal plane in which a fleet is halved


class Graph(NamedTuple):
    """Links between satellites: each once, the lower number first."""

    satellites: int
    pairs: NDArray[np.int64]  # (link, 2)
    length_m: NDArray[np.float64]  # (link,)


class Routes(NamedTuple):
    """From one satellite to each: fewest links, and the least delay, infinite where there is no way, (satellite,)."""

    hops: NDArray[np.float64]
    delay_s: NDArray[np.float64]


def places_m(model: Model, time_s: float) -> Places:
    """Places of all satellites of a built model `time_s` after its start, cohort after cohort, without drag; TEME."""
    found = _places(model.structure, model.params, model.environment, jnp.asarray(float(time_s)))
    return np.asarray(found, dtype=np.float64)


@partial(jax.jit, static_argnums=0)
def _places(structure: Structure, params: Params, environment: Environment, time_s: Array) -> Array:
    found = []
    for cohort in prepare(structure, params, environment).values():
        anchor = anchor_at(cohort.each, environment.start_days, time_s)
        place = orbit.place(anchor.elements, anchor.rates, 0.0)
        found.append(jnp.stack([place.radius_m * part for part in place.direction], axis=-1))
    return jnp.concatenate(found)


def above_the_air(link_profile: Profile) -> Sees:
    """Whether pairs of places see each other over the grazing height of an optical link."""

    def sees(here_m: Places, there_m: Places) -> NDArray[np.bool_]:
        ends = (tuple(jnp.asarray(component) for component in end.T) for end in (here_m, there_m))
        return np.asarray(registry.call(link.clearance_m, link_profile, *ends) > 0.0)

    return sees


def nearest(places_m: Places, count: int, range_m: float, sees: Sees) -> Graph:
    """Links of every satellite to the `count` nearest within range that it sees; one may be chosen by more than that.

    Those whose nearest ones are hidden look among twice as many, until they have found enough or none is left in range.
    """
    satellites, tree = len(places_m), KDTree(places_m)
    seeking, among, links = np.arange(satellites), count + 1, []
    while seeking.size:
        found = tree.query(places_m[seeking], k=among, distance_upper_bound=range_m, workers=-1)
        other = np.asarray(found[1])
        one = np.broadcast_to(seeking[:, None], other.shape)
        open_to = (other < satellites) & (other != one)
        open_to[open_to] = sees(places_m[one[open_to]], places_m[other[open_to]])
        so_far = np.cumsum(open_to, axis=1)
        done = (so_far[:, -1] >= count) | (other[:, -1] == satellites)
        taken = open_to & (so_far <= count) & done[:, None]
        links.append(np.stack([one[taken], other[taken]], axis=1))
        seeking, among = seeking[~done], 2 * among
    pairs = np.unique(np.sort(np.concatenate([np.zeros((0, 2), np.int64), *links]), axis=1), axis=0)
    return Graph(satellites, pairs, np.linalg.norm(np.subtract(*(places_m[end] for end in pairs.T)), axis=1))


def _matrix(graph: Graph, weights: NDArray[Any]) -> csr_array:
    shape = (graph.satellites, graph.satellites)
    return csr_array((weights, tuple(graph.pairs.T)), shape=shape)


def components(graph: Graph) -> NDArray[np.int64]:
    """Sizes of the parts of the fleet that have links within but none between them, the largest first."""
    _, part = connected_components(_matrix(graph, np.ones(len(graph.pairs))), directed=False)
    return np.sort(np.bincount(part))[::-1]


def routes(graph: Graph, source: int, hop_s: float = 0.0) -> Routes:
    """Fewest links and least delay from a satellite to all: light's time, and `hop_s` in every satellite it enters."""
    delay = _matrix(graph, graph.length_m / SPEED_OF_LIGHT_M_PER_S + hop_s)
    return Routes(
        dijkstra(delay, directed=False, indices=source, unweighted=True),
        dijkstra(delay, directed=False, indices=source),
    )


def nearest_m(places_m: Places) -> NDArray[np.float64]:
    """Distance of every satellite to its nearest neighbour, in sight or not, (satellite,)."""
    return np.asarray(KDTree(places_m).query(places_m, k=2, workers=-1)[0])[:, 1]


def bisection_links(graph: Graph, places_m: Places) -> int:
    """Links that join two halves of the fleet: the fewest of many straight cuts, an upper bound of what is possible."""
    centred = places_m - np.mean(places_m, axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    turns = np.arange(CUTS) * np.pi / CUTS
    planes = [(axes[a], axes[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    crossing = []
    for direction in (np.cos(t) * x + np.sin(t) * y for x, y in planes for t in turns):
        upper = np.zeros(len(places_m), dtype=bool)
        upper[np.argsort(centred @ direction, kind="stable")[len(places_m) // 2 :]] = True
        crossing.append(int(np.sum(upper[graph.pairs[:, 0]] != upper[graph.pairs[:, 1]])))
    return min(crossing)
