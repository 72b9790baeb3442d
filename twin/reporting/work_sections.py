"""The report's sections on the work of a fleet, the waits of its requests, and the way of its results to the ground."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from twin.reporting import human, page, series, work_figures, work_flow
from twin.reporting.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, to_json
from twin.reporting.requests import Requests, requests
from twin.reporting.work_figures import Line, Row
from twin.variables import FLEET

LEAST_PX = 300  # these figures fit a narrow screen
LEAST_WAITING_S = 1e-3  # of what is asked: less is rounding
PERCENTS = {50.0: GREEN, 95.0: ORANGE, 99.0: RED}
WAITS_S = (1.0, 10.0, 60.0)
ROUNDING = 1e-7  # part of a whole below which a part is told as none
WORK = ("fleet_assigned_flops", "fleet_delivered_flops", "fleet_dropped_flops", "fleet_backlog_flop")
USEFUL = "fleet_useful_flops"  # where the fleet trains
LINKS = ("fleet_downlink_bit_per_s", "fleet_data_backlog_bit", "fleet_satellites_in_contact")
WORK_NOTE = (
    "The whole fleet. Rates are means over the interval that ends at the point; what waits is its value there. "
    "A wait is the time until a request gets a free slot."
)
FALL_NOTE = (
    "First, what all accelerators could do at their power cap and why they did not: each moment counts once. Not asked "
    "are moments without work, or with work that waits for sunlight by choice. Then, what became of the work that was "
    "asked. What heat or want of power holds back is a delay where it waits and a loss where it is given up."
)
LINKS_NOTE = (
    "Results on their way to the ground. What the links carry, and how many satellites the sites receive at a time, "
    "are means over the interval that ends at the point; what waits on board is its value there."
)


def sections(data: xr.Dataset, fleet: Mapping[str, Any]) -> list[str]:
    """Sections that the run's series and the numbers of its summary, perhaps none yet, have data for."""
    return [*_work(data, fleet), *_links(data, fleet)]


def _work(data: xr.Dataset, fleet: Mapping[str, Any]) -> list[str]:
    bodies = []
    if _told(data, WORK):
        frames = series.window(0, data.sizes["time"])
        asked = requests(data, frames)
        rows = [*_work_rows(data, frames), *(_request_rows(asked) if asked else ())]
        bodies += [_figure("work", data, frames, rows), *([_waits(asked, fleet)] if asked else [])]
    if account := _account(fleet):
        bodies.append(account)
    if steps := work_flow.steps(fleet):
        fall = page.figure("waterfall", to_json(work_figures.waterfall(steps)), {}, least_px=LEAST_PX)
        bodies.append(f'<p class="note">{FALL_NOTE}</p>{fall}')
    return [page.section("Work", WORK_NOTE, "\n".join(bodies))] if bodies else []


def _told(data: xr.Dataset, names: Sequence[str]) -> bool:
    """Whether telemetry has these series, and a frame of them."""
    return {*names} <= {*data.data_vars} and all(bool(np.isfinite(data[name].values).any()) for name in names)


def _figure(name: str, data: xr.Dataset, frames: series.Window, rows: Sequence[Row]) -> str:
    time_ms = data["time"].values.astype("datetime64[ms]").astype(np.int64)[frames.ends].astype(np.float64)
    return page.figure(name, to_json(work_figures.over_time(time_ms, rows)), {}, least_px=LEAST_PX)


def _work_rows(data: xr.Dataset, frames: series.Window) -> list[Row]:
    asked, done, dropped, waiting = (points(data, name, frames) for name in WORK)
    lines = [Line("Asked", GREY, asked, filled=True), Line("Done", BLUE, done)]
    lines += [Line("Useful", GREEN, points(data, USEFUL, frames))] if _told(data, [USEFUL]) else []
    given_up = [Line("Given up", RED, dropped)] if _any(dropped) else []
    later = (
        [Row("Work that waits", "FLOP", [Line("Waiting", PURPLE, waiting)])]
        if np.nanmax(waiting) > LEAST_WAITING_S * np.nanmax(asked)
        else []
    )
    return [Row("Work", "FLOP/s", [*lines, *given_up]), *later]


def _request_rows(asked: Requests) -> list[Row]:
    waits = [Line(f"p{percent:.0f}", colour, asked.percentiles_s(percent)) for percent, colour in PERCENTS.items()]
    return [Row("Requests", "/s", [Line("Arriving", BLUE, asked.per_s)]), Row("Wait", "s", waits, waits=True)]


def points(data: xr.Dataset, name: str, frames: series.Window) -> np.ndarray:
    """A series of the fleet, (bin,): its mean over each bin, or its value at the end."""
    values = data[name].values.astype(float)
    if _KINDS.get(name) == "end":
        return values[frames.ends]
    return np.add.reduceat(values, frames.edges[:-1]) / np.diff(frames.edges)


_KINDS = {variable.name: variable.kind for variable in FLEET}


def _any(values: np.ndarray) -> bool:
    return bool(np.any(values > 0.0))


def _first_tokens(fleet: Mapping[str, Any]) -> list[list[str]]:
    """When answers begin, how fast they go on, and how often as promised; empty where the summary does not tell."""
    if "first_token_p50_s" not in fleet:
        return []
    times = {f"First token, p{percent}": f"first_token_p{percent}_s" for percent in (50, 95, 99)}
    rows = [[label, human.duration(fleet[key])] for label, key in times.items()]
    kept = {"First": "first_token_in_time_fraction", "Further": "output_tokens_in_time_fraction"}
    rows += [["From token to token, mean", human.duration(fleet["output_token_s"])]]
    return rows + [[f"{label} tokens as promised", human.percent(fleet[key])] for label, key in kept.items()]


def _waits(asked: Requests, fleet: Mapping[str, Any]) -> str:
    """Requests of the whole run in numbers."""
    rows = [
        ["Requests, mean", human.si(asked.mean_per_s, "/s")],
        ["Requests, at most", human.si(float(np.nanmax(asked.per_s)), "/s")],
        ["Time in service, mean", human.duration(asked.mean_service_s)],
        *([f"Wait, p{percent:g}", human.duration(asked.percentile_s(percent))] for percent in (*PERCENTS, 99.9)),
        *([f"Wait longer than {human.duration(s)}", human.percent(asked.share_longer(s))] for s in WAITS_S),
        *_first_tokens(fleet),
    ]
    return page.table(["Requests, whole run", ""], rows)


def _account(fleet: Mapping[str, Any]) -> str:
    """What became of the work that was asked; empty where the summary does not tell."""
    parts = {"Done": "delivered_flop", "Given up": "dropped_flop", "Joined what waits": "waited_flop"}
    return _shares("Work asked", "assigned_flop", parts, fleet) if {*parts.values()} <= {*fleet} else ""


def _shares(whole: str, key: str, parts: Mapping[str, str], fleet: Mapping[str, Any]) -> str:
    """A table of a quantity and its parts, and their shares of it."""
    least = ROUNDING * fleet[key]  # float32 may have done so much more than was asked
    every = {label: (of, fleet[of] if abs(fleet[of]) > least else 0.0) for label, of in {whole: key, **parts}.items()}
    rows = [[label, human.quantity(of, value), _part(value, fleet[key])] for label, (of, value) in every.items()]
    return page.table(["Whole run", "", "Share"], rows)


def _part(part: float, whole: float) -> str:
    return human.percent(part / whole) if whole else human.NOTHING


def _links(data: xr.Dataset, fleet: Mapping[str, Any]) -> list[str]:
    bodies = []
    if _told(data, LINKS):
        frames = series.window(0, data.sizes["time"])
        sent, waiting, contact = (points(data, name, frames) for name in LINKS)
        rows = [
            Row("Results", "bit/s", [Line("Sent down", BLUE, sent, filled=True)]),
            Row("Results that wait", "bit", [Line("Waiting", PURPLE, waiting)]),
            Row("Satellites in contact", "", [Line("With a site", GREEN, contact)]),
        ]
        bodies += [_figure("links", data, frames, rows)] if any(map(_any, (sent, waiting, contact))) else []
    if fleet.get("produced_bit"):
        bodies.append(_results(fleet))
    return [page.section("Links", LINKS_NOTE, "\n".join(bodies))] if bodies else []


def _results(fleet: Mapping[str, Any]) -> str:
    """What became of the results, and how far the links were used."""
    parts = {"Sent down": "sent_bit", "Lost": "data_lost_bit", "Joined what waits": "data_waited_bit"}
    able_bit, view = fleet["downlink_able_bit"], human.percent(fleet["in_view_fraction"])
    rows = [
        ["The links could have carried", human.quantity("_bit", able_bit)],
        ["Of that used", _part(fleet["sent_bit"], able_bit)],
        ["A site in view", f"{view} of the time"],
        *_light_time(fleet),
    ]
    return _shares("Results", "produced_bit", parts, fleet) + page.table(["Links to the ground", ""], rows)


def _light_time(fleet: Mapping[str, Any]) -> list[list[str]]:
    """How long results travel; nothing where the summary does not tell."""
    told = {"Light time to the ground, mean": "ground_delay_s", "Light time, at most": "max_ground_delay_s"}
    return [[label, human.duration(fleet[key])] for label, key in told.items() if fleet.get(key)]
