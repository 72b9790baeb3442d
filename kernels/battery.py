"""Battery: equivalent circuit of a pack of equal cells, its limits, and its charge after a step."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.quantity import (
    Charge,
    Efficiency,
    Energy,
    Fraction,
    PositiveRatio,
    Power,
    RatePerHour,
    Resistance,
    Scalar,
    SpecificEnergy,
    SpecificHeat,
    Temperature,
    TemperatureWidth,
    VoltageCurve,
)
from kernels.registry import model, part

HOUR_S = 3600.0


class Pack(NamedTuple):
    """A pack at one instant: what a step needs to move charge in or out of it."""

    cells: Array
    capacity_c: Array
    resistance_ohm: Array
    open_circuit_voltage_v: sm.Curve
    charge_limit_w: Array
    discharge_limit_w: Array  # down to empty
    working_limit_w: Array  # down to the reserve


class Charged(NamedTuple):
    """Result of a step: state of charge and the heat of the resistance."""

    state_of_charge: Array
    heat_w: Array


@model("battery")
def equivalent_circuit(
    state_of_charge: Array,
    temperature_k: Array,
    health: Array,
    *,
    energy_j: Energy,
    capacity_c: Charge,
    open_circuit_voltage_v: VoltageCurve,
    resistance_ohm: Resistance,
    charge_rate_per_h: RatePerHour,
    discharge_rate_per_h: RatePerHour,
    reserve_fraction: Fraction,
    taper_fraction: PositiveRatio,
    min_charge_temperature_k: Temperature,
    max_temperature_k: Temperature,
    temperature_band_k: TemperatureWidth,
) -> Pack:
    """Terminal power that a pack accepts and gives now (open-circuit voltage behind one resistance).

    `energy_j` is the pack's energy at beginning of life between empty and full; `capacity_c`, voltage and resistance
    are of one cell. Charging fades to zero over `taper_fraction` below full and over `temperature_band_k` above
    `min_charge_temperature_k`; discharging fades over `taper_fraction` above empty, for work above the reserve; all
    fade over the band below `max_temperature_k`. `health` scales capacity.
    """
    curve = open_circuit_voltage_v
    cells = energy_j / (capacity_c * sm.integral(curve, jnp.ones_like(state_of_charge)))
    voltage = sm.interpolate(curve, state_of_charge)
    capacity = capacity_c * health
    cool = sm.ramp(max_temperature_k - temperature_k, temperature_band_k)
    warm = sm.ramp(temperature_k - min_charge_temperature_k, temperature_band_k)
    charge_a = capacity * (charge_rate_per_h / HOUR_S) * sm.ramp(1.0 - state_of_charge, taper_fraction) * warm * cool
    rate_a = jnp.minimum(capacity * (discharge_rate_per_h / HOUR_S) * cool, 0.5 * voltage / resistance_ohm)

    def discharge_w(floor: Scalar) -> Array:
        current_a = rate_a * sm.ramp(state_of_charge - floor, taper_fraction)
        return cells * current_a * (voltage - resistance_ohm * current_a)

    return Pack(
        cells=cells,
        capacity_c=capacity,
        resistance_ohm=jnp.asarray(resistance_ohm),
        open_circuit_voltage_v=curve,
        charge_limit_w=cells * charge_a * (voltage + resistance_ohm * charge_a),
        discharge_limit_w=discharge_w(0.0),
        working_limit_w=discharge_w(reserve_fraction),
    )


@part("battery")
def pack_mass(
    energy_j: Array, *, specific_energy_j_per_kg: SpecificEnergy, specific_heat_j_per_kg_k: SpecificHeat
) -> tuple[Array, Array]:
    """Mass of the pack [kg] and its heat capacity [J/K]."""
    mass = energy_j / specific_energy_j_per_kg
    return mass, mass * specific_heat_j_per_kg_k


@part("battery")
def first_charge(*, initial_state_of_charge: Fraction, initial_health: Efficiency) -> tuple[Array, Array]:
    """State of charge and health at the start of a run."""
    return jnp.asarray(initial_state_of_charge), jnp.asarray(initial_health)


def stored_energy_j(pack: Pack, state_of_charge: Array) -> Array:
    """Energy below the open-circuit voltage curve, from empty. [J]"""
    return pack.cells * pack.capacity_c * sm.integral(pack.open_circuit_voltage_v, state_of_charge)


def charge(pack: Pack, state_of_charge: Array, power_w: Array, step_s: Scalar) -> Charged:
    """Apply a terminal power (positive = charging) for one step.

    The current solves p = (v + r i) i at the open-circuit voltage of the middle of the step, so that stored energy
    changes by what passes the terminals less the heat of the resistance.
    """
    cell_w = power_w / pack.cells

    def current_a(voltage: Array) -> Array:
        root = sm.sqrt(voltage * voltage + 4.0 * pack.resistance_ohm * cell_w, 1e-6)
        return 2.0 * cell_w / (voltage + root)

    start = current_a(sm.interpolate(pack.open_circuit_voltage_v, state_of_charge))
    half_step = state_of_charge + 0.5 * step_s * start / pack.capacity_c
    current = current_a(sm.interpolate(pack.open_circuit_voltage_v, half_step))
    return Charged(
        state_of_charge=state_of_charge + step_s * current / pack.capacity_c,
        heat_w=pack.cells * current * current * pack.resistance_ohm,
    )


@part("battery")
def heater_demand_w(
    temperature_k: Array, *, heater_power_w: Power, heater_set_point_k: Temperature, heater_band_k: TemperatureWidth
) -> Array:
    """Power of a heater that comes on in proportion as the pack falls through a band below its set point. [W]"""
    return heater_power_w * sm.ramp(heater_set_point_k - temperature_k, heater_band_k)
