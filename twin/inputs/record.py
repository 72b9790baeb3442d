"""One element set as its file has it: what every format is read into."""

from datetime import date
from typing import NamedTuple

DAY_ZERO = date(1949, 12, 31)  # from which SGP4 counts days


class Record(NamedTuple):
    """One element set in the units of the file; `place` is where it stands, for messages."""

    place: str
    name: str
    norad_id: int
    epoch_days: float  # since DAY_ZERO, UTC
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


def year_days(year: int) -> int:
    """Days of a year."""
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days
