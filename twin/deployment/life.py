"""What one satellite is and does over its life, from a simulation: what deployment builds, launches and pays for.

A year is a Julian year of the time that a run stands for, counted from its start.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from numpy.typing import ArrayLike

from kernels import constants as const
from kernels import registry, solar_cell
from twin import designs, ensembles, rollout
from twin.ageing import condition
from twin.carry import Carry
from twin.metrics import spares_kg
from twin.model import Model
from twin.prepare import Cohort, prepare
from twin.refusal import ConfigError
from twin.structure import CohortParams, CohortStructure, Environment, Params, Structure, moment

YEAR_MS = round(const.YEAR_S * 1000)
VISITED = ("visits", "accelerators_replaced", "propellant_refilled_kg")


class Life(NamedTuple):
    """One satellite of a design, (), and what it does in each year of its life, (year,); float64, SI units.

    The curves are means over satellites: rates over the whole of a year, alive and health as means of a year too.
    """

    mass_kg: Array  # at launch
    parts_kg: dict[str, Array]
    nominal_power_w: Array  # of accelerators and hosts at full load
    accelerators: Array
    nominal_flops: Array  # of all accelerators
    array_area_m2: Array
    array_power_w: Array  # of the new cells at the temperature and irradiance of their data sheet
    battery_energy_j: Array
    radiator_area_m2: Array  # one side
    altitude_m: Array
    inclination_rad: Array
    asked_flops: Array
    delivered_flops: Array
    accelerator_power_w: Array  # accelerators and hosts
    accelerators_alive: Array
    sunlit_fraction: Array
    array_health: Array
    accelerators_replaced: Array  # per year, as are the next two
    resupply_kg: Array
    visits: Array


class Mark(NamedTuple):
    """Where a run stands after a chunk, means over its satellites."""

    counted_s: Array  # calendar time that it has stood for
    added: dict[str, Array]  # since its start
    held: dict[str, Array]  # at that time


def life(structure: Structure, params: Params, environment: Environment) -> Life:
    """Life of the only design of a run: a pure function of its parameters, for `jit`, `jvp` and `vmap`.

    `check` says whether a run has one. Runs on one device.
    """
    (cohort,) = structure.cohorts
    prepared = prepare(structure, params, environment)
    tiles = rollout.lay_out(structure, prepared)
    mark = partial(_mark, structure, cohort, prepared[cohort.name], environment.slow_weight)
    first = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], mark(tiles.carry, 0))
    _, later = rollout.run_all(structure, tiles, environment, mark=mark)
    marks = jax.tree.map(lambda *parts: jnp.concatenate(parts), first, later)
    whole = structure.schedule.duration_ms // YEAR_MS
    return Life(**made(cohort, params[cohort.name], prepared[cohort.name]), **_yearly(marks, whole))


def check(model: Model) -> None:
    """ConfigError for a run that has no life of one satellite to tell."""
    structure, span = model.structure, model.structure.schedule.duration_ms / YEAR_MS
    if len(structure.cohorts) != 1:
        names = ", ".join(cohort.name for cohort in structure.cohorts)
        raise ConfigError(f"cohorts = {names}: must be one design, whose life deployment repeats")
    if span < 1.0:
        raise ConfigError(
            f"time.duration_s = {span * const.YEAR_S:g}: must be at least a year, {const.YEAR_S:.0f}, "
            "for the life of a satellite"
        )
    if not structure.cohorts[0].serviced:
        return
    servicing = model.params[structure.cohorts[0].name]["servicing"]
    for key in ("least_accelerators_fraction", "least_propellant_fraction"):
        if servicing[key] > 0.0:
            raise ConfigError(f"servicing.{key} = {servicing[key]:g}: must be 0: deployment replaces satellites itself")
    if servicing["service_life_years"] - servicing["campaign_years"] <= span:
        raise ConfigError(
            f"servicing.service_life_years = {servicing['service_life_years']:g}: must be longer than the "
            f"{span:.3g} years of the run and servicing.campaign_years: deployment replaces satellites itself"
        )


def years(model: Model) -> int:
    """Whole years of life that a run tells of."""
    return model.structure.schedule.duration_ms // YEAR_MS


def lives(
    model: Model,
    numbers: Mapping[str, ArrayLike],
    memory_gb: float | None = None,
    watch: ensembles.Watch = ensembles.unwatched,
) -> Life:
    """Life of every design, leaves (design, ...): `numbers` maps paths to values (design,), as for `twin.ensemble`.

    A design that no launch mass carries is NaN. ConfigError for a refused value, before anything runs.
    """
    check(model)
    return ensembles.measured(model, designs.columns(model, numbers), _measured, memory_gb, watch)


def jacobian(model: Model, paths: Iterable[str]) -> dict[str, Life]:
    """Derivative of every number of a life by the number at each path, such as "orbit.altitude_m"; in forward mode.

    Exact in the run's precision. ConfigError for a path that is no single number.
    """
    check(model)
    found = designs.places(model.structure, paths)
    if not found:
        return {}
    places = tuple(found.values())
    at = jnp.stack([designs.number(model.params, place) for place in places])
    slopes = _slopes(model.structure, places, model.params, model.environment, at)
    return {path: jax.tree.map(lambda leaf, k=k: leaf[k], slopes) for k, path in enumerate(found)}


@partial(jax.jit, static_argnums=(0, 1))
def _slopes(
    structure: Structure, places: tuple[designs.Place, ...], params: Params, environment: Environment, at: Array
) -> Life:
    """Derivatives by each number, leaves (number, ...)."""

    def of(numbers: Array) -> Life:
        return life(structure, designs.placed(params, places, tuple(numbers)), environment)

    return jax.vmap(lambda tangent: jax.jvp(of, (at,), (tangent,))[1])(jnp.eye(len(places)))


def _measured(structure: Structure, params: Params, environment: Environment) -> tuple[Life, Array]:
    found = life(structure, params, environment)
    return found, found.mass_kg


def _mark(
    structure: Structure, cohort: CohortStructure, prepared: Cohort, weight: Array, carry: Carry, done: Any
) -> Mark:
    def mean(leaf: Array) -> Array:
        return jnp.mean(rollout.flat(leaf, cohort.satellites))

    totals, slow = carry.totals[cohort.name], carry.slow[cohort.name]
    told = carry.servicing.get(cohort.name)
    renewed = {name: mean(getattr(told, name)) if told else jnp.zeros(()) for name in VISITED}
    return Mark(
        counted_s=moment(structure.schedule, weight, done).counted_s,
        added={
            "asked_flops": mean(totals["assigned_flop"]),
            "delivered_flops": mean(totals["delivered_flop"]),
            "accelerator_power_w": mean(totals["accelerator_energy_j"]),
            "sunlit_fraction": mean(totals["sunlit_s"]),
            "visits": renewed["visits"],
            "accelerators_replaced": renewed["accelerators_replaced"],
            "resupply_kg": spares_kg(prepared, renewed),
        },
        held={
            "accelerators_alive": mean(slow.accelerators_alive),
            "array_health": mean(condition(cohort, prepared.shared, slow).array_health),
        },
    )


def _yearly(marks: Mark, years: int) -> dict[str, Any]:
    """Curves by name, (year,): what is added between two marks is so evenly, what is held changes evenly."""
    ends_s = const.YEAR_S * jnp.arange(years + 1.0)
    span_s = jnp.diff(marks.counted_s)

    def in_year(added: Array) -> Array:
        return jnp.diff(jnp.interp(ends_s, marks.counted_s, added))

    def integral(held: Array) -> Array:
        return jnp.concatenate([jnp.zeros(1), jnp.cumsum(0.5 * (held[1:] + held[:-1]) * span_s)])

    curves = {name: in_year(leaf) for name, leaf in marks.added.items()}
    per_s = ("asked_flops", "delivered_flops", "accelerator_power_w", "sunlit_fraction")
    curves |= {name: curves[name] / const.YEAR_S for name in per_s}
    return curves | {name: in_year(integral(leaf)) / const.YEAR_S for name, leaf in marks.held.items()}


def made(cohort: CohortStructure, params: CohortParams, prepared: Cohort) -> dict[str, Any]:
    """What a satellite is when it is launched, and where."""
    budget, panel, elements = prepared.budget, prepared.shared.panel, prepared.each.elements
    cells = registry.models("solar_cell")[cohort.model("solar_cell")]
    new = registry.call(cells, params["solar_cell"], jnp.zeros(()))
    sheet = new.reference_temperature_k, new.reference_irradiance_w_per_m2
    cell_m2 = panel.area_m2 * panel.packing_fraction
    return {
        "mass_kg": budget.mass_kg,
        "parts_kg": budget.parts_kg,
        "nominal_power_w": budget.nominal_power_w,
        "accelerators": budget.accelerators,
        "nominal_flops": budget.accelerators * prepared.shared.nominal_flops,
        "array_area_m2": panel.area_m2,
        "array_power_w": cell_m2 * solar_cell.maximum_power_w_per_m2(new, *sheet),
        "battery_energy_j": jnp.asarray(params["battery"]["energy_j"]),
        "radiator_area_m2": jnp.asarray(params["radiator"]["area_m2"]),
        "altitude_m": jnp.mean(elements.semi_major_axis_m) - const.EARTH_RADIUS_M,
        "inclination_rad": jnp.mean(elements.inclination_rad),
    }
