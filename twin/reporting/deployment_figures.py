"""The Plotly figures of a deployment's course: capacity, costs, supply, vintages, and the life of a satellite."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from twin.reporting import deployment_facts as facts
from twin.reporting import human
from twin.reporting.deployment_facts import ORBIT, Deployment
from twin.reporting.figures import BLUE, FONT, GREEN, GREY, ORANGE, PURPLE, RED, dress, log_axis, plain, scale

SITES = (ORANGE, GREEN, PURPLE, GREY, "#56b4e9", "#8c6d31", "#5e4fa2")
PALETTE = (
    BLUE, "#56b4e9", RED, ORANGE, GREEN, PURPLE, "#8c6d31", "#5e4fa2", "#f0e442", "#7fc97f", "#1f2933", "#b15928",
)  # fmt: skip
LEAST_SHARE = 0.03  # of a place's costs; an item that is nowhere as much is counted among the rest
REST = "the rest"
FREE = "target"  # what binds where nothing is scarce
COMPARED = {
    **{f"levelised_usd_per_{work}": f"Levelised, per {name}" for work, name in facts.WORK.items()},
    **{
        f"levelised_usd_per_{work}_without_chips": f"per {name}, without chips"
        for work, name in facts.WORK.items()
    },
    "usd_per_w_nominal": "Invested, per W nominal",
    "usd_per_w_delivered": "Invested, per W delivered",
    "usd_per_w_nominal_without_chips": "per W nominal, without chips",
    "usd_per_w_delivered_without_chips": "per W delivered, without chips",
    "carbon_kg_per_pflop_day": "CO2e, per PFLOP-day",
}  # fmt: skip


def colours(deployment: Deployment) -> dict[str, str]:
    """A colour for each place, the same in all figures."""
    sites = [place for place in deployment.places if place != ORBIT]
    return {ORBIT: BLUE, **{place: SITES[k % len(SITES)] for k, place in enumerate(sites)}}


def comparison(deployment: Deployment) -> go.Figure:
    """Orbit over each place on the ground, in every denominator."""
    places, shades = deployment.summary["places"], colours(deployment)
    figure = go.Figure()
    for place in deployment.places[1:]:
        ratio = _ratios(places[ORBIT], places[place])
        main = place == deployment.against
        figure.add_scatter(
            x=[*ratio.values()],
            y=[*ratio],
            name=f"over {facts.words(place)}",
            mode="markers",
            marker={"color": shades[place], "size": 15 if main else 9, "symbol": "circle" if main else "diamond"},
            hovertemplate=f"orbit over {facts.words(place)}: %{{x:.3~g}}<extra></extra>",
        )
        for label, value in ratio.items() if main else ():
            text = f"<b>{human.digits(value)}</b>"
            figure.add_annotation(text=text, x=1.01, xref="paper", y=label, xanchor="left", showarrow=False)
    figure.add_vline(1.0, line={"color": FONT["color"], "dash": "dash", "width": 1.5})
    drawn = [
        1.0,
        *(value for place in deployment.places[1:] for value in _ratios(places[ORBIT], places[place]).values()),
    ]
    figure.update_xaxes(**log_axis("Orbit over ground; left of the dashed line orbit is cheaper", drawn))
    figure.update_yaxes(categoryorder="array", categoryarray=[*COMPARED.values()][::-1])
    return dress(figure, 520, legend={"orientation": "h", "y": 1.08}, margin={"l": 70, "r": 70, "t": 30, "b": 50})


def _ratios(orbit: Mapping[str, Any], ground: Mapping[str, Any]) -> dict[str, float]:
    """Orbit over ground by the label of each denominator that both have."""
    found = {}
    for metric, label in COMPARED.items():
        above, below = (float(place.get(metric) or 0.0) for place in (orbit, ground))
        if above > 0.0 and below > 0.0:
            found[label] = above / below
    return found


def capacity(deployment: Deployment, target_w: float | None) -> go.Figure:
    """Power of every place by month, and satellites launched by year with what limits them."""
    figure = make_subplots(rows=2, cols=1, row_heights=[0.62, 0.38], vertical_spacing=0.12)
    shades = colours(deployment)
    factor, unit = scale("W", [deployment.numbers("months", "nominal_power_w")])
    for place in deployment.places:
        figure.add_scatter(
            x=deployment.column("months", "date", place=place),
            y=plain(deployment.numbers("months", "nominal_power_w", place=place) * factor),
            name=facts.words(place),
            line={"color": shades[place], "width": 3 if place == ORBIT else 1.6},
            hovertemplate=f"%{{y:.3~g}} {unit}",
        )
    if target_w is not None:
        line = {"color": FONT["color"], "dash": "dash", "width": 1.2}
        figure.add_hline(target_w * factor, line=line, annotation_text="target", row=1, col=1)  # type: ignore[arg-type]
    _launched(figure, deployment)
    figure.update_yaxes(title_text=f"Nominal power, {unit}", rangemode="tozero", row=1)
    figure.update_yaxes(title_text="Satellites launched<br>in a year", rangemode="tozero", row=2)
    legends = {"legend": {"x": 1.01, "y": 1.0}, "legend2": {"x": 1.01, "y": 0.34, "title": "Limited by"}}
    return dress(
        figure, 640, hovermode="x unified", barmode="stack", margin={"l": 80, "r": 190, "t": 30, "b": 50}, **legends
    )


def _launched(figure: go.Figure, deployment: Deployment) -> None:
    """Bars of satellites launched in each year, coloured by what limits them."""
    dates, binding = (deployment.column("months", name, place=ORBIT) for name in ("date", "binding"))
    launched = deployment.numbers("months", "launched", place=ORBIT)
    for limit, shade in _limit_colours(deployment).items():
        figure.add_bar(
            x=facts.years(dates),
            y=plain(facts.by_year(dates, np.where(binding == limit, launched, 0.0))),
            name=facts.words(limit),
            marker_color=shade,
            legend="legend2",
            hovertemplate="%{y:,.0f} satellites",
            row=2,
            col=1,
        )


def _limit_colours(deployment: Deployment) -> dict[str, str]:
    """A colour for each limit that is met: grey for the target alone."""
    met = list(dict.fromkeys(deployment.column("months", "binding", place=ORBIT)))
    scarce = [limit for limit in met if limit != FREE]
    return {limit: "#b8c2cc" for limit in met if limit == FREE} | dict(zip(scarce, PALETTE[2:], strict=False))


def cost_curves(deployment: Deployment) -> tuple[go.Figure, dict[str, str]]:
    """Levelised cost of a unit of each month, and the texts of the drop-down that chooses the denominator."""
    figure, shades = go.Figure(), colours(deployment)
    options = {
        f"usd_per_{work}{c}": f"USD per {n}{s}" for c, s in facts.CHIPS.items() for work, n in facts.WORK.items()
    }
    for cost in options:
        for place in deployment.places:
            figure.add_scatter(
                x=deployment.column("months", "date", place=place),
                y=plain(deployment.numbers("months", f"unit_{cost}", place=place)),
                name=facts.words(place),
                line={"color": shades[place], "width": 3 if place == ORBIT else 1.6},
                hovertemplate="%{y:.3~g} USD",
                meta=cost,
                visible=cost == next(iter(options)),
            )
    figure.update_yaxes(**log_axis("USD, levelised over the life of a unit", [1.0, 10.0]))
    figure.update_xaxes(title_text="Month in which the unit is placed")
    return dress(figure, 440, hovermode="x unified", margin={"l": 80, "r": 170, "t": 30, "b": 50}), options


def breakdown(deployment: Deployment) -> go.Figure:
    """What a PFLOP-day is made of at each place: all that is paid, over all work, less what is left at the end."""
    places = deployment.places
    shares = _shares(deployment)
    figure = go.Figure()
    for (item, usd), shade in zip(shares.items(), [*PALETTE, *PALETTE], strict=False):
        figure.add_bar(
            y=[facts.words(place) for place in places],
            x=plain([usd[place] for place in places]),
            name=facts.words(item),
            orientation="h",
            marker_color="#b8c2cc" if item == REST else shade,
            hovertemplate="%{x:.3~g} USD per PFLOP-day",
        )
    figure.add_bar(
        y=[facts.words(place) for place in places],
        x=plain([-_per_pflop_day(deployment, p, deployment.summary["places"][p]["residual_usd"]) for p in places]),
        name="left at the end",
        orientation="h",
        marker={"color": "#ffffff", "line": {"color": GREY, "width": 1}, "pattern": {"shape": "/", "fgcolor": GREY}},
        hovertemplate="%{x:.3~g} USD per PFLOP-day",
    )
    figure.update_xaxes(title_text="USD per PFLOP-day, undiscounted")
    figure.update_yaxes(autorange="reversed")
    legend = {"traceorder": "normal", "x": 1.01}
    margin = {"l": 110, "r": 190, "t": 30, "b": 50}
    return dress(figure, 140 + 55 * len(places), barmode="relative", legend=legend, margin=margin)


def _shares(deployment: Deployment) -> dict[str, dict[str, float]]:
    """Costs of a PFLOP-day by item and place, largest first; small items are one."""
    usd: dict[str, dict[str, float]] = {}
    for place in deployment.places:
        paid, items = deployment.numbers("costs", "usd", place=place), deployment.column("costs", "item", place=place)
        sums = {str(item): float(paid[items == item].sum()) for item in dict.fromkeys(items)}
        usd[place] = {item: _per_pflop_day(deployment, place, paid) for item, paid in sums.items()}
    most = {
        item: max(of[item] / max(sum(of.values()), 1e-30) for of in usd.values() if item in of)
        for item in dict.fromkeys(item for of in usd.values() for item in of)
    }
    large = sorted((item for item in most if most[item] >= LEAST_SHARE), key=lambda item: -most[item])
    found = {item: {place: of.get(item, 0.0) for place, of in usd.items()} for item in large}
    return found | {REST: {place: sum(v for k, v in of.items() if k not in large) for place, of in usd.items()}}


def _per_pflop_day(deployment: Deployment, place: str, usd: float) -> float:
    flop = deployment.summary["places"][place]["delivered_flop"]
    return usd / (flop / 8.64e19) if flop else 0.0


def supply(deployment: Deployment) -> go.Figure:
    """Demand over world output by year, a panel per resource; red where it is what limits launches."""
    names = list(dict.fromkeys(deployment.column("supply", "resource")))
    rows = -(-len(names) // 2)
    titles = [facts.words(name) for name in names]
    figure = make_subplots(rows=rows, cols=2, subplot_titles=titles, vertical_spacing=0.32 / rows, shared_xaxes=False)
    for number, name in enumerate(names):
        row, column = divmod(number, 2)
        dates = deployment.column("supply", "date", resource=name)
        demand, world = (
            facts.by_year(dates, deployment.numbers("supply", f"{key}_per_year", resource=name))
            for key in ("demand", "world")
        )
        held = facts.by_year(dates, deployment.column("supply", "binds", resource=name) == "True")
        figure.add_bar(
            x=facts.years(dates),
            y=plain(100.0 * demand / np.maximum(world, 1e-30)),
            marker_color=[RED if months else BLUE for months in held],
            customdata=[f"; it limits launches in {months:.0f} months" if months else "" for months in held],
            hovertemplate="%{x}: %{y:.3~g} % of the world's output%{customdata}<extra></extra>",
            showlegend=False,
            row=row + 1,
            col=column + 1,
        )
    figure.update_yaxes(ticksuffix=" %", rangemode="tozero", nticks=4)
    return dress(figure, 60 + 150 * rows)


def vintages(deployment: Deployment) -> go.Figure:
    """Satellites in orbit at the end of each year, stacked by the year of their launch."""
    launched_in = deployment.column("vintages", "launched_in")
    ends = [name for name in deployment.tables["vintages"] if name.startswith("in_orbit_after_year_")]
    stock = np.array([facts.by_year(launched_in, deployment.numbers("vintages", end)) for end in ends])
    names = facts.years(launched_in)
    shades = sample_colorscale("Viridis", np.linspace(0.0, 1.0, max(len(names), 2)).tolist())
    figure = go.Figure()
    for number, (year, shade) in enumerate(zip(names, shades, strict=False)):
        figure.add_scatter(
            x=[launched_in[12 * k + 11] for k in range(len(ends))],
            y=plain(stock[:, number]),
            name=year,
            stackgroup="all",
            mode="lines",
            line={"width": 0},
            fillcolor=shade,
            showlegend=number % 5 == 0,
            hovertemplate="%{y:,.0f} satellites",
        )
    figure.update_yaxes(title_text="Satellites in orbit", rangemode="tozero", tickformat=",.0f")
    return dress(figure, 460, legend={"title": "Launched in", "traceorder": "reversed"})


def life(deployment: Deployment) -> go.Figure:
    """What a satellite is worth as it ages, in per cent of what it was."""
    of = deployment.summary["satellite"]
    table = {name: deployment.numbers("life", name) for name in deployment.tables["life"]}
    curves: Mapping[str, tuple[np.ndarray, str]] = {
        "Work delivered, of all that its accelerators could": (table["delivered_flops"] / of["nominal_flops"], BLUE),
        "Accelerators alive": (table["accelerators_alive"] / of["accelerators"], RED),
        "Power of chips and hosts, of nominal": (table["accelerator_power_w"] / of["nominal_power_w"], PURPLE),
        "Array, of its power when new": (table["array_health"], ORANGE),
        "Time in sunlight": (table["sunlit_fraction"], GREEN),
    }
    figure = go.Figure()
    for name, (values, shade) in curves.items():
        figure.add_scatter(
            x=plain(table["year"]),
            y=plain(100.0 * values),
            name=name,
            mode="lines+markers",
            line={"color": shade, "width": 2.2},
            hovertemplate="%{y:.1f} %",
        )
    figure.update_xaxes(title_text="Year of life", dtick=1)
    figure.update_yaxes(ticksuffix=" %", rangemode="tozero")
    return dress(figure, 400, hovermode="x unified", legend={"x": 1.01})
