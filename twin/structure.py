"""What is static about a run: names, models, topology, counts and the schedule. Hashes by value, holds no numbers."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernels.atmosphere import Record, Table
from kernels.serving import Lengths
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
    def serviced(self) -> bool:
        """Whether its satellites are visited or replaced."""
        return self.model("servicing") != "none"

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
    steps: int  # counted: of all windows, or of the whole run
    save_steps: int
    exchange_steps: int
    chunk_steps: int
    settling_chunks: int = 0  # before each window, of which only the state at their end counts
    duration_ms: int = 0  # calendar time that the counted steps stand for

    @property
    def step_s(self) -> float:
        """Length of a step. [s]"""
        return self.step_ms / 1000.0

    @property
    def grid_steps(self) -> int:
        """Steps from the end of a chunk that counts to that of the next, settling included."""
        return self.chunk_steps * (1 + self.settling_chunks)

    @property
    def simulated_steps(self) -> int:
        """Steps counted and steps of settling."""
        return self.steps * (1 + self.settling_chunks)


class Moment(NamedTuple):
    """Where a stretch of steps stands in the run, (), float64."""

    date_s: Any  # calendar time since the start of the run at which it begins
    flown_s: Any  # simulated time before it
    counted_s: Any  # calendar time that the windows before it stand for
    weight: Any  # calendar time that each of its seconds stands for; 0 while the satellites settle
    step_s: Any = None  # length of its steps; none for that of the schedule


def moment(schedule: Schedule, weight: Any, done: Any) -> Moment:
    """Moment at which `done` steps have been simulated.

    A chunk is a window in the middle of the stretch of `weight` times its length that it stands for, or leads up to
    one without a gap in time.
    """
    chunk_s = schedule.chunk_steps * schedule.step_s
    chunk, inside = divmod(done, schedule.chunk_steps)
    window, settled = divmod(chunk, schedule.settling_chunks + 1)
    left = schedule.settling_chunks - settled
    inside_s = inside * schedule.step_s
    skipped_s = (weight - 1.0) * (window + 0.5) * chunk_s
    return Moment(
        date_s=skipped_s + (window - left) * chunk_s + inside_s,
        flown_s=done * schedule.step_s,
        counted_s=weight * (window * chunk_s + inside_s),
        weight=weight * (left == 0),
    )


@jax.tree_util.register_static
@dataclass(frozen=True)
class Structure:
    """Everything static about a run."""

    cohorts: tuple[CohortStructure, ...]
    schedule: Schedule
    workload_model: str
    scheduler_model: str
    workload_values: int  # of an orbit's schedule, 0 without one
    atmosphere_model: str
    ground_network_model: str
    sites: tuple[str, ...]  # of the ground network
    failures: str  # "none", "expected" or "random"
    precision: str  # "float32" or "float64"
    tile: int  # satellites that a device runs at once
    devices: int  # that share the fleet
    block_schedule: str  # of a block's steps: "scan", "kernel", or "auto" until a run has measured both
    node_temperatures: bool


class Arrivals(NamedTuple):
    """Requests that arrive in each exchange interval, (exchange,); all 0 where nothing tells of requests.

    `requests` are whole numbers; tokens are means per request. Squared coefficients of variation: `arrival_scv` of the
    times between arrivals, `service_scv` of the times in service at full batches, `prompt_scv` of the prompts' lengths.
    """

    requests: Array
    prompt_tokens: Array
    output_tokens: Array
    arrival_scv: Array
    service_scv: Array
    prompt_scv: Array


def no_arrivals(shape: tuple[int, ...]) -> Arrivals:
    """Arrivals of which nothing tells."""
    return Arrivals(*(jnp.zeros(shape) for _ in Arrivals._fields))


class Environment(NamedTuple):
    """Series that depend on time alone, and the instant at which the run starts."""

    start_days: Array  # since J2000.0, UT, ()
    traced_flops: Array  # demand of the trace per exchange interval, (exchange,)
    arrivals: Arrivals
    lengths: Lengths  # of the requests of the whole trace; where nothing tells of them, of one token of output
    slow_weight: Array  # calendar time that each simulated second stands for, ()
    activity: Record  # solar and geomagnetic, on a grid of its own
    density: Table  # of the thermosphere
    seed: Array  # of all random draws, ()
