"""What is static about a run: names, models, topology, counts and the schedule. Hashes by value, holds no numbers."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
from jax import Array

from kernels.atmosphere import Record, Table
from kernels.thermal_network import Topology

Profile = dict[str, Any]  # parameters of one slot by name, float64 arrays
CohortParams = dict[str, Profile]
Params = dict[str, CohortParams]


@dataclass(frozen=True)
class Ports:
    """Nodes that carry each component."""

    accelerator: tuple[int, ...]
    cold_plate: tuple[int, ...]
    host: tuple[int, ...]
    power_electronics: tuple[int, ...]
    pump: tuple[int, ...]
    coolant: tuple[int, ...]
    coolant_supply: tuple[int, ...]
    coolant_return: tuple[int, ...]
    radiator: tuple[int, ...]
    radiator_outlet: tuple[int, ...]
    bus: tuple[int, ...]
    battery: tuple[int, ...]
    array: tuple[int, ...]


@jax.tree_util.register_static
@dataclass(frozen=True)
class CohortStructure:
    """Satellites of one design: how many, which model fills each slot, and the thermal network's shape."""

    name: str
    satellites: int
    models: tuple[tuple[str, str], ...]
    topology: Topology
    ports: Ports
    coupling_names: tuple[str, ...]  # conductive couplings, in the order of the topology
    radiative_names: tuple[str, ...]
    boundary_names: tuple[str, ...]
    coupling_components: tuple[str, ...]  # component that adds its conductance to a coupling, or ""
    surface_optics: tuple[tuple[str, str], ...]  # per surface: whose optics and whose area

    def model(self, slot: str) -> str:
        """Name of the model that fills a slot."""
        return dict(self.models)[slot]

    @property
    def sensed(self) -> tuple[str, ...]:
        """Nodes whose temperature controllers and cells read."""
        names = ("accelerator", "cold_plate", "coolant_return", "radiator_outlet", "battery", "array")
        first = [node for name in names for node in getattr(self.ports, name)[:1]]
        return tuple(dict.fromkeys(self.topology.nodes[node] for node in first))


@jax.tree_util.register_static
@dataclass(frozen=True)
class Schedule:
    """The clocks, all in whole steps; see `rollout` for how they nest."""

    step_ms: int
    steps: int
    save_steps: int
    exchange_steps: int
    chunk_steps: int

    @property
    def step_s(self) -> float:
        """Length of a step. [s]"""
        return self.step_ms / 1000.0


@jax.tree_util.register_static
@dataclass(frozen=True)
class Structure:
    """Everything static about a run."""

    cohorts: tuple[CohortStructure, ...]
    schedule: Schedule
    workload_model: str
    atmosphere_model: str
    failures: str  # "none", "expected" or "random"
    precision: str  # "float32" or "float64"
    tile: int  # satellites that a device runs at once
    devices: int  # that share the fleet
    block_schedule: str  # of a block's steps: "scan", "kernel", or "auto" until a run has measured both
    node_temperatures: bool


class Environment(NamedTuple):
    """Series that depend on time alone, and the instant at which the run starts."""

    start_days: Array  # since J2000.0, UT, ()
    traced_flops: Array  # demand of the trace per exchange interval, (exchange,)
    slow_weight: Array  # multiplies increments of slow and total variables, ()
    activity: Record  # solar and geomagnetic, on a grid of its own
    density: Table  # of the thermosphere
    seed: Array  # of all random draws, ()
