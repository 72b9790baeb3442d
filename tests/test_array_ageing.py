"""Particles on a satellite's orbit, through its glass, to the power of its array: in a run, and in gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import cell_damage, solar_cycle
from kernels.constants import DAY_S, YEAR_S
from twin.inputs import particle_fluence
from twin.prepare import prepare
from twin.rollout import lay_out, run_all

# An orbit at 1000 km that stands for eight years, with an array that limits the work done.
YEARS = 8.0
DESIGN = [
    "time.duration_s=6600",
    "time.save_every_s=600",
    "time.exchange_s=600",
    "time.chunk_s=6600",
    "constellation.satellites=2",
    "orbit.altitude_m=1000e3",
    "array.area_m2=240",
    "precision=float64",
    "distributed.devices=1",
]


@pytest.fixture(scope="module")
def aged():
    model = twin.build(twin.compose("simulate", DESIGN))
    weight = jnp.asarray(YEARS * YEAR_S / 6600.0)
    return model._replace(environment=model.environment._replace(slow_weight=weight))


def with_number(model, slot, key, value):
    (name,) = model.params
    params = {name: {group: dict(profile) for group, profile in model.params[name].items()}}
    params[name][slot][key] = value
    return params


@pytest.mark.slow
def test_run_adds_up_fluence_and_age(aged):
    (name,) = aged.params
    made = prepare(aged.structure, aged.params, aged.environment)
    carry, _ = run_all(aged.structure, lay_out(aged.structure, made), aged.environment)
    middle_days = aged.environment.start_days + (0.5 * YEARS * YEAR_S - 3300.0) / DAY_S
    activity = solar_cycle.solar_cycle_activity(middle_days)
    quiet, active = made[name].each.fluence
    expected = (quiet + activity * (active - quiet)) * YEARS * YEAR_S
    np.testing.assert_allclose(carry.slow[name].electron_fluence_per_m2.reshape(-1)[:2], expected, rtol=1e-6)
    np.testing.assert_allclose(carry.slow[name].age_s.reshape(-1)[:2], YEARS * YEAR_S, rtol=1e-9)


@pytest.mark.slow
def test_thicker_glass_gives_more_power_over_life_and_its_gradient_is_right(aged):
    def delivered(thickness_m):
        params = with_number(aged, "solar_cell", "cover_glass_thickness_m", thickness_m)
        metrics = twin.objective(aged.structure, params, aged.environment)
        return metrics["array_energy_j"] / 1e9, metrics["mass_kg"]

    evaluate = jax.jit(jax.value_and_grad(delivered, has_aux=True))
    at_m, change_m = 1.2e-4, 1e-7
    (value, _), gradient = evaluate(at_m)
    (more, heavier), (less, lighter) = (evaluate(at_m + sign * change_m)[0] for sign in (1.0, -1.0))
    assert gradient * at_m / value > 1e-4
    assert gradient == pytest.approx(float((more - less) / (2.0 * change_m)), rel=1e-3)
    assert heavier > lighter


def place(altitude_km, inclination_deg, thickness_m=1e-4, solar=0.0):
    table = cell_damage.FluenceTable(**particle_fluence.read("gallium_arsenide"))
    where = jnp.atleast_1d(jnp.asarray(altitude_km)) * 1e3, jnp.radians(jnp.atleast_1d(jnp.asarray(inclination_deg)))
    return cell_damage.fluence_rate(table, *where, thickness_m, 1000.0, solar)


def test_rates_are_the_table_s_at_its_entries_and_between_them_in_order():
    table = particle_fluence.read("gallium_arsenide")
    altitude = [float(table["altitude_m"][k]) / 1e3 for k in (2, 3)]
    inclination = float(np.degrees(table["inclination_rad"][8]))
    thickness = float(table["thickness_m"][2])
    expected = [table["electron_per_m2_s"][0, k, 8, 2] + 1e3 * table["proton_per_m2_s"][0, k, 8, 2] for k in (2, 3)]
    ours = place(altitude, [inclination, inclination], thickness).quiet_per_m2_s
    np.testing.assert_allclose(ours, expected, rtol=1e-9)
    assert expected[0] < place(0.5 * sum(altitude), inclination, thickness).quiet_per_m2_s < expected[1]


def test_glass_shields_and_retrograde_orbits_mirror():
    rates = [float(place(700.0, 98.0, t).quiet_per_m2_s[0]) for t in (0.0, 5e-5, 1e-4, 3e-4, 1.5e-3)]
    assert (np.diff(rates) < 0.0).all()
    assert rates[2] == pytest.approx(float(place(700.0, 82.0).quiet_per_m2_s[0]), rel=1e-12)


def test_solar_protons_reach_polar_orbits_in_active_years():
    (with_protons,), (without,) = (place(550.0, 98.0, solar=s).active_per_m2_s for s in (1.0, 0.0))
    assert with_protons > 1.5 * without
    np.testing.assert_array_equal(place(550.0, 98.0, solar=1.0).quiet_per_m2_s, place(550.0, 98.0).quiet_per_m2_s)
    np.testing.assert_allclose(place(550.0, 30.0, solar=1.0).active_per_m2_s, place(550.0, 30.0).active_per_m2_s)


def test_gradient_of_the_rate_is_finite_at_the_corners_of_the_table():
    slope = jax.grad(lambda h, i, t: place(h, i, t).quiet_per_m2_s[0], argnums=(0, 1, 2))
    for corner in ((300.0, 0.0, 0.0), (1e5, 90.0, 1.5e-3), (150.0, 98.0, 1e-4)):
        assert np.isfinite(slope(*corner)).all()


def test_solar_cycle_has_its_minimum_and_maximum_where_they_were():
    days = jnp.asarray([7274.0, 9060.0, 7274.0 + 11 * 365.25])  # December 2019, October 2024, end of 2030
    np.testing.assert_allclose(solar_cycle.solar_cycle_activity(days), [0.0, 1.0, 0.0], atol=1e-3)
    cycle = solar_cycle.solar_cycle_activity(jnp.linspace(7274.0, 7274.0 + 11 * 365.25, 4000))
    assert float(cycle.mean()) == pytest.approx(0.5, abs=1e-3)
