"""Element sets of real satellites: two-line elements and Orbit Mean-Elements Messages (OMM) become arrays.

Formats: Hoots & Roehrich 1980, Spacetrack Report 3 (two-line elements); CCSDS 502.0-B-3, 2023 (OMM).
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from sgp4 import omm
from sgp4.api import SGP4_ERRORS, WGS72, Satrec

from twin.config import ConfigError, parse_utc
from twin.data_files import read_text

DAY_S = 86_400.0
STALE_DAYS = 30.0
LOWEST_KM = 100.0  # the Karman line: nothing stays in orbit there
_ALPHA_5 = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # first character of numbers from 100 000 on: 10 to 33, I and O left out
_DAY_ZERO = date(1949, 12, 31)  # from which SGP4 counts days
_DAY_ZERO_JULIAN = 2433281.5
_UNIX_DAYS = (date(1970, 1, 1) - _DAY_ZERO).days


@dataclass(frozen=True)
class ElementSets:
    """Mean elements at their own epochs, float64 (satellite,); the mean motion is Kozai's, as printed.

    `age_s` is the run's start less the epoch; `dropped` and `stale` hold one short text per satellite.
    """

    names: tuple[str, ...]
    norad_ids: tuple[int, ...]
    mean_motion_rad_per_s: NDArray[np.float64]
    mean_motion_rate_rad_per_s2: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    inclination_rad: NDArray[np.float64]
    node_rad: NDArray[np.float64]
    argument_of_perigee_rad: NDArray[np.float64]
    mean_anomaly_rad: NDArray[np.float64]
    age_s: NDArray[np.float64]
    dropped: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """The numbers by name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


class _Record(NamedTuple):
    """One element set in the units of the file; `place` is where it stands, for messages."""

    place: str
    name: str
    norad_id: int
    epoch_days: float  # since _DAY_ZERO, UTC
    mean_motion_rev_per_day: float
    half_motion_rate_rev_per_day2: float
    drag_per_earth_radius: float
    eccentricity: float
    inclination_deg: float
    node_deg: float
    argument_of_perigee_deg: float
    mean_anomaly_deg: float

    def __str__(self) -> str:
        return f"{self.name} ({self.norad_id})"


def read(path: str | os.PathLike[str], start_ms: int, subset: str | None = None) -> ElementSets:
    """Element sets of a TLE or OMM file (XML, KVN, JSON, CSV; plain or gzip), the decayed ones dropped.

    `start_ms` is the run's start in milliseconds since 1970-01-01 UTC; `subset` keeps the names that contain it, in
    either case. Of several sets of one object the newest epoch counts. ConfigError on malformed input.
    """
    path = Path(path)
    records = _newest(_checked(path, _parse(path, read_text(path))))
    if subset:
        chosen = [record for record in records if subset.casefold() in record.name.casefold()]
        if not chosen:
            raise ConfigError(f"{path}: none of its {len(records)} satellites has {subset!r} in its name")
        records = chosen
    start_days = start_ms / (1000.0 * DAY_S) + _UNIX_DAYS
    reasons = [_decay(record, start_days) for record in records]
    kept = [record for record, reason in zip(records, reasons, strict=True) if not reason]
    dropped = [f"{record}: {reason}" for record, reason in zip(records, reasons, strict=True) if reason]
    if not kept:
        raise ConfigError(
            f"{path}: all {len(records)} element sets have decayed at the run's start, the first is {dropped[0]}"
        )
    return _arrays(kept, start_days, tuple(dropped))


def _arrays(records: list[_Record], start_days: float, dropped: tuple[str, ...]) -> ElementSets:
    """Records in SI units."""

    def column(name: str, factor: float) -> NDArray[np.float64]:
        return np.array([getattr(record, name) for record in records], dtype=np.float64) * factor

    turn, degree = 2.0 * math.pi, math.pi / 180.0
    age_days = start_days - column("epoch_days", 1.0)
    stale = tuple(
        f"{record}: epoch {abs(days):.0f} days {'before' if days > 0 else 'after'} the start"
        for record, days in zip(records, age_days, strict=True)
        if abs(days) > STALE_DAYS
    )
    return ElementSets(
        names=tuple(record.name for record in records),
        norad_ids=tuple(record.norad_id for record in records),
        mean_motion_rad_per_s=column("mean_motion_rev_per_day", turn / DAY_S),
        mean_motion_rate_rad_per_s2=column("half_motion_rate_rev_per_day2", 2.0 * turn / DAY_S**2),
        eccentricity=column("eccentricity", 1.0),
        inclination_rad=column("inclination_deg", degree),
        node_rad=column("node_deg", degree),
        argument_of_perigee_rad=column("argument_of_perigee_deg", degree),
        mean_anomaly_rad=column("mean_anomaly_deg", degree),
        age_s=age_days * DAY_S,
        dropped=dropped,
        stale=stale,
    )


def _decay(record: _Record, start_days: float) -> str:
    """Why the satellite is no longer in orbit at the start by SGP4, or an empty text."""
    satellite = _propagator(record)
    age_days = start_days - record.epoch_days
    # SGP4's drag polynomial rises again beyond the ground: old sets are followed on their way, and none may have risen.
    samples = max(min(math.ceil(abs(age_days)), 32), 1)
    position_km = (0.0, 0.0, 0.0)
    for k in range(1, samples + 1):
        error, position_km, _ = satellite.sgp4(_DAY_ZERO_JULIAN, record.epoch_days + age_days * k / samples)
        if error:
            return f"SGP4 error {error}, {SGP4_ERRORS.get(error, 'unknown')}"
    if record.drag_per_earth_radius > 0.0 and satellite.am > 1.05 * satellite.a:
        return "fallen below the ground by SGP4"
    earth_km = satellite.radiusearthkm
    heights_km = {
        "perigee": (satellite.am * (1.0 - satellite.em) - 1.0) * earth_km,
        "height": math.hypot(*position_km) - earth_km,
    }
    for words, height_km in heights_km.items():
        if not height_km >= LOWEST_KM:  # also true of NaN
            return f"{words} {height_km:.0f} km, below {LOWEST_KM:g} km"
    return ""


def _propagator(record: _Record) -> Satrec:
    """SGP4 of a record, in its own constants."""
    degree, per_minute = math.pi / 180.0, 2.0 * math.pi / 1440.0
    satellite = Satrec()
    satellite.sgp4init(
        WGS72,
        "i",
        0,
        record.epoch_days,
        record.drag_per_earth_radius,
        record.half_motion_rate_rev_per_day2 * per_minute / 1440.0,
        0.0,
        record.eccentricity,
        record.argument_of_perigee_deg * degree,
        record.inclination_deg * degree,
        record.mean_anomaly_deg * degree,
        record.mean_motion_rev_per_day * per_minute,
        record.node_deg * degree,
    )
    return satellite


def _newest(records: list[_Record]) -> list[_Record]:
    """One record per catalogue number, that of the newest epoch, in the order of first appearance."""
    newest: dict[int, _Record] = {}
    for record in records:
        known = newest.get(record.norad_id)
        if known is None or record.epoch_days > known.epoch_days:
            newest[record.norad_id] = record
    return list(newest.values())


def _within(low: float, high: float) -> Callable[[NDArray[np.float64]], NDArray[np.bool_]]:
    return lambda values: (values >= low) & (values <= high)


# Key of a record, words for it, what is allowed as a test and in words.
_RANGES = (
    ("mean_motion_rev_per_day", "mean motion [rev/day]", lambda n: (n > 0.0) & (n < 20.0), "above 0 and below 20"),
    ("eccentricity", "eccentricity", lambda e: (e >= 0.0) & (e < 1.0), "0 or more and below 1"),
    ("inclination_deg", "inclination [deg]", _within(0.0, 180.0), "0 to 180"),
    ("node_deg", "right ascension of the node [deg]", _within(-360.0, 360.0), "-360 to 360"),
    ("argument_of_perigee_deg", "argument of perigee [deg]", _within(-360.0, 360.0), "-360 to 360"),
    ("mean_anomaly_deg", "mean anomaly [deg]", _within(-360.0, 360.0), "-360 to 360"),
    ("half_motion_rate_rev_per_day2", "half the rate of mean motion [rev/day2]", _within(-100.0, 100.0), "-100 to 100"),
    ("drag_per_earth_radius", "drag term [1/earth radii]", _within(-1e9, 1e9), "-1e9 to 1e9"),
)


def _checked(path: Path, records: list[_Record]) -> list[_Record]:
    """The records, or ConfigError that names the first number out of range."""
    for key, words, allows, allowed in _RANGES:
        values = np.array([getattr(record, key) for record in records])
        inside = allows(values)
        if not inside.all():
            first = int(np.argmin(inside))
            raise ConfigError(f"{path}, {records[first].place}: {words} = {values[first]:g}; allowed is {allowed}")
    return records


def _parse(path: Path, text: str) -> list[_Record]:
    """Records of a file whose format is seen from its content."""
    lines = text.split("\n")
    start = [line for line in lines[:200] if line.strip()][:4]
    opening = start[0].strip() if start else ""
    if any(re.match(r"[12] [ A-Z\d]\d{4}", line) for line in start):
        return list(_two_line(path, lines))
    if opening.startswith("<"):
        messages = _xml_messages(path, text)
    elif opening.startswith(("[", "{")):
        messages = _json_messages(path, text)
    elif re.match(r"[A-Z_0-9]+\s*=", opening) or opening.startswith("COMMENT"):
        messages = _kvn_messages(path, lines)
    elif {"NORAD_CAT_ID", "MEAN_MOTION", "EPOCH"} & set(re.split(r'[,"\s]+', opening)):
        messages = _csv_messages(path, text)
    elif re.match(r"[12] ", opening) or any(re.match(r"[12] ", line) for line in start[1:]):
        return list(_two_line(path, lines))
    else:
        raise ConfigError(
            f"{path}, line 1: {opening[:40]!r} begins no known format; known are two-line elements and OMM in XML, "
            "KVN, JSON or CSV"
        )
    if not messages:
        raise ConfigError(f"{path}: no OMM record in it")
    return [_message(path, number, message) for number, message in enumerate(messages, start=1)]


# --- Two-line elements -----------------------------------------------------------------------------------------------

_LINE_LENGTH = 69
_CATALOGUE_NUMBER = r"[A-HJ-NP-Z]\d{4}| *\d+"
_EXPONENTIAL = r" *[+-]?\d+[ +-]\d "
# Columns from left to right: words, width, pattern. The blank columns between numbers are held to be blank.
_LINE_1 = (
    ("line number", 2, "1 "),
    ("catalogue number", 5, _CATALOGUE_NUMBER),
    ("classification", 1, "."),
    ("international designator", 10, " .{8} "),
    ("epoch year", 2, r" *\d+"),
    ("epoch day", 13, r" *\d+\.\d* "),
    ("half the rate of mean motion", 11, r" *[+-]?\d*\.\d+ "),
    ("sixth of the second rate of mean motion", 9, _EXPONENTIAL),
    ("drag term", 9, _EXPONENTIAL),
    ("ephemeris type", 2, ". "),
    ("element set number", 4, ".*"),
)
_LINE_2 = (
    ("line number", 2, "2 "),
    ("catalogue number", 6, f"({_CATALOGUE_NUMBER}) "),
    ("inclination", 9, r" *\d+\.\d* "),
    ("right ascension of the node", 9, r" *\d+\.\d* "),
    ("eccentricity", 8, r" *\d+ "),
    ("argument of perigee", 9, r" *\d+\.\d* "),
    ("mean anomaly", 9, r" *\d+\.\d* "),
    ("mean motion", 11, r" *\d+\.\d*"),
    ("revolution number", 5, ".*"),
)
_Columns = tuple[tuple[str, int, int, re.Pattern[str]], ...]


def _columns(table: tuple[tuple[str, int, str], ...]) -> _Columns:
    ends = np.cumsum([width for _, width, _ in table]).tolist()
    return tuple(
        (words, end - width, end, re.compile(pattern, re.ASCII))
        for (words, width, pattern), end in zip(table, ends, strict=True)
    )


_COLUMNS = {"1": _columns(_LINE_1), "2": _columns(_LINE_2)}
_WEIGHTS = bytes(code - 48 if 48 <= code <= 57 else int(code == 45) for code in range(256))  # a minus counts 1


def checksum(line: str) -> int:
    """Last digit of a line of an element set: the sum of its digits, each minus sign counting 1, modulo 10."""
    return sum(line[: _LINE_LENGTH - 1].encode("ascii", "replace").translate(_WEIGHTS)) % 10


def _two_line(path: Path, lines: list[str]) -> Iterator[_Record]:
    """Records of two-line or three-line sets; blank lines are skipped."""
    rest = ((number, line.rstrip()) for number, line in enumerate(lines, start=1) if line.strip())
    name, name_number = "", 0
    for number, line in rest:
        if line.startswith("2 "):
            raise ConfigError(f"{path}, line {number}: a line 2 without a line 1 before it")
        if not line.startswith("1 "):
            if name_number:
                raise ConfigError(f"{path}, line {number}: {line[:24]!r} given where line 1 of {name!r} must stand")
            name, name_number = line.removeprefix("0 ").strip(), number
            continue
        first = _cut(path, number, line, "1")
        number_2, line_2 = next(rest, (number + 1, ""))
        if not line_2.startswith("2 "):
            given = repr(line_2[:24]) if line_2 else "the end of the file"
            raise ConfigError(f"{path}, line {number_2}: {given} given where the line 2 of line {number} must stand")
        second = _cut(path, number_2, line_2, "2")
        if first["catalogue number"] != second["catalogue number"]:
            raise ConfigError(
                f"{path}, line {number_2}: catalogue number {second['catalogue number']} differs from "
                f"{first['catalogue number']} in line {number}"
            )
        yield _from_columns(path, number, f"line {number_2}", name, first, second)
        name, name_number = "", 0
    if name_number:
        raise ConfigError(f"{path}, line {name_number}: {name[:24]!r} names a satellite but no element set follows")


def _cut(path: Path, number: int, line: str, kind: str) -> dict[str, str]:
    """Fields of a line by name, after its length, checksum and characters are checked."""
    if len(line) != _LINE_LENGTH:
        raise ConfigError(f"{path}, line {number}: {len(line)} characters; a line of an element set has {_LINE_LENGTH}")
    if line[-1] != str(checksum(line)):
        raise ConfigError(f"{path}, line {number}: checksum {line[-1]!r} given, {checksum(line)} computed")
    cut = {}
    for words, start, end, pattern in _COLUMNS[kind]:
        if not pattern.fullmatch(line, start, end):
            given = f"{words} = {line[start:end]!r}"
            raise ConfigError(
                f"{path}, line {number}: {given} in columns {start + 1}-{end} is not as the format has it"
            )
        cut[words] = line[start:end].strip()
    return cut


def _from_columns(
    path: Path, number: int, place: str, name: str, first: dict[str, str], second: dict[str, str]
) -> _Record:
    code = first["catalogue number"]
    norad_id = int(code) if code.isdigit() else 10_000 * (10 + _ALPHA_5.index(code[0])) + int(code[1:])
    short_year = int(first["epoch year"])
    year = short_year + (1900 if short_year >= 57 else 2000)
    day = float(first["epoch day"])
    if not 1.0 <= day < 1 + _year_days(year):
        raise ConfigError(f"{path}, line {number}: epoch day = {day:g}; allowed is a day of the year {year}, from 1 on")
    return _Record(
        place=place,
        name=name or f"NORAD {norad_id}",
        norad_id=norad_id,
        epoch_days=(date(year, 1, 1) - _DAY_ZERO).days - 1 + day,
        mean_motion_rev_per_day=float(second["mean motion"]),
        half_motion_rate_rev_per_day2=float(first["half the rate of mean motion"]),
        drag_per_earth_radius=_exponential(first["drag term"]),
        eccentricity=int(second["eccentricity"]) * 1e-7,
        inclination_deg=float(second["inclination"]),
        node_deg=float(second["right ascension of the node"]),
        argument_of_perigee_deg=float(second["argument of perigee"]),
        mean_anomaly_deg=float(second["mean anomaly"]),
    )


def _year_days(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days


def _exponential(text: str) -> float:
    """Number printed as sign, five digits behind an implied point, and a power of ten: " 12416-3" is 0.12416e-3."""
    return float(f"{int(text[:-2])}e{text[-2:].strip()}") * 1e-5


# --- Orbit Mean-Elements Messages ------------------------------------------------------------------------------------

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
# What SGP4's mean elements are referred to; another frame or theory would be another orbit.
_MEANING = {
    "CENTER_NAME": ("EARTH",),
    "REF_FRAME": ("TEME",),
    "TIME_SYSTEM": ("UTC",),
    "MEAN_ELEMENT_THEORY": ("SGP4", "SGP/SGP4", "SGP"),
}


def _message(path: Path, number: int, message: Any) -> _Record:
    """Record of one OMM, given its fields by their names in the standard."""
    place = f"record {number}"
    if not isinstance(message, dict):
        raise ConfigError(f"{path}, {place}: {str(message)[:40]!r} is not a set of OMM fields")

    def text(key: str) -> str:
        value = message.get(key)
        if value is None or not str(value).strip():
            raise ConfigError(f"{path}, {place}: field {key} is missing")
        return str(value).strip()

    def value(key: str) -> float:
        if not _NUMBER.fullmatch(text(key)):
            raise ConfigError(f"{path}, {place}: {key} = {text(key)!r} is not a number")
        return float(text(key))

    for key, allowed in _MEANING.items():
        if message.get(key) and text(key).upper() not in allowed:
            raise ConfigError(f"{path}, {place}: {key} = {text(key)!r}; allowed is {allowed[0]}")
    if not re.fullmatch(r"\d{1,9}", text("NORAD_CAT_ID"), re.ASCII):
        raise ConfigError(
            f"{path}, {place}: NORAD_CAT_ID = {text('NORAD_CAT_ID')!r}; allowed is a whole number of up to 9 digits"
        )
    norad_id = int(text("NORAD_CAT_ID"))
    try:
        epoch = _instant(text("EPOCH"))
    except ValueError as error:
        raise ConfigError(f"{path}, {place}: EPOCH = {text('EPOCH')!r} {error}") from None
    return _Record(
        place=place,
        name=str(message.get("OBJECT_NAME") or f"NORAD {norad_id}").strip(),
        norad_id=norad_id,
        epoch_days=(epoch - datetime(1949, 12, 31, tzinfo=UTC)) / timedelta(days=1),
        mean_motion_rev_per_day=value("MEAN_MOTION"),
        half_motion_rate_rev_per_day2=value("MEAN_MOTION_DOT"),  # by custom the halved rate of the two-line format
        drag_per_earth_radius=value("BSTAR"),
        eccentricity=value("ECCENTRICITY"),
        inclination_deg=value("INCLINATION"),
        node_deg=value("RA_OF_ASC_NODE"),
        argument_of_perigee_deg=value("ARG_OF_PERICENTER"),
        mean_anomaly_deg=value("MEAN_ANOMALY"),
    )


def _instant(text: str) -> datetime:
    """Instant in UTC written with month and day or with the day of the year; ValueError when it is neither."""
    ordinal = re.fullmatch(r"(\d{4})-(\d{3})(T.+)", text, re.ASCII)
    if ordinal is None:
        return parse_utc(text)
    new_year = parse_utc(f"{ordinal[1]}-01-01{ordinal[3]}")
    if not 1 <= int(ordinal[2]) <= _year_days(new_year.year):
        raise ValueError("must be an instant whose day of the year exists")
    return new_year + timedelta(days=int(ordinal[2]) - 1)


def _xml_messages(path: Path, text: str) -> list[dict[str, str]]:
    """Leaves of every segment of an XML message, name spaces left out."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ConfigError(f"{path}, line {error.position[0]}: not well-formed XML ({error})") from None
    segments = [part for part in root.iter() if part.tag.rpartition("}")[2] == "segment"]
    return [{leaf.tag.rpartition("}")[2]: leaf.text or "" for leaf in part.iter()} for part in segments]


def _csv_messages(path: Path, text: str) -> list[dict[str, str]]:
    try:
        return list(omm.parse_csv(io.StringIO(text.lstrip())))
    except csv.Error as error:
        raise ConfigError(f"{path}: not well-formed CSV ({error})") from None


def _json_messages(path: Path, text: str) -> list[Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}, line {error.lineno}: not well-formed JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not well-formed JSON ({error})") from None
    return content if isinstance(content, list) else [content]


def _kvn_messages(path: Path, lines: list[str]) -> list[dict[str, str]]:
    """Messages in key = value notation, one after the other; units in brackets and comments are left out."""
    messages: list[dict[str, str]] = [{}]
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if not line or line.startswith("COMMENT"):
            continue
        key, sign, value = line.partition("=")
        if not sign:
            raise ConfigError(f"{path}, line {number}: {line[:40]!r} is not KEY = VALUE")
        key = key.strip()
        if key == "CCSDS_OMM_VERS" or key in messages[-1]:
            messages.append({})
        messages[-1][key] = re.sub(r"\s*\[[^\]]*\]$", "", value.strip())
    return [message for message in messages if message]
