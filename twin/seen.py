"""What a scheduler sees of the satellites at the start of an exchange interval."""

import jax.numpy as jnp
from jax import Array

from kernels import orbit, registry, sunlight
from kernels.scheduler import Seen
from twin.anchor import Anchor
from twin.links import Contact
from twin.prepare import Shared
from twin.state import State, Work
from twin.structure import CohortStructure

LOOK_S = 60.0  # light is looked at as often as that: a parabola in time follows the Sun over the limb for so long


def seen(
    cohort: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    there: Contact | None,
    state: State,
    work: Work,
    able_flops: Array,
    start_s: Array,
    length_s: float,
) -> Seen:
    """Of every satellite, leaves (tiles, tile); the interval begins `start_s` after the anchor."""
    dies = (state.temperature_k[cohort.topology.nodes[i]] for i in cohort.ports.accelerator)
    hottest_k = jnp.stack(list(dies)).max(axis=0)
    return Seen(
        sunlit_fraction=sunlit_fraction(shared, anchor, start_s, length_s),
        state_of_charge=state.state_of_charge,
        die_margin_k=shared.profiles["accelerator"]["max_temperature_k"] - hottest_k,
        waits_s=jnp.maximum(work.backlog_flop, 0.0) / jnp.maximum(able_flops, 1.0),
        in_view_fraction=jnp.zeros_like(hottest_k) if there is None else there.seen_fraction,
    )


def sunlit_fraction(shared: Shared, anchor: Anchor, start_s: Array, length_s: float) -> Array:
    """Part of the Sun's disc that is seen, mean over an interval."""
    looks = max(round(length_s / LOOK_S), 1)
    kind = anchor.elements.node_rad.dtype
    each_s = jnp.asarray(length_s / looks, kind)
    total = jnp.zeros_like(anchor.elements.node_rad)
    for look in range(looks):
        middle_s = start_s.astype(kind) + (look + 0.5) * each_s
        place = orbit.place(anchor.elements, anchor.rates, middle_s)
        track = place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s
        sun = sunlight.sun(anchor.sun, middle_s)
        total += registry.call(sunlight.lit, shared.profiles["environment"], *track, sun, each_s).fraction
    return total / looks
