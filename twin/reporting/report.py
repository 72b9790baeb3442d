"""The report of a run: one self-contained page that opens offline."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.offline import get_plotlyjs

from kernels import constants as const
from kernels import orbit, sunlight
from twin.reporting import energy_flow, figures, globe, human, page, series
from twin.run_folder import write_atomically
from twin.store import open_run

TEMPLATE = Path(__file__).with_name("report_page.html")
J2000 = np.datetime64("2000-01-01T12:00:00", "ns")
MOST_COHORTS = 6


def write_report(folder: str | Path) -> Path:
    """Write report.html of a finished, failed or unfinished run beside its telemetry; FileNotFoundError without one."""
    folder = Path(folder)
    data = open_run(folder)
    summary = read_summary(folder)
    configuration = json.loads(data.attrs.get("configuration") or "{}")
    status = str(data.attrs["status"])
    facts = page.Facts(summary, configuration, status, sizes(data, configuration))
    parts = {
        "title": page.title(facts),
        "status": page.status(facts),
        "statement": page.statement(facts),
        "cards": page.cards(facts),
        "sections": "\n".join([*_pictures(data, summary), *page.tables(facts, versions(data))]),
    }
    # Substituted last, so that nothing in the library's own text is taken for a placeholder.
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(parts, plotly_js=get_plotlyjs())
    write_atomically(folder / "report.html", text)
    return folder / "report.html"


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run; empty while there is none."""
    path = folder / "summary.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def versions(data: xr.Dataset) -> dict[str, str]:
    """Versions and precision that the telemetry carries."""
    return {key: str(value) for key, value in data.attrs.items() if key.endswith("_version") or key == "precision"}


def _frames_planned(time: Mapping[str, Any]) -> float:
    """Frames of a whole run: of its windows, where they stand for longer stretches."""
    counted_s = time.get("duration_s", 0.0)
    if time.get("weight", 1) > 1:
        counted_s = math.ceil(counted_s / (time["weight"] * time["chunk_s"])) * time["chunk_s"]
    return counted_s / time.get("save_every_s", 1.0)


def sizes(data: xr.Dataset, configuration: Mapping[str, Any]) -> dict[str, float]:
    """What telemetry alone tells: satellites, frames written and planned, sunlit share, lowest and highest altitude."""
    time = configuration.get("time", {})
    frames = data.sizes["time"]
    found = {
        "satellites": float(data.sizes["satellite"]),
        "frames": float(frames),
        "frames_planned": _frames_planned(time),
        "beta_min_rad": np.nan,
    }
    if frames:
        altitude_m = data["altitude_m"].isel(time=-1).values
        some = np.unique(np.linspace(0, frames - 1, min(frames, 60)).astype(int))
        beta_rad = data["beta_angle_rad"].isel(time=some).values
        found |= {"altitude_min_m": float(np.nanmin(altitude_m)), "altitude_max_m": float(np.nanmax(altitude_m))}
        found |= {"beta_min_rad": float(np.nanmin(beta_rad)), "beta_max_rad": float(np.nanmax(beta_rad))}
    return found


def _pictures(data: xr.Dataset, summary: Mapping[str, Any]) -> list[str]:
    """Sections with figures; those that the run has no data for are left out."""
    sections = []
    if data.sizes["time"]:
        sections += [_series_section(data, summary), _globe_section(data)]
    if "fleet" in summary:
        sections.append(_energy_section(summary["fleet"]))
    return sections


def _reader(data: xr.Dataset) -> series.Read:
    """Frames of a variable by name; NaN for one that the run does not have."""
    satellites = data.sizes["satellite"]

    def read(name: str, frames: slice) -> np.ndarray:
        if name not in data:
            return np.full((frames.stop - frames.start, satellites), np.nan, np.float32)
        return data[name].isel(time=frames).values

    return read


def _groups(data: xr.Dataset) -> dict[str, np.ndarray | slice]:
    """Satellites of the whole fleet and, where there are several, of each cohort."""
    cohort = data["cohort"].values.astype(object)
    names = list(dict.fromkeys(cohort))
    each = {name: np.flatnonzero(cohort == name) for name in names[:MOST_COHORTS]} if len(names) > 1 else {}
    return {"fleet": slice(None), **{f"cohort {name}": members for name, members in each.items()}}


def _series_section(data: xr.Dataset, summary: Mapping[str, Any]) -> str:
    """Time series of an orbit and of the whole run."""
    read, frames, satellites = _reader(data), data.sizes["time"], data.sizes["satellite"]
    time_ms = data["time"].values.astype("datetime64[ms]").astype(np.int64)
    interval_s = float(np.diff(time_ms[:2])[0]) / 1e3 if frames > 1 else 1.0
    period_s = _period_s(data)
    chosen = series.telling_satellites(read, frames, satellites) if satellites > 1 else {}
    windows = {"The whole run": series.window(0, frames)}
    one = series.orbit_window(read, frames, satellites, interval_s, period_s, time_ms / 1e3)
    if one.edges[-1] - one.edges[0] < frames:
        windows = {f"One orbit, {human.duration(period_s)}": one, **windows}
    groups = _groups(data)
    spans = []
    for title, window in windows.items():
        views: dict[str, dict[str, Any]] = {}
        for curve in (curve for panel in figures.PANELS for curve in panel.curves):
            for view, bands in series.curves(read, curve.variable, window, groups, chosen, satellites).items():
                views.setdefault(view, {})[curve.variable] = bands
        spans.append(figures.Span(title, time_ms[window.ends].astype(np.float64), views))
    figure = figures.time_series(spans, page.common_limits(summary))
    options = _view_names(groups, chosen, data["name"].values.astype(object))
    return page.section("Over time", page.SERIES_NOTE, page.figure("series", to_json(figure), options))


def _view_names(groups: Mapping[str, Any], chosen: Mapping[str, int], names: np.ndarray) -> dict[str, str]:
    """Drop-down of the time series: value and text."""
    words = {key: "The whole fleet" if key == "fleet" else key.capitalize() for key in groups}
    return {key: f"The {key} satellite, {names[column]}" for key, column in chosen.items()} | words


def _period_s(data: xr.Dataset) -> float:
    """Orbital period at the fleet's median altitude. [s]"""
    axis_m = const.EARTH_RADIUS_M + float(np.nanmedian(data["altitude_m"].isel(time=-1).values))
    return float(2 * np.pi * np.sqrt(axis_m**3 / const.EARTH_GRAVITY_M3_PER_S2))


def _globe_section(data: xr.Dataset) -> str:
    """Globe and map of the last frame."""
    satellites = data.sizes["satellite"]
    some = series.thin(satellites)
    last = data.isel(time=-1)
    instant: np.datetime64 = data["time"].values[-1]

    def at_end(name: str) -> np.ndarray:
        return last[name].values[some] if name in last else np.full(some.size, np.nan, np.float32)

    place = globe.Place(
        latitude_rad=at_end("latitude_rad"),
        longitude_rad=at_end("longitude_rad"),
        altitude_m=at_end("altitude_m"),
        names=[str(name) for name in data["name"].values[some]],
        states={key: at_end(variable) for key, (variable, *_) in globe.COLOURINGS.items()},
        sun_rad=sun_rad(instant),
    )
    figure, keys = globe.globe_and_map(place)
    drawn = f", of which {human.whole(some.size)} are drawn" if some.size < satellites else ""
    note = f"At {str(instant.astype('datetime64[m]')).replace('T', ' ')} UTC: {page.count(satellites)}{drawn}."
    options = {key: globe.COLOURINGS[key][1].partition(",")[0] for key in keys}
    return page.section("Where the fleet is", note, page.figure("globe", to_json(figure), options, "Coloured by"))


def sun_rad(instant: np.datetime64) -> tuple[float, float]:
    """Latitude and longitude where the Sun is overhead. [rad]"""
    days = float((instant - J2000) / np.timedelta64(1, "D"))
    sun = sunlight.sun(sunlight.sun_angles(jnp.asarray(days)), 0.0)
    sidereal = jnp.asarray(const.SIDEREAL_ANGLE_J2000_RAD + const.SIDEREAL_RATE_RAD_PER_DAY * days)
    latitude, longitude = orbit.latitude_longitude_rad(sun.direction, sidereal)
    return float(latitude), float(longitude)


def _energy_section(fleet: Mapping[str, Any]) -> str:
    """Sankey of the run's energy."""
    flows = energy_flow.energy_flows(fleet)
    figure = figures.sankey(flows, {node: energy_flow.label(node, flows, fleet) for node in energy_flow.NODES})
    return page.section("From sunlight to work", page.ENERGY_NOTE, page.figure("energy", to_json(figure), {}))


def to_json(figure: go.Figure) -> str:
    """A figure as JSON that cannot end the script element it stands in."""
    text = figure.to_json(validate=False)
    assert text is not None
    return text.replace("</", "<\\/")
