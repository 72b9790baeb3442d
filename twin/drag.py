"""Drag on a satellite as it flies: mean force over an orbit for its faces and attitude, and the orbit under it.

Evaluated once per chunk, float64. Faces do not shade each other from the flow: the force is an upper bound.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from kernels import atmosphere, drag, orbit, registry, sunlight
from kernels import constants as const
from kernels import safe_math as sm
from kernels.attitude import View
from kernels.quantity import Vector
from twin.structure import CohortParams, CohortStructure, Environment, Structure
from twin.surfaces import Surfaces

POINTS = 32  # of an orbit: within 2e-5 of 256 points, up to an eccentricity of 0.01
DATES = 24  # of a life, over which the propellant is sized
SAMPLE = 32  # satellites of a cohort, for the same


def activity_at(
    structure: Structure, params: CohortParams, environment: Environment, days: Array
) -> atmosphere.Activity:
    """Solar and geomagnetic activity of a date [days since J2000.0] by the model that the run names."""
    model = registry.models("atmosphere")[structure.atmosphere_model]
    return registry.call(model, params["atmosphere"], days, environment.activity)


def mean_force_n(
    cohort: CohortStructure,
    params: CohortParams,
    surfaces: Surfaces,
    elements: orbit.Elements,
    rates: orbit.Rates,
    sun_angles: sunlight.SunAngles,
    environment: Environment,
    activity: atmosphere.Activity,
) -> Array:
    """Drag over an orbit as the steady force along the velocity that takes the same energy. [N]

    The air turns with the Earth; height is above the ellipsoid; the shape of an eccentric orbit is kept.
    """
    sun = sunlight.sun(sun_angles, 0.0).direction
    log_density = atmosphere.log_profile(environment.density, activity)
    # From node to node, so that every latitude counts once, and from the node on: the force would change with the phase
    # of the start by 4e-4, and that of a date years away with every metre of altitude.
    elements = elements._replace(mean_anomaly_rad=-elements.argument_of_perigee_rad)
    step_s = 2.0 * jnp.pi / (rates.mean_anomaly_rad_per_s + rates.argument_of_perigee_rad_per_s) / POINTS

    def one_point(power_w: Array, k: Array) -> tuple[Array, None]:
        place = orbit.place(elements, rates, (k + 0.5) * step_s)
        up, radius_m = place.direction, place.radius_m
        velocity = _sum(sm.scale(up, place.radius_rate_m_per_s), sm.scale(place.direction_rate_per_s, radius_m))
        turn = const.EARTH_ROTATION_RAD_PER_S * radius_m
        flow = (velocity[0] + turn * up[1], velocity[1] - turn * up[0], velocity[2])
        speed = jnp.sqrt(sm.dot(flow, flow))
        ahead = sm.scale(flow, 1.0 / speed)
        height_m = radius_m - const.EARTH_RADIUS_M * (1.0 - const.EARTH_FLATTENING * up[2] ** 2)
        density = atmosphere.density_kg_per_m3(height_m, environment.density, log_density)
        model = registry.models("attitude")[cohort.model("attitude")]
        view: View = registry.call(model, params["attitude"], sun, up, place.orbit_normal)
        drag_m2 = _drag_area_m2(cohort, params, surfaces, _seen(view, sun, up, ahead), speed)
        force_n = drag.pressure_pa(density, speed) * drag_m2
        return power_w + force_n * sm.dot(ahead, velocity) / POINTS, None

    power_w, _ = lax.scan(one_point, jnp.zeros_like(step_s), jnp.arange(POINTS, dtype=step_s.dtype))
    return power_w / jnp.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / elements.semi_major_axis_m)


def life_mean_force_n(
    structure: Structure,
    cohort: CohortStructure,
    params: CohortParams,
    surfaces: Surfaces,
    elements: orbit.Elements,
    rates: orbit.Rates,
    environment: Environment,
    life_s: Array,
) -> Array:
    """Drag that a satellite of the cohort meets in the mean of its life, for the size of its tanks. [N]"""
    few = slice(None, None, -(-cohort.satellites // SAMPLE))
    elements = orbit.Elements(*(leaf[few] for leaf in elements))
    rates = orbit.Rates(*(leaf[few] for leaf in rates))._replace(mean_anomaly_rad_per_s2=jnp.zeros(()))

    def one_date(k: Array) -> Array:
        time_s = (k + 0.5) / DATES * life_s
        days = environment.start_days + time_s / const.DAY_S
        then = orbit.advance(elements, rates, time_s)
        activity = activity_at(structure, params, environment, days)
        angles = sunlight.sun_angles(days)
        return jnp.mean(mean_force_n(cohort, params, surfaces, then, rates, angles, environment, activity))

    return jnp.mean(lax.map(one_date, jnp.arange(DATES, dtype=jnp.float64)))


def _sum(a: Vector, b: Vector) -> Vector:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def _seen(view: View, sun: Vector, up: Vector, ahead: Vector) -> Mapping[str, Vector]:
    """A direction in body and in array axes, from the Sun and nadir that the attitude law gives in both."""
    zenith = sm.dot(sun, up)
    across = sm.cross(sun, up)
    free = jnp.maximum(1.0 - zenith**2, 1e-9)
    along = sm.dot(ahead, sun), sm.dot(ahead, up)
    parts = (along[0] - zenith * along[1]) / free, (along[1] - zenith * along[0]) / free, sm.dot(ahead, across) / free

    def turned(sun_seen: Vector, nadir_seen: Vector) -> Vector:
        up_seen = sm.scale(nadir_seen, -1.0)
        in_plane = _sum(sm.scale(sun_seen, parts[0]), sm.scale(up_seen, parts[1]))
        return _sum(in_plane, sm.scale(sm.cross(sun_seen, up_seen), parts[2]))

    return {"body": turned(view.sun_body, view.nadir_body), "array": turned(view.sun_array, view.nadir_array)}


def _drag_area_m2(
    cohort: CohortStructure,
    params: CohortParams,
    surfaces: Surfaces,
    ahead: Mapping[str, Vector],
    speed: Array,
) -> Array:
    """Drag coefficient times area, summed over the faces. [m2]"""
    total: Any = 0.0
    for surface, normal, area in zip(cohort.topology.surfaces, surfaces.normal, surfaces.whole_m2, strict=True):
        cosine = sm.dot(normal, ahead[surface.frame])
        total = total + area * registry.call(drag.plate_coefficient, params["atmosphere"], cosine, speed)
    return total
