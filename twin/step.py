"""One satellite, one step: the table of contents of the physics.

Elementwise over satellites: no reduction, gather, sort or random draw, so that the same function runs under XLA on
CPU and GPU, tiled, sharded, differentiated, and inside a GPU kernel.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from kernels import accelerator, battery, orbit, registry, sunlight, thermal_network, workload
from kernels import safe_math as sm
from kernels.attitude import View
from kernels.coolant_loop import Loop
from kernels.power_bus import Allocation
from kernels.quantity import Scalar, Vector
from twin.prepare import Each, Shared
from twin.state import State
from twin.structure import CohortStructure


class Anchor(NamedTuple):
    """Phases and epoch quantities at the start of a chunk; `elements` and `rates` are (satellite,)."""

    elements: orbit.Elements
    rates: orbit.Rates
    sun: sunlight.SunAngles
    sidereal_angle_rad: Array
    sidereal_rate_rad_per_s: Array


class Inputs(NamedTuple):
    """What `exchange` asks of each satellite until the next exchange."""

    asked_flops: Array  # assigned work and what has waited
    assigned_flops: Array


Outputs = dict[str, Array]


class Fluxes(NamedTuple):
    """Mean powers and heats of a step, decided from the state at its start."""

    lit: Array
    absorbed_w: Array  # by all surfaces, electricity included
    source_w: tuple[Array, ...]  # heat into each node of the thermal network
    capacity_rate_w_per_k: tuple[Array, ...]  # of each flow link
    bus: Allocation
    chips: accelerator.Operation
    shed_w: Array  # what cap and heat allow the accelerators but the bus cannot give
    work: accelerator.Result
    charged: battery.Charged


def step(
    structure: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    inputs: Inputs,
    state: State,
    start_s: Scalar,
    step_s: Scalar,
) -> tuple[State, Outputs]:
    """State after a step that starts `start_s` into the chunk, and the step's mean fluxes."""
    flux = fluxes(structure, shared, anchor, inputs, state, start_s, step_s)
    with jax.named_scope("heat"):
        temperatures = tuple(state.temperature_k[node] for node in structure.topology.nodes)
        network = _live_network(structure, shared, state)
        heat = thermal_network.step(
            structure.topology, network, flux.capacity_rate_w_per_k, flux.source_w, temperatures, step_s
        )
    with jax.named_scope("stores"):
        done = flux.work.compute_rate_flops
        backlog = workload.waiting_flop(state.backlog_flop, inputs.assigned_flops, done, shared.carry_over, step_s)
        surviving = jnp.exp(-shared.failure_rate_per_s * step_s * shared.slow_weight)
    after = State(
        temperature_k=dict(zip(structure.topology.nodes, heat.temperature_k, strict=True)),
        state_of_charge=flux.charged.state_of_charge,
        backlog_flop=backlog,
        battery_health=state.battery_health,
        array_health=state.array_health,
        accelerators_alive=state.accelerators_alive * surviving,
    )
    return after, _outputs(structure, inputs, flux, heat, after)


def fluxes(
    structure: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    inputs: Inputs,
    state: State,
    start_s: Scalar,
    step_s: Scalar,
) -> Fluxes:
    """Light, power and work of a step, and the heat that each node of the network receives."""
    with jax.named_scope("light"):
        middle_s = start_s + 0.5 * step_s
        place = orbit.place(anchor.elements, anchor.rates, middle_s)
        view, sky, lit = _light(structure, shared, place, sunlight.sun(anchor.sun, middle_s), step_s)
        absorbed, reflected, direct = _absorbed_w(structure, shared, view, sky, lit, place.radius_m)
    with jax.named_scope("demand"):
        battery_k = _at(structure, state, "battery")
        pack = _call(structure, shared, "battery", state.state_of_charge, battery_k, state.battery_health)
        loop = _loop(structure, shared, state)
        warmth = registry.call(battery.heater_demand_w, shared.profiles["battery"], battery_k)
        chips = _chips(structure, shared, inputs, state)
        wanted = accelerator.demand_w(chips, state.accelerators_alive)
    with jax.named_scope("bus"):
        essential = shared.housekeeping_w + loop.pump_power_w + loop.heater_demand_w + warmth
        limits = (pack.charge_limit_w, pack.discharge_limit_w, pack.working_limit_w)

        def powered(irradiance_w_per_m2: Array) -> tuple[Allocation, accelerator.Result, Array]:
            available = _array_available_w(structure, shared, state, irradiance_w_per_m2)
            bus: Allocation = _call(structure, shared, "power_bus", available, *limits, essential, wanted)
            return bus, accelerator.run(chips, state.accelerators_alive, bus.compute_w), wanted - bus.compute_w

        # A step may be sunlit in part: solving the bus for each part keeps energy, and gradients with respect to the
        # instant of an eclipse, right whatever the step.
        sunlit, dark = powered(direct + reflected), powered(reflected)
        bus, work, shed = jax.tree.map(lambda a, b: lit * a + (1.0 - lit) * b, sunlit, dark)
        served = sm.ratio(bus.essential_w, essential, 1e-3)
        charged = battery.charge(pack, state.state_of_charge, bus.battery_w, step_s)
    source = list(absorbed)
    for port, heat_w in (
        ("array", -bus.array_w),
        ("accelerator", work.chip_heat_w),
        ("host", work.host_heat_w),
        ("power_electronics", bus.conversion_loss_w),
        ("battery", charged.heat_w + served * warmth),
        ("bus", served * shared.housekeeping_w),
        ("pump", served * loop.pump_power_w),
        ("coolant_return", served * loop.heater_demand_w),
    ):
        _add(source, getattr(structure.ports, port), heat_w)
    total = sum(absorbed[1:], absorbed[0])
    rates = _capacity_rates(structure, loop, served)
    return Fluxes(lit, total, tuple(source), rates, bus, chips, shed, work, charged)


def _outputs(
    structure: CohortStructure, inputs: Inputs, flux: Fluxes, heat: thermal_network.Step, after: State
) -> Outputs:
    """Everything that telemetry and totals may ask of a step, by name."""
    bus, chips, work = flux.bus, flux.chips, flux.work
    unheated = jnp.minimum(chips.asked_drive, chips.cap_drive)
    return {
        "sunlit_fraction": flux.lit,
        "array_power_w": bus.array_w,
        "curtailed_power_w": bus.curtailed_w,
        "load_power_w": bus.essential_w + bus.compute_w,
        "accelerator_power_w": bus.compute_w,
        "battery_power_w": bus.battery_w,
        "battery_discharge_w": jnp.maximum(-bus.battery_w, 0.0),
        "battery_heat_w": flux.charged.heat_w,
        "conversion_loss_w": bus.conversion_loss_w,
        "shed_power_w": flux.shed_w,
        "radiated_heat_w": sum(heat.radiated_w[1:], heat.radiated_w[0]),
        "absorbed_environment_heat_w": flux.absorbed_w - bus.array_w,
        "clock_fraction": work.clock_fraction,
        "compute_rate_flops": work.compute_rate_flops,
        "assigned_flops": inputs.assigned_flops,
        "throttled": sm.indicator(chips.heat_drive < unheated, flux.lit),
        "power_limited": sm.indicator(flux.shed_w > 1e-4 * bus.compute_w, flux.lit),
        **telemetry_of_state(structure, after),
    }


def telemetry_of_state(structure: CohortStructure, state: State) -> Outputs:
    """Variables that are values of the state at an instant, by telemetry name."""
    temperatures = [state.temperature_k[node] for node in structure.topology.nodes]

    def mean(port: tuple[int, ...]) -> Array:
        return sum((temperatures[i] for i in port[1:]), temperatures[port[0]]) / len(port)

    fluid = [temperatures[i] for i in structure.ports.coolant]
    coldest = fluid[0]
    for temperature in fluid[1:]:
        coldest = jnp.minimum(coldest, temperature)
    return {
        "state_of_charge": state.state_of_charge,
        "battery_health": state.battery_health,
        "array_health": state.array_health,
        "accelerators_alive": state.accelerators_alive,
        "backlog_flop": state.backlog_flop,
        "accelerator_temperature_k": mean(structure.ports.accelerator),
        "coolant_temperature_k": mean(structure.ports.coolant_supply),
        "coldest_coolant_k": coldest,
        "radiator_temperature_k": mean(structure.ports.radiator),
        "battery_temperature_k": mean(structure.ports.battery),
        "array_temperature_k": mean(structure.ports.array),
    }


def telemetry_of_place(anchor: Anchor, time_s: Scalar) -> Outputs:
    """Where each satellite is at an instant, by telemetry name."""
    place = orbit.place(anchor.elements, anchor.rates, time_s)
    sun = sunlight.sun(anchor.sun, time_s)
    latitude, longitude = orbit.latitude_longitude_rad(
        place.direction, anchor.sidereal_angle_rad + anchor.sidereal_rate_rad_per_s * time_s
    )
    return {
        "beta_angle_rad": orbit.beta_angle_rad(place.orbit_normal, sun.direction),
        "altitude_m": place.radius_m - orbit.const.EARTH_RADIUS_M,
        "latitude_rad": latitude,
        "longitude_rad": longitude,
    }


def anchor_at(each: Each, start_days: Array, time_s: Array) -> Anchor:
    """Phases and epoch quantities `time_s` after the start of the run, float64."""
    days = start_days + time_s / orbit.const.DAY_S
    rates = each.rates
    later = rates.mean_anomaly_rad_per_s + rates.mean_anomaly_rad_per_s2 * time_s
    turned = orbit.const.SIDEREAL_ANGLE_J2000_RAD + orbit.const.SIDEREAL_RATE_RAD_PER_DAY * days
    return Anchor(
        elements=orbit.advance(each.elements, rates, time_s),
        rates=rates._replace(mean_anomaly_rad_per_s=later),
        sun=sunlight.sun_angles(days),
        sidereal_angle_rad=jnp.mod(turned, 2.0 * jnp.pi),
        sidereal_rate_rad_per_s=jnp.asarray(orbit.const.SIDEREAL_RATE_RAD_PER_DAY / orbit.const.DAY_S),
    )


def _call(structure: CohortStructure, shared: Shared, slot: str, *inputs: Array | Vector) -> Any:
    """The model that the structure names for a slot, with that slot's parameters."""
    return registry.call(registry.models(slot)[structure.model(slot)], shared.profiles[slot], *inputs)


def _at(structure: CohortStructure, state: State, port: str) -> Array:
    """Temperature of the (first) node of a port."""
    node = structure.topology.nodes[getattr(structure.ports, port)[0]]
    return state.temperature_k[node]


def _add(source: list[Array], port: tuple[int, ...], heat_w: Array) -> None:
    for node in port:
        source[node] = source[node] + heat_w / len(port)


def _light(
    structure: CohortStructure, shared: Shared, place: orbit.Place, sun: sunlight.Sun, step_s: Scalar
) -> tuple[View, sunlight.Sky, Array]:
    """Attitude, radiation fields and step-mean lit fraction at the middle of a step."""
    lit = sunlight.lit_fraction(
        place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s, sun, step_s
    )
    view: View = _call(structure, shared, "attitude", sun.direction, place.direction, place.orbit_normal)
    zenith = sm.dot(place.direction, sun.direction)
    sky = registry.call(sunlight.sky, shared.profiles["environment"], sun.distance_au, zenith, place.radius_m)
    return view, sky, lit


def _absorbed_w(
    structure: CohortStructure, shared: Shared, view: View, sky: sunlight.Sky, lit: Array, radius_m: Array
) -> tuple[list[Array], Array, Array]:
    """Light and infrared absorbed by each node [W]; on the cells, reflected light and direct light while lit [W/m2]."""
    ratio = radius_m / orbit.const.EARTH_RADIUS_M
    zero = jnp.zeros_like(lit)
    absorbed, reflected, direct = [zero for _ in structure.topology.nodes], zero, zero
    numbers = shared.surfaces
    for k, surface in enumerate(structure.topology.surfaces):
        axes: tuple[Vector, Vector] = (
            (view.sun_array, view.nadir_array) if surface.frame == "array" else (view.sun_body, view.nadir_body)
        )
        facing = jnp.maximum(sm.dot(numbers.normal[k], axes[0]), 0.0)
        earth = sunlight.earth_view_factor(sm.dot(numbers.normal[k], axes[1]), ratio) * numbers.open_fraction[k]
        sunshine, albedo = facing * sky.solar_w_per_m2, earth * sky.albedo_w_per_m2
        flux = numbers.optics[k].absorptivity * (lit * sunshine + albedo)
        flux = flux + numbers.optics[k].emissivity * earth * sky.infrared_w_per_m2
        _add(absorbed, surface.nodes, flux * numbers.area_m2[k])
        if structure.surface_optics[k][0] == "solar_cell":
            reflected, direct = reflected + albedo, direct + sunshine
    return absorbed, reflected, direct


def _array_available_w(structure: CohortStructure, shared: Shared, state: State, irradiance_w_per_m2: Array) -> Array:
    """Power at the array's terminals at maximum power. [W]"""
    density = _call(structure, shared, "solar_cell", _at(structure, state, "array"), irradiance_w_per_m2)
    return shared.panel.electric_area_m2 * state.array_health * density


def _loop(structure: CohortStructure, shared: Shared, state: State) -> Loop:
    """Coolant loop as its controllers run it on the temperatures at the start of the step."""
    return _call(
        structure,
        shared,
        "coolant_loop",
        _at(structure, state, "radiator_outlet"),
        _at(structure, state, "coolant_return"),
    )


def _chips(structure: CohortStructure, shared: Shared, inputs: Inputs, state: State) -> accelerator.Operation:
    """Limits of the accelerators at the temperatures of the start of the step."""
    peak = state.accelerators_alive * shared.profiles["accelerator"]["peak_flops"] * shared.work.work_efficiency
    return _call(
        structure,
        shared,
        "accelerator",
        _at(structure, state, "accelerator"),
        _at(structure, state, "cold_plate"),
        sm.ratio(inputs.asked_flops, peak, 1.0),
        shared.work.power_intensity,
        shared.work.work_efficiency,
    )


def _live_network(structure: CohortStructure, shared: Shared, state: State) -> thermal_network.Coefficients:
    """The network with the conductance of the accelerators that still work: dead ones carry no heat."""
    alive = state.accelerators_alive / shared.profiles["accelerator"]["count"]
    conductance = tuple(
        value * alive if component == "accelerator" else value
        for value, component in zip(shared.network.conductance_w_per_k, structure.coupling_components, strict=True)
    )
    return shared.network._replace(conductance_w_per_k=conductance)


def _capacity_rates(structure: CohortStructure, loop: Loop, served: Array) -> tuple[Array, ...]:
    """Flow of each link: the pump slows with the power it gets, the radiator branch loses what is bypassed."""
    main = loop.capacity_rate_w_per_k * jnp.maximum(served, 0.02)
    branch = {
        "main": main,
        "radiator": main * (1.0 - loop.bypass_fraction),
        "bypass": main * loop.bypass_fraction,
    }
    return tuple(branch[name] for _, _, name in structure.topology.flows)
