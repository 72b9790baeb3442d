"""One satellite, one step: the table of contents of the physics.

Elementwise over satellites: no reduction, gather, sort or random draw, so that the same function runs under XLA on
CPU and GPU, tiled, sharded, differentiated, and inside a GPU kernel.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from kernels import (
    accelerator,
    battery,
    battery_ageing,
    failures,
    orbit,
    radiation,
    registry,
    solar_cell,
    sunlight,
    thermal_network,
)
from kernels import safe_math as sm
from kernels.attitude import View
from kernels.coolant_loop import Loop
from kernels.power_bus import Allocation
from kernels.quantity import Character, Scalar, Vector
from twin.ageing import Condition
from twin.anchor import Anchor
from twin.exchange import Inputs
from twin.outputs import Fluxes, Outputs, outputs
from twin.prepare import Shared
from twin.state import State
from twin.structure import CohortStructure
from twin.surfaces import absorbed_w, add_heat


def step(
    structure: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    inputs: Inputs,
    state: State,
    condition: Condition,
    start_s: Scalar,
    step_s: Scalar,
) -> tuple[State, Outputs]:
    """State after a step that starts `start_s` into the chunk, and the step's mean fluxes."""
    flux = fluxes(structure, shared, anchor, inputs, state, condition, start_s, step_s)
    with jax.named_scope("heat"):
        temperatures = tuple(state.temperature_k[node] for node in structure.topology.nodes)
        network = _live_network(structure, shared, condition)
        heat = thermal_network.step(
            structure.topology,
            network,
            valve(structure, shared, flux.served),
            flux.source_w,
            temperatures,
            step_s,
            flux.early_w,
        )
    end_k = dict(zip(structure.topology.nodes, heat.temperature_k, strict=True))
    after = State(
        temperature_k=end_k,
        rise_k={node: end_k[node] - state.temperature_k[node] for node in structure.sensed},
        state_of_charge=flux.charged.state_of_charge,
        charge_rise=flux.charged.state_of_charge - state.state_of_charge,
        cycle_top=battery_ageing.cycle_top(state.cycle_top, state.state_of_charge, flux.charged.state_of_charge),
    )
    charges = (state.cycle_top, state.state_of_charge, after.state_of_charge)
    faded = registry.call(
        battery_ageing.cycle_loss_rate_per_s,
        shared.profiles["battery"],
        *charges,
        _at(structure, state, "battery"),
        step_s,
    )
    return after, outputs(structure, inputs, flux, heat, after, condition) | {"battery_cycle_loss_per_s": faded}


def fluxes(
    structure: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    inputs: Inputs,
    state: State,
    condition: Condition,
    start_s: Scalar,
    step_s: Scalar,
) -> Fluxes:
    """Light, power and work of a step, and the heat that each node of the network receives."""
    with jax.named_scope("light"):
        middle_s = start_s + 0.5 * step_s
        place = orbit.place(anchor.elements, anchor.rates, middle_s)
        view, sky, lit = _light(structure, shared, place, sunlight.sun(anchor.sun, middle_s), step_s)
        faces = shared.surfaces, condition.light_m2
        steady, sunny, reflected, direct = absorbed_w(structure, *faces, view, sky, place.radius_m)
        absorbed = [heat + lit.fraction * light for heat, light in zip(steady, sunny, strict=True)]
    with jax.named_scope("demand"):
        battery_k = _at(structure, state, "battery")
        wear = (condition.battery_health, condition.battery_resistance_growth)
        pack = _call(structure, shared, "battery", state.state_of_charge + 0.5 * state.charge_rise, battery_k, *wear)
        loop = _loop(structure, shared, state)
        warmth = registry.call(battery.heater_demand_w, shared.profiles["battery"], battery_k)
        chips = _chips(structure, shared, inputs, state, condition)
        wanted = inputs.payload_on * accelerator.demand_w(chips, condition.accelerators_alive)
    with jax.named_scope("bus"):
        essential = shared.housekeeping_w + loop.pump_power_w + loop.heater_demand_w + warmth
        limits = (pack.charge_limit_w, pack.discharge_limit_w, pack.working_limit_w)

        def powered(irradiance_w_per_m2: Array) -> tuple[Allocation, accelerator.Result, Array]:
            available = _array_available_w(structure, shared, state, condition, irradiance_w_per_m2)
            bus: Allocation = _call(structure, shared, "power_bus", available, *limits, essential, wanted)
            return bus, accelerator.run(chips, condition.accelerators_alive, bus.compute_w), wanted - bus.compute_w

        # A step may be sunlit in part: solving the bus for each part keeps energy, and gradients with respect to the
        # instant of an eclipse, right whatever the step.
        sunlit, dark = powered(direct + reflected), powered(reflected)
        bus, work, shed = jax.tree.map(lambda a, b: b + lit.fraction * (a - b), sunlit, dark)
        early_bus, early_work, _ = jax.tree.map(lambda a, b: lit.lean * (a - b), sunlit, dark)
        served = sm.ratio(bus.essential_w, essential, 1e-3)
        charged = battery.charge(pack, state.state_of_charge, bus.battery_w, step_s)
    with jax.named_scope("radiation"):
        dose_rate = _dose_rate_gy_per_s(anchor, place, middle_s)
        upset = work.compute_rate_flops * failures.stopped_fraction(shared.upsets.stopped_s_per_gy, dose_rate)
        work = work._replace(compute_rate_flops=work.compute_rate_flops - upset)
    source, early = list(absorbed), [lit.lean * light for light in sunny]
    _add_electric_heat(structure, source, bus, work)
    _add_electric_heat(structure, early, early_bus, early_work)
    for port, heat_w in (
        ("battery", charged.heat_w + served * warmth),
        ("bus", served * shared.housekeeping_w),
        ("pump", served * loop.pump_power_w),
        ("coolant_return", served * loop.heater_demand_w),
    ):
        add_heat(source, getattr(structure.ports, port), heat_w)
    heaters, quality = served * (warmth + loop.heater_demand_w), loop.vapour_quality
    lasting = lit.fraction, sum(absorbed[1:], absorbed[0]), tuple(source), tuple(early), served, quality
    return Fluxes(*lasting, bus, chips, shed, (1.0 - lit.fraction) * dark[2], work, upset, charged, heaters, dose_rate)


def _add_electric_heat(
    structure: CohortStructure, source: list[Array], bus: Allocation, work: accelerator.Result
) -> None:
    """Heat that goes on and off with the light; what the array gives away as electricity does not warm it."""
    for port, heat_w in (
        ("array", -bus.array_w),
        ("accelerator", work.chip_heat_w),
        ("host", work.host_heat_w),
        ("power_electronics", bus.conversion_loss_w),
    ):
        add_heat(source, getattr(structure.ports, port), heat_w)


def _dose_rate_gy_per_s(anchor: Anchor, place: orbit.Place, time_s: Scalar) -> Array:
    """Dose rate behind the shield where the satellite is: the anomaly turns with the Earth."""
    turned = anchor.sidereal_angle_rad + anchor.sidereal_rate_rad_per_s * time_s + anchor.anomaly_longitude_rad
    return radiation.dose_rate_at(anchor.exposure, place.direction, turned)


def _call(structure: CohortStructure, shared: Shared, slot: str, *inputs: Array | Vector | Character) -> Any:
    """The model that the structure names for a slot, with that slot's parameters."""
    return registry.call(registry.models(slot)[structure.model(slot)], shared.profiles[slot], *inputs)


def _at(structure: CohortStructure, state: State, port: str) -> Array:
    """Temperature of the (first) node of a port, as expected in the middle of the step."""
    node = structure.topology.nodes[getattr(structure.ports, port)[0]]
    return state.temperature_k[node] + 0.5 * state.rise_k[node]


def _light(
    structure: CohortStructure, shared: Shared, place: orbit.Place, sun: sunlight.Sun, step_s: Scalar
) -> tuple[View, sunlight.Sky, sunlight.Lit]:
    """Attitude and radiation fields at the middle of a step, and the light in the course of it."""
    track = place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s
    lit: sunlight.Lit = registry.call(sunlight.lit, shared.profiles["environment"], *track, sun, step_s)
    view: View = _call(structure, shared, "attitude", sun.direction, place.direction, place.orbit_normal)
    sky = registry.call(sunlight.sky, shared.profiles["environment"], sun.distance_au)
    return view, sky, lit


def _array_available_w(
    structure: CohortStructure, shared: Shared, state: State, condition: Condition, irradiance_w_per_m2: Array
) -> Array:
    """Power at the array's terminals at maximum power. [W]"""
    array_k = _at(structure, state, "array")
    density = solar_cell.maximum_power_w_per_m2(condition.cell, array_k, irradiance_w_per_m2)
    return shared.panel.electric_area_m2 * condition.array_yield * density


def _loop(structure: CohortStructure, shared: Shared, state: State) -> Loop:
    """Coolant loop as its controllers run it, at the temperatures that the middle of the step will have."""
    outlet_k, return_k = (_at(structure, state, port) for port in ("radiator_outlet", "coolant_return"))
    return _call(structure, shared, "coolant_loop", outlet_k, return_k)


def _chips(
    structure: CohortStructure, shared: Shared, inputs: Inputs, state: State, condition: Condition
) -> accelerator.Operation:
    """Limits of the accelerators at the temperatures of the start of the step."""
    peak = condition.accelerators_alive * shared.profiles["accelerator"]["peak_flops"] * shared.work.work_efficiency
    return _call(
        structure,
        shared,
        "accelerator",
        _at(structure, state, "accelerator"),
        _at(structure, state, "cold_plate"),
        sm.ratio(inputs.asked_flops, peak, 1.0),
        shared.work,
    )


def _live_network(structure: CohortStructure, shared: Shared, condition: Condition) -> thermal_network.Coefficients:
    """The network with the conductance of the accelerators that still work: dead ones carry no heat."""
    alive = jnp.maximum(sm.ratio(condition.accelerators_alive, shared.profiles["accelerator"]["count"], 1e-6), 1e-3)
    conductance = tuple(
        value * alive if component == "accelerator" else value
        for value, component in zip(shared.network.conductance_w_per_k, structure.coupling_components, strict=True)
    )
    return shared.network._replace(conductance_w_per_k=conductance)


def valve(structure: CohortStructure, shared: Shared, served: Array) -> thermal_network.Valve:
    """Flow of each link: the pump slows with the power it gets, the radiator branch loses what is bypassed."""
    ports, branches = structure.ports, [branch for _, _, branch in structure.topology.flows]

    def rates(outlet_k: Array, return_k: Array) -> tuple[Array, ...]:
        loop: Loop = _call(structure, shared, "coolant_loop", outlet_k, return_k)
        main = loop.capacity_rate_w_per_k * jnp.maximum(served, 0.02)
        bypassed = main * loop.bypass_fraction
        flow = {"main": main, "radiator": main - bypassed, "bypass": bypassed}
        return tuple(flow[branch] for branch in branches)

    return thermal_network.Valve((ports.radiator_outlet[0], ports.coolant_return[0]), rates)
