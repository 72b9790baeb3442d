"""Light on a satellite: Sun, shadow, albedo, Earth infrared and view factors."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from kernels import constants as const
from kernels import safe_math as sm
from kernels.quantity import Flattening, Fraction, Irradiance, PositiveIrradiance, Scalar, Vector
from kernels.registry import part

# Acceleration of a place by gravity over the place itself, at one radius of the Earth.
SURFACE_GRAVITY_PER_S2 = const.EARTH_GRAVITY_M3_PER_S2 / const.EARTH_RADIUS_M**3
LEAST_TRAVEL = 0.02  # radii of the solar disc: a twelfth of a second in a low orbit; less drowns in single precision


class SunAngles(NamedTuple):
    """Mean anomaly, mean longitude and obliquity of the Sun at an epoch, with rates per second; all ()."""

    anomaly_rad: Array
    longitude_rad: Array
    obliquity_rad: Array
    anomaly_rad_per_s: Array
    longitude_rad_per_s: Array


class Sun(NamedTuple):
    """Direction of the Sun (unit vector of date) and its distance."""

    direction: Vector
    distance_au: Array


class Sky(NamedTuple):
    """Radiation fields at a satellite, before any surface's angle."""

    solar_w_per_m2: Array
    albedo_w_per_m2: Array  # leaving the ground under the Sun
    infrared_w_per_m2: Array


def sun_angles(days_since_j2000: Array) -> SunAngles:
    """Mean solar elements of the Astronomical Almanac's low-precision formula (page C5), float64 in and out."""
    wrap = 2.0 * jnp.pi
    return SunAngles(
        anomaly_rad=jnp.mod(jnp.radians(357.528 + 0.9856003 * days_since_j2000), wrap),
        longitude_rad=mean_longitude_rad(days_since_j2000),
        obliquity_rad=jnp.radians(23.439 - 4.0e-7 * days_since_j2000),
        anomaly_rad_per_s=jnp.radians(0.9856003) / const.DAY_S,
        longitude_rad_per_s=jnp.radians(0.9856474) / const.DAY_S,
    )


def mean_longitude_rad(days_since_j2000: Array) -> Array:
    """Mean longitude of the Sun, which is also the right ascension of the mean Sun. [rad]"""
    return jnp.mod(jnp.radians(280.460 + 0.9856474 * days_since_j2000), 2.0 * jnp.pi)


def sun(angles: SunAngles, time_s: Scalar) -> Sun:
    """Sun `time_s` after the instant of the angles (Astronomical Almanac, page C5; 0.01 deg, 1950-2050)."""
    anomaly = angles.anomaly_rad + angles.anomaly_rad_per_s * time_s
    sine, cosine = jnp.sin(anomaly), jnp.cos(anomaly)
    longitude = (
        angles.longitude_rad
        + angles.longitude_rad_per_s * time_s
        + sine * (0.0334230552 + 2.0 * 0.000349065850 * cosine)  # 1.915 and 0.020 deg
    )
    sin_l, cos_l = jnp.sin(longitude), jnp.cos(longitude)
    direction = (cos_l, sin_l * jnp.cos(angles.obliquity_rad), sin_l * jnp.sin(angles.obliquity_rad))
    return Sun(direction, 1.00014 - 0.01671 * cosine - 0.00014 * (2.0 * cosine * cosine - 1.0))


class Lit(NamedTuple):
    """Visible fraction of the solar disc in a step, and how early in the step it comes.

    `lean` is the mean of (1/2 - u) times the visible fraction, u being the time since the start over the step: 0 for
    steady light, 1/8 for light in the first half alone, -1/8 for light in the second half alone.
    """

    fraction: Array
    lean: Array


def _lit_integrals(x: Array) -> tuple[Array, Array]:
    """First and second integral from -1 to x of the visible part of a disc cut by a straight limb at -x radii."""
    inside, beyond = sm.clip(x, -1.0, 1.0), jnp.maximum(x - 1.0, 0.0)
    square = inside * inside
    root = sm.sqrt(1.0 - square, 1e-12)
    angle = sm.arctan2(inside, root)
    first = 0.5 * inside + (inside * angle + root * (2.0 + square) / 3.0) / jnp.pi
    bulge = (0.5 * square + 0.125) * angle + inside * root * (6.5 + square) / 12.0
    second = 0.25 * square + bulge / jnp.pi + 0.0625
    return first + beyond, second + beyond * (1.0 + 0.5 * beyond)


class Limb(NamedTuple):
    """Sine of the Sun's height above the limb of a unit sphere, its rate and acceleration by time; the limb's normal.

    Of the normal only the polar component.
    """

    height: Array
    rate_per_s: Array
    acceleration_per_s2: Array
    up: Array


def _limb(place: Vector, place_rate: Vector, gravity_per_s2: Array, toward_sun: Vector) -> Limb:
    """The Sun over the limb, from a place in radii that gravity pulls down by `gravity_per_s2` times itself."""
    depth, depth_rate = -sm.dot(place, toward_sun), -sm.dot(place_rate, toward_sun)
    square, half_square_rate = sm.dot(place, place), sm.dot(place, place_rate)
    half_square_bend = sm.dot(place_rate, place_rate) - gravity_per_s2 * square
    from_axis = sm.sqrt(square - depth * depth, 1e-8)
    from_limb = sm.sqrt(square - 1.0, 1e-8)
    height = (from_axis * from_limb - depth) / square
    axis_rate = (half_square_rate - depth * depth_rate) / from_axis
    limb_rate = half_square_rate / from_limb
    rate = axis_rate * from_limb + from_axis * limb_rate - depth_rate - 2.0 * height * half_square_rate
    rate = rate / square
    # The acceleration counts at the limb alone, where the Sun's height is 0 and the distance from its axis 1.
    pull = gravity_per_s2 * depth
    axis_bend = half_square_bend - depth_rate * depth_rate + depth * pull - axis_rate * axis_rate
    limb_bend = (half_square_bend - limb_rate * limb_rate) / from_limb
    bend = axis_bend * from_limb + 2.0 * axis_rate * limb_rate + limb_bend + pull - 4.0 * rate * half_square_rate
    return Limb(height, rate, bend / square, (place[2] + depth * toward_sun[2]) / from_axis)


@part("environment")
def lit(
    direction: Vector,
    direction_rate_per_s: Vector,
    radius_m: Array,
    radius_rate_m_per_s: Array,
    sun: Sun,
    step_s: Scalar,
    *,
    earth_flattening: Flattening,
) -> Lit:
    """Visible fraction of the solar disc over a step centred on the given position: its mean, and how early it comes.

    The Earth is an ellipsoid of `earth_flattening` (0: a sphere of equatorial radius) without air: stretched along its
    axis it is a sphere, and rays stay straight. The limb is straight across the Sun's disc (error of the visible
    fraction 4e-4 in low orbits, 4e-3 in the geostationary one), and the Sun stands where it is from the Earth's centre
    (3e-3 deg in low orbits). Its height above the limb is a parabola in time, carried through the part of the step in
    which the limb cuts the disc by the straight line that fits it best there, and the disc integrated in closed form,
    so that eclipses keep their energy whatever the step.
    """
    polar = 1.0 / (1.0 - earth_flattening)

    def stretched(vector: Vector) -> Vector:
        return vector[0], vector[1], vector[2] * polar

    ratio, ratio_rate_per_s = radius_m / const.EARTH_RADIUS_M, radius_rate_m_per_s / const.EARTH_RADIUS_M
    turning, climbing = sm.scale(direction_rate_per_s, ratio), sm.scale(direction, ratio_rate_per_s)
    place_rate = stretched((turning[0] + climbing[0], turning[1] + climbing[1], turning[2] + climbing[2]))
    toward_sun = stretched(sun.direction)
    length = sm.sqrt(sm.dot(toward_sun, toward_sun))
    gravity_per_s2 = SURFACE_GRAVITY_PER_S2 / (ratio * ratio * ratio)
    limb = _limb(stretched(sm.scale(direction, ratio)), place_rate, gravity_per_s2, sm.scale(toward_sun, 1.0 / length))
    # The stretched disc of the Sun is an ellipse: across the limb it has grown as the limb's normal would.
    apparent = (const.SUN_RADIUS_M / const.ASTRONOMICAL_UNIT_M) * (1.0 + (polar - 1.0) * limb.up * limb.up) / length
    radii = sun.distance_au / apparent
    return _over_step(
        limb.height * radii, limb.rate_per_s * radii * step_s, 0.5 * limb.acceleration_per_s2 * radii * step_s * step_s
    )


def _over_step(height: Array, travel: Array, bend: Array) -> Lit:
    """Mean and lean of the visible part of a disc whose height is height + travel v + bend v^2 radii, |v| <= 1/2."""
    centre, half_width = _crossing(height, travel)
    height = height + bend * (half_width * half_width / 3.0 - centre * centre)
    travel = travel + 2.0 * bend * centre
    half = 0.5 * sm.sqrt(travel * travel + LEAST_TRAVEL**2, 0.0)
    # Beyond this range the answer is 0 or 1; staying inside it keeps the difference quotient exact.
    middle = sm.clip(height, -1.0 - half, 1.0 + half)
    (low, low_area), (high, high_area) = _lit_integrals(middle - half), _lit_integrals(middle + half)
    per_travel = 0.5 / half
    early = ((high_area - low_area) * per_travel - 0.5 * (high + low)) * per_travel * per_travel * travel
    return Lit(sm.clip((high - low) * per_travel, 0.0, 1.0), early)


def _crossing(height: Array, travel: Array) -> tuple[Array, Array]:
    """Middle and half length of the part of a step [-1/2, 1/2] in which the limb cuts the disc."""
    per_radius = lax.rsqrt(travel * travel + LEAST_TRAVEL**2)
    first, last = (sm.clip((edge - height) * per_radius, -0.5, 0.5) for edge in (-1.0, 1.0))
    return 0.5 * (first + last) * travel * per_radius, 0.5 * (last - first)


@part("environment")
def sky(
    sun_distance_au: Array,
    *,
    solar_irradiance_w_per_m2: PositiveIrradiance,
    albedo: Fraction,
    earth_infrared_w_per_m2: Irradiance,
) -> Sky:
    """Direct light outside the shadow, light that the ground under the Sun reflects, and Earth infrared. [W/m2]

    `solar_irradiance_w_per_m2` is at 1 au. The Earth reflects as a Lambert sphere of one albedo; that it grows brighter
    towards the terminator is left to the choice of the albedo (orbit averages).
    """
    solar = solar_irradiance_w_per_m2 / (sun_distance_au * sun_distance_au)
    return Sky(solar, solar * albedo, jnp.asarray(earth_infrared_w_per_m2))


def earth_view_factor(cos_nadir: Array, radius_ratio: Array) -> Array:
    """View factor of a small flat plate to the Earth, exact for a sphere at any tilt and distance.

    `cos_nadir` is the cosine between the plate's normal and nadir, `radius_ratio` the distance from the Earth's
    centre over the Earth's radius (Howell, Menguc & Daun, catalogue of configuration factors, B-43).
    """
    h2 = radius_ratio * radius_ratio
    depth = sm.sqrt(h2 - 1.0, 1e-8)
    cos_g = sm.clip(cos_nadir, -1.0, 1.0)
    full = cos_g / h2
    # The plate's own horizon cuts the disc of the Earth where |cot| < depth^-1.
    cut = jnp.abs(cos_g) * radius_ratio < 1.0
    cos_c = sm.where(cut, cos_g, 0.0)
    chord = sm.sqrt(1.0 - h2 * cos_c * cos_c, 1e-10)
    # asin(depth / (ratio sin)) and acos(-depth cot), without the clamp that an inverse sine needs at the seam.
    beyond, within = sm.arctan2(depth, chord), sm.arctan2(chord, -depth * cos_c)
    partial = 0.5 - beyond / jnp.pi + (cos_c * within - depth * chord) / (jnp.pi * h2)
    return jnp.maximum(sm.where(cut, partial, jnp.maximum(full, 0.0)), 0.0)


def opposite_view_factor(view_factor: Array, cos_nadir: Array, radius_ratio: Array) -> Array:
    """View factor to the Earth of a plate's other face; `view_factor` and `cos_nadir` are those of the first.

    The difference of both is the net flux through the plate, that of a sphere with its plane cut by no horizon.
    """
    return jnp.maximum(view_factor - cos_nadir / (radius_ratio * radius_ratio), 0.0)


def sunlit_view_factor(
    view_factor: Array, cos_nadir: Array, cos_sun: Array, cos_sun_zenith: Array, radius_ratio: Array
) -> Array:
    """View factor of a small flat plate to the Earth, each part weighted with the cosine of its Sun zenith angle.

    `cos_nadir` and `cos_sun` are those of the plate's normal, `cos_sun_zenith` that of the satellite's vertical. The
    Sun's mean cosine is taken on the mean normal of the ground in view, which leans from the vertical towards the
    plate's normal. Across the terminator a hyperbola, as wide as those normals spread, rounds the clipping of the
    cosine at zero; it ends where no ground is lit. The numbers are fitted to the integral over a Lambert sphere:
    within 1.6 % of the plate's noon value, 400-1500 km, for every plate up to edge-on to the Earth; in the
    geostationary orbit within 12 % of the 9 W/m2 that there are.
    """
    cap = 1.0 - 1.0 / (radius_ratio * radius_ratio)  # square of the sine of the visible cap's angle
    cut = 1.0 - sm.clip(cos_nadir * radius_ratio, -1.0, 1.0)  # 0: whole disc in view; 2: behind the plate's horizon
    sideways = cos_sun + cos_nadir * cos_sun_zenith  # of the normal's horizontal part
    up = 1.0 - cap * cap * (0.2350 + 0.1071 * cut * cut)
    lean = cap * (0.5272 - 0.5008 * cap + 0.2249 * cut * cut)
    mean = up * cos_sun_zenith + lean * sideways
    spread = cap * (0.1433 - 0.0988 * cap - 0.0547 * sideways * sideways)
    rounding = spread * (cap - cos_sun_zenith * cos_sun_zenith)
    root = sm.sqrt(mean * mean + jnp.maximum(rounding, 0.0), 1e-12)
    return view_factor * jnp.maximum(0.5 * (mean + root), 0.0)
