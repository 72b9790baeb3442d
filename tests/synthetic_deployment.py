"""A folder of a deployment with round numbers, written as the program writes its own, without any simulation."""

from pathlib import Path
from typing import Any

import numpy as np

from twin import answer_folder
from twin.reporting import deployment_facts as facts
from twin.tables import Table

MONTHS, YEARS = 36, 3
SITE = "gas & <i>steam</i>"
PLACES = {"orbit": 4.0, "grid": 1.0, SITE: 1.6, "beamed_power": 2.0}  # and what a PFLOP-day costs
DATES = [f"{2026 + month // 12}-{1 + month % 12:02d}" for month in range(MONTHS)]
MONTH = np.arange(MONTHS)


def metrics(place: str) -> dict[str, float]:
    """All metrics of a place: costs in the ratio of `PLACES`."""
    found = {metric: PLACES[place] for group in facts.GROUPS.values() for metric in group}
    never = float("inf")
    return found | {
        "delivered_flop": 8.64e22,  # a thousand PFLOP-days
        "delivered_fraction": 0.75,
        "last_power_w": 4e8,
        "most_power_w": 5e8,
        "years_to_1_gw": 2.5,
        "years_to_10_gw": never,
        "years_to_100_gw": never,
        "units_launched": 28568.5178,
        "launches": 4358.44,
        "total_usd": 492e9,
        "residual_usd": 0.5e3,
        "net_present_value_usd": -138e9,
        "water_l_per_kwh": 0.0 if place == "orbit" else 0.4,
    }


def summary() -> dict[str, Any]:
    """Summary of a deployment in which orbit costs four times the grid."""
    places = {place: metrics(place) for place in PLACES}
    return {
        "verdict": ["Orbit never reaches 1 GW: 0.4 GW at equilibrium.", "It is held by <launch>."],
        "satellite": {
            "mass_kg": 9161.0,
            "nominal_power_w": 104e3,
            "accelerators": 96.0,
            "nominal_flops": 7.6e16,
            "array_area_m2": 480.0,
            "array_power_w": 180e3,
            "battery_energy_j": 4.68e8,
            "radiator_area_m2": 200.0,
            "altitude_m": 650e3,
            "inclination_rad": 1.71,
            "sunlit_fraction": 0.9614,
            "array_health": 0.93,
            "specific_mass_kg_per_kw": 96.9,
            "specific_mass_over_life_kg_per_kw": 131.0,
            "chip_failure_per_year": 0.13,
            "launch_usd_per_kg": 1500.0,
            "satellite_usd_per_w": 52.0,
        },
        "places": places,
        "orbit_over_ground": {m: v / places["grid"][m] for m, v in places["orbit"].items() if "usd_per" in m},
        "against": "grid",
        "measure": "levelised_usd_per_pflop_day",
    }


def configuration() -> dict[str, Any]:
    """As much of a configuration as the page shows."""
    sources = {"price_usd": "assumption: 1-2, <b>a guess</b>"}
    return {
        "deployment": {"name": "Half a <gigawatt>", "target_power_w": 5e8, "sources": {"default": "choice: a test"}},
        "launch": {"name": "A & B rockets", "price_usd": 1.5e6, "sources": sources},
        "ground": {"grid": {"name": "A grid", "electricity_usd_per_kwh": 0.07}, SITE: {"name": "Steam"}},
        "satellite": {"name": "Reference"},
        "cohorts": {"reference": {"orbit": {"name": "Dawn-dusk", "altitude_m": 650e3}}},
    }


def tables() -> dict[str, Table]:
    """The tables that every deployment has: launch binds in the first year, solar cells later."""
    scarce = ["launch" if month < 12 else "target" for month in range(MONTHS)]
    curves = [f"unit_usd_per_{work}{chips}" for work in facts.WORK for chips in facts.CHIPS]
    costs = {"orbit": {"launch": 120.0, "accelerators": 30.0, "trifles": 0.1}, "grid": {"energy": 20.0, "hosts": 5.0}}
    lines = [
        (place, date, item, usd * 1e3 / MONTHS)
        for place in PLACES
        for item, usd in costs.get(place, costs["grid"]).items()
        for date in DATES
    ]
    ages = np.arange(11, MONTHS, 12)[:, None] - MONTH
    return {
        "months": {
            "place": [place for place in PLACES for _ in DATES],
            "date": DATES * len(PLACES),
            "launched": [10.0] * (MONTHS * len(PLACES)),
            "nominal_power_w": np.tile(1e8 * np.sqrt(MONTH), len(PLACES)).tolist(),
            **{curve: [value for value in PLACES.values() for _ in DATES] for curve in curves},
            "binding": scarce * len(PLACES),
        },
        "costs": dict(zip(("place", "date", "item", "usd"), map(list, zip(*lines, strict=True)), strict=True)),
        "supply": {
            "resource": [name for name in ("solar_cells", "launch") for _ in DATES],
            "date": DATES * 2,
            "unit": ["W"] * MONTHS + ["launches"] * MONTHS,
            "demand_per_year": [1.0] * MONTHS + [50.0] * MONTHS,
            "ours_per_year": [10.0] * MONTHS + [50.0] * MONTHS,
            "world_per_year": [100.0] * (2 * MONTHS),
            "binds": [False] * MONTHS + [month < 12 for month in range(MONTHS)],
        },
        "vintages": {
            "launched_in": DATES,
            "launched": [10.0] * MONTHS,
            **{f"in_orbit_after_year_{k + 1}": np.where(age >= 0, 9.0, 0.0).tolist() for k, age in enumerate(ages)},
        },
        "life": {
            "year": [1, 2],
            "delivered_flops": [6.8e16, 6.1e16],
            "accelerator_power_w": [95e3, 83e3],
            "accelerators_alive": [87.0, 77.0],
            "sunlit_fraction": [0.961, 0.962],
            "array_health": [0.96, 0.95],
        },
        "metrics": {"metric": list(metrics("grid")), **{place: list(metrics(place).values()) for place in PLACES}},
    }


def answers() -> dict[str, Table]:
    """The tables of all that can be asked."""
    price, altitude = "launch.price_usd", "orbit.altitude_m"
    grid = [(x, y) for x in (1e6, 1.5e6, 1e7) for y in (5e5, 6.5e5)]
    numbers = {"path": [price, altitude], "present": [1.5e6, 6.5e5]}
    ends = {"low": [1e6, 5e5], "high": [3e6, 1e6], "ratio_at_low": [0.5, 3.9], "ratio_at_high": [9.0, 4.2]}
    quantiles = ("q0.05", "q0.5", "q0.95")
    return {
        "parity": {
            **numbers,
            "unit": ["USD", "m"],
            "value": [3e5, float("nan")],
            "factor": [0.2, float("nan")],
            "in_plain_terms": ["3e5 USD", "no value between 5e+05 and 1e+06 m reaches parity"],
        },
        "map_price": {price: [x for x, _ in grid], altitude: [y for _, y in grid], "ratio": [0.5, 0.6, 1.0, 4, 7, 9.0]},
        "ladder": {
            "step": [0, 1, 2],
            "label": ["as it is", "cheap <launch>", "thin array"],
            "values": ["", f"{price} = 3e+05", "array.area_m2 = 300"],
            "ratio": [4.0, 1.2, 0.9],
        },
        "tornado": {**numbers, **ends, "ratio": [4.0, 4.0], "source": ["a", "b"]},
        "elasticities": {"path": [price, altitude], "elasticity": [0.4, -0.1]},
        "capacity": {
            "place": ["orbit"] * YEARS + ["grid"] * YEARS,
            "years": [1.0, 2.0, 3.0] * 2,
            **{name: [k * 1e8] * (2 * YEARS) for k, name in enumerate(quantiles, 1)},
        },
        "drivers": {"path": [price, altitude], "rank_correlation": [0.8, -0.2]},
        "futures": {
            price: [1e6, 1.2e6, 2e6, 2e6],
            "ratio": [0.8, 2.0, 4.0, float("nan")],
            "crossover_years": [1.5, float("inf"), float("inf"), float("nan")],
        },
        "study": {
            "quantity": ["orbit_usd_per_w"],
            "published": [51.1],
            "recomputed": [51.1],
            "corrected": [60.0],
            "tolerance": [0.001],
            "note": ["<as printed>"],
        },
        "waterfall": {
            "step": ["theirs", "launch: 500 to 1500 (ours)", "what the study leaves out", "ours"],
            "value": [51.1, 20.0, -5.0, 66.1],
            "unit": ["USD per W"] * 4,
        },
    }


def write(folder: Path, **more: Table) -> Path:
    """A folder with the tables that every deployment has, and more."""
    answer_folder.write(folder, configuration(), summary(), tables() | more)
    return folder
