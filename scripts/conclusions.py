"""Deploy what docs/conclusions.md tells of and write it: `python scripts/conclusions.py` (some minutes)."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from rich.progress import track  # noqa: E402

import twin  # noqa: E402
from twin import config as configs  # noqa: E402
from twin.deployment import studies  # noqa: E402
from twin.model import numbers_of  # noqa: E402
from twin.reporting import conclusions  # noqa: E402
from twin.reporting.conclusions import MEASURE, Found  # noqa: E402
from twin.reporting.deployment_facts import Deployment  # noqa: E402
from twin.reporting.published_results import Published  # noqa: E402
from twin.reporting.weak_assumptions import Variant  # noqa: E402

EXPERIMENTS = ("hundred_gigawatt", "first_gigawatt", "suncatcher_2035")
NO_ANALYSIS = "analysis=none"
# Assumptions of the first experiment that no range of its analysis covers: what is assumed, what instead, and why.
VARIANTS = (
    (
        "Starship's 100 t fly due east to 200 km",
        "launch.reference_altitude_m=5e5 launch.reference_inclination_rad=1.726",
        "its users' guide of 2020 can be read as 100 t to a Sun-synchronous orbit of 500 km",
    ),
    (
        "masses summed from parts",
        "deployment.mass_scale={claimed_mass:.3f}",
        "Starcloud states 15 kg/kW for such a satellite",
    ),
    (
        "prices are those of the thousandth satellite",
        "manufacture.reference_satellites=100",
        "none has been made: they may be those of the hundredth",
    ),
    (
        "prices are those of the thousandth satellite",
        "manufacture.reference_satellites=10000",
        "or of the ten-thousandth, as Starlink's line has made",
    ),
    (
        "silicon cells made for space",
        "solar_cell=azur_4g32c_advanced array.area_m2=800 manufacture.cell_price_usd_per_w=50",
        "gallium arsenide is what has flown for decades; 50 to 150 USD/W",
    ),
    (
        "8 % a year, real",
        "economics=patient economics.accelerator_hour_price_usd_per_h=2.69",
        "a public owner asks 3",
    ),
    (
        "chips stay as they are for thirty years",
        "economics.accelerator_progress_per_year=0.2",
        "new ones do more for the same price and power; the ground, which grows longer, gets more of them",
    ),
    ("failed chips stay dead in orbit", "servicing=visits", "visits could replace them, at a price"),
    (
        "chips wear out as the K20X of Titan did",
        "reliability.wear_out_scale_years=30",
        "one batch of those had a defect",
    ),
    ("electricity at the price of 2026", "ground.grid.electricity_growth_per_year=0.03", "demand may outrun supply"),
)


def deployed(experiment: str, *overrides: str) -> Deployment:
    """A deployment as its folder would have it."""
    config = twin.compose_project([f"experiment={experiment}", *overrides])
    found = twin.deploy(config)
    return Deployment(Path(experiment), found.summary, config.resolved, found.tables)


def published(study: str) -> Published:
    """A study, and the deployment that is nearest to it."""
    found = deployed(f"published/{study}", NO_ANALYSIS)
    numbers = numbers_of("study", configs.profile("study", found.configuration["study"]))
    module = studies.module(study)

    def both(of: dict) -> tuple[float, float]:
        return float(of["orbit"]), float(of.get("ground", float("nan")))

    again, mended = both(studies.results(study, numbers)), both(studies.corrected(study, numbers))
    return Published(found, module.DENOMINATOR, again, mended, tuple(module.CORRECTIONS))


def variants(main: Deployment) -> Iterator[Variant]:
    """The first experiment with one assumption changed at a time."""
    stated = next(cost.least for cost in studies.published_costs() if cost.source == "Starcloud-3")
    satellite = main.summary["satellite"]
    claimed_mass = stated * satellite["nominal_power_w"] / (1e3 * satellite["mass_kg"])
    for assumption, change, why in track(VARIANTS, "what no range covers"):
        words = change.format(claimed_mass=claimed_mass)
        found = deployed(EXPERIMENTS[0], NO_ANALYSIS, *words.split())
        power_w = found.summary["places"]["orbit"]["last_power_w"]
        yield Variant(assumption, words, why, conclusions.ratio_of(found, MEASURE), power_w)


def main() -> None:
    """Deploy everything and write docs/conclusions.md."""
    deployments, others, seconds = {}, {}, {}
    for name in track((*EXPERIMENTS, *studies.STUDIES), "deploying"):
        started = time.perf_counter()
        if name in EXPERIMENTS:
            deployments[name] = deployed(name)
        else:
            others[name] = published(name)
        seconds[name] = time.perf_counter() - started
    started = time.perf_counter()
    changed = tuple(variants(deployments[EXPERIMENTS[0]]))
    seconds[conclusions.CHANGED] = time.perf_counter() - started
    packages = ", ".join(f"{name} {version(name)}" for name in ("jax", "numpy"))
    made = f"{date.today()}, with Python {platform.python_version()}, {packages}"
    found = Found(deployments, others, studies.published_costs(), changed, seconds, made)
    (ROOT / "docs" / "conclusions.md").write_text(conclusions.page(found), encoding="utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # takes no argument
    main()
