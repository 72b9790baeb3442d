"""Waits against closed forms, against simulated queues, and across load 1."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_simulation import mixed_exponentials, waits_s
from scipy.special import gammaincc, gammaln

from kernels.queueing import (
    LONGEST_WAIT_S,
    THRESHOLDS_S,
    Queue,
    chance_wait,
    erlang_b,
    mean_wait_s,
    percentile_s,
    share_taking_longer,
    share_waiting_longer,
)
from twin.inputs import arrivals, traces

DATA = Path(__file__).parent.parent / "conf" / "data"
FOREVER_S = 1e15
shares_of = jax.jit(share_waiting_longer)
mean_of = jax.jit(mean_wait_s)


def queue(load: float, servers: float, arrival_scv: float = 1.0, service_scv: float = 1.0, **other: float) -> Queue:
    """A queue of service times of 1 s, in the steady state unless told otherwise."""
    rest = {"backlog_s_at_start": 0.0, "backlog_s_at_end": 0.0, "interval_s": FOREVER_S, **other}
    numbers = {
        "load": load,
        "servers": servers,
        "service_s": 1.0,
        "arrival_scv": arrival_scv,
        "service_scv": service_scv,
    }
    return Queue(**{name: jnp.asarray(value, dtype=jnp.float64) for name, value in {**numbers, **rest}.items()})


def recursive_erlang_b(servers: int, load: float) -> float:
    """Erlang's loss by its recursion in the number of servers."""
    loss, work = 1.0, servers * load
    for busy in range(1, servers + 1):
        loss = work * loss / (busy + work * loss)
    return loss


@pytest.mark.parametrize("servers", [1, 7, 100, 10_000, 1_000_000])
@pytest.mark.parametrize("load", [0.3, 0.9, 0.9999, 1.0])
def test_loss_is_erlangs_recursion(servers: int, load: float) -> None:
    assert float(erlang_b(float(servers), load)) == pytest.approx(
        recursive_erlang_b(servers, load), rel=1e-6, abs=1e-300
    )


@pytest.mark.parametrize("servers", [0.5, 2.7, 1234.5])
def test_loss_of_a_broken_number_of_servers(servers: float) -> None:
    work = 0.8 * servers
    density = np.exp(servers * np.log(work) - work - gammaln(servers + 1.0))
    assert float(erlang_b(servers, 0.8)) == pytest.approx(density / gammaincc(servers + 1.0, work), rel=1e-9)


@pytest.mark.parametrize("load", [0.2, 0.7, 0.99])
def test_one_server_has_the_closed_form(load: float) -> None:
    assert float(mean_of(queue(load, 1.0))) == pytest.approx(load / (1.0 - load), rel=1e-6)
    table = np.asarray(shares_of(jnp.asarray(THRESHOLDS_S), queue(load, 1.0)))
    for percent in (50.0, 95.0, 99.0):
        exact = max(np.log(load / (1.0 - percent / 100.0)) / (1.0 - load), 0.0)
        assert percentile_s(table, percent) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("servers", "load"), [(8, 0.7), (8, 0.95), (1000, 0.99), (1_000_000, 0.9995)])
def test_many_servers_have_the_closed_form(servers: int, load: float) -> None:
    loss = recursive_erlang_b(servers, load)
    waiting = loss / (1.0 - load * (1.0 - loss))
    tail_s = 1.0 / (servers * (1.0 - load))
    assert float(mean_of(queue(load, float(servers)))) == pytest.approx(waiting * tail_s, rel=1e-5)
    table = np.asarray(shares_of(jnp.asarray(THRESHOLDS_S), queue(load, float(servers))))
    for percent in (50.0, 95.0, 99.0):
        exact = max(tail_s * np.log(waiting / (1.0 - percent / 100.0)), 0.0)
        assert percentile_s(table, percent) == pytest.approx(exact, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(
    ("servers", "arrival_scv", "service_scv", "within"),
    [(8, 1.0, 1.0, 0.1), (8, 1.0, 0.0, 0.1), (64, 1.0, 0.0, 0.15), (8, 3.0, 1.0, 0.2), (64, 3.0, 1.0, 0.25)],
)
def test_simulated_queue_at_nine_tenths(servers: int, arrival_scv: float, service_scv: float, within: float) -> None:
    """Mean and 95th percentile; bunched arrivals are an approximation that errs by a fifth."""
    generator, count = np.random.default_rng(4), 400_000
    bunched = mixed_exponentials(generator, arrival_scv, count)
    gaps = bunched if arrival_scv > 1.0 else generator.exponential(size=count)
    times = generator.exponential(size=count) if service_scv else np.ones(count)
    waits = waits_s(np.cumsum(gaps) / (0.9 * servers), times, servers)[count // 10 :]
    told = queue(0.9, float(servers), arrival_scv, service_scv)
    table = np.asarray(shares_of(jnp.asarray(THRESHOLDS_S), told))
    assert float(mean_of(told)) == pytest.approx(waits.mean(), rel=within)
    assert percentile_s(table, 95.0) == pytest.approx(np.percentile(waits, 95.0), rel=within)


def of_trace(file: str, prompt_s: float, output_s: float, load: float, interval_s: float) -> tuple[float, float]:
    """Mean wait by intervals and by simulation of a trace at servers that it loads so."""
    trace = traces.read(file, DATA)
    times_s = prompt_s * trace.prompt_tokens + output_s * trace.output_tokens
    servers = round(float(times_s.sum()) / trace.time_s[-1] / load)
    intervals = int(np.ceil(trace.length_s / interval_s))
    told = arrivals.of_sums(arrivals.sums(trace, (prompt_s, output_s), interval_s, intervals))
    bins = np.minimum((trace.time_s / interval_s).astype(int), intervals - 1)
    work_s = np.bincount(bins, times_s, minlength=intervals)
    backlog_s = np.zeros(intervals + 1)
    for i, work in enumerate(work_s):
        backlog_s[i + 1] = max(backlog_s[i] + work / servers - interval_s, 0.0)
    requests = np.bincount(bins, minlength=intervals)
    service_s = work_s / requests
    bunched, spread = told.arrival_scv, told.service_scv
    numbers = (work_s / (servers * interval_s), 1.0 * servers, service_s, bunched, spread, backlog_s[:-1])
    here = Queue._make(map(jnp.asarray, (*numbers, backlog_s[1:], interval_s)))
    waits = waits_s(trace.time_s, times_s, servers)
    return float(np.average(np.asarray(mean_of(here)), weights=requests)), float(waits.mean())


@pytest.mark.parametrize("load", [0.7, 0.8])
def test_mean_wait_of_a_trace_that_chose_nothing(load: float) -> None:
    """Mooncake, which had no part in the choice of the burst window: measured -10 and 6 %; waits at 90 % miss by 23."""
    ours, simulated = of_trace("mooncake_conversation.csv.gz", 5e-5, 0.03, load, 300.0)
    assert ours == pytest.approx(simulated, rel=0.15)


def test_mean_wait_of_the_trace_that_chose_the_window() -> None:
    """Measured -11 %: no independent check, for the window was chosen by its fit to this trace."""
    ours, simulated = of_trace("azure_llm_2023_conv.csv.gz", 2e-4, 0.03, 0.8, 300.0)
    assert ours == pytest.approx(simulated, rel=0.15)


def test_backlog_delays_all_alike() -> None:
    steady = queue(0.9, 1e4, backlog_s_at_start=20.0, backlog_s_at_end=40.0, interval_s=300.0)
    shares = np.asarray(shares_of(jnp.asarray([10.0, 25.0, 35.0, 41.0]), steady))
    np.testing.assert_allclose(shares, [1.0, 0.75, 0.25, 0.0], atol=1e-9)
    assert float(mean_of(steady)) == pytest.approx(30.0)


def test_where_nothing_is_served_all_wait_longest() -> None:
    stopped = queue(0.0, 0.0, interval_s=300.0)
    assert np.asarray(shares_of(jnp.asarray([1.0, 0.9 * LONGEST_WAIT_S, LONGEST_WAIT_S]), stopped)).tolist() == [
        1,
        1,
        0,
    ]
    assert float(mean_of(stopped)) == pytest.approx(LONGEST_WAIT_S)


@settings(max_examples=150, deadline=None)
@given(
    load=st.one_of(st.floats(0.0, 3.0), st.floats(1.0 - 1e-9, 1.0 + 1e-9)),
    servers=st.floats(1.0, 1e6),
    scv=st.floats(0.0, 20.0),
    backlog_s=st.floats(0.0, 1e5),
    rise_s=st.floats(-1e3, 1e3),
)
def test_shares_fall_and_are_shares(load: float, servers: float, scv: float, backlog_s: float, rise_s: float) -> None:
    end_s = max(backlog_s + rise_s, 0.0)
    here = queue(load, servers, scv, scv, backlog_s_at_start=backlog_s, backlog_s_at_end=end_s, interval_s=300.0)
    shares = np.asarray(shares_of(jnp.asarray(THRESHOLDS_S), here))
    assert np.isfinite(shares).all() and (shares >= 0.0).all() and (shares <= 1.0).all()
    assert (np.diff(shares) <= 1e-12).all() and 0.0 <= float(mean_of(here)) <= LONGEST_WAIT_S


@pytest.mark.parametrize("load", [0.5, 0.98, 1.0, 1.02])
def test_slopes_are_finite_differences(load: float) -> None:
    def mean(load: jax.Array) -> jax.Array:
        return mean_wait_s(queue(0.0, 50.0, 1.5, 0.6, interval_s=300.0)._replace(load=load))

    step = 1e-6
    ahead, behind = (float(mean(jnp.asarray(load + sign * step))) for sign in (1.0, -1.0))
    assert float(jax.grad(mean)(jnp.asarray(load))) == pytest.approx(
        (ahead - behind) / (2.0 * step), rel=2e-3, abs=1e-9
    )


def test_waits_are_continuous_across_load_one() -> None:
    loads = np.linspace(0.999, 1.001, 201)
    means = np.array([float(chance_wait(queue(load, 100.0, interval_s=300.0)).mean_s) for load in loads])
    assert np.abs(np.diff(means)).max() < 1e-3 * means.max()


def test_total_is_the_wait_and_a_spread_service() -> None:
    idle = queue(0.0, 1e4, interval_s=300.0)
    table = np.asarray(share_taking_longer(jnp.asarray(THRESHOLDS_S), idle, 0.5, 4.0, 0.0))
    assert percentile_s(table, 50.0) == pytest.approx(4.5, rel=0.15)  # between two thresholds, ten a decade
    spread = np.asarray(share_taking_longer(jnp.asarray(THRESHOLDS_S), idle, 0.5, 4.0, 1.0))
    assert percentile_s(spread, 95.0) > percentile_s(table, 95.0)


def test_percentile_of_nothing_told_is_none() -> None:
    assert np.isnan(percentile_s(np.full(len(THRESHOLDS_S), np.nan), 50.0))
    assert percentile_s(np.zeros(len(THRESHOLDS_S)), 99.0) == 0.0
