"""Uncertain numbers of a design against closed forms; nothing is simulated but in the slow test at the end."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_design
from scipy import stats

from kernels.quantity import Quantity
from twin.composing import compose_design
from twin.config import ConfigError, validated
from twin.design import doubt, propagation, spread, uncertain, variance
from twin.design.judge import Judge
from twin.design.problem import Evaluation, Limit, Objective, Problem, Row, Variable
from twin.design.robust import bad_sides, harrell_davis, robust
from twin.design.schema import Front
from twin.design.setup import Setup, build_setup
from twin.design.spots import Spot, placed
from twin.design.uncertain import Uncertain
from twin.design.uncertainty_schema import Robust, Uncertainty
from twin.designs import Place
from twin.reporting import design_facts, design_report
from twin.reporting import design_uncertainty as figures

SOURCE = {"source": "assumption: of this test"}
UNIFORM = {"distribution": "uniform", "low": -np.pi, "high": np.pi, **SOURCE}
NORMAL = {"distribution": "normal", "mean": 2.0, "sigma": 0.5, **SOURCE}


def settings(parameters: dict[str, Any], **changed: Any) -> Uncertainty:
    given = {"samples": 1024, "method": "sobol", "seed": 0, "parameters": parameters, "interval": 0.9, **changed}
    return validated("design.uncertainty", Uncertainty, given)


def numbers(given: Uncertainty) -> tuple[Uncertain, ...]:
    spot = Spot("", Place(("toy",), "slot", "key"), (), Quantity(""))
    return tuple(Uncertain(spot._replace(path=path), uncertain.frozen(own)) for path, own in given.parameters.items())


def drawn(parameters: dict[str, Any], **changed: Any) -> np.ndarray:
    given = settings(parameters, **changed)
    return uncertain.samples(numbers(given), given)


# --- Samples ----------------------------------------------------------------------------------------------------------

DISTRIBUTIONS = {
    "uniform": ({"low": 1.0, "high": 3.0}, 2.0, 2.0 / np.sqrt(12.0)),
    "triangular": ({"low": 0.0, "likely": 1.0, "high": 5.0}, 2.0, np.sqrt(21.0 / 18.0)),
    "normal": ({"mean": 2.0, "sigma": 0.5}, 2.0, 0.5),
    "lognormal": ({"median": 2.0, "sigma_log": 0.3}, 2.0 * np.exp(0.045), 2 * np.exp(0.09) * np.sqrt(-np.expm1(-0.09))),
    "truncated": ({"mean": 0.0, "sigma": 1.0, "low": 0.0, "high": 40.0}, np.sqrt(2 / np.pi), np.sqrt(1 - 2.0 / np.pi)),
}  # fmt: skip


@pytest.mark.parametrize("method", ["sobol", "latin_hypercube"])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_samples_have_the_moments_of_their_distribution(name: str, method: str) -> None:
    keys, mean, sigma = DISTRIBUTIONS[name]
    values = drawn({"x": {"distribution": name, **keys, **SOURCE}}, method=method, samples=4096)
    assert np.mean(values) == pytest.approx(mean, rel=1e-3)
    assert np.std(values) == pytest.approx(sigma, rel=5e-3)


def test_samples_follow_the_seed() -> None:
    assert np.array_equal(drawn({"x": NORMAL}), drawn({"x": NORMAL}))
    assert not np.array_equal(drawn({"x": NORMAL}), drawn({"x": NORMAL}, seed=1))


def test_random_samples_are_independent_draws() -> None:
    values = drawn({"x": UNIFORM}, method="random", samples=1000)[:, 0]
    assert stats.kstest(values, uncertain.frozen(settings({"x": UNIFORM}).parameters["x"]).cdf).pvalue > 1e-3


def test_copula_has_the_correlation_of_its_normal_numbers() -> None:
    """Spearman's rank correlation of a Gaussian copula is 6/pi asin(rho/2), whatever the distributions."""
    parameters = {
        "a": UNIFORM,
        "b": {"distribution": "lognormal", "median": 1.0, "sigma_log": 0.5, **SOURCE},
        "c": NORMAL,
    }
    values = drawn(parameters, correlated=[{"paths": ["a", "b"], "correlation": 0.7}], samples=8192)
    ranks = np.asarray(stats.spearmanr(values).statistic)
    assert ranks[0, 1] == pytest.approx(6.0 / np.pi * np.arcsin(0.35), abs=5e-3)
    assert abs(ranks[0, 2]) < 5e-3 and abs(ranks[1, 2]) < 5e-3


@pytest.mark.parametrize(("name", "exact"), [
    ("uniform", 6.0 / np.pi * np.arcsin(0.3)),
    ("normal", 0.6),
    ("lognormal", np.expm1(0.6 * 0.09) / np.expm1(0.09)),
])  # fmt: skip
def test_covariance_of_correlated_values(name: str, exact: float) -> None:
    """Pearson's correlation of two numbers of one distribution under a Gaussian copula of 0.6, in closed form."""
    one = {"distribution": name, **DISTRIBUTIONS[name][0], **SOURCE}
    given = settings({"a": one, "b": one}, correlated=[{"paths": ["a", "b"], "correlation": 0.6}])
    matrix = uncertain.covariance(numbers(given), given)
    # A uniform number's inverse has bounded but steep ends, which cost the quadrature digits.
    assert matrix[0, 1] / matrix[0, 0] == pytest.approx(exact, rel=1e-4 if name == "uniform" else 1e-9)


# --- Propagation and spread -------------------------------------------------------------------------------------------

ROWS = (Row("mass_kg", "day"), Row("margin_k", "day"))
PROBLEM = Problem(
    "toy",
    (Variable("x", "", -10.0, 10.0, 1.0),),
    ("day",),
    Objective("minimize", (("mass_kg", 1.0),), "mean", "kg"),
    (Limit("die", ROWS[1], "K", "least", 0.0, 1.0),),
    ROWS,
)
SLOPES = np.array([[2.0, -1.0], [0.5, 3.0]])


def test_propagation_is_exact_for_linear_rows() -> None:
    given = settings({"a": NORMAL, "b": NORMAL}, correlated=[{"paths": ["a", "b"], "correlation": -0.4}], samples=65536)
    own = numbers(given)
    matrix = uncertain.covariance(own, given)
    found = propagation.propagated(SLOPES @ uncertain.means(own), SLOPES, matrix)
    rows = uncertain.samples(own, given) @ SLOPES.T
    assert found.sigma == pytest.approx(0.5 * np.sqrt([4.0 + 1.0 + 1.6, 0.25 + 9.0 - 1.2]), rel=1e-12)
    assert rows.mean(axis=0) == pytest.approx(found.mean, abs=1e-4)
    assert rows.std(axis=0) == pytest.approx(found.sigma, rel=1e-3)
    assert np.corrcoef(rows.T)[0, 1] == pytest.approx(found.correlation[0, 1], abs=1e-3)
    assert found.shares.sum(axis=1) == pytest.approx(1.0)


def toy_doubt(function: Callable[[np.ndarray], np.ndarray], given: Uncertainty) -> doubt.Doubt:
    """Rows x + f(a, b) and f(a, b), with slopes by finite differences."""

    def values(designs: np.ndarray, samples: np.ndarray) -> np.ndarray:
        own = function(samples)
        return np.stack([np.stack([own + design[0], own], axis=1) for design in designs])

    def evaluate(designs: np.ndarray) -> Evaluation:
        step = 1e-6 * np.eye(designs.shape[1])[1:]
        slopes = [(function(designs[:, 1:] + s[1:]) - function(designs[:, 1:] - s[1:])) / 2e-6 for s in step]
        found = np.stack([values(d[None, :1], d[None, 1:])[0, 0] for d in designs])
        return Evaluation(found, np.repeat(np.stack(slopes, -1)[:, None], 2, axis=1))

    return doubt.Doubt(PROBLEM, numbers(given), given, values, evaluate)


def test_tables_of_a_linear_design() -> None:
    asked = doubt.asked(
        toy_doubt(lambda s: s @ [2.0, -1.0], settings({"a": NORMAL, "b": NORMAL}, samples=16384)), np.array([7.0])
    )
    table = asked["uncertainty"]
    assert table["mean"] == pytest.approx([9.0, 2.0], abs=1e-3)
    assert table["sigma"] == pytest.approx([np.sqrt(1.25)] * 2, rel=5e-3)
    assert table["high"][1] - table["median"][1] == pytest.approx(1.645 * np.sqrt(1.25), rel=1e-2)
    assert table["linear"] == [True, True]
    assert asked["uncertainty_causes"]["share_by_slopes"] == pytest.approx([0.8, 0.2, 0.8, 0.2], rel=1e-6)
    assert len(asked["uncertainty_samples"]["a"]) == 16384
    together = asked["uncertainty_correlations"]
    assert together["measure"] == ["mass_kg", "margin_k"]
    assert together["margin_k.day"] == pytest.approx([1.0, 1.0])  # they differ by what is known


def test_rows_that_bend_are_said_not_to_be_linear() -> None:
    asked = doubt.asked(toy_doubt(lambda s: np.square(s[:, 0] - 2.0), settings({"a": NORMAL})), np.array([7.0]))
    assert asked["uncertainty"]["linear"] == [False, False]
    assert asked["uncertainty"]["mean"][1] == pytest.approx(0.25, rel=1e-2)
    assert asked["uncertainty"]["mean_by_slopes"][1] == pytest.approx(0.0, abs=1e-9)


def test_rows_that_do_not_vary_are_linear() -> None:
    values = np.full((1000, 2), [0.1 + 1e-9, -700.3])
    linear = propagation.propagated(np.array([0.1, -700.3]), np.zeros((2, 1)), np.eye(1))
    assert spread.rows(PROBLEM, values, 0.9, linear)["linear"] == [True, True]


def test_share_of_samples_that_break_a_limit() -> None:
    values = np.array([[0.0, 1.0], [0.0, -1.0], [0.0, 0.0], [np.nan, 1.0]])
    table = spread.limits(PROBLEM, values, 0.9)
    assert table["broken"] == [0.5]  # one below its bound, one without an orbit in some other row
    assert table["standard_error"] == [0.25]
    assert table["broken_low"][0] < 0.5 < table["broken_high"][0]


# --- Variance-based indices -------------------------------------------------------------------------------------------


def ishigami(x: np.ndarray) -> np.ndarray:
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def test_indices_of_ishigami() -> None:
    """Ishigami and Homma 1990, a = 7 and b = 0.1; indices in closed form: Sobol' and Levitan 1999."""
    given = settings({"a": UNIFORM, "b": UNIFORM, "c": UNIFORM}, samples=8192, indices=True)
    found = variance.indices(lambda s: np.stack([ishigami(s), np.ones(len(s))], 1), numbers(given), given)
    by_a, by_b, by_ac = 0.5 * (1.0 + 0.1 * np.pi**4 / 5.0) ** 2, 49.0 / 8.0, 0.01 * np.pi**8 * (1 / 18 - 1 / 50)
    all_of_it = by_a + by_b + by_ac
    assert found.first[0] == pytest.approx(np.array([by_a, by_b, 0.0]) / all_of_it, abs=0.01)
    assert found.total[0] == pytest.approx(np.array([by_a + by_ac, by_b, by_ac]) / all_of_it, abs=0.01)
    assert (found.total_confidence[0] > 0.0).all()
    assert np.isnan(found.first[1]).all()  # of a row that does not vary


def test_a_sample_without_rows_leaves_no_indices_and_is_told(tmp_path: Path) -> None:
    given = settings({"a": UNIFORM, "b": UNIFORM}, samples=8, indices=True)

    def broken(samples: np.ndarray) -> np.ndarray:
        rows = np.repeat(samples[:, :1], 10, axis=1)
        rows[:4] = np.nan
        return rows

    found, problem = variance.indices(broken, numbers(given), given), synthetic_design.problem()
    assert np.isnan(found.total).all() and found.without == 4 / 32
    linear = propagation.propagated(np.ones(10), np.ones((10, 2)), uncertain.covariance(numbers(given), given))
    table = spread.causes(problem, numbers(given), linear, found)
    assert table["without"] == [4 / 32] * 20
    figure = figures.causes(design_facts.read(synthetic_design.write(tmp_path / "run", uncertainty_causes=table)))
    assert (
        "by slopes: there are no indices, as 12 % of their samples have"
        in figure.to_dict()["layout"]["xaxis"]["title"]["text"]
    )
    assert [bar.x[0] for bar in figure.data] == pytest.approx([50.0, 50.0])


def test_indices_need_independent_numbers() -> None:
    given = settings({"a": UNIFORM, "b": UNIFORM}, indices=True, correlated=[{"paths": ["a", "b"], "correlation": 0.1}])
    with pytest.raises(ConfigError, match="indices = true: needs independent numbers"):
        variance.check(given)


def test_indices_need_salib(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("SALib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"needs SALib; pip install 'orbital-datacenter-twin\[uncertainty\]'"):
        variance.check(settings({"a": UNIFORM}, indices=True))


# --- Robust rows ------------------------------------------------------------------------------------------------------


def bent(designs: np.ndarray) -> Evaluation:
    """Rows (x - s)^2 and s x - 1 of designs x with a sample s behind."""
    x, s = designs.T
    return Evaluation(np.stack([(x - s) ** 2, s * x - 1.0], 1), np.stack([2.0 * (x - s), s], 1)[..., None])


STATISTICS = [
    {"statistic": "mean_plus_sigma", "k": 2.0, "probability": None},
    {"statistic": "quantile", "probability": 0.95, "k": None},
]


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda given: str(given["statistic"]))
def test_slopes_of_robust_rows_equal_finite_differences(statistic: dict[str, Any]) -> None:
    judge = robust(bent, PROBLEM, drawn({"s": NORMAL}, samples=32), Robust(samples=32, **statistic))
    x, step = np.array([[0.3], [1.7], [4.0]]), 1e-6
    difference = (judge(x + step).values - judge(x - step).values) / (2.0 * step)
    assert judge(x).slopes[..., 0] == pytest.approx(difference, rel=1e-6)


def test_robust_limit_in_closed_form() -> None:
    """s x - 1 >= 0 two deviations to its bad side: the least x is 1 / (mean - 2 sigma)."""
    samples = drawn({"s": NORMAL}, samples=64)
    judge = robust(bent, PROBLEM, samples, Robust(samples=64, statistic="mean_plus_sigma", k=2.0))
    least = 1.0 / (samples.mean() - 2.0 * samples.std(ddof=1))
    assert judge(np.array([[least]])).values[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert least == pytest.approx(1.0, rel=0.1)


def test_robust_optimum_in_closed_form() -> None:
    """The mean of (x - s)^2 is least at the mean of s, and its least is the variance of s."""
    samples = drawn({"s": NORMAL}, samples=64)
    judge = robust(bent, PROBLEM, samples, Robust(samples=64, statistic="mean_plus_sigma", k=0.0))
    best = judge(np.array([[samples.mean()]]))
    assert best.slopes[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert best.values[0, 0] == pytest.approx(samples.var())


def test_robust_quantile_is_that_of_the_bad_side() -> None:
    samples = drawn({"s": NORMAL}, samples=1024)
    judge = robust(bent, PROBLEM, samples, Robust(samples=1024, statistic="quantile", probability=0.95))
    assert judge(np.array([[1.0]])).values[0, 1] == pytest.approx(2.0 - 1.645 * 0.5 - 1.0, abs=5e-3)


def test_weights_of_a_quantile() -> None:
    assert harrell_davis(9, 0.5) == pytest.approx(harrell_davis(9, 0.5)[::-1])
    assert harrell_davis(64, 0.9).sum() == pytest.approx(1.0)


def test_robust_rows_have_no_value_where_a_sample_has_none() -> None:
    def broken(designs: np.ndarray) -> Evaluation:
        found = bent(designs)
        return found._replace(values=np.where(designs[:, 1:] > 2.5, np.nan, found.values))

    for statistic in STATISTICS:
        judge = robust(broken, PROBLEM, drawn({"s": NORMAL}, samples=32), Robust(samples=32, **statistic))
        assert np.isnan(judge(np.array([[1.0]])).values).all()


def test_a_measure_cannot_be_bad_on_both_sides() -> None:
    twice = (*PROBLEM.limits, Limit("cold", ROWS[1], "K", "most", 50.0, 1.0))
    problem = PROBLEM.__class__(**{**PROBLEM.__dict__, "limits": twice})
    with pytest.raises(ConfigError, match="margin_k in day is wanted to be both large and small"):
        robust(bent, problem, np.ones((4, 1)), Robust(samples=4, statistic="mean_plus_sigma", k=1.0))


def test_the_second_measure_of_a_front_is_robust_too() -> None:
    free = PROBLEM.__class__(**{**PROBLEM.__dict__, "limits": ()})
    front = Front(measure=ROWS[1].measure, kind="least", points=3)
    samples, given = drawn({"s": NORMAL}, samples=64), Robust(samples=64, statistic="mean_plus_sigma", k=2.0)
    assert bad_sides(free)[1] == 0.0 and bad_sides(free, front)[1] == -1.0
    found = robust(bent, free, samples, given, front)(np.array([[1.0]])).values[0, 1]
    assert found == pytest.approx(samples.mean() - 2.0 * samples.std(ddof=1) - 1.0)
    with pytest.raises(ConfigError, match="is wanted to be both large and small"):
        bad_sides(PROBLEM, front.model_copy(update={"kind": "most"}))


# --- Bad input --------------------------------------------------------------------------------------------------------

BAD = [
    ({"samples": 1000}, "uncertainty.samples = 1000: must be a power of two, such as 1024, for a Sobol sequence"),
    ({"parameters": {}}, "at least 1 item"),
    (
        {"parameters": {"array": {"area_m2": {"low": 1.0}}}},
        "'array.area_m2.low' must be a mapping that names a distri",
    ),
    (
        {"parameters": {"a": {**NORMAL, "distribution": "gauss"}}},
        "a has the distribution 'gauss', must be one of uniform",
    ),
    ({"parameters": {"a": {**NORMAL, "sigma": -1.0}}}, "sigma = -1.0: must be greater than 0"),
    ({"parameters": {"a": {**UNIFORM, "low": 9.0}}}, "low = 9 must be below high = 3.14159"),
    ({"parameters": {"a": {**NORMAL, "source": ""}}}, "source = ''"),
    ({"parameters": {"a": {**NORMAL, "median": 1.0}}}, "median = 1.0: unknown key"),
]


@pytest.mark.parametrize(("changed", "sentence"), BAD)
def test_bad_settings_are_refused(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        settings(**{"parameters": {"a": NORMAL}, **changed})
    assert str(told.value).startswith("design.uncertainty")
    assert sentence in str(told.value)


@pytest.mark.parametrize(("groups", "sentence"), [
    ([{"paths": ["a", "d"], "correlation": 0.5}], "correlated.0: d: is not among design.uncertainty.parameters"),
    ([{"paths": ["a", "b"], "correlation": 0.5}] * 2, "correlated.1: a and b are the same or correlated twice"),
    ([{"paths": ["a", "b", "c"], "correlation": -0.9}], "no numbers can be correlated like this together"),
])  # fmt: skip
def test_bad_correlations_are_refused(groups: list[Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        uncertain.correlations(settings({"a": NORMAL, "b": NORMAL, "c": NORMAL}, correlated=groups))


@pytest.mark.parametrize(("given", "sentence"), [
    ({"samples": 32, "statistic": "quantile", "k": 2.0}, "quantile must have probability, and no k"),
    ({"samples": 33, "statistic": "mean_plus_sigma", "k": 2.0}, "robust.samples = 33: must be a power of two"),
])  # fmt: skip
def test_bad_robust_settings_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        validated("design.robust", Robust, given)


# --- Report -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables of a hundred samples, one of which breaks the limit of the die."""
    problem = synthetic_design.problem()
    values = synthetic_design.VALUES + np.linspace(-1.0, 1.0, 100)[:, None] * 0.1 * np.abs(synthetic_design.VALUES)
    values[:, 2] = np.linspace(2.9, 13.0, 100)
    given = settings({"a.<b>": NORMAL, "c": UNIFORM})
    own = numbers(given)
    linear = propagation.propagated(values.mean(axis=0), np.ones((10, 2)), uncertain.covariance(own, given))
    return synthetic_design.write(
        tmp_path_factory.mktemp("uncertain") / "design",
        uncertainty=spread.rows(problem, values, 0.9, linear),
        uncertainty_limits=spread.limits(problem, values, 0.9),
        uncertainty_causes=spread.causes(problem, own, linear),
    )


def test_figures_of_an_uncertain_design(folder: Path) -> None:
    design = design_facts.read(folder)
    room, failures, causes = (draw(design) for draw in (figures.room, figures.failures, figures.causes))
    labels = list(failures.data[0].y)
    assert failures.data[0].x[labels.index("die, longest eclipse")] == pytest.approx(1.0)
    assert room.data[0].x[labels.index("die, longest eclipse")] == pytest.approx((7.95 - 3.0) / 10.0)
    by_name = {bar.name: bar.x for bar in causes.data}
    assert set(by_name) == {"a.&lt;b>", "c"}
    assert np.add(*(np.array(x, float) for x in by_name.values())) == pytest.approx(100.0)


def test_page_of_an_uncertain_design(folder: Path) -> None:
    page = design_report.write(folder).read_text(encoding="utf-8")
    assert "How often limits break" in page and "What makes it uncertain" in page


# --- On a satellite ---------------------------------------------------------------------------------------------------

FACTOR = {"distribution": "truncated", "relative": True, "mean": 1.0, "sigma": 0.02, "low": 0.9, "high": 1.1, **SOURCE}
LIMITED = {"distribution": "uniform", "low": 0.97, "high": 0.99, **SOURCE}


@pytest.fixture(scope="module")
def setup() -> Setup:
    return build_setup(compose_design())


def with_numbers(setup: Setup, parameters: dict[str, Any], **changed: Any) -> Setup:
    return setup._replace(design=setup.design.model_copy(update={"uncertainty": settings(parameters, **changed)}))


@pytest.mark.parametrize(("parameters", "sentence"), [
    ({"radiator": {"area_m3": FACTOR}}, "radiator.area_m3: no number that a design can vary (did you mean 'radiator."),
    ({"array.area_m2": LIMITED}, "area_m2: is a variable of the design, so that its distribution must be relative"),
    ({"coolant_loop.mass_flow_kg_per_s": LIMITED}, "goes with a variable of the design, so that it must be relative"),
    ({"solar_cell.max_power_voltage_v": LIMITED}, "max_power_voltage_v: is a curve, so that its distribution must be"),
    ({"solar_cell": {"max_power_voltage_v": FACTOR}, "solar_cell.max_power_voltage_v.0": FACTOR},
     "max_power_voltage_v.0: solar_cell.max_power_voltage_v is uncertain as a whole"),
    ({"array.wiring_efficiency": {**NORMAL, "mean": 0.95, "sigma": 0.02}},
     "must be above 0 and at most 1; try truncated, with low and high"),
    ({"array.wiring_efficiency": {**LIMITED, "high": 1.25}}, "distribution reaches 1.25; must be above 0 and at most"),
])  # fmt: skip
def test_numbers_that_cannot_be_uncertain_are_refused(setup: Setup, parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as told:
        uncertain.of_setup(with_numbers(setup, parameters))
    assert str(told.value).startswith("design.uncertainty.parameters")
    assert sentence in str(told.value)


def test_a_factor_multiplies_what_lies_there(setup: Setup) -> None:
    paths = ("solar_cell.max_power_voltage_v", "array.area_m2")
    found = uncertain.of_setup(with_numbers(setup, dict.fromkeys(paths, FACTOR)))
    before = setup.numbers[0]
    after = placed(before, [number.spot for number in found], [1.5, 0.5])
    (name,) = before
    for path, factor in zip(paths, (1.5, 0.5), strict=True):
        slot, key = path.split(".")
        assert after[name][slot][key] == pytest.approx(factor * np.asarray(before[name][slot][key]))


def test_a_robust_design_needs_something_uncertain() -> None:
    with pytest.raises(ConfigError, match=r"design\.robust = .*: needs design\.uncertainty"):
        compose_design(["design.robust={samples: 32, statistic: quantile, probability: 0.9}"])


def test_elasticities_of_nominal_rows_are_not_mixed_with_robust_ones() -> None:
    with pytest.raises(ConfigError, match=r"design\.robust = .*: goes without design\.sensitivities"):
        compose_design([
            "design.robust={samples: 32, statistic: quantile, probability: 0.9}",
            "design.sensitivities=[array.wiring_efficiency]",
            "design.uncertainty={samples: 32, method: sobol, seed: 0, interval: 0.9, parameters: "
            "{array.wiring_efficiency: {distribution: uniform, low: 0.95, high: 0.98, source: 'assumption: a'}}}",
        ])  # fmt: skip


@pytest.mark.slow
def test_members_are_those_of_newtons_method_and_slopes_carry_their_spread(setup: Setup) -> None:
    paths = ("solar_cell.max_power_current_a_per_m2", "accelerator.junction_resistance_k_per_w", "array.area_m2")
    own = with_numbers(setup, dict.fromkeys(paths, FACTOR), samples=128)
    found = doubt.of_setup(own)
    assert found is not None
    design = own.problem.first
    samples = uncertain.samples(found.numbers, found.given)
    near = found.values(design[None], samples)[0]
    exact = Judge(own, [number.spot for number in found.numbers])
    assert near[:4] == pytest.approx(
        exact.values(np.concatenate([np.tile(design, (4, 1)), samples[:4]], axis=1)), rel=1e-6, abs=1e-6
    )
    mass = own.problem.rows.index(("mass_kg", own.problem.scenarios[0]))
    table = doubt.asked(found, design)["uncertainty"]
    assert table["sigma_by_slopes"][mass] == pytest.approx(table["sigma"][mass], rel=0.02)
    assert table["without"][mass] == 0.0
