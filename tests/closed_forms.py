"""Problems of design with known answers, whose rows are formulas."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from twin.design.problem import Evaluate, Evaluation, Limit, Objective, Problem, Row, Variable


class Counted:
    """An Evaluate of a formula, design (variable,) to rows (row,), that counts its designs."""

    def __init__(self, formula: Callable[[Array], Sequence[Array]]) -> None:
        def rows(design: Array) -> Array:
            return jnp.stack([jnp.asarray(row, float) for row in formula(design)])

        self.rows = jax.jit(jax.vmap(lambda design: (rows(design), jax.jacfwd(rows)(design))))
        self.designs: list[np.ndarray] = []

    def __call__(self, designs: np.ndarray) -> Evaluation:
        self.designs.extend(designs)
        return Evaluation(*(np.asarray(part) for part in self.rows(designs)))


def variables(*bounds: tuple[float, float, float], integer: Sequence[int] = ()) -> tuple[Variable, ...]:
    """x0, x1 and so on, each of low, high and first."""
    return tuple(
        Variable(f"x{place}", "m", *each, integer=place in integer)  # type: ignore[misc]
        for place, each in enumerate(bounds)
    )


def limit(measure: str, kind: str, bound: float, scale: float = 1.0, scenario: str = "one") -> Limit:
    """A limit in metres."""
    return Limit(measure, Row(measure, scenario), "m", kind, bound, scale)  # type: ignore[arg-type]


def problem(
    chosen: tuple[Variable, ...],
    measures: Sequence[str],
    limits: Sequence[Limit] = (),
    sense: str = "minimize",
    over: str = "one",
    scenarios: Sequence[str] = ("one",),
) -> Problem:
    """Minimise the first measure; rows are all measures of the first scenario, then of the second."""
    rows = tuple(Row(measure, scenario) for scenario in scenarios for measure in measures)
    objective = Objective(sense, ((measures[0], 1.0),), over, "kg")  # type: ignore[arg-type]
    return Problem("toy", chosen, tuple(scenarios), objective, tuple(limits), rows)


def quadratic() -> tuple[Problem, Evaluate]:
    """(x-3)^2 + (y-2)^2 with x + y <= 3 and x <= 1.5: at (1.5, 1.5) with prices 1 and 2 (by hand)."""
    limits = (limit("sum", "most", 3.0, 10.0), limit("first", "most", 1.5), limit("second", "least", -5.0))
    toy = problem(variables((-10, 10, -4), (-10, 10, 7)), ("distance", "sum", "first", "second"), limits)
    return toy, Counted(lambda x: ((x[0] - 3) ** 2 + (x[1] - 2) ** 2, x[0] + x[1], x[0], x[1]))
