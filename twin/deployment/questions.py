"""What a question about a deployment needs: its outcome at many values of its numbers, and the slopes at those it has.

Numbers of the undertaking go through one compiled program, those of the satellite each through a simulated life.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, PartitionSpec

from kernels import registry
from kernels.economics import upkeep
from kernels.economics.finance import MONTHS_PER_YEAR
from twin.deployment import metrics, paths, space
from twin.deployment.course import years_at
from twin.deployment.life import Life, jacobian
from twin.deployment.lives import Lives
from twin.deployment.measures import COSTS
from twin.deployment.metrics import Metrics
from twin.deployment.outcome import ORBIT, outcome
from twin.deployment.project import Numbers, Project, Shape
from twin.model import cores
from twin.schema import Analysis

AT_ONCE = 32  # outcomes on a device: what a month costs is shared, and small questions do not pay for large ones
BESIDE = 1.0 - 1e-7  # of a kink
_AXIS = "future"
_WHOLE, _SPLIT = PartitionSpec(), PartitionSpec(_AXIS)

Watch = Callable[[str, int, int], None]  # what is going on, how much is done, of how much
Columns = Mapping[str, Any]  # values by path, (n,) or one for all


def unwatched(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Told(NamedTuple):
    """What is told of an outcome, () or (year,)."""

    ratio: Array  # of the measure, orbit over ground
    orbit: Metrics
    ground: Metrics
    crossover_years: Array  # until a unit costs less per work in orbit than on the ground; infinite when it never does
    power_w: Array  # in orbit at the end of each year
    ground_power_w: Array
    launch_usd_per_kg: Array  # to the orbit of the satellites, mean over the deployment
    mass_kg_per_kw: Array  # of a satellite, of nominal power


class Inquiry(NamedTuple):
    """A deployment that is asked, and the numbers that questions vary: of the undertaking and of the satellite."""

    project: Project
    measure: str
    undertaking: tuple[str, ...]
    satellite: tuple[str, ...]
    lives: Lives
    watch: Watch

    @property
    def base(self) -> dict[str, float]:
        """The value that each number has."""
        return {path: paths.present(self.project, path) for path in (*self.undertaking, *self.satellite)}


def inquire(project: Project, measure: str, wanted: Sequence[str], life: Life, watch: Watch = unwatched) -> Inquiry:
    """An inquiry that varies the wanted paths; ConfigError for a path that there is none of."""
    undertaking, satellite = paths.separated(project, wanted)
    known = Lives(project.model, satellite, partial(watch, "lives of satellites"))
    base = tuple(paths.present(project, path) for path in satellite)
    known.learn([base], jax.tree.map(lambda leaf: np.asarray(leaf)[None], life))
    return Inquiry(project, measure, undertaking, satellite, known, watch)


def of_analysis(project: Project, analysis: Analysis, life: Life, watch: Watch = unwatched) -> Inquiry:
    """The inquiry that all questions of an analysis share."""
    paths.check(project, analysis)
    return inquire(project, analysis.measure, paths.asked(analysis), life, watch)


def told(shape: Shape, measure: str, life: Life, numbers: Numbers) -> Told:
    """What is told of the outcome behind a satellite's life, a pure function of all numbers."""
    found = outcome(shape, life, numbers)
    orbit, ground = (found.metrics[place] for place in (ORBIT, shape.against))
    course, there = (found.courses[place] for place in (ORBIT, shape.against))
    flown = space.scaled(life, numbers)
    payload_kg = space.vehicle(shape, flown, numbers).payload_kg
    ends = slice(MONTHS_PER_YEAR - 1, None, MONTHS_PER_YEAR)
    return Told(
        ratio=orbit[measure] / ground[measure],  # none where both have no work
        orbit=orbit,
        ground=ground,
        crossover_years=first_below_one(by_month(shape, measure, found.courses, numbers)),
        power_w=course.work.nominal_power_w[ends],
        ground_power_w=there.work.nominal_power_w[ends],
        launch_usd_per_kg=jnp.sum(course.costs_usd["launch"]) / jnp.sum(course.launches) / payload_kg,
        mass_kg_per_kw=flown.mass_kg / flown.nominal_power_w * 1e3,
    )


def by_month(shape: Shape, measure: str, courses: Mapping[str, Any], numbers: Numbers) -> Array:
    """Cost per work of a unit of each month, orbit over ground, in the measure's denominator, (month,).

    A measure per watt or of carbon has none: then it is work.
    """
    terms = registry.call(upkeep.terms, numbers["economics"])
    cost = next((name for name in reversed(COSTS) if measure.endswith(f"_{name}")), "usd_per_pflop_day")
    orbit, ground = (metrics.per_unit(courses[place].unit, terms)[cost] for place in (ORBIT, shape.against))
    return orbit / ground


def first_below_one(ratio: Array) -> Array:
    """Years until the first month in which a ratio, (month,), is below 1; infinite when none is, ()."""
    below = ratio < 1.0
    return jnp.where(jnp.any(below), years_at(ratio.size, 0.0)[jnp.argmax(below)], jnp.inf)


def tell(inquiry: Inquiry, columns: Columns, count: int, what: str = "outcomes") -> Told:
    """What is told at `count` sets of values, leaves (count, ...); numbers without a column are as they are.

    Designs of the satellite that are new are simulated first. NaN where no launch mass carries one.
    """
    which = inquiry.lives.ask(designs_of(inquiry, columns, count))
    table = _table(inquiry, columns, inquiry.undertaking, count)
    mesh = Mesh(np.array(_devices()), (_AXIS,))
    batch, parts, project = mesh.size * AT_ONCE, [], inquiry.project
    for first in range(0, count, batch):
        picked = np.minimum(np.arange(first, first + batch), count - 1)  # filled up with copies of the last
        lives, values = inquiry.lives.of(which[picked]), tuple(table[picked].T)
        found = _batch(project.shape, inquiry.measure, inquiry.undertaking, mesh, project.numbers, lives, values)
        parts.append(jax.tree.map(lambda leaf, kept=count - first: np.asarray(leaf)[:kept], found))
        inquiry.watch(what, min(first + batch, count), count)
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def designs_of(inquiry: Inquiry, columns: Columns, count: int) -> np.ndarray:
    """Numbers of the satellite at `count` sets of values, (count, path)."""
    return _table(inquiry, columns, inquiry.satellite, count)


def slopes(inquiry: Inquiry, wanted: Sequence[str]) -> dict[str, float]:
    """Derivative of the measure's ratio by each number, all else as it is: exact, through life for the satellite's.

    A service life of whole months is a kink of the outcome: its slope is that towards shorter ones.
    """
    project = inquiry.project
    undertaking, satellite = paths.separated(project, wanted)
    shorter = paths.placed(
        project.numbers, {paths.SERVICE_LIFE: jnp.asarray(BESIDE * paths.present(project, paths.SERVICE_LIFE))}
    )
    by_life, by_number = _gradient(project.shape, inquiry.measure, inquiry.lives.base, shorter)
    found = {}
    for path in undertaking:
        slot, _, key = path.rpartition(".")
        found[path] = float(by_number[slot][key])
    for path, change in jacobian(project.model, satellite).items():
        products = jax.tree.map(lambda slope, leaf: jnp.sum(slope * leaf), by_life, change)
        found[path] = float(sum(jax.tree.leaves(products)))
    return found


def _table(inquiry: Inquiry, columns: Columns, order: Sequence[str], count: int) -> np.ndarray:
    """Values of the numbers in an order, (count, path)."""
    table = np.empty((count, len(order)))
    for place, path in enumerate(order):
        table[:, place] = columns.get(path, paths.present(inquiry.project, path))
    return table


def _devices() -> list[Any]:
    """Devices that share the outcomes: on a CPU no more than it has cores."""
    found = jax.devices()
    return found[: cores()] if jax.default_backend() == "cpu" else found


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _batch(
    shape: Shape,
    measure: str,
    order: tuple[str, ...],
    mesh: Mesh,
    numbers: Numbers,
    lives: Life,
    values: tuple[Array, ...],
) -> Told:
    """What is told of each life and its values, leaves (future, ...); each device has its own.

    Numbers that no question varies are shared: what follows from them alone is done once.
    """

    def one(numbers: Numbers, life: Life, values: tuple[Array, ...]) -> Told:
        return told(shape, measure, life, paths.placed(numbers, dict(zip(order, values, strict=True))))

    return jax.shard_map(
        jax.vmap(one, in_axes=(None, 0, 0)),
        mesh=mesh,
        in_specs=(_WHOLE, _SPLIT, _SPLIT),
        out_specs=_SPLIT,
        check_vma=False,
    )(numbers, lives, values)


@partial(jax.jit, static_argnums=(0, 1))
def _gradient(shape: Shape, measure: str, life: Life, numbers: Numbers) -> tuple[Life, Numbers]:
    """Gradient of the ratio by every number of a life and of the undertaking."""
    return jax.grad(lambda *inputs: told(shape, measure, *inputs).ratio, argnums=(0, 1))(life, numbers)
