"""What one satellite weighs and draws, and the limits against which margins are stated."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import accelerator, failures, ground_link, link, propulsion, radiation, registry, solar_cell
from kernels import battery as battery_kernel
from kernels import coolant_loop as loop_kernel
from kernels import mass_and_cost as mass
from kernels import power_bus as bus_kernel
from kernels import radiator as radiator_kernel
from kernels import solar_array as array_kernel
from twin.structure import CohortParams, Profile


class Budget(NamedTuple):
    """Numbers for the summary that no step needs."""

    mass_kg: Array  # at launch
    parts_kg: dict[str, Array]  # what it consists of
    disposal_kg: Array  # the part of the propellant that is for the disposal
    nominal_power_w: Array
    accelerators: Array
    limits: dict[str, Array]
    set_point_k: Array  # of the coolant supply
    payload_off_s: Array  # for which operations switch the payload off


def budget(
    params: CohortParams, panel: array_kernel.Panel, accelerator_power_w: Array, drag_n: Array, radius_m: Array
) -> Budget:
    """Mass, nominal power and limits of one satellite; drag and radius of its orbit size the propellant."""
    radiator = registry.call(radiator_kernel.panel, params["radiator"])
    loop = registry.call(
        loop_kernel.filling, params["coolant_loop"], params["coolant_loop"]["specific_heat_j_per_kg_k"]
    )
    thruster = registry.call(propulsion.thruster, params["propulsion"])
    plan = registry.call(propulsion.plan, params["station_keeping"])
    disposal_m_per_s = propulsion.disposal_delta_v_m_per_s(radius_m, plan.disposal_perigee_m)
    body = registry.call(mass.structure, params["satellite"])
    power_w = params["accelerator"]["count"] * accelerator_power_w
    components = _components_kg(params, panel, power_w + essential_w(params))
    components |= {
        "radiator": radiator.mass_kg,
        "coolant_loop": loop["mass_kg"],
        "bus": body["mass_kg"],
        "propulsion": thruster.mass_kg,
    }
    need = propulsion.need(thruster, plan, drag_n, disposal_m_per_s)
    fractions = (body["structure_fraction"], body["margin_fraction"], thruster.tank_fraction)
    parts = mass.launch_parts_kg(components, *fractions, need.per_final_kg, need.constant_kg)
    mass_kg = sum(parts.values(), jnp.zeros(()))
    spent = propulsion.spent_fraction(disposal_m_per_s, thruster.exhaust_m_per_s)
    return Budget(
        mass_kg=mass_kg,
        parts_kg=parts,
        disposal_kg=spent / (1.0 - spent) * (mass_kg - parts["propellant"]),
        nominal_power_w=power_w,
        accelerators=jnp.asarray(params["accelerator"]["count"]),
        limits=_limits(params, radiator, loop | _boiling(params["coolant_loop"], loop)),
        set_point_k=jnp.asarray(params["coolant_loop"]["set_point_k"]),
        payload_off_s=jnp.asarray(params["operations"]["payload_off_for_s"]),
    )


def essential_w(params: CohortParams) -> Array:
    """What the bus must always feed, besides pump and heaters, and all of which warms it. [W]"""
    own_w = registry.call(bus_kernel.housekeeping, params["satellite"])
    return sum((carried.power_w for carried in _terminals(params)), own_w)


def _terminals(params: CohortParams) -> list[link.Terminals | ground_link.Load]:
    """Terminals towards other satellites and the ground, of the kinds that there are."""
    kernels = {"link": link.terminals, "downlink": ground_link.load}
    return [registry.call(kernel, params[slot]) for slot, kernel in kernels.items() if params[slot]]


def _components_kg(params: CohortParams, panel: array_kernel.Panel, carried_w: Array) -> dict[str, Array]:
    """Masses of what makes, stores, carries and uses the power."""
    cell_kg_per_m2 = registry.call(solar_cell.build, params["solar_cell"]).covered_kg_per_m2
    pack_kg, _ = registry.call(battery_kernel.pack_mass, params["battery"], params["battery"]["energy_j"])
    modules = registry.call(accelerator.module, params["accelerator"])
    terminals_kg = [carried.mass_kg for carried in _terminals(params)]
    own = {"terminals": sum(terminals_kg, jnp.zeros(()))} if terminals_kg else {}
    return own | {
        "array": panel.area_m2 * (panel.areal_mass_kg_per_m2 + panel.packing_fraction * cell_kg_per_m2),
        "battery": pack_kg,
        "accelerators": modules["mass_kg"],
        "hosts": modules["host_mass_kg"],
        "power_electronics": registry.call(bus_kernel.converter_mass, params["power_bus"], carried_w),
        "harness": registry.call(bus_kernel.harness_mass, params["power_bus"], carried_w),
        "shield": registry.call(
            radiation.shield_kg,
            params["radiation"],
            params["accelerator"]["count"],
            params["radiation"]["shielding_m"],
        ),
    }


def _boiling(profile: Profile, loop: Mapping[str, Array]) -> dict[str, Array]:
    """What vapour adds to a loop's limits: the wall's pressure, as a temperature, and dry-out; nothing for a liquid."""
    if "dry_out_quality" not in profile:
        return {}
    curve = (profile[f"saturation_{name}"] for name in ("a", "b_k", "c", "d_per_k"))
    limits = registry.call(loop_kernel.boiling_limits, profile, *curve)
    return limits | {"max_temperature_k": jnp.minimum(limits["max_temperature_k"], loop["max_temperature_k"])}


def _limits(params: CohortParams, radiator: radiator_kernel.Radiator, loop: Mapping[str, Array]) -> dict[str, Array]:
    """Limits against which the report states margins."""
    chips = params["accelerator"]
    numbers: dict[str, Any] = {
        "max_accelerator_temperature_k": chips["max_temperature_k"],
        "max_overheat_k": 0.0,
        "max_memory_temperature_k": chips["max_memory_temperature_k"],
        "max_battery_temperature_k": params["battery"]["max_temperature_k"],
        "min_battery_temperature_k": params["battery"]["min_charge_temperature_k"],
        "max_radiator_temperature_k": radiator.max_temperature_k,
        "max_coolant_temperature_k": loop["max_temperature_k"],
        "min_coolant_temperature_k": jnp.maximum(loop["min_temperature_k"], radiator.min_temperature_k),
        "max_dose_gy": registry.call(failures.dose_limit, params["reliability"]),
        "min_state_of_charge": params["battery"]["reserve_fraction"],
    }
    if "dry_out_quality" in loop:
        numbers["max_vapour_quality"] = loop["dry_out_quality"]
    return {name: jnp.asarray(number) for name, number in numbers.items()}
