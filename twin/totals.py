"""What adds up over a run: totals, extremes and slow variables, each step at the weight of its window."""

from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from twin import variables
from twin.state import Slow

Totals = dict[str, Array]


def first_totals(shape: tuple[int, ...]) -> Totals:
    """Totals before the first step, float64."""
    first = {"sum": 0.0, "max": -jnp.inf, "min": jnp.inf}
    kinds = {total.name: total.kind for total in variables.TOTALS} | dict.fromkeys(variables.STORED, "sum")
    return {name: jnp.full(shape, first[kind], dtype=jnp.float64) for name, kind in kinds.items()}


def added(totals: Totals, sums: Mapping[str, Array], extremes: Mapping[str, Array], length_s: Array) -> Totals:
    """Totals after a block whose steps stand for `length_s` each; nothing counts at 0."""
    return totals | {
        t.name: totals[t.name] + sums[t.of].astype(jnp.float64) * length_s
        if t.kind == "sum"
        else jnp.where(length_s > 0.0, extremes[t.name].astype(jnp.float64), totals[t.name])
        for t in variables.TOTALS
    }


def aged(slow: Slow, sums: Mapping[str, Array], steady: Mapping[str, Array], steps: int, length_s: Array) -> Slow:
    """Slow variables after a block: rates summed over its steps, and those that are steady through it."""
    advanced = {
        row.name: sums[row.of].astype(jnp.float64) * length_s
        if row.per == "step"
        else steady[row.of].astype(jnp.float64) * (steps * length_s)
        for row in variables.SLOW
    }
    return slow._replace(**{name: getattr(slow, name) + change for name, change in advanced.items()})


def extremes_with(extremes: dict[str, Array], out: dict[str, Array]) -> dict[str, Array]:
    """Extremes with those among the outputs of a step or a block."""
    pick = {"max": jnp.maximum, "min": jnp.minimum}
    told = [t for t in variables.TOTALS if t.kind != "sum" and t.of in out]
    return extremes | {t.name: pick[t.kind](extremes[t.name], out[t.of].astype(extremes[t.name].dtype)) for t in told}
