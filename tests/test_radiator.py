"""Fins and coating of a radiator: limits, gradients, and how a coating ages in a run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import radiator
from kernels.constants import YEAR_S
from twin.ageing import condition
from twin.prepare import prepare

FIN = {
    "facesheet_thickness_m": 0.4e-3,
    "conductivity_w_per_m_k": 167.0,
    "tube_spacing_m": 0.13,
    "design_temperature_k": 300.0,
}


def efficiency(**changes):
    return radiator.fin_efficiency(jnp.asarray(0.9), **FIN | changes)


def test_short_fins_are_perfect_and_follow_the_series():
    """1 - 4 n / 3 to first order in the conduction number."""
    assert float(radiator.radiating_fin_efficiency(jnp.asarray(1e-4))) == pytest.approx(1.0 - 4e-4 / 3.0, abs=1e-7)


def test_efficiency_depends_on_spacing_squared_over_thickness():
    same = efficiency(tube_spacing_m=0.26, facesheet_thickness_m=1.6e-3)
    assert float(same) == pytest.approx(float(efficiency()), rel=1e-12)
    assert efficiency(tube_spacing_m=0.2) < efficiency() < efficiency(conductivity_w_per_m_k=300.0) < 1.0


@pytest.mark.parametrize("key", FIN)
def test_gradient_of_the_fin(key):
    step = 1e-5 * FIN[key]
    numeric = (efficiency(**{key: FIN[key] + step}) - efficiency(**{key: FIN[key] - step})) / (2.0 * step)
    slope = jax.grad(lambda value: efficiency(**{key: value}))(FIN[key])
    assert float(slope) == pytest.approx(float(numeric), rel=1e-5)


COATING = {"absorptivity_bol": 0.15, "absorptivity_eol": 0.29, "emissivity_bol": 0.91, "emissivity_eol": 0.88}


@pytest.mark.parametrize(("life", "absorptivity"), [(0.0, 0.15), (0.5, 0.22), (1.0, 0.29), (3.0, 0.29)])
def test_coating_darkens_until_the_end_of_its_life(life, absorptivity):
    assert float(radiator.aged_optics(**COATING, life_fraction=life).absorptivity) == pytest.approx(absorptivity)


@pytest.mark.slow
def test_step_reads_the_absorptivity_of_the_coatings_age(small):
    cohort = small.structure.cohorts[0]
    prepared = prepare(small.structure, small.params, small.environment)[cohort.name]
    new, old = (
        condition(cohort, prepared.shared, prepared.slow._replace(coating_life_fraction=jnp.full(4, life)))
        for life in (0.0, 1.0)
    )
    profile = small.params[cohort.name]["coating"]
    deck = [face.name for face in cohort.topology.surfaces].index("bus_deck_up")
    area_m2 = prepared.shared.surfaces.area_m2[deck]
    np.testing.assert_allclose(new.light_m2[deck][0], area_m2 * profile["absorptivity_bol"])
    np.testing.assert_allclose(old.light_m2[deck][0], area_m2 * profile["absorptivity_eol"])


@pytest.mark.slow
def test_coating_ages_with_the_time_in_sunlight():
    """A life of a hundredth of a year is seen in an orbit; the darker coating takes up more heat."""
    short = [
        "time.duration_s=6000",
        "time.save_every_s=600",
        "time.exchange_s=600",
        "constellation.satellites=2",
        "attitude=local_vertical",
        "coating.life_fraction=0.0",
        "distributed.devices=1",
    ]
    quick, slow = (
        twin.simulate(twin.compose("simulate", [*short, f"coating.design_life_years={years}"])) for years in (1e-3, 1e3)
    )
    lit_s = 600.0 * quick.sunlit_fraction.sum("time")
    np.testing.assert_allclose(quick.coating_life_fraction[-1], lit_s / (1e-3 * YEAR_S), rtol=1e-5)
    assert float(slow.coating_life_fraction[-1].max()) < 1e-6
    warmer = (quick.absorbed_environment_heat_w - slow.absorbed_environment_heat_w).values
    assert abs(warmer[0].mean()) < 0.5 * warmer[-1].mean()
