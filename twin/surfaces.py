"""The faces of a satellite: their areas and optics, how they block and see each other, and what they absorb."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import orbit, registry, solar_cell, sunlight
from kernels import radiator as radiator_kernel
from kernels import safe_math as sm
from kernels import solar_array as array_kernel
from kernels.attitude import View
from kernels.quantity import Optics, Vector
from twin.structure import CohortParams, CohortStructure


class Surfaces(NamedTuple):
    """Numbers of the surfaces, each tuple in the order of the topology; shared by all satellites."""

    normal: tuple[tuple[Array, Array, Array], ...]
    area_m2: tuple[Array, ...]
    optics: tuple[Optics, ...]
    open_fraction: tuple[Array, ...]  # of the hemisphere, not filled by another surface
    shared_m2: tuple[Array, ...]  # area times view factor to the partner


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
    radiating_m2 = radiator.area_m2 * registry.call(
        radiator_kernel.fin_efficiency, params["radiator"], coating.emissivity
    )
    component_area = {
        "array": panel.area_m2,
        "radiator": radiating_m2,
        "radiator_second_face": radiating_m2 * radiator.second_face_fraction,
        "bus": face_area_m2,
        "": jnp.ones(()),
    }
    normals, areas, optics = [], [], []
    for surface, (optics_of, area_of) in zip(cohort.topology.surfaces, cohort.surface_optics, strict=True):
        numbers = own[surface.name]
        normals.append((numbers["normal_x"], numbers["normal_y"], numbers["normal_z"]))
        areas.append(component_area[area_of] * numbers["area_share"])
        optics.append(component_optics.get(optics_of) or Optics(numbers["absorptivity"], numbers["emissivity"]))
    shared_m2 = _shared_views_m2(cohort, areas, [own[s.name]["blocked_fraction"] for s in cohort.topology.surfaces])
    return Surfaces(
        tuple(normals), tuple(areas), tuple(optics), _open_fractions(cohort, areas, shared_m2), tuple(shared_m2)
    )


def _shared_views_m2(cohort: CohortStructure, area_m2: list[Array], blocked: list[Array]) -> list[Array]:
    """Area times view factor that each surface shares with its partner; no partner gives more view than it has."""
    surfaces = cohort.topology.surfaces
    wanted = [
        area * jnp.asarray(fraction) * (1.0 if surface.partner else 0.0)
        for surface, area, fraction in zip(surfaces, area_m2, blocked, strict=True)
    ]
    claims = {surface.name: jnp.zeros(()) for surface in surfaces}
    for surface, area in zip(surfaces, wanted, strict=True):
        if surface.partner:
            claims[surface.partner] = claims[surface.partner] + area
    whole = {surface.name: area for surface, area in zip(surfaces, area_m2, strict=True)}
    return [
        area * jnp.minimum(1.0, whole[surface.partner] / jnp.maximum(claims[surface.partner], 1e-9))
        if surface.partner
        else area
        for surface, area in zip(surfaces, wanted, strict=True)
    ]


def _open_fractions(cohort: CohortStructure, area_m2: list[Array], shared_m2: list[Array]) -> tuple[Array, ...]:
    """Part of each surface's hemisphere that sees space and the Earth, neither its partner nor whoever it partners.

    Direct light is not reduced: behind a Sun-pointing array there is none to block.
    """
    surfaces = cohort.topology.surfaces
    hidden = dict(zip((surface.name for surface in surfaces), shared_m2, strict=True))
    for surface, area in zip(surfaces, shared_m2, strict=True):
        if surface.partner:
            hidden[surface.partner] = hidden[surface.partner] + area
    return tuple(
        1.0 - hidden[surface.name] / jnp.maximum(area, 1e-9) for surface, area in zip(surfaces, area_m2, strict=True)
    )


def emission(cohort: CohortStructure, surfaces: Surfaces) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Emitting area per node, and the exchange areas between surfaces that block each other's view.

    Reflections between the two are left out, below (1 - emissivity) of the exchange. The exchange areas stand in
    `topology.radiative` after the network's own.
    """
    topology = cohort.topology
    by_name = {surface.name: k for k, surface in enumerate(topology.surfaces)}
    emission = [jnp.zeros(()) for _ in topology.nodes]
    exchange = []
    for k, surface in enumerate(topology.surfaces):
        radiating_m2 = surfaces.optics[k].emissivity * surfaces.open_fraction[k] * surfaces.area_m2[k]
        for node in surface.nodes:
            emission[node] = emission[node] + radiating_m2 / len(surface.nodes)
        if surface.partner is None:
            continue
        other = by_name[surface.partner]
        pairs = len(surface.nodes) * len(topology.surfaces[other].nodes)
        both = surfaces.optics[k].emissivity * surfaces.optics[other].emissivity * surfaces.shared_m2[k]
        exchange += [both / pairs] * pairs
    return tuple(emission), tuple(exchange)


def absorbed_w(
    structure: CohortStructure, numbers: Surfaces, view: View, sky: sunlight.Sky, lit: Array, radius_m: Array
) -> tuple[list[Array], Array, Array]:
    """Light and infrared absorbed by each node [W]; on the cells, reflected light and direct light while lit [W/m2]."""
    ratio = radius_m / orbit.const.EARTH_RADIUS_M
    zero = jnp.zeros_like(lit)
    absorbed, reflected, direct = [zero for _ in structure.topology.nodes], zero, zero
    for k, surface in enumerate(structure.topology.surfaces):
        axes: tuple[Vector, Vector] = (
            (view.sun_array, view.nadir_array) if surface.frame == "array" else (view.sun_body, view.nadir_body)
        )
        facing = jnp.maximum(sm.dot(numbers.normal[k], axes[0]), 0.0)
        earth = sunlight.earth_view_factor(sm.dot(numbers.normal[k], axes[1]), ratio) * numbers.open_fraction[k]
        sunshine, albedo = facing * sky.solar_w_per_m2, earth * sky.albedo_w_per_m2
        flux = numbers.optics[k].absorptivity * (lit * sunshine + albedo)
        flux = flux + numbers.optics[k].emissivity * earth * sky.infrared_w_per_m2
        add_heat(absorbed, surface.nodes, flux * numbers.area_m2[k])
        if structure.surface_optics[k][0] == "solar_cell":
            reflected, direct = reflected + albedo, direct + sunshine
    return absorbed, reflected, direct


def add_heat(source: list[Array], port: tuple[int, ...], heat_w: Array) -> None:
    """Share a heat equally among the nodes of a port or surface."""
    for node in port:
        source[node] = source[node] + heat_w / len(port)
