"""A problem of design with numbers like those of a satellite, in closed form, and its folder; nothing is simulated."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from twin import composing
from twin.design import folder as design_folder
from twin.design.folder import Answer
from twin.design.pareto import FrontPoint, Second
from twin.design.problem import Limit, Objective, Problem, Row, Variable
from twin.design.solution import Solution, Start, Status
from twin.tables import Table

SCENARIOS = ("longest_eclipse", "hot_<case>")
OVERRIDES = ("satellite=spacex_ai1_like", "solar_cell=azur_3g30c", "orbit=dawn_dusk_550", "array.initial_health=0.9")
MEASURES = ("mass_kg", "overheat_upper_margin_k", "state_of_charge_lower_margin", "delivered_flops", "max_dose_gy")


def problem() -> Problem:
    """The lightest satellite of two areas and a whole number of chips, in two scenarios."""
    die = [Limit("die", Row("overheat_upper_margin_k", s), "K", "least", 3.0, 10.0) for s in SCENARIOS]
    charge = Limit("charge", Row("state_of_charge_lower_margin", SCENARIOS[0]), "1", "least", 0.02, 0.1)
    work = Limit("work", Row("delivered_flops", SCENARIOS[1]), "flop/s", "least", 7.5e16, 7.5e16)
    dose = Limit("dose", Row("max_dose_gy", SCENARIOS[1]), "Gy", "most", 150.0, 150.0)
    return Problem(
        name="least_mass",
        variables=(
            Variable("array.area_m2", "m2", 200.0, 900.0, 600.0),
            Variable("radiator.area_m2", "m2", 80.0, 140.0, 110.0, scales=("coolant_loop.mass_flow_kg_per_s",)),
            Variable("accelerator.count", "", 40.0, 160.0, 64.0, integer=True),
        ),
        scenarios=SCENARIOS,
        objective=Objective("minimize", (("mass_kg", 1.0),), "mean", "kg"),
        limits=(*die, charge, work, dose),
        rows=tuple(Row(measure, scenario) for measure in MEASURES for scenario in SCENARIOS),
    )


BEFORE = np.array([9161.0, 9161.0, -4.2, -9.0, 0.31, 0.30, 8.1e16, 8.0e16, 120.0, 120.0])
VALUES = np.array([7912.0, 7912.0, 8.1, 3.0, 0.02, 0.05, 7.6e16, 7.5e16, 120.0, 120.0])


def solution(**changed: Any) -> Solution:
    """What was found: three limits and a bound hold the design."""
    slopes = np.zeros((10, 3))
    slopes[:2] = [4.0, 9.0, 30.0]
    slopes[2:4] = [0.0, 0.4, -0.5]
    slopes[6:8] = [0.0, 0.0, 1.1e15]
    starts = (
        _start([600.0, 110.0, 64.0], [471.3, 140.0, 61.0], 7912.0, "converged"),
        _start([250.0, 90.0, 150.0], [471.3, 140.0, 61.0], 7912.2, "converged"),
        _start([800.0, 130.0, 50.0], [690.0, 120.0, 60.0], 8630.0, "stopped"),
        _start([300.0, 85.0, 155.0], [310.0, 140.0, 70.0], 7300.0, "infeasible"),
    )
    found = Solution(
        design=np.array([471.3, 140.0, 61.0]),
        values=VALUES,
        slopes=slopes,
        objective=7912.0,
        margins=np.array([5.1, 0.0, 0.0, 0.0, 30.0]),
        prices=np.array([0.0, 0.8, 120.0, 1.5e-14, 0.0]),
        bound_prices=np.array([0.0, 2.5, 0.0]),
        kkt_residual=3e-8,
        tolerance=1e-6,
        status="converged",
        message="Converged, held by die, charge, work and radiator.area_m2 at its upper bound, KKT residual 3.0e-08; "
        "2 of 4 starts lead here; rounded accelerator.count 60.6 -> 61: +0.3 % of mass_kg",
        iterations=14,
        evaluations=83,
        wall_s=12.34,
        starts=starts,
    )
    return replace(found, **changed)


def _start(first: list[float], last: list[float], objective: float, status: Status) -> Start:
    return Start(np.array(first), np.array(last), objective, 0.3 if status == "infeasible" else 0.0, 20, status)


def infeasible() -> Solution:
    """No design holds both limits."""
    message = (
        "No design was found that holds all limits; these limits conflict: die (12 K below its least, 3 K) and "
        "work (1.2e+15 flop/s below its least, 7.5e+16 flop/s), with radiator.area_m2 at its upper bound"
    )
    margins = np.array([-2.0, -12.0, 0.1, -1.2e15, 30.0])
    values = VALUES.copy()
    values[[2, 3, 4, 7]] = [1.0, -9.0, 0.12, 7.38e16]
    none = np.zeros(5)
    return solution(status="infeasible", message=message, margins=margins, values=values, prices=none)


def pareto() -> Table:
    """A front of mass over work, with one point that was not found and one that another is better than."""
    work = np.linspace(6e16, 9e16, 7)
    mass = 7912.0 * (work / 7.5e16) ** 1.3
    found = [
        solution(design=np.array([300.0 + 40 * k, 95.0 + 7 * k, 50.0 + 4 * k]), objective=float(m))
        for k, m in enumerate(mass)
    ]
    found[-1] = infeasible()
    found[1] = solution(objective=8000.0, status="stopped")
    dominated = [one.objective == 8000.0 or one.status == "infeasible" for one in found]
    points = [FrontPoint(w, w, one, worse) for w, one, worse in zip(work.tolist(), found, dominated, strict=True)]
    second = Second("delivered_flops", "worst", "least", "flop/s", 7.5e16)
    return design_folder.pareto(problem(), second, points, solution())


def elasticities() -> Table:
    """What a per cent does to the optimum."""
    rows = [
        ("number", "solar_cell.efficiency_bol", "", 0.3, -9000.0, -0.34),
        ("number", "radiator.areal_mass_kg_per_m2", "kg/m2", 4.0, 420.0, 0.21),
        ("limit", "work, hot_<case>", "flop/s", 7.5e16, 1.5e-14, 0.14),
        ("bound", "radiator.area_m2, upper bound", "m2", 140.0, -2.5, -0.044),
        ("variable", "array.area_m2", "m2", 471.3, 4.0, 0.24),
        ("variable", "accelerator.count", "", 61.0, 30.0, 0.23),
    ]
    names = ("of", "path", "unit", "value", "slope", "elasticity")
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def answer(found: Solution | None = None, **asked: Table) -> Answer:
    """All of it, with a configuration that is composed as any other."""
    return Answer(problem(), found or solution(), BEFORE, *_composed(), asked)


@cache
def _composed() -> tuple[Mapping[str, Any], Mapping[str, str]]:
    return composing.composed("simulate", OVERRIDES)[0], composing.choices("simulate", OVERRIDES)


def write(folder: Path, found: Solution | None = None, **asked: Table) -> Path:
    """A folder with what every design has, and more."""
    design_folder.write(folder, answer(found, **asked))
    return folder
