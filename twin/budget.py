"""What one satellite weighs and draws, and the limits against which margins are stated."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import battery as battery_kernel
from kernels import coolant_loop as loop_kernel
from kernels import mass_and_cost as mass
from kernels import power_bus as bus_kernel
from kernels import radiator as radiator_kernel
from kernels import registry
from kernels import solar_array as array_kernel
from twin.structure import CohortParams, Profile


class Budget(NamedTuple):
    """Numbers for the summary that no step needs."""

    mass_kg: Array
    nominal_power_w: Array
    accelerators: Array
    limits: dict[str, Array]


def budget(
    params: CohortParams, panel: array_kernel.Panel, modules: Mapping[str, Array], nominal_power_w: Array
) -> Budget:
    """Mass, nominal power and limits of one satellite."""
    radiator = registry.call(radiator_kernel.panel, params["radiator"])
    loop = registry.call(
        loop_kernel.filling, params["coolant_loop"], params["coolant_loop"]["specific_heat_j_per_kg_k"]
    )
    pack_kg, _ = registry.call(battery_kernel.pack_mass, params["battery"], params["battery"]["energy_j"])
    cell_kg_per_m2 = registry.call(array_kernel.cell_mass, params["solar_cell"])
    body = registry.call(mass.structure, params["satellite"])
    array_kg = panel.area_m2 * (panel.areal_mass_kg_per_m2 + panel.packing_fraction * cell_kg_per_m2)
    power_w = modules["count"] * nominal_power_w
    converters_kg = registry.call(bus_kernel.converter_mass, params["power_bus"], power_w)
    components = (
        array_kg + pack_kg + modules["mass_kg"] + radiator.mass_kg + loop["mass_kg"] + body["mass_kg"] + converters_kg
    )
    return Budget(
        mass_kg=mass.dry_mass_kg(components, body["structure_fraction"], body["margin_fraction"]),
        nominal_power_w=power_w,
        accelerators=modules["count"],
        limits=_limits(params, radiator, loop | _boiling(params["coolant_loop"], loop)),
    )


def _boiling(profile: Profile, loop: Mapping[str, Array]) -> dict[str, Array]:
    """What vapour adds to a loop's limits: the wall's pressure, as a temperature, and dry-out; nothing for a liquid."""
    if "dry_out_quality" not in profile:
        return {}
    curve = (profile[f"saturation_{name}"] for name in ("a", "b_k", "c", "d_per_k"))
    limits = registry.call(loop_kernel.boiling_limits, profile, *curve)
    return limits | {"max_temperature_k": jnp.minimum(limits["max_temperature_k"], loop["max_temperature_k"])}


def _limits(params: CohortParams, radiator: radiator_kernel.Radiator, loop: Mapping[str, Array]) -> dict[str, Array]:
    """Limits against which the report states margins."""
    numbers: dict[str, Any] = {
        "max_accelerator_temperature_k": params["accelerator"]["max_temperature_k"],
        "max_battery_temperature_k": params["battery"]["max_temperature_k"],
        "min_battery_temperature_k": params["battery"]["min_charge_temperature_k"],
        "max_radiator_temperature_k": radiator.max_temperature_k,
        "max_coolant_temperature_k": loop["max_temperature_k"],
        "min_coolant_temperature_k": jnp.maximum(loop["min_temperature_k"], radiator.min_temperature_k),
        "min_state_of_charge": params["battery"]["reserve_fraction"],
    }
    if "dry_out_quality" in loop:
        numbers["max_vapour_quality"] = loop["dry_out_quality"]
    return {name: jnp.asarray(number) for name, number in numbers.items()}
