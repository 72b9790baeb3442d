"""From parameters to constants and the first state: once per run, float64, traced, so that gradients pass."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import accelerator, orbit, registry, sunlight
from kernels import battery as battery_kernel
from kernels import coolant_loop as loop_kernel
from kernels import mass_and_cost as mass
from kernels import power_bus as bus_kernel
from kernels import radiator as radiator_kernel
from kernels import solar_array as array_kernel
from kernels import workload as workload_kernel
from kernels.quantity import Optics
from kernels.thermal_network import Coefficients
from twin.state import State
from twin.structure import CohortParams, CohortStructure, Environment, Params, Structure


class Surfaces(NamedTuple):
    """Numbers of the surfaces, each tuple in the order of the topology; shared by all satellites."""

    normal: tuple[tuple[Array, Array, Array], ...]
    area_m2: tuple[Array, ...]
    optics: tuple[Optics, ...]
    open_fraction: tuple[Array, ...]  # of the hemisphere, not filled by another surface
    shared_m2: tuple[Array, ...]  # area times view factor to the partner


class Shared(NamedTuple):
    """Constants that all satellites of a cohort share: scalars and curves."""

    profiles: CohortParams
    network: Coefficients
    surfaces: Surfaces
    panel: array_kernel.Panel
    housekeeping_w: Array
    nominal_flops: Array  # one accelerator at its power cap
    failure_rate_per_s: Array
    slow_weight: Array
    carry_over: Array
    work: workload_kernel.Character


class Each(NamedTuple):
    """Constants per satellite."""

    elements: orbit.Elements
    rates: orbit.Rates
    present: Array  # 1, or 0 for padding


class Budget(NamedTuple):
    """Numbers for the summary that no step needs."""

    mass_kg: Array
    nominal_power_w: Array
    accelerators: Array
    limits: dict[str, Array]


class Cohort(NamedTuple):
    """A prepared cohort."""

    shared: Shared
    each: Each
    state: State
    budget: Budget


def prepare(structure: Structure, params: Params, environment: Environment) -> dict[str, Cohort]:
    """Constants, first state and budgets of every cohort, all float64."""
    return {
        cohort.name: _prepare_cohort(structure, cohort, params[cohort.name], environment)
        for cohort in structure.cohorts
    }


def _prepare_cohort(
    structure: Structure, cohort: CohortStructure, params: CohortParams, environment: Environment
) -> Cohort:
    panel, array_health = registry.call(array_kernel.panel, params["array"])
    charge, battery_health = registry.call(battery_kernel.first_charge, params["battery"])
    modules = registry.call(accelerator.module, params["accelerator"])
    network, surfaces = _network(cohort, params, panel, modules)
    operation = _nominal_operation(cohort, params)
    expected = 1.0 if structure.failures == "expected" else 0.0
    shared = Shared(
        profiles={slot: profile for slot, profile in params.items() if slot != "element_sets"},
        network=network,
        surfaces=surfaces,
        panel=panel,
        housekeeping_w=registry.call(bus_kernel.housekeeping, params["satellite"]),
        nominal_flops=accelerator.nominal_rate_flops(operation),
        failure_rate_per_s=expected * modules["failure_rate_per_year"] / orbit.const.YEAR_S,
        slow_weight=environment.slow_weight,
        carry_over=registry.call(workload_kernel.queue, params["workload"]),
        work=registry.call(workload_kernel.character, params["workload"]),
    )
    each = _orbits(cohort, params, environment)
    ones = each.present
    everywhere_k: Array = registry.call(mass.first_temperature, params["satellite"]) * ones
    state = State(
        temperature_k=dict.fromkeys(cohort.topology.nodes, everywhere_k),
        state_of_charge=charge * ones,
        backlog_flop=0.0 * ones,
        battery_health=battery_health * ones,
        array_health=array_health * ones,
        accelerators_alive=modules["count"] * ones,
    )
    budget = _budget(params, panel, modules, accelerator.nominal_power_w(operation))
    return Cohort(shared, each, state, budget)


def _nominal_operation(cohort: CohortStructure, params: CohortParams) -> accelerator.Operation:
    """An accelerator at full load whose plate is cold and whose die is at its reference temperature."""
    die_k = params["accelerator"]["leakage_reference_k"]
    work = registry.call(workload_kernel.character, params["workload"])
    model = registry.models("accelerator")[cohort.model("accelerator")]
    return registry.call(
        model, params["accelerator"], die_k, 0.5 * die_k, jnp.ones(()), work.power_intensity, work.work_efficiency
    )


def _orbits(cohort: CohortStructure, params: CohortParams, environment: Environment) -> Each:
    """Mean elements of every satellite at the start of the run, and their secular rates."""
    ones = jnp.ones(cohort.satellites)
    if cohort.model("orbit") == "element_sets":
        sets = params["element_sets"]
        axis = orbit.brouwer_axis_m(sets["mean_motion_rad_per_s"], sets["eccentricity"], sets["inclination_rad"])
        rates = orbit.secular_rates(axis, sets["eccentricity"], sets["inclination_rad"])._replace(
            mean_anomaly_rad_per_s=sets["mean_motion_rad_per_s"],
            mean_anomaly_rad_per_s2=sets["mean_motion_rate_rad_per_s2"],
        )
        names = ("eccentricity", "inclination_rad", "node_rad", "argument_of_perigee_rad", "mean_anomaly_rad")
        radius_factor = orbit.mean_radius_factor(axis, sets["eccentricity"], sets["inclination_rad"])
        at_epoch = orbit.Elements(axis * radius_factor, *(sets[name] for name in names))
        elements = orbit.advance(at_epoch, rates, sets["age_s"])
        later = rates.mean_anomaly_rad_per_s + rates.mean_anomaly_rad_per_s2 * sets["age_s"]
        return Each(elements, rates._replace(mean_anomaly_rad_per_s=later), ones)
    mean_sun = sunlight.mean_longitude_rad(environment.start_days)
    plane = registry.call(registry.models("orbit")[cohort.model("orbit")], params["orbit"], mean_sun)
    index = jnp.arange(cohort.satellites, dtype=ones.dtype)
    pattern = registry.models("constellation")[cohort.model("constellation")]
    elements = registry.call(pattern, params["constellation"], index, cohort.satellites, plane)
    rates = orbit.secular_rates(elements.semi_major_axis_m, elements.eccentricity, elements.inclination_rad)
    return Each(
        orbit.Elements(*(leaf * ones for leaf in elements)), orbit.Rates(*(leaf * ones for leaf in rates)), ones
    )


def _network(
    cohort: CohortStructure, params: CohortParams, panel: array_kernel.Panel, modules: Mapping[str, Array]
) -> tuple[Coefficients, Surfaces]:
    """Numbers of the thermal network: its own, plus those of the components that its ports carry."""
    own, topology, ports = params["thermal_network"], cohort.topology, cohort.ports
    radiator = registry.call(radiator_kernel.panel, params["radiator"])
    loop = registry.call(
        loop_kernel.filling, params["coolant_loop"], params["coolant_loop"]["specific_heat_j_per_kg_k"]
    )
    _, battery_capacity = registry.call(battery_kernel.pack_mass, params["battery"], params["battery"]["energy_j"])
    body = registry.call(mass.structure, params["satellite"])

    capacity = [jnp.asarray(own["nodes"][node]["heat_capacity_j_per_k"]) for node in topology.nodes]
    for nodes, added in (
        (ports.accelerator, modules["heat_capacity_j_per_k"]),
        (ports.cold_plate, modules["plate_heat_capacity_j_per_k"]),
        (ports.coolant, loop["heat_capacity_j_per_k"]),
        (ports.radiator, radiator.heat_capacity_j_per_k),
        (ports.bus, body["heat_capacity_j_per_k"]),
        (ports.battery, battery_capacity),
        (ports.array, panel.heat_capacity_j_per_k),
    ):
        for node in nodes:
            capacity[node] = capacity[node] + added / len(nodes)

    chips = params["accelerator"]["count"] / params["accelerator"]["junction_resistance_k_per_w"]
    conductance = tuple(
        own["couplings"][name]["conductance_w_per_k"] + (chips if component == "accelerator" else 0.0)
        for name, component in zip(cohort.coupling_names, cohort.coupling_components, strict=True)
    )
    surfaces = _surfaces(cohort, params, panel, radiator, body["face_area_m2"])
    emission, exchange = _emission(cohort, surfaces)
    numbers = Coefficients(
        heat_capacity_j_per_k=tuple(capacity),
        conductance_w_per_k=conductance,
        exchange_m2=tuple(own["radiative"][name]["exchange_m2"] for name in cohort.radiative_names) + exchange,
        boundary_conductance_w_per_k=tuple(own["boundaries"][n]["conductance_w_per_k"] for n in cohort.boundary_names),
        boundary_temperature_k=tuple(own["boundaries"][n]["temperature_k"] for n in cohort.boundary_names),
        emission_m2=emission,
    )
    return numbers, surfaces


def _surfaces(
    cohort: CohortStructure,
    params: CohortParams,
    panel: array_kernel.Panel,
    radiator: radiator_kernel.Radiator,
    face_area_m2: Array,
) -> Surfaces:
    """Area, normal and optics of every surface, taken from the component that owns it or from the network."""
    own = params["thermal_network"]["surfaces"]
    cell = registry.call(array_kernel.cell_optics, params["solar_cell"])
    covered = panel.packing_fraction
    front = Optics(covered * cell.absorptivity + (1.0 - covered) * panel.substrate_absorptivity, cell.emissivity)
    component_optics = {
        "solar_cell": front,
        "array_rear": panel.rear,
        "coating": registry.call(radiator_kernel.aged_optics, params["coating"]),
    }
    # A fin that is colder than the fluid radiates less and absorbs less: it acts as a smaller face.
    radiating_m2 = radiator.area_m2 * radiator.fin_efficiency
    component_area = {
        "array": panel.area_m2,
        "radiator": radiating_m2,
        "radiator_second_face": radiating_m2 * radiator.second_face_fraction,
        "bus": face_area_m2,
        "": jnp.ones(()),
    }
    normals, areas, optics = [], [], []
    for surface, (optics_of, area_of) in zip(cohort.topology.surfaces, cohort.surface_optics, strict=True):
        numbers = own[surface.name]
        normals.append((numbers["normal_x"], numbers["normal_y"], numbers["normal_z"]))
        areas.append(component_area[area_of] * numbers["area_share"])
        optics.append(component_optics.get(optics_of) or Optics(numbers["absorptivity"], numbers["emissivity"]))
    shared_m2 = _shared_views_m2(cohort, areas, [own[s.name]["blocked_fraction"] for s in cohort.topology.surfaces])
    return Surfaces(
        tuple(normals), tuple(areas), tuple(optics), _open_fractions(cohort, areas, shared_m2), tuple(shared_m2)
    )


def _shared_views_m2(cohort: CohortStructure, area_m2: list[Array], blocked: list[Array]) -> list[Array]:
    """Area times view factor that each surface shares with its partner; no partner gives more view than it has."""
    surfaces = cohort.topology.surfaces
    wanted = [
        area * jnp.asarray(fraction) * (1.0 if surface.partner else 0.0)
        for surface, area, fraction in zip(surfaces, area_m2, blocked, strict=True)
    ]
    claims = {surface.name: jnp.zeros(()) for surface in surfaces}
    for surface, area in zip(surfaces, wanted, strict=True):
        if surface.partner:
            claims[surface.partner] = claims[surface.partner] + area
    whole = {surface.name: area for surface, area in zip(surfaces, area_m2, strict=True)}
    return [
        area * jnp.minimum(1.0, whole[surface.partner] / jnp.maximum(claims[surface.partner], 1e-9))
        if surface.partner
        else area
        for surface, area in zip(surfaces, wanted, strict=True)
    ]


def _open_fractions(cohort: CohortStructure, area_m2: list[Array], shared_m2: list[Array]) -> tuple[Array, ...]:
    """Part of each surface's hemisphere that sees space and the Earth, neither its partner nor whoever it partners.

    Direct light is not reduced: behind a Sun-pointing array there is none to block.
    """
    surfaces = cohort.topology.surfaces
    hidden = dict(zip((surface.name for surface in surfaces), shared_m2, strict=True))
    for surface, area in zip(surfaces, shared_m2, strict=True):
        if surface.partner:
            hidden[surface.partner] = hidden[surface.partner] + area
    return tuple(
        1.0 - hidden[surface.name] / jnp.maximum(area, 1e-9) for surface, area in zip(surfaces, area_m2, strict=True)
    )


def _emission(cohort: CohortStructure, surfaces: Surfaces) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Emitting area per node, and the exchange areas between surfaces that block each other's view.

    Reflections between the two are left out, below (1 - emissivity) of the exchange. The exchange areas stand in
    `topology.radiative` after the network's own.
    """
    topology = cohort.topology
    by_name = {surface.name: k for k, surface in enumerate(topology.surfaces)}
    emission = [jnp.zeros(()) for _ in topology.nodes]
    exchange = []
    for k, surface in enumerate(topology.surfaces):
        radiating_m2 = surfaces.optics[k].emissivity * surfaces.open_fraction[k] * surfaces.area_m2[k]
        for node in surface.nodes:
            emission[node] = emission[node] + radiating_m2 / len(surface.nodes)
        if surface.partner is None:
            continue
        other = by_name[surface.partner]
        pairs = len(surface.nodes) * len(topology.surfaces[other].nodes)
        both = surfaces.optics[k].emissivity * surfaces.optics[other].emissivity * surfaces.shared_m2[k]
        exchange += [both / pairs] * pairs
    return tuple(emission), tuple(exchange)


def _budget(
    params: CohortParams, panel: array_kernel.Panel, modules: Mapping[str, Array], nominal_power_w: Array
) -> Budget:
    """Mass, nominal power and limits of one satellite."""
    radiator = registry.call(radiator_kernel.panel, params["radiator"])
    loop = registry.call(
        loop_kernel.filling, params["coolant_loop"], params["coolant_loop"]["specific_heat_j_per_kg_k"]
    )
    pack_kg, _ = registry.call(battery_kernel.pack_mass, params["battery"], params["battery"]["energy_j"])
    cell_kg_per_m2 = registry.call(array_kernel.cell_mass, params["solar_cell"])
    body = registry.call(mass.structure, params["satellite"])
    array_kg = panel.area_m2 * (panel.areal_mass_kg_per_m2 + panel.packing_fraction * cell_kg_per_m2)
    power_w = modules["count"] * nominal_power_w
    converters_kg = registry.call(bus_kernel.converter_mass, params["power_bus"], power_w)
    components = (
        array_kg + pack_kg + modules["mass_kg"] + radiator.mass_kg + loop["mass_kg"] + body["mass_kg"] + converters_kg
    )
    return Budget(
        mass_kg=mass.dry_mass_kg(components, body["structure_fraction"], body["margin_fraction"]),
        nominal_power_w=power_w,
        accelerators=modules["count"],
        limits=_limits(params, radiator, loop),
    )


def _limits(params: CohortParams, radiator: radiator_kernel.Radiator, loop: Mapping[str, Array]) -> dict[str, Array]:
    """Limits against which the report states margins."""
    numbers: dict[str, Any] = {
        "max_accelerator_temperature_k": params["accelerator"]["max_temperature_k"],
        "max_battery_temperature_k": params["battery"]["max_temperature_k"],
        "min_battery_temperature_k": params["battery"]["min_charge_temperature_k"],
        "max_radiator_temperature_k": radiator.max_temperature_k,
        "max_coolant_temperature_k": loop["max_temperature_k"],
        "min_coolant_temperature_k": jnp.maximum(loop["min_temperature_k"], radiator.min_temperature_k),
        "min_state_of_charge": params["battery"]["reserve_fraction"],
    }
    return {name: jnp.asarray(number) for name, number in numbers.items()}
