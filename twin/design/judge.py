"""Designs judged by steady orbits: rows of all scenarios and their slopes, many designs by one compiled program."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from kernels import radiator, registry, solar_array
from twin import programs, steady
from twin.deployment.life import made
from twin.design import measures, money
from twin.design.problem import Evaluation
from twin.design.setup import Setup
from twin.design.spots import MONEY, Numbers, Spot, found, placed
from twin.metrics import all_metrics, run_duration_s
from twin.prepare import Cohort
from twin.run import HEAVIEST_KG
from twin.structure import Environment, Structure

WIDEST = 256  # designs in one call, where there are devices for so many
Fly = Callable[[Structure, dict[str, Cohort], Environment], steady.Steady]


class Kind(NamedTuple):
    """What is static about the judging of designs."""

    structure: Structure
    launcher: str
    spots: tuple[tuple[Spot, ...], ...]  # of each variable: its own, then of what it scales
    measures: tuple[str, ...]
    varies: tuple[bool, ...]  # by leaf of numbers and environment: whether it is stacked over scenarios
    sloped: tuple[int, ...]  # numbers of a design by which there are slopes


class Given(NamedTuple):
    """Numbers and surroundings of all scenarios; leaves that differ have a leading axis, (scenario, ...)."""

    numbers: Numbers
    environment: Environment
    scenario: Array  # (scenario,)


class Slopes(NamedTuple):
    """How rows change with further numbers, all else equal."""

    numbers: np.ndarray  # (row, path) their values in the scenario of the row
    slopes: np.ndarray  # (row, path)


class Judge:
    """Judges designs of a problem: an `Evaluate`.

    Designs have the numbers at some `further` spots behind those of the variables; slopes are those by the numbers at
    the positions of `by`, without it by the variables.
    """

    def __init__(self, setup: Setup, further: Sequence[Spot] = (), by: Sequence[int] | None = None) -> None:
        self.problem, self._known = setup.problem, setup.known
        names = tuple(dict.fromkeys(row.measure for row in self.problem.rows))
        self.given, varies = _stacked(setup.numbers, setup.environments)
        spots = (*setup.spots, *((spot,) for spot in further))
        sloped = tuple(range(len(setup.spots)) if by is None else by)
        self.kind = Kind(setup.structure, setup.launcher, spots, names, varies, sloped)
        self._scenario = np.array([self.problem.scenarios.index(row.scenario) for row in self.problem.rows])
        self._measure = np.array([names.index(row.measure) for row in self.problem.rows])

    def __call__(self, designs: np.ndarray) -> Evaluation:
        """Rows and slopes of some designs, (design, variable)."""
        values, slopes = self._batched(partial(_judged, self.kind, self.given), designs)
        return Evaluation(self.rows(values), self.rows(slopes))

    def values(self, designs: np.ndarray) -> np.ndarray:
        """Rows alone of some designs, (design, row)."""
        (values,) = self._batched(partial(_valued, self.kind, self.given), designs)
        return self.rows(values)

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Rows, (design, row, ...), of measures, (design, scenario, measure, ...)."""
        return values[:, self._scenario, self._measure]

    def slopes_by(self, paths: Sequence[str], design: np.ndarray) -> Slopes:
        """Slopes at a design, (variable,), by any numbers, each alone; ConfigError for a path that is no number."""
        spots = tuple(spot for path in paths for spot in found("design.sensitivities", path, self._known))
        numbers, slopes = _slopes_by(self.kind, spots, self.given, jnp.asarray(design))
        return Slopes(np.asarray(numbers)[self._scenario], np.asarray(slopes)[self._scenario, self._measure])

    def _batched(self, judge: Any, designs: np.ndarray) -> tuple[np.ndarray, ...]:
        """What is judged of all designs, in batches of one width, filled up with copies of the last."""
        designs = np.asarray(designs, dtype=np.float64)
        width = _width(len(designs))
        parts = []
        for first in range(0, len(designs), width):
            picked = np.minimum(np.arange(first, first + width), len(designs) - 1)
            leaves = judge(jnp.asarray(designs[picked]))
            parts.append([np.asarray(leaf)[: len(designs) - first] for leaf in leaves])
        return tuple(np.concatenate(leaves) for leaves in zip(*parts, strict=True))


def _width(designs: int) -> int:
    """Designs in one call: one after the other on a CPU, which gains nothing by more, else a power of two."""
    return 1 if jax.default_backend() == "cpu" else min(1 << (designs - 1).bit_length(), WIDEST)


def _stacked(numbers: Sequence[Numbers], environments: Sequence[Environment]) -> tuple[Given, tuple[bool, ...]]:
    """All scenarios as one, and which leaves differ between them."""
    columns = list(zip(*(jax.tree.leaves(pair) for pair in zip(numbers, environments, strict=True)), strict=True))
    varies = tuple(any(not np.array_equal(column[0], leaf) for leaf in column[1:]) for column in columns)
    leaves = [jnp.stack(column) if differs else column[0] for column, differs in zip(columns, varies, strict=True)]
    own, around = jax.tree.unflatten(jax.tree.structure((numbers[0], environments[0])), leaves)
    return Given(own, around, jnp.arange(len(numbers))), varies


def over_scenarios(kind: Kind, given: Given, judge: Any, *further: Any) -> Any:
    """What `judge` makes of numbers, environment and the `further` of every scenario, leaves (scenario, ...)."""
    together = (given.numbers, given.environment)
    if given.scenario.size == 1:
        return jax.tree.map(lambda leaf: leaf[None], judge(*together, *jax.tree.map(lambda leaf: leaf[0], further)))
    axes = jax.tree.unflatten(jax.tree.structure(together), [0 if differs else None for differs in kind.varies])
    return jax.vmap(lambda own, _, *more: judge(*own, *more), in_axes=(axes, 0, *(0 for _ in further)))(
        together, given.scenario, *further
    )


@partial(jax.jit, static_argnums=0)
def _judged(kind: Kind, given: Given, designs: Array) -> tuple[Array, Array]:
    """Measures, (design, scenario, measure), and their slopes, (design, scenario, measure, variable)."""

    def of(design: Array, numbers: Numbers, environment: Environment) -> tuple[Array, Array]:
        tangents = jnp.eye(design.size)[jnp.array(kind.sloped)]
        return _with_slopes(lambda x: measured(kind, designed(kind, numbers, x), environment), design, tangents)

    return _over_designs(lambda design: over_scenarios(kind, given, partial(of, design)), designs)


@partial(jax.jit, static_argnums=0)
def _valued(kind: Kind, given: Given, designs: Array) -> tuple[Array]:
    """Measures, (design, scenario, measure)."""

    def of(design: Array, numbers: Numbers, environment: Environment) -> Array:
        return _masked(*measured(kind, designed(kind, numbers, design), environment))

    return (_over_designs(lambda design: over_scenarios(kind, given, partial(of, design)), designs),)


def _over_designs(judge: Any, designs: Array) -> Any:
    """What `judge` makes of every design, (design, ...); of a single one without a batch, which costs to compile."""
    if len(designs) == 1:
        return jax.tree.map(lambda leaf: leaf[None], judge(designs[0]))
    return jax.vmap(judge)(designs)


@partial(jax.jit, static_argnums=(0, 1))
def _slopes_by(kind: Kind, spots: tuple[Spot, ...], given: Given, design: Array) -> tuple[Array, Array]:
    """Numbers at some spots, (scenario, spot), and the slopes of measures by them, (scenario, measure, spot)."""

    def of(numbers: Numbers, environment: Environment) -> tuple[Array, Array]:
        before = designed(kind, numbers, design)
        at = jnp.stack([jnp.asarray(spot.of(before)) for spot in spots])
        _, slopes = _with_slopes(
            lambda x: measured(kind, placed(before, spots, tuple(x)), environment), at, jnp.eye(at.size)
        )
        return at, slopes

    return over_scenarios(kind, given, of)


def _with_slopes(measured: Any, at: Array, tangents: Array) -> tuple[Array, Array]:
    """Values, (measure,), and slopes, (measure, tangent), NaN where there is no design; in forward mode."""

    def push(tangent: Array) -> Any:
        return jax.jvp(measured, (at,), (tangent,), has_aux=True)

    values, slopes, closes = jax.vmap(push, out_axes=(None, -1, None))(tangents)
    return _masked(values, closes), _masked(slopes, closes)


def _masked(values: Array, closes: Array) -> Array:
    return jnp.where(closes, values, jnp.nan)


def designed(kind: Kind, numbers: Numbers, design: Array) -> Numbers:
    """Numbers with those of a design, (variable,), and what keeps its proportion to them."""
    for number, (own, *scaled) in zip(design, kind.spots, strict=True):
        ratio = number / own.of(numbers) if scaled else 1.0
        values = [number, *(ratio * spot.of(numbers) for spot in scaled)]
        numbers = placed(numbers, (own, *scaled), values)
    return numbers


def hardware(kind: Kind, numbers: Numbers, environment: Environment) -> dict[str, Cohort]:
    """The satellite of a scenario, prepared."""
    own = {
        name: {slot: profile for slot, profile in slots.items() if slot not in MONEY} for name, slots in numbers.items()
    }
    return programs.prepare(kind.structure, own, environment)


def measured(kind: Kind, numbers: Numbers, environment: Environment, fly: Fly = steady.run) -> tuple[Array, Array]:
    """Measures of a scenario, (measure,), and whether its orbits close with a mass that can be launched."""
    structure = kind.structure
    (cohort,) = structure.cohorts
    own = numbers[cohort.name]
    cohorts = hardware(kind, numbers, environment)
    run = fly(structure, cohorts, environment)
    metrics, _ = all_metrics(structure, cohorts, run.carry)
    prepared = cohorts[cohort.name]
    duration_s = run_duration_s(structure, prepared)
    seen = measures.Seen(
        metrics=metrics,
        limits=prepared.budget.limits,
        duration_s=duration_s,
        orbits=duration_s / steady.period_s(prepared.each.rates)[0],
        battery_j=own["battery"]["energy_j"] * own["battery"]["initial_health"],
        accelerators=prepared.budget.accelerators,
        folded_area_m2=_folded_area_m2(own),
        costs=money.costs(made(cohort, own, prepared), kind.launcher, own),
    )
    carried = (metrics["mass_kg"] > 0.0) & (metrics["mass_kg"] < HEAVIEST_KG)
    return measures.values(seen, kind.measures), carried & (jnp.max(run.gap) <= steady.CLOSE)


def _folded_area_m2(own: Any) -> Array:
    parts = ("array", solar_array.folded_area_m2), ("radiator", radiator.folded_area_m2)
    return sum((registry.call(kernel, own[slot], own[slot]["area_m2"]) for slot, kernel in parts), jnp.zeros(()))
