"""Numbers of a deployment by path: "launch.pads" of its profiles, "orbit.altitude_m" of its satellite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels import registry
from kernels.economics.finance import MONTHS_PER_YEAR
from kernels.quantity import Quantity
from twin import designs
from twin.deployment.measures import MEASURES
from twin.refusal import ConfigError, nearest

if TYPE_CHECKING:
    from twin.deployment.project import Numbers, Project
    from twin.schema import Analysis, Span

SERVICE_LIFE = "deployment.service_life_years"


def placed(numbers: Numbers, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The numbers with some values at their paths; ConfigError for a path that they do not have."""
    found = {slot: dict(profile) for slot, profile in numbers.items()}
    for path, value in values.items():
        slot, _, key = path.rpartition(".")
        if key not in found.get(slot, {}):
            raise _unknown(path, (f"{slot}.{key}" for slot, profile in numbers.items() for key in profile))
        found[slot][key] = value
    return found


def quantities(project: Project) -> tuple[dict[str, Quantity], dict[str, Quantity]]:
    """Quantity of every number by path: of the undertaking, and of its satellite."""
    undertaking = {
        f"{slot}.{key}": parameter.quantity
        for slot, model in project.shape.models
        for key, parameter in registry.schema(slot.partition(".")[0], model or None).items()
        if slot in project.numbers and key in project.numbers[slot]
    }
    satellite = {path: quantity for path, (_, quantity) in designs.quantities(project.model.structure).items()}
    return undertaking, {path: quantity for path, quantity in satellite.items() if not quantity.knots}


def separated(project: Project, paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Paths of the undertaking and of its satellite, each once; ConfigError for one that is neither."""
    undertaking, satellite = quantities(project)
    wanted = list(dict.fromkeys(paths))
    for path in wanted:
        if path not in undertaking and path not in satellite:
            raise _unknown(path, (*undertaking, *satellite))
    return tuple(p for p in wanted if p in undertaking), tuple(p for p in wanted if p not in undertaking)


def present(project: Project, path: str) -> float:
    """The value that a number has."""
    slot, _, key = path.rpartition(".")
    if key in project.numbers.get(slot, {}):
        return float(project.numbers[slot][key])
    place = designs.places(project.model.structure, [path])[path]
    return float(designs.number(project.model.params, place))


def bounds(project: Project, path: str, span: Span) -> tuple[float, float]:
    """The ends of a span, as values."""
    scale = present(project, path) if span.relative else 1.0
    return scale * span.low, scale * span.high


def asked(analysis: Analysis) -> tuple[str, ...]:
    """Every path that an analysis varies, each once."""
    return tuple(dict.fromkeys(path for _, path, _, _ in _values(analysis)))


def check(project: Project, analysis: Analysis) -> None:
    """ConfigError, in one sentence, for a path that the deployment does not have or a value that it cannot take."""
    if analysis.measure not in MEASURES:
        raise ConfigError(
            f"analysis.measure = {analysis.measure!r}: no cost that orbit and ground share"
            f"{nearest(analysis.measure, MEASURES)}"
        )
    undertaking, satellite = quantities(project)
    known, years = undertaking | satellite, project.shape.ages / MONTHS_PER_YEAR
    for where, path, values, relative in _values(analysis):
        if path not in known:
            raise ConfigError(f"{where}: {path}: no number of this deployment{nearest(path, known)}")
        for given in values:
            value = given * (present(project, path) if relative else 1.0)
            if not known[path].accepts(value):
                raise ConfigError(f"{where}: {path} = {value:g}: must be {known[path].allowed}")
            if path == SERVICE_LIFE and value > years:
                raise ConfigError(
                    f"{where}: {path} = {value:g}: must be at most {years:g}, the years of a satellite's life "
                    "that are simulated (time.duration_s)"
                )
            if path in satellite:
                _check_design(project, where, path, value)
    _check_likely(project, analysis)


def _values(analysis: Analysis) -> Iterator[tuple[str, str, tuple[float, ...], bool]]:
    """Where a path is named, the path, the values that it is to take, and whether they are multiples."""
    for path, span in analysis.parity.items():
        yield "analysis.parity", path, (span.low, span.high), span.relative
    for name, sides in analysis.maps.items():
        for axis in (sides.across, sides.up):
            yield f"analysis.maps.{name}", axis.path, (axis.low, axis.high), axis.relative
    for number, step in enumerate(analysis.ladder):
        for path, value in step.values.items():
            yield f"analysis.ladder.{number}", path, (value,), step.relative
    for path in analysis.elasticities:
        yield "analysis.elasticities", path, (), False
    for path, span in analysis.ranges.items():
        likely = () if span.likely is None else (span.likely,)
        yield "analysis.ranges", path, (span.low, span.high, *likely), span.relative


def _check_design(project: Project, where: str, path: str, value: float) -> None:
    """What no single range can refuse of a satellite."""
    try:
        designs.columns(project.model, {path: np.array([value])})
    except ConfigError as error:
        raise ConfigError(f"{where}: {str(error).removeprefix('design 0: ')}") from None


def _check_likely(project: Project, analysis: Analysis) -> None:
    for path, span in analysis.ranges.items():
        low, high = bounds(project, path, span)
        value = likely(project, path, span)
        if not low <= value <= high:
            raise ConfigError(
                f"analysis.ranges.{path}: its likely value, {value:g}, must lie between {low:g} and {high:g}; "
                "give likely, or bounds around the value of the profile"
            )
        if span.distribution == "lognormal" and low <= 0.0:
            raise ConfigError(f"analysis.ranges.{path}.low = {low:g}: must be above 0 for a lognormal distribution")


def likely(project: Project, path: str, span: Any) -> float:
    """The most likely value of a range, or its median."""
    now = present(project, path)
    if span.likely is None:
        return now
    return span.likely * (now if span.relative else 1.0)


def _unknown(path: str, known: Iterable[str]) -> ConfigError:
    return ConfigError(f"{path}: no number of this deployment{nearest(path, known)}")
