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
    """How satellites reach the ground in an interval; leaves (tile,), `use` (tile, site)."""

    bit_per_s: Array  # mean over the interval, and over the weather
    seen_fraction: Array  # of the interval in which a site is in view, or a mesh relays
    clear_sites: Array  # mean number of sites in view under a clear sky
    site: Array  # number of the site used most, -1 for none
    delay_s: Array  # one way, mean over the bits; 0 without any
    use: Array  # part of the interval in which each site is expected to receive


class _Instant(NamedTuple):
    """What each site sees of each satellite, (site, tile)."""

    above: Array  # sine of the elevation less the lowest at which the site sees anything
    rising_per_s: Array
    bit_per_s: Array  # under a clear sky
    delay_s: Array


class _Tally(NamedTuple):
    """Means over the interval, added up span by span."""

    bit_per_s: Array
    delay_s: Array  # times the rate
    seen_fraction: Array
    clear_sites: Array
    use: Array  # (site, tile)


def lands(structure: Structure, cohort: CohortStructure) -> bool:
    """Whether satellites of a cohort can reach the ground at all."""
    return _direct(structure, cohort) or cohort.model("link") == "mesh"


def contact(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    start_s: Scalar,
    length_s: Scalar,
) -> Contact:
    """Contact of a tile from `start_s` after its anchor on, for `length_s`; for a cohort that `lands`.

    Elementwise over satellites: how many others a site serves is not known here. A terminal talks to one site, the
    fastest that is in view under a clear sky; each site's weather is independent of the others'.
    """
    none = jnp.zeros_like(anchor.elements.mean_anomaly_rad)
    tally = _Tally(none, none, none, none, jnp.zeros((len(structure.sites), *none.shape), none.dtype))
    if _direct(structure, cohort):
        tally = _by_sites(structure, cohort, shared, anchor, start_s, length_s, tally)
    use = jnp.moveaxis(tally.use, 0, -1)
    site = jnp.where(jnp.any(use > 0.0, axis=-1), jnp.argmax(use, axis=-1), -1) if structure.sites else none - 1
    if cohort.model("link") == "mesh":
        tally = _with_mesh(shared, tally)
    return Contact(
        bit_per_s=tally.bit_per_s,
        seen_fraction=tally.seen_fraction,
        clear_sites=tally.clear_sites,
        site=site.astype(jnp.int32),
        delay_s=sm.ratio(tally.delay_s, tally.bit_per_s, 1.0),
        use=use,
    )


def _direct(structure: Structure, cohort: CohortStructure) -> bool:
    return structure.ground_network_model != "none" and cohort.model("downlink") != "none"


def _by_sites(
    structure: Structure,
    cohort: CohortStructure,
    shared: Shared,
    anchor: Anchor,
    start_s: Scalar,
    length_s: Scalar,
    nothing: _Tally,
) -> _Tally:
    """Means over an interval, from instants at most `LONGEST_SPAN_S` apart."""
    count = ceil(structure.schedule.exchange_steps * structure.schedule.step_s / LONGEST_SPAN_S)
    sites = _sites(structure, shared)
    sender = registry.call(registry.models("downlink")[cohort.model("downlink")], shared.profiles["downlink"])

    def at(number: Scalar) -> _Instant:
        time_s = start_s + length_s * (number / count)
        return _instant(structure, shared, anchor, sites, sender, time_s)

    def span(before: tuple[_Instant, _Tally], number: Array) -> tuple[tuple[_Instant, _Tally], None]:
        begin, tally = before
        end = at(number)
        added = _over_span(begin, end, length_s / count, sites.clear_sky_fraction[:, None])
        return (end, _Tally(*(a + b / count for a, b in zip(tally, added, strict=True)))), None

    numbers = jnp.arange(1, count + 1).astype(nothing.bit_per_s.dtype)
    (_, tally), _ = lax.scan(span, (at(0.0), nothing), numbers)
    return tally


def _sites(structure: Structure, shared: Shared) -> Sites:
    """Numbers of all sites, (site,)."""
    own = shared.profiles["ground_network"]["sites"]
    return Sites(*(jnp.stack([own[name][key] for name in structure.sites]) for key in Sites._fields))


def _instant(
    structure: Structure, shared: Shared, anchor: Anchor, sites: Sites, sender: Laser | Radio, time_s: Scalar
) -> _Instant:
    """What the sites see at an instant; below its lowest elevation a rate is that of there."""
    network = shared.profiles["ground_network"]
    sight = ground_link.sight(sites, *_seen_from_earth(anchor, time_s))
    lowest = registry.call(ground_link.lowest_sine, network)
    receive = registry.models("ground_network")[structure.ground_network_model]
    raised = sight._replace(sin_elevation=jnp.maximum(sight.sin_elevation, lowest))
    rate = registry.call(receive, network, sender, raised)
    above, rising_per_s = sight.sin_elevation - lowest, sight.sin_elevation_rate_per_s
    return _Instant(above, rising_per_s, rate, link.delay_s(sight.range_m))


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


def _over_span(begin: _Instant, end: _Instant, span_s: Scalar, clear: Array) -> _Tally:
    """Means over the time between two instants.

    Where several sites begin or end to see a satellite in the same span, they do so independently of each other.
    """
    seen = _seen(begin, end, span_s)
    rate, delay = (0.5 * (a + b) for a, b in ((begin.bit_per_s, end.bit_per_s), (begin.delay_s, end.delay_s)))
    use = ground_link.use_of_sites(rate, clear * seen)
    return _Tally(
        bit_per_s=jnp.sum(use * rate, axis=0),
        delay_s=jnp.sum(use * rate * delay, axis=0),
        seen_fraction=1.0 - jnp.prod(1.0 - seen, axis=0),
        clear_sites=jnp.sum(clear * seen, axis=0),
        use=use,
    )


def _with_mesh(shared: Shared, tally: _Tally) -> _Tally:
    """What a mesh carries to its gateways at any time, beside what goes down directly."""
    profile = shared.profiles["link"]
    carried: link.Link = registry.call(link.mesh, profile, registry.call(link.gateway_m, profile))
    rate = registry.call(link.terminals, profile).number * carried.bit_per_s
    return tally._replace(
        bit_per_s=tally.bit_per_s + rate,
        delay_s=tally.delay_s + rate * carried.delay_s,
        seen_fraction=jnp.ones_like(tally.seen_fraction),
    )
