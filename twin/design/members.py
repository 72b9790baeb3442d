"""Rows of thousands of satellites near a design: a batch on every device, by one compiled program, without slopes."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, PartitionSpec

from twin import nearby
from twin.design import judge
from twin.design.judge import Given, Judge, Kind
from twin.design.setup import Setup
from twin.design.spots import Numbers, Spot
from twin.nearby import Neighbour
from twin.structure import Environment

WIDTH = 64  # satellites that a device flies at once: fewer leave vector units idle, more leave the cache
SOUGHT = 8  # that are sought by Newton's method at once
_AXIS = "member"

# Rows (design, sample, row) of designs (design, variable) at samples (sample, path) of uncertain numbers.
ValuesAt = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Members:
    """Rows of designs at samples of further numbers: a `ValuesAt`; NaN where no orbit closes or no launch carries."""

    def __init__(self, setup: Setup, further: Sequence[Spot]) -> None:
        self._judge = Judge(setup, further)
        self._mesh = Mesh(np.array(jax.devices()), (_AXIS,))

    def __call__(self, designs: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Rows of every design at every sample, (design, sample, row)."""
        return np.stack([self._of(design, samples) for design in np.asarray(designs, dtype=np.float64)])

    def _of(self, design: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """Rows of one design, (sample, row); those not found near its middle are sought by Newton's method."""
        numbers = np.concatenate([np.broadcast_to(design, (len(samples), len(design))), samples], axis=1)
        kind, given = self._judge.kind, self._judge.given
        beside = _beside(kind, given, numbers.mean(axis=0))
        batch, parts = WIDTH * self._mesh.size, []
        for first in range(0, len(numbers), batch):
            picked = np.minimum(np.arange(first, first + batch), len(numbers) - 1)
            found = jax.tree.map(np.asarray, _flown(kind, self._mesh, given, beside, numbers[picked]))
            parts.append([leaf[: len(numbers) - first] for leaf in found])
        values, closes = (np.concatenate(leaves) for leaves in zip(*parts, strict=True))
        rows = self._judge.rows(values)
        (missing,) = np.nonzero(~closes)
        for first in range(0, len(missing), SOUGHT):
            some = missing[np.minimum(np.arange(first, first + SOUGHT), len(missing) - 1)]
            rows[some] = self._judge.values(numbers[some])
        return rows


class _Seen(NamedTuple):
    values: Array  # (member, scenario, measure)
    closes: Array  # (member,) in all scenarios


@partial(jax.jit, static_argnums=0)
def _beside(kind: Kind, given: Given, number: Array) -> Neighbour:
    """Orbits near which the others are looked for, leaves (scenario, orbit, ...)."""

    def of(numbers: Numbers, environment: Environment) -> Neighbour:
        numbers = judge.designed(kind, numbers, number)
        return nearby.neighbour(kind.structure, judge.hardware(kind, numbers, environment), environment)[0]

    return judge.over_scenarios(kind, given, of)


@partial(jax.jit, static_argnums=(0, 1))
def _flown(kind: Kind, mesh: Mesh, given: Given, beside: Neighbour, numbers: Array) -> _Seen:
    """Measures of a batch of numbers, (member, number)."""

    def one(given: Given, beside: Neighbour, number: Array) -> _Seen:
        def of(numbers: Numbers, environment: Environment, beside: Neighbour) -> Any:
            fly = partial(nearby.run, beside=beside)
            return judge.measured(kind, judge.designed(kind, numbers, number), environment, fly)

        values, closes = judge.over_scenarios(kind, given, of, beside)
        return _Seen(values, jnp.all(closes))

    whole, split = PartitionSpec(), PartitionSpec(_AXIS)
    members = jax.vmap(one, in_axes=(None, None, 0))
    specs: Any = {"mesh": mesh, "in_specs": (whole, whole, split), "out_specs": split}
    return jax.shard_map(members, **specs, check_vma=False)(given, beside, numbers)
