"""What the keys of a run's settings and of a thermal network may be; profiles of hardware: `kernels.registry`."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import inf, nextafter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from twin.refusal import nearest, parse_utc
from twin.variables import BY_NAME


class Strict(BaseModel):
    """Base of all models: frozen, unknown keys forbidden, no silent conversion."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


class Finite(Strict):
    """Of which all numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class Time(Strict):
    """Clocks of a run."""

    name: str = ""
    start: str
    duration_s: float = Field(gt=0, le=3.2e9)
    step_s: float = Field(ge=0.001, le=60)
    save_every_s: float = Field(gt=0, le=3.2e9)
    exchange_s: float = Field(gt=0, le=3.2e9)
    chunk_s: float = Field(gt=0, le=86400)
    weight: int = Field(ge=1, le=10_000)
    settle_s: float = Field(ge=0, le=3.2e9)
    sources: dict[str, str] = {}

    @field_validator("start")
    @classmethod
    def _is_utc(cls, text: str) -> str:
        parse_utc(text)
        return text

    @property
    def start_ms(self) -> int:
        """Start in integer milliseconds since 1970-01-01 UTC."""
        return round(parse_utc(self.start).timestamp() * 1000)


class Region(Finite):
    """Users of a region: how many of all requests are theirs, beside other regions, and when in their day they ask."""

    share: float = Field(gt=0, le=1)
    utc_offset_h: float = Field(ge=-12, le=14)
    peak_hour_h: float = Field(ge=0, lt=24)
    trough_over_peak: float = Field(ge=0, le=1)


class Precision(Strict):
    """Number format of State and step."""

    name: str = ""
    dtype: Literal["float32", "float64"]
    sources: dict[str, str] = {}


class Distributed(Strict):
    """Processes and devices that share the fleet, how many satellites a device runs at once, and in which schedule.

    0 leaves a number to the program, auto the schedule. A process not heard of for `heartbeat_s` counts as dead.
    """

    name: str = ""
    processes: Literal["one", "slurm", "env"]
    heartbeat_s: int = Field(ge=10, le=86400)
    platform: Literal["auto", "cpu", "cuda"]
    devices: int = Field(ge=0, le=100_000)
    tile: int = Field(ge=0, le=100_000_000)
    schedule: Literal["auto", "scan", "kernel"]
    sources: dict[str, str] = {}


class Output(Strict):
    """What a run writes: telemetry of all satellites, of a sample, or quantiles over the fleet; and its most."""

    variables: list[str] = Field(min_length=1)
    satellites: Literal["all", "sample", "quantiles"]
    sample: int = Field(ge=1, le=100_000_000)
    quantiles: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    most_gb: float = Field(gt=0, le=1e9)
    node_temperatures: bool
    report: bool
    sources: dict[str, str] = {}

    @field_validator("variables", mode="before")
    @classmethod
    def _are_known(cls, given: Any) -> Any:
        if given == "all":
            return list(BY_NAME)
        if not isinstance(given, list):
            raise ValueError("must be all, or a list of names such as [state_of_charge,altitude_m]")
        for name in given:
            if name not in BY_NAME:
                raise ValueError(f"no variable of telemetry is called {name!r}{nearest(str(name), BY_NAME)}")
        return given

    @field_validator("quantiles")
    @classmethod
    def _rise(cls, given: list[float]) -> list[float]:
        return _rising(given)


class Checkpoint(Strict):
    """When the state of a run is saved, by the clock on the wall and by simulated time, and how many are kept."""

    every_wall_s: float = Field(gt=0, le=3.2e9)
    every_simulated_s: float = Field(gt=0, le=3.2e9)
    keep: int = Field(ge=3, le=1000)
    sources: dict[str, str] = {}


class Span(Finite):
    """Bounds of a number; `relative` ones are multiples of the value that it has."""

    low: float
    high: float
    relative: bool = False

    @field_validator("high")
    @classmethod
    def _not_below_low(cls, high: float, info: ValidationInfo) -> float:
        if "low" in info.data and high < info.data["low"]:
            raise ValueError(f"must be at least low = {info.data['low']:g}")
        return high


class Axis(Span):
    """A side of a map."""

    path: str


class Map(Strict):
    """Two numbers that a map varies."""

    across: Axis
    up: Axis


class Range(Span):
    """What a number may turn out to be, low and high at its ends; without a `likely` one, the value that it has.

    `lognormal` has its median there and low and high at 5 and 95 %, beyond which nothing is drawn. Numbers of a `group`
    are low and high together.
    """

    likely: float | None = None
    distribution: Literal["triangular", "uniform", "lognormal"] = "triangular"
    group: str = ""
    source: str = Field(min_length=1)


class Step(Strict):
    """Something that would have to be true: numbers by path."""

    label: str = Field(min_length=1)
    values: dict[str, float] = Field(min_length=1)
    relative: bool = False

    @field_validator("values", mode="before")
    @classmethod
    def _by_path(cls, given: Any) -> Any:
        return flat(given)


class Analysis(Strict):
    """What is asked of a deployment besides its course; numbers are found by paths, in nested mappings or dotted keys.

    `measure` is the cost whose ratio of orbit to ground decides. A map has `map_points` on each side.
    """

    name: str = ""
    measure: str
    parity: dict[str, Span] = {}
    maps: dict[str, Map] = {}
    map_points: int = Field(ge=2, le=200)
    ladder: list[Step] = []
    ranges: dict[str, Range] = {}
    tornado: bool
    elasticities: list[str] = []
    futures: int = Field(ge=0, le=10_000_000)
    sampling: Literal["sobol", "random"]
    satellite_designs: int = Field(ge=1, le=100_000)
    quantiles: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    sources: dict[str, str] = {}

    @field_validator("parity", "ranges", mode="before")
    @classmethod
    def _by_path(cls, given: Any) -> Any:
        return flat(given)

    @field_validator("quantiles")
    @classmethod
    def _rise(cls, given: list[float]) -> list[float]:
        return _rising(given)


def flat(given: Any, path: str = "") -> Any:
    """Nested mappings as one by dotted path; a mapping with bounds or nothing, or what is none, is a leaf."""
    if not isinstance(given, Mapping) or not given or {"low", "high"} & given.keys():
        return {path: given} if path else given
    return joined(flat(value, f"{path}.{key}" if path else str(key)) for key, value in given.items())


def joined(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Mappings by path as one; ValueError for a path that two of them have."""
    found: dict[str, Any] = {}
    for part in parts:
        if twice := found.keys() & part.keys():
            raise ValueError(f"{min(twice)} is given twice; must be given once")
        found |= part
    return found


def _rising(given: list[float]) -> list[float]:
    if any(low >= high for low, high in pairwise(given)):
        raise ValueError("must rise from each to the next")
    return given


def range_of(model: type[Strict], key: str) -> tuple[float, float]:
    """Least and greatest value that a number of a model may have."""
    low, high = -inf, inf
    for bound in model.model_fields[key].metadata:
        low, high = getattr(bound, "ge", low), getattr(bound, "le", high)
        high = nextafter(bound.lt, low) if hasattr(bound, "lt") else high
    return low, high


class Node(Strict):
    """A lump of heat capacity."""

    heat_capacity_j_per_k: float = Field(ge=0)


class Coupling(Strict):
    """A conductance between two nodes; `component` adds that component's own."""

    from_: str = Field(alias="from")
    to: str
    conductance_w_per_k: float = Field(ge=0)
    component: Literal["", "accelerator"] = ""


class Exchange(Strict):
    """Radiation between two nodes."""

    from_: str = Field(alias="from")
    to: str
    exchange_m2: float = Field(ge=0)


class Boundary(Strict):
    """A conductance to a fixed temperature."""

    node: str
    conductance_w_per_k: float = Field(ge=0)
    temperature_k: float = Field(ge=0)


class Flow(Strict):
    """Nodes that a branch of the coolant loop passes, in order."""

    path: list[str] = Field(min_length=2)
    branch: Literal["main", "radiator", "bypass"]


class Face(Strict):
    """A surface; its optics and area come from a component or are its own."""

    nodes: list[str] = Field(min_length=1)
    frame: Literal["body", "array"]
    normal_x: float = Field(ge=-1, le=1)
    normal_y: float = Field(ge=-1, le=1)
    normal_z: float = Field(ge=-1, le=1)
    area_of: Literal["", "array", "radiator", "radiator_second_face", "bus"] = ""
    area_share: float = Field(ge=0)
    optics: Literal["own", "solar_cell", "array_rear", "coating"] = "own"
    absorptivity: float = Field(default=0.0, ge=0, le=1)
    emissivity: float = Field(default=0.0, ge=0, le=1)
    partner: str | None = None
    blocked_fraction: float = Field(default=0.0, ge=0, lt=1)


class Site(Strict):
    """A station on the ground: geodetic place, and the part of the time in which the weather lets a link through."""

    latitude_rad: float = Field(ge=-1.5707964, le=1.5707964)
    longitude_rad: float = Field(ge=-6.2831854, le=6.2831854)
    height_m: float = Field(ge=-500, le=9000)
    clear_sky_fraction: float = Field(ge=0, le=1)
    sources: dict[str, str] = {}


class ThermalNetwork(Strict):
    """Nodes, couplings and surfaces of a satellite as data; a component without a port sits on the bus."""

    name: str = ""
    ports: dict[str, list[str]] = {}
    nodes: dict[str, Node]
    couplings: dict[str, Coupling] = {}
    flows: list[Flow] = []
    radiative: dict[str, Exchange] = {}
    boundaries: dict[str, Boundary] = {}
    surfaces: dict[str, Face] = {}
    sources: dict[str, str] = {}
