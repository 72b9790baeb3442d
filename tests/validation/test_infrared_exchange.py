"""Light and infrared between faces."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from kernels import attitude, enclosure, registry, sunlight, thermal_network
from kernels.constants import EARTH_RADIUS_M as RADIUS_M
from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4 as SIGMA
from twin.ageing import condition
from twin.prepare import Cohort, Shared, prepare
from twin.surfaces import Surfaces, absorbed_w, add_heat, in_sight
from validation.rows import Measured, row
from validation.test_faces import COHORT, FACES, H650, MODEL, normals, orbit_scene, seen


@functools.cache
def prepared() -> Cohort:
    """The reference satellite."""
    return prepare(MODEL.structure, MODEL.params, MODEL.environment)[COHORT.name]


def satellite() -> Shared:
    """Its constants."""
    return prepared().shared


def view_factors(surfaces: Surfaces) -> np.ndarray:
    """Of the reference network, from what its profile says: both radiator faces see the array's rear."""
    own = MODEL.params[COHORT.name]["thermal_network"]["surfaces"]
    names = [face.name for face in FACES]
    view = np.zeros((len(names), len(names)))
    for face in FACES:
        if face.partner is not None:
            k, partner = names.index(face.name), names.index(face.partner)
            view[k, partner] = float(own[face.name]["blocked_fraction"])
            view[partner, k] = view[k, partner] * float(surfaces.area_m2[k] / surfaces.area_m2[partner])
    return view


def net_radiosity_w(
    area_m2: np.ndarray, view: np.ndarray, absorbing: np.ndarray, arriving: np.ndarray, emitted: np.ndarray
) -> np.ndarray:
    """Heat into each surface: what leaves it is its emission and the reflection of all that arrives on it."""
    leaving = np.linalg.solve(
        np.eye(len(area_m2)) - (1.0 - absorbing)[:, None] * view, absorbing * emitted + (1.0 - absorbing) * arriving
    )
    return area_m2 * absorbing * (arriving + view @ leaving - emitted)


def scene_on_faces() -> tuple[attitude.View, sunlight.Sky, np.ndarray, np.ndarray]:
    """A view with some Sun on every kind of face, and the light and infrared that arrive on each from outside."""
    sun, normal, ups = orbit_scene(30.0, 5)
    view = seen("fixed_in_space", sun, ups[1:2], normal)
    view = attitude.View(*(tuple(jnp.asarray(part) for part in leaf.T) for leaf in view))
    sky = registry.call(sunlight.sky, satellite().profiles["environment"], jnp.ones(()))
    light, infrared = [], []
    for (frame, face), part in zip(normals().values(), satellite().surfaces.open_fraction, strict=True):
        at_sun, at_nadir = (view.sun_array, view.nadir_array) if frame == "array" else (view.sun_body, view.nadir_body)
        cos_sun, cos_nadir, zenith = face @ at_sun, face @ at_nadir, -np.dot(np.ravel(at_sun), np.ravel(at_nadir))
        earth = part * sunlight.earth_view_factor(cos_nadir, jnp.asarray(H650))
        lit = sunlight.sunlit_view_factor(earth, cos_nadir, cos_sun, jnp.asarray(zenith), jnp.asarray(H650))
        light.append(float((jnp.maximum(cos_sun, 0.0) * sky.solar_w_per_m2 + lit * sky.albedo_w_per_m2)[0]))
        infrared.append(float(earth[0] * sky.infrared_w_per_m2))
    return view, sky, np.array(light), np.array(infrared)


def node_temperatures_k(spread_k: float) -> np.ndarray:
    """Array warm, radiator cooler along the flow, the rest in between."""
    names = list(COHORT.topology.nodes)
    temperature = np.full(len(names), 295.0)
    temperature[names.index("array")] = 330.0
    for k in range(4):
        temperature[names.index(f"radiator_{k + 1}")] = 300.0 - spread_k * k / 3.0
    return temperature


def radiation_on_nodes_w(temperature_k: np.ndarray) -> np.ndarray:
    """All radiation into each node as the twin computes it: absorbed from outside, exchanged, and sent to space."""
    view, sky, _, _ = scene_on_faces()
    light_m2 = condition(COHORT, satellite(), prepared().slow).light_m2
    radius_m = jnp.full(1, H650 * RADIUS_M)
    dark, sunny, _, _ = absorbed_w(COHORT, satellite().surfaces, light_m2, view, sky, radius_m)
    absorbed = [heat + light for heat, light in zip(dark, sunny, strict=True)]
    still = satellite().network._replace(conductance_w_per_k=(0.0,) * len(COHORT.topology.conductive))
    flows = (jnp.zeros(1),) * len(COHORT.topology.flows)
    temperatures = tuple(jnp.full(1, t) for t in temperature_k)
    heat = thermal_network.heat_flow_w(COHORT.topology, still, flows, tuple(absorbed), temperatures)
    return np.array([float(flow[0]) for flow in heat])


def radiosity_on_nodes_w(temperature_k: np.ndarray) -> np.ndarray:
    """The same from radiosities, with every node's part of a face as a surface of its own."""
    surfaces = satellite().surfaces
    parts = [(k, node) for k, face in enumerate(FACES) for node in face.nodes]
    face, node = np.array([k for k, _ in parts]), np.array([n for _, n in parts])
    share = 1.0 / np.array([len(FACES[k].nodes) for k in face])
    view = view_factors(surfaces)[np.ix_(face, face)] * share[None, :]
    area = np.array([float(surfaces.area_m2[k]) for k in face]) * share
    _, _, light, infrared = scene_on_faces()
    emitted = SIGMA * temperature_k[node] ** 4
    heat = np.zeros(len(parts))
    for band, arriving, own in (("absorptivity", light, 0.0 * emitted), ("emissivity", infrared, emitted)):
        absorbing = np.array([float(getattr(surfaces.optics[k], band)) for k in face])
        heat += net_radiosity_w(area, view, absorbing, arriving[face], own)
    return np.bincount(node, heat, minlength=len(temperature_k))


@row(
    "Radiation into each node, Sun, Earth and all reflections, of the largest",
    against="radiosities, a linear system in numpy",
    bound=1e-9,
)
@pytest.mark.slow
def test_network_against_radiosities() -> float:
    exact = radiosity_on_nodes_w(node_temperatures_k(0.0))
    return float(np.abs(radiation_on_nodes_w(node_temperatures_k(0.0)) - exact).max() / np.abs(exact).max())


@row("The same, radiator segments 10 K apart", against="radiosities of every segment", bound=1e-4)
@pytest.mark.slow
def test_segments_against_radiosities() -> Measured:
    temperature_k = node_temperatures_k(10.0)
    exact = radiosity_on_nodes_w(temperature_k)
    error = np.abs(radiation_on_nodes_w(temperature_k) - exact)
    return Measured(float(error.max() / np.abs(exact).max()), "what the array reflects between segments is left out")


@row(
    "Two infinite parallel plates",
    against="textbook closed form: 1 / (1/e1 + 1/e2 - 1)",
    bound=1e-12,
    kind="definition",
)
def test_parallel_plates() -> float:
    errors = []
    for first, second in ((0.05, 0.05), (0.8, 0.85), (0.03, 0.9), (1.0, 0.5)):
        factors = enclosure.gebhart_factors({(0, 1): 1.0, (1, 0): 1.0}, (first, second))
        errors.append(abs(first * float(factors[0, 1]) * (1.0 / first + 1.0 / second - 1.0) - 1.0))
    return max(errors)


@row(
    "A tenth of the view filled by a black array at 318 K, emissivity 0.85",
    against="by hand: 0.1 x 0.85 sigma T4 = 49",
    unit="W/m2",
    bound=0.5,
    kind="definition",
)
def test_tenth_of_the_view() -> Measured:
    factors = enclosure.gebhart_factors({(0, 1): 0.1, (1, 0): 0.05}, (0.85, 1.0))
    black = 0.85 * float(factors[0, 1]) * SIGMA * 318.0**4
    surfaces, nodes = satellite().surfaces, COHORT.topology.nodes
    links = zip(COHORT.topology.radiative, satellite().network.exchange_m2, strict=True)
    exchange_m2 = sum(float(area) for link, area in links if nodes.index("array") in link)
    radiator_m2 = sum(
        float(area) for face, area in zip(FACES, surfaces.area_m2, strict=True) if face.partner is not None
    )
    ours = exchange_m2 / radiator_m2 * SIGMA * 318.0**4
    return Measured(abs(black - 49.0), f"{black:.1f}; the reference satellite {ours:.1f}")


@row(
    "Satellite in a black enclosure of its own temperature, net radiation of each node",
    against="second law: none",
    bound=1e-12,
    kind="definition",
)
def test_equilibrium() -> float:
    """Infrared from all round through the open part of each face, absorbed with reflections, is what it emits."""
    surfaces = satellite().surfaces
    absorbed = [jnp.zeros(()) for _ in COHORT.topology.nodes]
    for k, others in enumerate(in_sight(FACES)):
        for place, other in enumerate(others):
            add_heat(absorbed, FACES[other].nodes, surfaces.open_fraction[k] * surfaces.infrared_m2[k][place])
    emitting = np.array([float(area) for area in satellite().network.emission_m2])
    return float(np.abs(np.array([float(a) for a in absorbed]) - emitting).max() / emitting.max())


@row(
    "The reference radiator's view of the array's rear",
    against="integral over both plates",
    bound=0.002,
    kind="definition",
)
def test_blocked_fraction() -> Measured:
    """A radiator of 10 x 20 m on edge, 3.5 m behind the middle of an array of 10 x 48 m; each face sees one half."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    s, w = 0.5 * (nodes + 1.0), 0.5 * weights
    across, behind, along, out = np.meshgrid(10.0 * s, 3.5 + 20.0 * s, 10.0 * s, 24.0 * s, indexing="ij")
    square = (across - along) ** 2 + behind**2 + out**2
    weight = np.einsum("i,j,k,l->ijkl", w, w, w, w) * 240.0
    view = float((behind * out / (np.pi * square**2) * weight).sum())
    own = MODEL.params[COHORT.name]["thermal_network"]["surfaces"]
    return Measured(abs(float(own["radiator_front"]["blocked_fraction"]) - view), f"{view:.4f} from geometry")
