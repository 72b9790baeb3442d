"""Attitude, view factors and albedo."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

import twin
from kernels import attitude, registry, sunlight
from kernels.constants import EARTH_RADIUS_M as RADIUS_M
from validation.rows import Measured, row

H650 = 1.0 + 650e3 / RADIUS_M
BETAS_DEG = (58.0, 58.6, 62.0, 70.0, 80.0, 89.0, 89.99)  # at 90 a driven array has no Sun to turn to
MODEL = twin.build(twin.compose("simulate", ["constellation.satellites=1", "distributed.devices=1"]))
COHORT = MODEL.structure.cohorts[0]
FACES = COHORT.topology.surfaces


# --- Geometry in plain vectors ---------------------------------------------------------------------------------------


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def orbit_scene(beta_deg: float, phases: int = 36) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sun, orbit normal and, for each phase, the vertical: a 98 deg orbit turned until the Sun stands at beta."""
    inclination = np.radians(98.0)
    normal = np.array([np.sin(inclination) * np.sin(0.4), -np.sin(inclination) * np.cos(0.4), np.cos(inclination)])
    first = unit(np.cross(normal, [0.3, 0.2, 0.9]))
    second = np.cross(normal, first)
    turn = np.linspace(0.0, 2.0 * np.pi, phases, endpoint=False) + 0.01
    up = np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second
    return np.cos(np.radians(beta_deg)) * first + np.sin(np.radians(beta_deg)) * normal, normal, up


def edge_on_axes(sun: np.ndarray, up: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Array at the Sun, deck z as near to nadir as that allows: the radiator's normal is edge-on to both."""
    deck = unit(-up - (-up @ sun) * sun)
    body = np.stack([sun, np.cross(deck, sun), deck])
    return body, body


def inertial_axes(sun: np.ndarray, up: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Array at the Sun, radiator's normal along the equator, eastwards of the Sun."""
    east = unit(np.cross([0.0, 0.0, 1.0], sun))
    body = np.stack([sun, east, np.cross(sun, east)])
    return body, body


def local_vertical_axes(sun: np.ndarray, up: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Body along the flight, against the orbit normal and down; array's normal as near to the Sun as its boom lets."""
    boom, flight = -normal, np.cross(normal, up)
    drive = unit(sun - (sun @ boom) * boom)
    return np.stack([flight, boom, -up]), np.stack([drive, boom, np.cross(drive, boom)])


def fixed_axes(sun: np.ndarray, up: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Array at right ascension 90 and declination 23.44 deg, radiator's normal along the equator."""
    x = np.array([0.0, np.cos(np.radians(23.44)), np.sin(np.radians(23.44))])
    east = np.array([-1.0, 0.0, 0.0])
    body = np.stack([x, east, np.cross(x, east)])
    return body, body


AXES: dict[str, Callable] = {
    "sun_pointing_edge_on": edge_on_axes,
    "sun_pointing_inertial": inertial_axes,
    "local_vertical": local_vertical_axes,
    "fixed_in_space": fixed_axes,
}


def seen(law: str, sun: np.ndarray, up: np.ndarray, normal: np.ndarray, error_rad: float = 0.0) -> attitude.View:
    """What the law's kernel gives for each of the verticals (phase, 3): arrays (phase, 3)."""
    profile = {"pointing_error_rad": error_rad, "right_ascension_rad": np.pi / 2, "declination_rad": np.radians(23.44)}
    vectors = (tuple(jnp.asarray(part) for part in np.broadcast_to(v, up.shape).T) for v in (sun, up, normal))
    view = registry.call(registry.models("attitude")[law], profile, *vectors)
    return attitude.View(*(np.stack([np.broadcast_to(part, len(up)) for part in v], axis=1) for v in view))


def normals() -> dict[str, tuple[str, np.ndarray]]:
    """Frame and normal of the faces of the reference network."""
    own = MODEL.params[COHORT.name]["thermal_network"]["surfaces"]
    return {
        face.name: (face.frame, np.array([float(own[face.name][f"normal_{axis}"]) for axis in "xyz"])) for face in FACES
    }


def ring_integral(cos_nadir: np.ndarray, ratio: float) -> np.ndarray:
    """View factor to a sphere: cosine over pi through its cone, over azimuth exactly, over nadir angle by Gauss.

    The panels end where the plate's own horizon cuts the disc, and crowd there.
    """
    nodes, weights = np.polynomial.legendre.leggauss(40)
    s, w = 0.5 * (nodes + 1.0), 0.5 * weights
    crowded, weight = s * s * (3.0 - 2.0 * s), w * 6.0 * s * (1.0 - s)
    sine = np.sqrt(np.maximum(1.0 - cos_nadir**2, 0.0))
    limb = np.arcsin(1.0 / ratio)
    kink = np.minimum(np.abs(np.arcsin(np.clip(cos_nadir, -1.0, 1.0))), limb)
    total = np.zeros_like(cos_nadir)
    for start, end in ((np.zeros_like(kink), kink), (kink, np.full_like(kink, limb))):
        nadir = start[..., None] + (end - start)[..., None] * crowded
        mean, swing = cos_nadir[..., None] * np.cos(nadir), sine[..., None] * np.sin(nadir)
        half = np.arccos(np.clip(-mean / np.maximum(swing, 1e-300), -1.0, 1.0))
        ring = 2.0 * (mean * half + swing * np.sin(half)) * np.sin(nadir) / np.pi
        total = total + (ring * weight).sum(axis=-1) * (end - start)
    return total


def check_law(law: str) -> Measured:
    worst = dict.fromkeys(("incidence", "Earth view"), 0.0)
    for beta_deg in BETAS_DEG:
        sun, normal, ups = orbit_scene(beta_deg)
        view = seen(law, sun, ups, normal)
        axes = [AXES[law](sun, up, normal) for up in ups]
        for frame, face in normals().values():
            array = frame == "array"
            out = np.stack([face @ (of_array if array else of_body) for of_body, of_array in axes])
            incidence = (view.sun_array if array else view.sun_body) @ face
            cos_nadir = (view.nadir_array if array else view.nadir_body) @ face
            factor = sunlight.earth_view_factor(jnp.asarray(cos_nadir), jnp.asarray(H650))
            expected = ring_integral(-(out * ups).sum(axis=1), H650)
            worst["incidence"] = max(worst["incidence"], np.abs(incidence - out @ sun).max())
            worst["Earth view"] = max(worst["Earth view"], np.abs(factor - expected).max())
    detail = ", ".join(f"{name} {error:.1g}" for name, error in worst.items())
    return Measured(max(worst.values()), f"{detail}; {len(FACES)} faces, beta 58-90 deg, 36 phases")


@row(
    "Incidence and Earth view of every face, array to the Sun, radiator edge-on",
    against="vectors and quadrature in numpy",
    bound=1e-6,
)
def test_sun_pointing_edge_on() -> Measured:
    return check_law("sun_pointing_edge_on")


@row(
    "Incidence and Earth view of every face, array to the Sun, radiator fixed",
    against="vectors and quadrature in numpy",
    bound=1e-6,
)
def test_sun_pointing_inertial() -> Measured:
    return check_law("sun_pointing_inertial")


@row(
    "Incidence and Earth view of every face, body to nadir, array on its boom",
    against="vectors and quadrature in numpy",
    bound=1e-6,
)
def test_local_vertical() -> Measured:
    return check_law("local_vertical")


@row(
    "Incidence and Earth view of every face, held in a fixed direction",
    against="vectors and quadrature in numpy",
    bound=1e-6,
)
def test_fixed_in_space() -> Measured:
    return check_law("fixed_in_space")


@row(
    "Light on the array with a pointing error, any law that follows the Sun",
    against="by hand: the cosine of the error",
    bound=1e-12,
    kind="definition",
)
def test_an_error_costs_its_cosine() -> float:
    errors = []
    for law in ("sun_pointing_edge_on", "sun_pointing_inertial", "local_vertical"):
        for beta_deg in (-80.0, -58.6, 0.0, 30.0, 58.6, 80.0):
            sun, normal, ups = orbit_scene(beta_deg)
            for error_rad in (0.01, 0.2):
                exact = np.cos(error_rad) * seen(law, sun, ups, normal).sun_array[:, 0]
                errors.append(np.abs(seen(law, sun, ups, normal, error_rad).sun_array[:, 0] - exact).max())
    return float(max(errors))


@row(
    "Largest incidence cosine of a plate along the velocity, local vertical, beta 58.6 deg",
    against="by hand: 0.52, the cosine of beta",
    bound=0.002,
    kind="definition",
)
def test_edge_on_plate_meets_the_sun() -> Measured:
    sun, normal, ups = orbit_scene(58.6, 360)
    largest = float(seen("local_vertical", sun, ups, normal).sun_body[:, 0].max())
    return Measured(abs(largest - 0.52), f"{largest:.4f}; cos(beta) is {np.cos(np.radians(58.6)):.4f}")


# --- View of the Earth -----------------------------------------------------------------------------------------------

ALTITUDES_KM = (400.0, 550.0, 650.0, 800.0, 1000.0, 1450.0, 5000.0, 20_200.0, 35_786.0)


@row("Plate-to-sphere view factor, tilt 0-180 deg, 400 km to GEO", against="numerical integration", bound=1e-6)
def test_view_factor() -> Measured:
    cos_nadir = np.cos(np.linspace(0.0, np.pi, 721))
    errors, short = [], []
    for altitude_km in ALTITUDES_KM:
        ratio = 1.0 + altitude_km * 1e3 / RADIUS_M
        exact = ring_integral(cos_nadir, ratio)
        errors.append(np.abs(sunlight.earth_view_factor(jnp.asarray(cos_nadir), jnp.asarray(ratio)) - exact).max())
        single = (jnp.asarray(x, jnp.float32) for x in (cos_nadir, ratio))
        short.append(np.abs(sunlight.earth_view_factor(*single) - exact).max())
    return Measured(float(max(errors)), f"{float(max(short)):.1g} in the float32 of a step")


@row(
    "View factor of an edge-on plate, 400 km to GEO",
    against="by hand: (asin(1/r) - sqrt(r2 - 1) / r2) / pi",
    bound=1e-12,
    kind="definition",
)
def test_edge_on_closed_form() -> float:
    ratio = 1.0 + np.array(ALTITUDES_KM) * 1e3 / RADIUS_M
    closed = (np.arcsin(1.0 / ratio) - np.sqrt(ratio**2 - 1.0) / ratio**2) / np.pi
    return float(np.abs(sunlight.earth_view_factor(jnp.zeros_like(ratio), jnp.asarray(ratio)) - closed).max())


@row(
    "Earth view at 650 km: along the velocity, to nadir, to zenith",
    against="by hand, closed forms: 0.241, 0.824, 0",
    bound=5e-4,
    kind="definition",
)
def test_view_factors_at_650_km() -> Measured:
    ours = np.asarray(sunlight.earth_view_factor(jnp.array([0.0, 1.0, -1.0]), jnp.asarray(H650)))
    return Measured(float(np.abs(ours - [0.241, 0.824, 0.0]).max()), ", ".join(f"{factor:.4f}" for factor in ours))


# --- Albedo ----------------------------------------------------------------------------------------------------------


@functools.cache
def ground(ratio: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The Earth's visible cap in 18 000 elements, up along z: direction to each, solid angle over pi, normal."""
    nodes, weights = np.polynomial.legendre.leggauss(100)
    cap = np.arccos(1.0 / ratio)
    angle, azimuth = np.meshgrid(0.5 * cap * (nodes + 1.0), (np.arange(180) + 0.5) / 90.0 * np.pi, indexing="ij")
    normal = np.stack([np.sin(angle) * np.cos(azimuth), np.sin(angle) * np.sin(azimuth), np.cos(angle)], axis=-1)
    ray = normal - np.array([0.0, 0.0, ratio])
    distance = np.linalg.norm(ray, axis=-1)
    area = np.sin(angle) * 0.5 * cap * weights[:, None] * np.pi / 90.0
    solid_angle = area * -(ray * normal).sum(axis=-1) / distance**3
    return (ray / distance[..., None]).reshape(-1, 3), solid_angle.ravel() / np.pi, normal.reshape(-1, 3)


def lit_integral(plates: np.ndarray, suns: np.ndarray, ratio: float) -> np.ndarray:
    """View of the ground times the cosine of its Sun zenith angle, integrated: (plate, 3), (sun, 3) to (plate, sun)."""
    ray, solid_angle, normal = ground(ratio)
    return np.maximum(plates @ ray.T, 0.0) * solid_angle @ np.maximum(normal @ suns.T, 0.0)


def lit_view(plates: np.ndarray, suns: np.ndarray, ratio: float) -> np.ndarray:
    """The kernel's answer to the same question."""
    cos_nadir, cos_sun, zenith = (jnp.asarray(x) for x in (-plates[:, 2:], plates @ suns.T, suns[:, 2:].T))
    factor = sunlight.earth_view_factor(cos_nadir, jnp.asarray(ratio))
    return np.asarray(sunlight.sunlit_view_factor(factor, cos_nadir, cos_sun, zenith, jnp.asarray(ratio)))


def tilted(cos_nadir: np.ndarray) -> np.ndarray:
    return np.stack([np.sqrt(1.0 - cos_nadir**2), np.zeros_like(cos_nadir), -cos_nadir], axis=1)


def every_sun(ratio: float) -> np.ndarray:
    """From the zenith to deep night, close about the terminator, in 9 azimuths."""
    cap = np.sqrt(1.0 - ratio**-2)
    cosine = np.unique(np.concatenate([np.linspace(-1.2, 1.2, 49) * cap, np.linspace(-1.0, 1.0, 21)]))
    cosine, azimuth = (x.ravel() for x in np.meshgrid(cosine, np.linspace(0.0, np.pi, 9)))
    sine = np.sqrt(1.0 - cosine**2)
    return np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)


def albedo_errors(cos_nadir: np.ndarray, altitude_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Error over every Sun, and the noon value, of each plate."""
    ratio = 1.0 + altitude_km * 1e3 / RADIUS_M
    plates = tilted(cos_nadir)
    noon = lit_integral(plates, np.array([[0.0, 0.0, 1.0]]), ratio)[:, 0]
    suns = every_sun(ratio)
    return np.abs(lit_view(plates, suns, ratio) - lit_integral(plates, suns, ratio)).max(axis=1), noon


@row(
    "Albedo on plates up to edge-on to the Earth, any Sun, 400-1500 km, of the plate's noon value",
    against="integral over a Lambert sphere",
    bound=0.016,
    target=0.01,
    reason="one hyperbola stands for the integral's edge; below 1 % up to 800 km",
    kind="fit",
)
def test_albedo() -> Measured:
    found = {}
    for altitude_km in (400.0, 550.0, 650.0, 800.0, 1000.0, 1500.0):
        error, noon = albedo_errors(np.linspace(0.0, 1.0, 21), altitude_km)
        found[altitude_km] = float((error / noon).max())
    return Measured(max(found.values()), ", ".join(f"{a:.0f} km: {error:.2%}" for a, error in found.items()))


@row(
    "Albedo on plates turned away from the Earth, any Sun, 400-1500 km, of the noon value to nadir",
    against="integral over a Lambert sphere",
    bound=0.01,
    kind="fit",
)
def test_albedo_of_turned_plates() -> float:
    errors = []
    for altitude_km in (400.0, 650.0, 1000.0, 1500.0):
        error, _ = albedo_errors(np.linspace(-0.95, -0.05, 19), altitude_km)
        errors.append(error.max() * (1.0 + altitude_km * 1e3 / RADIUS_M) ** 2)
    return float(max(errors))


@row(
    "Albedo with the Sun on the horizon, 650 km, of noon: to nadir and edge-on",
    against="integral over a Lambert sphere",
    bound=0.01,
    kind="fit",
)
def test_albedo_on_the_terminator() -> Measured:
    plates, sun = tilted(np.array([1.0, 0.0])), np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    ours, exact = lit_view(plates, sun, H650), lit_integral(plates, sun, H650)
    ours, exact = ours[:, 0] / ours[:, 1], exact[:, 0] / exact[:, 1]
    words = ", ".join(f"{a:.4f} for {b:.4f}" for a, b in zip(ours, exact, strict=True))
    return Measured(float(np.abs(ours - exact).max()), words)


def orbit_albedo(law: str, beta_deg: float, phases: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Orbit averages of the lit view of every face at 650 km: the kernel's and the integral's. (face)"""
    sun, normal, ups = orbit_scene(beta_deg, phases)
    ours, exact = [], []
    for up in ups:
        body, array = AXES[law](sun, up, normal)
        east = unit(np.cross(up, [0.1, 0.5, 0.8]))
        local = np.stack([east, np.cross(up, east), up])
        plates = (
            np.stack([face @ (array if frame == "array" else body) for frame, face in normals().values()]) @ local.T
        )
        ours.append(lit_view(plates, (local @ sun)[None], H650)[:, 0])
        exact.append(lit_integral(plates, (local @ sun)[None], H650)[:, 0])
    return np.mean(ours, axis=0), np.mean(exact, axis=0)


@row(
    "Albedo averaged over an orbit, every face, four laws, beta 0-89 deg, 650 km, of noon to nadir",
    against="integral over a Lambert sphere",
    bound=0.01,
)
def test_orbit_average_of_albedo() -> Measured:
    largest, relative = 0.0, 0.0
    for law in AXES:
        for beta_deg in (0.0, 30.0, 58.6, 70.0, 80.0, 89.0):
            ours, exact = orbit_albedo(law, beta_deg)
            largest = max(largest, float(np.abs(ours - exact).max()) * H650**2)
            bright = exact * H650**2 > 0.05
            relative = max(relative, float(np.max(np.abs(ours / np.maximum(exact, 1e-9) - 1.0)[bright], initial=0.0)))
    return Measured(largest, f"{relative:.1%} of the average itself where that is above 0.05 of noon")


def standard_case(name: str, low: tuple[float, float], high: tuple[float, float]) -> Measured:
    """Light and infrared on a plate to nadir, averaged over a beta 0 orbit; `low`, `high`: albedo, infrared [W/m2]."""
    config = twin.compose("simulate", [f"environment={name}", "constellation.satellites=1", "distributed.devices=1"])
    profile = twin.build(config).params[COHORT.name]["environment"]
    sky = registry.call(sunlight.sky, profile, jnp.ones(()))
    phase = np.linspace(0.0, 2.0 * np.pi, 360, endpoint=False)
    suns, plate = np.stack([np.sin(phase), 0.0 * phase, np.cos(phase)], axis=1), np.array([[0.0, 0.0, -1.0]])
    earth = float(sunlight.earth_view_factor(jnp.ones(()), jnp.asarray(H650)))
    ours = float(lit_view(plate, suns, H650).mean() * sky.albedo_w_per_m2 + earth * sky.infrared_w_per_m2)
    lit = 1361.0 * float(lit_integral(plate, suns, H650).mean())
    bottom, top = (albedo * lit + infrared / H650**2 for albedo, infrared in (low, high))
    return Measured(abs(2.0 * ours / (bottom + top) - 1.0), f"{ours:.1f} W/m2, the range is {bottom:.1f}-{top:.1f}")


@row(
    "Earth heat on a plate to nadir, cold case, orbit average",
    against="Gilmore, Spacecraft Thermal Control Handbook, 2002, through integrals",
    bound=0.005,
    kind="definition",
)
def test_cold_case() -> Measured:
    return standard_case("cold", (0.23, 217.0), (0.25, 220.0))


@row(
    "Earth heat on a plate to nadir, hot case, orbit average",
    against="Gilmore, Spacecraft Thermal Control Handbook, 2002, through integrals",
    bound=0.005,
    kind="definition",
)
def test_hot_case() -> Measured:
    return standard_case("hot", (0.30, 244.0), (0.35, 265.0))
