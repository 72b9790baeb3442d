"""Designs judged by steady orbits: rows, slopes, proportions and batches, on one compiled program."""

import jax
import numpy as np
import pytest

import twin
from twin import programs, steady
from twin.design import measures
from twin.design.judge import Judge
from twin.design.problem import Row
from twin.design.setup import build_setup
from twin.designs import placed, places
from twin.metrics import all_metrics

pytestmark = pytest.mark.slow

OVERRIDES = [
    "design.exchanges=8",
    "time.step_s=60",
    "time.save_every_s=300",
    "~design.variables.battery",
    "~design.variables.radiator",
    "design.variables.accelerator.count.integer=false",
    '+design.scenarios.winter=["time.start=2026-12-21T00:00:00","environment=hot"]',
    "design.scenarios.longest_eclipse=[]",
    "~design.scenarios.perihelion",
    "~design.limits",
]


@pytest.fixture(scope="module")
def config():
    return twin.compose_design(OVERRIDES)


@pytest.fixture(scope="module")
def judge(config):
    return Judge(build_setup(config))


@pytest.fixture(scope="module")
def at_first(judge):
    return judge(judge.problem.first[None])


def row(judge: Judge, measure: str, scenario: str) -> int:
    return judge.problem.rows.index(Row(measure, scenario))


def test_scenarios_differ_in_their_surroundings_alone(judge, at_first) -> None:
    (values,) = at_first.values
    area, mass = (
        [values[row(judge, name, scenario)] for scenario in judge.problem.scenarios]
        for name in ("folded_area_m2", "mass_kg")
    )
    assert area[0] == area[1]
    assert mass[0] == pytest.approx(mass[1], rel=1e-3) and mass[0] != mass[1]  # the air of the years that follow
    assert (
        values[row(judge, "sunlit_fraction", "winter")] > values[row(judge, "sunlit_fraction", "longest_eclipse")] + 0.1
    )
    assert np.isfinite(at_first.values).all() and np.isfinite(at_first.slopes).all()


def test_money_and_margins_follow_from_the_other_rows(judge, at_first) -> None:
    told = {name: at_first.values[0, row(judge, name, "longest_eclipse")] for name in measures.reported(boils=False)}
    assert told["kg_per_kw"] == pytest.approx(1e3 * told["mass_kg"] / told["mean_accelerator_power_w"])
    assert told["delivered_flop_per_kg"] == pytest.approx(told["delivered_flops"] * 31_557_600.0 / told["mass_kg"])
    assert 0.0 < told["launcher_share"] < 1.0 and told["folded_area_m2"] == pytest.approx(480.0 / 30.0 + 200.0 / 8.0)
    # An accelerator of the reference satellite does what an H100 does: a day of 1e15 flop/s is some 30 of its hours.
    hours = told["usd_per_pflop_day"] / told["usd_per_accelerator_hour"]
    assert 24.0 < hours < 48.0


def test_what_is_scaled_keeps_its_proportion(config, judge, at_first) -> None:
    model = twin.build(config.scenarios["longest_eclipse"].fleet)
    (name,) = model.params
    (count,) = (variable for variable in judge.problem.variables if variable.scales)
    found = tuple(places(model.structure, (count.path, *count.scales)).values())
    before = [model.params[name][place.slot][place.key] for place in found]

    def mass_kg(ratio: float) -> float:
        params = placed(model.params, found, tuple(ratio * number for number in before))
        return float(programs.prepare(model.structure, params, model.environment)[name].budget.mass_kg)

    at = row(judge, "mass_kg", "longest_eclipse")
    assert at_first.values[0, at] == pytest.approx(mass_kg(1.0), rel=1e-12)
    (more,) = judge(judge.problem.first[None] * [1.0, 1.25]).values
    assert more[at] == pytest.approx(mass_kg(1.25), rel=1e-12)


def test_slopes_are_finite_differences(judge, at_first) -> None:
    first = judge.problem.first
    for number in range(first.size):
        step = 1e-4 * first[number] * np.eye(first.size)[number]
        values = judge(np.stack([first - step, first + step])).values
        slope = (values[1] - values[0]) / (2.0 * step[number])
        size = np.maximum(np.abs(at_first.values[0]), 1e-6) / first[number]
        miss = np.abs(slope - at_first.slopes[0, :, number])
        assert not [judge.problem.rows[k] for k in np.flatnonzero(miss > 1e-4 * np.abs(slope) + 1e-6 * size)]


def test_batches_are_those_of_the_single_designs(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []

    def doubled(designs):
        widths.append(len(designs))
        return (2.0 * designs,)

    monkeypatch.setattr("twin.design.judge._width", lambda designs: 4)
    designs = np.arange(10.0).reshape(5, 2)
    (found,) = judge._batched(doubled, designs)
    assert np.array_equal(found, 2.0 * designs) and widths == [4, 4]


def test_rows_without_slopes_are_the_same_and_those_by_a_variable_its_own(config, judge, at_first) -> None:
    first = judge.problem.first
    assert judge.values(first[None]) == pytest.approx(at_first.values, rel=1e-9, abs=1e-9)
    by = judge.slopes_by(["array.area_m2", "launch.reference_price_usd_per_kg"], first)
    assert by.numbers[:, 0] == pytest.approx(480.0) and by.numbers[:, 1] == pytest.approx(1800.0)
    assert by.slopes[:, 0] == pytest.approx(at_first.slopes[0, :, 0], rel=1e-6, abs=1e-12)
    cost, mass = (row(judge, name, "longest_eclipse") for name in ("cost_usd", "mass_kg"))
    assert by.slopes[mass, 1] == 0.0 and by.slopes[cost, 1] > 0.0


def test_rows_are_the_metrics_of_a_steady_run(config, judge, at_first) -> None:
    model = twin.build(config.scenarios["winter"].fleet)
    structure = build_setup(config).structure

    @jax.jit
    def metrics(params, environment):
        cohorts = programs.prepare(structure, params, environment)
        return all_metrics(structure, cohorts, steady.run(structure, cohorts, environment).carry)[0]

    found = metrics(model.params, steady.timed(structure, model.environment))
    for name in ("mass_kg", "sunlit_fraction", "battery_cycle_loss_per_year"):
        assert at_first.values[0, row(judge, name, "winter")] == pytest.approx(float(found[name]), rel=1e-9)
