"""The Plotly figures of a design: before and after, margins, prices, elasticities, the front, and where starts led."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from twin.reporting import amounts, human
from twin.reporting import design_facts as facts
from twin.reporting.design_facts import Designed
from twin.reporting.figures import BESIDE, BLUE, FONT, GREEN, GREY, MOST_BARS, ORANGE, RED, dress, plain, scale, signed

LIGHT = "#c3ccd5"
ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom"}
LEVELS = {"good": GREEN, "tight": ORANGE, "broken": RED}
ENDS = {"converged": GREEN, "stopped": ORANGE, "infeasible": RED}
# Of SI units those that take a prefix: factor first, then the unit.
AXES = {"W": (1.0, "W"), "J": (1.0 / 3600.0, "Wh"), "m": (1.0, "m"), "flop/s": (1.0, "FLOP/s"), "flop": (1.0, "FLOP")}
HOLLOW = {"color": GREY, "symbol": "circle-open", "line": {"width": 2}}
ZERO: Any = {"color": FONT["color"], "width": 2}


def before_after(design: Designed) -> go.Figure:
    """Objective and numbers, after over before, with what they were and are."""
    of = design.summary["objective"]
    rows = [(facts.measure(design.objective), design.objective, of["unit"], of["before"], of["after"])]
    rows += [(r["path"], r["path"], r["unit"], r["before"], r["after"]) for r in design.summary["before_after"]]
    rows = [row for row in rows if human.known(row[3]) and human.known(row[4]) and row[3] != 0.0]
    figure, names = go.Figure(), [row[0] for row in rows]
    told = [" → ".join(amounts.level(name, unit, value) for value in values) for _, name, unit, *values in rows]
    figure.add_bar(y=names, x=[100.0] * len(rows), orientation="h", name="before", marker_color=LIGHT, hoverinfo="skip")
    figure.add_bar(
        y=names,
        x=plain([100.0 * after / before for *_, before, after in rows]),
        orientation="h",
        name="after",
        marker_color=[GREEN, *[BLUE] * (len(rows) - 1)],
        text=told,
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}, %{x:.4~g} % of before<extra></extra>",
    )
    figure.update_xaxes(title_text="Per cent of the value before", rangemode="tozero", ticksuffix=" %")
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 130 + 48 * len(rows), barmode="group", legend=ABOVE, margin={**BESIDE, "r": 210, "t": 50})


def margins(design: Designed) -> go.Figure:
    """A bullet for each limit: its margin before as a wide bar, after as a narrow one, its bound as the line at 0."""
    rows, tolerance = facts.tightest_first(design), design.tolerance
    names = [facts.label(design, {**row, "name": row["limit"]}).replace("<", "&lt;") for row in rows]
    told = [f"{facts.reached(row)}, {facts.bound(row)}: {facts.margin(row, tolerance)}" for row in rows]
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=plain([facts.room(row, "margin_before") for row in rows]),
        orientation="h",
        name="before",
        width=0.7,
        marker_color=LIGHT,
        customdata=[amounts.level(r["measure"], r["unit"], r["value_before"]) for r in rows],
        hovertemplate="%{y} before: %{customdata}<extra></extra>",
    )
    figure.add_bar(
        y=names,
        x=plain([facts.room(row) for row in rows]),
        orientation="h",
        name="after",
        width=0.3,
        marker_color=[LEVELS[facts.level(row, tolerance)] for row in rows],
        customdata=told,
        hovertemplate="%{y}: %{customdata}<extra></extra>",
    )
    for name, text in zip(names, told, strict=True):
        figure.add_annotation(text=text, x=1.01, xref="paper", y=name, xanchor="left", showarrow=False)
    figure.add_vline(0.0, line=ZERO)
    figure.update_xaxes(title_text="Room to the limit, in its typical size; left of the line it is broken")
    figure.update_yaxes(autorange="reversed")
    room = {"l": 180, "r": 380, "t": 50, "b": 50}
    return dress(figure, 130 + 38 * len(rows), barmode="overlay", legend=ABOVE, margin=room)


def prices(design: Designed) -> go.Figure:
    """What a step more of room at each limit and bound is worth, the most on top."""
    rows = facts.paid(design)[:MOST_BARS]
    unit = design.summary["objective"]["unit"]
    figure = go.Figure()
    figure.add_bar(
        y=[f"{facts.label(design, row)}, {row['step'].many} {row['step'].noun}".replace("<", "&lt;") for row in rows],
        x=plain([row["worth"] for row in rows]),
        orientation="h",
        marker_color=[BLUE if row["of"] == "limit" else GREY for row in rows],
        text=[facts.worth(design, row) for row in rows],
        textposition="outside",
        cliponaxis=False,
        customdata=[facts.price(design, row).replace("<", "&lt;") for row in rows],
        hovertemplate="%{customdata}<extra></extra>",
    )
    better = "saved" if design.summary["objective"]["sense"] == "minimize" else "added"
    figure.update_xaxes(title_text=f"{facts.measure(design.objective)} {better}, {unit or 'in its own unit'}")
    figure.update_yaxes(autorange="reversed")
    return dress(figure, 110 + 34 * len(rows), margin={**BESIDE, "r": 90})


def elasticities(design: Designed) -> go.Figure:
    """Per cent of the objective for a per cent of each number, the strongest on top."""
    table = design.tables["elasticities"]
    paths = [f"{path}".replace("<", "&lt;") for path in table["path"]]
    title = f"Per cent of {facts.measure(design.objective)} for 1 % of the number"
    return signed(paths[:MOST_BARS], np.asarray(table["elasticity"], float)[:MOST_BARS], title)


def front(design: Designed) -> go.Figure:
    """The objective against a second measure, each point the best design there; hover tells which."""
    table = design.tables["pareto"]
    measure = front_measure(design)
    units = facts.unit_of(design, measure), design.summary["objective"]["unit"]
    (factor, unit), (other_factor, other_unit) = (
        _axis(unit, table[name]) for unit, name in zip(units, (measure, "objective"), strict=True)
    )
    x, y = (by * np.asarray(table[name], float) for by, name in ((factor, measure), (other_factor, "objective")))
    found = np.array([status != facts.INFEASIBLE for status in table["status"]])
    here, dominated = (np.array([told == "True" for told in table[name]]) for name in ("chosen", "dominated"))
    told = _designs(design)
    figure = go.Figure()
    for name, chosen, mode, style in (
        ("best designs", found & ~here & ~dominated, "lines+markers", {"color": BLUE, "size": 9}),
        ("worse in both than another", found & ~here & dominated, "markers", {**HOLLOW, "size": 9}),
        ("this design", found & here, "markers", {"color": ORANGE, "size": 17, "symbol": "star"}),
    ):
        if not chosen.any():
            continue
        figure.add_scatter(
            x=plain(x[chosen]),
            y=plain(y[chosen]),
            name=name,
            mode=mode,
            marker=style,
            line={"color": BLUE, "width": 1.5},
            customdata=[text for text, some in zip(told, chosen, strict=True) if some],
            hovertemplate="%{customdata}<extra></extra>",
        )
    for value in factor * np.asarray(table["bound"], float)[~found]:
        figure.add_vline(float(value), line={"color": RED, "width": 1.2, "dash": "dot"}, annotation_text="none found")
    figure.update_xaxes(title_text=f"{facts.measure(measure)}, {unit}".rstrip(", "))
    figure.update_yaxes(title_text=f"{facts.measure(design.objective)}, {other_unit}".rstrip(", "))
    return dress(
        figure,
        440,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        margin={"l": 80, "r": 30, "t": 50, "b": 50},
    )


def front_measure(design: Designed) -> str:
    """The measure along which the front was sought: the column that is nothing else."""
    paths = [row["path"] for row in design.summary["before_after"]]
    others = {"status", "chosen", "dominated", "bound", "objective", *paths}
    return next(name for name in design.tables["pareto"] if name not in others)


def _designs(design: Designed) -> list[str]:
    """The design of each point in lines of a hover text."""
    table, measure, of = design.tables["pareto"], front_measure(design), design.summary["objective"]
    units = {row["path"]: row["unit"] for row in design.summary["before_after"]}
    heads = {measure: facts.unit_of(design, measure), "objective": of["unit"]} | units
    names = {measure: measure, "objective": design.objective}
    texts = []
    for point in range(len(table[measure])):
        lines = []
        for name, unit in heads.items():
            value = amounts.level(names.get(name, name), unit, float(table[name][point]))
            lines.append(f"{facts.measure(names[name]) if name in names else name}: {value}")
        texts.append("<br>".join(lines))
    return texts


def starts(design: Designed) -> go.Figure:
    """Where each start led: its objective, coloured by how it ended."""
    rows, of = design.summary["starts"], design.summary["objective"]
    factor, unit = _axis(of["unit"], [row["objective"] for row in rows])
    figure = go.Figure()
    for status, colour in ENDS.items():
        ended = [(number, row) for number, row in enumerate(rows, 1) if row["status"] == status]
        if ended:
            figure.add_scatter(
                x=[number for number, _ in ended],
                y=plain([factor * row["objective"] if human.known(row["objective"]) else math.nan for _, row in ended]),
                mode="markers",
                name=status,
                marker={"color": colour, "size": 12, "symbol": "x" if status == facts.INFEASIBLE else "circle"},
                customdata=[_led(design, row) for _, row in ended],
                hovertemplate="%{customdata}<extra></extra>",
            )
    best = of["after"]
    if human.known(best):
        figure.add_hline(factor * best, line={"color": GREY, "dash": "dash", "width": 1.2})
    figure.update_xaxes(title_text="Start", dtick=1 if len(rows) < 20 else None)
    figure.update_yaxes(title_text=f"{facts.measure(design.objective)}, {unit}".rstrip(", "))
    return dress(figure, 320, legend={"x": 1.01})


def _led(design: Designed, row: facts.Values) -> str:
    """From where to where a start led, number by number."""
    lines = [f"{row['status']}, {row['evaluations']} evaluations"]
    for of in design.summary["before_after"]:
        path, unit = of["path"], of["unit"]
        ends = (amounts.level(path, unit, row[f"{end}.{path}"]) for end in ("first", "last"))
        lines.append(f"{path}: {' → '.join(ends)}")
    return "<br>".join(lines)


def _axis(unit: str, values: Sequence[Any]) -> tuple[float, str]:
    """Factor and unit in which these values are drawn."""
    known = np.array([abs(float(value)) for value in values if human.known(value)] or [1.0])
    base, name = AXES.get(unit, (0.0, ""))
    if not base:
        return 1.0, unit.replace("usd", "USD")
    factor, name = scale(name, [base * known])
    return factor * base, name
