"""The account of work and results, schedulers and batch work in a fleet: all closes, and each does what it is for."""

import json

import numpy as np
import pytest
import xarray as xr

import twin
from twin.reporting import work_flow

DAY = [
    "workload=inference_azure_conv",
    "constellation.satellites=16",
    "distributed.devices=1",
    "time.duration_s=21600",
    "time.chunk_s=10800",
    "output.report=false",
    "downlink=optical_tbird",
    "ground_network=optical_ten_sites",
]
NO_WAY_DOWN = ("downlink=none", "ground_network=none")  # where work alone is looked at: less to compile


def run(*overrides: str) -> xr.Dataset:
    return twin.simulate(twin.compose("simulate", [*DAY, *overrides]))


def fleet_sites() -> list[str]:
    """Names of the sites."""
    return list(twin.compose("simulate", DAY).ground_network.sites)


def fleet(data: xr.Dataset) -> dict:
    return json.loads(data.attrs["summary"])["fleet"]


@pytest.fixture(scope="module")
def even() -> xr.Dataset:
    return run()


@pytest.fixture(scope="module")
def sunny() -> xr.Dataset:
    return run("scheduler=sunlight_aware")


def test_work_in_is_work_done_waiting_or_dropped(even: xr.Dataset, sunny: xr.Dataset) -> None:
    """To the last digits of float64, whatever the precision of the step."""
    for found in map(fleet, (even, sunny)):
        out = found["delivered_flop"] + found["dropped_flop"] + found["waited_flop"]
        assert out == pytest.approx(found["assigned_flop"], rel=1e-14)
        assert found["waited_flop"] == pytest.approx(found["backlog_flop"], rel=1e-12)


def test_all_of_the_demand_is_given_out(even: xr.Dataset, sunny: xr.Dataset) -> None:
    assert fleet(sunny)["assigned_flop"] == pytest.approx(fleet(even)["assigned_flop"], rel=1e-14)


def test_results_are_sent_waiting_or_lost(even: xr.Dataset) -> None:
    found = fleet(even)
    assert 0.0 < found["sent_bit"] <= found["downlink_able_bit"]
    out = found["sent_bit"] + found["data_lost_bit"] + found["data_waited_bit"]
    assert out == pytest.approx(found["produced_bit"], rel=1e-14)
    assert float(even.fleet_data_backlog_bit[-1]) == pytest.approx(found["data_waited_bit"], rel=1e-6)
    np.testing.assert_allclose(even.fleet_satellites_in_contact, even.contact_fraction.sum("satellite"), rtol=1e-6)


def test_satellites_in_contact_are_those_of_an_instant(even: xr.Dataset) -> None:
    """Those received at a time, not those that pass a site in the interval, and no more than are in view."""
    in_contact, passing = even.fleet_satellites_in_contact, (even.ground_site >= 0.0).sum("satellite")
    assert 0.0 < float(in_contact.mean()) < 16.0 * fleet(even)["in_view_fraction"] < 0.7 * float(passing.mean())


def test_light_takes_its_time_to_the_ground(even: xr.Dataset) -> None:
    """From 650 km, at 20 degrees of elevation or more."""
    found = fleet(even)
    overhead_s, lowest_s = 6.4e5 / 299_792_458.0, 1.52e6 / 299_792_458.0
    assert overhead_s < found["ground_delay_s"] < found["max_ground_delay_s"] < lowest_s
    assert float(even.ground_delay_s.max()) == pytest.approx(found["max_ground_delay_s"], rel=1e-6)


def test_results_come_down_where_the_sky_is_clear(even: xr.Dataset) -> None:
    """At less clear hours less comes down, at none nothing, and what is not sent waits: all of it counts."""
    found = [fleet(even)]
    for clear in (0.15, 0.0):
        sky = (f"ground_network.sites.{name}.clear_sky_fraction={clear}" for name in fleet_sites())
        found.append(fleet(run(*sky, "ground_network.weather_spell_s=1800")))
    sent = [one["sent_bit"] / one["produced_bit"] for one in found]
    assert sent[0] > 1.2 * sent[1] > sent[2] == 0.0
    for one in found:
        out = one["sent_bit"] + one["data_lost_bit"] + one["data_waited_bit"]
        assert out == pytest.approx(one["produced_bit"], rel=1e-14)


def test_series_of_the_fleet_are_sums_over_its_satellites(even: xr.Dataset) -> None:
    np.testing.assert_allclose(even.fleet_delivered_flops, even.compute_rate_flops.sum("satellite"), rtol=1e-5)
    np.testing.assert_allclose(even.fleet_assigned_flops, even.assigned_flops.sum("satellite"), rtol=1e-5)
    mean_flops = float(even.fleet_delivered_flops.mean())
    assert mean_flops * 21600.0 == pytest.approx(fleet(even)["delivered_flop"], rel=1e-6)


def assert_closes(found: dict) -> None:
    """All that accelerators could do was done, lost to one cause or not asked for; all that was asked has an end."""
    lost = ("unasked_flop", "heat_lost_flop", "power_lost_flop", "work_lost_to_upsets_flop")
    used = found["delivered_flop"] + sum(found[name] for name in lost)
    assert used == pytest.approx(found["able_flop"] + found["surplus_flop"], rel=1e-13)
    assert found["able_flop"] <= found["nominal_flop"] * (1.0 + 1e-6)
    assert all(found[name] >= 0.0 for name in (*lost, "surplus_flop", "eclipse_lost_flop"))
    assert found["eclipse_lost_flop"] <= found["power_lost_flop"] * (1.0 + 1e-6)
    out = found["delivered_flop"] + found["dropped_flop"] + found["waited_flop"]
    assert out == pytest.approx(found["assigned_flop"], rel=1e-14)
    there = 0.0
    for step in work_flow.steps(found):
        assert step.level or step.flop <= 0.0 or step.label == "Beyond the rating"
        if step.level and step.label not in ("Nominal", "Asked"):
            assert there == pytest.approx(step.flop, rel=1e-12)
        there = step.flop if step.level else there + step.flop


def test_ability_is_used_lost_or_not_asked_for(even: xr.Dataset, sunny: xr.Dataset) -> None:
    for found in map(fleet, (even, sunny)):
        assert_closes(found)
        assert found["unasked_flop"] == pytest.approx(0.4 * found["nominal_flop"], rel=0.02)
        assert found["heat_lost_flop"] == found["work_lost_to_upsets_flop"] == 0.0


def test_without_waiting_all_that_is_not_done_has_a_cause() -> None:
    """A small battery, a small radiator and a harsh orbit: what is given up is what each of them took."""
    found = fleet(
        run(
            *("workload=steady", *NO_WAY_DOWN, "failures=expected", "radiation.dose_factor=300", "environment=hot"),
            *("battery.energy_j=6e7", "radiator.area_m2=120", "time.duration_s=10800"),
        )
    )
    assert_closes(found)
    causes = [found[name] for name in ("heat_lost_flop", "power_lost_flop", "work_lost_to_upsets_flop")]
    assert min(causes) > 1e-3 * found["nominal_flop"] and found["eclipse_lost_flop"] > 0.5 * found["power_lost_flop"]
    assert found["backlog_flop"] == pytest.approx(0.0, abs=1e-6 * found["nominal_flop"])
    assert found["dropped_flop"] == pytest.approx(sum(causes), rel=1e-4)


def test_sunlight_aware_scheduling_spares_the_battery(even: xr.Dataset, sunny: xr.Dataset) -> None:
    """In the eclipse season, at the same work: the battery is discharged by a tenth less."""
    sun, all_alike = fleet(sunny), fleet(even)
    assert sun["delivered_flop"] == pytest.approx(all_alike["delivered_flop"], rel=1e-6)
    assert sun["battery_throughput_j"] < 0.9 * all_alike["battery_throughput_j"]
    lit, rate = sunny.sunlit_fraction.values, sunny.compute_rate_flops.values
    assert rate[lit < 0.01].mean() < 0.3 * rate[lit > 0.99].mean()


@pytest.mark.slow
def test_work_goes_where_dies_are_cool() -> None:
    """In every interval the satellite whose dies were coolest at its start gets no less than the one of the hottest."""
    data = run("scheduler=thermal_aware", "scheduler.cool_margin_k=60", "time.duration_s=10800")
    assigned, die_k = data.assigned_flops.values[1:], data.accelerator_temperature_k.values[:-1]
    frames = np.arange(len(die_k))
    more = assigned[frames, die_k.argmin(axis=1)] / assigned[frames, die_k.argmax(axis=1)]
    assert more.min() >= 1.0 - 1e-6 and more.max() > 1.02


def test_batch_work_waits_for_sunlight() -> None:
    data = run("workload=batch_sunlit", *NO_WAY_DOWN, "time.duration_s=10800")
    lit, rate = data.sunlit_fraction.values, data.compute_rate_flops.values
    dark, sunlit = rate[lit < 0.01].mean(), rate[lit > 0.99].mean()
    assert dark < 0.15 * sunlit
    found = fleet(data)
    assert_closes(found)
    assert found["unasked_flop"] > 0.1 * found["nominal_flop"]  # in the dark


PATIENT = ["+workload.patience_s=120", "time.duration_s=10800", "time.save_every_s=300"]


def test_requests_that_would_wait_too_long_give_up() -> None:
    """Three in ten ask for more than the fleet can do: no cause takes that from its ability."""
    data = run("workload.load_fraction=1.3", *PATIENT)
    found, waits = fleet(data), data.backlog_flop.values
    able = found["able_flop"] / (16 * 10800.0)
    assert found["dropped_flop"] > 0.1 * found["assigned_flop"]
    assert waits.max() <= 120.0 * able * (1.0 + 1e-6)
    assert_closes(found)
    assert found["heat_lost_flop"] + found["power_lost_flop"] < 0.01 * found["nominal_flop"]


def test_what_batteries_hold_back_is_given_up_after_patience() -> None:
    found = fleet(run("battery.energy_j=6e7", *PATIENT))
    assert_closes(found)
    assert (
        found["power_lost_flop"] > 0.05 * found["nominal_flop"] and found["surplus_flop"] < 1e-6 * found["nominal_flop"]
    )
    assert 0.0 < found["dropped_flop"] <= found["power_lost_flop"] * (1.0 + 1e-6)
    assert found["eclipse_lost_flop"] == pytest.approx(found["power_lost_flop"], rel=0.2)


def test_requests_wait_only_where_the_fleet_is_full() -> None:
    easy, full = (run(f"workload.load_fraction={load}", "time.duration_s=10800") for load in (0.6, 1.1))
    assert float(easy.share_waiting_longer.sel(wait_s=1.0, method="nearest").max()) < 1e-3
    late = full.share_waiting_longer.isel(time=-1)
    backlog_s = float(full.fleet_backlog_flop[-1] / full.fleet_delivered_flops[-1])
    assert float(late.sel(wait_s=0.5 * backlog_s, method="nearest")) > 0.9
    assert float(late.sel(wait_s=1.5 * backlog_s, method="nearest")) < 0.1
    assert bool((late.diff("wait_s") <= 1e-7).all())


OFF = ["operations.payload_off_after_s=0", "operations.payload_off_for_s=10800"]


def test_a_payload_that_is_off_keeps_what_waits() -> None:
    """Requests that wait forever do so in safe mode too."""
    found = fleet(run("time.duration_s=10800", *OFF))
    assert found["delivered_flop"] == found["dropped_flop"] == 0.0 < found["assigned_flop"]
    assert found["backlog_flop"] == pytest.approx(found["assigned_flop"], rel=1e-12)


def test_a_queue_of_a_payload_that_is_off_is_as_long_as_patience() -> None:
    """In seconds of the work that it does when it is on."""
    found = fleet(run(*PATIENT, *OFF))
    assert found["backlog_flop"] == pytest.approx(120.0 * found["nominal_compute_rate_flops"], rel=1e-6)
    assert found["dropped_flop"] == pytest.approx(found["assigned_flop"] - found["backlog_flop"], rel=1e-12)


def test_a_store_that_is_full_loses_results() -> None:
    found = fleet(run("+workload.data_store_bit=1e9", "time.duration_s=10800"))
    assert found["data_lost_bit"] > 0.0 and found["data_waited_bit"] <= 16e9 * (1.0 + 1e-12)
    assert "store on board" in found["binding_limit"]
    out = found["sent_bit"] + found["data_lost_bit"] + found["data_waited_bit"]
    assert out == pytest.approx(found["produced_bit"], rel=1e-14)
