"""Dose, upsets and failures: closed forms, and random draws that no schedule changes."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import failures, radiation, registry
from kernels.constants import DAY_S, YEAR_S
from kernels.solar_cycle import solar_cycle_activity
from twin import programs
from twin.failures import fail

FLEET = ["constellation.satellites=37", "accelerator.failure_rate_per_year=30.0", "output.report=false"]


@pytest.fixture(scope="module")
def profile():
    """The shipped reliability profile."""
    shipped = twin.compose("simulate", []).cohorts[0].profiles["reliability"]
    return {name: jnp.asarray(getattr(shipped, name)) for name in registry.schema("reliability", None)}


# --- Closed forms -----------------------------------------------------------------------------------------------------


def test_solar_cycle_rises_from_minimum_to_maximum():
    minimum, maximum = 7273.5, 9039.5  # December 2019, October 2024
    assert float(solar_cycle_activity(minimum)) == pytest.approx(0.0, abs=1e-12)
    assert float(solar_cycle_activity(maximum)) == pytest.approx(1.0)
    days = minimum + np.linspace(-4017.75, 8035.5, 3001)[:-1]
    activity = np.asarray(solar_cycle_activity(days))
    assert activity.mean() == pytest.approx(0.5, abs=1e-3)
    assert np.abs(np.diff(activity)).max() < 0.5 * np.pi * (days[1] - days[0]) / 1766.0 * 1.01


def test_hazard_burns_in_and_wears_out(profile):
    """The rate at once is burn-in times base; of wear-out alone, 1/e survive the scale."""
    law = registry.call(failures.hazard, profile, 0.2)
    start = failures.hazard_per_year(law, jnp.asarray(0.0))
    assert float(start) == pytest.approx(0.2 * 4.43, rel=1e-9)
    worn = failures.cumulative_hazard(law._replace(base_rate_per_year=0.0), profile["wear_out_scale_years"])
    assert float(worn) == pytest.approx(1.0)
    ages = jnp.linspace(0.01, 12.0, 50)
    shape, scale = (float(profile[name]) for name in ("wear_out_shape", "wear_out_scale_years"))
    by_hand = 0.2 * (1.0 + 3.43 * np.exp(-ages / 0.1)) + shape / scale * (ages / scale) ** (shape - 1.0)
    np.testing.assert_allclose(failures.hazard_per_year(law, ages), by_hand, rtol=1e-9)
    slope = jax.vmap(jax.grad(lambda age: failures.cumulative_hazard(law, age)))(ages)
    np.testing.assert_allclose(failures.hazard_per_year(law, ages), slope, rtol=1e-9)


def test_a_crash_stops_a_host_and_an_upset_a_job(profile):
    alone = registry.call(failures.upsets, profile | {"accelerators_per_job": jnp.asarray(1.0)})
    assert float(alone.per_gy["crashes"]) == pytest.approx(1.0 / (2.118 * 8.0))
    by_hand = 10.0 / 0.172 + 300.0 / 0.44 + 600.0 / 50.0 + 900.0 / 2.118
    assert float(alone.stopped_s_per_gy) == pytest.approx(by_hand)
    wide = registry.call(failures.upsets, profile | {"accelerators_per_job": jnp.asarray(72.0)})
    assert float(wide.stopped_s_per_gy) == pytest.approx(72.0 * (by_hand - 900.0 / 2.118) + 9.0 * 900.0 / 2.118)
    assert float(failures.stopped_fraction(100.0, jnp.asarray(0.01))) == pytest.approx(0.5)


def test_dose_falls_with_shielding_and_rises_with_altitude():
    def dose(altitude_m, shielding_m, inclination_rad=1.71):
        field = radiation.spenvis_table(altitude_m, inclination_rad, shielding_m=shielding_m, dose_factor=1.0)
        return field.trapped_minimum_gy_per_s + field.solar_gy_per_s

    heights = jnp.linspace(3e5, 2e6, 60)
    assert (jnp.diff(dose(heights, 0.01)) > 0.0).all()
    assert float(dose(jnp.asarray(6e5), 0.003)) > float(dose(jnp.asarray(6e5), 0.006)) > 0.0
    assert float(dose(jnp.asarray(3.6e7), 0.01)) == float(dose(jnp.asarray(2e6), 0.01))
    for altitude_m in (5.8e5, 9.1e5):
        slope = jax.grad(dose)(altitude_m, 0.007)
        assert float(slope) == pytest.approx(
            float(dose(altitude_m + 1, 0.007) - dose(altitude_m - 1, 0.007)) / 2, rel=1e-4
        )


def test_dose_of_an_eccentric_orbit_is_its_mean_in_time():
    """A dose that is linear in altitude has the mean a (1 + e^2 / 2) of the radius."""

    def linear(altitude_m):
        return radiation.Field(altitude_m, 2.0 * altitude_m, 0.0 * altitude_m)

    axis_m, e = jnp.asarray(8e6), jnp.asarray(0.1)
    mean = radiation.over_orbit(linear, axis_m, e).trapped_minimum_gy_per_s
    assert float(mean) == pytest.approx(8e6 * (1.0 + 0.5 * 0.01) - 6_378_137.0, rel=1e-12)


def test_anomaly_lies_over_the_south_atlantic():
    at = jnp.asarray(6.5e5), jnp.asarray(1.71)
    now = radiation.exposure(
        radiation.spenvis_table(*at, shielding_m=0.01, dose_factor=1.0),
        radiation.anomaly(*at, anomaly_fraction=0.95),
        0.0,
    )
    latitude, longitude = np.meshgrid(np.radians(np.arange(-88, 89, 2.0)), np.radians(np.arange(-180, 180, 2.0)))
    direction = (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    centre = float(radiation.anomaly_longitude_rad(9700.0))  # mid-2026
    rate = np.asarray(radiation.dose_rate_at(now, direction, centre))
    worst = np.unravel_index(rate.argmax(), rate.shape)
    assert np.degrees(latitude[worst]) == pytest.approx(-28.0, abs=2.0)
    assert np.degrees(longitude[worst]) == pytest.approx(-56.0, abs=2.0)
    assert rate.max() > 300.0 * rate.min() > 0.0
    poles = radiation.dose_rate_at(now, (jnp.zeros(2), jnp.zeros(2), jnp.asarray([1.0, -1.0])), centre)
    assert np.isfinite(np.asarray(poles)).all()


# --- Draws ------------------------------------------------------------------------------------------------------------


def fleet(*overrides):
    """Arguments of `fail` of a fleet's first cohort, and its number of satellites."""
    model = twin.build(twin.compose("simulate", ["failures=random", *FLEET, *overrides]))
    tiles = programs.lay_out(model.structure, programs.prepare(model.structure, model.params, model.environment), 1)
    cohort = model.structure.cohorts[0]
    shared, each, slow = (part[cohort.name] for part in (tiles.shared, tiles.each, tiles.carry.slow))
    return (shared, each, model.environment.start_days), slow, cohort.satellites


COUNTED = ("accelerators_alive", *failures.UPSETS)
failed = jax.jit(fail)


def after(boundaries_s, *overrides):
    """Counts (kind, satellite) at the end of a run whose exchanges fall on the given instants."""
    arguments, slow, satellites = fleet(*overrides)
    for begin, end in itertools.pairwise(boundaries_s):
        slow = failed(*arguments, (jnp.asarray(begin), jnp.asarray(end)), slow)
    return np.stack([np.asarray(getattr(slow, name)).ravel()[:satellites] for name in COUNTED])


WEEK_S = 7 * DAY_S
DAILY = tuple(np.arange(8) * DAY_S)


@pytest.mark.slow
def test_draws_do_not_depend_on_the_schedule():
    """Boundaries that divide a day, that do not, that span several days, and a last day that is not over."""
    expected = after(DAILY)
    assert expected[1:].sum() > 0 and (expected == np.round(expected)).all()
    for boundaries in (
        np.arange(0.0, WEEK_S + 1, 600.0),
        np.append(np.arange(0.0, WEEK_S, 7000.0), WEEK_S),
        (0.0, WEEK_S),
    ):
        np.testing.assert_array_equal(after(boundaries), expected)
    np.testing.assert_array_equal(after((0.0, WEEK_S + 0.99 * DAY_S)), expected)
    assert (after((0.0, 0.99 * DAY_S))[0] == 96.0).all()


@pytest.mark.slow
def test_draws_belong_to_the_satellite_and_the_seed():
    """Tiles, padding and more satellites change no satellite's draws; another seed changes most."""
    expected = after(DAILY)
    np.testing.assert_array_equal(after(DAILY, "distributed.tile=8"), expected)
    more = after(DAILY, "constellation.satellites=70", "constellation.planes=1", "distributed.tile=64")
    one = after(DAILY, "constellation.planes=1")
    np.testing.assert_array_equal(more[:, :37], one)
    other = after(DAILY, "seed=1")
    assert (other[0] != expected[0]).mean() > 0.5
    assert np.unique(expected[0]).size > 5


@pytest.mark.slow
def test_cohorts_have_streams_of_their_own():
    cohorts = ['+cohorts.a=["constellation.satellites=3"]', '+cohorts.b=["constellation.satellites=2"]']
    model = twin.build(twin.compose("simulate", ["failures=random", *FLEET, *cohorts, "constellation.planes=1"]))
    prepared = programs.prepare(model.structure, model.params, model.environment)
    keys = np.concatenate([jax.random.key_data(prepared[name].each.random_key) for name in ("a", "b")])
    whole = twin.build(twin.compose("simulate", ["constellation.satellites=5", "constellation.planes=1"]))
    (alone,) = programs.prepare(whole.structure, whole.params, whole.environment).values()
    np.testing.assert_array_equal(keys, jax.random.key_data(alone.each.random_key))


def test_a_dead_satellite_stays_dead():
    counts = after((0.0, 30 * DAY_S), "accelerator.failure_rate_per_year=5000.0")
    assert (counts[0] == 0.0).all() and np.isfinite(counts).all()


# --- Runs -------------------------------------------------------------------------------------------------------------

TWO_DAYS = [*FLEET, "time.step_s=60", "time.save_every_s=3600", f"time.duration_s={2 * DAY_S + 7200.0}"]


def simulated(*overrides):
    result = twin.simulate(twin.compose("simulate", [*TWO_DAYS, *overrides]))
    return result, json.loads(result.attrs["summary"])["fleet"]


@pytest.mark.slow
def test_random_run_is_the_same_on_any_schedule():
    """One device, or two with small tiles, shorter chunks and other exchanges: the same accelerators die."""
    ours, summary = simulated("failures=random", "distributed.devices=1")
    theirs, other = simulated(
        "failures=random", "distributed.devices=2", "distributed.tile=8", "time.chunk_s=14400", "time.exchange_s=7200"
    )
    np.testing.assert_array_equal(ours.accelerators_alive, theirs.accelerators_alive)
    assert {name: summary[name] for name in COUNTED} == {name: other[name] for name in COUNTED}
    alive = ours.accelerators_alive.values
    assert (alive == np.round(alive)).all() and (alive[:23] == 96.0).all() and (alive[23] < 96.0).any()
    assert all(np.isfinite(ours[name]).all() for name in ours.data_vars)


@pytest.mark.slow
def test_expected_run_loses_what_upsets_cost(profile):
    """Counts follow the mean dose; what upsets cost is the time stopped by the dose of each step."""
    lossy, summary = simulated(
        "failures=expected",
        "distributed.devices=1",
        "accelerator.failure_rate_per_year=0",
        "workload.utilization=1.0",
        "radiation.dose_factor=100",
    )
    dose_gy = float(lossy.dose_gy[-1].mean())
    duration_s = 2 * DAY_S + 7200.0
    assert summary["max_dose_gy"] == pytest.approx(float(lossy.dose_gy[-1].max()))
    assert 100.0 < dose_gy / duration_s * YEAR_S / radiation.RAD_GY / 100.0 < 500.0
    assert summary["memory_errors"] == pytest.approx(37 * 96 * dose_gy / 0.44, rel=0.1)
    stopped = float(registry.call(failures.upsets, profile).stopped_s_per_gy) * dose_gy / duration_s
    share = summary["work_lost_to_upsets_flop"] / (summary["work_lost_to_upsets_flop"] + summary["delivered_flop"])
    assert 0.3 * stopped < share < stopped  # while stopped an accelerator cannot be stopped again


def test_without_failures_nothing_is_upset():
    (shared, *_), _, _ = fleet("failures=none")
    assert float(shared.upsets.stopped_s_per_gy) == 0.0 and float(shared.expected) == 0.0
    assert not any(float(rate) for rate in shared.upsets.per_gy.values())
