"""Questions asked of a deployment: parity, maps, the ladder, tornado, elasticities, and thousands of futures."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf
from synthetic_life import YEARS, life

import twin
from twin import config
from twin.conf_path import conf_dir
from twin.deployment import answers, futures, ladder, lives, parity, paths, questions, sensitivity
from twin.deployment import life as lifetime
from twin.deployment.outcome import outcome
from twin.deployment.project import Project, Shape, build_project
from twin.model import numbers_of
from twin.refusal import ConfigError
from twin.schema import Analysis

pytestmark = pytest.mark.slow

LIFE = life()
LAUNCH, MASS, SERVICE = "deployment.launch_price_scale", "deployment.mass_scale", "deployment.service_life_years"
CELLS, CHIPS = "manufacture.cell_price_usd_per_w", "manufacture.accelerator_price_usd"
ELECTRICITY, DISCOUNT = "ground.grid.electricity_usd_per_kwh", "economics.discount_rate_per_year"
VARIED = (LAUNCH, MASS, SERVICE, CELLS, CHIPS, ELECTRICITY, DISCOUNT)
FAILURES, ALTITUDE = "accelerator.failure_rate_per_year", "orbit.altitude_m"


def read(group: str, name: str) -> dict[str, Any]:
    """A profile as it is in its file."""
    return OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{name}.yaml"))  # type: ignore[return-value]


NONE = read("analysis", "none")
MEASURE = NONE["measure"]
CHEAP = [
    "supply=unlimited",
    "launch=starship_target",
    "launch.price_usd=2.0e6",
    "manufacture=terrestrial_parts",
    "manufacture.development_cost_usd=0.0",
    "deployment=first_cluster",
]
SOURCE = {"source": "assumption: of this test"}


def asking(**keys: Any) -> Analysis:
    """An analysis that asks no more than this."""
    return config.analysis(NONE | keys)


@pytest.fixture(scope="module")
def project() -> Project:
    """A cluster of 10 MW for ten years, cheap enough that parity lies within reach."""
    return build_project(twin.compose_project([*CHEAP, "analysis=none"]))


def ratio_of(project: Project, **changes: float) -> float:
    """The measure's ratio by the outcome itself, `changes` by path with __ for the dots."""
    values = {path.replace("__", "."): jnp.asarray(value) for path, value in changes.items()}
    found = _outcome(project.shape, LIFE, paths.placed(project.numbers, values)).metrics
    return float(found["orbit"][MEASURE] / found[project.shape.against][MEASURE])


_outcome = jax.jit(outcome, static_argnums=0)


def of(values: dict[str, float]) -> dict[str, float]:
    return {path.replace(".", "__"): value for path, value in values.items()}


def asked(project: Project, analysis: Analysis) -> questions.Inquiry:
    paths.check(project, analysis)
    wanted = dict.fromkeys((*VARIED, *paths.asked(analysis)))  # the same for most tests, which then share a program
    return questions.inquire(project, analysis.measure, tuple(wanted), LIFE)


@pytest.fixture
def satellites(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lives by a formula instead of simulations: chips die at the failure rate; how many designs each ensemble had."""
    ensembles: list[int] = []

    def formula(model: Any, columns: dict[str, np.ndarray], watch: Any) -> lifetime.Life:
        ensembles.append(len(columns[FAILURES]))
        return jax.vmap(dying)(jnp.asarray(columns[FAILURES]))

    monkeypatch.setattr(lifetime, "lives", formula)
    return ensembles


def dying(failures_per_year: Any) -> lifetime.Life:
    alive = 100.0 * jnp.exp(-failures_per_year * jnp.arange(YEARS))
    return LIFE._replace(
        accelerators_alive=alive,
        delivered_flops=9e14 * alive,
        accelerator_power_w=9e2 * alive,
    )


# --- Parity and maps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "span"),
    [
        (LAUNCH, {"low": 1e-3, "high": 100.0}),
        (MASS, {"low": 0.01, "high": 20.0, "relative": True}),
        (CHIPS, {"low": 0.01, "high": 100.0, "relative": True}),
        (ELECTRICITY, {"low": 0.001, "high": 10.0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_at_the_parity_value_orbit_costs_as_much_as_the_ground(project: Project, path: str, span: dict) -> None:
    analysis = asking(parity={path: span})
    (row,) = parity.parity(asked(project, analysis), analysis)
    assert ratio_of(project, **of({path: row["value"]})) == pytest.approx(1.0, abs=1e-7)
    assert row["factor"] == pytest.approx(row["value"] / paths.present(project, path), rel=1e-12)
    assert (row["ratio_at_low"] - 1.0) * (row["ratio_at_high"] - 1.0) < 0.0


def test_parity_says_what_it_means_in_plain_terms(project: Project) -> None:
    analysis = asking(parity={LAUNCH: {"low": 1e-3, "high": 100.0}, MASS: {"low": 0.01, "high": 20.0}})
    launch, mass = parity.parity(asked(project, analysis), analysis)
    # A price per launch that is fixed: a price per kilogram at parity is that of now times the factor.
    (now,) = questions.tell(asked(project, analysis), {}, 1).launch_usd_per_kg
    assert launch["in_plain_terms"] == f"{now * launch['value']:.4g} USD/kg to the satellite's orbit"
    assert mass["in_plain_terms"] == f"{5.0 * mass['value'] / 0.1:.4g} kg/kW"


def test_no_parity_within_the_bounds_is_said_with_the_ratio_at_both(project: Project) -> None:
    analysis = asking(parity={DISCOUNT: {"low": 0.08, "high": 0.0801}})
    (row,) = parity.parity(asked(project, analysis), analysis)
    at_low, at_high = (ratio_of(project, **of({DISCOUNT: value})) for value in (0.08, 0.0801))
    assert np.isnan(row["value"]) and row["in_plain_terms"] == (
        "no value between 0.08 and 0.0801 per_year reaches parity; "
        f"at 0.08 the ratio is {at_low:.4g}, at 0.0801 it is {at_high:.4g}"
    )


def test_parity_of_the_satellite_is_searched_among_simulated_lives(project: Project, satellites: list[int]) -> None:
    analysis = asking(parity={FAILURES: {"low": 0.001, "high": 3.0}})
    (row,) = parity.parity(asked(project, analysis), analysis)
    # In orbit a chip that fails is lost; on the ground it is put right for a part of its price.
    assert row["ratio_at_low"] < 1.0 < row["ratio_at_high"]
    found = _outcome(project.shape, dying(row["value"]), project.numbers).metrics
    assert float(found["orbit"][MEASURE] / found["grid"][MEASURE]) == pytest.approx(1.0, abs=1e-6)
    assert max(satellites) <= parity.POINTS_SIMULATED and sum(satellites) < 60


def test_a_map_holds_the_outcomes_and_the_point_that_is(project: Project) -> None:
    sides = {"across": {"path": LAUNCH, "low": 0.1, "high": 9.0}, "up": {"path": MASS, "low": 0.5, "high": 3.0}}
    analysis = asking(maps={"first": sides}, map_points=4)
    table = parity.map_of(asked(project, analysis), analysis.maps["first"], 4)
    assert len(table["ratio"]) == 16 and set(table[LAUNCH]) >= {0.1, 1.0, 9.0} and set(table[MASS]) >= {0.5, 1.0, 3.0}
    for place in (0, 6, 15):
        changes = {path: table[path][place] for path in (LAUNCH, MASS)}
        assert table["ratio"][place] == pytest.approx(ratio_of(project, **of(changes)), rel=1e-12)
    here = [a == b == 1.0 for a, b in zip(table[LAUNCH], table[MASS], strict=True)].index(True)
    assert table["ratio"][here] == pytest.approx(ratio_of(project), rel=1e-12)


# --- Ladder, tornado, elasticities ------------------------------------------------------------------------------------

STEPS = [
    {"label": "a cheap launch", "values": {"deployment": {"launch_price_scale": 0.2}}},
    {"label": "dear electricity", "values": {ELECTRICITY: 3.0, CHIPS: 0.9}, "relative": True},
]


def test_the_last_step_has_all_changes(project: Project) -> None:
    analysis = asking(ladder=STEPS)
    first, _, last = ladder.ladder(asked(project, analysis), analysis)
    power, chips = (factor * paths.present(project, p) for factor, p in ((3.0, ELECTRICITY), (0.9, CHIPS)))
    assert first["ratio"] == pytest.approx(ratio_of(project), rel=1e-12)
    together = ratio_of(project, **of({LAUNCH: 0.2, ELECTRICITY: power, CHIPS: chips}))
    assert last["ratio"] == pytest.approx(together, rel=1e-12)
    assert last["orbit"] / last["ground"] == pytest.approx(last["ratio"], rel=1e-12)


RANGES = {
    LAUNCH: {"low": 0.3, "high": 4.0, **SOURCE},
    CHIPS: {"low": 0.8, "high": 1.3, "relative": True, **SOURCE},
    DISCOUNT: {"low": 0.05, "high": 0.12, "distribution": "lognormal", **SOURCE},
    ELECTRICITY: {"low": 0.6, "high": 1.5, "relative": True, "distribution": "uniform", **SOURCE},
}


def test_the_tornado_stands_on_the_base_and_its_bars_are_outcomes(project: Project) -> None:
    analysis = asking(ranges=RANGES)
    rows = sensitivity.tornado(asked(project, analysis), analysis)
    assert {row["path"] for row in rows} == set(RANGES)
    widths = [abs(row["ratio_at_high"] - row["ratio_at_low"]) for row in rows]
    assert widths == sorted(widths, reverse=True) and widths[0] > 0.0
    for row in rows:
        assert row["ratio"] == pytest.approx(ratio_of(project), rel=1e-12)
        for end in ("low", "high"):
            alone = ratio_of(project, **of({row["path"]: row[end]}))
            assert row[f"ratio_at_{end}"] == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize("path", [LAUNCH, MASS, SERVICE, CELLS, CHIPS, ELECTRICITY, DISCOUNT])
def test_elasticities_are_those_of_finite_differences(project: Project, path: str) -> None:
    """Cost per delivered compute by launch price, specific mass and life of satellites and chips among them."""
    analysis = asking(elasticities=[path])
    (row,) = sensitivity.elasticities(asked(project, analysis), analysis)
    now = paths.present(project, path)
    beside = 2e-5 if path == SERVICE else 0.0  # whole months are a kink
    low, high = (ratio_of(project, **of({path: now * (1.0 - beside + step)})) for step in (-1e-5, 1e-5))
    assert row["elasticity"] == pytest.approx((high - low) / 2e-5 / ratio_of(project), rel=2e-4)
    assert row["slope"] != 0.0


def test_elasticity_of_a_satellite_goes_through_the_slope_of_its_life(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = paths.present(project, FAILURES)
    slope = jax.jvp(dying, (rate,), (1.0,))[1]
    monkeypatch.setattr(questions, "jacobian", lambda model, wanted: dict.fromkeys(wanted, slope))
    inquiry = questions.inquire(project, MEASURE, [FAILURES], dying(rate))

    def ratio(value: float) -> float:
        found = _outcome(project.shape, dying(value), project.numbers).metrics
        return float(found["orbit"][MEASURE] / found["grid"][MEASURE])

    step = 1e-5 * rate
    expected = (ratio(rate + step) - ratio(rate - step)) / (2.0 * step)
    assert questions.slopes(inquiry, [FAILURES])[FAILURES] == pytest.approx(expected, rel=1e-5)


# --- Futures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["sobol", "random"])
def test_ranges_without_width_give_the_base(project: Project, sampling: str) -> None:
    ranges = {path: {"low": 1.0, "high": 1.0, "relative": True, **SOURCE} for path in (LAUNCH, CHIPS, DISCOUNT)}
    ranges[CHIPS] |= {"distribution": "uniform"}
    ranges[DISCOUNT] |= {"distribution": "lognormal"}
    analysis = asking(ranges=ranges, futures=7, sampling=sampling)
    drawn = futures.futures(asked(project, analysis), analysis)
    for path in ranges:
        assert (drawn.columns[path] == paths.present(project, path)).all()
    base = questions.tell(asked(project, analysis), {}, 1)
    jax.tree.map(lambda many, one: np.testing.assert_array_equal(many, np.repeat(one, 7, axis=0)), drawn.told, base)


@pytest.mark.parametrize("sampling", ["sobol", "random"])
def test_a_seed_gives_the_same_futures_however_many_run_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch, sampling: str
) -> None:
    analysis = asking(ranges=RANGES, futures=41, sampling=sampling)
    first = futures.futures(asked(project, analysis), analysis)
    monkeypatch.setattr(questions, "AT_ONCE", 4)
    second = futures.futures(asked(project, analysis), analysis)
    for path in RANGES:
        np.testing.assert_array_equal(first.columns[path], second.columns[path])
        assert len(np.unique(first.columns[path])) == 41
    np.testing.assert_allclose(first.told.ratio, second.told.ratio, rtol=1e-12)
    changed = project.model.environment._replace(seed=jnp.asarray(7))
    other = project._replace(model=project.model._replace(environment=changed))
    assert (futures.draws(asked(other, analysis), analysis)[LAUNCH] != first.columns[LAUNCH]).all()


def test_futures_are_outcomes_of_what_was_drawn(project: Project) -> None:
    analysis = asking(ranges=RANGES, futures=20)
    drawn = futures.futures(asked(project, analysis), analysis)
    for future in (0, 19):
        values = {path: float(column[future]) for path, column in drawn.columns.items()}
        assert drawn.told.ratio[future] == pytest.approx(ratio_of(project, **of(values)), rel=1e-12)


@pytest.mark.parametrize(
    ("distribution", "median", "mean"),
    [
        ("triangular", 5.0 - np.sqrt(0.5 * 4.0 * 3.0), 8.0 / 3.0),
        ("uniform", 3.0, 3.0),
        ("lognormal", 2.0, None),
    ],
)
def test_a_range_is_drawn_as_its_distribution_says(distribution: str, median: float, mean: float | None) -> None:
    probability = (np.arange(20001) + 0.5) / 20001
    values = futures.value_at(probability, 1.0, 2.0, 5.0, distribution)
    assert (np.diff(values) > 0.0).all() and values[0] >= 1.0 and values[-1] <= 5.0
    assert values[10000] == pytest.approx(median, rel=1e-6)
    if mean is not None:
        assert values.mean() == pytest.approx(mean, rel=1e-6)
    ends = futures.value_at(np.array([0.0, 1.0]), 1.0, 2.0, 5.0, distribution)
    np.testing.assert_allclose(ends, [1.0, 5.0], rtol=1e-12)


def test_numbers_of_a_group_are_low_and_high_together(project: Project) -> None:
    ranges = {path: {"low": 0.5, "high": 2.0, "relative": True, "group": "prices", **SOURCE} for path in (CELLS, CHIPS)}
    columns = futures.draws(
        asked(project, asking(ranges=ranges | {LAUNCH: RANGES[LAUNCH]})), asking(ranges=ranges, futures=64)
    )
    cells, chips = (columns[path] / paths.present(project, path) for path in (CELLS, CHIPS))
    np.testing.assert_allclose(cells, chips, rtol=1e-12)
    assert np.ptp(cells) > 1.0


def test_each_future_has_one_of_the_simulated_designs(project: Project, satellites: list[int]) -> None:
    ranges = RANGES | {FAILURES: {"low": 0.03, "high": 0.3, **SOURCE}}
    analysis = asking(ranges=ranges, futures=64, satellite_designs=8, tornado=True)
    found = answers.answers(project, analysis, LIFE)
    assert satellites == [8 + 2], "designs of futures and of the tornado, in one ensemble"
    rates, often = np.unique(found.futures[FAILURES], return_counts=True)
    assert len(rates) == 8 and set(often) == {8} and rates.min() >= 0.03 and rates.max() <= 0.3
    # Which design a future has must not follow from its other numbers.
    rank = np.corrcoef(found.futures[FAILURES], found.futures[LAUNCH])[0, 1]
    assert abs(rank) < 0.4
    place = int(np.argmin(found.futures[FAILURES]))
    values = {path: jnp.asarray(found.futures[path][place]) for path in RANGES}
    told = _outcome(project.shape, dying(rates.min()), paths.placed(project.numbers, values)).metrics
    assert found.futures["ratio"][place] == pytest.approx(
        float(told["orbit"][MEASURE] / told["grid"][MEASURE]), rel=1e-12
    )


def test_a_design_that_no_launch_carries_counts_apart() -> None:
    told = _told(ratio=[0.5, 2.0, np.nan, 0.9], crossover=[1.0, np.inf, np.nan, 3.0])
    assert futures.summary(told) == {
        "futures": 4.0,
        "carried_fraction": 0.75,
        "parity_probability": pytest.approx(2.0 / 3.0),
        "crossover_probability": pytest.approx(2.0 / 3.0),
    }


def test_quantiles_are_ordered_and_never_is_said(project: Project) -> None:
    analysis = asking(ranges=RANGES, futures=50, quantiles=[0.1, 0.5, 0.9])
    found = answers.answers(project, analysis, LIFE)
    assert len(found.capacity) == 2 * project.shape.months // 12 and len(found.quantiles) > 40
    for row in (*found.quantiles, *found.capacity):
        numbers = [np.inf if row[q] == futures.NEVER else row[q] for q in ("q0.1", "q0.5", "q0.9")]
        assert numbers == sorted(numbers)
    # A cluster of 10 MW never has a gigawatt.
    (row,) = (row for row in found.quantiles if row["quantity"] == "orbit.years_to_1_gw")
    assert [row[q] for q in ("q0.1", "q0.5", "q0.9")] == ["never"] * 3


def test_crossover_is_the_first_month_below_or_never(project: Project) -> None:
    assert float(questions.first_below_one(jnp.array([1.2, 1.0, 0.9, 1.1]))) == pytest.approx(2.0 / 12.0)
    assert float(questions.first_below_one(jnp.ones(12))) == np.inf
    dear = questions.tell(asked(project, asking()), {LAUNCH: [1e-3, 1e4]}, 2)
    assert dear.crossover_years.tolist() == [0.0, np.inf]


def test_what_drives_the_ratio_is_ranked(project: Project) -> None:
    ranges = {LAUNCH: {"low": 0.1, "high": 20.0, "likely": 1.0, **SOURCE}, DISCOUNT: RANGES[DISCOUNT]}
    analysis = asking(ranges=ranges, futures=200)
    first, second = futures.drivers(futures.futures(asked(project, analysis), analysis))
    assert first["path"] == LAUNCH and first["rank_correlation"] > 0.95 > abs(second["rank_correlation"])


def _told(ratio: list[float], crossover: list[float]) -> questions.Told:
    none: dict[str, Any] = {}
    arrays = jnp.array(ratio), jnp.array(crossover)
    return questions.Told(arrays[0], none, none, arrays[1], *(arrays[0],) * 4)


# --- What is asked, and what is refused -------------------------------------------------------------------------------


def test_nothing_asked_is_nothing_done(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_batch", None)
    found = answers.answers(project, asking(), LIFE)
    assert all(not value for name, value in found._asdict().items() if name != "measure")


def test_progress_is_told(project: Project) -> None:
    seen: list[tuple[str, int, int]] = []
    analysis = asking(ranges=RANGES, futures=10)
    answers.answers(project, analysis, LIFE, lambda what, done, total: seen.append((what, done, total)))
    assert ("futures", 10, 10) in seen


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"parity": {"deployment": {"launch_prise_scale": {"low": 0.1, "high": 2.0}}}},
            r"analysis.parity: deployment.launch_prise_scale: no number of this deployment "
            r"\(did you mean 'deployment.launch_price_scale'\?\)",
        ),
        (
            {"ranges": {"launch": {"reference_price_usd_per_kg": {"low": 60.0, "high": 1800.0, **SOURCE}}}},
            r"analysis.ranges: launch.reference_price_usd_per_kg: no number of this deployment",
        ),
        (
            {"ranges": {CHIPS: {"low": 3.0, "high": 2.0, **SOURCE}}},
            r"analysis.ranges.manufacture.accelerator_price_usd.high = 2.0: must be at least low = 3",
        ),
        (
            {"ranges": {CHIPS: {"low": 1.0, "high": 2.0, **SOURCE}}},
            r"analysis.ranges.manufacture.accelerator_price_usd: its likely value, \d+, must lie between 1 and 2; give",
        ),
        (
            {"ranges": {CHIPS: {"low": 1.0, "high": 2.0}}},
            r"analysis.ranges.manufacture.accelerator_price_usd.source: missing",
        ),
        (
            {"ranges": {CHIPS: {"low": 0.0, "high": 1.0, "relative": True, "distribution": "lognormal", **SOURCE}}},
            r"analysis.ranges.manufacture.accelerator_price_usd.low = 0: must be above 0 for a lognormal distribution",
        ),
        (
            {"parity": {"launch": {"success_fraction": {"low": 0.5, "high": 1.5}}}},
            r"analysis.parity: launch.success_fraction = 1.5: must be above 0 and at most 1$",
        ),
        (
            {"ladder": [{"label": "long", "values": {SERVICE: 11.0}}]},
            r"analysis.ladder.0: deployment.service_life_years = 11: must be at most 10, the years of",
        ),
        (
            {
                "maps": {
                    "a": {
                        "across": {"path": ALTITUDE, "low": 1e5, "high": 6e5},
                        "up": {"path": MASS, "low": 1, "high": 2},
                    }
                }
            },
            r"analysis.maps.a: orbit.altitude_m = 100000: must be at least 150000 and at most 1e\+08 m",
        ),
        ({"futures": -1}, r"analysis.futures = -1: must be greater than or equal to 0"),
        ({"satellite_designs": 0}, r"analysis.satellite_designs = 0: must be greater than or equal to 1"),
        ({"quantiles": [0.5, 0.1]}, r"analysis.quantiles = \[0.5, 0.1\]: must rise from each to the next"),
        ({"measure": "levelised_usd_per_pflop"}, r"no cost that orbit and ground share \(did you mean 'levelised_usd"),
        (
            {"elasticities": ["array.aera_m2"]},
            r"analysis.elasticities: array.aera_m2: .* \(did you mean 'array.area_m2'\?\)",
        ),
        ({"laddre": []}, r"analysis.laddre = \[\]: unknown key \(did you mean 'ladder'\?\)"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_refused_in_a_sentence(project: Project, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        asked(project, asking(**keys))
    assert "\n" not in str(caught.value)


def test_a_path_is_placed_or_refused(project: Project) -> None:
    assert paths.placed(project.numbers, {ELECTRICITY: 0.5})["ground.grid"]["electricity_usd_per_kwh"] == 0.5
    with pytest.raises(
        ConfigError, match=r"ground.gird.pue: no number of this deployment \(did you mean 'ground.grid.pue"
    ):
        paths.placed(project.numbers, {"ground.gird.pue": 1.2})


FULL = config.analysis(read("analysis", "full"))
SLOTS = ("launch", "supply", "manufacture", "economics", "deployment")
PROFILES = [(slot, path.stem) for slot in SLOTS for path in sorted((conf_dir() / slot).glob("*.yaml"))]


@pytest.mark.parametrize(("slot", "name"), PROFILES, ids=str)
def test_the_usual_questions_suit_every_profile(project: Project, slot: str, name: str) -> None:
    profile = twin.compose_project([f"{slot}={name}", "analysis=none"]).profiles[slot]
    models = tuple((s, getattr(profile, "model", "") if s == slot else model) for s, model in project.shape.models)
    shape = Shape(project.shape.months, project.shape.ages, models, project.shape.against)
    numbers = {**project.numbers, slot: numbers_of(slot, profile)}
    paths.check(project._replace(shape=shape, numbers=numbers), FULL)


# --- A real life ------------------------------------------------------------------------------------------------------

SHORT = [
    "time=year_sampled",
    "time.duration_s=63115200.0",
    "precision=float64",
    "deployment.service_life_years=1.5",
    "distributed.devices=1",
    "constellation.satellites=1",
    "constellation.planes=1",
]


def test_cost_of_compute_by_altitude_and_array_area_through_the_simulation() -> None:
    """Derivatives through two simulated years equal finite differences of whole lives."""
    project = build_project(twin.compose_project([*CHEAP, *SHORT, "analysis=none"]))
    model = project.model
    measured = jax.jit(lifetime.life, static_argnums=0)(model.structure, model.params, model.environment)
    wanted = (LAUNCH, MASS, SERVICE, ALTITUDE, "array.area_m2")
    inquiry = questions.inquire(project, MEASURE, wanted, measured)
    slopes = questions.slopes(inquiry, wanted)
    for path in wanted:
        now = paths.present(project, path)
        step = 3e-6 if path == ALTITUDE else 1e-4  # within metres, eclipses begin in another step
        middle = now * (1.0 - 2.0 * step) if path == SERVICE else now  # whole months are a kink
        low, high = questions.tell(inquiry, {path: middle + now * np.array([-step, step])}, 2).ratio
        assert slopes[path] == pytest.approx((high - low) / (2.0 * step * now), rel=1e-3), path
        assert slopes[path] != 0.0
    assert isinstance(inquiry.lives, lives.Lives)
