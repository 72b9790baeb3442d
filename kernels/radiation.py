"""Ionising dose in silicon on an orbit, and where along it the dose falls: the South Atlantic Anomaly.

Three parts: protons and electrons of the belts, which fall with solar activity and arrive in the anomaly, and solar
protons, which follow the activity and arrive at high latitude; these are spread evenly over the orbit and the year.
"""

from collections.abc import Callable
from math import pi, radians
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import i0e

from kernels import safe_math as sm
from kernels.constants import EARTH_RADIUS_M, YEAR_S
from kernels.quantity import Altitude, Area, DoseRate, Fraction, Inclination, PositiveRatio, Scalar, Shielding, Vector
from kernels.registry import model, part

RAD_GY = 0.01
Rates = TypeVar("Rates")  # a tuple of arrays

# SPENVIS (AP-8, AE-8, SAPPHIRE, SHIELDOSE-2), circular orbits, centre of a solid aluminium sphere: krad(Si) in 5 years,
# the worse of solar minimum and maximum, at 500 ... 2000 km behind 2, 5, 10 mm. Published with an orbital data-centre
# study, 2026; the belt models carry a factor of 2.
ALTITUDES_M = 1e3 * np.array([500.0, 700.0, 1000.0, 1200.0, 1500.0, 2000.0])
LOWEST_M = 1.0e5
SHIELDS_M = 1e-3 * np.array([2.0, 5.0, 10.0])
KRAD_IN_5_YEARS_GY_PER_S = 1e3 * RAD_GY / (5.0 * YEAR_S)
INCLINED_30_GY_PER_S = KRAD_IN_5_YEARS_GY_PER_S * np.array(
    [
        [1.3, 0.9, 0.7],
        [6.7, 3.8, 3.0],
        [32.8, 15.1, 11.4],
        [78.3, 32.8, 24.2],
        [238.6, 87.5, 61.9],
        [832.9, 239.1, 154.7],
    ]
)
SUN_SYNCHRONOUS_GY_PER_S = KRAD_IN_5_YEARS_GY_PER_S * np.array(
    [
        [13.0, 2.0, 0.7],
        [21.4, 3.6, 1.8],
        [42.4, 8.9, 5.5],
        [67.1, 16.6, 10.8],
        [140.4, 39.1, 26.0],
        [420.6, 107.5, 67.7],
    ]
)
# Solar protons on Sun-synchronous orbits: 212 rad a year behind 5 mm in the same runs; 58 behind 10 mm leave a trapped
# dose that rises from 500 to 700 km as the AP-8 flux above 50 MeV does. None at 30 degrees: the field turns them away.
SOLAR_5_MM_GY_PER_S = 212.0 * RAD_GY / YEAR_S
SOLAR_EXPONENT = np.log(58.0 / 212.0) / np.log(2.0)
INCLINED_RAD, POLAR_RAD = radians(30.0), radians(75.0)  # the table's lower inclination; none above differs by 8 %
# AP-8 MAX over AP-8 MIN, orbit-mean flux above 50 MeV at 98 degrees (Sawyer and Vette, NSSDC 76-06, 1976).
MAXIMUM_ALTITUDES_M = 1e3 * np.array([300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 1000.0, 1200.0])
MAXIMUM_RATIO = np.array([0.376, 0.516, 0.557, 0.622, 0.668, 0.702, 0.737, 0.761])


ALUMINIUM_KG_PER_M3 = 2700.0


class Field(NamedTuple):
    """Dose rates in silicon behind the shield, means over days. [Gy/s]"""

    trapped_minimum_gy_per_s: Array  # belts at solar minimum
    trapped_maximum_gy_per_s: Array
    solar_gy_per_s: Array  # solar protons, mean over a cycle


class Anomaly(NamedTuple):
    """Shape of the anomaly at an altitude, 1 in its centre, and how an orbit meets it."""

    concentration: Array  # in longitude
    centre: Array  # sine of its latitude
    inverse_width: Array  # per squared sine of latitude
    mean: Array  # of the shape, over the orbit and all longitudes
    fraction: Array  # of the trapped dose that falls in it


class Exposure(NamedTuple):
    """Dose rate on one orbit at a date: in the mean, outside the anomaly, and what its centre adds. [Gy/s]"""

    mean_gy_per_s: Array
    outside_gy_per_s: Array
    centre_gy_per_s: Array
    anomaly: Anomaly


def _log_trapped(dose_gy_per_s: Array, altitude_m: Array, shielding_m: Scalar) -> Array:
    """Logarithm of a tabulated dose rate, linear between the logarithms of altitude and shielding."""
    depth = jnp.log(jnp.asarray(shielding_m))
    by_depth = jax.vmap(lambda row: sm.polyline(jnp.log(SHIELDS_M), row, depth))
    height = jnp.log(sm.clip(altitude_m, LOWEST_M, ALTITUDES_M[-1]))
    return sm.polyline(jnp.log(ALTITUDES_M), by_depth(jnp.log(dose_gy_per_s)), height)


@model("radiation")
def spenvis_table(
    altitude_m: Array, inclination_rad: Array, *, shielding_m: Shielding, dose_factor: PositiveRatio
) -> Field:
    """Dose behind `shielding_m` of aluminium as SPENVIS tables it for 500-2000 km, 30 degrees and Sun-synchronous.

    Power laws between the nodes, below them and to other depths; held above 2000 km, where the belts are not tabled.
    Between 30 and 75 degrees (or their retrograde counterparts) the logarithm follows the inclination. Below 30 degrees
    the dose stays that of 30, which is too high. Solar maximum scales the trapped part by AP-8 MAX over MIN, which
    holds where protons prevail, behind 5 mm and more. `dose_factor` carries the belt models' uncertainty, a factor of 2
    either way.
    """
    polar = sm.ramp(jnp.minimum(inclination_rad, pi - inclination_rad) - INCLINED_RAD, POLAR_RAD - INCLINED_RAD)
    inclined = _log_trapped(jnp.asarray(INCLINED_30_GY_PER_S), altitude_m, shielding_m)
    solar = SOLAR_5_MM_GY_PER_S * (SHIELDS_M / SHIELDS_M[1]) ** SOLAR_EXPONENT
    synchronous = _log_trapped(jnp.asarray(SUN_SYNCHRONOUS_GY_PER_S - solar), altitude_m, shielding_m)
    trapped = dose_factor * jnp.exp((1.0 - polar) * inclined + polar * synchronous)
    at_maximum = jnp.interp(altitude_m, MAXIMUM_ALTITUDES_M, MAXIMUM_RATIO)
    solar_gy_per_s = SOLAR_5_MM_GY_PER_S * (shielding_m / SHIELDS_M[1]) ** SOLAR_EXPONENT
    return Field(trapped, at_maximum * trapped, dose_factor * polar * solar_gy_per_s)


@model("radiation")
def anchored(
    altitude_m: Array,
    inclination_rad: Array,
    *,
    shielding_m: Shielding,
    reference_dose_gy_per_year: DoseRate,
    reference_altitude_m: Altitude,
    reference_inclination_rad: Inclination,
    reference_shielding_m: Shielding,
) -> Field:
    """The table's shape, scaled so that one quoted dose, taken as the mean over a solar cycle, comes out."""
    place = jnp.asarray(reference_altitude_m), jnp.asarray(reference_inclination_rad)
    table = spenvis_table(*place, shielding_m=reference_shielding_m, dose_factor=1.0)
    trapped, solar = dose_rate(table, 0.5)
    factor = reference_dose_gy_per_year / YEAR_S / (trapped + solar)
    return spenvis_table(altitude_m, inclination_rad, shielding_m=shielding_m, dose_factor=factor)


@part("radiation")
def shield_kg(
    accelerators: Scalar, shielding_m: Scalar, *, structure_shielding_m: Shielding, shielded_area_m2: Area
) -> Array:
    """Mass of aluminium around accelerators and hosts beyond what structure, boxes and cold plates bring anyhow. [kg]

    `shielded_area_m2` is the surface of what is shielded, for each accelerator with its host. Where nothing is added
    yet the slope is that of adding: there lies the lower bound of designs.
    """
    added_m = jnp.asarray(shielding_m) - structure_shielding_m
    return ALUMINIUM_KG_PER_M3 * shielded_area_m2 * jnp.where(added_m >= 0.0, added_m, 0.0) * accelerators


def dose_rate(field: Field, activity: Scalar) -> tuple[Array, Array]:
    """Trapped and solar part of the dose rate at a solar activity, 0 to 1 and 1/2 in the mean of a cycle. [Gy/s]"""
    fall = field.trapped_maximum_gy_per_s - field.trapped_minimum_gy_per_s
    return field.trapped_minimum_gy_per_s + activity * fall, 2.0 * activity * field.solar_gy_per_s


def over_orbit(at: Callable[[Array], Rates], semi_major_axis_m: Array, eccentricity: Array) -> Rates:
    """Mean in time of rates along an orbit, by eight equal steps of half the eccentric anomaly."""

    def share(cosine: Array) -> Rates:
        turn = 1.0 - eccentricity * cosine
        return jax.tree.map(lambda rate: turn * rate, at(semi_major_axis_m * turn - EARTH_RADIUS_M))

    parts = jax.vmap(share)(jnp.cos((jnp.arange(8) + 0.5) * pi / 8))
    return jax.tree.map(lambda rates: jnp.mean(rates, axis=0), parts)


@part("radiation")
def anomaly(altitude_m: Array, inclination_rad: Array, *, anomaly_fraction: Fraction) -> Anomaly:
    """The South Atlantic Anomaly as a circular orbit meets it: a bell in longitude times one in the sine of latitude.

    Widths and latitude follow the altitude as fitted to maps of the AP-8 MIN flux above 50 MeV in its own field (epoch
    1964) at 500, 650, 800 and 1000 km, to 27 % rms. The mean over longitude is exact; that over the orbit is a sum.
    """
    above = (sm.clip(altitude_m, 3.5e5, 2.0e6) - 6.5e5) / 1e6
    concentration = 9.48 * jnp.exp(-2.20 * above)
    centre, inverse_width = -0.469 + 0.341 * above, 1.0 / (0.0479 + 0.1285 * above)
    nodes = jnp.sin(pi * ((jnp.arange(32) + 0.5) / 32 - 0.5))
    bells = jax.vmap(lambda node: jnp.exp(-inverse_width * (node * jnp.sin(inclination_rad) - centre) ** 2))(nodes)
    across = jnp.mean(bells, axis=0)
    return Anomaly(concentration, centre, inverse_width, i0e(concentration) * across, jnp.asarray(anomaly_fraction))


def over_longitudes(place: Anomaly) -> Anomaly:
    """The anomaly as orbits of many days meet it, at all longitudes alike: a belt of the same mean."""
    return place._replace(concentration=0.0 * place.concentration, mean=place.mean / i0e(place.concentration))


def exposure(field: Field, place: Anomaly, activity: Scalar) -> Exposure:
    """Dose rates at a solar activity, such that the mean over the orbit and all longitudes is that of the field."""
    trapped, solar = dose_rate(field, activity)
    inside = place.fraction * trapped
    return Exposure(trapped + solar, trapped + solar - inside, inside / place.mean, place)


def anomaly_longitude_rad(days_since_j2000: Scalar) -> Array:
    """Geographic longitude of the anomaly's centre: 37 W in 1964, drifting west 0.3 degrees a year (Badhwar 1997)."""
    years = days_since_j2000 / 365.25 + 35.5
    return jnp.asarray(-radians(37.2) - radians(0.3) * years)


def dose_rate_at(now: Exposure, direction: Vector, longitude_rad: Array) -> Array:
    """Dose rate at a direction from the Earth's centre, for an inertial longitude of the anomaly's centre. [Gy/s]"""
    x, y, z = direction
    along = (x * jnp.cos(longitude_rad) + y * jnp.sin(longitude_rad)) * lax.rsqrt(jnp.maximum(x * x + y * y, 1e-6))
    shape = now.anomaly
    away = shape.concentration * (along - 1.0) - shape.inverse_width * (z - shape.centre) ** 2
    return now.outside_gy_per_s + now.centre_gy_per_s * jnp.exp(away)
