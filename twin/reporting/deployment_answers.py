"""The Plotly figures of what is asked of a deployment: parity, ladder, tornado, futures, and published studies."""

import textwrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from twin.reporting import deployment_facts as facts
from twin.reporting import human
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.deployment_figures import colours
from twin.reporting.figures import (
    BESIDE,
    BLUE,
    FONT,
    GREEN,
    GREY,
    MOST_BARS,
    ORANGE,
    RED,
    dress,
    faint,
    log_axis,
    plain,
    scale,
    signed,
)

MAP = "map_"
ENDS = {"theirs": "the study's result", "ours": "this deployment"}  # of the waterfall
CHEAPER = GREEN
PARITY: Any = {"color": FONT["color"], "dash": "dash", "width": 1.5}


def maps(deployment: Deployment) -> list[str]:
    """Names of the tables that are maps of two numbers."""
    return [name for name in deployment.tables if name.startswith(MAP)]


def parity_map(deployment: Deployment, name: str) -> go.Figure:
    """Ratio over two numbers, the contour of parity, and where the deployment is."""
    across, up = [column for column in deployment.tables[name] if column != "ratio"][:2]
    (x, column), (y, row) = (np.unique(deployment.numbers(name, path), return_inverse=True) for path in (across, up))
    ratio = np.full((y.size, x.size), np.nan)
    ratio[row, column] = np.log10(deployment.numbers(name, "ratio"))
    axis = log_axis("ratio", 10.0**ratio)
    ticks = {"tickvals": np.log10(axis["tickvals"]).tolist(), "ticktext": axis["ticktext"], "title": "ratio"}
    common: dict[str, Any] = {"x": plain(x), "y": plain(y), "z": plain(ratio)}
    hover = f"{across} %{{x:.4~g}}<br>{up} %{{y:.4~g}}<br>ratio %{{customdata:.3~g}}<extra></extra>"
    figure = go.Figure(
        go.Heatmap(
            **common, customdata=plain(10.0**ratio), colorscale="RdBu_r", zmid=0.0, colorbar=ticks, hovertemplate=hover,
            zsmooth="best",
        )
    )  # fmt: skip
    level = {"start": 0.0, "end": 0.0, "size": 1.0, "coloring": "none"}
    line = {"color": FONT["color"], "width": 3}
    figure.add_contour(**common, contours=level, line=line, name="parity", showlegend=True, hoverinfo="skip")
    here = [deployment.present(path) for path in (across, up)]
    if None not in here:
        marker = {"color": "#ffffff", "size": 13, "symbol": "star", "line": {"color": FONT["color"], "width": 1.5}}
        figure.add_scatter(x=here[:1], y=here[1:], mode="markers", marker=marker, name="this deployment")
    figure.update_xaxes(**_axis(across, x))
    figure.update_yaxes(**_axis(up, y))
    return dress(figure, 520, legend={"orientation": "h", "y": 1.08})


def _axis(path: str, values: np.ndarray) -> dict[str, Any]:
    """The axis of a number, logarithmic where it is positive and spans much."""
    return log_axis(path, values) if values[0] > 0.0 and values[-1] > 5.0 * values[0] else {"title_text": path}


def ladder(deployment: Deployment) -> go.Figure:
    """Ratio with each change and all before it."""
    ratio = deployment.numbers("ladder", "ratio")
    labels = [f"{k}  {_short(str(label))}" for k, label in enumerate(deployment.column("ladder", "label"))]
    changes = deployment.column("ladder", "values") if "values" in deployment.tables["ladder"] else [""] * ratio.size
    figure = go.Figure()
    figure.add_bar(
        y=labels,
        x=plain(ratio - 1.0),
        base=1.0,
        orientation="h",
        marker_color=[CHEAPER if value <= 1.0 else BLUE for value in ratio],
        text=[human.digits(value) if np.isfinite(value) else human.NOTHING for value in ratio],
        textposition="outside",
        customdata=[f"{value:.4g}<br>{change}" for value, change in zip(ratio, changes, strict=True)],
        hovertemplate="%{customdata}<extra></extra>",
        cliponaxis=False,
    )
    figure.add_vline(1.0, line=PARITY)
    ends = np.log10([min(np.nanmin(ratio), 1.0), max(np.nanmax(ratio), 1.0)])
    room = 0.1 * np.ptp(ends) + 0.05  # for the numbers beside the bars
    figure.update_xaxes(**log_axis("Orbit over ground", 10.0**ends), range=[ends[0] - room, ends[1] + room])
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 130 + 34 * len(labels), margin={**BESIDE, "r": 60})


def tornado(deployment: Deployment) -> go.Figure:
    """Ratio at both ends of the range of each number, all else as it is; the widest on top."""
    paths = [str(path) for path in deployment.column("tornado", "path")][:MOST_BARS]
    ratio = deployment.numbers("tornado", "ratio")[: len(paths)]
    ends = {end: deployment.numbers("tornado", f"ratio_at_{end}")[: len(paths)] for end in ("low", "high")}
    figure = go.Figure()
    for (end, at), shade in zip(ends.items(), (BLUE, ORANGE), strict=True):
        value = deployment.numbers("tornado", end)[: len(paths)]
        figure.add_bar(
            y=paths,
            x=plain(at - ratio),
            base=plain(ratio),
            orientation="h",
            name=f"{end} end of its range",
            marker_color=shade,
            customdata=[f"{v:.4g}: ratio {r:.3g}" for v, r in zip(value, at, strict=True)],
            hovertemplate="%{y} = %{customdata}<extra></extra>",
        )
    figure.add_vline(1.0, line=PARITY)
    figure.update_xaxes(**log_axis("Orbit over ground", [1.0, *ends["low"], *ends["high"]]))
    figure.update_yaxes(autorange="reversed")
    legend = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
    return dress(figure, 130 + 26 * len(paths), barmode="overlay", legend=legend, margin={**BESIDE, "t": 50})


def futures(deployment: Deployment) -> go.Figure:
    """Over all futures: the ratio, and the year from which a satellite beats a unit on the ground."""
    titles = ["Cost", "Year from which a satellite is cheaper"]
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.1)
    ratio, crossover = (deployment.numbers("futures", name) for name in ("ratio", "crossover_years"))
    told = np.isfinite(ratio) & (ratio > 0.0)
    edges = np.histogram_bin_edges(np.log10(ratio[told]), 40) if told.any() else np.array([0.0, 1.0])
    counts, _ = np.histogram(np.log10(ratio[told]), edges)
    middle = 10.0 ** (0.5 * (edges[1:] + edges[:-1]))
    share = {"hovertemplate": "%{x:.4~g}: %{y:.1f} % of the futures<extra></extra>", "showlegend": False}
    shades = [CHEAPER if value <= 1.0 else BLUE for value in middle]
    of_all = 100.0 / max(int(told.sum()), 1)
    width = plain(np.diff(10.0**edges))
    figure.add_bar(x=plain(middle), y=plain(of_all * counts), width=width, marker_color=shades, **share)
    figure.add_vline(1.0, line=PARITY, row=1, col=1)  # type: ignore[arg-type]
    years, counts = _crossovers(deployment, crossover[told])
    shades = [GREY if year == facts.NEVER else CHEAPER for year in years]
    where: Any = {"row": 1, "col": 2}
    share["hovertemplate"] = "%{x}: %{y:.1f} % of the futures<extra></extra>"
    figure.add_bar(x=years, y=plain(of_all * counts), marker_color=shades, **share, **where)
    figure.update_xaxes(**log_axis("Orbit over ground", ratio[told]), row=1, col=1)
    figure.update_xaxes(type="category", **where)
    figure.update_yaxes(ticksuffix=" %", rangemode="tozero")
    return dress(figure, 360, bargap=0.04)


def _crossovers(deployment: Deployment, after_years: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Calendar years of the deployment, and never, with the number of futures that cross over in each."""
    dates = facts.years(deployment.column("months", "date", place=ORBIT))
    begins = int(dates[0]) + (int(deployment.column("months", "date", place=ORBIT)[0][5:7]) - 1) / 12.0
    crosses = np.isfinite(after_years)
    years = (begins + after_years[crosses] + 1e-9).astype(int)
    counts = [int(np.sum(years == int(year))) for year in dates]
    return [*dates, facts.NEVER], np.array([*counts, int(np.sum(~crosses))])


def fan(deployment: Deployment) -> go.Figure:
    """Quantiles over the futures of the power in service at the end of each year."""
    figure, shades = go.Figure(), colours(deployment)
    quantiles = [name for name in deployment.tables["capacity"] if name.startswith("q")]
    quantiles.sort(key=lambda name: float(name[1:]))
    factor, unit = scale("W", [deployment.numbers("capacity", quantiles[-1])])
    for place in dict.fromkeys(map(str, deployment.column("capacity", "place"))):
        shade = shades.get(place, GREY)
        years = plain(deployment.numbers("capacity", "years", place=place))
        power = {q: plain(deployment.numbers("capacity", q, place=place) * factor) for q in quantiles}
        for low, high in zip(quantiles, quantiles[::-1], strict=True):
            if float(low[1:]) >= float(high[1:]):
                break
            band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
            figure.add_scatter(x=years, y=power[low], **band)
            figure.add_scatter(x=years, y=power[high], fill="tonexty", fillcolor=faint(shade, 0.17), **band)
        middle = min(quantiles, key=lambda name: abs(float(name[1:]) - 0.5))
        line = {"color": shade, "width": 2.6}
        figure.add_scatter(x=years, y=power[middle], name=facts.words(place), line=line, mode="lines")
    figure.update_xaxes(title_text="Years from the start")
    figure.update_yaxes(title_text=f"Nominal power, {unit}", rangemode="tozero")
    return dress(figure, 360, hovermode="x unified", legend={"traceorder": "normal"})


def drivers(deployment: Deployment) -> go.Figure:
    """Rank correlation of the ratio with each drawn number, the strongest on top."""
    paths = [str(path) for path in deployment.column("drivers", "path")][:MOST_BARS]
    values = deployment.numbers("drivers", "rank_correlation")[: len(paths)]
    return signed(paths, values, "Rank correlation with the ratio (Spearman)")


def elasticities(deployment: Deployment) -> go.Figure:
    """Per cent of the ratio for a per cent of each number, by gradients; the strongest on top."""
    paths = [str(path) for path in deployment.column("elasticities", "path")][:MOST_BARS]
    values = deployment.numbers("elasticities", "elasticity")[: len(paths)]
    return signed(paths, values, "Per cent of the ratio for 1 % of the number")


def waterfall(deployment: Deployment) -> go.Figure:
    """From a study's number, the first row, to ours, the last; the rows between are changes."""
    labels = [_short(ENDS.get(str(step), str(step))) for step in deployment.column("waterfall", "step")]
    values = deployment.numbers("waterfall", "value")
    unit = str(deployment.column("waterfall", "unit")[0])
    figure = go.Figure()
    figure.add_waterfall(
        y=labels,
        x=plain(values),
        measure=["absolute", *["relative"] * (len(labels) - 2), "total"],
        orientation="h",
        text=[f"{value:.3g}" for value in values],
        textposition="outside",
        cliponaxis=False,
        increasing={"marker": {"color": RED}},
        decreasing={"marker": {"color": GREEN}},
        totals={"marker": {"color": BLUE}},
        hovertemplate=f"%{{y}}<br>%{{text}} {unit}<extra></extra>",
    )
    figure.update_xaxes(title_text=unit)
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 110 + 54 * len(labels), margin={**BESIDE, "r": 70})


def _short(label: str) -> str:
    """A label in lines that stand beside a bar."""
    return "<br>".join(textwrap.wrap(label.replace("<", "&lt;"), 48))
