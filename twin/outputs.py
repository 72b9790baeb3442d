"""What a step tells: fluxes, telemetry and rates of slow variables, by the names of `twin/variables.py`."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import accelerator, battery, orbit, sunlight, thermal_network
from kernels import safe_math as sm
from kernels.power_bus import Allocation
from kernels.quantity import Scalar
from twin import variables
from twin.ageing import Condition
from twin.anchor import Anchor
from twin.exchange import Inputs
from twin.state import Slow, State
from twin.structure import CohortStructure

Outputs = dict[str, Array]


class Fluxes(NamedTuple):
    """Mean powers and heats of a step, decided from the state at its start."""

    lit: Array
    absorbed_w: Array  # by all surfaces, electricity included
    source_w: tuple[Array, ...]  # heat into each node of the thermal network
    early_w: tuple[Array, ...]  # its first moment: what comes early in the step, see `thermal_network.step`
    served: Array  # part of the essential loads, the pump's among them, that the bus carries
    vapour_quality: Array
    bus: Allocation
    chips: accelerator.Operation
    shed_w: Array  # what cap and heat allow the accelerators but the bus cannot give
    shed_dark_w: Array  # of that, what the dark part of the step keeps away
    work: accelerator.Result
    upset_flops: Array  # work that upsets take away from it
    charged: battery.Charged
    heater_w: Array  # of battery and coolant loop
    dose_rate_gy_per_s: Array


def outputs(
    structure: CohortStructure,
    inputs: Inputs,
    flux: Fluxes,
    heat: thermal_network.Step,
    after: State,
    condition: Condition,
) -> Outputs:
    """Everything that telemetry and totals may ask of a step, by name."""
    bus, chips, work = flux.bus, flux.chips, flux.work
    unheated = jnp.minimum(chips.asked_drive, chips.cap_drive)
    lost = _held_back(inputs, flux, condition.accelerators_alive)
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
        "heater_power_w": flux.heater_w,
        "radiated_heat_w": sum(heat.radiated_w[1:], heat.radiated_w[0]),
        "absorbed_environment_heat_w": flux.absorbed_w - bus.array_w,
        "clock_fraction": work.clock_fraction,
        "compute_rate_flops": work.compute_rate_flops,
        "dose_rate_gy_per_s": flux.dose_rate_gy_per_s,
        "memory_temperature_k": after.temperature_k[structure.topology.nodes[structure.ports.cold_plate[0]]]
        + work.memory_rise_k,
        "overheat_k": chips.overheat_k,
        "vapour_quality": flux.vapour_quality,
        "throttled": sm.indicator(chips.heat_drive < unheated, flux.lit),
        "heat_lost_flops": lost.heat,
        "power_lost_flops": lost.power,
        "eclipse_lost_flops": lost.dark,
        "upset_lost_flops": flux.upset_flops,
        "underserved": sm.indicator(work.compute_rate_flops < 0.95 * inputs.assigned_flops, flux.lit),
        "power_limited": sm.indicator(flux.shed_w > 1e-4 * bus.compute_w, flux.lit),
        **telemetry_of_state(structure, after),
    }


class Lost(NamedTuple):
    """Work that a satellite is asked and able to do, were it cool and powered, and that something leaves undone."""

    heat: Array
    power: Array
    dark: Array  # part of `power`


def _held_back(inputs: Inputs, flux: Fluxes, alive: Array) -> Lost:
    """What heat and lack of power take of a step, by the power that each keeps away from the accelerators.

    To be able to do is to be at the cap with dies at the temperature for which leakage is stated: what the leakage of
    hotter ones takes is lost to heat. What is asked beyond that ability is not lost.
    """
    chips = flux.chips
    done = flux.work.compute_rate_flops + flux.upset_flops
    short = jnp.maximum(jnp.minimum(inputs.asked_flops, inputs.able_flops) - done, 0.0)
    allowed = jnp.minimum(chips.cap_drive, chips.heat_drive)
    heated = jnp.maximum(jnp.minimum(chips.asked_drive, chips.rated_drive) - allowed, 0.0)
    heat_w = alive * (chips.dynamic_w + chips.host_dynamic_w) * heated
    power_w = jnp.maximum(flux.shed_w, 0.0)
    share = sm.ratio(short, heat_w + power_w, 1e-3)
    dark_w = jnp.minimum(jnp.maximum(flux.shed_dark_w, 0.0), power_w)
    return Lost(share * heat_w, share * power_w, share * dark_w)


def telemetry_of_slow(slow: Slow, condition: Condition) -> Outputs:
    """Slow variables at an instant, and what they mean to a step, by telemetry name."""
    known = slow._asdict() | condition._asdict()
    return {name: leaf for name, leaf in known.items() if name in variables.BY_NAME}


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
