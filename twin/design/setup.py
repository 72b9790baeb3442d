"""A problem of design as the configuration has it: scenarios, variables, objective and limits, checked together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kernels import registry
from kernels.constants import EARTH_GRAVITY_M3_PER_S2, EARTH_RADIUS_M
from kernels.economics import vintages
from twin import config as fleet_config
from twin import designs, steady
from twin.config import Config, ConfigError
from twin.deployment.project import of_a_run
from twin.design import measures
from twin.design.problem import Limit, Objective, Problem, Row, Variable
from twin.design.schema import OVER, Aim, Bound, Bounds, Design
from twin.design.spots import MONEY, Held, Numbers, Spot, found, known
from twin.model import Model, build, numbers_of
from twin.refusal import nearest
from twin.structure import Environment, Structure
from twin.tables import at

ALONE = "run"  # the scenario where none is named


@dataclass(frozen=True)
class DesignConfig:
    """A validated problem; `resolved` is the plain dict it came from, `choices` are the profiles by group."""

    design: Design
    scenarios: Mapping[str, "Scenario"]
    resolved: Mapping[str, Any]
    choices: Mapping[str, str]


class Scenario(NamedTuple):
    """A validated run, and the profiles that say what its satellite costs; `resolved` is what it came from."""

    fleet: Config
    money: Mapping[str, Any]
    resolved: Mapping[str, Any]


class Setup(NamedTuple):
    """A problem with all that it takes to judge a design of it."""

    problem: Problem
    design: Design
    structure: Structure
    launcher: str  # model of its price
    known: Mapping[str, Held]  # every number that could vary
    numbers: tuple[Numbers, ...]  # of each scenario: by cohort and slot, those of money among them
    environments: tuple[Environment, ...]
    spots: tuple[tuple[Spot, ...], ...]  # of each variable: its own, then of what it scales


def overrides_of(composed: Mapping[str, Any]) -> dict[str, list[str]]:
    """Overrides of every scenario of a composed problem."""
    if not isinstance(composed.get("design"), Mapping):
        raise ConfigError("design: missing; a problem of design is composed from conf/optimize.yaml")
    return _design(composed).scenarios or {ALONE: []}


def _design(composed: Mapping[str, Any]) -> Design:
    return fleet_config.validated("design", Design, composed["design"])


def validate(
    composed: Mapping[str, Any], scenarios: Mapping[str, Mapping[str, Any]], choices: Mapping[str, str]
) -> DesignConfig:
    """Validate a composed problem and its composed scenarios; ConfigError names the first key that is wrong."""
    found = {}
    _scenario(composed)  # what is wrong in all of them is not the scenario's
    for name, values in scenarios.items():
        try:
            if values["design"] != composed["design"]:
                raise ConfigError("design belongs to the whole problem, a scenario has hardware, surroundings and date")
            found[name] = _scenario(values)
        except ConfigError as error:
            raise ConfigError(_of_scenario(name, error)) from None
    return DesignConfig(_design(composed), found, dict(composed), dict(choices))


def _of_scenario(name: str, error: ConfigError) -> str:
    return str(error) if name == ALONE else f"design.scenarios.{name}: {error}"


def _scenario(values: Mapping[str, Any]) -> Scenario:
    if values.get("cohorts"):
        raise ConfigError("cohorts: one satellite is designed; give its overrides themselves")
    for key in MONEY:
        if key not in values:
            raise ConfigError(f"{key}: missing; a problem of design is composed from conf/optimize.yaml")
    own = {key: value for key, value in values.items() if key not in (*MONEY, "design")}
    fleet = fleet_config.validate({**own, **of_a_run()})
    _check_alone(fleet)
    profiles = {slot: fleet_config.profile(slot, values[slot]) for slot in MONEY}
    for key in registry.parameters(vintages.scaled):
        if (scale := getattr(profiles["deployment"], key)) != 1.0:
            raise ConfigError(f"deployment.{key} = {scale:g}: must be 1: designs are judged by what the twin finds")
    return Scenario(fleet, profiles, values)


def _check_alone(fleet: Config) -> None:
    """ConfigError for a run that steady orbits of one satellite cannot stand for."""
    (cohort,) = fleet.cohorts
    models = {slot: cohort.profiles[slot].model for slot in ("orbit", "servicing")}
    if models["orbit"] == "element_sets":
        raise ConfigError("orbit.model = 'element_sets': must be an orbit with numbers of its own, which may vary")
    if models["servicing"] != "none":
        raise ConfigError(f"servicing.model = {models['servicing']!r}: must be none: a steady orbit has no visits")
    if fleet.failures == "random":
        raise ConfigError("failures = 'random': must be none or expected; chance has no slope")
    if fleet.operations.payload_off_for_s > 0:
        raise ConfigError(
            f"operations.payload_off_for_s = {fleet.operations.payload_off_for_s:g}: must be 0: "
            "a steady orbit repeats itself"
        )
    if fleet.distributed.processes != "one":
        raise ConfigError("distributed.processes: a design runs in one process")


def build_setup(config: DesignConfig) -> Setup:
    """Problem, structure and numbers; ConfigError for what no single key can show."""
    design = config.design
    models = {name: build(scenario.fleet) for name, scenario in config.scenarios.items()}
    structure = _structure(design, models, config)
    launchers = {name: scenario.money["launch"].model for name, scenario in config.scenarios.items()}
    _check_same({name: (models[name].structure, launchers[name]) for name in models})
    numbers = {name: _numbers(models[name], scenario) for name, scenario in config.scenarios.items()}
    first, *_ = numbers
    held = known(structure, launchers[first], _profiles(config.scenarios[first]))
    variables, spots = zip(*_variables(design, held, numbers[first]), strict=True)
    for variable in variables:
        _check_given(variable, config)
    _check_together(models[first], variables)
    _check_sensitivities(design, held, variables)
    return Setup(
        problem=_problem(design, _boils(models[first]), variables, tuple(models)),
        design=design,
        structure=structure,
        launcher=launchers[first],
        known=held,
        numbers=tuple(numbers.values()),
        environments=tuple(steady.timed(structure, model.environment) for model in models.values()),
        spots=spots,
    )


def _structure(design: Design, models: Mapping[str, Model], config: DesignConfig) -> Structure:
    """Structure of the steady orbits, with as many steps as make them about as long as `time.step_s`."""
    model, scenario = next(iter(models.values())), next(iter(config.scenarios.values()))
    radius_m = EARTH_RADIUS_M + scenario.fleet.cohorts[0].profiles["orbit"].altitude_m
    period_s = 2.0 * np.pi * np.sqrt(radius_m**3 / EARTH_GRAVITY_M3_PER_S2)
    steps = max(round(period_s / (design.exchanges * scenario.fleet.time.step_s)), 1)
    return steady.scheduled(model.structure, design.orbits, steps, design.exchanges)


def _check_same(kinds: Mapping[str, Any]) -> None:
    """ConfigError for a scenario that is another kind of machine: they are computed as one batch."""
    first, *others = kinds
    for name in others:
        if kinds[name] != kinds[first]:
            raise ConfigError(
                f"design.scenarios.{name}: another model, network or duration than in {first}; "
                "scenarios may differ in numbers and dates alone"
            )


def _boils(model: Model) -> bool:
    return all("dry_out_quality" in own["coolant_loop"] for own in model.params.values())


def _numbers(model: Model, scenario: Scenario) -> Numbers:
    money = {slot: numbers_of(slot, profile) for slot, profile in scenario.money.items()}
    return {name: {**own, **money} for name, own in model.params.items()}


def _profiles(scenario: Scenario) -> dict[str, Any]:
    fleet = {slot: getattr(scenario.fleet, slot) for slot in fleet_config.FLEET_SLOTS}
    return {**scenario.fleet.cohorts[0].profiles, **fleet, **scenario.money}


def _variables(design: Design, held: Mapping[str, Held], first: Numbers) -> Iterator[tuple[Variable, tuple[Spot, ...]]]:
    """Every variable with the spots of itself and of what it scales."""
    taken: set[str] = set()
    for key, bounds in design.variables.items():
        scaled = [spot for path in bounds.scales for spot in found(f"{_at(key)}.scales", path, held)]
        for spot in found("design.variables", key, held):
            variable = _variable(spot, bounds, float(spot.of(first)))
            for path in (variable.path, *variable.scales):
                if path in taken:
                    raise ConfigError(f"{_at(key)}: {path} is varied or scaled twice")
                taken.add(path)
            yield variable, (spot, *scaled)


def _at(path: str) -> str:
    return f"design.variables.{path}"


def _variable(spot: Spot, bounds: Bounds, before: float) -> Variable:
    where, unit = _at(spot.path), before if bounds.relative else 1.0
    low, high = sorted((unit * bounds.low, unit * bounds.high))
    if not low < high:
        raise ConfigError(
            f"{where}.relative = true: multiples of {spot.path} = {before:g} leave no room; must be false"
        )
    for side, value in (("low", low), ("high", high)):
        if not spot.quantity.accepts(value):
            raise ConfigError(f"{where}.{side} = {value:g}: must be {spot.quantity.allowed}")
        if bounds.integer and not float(value).is_integer():
            raise ConfigError(f"{where}.{side} = {value:g}: must be a whole number, as the variable is")
    if bounds.scales and not before > 0.0:
        raise ConfigError(f"{where}.scales: nothing is in proportion to {spot.path} = {before:g}; must be above 0")
    return Variable(spot.path, spot.quantity.unit, low, high, before, bounds.integer, tuple(bounds.scales))


def _check_together(model: Model, variables: tuple[Variable, ...]) -> None:
    """ConfigError for a bound that contradicts another number of the hardware."""
    single = designs.quantities(model.structure)
    for variable in variables:
        if variable.path in single:
            try:
                designs.columns(model, {variable.path: [variable.low, variable.high]})
            except ConfigError as error:
                said = str(error).partition(": ")[2]
                raise ConfigError(f"{_at(variable.path)}: between its bounds, {said}") from None


def _check_sensitivities(design: Design, held: Mapping[str, Held], variables: tuple[Variable, ...]) -> None:
    """ConfigError for what is no number, and for one that is chosen: its elasticity is told of the design as it is."""
    chosen = {variable.path for variable in variables}
    for path in design.sensitivities:
        for spot in found("design.sensitivities", path, held):
            if spot.path in chosen:
                raise ConfigError(
                    f"design.sensitivities: {spot.path} is a variable, whose elasticity is told anyway; leave it out"
                )


def _check_given(variable: Variable, config: DesignConfig) -> None:
    """ConfigError for a scenario that has another value of a variable, or of what it scales, than the whole problem."""
    for path, word in [(variable.path, "is"), *((path, f"goes with {variable.path},") for path in variable.scales)]:
        before = at(config.resolved, path)
        for name, scenario in config.scenarios.items():
            if before is not None and at(scenario.resolved, path) != before:
                raise ConfigError(
                    f"design.scenarios.{name}: sets {path}, which {word} a variable; leave it out of one, "
                    "or set it for the whole problem"
                )


def _problem(design: Design, boils: bool, variables: tuple[Variable, ...], scenarios: tuple[str, ...]) -> Problem:
    """Objective, limits and rows of a design; ConfigError for a measure or scenario that does not exist."""
    objective = _objective(design.objective, scenarios)
    limits = tuple(limit for name, bound in design.limits.items() for limit in _limits(name, bound, scenarios))
    wanted = [measure for measure, _ in objective.terms] + [limit.row.measure for limit in limits]
    if design.pareto is not None:
        if [design.pareto.measure] == wanted[: len(objective.terms)]:
            raise ConfigError(f"design.pareto.measure = {wanted[0]!r}: is the objective; must be another measure")
        wanted.append(measures.known("design.pareto.measure", design.pareto.measure).name)
        _known_scenario("design.pareto.over", design.pareto.over, ("worst", *scenarios))
    if measures.BOILING in wanted and not boils:
        raise ConfigError(
            f"design: {measures.BOILING}: the coolant does not boil; choose coolant_loop=ammonia_two_phase"
        )
    told = [*wanted, *measures.reported(boils)]
    rows = tuple(Row(measure, scenario) for measure in dict.fromkeys(told) for scenario in scenarios)
    return Problem(design.name, variables, scenarios, objective, limits, rows)


def _objective(aim: Aim, scenarios: tuple[str, ...]) -> Objective:
    where = f"design.objective.{aim.sense}"
    units = {measures.known(where, name).unit for name in aim.terms}
    _known_scenario("design.objective.over", aim.over, (*OVER, *scenarios))
    alone = len(aim.terms) == 1 and set(aim.terms.values()) == {1.0}
    return Objective(aim.sense, tuple(aim.terms.items()), aim.over, units.pop() if alone else "")


def _limits(name: str, bound: Bound, scenarios: tuple[str, ...]) -> Iterator[Limit]:
    """A limit for every scenario in which it holds."""
    measure = measures.known(f"design.limits.{name}.measure", bound.measure)
    kind, value = ("most", bound.most) if bound.least is None else ("least", bound.least)
    for scenario in bound.scenarios or scenarios:
        _known_scenario(f"design.limits.{name}.scenarios", scenario, scenarios)
        row = Row(measure.name, scenario)
        yield Limit(name, row, measure.unit, kind, float(value or 0.0), measures.scale(measure, float(value or 0.0)))


def _known_scenario(where: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ConfigError(f"{where} = {name!r}: must be one of {', '.join(known)}{nearest(name, known)}")
