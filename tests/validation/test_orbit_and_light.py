"""Orbit and light."""

from collections.abc import Callable

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
from astropy.coordinates import TEME, TETE, get_sun
from astropy.time import Time

from kernels import constants as const
from kernels import orbit, sunlight
from validation import engine, shadow
from validation.engine import STEP_S, Floats
from validation.rows import Measured, needs, row

ALTITUDES_KM = (400.0, 550.0, 650.0, 1000.0)


@row("Sun direction, 2025-2035", against="astropy's built-in ephemeris", bound=0.01, unit="deg")
def test_sun_direction() -> Measured:
    days = np.linspace(9131.5, 13149.5, 2010)  # since J2000.0: 2025-01-01 to 2036-01-01
    times = Time(2451545.0 + days, format="jd", scale="utc")
    ours = np.stack([np.asarray(part) for part in sunlight.sun(sunlight.sun_angles(jnp.asarray(days)), 0.0).direction])
    angles = []
    for frame in (TETE(obstime=times), TEME(obstime=times)):  # true equinox, and that of two-line elements
        expected = get_sun(times).transform_to(frame).cartesian.xyz.to_value(u.au)
        unit = expected / np.linalg.norm(expected, axis=0)
        angles.append(np.degrees(np.arcsin(np.linalg.norm(np.cross(unit, ours, axis=0), axis=0))))
    return Measured(float(np.max(angles)), f"mean {np.mean(angles):.4f} deg over {days.size} dates")


# --- Shadow ----------------------------------------------------------------------------------------------------------


@row("Visible part of the Sun's disc, oblate Earth", against="rays to an ellipsoid, in numpy", bound=1e-3)
def test_visible_disc() -> Measured:
    """Through the penumbra at every altitude, at every latitude of the limb, with the Sun up to 23.4 deg north."""
    worst, sphere = 0.0, 0.0
    for altitude_km in ALTITUDES_KM:
        radius_m = const.EARTH_RADIUS_M + 1e3 * altitude_km
        declination, around = np.meshgrid(np.radians([-23.4, 0.0, 12.0]), np.radians(np.arange(0.0, 360.0, 30.0)))
        sun = np.stack([np.cos(declination), 0.0 * declination, np.sin(declination)], axis=-1).reshape(-1, 1, 3)
        north = np.stack([-np.sin(declination), 0.0 * declination, np.cos(declination)], axis=-1).reshape(-1, 1, 3)
        turn = around.reshape(-1, 1, 1)
        across = np.cos(turn) * north + np.sin(turn) * np.cross(sun, north)
        angle = np.arcsin(const.EARTH_RADIUS_M / radius_m) + np.linspace(-0.0165, 0.005, 87)[:, None]
        direction = (-np.cos(angle) * sun + np.sin(angle) * across).reshape(-1, 3)
        to_sun = np.broadcast_to(sun, (sun.shape[0], angle.shape[0], 3)).reshape(-1, 3) * const.ASTRONOMICAL_UNIT_M
        exact = shadow.visible(radius_m * direction, to_sun)
        zero = jnp.zeros(len(direction))
        place = tuple(map(jnp.asarray, direction.T)), (zero, zero, zero), zero + radius_m, zero
        toward = sunlight.Sun(tuple(map(jnp.asarray, to_sun.T / const.ASTRONOMICAL_UNIT_M)), zero + 1.0)
        assert ((exact > 0.1) & (exact < 0.9)).sum() > 200
        for flattening in (shadow.WGS84_FLATTENING, 0.0):
            ours = sunlight.lit(*place, toward, 1e-3, earth_flattening=flattening).fraction
            error = float(np.abs(ours - exact).max())
            worst, sphere = (max(worst, error), sphere) if flattening else (worst, max(sphere, error))
    return Measured(worst, f"a sphere errs by up to {sphere:.2f}")


def mean_orbit(altitude_m: float, inclination_rad: float, node_rad: float) -> Callable[[Floats], Floats]:
    """Circular orbit with the secular rates of J2 (Vallado 2013, eq. 9-41) by rotation matrices, (time, 3) [m]."""
    axis_m = const.EARTH_RADIUS_M + altitude_m
    motion = np.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / axis_m**3)
    pull = 1.5 * const.EARTH_J2 * (const.EARTH_RADIUS_M / axis_m) ** 2 * motion
    cosine, sine = np.cos(inclination_rad), np.sin(inclination_rad)
    along_rate = motion + pull * (2.0 - 2.5 * sine**2) + pull * (1.0 - 1.5 * sine**2)  # perigee and mean anomaly

    def at(seconds: Floats) -> Floats:
        node, along = node_rad - pull * cosine * seconds, along_rate * seconds
        plane = np.stack([np.cos(along), np.sin(along) * cosine, np.sin(along) * sine], axis=-1)
        east = np.cos(node) * plane[:, 0] - np.sin(node) * plane[:, 1]
        return axis_m * np.stack([east, np.sin(node) * plane[:, 0] + np.cos(node) * plane[:, 1], plane[:, 2]], axis=-1)

    return at


def apart_s(ours: Floats, theirs: Floats) -> Floats:
    """Difference of entries and exits, (eclipse, 2): both see the same eclipses, but for one cut off at each end."""
    nearest = np.abs(ours[:, :1] - theirs[:, 0]).argmin(axis=1)
    assert abs(len(ours) - len(theirs)) <= 1 and len(set(nearest)) == len(ours)
    return ours - theirs[nearest]


DAY = Time("2026-06-14T00:00:00", scale="utc")
DAY_J2000 = DAY.jd - 2451545.0


def sun_synchronous_rad(altitude_m: float) -> float:
    """Inclination of a circular Sun-synchronous orbit."""
    return float(orbit.sun_synchronous_inclination_rad(jnp.asarray(const.EARTH_RADIUS_M + altitude_m), jnp.zeros(())))


@row(
    "Eclipse entry and exit over a day, oblate Earth, 400-1000 km",
    against="rays to an ellipsoid, astropy's Sun and J2 rates in numpy",
    bound=2.0,
    unit="s",
)
def test_eclipses_of_a_day() -> Measured:
    """Dawn-dusk, mid-morning and 53 degrees; entry and exit are those of the Sun's centre."""
    sun, found, rounder = shadow.sun_track(DAY, 86_400.0), [], []
    for altitude_m in 1e3 * np.array(ALTITUDES_KM):
        for inclination, node in (
            (sun_synchronous_rad(altitude_m), 2.98),
            (sun_synchronous_rad(altitude_m), 1.0),
            (0.925, 0.3),
        ):
            each = engine.circular(np.array([altitude_m]), np.array([inclination]), np.array([node]))
            light = engine.lit(each, jnp.asarray(DAY_J2000), jnp.zeros(()), 8640)
            ours, place = engine.eclipses(np.asarray(light[0])), mean_orbit(altitude_m, inclination, node)
            theirs = shadow.eclipses(shadow.traced(place, sun), np.arange(0.0, 86_400.0, 10.0))
            found.append(apart_s(ours, theirs))
            sphere = shadow.eclipses(shadow.traced(place, sun, 0.0), np.arange(0.0, 86_400.0, 10.0))
            rounder.append(np.diff(apart_s(sphere, theirs), axis=1))
    difference = np.abs(np.concatenate(found))
    assert difference.size > 300
    longest = np.abs(np.concatenate(rounder)).max()
    return Measured(
        float(difference.max()), f"{difference.size} events; a sphere's eclipses last up to {longest:.0f} s more"
    )


@row(
    "Eclipse duration against beta, oblate Earth, 2 deg or more from grazing, 400-1000 km",
    against="rays to an ellipsoid, astropy's Sun and J2 rates in numpy",
    bound=1.0,
    unit="s",
)
def test_duration_against_beta() -> Measured:
    random = np.random.default_rng(4)
    altitude_m, inclination = (grid.ravel() for grid in np.meshgrid(1e3 * np.array(ALTITUDES_KM), [0.49, 0.925, 1.71]))
    altitude_m, inclination = np.repeat(altitude_m, 14), np.repeat(inclination, 14)
    node, days = random.uniform(0.0, 2.0 * np.pi, altitude_m.size), random.uniform(9131.0, 13149.0, altitude_m.size)
    each = engine.circular(altitude_m, inclination, node)
    place, sun = engine.places(each, jnp.asarray(days), jnp.asarray(3000.0))
    beta = np.degrees(np.asarray(orbit.beta_angle_rad(place.orbit_normal, sun.direction)))
    grazing = np.degrees(np.arcsin(const.EARTH_RADIUS_M / (const.EARTH_RADIUS_M + altitude_m)))
    light = np.asarray(engine.lit(each, jnp.asarray(days), jnp.zeros(()), 1200))
    differences, betas = [], []
    for k in np.flatnonzero(np.abs(beta) < grazing - 2.0):
        track = shadow.sun_track(Time(2451545.0 + days[k], format="jd", scale="utc"), 12_000.0)
        clear = shadow.traced(mean_orbit(altitude_m[k], inclination[k], node[k]), track)
        difference = apart_s(engine.eclipses(light[k]), shadow.eclipses(clear, np.arange(0.0, 12_000.0, 10.0)))
        differences.append(np.abs(np.diff(difference, axis=1)).max())
        betas.append(abs(beta[k]))
    assert max(betas) > 60.0 and min(betas) < 5.0
    return Measured(max(differences), f"{len(betas)} orbits, beta up to {max(betas):.0f} deg")


# --- An independent simulator ----------------------------------------------------------------------------------------


BASILISK_STEP_S = 2.0  # the penumbra takes 8 s and more


def basilisk_day(radius_m: Floats, tilt_rad: Floats) -> Floats:
    """Illumination through a day by Basilisk's spacecraft and eclipse modules, (satellite, time).

    Circular two-body orbits that start towards a Sun at rest 1 au away, tilted about it; its Sun has a radius of
    695 000 km, its Earth is round.
    """
    from Basilisk.architecture import messaging
    from Basilisk.simulation import eclipse, spacecraft
    from Basilisk.utilities import SimulationBaseClass, macros, simIncludeGravBody

    simulation = SimulationBaseClass.SimBaseClass()
    simulation.CreateNewProcess("process").addTask(simulation.CreateNewTask("task", macros.sec2nano(BASILISK_STEP_S)))
    planet, star = messaging.SpicePlanetStateMsgPayload(), messaging.SpicePlanetStateMsgPayload()
    planet.PlanetName, star.PositionVector = "custom", [const.ASTRONOMICAL_UNIT_M, 0.0, 0.0]
    keep = messaging.SpicePlanetStateMsg().write(planet), messaging.SpicePlanetStateMsg().write(star)
    shade = eclipse.Eclipse()
    shade.rEqCustom = const.EARTH_RADIUS_M
    shade.addPlanetToModel(keep[0])
    shade.sunInMsg.subscribeTo(keep[1])
    gravity, crafts = simIncludeGravBody.gravBodyFactory(), []
    earth = gravity.createEarth()
    earth.isCentralBody, earth.mu = True, const.EARTH_GRAVITY_M3_PER_S2
    for radius, tilt in zip(radius_m, tilt_rad, strict=True):
        speed, craft = np.sqrt(const.EARTH_GRAVITY_M3_PER_S2 / radius), spacecraft.Spacecraft()
        gravity.addBodiesTo(craft)
        craft.hub.r_CN_NInit = [[radius * np.cos(tilt)], [0.0], [radius * np.sin(tilt)]]
        craft.hub.v_CN_NInit = [[0.0], [speed], [0.0]]
        simulation.AddModelToTask("task", craft)
        shade.addSpacecraftToModel(craft.scStateOutMsg)
        crafts.append(craft)
    simulation.AddModelToTask("task", shade)
    recorders = [message.recorder() for message in shade.eclipseOutMsgs]
    for recorder in recorders:
        simulation.AddModelToTask("task", recorder)
    simulation.InitializeSimulation()
    simulation.ConfigureStopTime(macros.sec2nano(86_400.0))
    simulation.ExecuteSimulation()
    return np.stack([recorder.illuminationFactor for recorder in recorders])


@row(
    "Eclipse entry and exit over a day, round Earth, 400-1000 km",
    against="Basilisk 2 (bsk): spacecraft and eclipse modules",
    bound=2.0,
    unit="s",
)
def test_basilisk() -> Measured:
    """Like with like: two-body motion, a Sun at rest and a round Earth on both sides; half of the disc is visible."""
    needs("Basilisk")
    axis_m = np.repeat(const.EARTH_RADIUS_M + 1e3 * np.array(ALTITUDES_KM), 2)
    tilt = np.radians(np.tile([0.0, 50.0], 4))
    # Tilted about y, so that beta is the tilt: noon at the start, at the line of nodes turned by 90 deg.
    zero = jnp.zeros(axis_m.size)
    elements = orbit.Elements(
        jnp.asarray(axis_m), zero, jnp.asarray(tilt), zero - 0.5 * jnp.pi, zero, zero + 0.5 * jnp.pi
    )
    rates = orbit.Rates(zero, zero, orbit.mean_motion_rad_per_s(jnp.asarray(axis_m)), zero)

    @jax.jit
    def lit(middle_s: jax.Array) -> jax.Array:
        place = orbit.place(elements, rates, middle_s)
        sun = sunlight.Sun((zero + 1.0, zero, zero), zero + 1.0)
        track = place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s
        return sunlight.lit(*track, sun, STEP_S, earth_flattening=0.0).fraction

    ours = np.stack([np.asarray(lit(jnp.asarray(t))) for t in np.arange(0.5 * STEP_S, 86_400.0, STEP_S)], axis=-1)
    theirs, seconds, differences = basilisk_day(axis_m, tilt), np.arange(0.0, 86_401.0, BASILISK_STEP_S), []
    for mine, other in zip(ours, theirs, strict=True):
        events = shadow.eclipses(lambda t, y=other: np.interp(t, seconds, y) - 0.5, seconds)
        differences.append(np.abs(apart_s(engine.eclipses(mine), events)))
    worst = np.concatenate(differences)
    share = np.abs(ours.mean(axis=1) - theirs[:, :-1].mean(axis=1)).max()
    assert worst.size > 200
    return Measured(float(worst.max()), f"{worst.size} events; sunlit share of the day within {share:.1e}")


# --- Precision and gradients -----------------------------------------------------------------------------------------


@row(
    "Eclipse entry and exit through 5 years, float32 step",
    against="float64 step",
    bound=0.5,
    unit="s",
    kind="definition",
)
def test_single_precision_over_five_years() -> Measured:
    """Six-hour chunks spread over five years: sunlight summed over each entry and exit, in steps of 10 s."""
    altitude_m = 1e3 * np.array([400.0, 550.0, 650.0, 1000.0])
    inclination = np.array([0.9, 0.925, sun_synchronous_rad(650e3), sun_synchronous_rad(1000e3)])
    each = engine.circular(altitude_m, inclination, np.array([0.3, 2.0, 3.0, 1.0]))
    worst, events = 0.0, 0
    for chunk in range(0, 7305, 137):
        span = (each, jnp.asarray(DAY_J2000), jnp.asarray(chunk * engine.CHUNK_S), int(engine.CHUNK_S / STEP_S))
        exact, short = (np.asarray(engine.lit(*span, kind=kind), dtype=float) for kind in (jnp.float64, jnp.float32))
        for one, other in zip(exact, short, strict=True):
            difference = np.abs(engine.eclipses(one) - engine.eclipses(other))
            worst, events = max(worst, float(difference.max(initial=0.0))), events + difference.size
    assert events > 1000
    return Measured(worst, f"{events} events")


@row(
    "Slope of an orbit's sunlit time by altitude, oblate Earth",
    against="central differences",
    bound=1e-5,
    kind="definition",
)
def test_gradient_by_altitude() -> Measured:
    """Relative; inclination and rates follow the altitude, 650 km dawn-dusk at the solstice, steps of 10 s."""

    @jax.jit
    def sunlit_s(altitude_m: jax.Array) -> jax.Array:
        plane = orbit.sun_synchronous(
            jnp.asarray(0.5 * jnp.pi), altitude_m=altitude_m, eccentricity=0.0, argument_of_perigee_rad=0.0, ltan_h=18.0
        )
        rates = orbit.secular_rates(plane.semi_major_axis_m, plane.eccentricity, plane.inclination_rad)
        middle_s = (jnp.arange(586) + 0.5) * STEP_S
        place, sun = orbit.place(plane, rates, middle_s), sunlight.sun(sunlight.sun_angles(jnp.asarray(9668.0)), 0.0)
        track = place.direction, place.direction_rate_per_s, place.radius_m, place.radius_rate_m_per_s
        lit = sunlight.lit(*track, sun, STEP_S, earth_flattening=shadow.WGS84_FLATTENING).fraction
        return lit.sum() * STEP_S

    at = jnp.asarray(650e3)
    slope, numeric = float(jax.grad(sunlit_s)(at)), float(sunlit_s(at + 5.0) - sunlit_s(at - 5.0)) / 10.0
    return Measured(abs(slope / numeric - 1.0), f"{1e3 * slope:.4f} s of an orbit per km")
