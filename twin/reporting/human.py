"""Numbers as people read them: prefixes, degrees Celsius, per cent, and margins in words."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

ZERO_CELSIUS_K = 273.15
NOTHING = "-"
# Below these margins a design counts as tight: kelvins, points of a fraction, part of the dose allowed.
TIGHT_K, TIGHT_POINTS, TIGHT_DOSE = 5.0, 0.05, 0.1
_PREFIXES = {
    -12: "p",
    -9: "n",
    -6: "µ",
    -3: "m",
    0: "",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
    15: "P",
    18: "E",
    21: "Z",
    24: "Y",
}


class Limit(NamedTuple):
    """An extreme of a run and its margin, by their keys in the summary."""

    label: str
    value: str
    margin: str


LIMITS = (
    Limit("Die, hottest", "max_accelerator_temperature_k", "accelerator_temperature_upper_margin_k"),
    Limit("Memory, hottest", "max_memory_temperature_k", "memory_temperature_upper_margin_k"),
    Limit("Coolant, warmest", "max_coolant_temperature_k", "coolant_temperature_upper_margin_k"),
    Limit("Coolant, coldest", "min_coolant_temperature_k", "coolant_temperature_lower_margin_k"),
    Limit("Vapour quality, highest", "max_vapour_quality", "vapour_quality_upper_margin"),
    Limit("Radiator, warmest", "max_radiator_temperature_k", "radiator_temperature_upper_margin_k"),
    Limit("Battery, warmest", "max_battery_temperature_k", "battery_temperature_upper_margin_k"),
    Limit("Battery, coldest", "min_battery_temperature_k", "battery_temperature_lower_margin_k"),
    Limit("Array, warmest", "max_array_temperature_k", "array_temperature_upper_margin_k"),
    Limit("State of charge, lowest", "min_state_of_charge", "state_of_charge_lower_margin"),
    Limit("Radiation dose, highest", "max_dose_gy", "dose_upper_margin_gy"),
)


def limits_of(*designs: Mapping[str, Any]) -> list[Limit]:
    """Limits of whose extreme at least one design has a value: a liquid loop has no vapour."""
    return [limit for limit in LIMITS if any(known(numbers.get(limit.value)) for numbers in designs)]


def columns(fleet: Mapping[str, Any], cohorts: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Numbers of the fleet and of each cohort; of a single one together, which is the fleet."""
    if len(cohorts) > 1:
        return {"fleet": fleet, **cohorts}
    return {name: {**fleet, **numbers} for name, numbers in cohorts.items()}


def known(value: Any) -> bool:
    """Whether a value is a number at all: neither missing nor NaN."""
    return isinstance(value, int | float) and math.isfinite(value)


def digits(value: float, significant: int = 3) -> str:
    """Plain decimal notation with so many significant digits, thin spaces between thousands."""
    if value == 0:
        return "0"
    # Rounded first: 999.7 has four digits before the point.
    before = math.floor(math.log10(abs(float(f"{value:.{significant - 1}e}")))) + 1
    return f"{value:,.{max(significant - before, 0)}f}".replace(",", "\u202f")


def whole(number: float) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")


def si(value: Any, unit: str) -> str:
    """A value with the prefix that leaves 1 to 999 before the unit: 4.39 EFLOP/s."""
    if not known(value):
        return NOTHING
    if value == 0:
        return f"0 {unit}"
    power = 3 * math.floor(math.log10(abs(value)) / 3)
    # 999.7 would be printed as 1000.
    power += 3 if abs(value) / 10.0**power >= 999.5 else 0
    power = min(max(power, min(_PREFIXES)), max(_PREFIXES))
    return f"{digits(value / 10.0**power)} {_PREFIXES[power]}{unit}"


def flop(value: Any) -> str:
    """Work: 379 ZFLOP."""
    return si(value, "FLOP")


def flops(value: Any) -> str:
    """Rate of work: 4.39 EFLOP/s."""
    return si(value, "FLOP/s")


def speed(satellite_steps_per_s: Any) -> str:
    """Speed of the program: 1.19 M satellite-steps/s."""
    return f"{si(satellite_steps_per_s, '')} satellite-steps/s"


def energy(joules: Any) -> str:
    """Energy in watt hours, as grids count it: 173 MWh."""
    return si(joules / 3600.0, "Wh") if known(joules) else NOTHING


def mass(kilograms: Any) -> str:
    """Kilograms up to ten tonnes, tonnes beyond."""
    if not known(kilograms):
        return NOTHING
    return f"{digits(kilograms)} kg" if kilograms < 1e4 else f"{digits(kilograms / 1e3)} t"


def percent(fraction: Any) -> str:
    """A fraction in per cent; a trace of it stays visible."""
    if not known(fraction):
        return NOTHING
    value = 100.0 * fraction
    return "< 0.1 %" if 0 < value < 0.05 else f"{value:.1f} %"


def celsius(kelvin: Any) -> str:
    """A temperature on both scales: 74.7 °C (347.9 K)."""
    return f"{kelvin - ZERO_CELSIUS_K:.1f} °C ({kelvin:.1f} K)" if known(kelvin) else NOTHING


def dose(gray: Any) -> str:
    """Ionising dose: 5.91 mGy."""
    return si(gray, "Gy")


def duration(seconds: Any) -> str:
    """A time span in the unit that suits it: 20 ms, 95 min, 36 h, 1 day, 2.5 days."""
    if not known(seconds):
        return NOTHING
    if 0 < seconds < 1:
        return si(seconds, "s").replace(".00 ", " ").replace(".0 ", " ")
    for size, name, most in ((1.0, "s", 120.0), (60.0, "min", 7200.0), (3600.0, "h", 86400.0)):
        if seconds < most:
            return f"{digits(seconds / size)} {name}".replace(".00 ", " ").replace(".0 ", " ")
    days = f"{seconds / 86400.0:.4g}"
    return f"{days} day" if days == "1" else f"{days} days"


def level(limit: Limit, numbers: Mapping[str, Any]) -> str:
    """How near a limit is: "good", "tight", "broken", or "none" where there is no limit."""
    margin = numbers.get(limit.margin)
    if margin is None or not known(margin):
        return "none"
    if margin < 0:
        return "broken"
    return "tight" if margin < _tight(limit, numbers[limit.value] + margin) else "good"


def _tight(limit: Limit, most: float) -> float:
    """Margin below which a design is tight against a limit; `most` is the value allowed."""
    if limit.value.endswith("_gy"):
        return TIGHT_DOSE * most
    return TIGHT_K if limit.value.endswith("_k") else TIGHT_POINTS


def reached(limit: Limit, numbers: Mapping[str, Any]) -> str:
    """The extreme itself, in °C, Gy or per cent."""
    return quantity(limit.value, numbers.get(limit.value))


def margin(limit: Limit, numbers: Mapping[str, Any]) -> str:
    """Distance to the limit in words: 14.3 K below limit."""
    value = numbers.get(limit.margin)
    if value is None or not known(value):
        return ""
    above = limit.value.startswith("min") == (value >= 0)
    size = abs(value)
    words = f"{100 * size:.1f} points"
    if limit.value.endswith("_k"):
        words = f"{size:.1f} K"
    elif limit.value.endswith("_gy"):
        words = dose(size)
    return f"{words} {'above' if above else 'below'} limit"


def quantity(key: str, value: Any) -> str:
    """A number of the summary in the unit that its key names."""
    if not known(value):
        return value if isinstance(value, str) else NOTHING
    if key.endswith("margin_k"):
        return f"{value:.2f} K"
    for ending, text in _BY_ENDING.items():
        if key.endswith(ending):
            return text(value)
    return f"{value:.3g}" if abs(value) < 1e3 else digits(value)


_BY_ENDING = {
    "residual": lambda value: f"{value:.1e}",
    "kg_per_kw": lambda value: f"{digits(value)} kg/kW",
    "_gy_per_year": lambda value: f"{dose(value)} a year",
    "_m_per_s_per_year": lambda value: f"{digits(value)} m/s a year",
    "_loss_per_year": lambda value: f"{percent(value)} a year",
    "_years": lambda value: f"{digits(value)} years",
    "fraction": percent,
    "state_of_charge": percent,
    "charge_lower_margin": percent,
    "quality": percent,
    "quality_upper_margin": percent,
    "requests": lambda value: si(value, "").rstrip(),
    "_tokens": lambda value: f"{si(value, '')} tokens",
    "_days": lambda value: f"{digits(value)} days",
    "utilization": percent,
    "_bit_per_s": lambda value: si(value, "bit/s"),
    "_bit": lambda value: si(value, "bit"),
    "_flops": flops,
    "_flop": flop,
    "_kg": mass,
    "_gy": dose,
    "_m": lambda value: si(value, "m"),
    "_w": lambda value: si(value, "W"),
    "_j": lambda value: f"{energy(value)} ({si(value, 'J')})",
    "_k": celsius,
    "_s": duration,
}
