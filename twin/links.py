"""Contact of satellites with the ground in an exchange interval: by their own terminal to sites, or through a mesh."""

from itertools import pairwise
from math import ceil
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernels import ground_link, link, orbit, registry
from kernels import safe_math as sm
from kernels.ground_link import Laser, Radio, Sites
from kernels.quantity import Scalar, Vector
from twin.anchor import Anchor
from twin.prepare import Shared
from twin.structure import CohortStructure, Structure

LONGEST_SPAN_S = 60.0  # between instants at which places and rates are computed
PIECES = 4  # of a span, in each of which heights are straight lines


class Contact(NamedTuple):
    """How satellites reach the ground in an interval; leaves (tile,)."""

    bit_per_s: Array  # mean over the interval
    seen_fraction: Array  # of the interval in which a site is in view, or a mesh relays
    contact_fraction: Array  # of the interval in which a site receives it
    site: Array  # number of the site used most, -1 for none
    delay_s: Array  # light time one way, mean over the bits; 0 without any


class Passes(NamedTuple):
    """What each site would have of each satellite in an interval, had it telescopes for all, (tile, site)."""

    seen_fraction: Array  # of the interval in which any site is in view, (tile,)
    use: Array  # part of the interval in which the site receives
    bit_per_s: Array  # mean over the interval
    late_bit: Array  # rate times light time


class _Instant(NamedTuple):
    """What each site sees of each satellite, (site, tile)."""

    above: Array  # sine of the elevation less the lowest at which the site sees anything
    rising_per_s: Array
    bit_per_s: Array  # under a clear sky
    delay_s: Array


def lands(structure: Structure, cohort: CohortStructure) -> bool:
    """Whether satellites of a cohort can reach the ground at all."""
    return _direct(structure, cohort) or cohort.model("link") == "mesh"


def passes(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    clear: Array,
    start_s: Scalar,
    length_s: Scalar,
) -> Passes:
    """Passes of a tile from `start_s` after its anchor on, for `length_s`.

    A terminal talks to one site, the fastest that is in view under a clear sky; `clear`, (site,), has the probability
    of that, 0 or 1 where the weather is known. Elementwise over satellites.
    """
    none = jnp.zeros_like(anchor.elements.mean_anomaly_rad)
    each = jnp.zeros((len(structure.sites), *none.shape), none.dtype)
    found = Passes(none, each, each, each)
    if _direct(structure, cohort):
        found = _by_sites(structure, cohort, shared, anchor, clear.astype(none.dtype), start_s, length_s, found)
    return Passes(found.seen_fraction, *(jnp.moveaxis(leaf, 0, -1) for leaf in found[1:]))


def contact(cohort: CohortStructure, shared: Shared, found: Passes, served: Array) -> Contact:
    """Contact of satellites of which each site, (site,), serves a part."""
    part = jnp.expand_dims(served.astype(found.use.dtype), range(found.use.ndim - 1))
    use, rates, late = (part * leaf for leaf in found[1:])
    if use.shape[-1]:
        site = jnp.where(jnp.any(use > 0.0, axis=-1), jnp.argmax(use, axis=-1), -1)
    else:
        site = jnp.full_like(found.seen_fraction, -1.0)
    rate, late_bit, seen = jnp.sum(rates, axis=-1), jnp.sum(late, axis=-1), found.seen_fraction
    if cohort.model("link") == "mesh":
        profile = shared.profiles["link"]
        carried: link.Link = registry.call(link.mesh, profile, registry.call(link.gateway_m, profile))
        more = registry.call(link.terminals, profile).number * carried.bit_per_s
        rate, late_bit = rate + more, late_bit + more * carried.delay_s
        seen = 1.0 - (1.0 - seen) * (1.0 - profile["availability"])
    delay_s = sm.ratio(late_bit, rate, 1.0)
    return Contact(rate, seen, jnp.sum(use, axis=-1), site.astype(jnp.int32), delay_s)


def _direct(structure: Structure, cohort: CohortStructure) -> bool:
    return structure.ground_network_model != "none" and cohort.model("downlink") != "none"


def _by_sites(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    clear: Array,
    start_s: Scalar,
    length_s: Scalar,
    nothing: Passes,
) -> Passes:
    """Means over an interval, sites before satellites, from instants at most `LONGEST_SPAN_S` apart."""
    count = ceil(structure.schedule.exchange_steps * structure.schedule.step_s / LONGEST_SPAN_S)
    sites = _sites(structure, shared)
    sender = registry.call(registry.models("downlink")[cohort.model("downlink")], shared.profiles["downlink"])
    acquired_s = registry.call(ground_link.acquired_after_s, shared.profiles["downlink"])

    def at(number: Scalar) -> _Instant:
        time_s = start_s + length_s * (number / count)
        return _instant(structure, shared, anchor, sites, sender, acquired_s, time_s)

    def span(before: tuple[_Instant, Passes], number: Array) -> tuple[tuple[_Instant, Passes], None]:
        begin, means = before
        end = at(number)
        added = _over_span(begin, end, length_s / count, clear[:, None])
        return (end, Passes(*(a + b / count for a, b in zip(means, added, strict=True)))), None

    numbers = jnp.arange(1, count + 1).astype(nothing.bit_per_s.dtype)
    (_, means), _ = lax.scan(span, (at(0.0), nothing), numbers)
    return means


def _sites(structure: Structure, shared: Shared) -> Sites:
    """Numbers of all sites, (site,)."""
    own = shared.profiles["ground_network"]["sites"]
    return Sites(*(jnp.stack([own[name][key] for name in structure.sites]) for key in Sites._fields))


def _instant(
    structure: Structure,
    shared: Shared,
    anchor: Anchor,
    sites: Sites,
    sender: Laser | Radio,
    acquired_s: Array,
    time_s: Scalar,
) -> _Instant:
    """What the sites see at an instant; below its lowest elevation a rate is that of there.

    A link is there when the site has seen the satellite for as long as the two need to find each other: the height
    that counts is the lower one of those now and so long ago.
    """
    network = shared.profiles["ground_network"]
    sight, sooner = (ground_link.sight(sites, *_seen_from_earth(anchor, t)) for t in (time_s, time_s - acquired_s))
    lowest = registry.call(ground_link.lowest_sine, network)
    receive = registry.models("ground_network")[structure.ground_network_model]
    at_least = ground_link.raised(sight, lowest)
    rate = registry.call(receive, network, sender, at_least)
    before = sooner.sin_elevation < sight.sin_elevation
    sine, rising_per_s = (jnp.where(before, a, b) for a, b in zip(sooner[:2], sight[:2], strict=True))
    return _Instant(sine - lowest, rising_per_s, rate, link.delay_s(at_least.range_m))


def _seen_from_earth(anchor: Anchor, time_s: Scalar) -> tuple[Vector, Vector]:
    """Place and velocity of each satellite as one sees them who turns with the Earth."""
    place = orbit.place(anchor.elements, anchor.rates, time_s)
    turned = anchor.sidereal_angle_rad + anchor.sidereal_rate_rad_per_s * time_s
    out = ground_link.earth_fixed(place.direction, turned)
    along = ground_link.earth_fixed(place.direction_rate_per_s, turned)
    turn = anchor.sidereal_rate_rad_per_s
    along = along[0] + turn * out[1], along[1] - turn * out[0], along[2]
    speed = (place.radius_rate_m_per_s * a + place.radius_m * b for a, b in zip(out, along, strict=True))
    x, y, z = speed
    return sm.scale(out, place.radius_m), (x, y, z)


def _seen(begin: _Instant, end: _Instant, span_s: Scalar) -> Array:
    """Part of a span in which each site sees each satellite.

    Heights follow the cubic of their values and rates at both ends, and a straight line from piece to piece of it.
    """

    def above(share: float) -> Array:
        rest = 1.0 - share
        ends = rest * rest * (1.0 + 2.0 * share) * begin.above + share * share * (3.0 - 2.0 * share) * end.above
        return ends + share * rest * span_s * (rest * begin.rising_per_s - share * end.rising_per_s)

    heights = [begin.above, *(above(k / PIECES) for k in range(1, PIECES)), end.above]
    seen = jnp.zeros_like(begin.above)
    for low, high in pairwise(heights):
        up = jnp.maximum(jnp.maximum(low, high), 0.0)
        down = jnp.maximum(-jnp.minimum(low, high), 0.0)
        seen = seen + sm.ratio(up, up + down) / PIECES
    return seen


def _over_span(begin: _Instant, end: _Instant, span_s: Scalar, clear: Array) -> Passes:
    """Means over the time between two instants.

    Where several sites begin or end to see a satellite in the same span, they do so independently of each other.
    """
    seen = _seen(begin, end, span_s)
    rate, delay = (0.5 * (a + b) for a, b in ((begin.bit_per_s, end.bit_per_s), (begin.delay_s, end.delay_s)))
    use = ground_link.use_of_sites(rate, clear * seen)
    return Passes(1.0 - jnp.prod(1.0 - seen, axis=0), use, use * rate, use * rate * delay)
