"""Recorded traces of requests and series of their rate: reading what is published, and refusing what is not one."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.inputs.data_files import find, read_text
from twin.refusal import ConfigError, parse_utc

Floats = NDArray[np.float64]

MOST_DRAWS = 10_000  # token lengths drawn for one row of a rate series: enough for its mean to 1 %
LONGEST_S = 1e9  # of a trace, 32 years: its arrivals are counted in windows of seconds
LENGTHS_SCV = 1.0  # of token lengths of which only the mean is known: assumed to be exponential
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Trace:
    """A recorded demand; `time_s` (record,) counts from the first record.

    A record is a request, or a rate of `requests` per second until the next record; its tokens (record,) are per
    request. `step_s` is the mean time between requests, or the step of the series: what follows the last record. In a
    series `arrival_scv` (record,) and the two of the lengths are squared coefficients of variation, given by its source
    or assumed; in a trace of requests they are in the records. Where a source tells of tokens only,
    not of requests, `counted` is false and each request stands for one token.
    """

    kind: Literal["requests", "rate"]
    name: str
    time_s: Floats
    requests: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    step_s: float
    notes: tuple[str, ...] = ()
    arrival_scv: Floats | None = None
    prompt_scv: float = 0.0
    output_scv: float = 0.0
    counted: bool = True

    @property
    def tokens(self) -> Floats:
        """Tokens of each request, or per second until the next record, (record,)."""
        return self.requests * (self.prompt_tokens + self.output_tokens)

    @property
    def mean_tokens(self) -> tuple[float, float]:
        """Mean tokens of a request, of the prompt and put out; one put out where nothing tells of requests."""
        if not self.counted:
            return 0.0, 1.0
        lasting_s = np.diff(self.time_s, append=self.length_s) if self.kind == "rate" else np.ones_like(self.time_s)
        weights = lasting_s * self.requests
        prompt, output = (
            float(np.average(tokens, weights=weights)) for tokens in (self.prompt_tokens, self.output_tokens)
        )
        return prompt, output

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
            if token_lengths_from and build in (_azure, _mooncake, _plain):
                raise ConfigError(
                    f"workload.token_lengths_from = {token_lengths_from!r}: must be null: {path} has its own lengths"
                )
            trace = build(table, choice, _Lengths(token_lengths_from, search, seed))
            if not trace.tokens.any():
                raise ConfigError(f"{path}: the whole trace asks for 0 tokens; at least one record must ask for more")
            return trace
    known = "; ".join(",".join(columns) for columns in _FORMATS)
    raise ConfigError(f"{table.path}, line 1: header {','.join(table.columns)[:60]!r} is not known; known are {known}")


# --- Reading ---------------------------------------------------------------------------------------------------------


def _table(path: Path) -> _Table:
    """Header and rows of a CSV file without quotes; blank lines are skipped."""
    lines = read_text(path).split("\n")
    numbered = [(number, line.split(",")) for number, line in enumerate(lines, start=1) if line.strip()]
    (_, header), *body = numbered
    columns = tuple(name.strip() for name in header)
    if len(set(columns)) < len(columns):
        raise ConfigError(f"{path}, line 1: header {','.join(columns)[:60]!r} names a column twice")
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
    since_s = times_s - times_s[0]
    if since_s[-1] > LONGEST_S:
        text = _texts(table, column)[-1]
        raise ConfigError(
            f"{table.path}, line {table.lines[-1]}: {column} = {text!r} is {since_s[-1]:.3g} s after the first record; "
            f"allowed is a trace of up to {LONGEST_S:g} s"
        )
    return since_s


def _requests(table: _Table, time_s: Floats, prompt_tokens: Floats, output_tokens: Floats) -> Trace:
    """Trace of requests at times from the first on."""
    span_s, gaps = float(time_s[-1]), len(time_s) - 1
    step_s = span_s / gaps if gaps else 0.0
    return Trace("requests", str(table.path), time_s, np.ones_like(time_s), prompt_tokens, output_tokens, step_s)


def _azure(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Azure LLM inference traces (Patel et al. 2024): an instant and two token counts per request."""
    del choice, lengths
    instants_s = np.empty(len(table.rows))
    for i, text in enumerate(_texts(table, "TIMESTAMP")):
        try:
            instants_s[i] = parse_utc(text).timestamp()
        except ValueError as error:
            raise ConfigError(f"{table.path}, line {table.lines[i]}: TIMESTAMP = {text!r} {error}") from None
    time_s = _from_first(table, "TIMESTAMP", instants_s, strict=False)
    return _requests(table, time_s, _numbers(table, "ContextTokens"), _numbers(table, "GeneratedTokens"))


def _mooncake(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Mooncake traces (Qin et al. 2025): milliseconds and two token counts per request."""
    del choice, lengths
    time_s = _from_first(table, "timestamp_ms", 1e-3 * _numbers(table, "timestamp_ms"), strict=False)
    return _requests(table, time_s, _numbers(table, "input_tokens"), _numbers(table, "output_tokens"))


def _plain(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Seconds and tokens per request, all of them output unless the columns tell otherwise."""
    del choice, lengths
    time_s = _from_first(table, "time_s", _numbers(table, "time_s"), strict=False)
    if "tokens" not in table.columns:
        return _requests(table, time_s, _numbers(table, "prompt_tokens"), _numbers(table, "output_tokens"))
    tokens = _numbers(table, "tokens")
    return _requests(table, time_s, np.zeros_like(tokens), tokens)


def _minutes(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Token rate by minute (BurstGPT, Wang et al. 2024); a minute that is not listed has no demand.

    How many requests that is follows from the mean lengths of another trace, if one is named.
    """
    del choice
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
    rates = np.insert(rates, before_gap + 1, 0.0)
    name, one = str(table.path), np.ones_like(rates)
    if lengths.name is None:
        note = (
            f"{table.path.name} tells of tokens only, all taken as put out: workload.token_lengths_from=PATH would "
            "tell requests from them"
        )
        return Trace("rate", name, time_s, rates, 0.0 * one, one, 60.0, (note,), one, counted=False)
    source = _lengths_of(lengths)
    prompt, output = source.prompt_tokens.mean(), source.output_tokens.mean()
    if not prompt + output > 0.0:
        raise ConfigError(f"workload.token_lengths_from = {lengths.name!r}: its requests have no tokens")
    note = (
        f"{table.path.name} tells of tokens only: requests take the mean lengths of {Path(source.name).name}, "
        f"{prompt:.0f} and {output:.0f} tokens"
    )
    spread = _scv(source.prompt_tokens), _scv(source.output_tokens)
    requests = rates / (prompt + output)
    return Trace("rate", name, time_s, requests, prompt * one, output * one, 60.0, (note,), one, spread[0], spread[1])


def _rates(table: _Table, choice: str, lengths: _Lengths) -> Trace:
    """Request rates and mean token lengths of one model (ServeGen, Xiang et al. 2026); a rate holds to the next row."""
    table = _of_model(table, choice)
    name = f"{table.path}#{choice}" if choice else str(table.path)
    time_s = _from_first(table, "time_s", _numbers(table, "time_s"), strict=True)
    if len(time_s) < 2:
        raise ConfigError(f"{name}: one record is no series; at least two are needed")
    requests = _numbers(table, "total_rate_req_s")
    means = [_numbers(table, f"mean_{side}_tokens", empty=math.nan) for side in ("input", "output")]
    step_s = float(np.median(np.diff(time_s)))
    missing = np.flatnonzero(np.isnan(means[0] + means[1]))
    notes, spread = (), (LENGTHS_SCV, LENGTHS_SCV)
    if len(missing):
        if lengths.name is None:
            raise ConfigError(
                f"{table.path}, line {table.lines[missing[0]]}: no mean token lengths; "
                "name a trace of requests to draw them from with workload.token_lengths_from=PATH"
            )
        drawn, spread, source = _drawn(lengths, np.ceil(requests[missing] * step_s))
        for side, means_of_side in zip(drawn, means, strict=True):
            means_of_side[missing] = side
        notes = (f"{len(missing)} of {len(requests)} rows of {Path(name).name} give no token lengths: {source}",)
    bunched = np.ones_like(requests)
    if "rate_weighted_iat_cv" in table.columns:
        bunched = _numbers(table, "rate_weighted_iat_cv", empty=1.0, largest=1e3) ** 2
    return Trace("rate", name, time_s, requests, means[0], means[1], step_s, notes, bunched, spread[0], spread[1])


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


def _lengths_of(lengths: _Lengths) -> Trace:
    """The trace of requests from which missing token lengths are taken."""
    source = read(str(lengths.name), lengths.search)
    if source.kind != "requests":
        raise ConfigError(f"workload.token_lengths_from = {lengths.name!r}: must be a trace of requests, not of rates")
    return source


def _scv(values: Floats) -> float:
    """Squared coefficient of variation, 0 where all is 0."""
    mean = float(values.mean())
    return float(values.var()) / mean**2 if mean > 0.0 else 0.0


def _drawn(lengths: _Lengths, requests: Floats) -> tuple[tuple[Floats, Floats], tuple[float, float], str]:
    """Mean lengths of prompts and outputs of so many requests per row of another trace; their spread; a note."""
    source = _lengths_of(lengths)
    generator = np.random.default_rng(lengths.seed)
    counts = np.clip(requests, 1, MOST_DRAWS).astype(np.int64)
    both = np.stack([source.prompt_tokens, source.output_tokens])
    prompt, output = np.array([both[:, generator.integers(both.shape[1], size=n)].mean(axis=1) for n in counts]).T
    note = (
        f"each takes the mean of up to {MOST_DRAWS} requests drawn with seed {lengths.seed} from "
        f"{Path(source.name).name}, whose mean is {source.tokens.mean():.0f} tokens"
    )
    return (prompt, output), (_scv(source.prompt_tokens), _scv(source.output_tokens)), note


# The columns that name a format, and its reader.
_FORMATS: dict[tuple[str, ...], Callable[[_Table, str, _Lengths], Trace]] = {
    ("TIMESTAMP", "ContextTokens", "GeneratedTokens"): _azure,
    ("timestamp_ms", "input_tokens", "output_tokens"): _mooncake,
    ("model", "time_s", "total_rate_req_s", "mean_input_tokens", "mean_output_tokens"): _rates,
    ("minute", "tokens_per_s"): _minutes,
    ("time_s", "tokens"): _plain,
    ("time_s", "prompt_tokens", "output_tokens"): _plain,
}
