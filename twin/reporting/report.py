"""The report of a run: one self-contained page that opens offline."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from string import Template
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from plotly.offline import get_plotlyjs

from kernels import constants as const
from kernels import orbit, sunlight
from twin import run_folder
from twin.reporting import energy_flow, figures, globe, human, page, series, work_sections
from twin.reporting.figures import to_json
from twin.run_folder import write_atomically
from twin.selection import spread
from twin.store import open_run

TEMPLATE = Path(__file__).with_name("report_page.html")
J2000 = np.datetime64("2000-01-01T12:00:00", "ns")
MOST_COHORTS, MOST_DRAWN = 6, 5000


def write_report(folder: str | Path) -> Path:
    """Write report.html of a finished, failed or unfinished run beside its telemetry; FileNotFoundError without one."""
    folder = Path(folder)
    data = open_run(folder)
    summary = read_summary(folder)
    configuration = json.loads(data.attrs.get("configuration") or "{}")
    status = str(data.attrs["status"])
    facts = page.Facts(summary, configuration, status, sizes(data, configuration), reached(data), _failure(data))
    parts = {
        "title": page.title(facts),
        "status": page.status(facts),
        "statement": page.statement(facts),
        "cards": page.cards(facts),
        "sections": "\n".join([*_pictures(data, summary, configuration), *page.tables(facts, versions(data))]),
    }
    return write_page(folder, parts)


def write_page(folder: Path, parts: Mapping[str, str]) -> Path:
    """Write report.html from the parts of its template."""
    # Substituted last, so that nothing in the library's own text is taken for a placeholder.
    text = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(parts, plotly_js=get_plotlyjs())
    write_atomically(folder / run_folder.REPORT, text)
    return folder / run_folder.REPORT


def reached(data: xr.Dataset) -> str:
    """The last instant simulated, in words; empty when there is none."""
    last = data["time"].values[-1:].astype("datetime64[m]")
    return f"{str(last[0]).replace('T', ' ')} UTC" if last.size else ""


def _failure(data: xr.Dataset) -> str:
    return str(data.attrs.get("failure", ""))


def read_summary(folder: Path) -> dict[str, Any]:
    """summary.json of a run; empty while there is none."""
    return run_folder.summary(folder)


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
        "satellites": float(_satellites(data)),
        "frames": float(frames),
        "frames_planned": _frames_planned(time),
        "beta_min_rad": np.nan,
    }
    if frames:
        read = _reader(data)
        altitude_m = read("altitude_m", slice(frames - 1, frames))
        beta_rad = read("beta_angle_rad", slice(0, frames, -(-frames // 60)))
        found |= {f"altitude_{word}_m": value for word, value in _extremes(altitude_m).items()}
        found |= {f"beta_{word}_rad": value for word, value in _extremes(beta_rad).items()}
    return found


def _extremes(values: np.ndarray) -> dict[str, float]:
    """Lowest and highest value; nothing where there is none."""
    known = values[~np.isnan(values)]
    return {"min": float(known.min()), "max": float(known.max())} if known.size else {}


def _pictures(data: xr.Dataset, summary: Mapping[str, Any], configuration: Mapping[str, Any]) -> list[str]:
    """Sections with figures; those that the run has no data for are left out."""
    sections = []
    if data.sizes["time"]:
        sections.append(_series_section(data, summary))
    sections += work_sections.sections(data, summary.get("fleet", {}))
    if data.sizes["time"] and "satellite" in data.sizes and {*globe.PLACE} <= {*data.data_vars}:
        sections.append(_globe_section(data, _sites(configuration)))
    if "fleet" in summary:
        sections.append(_energy_section(summary["fleet"]))
    return sections


def _reader(data: xr.Dataset) -> series.Read:
    """Frames of a variable by name; NaN for one that the run does not have."""
    missing = xr.full_like(data["time"], np.nan, np.float32).expand_dims(column=_columns(data), axis=1)

    def read(name: str, frames: slice) -> np.ndarray:
        return data.get(name, missing).isel(time=frames).values

    return read


def _columns(data: xr.Dataset) -> int:
    """Satellites or quantiles that a frame holds."""
    return data.sizes.get("satellite") or data.sizes["quantile"]


def _groups(data: xr.Dataset) -> dict[str, np.ndarray | slice]:
    """Satellites of the whole fleet and, where there are several, of each cohort."""
    cohort = data["cohort"].values.astype(object)
    names = list(dict.fromkeys(cohort))
    each = {name: np.flatnonzero(cohort == name) for name in names[:MOST_COHORTS]} if len(names) > 1 else {}
    return {"fleet": slice(None), **{f"cohort {name}": members for name, members in each.items()}}


def _series_section(data: xr.Dataset, summary: Mapping[str, Any]) -> str:
    """Time series of an orbit and of the whole run."""
    read, frames = _reader(data), data.sizes["time"]
    time_ms = data["time"].values.astype("datetime64[ms]").astype(np.int64)
    interval_s = float(np.median(np.diff(time_ms))) / 1e3 if frames > 1 else 1.0
    period_s = _period_s(data)
    windows = {"The whole run": series.window(0, frames)}
    one = series.orbit_window(read, frames, _columns(data), interval_s, period_s, time_ms / 1e3)
    if one.edges[-1] - one.edges[0] < frames:
        windows = {f"One orbit, {human.duration(period_s)}": one, **windows}
    curves, options = _of_quantiles(data) if "quantile" in data.sizes else _of_satellites(data)
    spans = []
    for title, window in windows.items():
        views: dict[str, dict[str, Any]] = {}
        for curve in (curve for panel in figures.PANELS for curve in panel.curves):
            for view, bands in curves(curve.variable, window).items():
                views.setdefault(view, {})[curve.variable] = bands
        spans.append(figures.Span(title, time_ms[window.ends].astype(np.float64), views))
    figure = figures.time_series(spans, page.common_limits(summary))
    return page.section("Over time", _series_note(data), page.figure("series", to_json(figure), options))


Curves = Callable[[str, series.Window], dict[str, dict[str, np.ndarray]]]


def _of_quantiles(data: xr.Dataset) -> tuple[Curves, dict[str, str]]:
    """Bands of the fleet, all that its quantiles tell, and the text of the drop-down."""
    return partial(series.curves_of_quantiles, _reader(data), data["quantile"].values), {"fleet": "The whole fleet"}


def _of_satellites(data: xr.Dataset) -> tuple[Curves, dict[str, str]]:
    """Bands of fleet and cohorts, telling satellites alone, and the texts of the drop-down."""
    read, groups, satellites = _reader(data), _groups(data), data.sizes["satellite"]
    chosen = series.telling_satellites(read, data.sizes["time"], satellites) if satellites > 1 else {}
    names = _view_names(groups, chosen, data["name"].values.astype(object))
    return partial(series.curves, read, groups, chosen, satellites), names


def _series_note(data: xr.Dataset) -> str:
    if "quantile" not in data.sizes:
        return page.kept(data.sizes["satellite"], _satellites(data)) + page.SERIES_NOTE + page.POINTS_NOTE
    shares = data["quantile"].values
    return page.quantiles_note({word: shares[k] for word, k in series.bands_of(shares).items()}) + page.POINTS_NOTE


def _satellites(data: xr.Dataset) -> int:
    """Satellites simulated, of which telemetry may hold some."""
    return int(data.attrs.get("satellites", data.sizes.get("satellite", 0)))


def _view_names(groups: Mapping[str, Any], chosen: Mapping[str, int], names: np.ndarray) -> dict[str, str]:
    """Drop-down of the time series: value and text."""
    words = {key: "The whole fleet" if key == "fleet" else key.capitalize() for key in groups}
    return {key: f"The {key} satellite, {names[column]}" for key, column in chosen.items()} | words


def _period_s(data: xr.Dataset) -> float:
    """Orbital period at the fleet's median altitude, NaN where it was not kept. [s]"""
    if "altitude_m" not in data:
        return np.nan
    axis_m = const.EARTH_RADIUS_M + float(np.nanmedian(data["altitude_m"].isel(time=-1).values))
    return float(2 * np.pi * np.sqrt(axis_m**3 / const.EARTH_GRAVITY_M3_PER_S2))


def _sites(configuration: Mapping[str, Any]) -> globe.Sites:
    """Sites of the ground network in the order by which telemetry numbers them."""
    sites = (configuration.get("ground_network") or {}).get("sites") or {}
    places = (np.array([site[key] for site in sites.values()], float) for key in ("latitude_rad", "longitude_rad"))
    return globe.Sites([name.replace("_", " ").title() for name in sites], *places)


def _globe_section(data: xr.Dataset, sites: globe.Sites) -> str:
    """Globe and map of the last frame."""
    satellites = data.sizes["satellite"]
    some = spread(satellites, MOST_DRAWN)
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
        sites=sites,
        site_of=at_end("ground_site"),
    )
    figure, keys = globe.globe_and_map(place)
    drawn = f", of which {human.whole(some.size)} are drawn" if some.size < _satellites(data) else ""
    note = f"At {reached(data)}: {page.count(_satellites(data))}{drawn}.{_contact_note(place)}"
    options = {key: globe.COLOURINGS[key][1].partition(",")[0] for key in keys}
    return page.section("Where the fleet is", note, page.figure("globe", to_json(figure), options, "Coloured by"))


def _contact_note(place: globe.Place) -> str:
    """How many of the satellites drawn use a site on the ground; nothing where there is none."""
    if not place.sites.names:
        return ""
    return f" Lines are links in use: {human.whole(place.linked.size)}; sites in use are filled."


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
