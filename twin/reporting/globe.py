"""The fleet as a picture: Earth with the satellites around it, and the same as a map, both with day and night."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from twin.reporting.figures import FONT, ORANGE, displayed, scale

COASTLINE = Path(__file__).with_name("coastline.json")
ON_GROUND = 1.004  # radius of what is drawn on the ground, so that the sphere does not hide it
LINK = {"color": ORANGE, "width": 2.5}
NAME = {"size": 10, "color": "white", "shadow": "0 0 2px #1f2933, 0 0 2px #1f2933, 0 0 3px #1f2933, 0 0 4px #1f2933"}
MOST_NAMED = 16  # sites whose names stand beside them
PLACE = ("latitude_rad", "longitude_rad", "altitude_m")
COLOURINGS = {
    "die": ("accelerator_temperature_k", "Hottest die, °C", "Inferno"),
    "battery": ("battery_temperature_k", "Battery, °C", "Inferno"),
    "charge": ("state_of_charge", "Charge, %", "Viridis"),
    "sunlit": ("sunlit_fraction", "Sunlit, %", "Cividis"),
    "compute": ("compute_rate_flops", "Compute", "Plasma"),
}


def coastline_deg() -> np.ndarray:
    """Longitude and latitude of the coasts, rings parted by NaN. (2, point)"""
    rings = json.loads(COASTLINE.read_text(encoding="utf-8"))["rings_deg"]
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for ring in rings for part in (np.array(ring), gap)]).T.astype(np.float32)


def _on_sphere(
    latitude_rad: np.ndarray, longitude_rad: np.ndarray, radius: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cartesian coordinates, Earth-fixed, x towards longitude 0."""
    flat = np.cos(latitude_rad) * radius
    x, y, z = flat * np.cos(longitude_rad), flat * np.sin(longitude_rad), np.sin(latitude_rad) * radius
    return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def _daylight(latitude_rad: np.ndarray, longitude_rad: np.ndarray, sun_rad: tuple[float, float]) -> np.ndarray:
    """Sine of the Sun's height, cut where twilight ends, so that day and night are two shades with a soft edge."""
    high = np.sin(latitude_rad) * np.sin(sun_rad[0])
    high = high + np.cos(latitude_rad) * np.cos(sun_rad[0]) * np.cos(longitude_rad - sun_rad[1])
    return np.clip(high, -0.2, 0.2).astype(np.float32)


class Sites(NamedTuple):
    """Sites on the ground, (site,)."""

    names: Sequence[str]
    latitude_rad: np.ndarray
    longitude_rad: np.ndarray


class Place(NamedTuple):
    """Satellites at the last frame, (satellite,); the Sun's latitude and longitude below; sites and who uses them."""

    latitude_rad: np.ndarray
    longitude_rad: np.ndarray
    altitude_m: np.ndarray
    names: Sequence[str]
    states: Mapping[str, np.ndarray]
    sun_rad: tuple[float, float]
    sites: Sites = Sites((), np.zeros(0), np.zeros(0))
    site_of: np.ndarray = np.zeros(0)  # number of the site that each satellite uses, -1 or NaN for none

    @property
    def linked(self) -> np.ndarray:
        """Numbers of the satellites that use a site."""
        return np.flatnonzero((self.site_of >= 0) & (self.site_of < len(self.sites.names)))


def globe_and_map(place: Place, earth_radius_m: float = 6_378_137.0) -> tuple[go.Figure, list[str]]:
    """Earth with the fleet around it beside a map, and the colourings drawn; a trace's `meta` names its own."""
    figure = make_subplots(
        rows=1, cols=2, specs=[[{"type": "scene"}, {"type": "xy"}]], column_widths=[0.42, 0.58], horizontal_spacing=0.05
    )
    latitude, longitude = np.meshgrid(
        np.radians(np.linspace(-90, 90, 61)), np.radians(np.linspace(-180, 180, 121)), indexing="ij"
    )
    light = _daylight(latitude, longitude, place.sun_rad)
    shade = {"colorscale": [[0, "#274060"], [1, "#a9cbe8"]], "showscale": False, "hoverinfo": "skip"}
    x, y, z = _on_sphere(latitude, longitude, 1.0)
    plain = {"ambient": 0.95, "diffuse": 0.1, "specular": 0.0}
    figure.add_trace(go.Surface(x=x, y=y, z=z, surfacecolor=light, lighting=plain, **shade), row=1, col=1)
    figure.add_trace(
        go.Heatmap(x=np.degrees(longitude[0]), y=np.degrees(latitude[:, 0]), z=light, zsmooth="best", **shade),
        row=1,
        col=2,
    )
    coast = coastline_deg()
    ink: dict[str, Any] = {
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"color": "#f5f1e6", "width": 1.5},
    }
    x, y, z = _on_sphere(np.radians(coast[1]), np.radians(coast[0]), ON_GROUND)
    figure.add_trace(go.Scatter3d(x=x, y=y, z=z, **ink), row=1, col=1)
    figure.add_trace(go.Scatter(x=coast[0], y=coast[1], **ink), row=1, col=2)
    keys = [key for key in COLOURINGS if np.isfinite(place.states[key]).any()] or [next(iter(COLOURINGS))]
    _ground(figure, place, earth_radius_m)
    _satellites(figure, place, keys, earth_radius_m)
    hidden = {"visible": False}
    figure.update_scenes(
        xaxis=hidden, yaxis=hidden, zaxis=hidden, aspectmode="data", camera_eye={"x": 1.0, "y": -1.0, "z": 0.6}
    )
    figure.update_xaxes(range=[-180, 180], dtick=60, ticksuffix="°", showgrid=False, zeroline=False)
    figure.update_yaxes(range=[-90, 90], dtick=30, ticksuffix="°", showgrid=False, zeroline=False)
    return figure.update_layout(
        template="none", font=FONT, height=520, margin={"l": 10, "r": 10, "t": 20, "b": 50}
    ), keys


def _ground(figure: go.Figure, place: Place, earth_radius_m: float) -> None:
    """Sites with their names, those in use filled, and a line from each satellite to the site that it uses."""
    sites, linked = place.sites, place.linked
    if not sites.names:
        return
    at = place.site_of[linked].astype(int)
    ends = (place.latitude_rad[linked], sites.latitude_rad[at]), (place.longitude_rad[linked], sites.longitude_rad[at])
    heights = 1.0 + place.altitude_m[linked] / earth_radius_m, np.full(at.size, ON_GROUND)
    points = [_on_sphere(*end) for end in zip(*ends, heights, strict=True)]
    x, y, z = (_lines(*pair) for pair in zip(*points, strict=True))
    line: dict[str, Any] = {"mode": "lines", "hoverinfo": "skip", "showlegend": False, "line": LINK}
    figure.add_trace(go.Scatter3d(x=x, y=y, z=z, **line), row=1, col=1)
    latitude, longitude = (_lines(*np.degrees(pair)) for pair in _unwrapped(*ends))
    figure.add_trace(go.Scatter(x=longitude, y=latitude, **line), row=1, col=2)
    fill = [ORANGE if number in at else "#f5f1e6" for number in range(len(sites.names))]
    look: dict[str, Any] = {
        "text": sites.names,
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    mark = {"color": fill, "symbol": "diamond", "line": {"width": 1, "color": "#1f2933"}}
    x, y, z = _on_sphere(sites.latitude_rad, sites.longitude_rad, ON_GROUND)
    figure.add_trace(go.Scatter3d(x=x, y=y, z=z, marker={**mark, "size": 3}, mode="markers", **look), row=1, col=1)
    longitude, latitude = (np.degrees(v).astype(np.float32) for v in (sites.longitude_rad, sites.latitude_rad))
    named: dict[str, Any] = {"mode": "markers+text", "textposition": _sides(sites), "textfont": NAME}
    look |= named if len(sites.names) <= MOST_NAMED else {"mode": "markers"}
    figure.add_trace(go.Scatter(x=longitude, y=latitude, marker={**mark, "size": 8}, **look), row=1, col=2)


def _sides(sites: Sites) -> list[str]:
    """Where names stand: away from the nearest other site, so that names do not meet."""
    x, y = sites.longitude_rad, sites.latitude_rad
    apart = np.hypot(x - x[:, None], y - y[:, None]) + np.diag(np.full(x.size, np.inf))
    return [f"{'bottom' if y[near] > y[own] else 'top'} center" for own, near in enumerate(apart.argmin(axis=1))]


def _lines(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Coordinates of straight lines, parted by NaN."""
    return np.stack([begin, end, np.full_like(begin, np.nan)], axis=1).ravel().astype(np.float32)


Pair = tuple[np.ndarray, np.ndarray]


def _unwrapped(latitude_rad: Pair, longitude_rad: Pair) -> tuple[Pair, Pair]:
    """Ends of lines on the map; one that crosses its edge is drawn twice, from each side over the edge."""
    (begin, end), turn = longitude_rad, 2 * np.pi
    shift = turn * np.round((begin - end) / turn)
    over = shift != 0
    low, high = (np.concatenate([part, part[over]]) for part in latitude_rad)
    begins, ends = np.concatenate([begin, (begin - shift)[over]]), np.concatenate([end + shift, end[over]])
    return (low, high), (begins, ends)


def _satellites(figure: go.Figure, place: Place, keys: Sequence[str], earth_radius_m: float) -> None:
    """The fleet on globe and map, once for each colouring that has data."""
    x, y, z = _on_sphere(place.latitude_rad, place.longitude_rad, 1.0 + place.altitude_m / earth_radius_m)
    size = 3.0 if len(place.names) > 1000 else 5.0 if len(place.names) > 20 else 9.0
    for key in keys:
        variable, title, colours = COLOURINGS[key]
        unit = {"k": "°C", "s": "FLOP/s"}.get(variable[-1], "%")
        factor, unit = scale(unit, [place.states[key]])
        values = displayed(place.states[key], unit, factor)
        title = f"Compute, {unit}" if key == "compute" else title
        marker: dict[str, Any] = {
            "size": size,
            "color": values,
            "colorscale": colours,
            "colorbar": {"title": {"text": title}},
        }
        hover = {"text": place.names, "hovertemplate": f"%{{text}}<br>%{{marker.color:.4~g}} {unit}<extra></extra>"}
        common = {"mode": "markers", "meta": key, "visible": key == keys[0], "showlegend": False, **hover}
        figure.add_trace(go.Scatter3d(x=x, y=y, z=z, marker={**marker, "showscale": False}, **common), row=1, col=1)
        longitude, latitude = (np.degrees(v).astype(np.float32) for v in (place.longitude_rad, place.latitude_rad))
        outline = {"line": {"width": 0.5, "color": "white"}} if size > 3 else {}
        figure.add_trace(go.Scattergl(x=longitude, y=latitude, marker={**marker, **outline}, **common), row=1, col=2)
