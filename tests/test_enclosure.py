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


def pairs(matrix: np.ndarray) -> dict:
    return {(i, j): value for (i, j), value in np.ndenumerate(matrix)}


def square(factors: dict) -> np.ndarray:
    count = max(i for i, _ in factors) + 1
    return np.array([[float(factors[i, j]) for j in range(count)] for i in range(count)])


def gebhart(view: np.ndarray, emissivity: np.ndarray) -> np.ndarray:
    return square(gebhart_factors(pairs(view), tuple(emissivity)))


EMISSIVITY = np.array([0.05, 0.3, 0.85, 0.9, 0.6])


def test_closed_box_absorbs_what_it_emits():
    _, view = views()
    np.testing.assert_allclose(gebhart(view, EMISSIVITY).sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("open_part", [0.0, 0.4])
def test_exchange_areas_are_symmetric(open_part):
    area, view = views(open_part)
    exchange = (EMISSIVITY * area)[:, None] * gebhart(view, EMISSIVITY)
    np.testing.assert_allclose(exchange, exchange.T, rtol=1e-12)


def test_an_opening_is_a_black_surface():
    """Leaving the opening out gives the same factors among the rest as carrying it as a black surface."""
    area, view = views(0.4)
    to_opening = 1.0 - view.sum(axis=1)
    opening = (area * to_opening).sum()
    whole = np.zeros((6, 6))
    whole[:5, :5], whole[:5, 5], whole[5, :5] = view, to_opening, area * to_opening / opening
    carried = gebhart(whole, np.append(EMISSIVITY, 1.0))
    np.testing.assert_allclose(gebhart(view, EMISSIVITY), carried[:5, :5], rtol=1e-12)


def test_black_surfaces_only_see():
    _, view = views(0.4)
    np.testing.assert_allclose(gebhart(view, np.ones(5)), view, rtol=1e-12)
    np.testing.assert_allclose(square(irradiation(pairs(view), tuple(np.ones(5)))), np.eye(5), atol=1e-12)


def test_what_arrives_is_absorbed_or_leaves():
    area, view = views(0.4)
    arriving = np.array([0.0, 100.0, 30.0, 0.0, 500.0])
    incident = square(irradiation(pairs(view), tuple(EMISSIVITY))) @ arriving
    leaving = (1.0 - EMISSIVITY) * incident * area * (1.0 - view.sum(axis=1))
    assert (EMISSIVITY * incident * area + leaving).sum() == pytest.approx((arriving * area).sum(), rel=1e-12)


def test_gradient_by_emissivity():
    _, view = views(0.2)

    def one(value):
        return gebhart_factors(pairs(view), (*EMISSIVITY[:2], value, *EMISSIVITY[3:]))[1, 2]

    assert float(jax.grad(one)(0.85)) == pytest.approx(float(one(0.8501) - one(0.8499)) / 2e-4, rel=1e-6)


def test_pairs_that_see_nothing_may_be_left_out():
    """Two plates beside a third that stands alone: what one emits stays with the two, or leaves."""
    factors = gebhart_factors({(0, 1): 0.2, (1, 0): 0.1}, (0.8, 0.5, 0.9))
    assert float(factors[0, 2]) == float(factors[2, 2]) == 0.0
    assert float(factors[0, 1]) == pytest.approx(0.2 * 0.5 / (1.0 - 0.5 * 0.2 * 0.2 * 0.1), rel=1e-12)


def test_satellites_have_their_own_coatings():
    """Elementwise in the absorptivities."""
    ageing = jnp.array([0.1, 0.2, 0.3])
    views = {(0, 1): 0.2, (1, 0): 0.1}
    together = irradiation(views, (ageing, jnp.asarray(0.6)))[1, 0]
    alone = [float(irradiation(views, (value, jnp.asarray(0.6)))[1, 0]) for value in ageing]
    np.testing.assert_allclose(together, alone, rtol=1e-14)
