"""Checks at the end of every chunk, on the host: finite, in range, energy closes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from twin.variables import BY_NAME

# A satellite that decays to this height comes down within a day; the table of the thermosphere ends at 150 km.
REENTRY_M = 180e3
# Worst satellite, relative to its array energy; ten times what a float32 run of a day shows.
POWER_LIMIT, HEAT_LIMIT = 1e-3, 1e-2

CAUSES = {
    "K": "a heat capacity or a step too large for it, or a coupling of the wrong size",
    "1": "a step too large for the battery or the controllers",
    "W": "a parameter of the power chain far outside its usual range",
}


class Place(NamedTuple):
    """Where a value is wrong: its variable, the numbers of its column and row, and the steps before its chunk."""

    variable: str
    satellite: int
    frame: int  # in the chunk
    done_steps: int = 0


class HealthError(Exception):
    """A run that went wrong; its text names variable, satellite, time and likely cause.

    `place` says where in the frames of the chunk; None for a physical end and for accounts that do not close.
    """

    def __init__(self, text: str, place: Place | None = None) -> None:
        super().__init__(text)
        self.place = place


def wrong(name: str, values: Any) -> np.ndarray:
    """Which values are not finite or not plausible; of a name that the table lacks, those that are not finite."""
    variable = BY_NAME.get(name)
    bad = ~np.isfinite(values)
    return bad if variable is None else bad | (values < variable.minimum) | (values > variable.maximum)


def check_frames(frames: Mapping[str, Any], times: np.ndarray, names: list[str], done_steps: int = 0) -> None:
    """HealthError for the earliest value that is not finite or not plausible.

    Arrays are (time, satellite), those of a chunk after `done_steps`.
    """
    places = [place for name, values in frames.items() if name in BY_NAME and (place := _first(name, values))]
    if not places:
        return
    place = min(places, key=lambda place: place.frame)
    name, which, when, _ = place
    variable, value = BY_NAME[name], frames[name][when, which]
    cause = CAUSES.get(variable.unit, "an orbit that leaves the model's range")
    if not np.isfinite(value):
        cause = "a parameter so far outside its usual range that a division or a root fails"
    raise HealthError(
        f"{name} = {value:g} {variable.unit} of satellite {which} ({names[which]}) at {times[when]}: "
        f"must be finite and between {variable.minimum:g} and {variable.maximum:g}; likely cause: {cause}",
        place._replace(done_steps=done_steps),
    )


def _first(name: str, values: Any) -> Place | None:
    bad = wrong(name, values)
    if not bad.any():
        return None
    when, which = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return Place(name, int(which), int(when))


def check_decay(frames: Mapping[str, Any], times: np.ndarray, names: list[str]) -> None:
    """HealthError for the first satellite that drag has brought down. Arrays are (time, satellite)."""
    down = (frames["altitude_m"] < REENTRY_M) & (frames["semi_major_axis_loss_m"] > 1e3)
    if down.any():
        when, which = np.unravel_index(int(np.argmax(down)), down.shape)
        raise HealthError(
            f"satellite {which} ({names[which]}) has decayed to {frames['altitude_m'][when, which] / 1e3:.0f} km at "
            f"{times[when]}: below {REENTRY_M / 1e3:.0f} km it re-enters within a day; choose a higher orbit, "
            "station_keeping=held, more propellant or a shorter run"
        )


def check_balance(power_residual: float, heat_residual: float) -> None:
    """HealthError when the energy accounts of the worst satellite do not close."""
    for word, residual, limit in (("power", power_residual, POWER_LIMIT), ("heat", heat_residual, HEAT_LIMIT)):
        if not residual <= limit:
            raise HealthError(
                f"{word} balance of the worst satellite is open by {residual:.2e} of its array or load energy "
                f"(limit {limit:g}); "
                "likely cause: a model that makes or loses energy, or a step too large"
            )
