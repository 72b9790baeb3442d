"""Functions whose gradient stays finite at the edge and which every kernel compiler lowers.

Mosaic GPU lowers neither `sqrt`, `asin`, `acos`, `pow` nor `mod`; it does lower `rsqrt`, `exp` and `log`, so roots
and powers are written with those, and angles with a polynomial.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

from kernels.quantity import Scalar, Vector

Curve = Array | Sequence[Array]


def clip(x: Array, low: Scalar, high: Scalar) -> Array:
    """X held between two bounds, in the precision of x (the library's own clip passes float64 literals)."""
    return jnp.minimum(jnp.maximum(x, low), high)


def where(condition: Array, x: Array, y: Array | float) -> Array:
    """X where the condition holds, else y, in the precision of x."""
    return jnp.where(condition, x, jnp.asarray(y, dtype=x.dtype))


def indicator(condition: Array, like: Array) -> Array:
    """1 where the condition holds, else 0, in the precision of `like`."""
    return condition.astype(like.dtype)


def sqrt(x: Array, floor: float = 1e-30) -> Array:
    """Square root of max(x, floor), with zero gradient below the floor."""
    x = jnp.maximum(x, floor)
    return x * lax.rsqrt(x)


# Least maximum error, 4e-8, of atan(t) / t on [0, 1] as a polynomial in t^2.
ARC_TANGENT = (
    0.999999336,
    -0.333298606,
    0.199465638,
    -0.139086206,
    0.0964217506,
    -0.0559120311,
    0.0218627584,
    -0.00405451349,
)


def arctan2(y: Array, x: Array) -> Array:
    """Angle of the point (x, y), -pi to pi; in single precision by a polynomial, within 3e-7 rad and 2e-5 of its slope.

    The library's function is computed one number at a time on a CPU (8 ns each, and the loop around it as well), and
    some kernel compilers lack it.
    """
    if y.dtype != jnp.float32:
        return jnp.arctan2(y, x)
    across, up = jnp.abs(x), jnp.abs(y)
    steep = up > across
    slope = jnp.where(steep, across, up) / jnp.maximum(jnp.where(steep, up, across), 1e-30)
    square = slope * slope
    series = jnp.full_like(slope, ARC_TANGENT[-1])
    for coefficient in ARC_TANGENT[-2::-1]:
        series = series * square + coefficient
    angle = series * slope
    angle = jnp.where(steep, 0.5 * jnp.pi - angle, angle)
    angle = jnp.where(x < 0.0, jnp.pi - angle, angle)
    return jnp.where(y < 0.0, -angle, angle)


def turned(sine: Array, cosine: Array, angle: Array) -> tuple[Array, Array]:
    """Sine and cosine of an angle that has grown by another one, small enough for a series: 0.3 rad, within 1e-10.

    On a CPU a sine costs as much as fifty multiplications.
    """
    square = angle * angle
    up = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)))
    along = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0 * (1.0 - square / 56.0)))
    return sine * along + cosine * up, cosine * along - sine * up


def arcsin(x: Array) -> Array:
    """Arc sine on [-1, 1], clamped just inside so that its gradient is finite."""
    x = clip(x, -1.0 + 1e-7, 1.0 - 1e-7)
    return arctan2(x, sqrt(1.0 - x * x))


def power(base: Array, exponent: Scalar, floor: float = 1e-30) -> Array:
    """Base ** exponent of a base that is not negative."""
    return jnp.exp(exponent * jnp.log(jnp.maximum(base, floor)))


def arrhenius(temperature_k: Array, activation_temperature_k: Scalar, reference_k: Scalar) -> Array:
    """Rate at a temperature over that at a reference; activation energy over the gas constant, in kelvin."""
    return jnp.exp(activation_temperature_k * (1.0 / reference_k - 1.0 / temperature_k))


def ramp(x: Array, width: Scalar) -> Array:
    """0 below zero, x / width in between, 1 above the width: a proportional controller."""
    return clip(x / width, 0.0, 1.0)


def ratio(numerator: Array, denominator: Array, floor: float = 1e-30) -> Array:
    """Quotient of quantities that are not negative, finite where both vanish."""
    return numerator / jnp.maximum(denominator, floor)


def soft_minimum(a: Array, b: Array) -> Array:
    """The lesser of two positive numbers, its corner rounded: 8 % less where they are equal, 0.05 % at a ratio of 2."""
    least, most = jnp.minimum(a, b), jnp.maximum(a, b)
    square = ratio(least, most) ** 2
    return least * sqrt(sqrt(lax.rsqrt(1.0 + (square * square) ** 2)))


def interpolate(curve: Curve, x: Array) -> Array:
    """Piecewise linear curve through equally spaced knots on [0, 1], as a sum of ramps.

    `curve` is an array (knot,) or a sequence of scalars; `x` is elementwise. Extrapolates the end segments.
    """
    knots = len(curve)
    slopes = [(curve[k + 1] - curve[k]) * (knots - 1) for k in range(knots - 1)]
    bends = [(k / (knots - 1), slopes[k] - slopes[k - 1]) for k in range(1, knots - 1)]
    # max(x, knot) rather than max(x - knot, 0): one operation less for every knot and satellite.
    y = curve[0] - sum(knot * bend for knot, bend in bends) + slopes[0] * x
    for knot, bend in bends:
        y = y + bend * jnp.maximum(x, knot)
    return y


def polyline(x_points: Array, y_points: Array, x: Array) -> Array:
    """Straight lines through points (point,) with rising x, the end segments continued; not for use in a step.

    The first point may stand several times.
    """
    if len(x_points) == 1:
        return y_points[0] + jnp.zeros_like(x)
    apart = jnp.diff(x_points)
    slopes = jnp.diff(y_points) / jnp.where(apart > 0.0, apart, 1.0)
    ramps = jnp.maximum(jnp.subtract.outer(x, x_points[1:-1]), 0.0)
    return y_points[0] + slopes[0] * (x - x_points[0]) + ramps @ jnp.diff(slopes)


def integral(curve: Curve, x: Array) -> Array:
    """Integral of `interpolate(curve, .)` from 0 to x."""
    knots = len(curve)
    slopes = [(curve[k + 1] - curve[k]) * (knots - 1) for k in range(knots - 1)]
    y = (curve[0] + 0.5 * slopes[0] * x) * x
    for k in range(1, knots - 1):
        above = jnp.maximum(x - k / (knots - 1), 0.0)
        y = y + 0.5 * (slopes[k] - slopes[k - 1]) * above * above
    return y


def dot(a: Vector, b: Vector) -> Array:
    """Scalar product of two vectors given by components."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product of two vectors given by components."""
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def scale(a: Vector, factor: Scalar) -> Vector:
    """Vector times scalar."""
    return (a[0] * factor, a[1] * factor, a[2] * factor)


def difference(a: Vector, b: Vector) -> Vector:
    """Vector from b to a."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def unit(a: Vector) -> Vector:
    """Direction of a vector; finite, though arbitrary, for a vanishing one."""
    return scale(a, lax.rsqrt(jnp.maximum(dot(a, a), 1e-12)))
