"""Lives of the satellites that questions ask for, each design simulated once."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from twin.deployment import life as lifetime
from twin.deployment.life import Life
from twin.model import Model


class Lives:
    """Simulated designs of a model that differ in some of its numbers, in the order in which they were learnt."""

    def __init__(self, model: Model, paths: tuple[str, ...], watch: Callable[[int, int], None]) -> None:
        self._model, self._paths, self._watch = model, paths, watch
        self._number: dict[tuple[float, ...], int] = {}
        self._lives: Life | None = None  # leaves (design, ...)

    @property
    def base(self) -> Life:
        """The first life that was learnt."""
        return jax.tree.map(lambda leaf: leaf[0], self._lives)

    def learn(self, designs: Sequence[tuple[float, ...]], lives: Life) -> None:
        """Remember the lives of some designs, leaves (design, ...)."""
        first = len(self._number)
        self._number |= {design: first + place for place, design in enumerate(designs)}
        new = jax.tree.map(lambda leaf: np.asarray(leaf, dtype=np.float64), lives)
        joined = new if self._lives is None else jax.tree.map(lambda *both: np.concatenate(both), self._lives, new)
        self._lives = joined

    def ask(self, designs: np.ndarray) -> np.ndarray:
        """Numbers of the lives of designs, (design, path); those not known yet are simulated in one ensemble."""
        rows = [tuple(row) for row in designs.tolist()]
        new = [row for row in dict.fromkeys(rows) if row not in self._number]
        if new:
            columns = dict(zip(self._paths, np.array(new).T, strict=True))
            self.learn(new, lifetime.lives(self._model, columns, watch=self._watch))
        return np.array([self._number[row] for row in rows])

    def of(self, which: np.ndarray) -> Life:
        """Lives by their numbers, leaves (design, ...)."""
        return jax.tree.map(lambda leaf: leaf[which], self._lives)
