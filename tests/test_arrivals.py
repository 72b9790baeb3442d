"""Requests of a run per interval: counts that add up, lengths, bunches, and days of regions."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_traces import DATA, SERVEGEN, workload, write

import twin
from twin.config import ConfigError
from twin.inputs import arrivals, traces

ONE_SECOND = (0.0, 1.0)  # in service per token of the output
REGION = {"share": 1.0, "utc_offset_h": 2.0, "peak_hour_h": 16.0, "trough_over_peak": 0.25}


def told(trace: traces.Trace, interval_s: float, intervals: int, scale: float = 1.0) -> Any:
    found = arrivals.sums(trace, ONE_SECOND, interval_s, intervals)
    return arrivals.of_sums(arrivals.Sums(*(scale * values for values in found)))


@settings(max_examples=80, deadline=None)
@given(
    gaps=st.lists(st.floats(0.0, 100.0), min_size=2, max_size=20),
    scale=st.floats(0.01, 1e6),
    intervals=st.integers(1, 40),
)
def test_requests_are_whole_and_add_up(gaps: list[float], scale: float, intervals: int) -> None:
    time_s = np.concatenate([[0.0], np.cumsum(np.array(gaps) + 0.1)])
    one = np.ones(len(time_s))
    trace = traces.Trace("requests", "trace", time_s, one, one, one, 1.0)
    found = told(trace, 17.0, intervals, scale)
    total = arrivals.sums(trace, ONE_SECOND, 17.0, intervals).requests.sum() * scale
    assert (found.requests == np.round(found.requests)).all() and (found.requests >= 0.0).all()
    assert abs(found.requests.sum() - total) <= 0.5 + 1e-9 * total
    assert all(np.isfinite(values).all() and (values >= 0.0).all() for values in found)


def test_tokens_are_means_and_spread_is_that_of_the_time_in_service(tmp_path: Path) -> None:
    text = "time_s,prompt_tokens,output_tokens\n0,10,1\n10,30,3\n20,8,2\n30,8,2\n"
    found = told(traces.read(write(tmp_path, text)), 20.0, 2)
    np.testing.assert_allclose(found.requests, [2.0, 2.0])
    np.testing.assert_allclose(found.prompt_tokens, [20.0, 8.0])
    np.testing.assert_allclose(found.output_tokens, [2.0, 2.0])
    np.testing.assert_allclose(found.service_scv, [0.25, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.prompt_scv, [0.25, 0.0], atol=1e-12)


def test_prompts_of_a_series_spread_as_their_source_does_and_from_row_to_row() -> None:
    time_s, one = np.array([0.0, 10.0]), np.ones(2)
    trace = traces.Trace("rate", "trace", time_s, one, np.array([10.0, 30.0]), one, 10.0, (), one, prompt_scv=0.5)
    np.testing.assert_allclose(told(trace, 10.0, 2).prompt_scv, [0.5, 0.5])
    np.testing.assert_allclose(told(trace, 20.0, 1).prompt_scv, [1.5 * 500.0 / 400.0 - 1.0])


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_scale_changes_how_many_not_how_bunched(scale: float) -> None:
    trace = traces.read("azure_llm_2023_conv.csv.gz", DATA)
    one, many = told(trace, 300.0, 11), told(trace, 300.0, 11, scale)
    np.testing.assert_allclose(np.asarray(many.arrival_scv), np.asarray(one.arrival_scv))
    assert float(many.requests.sum()) == pytest.approx(scale * float(one.requests.sum()), rel=1e-4)


@pytest.mark.parametrize(("bunch", "expected"), [(1, 1.0), (4, 4.0)])
def test_bunches_of_a_poisson_process_are_their_size(bunch: int, expected: float) -> None:
    generator = np.random.default_rng(0)
    time_s = np.repeat(np.cumsum(generator.exponential(0.2, size=20_000)), bunch)
    one = np.ones(len(time_s))
    trace = traces.Trace("requests", "trace", time_s - time_s[0], one, one, one, 0.2 / bunch)
    assert told(trace, 300.0, 13).arrival_scv.mean() == pytest.approx(expected, rel=0.1)


def test_a_series_brings_its_own_bunches(tmp_path: Path) -> None:
    header, *rows = SERVEGEN.splitlines()
    text = "\n".join([header + ",rate_weighted_iat_cv", *(row + ",3" for row in rows)])
    found = told(traces.read(f"{write(tmp_path, text)}#small"), 600.0, 3)
    np.testing.assert_allclose(found.arrival_scv, [9.0, 0.0, 9.0])
    np.testing.assert_allclose(found.requests, [600.0, 0.0, 1200.0])
    np.testing.assert_allclose(found.output_tokens, [20.0, 0.0, 30.0])


def test_tokens_without_lengths_are_no_requests(tmp_path: Path) -> None:
    path = write(tmp_path, "minute,tokens_per_s\n0,30\n1,20\n")
    only = arrivals.scaled(arrivals.of_workload(workload(path), 60.0, 2, 0, None, 0.0), workload(path), 1e18)
    assert only.sums is None and only.flops.mean() == pytest.approx(0.6e18) and "tells of tokens only" in only.notes[0]
    assert tuple(map(float, only.lengths)) == (0.0, 1.0)
    lengths = write(tmp_path, "time_s,prompt_tokens,output_tokens\n0,8,2\n1,8,2\n", "lengths.csv")
    counted = arrivals.of_workload(workload(path, token_lengths_from=str(lengths)), 60.0, 2, 0, None, 0.0)
    assert counted.sums is not None and tuple(map(float, counted.lengths)) == (8.0, 2.0)
    np.testing.assert_allclose(counted.sums.requests, [180.0, 120.0])


def test_a_day_peaks_at_its_local_hour() -> None:
    daily = workload(None, model="daily", regions={"here": REGION}, token_lengths_from="azure_llm_2023_conv.csv.gz")
    flops = arrivals.scaled(arrivals.of_workload(daily, 3600.0, 48, 0, DATA, 6 * 3600.0), daily, 1e18).flops
    assert 6 + int(np.argmax(flops[:24])) in (13, 14)  # 16 h where it is two hours later than UTC
    assert flops.mean() == pytest.approx(0.6e18) and flops.min() / flops.max() == pytest.approx(0.25, rel=0.05)
    np.testing.assert_allclose(flops[:24], flops[24:])


def test_days_need_regions_and_lengths() -> None:
    for changes, text in (
        ({}, r"workload\.regions: missing"),
        ({"regions": {"here": REGION}}, r"workload\.token_lengths_from: missing"),
    ):
        with pytest.raises(ConfigError, match=text):
            arrivals.of_workload(workload(None, model="daily", **changes), 60.0, 2, 0, DATA, 0.0)
    with pytest.raises(ConfigError, match=r"trough_over_peak = 2"):
        workload(None, model="daily", regions={"here": {**REGION, "trough_over_peak": 2.0}})


@pytest.mark.parametrize("name", ["inference_azure_conv", "inference_daily", "inference_burstgpt"])
def test_requests_of_a_run_are_its_demand(name: str) -> None:
    """Work of the requests is the work asked, but for the rounding of their number."""
    run = ["constellation.satellites=2", "time.duration_s=7200", "distributed.devices=1"]
    model = twin.build(twin.compose("simulate", [f"workload={name}", *run]))
    per_token = float(model.params["reference"]["workload"]["work_flop_per_token"])
    asked, here = model.environment.traced_flops, model.environment.arrivals
    schedule = model.structure.schedule
    flop = here.requests * (here.prompt_tokens + here.output_tokens) * per_token
    np.testing.assert_allclose(flop, asked * schedule.exchange_steps * schedule.step_s, rtol=1e-3)
