"""The Plotly figures of the report: time series and energy flow."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from twin.reporting import human
from twin.reporting.energy_flow import (
    ARRAY,
    BATTERY,
    BUS,
    CHIPS,
    CONVERSION,
    CURTAILED,
    HEAT,
    HOUSEKEEPING,
    KEPT,
    NODES,
    TAKEN,
    WORK,
    Flow,
)

FONT = {"family": "system-ui, sans-serif", "size": 13, "color": "#1f2933"}
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#7f8c8d"
GRID = "#e5e9ee"
BESIDE = {"l": 320, "r": 40, "t": 30, "b": 50}  # margins where long names stand beside bars
MOST_BARS = 16  # of a figure with a bar for each number


class Curve(NamedTuple):
    """One variable of a panel."""

    variable: str
    label: str
    colour: str
    limit: str = ""  # key of the summary whose limit is drawn


class Panel(NamedTuple):
    """One row of the time series; `unit` without a prefix where one is chosen to suit the data."""

    title: str
    unit: str
    height: float
    curves: tuple[Curve, ...]


PANELS = (
    Panel("Sunlit fraction", "%", 0.1, (Curve("sunlit_fraction", "Sunlit", ORANGE),)),
    Panel(
        "Power of a satellite",
        "W",
        0.28,
        (
            Curve("array_power_w", "Array, drawn", ORANGE),
            Curve("load_power_w", "Load", BLUE),
            Curve("battery_power_w", "Battery, + charging", GREEN),
            Curve("curtailed_power_w", "Curtailed", GREY),
        ),
    ),
    Panel(
        "Temperature",
        "°C",
        0.3,
        (
            Curve("accelerator_temperature_k", "Hottest die", RED, "max_accelerator_temperature_k"),
            Curve("coolant_temperature_k", "Coolant supply", BLUE),
            Curve("radiator_temperature_k", "Radiator", PURPLE),
            Curve("battery_temperature_k", "Battery", GREEN, "max_battery_temperature_k"),
            Curve("array_temperature_k", "Array", ORANGE),
        ),
    ),
    Panel("State of charge", "%", 0.16, (Curve("state_of_charge", "Charge", GREEN, "min_state_of_charge"),)),
    Panel("Compute of a satellite", "FLOP/s", 0.16, (Curve("compute_rate_flops", "Delivered", BLUE),)),
)
# view -> variable -> quantile -> (point,); and the instants of the points in milliseconds since 1970.
Views = Mapping[str, Mapping[str, Mapping[str, np.ndarray]]]


class Span(NamedTuple):
    """A column of the time series."""

    title: str
    time_ms: np.ndarray
    views: Views


def _prefix(largest: float) -> tuple[float, str]:
    """Factor and prefix that bring a size to 1 to 999."""
    text = human.si(largest, "|")
    number, prefix = text.split()
    return float(number.replace("\u202f", "")) / largest if largest else 1.0, prefix.removesuffix("|")


def displayed(values: np.ndarray, unit: str, factor: float) -> np.ndarray:
    """Values in the unit of a plot."""
    if unit == "°C":
        return values - np.float32(human.ZERO_CELSIUS_K)
    return (values * np.float64(100.0 if unit == "%" else factor)).astype(np.float32)


def scale(unit: str, columns: Sequence[np.ndarray]) -> tuple[float, str]:
    """Power-of-ten factor for a unit and the unit with its prefix, from the largest value plotted."""
    if unit in ("%", "°C"):
        return 1.0, unit
    largest = max((float(np.nanmax(np.abs(c))) for c in columns if np.isfinite(c).any()), default=0.0)
    factor, prefix = _prefix(largest)
    return 10.0 ** round(np.log10(factor)), prefix + unit


def time_series(spans: Sequence[Span], limits: Mapping[str, float]) -> go.Figure:
    """A column per span and a row per panel; each trace's `meta` names the view it belongs to."""
    heights = [panel.height for panel in PANELS]
    figure = make_subplots(
        rows=len(PANELS),
        cols=len(spans),
        shared_xaxes=True,
        shared_yaxes=True,
        row_heights=heights,
        vertical_spacing=0.035,
        horizontal_spacing=0.035,
        column_widths=[1.0, 1.5][: len(spans)],
        column_titles=[span.title for span in spans],
    )
    first = next(iter(spans[0].views))
    for row, panel in enumerate(PANELS, 1):
        every = [b for s in spans for view in s.views.values() for c in panel.curves for b in view[c.variable].values()]
        factor, unit = scale(panel.unit, every)
        for column, span in enumerate(spans, 1):
            for view, variables in span.views.items():
                for curve in panel.curves:
                    bands = {k: displayed(v, panel.unit, factor) for k, v in variables[curve.variable].items()}
                    traces = _band(curve, span.time_ms, bands, unit)
                    for trace in traces:
                        trace.update(meta=view, visible=view == first, legend=_legend(row))
                        trace.showlegend = bool(trace.showlegend) and column == 1
                    figure.add_traces(traces, rows=row, cols=column)
        _limit_lines(figure, row, len(spans), panel, limits)
        figure.update_yaxes(rangemode="normal" if panel.unit == "°C" else "tozero", row=row)
        figure.update_yaxes(title_text=f"{panel.title}<br>{unit}", title_font_size=12, row=row, col=1)
    return _dress(figure, heights)


def _legend(row: int) -> str:
    return "legend" if row == 1 else f"legend{row}"


def _band(curve: Curve, time_ms: np.ndarray, bands: Mapping[str, np.ndarray], unit: str) -> list[go.Scatter]:
    """Median as a line, 5 to 95 % as a band, extremes dotted; a single satellite has its line alone."""
    if not np.isfinite(bands["median"]).any():
        return []
    common: dict[str, Any] = {
        **instants(time_ms),
        "name": curve.label,
        "legendgroup": curve.variable,
        "showlegend": False,
    }
    marks = "lines" if time_ms.size > 1 else "markers"
    light = faint(curve.colour, 0.17)
    traces = []
    if "low" in bands and np.nanmax(bands["highest"] - bands["lowest"]) > 0:
        thin = {"color": faint(curve.colour, 0.65), "width": 0.8, "dash": "dot"}
        traces += [
            go.Scatter(y=bands[k], line=thin, mode=marks, hoverinfo="skip", **common) for k in ("lowest", "highest")
        ]
        none = {"width": 0}
        traces.append(go.Scatter(y=bands["low"], line=none, mode="lines", hoverinfo="skip", **common))
        fill = {"fill": "tonexty", "fillcolor": light}
        traces.append(go.Scatter(y=bands["high"], line=none, mode="lines", hoverinfo="skip", **fill, **common))
    hover = f"%{{y:.4~g}} {unit}"
    line = {"color": curve.colour, "width": 1.8}
    shown = common | {"showlegend": True}
    return [*traces, go.Scatter(y=bands["median"], line=line, mode=marks, hovertemplate=hover, **shown)]


def instants(time_ms: np.ndarray) -> dict[str, Any]:
    """Where points stand; start and step alone where they are evenly spaced, which keeps the page small."""
    steps_ms = np.diff(time_ms)
    if steps_ms.size and np.ptp(steps_ms) > 0:
        return {"x": time_ms.astype("datetime64[ms]")}
    return {"x0": time_ms[0], "dx": steps_ms[0] if steps_ms.size else 1.0}


def faint(colour: str, opacity: float) -> str:
    """A colour, #rrggbb, that lets others shine through."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _limit_lines(figure: go.Figure, row: int, columns: int, panel: Panel, limits: Mapping[str, float]) -> None:
    for curve in panel.curves:
        if curve.limit in limits:
            y = float(displayed(np.asarray(limits[curve.limit]), panel.unit, 1.0))
            for column in range(1, columns + 1):
                where: Any = {"row": row, "col": column}
                figure.add_hline(y, **where, line={"color": curve.colour, "width": 1, "dash": "dash"})


def _dress(figure: go.Figure, heights: Sequence[float]) -> go.Figure:
    """Date axes, one legend beside each row, light grid."""
    figure.update_xaxes(
        type="date",
        tickformat="%H:%M\n%d %b",
        gridcolor=GRID,
        showspikes=True,
        spikethickness=1,
        spikecolor="#9aa5b1",
    )
    figure.update_yaxes(gridcolor=GRID, zerolinecolor="#c3ccd5")
    tops = np.cumsum([0.0, *heights]) / sum(heights)
    legends: dict[str, Any] = {
        _legend(row): {"x": 1.01, "y": 1.0 - top, "xanchor": "left", "yanchor": "top", "font": {"size": 12}}
        for row, top in enumerate(tops[:-1], 1)
    }
    return figure.update_layout(
        template="none", font=FONT, height=1150, margin={"l": 80, "r": 170, "t": 40, "b": 40}, hovermode="x", **legends
    )


def sankey(flows: Sequence[Flow], labels: Mapping[str, str]) -> go.Figure:
    """The energy flow from sunlight to work and heat."""
    used = [node for node in NODES if any(node in flow[:2] for flow in flows)]
    number = {node: index for index, node in enumerate(used)}
    places = {node: (x, y) for node, x, y in zip(NODES, _NODE_X, _heights(flows), strict=True)}
    colours = dict(zip(NODES, _NODE_COLOURS, strict=True))
    node = {
        "label": [labels[n] for n in used],
        "color": [colours[n] for n in used],
        "x": [places[n][0] for n in used],
        "y": [places[n][1] for n in used],
        "pad": 24,
        "thickness": 14,
    }
    link = {
        "source": [number[flow.source] for flow in flows],
        "target": [number[flow.target] for flow in flows],
        "value": [flow.energy_j / 3600.0 for flow in flows],
        "color": [faint(colours[flow.source], 0.35) for flow in flows],
    }
    figure = go.Figure(go.Sankey(arrangement="snap", valueformat=".3s", valuesuffix="Wh", node=node, link=link))
    return figure.update_layout(font=FONT, height=480, margin={"l": 10, "r": 10, "t": 20, "b": 40})


# In the order of NODES; labels stand to the right of their node and need the room.
_NODE_X = (0.001, 0.1, 0.3, 0.19, 0.315, 0.45, 0.45, 0.45, 0.635, 0.79, 0.999, 0.999, 0.001)
_NODE_COLOURS = (
    ORANGE, ORANGE, GREY, GREEN, BLUE, GREY, GREY, BLUE, BLUE, RED, RED, GREEN, GREEN,
)  # fmt: skip


def _heights(flows: Sequence[Flow]) -> list[float]:
    """Height of each node, 0 at the top, so that the electric branch lies below the heat and links do not cross."""
    into = {n: sum(f.energy_j for f in flows if f.target == n) for n in NODES}
    share = {n: energy_j / max(into[HEAT], 1.0) for n, energy_j in into.items()}
    gap, top = 0.06, 1.0 - share[ARRAY]
    bus = top + share[CURTAILED] + share[BUS] / 2
    housekeeping = 1.0 - share[CHIPS] - gap - share[HOUSEKEEPING] / 2
    conversion = housekeeping - (share[HOUSEKEEPING] + share[CONVERSION]) / 2 - gap
    centre: dict[str, float] = dict.fromkeys(NODES, 0.5)
    centre.update({ARRAY: 1.0 - share[ARRAY] / 2, BUS: bus, CURTAILED: top + share[CURTAILED] / 2 - 0.05})
    centre.update({BATTERY: 1.0 - share[BATTERY] / 2, CONVERSION: conversion, HOUSEKEEPING: housekeeping})
    centre.update({CHIPS: 1.0 - share[CHIPS] / 2, WORK: 1.0 - share[CHIPS] / 2, KEPT: 0.97, TAKEN: 0.98})
    return [min(max(centre[node], 0.01), 0.99) for node in NODES]


def dress(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Font, light grid and margins that all figures have."""
    figure.update_xaxes(gridcolor=GRID, zerolinecolor="#c3ccd5", automargin=True)
    figure.update_yaxes(gridcolor=GRID, zerolinecolor="#c3ccd5", automargin=True)
    margin = {"l": 70, "r": 30, "t": 30, "b": 50}
    return figure.update_layout(template="none", font=FONT, height=height, **{"margin": margin, **layout})


def log_axis(title: str, values: Any) -> dict[str, Any]:
    """A logarithmic axis for these values with its ticks written out: the fewer decades, the more of each."""
    known = [value for value in np.ravel(values) if np.isfinite(value) and value > 0.0] or [1.0]
    span = max(known) / min(known)
    close = (1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)
    steps = (1, 2, 5) if span > 30.0 else (1, 1.5, 2, 3, 5, 7) if span > 3.0 else close
    ticks = [step * 10.0**power for power in range(-6, 13) for step in steps]
    return {"type": "log", "title_text": title, "tickvals": ticks, "ticktext": [f"{tick:.7g}" for tick in ticks]}


def plain(values: Any) -> np.ndarray:
    """Numbers in single precision, which keeps the page small; NaN where there is none."""
    return np.where(np.isfinite(found := np.asarray(values, float)), found, np.nan).astype(np.float32)


def signed(paths: list[str], values: np.ndarray, title: str) -> go.Figure:
    """A bar for each number: orange where it is positive, blue where it is negative."""
    figure = go.Figure()
    shades = [ORANGE if value > 0 else BLUE for value in values]
    figure.add_bar(
        y=paths, x=plain(values), orientation="h", marker_color=shades, hovertemplate="%{y}: %{x:.3~f}<extra></extra>"
    )
    figure.update_xaxes(title_text=title)
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 110 + 24 * len(paths), margin=BESIDE)


def to_json(figure: go.Figure) -> str:
    """A figure as JSON that cannot end the script element it stands in."""
    text = figure.to_json(validate=False)
    assert text is not None
    return text.replace("</", "<\\/")
