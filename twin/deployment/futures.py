"""What may come: thousands of futures of a whole deployment, with the numbers drawn from their ranges.

Lives of satellites are simulated for some drawn designs alone; each future has one of these, all equally often.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import special, stats

from twin.deployment import paths
from twin.deployment.questions import Inquiry, Told, designs_of, tell
from twin.schema import Analysis, Range

Z95 = float(special.ndtri(0.95))
TAIL = 0.05  # a lognormal range ends at these quantiles
NEVER = "never"


class Futures(NamedTuple):
    """Drawn numbers and what is told of each, leaves (future, ...)."""

    columns: dict[str, np.ndarray]
    told: Told


def futures(inquiry: Inquiry, analysis: Analysis) -> Futures:
    """All futures: the same for a seed, however many run at once."""
    columns = draws(inquiry, analysis)
    return Futures(columns, tell(inquiry, columns, analysis.futures, "futures"))


def draws(inquiry: Inquiry, analysis: Analysis) -> dict[str, np.ndarray]:
    """Drawn values of every range, (future,)."""
    key = jax.random.key(inquiry.project.model.environment.seed)
    own, of_designs, order = jax.random.split(key, 3)
    simulated = {path: span for path, span in analysis.ranges.items() if path in inquiry.satellite}
    others = {path: span for path, span in analysis.ranges.items() if path not in simulated}
    columns = _drawn(inquiry, others, own, analysis.futures, analysis.sampling)
    designs = _drawn(inquiry, simulated, of_designs, analysis.satellite_designs, analysis.sampling)
    which = jax.random.permutation(order, np.arange(analysis.futures) % analysis.satellite_designs)
    return columns | {path: values[np.asarray(which)] for path, values in designs.items()}


def futures_designs(inquiry: Inquiry, analysis: Analysis) -> np.ndarray:
    """Numbers of the satellite in each future, (future, path)."""
    return designs_of(inquiry, draws(inquiry, analysis), analysis.futures)


def value_at(probability: np.ndarray, low: float, likely: float, high: float, distribution: str) -> np.ndarray:
    """Quantile function of a range: values at cumulative probabilities."""
    if distribution == "uniform":
        return low + probability * (high - low)
    if distribution == "lognormal":
        normal = special.ndtri(TAIL + (1.0 - 2.0 * TAIL) * probability)
        spread = np.where(normal < 0.0, np.log(likely / low), np.log(high / likely)) / Z95
        return np.clip(likely * np.exp(spread * normal), low, high)
    rising = probability * (high - low) < likely - low
    below = low + np.sqrt(probability * (high - low) * (likely - low))
    return np.where(rising, below, high - np.sqrt((1.0 - probability) * (high - low) * (high - likely)))


def quantile_rows(inquiry: Inquiry, found: Told, quantiles: list[float]) -> list[dict[str, Any]]:
    """Quantiles of the ratio, the crossover and the metrics of both places, over futures that a launch mass carries.

    A number of years that is infinite is never.
    """
    rows = {"ratio": found.ratio, "crossover_years": found.crossover_years}
    rows |= {"launch_usd_per_kg": found.launch_usd_per_kg, "mass_kg_per_kw": found.mass_kg_per_kw}
    rows |= {f"orbit.{name}": values for name, values in found.orbit.items()}
    rows |= {f"{inquiry.project.shape.against}.{name}": values for name, values in found.ground.items()}
    told = np.isfinite(found.ratio)
    return [{"quantity": name, **_quantiles(np.asarray(values[told]), quantiles)} for name, values in rows.items()]


def capacity_rows(inquiry: Inquiry, found: Told, quantiles: list[float]) -> list[dict[str, Any]]:
    """Quantiles of the power in service at the end of each year, in orbit and on the ground. [W]"""
    told = np.isfinite(found.ratio)
    places = (("orbit", found.power_w), (inquiry.project.shape.against, found.ground_power_w))
    return [
        {"place": place, "years": float(year + 1), **_quantiles(np.asarray(power_w[told, year]), quantiles)}
        for place, power_w in places
        for year in range(power_w.shape[1])
    ]


def summary(found: Told) -> dict[str, float]:
    """Parts of the futures: those that a launch mass carries at all, and of these at parity and with a crossover."""
    told = np.isfinite(found.ratio)
    ratio, crossover = found.ratio[told], found.crossover_years[told]
    return {
        "futures": float(found.ratio.size),
        "carried_fraction": float(np.mean(told)),
        "parity_probability": float(np.mean(ratio <= 1.0)) if ratio.size else float("nan"),
        "crossover_probability": float(np.mean(np.isfinite(crossover))) if ratio.size else float("nan"),
    }


def drivers(drawn: Futures) -> list[dict[str, Any]]:
    """Rank correlation of the ratio with each drawn number, the strongest first (Spearman 1904)."""
    told = np.isfinite(drawn.told.ratio)
    rank = stats.rankdata(drawn.told.ratio[told])
    rows = []
    for path, values in drawn.columns.items():
        varies = np.ptp(values[told]) > 0.0 and np.ptp(rank) > 0.0
        correlation = float(np.corrcoef(stats.rankdata(values[told]), rank)[0, 1]) if varies else 0.0
        rows.append({"path": path, "rank_correlation": correlation})
    return sorted(rows, key=lambda row: -abs(row["rank_correlation"]))


def table(drawn: Futures, measure: str) -> dict[str, list[float]]:
    """Every future as columns: its drawn numbers and the main results."""
    told = drawn.told
    results = {
        "ratio": told.ratio,
        "orbit": told.orbit[measure],
        "ground": told.ground[measure],
        "crossover_years": told.crossover_years,
        "orbit_net_present_value_usd": told.orbit["net_present_value_usd"],
    }
    return {name: values.tolist() for name, values in (drawn.columns | results).items()}


def _drawn(
    inquiry: Inquiry, ranges: dict[str, Range], key: jax.Array, count: int, sampling: str
) -> dict[str, np.ndarray]:
    """Values of some ranges, (count,); those of a group share their probabilities."""
    groups = list(dict.fromkeys(span.group or path for path, span in ranges.items()))
    if not groups:
        return {}
    uniform = _uniform(key, count, len(groups), sampling)
    return {
        path: value_at(
            uniform[:, groups.index(span.group or path)],
            *_three(inquiry, path, span),
            span.distribution,
        )
        for path, span in ranges.items()
    }


def _three(inquiry: Inquiry, path: str, span: Range) -> tuple[float, float, float]:
    low, high = paths.bounds(inquiry.project, path, span)
    return low, paths.likely(inquiry.project, path, span), high


def _uniform(key: jax.Array, count: int, dimensions: int, sampling: str) -> np.ndarray:
    """Numbers in (0, 1), (count, dimension): independent, or evenly spread by a scrambled sequence (Sobol 1967)."""
    if sampling == "random":
        return np.asarray(jax.random.uniform(key, (count, dimensions), dtype=float))
    seed = int(jax.random.bits(key, dtype="uint32"))
    points = stats.qmc.Sobol(dimensions, rng=np.random.default_rng(seed))
    return points.random_base2((count - 1).bit_length())[:count]


def _quantiles(values: np.ndarray, quantiles: list[float]) -> dict[str, Any]:
    """Values that a part of the futures does not exceed, none interpolated, so that never stays never."""
    if not values.size:
        return {f"q{quantile:g}": float("nan") for quantile in quantiles}
    found = np.quantile(values, quantiles, method="inverted_cdf")
    return {
        f"q{quantile:g}": NEVER if np.isposinf(value) else float(value)
        for quantile, value in zip(quantiles, found, strict=True)
    }
