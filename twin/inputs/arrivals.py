"""Demand and arrivals of traces, and of days of regions, on a run's own grid.

Twice the trace is twice as many requests of the same kind: independent copies of its users in their number, and the ups
and downs of its rate from interval to interval in step. Superposed, independent copies keep the ratio of variance to
mean of their counts: `arrival_scv` does not depend on the scale. It is this ratio over windows of BURST_WINDOW_S in an
interval, for renewals the squared coefficient of variation of the times between arrivals; 1, as of requests that come
as they like, in intervals too short to tell: there the intervals themselves follow the bursts.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from kernels import registry, serving
from kernels.serving import Lengths
from twin.inputs.traces import Floats, Trace
from twin.inputs.traces import read as read_trace
from twin.refusal import ConfigError
from twin.structure import Arrivals

ROUNDING_S = 1e-6  # a record this close before the edge of an interval counts as on it, and belongs to the next
BURST_WINDOW_S = 10.0  # some times in service: bunches that are shorter are taken up by slots
MOST_LOAD = 100.0  # mean demand over capacity
DAY_S = 86_400.0
DAY_STEPS = 288  # rows of a day of regions


class Sums(NamedTuple):
    """Requests and what they bring together, per interval, (interval,): all of it adds up over intervals."""

    requests: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    service_s: Floats  # every slot being busy
    service_s2: Floats
    prompt_tokens2: Floats
    bunched: Floats  # requests times the squared coefficient of variation of their arrivals


class Demand(NamedTuple):
    """Demand of a run per interval [flop/s], its requests where they are known, and remarks for the user."""

    flops: Floats
    sums: Sums | None
    lengths: Lengths
    notes: list[str]


def of_workload(workload: Any, interval_s: float, intervals: int, seed: int, search: Any, start_s: float) -> Demand:
    """Demand of a workload of the model `trace` or `daily` as its source tells it, from `start_s` after midnight UTC.

    `search` is the configuration's data folder. ConfigError on malformed input.
    """
    if workload.model == "daily":
        trace = _days(workload, search, start_s)
    elif not workload.file:
        raise ConfigError("workload.file: missing; a workload that follows a trace needs workload.file=PATH")
    else:
        trace = read_trace(workload.file, search, workload.token_lengths_from, seed)
    demand = tokens_per_s(trace, interval_s, intervals, workload.repeat) * workload.work_flop_per_token
    notes = list(trace.notes)
    duration_s = interval_s * intervals
    if workload.model == "trace" and duration_s > trace.length_s * (1.0 + 1e-9):
        notes.append(f"trace of {trace.length_s:.0f} s repeated {duration_s / trace.length_s:.1f} times over the run")
    if not demand.any():
        raise ConfigError(
            f"{trace.name}: the trace asks for nothing in its first {duration_s:.0f} s, the length of the run"
        )
    lengths = Lengths(*map(jnp.asarray, trace.mean_tokens))
    if not trace.counted:
        return Demand(demand, None, lengths, notes)
    of_prompt, of_output = registry.call(serving.full_seconds_per_token, workload.model_dump())
    return Demand(demand, sums(trace, (float(of_prompt), float(of_output)), interval_s, intervals), lengths, notes)


def scaled(demand: Demand, workload: Any, nominal_flops: float) -> Demand:
    """Demand times `workload.scale`, or so that its mean is `workload.load_fraction` of the fleet's capacity.

    ConfigError where that is more than MOST_LOAD times the capacity.
    """
    scale, notes = workload.scale, list(demand.notes)
    if scale is None:
        scale = workload.load_fraction * nominal_flops / float(demand.flops.mean())
        notes.append(f"trace scaled by {scale:.5g} to {workload.load_fraction:.2f} of the fleet's nominal capacity")
    elif (load := scale * float(demand.flops.mean()) / nominal_flops) > MOST_LOAD:
        raise ConfigError(
            f"workload.scale = {scale:g}: asks for {load:.3g} times what the fleet can do; at most {MOST_LOAD:g}"
        )
    else:
        notes.append(f"trace scaled by {scale:g}, {load:.3g} of nominal capacity; load_fraction is not used")
    told = demand.sums and Sums(*(scale * values for values in demand.sums))
    if told and told.requests.sum() < 0.5:
        notes.append("the trace, so scaled, has less than one request in the run: no waits are told")
    return Demand(demand.flops * scale, told, demand.lengths, notes)


def tokens_per_s(trace: Trace, interval_s: float, intervals: int, repeat: bool) -> Floats:
    """Mean demand in each interval of a run that starts with the trace, (interval,). [token/s]

    A trace shorter than the run starts again when `repeat` is set, or is refused with ConfigError.
    """
    duration_s = interval_s * intervals
    if not repeat and duration_s > trace.length_s * (1.0 + 1e-9):
        raise ConfigError(
            f"{trace.name}: the trace lasts {trace.length_s:.0f} s, the run {duration_s:.0f} s; "
            "shorten the run or set workload.repeat=true"
        )
    if not trace.length_s > 0.0:
        raise ConfigError(f"{trace.name}: all records are of one instant, which cannot be repeated over a run")
    return _on_grid(trace, trace.tokens, interval_s, intervals) / interval_s


def of_sums(found: Sums) -> Arrivals:
    """Arrivals in intervals with such sums; the sums of requests are rounded, so that they add up."""
    requests = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(found.requests)]) + 0.5))
    each = [_over(values, found.requests) for values in found[1:]]
    prompt, output, service_s, service_s2, prompt2, bunched = each
    spread = [np.maximum(_over(p, q**2) - 1.0, 0.0) for p, q in ((service_s2, service_s), (prompt2, prompt))]
    return Arrivals(*(jnp.asarray(v, dtype=jnp.float64) for v in (requests, prompt, output, bunched, *spread)))


def _on_grid(trace: Trace, values: Floats, interval_s: float, intervals: int) -> Floats:
    """Sum of a value of every record, or integral over time of one of a series, in each interval, (interval,)."""
    edges_s = interval_s * np.arange(intervals + 1)
    turns = np.floor((edges_s + ROUNDING_S) / trace.length_s)
    within_s = np.maximum(edges_s - turns * trace.length_s, 0.0)
    if trace.kind == "requests":
        total = np.concatenate([[0.0], np.cumsum(values)])
        before = total[np.searchsorted(trace.time_s, within_s - ROUNDING_S, side="left")]
    else:
        knots_s = np.append(trace.time_s, trace.length_s)
        total = np.concatenate([[0.0], np.cumsum(values * np.diff(knots_s))])
        before = np.interp(within_s, knots_s, total)
    return np.diff(before + turns * total[-1])


def sums(trace: Trace, seconds_per_token: tuple[float, float], interval_s: float, intervals: int) -> Sums:
    """Requests of a trace as they are, per interval; `seconds_per_token` in service: of prompt, of output."""
    of_prompt, of_output = seconds_per_token
    prompt_s, output_s = of_prompt * trace.prompt_tokens, of_output * trace.output_tokens
    squared = (prompt_s + output_s) ** 2 + trace.prompt_scv * prompt_s**2 + trace.output_scv * output_s**2
    prompt2 = trace.prompt_tokens**2 * (1.0 + trace.prompt_scv)
    each = (trace.prompt_tokens, trace.output_tokens, prompt_s + output_s, squared, prompt2)
    counts, *others = (
        _on_grid(trace, trace.requests * values, interval_s, intervals) for values in (np.ones_like(squared), *each)
    )
    if trace.arrival_scv is None:
        bunched = counts * _dispersion(trace, interval_s, intervals)
    else:
        bunched = _on_grid(trace, trace.requests * trace.arrival_scv, interval_s, intervals)
    return Sums._make([counts, *others, bunched])


def _dispersion(trace: Trace, interval_s: float, intervals: int) -> Floats:
    """Variance over mean of the requests in short windows of each interval, 1 where there are too few, (interval,)."""
    count = max(round(trace.length_s / BURST_WINDOW_S), 1)
    one, window_s = np.ones(count), trace.length_s / count
    starts_s = np.arange(count, dtype=np.float64) * window_s
    within = np.bincount(np.minimum((trace.time_s / window_s).astype(np.int64), count - 1), minlength=count)
    windows = Trace("requests", trace.name, starts_s, one, one, one, window_s)
    number, total, squares = (
        _on_grid(windows, values.astype(np.float64), interval_s, intervals)
        for values in (np.ones(count), within, within.astype(np.float64) ** 2)
    )
    variance = (squares - _over(total**2, number)) / np.maximum(number - 1.0, 1.0)
    told = (number >= 2.0) & (total > 0.0)
    return np.where(told, _over(variance * number, total), 1.0)


def _days(workload: Any, search: Any, start_s: float) -> Trace:
    """A day of all regions from the start of a run on, of requests as long as those of another trace."""
    if not workload.regions:
        raise ConfigError("workload.regions: missing; days of regions need workload.regions.NAME with a share of each")
    if not workload.token_lengths_from:
        raise ConfigError("workload.token_lengths_from: missing; days of regions need a trace of requests for lengths")
    lengths = read_trace(workload.token_lengths_from, search)
    time_s = np.arange(DAY_STEPS, dtype=np.float64) * (DAY_S / DAY_STEPS)
    utc_h = (start_s + time_s + 0.5 * DAY_S / DAY_STEPS) / 3600.0
    regions = workload.regions.values()
    parts = [region.share * _of_day(region, utc_h + region.utc_offset_h) for region in regions]
    rates = np.sum(parts, axis=0) / sum(region.share for region in regions)
    one = np.ones(DAY_STEPS)
    sides = (lengths.prompt_tokens, lengths.output_tokens)
    prompt, output = (one * tokens.mean() for tokens in sides)
    spread = [float(tokens.var() / max(tokens.mean(), 1e-9) ** 2) for tokens in sides]
    return Trace(
        "rate", "workload.regions", time_s, rates, prompt, output, DAY_S / DAY_STEPS, (), one, spread[0], spread[1]
    )


def _of_day(region: Any, local_h: Floats) -> Floats:
    """Rate of a region over its mean: a cosine of the hour."""
    swing = (1.0 - region.trough_over_peak) / (1.0 + region.trough_over_peak)
    return 1.0 + swing * np.cos((local_h - region.peak_hour_h) * (2.0 * np.pi / 24.0))


def _over(values: Floats, counts: Floats) -> Floats:
    """Quotients, 0 where there is nothing to divide by."""
    return np.divide(values, counts, out=np.zeros_like(values), where=counts > 0.0)
