"""How the neighbour graph's time grows with the fleet: `python scripts/neighbours.py`, a table in Markdown."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

import twin
from twin import neighbours
from twin.reporting import markdown

LINKS, RANGE_M = 4, 5.0e6
SHELLS = {1_000: 40, 10_000: 100, 100_000: 500, 1_000_000: 1_000}  # satellites and planes, at 550 km and 53 degrees
HEADS = ("fleet", "satellites", "places s", "graph s", "parts s", "routes s", "halves s", "links", "parts")
HEADS += ("most hops", "longest delay ms", "links cut in half")


def timed(work: Callable[[], Any], times: int = 3) -> tuple[Any, float]:
    """What some work gives, and the least seconds that it took."""
    found, took_s = None, np.inf
    for _ in range(times):
        begun = time.perf_counter()
        found = work()
        took_s = min(took_s, time.perf_counter() - begun)
    return found, took_s


def row(name: str, choices: list[str]) -> tuple[int, float, list[str]]:
    """Satellites, seconds of the graph, and a line of the table."""
    model = twin.build(twin.compose("simulate", [*choices, "link=starlink_laser"]))
    sees = neighbours.above_the_air(model.params[model.structure.cohorts[0].name]["link"])
    places, places_s = timed(lambda: neighbours.places_m(model, 0.0))
    graph, graph_s = timed(lambda: neighbours.nearest(places, LINKS, RANGE_M, sees))
    parts, parts_s = timed(lambda: neighbours.components(graph))
    routes, routes_s = timed(lambda: neighbours.routes(graph, 0))
    cut, cut_s = timed(lambda: neighbours.bisection_links(graph, places), 1)
    reached = np.isfinite(routes.delay_s)
    seconds = [f"{value:.3g}" for value in (places_s, graph_s, parts_s, routes_s, cut_s)]
    facts = [
        len(graph.pairs),
        len(parts),
        int(routes.hops[reached].max()),
        f"{1e3 * routes.delay_s[reached].max():.1f}",
    ]
    return len(places), graph_s, [name, f"{len(places)}", *seconds, *map(str, (*facts, cut))]


def main() -> None:
    """Measure real satellites and shells, and print the exponent of the shells."""
    found = [row("Starlink, 14 June 2026", ["experiment=starlink_2026"])]
    for satellites, planes in SHELLS.items():
        own = [f"constellation.satellites={satellites}", f"constellation.planes={planes}"]
        found.append(row("Walker shell", ["orbit=mid_inclination_550", "constellation=walker_delta", *own]))
    print(markdown.table(HEADS, [line for *_, line in found]))
    sizes, seconds, _ = zip(*found[1:], strict=True)
    print(
        f"\nTime of the graph grows as the {np.polyfit(np.log(sizes), np.log(seconds), 1)[0]:.2f}th power of the fleet."
    )


if __name__ == "__main__":
    main()
