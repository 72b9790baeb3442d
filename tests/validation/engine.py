"""The twin's own orbits and light at any instant, without the rest of a step."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

import twin
from kernels import cell_damage, orbit, radiation, sunlight
from kernels.quantity import Scalar
from twin.anchor import Anchor, anchor_at
from twin.prepare import Each, prepare
from validation.shadow import WGS84_FLATTENING

Floats = NDArray[np.float64]
STEP_S = 10.0
CHUNK_S = 21_600.0  # the default; phases are computed anew, in float64, at the start of each chunk
MARGIN = 30  # steps within which the Sun rises or sets, however obliquely


def fleet(*overrides: str) -> tuple[Each, Array]:
    """Orbits of a fleet as a run would have them, and the days since J2000.0 of its start."""
    model = twin.build(twin.compose("simulate", list(overrides)))
    (cohort,) = prepare(model.structure, model.params, model.environment).values()
    return cohort.each, model.environment.start_days


def circular(altitude_m: Floats, inclination_rad: Floats, node_rad: Floats) -> Each:
    """Circular orbits that start at their nodes."""
    axis, inclination, node = (jnp.asarray(x, dtype=float) for x in (altitude_m, inclination_rad, node_rad))
    axis, zero = axis + orbit.const.EARTH_RADIUS_M, jnp.zeros_like(node)
    elements = orbit.Elements(axis, zero, inclination, node, zero, zero)
    return Each(
        elements=elements,
        rates=orbit.secular_rates(axis, zero, inclination),
        forced_eccentricity=zero,
        fluence=cell_damage.FluenceRate(zero, zero),
        field=radiation.Field(zero, zero, zero),
        anomaly=radiation.Anomaly(*[zero + 1.0] * 5),
        random_key=zero,
        present=zero + 1.0,
    )


def anchored(each: Each, start_days: Array, seconds: Array, kind: type = jnp.float64) -> tuple[Anchor, Array]:
    """The anchor of the chunk in which an instant lies, and the time since, in the precision of a step."""
    chunk_s = jnp.floor(seconds / CHUNK_S) * CHUNK_S
    anchor = jax.tree.map(lambda leaf: leaf.astype(kind), anchor_at(each, start_days, chunk_s))
    return anchor, (seconds - chunk_s).astype(kind)


@jax.jit
def places(each: Each, start_days: Array, seconds: Array) -> tuple[orbit.Place, sunlight.Sun]:
    """Places of satellites and Sun; one instant per satellite, or any number of one satellite's."""
    anchor, inside_s = anchored(each, start_days, seconds)
    return orbit.place(anchor.elements, anchor.rates, inside_s), sunlight.sun(anchor.sun, inside_s)


@partial(jax.jit, static_argnames=("steps", "kind"))
def lit(
    each: Each,
    start_days: Array,
    first_s: Array,
    steps: int,
    earth_flattening: Scalar = WGS84_FLATTENING,
    kind: type = jnp.float64,
) -> Array:
    """Lit fraction of `steps` steps from `first_s` on, (satellite, step); the scalars may be per satellite."""

    def one(each: Each, start_days: Array, first_s: Array) -> Array:
        seconds = first_s + (jnp.arange(steps) + 0.5) * STEP_S
        anchor, inside_s = anchored(each, start_days, seconds, kind)
        place, sun = orbit.place(anchor.elements, anchor.rates, inside_s), sunlight.sun(anchor.sun, inside_s)
        track = place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s
        flattening = jnp.asarray(earth_flattening, dtype=kind)
        return sunlight.lit(*track, sun, kind(STEP_S), earth_flattening=flattening).fraction

    return jax.vmap(one)(each, start_days * each.present, first_s * each.present)


def eclipses(light: Floats, first_s: float = 0.0) -> Floats:
    """Entry and exit of each whole eclipse in a series of steps, (eclipse, 2): sunlight is summed over the penumbra."""
    falls = np.flatnonzero((light[:-1] > 0.5) & (light[1:] <= 0.5))
    rises = np.flatnonzero((light[:-1] <= 0.5) & (light[1:] > 0.5))
    falls = falls[(falls >= MARGIN) & (falls + MARGIN < light.size)]
    rises = rises[(rises >= MARGIN) & (rises + MARGIN < light.size)]
    rises = rises[rises > falls[0]] if falls.size else rises[:0]
    falls = falls[: rises.size]
    windows = [light[k - MARGIN : k + MARGIN].sum() for k in (*falls, *rises)]
    sunlit = STEP_S * np.asarray(windows, dtype=np.float64).reshape(2, -1)
    start = first_s + STEP_S * (np.stack([falls, rises]) - MARGIN)
    return np.stack([start[0] + sunlit[0], start[1] + 2.0 * MARGIN * STEP_S - sunlit[1]], axis=-1)
