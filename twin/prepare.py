"""From parameters to constants and the first state: once per run, float64, traced, so that gradients pass."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernels import (
    accelerator,
    battery_ageing,
    cell_damage,
    failures,
    orbit,
    propulsion,
    radiation,
    registry,
    serving,
    solar_cell,
    sunlight,
)
from kernels import battery as battery_kernel
from kernels import coolant_loop as loop_kernel
from kernels import mass_and_cost as mass
from kernels import radiator as radiator_kernel
from kernels import solar_array as array_kernel
from kernels import workload as workload_kernel
from kernels.quantity import Character
from kernels.serving import Lengths
from kernels.thermal_network import Coefficients
from twin.budget import Budget, essential_w
from twin.budget import budget as build_budget
from twin.drag import life_mean_force_n
from twin.state import UNDONE, Servicing, Slow, State, Work
from twin.structure import CohortParams, CohortStructure, Environment, Params, Profile, Structure
from twin.surfaces import Surfaces, emission
from twin.surfaces import surfaces as build_surfaces

# Parameters that are read once here and that no step needs.
DATA_SLOTS = ("element_sets", "particle_fluence")


LEAST = 1e-3  # accelerators that always conduct: without any their node would hang on nothing


class Shared(NamedTuple):
    """Constants that all satellites of a cohort share: scalars and curves."""

    profiles: CohortParams
    network: Coefficients
    surfaces: Surfaces
    panel: array_kernel.Panel
    housekeeping_w: Array  # with that of the terminals of links
    nominal_flops: Array  # one accelerator at its power cap
    expected: Array  # 1 where failures are an expected rate, else 0
    upsets: failures.Upsets
    dry_mass_kg: Array
    propellant_kg: Array  # on board at launch
    disposal_kg: Array  # propellant that is kept for the disposal
    coating_ageing_per_s: Array  # in sunlight
    waiting_rules: workload_kernel.WaitingRules
    product_bit_per_flop: Array  # results that work leaves to be sent down
    data_store_bit: Array
    work: Character


class Each(NamedTuple):
    """Constants per satellite."""

    elements: orbit.Elements
    rates: orbit.Rates
    forced_eccentricity: Array  # by J3, where the elements leave it out
    fluence: cell_damage.FluenceRate  # of 1 MeV electrons that age the cells alike
    field: radiation.Field
    anomaly: radiation.Anomaly
    random_key: Array  # start of the satellite's own random numbers
    present: Array  # 1, or 0 for padding


class Cohort(NamedTuple):
    """A prepared cohort."""

    shared: Shared
    each: Each
    state: State
    slow: Slow
    work: Work
    servicing: Servicing | None  # where nothing is renewed there is no account of it
    budget: Budget
    slow_weight: Array  # of the run


def prepare(structure: Structure, params: Params, environment: Environment) -> dict[str, Cohort]:
    """Constants, first state and budgets of every cohort, all float64."""
    return {
        cohort.name: _prepare_cohort(structure, cohort, params[cohort.name], environment)
        for cohort in structure.cohorts
    }


def _prepare_cohort(
    structure: Structure, cohort: CohortStructure, params: CohortParams, environment: Environment
) -> Cohort:
    params = {**params, "coolant_loop": _operating_loop(params["coolant_loop"])}
    panel = registry.call(array_kernel.panel, params["array"])
    modules = registry.call(accelerator.module, params["accelerator"])
    network, surfaces = _network(cohort, params, panel, modules)
    work = character(params, environment.lengths)
    operation = _nominal_operation(cohort, params, work)
    each = _orbits(structure, cohort, params, environment)
    plan = registry.call(propulsion.plan, params["station_keeping"])
    drag_n = life_mean_force_n(structure, cohort, params, surfaces, each.elements, each.rates, environment, plan.life_s)
    radius_m = jnp.mean(each.elements.semi_major_axis_m)
    budget = build_budget(params, panel, accelerator.nominal_power_w(operation), drag_n, radius_m)
    shared = Shared(
        profiles={slot: profile for slot, profile in params.items() if slot not in DATA_SLOTS},
        network=network,
        surfaces=surfaces,
        panel=panel,
        housekeeping_w=essential_w(params),
        nominal_flops=accelerator.nominal_rate_flops(operation),
        expected=jnp.asarray(1.0 if structure.failures == "expected" else 0.0),
        upsets=_upsets(structure, params),
        dry_mass_kg=budget.mass_kg - budget.parts_kg["propellant"],
        propellant_kg=budget.parts_kg["propellant"],
        disposal_kg=budget.disposal_kg,
        coating_ageing_per_s=registry.call(radiator_kernel.ageing_rate_per_s, params["coating"]),
        waiting_rules=registry.call(workload_kernel.waiting_rules, params["workload"]),
        product_bit_per_flop=_product_bit_per_flop(params["workload"], environment),
        data_store_bit=registry.call(workload_kernel.store, params["workload"]),
        work=work,
    )
    state, slow = _first(cohort, params, each, budget)
    servicing = _first_servicing(slow) if cohort.serviced else None
    none_done = Work(*(jnp.zeros_like(each.present) for _ in Work._fields))
    return Cohort(shared, each, state, slow, none_done, servicing, budget, environment.slow_weight)


def _first(cohort: CohortStructure, params: CohortParams, each: Each, budget: Budget) -> tuple[State, Slow]:
    """State and slow variables at the start of the run, every satellite alike but for the dose of its orbit."""
    ones = each.present
    charge = registry.call(battery_kernel.first_charge, params["battery"]) * ones
    everywhere_k: Array = registry.call(mass.first_temperature, params["satellite"]) * ones
    state = State(
        temperature_k=dict.fromkeys(cohort.topology.nodes, everywhere_k),
        rise_k=dict.fromkeys(cohort.sensed, 0.0 * ones),
        state_of_charge=charge,
        charge_rise=0.0 * ones,
        cycle_top=charge,
    )
    cycle_loss, calendar_square = registry.call(battery_ageing.first_losses, params["battery"])
    age_s = registry.call(failures.first_age_s, params["reliability"])
    at_zero = (
        "accelerators_younger_s",
        "drag_delta_v_m_per_s",
        "semi_major_axis_loss_m",
        "phase_lead_rad",
        "node_lead_rad",
    )
    slow = Slow(
        battery_cycle_loss=cycle_loss * ones,
        battery_calendar_square=calendar_square * ones,
        electron_fluence_per_m2=age_s * 0.5 * sum(each.fluence),
        accelerators_alive=params["accelerator"]["count"] * ones,
        propellant_kg=budget.parts_kg["propellant"] * ones,
        coating_life_fraction=params["coating"]["life_fraction"] * ones,
        age_s=age_s * ones,
        dose_gy=age_s * sum(radiation.dose_rate(each.field, 0.5)),
        **dict.fromkeys((*at_zero, *failures.UPSETS), 0.0 * ones),
    )
    return state, slow


def _first_servicing(slow: Slow) -> Servicing:
    """The account of servicing at the start of the run; satellites take their turns in the order of their places."""
    zero, count = jnp.zeros_like(slow.age_s), slow.age_s.size
    given = {
        "turn": 1.0 - jnp.arange(count, dtype=zero.dtype) / count,
        "launched_s": -slow.age_s,
        "undone": dict.fromkeys((*UNDONE, "array_health"), zero),
    }
    return Servicing(**{name: given.get(name, zero) for name in Servicing._fields})


def _operating_loop(loop: Profile) -> Profile:
    """The loop's profile with flow and pressure where its pump runs, instead of those it was designed for."""
    design = loop["mass_flow_kg_per_s"], loop["pressure_drop_pa"]
    return loop | registry.call(loop_kernel.operating_point, loop, *design)


def character(params: CohortParams, lengths: Lengths) -> Character:
    """What the work makes of an accelerator.

    Where requests are served, slots and times were measured at the highest clock: the rate that they say is its own.
    """
    profile, chip = params["workload"], params["accelerator"]
    if "slots_per_replica" not in profile:
        return registry.call(workload_kernel.character, profile, registry.call(workload_kernel.efficiency, profile))
    served = registry.call(serving.service, profile, jnp.ones(()), *lengths)
    rate_flops = serving.full_rate_flops(served, profile["work_flop_per_token"] * sum(lengths))
    efficiency = rate_flops / (chip["peak_flops"] * chip["max_clock_fraction"])
    return registry.call(workload_kernel.character, profile, efficiency)


def _nominal_operation(cohort: CohortStructure, params: CohortParams, work: Character) -> accelerator.Operation:
    """An accelerator at full load whose plate is cold and whose die is at its reference temperature."""
    die_k = params["accelerator"]["leakage_reference_k"]
    model = registry.models("accelerator")[cohort.model("accelerator")]
    return registry.call(model, params["accelerator"], die_k, 0.5 * die_k, jnp.ones(()), work)


def _product_bit_per_flop(profile: Profile, environment: Environment) -> Array:
    """Results of work, by work done and by tokens put out, of which an operation brings as many all through a trace."""
    of_token_flop, (prompt, output) = profile.get("work_flop_per_token", 0.0), environment.lengths
    tokens_per_flop = jnp.where(of_token_flop > 0.0, output / (prompt + output) / jnp.maximum(of_token_flop, 1.0), 0.0)
    return registry.call(serving.product_bit, profile, jnp.ones(()), tokens_per_flop)


def _upsets(structure: Structure, params: CohortParams) -> failures.Upsets:
    """Upsets per gray, none without failures."""
    happen = 0.0 if structure.failures == "none" else 1.0
    return jax.tree.map(lambda rate: happen * rate, registry.call(failures.upsets, params["reliability"]))


def _orbits(structure: Structure, cohort: CohortStructure, params: CohortParams, environment: Environment) -> Each:
    """What is each satellite's own: its orbit, the radiation there, and its random numbers."""
    elements, rates, forced = _elements(cohort, params, environment)
    profile = params["radiation"]
    table = registry.models("radiation")[cohort.model("radiation")]
    inclination = elements.inclination_rad

    def at(altitude_m: Array) -> radiation.Field:
        return registry.call(table, profile, altitude_m, inclination)

    field = radiation.over_orbit(at, elements.semi_major_axis_m, elements.eccentricity)
    altitude_m = elements.semi_major_axis_m - orbit.const.EARTH_RADIUS_M
    anomaly: radiation.Anomaly = registry.call(radiation.anomaly, profile, altitude_m, inclination)
    ones = jnp.ones(cohort.satellites)
    names = [each.name for each in structure.cohorts]
    before = sum(each.satellites for each in structure.cohorts[: names.index(cohort.name)])
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.key(environment.seed), before + jnp.arange(cohort.satellites)
    )
    return Each(
        elements=elements,
        rates=rates,
        forced_eccentricity=forced,
        fluence=_fluence(params, elements),
        field=field,
        anomaly=jax.tree.map(lambda leaf: leaf * ones, anomaly),
        random_key=keys,
        present=ones,
    )


def _elements(
    cohort: CohortStructure, params: CohortParams, environment: Environment
) -> tuple[orbit.Elements, orbit.Rates, Array]:
    """Mean elements of every satellite at the start of the run, their secular rates, the eccentricity forced by J3."""
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
        # A decay that the twin computes itself takes the place of the one that the element set states.
        stated = rates.mean_anomaly_rad_per_s2 * params["station_keeping"]["hold_fraction"]
        rates = rates._replace(mean_anomaly_rad_per_s=later, mean_anomaly_rad_per_s2=stated)
        forced = orbit.forced_eccentricity(axis, sets["inclination_rad"])
        return elements, rates, forced
    mean_sun = sunlight.mean_longitude_rad(environment.start_days)
    plane = registry.call(registry.models("orbit")[cohort.model("orbit")], params["orbit"], mean_sun)
    index = jnp.arange(cohort.satellites, dtype=ones.dtype)
    pattern = registry.models("constellation")[cohort.model("constellation")]
    elements = registry.call(pattern, params["constellation"], index, cohort.satellites, plane)
    rates = orbit.secular_rates(elements.semi_major_axis_m, elements.eccentricity, elements.inclination_rad)
    elements, rates = orbit.Elements(*(x * ones for x in elements)), orbit.Rates(*(x * ones for x in rates))
    # An orbit that a profile designs has the eccentricity that the profile says.
    return elements, rates, 0.0 * ones


def _fluence(params: CohortParams, elements: orbit.Elements) -> cell_damage.FluenceRate:
    """Rate at which each satellite's cells age, through their glass and through what lies behind them."""
    cell = registry.call(solar_cell.build, params["solar_cell"])
    table = cell_damage.FluenceTable(**params["particle_fluence"])
    solar = registry.call(cell_damage.solar_proton_factor, params["environment"])
    rear_m = registry.call(array_kernel.rear_shield_m, params["array"], cell.bare_kg_per_m2)

    def at(altitude_m: Array) -> cell_damage.FluenceRate:
        front, rear = (
            cell_damage.fluence_rate(
                table, altitude_m, elements.inclination_rad, shield_m, cell.proton_to_electron_ratio, solar
            )
            for shield_m in (cell.cover_glass_thickness_m, rear_m)
        )
        return cell_damage.FluenceRate(*(a + b for a, b in zip(front, rear, strict=True)))

    return radiation.over_orbit(at, elements.semi_major_axis_m, elements.eccentricity)


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

    chips = jnp.maximum(params["accelerator"]["count"], LEAST) / params["accelerator"]["junction_resistance_k_per_w"]
    conductance = tuple(
        own["couplings"][name]["conductance_w_per_k"] + (chips if component == "accelerator" else 0.0)
        for name, component in zip(cohort.coupling_names, cohort.coupling_components, strict=True)
    )
    surfaces = build_surfaces(cohort, params, panel, radiator, body["face_area_m2"])
    emitting, exchange = emission(cohort, surfaces)
    numbers = Coefficients(
        heat_capacity_j_per_k=tuple(capacity),
        conductance_w_per_k=conductance,
        exchange_m2=tuple(own["radiative"][name]["exchange_m2"] for name in cohort.radiative_names) + exchange,
        boundary_conductance_w_per_k=tuple(own["boundaries"][n]["conductance_w_per_k"] for n in cohort.boundary_names),
        boundary_temperature_k=tuple(own["boundaries"][n]["temperature_k"] for n in cohort.boundary_names),
        emission_m2=emitting,
    )
    return numbers, surfaces
