"""Accelerators: power, clock and compute rate of the chips of one satellite, and of their hosts."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.quantity import (
    Count,
    Flops,
    HeatCapacity,
    Mass,
    PositivePower,
    PositiveRatio,
    Power,
    RatePerYear,
    RelativePerKelvin,
    Temperature,
    ThermalResistance,
)
from kernels.registry import model, part

SHUTDOWN_BAND_K = 5.0  # chips of a satellite do not trip at exactly the same temperature


class Operation(NamedTuple):
    """What one accelerator may draw now, in units of its drive g (dynamic power over `dynamic_power_w`)."""

    on: Array  # part of the accelerators that is not shut down by heat
    standing_w: Array  # chip, active but without work, leakage included
    dynamic_w: Array  # chip, per unit of drive
    host_standing_w: Array
    host_dynamic_w: Array
    asked_drive: Array  # what the work asks for
    cap_drive: Array  # what the power cap allows
    heat_drive: Array  # what the die's temperature limit allows
    request: Array  # work asked, as a fraction of the peak
    peak_flops: Array
    clock_exponent: Array
    half_load: Array
    max_clock: Array


class Result(NamedTuple):
    """Mean powers of a step for all accelerators of a satellite, and the work they do."""

    chip_heat_w: Array
    host_heat_w: Array
    clock_fraction: Array
    compute_rate_flops: Array


def _saturation(load: Array, half_load: Array) -> Array:
    """Dynamic power at a load over that at full load: rises steeply, then levels off."""
    return load * (1.0 + half_load) / (load + half_load)


def _drive(clock: Array, request: Array, exponent: Array, half_load: Array) -> Array:
    load = jnp.minimum(sm.ratio(request, clock, 1e-6), 1.0)
    return sm.power(clock, exponent, 1e-6) * _saturation(load, half_load)


def _clock(drive: Array, request: Array, exponent: Array, half_load: Array, max_clock: Array) -> Array:
    """Clock at which the work asked takes a given drive: Newton's method from above on an increasing function."""
    tiny = 1e-9
    top = _drive(max_clock, request, exponent, half_load)
    aim = jnp.minimum(drive, top)
    clock = max_clock * sm.power((aim + tiny) / (top + tiny), 1.0 / exponent, 1e-9)
    for _ in range(3):
        busy = clock < request
        load = jnp.minimum(request / clock, 1.0)
        raised = sm.power(clock, exponent, 1e-9)
        value = raised * _saturation(load, half_load)
        falling = sm.where(~busy, load * half_load * (1.0 + half_load) / (load + half_load) ** 2, 0.0)
        slope = (exponent * value - raised * falling) / jnp.maximum(clock, 1e-6)
        change = sm.where(top > 1e-6, (value - aim) / jnp.maximum(slope, 1e-6), 0.0)
        clock = sm.clip(clock - change, 1e-6, max_clock)
    return clock


@model("accelerator")
def clock_scaled(
    temperature_k: Array,
    plate_temperature_k: Array,
    request: Array,
    power_intensity: Array,
    work_efficiency: Array,
    *,
    peak_flops: Flops,
    idle_power_w: Power,
    leakage_power_w: Power,
    leakage_coefficient_per_k: RelativePerKelvin,
    leakage_reference_k: Temperature,
    dynamic_power_w: PositivePower,
    clock_exponent: PositiveRatio,
    max_clock_fraction: PositiveRatio,
    half_load: PositiveRatio,
    power_cap_w: PositivePower,
    max_temperature_k: Temperature,
    shutdown_temperature_k: Temperature,
    junction_resistance_k_per_w: ThermalResistance,
    host_idle_power_w: Power,
    host_dynamic_power_w: Power,
) -> Operation:
    """Limits of one accelerator: P = idle + leakage(T) + dynamic * clock^exponent * saturation(load).

    `request` is the work asked as a fraction of what the chip does fully loaded at clock fraction 1;
    `work_efficiency` is that rate over the peak and `power_intensity` its dynamic power, chip and host, over that of
    large matrix multiplication. The governor runs at `max_clock_fraction` and lowers the clock until the chip meets its
    power cap and the die its temperature limit: the die follows its cold plate within seconds, so heat allows
    (limit - plate) / `junction_resistance_k_per_w`, continuously. Dies that would pass `shutdown_temperature_k` even
    without work are switched off. `idle_power_w` excludes leakage, which doubles every ln 2 /
    `leakage_coefficient_per_k` and is held at exp(2) times its reference value. `half_load` is the load at which
    dynamic power has reached about half its range.
    """
    warmer = jnp.minimum(leakage_coefficient_per_k * (temperature_k - leakage_reference_k), 2.0)
    standing = idle_power_w + leakage_power_w * jnp.exp(warmer)
    idling_k = plate_temperature_k + junction_resistance_k_per_w * standing
    dynamic = dynamic_power_w * power_intensity
    exponent, half, top = (
        jnp.asarray(value, dtype=standing.dtype) for value in (clock_exponent, half_load, max_clock_fraction)
    )
    heat_w = (max_temperature_k - plate_temperature_k) / junction_resistance_k_per_w
    asked = jnp.minimum(request, top)
    return Operation(
        on=sm.ramp(shutdown_temperature_k - idling_k, SHUTDOWN_BAND_K),
        standing_w=standing,
        dynamic_w=jnp.asarray(dynamic),
        host_standing_w=jnp.asarray(host_idle_power_w),
        host_dynamic_w=jnp.asarray(host_dynamic_power_w * power_intensity),
        asked_drive=_drive(top, asked, exponent, half),
        cap_drive=jnp.maximum(power_cap_w - standing, 0.0) / dynamic,
        heat_drive=jnp.maximum(heat_w - standing, 0.0) / dynamic,
        request=asked,
        peak_flops=peak_flops * work_efficiency,
        clock_exponent=exponent,
        half_load=half,
        max_clock=top,
    )


@part("accelerator")
def module(
    *,
    count: Count,
    module_mass_kg: Mass,
    host_mass_kg: Mass,
    heat_capacity_j_per_k: HeatCapacity,
    plate_heat_capacity_j_per_k: HeatCapacity,
    failure_rate_per_year: RatePerYear,
) -> dict[str, Array]:
    """Number of accelerators on a satellite and, for each, masses, heat capacities of die and plate, failure rate."""
    return {
        "count": jnp.asarray(count),
        "mass_kg": jnp.asarray(count) * (module_mass_kg + host_mass_kg),
        "heat_capacity_j_per_k": jnp.asarray(count) * heat_capacity_j_per_k,
        "plate_heat_capacity_j_per_k": jnp.asarray(count) * plate_heat_capacity_j_per_k,
        "failure_rate_per_year": jnp.asarray(failure_rate_per_year),
    }


def demand_w(operation: Operation, alive: Array) -> Array:
    """Electric power that the accelerators and their hosts would draw, were the bus able to give it. [W]"""
    drive = jnp.minimum(jnp.minimum(operation.asked_drive, operation.cap_drive), operation.heat_drive)
    each = operation.standing_w + operation.host_standing_w
    return alive * (operation.on * each + (operation.dynamic_w + operation.host_dynamic_w) * drive)


def run(operation: Operation, alive: Array, power_w: Array) -> Result:
    """Operate the accelerators on the power that the bus grants.

    Below standing power a part of them is switched off.
    """
    standing = operation.standing_w + operation.host_standing_w
    each_w = sm.ratio(power_w, alive, 1e-6)
    on = jnp.minimum(each_w / standing, 1.0)
    drive = jnp.maximum(each_w - standing, 0.0) / (operation.dynamic_w + operation.host_dynamic_w)
    clock = _clock(drive, operation.request, operation.clock_exponent, operation.half_load, operation.max_clock)
    working = on * jnp.minimum(clock, operation.request)
    return Result(
        chip_heat_w=alive * (on * operation.standing_w + operation.dynamic_w * drive),
        host_heat_w=alive * (on * operation.host_standing_w + operation.host_dynamic_w * drive),
        clock_fraction=clock,
        compute_rate_flops=alive * operation.peak_flops * working,
    )


def nominal_rate_flops(operation: Operation) -> Array:
    """Work rate of one accelerator at its power cap and fully loaded, at the temperature it was given. [flop/s]"""
    full = jnp.ones_like(operation.cap_drive) * operation.max_clock
    clock = _clock(operation.cap_drive, full, operation.clock_exponent, operation.half_load, operation.max_clock)
    return operation.peak_flops * clock


def nominal_power_w(operation: Operation) -> Array:
    """Power of one accelerator and its host at the power cap. [W]"""
    standing = operation.standing_w + operation.host_standing_w
    top = sm.power(operation.max_clock, operation.clock_exponent)
    return standing + (operation.dynamic_w + operation.host_dynamic_w) * jnp.minimum(operation.cap_drive, top)
