"""Element sets of real satellites become arrays: the newest of each object, in range, and still in orbit."""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sgp4.api import SGP4_ERRORS, WGS72, Satrec

from twin.inputs import omm, two_line
from twin.inputs.data_files import read_text
from twin.inputs.record import DAY_ZERO, Record
from twin.refusal import ConfigError

DAY_S = 86_400.0
STALE_DAYS = 30.0
LOWEST_KM = 100.0  # the Karman line: nothing stays in orbit there
_DAY_ZERO_JULIAN = 2433281.5
_UNIX_DAYS = (date(1970, 1, 1) - DAY_ZERO).days


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


def _arrays(records: list[Record], start_days: float, dropped: tuple[str, ...]) -> ElementSets:
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


def _decay(record: Record, start_days: float) -> str:
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


def _propagator(record: Record) -> Satrec:
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


def _newest(records: list[Record]) -> list[Record]:
    """One record per catalogue number, that of the newest epoch, in the order of first appearance."""
    newest: dict[int, Record] = {}
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


def _checked(path: Path, records: list[Record]) -> list[Record]:
    """The records, or ConfigError that names the first number out of range."""
    for key, words, allows, allowed in _RANGES:
        values = np.array([getattr(record, key) for record in records])
        inside = allows(values)
        if not inside.all():
            first = int(np.argmin(inside))
            raise ConfigError(f"{path}, {records[first].place}: {words} = {values[first]:g}; allowed is {allowed}")
    return records


def _parse(path: Path, text: str) -> list[Record]:
    """Records of a file whose format is seen from its content."""
    start = [line for line in text.split("\n", 200)[:200] if line.strip()][:4]
    if any(re.match(r"[12] [ A-Z\d]\d{4}", line) for line in start):
        return list(two_line.records(path, text))
    messages = omm.records(path, text)
    if messages is not None:
        return messages
    if any(re.match(r"[12] ", line) for line in start):
        return list(two_line.records(path, text))
    opening = start[0].strip() if start else ""
    raise ConfigError(
        f"{path}, line 1: {opening[:40]!r} begins no known format; known are two-line elements and OMM in XML, KVN, "
        "JSON or CSV"
    )
