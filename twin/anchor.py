"""Where the clocks stand at the start of a chunk, float64: phases, and what depends on the date."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernels import drag, orbit, radiation, solar_cycle, sunlight
from twin.drag import activity_at, mean_force_n
from twin.prepare import Each, Shared
from twin.state import Slow
from twin.structure import CohortStructure, Environment, Structure


class Anchor(NamedTuple):
    """Phases and epoch quantities at the start of a chunk; those of `PER_SATELLITE` are (satellite,)."""

    elements: orbit.Elements
    rates: orbit.Rates
    sun: sunlight.SunAngles
    sidereal_angle_rad: Array
    sidereal_rate_rad_per_s: Array
    electron_fluence_per_m2_s: Array  # 1 MeV electrons that age the cells alike, (satellite,)
    exposure: radiation.Exposure
    anomaly_longitude_rad: Array
    drag_n: Array  # mean drag over an orbit, (satellite,)


# Leaves of an anchor with the satellite axis; the others are the same for all.
PER_SATELLITE = ("elements", "rates", "electron_fluence_per_m2_s", "exposure", "drag_n")


def over_tiles(run: Callable[..., Any], anchor: Anchor, *leaves: Any) -> Any:
    """Map over the leading axis of tiles, one after the other; a tile has its own part of the anchor."""

    def one(tile: tuple[dict[str, Any], tuple[Any, ...]]) -> Any:
        own, rest = tile
        return run(anchor._replace(**own), *rest)

    return lax.map(one, ({name: getattr(anchor, name) for name in PER_SATELLITE}, leaves))


def anchor_at(each: Each, start_days: Array, time_s: Array, flown_s: Array | None = None) -> Anchor:
    """Phases and epoch quantities `time_s` after the start of the run, float64; in a vacuum (see `in_air`).

    Along its orbit a satellite stands where `flown_s` has brought it, all of the time unless given: windows of a
    longer time follow each other without a jump in the argument of latitude, on which charge and heat depend.
    """
    days = start_days + time_s / orbit.const.DAY_S
    rates = each.rates
    later = rates.mean_anomaly_rad_per_s + rates.mean_anomaly_rad_per_s2 * time_s
    turned = orbit.const.SIDEREAL_ANGLE_J2000_RAD + orbit.const.SIDEREAL_RATE_RAD_PER_DAY * days
    elements = orbit.advance(each.elements, rates, time_s)
    if flown_s is not None:
        flown = orbit.advance(each.elements, rates, flown_s)
        turned_back = flown.argument_of_perigee_rad - elements.argument_of_perigee_rad
        elements = elements._replace(mean_anomaly_rad=flown.mean_anomaly_rad + turned_back)
    quiet, active = each.fluence
    activity = solar_cycle.solar_cycle_activity(days)
    return Anchor(
        elements=orbit.with_forced_eccentricity(elements, each.forced_eccentricity),
        rates=rates._replace(mean_anomaly_rad_per_s=later),
        sun=sunlight.sun_angles(days),
        sidereal_angle_rad=jnp.mod(turned, 2.0 * jnp.pi),
        sidereal_rate_rad_per_s=jnp.asarray(orbit.const.SIDEREAL_RATE_RAD_PER_DAY / orbit.const.DAY_S),
        electron_fluence_per_m2_s=quiet + activity * (active - quiet),
        drag_n=jnp.zeros_like(later),
        exposure=radiation.exposure(each.field, each.anomaly, activity),
        anomaly_longitude_rad=radiation.anomaly_longitude_rad(days),
    )


def in_air(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    each: Each,
    anchor: Anchor,
    slow: Slow,
    environment: Environment,
    time_s: Array,
) -> Anchor:
    """The anchor on the orbit that the drag has left, with the drag of its date.

    The perigee keeps its rate: it matters to no circular orbit, and eccentric ones keep their shape.
    """
    elements, rates = _lowered(each, anchor, slow)
    activity = activity_at(structure, shared.profiles, environment, environment.start_days + time_s / orbit.const.DAY_S)
    force_n = mean_force_n(cohort, shared.profiles, shared.surfaces, elements, rates, anchor.sun, environment, activity)
    return anchor._replace(elements=elements, rates=rates, drag_n=force_n)


def _lowered(each: Each, anchor: Anchor, slow: Slow) -> tuple[orbit.Elements, orbit.Rates]:
    """Elements and rates of the orbit that the drag has left."""
    stretch = drag.stretch(each.elements.semi_major_axis_m, slow.semi_major_axis_loss_m)
    rates = anchor.rates._replace(
        node_rad_per_s=anchor.rates.node_rad_per_s * stretch**3.5,
        mean_anomaly_rad_per_s=anchor.rates.mean_anomaly_rad_per_s * stretch**1.5,
    )
    elements = anchor.elements._replace(
        semi_major_axis_m=anchor.elements.semi_major_axis_m / stretch,
        node_rad=anchor.elements.node_rad + slow.node_lead_rad,
        mean_anomaly_rad=jnp.remainder(anchor.elements.mean_anomaly_rad + slow.phase_lead_rad, 2.0 * jnp.pi),
    )
    return elements, rates


def sun_phase_rad(each: Each, slow: Slow, start_days: Array, time_s: Array, flown_s: Array) -> Array:
    """Angle of each satellite from its orbit noon at a date, float64, on the orbit that drag has left; `anchor_at`."""
    anchor = anchor_at(each, start_days, time_s, flown_s)
    place = orbit.place(*_lowered(each, anchor, slow), 0.0)
    return orbit.sun_phase_rad(place.direction, place.orbit_normal, sunlight.sun(anchor.sun, 0.0).direction)
