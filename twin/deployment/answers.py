"""All that an analysis asks of a deployment, as tables for the command line and the report."""

from typing import Any, NamedTuple

import numpy as np

from twin.deployment import futures, ladder, parity, sensitivity
from twin.deployment.life import Life
from twin.deployment.project import Project
from twin.deployment.questions import Inquiry, Watch, of_analysis, unwatched
from twin.schema import Analysis
from twin.tables import Table

Rows = list[dict[str, Any]]
Columns = dict[str, list[float]]


class Answers(NamedTuple):
    """Tables; what was not asked is empty. Ratios are of the measure, orbit over ground."""

    measure: str
    parity: Rows
    maps: dict[str, Columns]
    ladder: Rows
    tornado: Rows
    elasticities: Rows
    summary: dict[str, float]  # of the futures
    quantiles: Rows
    capacity: Rows
    drivers: Rows
    futures: Columns


def answers(project: Project, analysis: Analysis, life: Life, watch: Watch = unwatched) -> Answers:
    """Everything that is asked; `life` is that of the project's satellite. ConfigError before anything long runs."""
    inquiry = of_analysis(project, analysis, life, watch)
    _simulate(inquiry, analysis)
    drawn = futures.futures(inquiry, analysis) if analysis.futures else None
    return Answers(
        measure=analysis.measure,
        parity=parity.parity(inquiry, analysis),
        maps={name: parity.map_of(inquiry, sides, analysis.map_points) for name, sides in analysis.maps.items()},
        ladder=ladder.ladder(inquiry, analysis) if analysis.ladder else [],
        tornado=sensitivity.tornado(inquiry, analysis) if analysis.tornado else [],
        elasticities=sensitivity.elasticities(inquiry, analysis) if analysis.elasticities else [],
        summary=futures.summary(drawn.told) if drawn else {},
        quantiles=futures.quantile_rows(inquiry, drawn.told, analysis.quantiles) if drawn else [],
        capacity=futures.capacity_rows(inquiry, drawn.told, analysis.quantiles) if drawn else [],
        drivers=futures.drivers(drawn) if drawn else [],
        futures=futures.table(drawn, analysis.measure) if drawn else {},
    )


def tables(found: Answers) -> dict[str, Table]:
    """What was asked, as tables by name."""
    by_row = {
        name: getattr(found, name)
        for name in ("parity", "ladder", "tornado", "elasticities", "quantiles", "capacity", "drivers")
    }
    told: dict[str, Table] = {}
    told |= {name: {key: [row[key] for row in rows] for key in rows[0]} for name, rows in by_row.items() if rows}
    told |= {f"map_{name}": dict(columns) for name, columns in found.maps.items()}
    if found.futures:
        told["futures"] = dict(found.futures)
    return told


def _simulate(inquiry: Inquiry, analysis: Analysis) -> None:
    """All designs that are known to be asked for, in one ensemble with one compile; parity's come as it is searched."""
    asked = [parity.map_designs(inquiry, sides, analysis.map_points) for sides in analysis.maps.values()]
    if analysis.ladder:
        asked.append(ladder.ladder_designs(inquiry, analysis))
    if analysis.tornado:
        asked.append(sensitivity.tornado_designs(inquiry, analysis))
    if analysis.futures:
        asked.append(futures.futures_designs(inquiry, analysis))
    if asked:
        inquiry.lives.ask(np.concatenate(asked))
