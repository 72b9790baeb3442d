"""Where the numbers of a design lie: single ones, and the values of a curve one by one, those of money among them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp

from kernels import registry
from kernels.quantity import PRINTED, PRINTED_MOST, Quantity
from twin import designs
from twin.design import money
from twin.designs import Place
from twin.refusal import ConfigError, nearest
from twin.structure import Params, Structure

MONEY = ("launch", "manufacture", "economics", "deployment")
Numbers = Params  # with the slots of money beside those of the hardware


class Held(NamedTuple):
    """What holds a number: place and quantity, and how many values it has if it is a curve, else 0."""

    place: Place
    quantity: Quantity
    size: int


class Spot(NamedTuple):
    """A number: its path, the place of what holds it, its positions there if that is a curve, and its quantity.

    The first value of a printed column fills up the column in front, and so has several positions. A `factor` is a
    multiple of what lies there, of a curve as a whole.
    """

    path: str
    place: Place
    positions: tuple[int, ...]
    quantity: Quantity
    factor: bool = False

    def of(self, numbers: Numbers) -> Any:
        """Its value, ()."""
        if self.factor:
            return jnp.ones(())
        held = designs.number(numbers, self.place)
        return held[self.positions[-1]] if self.positions else held


def placed(numbers: Numbers, spots: Sequence[Spot], values: Sequence[Any]) -> Numbers:
    """Numbers with some values at their spots."""
    for spot, value in zip(spots, values, strict=True):
        held = designs.number(numbers, spot.place)
        if spot.positions:
            at = jnp.asarray(held).at[jnp.array(spot.positions)]
            value = at.multiply(value) if spot.factor else at.set(value)
        elif spot.factor:
            value = value * held
        numbers = designs.placed(numbers, (spot.place,), (value,))
    return numbers


def known(structure: Structure, launcher: str, profiles: Mapping[str, Any]) -> dict[str, Held]:
    """What holds each number or curve, by path; `profiles` are those of the configuration, by slot.

    Of money, what the cost of a satellite depends on.
    """
    (cohort,) = structure.cohorts
    priced = {
        f"{slot}.{key}": (Place((cohort.name,), slot, key), parameter.quantity)
        for slot, read in money.read(launcher).items()
        for key, parameter in registry.schema(slot, launcher if slot == "launch" else None).items()
        if key in read
    }
    return {
        path: Held(place, quantity, len(getattr(profiles[place.slot], place.key)) if quantity.knots else 0)
        for path, (place, quantity) in (designs.quantities(structure) | priced).items()
        if not place.key.rpartition(".")[2].isdecimal()  # values of a list are found as those of any curve
    }


def found(where: str, path: str, known: Mapping[str, Held]) -> tuple[Spot, ...]:
    """The number at a path, or every value of the curve there; ConfigError, begun by `where`, if there is none."""
    if path in known:
        return tuple(_spots(path, known[path]))
    curve, _, number = path.rpartition(".")
    if curve in known and known[curve].size:
        if number in map(str, range(known[curve].size)):
            return (tuple(_spots(curve, known[curve]))[int(number)],)
        raise ConfigError(f"{where}: {path}: {curve} has the values 0 to {known[curve].size - 1}")
    raise ConfigError(f"{where}: {path}: no number that a design can vary{nearest(path, known)}")


def _spots(path: str, held: Held) -> Iterator[Spot]:
    if not held.size:
        yield Spot(path, held.place, (), held.quantity)
        return
    filling = PRINTED_MOST - held.size if held.quantity.knots == PRINTED else 0
    for number in range(held.size):
        positions = tuple(range(filling + 1)) if number == 0 else (filling + number,)
        yield Spot(f"{path}.{number}", held.place, positions, held.quantity)
