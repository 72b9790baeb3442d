"""Solar activity by date and the density of the thermosphere, from the tables in the configuration's data folder."""

import csv
import io
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from kernels import registry
from kernels.atmosphere import Record, Table, constant
from kernels.constants import DAY_S
from twin.conf_path import conf_dir
from twin.inputs.data_files import find, read_text
from twin.refusal import ConfigError

DENSITY = "nrlmsis21_mean_density.csv"
J2000 = date(2000, 1, 1)  # at noon
# What `atmosphere.f107_sfu` and `atmosphere.ap` may be, a record may hold.
LIMITS = tuple(registry.parameters(constant)[name].quantity for name in ("f107_sfu", "ap"))


def activity(profile: Any) -> Record:
    """Solar and geomagnetic activity of the profile's file; zeros for a model that needs none.

    Columns: date, f107_81day_sfu, ap. ConfigError when the file is missing or cannot be read.
    """
    if profile.model != "recorded":
        return Record(jnp.arange(2.0), jnp.zeros(2), jnp.zeros(2))
    if not profile.file:
        raise ConfigError("atmosphere.file: missing; the recorded model needs atmosphere.file=PATH of a table")
    where = f"atmosphere.file = {profile.file!r}"
    try:
        rows = _rows(find(profile.file, conf_dir() / "data"))
        days = [(date.fromisoformat(row["date"]) - J2000).days - 0.5 for row in rows]
        columns = [[float(row[name]) for row in rows] for name in ("f107_81day_sfu", "ap")]
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: must have the columns date (2026-06-01), f107_81day_sfu, ap ({error})") from None
    if len(days) < 2 or not (np.diff(days) > 0).all() or not np.isfinite(columns).all():
        raise ConfigError(f"{where}: must hold at least two dates in order, with finite numbers")
    for name, values, limit in zip(("f107_81day_sfu", "ap"), columns, LIMITS, strict=True):
        wrong = next((value for value in values if not limit.accepts(value)), None)
        if wrong is not None:
            raise ConfigError(f"{where}: {name} = {wrong:g}: must be {limit.allowed}")
    return Record(jnp.asarray(days), *map(jnp.asarray, columns))


def remarks(profile: Any, record: Record, start_days: float, duration_s: float) -> list[str]:
    """What a recorded model takes for the dates of a run that its record does not hold; days since J2000.0."""
    if profile.model != "recorded":
        return []
    end_days = start_days + duration_s / DAY_S
    ends = [("before", start_days < float(record.days[0]), 0), ("after", end_days > float(record.days[-1]), -1)]
    return [
        f"Solar activity {word} {J2000 + timedelta(days=float(record.days[k]) + 0.5)}, beyond {profile.file}: "
        f"held at F10.7 = {float(record.f107_sfu[k]):g} sfu, Ap = {float(record.ap[k]):g}; "
        "choose atmosphere=low, moderate or high for another"
        for word, beyond, k in ends
        if beyond
    ]


def density() -> Table:
    """Mean density by Ap, F10.7 and altitude."""
    rows = _rows(conf_dir() / "data" / DENSITY)
    names = [name for name in rows[0] if name.startswith("f107_")]
    ap, altitude_km = (sorted({float(row[name]) for row in rows}) for name in ("ap", "altitude_km"))
    values = np.array([[float(row[name]) for name in names] for row in rows])
    by_altitude = np.log(values).reshape(len(ap), len(altitude_km), len(names))
    return Table(
        ap=jnp.asarray(ap),
        f107_sfu=jnp.asarray([float(name.removeprefix("f107_")) for name in names]),
        altitude_m=1e3 * jnp.asarray(altitude_km),
        log_density=jnp.asarray(by_altitude.transpose(0, 2, 1)),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(path))))
