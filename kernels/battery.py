"""Battery: equivalent circuit of a pack of equal cells, its limits, and its charge and heat after a step.

Open-circuit voltage U(charge, T) = U0(charge) + (T - T0) e(charge) behind one resistance; e is the entropic
coefficient dU/dT. A charging current i takes i (U + R i) at the terminals and gives i^2 R + i T e as heat, so that the
chemical store gains i (U0 - T0 e): the enthalpy of charging, a function of charge alone, and both accounts close.
Source of the heat: Bernardi, Pawlikowski and Newman, J. Electrochem. Soc. 132, 5 (1985).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import (
    ActivationTemperature,
    Charge,
    Energy,
    Fraction,
    PositiveRatio,
    Power,
    RatePerHour,
    Ratio,
    Resistance,
    Scalar,
    SpecificEnergy,
    SpecificHeat,
    Temperature,
    TemperatureWidth,
    VoltageCurve,
    VoltagePerKelvinCurve,
)
from kernels.registry import model, part

REFERENCE_K = const.ROOM_TEMPERATURE_K  # of the open-circuit voltage and the resistance


class Pack(NamedTuple):
    """A pack at one instant: what a step needs to move charge in or out of it."""

    cells: Array
    capacity_c: Array
    resistance_ohm: Array
    temperature_k: Array
    open_circuit_voltage_v: sm.Curve  # at 25 C
    entropic_coefficient_v_per_k: sm.Curve
    charge_limit_w: Array
    discharge_limit_w: Array  # down to empty
    working_limit_w: Array  # down to the reserve


class Charged(NamedTuple):
    """Result of a step: state of charge, and the heat of resistance and entropy."""

    state_of_charge: Array
    heat_w: Array


@model("battery")
def equivalent_circuit(
    state_of_charge: Array,
    temperature_k: Array,
    health: Array,
    resistance_growth: Array,
    *,
    energy_j: Energy,
    capacity_c: Charge,
    open_circuit_voltage_v: VoltageCurve,
    entropic_coefficient_v_per_k: VoltagePerKelvinCurve,
    resistance_ohm: Resistance,
    resistance_activation_temperature_k: ActivationTemperature,
    empty_resistance_rise: Ratio,
    empty_resistance_charge: PositiveRatio,
    charge_rate_per_h: RatePerHour,
    discharge_rate_per_h: RatePerHour,
    reserve_fraction: Fraction,
    taper_fraction: PositiveRatio,
    min_charge_temperature_k: Temperature,
    max_temperature_k: Temperature,
    temperature_band_k: TemperatureWidth,
) -> Pack:
    """Terminal power that a pack accepts and gives now (open-circuit voltage behind one resistance).

    `energy_j` is the pack's energy at beginning of life between empty and full at 25 C; `capacity_c`, voltage and
    resistance are of one cell. The terminals stay between the open-circuit voltages of empty and full: cold cells give
    and take less. Charging fades to zero over `taper_fraction` below full and over `temperature_band_k` above
    `min_charge_temperature_k`; discharging fades over `taper_fraction` above empty, for work above the reserve; all
    fade over the band below `max_temperature_k`. `health` scales capacity, `resistance_growth` resistance.
    """
    curve, entropic = open_circuit_voltage_v, entropic_coefficient_v_per_k
    cells = energy_j / (capacity_c * sm.integral(curve, jnp.ones_like(capacity_c)))
    rest = sm.interpolate(curve, state_of_charge)
    voltage = rest + (temperature_k - REFERENCE_K) * sm.interpolate(entropic, state_of_charge)
    empty = jnp.maximum(1.0 - state_of_charge / empty_resistance_charge, 0.0)
    warmth = sm.arrhenius(temperature_k, -resistance_activation_temperature_k, REFERENCE_K)
    resistance = resistance_ohm * resistance_growth * warmth * (1.0 + empty_resistance_rise * empty * empty)
    capacity = capacity_c * health
    cool = sm.ramp(max_temperature_k - temperature_k, temperature_band_k)
    warm = sm.ramp(temperature_k - min_charge_temperature_k, temperature_band_k)
    fading = sm.ramp(1.0 - state_of_charge, taper_fraction) * warm * cool
    charge_a = _highest_current_a(capacity * charge_rate_per_h * fading, curve[-1] - rest, resistance)
    rate_a = _highest_current_a(capacity * discharge_rate_per_h * cool, rest - curve[0], resistance)
    charge_w = cells * charge_a * (voltage + resistance * charge_a)

    def discharge_w(floor: Scalar) -> Array:
        current_a = rate_a * sm.ramp(state_of_charge - floor, taper_fraction)
        return cells * current_a * (voltage - resistance * current_a)

    limits = (charge_w, discharge_w(0.0), discharge_w(reserve_fraction))
    return Pack(cells, capacity, resistance, temperature_k, curve, entropic, *limits)


def _highest_current_a(rated_c_per_h: Array, headroom_v: Array, resistance_ohm: Array) -> Array:
    """Rated current, or less where it would take the terminals out of the range of the open-circuit voltages. [A]"""
    return jnp.minimum(rated_c_per_h / const.HOUR_S, jnp.maximum(headroom_v, 0.0) / resistance_ohm)


@part("battery")
def pack_mass(
    energy_j: Array, *, specific_energy_j_per_kg: SpecificEnergy, specific_heat_j_per_kg_k: SpecificHeat
) -> tuple[Array, Array]:
    """Mass of the pack [kg] and its heat capacity [J/K]."""
    mass = energy_j / specific_energy_j_per_kg
    return mass, mass * specific_heat_j_per_kg_k


@part("battery")
def first_charge(*, initial_state_of_charge: Fraction) -> Array:
    """State of charge at the start of a run."""
    return jnp.asarray(initial_state_of_charge)


def stored_energy_j(pack: Pack, state_of_charge: Array) -> Array:
    """Chemical energy (enthalpy) above that of the empty pack: the integral of U0 - T0 e over charge. [J]"""
    voltage = sm.integral(pack.open_circuit_voltage_v, state_of_charge)
    entropic = REFERENCE_K * sm.integral(pack.entropic_coefficient_v_per_k, state_of_charge)
    return pack.cells * pack.capacity_c * (voltage - entropic)


def charge(pack: Pack, state_of_charge: Array, power_w: Array, step_s: Scalar) -> Charged:
    """Apply a terminal power (positive = charging) for one step.

    The current solves p = (U + R i) i at the open-circuit voltage of the middle of the step, so that stored energy
    changes by what passes the terminals less the heat of resistance and entropy, which cools where i e < 0.
    """
    cell_w = power_w / pack.cells

    def solve(charge_now: Array) -> tuple[Array, Array]:
        entropic = sm.interpolate(pack.entropic_coefficient_v_per_k, charge_now)
        voltage = sm.interpolate(pack.open_circuit_voltage_v, charge_now)
        voltage = voltage + (pack.temperature_k - REFERENCE_K) * entropic
        root = sm.sqrt(voltage * voltage + 4.0 * pack.resistance_ohm * cell_w, 1e-6)
        return 2.0 * cell_w / (voltage + root), entropic

    start_a, _ = solve(state_of_charge)
    current_a, entropic = solve(state_of_charge + 0.5 * step_s * start_a / pack.capacity_c)
    return Charged(
        state_of_charge=state_of_charge + step_s * current_a / pack.capacity_c,
        heat_w=pack.cells * current_a * (current_a * pack.resistance_ohm + pack.temperature_k * entropic),
    )


@part("battery")
def heater_demand_w(
    temperature_k: Array, *, heater_power_w: Power, heater_set_point_k: Temperature, heater_band_k: TemperatureWidth
) -> Array:
    """Power of a heater that comes on in proportion as the pack falls through a band below its set point. [W]"""
    return heater_power_w * sm.ramp(heater_set_point_k - temperature_k, heater_band_k)
