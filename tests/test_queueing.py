"""Waits against closed forms, against simulated queues, and across load 1."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_simulation import mixed_exponentials, waits_s
from scipy.integrate import solve_ivp
from scipy.special import gammaincc, gammaln

from kernels.queueing import (
    LONGEST_WAIT_S,
    THRESHOLDS_S,
    Queue,
    Wait,
    chance_wait,
    erlang_b,
    first_token_longer,
    longer_than,
    percentile_s,
    share_longer,
    taken_after,
)

FOREVER_S = 1e15
EXACT = {"rtol": 1e-10, "atol": 1e-12, "max_step": 0.01}
NONE = Wait(jnp.zeros(()), jnp.zeros(()))


@jax.jit
def shares_of(queue: Queue, least_s: float = 0.0, most_s: float = 0.0) -> jax.Array:
    return longer_than(jnp.asarray(THRESHOLDS_S), chance_wait(queue), jnp.asarray(least_s), jnp.asarray(most_s))


@jax.jit
def mean_of(queue: Queue) -> jax.Array:
    wait = chance_wait(queue)
    return wait.share * wait.mean_s


def queue(load: float, servers: float, arrival_scv: float = 1.0, service_scv: float = 1.0, **other: float) -> Queue:
    """A queue of service times of 1 s, in the steady state unless told otherwise."""
    rest = {"interval_s": FOREVER_S, **other}
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
    table = np.asarray(shares_of(queue(load, 1.0)))
    for percent in (50.0, 95.0, 99.0):
        exact = max(np.log(load / (1.0 - percent / 100.0)) / (1.0 - load), 0.0)
        assert percentile_s(table, percent) == pytest.approx(exact, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("servers", "load"), [(8, 0.7), (8, 0.95), (1000, 0.99), (1_000_000, 0.9995)])
def test_many_servers_have_the_closed_form(servers: int, load: float) -> None:
    loss = recursive_erlang_b(servers, load)
    waiting = loss / (1.0 - load * (1.0 - loss))
    tail_s = 1.0 / (servers * (1.0 - load))
    assert float(mean_of(queue(load, float(servers)))) == pytest.approx(waiting * tail_s, rel=1e-5)
    table = np.asarray(shares_of(queue(load, float(servers))))
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
    table = np.asarray(shares_of(told))
    assert float(mean_of(told)) == pytest.approx(waits.mean(), rel=within)
    assert percentile_s(table, 95.0) == pytest.approx(np.percentile(waits, 95.0), rel=within)


@pytest.mark.parametrize("taken", [0.0, 0.7, 1.0, 2.5])
@pytest.mark.parametrize(("asked", "speed"), [(0.6, 1.0), (1.4, 1.0), (1.0, 1.0), (0.5, 0.2), (0.3, 0.0), (0.0, 1.0)])
def test_slots_are_taken_as_the_integrated_fluid_says(taken: float, asked: float, speed: float) -> None:
    solved = solve_ivp(lambda t, y: [asked - speed * min(y[0], 1.0), min(y[0], 1.0)], (0.0, 2.5), [taken, 0.0], **EXACT)
    after, busy = taken_after(*map(jnp.asarray, (taken, asked, speed)), 2.5)
    assert float(after) == pytest.approx(solved.y[0, -1], abs=1e-5)
    if speed:
        assert float(busy) == pytest.approx(solved.y[1, -1] / 2.5, abs=1e-5)


@settings(max_examples=100, deadline=None)
@given(taken=st.floats(0.0, 50.0), asked=st.floats(0.0, 20.0), speed=st.floats(0.0, 1.0), services=st.floats(1e-3, 1e4))
def test_requests_come_or_go_or_stay(taken: float, asked: float, speed: float, services: float) -> None:
    """None are lost: those there change by what came less what the busy servers did; in two halves as in one."""
    values = [jnp.asarray(value) for value in (taken, asked, speed)]
    after, busy = taken_after(*values, services)
    half, busy_at_first = taken_after(*values, 0.5 * services)
    again, busy_then = taken_after(half, *values[1:], 0.5 * services)
    scale = 1.0 + taken + asked * services
    assert 0.0 <= float(busy) <= 1.0 and np.isfinite(float(after))
    assert float(again) == pytest.approx(float(after), abs=1e-8 * scale)
    if speed > 1e-3:
        assert float(after) == pytest.approx(taken + (asked - speed * float(busy)) * services, abs=1e-8 * scale)
        assert 0.5 * float(busy_at_first + busy_then) == pytest.approx(float(busy), abs=1e-6)


def test_those_before_delay_all_alike() -> None:
    told = partial(longer_than, least_s=jnp.asarray(20.0), most_s=jnp.asarray(40.0))
    shares = np.asarray(told(jnp.asarray([10.0, 25.0, 35.0, 41.0]), NONE))
    np.testing.assert_allclose(shares, [1.0, 0.75, 0.25, 0.0], atol=1e-9)


def test_chance_adds_to_the_wait_for_those_before() -> None:
    """A wait drawn evenly between 20 and 40 s, and for 30 % an exponential one of 5 s more."""
    generator = np.random.default_rng(2)
    drawn = generator.uniform(20.0, 40.0, 400_000) + generator.exponential(5.0, 400_000) * (
        generator.random(400_000) < 0.3
    )
    limits_s = np.array([0.0, 15.0, 22.0, 30.0, 39.0, 41.0, 50.0])
    chance = Wait(jnp.asarray(0.3), jnp.asarray(5.0))
    shares = longer_than(jnp.asarray(limits_s), chance, jnp.asarray(20.0), jnp.asarray(40.0))
    np.testing.assert_allclose(shares, [(drawn > limit).mean() for limit in limits_s], atol=3e-3)
    alone = longer_than(jnp.asarray([0.0, 5.0]), chance, jnp.zeros(()), jnp.zeros(()))
    np.testing.assert_allclose(alone, [0.3, 0.3 * np.exp(-1.0)], rtol=1e-6)


def test_none_waits_longer_than_the_longest() -> None:
    longest = jnp.asarray(LONGEST_WAIT_S)
    shares = longer_than(jnp.asarray([1.0, 0.9 * LONGEST_WAIT_S, LONGEST_WAIT_S]), NONE, longest, longest)
    assert np.asarray(shares).tolist() == [1, 1, 0]


@settings(max_examples=150, deadline=None)
@given(
    load=st.one_of(st.floats(0.0, 3.0), st.floats(1.0 - 1e-9, 1.0 + 1e-9)),
    servers=st.floats(1.0, 1e6),
    scv=st.floats(0.0, 20.0),
    least_s=st.floats(0.0, 1e5),
    spread_s=st.floats(0.0, 1e3),
)
def test_shares_fall_and_are_shares(load: float, servers: float, scv: float, least_s: float, spread_s: float) -> None:
    here = queue(load, servers, scv, scv, interval_s=300.0)
    shares = np.asarray(shares_of(here, least_s, least_s + spread_s))
    assert np.isfinite(shares).all() and (shares >= 0.0).all() and (shares <= 1.0).all()
    assert (np.diff(shares) <= 1e-9).all() and 0.0 <= float(mean_of(here)) <= LONGEST_WAIT_S


@pytest.mark.parametrize("load", [0.5, 0.98, 1.0, 1.02])
def test_slopes_are_finite_differences(load: float) -> None:
    def mean(load: jax.Array) -> jax.Array:
        return mean_of(queue(0.0, 50.0, 1.5, 0.6, interval_s=300.0)._replace(load=load))

    step = 1e-6
    ahead, behind = (float(mean(jnp.asarray(load + sign * step))) for sign in (1.0, -1.0))
    assert float(jax.grad(mean)(jnp.asarray(load))) == pytest.approx(
        (ahead - behind) / (2.0 * step), rel=2e-3, abs=1e-9
    )


def test_waits_are_continuous_across_load_one() -> None:
    loads = np.linspace(0.999, 1.001, 201)
    means = np.array([float(chance_wait(queue(load, 100.0, interval_s=300.0)).mean_s) for load in loads])
    assert np.abs(np.diff(means)).max() < 1e-3 * means.max()


@pytest.mark.parametrize("scv", [0.1, 0.5, 3.0])
def test_first_token_comes_after_the_wait_and_the_prompt(scv: float) -> None:
    """An exponential wait of 2 s for half of the requests, then a lognormal time of 0.8 s."""
    generator, count = np.random.default_rng(7), 400_000
    waits = generator.exponential(2.0, count) * (generator.random(count) < 0.5)
    sigma2 = np.log1p(scv)
    drawn = waits + 0.8 * generator.lognormal(-0.5 * sigma2, np.sqrt(sigma2), count)
    shares = np.asarray(longer_than(jnp.asarray(THRESHOLDS_S), Wait(jnp.asarray(0.5), jnp.asarray(2.0)), *jnp.zeros(2)))
    first = first_token_longer(shares, 0.8, scv)
    for percent in (50.0, 95.0, 99.0):
        assert percentile_s(first, percent) == pytest.approx(np.percentile(drawn, percent), rel=0.05)
    assert share_longer(first, 2.5) == pytest.approx((drawn > 2.5).mean(), abs=0.01)


def test_percentile_of_nothing_told_is_none() -> None:
    assert np.isnan(percentile_s(np.full(len(THRESHOLDS_S), np.nan), 50.0))
    assert percentile_s(np.zeros(len(THRESHOLDS_S)), 99.0) == 0.0
