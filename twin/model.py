"""From a validated configuration to structure, parameters and environment: every number becomes a float64 array."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernels import orbit, registry
from kernels.constants import EARTH_RADIUS_M
from kernels.quantity import PRINTED, PRINTED_MOST
from kernels.serving import Lengths
from kernels.thermal_network import Surface, Topology
from twin import processes
from twin.conf_path import conf_dir
from twin.config import (
    COHORT_SLOTS,
    FLEET_SLOTS,
    PORTS,
    CohortConfig,
    Config,
    ConfigError,
)
from twin.cross_checks import massless
from twin.inputs import arrivals, element_sets, particle_fluence, thermosphere
from twin.inputs.data_files import find
from twin.prepare import prepare
from twin.schema import Distributed, Face, ThermalNetwork
from twin.structure import (
    CohortParams,
    CohortStructure,
    Environment,
    Params,
    Ports,
    Schedule,
    Structure,
    moment,
    no_arrivals,
)
from twin.surfaces import exchange_links

# 2000-01-01T12:00:00 in milliseconds since 1970-01-01T00:00:00, without leap seconds.
J2000_MS = 946_728_000_000
DAY_MS = 86_400_000
CACHED_TILE = 128  # satellites whose step stays in a core's cache, and in one thread of XLA
SERIES = ("trace", "daily")  # models of workload whose demand is a series of the host's making
LOWEST_PERIGEE_M = 1.0e5  # below it no satellite completes an orbit


@dataclass(frozen=True)
class Catalogue:
    """Names and NORAD numbers (0: none) of a cohort's satellites."""

    names: tuple[str, ...]
    norad_ids: tuple[int, ...]


class Model(NamedTuple):
    """A built run: static structure, numbers by cohort, time series; names and remarks for people."""

    structure: Structure
    params: Params
    environment: Environment
    catalogue: dict[str, Catalogue]
    notes: tuple[str, ...]


def build(config: Config) -> Model:
    """Structure, parameters and environment of a run; ConfigError when a data file is refused."""
    use_devices(config.distributed)
    cohorts, params, catalogue, notes = [], {}, {}, []
    fleet: dict[str, Any] = {slot: numbers_of(slot, getattr(config, slot)) for slot in FLEET_SLOTS}
    fleet["ground_network"]["sites"] = _by_name(config.ground_network.sites)
    for cohort in config.cohorts:
        check_plane(cohort.profiles["orbit"])
        own, names, remarks = _cohort_params(config, cohort)
        params[cohort.name] = {**own, **fleet}
        catalogue[cohort.name] = names
        notes += remarks
        cohorts.append(_cohort_structure(cohort, len(names.names)))
    devices, tile = _layout(config.distributed, sum(cohort.satellites for cohort in cohorts))
    structure = Structure(
        cohorts=tuple(cohorts),
        schedule=_schedule(config),
        workload_model=config.workload.model,
        scheduler_model=config.scheduler.model,
        workload_values=len(getattr(config.workload, "schedule", ())),
        atmosphere_model=config.atmosphere.model,
        ground_network_model=config.ground_network.model,
        sites=tuple(config.ground_network.sites),
        failures=config.failures,
        precision=config.precision.dtype,
        tile=tile,
        devices=devices,
        block_schedule=_block_schedule(config),
        node_temperatures=config.output.node_temperatures,
    )
    environment = Environment(
        start_days=jnp.asarray((config.time.start_ms - J2000_MS) / DAY_MS, dtype=jnp.float64),
        traced_flops=jnp.zeros(intervals(structure.schedule)),
        arrivals=no_arrivals((intervals(structure.schedule),)),
        lengths=Lengths(jnp.zeros(()), jnp.ones(())),
        slow_weight=jnp.asarray(_slow_weight(structure.schedule), dtype=jnp.float64),
        activity=thermosphere.activity(config.atmosphere),
        density=thermosphere.density(),
        seed=jnp.asarray(config.seed, dtype=jnp.int64),
    )
    start_days, activity = float(environment.start_days), environment.activity
    notes += thermosphere.remarks(config.atmosphere, activity, start_days, config.time.duration_s)
    notes += _unheard(config)
    if config.workload.model in SERIES:
        environment, remarks = _with_demand(config, structure, params, environment)
        notes += remarks
    return Model(structure, params, environment, catalogue, tuple(notes))


def _unheard(config: Config) -> list[str]:
    """A remark where terminals towards the ground have nobody there to send to."""
    kinds = {cohort.profiles["downlink"].model for cohort in config.cohorts}
    if config.ground_network.model != "none" or kinds == {"none"}:
        return []
    return ["no ground_network is chosen: of the downlink, mass and power count, and nothing is sent"]


def use_devices(distributed: Distributed) -> None:
    """Choose the platform before JAX does, and meet the other processes; ConfigError where devices are missing.

    Every core of a CPU is a device of its own, unless XLA_FLAGS says how many there are.
    """
    if distributed.platform != "auto":
        jax.config.update("jax_platforms", distributed.platform)
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):  # JAX has started already, with the devices that it has
            jax.config.update("jax_num_cpu_devices", cores())
    processes.begin(distributed)
    try:
        found = len(processes.devices())
    except (RuntimeError, AssertionError):
        raise ConfigError(f"distributed.platform = {distributed.platform!r}: JAX finds no such device here") from None
    if distributed.platform not in ("auto", jax.default_backend().replace("gpu", "cuda")):
        raise ConfigError(
            f"distributed.platform = {distributed.platform!r}: this process already runs on {jax.default_backend()!r}"
        )
    where, many = f"distributed.devices = {distributed.devices}", processes.count()
    if distributed.devices > found:
        raise ConfigError(f"{where}: {'this machine has' if many == 1 else 'there are'} {found}; 0 takes all")
    if distributed.devices % many:
        raise ConfigError(f"{where}: must be a multiple of the number of processes, {many}; 0 takes all")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _layout(distributed: Distributed, satellites: int) -> tuple[int, int]:
    """Devices that share the fleet, equally many of each process, and satellites that each device runs at once."""
    found, many = len(processes.devices()), processes.count()
    devices = distributed.devices or min(found, many * max(satellites // (many * CACHED_TILE), 1))
    on_cpu = jax.default_backend() == "cpu"
    return devices, distributed.tile or (CACHED_TILE if on_cpu else -(-satellites // devices))


def _block_schedule(config: Config) -> str:
    """How the steps of a block run; what is left open stays so only where there is something to measure."""
    chosen = config.distributed.schedule
    no_kernel = jax.default_backend() == "cpu" or config.precision.dtype != "float32"
    return "scan" if chosen == "auto" and no_kernel else chosen


_synchronous_rad = jax.jit(orbit.sun_synchronous_inclination_rad)


def check_plane(plane: Any) -> None:
    """ConfigError for an orbit that meets the Earth, or a Sun-synchronous one where none exists."""
    if plane.model == "element_sets":
        return
    axis_m = EARTH_RADIUS_M + plane.altitude_m
    perigee_m = axis_m * (1.0 - plane.eccentricity) - EARTH_RADIUS_M
    if perigee_m < LOWEST_PERIGEE_M:
        raise ConfigError(
            f"orbit.eccentricity = {plane.eccentricity:g}: puts the perigee at {perigee_m / 1e3:.0f} km with "
            f"orbit.altitude_m = {plane.altitude_m:g}; must be at least {LOWEST_PERIGEE_M / 1e3:.0f} km"
        )
    if plane.model == "sun_synchronous" and isnan(_synchronous_rad(axis_m, plane.eccentricity)):
        raise ConfigError(
            f"orbit.altitude_m = {plane.altitude_m:g}: no Sun-synchronous orbit exists there, only below "
            "about 5.97e6 m; choose a lower one, or an orbit with its own inclination"
        )


def intervals(schedule: Schedule) -> int:
    """Exchange intervals of a run, the last one perhaps shorter."""
    return -(-schedule.simulated_steps // schedule.exchange_steps)


def _schedule(config: Config) -> Schedule:
    time = config.time
    step = time.step_s
    steps = round(time.duration_s / step)
    exchange = min(round(time.exchange_s / step), steps)
    save = round(time.save_every_s / step)
    nest = max(save, exchange)
    chunk = max(round(time.chunk_s / step) // nest, 1) * nest
    return Schedule(
        step_ms=round(step * 1000),
        steps=steps if time.weight == 1 else -(-steps // (time.weight * chunk)) * chunk,
        save_steps=save,
        exchange_steps=exchange,
        chunk_steps=chunk,
        settling_chunks=round(time.settle_s / step) // chunk,
        duration_ms=round(time.duration_s * 1000),
    )


def _slow_weight(schedule: Schedule) -> float:
    """Calendar time over simulated time: `time.weight`, or less, so that equal stretches fill the duration."""
    return schedule.duration_ms / (schedule.steps * schedule.step_ms)


def _with_demand(
    config: Config, structure: Structure, params: Params, environment: Environment
) -> tuple[Environment, list[str]]:
    """The environment with the demand of a series, scaled to capacity unless told otherwise, and remarks."""
    schedule = structure.schedule
    interval_s = schedule.exchange_steps * schedule.step_s
    whole = -(-schedule.duration_ms // (schedule.exchange_steps * schedule.step_ms))
    start_s = config.time.start_ms % DAY_MS / 1000.0
    try:
        source = arrivals.of_workload(config.workload, interval_s, whole, config.seed, conf_dir() / "data", start_s)
    except ConfigError as error:
        named = config.workload.model == "daily" or str(error).startswith("workload.")
        where = "" if named else f"workload.file = {config.workload.file!r}: "
        raise ConfigError(f"{where}{error}") from None
    environment = environment._replace(lengths=source.lengths)
    demand = arrivals.scaled(source, config.workload, _capacity_flops(structure, params, environment))

    def simulated(calendar: np.ndarray) -> np.ndarray:
        return _in_windows(calendar, schedule, float(environment.slow_weight))

    environment = environment._replace(traced_flops=jnp.asarray(simulated(demand.flops), dtype=jnp.float64))
    if demand.sums is None:
        return environment, demand.notes
    told = arrivals.of_sums(arrivals.Sums._make(map(simulated, demand.sums)))
    return environment._replace(arrivals=told), demand.notes


def _capacity_flops(structure: Structure, params: Params, environment: Environment) -> float:
    """Nominal work rate of the fleet; ConfigError where no replica of what it serves fits a satellite."""
    prepared = jax.jit(prepare, static_argnums=0)(structure, params, environment)
    for name, cohort in prepared.items():
        most, replica = float(cohort.budget.accelerators), float(params[name]["workload"]["accelerators_per_replica"])
        if replica > most:
            raise ConfigError(
                f"workload.accelerators_per_replica = {replica:g}: a satellite of {name} has {most:g} accelerators; "
                "choose a smaller served model, such as workload/serving=h100_llama_8b, or more accelerators"
            )
    return sum(
        float(prepared[c.name].shared.nominal_flops * prepared[c.name].budget.accelerators) * c.satellites
        for c in structure.cohorts
    )


def _in_windows(demand: np.ndarray, schedule: Schedule, weight: float) -> np.ndarray:
    """Of what the calendar holds per exchange interval, the mean in each that is simulated."""
    interval_s = schedule.exchange_steps * schedule.step_s
    from_s = moment(schedule, weight, np.arange(intervals(schedule)) * schedule.exchange_steps).date_s
    summed = np.concatenate([[0.0], np.cumsum(demand)])
    begin, end = (np.interp(s / interval_s, np.arange(summed.size), summed) for s in (from_s, from_s + interval_s))
    return end - begin


def numbers_of(slot: str, profile: Any) -> dict[str, Array]:
    """Every number of a profile as a float64 array, under its own name.

    Printed columns are filled up in front with their first value, so that a longer table is no other shape.
    """
    schema = registry.schema(slot, getattr(profile, "model", None))
    numbers = {}
    for name, parameter in schema.items():
        number = getattr(profile, name)
        if parameter.quantity.knots == PRINTED:
            number = [number[0]] * (PRINTED_MOST - len(number)) + list(number)
        numbers[name] = jnp.asarray(number, dtype=jnp.float64)
    return numbers


def _cohort_params(config: Config, cohort: CohortConfig) -> tuple[CohortParams, Catalogue, list[str]]:
    params: CohortParams = {slot: numbers_of(slot, cohort.profiles[slot]) for slot in COHORT_SLOTS}
    params["thermal_network"] = _network_numbers(cohort.thermal_network)
    params["particle_fluence"] = particle_fluence.read(cohort.profiles["solar_cell"].damage_material)
    pattern = cohort.profiles["constellation"]
    if pattern.model != "element_sets":
        count = pattern.satellites
        return params, Catalogue(tuple(f"{cohort.name}-{k}" for k in range(count)), (0,) * count), []
    try:
        sets = element_sets.read(find(pattern.file, conf_dir() / "data"), config.time.start_ms, pattern.subset)
    except ConfigError as error:
        raise ConfigError(f"constellation.file = {pattern.file!r}: {error}") from None
    params["element_sets"] = {name: jnp.asarray(values, dtype=jnp.float64) for name, values in sets.arrays().items()}
    return params, Catalogue(sets.names, sets.norad_ids), _element_notes(sets)


def _element_notes(sets: element_sets.ElementSets) -> list[str]:
    notes = [f"{len(sets.names)} element sets read"]
    if sets.dropped:
        notes.append(f"{len(sets.dropped)} dropped, decayed at the start: {_some(sets.dropped)}")
    if sets.stale:
        notes.append(f"{len(sets.stale)} more than 30 days from their epoch, kept: {_some(sets.stale)}")
    return notes


def _some(words: tuple[str, ...], most: int = 5) -> str:
    return "; ".join(words[:most]) + ("; ..." if len(words) > most else "")


def _network_numbers(network: ThermalNetwork) -> dict[str, Any]:
    """Numbers of the thermal network by dotted path, such as couplings.battery_to_bus.conductance_w_per_k."""
    kinds = ("nodes", "couplings", "radiative", "boundaries", "surfaces")
    return {kind: _by_name(getattr(network, kind)) for kind in kinds}


def _by_name(values: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """Numbers of named parts, each a validated model."""
    return {
        name: {
            key: jnp.asarray(value, dtype=jnp.float64)
            for key, value in item.model_dump().items()
            if isinstance(value, float) and not isinstance(value, bool)
        }
        for name, item in values.items()
    }


def _opposites(faces: Sequence[Face]) -> list[int | None]:
    """For each surface an earlier one that faces exactly the other way, if there is one that has none itself."""
    opposites: list[int | None] = []
    for face in faces:
        away = (-face.normal_x, -face.normal_y, -face.normal_z)
        found = (
            j
            for j, other in enumerate(faces[: len(opposites)])
            if opposites[j] is None
            and other.frame == face.frame
            and (other.normal_x, other.normal_y, other.normal_z) == away
        )
        opposites.append(next(found, None))
    return opposites


def _cohort_structure(cohort: CohortConfig, satellites: int) -> CohortStructure:
    network = cohort.thermal_network
    nodes = tuple(network.nodes)
    at = {node: i for i, node in enumerate(nodes)}
    on_bus = network.ports.get("bus", [])  # where a component without a port of its own sits
    faces = list(network.surfaces.values())
    surfaces = tuple(
        Surface(name, tuple(at[n] for n in face.nodes), face.frame, face.partner, opposite)
        for name, face, opposite in zip(network.surfaces, faces, _opposites(faces), strict=True)
    )
    flows = tuple(
        (at[a], at[b], flow.branch) for flow in network.flows for a, b in zip(flow.path, flow.path[1:], strict=False)
    )
    panels = {at[node] for node in network.ports.get("radiator", [])}
    topology = Topology(
        nodes=nodes,
        conductive=tuple((at[c.from_], at[c.to]) for c in network.couplings.values()),
        radiative=(*((at[c.from_], at[c.to]) for c in network.radiative.values()), *exchange_links(surfaces)),
        flows=flows,
        boundaries=tuple(at[b.node] for b in network.boundaries.values()),
        surfaces=surfaces,
        swept=tuple(k for k, (_, down, branch) in enumerate(flows) if branch == "radiator" and down in panels),
        massless=tuple(at[node] for node in massless(network)),
    )
    models = {slot: getattr(cohort.profiles[slot], "model", "") for slot in COHORT_SLOTS}
    return CohortStructure(
        name=cohort.name,
        satellites=satellites,
        models=tuple(models.items()),
        topology=topology,
        ports=Ports(**{port: tuple(at[n] for n in network.ports.get(port) or on_bus) for port in PORTS}),
        coupling_names=tuple(network.couplings),
        radiative_names=tuple(network.radiative),
        boundary_names=tuple(network.boundaries),
        coupling_components=tuple(c.component for c in network.couplings.values()),
        surface_optics=tuple((face.optics, face.area_of) for face in network.surfaces.values()),
    )
