"""Where orbit and ground cost the same: break-even values of single numbers, and maps of two."""

from typing import Any

import numpy as np

from twin.deployment import paths
from twin.deployment.questions import Inquiry, designs_of, tell
from twin.schema import Analysis, Axis, Map, Span

POINTS = 33  # of an interval that is searched, each time
POINTS_SIMULATED = 9
CLOSE, CLOSE_SIMULATED = 1e-9, 1e-4  # width of the last interval over the value; a line within it
PLAIN = {
    "deployment.launch_price_scale": ("launch_usd_per_kg", "USD/kg to the satellite's orbit"),
    "deployment.mass_scale": ("mass_kg_per_kw", "kg/kW"),
}

Row = dict[str, Any]


def parity(inquiry: Inquiry, analysis: Analysis) -> list[Row]:
    """A row for each number: the value at which the measure's ratio is 1, all else as it is, or that there is none."""
    return [_row(inquiry, path, span) for path, span in analysis.parity.items()]


def spaced(low: float, high: float, points: int) -> np.ndarray:
    """Values from low to high, equally far apart by factors where both are positive; else by differences."""
    found = np.geomspace(low, high, points) if low > 0.0 else np.linspace(low, high, points)
    found[[0, -1]] = low, high
    return found


def map_of(inquiry: Inquiry, sides: Map, points: int) -> dict[str, list[float]]:
    """Ratio on a grid of two numbers, as columns, the first number changing slowest.

    The value that a number has is one of its points when it lies between the bounds.
    """
    axes = [_side(inquiry, axis, points) for axis in (sides.across, sides.up)]
    columns = _grid(sides, axes)
    found = tell(inquiry, columns, len(columns[sides.across.path]), f"map of {sides.across.path}")
    return {**{path: values.tolist() for path, values in columns.items()}, "ratio": found.ratio.tolist()}


def map_designs(inquiry: Inquiry, sides: Map, points: int) -> np.ndarray:
    """Numbers of the satellite on the grid, (point, path)."""
    columns = _grid(sides, [_side(inquiry, axis, points) for axis in (sides.across, sides.up)])
    return designs_of(inquiry, columns, len(columns[sides.across.path]))


def _grid(sides: Map, axes: list[np.ndarray]) -> dict[str, np.ndarray]:
    across, up = np.meshgrid(*axes, indexing="ij")
    return {sides.across.path: across.ravel(), sides.up.path: up.ravel()}


def _side(inquiry: Inquiry, axis: Axis, points: int) -> np.ndarray:
    low, high = paths.bounds(inquiry.project, axis.path, axis)
    values, now = spaced(low, high, points), paths.present(inquiry.project, axis.path)
    if low <= now <= high:
        values[np.argmin(np.abs(np.log(values / now) if low > 0.0 else values - now))] = now
    return values


def _row(inquiry: Inquiry, path: str, span: Span) -> Row:
    low, high = paths.bounds(inquiry.project, path, span)
    undertaking, satellite = paths.quantities(inquiry.project)
    quantity, now = (undertaking | satellite)[path], paths.present(inquiry.project, path)
    points, close = (POINTS, CLOSE) if path in undertaking else (POINTS_SIMULATED, CLOSE_SIMULATED)
    row: Row = {"path": path, "unit": quantity.unit, "present": now, "low": low, "high": high}
    values = spaced(low, high, points)
    ratios = _ratios(inquiry, path, values)
    row |= {"ratio_at_low": float(ratios[0]), "ratio_at_high": float(ratios[-1])}
    crossings = np.flatnonzero(np.sign(ratios[1:] - 1.0) != np.sign(ratios[:-1] - 1.0))
    if not crossings.size or not np.isfinite(ratios).all():
        plainly = (
            f"no value between {low:.4g} and {high:.4g} {quantity.unit}".rstrip()
            + f" reaches parity; at {low:.4g} the ratio is {ratios[0]:.4g}, at {high:.4g} it is {ratios[-1]:.4g}"
        )
        return row | {"value": float("nan"), "factor": float("nan"), "in_plain_terms": plainly}
    nearest = min(crossings, key=lambda place: abs(values[place] - now))
    value = _narrowed(inquiry, path, values[nearest : nearest + 2], points, close)
    factor = value / now if now else float("nan")
    return row | {"value": value, "factor": factor, "in_plain_terms": _plainly(inquiry, path, value, quantity.unit)}


def _ratios(inquiry: Inquiry, path: str, values: np.ndarray) -> np.ndarray:
    return np.asarray(tell(inquiry, {path: values}, values.size, f"parity of {path}").ratio)


def _narrowed(inquiry: Inquiry, path: str, ends: np.ndarray, points: int, close: float) -> float:
    """The value between two at which the ratio is 1: the interval that has it is cut again, at last linearly."""
    while True:
        values = np.linspace(ends[0], ends[1], points)
        above = _ratios(inquiry, path, values) - 1.0
        place = int(np.flatnonzero(np.sign(above[1:]) != np.sign(above[:-1]))[0])
        ends, across = values[place : place + 2], above[place : place + 2]
        if abs(ends[1] - ends[0]) <= close * max(abs(ends[1]), 1e-30) or np.any(across == 0.0):
            part = -across[0] / (across[1] - across[0])
            return float(ends[0] + part * (ends[1] - ends[0]))


def _plainly(inquiry: Inquiry, path: str, value: float, unit: str) -> str:
    if path not in PLAIN:
        return f"{value:.4g} {unit}".rstrip()
    name, words = PLAIN[path]
    there = tell(inquiry, {path: np.array([value])}, 1)
    return f"{getattr(there, name)[0]:.4g} {words}"
