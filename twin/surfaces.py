"""The faces of a satellite: their areas and optics, how they block and see each other, and what they absorb."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import enclosure, orbit, registry, solar_cell, sunlight
from kernels import radiator as radiator_kernel
from kernels import safe_math as sm
from kernels import solar_array as array_kernel
from kernels.attitude import View
from kernels.quantity import Optics, Vector
from kernels.thermal_network import Link, Surface
from twin.structure import CohortParams, CohortStructure


def in_sight(surfaces: tuple[Surface, ...]) -> tuple[tuple[int, ...], ...]:
    """Of each surface, itself and those that its radiation reaches, directly or by reflections at partners."""
    at = {surface.name: k for k, surface in enumerate(surfaces)}
    groups = [{k} for k in range(len(surfaces))]
    for k, surface in enumerate(surfaces):
        if surface.partner is not None:
            merged = groups[k] | groups[at[surface.partner]]
            for member in merged:
                groups[member] = merged
    return tuple(tuple(sorted(group)) for group in groups)


def exchange_links(surfaces: tuple[Surface, ...]) -> tuple[Link, ...]:
    """Pairs of nodes that exchange infrared through their surfaces.

    What returns to the nodes it came from links none: two faces over the same nodes, as those of a radiator, are one.
    """
    pairs = {
        (min(a, b), max(a, b))
        for k, group in enumerate(in_sight(surfaces))
        for other in group
        if surfaces[k].nodes != surfaces[other].nodes
        for a in surfaces[k].nodes
        for b in surfaces[other].nodes
        if a != b
    }
    return tuple(sorted(pairs))


# For each surface, the area of each of those `in_sight` of it that absorbs what arrives on the first from outside.
Spread = tuple[tuple[Array, ...], ...]


class Surfaces(NamedTuple):
    """Numbers of the surfaces, each tuple in the order of the topology; shared by all satellites."""

    normal: tuple[tuple[Array, Array, Array], ...]
    area_m2: tuple[Array, ...]  # that radiates: a radiator's times its fin efficiency
    whole_m2: tuple[Array, ...]
    optics: tuple[Optics, ...]
    open_fraction: tuple[Array, ...]  # of the hemisphere, not filled by another surface
    views: dict[tuple[int, int], Array]  # view factor from one surface to another
    infrared_m2: Spread


def surfaces(
    cohort: CohortStructure,
    params: CohortParams,
    panel: array_kernel.Panel,
    radiator: radiator_kernel.Radiator,
    face_area_m2: Array,
) -> Surfaces:
    """Area, normal and optics of every surface, taken from the component that owns it or from the network."""
    own = params["thermal_network"]["surfaces"]
    cell = registry.call(solar_cell.cell_optics, params["solar_cell"])
    covered = panel.packing_fraction
    front = Optics(covered * cell.absorptivity + (1.0 - covered) * panel.substrate_absorptivity, cell.emissivity)
    coating = registry.call(radiator_kernel.aged_optics, params["coating"])
    component_optics = {"solar_cell": front, "array_rear": panel.rear, "coating": coating}
    # A fin that is colder than the fluid radiates less and absorbs less: it acts as a smaller face.
    fin = registry.call(radiator_kernel.fin_efficiency, params["radiator"], coating.emissivity)
    component_area = {
        "array": panel.area_m2,
        "radiator": radiator.area_m2,
        "radiator_second_face": radiator.area_m2 * radiator.second_face_fraction,
        "bus": face_area_m2,
        "": jnp.ones(()),
    }
    normals, areas, wholes, optics = [], [], [], []
    for surface, (optics_of, area_of) in zip(cohort.topology.surfaces, cohort.surface_optics, strict=True):
        numbers = own[surface.name]
        normals.append((numbers["normal_x"], numbers["normal_y"], numbers["normal_z"]))
        wholes.append(component_area[area_of] * numbers["area_share"])
        areas.append(wholes[-1] * fin if area_of.startswith("radiator") else wholes[-1])
        optics.append(component_optics.get(optics_of) or Optics(numbers["absorptivity"], numbers["emissivity"]))
    views = _views(cohort, areas, [own[s.name]["blocked_fraction"] for s in cohort.topology.surfaces])
    emissivity = tuple(face.emissivity for face in optics)
    return Surfaces(
        tuple(normals),
        tuple(areas),
        tuple(wholes),
        tuple(optics),
        open_fraction=_open_fractions(len(areas), views),
        views=views,
        infrared_m2=_spread_m2(in_sight(cohort.topology.surfaces), areas, views, emissivity),
    )


def _views(cohort: CohortStructure, areas: list[Array], blocked: list[Array]) -> dict[tuple[int, int], Array]:
    """View factors between partners, reciprocal; no surface gives more view than it has."""
    faces = cohort.topology.surfaces
    at = {face.name: k for k, face in enumerate(faces)}
    shared_m2: dict[tuple[int, int], Array] = {}
    for k, face in enumerate(faces):
        if face.partner is not None:
            for pair in {(k, at[face.partner]), (at[face.partner], k)}:
                shared_m2[pair] = shared_m2.get(pair, jnp.zeros(())) + areas[k] * blocked[k]
    granted = [
        jnp.minimum(1.0, areas[k] / jnp.maximum(sum(area for (i, _), area in shared_m2.items() if i == k), 1e-9))
        for k in range(len(faces))
    ]
    return {
        (i, j): area * jnp.minimum(granted[i], granted[j]) / jnp.maximum(areas[i], 1e-9)
        for (i, j), area in shared_m2.items()
    }


def _open_fractions(count: int, views: enclosure.Pairs) -> tuple[Array, ...]:
    """Part of each surface's hemisphere that sees space and the Earth."""
    open_part = [jnp.ones(())] * count
    for (i, _), view in views.items():
        open_part[i] = open_part[i] - view
    return tuple(open_part)


def _spread_m2(
    in_sight: tuple[tuple[int, ...], ...],
    areas: Sequence[Array],
    views: enclosure.Pairs,
    absorptivity: tuple[Array, ...],
) -> Spread:
    """Areas that absorb what arrives, all reflections diffuse."""
    incident = enclosure.irradiation(views, absorptivity)
    return tuple(
        tuple(absorptivity[other] * areas[other] * incident[other, k] for other in others)
        for k, others in enumerate(in_sight)
    )


def light_m2(cohort: CohortStructure, surfaces: Surfaces, coating_absorptivity: Array) -> Spread:
    """Areas that absorb the light that arrives, with the coating as dark as it has become."""
    absorptivity = tuple(
        coating_absorptivity if owner == "coating" else optics.absorptivity
        for optics, (owner, _) in zip(surfaces.optics, cohort.surface_optics, strict=True)
    )
    return _spread_m2(in_sight(cohort.topology.surfaces), surfaces.area_m2, surfaces.views, absorptivity)


def emission(cohort: CohortStructure, surfaces: Surfaces) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Emitting area per node towards space and the Earth, and the exchange areas of `exchange_links`."""
    faces = cohort.topology.surfaces
    factors = enclosure.gebhart_factors(surfaces.views, tuple(optics.emissivity for optics in surfaces.optics))
    emitting = [optics.emissivity * area for optics, area in zip(surfaces.optics, surfaces.area_m2, strict=True)]
    emission = [jnp.zeros(()) for _ in cohort.topology.nodes]
    for k, face in enumerate(faces):
        kept = sum(factors[k, other] for other in range(len(faces)))
        add_heat(emission, face.nodes, emitting[k] * (1.0 - kept))
    exchange = dict.fromkeys(exchange_links(faces), jnp.zeros(()))
    for (i, j), factor in factors.items():
        pairs = [(min(a, b), max(a, b)) for a in faces[i].nodes for b in faces[j].nodes if i < j]
        for pair in pairs:
            if pair in exchange:
                exchange[pair] = exchange[pair] + emitting[i] * factor / len(pairs)
    return tuple(emission), tuple(exchange.values())


def absorbed_w(
    structure: CohortStructure,
    numbers: Surfaces,
    light_m2: Spread,
    view: View,
    sky: sunlight.Sky,
    radius_m: Array,
) -> tuple[list[Array], list[Array], Array, Array]:
    """Absorbed by each node: heat in the dark, and direct light while lit [W]; on the cells, reflected light and
    direct light while lit [W/m2].

    Direct light is not shaded by a partner: that holds behind a Sun-pointing array, whose rear sees no Sun and whose
    shadow a radiator edge-on to the Sun does not meet; elsewhere it errs to the hot side.
    """
    ratio = radius_m / orbit.const.EARTH_RADIUS_M
    zenith = -sm.dot(view.sun_body, view.nadir_body)
    zero = jnp.zeros_like(radius_m)
    dark, sunny = ([zero for _ in structure.topology.nodes] for _ in range(2))
    reflected, direct = zero, zero
    faces, views = structure.topology.surfaces, []
    for k, (surface, others) in enumerate(zip(faces, in_sight(faces), strict=True)):
        axes: tuple[Vector, Vector] = (
            (view.sun_array, view.nadir_array) if surface.frame == "array" else (view.sun_body, view.nadir_body)
        )
        cos_sun, cos_nadir = sm.dot(numbers.normal[k], axes[0]), sm.dot(numbers.normal[k], axes[1])
        if surface.opposite is None:
            views.append(sunlight.earth_view_factor(cos_nadir, ratio))
        else:
            views.append(sunlight.opposite_view_factor(views[surface.opposite], -cos_nadir, ratio))
        earth = views[k] * numbers.open_fraction[k]
        sunshine = jnp.maximum(cos_sun, 0.0) * sky.solar_w_per_m2
        albedo = sunlight.sunlit_view_factor(earth, cos_nadir, cos_sun, zenith, ratio) * sky.albedo_w_per_m2
        for place, other in enumerate(others):
            heat_w = light_m2[k][place] * albedo + numbers.infrared_m2[k][place] * earth * sky.infrared_w_per_m2
            add_heat(dark, faces[other].nodes, heat_w)
            add_heat(sunny, faces[other].nodes, light_m2[k][place] * sunshine)
        if structure.surface_optics[k][0] == "solar_cell":
            reflected, direct = reflected + albedo, direct + sunshine
    return dark, sunny, reflected, direct


def add_heat(source: list[Array], port: tuple[int, ...], heat_w: Array) -> None:
    """Share a heat equally among the nodes of a port or surface."""
    for node in port:
        source[node] = source[node] + heat_w / len(port)
