"""Visits and replacement: what they restore, when and how often, and that no schedule changes them."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import failures, registry, servicing
from kernels.constants import DAY_S, YEAR_S
from twin import ageing, anchor, energy, metrics, programs
from twin.config import ConfigError
from twin.servicing import Slots, days_ended
from twin.state import Slow

FLEET = ["constellation.satellites=37", "constellation.planes=1", "output.report=false", "distributed.devices=1"]
COUNT = 96.0


def fleet(*overrides):
    """A function of a span and slots, and the first slots, of a fleet's first cohort; its parts besides."""
    model = twin.build(twin.compose("simulate", [*FLEET, *overrides]))
    tiles = programs.lay_out(model.structure, programs.prepare(model.structure, model.params, model.environment), 1)
    (cohort,) = model.structure.cohorts
    shared, each, state, slow, told = (
        part[cohort.name]
        for part in (tiles.shared, tiles.each, tiles.carry.state, tiles.carry.slow, tiles.carry.servicing)
    )

    @jax.jit
    def ended(span_s, slots):
        start_days = model.environment.start_days
        return days_ended(model.structure, cohort, shared, each, start_days, span_s, state, slots)

    def on_grid(times_s, slots):
        for span_s in itertools.pairwise(times_s):
            slots = ended(tuple(map(jnp.asarray, span_s)), slots)
        return slots

    return on_grid, Slots(slow, told, energy.opened(state, slow)), (model, cohort, shared, each, state)


def of(leaf):
    """Values of the satellites, without padding."""
    return np.asarray(leaf).ravel()[:37]


# --- When -------------------------------------------------------------------------------------------------------------

PLAN = servicing.planned(
    visit_interval_years=2.5,
    accelerators_replaced_fraction=0.9,
    propellant_refilled_fraction=0.95,
    battery_renewed_fraction=0.5,
    service_life_years=5.0,
    least_accelerators_fraction=0.5,
    least_propellant_fraction=0.02,
    campaign_years=1.0,
    commissioning_s=30 * DAY_S,
)


def test_visits_come_in_turns_at_multiples_of_the_interval():
    days = np.arange(0.0, 5.0 * YEAR_S, DAY_S)
    for turn, first_years in ((0.0, 2.5), (1.0, 1.5), (0.25, 2.25)):
        due = np.asarray(servicing.visit_due(PLAN, days[:-1], days[1:], jnp.full(days.size - 1, turn)))
        np.testing.assert_allclose(
            days[1:][due], first_years * YEAR_S + np.array([0.0, 2.5 * YEAR_S])[: due.sum()], atol=DAY_S
        )


def test_life_ends_by_age_dead_chips_or_propellant():
    def over(age_years, turn=0.0, alive=1.0, left=1.0):
        return bool(servicing.life_over(PLAN, *map(jnp.asarray, (age_years * YEAR_S, turn, alive, left))))

    assert over(5.0) and not over(4.99) and over(4.0, turn=1.0) and not over(3.99, turn=1.0)
    assert over(1.0, alive=0.49) and not over(1.0, alive=0.51)
    assert over(1.0, left=0.01) and not over(1.0, left=0.03)


def test_service_begins_within_an_interval():
    part = [
        float(servicing.in_service(jnp.asarray(a), jnp.asarray(b), jnp.asarray(10.0)))
        for a, b in ((0, 40.0), (0, 10.0), (10.0, 11.0), (9.0, 9.0), (10.0, 10.0))
    ]
    assert part == [0.75, 0.0, 1.0, 0.0, 1.0]


def test_a_campaign_must_be_shorter_than_what_it_repeats():
    with pytest.raises(
        ConfigError, match=r"servicing.campaign_years = 3: must be below servicing.visit_interval_years = 2.5"
    ):
        twin.compose("simulate", ["servicing=visits", "servicing.campaign_years=3.0"])


# --- What -------------------------------------------------------------------------------------------------------------

WORN = {
    "accelerators_alive": 66.0,
    "propellant_kg": 66.0,
    "battery_cycle_loss": 0.08,
    "battery_calendar_square": 0.01,
    "electron_fluence_per_m2": 1e17,
    "coating_life_fraction": 0.4,
    "dose_gy": 3.0,
    "age_s": 2.5 * YEAR_S,
    "semi_major_axis_loss_m": 900.0,
    "drag_delta_v_m_per_s": 20.0,
    "hangs": 2.0,
}
MODES = ("expected", pytest.param("random", marks=pytest.mark.slow))


def worn(slots: Slots) -> Slots:
    ones = jnp.ones_like(slots.slow.age_s)
    slow = slots.slow._replace(**{name: number * ones for name, number in WORN.items()})
    return slots._replace(slow=slow, ledger=slots.ledger._replace(slow=slow))


def test_a_visit_restores_what_it_brings_and_is_counted():
    on_grid, first, (_, _, shared, *_) = fleet("servicing=visits", "servicing.campaign_years=0.0", "failures=expected")
    before = worn(first)
    after = on_grid((2.49 * YEAR_S, 2.503 * YEAR_S), before)
    slow, told, full_kg = after.slow, after.servicing, float(shared.propellant_kg)
    np.testing.assert_allclose(of(slow.accelerators_alive), 66.0 + 0.9 * 30.0, rtol=1e-6)
    np.testing.assert_allclose(of(slow.propellant_kg), 66.0 + 0.95 * (full_kg - 66.0), rtol=1e-6)
    np.testing.assert_allclose(of(slow.battery_cycle_loss), 0.04, rtol=1e-6)
    np.testing.assert_allclose(of(slow.battery_calendar_square), 0.0025, rtol=1e-6)
    np.testing.assert_allclose(of(slow.accelerators_younger_s), 27.0 / 93.0 * 2.5 * YEAR_S, rtol=2e-3)
    kept = ("electron_fluence_per_m2", "coating_life_fraction", "dose_gy", "age_s", "semi_major_axis_loss_m")
    for name in kept:
        np.testing.assert_array_equal(getattr(slow, name), getattr(before.slow, name))
    assert (of(told.visits) == 1.0).all() and not of(told.satellites_replaced).any()
    np.testing.assert_allclose(of(told.accelerators_replaced), 27.0, rtol=1e-6)
    np.testing.assert_allclose(of(told.propellant_refilled_kg), of(slow.propellant_kg) - 66.0, rtol=1e-6)
    np.testing.assert_allclose(of(told.undone["battery_cycle_loss"]), 0.04, rtol=1e-6)
    again = on_grid((2.503 * YEAR_S, 4.9 * YEAR_S), after)
    np.testing.assert_array_equal(again.servicing.visits, told.visits)


def test_expected_failures_follow_the_mean_age_of_the_chips_on_board():
    """After a visit the rate is that of the hazard at the mean of old and new accelerators."""
    on_grid, first, (model, cohort, shared, each, state) = fleet(
        "servicing=visits", "servicing.campaign_years=0.0", "failures=expected"
    )
    after = on_grid((2.49 * YEAR_S, 2.503 * YEAR_S), worn(first)).slow
    here = anchor.anchor_at(each, model.environment.start_days, jnp.asarray(0.0))
    rates = ageing.slow_rates(cohort, shared, here, after, {"sunlit_fraction": jnp.ones(())}, state)
    profile = shared.profiles["reliability"]
    law = registry.call(failures.hazard, profile, shared.profiles["accelerator"]["failure_rate_per_year"])
    by_hand = 93.0 * failures.hazard_per_year(law, jnp.asarray(66.0 / 93.0 * 2.5)) / YEAR_S
    np.testing.assert_allclose(of(rates["accelerators_alive_per_s"]), -float(by_hand), rtol=2e-3)


@pytest.mark.parametrize("mode", MODES)
def test_a_satellite_is_replaced_once_in_each_life(mode):
    """Everyone at five years and at ten, in turns that stay as far apart as they were; the new ones are new."""
    on_grid, first, (_, _, shared, *_) = fleet(
        "servicing=replacement",
        "servicing.least_accelerators_fraction=0.0",
        "servicing.campaign_years=0.5",
        "reliability.wear_out_scale_years=100",
        "accelerator.failure_rate_per_year=0.02",
        f"failures={mode}",
    )
    days, turn = 10.0 * YEAR_S / 200.0, first.servicing.turn
    slots = on_grid(np.arange(0.0, 88.0) * days, worn(first))  # 4.35 years
    assert not of(slots.servicing.satellites_replaced).any()
    slots = on_grid(np.arange(87.0, 101.0) * days, slots)  # 5 years: all had their turn
    told, slow = slots.servicing, slots.slow
    assert (of(told.satellites_replaced) == 1.0).all() and not of(told.visits).any()
    due_s = (5.0 - 0.5 * of(turn)) * YEAR_S
    assert (of(told.launched_s) >= due_s - 100.0).all() and (of(told.launched_s) <= due_s + DAY_S + 2 * days).all()
    np.testing.assert_allclose(of(told.in_service_s), of(told.launched_s) + 30 * DAY_S)
    assert (np.diff(of(told.launched_s)) >= 0.0).all()
    for name in ("battery_cycle_loss", "battery_calendar_square", "coating_life_fraction", "semi_major_axis_loss_m"):
        assert not of(getattr(slow, name)).any()
    np.testing.assert_allclose(of(slow.propellant_kg), float(shared.propellant_kg))
    np.testing.assert_allclose(of(slow.drag_delta_v_m_per_s), 20.0)
    np.testing.assert_allclose(of(told.highest_dose_gy), 3.0)
    assert (of(slow.hangs) >= 2.0).all()
    assert (of(told.turn) == 0.0).all()
    again = on_grid(np.arange(100.0, 206.0) * days, slots).servicing
    assert (of(again.satellites_replaced) == 2.0).all()
    launches_s = np.stack([of(told.launched_s), of(again.launched_s)])
    lives_s = np.diff(launches_s, axis=0)
    assert (lives_s >= 5.0 * YEAR_S).all() and (lives_s <= 5.0 * YEAR_S + DAY_S + days).all()
    waited_s = np.ceil(launches_s / days - 1e-9) * days - launches_s  # from the launch to the end of its interval
    np.testing.assert_allclose(of(again.out_of_service_s), (30 * DAY_S - waited_s).sum(axis=0), atol=1.0)


@pytest.mark.slow
def test_renewal_has_finite_gradients():
    _, first, (model, cohort, shared, each, state) = fleet("servicing=visits_and_replacement", "failures=expected")

    def alive(fraction, first: Slots):
        profiles = {**shared.profiles, "servicing": {**shared.profiles["servicing"]}}
        profiles["servicing"]["accelerators_replaced_fraction"] = fraction
        slots = first
        for years in (1.0, 2.0, 3.8):
            span_s = jnp.asarray(years * YEAR_S), jnp.asarray((years + 0.5) * YEAR_S)
            own = shared._replace(profiles=profiles)
            slots = days_ended(model.structure, cohort, own, each, model.environment.start_days, span_s, state, slots)
        return jnp.sum(slots.slow.accelerators_alive)

    by_fraction, by_first = jax.jit(jax.grad(alive, argnums=(0, 1)))(jnp.asarray(0.9, dtype=jnp.float32), worn(first))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(by_first)) and float(by_fraction) > 0.0


# --- Random, on any schedule ------------------------------------------------------------------------------------------

OFTEN = [
    "failures=random",
    "servicing=visits_and_replacement",
    "accelerator.failure_rate_per_year=15.0",
    f"servicing.visit_interval_years={2.4 / 365.25}",
    f"servicing.service_life_years={5.3 / 365.25}",
    f"servicing.campaign_years={1.2 / 365.25}",
    "servicing.commissioning_s=43200",
    "servicing.least_accelerators_fraction=0.2",
]
COUNTED = ("accelerators_alive", "accelerators_younger_s", *failures.UPSETS)
TOLD = ("visits", "satellites_replaced", "accelerators_replaced", "accelerators_retired", "launched_s")


def counts(slots):
    """Rows of what is counted, (kind, satellite)."""
    return np.stack([*(of(getattr(slots.slow, n)) for n in COUNTED), *(of(getattr(slots.servicing, n)) for n in TOLD)])


@pytest.mark.slow
def test_renewal_does_not_depend_on_schedule_or_tiles():
    on_grid, first, _ = fleet(*OFTEN)
    twelve = np.arange(13) * DAY_S
    expected = on_grid(twelve, first)
    told = expected.servicing
    assert of(told.satellites_replaced).min() >= 2.0 and of(told.visits).min() >= 2.0
    assert (of(expected.slow.accelerators_alive) == np.round(of(expected.slow.accelerators_alive))).all()
    small, first_small, _ = fleet(*OFTEN, "distributed.tile=8")
    for run, begin, times in (
        (on_grid, first, (0.0, 12 * DAY_S)),
        (on_grid, first, np.append(np.arange(0.0, 12 * DAY_S, 7000.0), 12 * DAY_S)),
        (small, first_small, twelve),
    ):
        np.testing.assert_array_equal(counts(run(times, begin)), counts(expected))


# --- Runs -------------------------------------------------------------------------------------------------------------

EIGHT_DAYS = [
    *FLEET[1:3],
    *OFTEN,
    "battery.initial_health=0.8",
    "constellation.satellites=24",
    "time.step_s=60",
    "time.save_every_s=7200",
]


def simulated(*overrides):
    result = twin.simulate(twin.compose("simulate", [*EIGHT_DAYS, *overrides]))
    return result, json.loads(result.attrs["summary"])["fleet"]


@pytest.fixture(scope="module")
def run():
    return simulated(f"time.duration_s={8 * DAY_S}", "time.exchange_s=7200", "distributed.devices=1")


@pytest.mark.slow
def test_run_with_renewal_is_the_same_on_any_devices_and_chunks(run):
    """What passes from chunk to chunk is all that a run knows: other chunks, tiles and devices change nothing."""
    ours, mine = run
    theirs, other = simulated(
        f"time.duration_s={8 * DAY_S}",
        "time.exchange_s=7200",
        "time.chunk_s=7200",
        "distributed.devices=2",
        "distributed.tile=8",
    )
    np.testing.assert_array_equal(ours.accelerators_alive, theirs.accelerators_alive)
    for name in ("accelerators_alive", "accelerators_failed", "servicing_visits", "satellites_replaced", "hangs"):
        assert mine[name] == other[name]
    assert mine["spares_mass_kg"] == pytest.approx(other["spares_mass_kg"], rel=1e-6)


def test_account_of_a_run_with_renewal_closes(run):
    """Batteries of four fifths of their capacity become new ones: were that a flow, power would miss 1.4e-4."""
    data, fleet = run
    assert fleet["satellites_replaced"] == 24.0 and fleet["servicing_visits"] >= 48.0
    assert fleet["power_balance_residual"] < 1e-5 and fleet["heat_balance_residual"] < 1e-5
    alive = data.accelerators_alive.values
    assert (alive == np.round(alive)).all() and fleet["accelerators_failed"] > fleet["accelerators_replaced"] > 0.0
    assert fleet["accelerators_alive"] == alive[-1].sum()
    assert fleet["out_of_service_fraction"] == pytest.approx(0.5 / 8, rel=1e-9)
    assert fleet["replacement_mass_kg"] == pytest.approx(fleet["mass_kg"])
    assert 0.0 < fleet["battery_cycle_loss_per_year"] < 1.0 and fleet["propellant_used_kg"] > 0.0
    idle = data.compute_rate_flops.values == 0.0  # half a day from the day of the replacement on
    assert (idle.sum(axis=0) == 6).all() and fleet["array_loss_per_year"] > 0.0


def test_the_frame_of_a_replacement_is_of_the_new_satellite_alone(run):
    """The payload idles from the frame after it on; batteries of the start had four fifths of their capacity."""
    data, _ = run
    last = (data.compute_rate_flops.values == 0.0).argmax(axis=0) - 1, np.arange(24)
    new = {"accelerators_alive": COUNT, "battery_health": 1.0, "battery_resistance_growth": 1.0}
    worn = ("electron_fluence_per_m2", "semi_major_axis_loss_m", "coating_life_fraction", "dose_gy")
    for name, value in (new | dict.fromkeys(worn, 0.0)).items():
        np.testing.assert_allclose(data[name].values[last], value, rtol=1e-6, err_msg=name)
    for name in ("propellant_kg", "array_health", "battery_health"):
        assert (data[name].values[last] > data[name].values[last[0] - 1, last[1]]).all(), name


@pytest.mark.slow
def test_dead_fraction_of_a_fleet_is_of_the_accelerators_in_the_account():
    """96 chips in four satellites and 8 in one: the account is of both, of the serviced ones, or of nobody."""
    few = '+cohorts.few=["accelerator.count=8","constellation.satellites=1"%s]'
    many = '+cohorts.many=["accelerator.count=96","constellation.satellites=4"%s]'
    unserviced, none = ',"servicing=none"', ',"accelerator.count=0"'

    def dead(*cohorts):
        overrides = ["distributed.devices=1", "constellation.planes=1", "servicing=visits", *cohorts]
        model = twin.build(twin.compose("simulate", overrides))
        prepared = programs.prepare(model.structure, model.params, model.environment)
        carry = programs.lay_out(model.structure, prepared, 1).carry
        told = {}
        for name, chips in {"few": 2.0, "many": 12.0}.items():
            if name in carry.servicing:
                dead_s = chips * metrics.run_duration_s(model.structure, prepared[name])
                account = carry.servicing[name]
                told[name] = account._replace(accelerators_dead_s=jnp.full_like(account.turn, dead_s))
        fleet, _ = programs.all_metrics(model.structure, prepared, carry._replace(servicing=told))
        return float(fleet["accelerators_dead_fraction"])

    assert dead(few % "", many % "") == pytest.approx(50.0 / 392.0)
    assert dead(few % unserviced, many % "") == pytest.approx(12.0 / 96.0)
    assert np.isnan(dead(few % none, many % unserviced))


def test_slow_variables_are_all_renewed_or_kept():
    """A new row of `Slow` must be decided on: nothing of an old satellite may live on by mistake."""
    from twin import servicing as renewal

    kept = {"accelerators_alive", "propellant_kg", "drag_delta_v_m_per_s", *failures.UPSETS}
    assert {*Slow._fields} == {*renewal.WORN} | kept


def test_the_experiment_of_ten_years_is_what_it_says():
    config = twin.compose("simulate", ["experiment=ten_years"])
    assert config.failures == "random" and config.cohorts[0].profiles["servicing"].model == "planned"
    days = np.datetime64("2036-01-01") - np.datetime64(config.time.start[:10])
    assert config.time.duration_s == days.astype(int) * DAY_S
