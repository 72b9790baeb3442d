"""Which numbers of a thermal network, and of sites on the ground, a design can vary: unit and range by dotted key."""

from collections.abc import Iterable

from kernels.quantity import Quantity
from twin.schema import Boundary, Coupling, Exchange, Face, Node, Site, Strict, range_of
from twin.structure import CohortStructure

NETWORK = "thermal_network"
CAPACIOUS = ("accelerator", "cold_plate", "coolant", "radiator", "bus", "battery", "array")  # ports that add capacity


def network_quantities(cohort: CohortStructure) -> dict[str, Quantity]:
    """Quantities by key, such as couplings.battery_to_bus.conductance_w_per_k.

    Left out is what a run is built on, nodes without mass and the normals of surfaces, and what a surface never reads.
    """
    topology = cohort.topology
    lumps = [name for k, name in enumerate(topology.nodes) if k not in topology.massless]
    faces = [face.name for face in topology.surfaces]
    blocked = [face.name for face in topology.surfaces if face.partner is not None]
    plain = [name for name, (optics, _) in zip(faces, cohort.surface_optics, strict=True) if optics == "own"]
    parts: tuple[tuple[str, type[Strict], Iterable[str], str, str], ...] = (
        ("nodes", Node, lumps, "heat_capacity_j_per_k", "J/K"),
        ("couplings", Coupling, cohort.coupling_names, "conductance_w_per_k", "W/K"),
        ("radiative", Exchange, cohort.radiative_names, "exchange_m2", "m2"),
        ("boundaries", Boundary, cohort.boundary_names, "conductance_w_per_k", "W/K"),
        ("boundaries", Boundary, cohort.boundary_names, "temperature_k", "K"),
        ("surfaces", Face, faces, "area_share", ""),
        ("surfaces", Face, blocked, "blocked_fraction", ""),
        ("surfaces", Face, plain, "absorptivity", ""),
        ("surfaces", Face, plain, "emissivity", ""),
    )
    found = {
        f"{kind}.{name}.{key}": Quantity(unit, *range_of(schema, key))
        for kind, schema, names, key, unit in parts
        for name in names
    }
    carried = {topology.nodes[node] for port in CAPACIOUS for node in getattr(cohort.ports, port)}
    bare = {f"nodes.{name}.heat_capacity_j_per_k" for name in lumps if name not in carried}
    return found | dict.fromkeys(bare, Quantity("J/K", above=0.0))


def site_quantities(sites: Iterable[str]) -> dict[str, Quantity]:
    """Quantities by key, such as sites.haleakala.clear_sky_fraction."""
    units = {"latitude_rad": "rad", "longitude_rad": "rad", "height_m": "m", "clear_sky_fraction": ""}
    return {
        f"sites.{name}.{key}": Quantity(unit, *range_of(Site, key)) for name in sites for key, unit in units.items()
    }
