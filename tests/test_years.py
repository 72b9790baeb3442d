"""Windows that stand for longer stretches: where they stand, how satellites settle before them, and what they give."""

import json
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import failures
from twin import programs
from twin.reporting import console, page, report
from twin.settling import FIRST, moved_on, unsettled
from twin.state import State
from twin.structure import Schedule, moment

SCHEDULE = Schedule(step_ms=60_000, steps=5 * 96, save_steps=12, exchange_steps=12, chunk_steps=96, settling_chunks=2)
CHUNK_S = 5760.0


def test_windows_stand_in_the_middle_of_equal_stretches():
    """Their stretches follow each other without a gap; along the orbit they follow each other."""
    weight, chunks = 20.5, np.arange(15)
    assert SCHEDULE.simulated_steps == 15 * 96
    now = moment(SCHEDULE, weight, chunks * 96)
    window = now.weight > 0.0
    assert window.tolist() == [False, False, True] * 5
    np.testing.assert_allclose(now.weight[window], weight)
    np.testing.assert_allclose(now.counted_s[window], np.arange(5) * weight * CHUNK_S)
    middle_s = now.date_s[window] + 0.5 * CHUNK_S
    np.testing.assert_allclose(middle_s, now.counted_s[window] + 0.5 * weight * CHUNK_S)
    np.testing.assert_allclose(now.date_s[~window].reshape(5, 2), middle_s[:, None] + np.array([-2.5, -1.5]) * CHUNK_S)
    np.testing.assert_allclose(now.flown_s, chunks * CHUNK_S)


def test_without_weight_time_passes_as_simulated():
    schedule = Schedule(step_ms=500, steps=1000, save_steps=10, exchange_steps=20, chunk_steps=60, settling_chunks=0)
    for done in (0, 60, 130, 990):
        assert moment(schedule, 1.0, done) == (0.5 * done, 0.5 * done, 0.5 * done, 1.0, None)


def body(bus_k, battery_k):
    """A state of two nodes."""
    charge = jnp.full_like(bus_k, 0.7)
    return State({"array": bus_k, "battery": battery_k, "bus": bus_k}, {}, charge, 0.0 * charge, charge)


BODY = SimpleNamespace(
    ports=SimpleNamespace(bus=(2,), battery=(1,)), topology=SimpleNamespace(nodes=("array", "battery", "bus"))
)
NUMBERS = SimpleNamespace(
    network=SimpleNamespace(heat_capacity_j_per_k=(1.0, 3.0, 1.0)),
    profiles={"battery": {"heater_set_point_k": jnp.asarray(270.0)}},
)


def test_settling_stops_at_the_heater():
    """A pack that cools is not moved on below the set point of its heater; one that is below stays where it is."""
    first = body(jnp.asarray([272.0, 269.0]), jnp.asarray([272.0, 269.0]))
    last = body(first.temperature_k["bus"] - 1.0, first.temperature_k["battery"] - 1.0)
    moved, _ = moved_on(BODY, NUMBERS, jnp.asarray(0.0), (first, last), unsettled(first))
    np.testing.assert_allclose(moved.temperature_k["battery"], [270.0, 268.0])


def test_settling_finds_the_cycle_of_a_body_that_relaxes():
    """The second chunk tells how much of the way is gone in one: the end is found at once, whatever the rate."""
    rate, end_k = jnp.asarray([0.08, 0.2, 0.9]), jnp.asarray([285.0, 300.0, 290.0])

    def chunk(state):
        return body(*(state.temperature_k[n] + rate * (end_k - state.temperature_k[n]) for n in ("bus", "battery")))

    first = body(jnp.full(3, 293.0), jnp.full(3, 293.0))
    last, known = moved_on(BODY, NUMBERS, jnp.asarray(0.0), (first, chunk(first)), unsettled(first))
    np.testing.assert_allclose(last.temperature_k["bus"] - 293.0, FIRST * rate * (end_k - 293.0))
    np.testing.assert_array_equal(last.temperature_k["array"], chunk(first).temperature_k["array"])
    found, known = moved_on(BODY, NUMBERS, jnp.asarray(0.0), (last, chunk(last)), known)
    np.testing.assert_allclose(found.temperature_k["battery"], end_k, rtol=1e-9)
    counted, known = moved_on(BODY, NUMBERS, jnp.asarray(20.0), (last, chunk(last)), known)
    np.testing.assert_array_equal(counted.temperature_k["bus"], chunk(last).temperature_k["bus"])
    assert not np.any(known.start_k) and not np.any(known.rise_k)


# --- A month ----------------------------------------------------------------------------------------------------------

CHUNKS = 450  # 30 days
MONTH = [
    "time=year_sampled",
    f"time.duration_s={CHUNKS * CHUNK_S}",
    f"time.chunk_s={CHUNK_S}",
    "time.exchange_s=720",
    "time.save_every_s=720",
    "orbit=mid_inclination_550",
    "array.area_m2=760",
    "battery.energy_j=1.5e9",
    "constellation=walker_delta",
    "constellation.satellites=4",
    "constellation.planes=4",
    "failures=random",
    "distributed.devices=1",
    "output.report=false",
]


WINDOWS = ["time.weight=40", f"time.settle_s={2 * CHUNK_S}"]


def simulate(*overrides):
    result = twin.simulate(twin.compose("simulate", [*MONTH, *overrides]))
    return result, json.loads(result.attrs["summary"])


@pytest.fixture(scope="module")
def full():
    return simulate("time.weight=1", "time.settle_s=0")


@pytest.fixture(scope="module")
def sampled(full):
    """The same month in 12 windows; what the full run has compiled serves it too."""
    compiled = len(programs._chunks)
    result = simulate(*WINDOWS)
    assert len(programs._chunks) == compiled
    return result


@pytest.mark.slow
def test_windows_give_what_the_full_run_gives(full, sampled):
    ours, theirs = (summary["fleet"] for _, summary in (sampled, full))
    assert ours["delivered_flop"] == pytest.approx(theirs["delivered_flop"], rel=1e-3)
    assert ours["battery_cycle_loss_per_year"] == pytest.approx(theirs["battery_cycle_loss_per_year"], rel=1e-2)
    loss = [1.0 - float(result.battery_health[-1].mean()) for result, _ in (sampled, full)]
    assert loss[0] == pytest.approx(loss[1], rel=1e-2)


@pytest.mark.slow
def test_windows_stand_for_the_whole_duration(full, sampled):
    result, summary = sampled
    steps = summary["run"]["satellite_steps"]
    assert summary["run"]["duration_s"] == full[1]["run"]["duration_s"] == CHUNKS * CHUNK_S
    assert steps == 4 * 12 * 3 * 96 and summary["run"]["simulated_s"] == 12 * 3 * CHUNK_S
    assert result.sizes["time"] == 12 * 8
    gaps_s = np.diff(result.time.values[::8]) / np.timedelta64(1, "s")
    np.testing.assert_allclose(gaps_s, CHUNKS * CHUNK_S / 12, atol=2e-3)


@pytest.mark.slow
def test_what_people_read_names_the_calendar_and_the_share_simulated(sampled):
    result, _ = sampled
    configuration = json.loads(result.attrs["configuration"])
    assert report.sizes(result, configuration)["frames_planned"] == result.sizes["time"]
    facts = SimpleNamespace(
        configuration=configuration, sizes=report.sizes(result, configuration), fleet={}, cohorts={}, summary={}
    )
    assert "30 days from 2026-01-01 00:00:00 UTC in steps of 60 s, by windows of 96 min" in page.statement(facts)
    assert "with their settling 8.0% of that time" in page.statement(facts)
    first, *_ = console.introduction(twin.build(twin.compose("simulate", [*MONTH, *WINDOWS])))
    assert "30 days, 8.0% of it simulated, in steps of 60 s" in first


@pytest.mark.slow
def test_energy_balances_over_windows(sampled):
    fleet = sampled[1]["fleet"]
    assert fleet["power_balance_residual"] < 2e-4 and fleet["heat_balance_residual"] < 1e-5


@pytest.mark.slow
def test_every_day_has_its_failures(full, sampled):
    """The draws of a day are keyed by the day: windows draw those of all days that they stand for."""
    (ours, mine), (theirs, other) = sampled, full
    np.testing.assert_array_equal(ours.accelerators_alive[-1], theirs.accelerators_alive[-1])
    for name in failures.UPSETS:
        assert mine["fleet"][name] == other["fleet"][name] > 0
