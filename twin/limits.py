"""Which limit holds a design back, and by how much, in the units of that limit."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from twin.budget import Budget

# A limit counts as binding when it holds the fleet back for more than this part of the time.
NOTICEABLE = 1e-3
ORBIT_S, DRAINED = 5400.0, 0.05  # part of the load that a battery may lend over a run longer than an orbit
BROKEN = -0.01  # of a margin in its own unit: below it a limit counts as broken
# A limit is near within so many kelvins, points of a fraction, or per cent of the dose allowed.
NEAR = 20.0
_UNITS = ("_k", "_gy")

Flat = Mapping[str, Any]


class Verdict(NamedTuple):
    """A limit that binds, and a sentence that says by how much."""

    name: str
    reason: str


WORDS = {
    "battery_temperature_upper_margin_k": "battery temperature too high",
    "battery_temperature_lower_margin_k": "battery temperature too low",
    "coolant_temperature_upper_margin_k": "coolant temperature too high",
    "coolant_temperature_lower_margin_k": "coolant temperature too low",
    "radiator_temperature_upper_margin_k": "radiator temperature too high",
    "state_of_charge_lower_margin": "state of charge too low",
    "vapour_quality_upper_margin": "dry-out of the evaporator",
    "dose_upper_margin_gy": "radiation dose above what the accelerators were tested to",
}


def margins(flat: Flat, budget: Budget) -> dict[str, float]:
    """Distance to every limit, negative when it is broken."""
    found = {}
    for name, limit in budget.limits.items():
        value = flat[name]
        if value is not None:
            found[margin_name(name)] = float(limit) - value if name.startswith("max") else value - float(limit)
    return found


def margin_name(limit: str) -> str:
    """max_battery_temperature_k becomes battery_temperature_upper_margin_k."""
    side, _, quantity = limit.partition("_")
    word = "upper" if side == "max" else "lower"
    unit = _unit(quantity)
    return f"{quantity.removesuffix(unit)}_{word}_margin{unit}"


def _unit(name: str) -> str:
    """Unit that ends a name; none for a fraction."""
    return next((unit for unit in _UNITS if name.endswith(unit)), "")


def verdicts(flat: Flat, margin: Mapping[str, float], budget: Budget, duration_s: float) -> list[Verdict]:
    """What binds: heat and power while the satellites work, and limits that were broken; else the cap or the demand."""
    held = *_heat(flat, margin, budget), *_power(flat, duration_s), *_links(flat)
    found = [*held, *_broken(margin), *_undone(flat, budget)]
    return found or [Verdict("demand", _nearest(margin, budget))]


def _undone(flat: Flat, budget: Budget) -> Iterator[Verdict]:
    """Work that neither heat nor power left undone: switched off, stopped by upsets, failed, or above the cap."""
    asked = max(flat["assigned_flop"], 1.0)
    unmet, lost = asked - flat["delivered_flop"], flat.get("work_lost_to_upsets_flop") or 0.0
    dead = 1.0 - flat["accelerators_alive"] / max(float(budget.accelerators) * flat["satellites"], 1e-9)
    failed = max(dead, flat.get("accelerators_dead_fraction") or 0.0)  # renewal hides the dead of the years before
    absent = flat.get("out_of_service_fraction") or 0.0
    held = flat["throttled_fraction"] > NOTICEABLE or flat["power_limited_fraction"] > NOTICEABLE
    if flat["assigned_flop"] <= 0.0 or not unmet > NOTICEABLE * asked:
        return
    if lost > NOTICEABLE * asked:
        yield Verdict("upsets", f"{lost / asked:.1%} of the work asked was lost to them")
    if failed > NOTICEABLE and budget.accelerators > 0.0:
        when = "at the end" if failed == dead else "in the mean of the run"
        yield Verdict("failed accelerators", f"{failed:.1%} of them had failed {when}")
    if absent > NOTICEABLE:
        yield Verdict("satellites in commissioning", f"{absent:.1%} of the time slots waited for a successor")
    if float(budget.payload_off_s) > 0.0:
        yield Verdict("payload switched off", f"{unmet / asked:.1%} of the work asked was left undone")
    elif not held and unmet - lost - (failed + absent) * asked > NOTICEABLE * asked:
        share = (unmet - lost) / asked
        yield Verdict("power cap of the accelerators", f"{share:.1%} of the work asked is above what the cap allows")


def _heat(flat: Flat, margin: Mapping[str, float], budget: Budget) -> Iterator[Verdict]:
    """Throttling: by die or memory, or by the radiator where coolant at its set point would have done."""
    if not min(flat["throttled_fraction"], flat["underserved_fraction"]) > NOTICEABLE:
        return
    names = {"die": "accelerator_temperature_upper_margin_k", "memory": "memory_temperature_upper_margin_k"}
    part = min(names, key=lambda name: margin.get(names[name], 0.0))
    over_k = -margin["overheat_upper_margin_k"]
    warm_k = flat["max_coolant_temperature_k"] - float(budget.set_point_k)
    held = (
        f"throttled {flat['throttled_fraction']:.1%} of the time; at the work asked the {part} would be {over_k:.1f} K"
    )
    if warm_k >= over_k:
        reason = f"{held} too hot, and the coolant comes {warm_k:.1f} K above its set point"
        yield Verdict("radiator", reason)
    else:
        yield Verdict(f"{part} temperature", f"{held} above its limit")


def _power(flat: Flat, duration_s: float) -> Iterator[Verdict]:
    """Shedding: the array where it gives too little in all, the battery where it cannot carry what the array gives."""
    shed_j, spare_j = flat["shed_energy_j"], max(flat["curtailed_energy_j"], 0.0)
    drained_j = -flat["battery_energy_j"]
    if duration_s > ORBIT_S and drained_j > DRAINED * flat["load_energy_j"] and drained_j > spare_j:
        mean_w = drained_j / (flat["satellites"] * duration_s)
        yield Verdict("array", f"the batteries gave {mean_w / 1e3:.3g} kW in the mean that it did not give back")
        return
    if not flat["power_limited_fraction"] > NOTICEABLE:
        return
    mean_w = shed_j / max(flat["satellites"] * duration_s, 1e-9)
    held = f"short of power {flat['power_limited_fraction']:.1%} of the time, by {mean_w / 1e3:.3g} kW in the mean"
    if shed_j > spare_j:
        yield Verdict("array", f"{held}, of which it had {spare_j / shed_j:.0%} to spare at other times")
    else:
        yield Verdict("battery", f"{held}, all of which the array had to spare at other times")


def _links(flat: Flat) -> Iterator[Verdict]:
    """Results that have no way down: lost, or more of them waiting than their links carry."""
    produced = flat.get("produced_bit") or 0.0
    if not produced > 0.0:
        return
    unsent, lost = 1.0 - flat["sent_bit"] / produced, flat["data_lost_bit"] / produced
    able = flat["downlink_able_bit"] / produced
    if able < 1.0:
        yield Verdict("link to the ground", f"{unsent:.1%} of the results did not get down, {able:.0%} could have")
    elif lost > NOTICEABLE:
        yield Verdict("store on board", f"{lost:.1%} of the results had no room to wait in; links could carry them all")


def _broken(margin: Mapping[str, float]) -> Iterator[Verdict]:
    for name, words in WORDS.items():
        if margin.get(name, 0.0) < BROKEN:
            yield Verdict(words, distance(name, margin[name]))


def _amount(name: str, size: float) -> str:
    """Size of a margin in the unit that its name ends in."""
    return {"_k": f"{size:.1f} K", "_gy": f"{size:.3g} Gy", "": f"{100.0 * size:.1f} points"}[_unit(name)]


def _nearest(margin: Mapping[str, float], budget: Budget) -> str:
    """The smallest margin, unless it is large."""
    name, size = nearest(margin, budget)
    if not name:
        return "no limit is modelled"
    if size > NEAR:
        return "nothing binds and no limit is near"
    return f"nothing binds; nearest limit: {what(name)}, {_amount(name, max(margin[name], 0.0))} away"


def nearest(margin: Mapping[str, float], budget: Budget) -> tuple[str, float]:
    """Name of the smallest margin, and its size in kelvins; no name where there are none.

    A point of charge or quality and a per cent of the dose allowed count as a kelvin.
    """
    per = {"_k": 1.0, "": 100.0, "_gy": 100.0 / float(budget.limits.get("max_dose_gy", 1.0))}
    sizes = {name: per[_unit(name)] * value for name, value in margin.items()}
    return min(sizes.items(), key=lambda item: item[1], default=("", math.inf))


def what(margin_name: str) -> str:
    """The quantity of a margin in words: accelerator temperature."""
    stem = margin_name.removesuffix(_unit(margin_name)).removesuffix("_margin")
    return stem.removesuffix("_upper").removesuffix("_lower").replace("_", " ")


def distance(margin_name: str, size: float) -> str:
    """A margin in words: 5.3 K away, 1.2 K beyond the limit."""
    return f"{_amount(margin_name, abs(size))} {'away' if size >= 0.0 else 'beyond the limit'}"
