"""Radiation among grey surfaces: conservation, reciprocity and limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kernels.enclosure import gebhart_factors, irradiation


def views(open_part: float = 0.0, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Areas and reciprocal view factors of five surfaces (none flat), each with the given part of its view open."""
    random = np.random.default_rng(seed)
    shared = random.uniform(0.1, 1.0, (5, 5))
    shared = shared + shared.T
    area = shared.sum(axis=1) / (1.0 - open_part)
    return area, shared / area[:, None]


EMISSIVITY = np.array([0.05, 0.3, 0.85, 0.9, 0.6])


def test_closed_box_absorbs_what_it_emits():
    _, view = views()
    np.testing.assert_allclose(gebhart_factors(view, EMISSIVITY).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("open_part", [0.0, 0.4])
def test_exchange_areas_are_symmetric(open_part):
    area, view = views(open_part)
    exchange = (EMISSIVITY * area)[:, None] * gebhart_factors(view, EMISSIVITY)
    np.testing.assert_allclose(exchange, exchange.T, rtol=1e-12)


def test_an_opening_is_a_black_surface():
    """Leaving the opening out gives the same factors among the rest as carrying it as a black surface."""
    area, view = views(0.4)
    to_opening = 1.0 - view.sum(axis=1)
    opening = (area * to_opening).sum()
    whole = np.zeros((6, 6))
    whole[:5, :5], whole[:5, 5], whole[5, :5] = view, to_opening, area * to_opening / opening
    carried = gebhart_factors(whole, np.append(EMISSIVITY, 1.0))
    np.testing.assert_allclose(gebhart_factors(view, EMISSIVITY), carried[:5, :5], rtol=1e-12)


def test_black_surfaces_only_see():
    _, view = views(0.4)
    np.testing.assert_allclose(gebhart_factors(view, np.ones(5)), view, rtol=1e-12)
    np.testing.assert_allclose(irradiation(view, np.ones(5)), np.eye(5), atol=1e-12)


def test_what_arrives_is_absorbed_or_leaves():
    area, view = views(0.4)
    arriving = np.array([0.0, 100.0, 30.0, 0.0, 500.0])
    incident = irradiation(view, EMISSIVITY) @ arriving
    leaving = (1.0 - EMISSIVITY) * incident * area * (1.0 - view.sum(axis=1))
    assert (EMISSIVITY * incident * area + leaving).sum() == pytest.approx((arriving * area).sum(), rel=1e-12)


def test_gradient_by_emissivity():
    _, view = views(0.2)

    def one(value):
        return gebhart_factors(view, jnp.asarray(EMISSIVITY).at[2].set(value))[1, 2]

    assert float(jax.grad(one)(0.85)) == pytest.approx(float(one(0.8501) - one(0.8499)) / 2e-4, rel=1e-6)
