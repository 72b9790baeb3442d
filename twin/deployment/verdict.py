"""What a deployment comes to, in sentences: whether it reaches its target, what holds it, and what orbit costs."""

import math

import numpy as np

from kernels.economics.finance import MONTHS_PER_YEAR
from twin.deployment.outcome import ORBIT, Outcome
from twin.deployment.project import Project
from twin.deployment.space import LIMITS

REACHED = 0.999  # of the target: launches come in whole months


def sentences(project: Project, outcome: Outcome) -> list[str]:
    """The result of a deployment, most important first."""
    return [_target(project, outcome), _binding(outcome), *_costs(project, outcome)]


def years_to_target(power_w: np.ndarray, target_w: float) -> float:
    """Years until the power of months, (month,), is that of the target; infinite when it never is."""
    reached = power_w >= REACHED * target_w
    return (1 + int(reached.argmax())) / MONTHS_PER_YEAR if reached.any() else math.inf


def _gw(power_w: float) -> str:
    return f"{power_w / 1e9:.3g} GW" if power_w >= 1e8 else f"{power_w / 1e6:.3g} MW"


def _target(project: Project, outcome: Outcome) -> str:
    power_w = np.asarray(outcome.courses[ORBIT].work.nominal_power_w)
    target_w = float(project.numbers["deployment"]["target_power_w"])
    if math.isfinite(years := years_to_target(power_w, target_w)):
        return f"Orbit reaches {_gw(target_w)} after {years:.1f} years."
    rising = power_w[-1] > 1.01 * power_w[-1 - MONTHS_PER_YEAR] if power_w.size > MONTHS_PER_YEAR else True
    state = (
        f"{_gw(power_w[-1])} and rising after {power_w.size / MONTHS_PER_YEAR:g} years"
        if rising
        else f"{_gw(power_w[-MONTHS_PER_YEAR:].mean())} at equilibrium"
    )
    return f"Orbit never reaches {_gw(target_w)}: {state}."


def _binding(outcome: Outcome) -> str:
    course = outcome.courses[ORBIT]
    counts = np.bincount(np.asarray(course.binding), minlength=len(LIMITS))
    held = [f"{LIMITS[k].replace('_', ' ')} in {counts[k]} months" for k in np.argsort(-counts[1:]) + 1 if counts[k]]
    return f"What holds it back: {', '.join(held)}." if held else "Nothing but its target holds it back."


def _costs(project: Project, outcome: Outcome) -> list[str]:
    """What orbit costs beside the site that it is compared with and beside the cheapest."""
    key, found = "levelised_usd_per_pflop_day", {}
    for place, numbers in outcome.metrics.items():
        if np.isfinite(value := float(numbers[key])) and value > 0.0:  # 0 where nothing was built in time
            found[place] = value
    orbit = found.pop(ORBIT, None)
    if project.shape.against not in found:
        site, years = project.shape.against.replace("_", " "), project.shape.months / MONTHS_PER_YEAR
        return [f"On the ground there is no power from {site} within {years:g} years."]
    if orbit is None:
        return []
    against, cheapest = project.shape.against, min(found, key=lambda place: found[place])
    places = dict.fromkeys((against, cheapest))
    ratios = " and ".join(f"{orbit / found[p]:.3g} times {p.replace('_', ' ')} ({found[p]:.3g})" for p in places)
    return [f"A PFLOP-day costs {orbit:.3g} USD in orbit (levelised, chips included): {ratios}."]
