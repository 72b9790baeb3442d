"""Attitude laws: the Sun and nadir as each body-fixed surface sees them.

Body axes: x carries the array's normal, y the radiator's, z completes the frame. A law returns the Sun and
nadir directions in body axes and in the axes of the array, which a driven array turns about its boom.
`pointing_error_rad` turns the body about z, so that an array fixed to it loses the cosine and the radiator gains the
sine, and a driven array about its boom, so that it loses the cosine too.
"""

from typing import NamedTuple

import jax.numpy as jnp

from kernels import safe_math as sm
from kernels.quantity import Angle, PointingError, Scalar, Vector
from kernels.registry import model


class View(NamedTuple):
    """Unit vectors to the Sun and to nadir in body axes and in array axes."""

    sun_body: Vector
    nadir_body: Vector
    sun_array: Vector
    nadir_array: Vector


def _components(axes: tuple[Vector, Vector, Vector], vector: Vector) -> Vector:
    return (sm.dot(axes[0], vector), sm.dot(axes[1], vector), sm.dot(axes[2], vector))


def _turn_z(vector: Vector, angle_rad: Scalar) -> Vector:
    sine, cosine = jnp.sin(angle_rad), jnp.cos(angle_rad)
    return (cosine * vector[0] - sine * vector[1], sine * vector[0] + cosine * vector[1], vector[2])


def _turn_y(vector: Vector, angle_rad: Scalar) -> Vector:
    sine, cosine = jnp.sin(angle_rad), jnp.cos(angle_rad)
    return (cosine * vector[0] + sine * vector[2], vector[1], cosine * vector[2] - sine * vector[0])


def _view(axes: tuple[Vector, Vector, Vector], sun: Vector, up: Vector, error_rad: Scalar) -> View:
    """View of a body whose array is fixed to it, seen with the pointing error."""
    sun_body = _turn_z(_components(axes, sun), error_rad)
    nadir_body = _turn_z(_components(axes, sm.scale(up, -1.0)), error_rad)
    return View(sun_body, nadir_body, sun_body, nadir_body)


@model("attitude")
def sun_pointing_edge_on(sun: Vector, up: Vector, orbit_normal: Vector, *, pointing_error_rad: PointingError) -> View:
    """Array to the Sun; the radiator's normal perpendicular to both the Sun and nadir, edge-on to each.

    Where the Sun stands over the satellite (beta near zero, noon and midnight) the radiator's normal is
    undefined and swings round; the frame stays finite there.
    """
    del orbit_normal
    y = sm.unit(sm.cross(sun, up))
    return _view((sun, y, sm.cross(sun, y)), sun, up, pointing_error_rad)


@model("attitude")
def sun_pointing_inertial(sun: Vector, up: Vector, orbit_normal: Vector, *, pointing_error_rad: PointingError) -> View:
    """Array to the Sun; the radiator's normal fixed in space, perpendicular to the Sun in the equator's plane."""
    del orbit_normal
    y = sm.unit((-sun[1], sun[0], jnp.zeros_like(sun[0])))
    return _view((sun, y, sm.cross(sun, y)), sun, up, pointing_error_rad)


@model("attitude")
def local_vertical(sun: Vector, up: Vector, orbit_normal: Vector, *, pointing_error_rad: PointingError) -> View:
    """Body z to nadir and y against the orbit normal (radiator edge-on to the Earth); array turned about y.

    The array's boom lies along body y; its normal follows the Sun's projection on the orbit plane, so it
    loses the cosine of the beta angle. The body's error is in yaw, the array's in its drive.
    """
    z, y = sm.scale(up, -1.0), sm.scale(orbit_normal, -1.0)
    zero = jnp.zeros_like(up[0])
    boom = (zero, zero + 1.0, zero)
    sun_body = _components((sm.cross(y, z), y, z), sun)
    nadir_body = (zero, zero, zero + 1.0)
    drive = sm.unit((sun_body[0], zero, sun_body[2]))
    array = (drive, boom, sm.cross(drive, boom))
    return View(
        _turn_z(sun_body, pointing_error_rad),
        _turn_z(nadir_body, pointing_error_rad),
        _turn_y(_components(array, sun_body), pointing_error_rad),
        _turn_y(_components(array, nadir_body), pointing_error_rad),
    )


@model("attitude")
def fixed_in_space(
    sun: Vector,
    up: Vector,
    orbit_normal: Vector,
    *,
    right_ascension_rad: Angle,
    declination_rad: Angle,
    pointing_error_rad: PointingError,
) -> View:
    """Body x held towards a fixed right ascension and declination, y in the equator's plane.

    The Sun is not its target: an error turns it away from the Sun in one season and towards it in another.
    """
    del orbit_normal
    sin_a, cos_a = jnp.sin(right_ascension_rad), jnp.cos(right_ascension_rad)
    sin_d, cos_d = jnp.sin(declination_rad), jnp.cos(declination_rad)
    zero = jnp.zeros_like(sin_a * sin_d)
    x = (cos_d * cos_a, cos_d * sin_a, sin_d + zero)
    y = (-sin_a + zero, cos_a + zero, zero)
    return _view((x, y, sm.cross(x, y)), sun, up, pointing_error_rad)
