"""Drag, the thermosphere and station-keeping: limits, closed forms, what a run shows, and refused input."""

import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shared_run import ORBIT, SATELLITES
from validation.test_drag import GAS

import twin
from kernels import atmosphere, drag, orbit, propulsion, registry
from kernels.constants import DAY_S, EARTH_GRAVITY_M3_PER_S2, EARTH_RADIUS_M, STANDARD_GRAVITY_M_PER_S2, YEAR_S
from twin import health
from twin.inputs import thermosphere
from twin.refusal import ConfigError

SHORT = [*ORBIT, "precision=float64"]


@pytest.fixture(scope="module")
def table():
    return thermosphere.density()


def profile(table, f107, ap):
    return atmosphere.log_profile(table, atmosphere.Activity(jnp.asarray(f107), jnp.asarray(ap)))


def test_density_at_a_knot_is_that_of_the_table(table):
    density = atmosphere.density_kg_per_m3(jnp.asarray(300e3), table, profile(table, 65.0, 4.0))
    assert float(density) == pytest.approx(6.4275e-12, rel=1e-6)


def test_density_beyond_the_table_falls_with_the_last_scale_height(table):
    heights = jnp.asarray([980e3, 1000e3, 1020e3, 1500e3, 3.6e7])
    density = np.asarray(atmosphere.density_kg_per_m3(heights, table, profile(table, 140.0, 15.0)))
    assert density[2] / density[1] == pytest.approx(density[1] / density[0])
    assert (np.diff(density) < 0.0).all()
    assert np.isfinite(density).all()


def test_density_rises_with_activity_and_has_a_gradient(table):
    def density(f107, ap, height):
        return atmosphere.density_kg_per_m3(height, table, profile(table, f107, ap))

    slopes = jax.grad(density, argnums=(0, 1, 2))(jnp.asarray(133.0), jnp.asarray(10.0), jnp.asarray(555e3))
    assert slopes[0] > 0.0
    assert slopes[1] > 0.0
    assert slopes[2] < 0.0


def test_record_ends_are_held_and_a_run_beyond_them_says_so():
    profile = SimpleNamespace(model="recorded", file="space_weather.csv")
    record = thermosphere.activity(profile)
    last = float(record.days[-1])
    (remark,) = thermosphere.remarks(profile, record, last - 100.0, 3650.0 * DAY_S)
    assert remark.startswith("Solar activity after 2041-10-01, beyond space_weather.csv: held at F10.7 = 68.8 sfu")
    assert thermosphere.remarks(profile, record, last - 100.0, 99.0 * DAY_S) == []
    assert float(atmosphere.recorded(record.days[-1] + 1e4, record).f107_sfu) == float(record.f107_sfu[-1])
    # Solar maximum of cycle 25 and the minimum before it.
    high, low = (atmosphere.recorded(jnp.asarray(d), record).f107_sfu for d in (8979.0, 7275.0))
    assert float(low) < 75.0
    assert float(high) > 190.0


@pytest.mark.parametrize("angle", [0.3, 1.0, 1.4])
def test_fast_cold_flow_gives_newton(angle):
    """Without thermal motion a plate stops what it meets: 2 cos, and nothing on its lee."""
    gas = GAS | {"gas_temperature_k": 1e-3, "wall_temperature_k": 1e-3, "energy_accommodation": 1.0}
    front = registry.call(drag.plate_coefficient, gas, jnp.cos(angle), jnp.asarray(7600.0))
    back = registry.call(drag.plate_coefficient, gas, -jnp.cos(angle), jnp.asarray(7600.0))
    assert float(front) == pytest.approx(2.0 * np.cos(angle), rel=1e-3)
    assert float(back) == pytest.approx(0.0, abs=1e-6)


def test_loss_of_axis_conserves_energy():
    axis, force, mass = 6.9e6, 2e-3, 800.0
    loss = float(drag.axis_loss_m_per_s(jnp.asarray(force), jnp.asarray(mass), jnp.asarray(axis)))
    power = force * np.sqrt(EARTH_GRAVITY_M3_PER_S2 / axis)
    assert mass * EARTH_GRAVITY_M3_PER_S2 / (2.0 * axis**2) * loss == pytest.approx(power)


def test_no_burn_is_needed_below_the_perigee_of_disposal():
    low = propulsion.disposal_delta_v_m_per_s(jnp.asarray(EARTH_RADIUS_M + 40e3), jnp.asarray(50e3))
    assert float(low) == 0.0
    assert np.isfinite(float(jax.grad(propulsion.disposal_delta_v_m_per_s)(jnp.asarray(7e6), jnp.asarray(50e3))))


@pytest.fixture(scope="module")
def held():
    return twin.simulate(twin.compose("simulate", [*SHORT, "orbit.altitude_m=450e3"]))


@pytest.fixture(scope="module")
def falling():
    settings = [*SHORT, "orbit.altitude_m=450e3", "station_keeping=free_decay"]
    return twin.simulate(twin.compose("simulate", settings))


def test_held_orbit_keeps_its_altitude_and_uses_propellant(held):
    fleet = json.loads(held.attrs["summary"])["fleet"]
    assert float(held.semi_major_axis_loss_m.max()) == 0.0
    hours = 6000.0 / YEAR_S
    avoided = 33.0 * 0.03 * hours
    mass = fleet["mass_kg"] / SATELLITES
    met = float(held.drag_delta_v_m_per_s[-1].mean())
    expected = mass * (met + avoided) / (2500.0 * STANDARD_GRAVITY_M_PER_S2)
    assert fleet["propellant_used_kg"] / SATELLITES == pytest.approx(expected, rel=1e-3)
    assert met / hours == pytest.approx(fleet["drag_delta_v_m_per_s_per_year"], rel=1e-5)
    # Sized for five years, with a tenth in reserve, for the mean of the solar cycle ahead.
    assert 1.5 < fleet["propellant_life_years"] < 10.0


def test_free_orbit_sinks_by_its_drag(falling):
    fleet = json.loads(falling.attrs["summary"])["fleet"]
    met, lost = float(falling.drag_delta_v_m_per_s[-1, 0]), float(falling.semi_major_axis_loss_m[-1, 0])
    motion = np.sqrt(EARTH_GRAVITY_M3_PER_S2 / (EARTH_RADIUS_M + 450e3) ** 3)
    assert lost == pytest.approx(2.0 * met / motion, rel=1e-3)
    assert fleet["propellant_used_kg"] == 0.0
    assert fleet["propellant_life_years"] is None
    assert fleet["max_semi_major_axis_loss_m"] == pytest.approx(float(falling.semi_major_axis_loss_m.max()), rel=1e-6)


def test_fleet_that_comes_down_is_reported():
    settings = [*SHORT, "orbit.altitude_m=200e3", "station_keeping=free_decay", "atmosphere=high"]
    settings += ["time.duration_s=24000", "time.chunk_s=6000"]
    with pytest.raises(health.HealthError, match=r"satellite 0 \(reference-0\) has decayed to 1\d\d km at 2026-06-14"):
        twin.simulate(twin.compose("simulate", settings))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["atmosphere=moderate", "atmosphere.f107_sfu=20"], "atmosphere.f107_sfu = 20: must be at least 50"),
        (["station_keeping.hold_fraction=2"], "station_keeping.hold_fraction = 2: must be at least 0 and at most 1"),
        (["propulsion.specific_impulse_s=0"], "propulsion.specific_impulse_s = 0: must be above 0"),
        (["atmosphere.file=nothing.csv"], "atmosphere.file = 'nothing.csv': nothing.csv: no such file"),
        (["atmosphere.file=null"], "atmosphere.file: missing"),
        (["atmosphere.file=nrlmsis21_mean_density.csv"], "must have the columns date"),
    ],
)
def test_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        twin.build(twin.compose("simulate", [*SHORT, *settings]))


def test_a_record_outside_the_range_is_refused(tmp_path):
    record = tmp_path / "record.csv"
    record.write_text("date,f107_81day_sfu,ap\n2026-01-01,150,10\n2027-01-01,1e9,10\n")
    with pytest.raises(ConfigError, match=r"f107_81day_sfu = 1e\+09: must be at least 50 and at most 400 sfu"):
        twin.build(twin.compose("simulate", [*SHORT, f"atmosphere.file={record}"]))


def test_lower_orbit_runs_ahead(falling):
    """The phase at the end is that of the mean motion grown by three halves of the loss over the axis."""
    axis = jnp.asarray(EARTH_RADIUS_M + 450e3)
    stretch = drag.stretch(axis, jnp.asarray(2000.0))
    grown = orbit.mean_motion_rad_per_s(axis - 2000.0) / orbit.mean_motion_rad_per_s(axis)
    assert float(stretch**1.5) == pytest.approx(float(grown), rel=1e-12)
    assert (np.diff(falling.altitude_m.values[:, 0]) <= 0.0).all()
