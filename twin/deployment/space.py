"""Compute in orbit: satellites built, launched, lost, retired and paid for, month by month."""

import jax.numpy as jnp
from jax import Array

from kernels import registry
from kernels.economics import launch, supply, upkeep, vintages
from kernels.economics.finance import MONTHS_PER_YEAR
from twin.deployment import course, space_prices
from twin.deployment.course import Course, Work, by_month, years_at
from twin.deployment.life import Life
from twin.deployment.project import Numbers, Shape
from twin.deployment.space_prices import Needs, Vehicle, satellite_of

LEAST_KG = 1e-3  # of a payload: what no launcher carries is dear without end, but a number
LIMITS = ("target", *supply.RESOURCES, "launch")


def deploy(shape: Shape, life: Life, numbers: Numbers) -> Course:
    """The deployment of satellites with this life; a pure function of all numbers."""
    plan = registry.call(vintages.plan, numbers["deployment"])
    life = in_service(scaled(life, numbers), plan)
    terms = registry.call(upkeep.terms, numbers["economics"])
    each, needs, per_unit = work_of(life), needs_of(life), demand_of(life, numbers)
    law, carrier = vintages.law(plan, each.accelerators / life.accelerators), vehicle(shape, life, numbers)
    ours = ours_per_month(shape, numbers)

    def possible(units: Array, month: Array) -> Array:
        """Satellites that each resource, and at last the launcher, allow in a month."""
        used = {"accelerators": units @ needs.accelerators}
        free = {name: jnp.maximum(ours[name][month] - used.get(name, 0.0), 0.0) for name in supply.RESOURCES}
        flights = carrier.per_year[month] / MONTHS_PER_YEAR - units @ needs.resupply_kg / carrier.payload_kg
        by_resource = [free[name] / jnp.maximum(per_unit[name], 1e-30) for name in supply.RESOURCES]
        return jnp.stack([*by_resource, jnp.maximum(flights, 0.0) * carrier.satellites])

    wanted = plan.target_power_w / life.nominal_power_w * (1.0 + plan.spares_fraction)
    progress = jnp.power(1.0 + terms.progress_per_year, years_at(shape.months, 0.0))
    grown = course.grow(law, jnp.full(shape.months, wanted), possible, carrier.success, progress)
    launched, resupply_kg = grown.events.launched, grown.units @ needs.resupply_kg
    launches = launched / carrier.satellites + resupply_kg / carrier.payload_kg
    launched_kg = launched * life.mass_kg + resupply_kg
    prices = space_prices.prices(shape, life, numbers, carrier, launched, launched_kg)
    per_launch_kg = registry.call(launch.launch_carbon_kg, numbers["launch"])
    return Course(
        units=jnp.sum(grown.units, axis=1),
        by_age=grown.units,
        events=grown.events,
        work=within_target(course.done(grown, law, each), plan),
        launches=launches,
        launched_kg=launched_kg,
        costs_usd=space_prices.costs(prices, grown, needs, carrier, launches),
        demand_per_year=_used(launched, grown.units @ needs.accelerators, launches, per_unit),
        binding=grown.binding,
        carbon_kg=launched * prices.carbon_kg + launches * per_launch_kg,
        water_l=jnp.zeros(shape.months),
        unit=space_prices.unit(prices, life, plan, law, terms, carrier, needs, each, progress),
        residual_usd=space_prices.residual(prices, plan, law, carrier, grown),
    )


def scaled(life: Life, numbers: Numbers) -> Life:
    """The life with the factors of `deployment` on its mass and its work."""
    mass_kg, flops = registry.call(vintages.scaled, numbers["deployment"], life.mass_kg, life.delivered_flops)
    parts_kg = {name: kg * (mass_kg / life.mass_kg) for name, kg in life.parts_kg.items()}
    return life._replace(mass_kg=mass_kg, parts_kg=parts_kg, delivered_flops=flops)


def within_target(work: Work, plan: vintages.Plan) -> Work:
    """What a fleet does of its work: what it has above the target are spares, which stand by."""
    used = jnp.minimum(1.0, plan.target_power_w / jnp.maximum(work.nominal_power_w, 1e-9))
    return Work(*(used * leaf for leaf in work))


def in_service(life: Life, plan: vintages.Plan) -> Life:
    """The life with nothing after its service life: what is simulated there may be a satellite that has come down."""
    serves = jnp.arange(life.delivered_flops.size) < plan.service_life_years
    curves = {name: leaf for name, leaf in life._asdict().items() if getattr(leaf, "ndim", 0) == 1}
    return life._replace(**{name: jnp.where(serves, leaf, 0.0) for name, leaf in curves.items()})


def work_of(life: Life) -> Work:
    """What a satellite does in each month of its life, (age,)."""
    alive = by_month(life.accelerators_alive)
    return Work(
        nominal_power_w=life.nominal_power_w * alive / life.accelerators,
        accelerators=alive,
        accelerator_power_w=by_month(life.accelerator_power_w),
        compute_flops=by_month(life.delivered_flops),
    )


def needs_of(life: Life) -> Needs:
    """What servicing brings to a satellite in each month of its life, (age,)."""
    yearly = (life.resupply_kg, life.accelerators_replaced, life.visits)
    return Needs(*(by_month(curve) / MONTHS_PER_YEAR for curve in yearly))


def vehicle(shape: Shape, life: Life, numbers: Numbers) -> Vehicle:
    """Payload of the launcher, in kilograms and satellites, and how often it flies."""
    profile = numbers["launch"]
    payload_kg = registry.call(launch.payload_kg, profile, life.altitude_m, life.inclination_rad)
    density = registry.call(vintages.plan, numbers["deployment"]).stowed_density_kg_per_m3
    volume_kg = registry.call(launch.fairing, profile) * density
    return Vehicle(
        payload_kg=jnp.maximum(payload_kg, LEAST_KG),
        satellites=jnp.maximum(jnp.minimum(payload_kg, volume_kg), LEAST_KG) / life.mass_kg,
        per_year=launches_per_year(shape, numbers),
        success=registry.call(launch.success_probability, profile),
    )


def launches_per_year(shape: Shape, numbers: Numbers) -> Array:
    """Launches of all pads in a year at the rate of each month, (month,)."""
    return registry.call(launch.launches_per_year, numbers["launch"], years_at(shape.months))


def demand_of(life: Life, numbers: Numbers) -> dict[str, Array]:
    """What a satellite takes of each resource."""
    terminals = numbers["manufacture"]["laser_terminal_count"]
    return supply.demand_per_satellite(satellite_of(life), terminals)


def ours_per_month(shape: Shape, numbers: Numbers) -> dict[str, Array]:
    """What the project can have of each resource, (month,)."""
    outputs = registry.call(supply.output_per_year, numbers["supply"], years_at(shape.months))
    return {name: output.ours / MONTHS_PER_YEAR for name, output in outputs.items()}


def _used(launched: Array, replaced: Array, launches: Array, per_unit: dict[str, Array]) -> dict[str, Array]:
    """What is used of each resource in a year at the rate of each month."""
    used = {name: launched * amount for name, amount in per_unit.items()}
    used["accelerators"] = used["accelerators"] + replaced
    return {name: MONTHS_PER_YEAR * amount for name, amount in (used | {"launch": launches}).items()}
