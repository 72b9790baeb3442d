"""Checks that need two numbers at once: what no single range can refuse."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, get_args

from kernels.quantity import CurveRatio
from twin.refusal import ConfigError


def check_time(time: Any) -> None:
    """Durations and intervals are whole multiples of the step, and nest; all in whole milliseconds."""
    counts = {}
    for key in ("step_s", "duration_s", "save_every_s", "exchange_s", "chunk_s"):
        value = getattr(time, key)
        counts[key] = round(value * 1000)
        if abs(value * 1000 - counts[key]) > 1e-6 * max(1.0, value):
            raise ConfigError(f"time.{key} = {value!r}: must be a whole number of milliseconds")
        if not counts[key] or counts[key] % counts["step_s"]:
            raise ConfigError(f"time.{key} = {value:g}: must be a whole multiple of time.step_s = {time.step_s:g}")
    save, exchange = counts["save_every_s"], counts["exchange_s"]
    if time.weight == 1 and counts["duration_s"] % save:
        raise ConfigError(
            f"time.duration_s = {time.duration_s:g}: must be a whole multiple of "
            f"time.save_every_s = {time.save_every_s:g}"
        )
    if max(save, exchange) % min(save, exchange):
        raise ConfigError(
            f"time.exchange_s = {time.exchange_s:g}: must divide time.save_every_s = {time.save_every_s:g} "
            "or be a whole multiple of it"
        )


def check_windows(time: Any, operations: Any) -> None:
    """Windows that stand for longer stretches, and what leads up to them, fit into the run; `check_time` has passed."""
    if time.weight == 1:
        if time.settle_s > 0:
            _refuse("time.settle_s", time.settle_s, "must be 0 where time.weight = 1: one window follows the other")
        return
    if operations.payload_off_for_s > 0:
        _refuse(
            "time.weight",
            time.weight,
            f"must be 1 where operations.payload_off_for_s = {operations.payload_off_for_s:g}, which may fall "
            "between two windows",
        )
    nest_s = max(time.save_every_s, time.exchange_s)
    if round(time.chunk_s * 1000) % round(nest_s * 1000):
        _refuse("time.chunk_s", time.chunk_s, f"must be a whole multiple of {nest_s:g} s where time.weight is above 1")
    if round(time.settle_s * 1000) % round(time.chunk_s * 1000):
        _refuse("time.settle_s", time.settle_s, f"must be a whole multiple of time.chunk_s = {time.chunk_s:g}")
    stretch_s = time.weight * time.chunk_s
    if time.duration_s < 2 * stretch_s:
        _refuse(
            "time.weight",
            time.weight,
            f"two stretches of {stretch_s:g} s, time.weight chunks each, must fit in "
            f"time.duration_s = {time.duration_s:g}",
        )
    before_s = 0.5 * (time.duration_s / math.ceil(time.duration_s / stretch_s) - time.chunk_s)
    if time.settle_s > before_s:
        _refuse("time.settle_s", time.settle_s, f"must be at most {before_s:g}, half of what lies between two windows")


def check_schedule(distributed: Any, precision: Any) -> None:
    """The kernel of the steps computes in float32 alone."""
    if distributed.schedule == "kernel" and precision.dtype != "float32":
        raise ConfigError(
            f"distributed.schedule = 'kernel' with precision.dtype = {precision.dtype!r}: the kernel computes in "
            "float32; choose precision=float32, or distributed.schedule=scan"
        )


def check_profiles(profiles: dict[str, Any]) -> None:
    """ConfigError naming both keys when two numbers of a design contradict each other."""
    if profiles["solar_cell"].model != "linear_efficiency":
        _check_sheet(profiles["solar_cell"])
    check_numbers(profiles)


def check_numbers(profiles: dict[str, Any]) -> None:
    """The same for a design whose printed table of cells has been checked before."""
    _check_cell(profiles["solar_cell"])
    _check_chip(profiles["accelerator"])
    _check_loop(profiles["coolant_loop"])
    _check_battery(profiles["battery"])
    _check_pattern(profiles["orbit"], profiles["constellation"])
    _check_servicing(profiles["servicing"])
    _check_terminal("link", profiles["link"])
    _check_terminal("downlink", profiles["downlink"])


def check_downlinks(network: Any, downlinks: Sequence[Any]) -> None:
    """A ground network has sites, and at least one cohort a terminal that its stations understand."""
    if network.model == "none":
        return
    if not network.sites:
        raise ConfigError("ground_network.sites = {}: must have at least one site, or choose ground_network=none")
    kinds = [downlink.model for downlink in downlinks]
    if network.model not in kinds:
        raise ConfigError(
            f"downlink.model = {kinds[0]!r} with ground_network.model = {network.model!r}: no satellite has a terminal "
            "for these sites; choose a downlink of their kind, or ground_network=none"
        )
    for kind in kinds:
        if kind not in ("none", network.model):
            raise ConfigError(
                f"downlink.model = {kind!r} with ground_network.model = {network.model!r}: its sites do not receive "
                "that; choose a downlink of their kind, or none"
            )


# Keys of a workload that no kernel reads, and the models whose demand follows from them.
_OF_SERIES = {
    "file": ("trace",),
    "repeat": ("trace",),
    "regions": ("daily",),
    "scale": ("trace", "daily"),
    "load_fraction": ("trace", "daily"),
    "token_lengths_from": ("trace", "daily"),
    "measured_on": ("trace", "daily"),
}


def check_workload(workload: Any) -> None:
    """No key of a series is given to a workload that follows none, where it would do nothing."""
    for key, models in _OF_SERIES.items():
        if key in workload.model_fields_set and workload.model not in models:
            given = getattr(workload, key)
            raise ConfigError(
                f"workload.{key} = {given!r}: belongs to workloads of model {' or '.join(models)}, such as "
                f"workload={'inference_azure_conv' if 'trace' in models else 'inference_daily'}; "
                f"this one is of model {workload.model!r}"
            )
    if "patience_s" in workload.model_fields_set and not workload.carry_over:
        raise ConfigError(
            f"workload.patience_s = {workload.patience_s:g} with workload.carry_over = 0: nothing waits that could be "
            "given up; leave it out, or choose a carry_over above 0"
        )


def check_served(workload: Any, accelerators: Sequence[Any]) -> None:
    """Slots, times and power of a served model were measured on the accelerator that flies."""
    for chip in accelerators:
        if workload.measured_on not in (None, chip.name):
            raise ConfigError(
                f"workload.measured_on = {workload.measured_on!r}: the served model's slots, times and power are of "
                f"that accelerator, not of {chip.name!r}; choose a workload/serving measured on that, or take the "
                "figures as they are with workload.measured_on=null"
            )


def check_scheduler(scheduler: Any, workload: Any, network: Any, cohorts: Sequence[Mapping[str, Any]]) -> None:
    """A scheduler has work to give out, and sees what it goes by."""
    if workload.model == "orbit_schedule" and scheduler.model != "even":
        raise ConfigError(
            f"scheduler.model = {scheduler.model!r} with workload.model = 'orbit_schedule': each satellite is asked by "
            "its place in the orbit, so that nothing is given out; choose scheduler=even, or another workload"
        )
    if scheduler.model == "link_aware" and not any(_lands(network, profiles) for profiles in cohorts):
        raise ConfigError(
            "scheduler.model = 'link_aware': no satellite has a way to the ground to go by; choose a ground_network, "
            "such as ground_network=optical_ten_sites, or link=starlink_mesh, or another scheduler"
        )


def _lands(network: Any, profiles: Mapping[str, Any]) -> bool:
    direct = network.model != "none" and profiles["downlink"].model != "none"
    return direct or profiles["link"].model == "mesh"


def _refuse(key: str, given: float, sentence: str) -> NoReturn:
    raise ConfigError(f"{key} = {given:g}: {sentence}")


def _check_cell(cell: Any) -> None:
    """No cell makes more electricity than it absorbs light."""
    if cell.model == "linear_efficiency":
        key, given, efficiency = "efficiency_bol", cell.efficiency_bol, cell.efficiency_bol
    else:
        key, given = "max_power_current_a_per_m2.0", cell.max_power_current_a_per_m2[0]
        efficiency = cell.max_power_voltage_v[0] * given / cell.reference_irradiance_w_per_m2
    if efficiency > cell.absorptivity:
        _refuse(
            f"solar_cell.{key}",
            given,
            f"means an efficiency of {efficiency:.2f}, above solar_cell.absorptivity = {cell.absorptivity:g}",
        )


def _check_sheet(cell: Any) -> None:
    """A sheet's table has one value for each fluence, and no voltage or current above its limit."""
    points = ("open_circuit_voltage_v", "max_power_voltage_v", "short_circuit_current_a_per_m2")
    points += ("max_power_current_a_per_m2",)
    coefficients = tuple(name for name in type(cell).model_fields if "_coefficient_" in name)
    for fluences, columns in (
        ("fluence_points_per_m2", points),
        ("coefficient_fluence_points_per_m2", coefficients),
    ):
        at = getattr(cell, fluences)
        fall = next((k for k in range(1, len(at)) if at[k] <= at[k - 1]), None)
        if fall is not None:
            _refuse(f"solar_cell.{fluences}.{fall}", at[fall], "must be above the fluence before it")
        for name in columns:
            if len(getattr(cell, name)) != len(at):
                raise ConfigError(
                    f"solar_cell.{name}: {len(getattr(cell, name))} values; must be as many as "
                    f"solar_cell.{fluences}, {len(at)}"
                )
    if cell.fluence_points_per_m2[0] != 0.0:
        _refuse("solar_cell.fluence_points_per_m2.0", cell.fluence_points_per_m2[0], "must be 0, beginning of life")
    ratio = get_args(CurveRatio)[1]
    for at_power, limit in ((points[1], points[0]), (points[3], points[2])):
        for k, (value, most) in enumerate(zip(getattr(cell, at_power), getattr(cell, limit), strict=True)):
            if not ratio.accepts(value / most):
                span = f"{ratio.minimum:g} to {ratio.maximum:g}"
                _refuse(f"solar_cell.{at_power}.{k}", value, f"must be {span} of solar_cell.{limit}.{k} = {most:g}")


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
    if pattern.model in ("cluster", "disc") and orbit.eccentricity:
        _refuse("orbit.eccentricity", orbit.eccentricity, "must be 0: a cluster circles its centre")


def _check_servicing(servicing: Any) -> None:
    """A campaign that is no shorter than what it repeats would be due again before it ends."""
    if servicing.model == "none":
        return
    for key in ("visit_interval_years", "service_life_years"):
        if servicing.campaign_years >= getattr(servicing, key):
            _refuse(
                "servicing.campaign_years",
                servicing.campaign_years,
                f"must be below servicing.{key} = {getattr(servicing, key):g}",
            )


def _check_terminal(slot: str, profile: Any) -> None:
    """No terminal sends more than it draws."""
    if profile.model in ("optical", "radio") and profile.transmitted_power_w > profile.terminal_power_w:
        _refuse(
            f"{slot}.transmitted_power_w",
            profile.transmitted_power_w,
            f"must not exceed {slot}.terminal_power_w = {profile.terminal_power_w:g}",
        )


# Ports whose component brings heat capacity to its nodes.
_HEAVY_PORTS = ("accelerator", "cold_plate", "coolant", "radiator", "bus", "battery", "array")


def massless(network: Any) -> list[str]:
    """Nodes without heat capacity, neither their own nor that of a component."""
    carrying = {node for port in _HEAVY_PORTS for node in network.ports.get(port, [])}
    return [n for n, node in network.nodes.items() if not node.heat_capacity_j_per_k and n not in carrying]


def check_network(network: Any) -> None:
    """ConfigError naming a node that nothing gives a temperature, or a face that would count the cells twice.

    A node needs heat capacity, a boundary or a surface that emits, or a link that leads to a node with one.
    """
    _check_cells(network.surfaces)
    held = set(network.nodes) - set(massless(network))
    held |= {b.node for b in network.boundaries.values() if b.conductance_w_per_k > 0}
    held |= {n for face in network.surfaces.values() if _emits(face) for n in face.nodes}
    links = [(c.from_, c.to) for c in network.couplings.values() if c.conductance_w_per_k > 0 or c.component]
    links += [(r.from_, r.to) for r in network.radiative.values() if r.exchange_m2 > 0]
    flows = [pair for flow in network.flows for pair in zip(flow.path, flow.path[1:], strict=False)]
    while new := ({n for link in links if held & {*link} for n in link} | {b for a, b in flows if a in held}) - held:
        held |= new
    for name in network.nodes:
        if name not in held:
            raise ConfigError(
                f"thermal_network.nodes.{name}.heat_capacity_j_per_k = 0: a node without heat capacity needs a "
                "coupling or a flow to a node that has some, a boundary, or a surface that emits"
            )


def _check_cells(surfaces: Any) -> None:
    """The light on the faces with cells is what the array makes electricity of, for the whole of its area."""
    faces = [name for name, face in surfaces.items() if face.optics == "solar_cell"]
    if len(faces) > 1:
        raise ConfigError(
            f"thermal_network.surfaces.{faces[1]}.optics = 'solar_cell': only one face may carry the cells, "
            f"and {faces[0]} does"
        )
    for name in faces:
        share = surfaces[name].area_share
        if share != 1.0:
            _refuse(f"thermal_network.surfaces.{name}.area_share", share, "must be 1, as the face carries the cells")


def _emits(face: Any) -> bool:
    return face.area_share > 0 and (face.optics != "own" or face.emissivity > 0)
