"""What a fleet does as a whole: trainings in step against closed forms, waits against simulated queues."""

import json
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from queue_simulation import waits_s
from test_work import DAY

import twin
from kernels import registry, serving, training
from kernels.queueing import LONGEST_WAIT_S, THRESHOLDS_S, percentile_s
from twin.clusters import cluster
from twin.inputs import arrivals, traces
from twin.model import Model
from twin.prepare import Cohort
from twin.run import prepared
from twin.series.delays import delays
from twin.series.fleet_series import FleetSeries
from twin.series.goodput import LOSSES, Training, in_step_flops
from twin.series.requests import Requests

DATA = Path(__file__).parent.parent / "conf" / "data"
FRAME_S = 300.0
ONE_ORBIT = ["time.duration_s=5700", "time.chunk_s=5700", "output.report=false", "distributed.devices=1"]
NINE = ["experiment=suncatcher_cluster", "constellation=cluster_81", "constellation.satellites=9"]
NINE += ["failures=expected", "workload=training_405b"]


def built(*choices: str) -> tuple[Model, dict[str, Cohort]]:
    model = twin.build(twin.compose("simulate", [*ONE_ORBIT, *choices]))
    return model, prepared(model)


@pytest.fixture(scope="module")
def nine() -> tuple[Model, dict[str, Cohort]]:
    return built(*NINE, "link=suncatcher")


@pytest.fixture(scope="module")
def one() -> tuple[Model, dict[str, Cohort]]:
    return built("workload=inference_azure_conv", "constellation=single", "time.duration_s=43200", "time.chunk_s=21600")


def training_columns(done: np.ndarray, assigned: np.ndarray, alive: float = 64.0) -> dict[str, np.ndarray]:
    names = ("compute_rate_flops", "assigned_flops", "accelerators_alive")
    return dict(zip(names, (done, assigned, np.full_like(done, alive)), strict=True))


def test_the_slowest_part_sets_the_pace() -> None:
    """A member at half of its part halves all; one in the dark stops all; one without a part does neither."""
    assigned = np.array([[4.0, 4.0, 2.0]] * 5)
    done = np.array([[4.0, 4.0, 2.0], [4.0, 2.0, 2.0], [4.0, 4.0, 0.0], [4.0, 4.0, 0.0], [0.0, 0.0, 0.0]])
    assigned[3, 2], assigned[4] = 0.0, 0.0
    np.testing.assert_allclose(in_step_flops(assigned, done), [10.0, 5.0, 0.0, 8.0, 0.0])


def test_a_training_in_a_run_has_the_closed_form(nine: tuple[Model, dict[str, Cohort]]) -> None:
    """Nine satellites that are alike, lit or charged: what interruptions leave, and where the rest went."""
    data = twin.simulate(twin.compose("simulate", [*ONE_ORBIT, *NINE, "link=suncatcher"]))
    summary = json.loads(data.attrs["summary"])
    found, closed = summary["fleet"], cluster.trained(cluster.cluster(*nine))["torus"]
    assert found["useful_flop"] / found["delivered_flop"] == pytest.approx(closed["useful_fraction"], rel=0.003)
    assert found["useful_flop"] + sum(found[f"{name}_lost_flop"] for name in LOSSES) == found["delivered_flop"]
    for name in ("model_flop_utilization", "delivered_model_flop_utilization", "training_days"):
        assert found[name] == pytest.approx(closed[name], rel=0.03)
    parts = data.fleet_useful_flops + sum(data[f"fleet_{name}_lost_flops"] for name in LOSSES)
    np.testing.assert_allclose(parts, data.fleet_delivered_flops, rtol=1e-12)
    assert data.fleet_useful_flops.dtype == np.float64
    assert "Gradients are exchanged by a torus of links" in summary["run"]["notes"]


def test_exchange_and_interruptions_take_what_their_laws_say(nine: tuple[Model, dict[str, Cohort]]) -> None:
    """At a given exchange of gradients and interval of checkpoints, one of nine satellites at half its pace."""
    model, cohorts = nine
    trained = Training(model, cohorts)
    trained.job = trained.job._replace(checkpoint_interval_s=jnp.asarray(400.0))
    trained.exchange_s = jnp.asarray(500.0)
    whole = np.full((1, 9), 2.4e16)
    half = whole * np.where(np.arange(9) == 4, 0.5, 1.0)
    series = trained(training_columns(half, whole), 0)
    compute_s = float(training.step_flop(trained.job)) / (9 * 1.2e16)
    step_s = compute_s + 500.0 - 0.6 * compute_s
    assert series["fleet_straggler_lost_flops"][0] == pytest.approx(4 * 2.4e16 + 4 * 2.4e16 + 1.2e16 - 9 * 1.2e16)
    assert series["fleet_exchange_lost_flops"][0] == pytest.approx(9 * 1.2e16 * (1.0 - compute_s / step_s))
    rate = jnp.asarray(cluster.interruptions_per_s(cluster.cluster(model, cohorts)))
    written_s = training.checkpoint_s(trained.job, 9 * 64.0)
    useful = training.useful_fraction(rate, jnp.asarray(400.0), written_s, 300.0)
    assert series["fleet_useful_flops"][0] == pytest.approx(9 * 1.2e16 * compute_s / step_s * float(useful), rel=1e-4)
    trained.job = trained.job._replace(overlap_fraction=jnp.asarray(0.0))
    assert not np.any(
        list(trained(training_columns(0.0 * whole, whole), 0).values())
    )  # numbers, and none of them above 0


def test_without_links_no_exchange_between_satellites_is_counted() -> None:
    (note,) = Training(*built(*NINE, "link=none")).notes
    assert note.startswith("Exchange of gradients between satellites is not counted; link = 'none': must be one")


def test_delays_of_a_satellite_that_is_dark_for_a_while() -> None:
    """Half of its ability is asked; from 450 to 1 050 s there is none: a request of the first moment waits 600 s.

    300 s of work have gathered at the end, and are done within 600 s more.
    """
    able = np.array([1.0, 0.25, 0.0, 0.5, 1.0, 1.0, 0.5, 1.0])[:, None]
    backlog = np.array([0.0, 0.0, 75.0, 225.0, 225.0, 75.0, 0.0, 0.0])[:, None]
    change, found = delays(able, np.full((7, 1), 0.5), backlog, FRAME_S)
    assert change[1, 0] == pytest.approx(0.5)
    np.testing.assert_allclose(found[:, 1, 0], [0.0, 0.0, 600.0, 525.0], atol=1e-6)
    np.testing.assert_allclose(found[[0, 3], 2, 0], [525.0, 375.0], atol=1e-6)
    np.testing.assert_allclose(found[[0, 3], 4, 0], [225.0, 75.0], atol=1e-6)
    dead = delays(np.zeros((3, 1)), np.full((2, 1), 0.5), np.array([0.0, 150.0, 300.0])[:, None], FRAME_S)[1]
    assert (dead == LONGEST_WAIT_S).all()


class Eclipsed:
    """A satellite of one accelerator that serves at a lower speed for 35 minutes of every orbit, for twelve hours."""

    frames, steps = 144, 15

    def __init__(self, of: Requests, dark: float, load: float) -> None:
        self.of, self.load = of, load
        service = registry.call(serving.service, of.profile, *map(jnp.asarray, (1.0, 1000.0, 200.0)))
        self.service_s, self.servers = float(service.full_service_s), round(float(service.slots_per_accelerator))
        turns = np.arange(12) * of.period_s
        self.edges_s = np.append(np.stack([turns, turns + of.period_s - 2100.0], axis=1), 12 * of.period_s)
        own_s = np.diff(self.edges_s) * np.tile([1.0, dark], 12)
        self.own_s = np.concatenate([[0.0], np.cumsum(own_s)])

    def simulated(self, seed: int) -> np.ndarray:
        """Waits of requests, event by event, in the time of the satellite, which passes as fast as it serves."""
        generator, length_s = np.random.default_rng(seed), self.frames * FRAME_S
        count = generator.poisson(self.load * self.servers / self.service_s * length_s)
        arrival_s = np.sort(generator.random(count) * length_s)
        own_s = np.interp(arrival_s, self.edges_s, self.own_s)
        waits = waits_s(own_s, generator.exponential(self.service_s, count), self.servers)
        after = np.clip(np.searchsorted(self.own_s, own_s + waits), 1, len(self.own_s) - 1)
        span = np.maximum(self.own_s[after] - self.own_s[after - 1], 1e-9)
        part = (own_s + waits - self.own_s[after - 1]) / span
        start_s = self.edges_s[after - 1] + part * (self.edges_s[after] - self.edges_s[after - 1])
        return np.where(waits > 0.0, np.maximum(start_s - arrival_s, 0.0), 0.0)

    def told(self, frames: int = 72) -> np.ndarray:
        """Shares that wait longer, from what the twin would have of it in chunks of so many frames."""
        of, edge_s = self.of, np.arange(self.frames * self.steps + 1) * (FRAME_S / self.steps)
        able = np.diff(np.interp(edge_s, self.edges_s, self.own_s)).reshape(self.frames, -1) / (FRAME_S / self.steps)
        done, backlog, waits = np.zeros(self.frames), np.zeros(self.frames), 0.0
        for frame in range(self.frames):
            done[frame] = np.minimum(able[frame], self.load + waits / FRAME_S).mean()
            backlog[frame] = waits = waits + (self.load - done[frame]) * FRAME_S
        columns = {
            "assigned_flops": np.full(self.frames, self.load) * of.each_flops,
            "compute_rate_flops": done * of.each_flops,
            "backlog_flop": backlog * of.each_flops,
            "dropped_flops": np.zeros(self.frames),
            "accelerators_alive": np.ones(self.frames),
            "clock_fraction": able.mean(axis=1) * of.nominal_clock,
        }
        requests = self.load * self.servers / self.service_s * FRAME_S
        of.arrivals = [np.full(self.frames, value) for value in (requests, 1000.0, 200.0, 1.0, 1.0, 0.0)]
        of.past, steps, parts = None, of.model.structure.schedule.save_steps, range(0, self.frames, frames)
        chunks = [{k: v[part : part + frames, None].astype(np.float32) for k, v in columns.items()} for part in parts]
        told = [of(c, part * steps)["share_waiting_longer"] for part, c in zip(parts, chunks, strict=True)]
        return np.concatenate(told)


@pytest.mark.parametrize(
    ("dark", "load", "percents"),
    [(0.3, 0.6, (90, 95, 99)), (0.0, 0.6, (50, 90, 95, 99)), (0.1, 0.5, (50, 90, 95, 99)), (1.0, 0.95, (90, 95, 99))],
)
def test_waits_are_those_of_a_simulated_satellite(
    one: tuple[Model, dict[str, Cohort]], dark: float, load: float, percents: tuple[int, ...]
) -> None:
    """Slowed, or stopped, in every eclipse, or nearly full all the time: percentiles within a tenth."""
    satellite = Eclipsed(Requests(*one), dark, load)
    simulated = np.concatenate([satellite.simulated(seed) for seed in range(12)])
    shares = satellite.told().mean(axis=0)
    for percent in percents:
        assert percentile_s(shares, percent) == pytest.approx(np.percentile(simulated, percent), rel=0.1)


def test_waits_do_not_depend_on_the_length_of_chunks(one: tuple[Model, dict[str, Cohort]]) -> None:
    """Some chunks of half an hour lie in the dark as a whole; the orbit before, in whole frames, tells when it ends."""
    satellite = Eclipsed(Requests(*one), 0.0, 0.5)
    whole, parts = (satellite.told(frames)[24:].mean(axis=0) for frames in (144, 6))
    for percent in (90, 95, 99):
        assert percentile_s(parts, percent) == pytest.approx(percentile_s(whole, percent), rel=0.1)


SHORT_S = 5.0


class Traced:
    """A satellite with as many slots as a trace loads so far, in frames of five seconds."""

    def __init__(self, of: Requests, file: str, slots: float, load: float) -> None:
        self.of = of
        of.profile |= {"slots_per_replica": slots}
        trace = traces.read(file, DATA)
        per_token_s = tuple(map(float, registry.call(serving.full_seconds_per_token, of.profile)))
        self.frames = int(trace.length_s / SHORT_S)
        self.arrivals = arrivals.of_sums(arrivals.sums(trace, per_token_s, SHORT_S, self.frames))
        self.arrival_s = trace.time_s
        self.service_s = per_token_s[0] * trace.prompt_tokens + per_token_s[1] * trace.output_tokens
        self.servers = round(float(self.service_s.sum()) / trace.length_s / load)

    def simulated(self) -> np.ndarray:
        """Waits, event by event."""
        return waits_s(self.arrival_s, self.service_s, self.servers)

    def told(self) -> np.ndarray:
        """Share of all requests that wait longer, from the frames that the twin would have of it."""
        of, edges_s = self.of, SHORT_S * np.arange(self.frames + 1)
        accelerators = self.servers * of.profile["accelerators_per_replica"] / of.profile["slots_per_replica"]
        whole = of.each_flops * accelerators
        asked = np.histogram(self.arrival_s, edges_s, weights=self.service_s)[0] / (self.servers * SHORT_S)
        backlog, done = np.zeros(self.frames + 1), np.zeros(self.frames)
        for k in range(self.frames):
            done[k] = min(asked[k] + backlog[k] / SHORT_S, 1.0)
            backlog[k + 1] = backlog[k] + (asked[k] - done[k]) * SHORT_S
        one = np.ones((self.frames, 1))
        columns = {
            "assigned_flops": asked[:, None] * whole,
            "compute_rate_flops": done[:, None] * whole,
            "backlog_flop": backlog[1:, None] * whole,
            "dropped_flops": 0.0 * one,
            "accelerators_alive": one * accelerators,
            "clock_fraction": one * of.nominal_clock,
        }
        of.arrivals, of.past = [np.asarray(series) for series in self.arrivals], None
        series = of(columns, 0)
        return series["fleet_requests_per_s"] @ series["share_waiting_longer"] / series["fleet_requests_per_s"].sum()


@pytest.fixture(scope="module")
def short() -> Requests:
    """Requests in frames of five seconds."""
    times = (f"time.{name}_s={SHORT_S:g}" for name in ("step", "exchange", "save_every"))
    return Requests(*built("workload=inference_azure_conv", "constellation=single", *times))


AZURE, MOONCAKE = "azure_llm_2023_conv.csv.gz", "mooncake_conversation.csv.gz"


@pytest.mark.parametrize(
    ("file", "slots", "load", "within"),
    [
        (AZURE, 256.0, 0.8, 0.1),
        (AZURE, 256.0, 0.9, 0.13),
        (AZURE, 16.0, 0.85, 0.1),
        (AZURE, 16.0, 0.9, 0.1),
        (MOONCAKE, 16.0, 0.9, 0.1),
        (MOONCAKE, 16.0, 0.95, 0.1),
    ],
)
def test_waits_are_those_of_a_simulated_trace(
    short: Requests, file: str, slots: float, load: float, within: float
) -> None:
    """The last percentiles of a recorded trace against its simulation, request by request.

    Within a tenth, but where waits last minutes: there requests that come together are longer than the mean.
    """
    satellite = Traced(short, file, slots, load)
    simulated, shares = satellite.simulated(), satellite.told()
    for percent in (95, 99):
        assert percentile_s(shares, percent) == pytest.approx(np.percentile(simulated, percent), rel=within)


DISK = [*DAY, "workload.load_fraction=1.05", "time.duration_s=32400"]


@pytest.fixture(scope="module")
def whole() -> xr.Dataset:
    return twin.simulate(twin.compose("simulate", DISK))


def test_a_run_that_was_stopped_ends_with_the_same_requests(tmp_path: Path, whole: xr.Dataset) -> None:
    config, seen = twin.compose("simulate", DISK), []
    part = partial(twin.simulate, config, tmp_path / "run")
    assert part(watch=seen.append, stop=lambda: bool(seen)).attrs["status"] == "stopped"
    data = part()
    assert data.attrs["status"] == "finished" and data.time.size == whole.time.size
    for name in ("share_waiting_longer", "fleet_service_s", "fleet_prefill_s"):
        np.testing.assert_array_equal(data[name], whole[name].astype(np.float32))
    found, first = (json.loads(each.attrs["summary"])["fleet"] for each in (data, whole))
    assert {k: v for k, v in found.items() if v != first[k]} == {}


def test_the_summary_tells_of_requests(whole: xr.Dataset) -> None:
    found = json.loads(whole.attrs["summary"])["fleet"]
    arrived = whole.fleet_requests_per_s
    assert found["requests"] == pytest.approx(float(arrived.sum()) * FRAME_S, rel=1e-6)
    shares = whole.share_waiting_longer.weighted(arrived).mean("time").values
    for percent in (50, 95, 99):
        assert found[f"wait_p{percent}_s"] == pytest.approx(percentile_s(shares, percent), rel=1e-4)
    late = float(shares[np.argmin(np.abs(THRESHOLDS_S - 10.0))])
    assert found["waited_longer_than_10_s_fraction"] == pytest.approx(late, rel=1e-4) and late > 0.5
    assert found["first_token_p50_s"] > found["wait_p50_s"] and found["first_token_in_time_fraction"] < 0.5
    assert found["output_token_s"] == pytest.approx(
        float(whole.fleet_output_token_s.weighted(arrived).mean()), rel=1e-4
    )
    assert found["tokens_per_joule"] == pytest.approx(found["served_tokens"] / found["load_energy_j"])


def test_tokens_put_out_are_those_of_the_requests_that_are_served(whole: xr.Dataset) -> None:
    """Of all tokens of the Azure conversations in nine hours, prompts and outputs, at 2 operations a parameter."""
    found = json.loads(whole.attrs["summary"])["fleet"]
    model = twin.build(twin.compose("simulate", DISK))
    requests, prompt, output, *_ = model.environment.arrivals
    part = found["delivered_flop"] / found["assigned_flop"]
    assert found["served_tokens"] == pytest.approx(part * float(jnp.sum(requests * output)), rel=1e-3)
    assert float(jnp.sum(requests * prompt)) > float(jnp.sum(requests * output))


def test_windows_count_for_what_they_stand_for(nine: tuple[Model, dict[str, Cohort]]) -> None:
    model, cohorts = nine
    series = FleetSeries(model._replace(environment=model.environment._replace(slow_weight=jnp.asarray(3.0))), cohorts)
    columns = training_columns(np.full((4, 9), 2.0e16), np.full((4, 9), 2.0e16))
    others = ("dropped_flops", "backlog_flop", "downlink_bit_per_s", "data_backlog_bit", "contact_fraction")
    found = series(columns | dict.fromkeys(others, np.zeros((4, 9))), 0)
    length_s = 3.0 * model.structure.schedule.save_steps * model.structure.schedule.step_s
    assert series.reading()["fleet_useful_flops"] == pytest.approx(length_s * found["fleet_useful_flops"].sum())
    told = series.summary({"delivered_flop": 1e20}, 4 * length_s)
    assert told["useful_flop"] / 1e20 == pytest.approx(found["fleet_useful_flops"].mean() / (9 * 2.0e16))
