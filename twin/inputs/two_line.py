"""Two-line element sets: Hoots & Roehrich 1980, Spacetrack Report 3."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from twin.inputs.record import DAY_ZERO, Record, year_days
from twin.refusal import ConfigError

_ALPHA_5 = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # first character of numbers from 100 000 on: 10 to 33, I and O left out
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


def records(path: Path, text: str) -> Iterator[Record]:
    """Records of two-line or three-line sets; blank lines are skipped."""
    rest = ((number, line.rstrip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
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
) -> Record:
    code = first["catalogue number"]
    norad_id = int(code) if code.isdigit() else 10_000 * (10 + _ALPHA_5.index(code[0])) + int(code[1:])
    short_year = int(first["epoch year"])
    year = short_year + (1900 if short_year >= 57 else 2000)
    day = float(first["epoch day"])
    if not 1.0 <= day < 1 + year_days(year):
        raise ConfigError(f"{path}, line {number}: epoch day = {day:g}; allowed is a day of the year {year}, from 1 on")
    return Record(
        place=place,
        name=name or f"NORAD {norad_id}",
        norad_id=norad_id,
        epoch_days=(date(year, 1, 1) - DAY_ZERO).days - 1 + day,
        mean_motion_rev_per_day=float(second["mean motion"]),
        half_motion_rate_rev_per_day2=float(first["half the rate of mean motion"]),
        drag_per_earth_radius=_exponential(first["drag term"]),
        eccentricity=int(second["eccentricity"]) * 1e-7,
        inclination_deg=float(second["inclination"]),
        node_deg=float(second["right ascension of the node"]),
        argument_of_perigee_deg=float(second["argument of perigee"]),
        mean_anomaly_deg=float(second["mean anomaly"]),
    )


def _exponential(text: str) -> float:
    """Number printed as sign, five digits behind an implied point, and a power of ten: " 12416-3" is 0.12416e-3."""
    return float(f"{int(text[:-2])}e{text[-2:].strip()}") * 1e-5
