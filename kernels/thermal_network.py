"""Thermal network as data: nodes, couplings and surfaces, stepped by an L-stable second-order method.

A `Topology` is static (names and indices); `Coefficients` holds the numbers. Couplings are conductive, radiative
between nodes, carried by a flow (upwind), or to a boundary of fixed temperature. A node may have no heat capacity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4 as SIGMA
from kernels.integrators import rosenbrock2, step_mean
from kernels.quantity import Scalar

Link = tuple[int, int]


@dataclass(frozen=True)
class Surface:
    """A face of the satellite: the nodes that share its area, and the axes in which its normal is given."""

    name: str
    nodes: tuple[int, ...]
    frame: str  # "body" or "array"
    partner: str | None = None  # the surface that blocks a part of its view
    opposite: int | None = None  # an earlier surface that faces the other way


@dataclass(frozen=True)
class Topology:
    """Which nodes exist and what links them; `flows` names the branch of the loop that carries each link.

    `swept` numbers the flow links whose downstream node is a piece of radiator that the flow cools on its way.
    `massless` nodes have no heat capacity: they are at every instant where their heat balances.
    """

    nodes: tuple[str, ...]
    conductive: tuple[Link, ...] = ()
    radiative: tuple[Link, ...] = ()
    flows: tuple[tuple[int, int, str], ...] = ()  # upstream, downstream, branch
    boundaries: tuple[int, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    swept: tuple[int, ...] = ()
    massless: tuple[int, ...] = ()


class Coefficients(NamedTuple):
    """Numbers of a network, each tuple in the order of the topology; scalars or (satellite,)."""

    heat_capacity_j_per_k: tuple[Array, ...]
    conductance_w_per_k: tuple[Array, ...]
    exchange_m2: tuple[Array, ...]  # emissivities x view factor x area of each radiative link
    boundary_conductance_w_per_k: tuple[Array, ...]
    boundary_temperature_k: tuple[Array, ...]
    emission_m2: tuple[Array, ...]  # emissivity x area with a view of space, per node


class Valve(NamedTuple):
    """Capacity rate of each flow link [W/K] as a function of the temperatures of the nodes that a valve reads."""

    sensors: tuple[int, ...]
    capacity_rate_w_per_k: Callable[..., tuple[Array, ...]]

    def at(self, temperature_k: tuple[Array, ...]) -> tuple[Array, ...]:
        """Rates at the temperatures of all nodes."""
        return self.capacity_rate_w_per_k(*(temperature_k[node] for node in self.sensors))


def steady(*capacity_rate_w_per_k: Array) -> Valve:
    """Flows that no temperature changes."""
    return Valve((), lambda: capacity_rate_w_per_k)


class Step(NamedTuple):
    """Temperatures after a step and the step-mean heat that each node radiated away."""

    temperature_k: tuple[Array, ...]
    radiated_w: tuple[Array, ...]


def fourth_power(temperature_k: Array) -> Array:
    """Fourth power by two squarings, the same everywhere, so that it is computed once."""
    square = temperature_k * temperature_k
    return square * square


def upstream_shares(
    topology: Topology, numbers: Coefficients, capacity_rate_w_per_k: tuple[Array, ...]
) -> dict[int, tuple[int, Array]]:
    """Node and share of the fourth power with which each swept node radiates as its upstream end does.

    A piece whose ends differ little radiates at the mean of both, which makes pieces second order in their number; one
    with little flow radiates as itself. 1 / (2 + n) goes over between the two and keeps the outlet above zero;
    n is the radiative conductance at 300 K over the flow's capacity rate.
    """
    per_m2 = 4.0 * SIGMA * 300.0**3
    shares = {}
    for link in topology.swept:
        up, down, _ = topology.flows[link]
        rate = capacity_rate_w_per_k[link]
        shares[down] = up, rate / (2.0 * rate + per_m2 * numbers.emission_m2[down])
    return shares


def heat_flow_w(
    topology: Topology,
    numbers: Coefficients,
    capacity_rate_w_per_k: tuple[Array, ...],
    source_w: tuple[Array, ...],
    temperature_k: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Net heat into each node. [W] `capacity_rate_w_per_k` is mass flow times specific heat, per flow link."""
    flow = list(source_w)
    fourth = [fourth_power(t) for t in temperature_k]
    for (i, j), conductance in zip(topology.conductive, numbers.conductance_w_per_k, strict=True):
        heat = conductance * (temperature_k[j] - temperature_k[i])
        flow[i], flow[j] = flow[i] + heat, flow[j] - heat
    for (i, j), area in zip(topology.radiative, numbers.exchange_m2, strict=True):
        heat = SIGMA * area * (fourth[j] - fourth[i])
        flow[i], flow[j] = flow[i] + heat, flow[j] - heat
    for (up, down, _), rate in zip(topology.flows, capacity_rate_w_per_k, strict=True):
        flow[down] = flow[down] + rate * (temperature_k[up] - temperature_k[down])
    for i, conductance, fixed in zip(
        topology.boundaries, numbers.boundary_conductance_w_per_k, numbers.boundary_temperature_k, strict=True
    ):
        flow[i] = flow[i] + conductance * (fixed - temperature_k[i])
    glow = radiated_w(topology, numbers, capacity_rate_w_per_k, tuple(fourth))
    return tuple(f - heat for f, heat in zip(flow, glow, strict=True))


def radiated_w(
    topology: Topology,
    numbers: Coefficients,
    capacity_rate_w_per_k: tuple[Array, ...],
    fourth_k4: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Heat that each node radiates to space and the Earth, by the fourth powers of the temperatures. [W]"""
    glow = list(fourth_k4)
    for down, (up, share) in upstream_shares(topology, numbers, capacity_rate_w_per_k).items():
        glow[down] = fourth_k4[down] + share * (fourth_k4[up] - fourth_k4[down])
    return tuple(SIGMA * area * t4 for area, t4 in zip(numbers.emission_m2, glow, strict=True))


def jacobian_w_per_k(
    topology: Topology,
    numbers: Coefficients,
    capacity_rate_w_per_k: tuple[Array, ...],
    temperature_k: tuple[Array, ...],
) -> dict[tuple[int, int], Array]:
    """Derivative of `heat_flow_w` by temperature, only the entries that are not zero by construction."""
    cubed = [(4.0 * SIGMA) * (t * t * t) for t in temperature_k]
    entries = {(i, i): -area * cubed[i] for i, area in enumerate(numbers.emission_m2)}

    def add(i: int, j: int, value: Array) -> None:
        entries[i, j] = entries[i, j] + value if (i, j) in entries else value

    for (i, j), conductance in zip(topology.conductive, numbers.conductance_w_per_k, strict=True):
        for a, b in ((i, j), (j, i)):
            add(a, b, conductance)
            add(a, a, -conductance)
    for (i, j), area in zip(topology.radiative, numbers.exchange_m2, strict=True):
        for a, b in ((i, j), (j, i)):
            add(a, b, area * cubed[b])
            add(a, a, -area * cubed[a])
    for (up, down, _), rate in zip(topology.flows, capacity_rate_w_per_k, strict=True):
        add(down, up, rate)
        add(down, down, -rate)
    for i, conductance in zip(topology.boundaries, numbers.boundary_conductance_w_per_k, strict=True):
        add(i, i, -conductance)
    for down, (up, share) in upstream_shares(topology, numbers, capacity_rate_w_per_k).items():
        area = share * numbers.emission_m2[down]
        add(down, down, area * cubed[down])
        add(down, up, -area * cubed[up])
    return entries


def settled_k(
    topology: Topology,
    numbers: Coefficients,
    capacity_rate_w_per_k: tuple[Array, ...],
    source_w: tuple[Array, ...],
    temperature_k: tuple[Array, ...],
) -> tuple[Array, ...]:
    """Temperatures with each massless node where a T^4 + b T = c, its heat balance among the others, holds.

    The start is above the root of this convex function, so Newton's method descends to it whatever the jump of the
    sources; five steps leave less than 1e-8 of T. Without this the integrator's first stage, which goes 1 / gamma
    times as far as Newton's method, does not converge after jumps of more than a few kelvin.
    """
    values = list(temperature_k)
    for node in topology.massless:
        slope = jacobian_w_per_k(topology, numbers, capacity_rate_w_per_k, tuple(values))[node, node]
        frozen = [*values[:node], jnp.zeros_like(values[node]), *values[node + 1 :]]
        linear = -jacobian_w_per_k(topology, numbers, capacity_rate_w_per_k, tuple(frozen))[node, node]
        quartic = (-slope - linear) / (4.0 * values[node] ** 3)
        supply = heat_flow_w(topology, numbers, capacity_rate_w_per_k, source_w, tuple(frozen))[node]
        supply = jnp.maximum(supply, 1e-6)
        root = sm.sqrt(sm.sqrt(supply / jnp.maximum(quartic, 1e-20)))
        value = jnp.minimum(root, supply / jnp.maximum(linear, 1e-9))
        for _ in range(5):
            value = (3.0 * quartic * value**4 + supply) / (4.0 * quartic * value**3 + linear)
        values[node] = value
    return tuple(values)


def step(
    topology: Topology,
    numbers: Coefficients,
    valve: Valve,
    source_w: tuple[Array, ...],
    temperature_k: tuple[Array, ...],
    step_s: Scalar,
    early_w: tuple[Array, ...] | None = None,
) -> Step:
    """Temperatures after a step, and the radiated heat that closes the balance.

    `source_w` is the mean of each node's source over the step; `early_w` the mean of (1/2 - u) times the source, u
    being the time since the start over the step, none for steady sources. Massless nodes know the mean alone.
    """
    rates = valve.at(temperature_k)
    temperature_k = settled_k(topology, numbers, rates, source_w, temperature_k)

    def right_hand_side(temperatures: tuple[Array, ...]) -> tuple[Array, ...]:
        return heat_flow_w(topology, numbers, valve.at(temperatures), source_w, temperatures)

    zero = tuple(jnp.zeros_like(t) for t in temperature_k)
    new, middle, last = rosenbrock2(
        right_hand_side,
        jacobian_w_per_k(topology, numbers, rates, temperature_k),
        tuple(capacity / step_s for capacity in numbers.heat_capacity_j_per_k),
        temperature_k,
        tuple(zero[node] if node in topology.massless else heat for node, heat in enumerate(early_w or zero)),
    )
    change = tuple(4.0 * (t * t * t) * v for t, v in zip(temperature_k, last, strict=True))
    at_middle = radiated_w(topology, numbers, valve.at(middle), tuple(fourth_power(t) for t in middle))
    of_change = radiated_w(topology, numbers, rates, change)
    return Step(new, tuple(step_mean(*flux) for flux in zip(at_middle, of_change, strict=True)))
