"""The Plotly figures of a design whose numbers are not known for sure: room to the limits, failures, and causes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from twin.reporting import amounts, human
from twin.reporting import design_facts as facts
from twin.reporting.design_facts import Designed
from twin.reporting.design_figures import ABOVE, ZERO
from twin.reporting.figures import BLUE, GREEN, GREY, MOST_BARS, ORANGE, PURPLE, RED, dress, plain

SHADES = (BLUE, ORANGE, GREEN, PURPLE, "#56b4e9", RED, "#8c6d31", "#5e4fa2")
OTHERS = "all others"
NAMED = {"l": 220, "r": 60, "t": 50, "b": 50}
LIKELY = 0.05  # of all samples: a limit that breaks more often is drawn red


def room(design: Designed) -> go.Figure:
    """Of each limit, between which quantiles its margin lies; left of the line it is broken."""
    spread = _by_row(design, "uncertainty")
    rows = [row for row in design.summary["margins"] if human.known(spread[_key(row)]["median"])]
    figure = go.Figure()
    low, middle, high = (
        np.array([_margin(row, spread[_key(row)][end]) for row in rows]) for end in ("low", "median", "high")
    )
    figure.add_scatter(
        x=plain(middle),
        y=[_name(design, row) for row in rows],
        mode="markers",
        marker={"color": BLUE, "size": 11},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": plain(np.maximum(low, high) - middle),
            "arrayminus": plain(middle - np.minimum(low, high)),
            "thickness": 5,
            "width": 0,
        },
        customdata=[_told(row, spread[_key(row)]) for row in rows],
        hovertemplate="%{customdata}<extra></extra>",
    )
    figure.add_vline(0.0, line=ZERO)
    figure.update_xaxes(title_text="Room to the limit, in its typical size; left of the line it is broken")
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 130 + 38 * len(rows), margin=NAMED)


def failures(design: Designed) -> go.Figure:
    """Part of the samples that break each limit, with its interval."""
    table = design.tables["uncertainty_limits"]
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    share, low, high = (100.0 * np.array([float(row[name]) for row in rows]) for name in _ENDS)
    figure = go.Figure()
    figure.add_bar(
        y=[_name(design, row) for row in rows],
        x=plain(share),
        orientation="h",
        marker_color=[RED if part > 100.0 * LIKELY else GREEN for part in share],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": plain(high - share),
            "arrayminus": plain(np.maximum(share - low, 0.0)),
            "color": GREY,
        },
        customdata=[f"{100.0 * float(row['standard_error']):.2g}" for row in rows],
        hovertemplate="%{y}: broken by %{x:.3~g} % of the samples, standard error %{customdata} points<extra></extra>",
    )
    figure.update_xaxes(title_text="Samples that break the limit", ticksuffix=" %", rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 110 + 34 * len(rows), margin=NAMED)


_ENDS = ("broken", "broken_low", "broken_high")


def causes(design: Designed) -> go.Figure:
    """What part of the variance of the objective and of each limited measure each number makes."""
    parts = _parts(design)
    names = {key: _measured(design, key) for key in _asked(design) if key in parts}
    strongest = _strongest([parts[key] for key in names])
    figure = go.Figure()
    for shade, path in zip(SHADES, strongest, strict=False):
        figure.add_bar(
            y=list(names.values()),
            x=plain([100.0 * parts[key].get(path, 0.0) for key in names]),
            name=path.replace("<", "&lt;"),
            orientation="h",
            marker_color=shade,
            hovertemplate="%{y}: %{x:.3~g} % by %{fullData.name}<extra></extra>",
        )
    rest = [100.0 * sum(part for path, part in parts[key].items() if path not in strongest) for key in names]
    if any(rest):
        figure.add_bar(y=list(names.values()), x=plain(rest), name=OTHERS, orientation="h", marker_color=GREY)
    figure.update_xaxes(title_text=f"Part of the variance{_unknown(design)}", ticksuffix=" %")
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 170 + 34 * len(names), barmode="relative", legend=ABOVE, margin={**NAMED, "t": 90})


def _parts(design: Designed) -> dict[tuple[str, str], dict[str, float]]:
    """Parts by number, of each row that varies: the total index where there are indices, or what the slopes say."""
    table, indexed = design.tables["uncertainty_causes"], not _without(design)
    found: dict[tuple[str, str], dict[str, float]] = {}
    columns = (
        table[name]
        for name in ("measure", "scenario", "path", "total" if "total" in table and indexed else "share_by_slopes")
    )
    for measure, scenario, path, part in zip(*columns, strict=True):
        if math.isfinite(float(part)):
            found.setdefault((measure, scenario), {})[path] = float(part)
    return found


def _without(design: Designed) -> float:
    """Part of the samples without rows where indices were asked for: any of them, and there are none."""
    return max(map(float, design.tables["uncertainty_causes"].get("without", ())), default=0.0)


def _unknown(design: Designed) -> str:
    part = _without(design)
    return f", by slopes: there are no indices, as {100.0 * part:.2g} % of their samples have no orbit" if part else ""


def _strongest(parts: list[dict[str, float]]) -> list[str]:
    """Numbers in the order of their largest part, as many as there are shades."""
    most: dict[str, float] = {}
    for own in parts:
        for path, part in own.items():
            most[path] = max(most.get(path, 0.0), abs(part))
    return sorted(most, key=lambda path: -most[path])[: len(SHADES)]


def _asked(design: Designed) -> list[tuple[str, str]]:
    """Rows of the objective, then of the limits, each once."""
    terms, scenarios = design.summary["objective"]["terms"], design.summary["scenarios"]
    rows = [(measure, scenario) for measure in terms for scenario in scenarios]
    return list(dict.fromkeys([*rows, *map(_key, design.summary["margins"])]))[:MOST_BARS]


def _by_row(design: Designed, table: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    columns = design.tables[table]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {_key(row): row for row in rows}


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["measure"], row["scenario"]


def _margin(row: Mapping[str, Any], value: float) -> float:
    sign = 1.0 if row["kind"] == "least" else -1.0
    return sign * (float(value) - row["bound"]) / row["scale"]


def _name(design: Designed, row: Mapping[str, Any]) -> str:
    return facts.label(design, {**row, "name": row["limit"]}).replace("<", "&lt;")


def _measured(design: Designed, key: tuple[str, str]) -> str:
    measure, scenario = key
    return facts.label(design, {"measure": measure, "scenario": scenario}).replace("<", "&lt;")


def _told(row: Mapping[str, Any], spread: Mapping[str, Any]) -> str:
    low, middle, high = (
        amounts.level(row["measure"], row["unit"], float(spread[end])) for end in ("low", "median", "high")
    )
    return f"{facts.measure(row['measure'])}: {middle}, from {low} to {high}, {facts.bound(row)}"
