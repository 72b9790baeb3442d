"""Functions of the step that the library has too, but slower or not for every compiler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernels import safe_math as sm
from kernels import sunlight

ANGLES = np.linspace(-np.pi, np.pi, 20001)[1:-1]


def test_single_precision_arc_tangent():
    """All quadrants and both axes, whatever the length, within 3e-7 rad of the double-precision library."""
    for length in (1e-6, 1.0, 1e6):
        y, x = np.float32(length * np.sin(ANGLES)), np.float32(length * np.cos(ANGLES))
        exact = np.arctan2(y.astype(np.float64), x.astype(np.float64))
        np.testing.assert_allclose(sm.arctan2(jnp.asarray(y), jnp.asarray(x)), exact, rtol=0, atol=3e-7)
    assert float(sm.arctan2(jnp.float32(0.0), jnp.float32(0.0))) == 0.0
    assert float(sm.arctan2(jnp.float32(0.0), jnp.float32(-1.0))) == pytest.approx(np.pi, abs=1e-6)


def test_gradient_of_single_precision_arc_tangent():
    """That of the angle, finite everywhere, on the diagonals too, where its two branches meet."""
    for angle in (*ANGLES[::1000], 0.25 * np.pi, -0.75 * np.pi, 0.5 * np.pi):
        y, x = jnp.float32(np.sin(angle)), jnp.float32(np.cos(angle))
        slopes = jax.grad(sm.arctan2, argnums=(0, 1))(y, x)
        np.testing.assert_allclose(slopes, (np.cos(angle), -np.sin(angle)), atol=3e-5)


def test_turned_angle():
    start, turn = np.meshgrid(ANGLES[::200], np.linspace(-0.3, 0.3, 61))
    sine, cosine = sm.turned(jnp.sin(start), jnp.cos(start), jnp.asarray(turn))
    np.testing.assert_allclose(sine, np.sin(start + turn), rtol=0, atol=1e-10)
    np.testing.assert_allclose(cosine, np.cos(start + turn), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind", "error"), [(np.float32, 3e-6), (np.float64, 1e-13)])
def test_interpolated_curve(kind, error):
    """Straight lines between the knots, the last ones continued."""
    curve = np.array([3.0, 3.3, 3.45, 3.5, 3.55, 3.6, 3.8, 4.2])
    x = np.linspace(0.0, 1.0, 1001)
    inside = sm.interpolate(jnp.asarray(curve.astype(kind)), jnp.asarray(x.astype(kind)))
    np.testing.assert_allclose(inside, np.interp(x, np.linspace(0.0, 1.0, 8), curve), rtol=0, atol=error)
    beyond = sm.interpolate(jnp.asarray(curve.astype(kind)), jnp.asarray(np.array([-0.1, 1.1], dtype=kind)))
    np.testing.assert_allclose(beyond, (3.0 - 0.1 * 2.1, 4.2 + 0.1 * 2.8), rtol=0, atol=2 * error)


@pytest.mark.parametrize("ratio", [1.05, 1.1, 2.0, 6.6])
def test_view_factor_of_the_other_face(ratio):
    cos_nadir = jnp.linspace(-1.0, 1.0, 2001)
    front = sunlight.earth_view_factor(cos_nadir, jnp.asarray(ratio))
    rear = sunlight.opposite_view_factor(front, cos_nadir, jnp.asarray(ratio))
    np.testing.assert_allclose(rear, sunlight.earth_view_factor(-cos_nadir, jnp.asarray(ratio)), rtol=0, atol=1e-14)
