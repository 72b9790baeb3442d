"""Demand of recorded request traces and rate series, as tokens and operations per second on a run's own grid."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.inputs.data_files import find, read_text
from twin.refusal import ConfigError, parse_utc

Floats = NDArray[np.float64]

MOST_DRAWS = 10_000  # token lengths drawn for one row of a rate series: enough for its mean to 1 %
ROUNDING_S = 1e-6  # a record this close before the edge of an interval counts as on it, and belongs to the next
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Trace:
    """A recorded demand; `time_s` (record,) counts from the first record.

    `tokens` (record,) is per request in a trace of requests, and per second until the next record in a rate series.
    `step_s` is the mean time between requests, or the step of the series: what follows the last record.
    """

    kind: Literal["requests", "rate"]
    name: str
    time_s: Floats
    tokens: Floats
    step_s: float
    notes: tuple[str, ...] = ()

    @property
    def length_s(self) -> float:
        """Length of the trace, after which it may be repeated: its span and one step. [s]"""
        return float(self.time_s[-1]) + self.step_s


class _Table(NamedTuple):
    """Rows of a CSV file with their line numbers."""

    path: Path
    columns: tuple[str, ...]
    lines: list[int]
    rows: list[list[str]]


class _Lengths(NamedTuple):
    """Where missing token lengths come from: another trace of requests, and the seed of the draw."""

    name: str | None
    search: Path | None
    seed: int


def read(path: str | Path, search: Path | None = None, token_lengths_from: str | None = None, seed: int = 0) -> Trace:
    """Trace of a CSV file (plain or gzip) whose header names one of the known formats.

    A suffix "#model" chooses among the models of a rate series. Rows without token lengths take the mean of lengths
    drawn from the trace `token_lengths_from`. ConfigError on malformed input.
    """
    name, _, choice = str(path).partition("#")
    table = _table(find(name, search))
    for columns, build in _FORMATS.items():
        if set(columns) <= set(table.columns):
            if choice and build is not _rates:
                raise ConfigError(f"{path}: {choice!r} is asked for, but the file has no column model")
            trace = build(table, choice, _Lengths(token_lengths_from, search, seed))
            if not trace.tokens.any():
                raise ConfigError(f"{path}: the whole trace asks for 0 tokens; at least one record must ask for more")
            return trace
    known = "; ".join(",".join(columns) for columns in _FORMATS)
    raise ConfigError(f"{table.path}, line 1: header {','.join(table.columns)[:60]!r} is not known; known are {known}")


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
    edges_s = interval_s * np.arange(intervals + 1)
    turns = np.floor((edges_s + ROUNDING_S) / trace.length_s)
    within_s = np.maximum(edges_s - turns * trace.length_s, 0.0)
    if trace.kind == "requests":
        sums = np.concatenate([[0.0], np.cumsum(trace.tokens)])
        before = sums[np.searchsorted(trace.time_s, within_s - ROUNDING_S, side="left")]
    else:
        knots_s = np.append(trace.time_s, trace.length_s)
        sums = np.concatenate([[0.0], np.cumsum(trace.tokens * np.diff(knots_s))])
        before = np.interp(within_s, knots_s, sums)
    return np.diff(before + turns * sums[-1]) / interval_s


def demand_flops(
    workload: Any, nominal_flops: float, interval_s: float, intervals: int, seed: int, search: Path | None = None
) -> tuple[Floats, list[str]]:
    """Demand of a `trace` workload per exchange interval [flop/s], (interval,), and remarks for the user.

    Without `workload.scale` the mean over the run becomes `workload.load_fraction` of `nominal_flops`, the fleet's
    capacity; `search` is the configuration's data folder. ConfigError on malformed input.
    """
    if not workload.file:
        raise ConfigError("workload.file: missing; a workload that follows a trace needs workload.file=PATH")
    trace = read(workload.file, search, workload.token_lengths_from, seed)
    demand = tokens_per_s(trace, interval_s, intervals, workload.repeat) * workload.work_flop_per_token
    notes = list(trace.notes)
    duration_s = interval_s * intervals
    if duration_s > trace.length_s * (1.0 + 1e-9):
        notes.append(f"trace of {trace.length_s:.0f} s repeated {duration_s / trace.length_s:.1f} times over the run")
    if not demand.any():
        raise ConfigError(
            f"{trace.name}: the trace asks for nothing in its first {duration_s:.0f} s, the length of the run"
        )
    scale = workload.scale
    if scale is None:
        scale = workload.load_fraction * nominal_flops / float(demand.mean())
        notes.append(f"trace scaled by {scale:.5g} to {workload.load_fraction:.2f} of the fleet's nominal capacity")
    return demand * scale, notes


# --- Reading ---------------------------------------------------------------------------------------------------------


def _table(path: Path) -> _Table:
    """Header and rows of a CSV file without quotes; blank lines are skipped."""
    lines = read_text(path).split("\n")
    numbered = [(number, line.split(",")) for number, line in enumerate(lines, start=1) if line.strip()]
    (_, header), *body = numbered
    columns = tuple(name.strip() for name in header)
    for number, row in body:
        if len(row) != len(columns):
            raise ConfigError(f"{path}, line {number}: {len(row)} fields given, {len(columns)} named in the header")
    if not body:
        raise ConfigError(f"{path}: no records below the header")
    return _Table(path, columns, [number for number, _ in body], [row for _, row in body])


def _texts(table: _Table, column: str) -> list[str]:
    at = table.columns.index(column)
    return [row[at].strip() for row in table.rows]


def _numbers(table: _Table, column: str, empty: float | None = None, largest: float = 1e15) -> Floats:
    """A column of finite numbers of zero or more; `empty` stands for what is not given, if that is allowed."""
    values = np.empty(len(table.rows))
    for i, text in enumerate(_texts(table, column)):
        where = f"{table.path}, line {table.lines[i]}: {column} = {text!r}"
        if not text and empty is not None:
            values[i] = empty
        elif not _NUMBER.fullmatch(text):
            raise ConfigError(f"{where} is not a number")
        elif not 0.0 <= (value := float(text)) <= largest:
            raise ConfigError(f"{where}; allowed is 0 to {largest:g}")
        else:
            values[i] = value
    return values


def _from_first(table: _Table, column: str, times_s: Floats, strict: bool) -> Floats:
    """Times from the first record, which must not decrease, and must increase where `strict`."""
    steps = np.diff(times_s)
    wrong = steps <= 0.0 if strict else steps < 0.0
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        text = _texts(table, column)[row]
        raise ConfigError(
            f"{table.path}, line {table.lines[row]}: {column} = {text!r} is "
            f"{'not after' if strict else 'before'} the line above; records must be in order of time"
        )
    return times_s - times_s[0]


def _requests(table: _Table, time_column: str, times_s: Floats, *token_columns: str) -> Trace:
    """Trace of requests; token counts are summed over their columns."""
    time_s = _from_first(table, time_column, times_s, strict=False)
    tokens = np.sum([_numbers(table, column) for column in token_columns], axis=0)
    span_s, gaps = float(time_s[-1]), len(time_s) - 1
    return Trace("requests", str(table.path), time_s, tokens, span_s / gaps if gaps else 0.0)


def _azure(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Azure LLM inference traces (Patel et al. 2024): an instant and two token counts per request."""
    del choice, lengths
    instants_s = np.empty(len(table.rows))
    for i, text in enumerate(_texts(table, "TIMESTAMP")):
        try:
            instants_s[i] = parse_utc(text).timestamp()
        except ValueError as error:
            raise ConfigError(f"{table.path}, line {table.lines[i]}: TIMESTAMP = {text!r} {error}") from None
    return _requests(table, "TIMESTAMP", instants_s, "ContextTokens", "GeneratedTokens")


def _mooncake(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Mooncake traces (Qin et al. 2025): milliseconds and two token counts per request."""
    del choice, lengths
    times_s = 1e-3 * _numbers(table, "timestamp_ms")
    return _requests(table, "timestamp_ms", times_s, "input_tokens", "output_tokens")


def _plain(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Seconds and tokens per request."""
    del choice, lengths
    return _requests(table, "time_s", _numbers(table, "time_s"), "tokens")


def _minutes(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Token rate by minute (BurstGPT, Wang et al. 2024); a minute that is not listed has no demand."""
    del choice, lengths
    minutes = _numbers(table, "minute", largest=1e8)
    if (odd := minutes != np.floor(minutes)).any():
        row = int(np.argmax(odd))
        raise ConfigError(
            f"{table.path}, line {table.lines[row]}: minute = {minutes[row]:g}; allowed is a whole number"
        )
    time_s = 60.0 * _from_first(table, "minute", minutes, strict=True)
    rates = _numbers(table, "tokens_per_s")
    before_gap = np.flatnonzero(np.diff(time_s) > 60.0)
    time_s = np.insert(time_s, before_gap + 1, time_s[before_gap] + 60.0)
    return Trace("rate", str(table.path), time_s, np.insert(rates, before_gap + 1, 0.0), 60.0)


def _rates(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Request rates and mean token lengths of one model (ServeGen, Xiang et al. 2025); a rate holds to the next row."""
    table = _of_model(table, choice)
    name = f"{table.path}#{choice}" if choice else str(table.path)
    time_s = _from_first(table, "time_s", _numbers(table, "time_s"), strict=True)
    if len(time_s) < 2:
        raise ConfigError(f"{name}: one record is no series; at least two are needed")
    rate_per_s = _numbers(table, "total_rate_req_s")
    tokens = _numbers(table, "mean_input_tokens", empty=math.nan) + _numbers(
        table, "mean_output_tokens", empty=math.nan
    )
    step_s = float(np.median(np.diff(time_s)))
    missing = np.flatnonzero(np.isnan(tokens))
    notes = ()
    if len(missing):
        if lengths.name is None:
            raise ConfigError(
                f"{table.path}, line {table.lines[missing[0]]}: no mean token lengths; "
                "name a trace of requests to draw them from with workload.token_lengths_from=PATH"
            )
        requests = np.ceil(rate_per_s[missing] * step_s)
        tokens[missing], source = _drawn(lengths, requests)
        notes = (f"{len(missing)} of {len(tokens)} rows of {Path(name).name} give no token lengths: {source}",)
    return Trace("rate", name, time_s, rate_per_s * tokens, step_s, notes)


def _of_model(table: _Table, choice: str) -> _Table:
    """The rows of one model."""
    models = _texts(table, "model")
    known = list(dict.fromkeys(models))
    if not choice and len(known) == 1:
        return table
    if choice not in known:
        asked = f"no model {choice!r} in it" if choice else f"{len(known)} models in it"
        raise ConfigError(f"{table.path}: {asked}; choose with #NAME at the end of the path among {', '.join(known)}")
    rows = [i for i, model in enumerate(models) if model == choice]
    return table._replace(lines=[table.lines[i] for i in rows], rows=[table.rows[i] for i in rows])


def _drawn(lengths: _Lengths, requests: Floats) -> tuple[Floats, str]:
    """Mean token length of as many requests per row, drawn from another trace (row,), and a note on the source."""
    source = read(str(lengths.name), lengths.search)
    if source.kind != "requests":
        raise ConfigError(f"workload.token_lengths_from = {lengths.name!r}: must be a trace of requests, not of rates")
    generator = np.random.default_rng(lengths.seed)
    counts = np.clip(requests, 1, MOST_DRAWS).astype(np.int64)
    means = np.array([source.tokens[generator.integers(len(source.tokens), size=count)].mean() for count in counts])
    note = (
        f"each takes the mean of up to {MOST_DRAWS} requests drawn with seed {lengths.seed} from "
        f"{Path(source.name).name}, whose mean is {source.tokens.mean():.0f} tokens"
    )
    return means, note


# The columns that name a format, and its reader.
_FORMATS: dict[tuple[str, ...], Callable[[_Table, str, _Lengths], Trace]] = {
    ("TIMESTAMP", "ContextTokens", "GeneratedTokens"): _azure,
    ("timestamp_ms", "input_tokens", "output_tokens"): _mooncake,
    ("model", "time_s", "total_rate_req_s", "mean_input_tokens", "mean_output_tokens"): _rates,
    ("minute", "tokens_per_s"): _minutes,
    ("time_s", "tokens"): _plain,
}
