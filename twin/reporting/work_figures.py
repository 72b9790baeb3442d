"""The Plotly figures of a fleet's work and links: series over time, and the way from nominal to delivered work."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from twin.reporting import human
from twin.reporting.figures import BLUE, GREEN, ORANGE, displayed, dress, faint, instants, scale
from twin.reporting.work_flow import TRACE, Step

ROW_PX, GAP_PX, TOP_PX, BOTTOM_PX = 150, 62, 50, 45
LEAST_WAIT_S = 1e-3  # shorter waits are drawn as so long
WAIT_TICKS_S = (1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 432000.0)


class Line(NamedTuple):
    """A series of the fleet, (point,)."""

    label: str
    colour: str
    values: np.ndarray
    filled: bool = False


class Row(NamedTuple):
    """A panel of series; a count has no `unit`, waits in seconds have a logarithmic axis."""

    title: str
    unit: str
    lines: Sequence[Line]
    waits: bool = False


def over_time(time_ms: np.ndarray, rows: Sequence[Row]) -> go.Figure:
    """A panel for each row, its legend above it, so that it fits a narrow screen."""
    inner_px = len(rows) * ROW_PX + (len(rows) - 1) * GAP_PX
    figure = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=GAP_PX / inner_px if len(rows) > 1 else 0.0
    )
    for number, row in enumerate(rows, 1):
        unit = (_draw_waits if row.waits else _draw)(figure, number, time_ms, row)
        title = f"{row.title}, {unit}" if unit else row.title
        top = figure.layout[f"yaxis{number if number > 1 else ''}"].domain[1]
        legend = f"legend{number if number > 1 else ''}"
        figure.update_traces(legend=legend, row=number, col=1)
        figure.update_layout({legend: {**_ABOVE, "y": top, "title": {"text": f"<b>{title}</b>  ", "side": "left"}}})
    figure.update_xaxes(type="date", tickformat="%H:%M\n%d %b", nticks=7)
    figure.update_yaxes(ticklabelstandoff=6)
    margin = {"l": 10, "r": 10, "t": TOP_PX, "b": BOTTOM_PX}
    return dress(figure, inner_px + TOP_PX + BOTTOM_PX, margin=margin, hovermode="x", showlegend=True)


_ABOVE = {"orientation": "h", "x": 0.0, "xanchor": "left", "yanchor": "bottom", "font": {"size": 12}}


def _draw(figure: go.Figure, number: int, time_ms: np.ndarray, row: Row) -> str:
    """Draw a row from zero, and return its unit."""
    factor, unit = scale(row.unit, [line.values for line in row.lines]) if row.unit else (1.0, "")
    for line in row.lines:
        look = _look(line, time_ms)
        y = displayed(line.values, unit, factor)
        figure.add_trace(go.Scatter(y=y, hovertemplate=f"%{{y:.4~g}} {unit}", **look), row=number, col=1)
    figure.update_yaxes(rangemode="tozero", row=number)
    return unit


def _draw_waits(figure: go.Figure, number: int, time_ms: np.ndarray, row: Row) -> str:
    """Draw a row of waits, whose ticks tell their units."""
    for line in row.lines:
        y = np.maximum(line.values, LEAST_WAIT_S).astype(np.float32)
        words = [human.duration(wait) for wait in line.values]
        look = _look(line, time_ms)
        figure.add_trace(go.Scatter(y=y, text=words, hovertemplate="%{text}", **look), row=number, col=1)
    texts = [human.duration(tick) for tick in WAIT_TICKS_S]
    known = np.concatenate([line.values[np.isfinite(line.values)] for line in row.lines])
    most = max(10.0 * LEAST_WAIT_S, 2.0 * known.max(initial=0.0))
    limits = [np.log10(0.8 * LEAST_WAIT_S), np.log10(most)]
    ticks = {"tickvals": WAIT_TICKS_S, "ticktext": [f"≤ {texts[0]}", *texts[1:]]}
    figure.update_yaxes(type="log", range=limits, **ticks, row=number)
    return ""


def _look(line: Line, time_ms: np.ndarray) -> dict[str, Any]:
    fill = {"fill": "tozeroy", "fillcolor": faint(line.colour, 0.25)} if line.filled else {}
    mode = "lines" if time_ms.size > 1 else "markers"
    drawn = {"color": line.colour, "width": 1.8}
    return {**instants(time_ms), **fill, "name": line.label, "mode": mode, "line": drawn, "showlegend": True}


def waterfall(steps: Sequence[Step]) -> go.Figure:
    """What takes how much of each level, in per cent of the nominal work, the first step."""
    share = np.array([step.flop for step in steps]) / steps[0].flop
    figure = go.Figure(
        go.Waterfall(
            orientation="h",
            y=[step.label for step in steps],
            x=(100.0 * share).tolist(),
            measure=["absolute" if step.level else "relative" for step in steps],
            text=[_signed(part, step.level) for part, step in zip(share, steps, strict=True)],
            textposition="outside",
            customdata=[human.flop(abs(step.flop)) for step in steps],
            hovertemplate="%{y}: %{text} of nominal, %{customdata}<extra></extra>",
            connector={"line": {"color": "#9aa5b1", "width": 1}},
            totals={"marker": {"color": BLUE}},
            decreasing={"marker": {"color": ORANGE}},
            increasing={"marker": {"color": GREEN}},
        )
    )
    figure.update_yaxes(autorange="reversed", ticklabelstandoff=6)
    most = max(1.0, *share)
    ticks = [*range(0, round(100.0 * most) + 1, 25 if most < 2.0 else 100)]
    figure.update_xaxes(range=[0, 135.0 * most], tickvals=ticks, ticktext=[f"{tick} %" for tick in ticks])
    return dress(figure, 130 + 32 * len(steps), margin={"l": 10, "r": 10, "t": 40, "b": 45})


def _signed(share: float, level: bool) -> str:
    """A share in per cent, with its sign where it is a change and not a trace."""
    size = 0.0 if abs(share) < TRACE else abs(share)
    sign = "" if level or size < 5e-4 else "+" if share > 0 else "-"
    return sign + human.percent(size)
