"""Accelerators: power, clock and compute rate of the chips of one satellite, and of their hosts."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.quantity import (
    Character,
    Count,
    Efficiency,
    Flops,
    HeatCapacity,
    KneeFraction,
    Mass,
    PositivePower,
    PositiveRatio,
    Power,
    RelativePerKelvin,
    Scalar,
    Temperature,
    ThermalResistance,
)
from kernels.registry import model, part

SHUTDOWN_BAND_K = 5.0  # chips of a satellite do not trip at exactly the same temperature


class Law(NamedTuple):
    """How dynamic power follows clock and load, relative to full load at the rated clock."""

    voltage_floor: Array
    voltage_knee: Array
    load_floor: Array
    half_load: Array
    max_clock: Array


class Operation(NamedTuple):
    """What one accelerator may draw now, in units of its drive g (dynamic power over `dynamic_power_w`)."""

    on: Array  # part of the accelerators that is not shut down by heat
    standing_w: Array  # chip without its work, leakage included, mean of those awake and asleep
    dynamic_w: Array  # chip, per unit of drive, the mean again
    sleep_w: Array  # chip asleep
    host_standing_w: Array
    host_dynamic_w: Array
    asked_drive: Array  # what the work asks for, of those awake, as the next three
    cap_drive: Array  # what the power cap allows
    rated_drive: Array  # the same of a die at the temperature for which leakage is stated
    heat_drive: Array  # what the temperature limits of die and memory allow
    request: Array  # work asked, as a fraction of the peak
    peak_flops: Array  # of those awake
    overheat_k: Array  # of die or memory above its limit, did it the work asked, within its cap and no faster
    memory_k_per_w: Array  # memory above the cold plate, per watt of chip power
    law: Law


class Result(NamedTuple):
    """Mean powers of a step for all accelerators of a satellite, and the work they do."""

    chip_heat_w: Array
    host_heat_w: Array
    clock_fraction: Array
    compute_rate_flops: Array
    memory_rise_k: Array  # memory above the cold plate


def _switching(clock: Array, law: Law) -> tuple[Array, Array]:
    """Clock times the square of core voltage, 1 at the rated clock, and its slope.

    Voltage over that at the rated clock is v + (1 - v) (max(clock - knee, 0) / (1 - knee))^2, v being its floor: it
    fits the clock sweep of an A100 (M. Giordano, GPU power-frequency benchmarks, 2026).
    """
    span = 1.0 - law.voltage_knee
    above = jnp.maximum(clock - law.voltage_knee, 0.0) / span
    rise = (1.0 - law.voltage_floor) * above
    voltage = law.voltage_floor + rise * above
    return clock * voltage * voltage, voltage * (voltage + 4.0 * clock * rise / span)


def _saturation(load: Array, law: Law) -> Array:
    """Dynamic power at a load over that at full load: from its floor it rises steeply, then levels off."""
    rising = load * (1.0 + law.half_load) / (load + law.half_load)
    return law.load_floor + (1.0 - law.load_floor) * rising


def _drive(clock: Array, request: Array, law: Law) -> Array:
    load = jnp.minimum(sm.ratio(request, clock, 1e-6), 1.0)
    return _switching(clock, law)[0] * _saturation(load, law)


def _first_guess(switching: Array, law: Law) -> Array:
    """Clock just above the one of a given switching rate: the lowest of four tangents to a convex function."""
    guess = switching / (law.voltage_floor * law.voltage_floor)
    for share in (0.4, 0.7, 1.0):
        clock = law.voltage_knee + share * (law.max_clock - law.voltage_knee)
        value, slope = _switching(clock, law)
        guess = jnp.minimum(guess, clock + (switching - value) * (1.0 / slope))
    return guess


def _clock(drive: Array, request: Array, law: Law) -> Array:
    """Clock at which the work asked takes a given drive, by Newton's method from above.

    Up to the clock that just does the work, the load is full and drive is the switching rate. Above it the load is
    request / clock, and the equation is multiplied by the denominator of the saturation, which keeps it convex.
    """
    full, idle_part = 1.0 + law.half_load, 1.0 - law.load_floor
    aim = jnp.minimum(drive, _drive(law.max_clock, request, law))
    spare = aim > _switching(request, law)[0]
    at_top = _saturation(sm.ratio(request, law.max_clock), law)
    guess = _first_guess(sm.where(spare, aim / at_top, aim), law)
    clock = sm.where(spare, guess, jnp.minimum(guess, request))
    for _ in range(3):
        below = request + law.half_load * jnp.maximum(clock, request)
        above = law.load_floor * below + idle_part * full * request
        value, slope = _switching(clock, law)
        falling = sm.where(clock > request, law.half_load * (law.load_floor * value - aim), 0.0)
        change = (value * above - aim * below) / jnp.maximum(slope * above + falling, 1e-9)
        clock = sm.clip(clock - change, 1e-6, law.max_clock)
    return clock


@model("accelerator")
def clock_scaled(
    temperature_k: Array,
    plate_temperature_k: Array,
    request: Array,
    work: Character,
    *,
    peak_flops: Flops,
    sleep_power_w: Power,
    idle_power_w: Power,
    leakage_power_w: Power,
    leakage_coefficient_per_k: RelativePerKelvin,
    leakage_reference_k: Temperature,
    dynamic_power_w: PositivePower,
    voltage_floor: Efficiency,
    voltage_knee: KneeFraction,
    max_clock_fraction: PositiveRatio,
    power_cap_w: PositivePower,
    max_temperature_k: Temperature,
    shutdown_temperature_k: Temperature,
    junction_resistance_k_per_w: ThermalResistance,
    max_memory_temperature_k: Temperature,
    memory_power_fraction: Efficiency,
    memory_resistance_k_per_w: ThermalResistance,
    host_idle_power_w: Power,
    host_dynamic_power_w: Power,
) -> Operation:
    """Limits of one accelerator: P = idle + leakage(T) + dynamic * clock * voltage(clock)^2 * saturation(load).

    `request` is the work asked as a fraction of what the chip does fully loaded at clock fraction 1. The governor runs
    at `max_clock_fraction` and lowers the clock until the chip meets its power cap, the die its temperature limit and
    the memory stacks theirs. Dies that would pass `shutdown_temperature_k` even without work are switched off.
    Work below `least_load` of the highest clock is gathered on as many accelerators as it fills to that load; the
    others sleep, clocks stopped and cores gated, at `sleep_power_w`.
    """
    active = idle_power_w + _leakage_w(temperature_k, leakage_power_w, leakage_coefficient_per_k, leakage_reference_k)
    numbers = (voltage_floor, voltage_knee, work.load_floor, work.half_load, max_clock_fraction)
    law = Law(*(jnp.asarray(number, dtype=active.dtype) for number in numbers))
    least = work.least_load * law.max_clock
    asked = jnp.minimum(request, law.max_clock)
    awake, served, asleep = (
        jnp.minimum(asked / least, 1.0),
        jnp.maximum(asked, least),
        jnp.minimum(sleep_power_w, active),
    )
    standing = asleep + awake * (active - asleep)
    dynamic = dynamic_power_w * work.power_intensity
    asked_drive, cap_drive = _drive(law.max_clock, served, law), jnp.maximum(power_cap_w - active, 0.0) / dynamic
    asked_w = active + dynamic * jnp.minimum(_switching(served, law)[0], cap_drive)
    k_per_w = (junction_resistance_k_per_w, memory_power_fraction * memory_resistance_k_per_w)
    limits_k = (max_temperature_k, max_memory_temperature_k)
    heat_w = jnp.minimum(*((k - plate_temperature_k) / r for k, r in zip(limits_k, k_per_w, strict=True)))
    return Operation(
        on=sm.ramp(shutdown_temperature_k - plate_temperature_k - k_per_w[0] * standing, SHUTDOWN_BAND_K),
        standing_w=standing,
        dynamic_w=awake * dynamic,
        sleep_w=asleep,
        host_standing_w=jnp.asarray(host_idle_power_w),
        host_dynamic_w=awake * host_dynamic_power_w * work.power_intensity,
        asked_drive=asked_drive,
        cap_drive=cap_drive,
        rated_drive=jnp.maximum(power_cap_w - idle_power_w - leakage_power_w, 0.0) / dynamic,
        heat_drive=jnp.maximum(heat_w - active, 0.0) / dynamic,
        request=served,
        peak_flops=awake * (peak_flops * work.work_efficiency),
        overheat_k=plate_temperature_k
        + jnp.maximum(*(r * asked_w - k for k, r in zip(limits_k, k_per_w, strict=True))),
        memory_k_per_w=jnp.asarray(k_per_w[1]),
        law=law,
    )


def _leakage_w(temperature_k: Array, reference_w: Scalar, coefficient_per_k: Scalar, reference_k: Scalar) -> Array:
    """Leakage: doubles every ln 2 / coefficient, held at exp(2) times its reference value."""
    return reference_w * jnp.exp(jnp.minimum(coefficient_per_k * (temperature_k - reference_k), 2.0))


@part("accelerator")
def module(
    *,
    count: Count,
    module_mass_kg: Mass,
    host_mass_kg: Mass,
    heat_capacity_j_per_k: HeatCapacity,
    plate_heat_capacity_j_per_k: HeatCapacity,
) -> dict[str, Array]:
    """Masses of all accelerators and of their hosts, and heat capacities of their dies and cold plates."""
    return {
        "mass_kg": jnp.asarray(count) * module_mass_kg,
        "host_mass_kg": jnp.asarray(count) * host_mass_kg,
        "heat_capacity_j_per_k": jnp.asarray(count) * heat_capacity_j_per_k,
        "plate_heat_capacity_j_per_k": jnp.asarray(count) * plate_heat_capacity_j_per_k,
    }


def demand_w(operation: Operation, alive: Array) -> Array:
    """Electric power that the accelerators and their hosts would draw, were the bus able to give it. [W]"""
    drive = jnp.minimum(jnp.minimum(operation.asked_drive, operation.cap_drive), operation.heat_drive)
    each = operation.standing_w + operation.host_standing_w
    return alive * (operation.on * each + (operation.dynamic_w + operation.host_dynamic_w) * drive)


def run(operation: Operation, alive: Array, power_w: Array) -> Result:
    """Operate the accelerators on the power that the bus grants.

    Below standing power they fall asleep one after the other, and below what that takes they are switched off.
    """
    standing = operation.standing_w + operation.host_standing_w
    each_w = sm.ratio(power_w, alive, 1e-6)
    on = jnp.minimum(each_w / (operation.sleep_w + operation.host_standing_w), 1.0)
    drive = sm.ratio(jnp.maximum(each_w - standing, 0.0), operation.dynamic_w + operation.host_dynamic_w, 1e-3)
    clock = _clock(drive, operation.request, operation.law)
    chip_w = jnp.minimum(each_w, standing) - on * operation.host_standing_w + operation.dynamic_w * drive
    return Result(
        chip_heat_w=alive * chip_w,
        host_heat_w=alive * (on * operation.host_standing_w + operation.host_dynamic_w * drive),
        clock_fraction=clock,
        compute_rate_flops=alive * operation.peak_flops * (on * jnp.minimum(clock, operation.request)),
        memory_rise_k=operation.memory_k_per_w * chip_w,
    )


def nominal_rate_flops(operation: Operation) -> Array:
    """Work rate of one accelerator at its power cap and fully loaded, at the temperature it was given. [flop/s]"""
    full = jnp.ones_like(operation.cap_drive) * operation.law.max_clock
    return operation.peak_flops * _clock(operation.cap_drive, full, operation.law)


def nominal_power_w(operation: Operation) -> Array:
    """Power of one accelerator and its host at the power cap. [W]"""
    standing = operation.standing_w + operation.host_standing_w
    top, _ = _switching(operation.law.max_clock, operation.law)
    return standing + (operation.dynamic_w + operation.host_dynamic_w) * jnp.minimum(operation.cap_drive, top)
