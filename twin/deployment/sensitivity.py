"""How much each number matters: the ratio at both ends of its range, and its elasticity."""

from typing import Any

import numpy as np

from twin.deployment import paths
from twin.deployment.questions import Inquiry, designs_of, slopes, tell
from twin.schema import Analysis


def tornado(inquiry: Inquiry, analysis: Analysis) -> list[dict[str, Any]]:
    """A row for each range, the widest first: the measure's ratio at its low and high end, all else as it is."""
    found = tell(inquiry, _columns(inquiry, analysis), 1 + 2 * len(analysis.ranges), "tornado").ratio
    rows = [
        {
            "path": path,
            **dict(zip(("low", "high"), paths.bounds(inquiry.project, path, span), strict=True)),
            "present": paths.present(inquiry.project, path),
            "ratio": float(found[0]),
            "ratio_at_low": float(found[1 + 2 * place]),
            "ratio_at_high": float(found[2 + 2 * place]),
            "source": span.source,
        }
        for place, (path, span) in enumerate(analysis.ranges.items())
    ]
    return sorted(rows, key=lambda row: -abs(row["ratio_at_high"] - row["ratio_at_low"]))


def tornado_designs(inquiry: Inquiry, analysis: Analysis) -> np.ndarray:
    """Numbers of the satellite at the ends of the ranges, (end, path)."""
    return designs_of(inquiry, _columns(inquiry, analysis), 1 + 2 * len(analysis.ranges))


def elasticities(inquiry: Inquiry, analysis: Analysis) -> list[dict[str, Any]]:
    """A row for each number: per cent of the ratio for a per cent of it, by gradients, the strongest first.

    Those of the satellite go through the derivative of its simulated life.
    """
    base = inquiry.base
    ratio = float(tell(inquiry, {}, 1).ratio[0])
    rows = [
        {"path": path, "present": base[path], "slope": slope, "elasticity": slope * base[path] / ratio}
        for path, slope in slopes(inquiry, analysis.elasticities).items()
    ]
    return sorted(rows, key=lambda row: -abs(row["elasticity"]))


def _columns(inquiry: Inquiry, analysis: Analysis) -> dict[str, np.ndarray]:
    """Values at all ends, the first as it is: in each other row one number is at an end of its range."""
    columns = {}
    for place, (path, span) in enumerate(analysis.ranges.items()):
        values = np.full(1 + 2 * len(analysis.ranges), paths.present(inquiry.project, path))
        values[1 + 2 * place : 3 + 2 * place] = paths.bounds(inquiry.project, path, span)
        columns[path] = values
    return columns
