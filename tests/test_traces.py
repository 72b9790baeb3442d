"""Request traces: every format, every refusal, the demand of a run, and its scale."""

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twin.config import ConfigError, profile
from twin.inputs import arrivals, traces
from twin.inputs.data_files import find

DATA = Path(__file__).parent.parent / "conf" / "data"

# The same three requests at 0, 20 and 40 s, of 10, 20 and 60 tokens, in every format of requests.
REQUESTS = {
    "azure": "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,4,6\n"
    "2023-11-16 18:16:06.6805900,15,5\n2023-11-16 18:16:26.6805900,60,0\n",
    "azure_with_zone": "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,4,6\n"
    "2024-05-10 00:00:20.009930+00:00,15,5\n2024-05-10 00:00:40.009930+00:00,60,0\n",
    "mooncake": "timestamp_ms,input_tokens,output_tokens\n0,4,6\n20000,15,5\n40000,60,0\n",
    "plain": "time_s,tokens\n5,10\n25.0,20\n4.5e1,60\n",
    "plain_in_and_out": "time_s,prompt_tokens,output_tokens\n5,4,6\n25,15,5\n45,60,0\n",
    "other_columns": "tokens,user,time_s\n10,a,0\n20,b,20\n60,c,40\n",
    "crlf_and_blank_lines": "\r\n time_s , tokens \r\n\r\n0,10\r\n20 , 20\r\n40,60",
    "gzip": gzip.compress(b"time_s,tokens\n0,10\n20,20\n40,60\n"),
}
SERVEGEN = (
    "model,time_s,total_rate_req_s,active_clients,mean_input_tokens,mean_output_tokens\n"
    "small,0,1.0,3,10,20\nsmall,600,0.0,0,10,20\nsmall,1200,2.0,3,10,30\n"
    "large,0,1.0,3,,\nlarge,600,0.0,0,,\nlarge,1200,2.0,3,5,5\n"
)


def write(tmp_path: Path, content: str | bytes, name: str = "trace.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def workload(file: str | Path | None, **changes: Any) -> Any:
    """A validated profile of a model that needs 141.2 GFLOP per token."""
    values = {
        "model": "trace",
        "file": None if file is None else str(file),
        "carry_over": 1.0,
        "power_intensity": 0.2,
        "load_floor": 0.5,
        "half_load": 1.0,
        "least_load": 0.1,
        "work_flop_per_token": 1.412e11,
        "prefill_flops": 4.945e14,
        "accelerators_per_replica": 4.0,
        "slots_per_replica": 256.0,
        "time_per_output_token_s": 0.04,
        "least_time_per_output_token_s": 0.017,
        "first_token_target_s": 2.0,
        "output_token_target_s": 0.2,
    }
    return profile("workload", {**values, **changes})


def demand_flops(
    workload: Any, nominal_flops: float, interval_s: float, intervals: int, search: Path | None = None
) -> tuple[np.ndarray, list[str]]:
    """Demand and remarks of a run from midnight on."""
    source = arrivals.of_workload(workload, interval_s, intervals, 0, search, 0.0)
    demand = arrivals.scaled(source, workload, nominal_flops)
    return demand.flops, demand.notes


@pytest.mark.parametrize("content", REQUESTS.values(), ids=REQUESTS)
def test_every_format_of_requests_gives_the_same_trace(tmp_path: Path, content: str | bytes) -> None:
    trace = traces.read(write(tmp_path, content))
    assert trace.kind == "requests" and not trace.notes
    np.testing.assert_allclose(trace.time_s, [0.0, 20.0, 40.0], atol=1e-5)
    np.testing.assert_array_equal(trace.tokens, [10.0, 20.0, 60.0])
    assert trace.step_s == pytest.approx(20.0) and trace.length_s == pytest.approx(60.0)


def test_requests_on_a_grid(tmp_path: Path) -> None:
    trace = traces.read(write(tmp_path, REQUESTS["plain"]))
    np.testing.assert_allclose(arrivals.tokens_per_s(trace, 10.0, 6, False), [1.0, 0.0, 2.0, 0.0, 6.0, 0.0])
    np.testing.assert_allclose(arrivals.tokens_per_s(trace, 30.0, 4, True), [1.0, 2.0, 1.0, 2.0])
    np.testing.assert_allclose(arrivals.tokens_per_s(trace, 600.0, 3, True), [1.5, 1.5, 1.5])


def test_rates_of_a_model(tmp_path: Path) -> None:
    path = write(tmp_path, SERVEGEN)
    trace = traces.read(f"{path}#small")
    assert trace.kind == "rate" and trace.length_s == 1800.0
    np.testing.assert_allclose(trace.tokens, [30.0, 0.0, 80.0])
    np.testing.assert_allclose(arrivals.tokens_per_s(trace, 300.0, 6, False), [30.0, 30.0, 0.0, 0.0, 80.0, 80.0])
    np.testing.assert_allclose(arrivals.tokens_per_s(trace, 900.0, 4, True), [20.0, 160.0 / 3.0, 20.0, 160.0 / 3.0])


def test_missing_minutes_have_no_demand(tmp_path: Path) -> None:
    trace = traces.read(write(tmp_path, "minute,tokens_per_s\n10,30\n11,20\n14,50\n15,0\n"))
    assert trace.length_s == 360.0
    np.testing.assert_allclose(arrivals.tokens_per_s(trace, 60.0, 6, False), [30.0, 20.0, 0.0, 0.0, 50.0, 0.0])


def test_missing_lengths_are_drawn_from_another_trace(tmp_path: Path) -> None:
    path, lengths = write(tmp_path, SERVEGEN), write(tmp_path, REQUESTS["plain"], "lengths.csv")
    trace = traces.read(f"{path}#large", token_lengths_from=str(lengths), seed=3)
    assert trace.tokens[0] == pytest.approx(30.0, rel=0.15)  # 600 draws of 10, 20 or 60
    assert trace.tokens[1] == 0.0 and trace.tokens[2] == 20.0
    assert len(trace.notes) == 1
    assert "2 of 3 rows of trace.csv#large give no token lengths" in trace.notes[0]
    assert "seed 3 from lengths.csv, whose mean is 30 tokens" in trace.notes[0]
    again = traces.read(f"{path}#large", token_lengths_from=str(lengths), seed=3)
    other = traces.read(f"{path}#large", token_lengths_from=str(lengths), seed=4)
    assert again.tokens[0] == trace.tokens[0] != other.tokens[0]


def test_lengths_come_from_requests_only(tmp_path: Path) -> None:
    path = write(tmp_path, SERVEGEN)
    with pytest.raises(ConfigError, match=r"line 5: no mean token lengths; .*workload\.token_lengths_from=PATH"):
        traces.read(f"{path}#large")
    with pytest.raises(ConfigError, match=r"workload\.token_lengths_from = .*: must be a trace of requests"):
        traces.read(f"{path}#large", token_lengths_from=f"{path}#small")


HEADERS = {
    "azure": "TIMESTAMP,ContextTokens,GeneratedTokens\n",
    "mooncake": "timestamp_ms,input_tokens,output_tokens\n",
    "rates": "model,time_s,total_rate_req_s,mean_input_tokens,mean_output_tokens\n",
    "minutes": "minute,tokens_per_s\n",
    "plain": "time_s,tokens\n",
}
BAD = {
    "empty": ("", r"empty"),
    "header_only": (HEADERS["plain"], r"no records below the header"),
    "unknown_header": (
        "a,b\n1,2\n",
        r"line 1: header 'a,b' is not known; known are TIMESTAMP,.*; minute,tokens_per_s; ",
    ),
    "fields": (HEADERS["plain"] + "0,1\n1\n", r"line 3: 1 fields given, 2 named in the header"),
    "negative_time": (HEADERS["plain"] + "-1,1\n0,1\n", r"line 2: time_s = '-1'; allowed is 0 to"),
    "unsorted": (HEADERS["plain"] + "0,1\n2,1\n\n1,1\n", r"line 5: time_s = '1' is before the line above"),
    "unsorted_instants": (
        HEADERS["azure"] + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45,1,1\n",
        r"line 3: TIMESTAMP = '2023-11-16 18:15:45' is before the line above",
    ),
    "no_instant": (HEADERS["azure"] + "noon,1,1\n", r"line 2: TIMESTAMP = 'noon' must be an instant in UTC"),
    "negative_tokens": (HEADERS["plain"] + "0,1\n1,-5\n", r"line 3: tokens = '-5'; allowed is 0 to"),
    "token_text": (HEADERS["mooncake"] + "0,many,1\n", r"line 2: input_tokens = 'many' is not a number"),
    "token_missing": (HEADERS["mooncake"] + "0,1,\n", r"line 2: output_tokens = '' is not a number"),
    "token_nan": (HEADERS["plain"] + "0,nan\n", r"line 2: tokens = 'nan' is not a number"),
    "token_infinite": (HEADERS["plain"] + "0,1e999\n", r"line 2: tokens = '1e999'; allowed is 0 to"),
    "all_zero": (HEADERS["plain"] + "0,0\n1,0\n", r"the whole trace asks for 0 tokens"),
    "half_minute": (HEADERS["minutes"] + "0,1\n1.5,1\n", r"line 3: minute = 1.5; allowed is a whole number"),
    "same_minute": (HEADERS["minutes"] + "0,1\n0,1\n", r"line 3: minute = '0' is not after the line above"),
    "negative_rate": (HEADERS["rates"] + "a,0,1,1,1\na,600,-1,1,1\n", r"line 3: total_rate_req_s = '-1'"),
    "one_rate": (HEADERS["rates"] + "a,0,1,1,1\n", r"one record is no series"),
    "models": (HEADERS["rates"] + "a,0,1,1,1\nb,0,1,1,1\n", r"2 models in it; choose with #NAME .* among a, b"),
    "column_twice": (HEADERS["plain"].strip() + ",tokens\n0,1,2\n", r"line 1: header '.*' names a column twice"),
    "utf16": (REQUESTS["plain"].encode("utf-16"), r"not a text file in UTF-8"),
    "damaged": (gzip.compress(b"time_s,tokens\n0,1\n" * 50)[:-9], r"damaged gzip file"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_sentence(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"trace\.csv.*{sentence}") as refusal:
        traces.read(write(tmp_path, content))
    assert "\n" not in str(refusal.value)


def test_bad_choice_of_a_model(tmp_path: Path) -> None:
    path = write(tmp_path, SERVEGEN)
    with pytest.raises(ConfigError, match=r"no model 'huge' in it; .* among small, large"):
        traces.read(f"{path}#huge")
    with pytest.raises(ConfigError, match=r"'huge' is asked for, but the file has no column model"):
        traces.read(f"{write(tmp_path, REQUESTS['plain'])}#huge")


def test_lengths_are_not_given_twice(tmp_path: Path) -> None:
    path = write(tmp_path, REQUESTS["plain"])
    with pytest.raises(ConfigError, match=r"token_lengths_from = 'x\.csv': must be null: .* has its own lengths"):
        traces.read(path, token_lengths_from="x.csv")


def test_a_scale_that_asks_for_far_too_much_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, REQUESTS["plain"])
    with pytest.raises(ConfigError, match=r"workload\.scale = 1e\+30: asks for .* times .*; at most 100"):
        demand_flops(workload(path, scale=1e30), 1e18, 30.0, 2)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.csv: no such file"):
        traces.read(tmp_path / "nowhere.csv")
    with pytest.raises(ConfigError, match=r"workload\.file: missing"):
        demand_flops(workload(None), 1e18, 300.0, 12)


def test_a_short_trace_is_repeated_or_refused(tmp_path: Path) -> None:
    path = write(tmp_path, REQUESTS["plain"])
    with pytest.raises(ConfigError, match=r"the trace lasts 60 s, the run 120 s"):
        demand_flops(workload(path, repeat=False), 1e18, 30.0, 4)
    _, notes = demand_flops(workload(path), 1e18, 30.0, 4)
    assert notes[0] == "trace of 60 s repeated 2.0 times over the run"


def test_one_instant_cannot_be_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"all records are of one instant"):
        arrivals.tokens_per_s(traces.read(write(tmp_path, "time_s,tokens\n0,1\n")), 10.0, 3, True)


def test_scale_is_chosen_or_given(tmp_path: Path) -> None:
    path = write(tmp_path, REQUESTS["plain"])
    demand, notes = demand_flops(workload(path), 1e18, 30.0, 2)
    assert demand.mean() == pytest.approx(0.6e18)
    assert notes == ["trace scaled by 2.8329e+06 to 0.60 of the fleet's nominal capacity"]
    demand, notes = demand_flops(workload(path, scale=2.0), 1e18, 30.0, 2)
    np.testing.assert_allclose(demand, np.array([1.0, 2.0]) * 2.0 * 1.412e11)
    (note,) = notes
    assert note.endswith("load_fraction is not used")


def test_no_demand_within_the_run(tmp_path: Path) -> None:
    path = write(tmp_path, "time_s,tokens\n0,0\n100,5\n")
    with pytest.raises(ConfigError, match=r"asks for nothing in its first 60 s"):
        demand_flops(workload(path), 1e18, 30.0, 2)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=20),
    turns=st.integers(1, 4),
    pieces=st.integers(1, 30),
    kind=st.sampled_from(("requests", "rate")),
)
def test_no_token_is_lost_over_whole_turns(gaps: list[float], turns: int, pieces: int, kind) -> None:
    time_s = np.concatenate([[0.0], np.cumsum(np.array(gaps) + (0.1 if kind == "rate" else 0.0))])
    one = np.ones(len(time_s))
    trace = traces.Trace(kind, "trace", time_s, one, one, np.arange(float(len(time_s))), 7.0)
    interval_s = trace.length_s * turns / pieces
    total = float(arrivals.tokens_per_s(trace, interval_s, pieces, True).sum()) * interval_s
    held_s = np.diff(np.append(time_s, trace.length_s)) if kind == "rate" else np.ones(len(time_s))
    assert total == pytest.approx(turns * float((trace.tokens * held_s).sum()), rel=1e-9)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), character=st.characters(codec="utf-8"))
def test_corrupted_traces_are_refused_or_harmless(tmp_path: Path, data, character: str) -> None:
    text = data.draw(
        st.sampled_from([content for content in REQUESTS.values() if isinstance(content, str)] + [SERVEGEN])
    )
    at = data.draw(st.integers(0, len(text) - 1))
    path = write(tmp_path, text[:at] + character + text[at + 1 :])
    try:
        demand, _ = demand_flops(workload(path), 1e18, 30.0, 4)
    except ConfigError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(demand).all() and (demand >= 0.0).all()


@pytest.mark.parametrize(
    ("file", "lengths", "length_s"),
    [
        ("azure_llm_2023_conv.csv.gz", None, 3502.0),
        ("mooncake_conversation.csv.gz", None, 3537.0),
        ("servegen_request_rates_10min.csv.gz#m-large", "azure_llm_2023_conv.csv.gz", 14 * 86_400.0),
    ],
)
def test_traces_of_the_package(file: str, lengths: str | None, length_s: float) -> None:
    assert traces.read(file, DATA, lengths).length_s == pytest.approx(length_s, abs=1.0)
    demand, notes = demand_flops(workload(file, token_lengths_from=lengths), 1e20, 300.0, 288, DATA)
    assert demand.shape == (288,) and (demand > 0.0).all()
    assert demand.mean() == pytest.approx(0.6e20)
    assert notes


@pytest.mark.skipif("TWIN_DATA" not in os.environ, reason="TWIN_DATA names no folder of data")
@pytest.mark.parametrize("file", ["azure_llm_2023_code.csv.gz", "burstgpt_week1_tokens_per_s_1min.csv.gz"])
def test_other_published_traces(file: str) -> None:
    assert find(file).is_file()
    demand, _ = demand_flops(workload(file), 1e20, 60.0, 1440)
    assert demand.mean() == pytest.approx(0.6e20)
