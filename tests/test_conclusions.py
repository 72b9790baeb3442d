"""The page of conclusions says what the numbers say: dearer or cheaper, reached or never, whom a value favours."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import synthetic_deployment as synthetic

from twin.deployment import verdict
from twin.deployment.outcome import Outcome
from twin.deployment.studies import LAST_LINE, PublishedCost
from twin.reporting import weak_assumptions
from twin.reporting.conclusions import Found, against_ground, page
from twin.reporting.deployment_facts import Deployment
from twin.reporting.published_results import Published
from twin.reporting.weak_assumptions import Variant

MEASURE = "levelised_usd_per_pflop_day"
PRICE = "manufacture.accelerator_price_usd"
SITE = {"name": "A grid", "electricity_usd_per_kwh": 0.07, "pue": 1.2}
SITE |= {"building_usd_per_w": 4.0, "cooling_usd_per_w": 3.0, "electrical_usd_per_w": 5.0}
STUDY = {"fee_usd": 3.0, "rate_per_year": 0.1, "sources": {"fee_usd": "derived: fitted", "rate_per_year": "a paper"}}
COSTS = (
    PublishedCost("A bank", 2026, "ground_capex", 38e9, 40e9, "USD/GW", "printed"),
    PublishedCost("A maker", 2026, "specific_mass", 40.0, 40.0, "kg/kW", "company's statement"),
)


def deployment(ratio: float = 4.0, **answers: Any) -> Deployment:
    """A deployment in which a PFLOP-day in orbit costs so many times what it costs on the grid."""
    summary, tables = synthetic.summary(), synthetic.tables()
    summary["orbit_over_ground"][MEASURE] = ratio
    summary["places"]["orbit"][MEASURE] = ratio * summary["places"]["grid"][MEASURE]
    tables["months"] = {**tables["months"], "units": [9.0] * len(tables["months"]["place"])}
    configuration = synthetic.configuration()
    configuration["deployment"] |= {"service_life_years": 2.0, "target_power_w": 1e10}
    configuration["ground"]["grid"] = SITE
    configuration["manufacture"] = {"accelerator_price_usd": 2e4, "host_price_usd": 1e4}
    configuration["study"] = STUDY
    return Deployment(Path("synthetic"), summary, configuration, tables | answers)


def answers(**changed: Any) -> dict[str, Any]:
    """What is asked: the price of an accelerator brings parity or not, and three futures, one of them at parity."""
    ends = {"low": [1e4], "high": [1e5], "ratio_at_low": [6.0], "ratio_at_high": [2.5]}
    found: dict[str, Any] = {
        "parity": {"path": [PRICE], "present": [2e4], **ends, "value": [float("nan")]},
        "ladder": {"label": ["as it is", "cheap launch"], "ratio": [4.0, 0.9]},
        "tornado": {"path": [PRICE], "present": [2e4], **ends, "ratio": [4.0]},
        "drivers": {"path": [PRICE], "rank_correlation": [-0.8]},
        "futures": {"ratio": [0.8, 4.0, 9.0, float("nan")], "crossover_years": [1.5, np.inf, np.inf, np.nan]},
    }
    for name, columns in changed.items():
        found[name] = {**found[name], **columns}
    return found


def written(*deployments: Deployment, **more: Any) -> str:
    """The page of some deployments."""
    found = {"studies": {}, "costs": (), "variants": (), "seconds": {}, "made": "today"} | more
    return page(Found({f"case_{k}": of for k, of in enumerate(deployments)}, **found))


def row(text: str, head: str) -> list[str]:
    """Cells of the first row that begins so, its head left out."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {head} |"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        pytest.param(1.38, "is 38 % dearer than the ground", id="dearer"),
        pytest.param(0.8, "is 20 % cheaper than the ground", id="cheaper"),
        pytest.param(1.0, "costs as much as the ground", id="parity"),
        pytest.param(3.86, "is 3.9 times as dear as the ground", id="many times"),
        pytest.param(float("nan"), "cannot be compared with the ground", id="no ground"),
    ],
)
def test_ratio_in_words(ratio: float, words: str) -> None:
    assert against_ground(ratio) == words


@pytest.mark.parametrize(
    ("ratios", "words"),
    [
        pytest.param((4.0, 1.5), "dearer than on the ground in all 2 deployments: 1.5 to 4 times", id="all"),
        pytest.param((4.0, 0.5), "dearer than on the ground in 1 of 2 deployments: 0.5 to 4 times", id="some"),
        pytest.param((0.9, 0.5), "dearer than on the ground in none of the deployments: 0.5 to 0.9 times", id="none"),
    ],
)
def test_answer_counts_where_orbit_is_dearer(ratios: tuple[float, ...], words: str) -> None:
    assert words in written(*map(deployment, ratios))


def test_what_is_never_reached_says_so() -> None:
    text = written(deployment())
    assert "Orbit never reaches 1 GW" in text.split("## The deployments")[0]
    assert row(text, "Years to 10 GW") == ["never / never"] and row(text, "Years to 1 GW") == ["2.50 / 2.50"]
    assert row(text, "Years to 100 GW") == ["-"]  # more than the target
    assert row(text, "What holds it back") == ["launch in 12 months"]


def test_nothing_is_said_of_what_was_not_asked() -> None:
    text = written(deployment())
    assert "## What would have to be true" not in text and "## Uncertainty" not in text
    assert "would bring parity" not in text and "futures" not in text


def test_break_even_is_given_or_the_best_that_can_be_reached() -> None:
    text = written(deployment(**answers()), deployment(**answers(parity={"value": [3e4]})))
    none, some = row(text, "accelerator")
    assert none.endswith("none, 2.5 at 100\u202f000 USD") and some.endswith("parity at **30\u202f000 USD**")
    assert "Alone, none of the numbers searched would bring parity." in text
    assert "Alone, accelerator at 30\u202f000 USD would bring parity." in text


def test_dear_chips_are_pointed_out() -> None:
    cost = PublishedCost("A bank", 2026, "ground_compute", 10e9, 10e9, "USD/GW", "")
    assert "case 0 pays 2.8 times what A bank counts for chips (10 USD/W)" in written(deployment(), costs=[cost])
    assert "counts for chips" not in written(deployment(), costs=[cost._replace(most=20e9)])


def test_only_steps_at_parity_are_bold() -> None:
    text = written(deployment(**answers()))
    assert row(text, "0 as it is") == ["4"] and row(text, "1 cheap launch") == ["**0.9**"]
    assert "Parity is reached with change 1, cheap launch" in text


def test_futures_without_a_satellite_do_not_count() -> None:
    text = written(deployment(**answers()))
    assert row(text, "Orbit over ground, median") == ["4"]
    assert row(text, "Probability of parity") == ["33.3 %"] == row(text, "Probability of a crossover")
    assert row(text, "Year of the crossover, median") == ["2028"]
    never = written(deployment(**answers(futures={"ratio": [2.0, 3.0], "crossover_years": [np.inf, np.inf]})))
    assert row(never, "Year of the crossover, median") == ["never"] and "none of them reach parity" in never


@pytest.mark.parametrize(
    ("ratio", "low", "high", "end", "favours"),
    [
        pytest.param(1.4, 1.2, 2.0, "lower", "orbit", id="most of the range is dearer"),
        pytest.param(1.4, 1.45, 1.1, "higher", "ground", id="most of the range is cheaper"),
        pytest.param(1.4, 1.3, 1.5, "lower", "neither", id="as much either way"),
        pytest.param(1.4, 1.4, 1.5, "as it is", "orbit", id="at its best end"),
    ],
)
def test_ranges_say_whom_the_value_favours(ratio: float, low: float, high: float, end: str, favours: str) -> None:
    assert weak_assumptions.better(ratio, low, high) == end
    assert weak_assumptions.leaning(ratio, low, high) == favours


def test_changed_assumptions_say_whom_they_favoured() -> None:
    variants = [Variant("heavy", "a.b=1", "a claim", ratio, 2e9) for ratio in (3.0, 4.001, 5.0)]
    text = written(deployment(**answers()), variants=variants)
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| heavy |")]
    assert [(line[3].strip(), line[5].strip()) for line in rows] == [("3", "ground"), ("4", "neither"), ("5", "orbit")]


def test_studies_stand_beside_ours_with_their_errors_and_unknowns() -> None:
    orbit = {"quantity": ["orbit"], "published": [50.0], "recomputed": [51.0]}
    steps = {"step": ["theirs", "small", "large", LAST_LINE, "ours"], "value": [51.0, 0.1, 20.0, -5.0, 66.1]}
    of = deployment(study=orbit, waterfall=steps)
    text = written(of, studies={"paper": Published(of, "USD per W", (51.0, 9.0), (60.0, 9.0), ("a slip",))})
    cells = row(text, "paper")
    assert cells[:5] == ["USD per W", "50", "51", "60", "66.1"]
    assert cells[5].startswith("large **+20**; ")
    assert "paper: a slip." in text and "paper: fee usd 3." in text and "rate per year" not in text


def test_published_costs_stand_beside_first_prices() -> None:
    text = written(deployment(), costs=COSTS)
    # 12 USD/W of building and 96 accelerators of 30 000 USD on 104 kW.
    assert row(text, "A bank, 2026")[1:3] == ["38.0-40.0 BUSD/GW", "39.7"]
    assert "A maker 40. Ours, of mean power in the first year: case 0 96.9 (131 over its service life)." in text
    assert "at 88.1 kg per nominal kW they weigh 2.2 to 2.2 times what companies state" in text


def test_tables_have_as_many_cells_as_heads() -> None:
    text = written(deployment(**answers()), deployment(0.5, **answers()), costs=COSTS)
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 9
    for lines in tables:
        assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_a_place_where_nothing_was_built_in_time_is_not_the_cheapest() -> None:
    work = SimpleNamespace(nominal_power_w=np.full(24, 2e9))
    courses: Any = {"orbit": SimpleNamespace(work=work, binding=np.zeros(24, int))}
    metrics: Any = {place: {MEASURE: usd} for place, usd in (("orbit", 3.0), ("grid", 2.0), ("nuclear", 0.0))}
    project: Any = SimpleNamespace(
        shape=SimpleNamespace(against="grid"), numbers={"deployment": {"target_power_w": 1e9}}
    )
    (*_, costs) = verdict.sentences(project, Outcome(courses, metrics))
    assert costs == "A PFLOP-day costs 3 USD in orbit (levelised, chips included): 1.5 times grid (2)."
