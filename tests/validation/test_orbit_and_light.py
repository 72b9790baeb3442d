"""Orbit and light."""

import astropy.units as u
import jax.numpy as jnp
import numpy as np
from astropy.coordinates import TETE, get_sun
from astropy.time import Time
from astropy.utils import iers

from kernels import sunlight
from validation.rows import Measured, row

iers.conf.auto_download = False
iers.conf.auto_max_age = None


@row("Sun direction, 2025-2035", against="astropy's built-in ephemeris", bound=0.01, unit="deg")
def test_sun_direction() -> Measured:
    days = np.linspace(9131.5, 13149.5, 500)  # since J2000.0: 2025-01-01 to 2036-01-01
    times = Time(2451545.0 + days, format="jd", scale="utc")
    expected = get_sun(times).transform_to(TETE(obstime=times)).cartesian
    unit = np.stack([expected.x.to_value(u.au), expected.y.to_value(u.au), expected.z.to_value(u.au)])
    unit /= np.linalg.norm(unit, axis=0)
    ours = np.stack([np.asarray(part) for part in sunlight.sun(sunlight.sun_angles(jnp.asarray(days)), 0.0).direction])
    angle = np.degrees(np.arcsin(np.linalg.norm(np.cross(unit, ours, axis=0), axis=0)))
    return Measured(float(angle.max()), f"mean {angle.mean():.4f} deg over {days.size} dates")
