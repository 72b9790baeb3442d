"""Ageing: what the slow variables mean to a step, and how fast they change.

Both are evaluated once per save block, in float64, so that the step pays for none of it.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import battery_ageing, drag, failures, propulsion, radiator, registry, solar_array, solar_cell
from kernels import safe_math as sm
from kernels.constants import YEAR_S
from twin.anchor import Anchor
from twin.prepare import Shared
from twin.state import Slow, State
from twin.structure import CohortStructure
from twin.surfaces import Spread, light_m2

Rates = dict[str, Array]


class Condition(NamedTuple):
    """What a step reads of the slow variables, in the run's precision; leaves are (satellite,)."""

    battery_health: Array
    battery_resistance_growth: Array
    cell: solar_cell.Cell
    array_yield: Array  # what mismatch and age leave of the power of its cells
    array_health: Array
    accelerators_alive: Array
    light_m2: Spread


def condition(structure: CohortStructure, shared: Shared, slow: Slow) -> Condition:
    """What the slow variables mean to the steps of a block."""
    health, growth = registry.call(
        battery_ageing.health, shared.profiles["battery"], slow.battery_cycle_loss, slow.battery_calendar_square
    )
    array = shared.profiles["array"]
    cell = _cell(structure, shared, slow.electron_fluence_per_m2)
    fresh = _cell(structure, shared, jnp.zeros(()))
    matched, matched_fresh = (1.0 - registry.call(solar_cell.mismatch_loss, array, c.reference) for c in (cell, fresh))
    kept = registry.call(solar_array.remaining, array, slow.age_s)
    coating = shared.profiles["coating"] | {"life_fraction": slow.coating_life_fraction}
    return Condition(
        battery_health=health,
        battery_resistance_growth=growth,
        cell=cell,
        array_yield=kept * matched,
        array_health=kept * matched * _power(cell) / (matched_fresh * _power(fresh)),
        accelerators_alive=slow.accelerators_alive,
        light_m2=light_m2(structure, shared.surfaces, registry.call(radiator.aged_optics, coating).absorptivity),
    )


def _cell(structure: CohortStructure, shared: Shared, fluence_per_m2: Array) -> solar_cell.Cell:
    """The cells after a fluence of 1 MeV electrons."""
    model = registry.models("solar_cell")[structure.model("solar_cell")]
    return registry.call(model, shared.profiles["solar_cell"], fluence_per_m2)


def _power(cell: solar_cell.Cell) -> Array:
    """Maximum power at the reference temperature and irradiance. [W/m2]"""
    return solar_cell.maximum_power_w_per_m2(cell, cell.reference_temperature_k, cell.reference_irradiance_w_per_m2)


def slow_rates(
    structure: CohortStructure, shared: Shared, anchor: Anchor, slow: Slow, means: Rates, end: State
) -> Rates:
    """Rates per second over a block, under the names that `variables.SLOW` gives them.

    `means` are the means of the block's steps, `end` is the state after it.
    """
    battery = structure.topology.nodes[structure.ports.battery[0]]
    calendar = registry.call(
        battery_ageing.calendar_square_rate_per_s,
        shared.profiles["battery"],
        end.state_of_charge,
        end.temperature_k[battery],
    )
    return {
        "battery_calendar_square_per_s": calendar,
        "coating_life_per_s": means["sunlit_fraction"] * shared.coating_ageing_per_s,
        **_failure_rates(shared, anchor, slow),
        **_orbit_rates(shared, anchor, slow),
    }


def _failure_rates(shared: Shared, anchor: Anchor, slow: Slow) -> Rates:
    """Age, and what is expected to fail: accelerators by their age, upsets by the mean dose of the orbit."""
    alive = slow.accelerators_alive
    base = registry.call(failures.base_rate, shared.profiles["accelerator"])
    law = registry.call(failures.hazard, shared.profiles["reliability"], base)
    hazard = failures.hazard_per_year(law, (slow.age_s - slow.accelerators_younger_s) / YEAR_S)
    exposed = shared.expected * alive * anchor.exposure.mean_gy_per_s
    return {
        "accelerators_alive_per_s": -shared.expected * alive * hazard / YEAR_S,
        "age_s_per_s": jnp.ones_like(alive),
        "electron_fluence_per_m2_s": anchor.electron_fluence_per_m2_s,
        **{f"{name}_per_s": exposed * per_gy for name, per_gy in shared.upsets.per_gy.items()},
    }


def _orbit_rates(shared: Shared, anchor: Anchor, slow: Slow) -> Rates:
    """Drag, the propellant that makes up for it, and the orbit where it does not.

    Thrust ends when no more is left than the disposal needs. A lower orbit is ahead of the first one in its phase and
    its node by the difference of their rates.
    """
    plan = registry.call(propulsion.plan, shared.profiles["station_keeping"])
    exhaust = registry.call(propulsion.thruster, shared.profiles["propulsion"]).exhaust_m_per_s
    mass_kg = shared.dry_mass_kg + slow.propellant_kg
    able = sm.ramp(slow.propellant_kg - shared.disposal_kg, 1e-4 * shared.dry_mass_kg)
    held_n = able * plan.hold_fraction * anchor.drag_n
    axis_m, motion = anchor.elements.semi_major_axis_m, anchor.rates.mean_anomaly_rad_per_s
    stretch = drag.stretch(axis_m + slow.semi_major_axis_loss_m, slow.semi_major_axis_loss_m)
    return {
        "propellant_kg_per_s": -propulsion.use_kg_per_s(plan, exhaust, held_n, able * mass_kg),
        "drag_m_per_s2": anchor.drag_n / mass_kg,
        "semi_major_axis_loss_m_per_s": drag.axis_loss_m_per_s(anchor.drag_n - held_n, mass_kg, axis_m),
        "phase_lead_rad_per_s": motion * (1.0 - stretch**-1.5),
        "node_lead_rad_per_s": anchor.rates.node_rad_per_s * (1.0 - stretch**-3.5),
    }
