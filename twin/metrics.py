"""From totals to the numbers that people read and optimisers differentiate."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array

from kernels import constants as const
from kernels import failures
from kernels import safe_math as sm
from twin import rollout, variables
from twin.ageing import condition
from twin.placement import devices_of
from twin.prepare import Cohort, prepare
from twin.servicing import grown
from twin.state import Servicing, Slow
from twin.structure import CohortStructure, Environment, Params, Structure

Metrics = dict[str, Array]

EXTREMES = {total.name: total.kind for total in variables.TOTALS if total.kind != "sum"}
ENERGIES = (
    "array_energy_j",
    "load_energy_j",
    "accelerator_energy_j",
    "battery_throughput_j",
    "battery_heat_j",
    "battery_energy_j",
    "curtailed_energy_j",
    "conversion_loss_j",
    "shed_energy_j",
    "heater_energy_j",
    "radiated_heat_j",
    "absorbed_environment_heat_j",
    "delivered_flop",
    "assigned_flop",
    "able_flop",
    "unasked_flop",
    "heat_lost_flop",
    "power_lost_flop",
    "eclipse_lost_flop",
    "surplus_flop",
    "dropped_flop",
    "waited_flop",
    "produced_bit",
    "sent_bit",
    "data_lost_bit",
    "data_waited_bit",
    "downlink_able_bit",
    "late_bit_s",
    "work_lost_to_upsets_flop",
)

RENEWED = (
    "visits",
    "satellites_replaced",
    "accelerators_replaced",
    "accelerators_retired",
    "accelerators_dead_s",
    "propellant_refilled_kg",
    "out_of_service_s",
)


def cohort_metrics(structure: Structure, cohort: CohortStructure, prepared: Cohort, carry: rollout.Carry) -> Metrics:
    """Metrics of one cohort: sums over its satellites, extremes, means, and the worst balance residuals."""
    totals = {name: rollout.flat(leaf, cohort.satellites) for name, leaf in carry.totals[cohort.name].items()}
    last, work, told = jax.tree.map(
        lambda leaf: rollout.flat(leaf, cohort.satellites),
        (carry.slow[cohort.name], carry.work[cohort.name], carry.servicing.get(cohort.name)),
    )
    duration_s = run_duration_s(structure, prepared)
    power, heat = balance_residuals(prepared, totals)
    metrics = {name: jnp.sum(totals[name]) for name in ENERGIES}
    metrics |= _extremes(cohort, carry)
    mass_kg = prepared.budget.mass_kg * cohort.satellites
    return metrics | {
        "satellites": jnp.asarray(float(cohort.satellites)),
        "mass_kg": mass_kg,
        "nominal_power_w": prepared.budget.nominal_power_w * cohort.satellites,
        "mean_compute_rate_flops": metrics["delivered_flop"] / duration_s,
        "nominal_compute_rate_flops": prepared.shared.nominal_flops * prepared.budget.accelerators * cohort.satellites,
        "sunlit_fraction": jnp.mean(totals["sunlit_s"]) / duration_s,
        "in_view_fraction": jnp.mean(totals["in_view_s"]) / duration_s,
        "ground_delay_s": sm.ratio(metrics["late_bit_s"], metrics["sent_bit"], 1.0),
        "nominal_flop": prepared.shared.nominal_flops * prepared.budget.accelerators * cohort.satellites * duration_s,
        "throttled_fraction": jnp.mean(totals["throttled_s"]) / duration_s,
        "underserved_fraction": jnp.mean(totals["underserved_s"]) / duration_s,
        "power_limited_fraction": jnp.mean(totals["power_limited_s"]) / duration_s,
        "backlog_flop": jnp.sum(work.backlog_flop),
        **yearly(cohort, prepared, last, told, duration_s),
        "accelerators_alive": jnp.sum(last.accelerators_alive),
        **{name: jnp.sum(getattr(last, name)) for name in failures.UPSETS},
        "power_balance_residual": jnp.max(power),
        "heat_balance_residual": jnp.max(heat),
        "specific_mass_kg_per_kw": specific_mass(mass_kg, metrics["accelerator_energy_j"], duration_s),
        **station_keeping(cohort, prepared, last, told, duration_s),
        **(renewal(prepared, last, told, duration_s) if any(c.serviced for c in structure.cohorts) else {}),
    }


def extremes(structure: Structure, carry: rollout.Carry) -> dict[str, Metrics]:
    """Of each cohort, the extremes of its satellites since the start of the run, by their names in the summary, ()."""
    return {cohort.name: _extremes(cohort, carry) for cohort in structure.cohorts}


def _extremes(cohort: CohortStructure, carry: rollout.Carry) -> Metrics:
    worst = {"max": jnp.max, "min": jnp.min}
    name, satellites = cohort.name, cohort.satellites
    found = {key: worst[kind](rollout.flat(carry.totals[name][key], satellites)) for key, kind in EXTREMES.items()}
    told, dose_gy = carry.servicing.get(name), carry.slow[name].dose_gy
    highest_gy = dose_gy if told is None else jnp.maximum(dose_gy, told.highest_dose_gy)
    return found | {"max_dose_gy": jnp.max(rollout.flat(highest_gy, satellites))}


def yearly(cohort: CohortStructure, prepared: Cohort, last: Slow, told: Servicing | None, duration_s: Array) -> Metrics:
    """What a year like the run takes of batteries and arrays, and the dose that it brings, means over satellites."""
    first, per_year = prepared.slow, const.YEAR_S / duration_s
    before = condition(cohort, prepared.shared, first).array_health
    last, after = grown(cohort, prepared.shared, last, told)
    return {
        "battery_cycle_loss_per_year": per_year * jnp.mean(last.battery_cycle_loss - first.battery_cycle_loss),
        "array_loss_per_year": per_year * jnp.mean(before - after),
        "dose_gy_per_year": per_year * jnp.mean(last.dose_gy - first.dose_gy),
    }


def station_keeping(
    cohort: CohortStructure, prepared: Cohort, last: Slow, told: Servicing | None, duration_s: Array
) -> Metrics:
    """Drag met, altitude lost, propellant used and how long the rest lasts before the disposal needs it."""
    used_kg = prepared.slow.propellant_kg - grown(cohort, prepared.shared, last, told)[0].propellant_kg
    spare_kg = last.propellant_kg - prepared.shared.disposal_kg
    years = duration_s / const.YEAR_S
    lasts = jnp.where(used_kg > 0.0, spare_kg * years / jnp.where(used_kg > 0.0, used_kg, 1.0), jnp.inf)
    return {
        "drag_delta_v_m_per_s_per_year": jnp.mean(last.drag_delta_v_m_per_s) / years,
        "max_semi_major_axis_loss_m": jnp.max(last.semi_major_axis_loss_m),
        "propellant_used_kg": jnp.sum(used_kg),
        "propellant_life_years": jnp.min(lasts),
    }


def renewal(prepared: Cohort, last: Slow, told: Servicing | None, duration_s: Array) -> Metrics:
    """What failed, what visits and successors put in its place, and what had to be launched for that.

    The servicer itself is not counted. Years of accelerators, dead ones among them, are those of slots that are
    serviced: elsewhere no account of the dead is kept.
    """
    budget, count = prepared.budget, prepared.budget.accelerators
    own = {name: jnp.sum(getattr(told, name)) if told else jnp.zeros(()) for name in RENEWED}
    added = own["accelerators_replaced"] + count * own["satellites_replaced"] - own["accelerators_retired"]
    span_s = duration_s * last.age_s.size
    years = (span_s * count if told else jnp.zeros(())) / const.YEAR_S
    dead_years = own["accelerators_dead_s"] / const.YEAR_S
    return {
        "servicing_visits": own["visits"],
        "satellites_replaced": own["satellites_replaced"],
        "accelerators_replaced": own["accelerators_replaced"],
        "accelerators_failed": jnp.sum(prepared.slow.accelerators_alive - last.accelerators_alive) + added,
        "propellant_refilled_kg": own["propellant_refilled_kg"],
        "replacement_mass_kg": own["satellites_replaced"] * budget.mass_kg,
        "spares_mass_kg": spares_kg(prepared, own),
        "out_of_service_fraction": own["out_of_service_s"] / span_s,
        "accelerator_years": years,
        "dead_accelerator_years": dead_years,
        "accelerators_dead_fraction": dead_fraction(dead_years, years),
    }


def spares_kg(prepared: Cohort, own: Mapping[str, Array]) -> Array:
    """What visits brought, of their account `own`: a spare accelerator comes with its share of the hosts."""
    parts_kg, count = prepared.budget.parts_kg, prepared.budget.accelerators
    chips_kg = (parts_kg["accelerators"] + parts_kg["hosts"]) / jnp.maximum(count, 1e-9)
    swapped = prepared.shared.profiles["servicing"].get("battery_renewed_fraction", 0.0) * own["visits"]
    return own["accelerators_replaced"] * chips_kg + swapped * parts_kg["battery"] + own["propellant_refilled_kg"]


def dead_fraction(dead_years: Array, years: Array) -> Array:
    """Part of their time in which accelerators were dead; NaN without any in the account."""
    return jnp.where(years > 0.0, dead_years / jnp.where(years > 0.0, years, 1.0), jnp.nan)


def run_duration_s(structure: Structure, prepared: Cohort) -> Array:
    """Time that the totals stand for. [s]"""
    return structure.schedule.steps * structure.schedule.step_s * prepared.slow_weight


def specific_mass(mass_kg: Array, accelerator_energy_j: Array, duration_s: Array) -> Array:
    """Mass per mean power of accelerators and hosts; NaN without any. [kg/kW]"""
    per_kw = mass_kg * duration_s / jnp.maximum(accelerator_energy_j, 1e-9) * 1e3
    return jnp.where(accelerator_energy_j > 0.0, per_kw, jnp.nan)


def balance_residuals(prepared: Cohort, totals: Mapping[str, Array]) -> tuple[Array, Array]:
    """What the electric and the thermal account of each satellite miss, relative to its array energy. (satellite,)

    Electric: array - load - battery - conversion loss at the bus, plus battery energy in - heat - change of charge.
    Thermal: environment + load + losses + battery heat - radiated - change of stored heat.
    """
    least_j = 1e-3 * prepared.shared.profiles["battery"]["energy_j"]
    at_bus = (
        totals["array_energy_j"] - totals["load_energy_j"] - totals["battery_energy_j"] - totals["conversion_loss_j"]
    )
    in_pack = totals["battery_energy_j"] - totals["battery_heat_j"] - totals["stored_in_battery_j"]
    into_body = totals["absorbed_environment_heat_j"] + totals["load_energy_j"] + totals["conversion_loss_j"]
    in_body = into_body + totals["battery_heat_j"] - totals["radiated_heat_j"] - totals["stored_as_heat_j"]
    # A run that is all eclipse has no array energy to compare with.
    scale = jnp.maximum(jnp.maximum(totals["array_energy_j"], totals["load_energy_j"]), least_j)
    return (jnp.abs(at_bus) + jnp.abs(in_pack)) / scale, jnp.abs(in_body) / scale


def fleet_metrics(cohorts: Mapping[str, Metrics], duration_s: Array) -> Metrics:
    """Metrics of the whole fleet from those of its cohorts."""
    parts = list(cohorts.values())
    satellites = sum((part["satellites"] for part in parts), jnp.zeros(()))
    worst = {
        "power_balance_residual": "max",
        "heat_balance_residual": "max",
        "max_dose_gy": "max",
        "max_semi_major_axis_loss_m": "max",
        "propellant_life_years": "min",
        **EXTREMES,
    }
    per_satellite = (
        "sunlit_fraction",
        "in_view_fraction",
        "throttled_fraction",
        "underserved_fraction",
        "power_limited_fraction",
        "out_of_service_fraction",
        "drag_delta_v_m_per_s_per_year",
        "battery_cycle_loss_per_year",
        "array_loss_per_year",
        "dose_gy_per_year",
    )
    metrics = {}
    for name in parts[0]:
        column = jnp.stack([part[name] for part in parts])
        if name in worst:
            metrics[name] = jnp.max(column) if worst[name] == "max" else jnp.min(column)
        elif name in per_satellite:
            weights = jnp.stack([part["satellites"] for part in parts])
            metrics[name] = jnp.sum(column * weights) / satellites
        else:
            metrics[name] = jnp.sum(column)
    metrics["ground_delay_s"] = sm.ratio(metrics["late_bit_s"], metrics["sent_bit"], 1.0)
    metrics["specific_mass_kg_per_kw"] = specific_mass(metrics["mass_kg"], metrics["accelerator_energy_j"], duration_s)
    if "accelerator_years" in metrics:
        dead = dead_fraction(metrics["dead_accelerator_years"], metrics["accelerator_years"])
        metrics["accelerators_dead_fraction"] = dead
    return metrics


def all_metrics(
    structure: Structure, cohorts: Mapping[str, Cohort], carry: rollout.Carry
) -> tuple[Metrics, dict[str, Metrics]]:
    """Metrics of the fleet and of each cohort."""
    each = {c.name: cohort_metrics(structure, c, cohorts[c.name], carry) for c in structure.cohorts}
    any_cohort = next(iter(cohorts.values()))
    return fleet_metrics(each, run_duration_s(structure, any_cohort)), each


def objective(structure: Structure, params: Params, environment: Environment) -> Metrics:
    """Metrics of a whole run as 0-d arrays: a pure function of the parameters, for `jit`, `grad` and `vmap`.

    Its tiles are spread over the devices of the run.
    """
    cohorts = prepare(structure, params, environment)
    devices = devices_of(structure)
    tiles = rollout.lay_out(structure, cohorts, len(devices))
    carry = rollout.run_all_on(structure, devices, tiles, environment)
    return all_metrics(structure, cohorts, carry)[0]
