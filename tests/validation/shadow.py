"""The shadow of an ellipsoid by ray tracing in numpy, which shares nothing with the kernel but the constants.

A ray from the satellite misses the Earth where the discriminant of its intersection with the ellipsoid is negative;
an eclipse begins and ends where the ray to the Sun's centre touches.
"""

from collections.abc import Callable

import numpy as np
from astropy import units
from astropy.coordinates import TEME, get_sun
from astropy.time import Time
from astropy.utils import iers
from numpy.typing import NDArray

from kernels import constants as const

iers.conf.auto_download = False
iers.conf.auto_max_age = None

WGS84_FLATTENING = 1.0 / 298.257223563
NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
Floats = NDArray[np.float64]


def clearance(place_m: Floats, ray: Floats, flattening: float = WGS84_FLATTENING) -> Floats:
    """Above zero where a ray (..., 3) from a place (..., 3) misses the Earth; smooth through its limb."""
    semi_axes = const.EARTH_RADIUS_M * np.array([1.0, 1.0, 1.0 - flattening])
    start, way = place_m / semi_axes, ray / semi_axes
    ahead, square = (start * way).sum(axis=-1), (way * way).sum(axis=-1)
    miss = square * ((start * start).sum(axis=-1) - 1.0) - ahead**2
    return np.where(ahead < 0.0, miss, np.abs(miss)) / square


def sun_track(start: Time, until_s: float) -> Callable[[Floats], Floats]:
    """Place of the Sun (time, 3) [m] in the frame of two-line elements, from astropy's built-in ephemeris."""
    # The Sun moves by a degree a day: half-hourly places are straight lines to a millionth of a degree.
    knots = np.linspace(0.0, until_s, int(until_s / 1800.0) + 2)
    times = start + knots * units.s
    xyz = get_sun(times).transform_to(TEME(obstime=times)).cartesian.xyz.to_value(units.m)
    return lambda seconds: np.stack([np.interp(seconds, knots, axis) for axis in xyz], axis=-1)


def visible(place_m: Floats, to_sun_m: Floats, flattening: float = WGS84_FLATTENING) -> Floats:
    """Visible part of the Sun's disc (time,): chords across the limb, each followed to where it meets the Earth."""
    distance = np.linalg.norm(to_sun_m, axis=-1, keepdims=True)
    sun, radius = to_sun_m / distance, const.SUN_RADIUS_M / distance
    outward = place_m - (place_m * sun).sum(axis=-1, keepdims=True) * sun
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    sideways = np.cross(sun, outward)
    place, sun, outward, sideways = (v[:, None] for v in (place_m, sun, outward, sideways))
    turn = 0.5 * np.pi * NODES
    offset, half = (radius * np.sin(turn))[..., None], radius * np.cos(turn)

    def above(height: Floats) -> NDArray[np.bool_]:
        return clearance(place, sun + offset * sideways + height[..., None] * outward, flattening) > 0.0

    low, high = -half, half.copy()
    for _ in range(40):
        middle = 0.5 * (low + high)
        lit = above(middle)
        low, high = np.where(lit, low, middle), np.where(lit, middle, high)
    weight = WEIGHTS * np.cos(turn)
    return (weight * (half - high)).sum(axis=-1) / (2.0 * (weight * half).sum(axis=-1))


def traced(
    place_m: Callable[[Floats], Floats], sun_m: Callable[[Floats], Floats], flattening: float = WGS84_FLATTENING
) -> Callable[[Floats], Floats]:
    """Clearance of the ray to the Sun's centre at given instants."""

    def clear(seconds: Floats) -> Floats:
        place = place_m(seconds)
        return clearance(place, sun_m(seconds) - place, flattening)

    return clear


def changes(lit: Callable[[Floats], Floats], seconds: Floats) -> tuple[Floats, Floats]:
    """Instants at which `lit` falls and rises through zero, to a microsecond; the grid `seconds` sees them all."""
    value = lit(seconds)
    first = np.flatnonzero((value[1:] > 0.0) != (value[:-1] > 0.0))
    low, high, falls = seconds[first], seconds[first + 1], value[first] > 0.0
    for _ in range(25):
        middle = 0.5 * (low + high)
        before = (lit(middle) > 0.0) == falls
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return low[falls], low[~falls]


def eclipses(lit: Callable[[Floats], Floats], seconds: Floats) -> Floats:
    """Entry and exit of each whole eclipse within the grid, (eclipse, 2)."""
    entries, exits = changes(lit, seconds)
    exits = exits[exits > entries[0]] if entries.size else exits[:0]
    return np.stack([entries[: exits.size], exits], axis=-1)
