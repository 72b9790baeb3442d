"""What a cluster of satellites can train: its links over an orbit, the exchange of gradients over them, the time lost.

Its satellites are ranked into rows and columns by their places on the ellipses that they fly. Ring and torus are folded
onto these, so that no link spans more than two of them; in the full network any two satellites may be linked. Every
link is as fast as the longest of its network in the whole orbit.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import isqrt
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from kernels import collective, failures, formation, link, orbit, radiation, registry, training
from kernels.constants import DAY_S, YEAR_S
from twin.clusters import neighbours
from twin.model import Model
from twin.prepare import Cohort, prepare
from twin.refusal import ConfigError
from twin.structure import CohortStructure

INSTANTS = 48  # of an orbit at which distances are taken
BITS = 8.0
NETWORKS = {"ring": 2, "torus": 4, "clos": 4}  # terminals that each satellite needs
INTERRUPT = ("memory_errors", "hangs", "crashes")  # the upsets that a job notices
Pairs = NDArray[np.int64]  # (link, 2)


class Cluster(NamedTuple):
    """A cluster on its orbit: what was prepared, its rows and columns, its places over one revolution."""

    structure: CohortStructure
    cohort: Cohort
    grid: NDArray[np.int64]  # (row, column), numbers of satellites
    places_m: NDArray[np.float64]  # (instant, satellite, 3)
    failures: str  # "none", "expected" or "random"


def cluster(model: Model, prepared: Mapping[str, Cohort] | None = None) -> Cluster:
    """The cluster of a built model, which may have been prepared before.

    ConfigError when it is none that has a lattice, terminals and a job.
    """
    (structure, *others) = model.structure.cohorts
    side = isqrt(structure.satellites)
    if others or structure.model("constellation") not in ("cluster", "disc"):
        raise ConfigError(f"constellation: must be one cluster, such as constellation=cluster_81, not {_told(model)}")
    if side < 3 or side**2 != structure.satellites:
        raise ConfigError(
            f"constellation.satellites = {structure.satellites}: must be a square number of at least 9, such as 81"
        )
    if structure.model("link") != "optical":
        raise ConfigError(
            f"link = {structure.model('link')!r}: must be one between satellites, such as link=suncatcher"
        )
    terminals, least = float(model.params[structure.name]["link"]["terminals"]), min(NETWORKS.values())
    if terminals < least:
        raise ConfigError(f"link.terminals = {terminals:g}: must be at least {least}, as many as a ring takes")
    if model.structure.workload_model != "training":
        raise ConfigError(
            f"workload = {model.structure.workload_model!r}: must be a training, such as workload=training_405b"
        )
    numbers = (model.structure, model.params, model.environment)
    made = (jax.jit(prepare, static_argnums=0)(*numbers) if prepared is None else prepared)[structure.name]
    times_s = np.arange(INSTANTS) / INSTANTS * _period_s(made)
    places = np.stack([neighbours.places_m(model, time_s) for time_s in times_s])
    return Cluster(structure, made, _ranked(made.each.elements, side), places, model.structure.failures)


def _told(model: Model) -> str:
    """Cohorts and their patterns in words."""
    return ", ".join(f"{cohort.name} ({cohort.model('constellation')})" for cohort in model.structure.cohorts)


def _period_s(cohort: Cohort) -> float:
    """Time from node to node. [s]"""
    rates = cohort.each.rates
    return float(2.0 * np.pi / (rates.mean_anomaly_rad_per_s + rates.argument_of_perigee_rad_per_s)[0])


def _ranked(elements: orbit.Elements, side: int) -> NDArray[np.int64]:
    """Satellites in as many rows as columns, by how high and then by how far ahead they are at the node."""
    first = orbit.Elements(*(leaf[0] for leaf in elements))
    now = formation.difference(elements, first)
    low, behind = (np.round(np.asarray(part), 3) for part in (now.eccentricity_x_m, now.eccentricity_y_m))
    rows = np.lexsort((behind, low)).reshape(side, side)
    return np.take_along_axis(rows, np.argsort(behind[rows], axis=1, kind="stable"), axis=1)


def _folded(count: int) -> NDArray[np.int64]:
    """Places of a line in the order of a ring that returns along it, two by two."""
    return np.concatenate([np.arange(0, count, 2), np.arange(1, count, 2)[::-1]])


def links(grid: NDArray[np.int64]) -> dict[str, Pairs]:
    """Links by network: of the grid itself, of a ring along its rows there and back, of a torus."""
    snake = np.where(np.arange(len(grid))[:, None] % 2 == 0, grid, grid[:, ::-1]).ravel()[_folded(grid.size)]
    torus = grid[np.ix_(_folded(len(grid)), _folded(len(grid)))]
    ends = {
        "grid": [(grid[1:], grid[:-1]), (grid[:, 1:], grid[:, :-1])],
        "ring": [(snake, np.roll(snake, 1))],
        "torus": [(torus, np.roll(torus, 1, axis)) for axis in (0, 1)],
    }
    return {
        name: np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in both]) for name, both in ends.items()
    }


def _lengths_m(found: Cluster, pairs: Pairs) -> NDArray[np.float64]:
    """(instant, link)"""
    return np.linalg.norm(found.places_m[:, pairs[:, 0]] - found.places_m[:, pairs[:, 1]], axis=-1)


def longest_m(found: Cluster) -> dict[str, float]:
    """Longest link of each network in an orbit; across, for places that lie opposite each other in pairs."""
    own = links(found.grid)
    from_centre = found.places_m - np.mean(found.places_m, axis=1, keepdims=True)
    across = 2.0 * float(np.max(np.linalg.norm(from_centre, axis=-1)))
    return {name: float(np.max(_lengths_m(found, own[name]))) for name in ("ring", "torus")} | {"clos": across}


def _carried(found: Cluster, distance_m: float) -> tuple[Array, Array]:
    """Rate [byte/s] and delay [s] of a link."""
    law = registry.models("link")[found.structure.model("link")]
    carried: link.Link = registry.call(law, found.cohort.shared.profiles["link"], jnp.asarray(distance_m))
    return carried.bit_per_s / BITS, carried.delay_s


def _networks(side: int, terminals: float) -> dict[str, tuple[Callable[..., Array], Callable[[Array], Array]]]:
    """Networks for which satellites have terminals: time by size, rate and latency of a link, bisection by its rate."""
    members = float(side**2)
    known = {
        "ring": (partial(collective.ring_s, members), collective.ring_bisection_byte_per_s),
        "torus": (partial(collective.torus_s, side, side), partial(collective.torus_bisection_byte_per_s, side, side)),
        "clos": (
            lambda size, rate, delay: collective.clos_s(members, size, terminals * rate, delay),
            lambda rate: collective.clos_bisection_byte_per_s(members, terminals * rate),
        ),
    }
    return {name: laws for name, laws in known.items() if NETWORKS[name] <= terminals}


def all_reduce(found: Cluster, size_byte: Array, latency_s: Array) -> dict[str, dict[str, Array]]:
    """Time, rate of a link and bisection of every network."""
    longest, answers = longest_m(found), {}
    for name, (time_s, halves) in _networks(
        len(found.grid), float(found.cohort.shared.profiles["link"]["terminals"])
    ).items():
        rate, light_s = _carried(found, longest[name])
        answers[name] = {
            "longest_link_m": longest[name],
            "link_bit_per_s": rate * BITS,
            "bisection_bit_per_s": halves(rate) * BITS,
            "between_satellites_s": time_s(size_byte, rate, light_s + latency_s),
        }
    return answers


def upsets_per_s(cohort: Cohort) -> Array:
    """Rate at which upsets that are noticed befall one accelerator of each satellite, (satellite,). [1/s]"""
    per_gy = sum(cohort.shared.upsets.per_gy[kind] for kind in INTERRUPT)
    return jnp.asarray(sum(radiation.dose_rate(cohort.each.field, 0.5)) * per_gy)


def failures_per_s(failing: str, cohort: Cohort, age_s: Array) -> Array:
    """Rate at which an accelerator of an age, or what it hangs on, fails and stops a training. [1/s]

    0 where `failing`, what a run says of failures, is none.
    """
    base = registry.call(failures.base_rate, cohort.shared.profiles["accelerator"])
    hazard = registry.call(failures.hazard, cohort.shared.profiles["reliability"], base)
    happen = 0.0 if failing == "none" else 1.0
    others = registry.call(training.other_interruptions_per_s, cohort.shared.profiles["workload"])
    return happen * (failures.hazard_per_year(hazard, age_s / YEAR_S) / YEAR_S + others)


def interruptions_per_s(found: Cluster) -> float:
    """Rate at which upsets that are noticed, failures and all else stop a job on the accelerators of the cluster."""
    cohort, count = found.cohort, found.cohort.shared.profiles["accelerator"]["count"]
    failing = failures_per_s(found.failures, cohort, cohort.slow.age_s)
    return float(jnp.sum(count * (upsets_per_s(cohort) + failing)))


def trained(found: Cluster) -> dict[str, dict[str, float]]:
    """A training on each network: what a step takes, what interruptions leave, and what is delivered of the peak."""
    shared, satellites = found.cohort.shared, float(found.grid.size)
    job, fabric = (registry.call(part, shared.profiles["workload"]) for part in (training.job, training.fabric))
    chips = float(shared.profiles["accelerator"]["count"])
    work, size = training.step_flop(job), training.gradient_byte(job)
    compute_s = training.compute_s(work, satellites, shared.nominal_flops * chips)
    inside_s = collective.inside_s(chips, size, fabric.inside_byte_per_s, fabric.message_latency_s)
    rate, written_s = jnp.asarray(interruptions_per_s(found)), training.checkpoint_s(job, satellites * chips)
    interval_s = training.interval_s(job, rate, written_s)
    useful = training.useful_fraction(rate, interval_s, written_s, job.restart_s)
    answers = {}
    for name, reduced in all_reduce(found, size, fabric.message_latency_s).items():
        step_s = training.step_s(compute_s, inside_s + reduced["between_satellites_s"], job.overlap_fraction)
        peak = satellites * chips * shared.profiles["accelerator"]["peak_flops"]
        used = training.model_flop_utilization(work, step_s, peak)
        numbers = reduced | {
            "compute_s": compute_s,
            "inside_satellites_s": inside_s,
            "step_s": step_s,
            "model_flop_utilization": used,
            "interruptions_per_day": rate * DAY_S,
            "checkpoint_s": written_s,
            "checkpoint_interval_s": interval_s,
            "useful_fraction": useful,
            "delivered_model_flop_utilization": used * useful,
            "training_days": training.training_days(job, step_s, useful),
        }
        answers[name] = {key: float(value) for key, value in numbers.items()}
    return answers


def shape(found: Cluster) -> dict[str, float]:
    """Distances between neighbours over an orbit, the graph of the nearest four, and what drifts within a year."""
    lengths = _lengths_m(found, links(found.grid)["grid"])
    nearest = [neighbours.nearest_m(places) for places in found.places_m]
    sees = neighbours.above_the_air(found.cohort.shared.profiles["link"])
    graph = neighbours.nearest(found.places_m[0], 4, np.inf, sees)
    rates = {
        end: _carried(found, float(length_m))[0]
        for end, length_m in (("nearest", lengths.min()), ("farthest", lengths.max()))
    }
    hops = neighbours.routes(graph, 0).hops
    return {
        "nearest_least_m": float(np.min(nearest)),
        "nearest_most_m": float(np.max(nearest)),
        "grid_neighbour_least_m": float(lengths.min()),
        "grid_neighbour_mean_m": float(lengths.mean()),
        "grid_neighbour_most_m": float(lengths.max()),
        **{f"grid_link_{end}_bit_per_s": float(rate) * BITS for end, rate in rates.items()},
        "links_of_nearest_four": float(len(graph.pairs)),
        "parts": float(len(neighbours.components(graph))),
        "most_hops_from_a_corner": float(hops.max()),
        "bisection_links": float(neighbours.bisection_links(graph, found.places_m[0])),
    } | _drift(found)


def _drift(found: Cluster) -> dict[str, float]:
    """Largest drift from the middle satellite in a year without control, and the speed that undoes it."""
    each, middle = found.cohort.each, found.grid[len(found.grid) // 2, len(found.grid) // 2]
    centre = orbit.Elements(*(leaf[middle] for leaf in each.elements))
    centre_rates = orbit.Rates(*(leaf[middle] for leaf in each.rates))
    now = formation.difference(each.elements, centre)
    drift = formation.drift_m_per_s(each.rates, centre, centre_rates)
    turn, motion = each.rates.argument_of_perigee_rad_per_s, centre_rates.mean_anomaly_rad_per_s
    held = formation.holding(now, drift, turn, motion, YEAR_S)
    most = {
        "drift_ahead_m_per_year": jnp.abs(drift.ahead_m) * YEAR_S,
        "drift_across_m_per_year": jnp.abs(drift.node_m) * YEAR_S,
        "hold_ahead_m_per_s": held.ahead_m_per_s,
        "hold_across_m_per_s_per_year": held.across_m_per_s,
        "hold_turning_m_per_s_per_year": held.turning_m_per_s,
    }
    return {name: float(jnp.max(values)) for name, values in most.items()}


def answer(models: dict[str, Model]) -> dict[str, Any]:
    """Shape of a cluster, and every training on it by name; numbers alone, as JSON has them."""
    clusters = {name: cluster(model) for name, model in models.items()}
    first = next(iter(clusters.values()))
    return {
        "satellites": first.grid.size,
        "shape": shape(first),
        "training": {k: trained(c) for k, c in clusters.items()},
    }
