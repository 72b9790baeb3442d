"""Real element sets after a day, against SGP4.

Near-circular orbits (eccentricity below 0.005, 350 to 1500 km); the twin's way from the file: reader, `prepare`, anchor
and place. What SGP4 does with drag and the twin does not is kept apart by the printed rate of the mean motion.
"""

import gzip
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units
from astropy.time import Time
from sgp4.api import Satrec

from kernels import orbit
from twin.inputs import element_sets
from validation import engine, shadow
from validation.engine import Floats
from validation.rows import Measured, reference_data, row

SHIPPED = Path(__file__).resolve().parents[2] / "conf" / "data"
CATALOGUE = "orbits/active_catalogue_2026-06-14.tle.gz"
START = Time("2026-06-14T00:00:00", scale="utc")
START_MS = 1_781_395_200_000
DAY_S = 86_400.0
WEAK_DRAG = 2e-4  # rev/day2, half the rate of the mean motion as printed: 9 km along the track after a day
ROUND_AN_ORBIT_S = np.linspace(-5700.0, 0.0, 13)
LONG_ECLIPSE_S = 900.0


class Object(NamedTuple):
    """An element set as text, and as SGP4 reads it."""

    lines: tuple[str, str, str]
    sgp4: Satrec

    @property
    def altitude_km(self) -> float:
        """Mean altitude by Kepler's law."""
        return (398_600.4418 / (self.sgp4.no_kozai / 60.0) ** 2) ** (1.0 / 3.0) - 6378.137

    @property
    def half_rate_rev_per_day2(self) -> float:
        """Rate of the mean motion as printed."""
        return abs(self.sgp4.ndot) * 1440.0**2 / (2.0 * np.pi)


def near_circular(path: Path) -> list[Object]:
    """Objects of a file of three-line sets in near-circular low orbits."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    every = [
        Object((a, b, c), Satrec.twoline2rv(b, c)) for a, b, c in zip(*(lines[k::3] for k in range(3)), strict=True)
    ]
    return [one for one in every if one.sgp4.ecco < 0.005 and 350.0 < one.altitude_km < 1500.0]


def as_flown(objects: Sequence[Object]) -> tuple[engine.Each, Floats, list[Object]]:
    """Orbits of a run over these objects, its time when each set is a day old, and the objects in its order."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sets.tle"
        file.write_text("".join("\n".join(one.lines) + "\n" for one in objects))
        overrides = ("constellation=element_sets", f"constellation.file={file}", "time.start=2026-06-14T00:00:00")
        each, start_days = engine.fleet(*overrides, "workload=steady")
        read = element_sets.read(file, START_MS)
    assert float(start_days) == START.jd - 2451545.0
    by_id = {one.sgp4.satnum: one for one in objects}
    return each, DAY_S - read.age_s, [by_id[number] for number in read.norad_ids]


def followed(one: Object, seconds: Floats) -> tuple[Floats, Floats]:
    """Position [m] and velocity [m/s] by SGP4 at times after the start of the run, (time, 3)."""
    error, position_km, velocity_km_per_s = one.sgp4.sgp4_array(np.full(seconds.size, START.jd), seconds / DAY_S)
    assert not error.any()
    return 1e3 * position_km, 1e3 * velocity_km_per_s


class Errors(NamedTuple):
    """Largest of the instants round the last orbit of a day after the epoch, (satellite,)."""

    position_km: Floats
    beta_deg: Floats
    weak_drag: np.ndarray


def errors(objects: Sequence[Object]) -> Errors:
    """Distance from SGP4, and difference of beta with astropy's Sun and SGP4's orbit plane."""
    each, day_old_s, flown = as_flown(objects)
    first_s = day_old_s.min() - 6000.0
    track = shadow.sun_track(START + first_s * units.s, day_old_s.max() - first_s)
    distance, beta = [], []
    days = jnp.asarray(START.jd - 2451545.0)
    for after_s in ROUND_AN_ORBIT_S:
        place, sun = engine.places(each, days, jnp.asarray(day_old_s + after_s))
        ours_m = np.stack([np.asarray(part) for part in place.direction], axis=-1) * np.asarray(place.radius_m)[:, None]
        ours = np.degrees(np.asarray(orbit.beta_angle_rad(place.orbit_normal, sun.direction)))
        states = [followed(one, np.array([t])) for one, t in zip(flown, day_old_s + after_s, strict=True)]
        position, velocity = (np.concatenate([state[k] for state in states]) for k in (0, 1))
        normal = np.cross(position, velocity)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        toward = track(day_old_s + after_s - first_s)
        toward /= np.linalg.norm(toward, axis=-1, keepdims=True)
        distance.append(np.linalg.norm(ours_m - position, axis=-1) / 1e3)
        beta.append(np.abs(ours - np.degrees(np.arcsin((normal * toward).sum(axis=-1)))))
    weak = np.array([one.half_rate_rev_per_day2 < WEAK_DRAG for one in flown])
    return Errors(np.max(distance, axis=0), np.max(beta, axis=0), weak)


@cache
def catalogue() -> Errors:
    """Errors of the whole catalogue of June 2026."""
    return errors(near_circular(reference_data(CATALOGUE)))


@cache
def dawn_dusk() -> Errors:
    """Errors of the shipped dawn-dusk satellites."""
    return errors(near_circular(SHIPPED / "dawn_dusk_sso_2026-06-14.tle"))


def summary(found: Errors, values: Floats, unit: str) -> Measured:
    """The worst of those with little drag; the median, and how the others fare, beside it."""
    weak, strong = values[found.weak_drag], values[~found.weak_drag]
    words = f"{weak.size} objects, median {np.median(weak):.3g} {unit}; {strong.size} with strong drag or thrust"
    return Measured(
        float(weak.max()), f"{words}: median {np.median(strong):.3g}, 99 % below {np.quantile(strong, 0.99):.3g}"
    )


@row("Position after a day, dawn-dusk satellites", against="SGP4", bound=25.0, unit="km")
def test_position_dawn_dusk() -> Measured:
    return summary(dawn_dusk(), dawn_dusk().position_km, "km")


@row("Beta after a day, dawn-dusk satellites", against="SGP4 and astropy's Sun", bound=0.1, unit="deg")
def test_beta_dawn_dusk() -> Measured:
    return summary(dawn_dusk(), dawn_dusk().beta_deg, "deg")


@row("Position after a day, near-circular orbits of the catalogue", against="SGP4", bound=25.0, unit="km")
@pytest.mark.slow
def test_position_catalogue() -> Measured:
    return summary(catalogue(), catalogue().position_km, "km")


@row("Beta after a day, near-circular orbits of the catalogue", against="SGP4 and astropy's Sun", bound=0.1, unit="deg")
@pytest.mark.slow
def test_beta_catalogue() -> Measured:
    return summary(catalogue(), catalogue().beta_deg, "deg")


def eclipse_errors(objects: Sequence[Object]) -> Floats:
    """Differences of entry and exit of every eclipse over 15 min in four hours about a day after the epoch. [s]"""
    each, day_old_s, flown = as_flown(objects)
    first_s = np.round(day_old_s) - 7200.0
    light = engine.lit(each, jnp.asarray(START.jd - 2451545.0), jnp.asarray(first_s), 1440)
    grid, differences = np.arange(600.0, 13_800.0, 10.0), []
    for one, begin_s, series in zip(flown, first_s, np.asarray(light), strict=True):
        track = shadow.sun_track(START + begin_s * units.s, 14_400.0)
        clear = shadow.traced(lambda t, one=one, begin_s=begin_s: followed(one, begin_s + t)[0], track)
        ours = engine.eclipses(series)
        for event in shadow.eclipses(clear, grid):
            if event[1] - event[0] > LONG_ECLIPSE_S:
                differences.append(ours[np.abs(ours[:, 0] - event[0]).argmin()] - event)
    return np.abs(differences)


def stratified(objects: Sequence[Object], each: int) -> list[Object]:
    """Up to `each` objects with little drag from every band of altitude and inclination, drawn at random."""
    bands: dict[tuple[int, int], list[Object]] = {}
    for one in objects:
        if one.half_rate_rev_per_day2 < WEAK_DRAG:
            altitude = int(np.searchsorted((450.0, 520.0, 600.0, 800.0, 1100.0), one.altitude_km))
            inclination = int(np.searchsorted(np.radians([35.0, 50.0, 60.0, 80.0, 95.0]), one.sgp4.inclo))
            bands.setdefault((altitude, inclination), []).append(one)
    random = np.random.default_rng(7)
    return [band[k] for band in bands.values() for k in random.permutation(len(band))[:each]]


def eclipse_summary(differences: Floats) -> Measured:
    """The worst, and the median and number beside it."""
    assert differences.size > 100
    return Measured(float(differences.max()), f"{differences.size} events, median {np.median(differences):.2g} s")


@row("Eclipses over 15 min after a day, shipped satellites", against="SGP4, rays to an ellipsoid", bound=10.0, unit="s")
def test_eclipses_shipped() -> Measured:
    """Dawn-dusk satellites and Starlinks."""
    dusk = near_circular(SHIPPED / "dawn_dusk_sso_2026-06-14.tle")
    links = near_circular(SHIPPED / "starlink_2026-06-14.tle.gz")
    return eclipse_summary(eclipse_errors(stratified(dusk, 20) + stratified(links, 12)))


@row("Eclipses over 15 min after a day, catalogue", against="SGP4, rays to an ellipsoid", bound=10.0, unit="s")
@pytest.mark.slow
def test_eclipses_catalogue() -> Measured:
    return eclipse_summary(eclipse_errors(stratified(near_circular(reference_data(CATALOGUE)), 6)))
