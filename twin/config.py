"""The one strict schema: a composed plain dict becomes frozen, validated models, or one clear sentence.

A profile's schema is read off the kernels' signatures (`kernels.registry`); nothing is declared twice.
"""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, create_model

import kernels
from kernels import registry
from kernels.quantity import Quantity
from twin.cross_checks import (
    check_downlinks,
    check_network,
    check_profiles,
    check_schedule,
    check_scheduler,
    check_served,
    check_time,
    check_windows,
    check_workload,
)
from twin.refusal import GROUP, ConfigError, nearest, sentence
from twin.schema import Analysis, Checkpoint, Distributed, Output, Precision, Region, Site, Strict, ThermalNetwork, Time
from twin.structure import Ports

# Every kernel registers its models and parameters when it is imported.
for _module in pkgutil.walk_packages(kernels.__path__, "kernels."):
    importlib.import_module(_module.name)

PORTS = tuple(field.name for field in fields(Ports))
FAILURES = ("none", "expected", "random")
RESUME = ("auto", "never", "must")


# Keys of a profile that are not numbers of the physics.
_EXTRAS: dict[str, dict[str, Any]] = {
    "accelerator": {
        "number_format": (str, ...),
        "price_usd": (float, Field(ge=0)),  # what a deployment pays unless conf/manufacture has another
        "host_price_usd": (float, Field(ge=0)),
    },
    "atmosphere": {"file": (str | None, None)},
    "solar_cell": {"damage_material": (Literal["gallium_arsenide", "silicon"], ...)},
    "constellation": {
        "satellites": (int, Field(default=0, ge=0, le=4_000_000)),
        "file": (str | None, None),
        "subset": (str | None, None),
    },
    "ground_network": {"sites": (dict[str, Site], {})},
    "deployment": {"horizon_years": (int, Field(ge=1, le=60)), "against": (str, ...)},
    "workload": {
        "file": (str | None, None),
        "repeat": (bool, True),
        "scale": (float | None, Field(default=None, gt=0)),
        "load_fraction": (float, Field(default=0.6, gt=0, le=100)),
        "token_lengths_from": (str | None, None),
        "regions": (dict[str, Region], {}),
        "measured_on": (str | None, None),  # name of the accelerator whose serving is told
    },
}
COHORT_SLOTS = (
    "orbit",
    "constellation",
    "attitude",
    "satellite",
    "solar_cell",
    "array",
    "battery",
    "accelerator",
    "radiator",
    "coating",
    "coolant_loop",
    "power_bus",
    "propulsion",
    "station_keeping",
    "radiation",
    "reliability",
    "servicing",
    "link",
    "downlink",
)
FLEET_SLOTS = ("workload", "scheduler", "environment", "operations", "atmosphere", "ground_network")
RUN_KEYS = ("time", "precision", "distributed", "output", "checkpoint", "resume", "failures", "seed")


@dataclass(frozen=True)
class CohortConfig:
    """One design: a validated profile per slot and its thermal network."""

    name: str
    profiles: Mapping[str, Any]
    thermal_network: ThermalNetwork


@dataclass(frozen=True)
class Config:
    """A validated run; `resolved` is the plain dict it came from, cohort by cohort."""

    time: Time
    precision: Precision
    distributed: Distributed
    output: Output
    checkpoint: Checkpoint
    resume: str  # auto, never, must, or from=<step>
    failures: str
    seed: int
    workload: Any
    scheduler: Any
    environment: Any
    operations: Any
    atmosphere: Any
    ground_network: Any
    cohorts: tuple[CohortConfig, ...]
    resolved: Mapping[str, Any]


def _field(quantity: Quantity, default: float | None) -> tuple[Any, Any]:
    """Type and default of one parameter, with its range."""

    def check(value: float) -> float:
        if not quantity.accepts(value):
            raise ValueError(f"must be {quantity.allowed}")
        return value

    number = Annotated[float, AfterValidator(check)]
    if quantity.knots:
        fewest, most = quantity.lengths
        number = Annotated[list[number], Field(min_length=fewest, max_length=most)]
    return (number, ... if default is None else default)


def _profile_model(slot: str, model_name: str | None) -> type[Strict]:
    fields: dict[str, Any] = {"name": (str, ""), "sources": (dict[str, str], {}), **_EXTRAS.get(slot, {})}
    if model_name is not None:
        fields["model"] = (str, ...)
    for key, parameter in registry.schema(slot, model_name).items():
        fields[key] = _field(parameter.quantity, parameter.default)
    return create_model(slot, __base__=Strict, **fields)


def validated(where: str, model: type[Strict], values: Any, model_name: str | None = None) -> Any:
    """Values as a model of what they may be; ConfigError in one sentence."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} = {values!r}: {GROUP}")
    for key, value in values.items():
        if value == "???":
            raise ConfigError(f"{where}.{key}: missing; give {where}.{key}=VALUE")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        schema = model.model_json_schema()
        parts = (schema, *schema.get("$defs", {}).values())
        known = [key for part in parts for key in part.get("properties", ())]
        raise ConfigError(sentence(where, first, known, model_name)) from None


def profile(slot: str, values: Any, where: str = "") -> Any:
    """Validated profile of a slot; its schema follows from the model that it names. `where` is its key, if another."""
    where = where or slot
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} = {values!r}: must be a profile of conf/{slot}/")
    choices = registry.models(slot)
    model_name = None
    if choices:
        model_name = values.get("model")
        if not isinstance(model_name, str) or model_name not in choices:
            raise ConfigError(
                f"{where}.model = {model_name!r}: not a known model; known: {', '.join(sorted(choices))}"
                f"{nearest(str(model_name), choices)}"
            )
    return validated(where, _profile_model(slot, model_name), values, model_name)


def analysis(values: Any) -> Analysis:
    """Validated questions about a deployment."""
    return validated("analysis", Analysis, values)


def thermal_network(values: Any) -> ThermalNetwork:
    """Validated network whose names all exist and whose nodes all have a temperature."""
    network = validated("thermal_network", ThermalNetwork, values)
    nodes = network.nodes

    def known(path: str, name: str, among: Iterable[str], what: str = "node") -> None:
        if name not in among:
            raise ConfigError(f"thermal_network.{path} = {name!r}: no such {what}{nearest(name, among)}")

    for port, members in network.ports.items():
        known(f"ports.{port}", port, PORTS, "port")
        for node in members:
            known(f"ports.{port}", node, nodes)
    for kind in ("couplings", "radiative"):
        for name, link in getattr(network, kind).items():
            known(f"{kind}.{name}.from", link.from_, nodes)
            known(f"{kind}.{name}.to", link.to, nodes)
    for name, boundary in network.boundaries.items():
        known(f"boundaries.{name}.node", boundary.node, nodes)
    for number, flow in enumerate(network.flows):
        for node in flow.path:
            known(f"flows.{number}.path", node, nodes)
    for name, face in network.surfaces.items():
        for node in face.nodes:
            known(f"surfaces.{name}.nodes", node, nodes)
        if face.partner is not None:
            known(f"surfaces.{name}.partner", face.partner, network.surfaces, "surface")
    check_network(network)
    return network


def validate(composed: Mapping[str, Any], cohorts: Mapping[str, Mapping[str, Any]] | None = None) -> Config:
    """Validate a composed configuration; ConfigError names the first key that is wrong.

    `cohorts` maps each cohort's name to its own composition; without it there is one, named after its satellite.
    """
    _check_keys(composed)
    time = validated("time", Time, composed["time"])
    check_time(time)
    if composed["failures"] not in FAILURES:
        raise ConfigError(
            f"failures = {composed['failures']!r}: must be one of {', '.join(FAILURES)}"
            f"{nearest(str(composed['failures']), FAILURES)}"
        )
    precision = validated("precision", Precision, composed["precision"])
    distributed = validated("distributed", Distributed, composed["distributed"])
    check_schedule(distributed, precision)
    seed = composed["seed"]
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        raise ConfigError(f"seed = {seed!r}: must be a whole number from 0 to 2^63 - 1")
    operations = profile("operations", composed["operations"])
    check_windows(time, operations)
    own = dict(cohorts) if cohorts else {_cohort_name(composed): composed}
    designs = tuple(_cohort(name, values, f"cohorts.{name}: " if cohorts else "") for name, values in own.items())
    network = profile("ground_network", composed["ground_network"])
    check_downlinks(network, [design.profiles["downlink"] for design in designs])
    workload, scheduler = profile("workload", composed["workload"]), profile("scheduler", composed["scheduler"])
    check_workload(workload)
    check_served(workload, [design.profiles["accelerator"] for design in designs])
    check_scheduler(scheduler, workload, network, [design.profiles for design in designs])
    return Config(
        time=time,
        precision=precision,
        distributed=distributed,
        output=validated("output", Output, composed["output"]),
        checkpoint=validated("checkpoint", Checkpoint, composed["checkpoint"]),
        resume=_resume(composed["resume"]),
        failures=composed["failures"],
        seed=seed,
        workload=workload,
        scheduler=scheduler,
        environment=profile("environment", composed["environment"]),
        operations=operations,
        atmosphere=profile("atmosphere", composed["atmosphere"]),
        ground_network=network,
        cohorts=designs,
        resolved=json.loads(json.dumps({**composed, "cohorts": {k: dict(v) for k, v in own.items()}}, default=str)),
    )


def _check_keys(composed: Mapping[str, Any]) -> None:
    """ConfigError for a key that is unknown or missing."""
    needed = (*RUN_KEYS, *COHORT_SLOTS, *FLEET_SLOTS, "thermal_network")
    for key in composed:
        if key not in (*needed, "cohorts"):
            raise ConfigError(f"{key} = {composed[key]!r}: unknown key{nearest(str(key), {*needed, 'cohorts'})}")
    for key in needed:
        if key not in composed:
            raise ConfigError(f"{key}: missing")


def _resume(given: Any) -> str:
    """How a run deals with what its folder holds: auto, never, must, or from=<step>."""
    text = f"from={given}" if isinstance(given, int) and not isinstance(given, bool) else str(given)
    if text not in RESUME and not re.fullmatch(r"from=\d+", text):
        raise ConfigError(f"resume = {given!r}: must be auto, never, must or from=STEP{nearest(text, RESUME)}")
    return text


def _cohort_name(composed: Mapping[str, Any]) -> str:
    satellite = composed["satellite"]
    return str(satellite.get("name") or "fleet") if isinstance(satellite, Mapping) else "fleet"


def _cohort(name: str, values: Mapping[str, Any], where: str) -> CohortConfig:
    """Validated design; `where` begins the message of what is refused."""
    try:
        return _design(name, values)
    except ConfigError as error:
        raise ConfigError(f"{where}{error}") from None


def _design(name: str, values: Mapping[str, Any]) -> CohortConfig:
    profiles = {slot: profile(slot, values[slot]) for slot in COHORT_SLOTS}
    orbit, pattern = profiles["orbit"], profiles["constellation"]
    from_file = pattern.model == "element_sets"
    if from_file != (orbit.model == "element_sets"):
        raise ConfigError(
            f"constellation.model = {pattern.model!r} with orbit.model = {orbit.model!r}: element sets bring "
            "their own orbits; choose constellation=element_sets alone, or an orbit and a pattern"
        )
    if from_file and not pattern.file:
        raise ConfigError(
            "constellation.file: missing; constellation=element_sets needs constellation.file=PATH of a TLE or OMM file"
        )
    if not from_file and pattern.satellites < 1:
        raise ConfigError(f"constellation.satellites = {pattern.satellites}: must be at least 1")
    check_profiles(profiles)
    network = thermal_network(values["thermal_network"])
    if not network.ports.get("bus"):
        raise ConfigError("thermal_network.ports.bus: missing; components without a port of their own sit on the bus")
    return CohortConfig(name, profiles, network)
