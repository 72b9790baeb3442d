"""Checks that need two numbers at once: what no single range can refuse."""

from typing import Any

from twin.refusal import ConfigError


def check_profiles(profiles: dict[str, Any]) -> None:
    """ConfigError naming both keys when two numbers of a design contradict each other."""
    _check_cell(profiles["solar_cell"])
    _check_chip(profiles["accelerator"])
    _check_loop(profiles["coolant_loop"])
    _check_battery(profiles["battery"])
    _check_pattern(profiles["orbit"], profiles["constellation"])


def _refuse(key: str, given: float, sentence: str) -> None:
    raise ConfigError(f"{key} = {given:g}: {sentence}")


def _check_cell(cell: Any) -> None:
    """A cell cannot make more electricity than it absorbs light."""
    if cell.model == "linear_efficiency":
        key, efficiency = "solar_cell.efficiency_bol", cell.efficiency_bol
    else:
        key = "solar_cell.max_power_current_a_per_m2"
        power = cell.max_power_voltage_v * cell.max_power_current_a_per_m2
        efficiency = power / cell.reference_irradiance_w_per_m2
    if efficiency > cell.absorptivity:
        given = cell.efficiency_bol if cell.model == "linear_efficiency" else cell.max_power_current_a_per_m2
        _refuse(
            key,
            given,
            f"means an efficiency of {efficiency:.2f}, above solar_cell.absorptivity = {cell.absorptivity:g}",
        )


def _check_chip(chip: Any) -> None:
    standing = chip.idle_power_w + chip.leakage_power_w
    if chip.power_cap_w <= standing:
        _refuse("accelerator.power_cap_w", chip.power_cap_w, f"must be above idle and leakage power, {standing:g} W")
    if chip.sleep_power_w > standing:
        _refuse(
            "accelerator.sleep_power_w", chip.sleep_power_w, f"must not exceed idle and leakage power, {standing:g} W"
        )
    if chip.shutdown_temperature_k < chip.max_temperature_k:
        limit = chip.max_temperature_k
        _refuse(
            "accelerator.shutdown_temperature_k",
            chip.shutdown_temperature_k,
            f"must be at least accelerator.max_temperature_k = {limit:g}",
        )


def _check_loop(loop: Any) -> None:
    if not loop.freezing_temperature_k < loop.set_point_k < loop.max_temperature_k:
        _refuse(
            "coolant_loop.set_point_k",
            loop.set_point_k,
            f"must lie between freezing, {loop.freezing_temperature_k:g} K, and the fluid's maximum, "
            f"{loop.max_temperature_k:g} K",
        )


def _check_battery(battery: Any) -> None:
    if battery.min_charge_temperature_k >= battery.max_temperature_k:
        _refuse(
            "battery.min_charge_temperature_k",
            battery.min_charge_temperature_k,
            f"must be below battery.max_temperature_k = {battery.max_temperature_k:g}",
        )
    curve = battery.open_circuit_voltage_v
    fall = next((k for k in range(1, len(curve)) if curve[k] < curve[k - 1]), None)
    if fall is not None:
        _refuse(f"battery.open_circuit_voltage_v.{fall}", curve[fall], "must not fall as the charge rises")


def _check_pattern(orbit: Any, pattern: Any) -> None:
    if pattern.model == "walker" and not float(pattern.planes).is_integer():
        _refuse("constellation.planes", pattern.planes, "must be a whole number")
    if pattern.model == "cluster" and orbit.eccentricity:
        _refuse("orbit.eccentricity", orbit.eccentricity, "must be 0: a cluster circles its centre")
