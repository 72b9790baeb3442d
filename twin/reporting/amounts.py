"""Levels, changes and steps of any number, in words that suit its unit: 130 kWh, 0.8 kg, one more kelvin."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from twin.reporting import human

FRACTIONS = ("fraction", "charge", "charge_margin", "charge_lower_margin", "quality", "quality_upper_margin", "share")
NO_UNIT = ("", "1")
WHOLE = ("", "1", "per_year")  # of numbers that are parts of a whole
ROUNDING = 1e-12  # of what a number is compared with: less of it is nothing


class Step(NamedTuple):
    """A change that people think in: how much it is, how many of what."""

    size: float
    many: str
    noun: str

    def more(self) -> str:
        """One more kelvin."""
        return f"{self.many} more {self.noun}"

    def less(self) -> str:
        """One kelvin less."""
        return f"{self.many} {self.noun} less"

    @property
    def several(self) -> bool:
        """Whether its verb is plural."""
        return self.many != "one"


# Of each unit from the smallest number up: least size of the number itself, and the step that suits it.
_STEPS: dict[str, tuple[tuple[float, Step], ...]] = {
    "K": ((0.0, Step(1.0, "one", "kelvin")),),
    "W": ((0.0, Step(1.0, "one", "watt")), (5e3, Step(1e3, "one", "kilowatt")), (5e6, Step(1e6, "one", "megawatt"))),
    "J": ((0.0, Step(3600.0, "one", "watt hour")), (1.8e7, Step(3.6e6, "one", "kilowatt hour"))),
    "kg": ((0.0, Step(1.0, "one", "kilogram")), (1e4, Step(1e3, "one", "tonne"))),
    "kg/s": ((0.0, Step(0.1, "100", "grams a second")),),
    "m": (
        (0.0, Step(1e-5, "ten", "micrometres")),
        (2e-3, Step(1e-3, "one", "millimetre")),
        (1.0, Step(1.0, "one", "metre")),
        (1e4, Step(1e3, "one", "kilometre")),
        (1e5, Step(1e4, "ten", "kilometres")),
    ),
    "m2": ((0.0, Step(1.0, "one", "square metre")),),
    "rad": ((0.0, Step(math.pi / 180.0, "one", "degree")),),
    "s": (
        (0.0, Step(1.0, "one", "second")),
        (600.0, Step(60.0, "one", "minute")),
        (2e5, Step(86400.0, "one", "day")),
    ),
    "years": ((0.0, Step(1.0, "one", "year")),),
    "Gy": ((0.0, Step(1.0, "one", "gray")),),
    "usd": (
        (0.0, Step(1.0, "one", "dollar")),
        (1e4, Step(1e3, "1000", "dollars")),
        (1e7, Step(1e6, "one", "million dollars")),
    ),
    "flop/s": ((0.0, Step(1e12, "one", "TFLOP/s")), (5e15, Step(1e15, "one", "PFLOP/s"))),
}
_POINT, _ONE = Step(0.01, "one", "point"), Step(1.0, "one", "unit")


def is_fraction(name: str, unit: str) -> bool:
    """Whether a number is read in per cent, its changes in points."""
    return unit in NO_UNIT and name.rpartition(".")[2].endswith(FRACTIONS)


def step(name: str, unit: str, size: float) -> Step:
    """The step that suits a number of this size; a hundredth of it where its unit has none."""
    if is_fraction(name, unit):
        return _POINT
    if unit in NO_UNIT:
        return _ONE if abs(size) >= 5.0 else Step(0.01, "one", "hundredth")
    if steps := _STEPS.get(unit) or _STEPS.get(unit.lower()):
        return [each for least, each in steps if abs(size) >= least][-1]
    return Step(0.01 * abs(size), "one", "per cent") if size else Step(1.0, "one", unit)


def rounded(value: float | None, unit: str, others: Iterable[float | None]) -> float | None:
    """A number, or 0 where it is but rounding beside others of its kind, or beside the whole that it is a part of."""
    sizes = [abs(other) for other in others if other is not None] + [1.0] * (unit in WHOLE)
    return 0.0 if value is not None and abs(value) <= ROUNDING * max(sizes, default=0.0) else value


def level(name: str, unit: str, value: float | None) -> str:
    """A number as it is: 73.2 °C, 130 kWh, 650 km."""
    if value is None or not math.isfinite(value):
        return human.NOTHING
    if unit == "K" and "margin" not in name:
        return f"{value - human.ZERO_CELSIUS_K:.1f} °C"
    return amount(name, unit, value)


def amount(name: str, unit: str, value: float | None) -> str:
    """A change or a distance: 3.0 K, 4.2 points, 0.8 kg."""
    if value is None or not math.isfinite(value):
        return human.NOTHING
    if is_fraction(name, unit):
        return human.percent(value) if value >= 0.0 else f"{100.0 * value:.1f} %"
    if text := _TEXTS.get(unit) or _TEXTS.get(unit.lower()):
        return text(value)
    return f"{number(value)} {'' if unit in NO_UNIT else unit}".rstrip()


def points(name: str, unit: str, value: float | None) -> str:
    """A difference of two numbers: of fractions in points."""
    if value is not None and math.isfinite(value) and is_fraction(name, unit):
        return f"{human.digits(100.0 * value)} points"
    return amount(name, unit, value)


def number(value: float) -> str:
    """Four digits, and all before the point of a larger number."""
    return human.digits(value, 4) if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def change(before: float | None, after: float | None) -> str:
    """What became of a number, in per cent: 13.6 % less."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)) or before == 0.0:
        return ""
    percent = 100.0 * (after / before - 1.0)
    if abs(percent) < 0.05:
        return "as before"
    return f"{human.digits(abs(percent))} % {'more' if after > before else 'less'}"


def _mass(value: float) -> str:
    return human.si(value * 1e3, "g") if abs(value) < 0.1 else human.mass(value)


def _money(value: float) -> str:
    million = abs(value) >= 1e6
    return f"{human.digits(value / (1e6 if million else 1.0))} {'million ' if million else ''}USD"


_TEXTS: dict[str, Callable[[float], str]] = {
    "K": lambda value: f"{human.digits(value, 2 if abs(value) < 1.0 else 3)} K",
    "W": lambda value: human.si(value, "W"),
    "J": human.energy,
    "kg": _mass,
    "m": lambda value: human.si(value, "m"),
    "m2": lambda value: f"{number(value)} m2",
    "rad": lambda value: f"{number(math.degrees(value))}°",
    "s": human.duration,
    "Gy": human.dose,
    "flop/s": human.flops,
    "flops": human.flops,
    "flop/kg": lambda value: human.si(value, "FLOP/kg"),
    "flop/usd": lambda value: human.si(value, "FLOP/USD"),
    "flop": human.flop,
    "per_year": lambda value: f"{number(value)} a year",
    "usd": _money,
    "usd/year": lambda value: f"{_money(value)} a year",
    "usd/h": lambda value: f"{human.digits(value)} USD/h",
    "usd/PFLOP-day": lambda value: f"{human.digits(value)} USD/PFLOP-day",
}
