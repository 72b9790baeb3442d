"""Orbit Mean-Elements Messages (OMM) in XML, KVN, JSON and CSV: CCSDS 502.0-B-3, 2023."""

import csv
import io
import json
import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from sgp4.omm import parse_csv

from twin.inputs.record import DAY_ZERO, Record, year_days
from twin.refusal import ConfigError, parse_utc

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
# What SGP4's mean elements are referred to; another frame or theory would be another orbit.
_MEANING = {
    "CENTER_NAME": ("EARTH",),
    "REF_FRAME": ("TEME",),
    "TIME_SYSTEM": ("UTC",),
    "MEAN_ELEMENT_THEORY": ("SGP4", "SGP/SGP4", "SGP"),
}


def records(path: Path, text: str) -> list[Record] | None:
    """Records of a file of messages; None when its first line begins none of the formats."""
    opening = next((line.strip() for line in text.split("\n") if line.strip()), "")
    if opening.startswith("<"):
        messages = _xml_messages(path, text)
    elif opening.startswith(("[", "{")):
        messages = _json_messages(path, text)
    elif re.match(r"[A-Z_0-9]+\s*=", opening) or opening.startswith("COMMENT"):
        messages = _kvn_messages(path, text)
    elif {"NORAD_CAT_ID", "MEAN_MOTION", "EPOCH"} & set(re.split(r'[,"\s]+', opening)):
        messages = _csv_messages(path, text)
    else:
        return None
    if not messages:
        raise ConfigError(f"{path}: no OMM record in it")
    return [_message(path, number, message) for number, message in enumerate(messages, start=1)]


def _message(path: Path, number: int, message: Any) -> Record:
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
    return Record(
        place=place,
        name=str(message.get("OBJECT_NAME") or f"NORAD {norad_id}").strip(),
        norad_id=norad_id,
        epoch_days=(epoch - datetime.combine(DAY_ZERO, time.min, UTC)) / timedelta(days=1),
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
    if not 1 <= int(ordinal[2]) <= year_days(new_year.year):
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
        return list(parse_csv(io.StringIO(text.lstrip())))
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


def _kvn_messages(path: Path, text: str) -> list[dict[str, str]]:
    """Messages in key = value notation, one after the other; units in brackets and comments are left out."""
    messages: list[dict[str, str]] = [{}]
    for number, line in enumerate(text.split("\n"), start=1):
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
