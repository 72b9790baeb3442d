"""Command line of neighbour graphs: how long they take by the size of a fleet, and what they are like."""

import argparse
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from twin.cli import answering
from twin.composing import compose
from twin.refusal import ConfigError

LINKS, RANGE_M = 4, 5.0e6
FLEETS = ("experiment=starlink_2026", "1000/40", "10000/100", "100000/500", "1000000/1000")
HEADS = ("fleet", "satellites", "places s", "graph s", "parts s", "routes s", "halves s", "links", "parts")
HEADS += ("most hops", "longest delay ms", "links across the middle")


class Row(NamedTuple):
    """A line of the table, and how the graph's time goes with the fleet where that is a shell."""

    shell: bool
    satellites: int
    graph_s: float
    cells: list[str]


def neighbours_main() -> None:
    """Entry point of `scripts/neighbours.py`: a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "fleet",
        nargs="*",
        default=list(FLEETS),
        help="SATELLITES/PLANES of a Walker shell at 550 km and 53 degrees, or GROUP=PROFILE; default: %(default)s",
    )
    fleets = parser.parse_args().fleet
    with answering():
        choices = [_choices(fleet) for fleet in fleets]
        print(_told([row(fleet, chosen) for fleet, chosen in zip(fleets, choices, strict=True)]))


def _choices(fleet: str) -> list[str]:
    """What a fleet is composed from."""
    if shell := re.fullmatch(r"(\d+)/(\d+)", fleet):
        pattern = ("orbit=mid_inclination_550", "constellation=walker_delta")
        return [*pattern, f"constellation.satellites={shell[1]}", f"constellation.planes={shell[2]}"]
    if "=" not in fleet:
        raise ConfigError(f"fleet = {fleet!r}: must be SATELLITES/PLANES, such as 1000/40, or GROUP=PROFILE")
    return [fleet]


def row(fleet: str, choices: Sequence[str]) -> Row:
    """Times and facts of the graph of a fleet."""
    from twin.clusters import neighbours
    from twin.model import build

    model = build(compose("simulate", [*choices, "link=starlink_laser"]))
    sees = neighbours.above_the_air(model.params[model.structure.cohorts[0].name]["link"])
    places, places_s = _timed(lambda: neighbours.places_m(model, 0.0))
    graph, graph_s = _timed(lambda: neighbours.nearest(places, LINKS, RANGE_M, sees))
    parts, parts_s = _timed(lambda: neighbours.components(graph))
    routes, routes_s = _timed(lambda: neighbours.routes(graph, 0))
    cut, cut_s = _timed(lambda: neighbours.bisection_links(graph, places), 1)
    reached = np.isfinite(routes.delay_s)
    seconds = [f"{value:.3g}" for value in (places_s, graph_s, parts_s, routes_s, cut_s)]
    farthest = int(routes.hops[reached].max()), f"{1e3 * routes.delay_s[reached].max():.1f}"
    facts = [str(fact) for fact in (len(graph.pairs), len(parts), *farthest, cut)]
    return Row("=" not in fleet, len(places), graph_s, [fleet, str(len(places)), *seconds, *facts])


def _timed(work: Callable[[], Any], times: int = 3) -> tuple[Any, float]:
    """What some work gives, and the least seconds that it took."""
    found, took_s = None, np.inf
    for _ in range(times):
        begun = time.perf_counter()
        found = work()
        took_s = min(took_s, time.perf_counter() - begun)
    return found, took_s


def _told(rows: Sequence[Row]) -> str:
    """The table, and below it the exponent of the graph's time, if there are shells to tell it."""
    from twin.reporting import markdown

    table = markdown.table(HEADS, [line.cells for line in rows])
    shells = {line.satellites: line.graph_s for line in rows if line.shell}
    if len(shells) < 2:
        return table
    power = np.polyfit(np.log(list(shells)), np.log(list(shells.values())), 1)[0]
    return f"{table}\n\nTime of the graph grows as the {power:.2f}th power of the fleet."
