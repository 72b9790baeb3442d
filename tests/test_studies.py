"""Published studies: their printed numbers, their errors mended, their gradients, and waterfalls that close."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

from kernels import registry
from kernels.economics import finance
from kernels.economics.published import mccalip, starcloud, turyshev
from twin import config
from twin.deployment import studies
from twin.model import numbers_of
from twin.refusal import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf" / "study"
every_study = pytest.mark.parametrize("study", studies.STUDIES)

# A satellite and its money, made up; of the results only what the waterfalls compare with.
OURS = {
    "sunlit_fraction": 0.953,
    "array_loss_per_year": 0.02,
    "specific_power_w_per_kg": 30.0,
    "satellite_mass_kg": 2000.0,
    "satellite_power_w": 7.0e4,
    "launch_usd_per_kg": 900.0,
    "satellite_usd_per_w": 15.0,
    "chips_usd_per_w": 25.0,
    "chip_failure_per_year": 0.05,
    "service_life_years": 6.0,
    "discount_rate_per_year": 0.08,
    "operations_fraction_per_year": 0.02,
    "radiator_w_per_m2": 700.0,
    "radiator_kg_per_m2": 6.0,
    "ground_availability": 0.999,
    "usd_per_w_delivered_without_chips": 55.0,
    "usd_per_kwh_chip": 2.4,
    "usd_per_kwh_chip_without_chips": 1.6,
    "usd_per_accelerator_hour": 2.9,
}


def profile(name):
    return OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))


def assumed(study, **other):
    return numbers_of("study", config.profile("study", profile(study) | other))


def of(study, **other):
    return {name: float(value) for name, value in studies.results(study, assumed(study, **other)).items()}


# --- What they print --------------------------------------------------------------------------------------------------


@every_study
def test_study_gives_what_it_prints(study):
    for row in studies.rows(study, assumed(study)):
        assert row.recomputed == pytest.approx(row.published, rel=row.tolerance, abs=0.0), row.quantity


@pytest.mark.parametrize(
    ("study", "name", "expected", "rel"),
    [
        ("starcloud", "emitted_w_per_m2", 770.478, 1e-6),
        ("starcloud", "solar_w_per_m2", 122.94, 1e-12),
        ("starcloud", "earth_w_per_m2", 14.460, 1e-4),
        ("starcloud", "net_w_per_m2", 633.079, 1e-6),
        ("starcloud", "array_m2", 1.84865e7, 2e-6),
        ("starcloud", "array_side_m", 4299.59, 1e-6),
        ("starcloud", "array_and_launch_usd_per_kwh", 0.0019977, 1e-5),
        ("mccalip", "satellites_exact", 1_072_719.94 / 27.0, 1e-8),
        ("mccalip", "array_m2", 39_731.0 * 116.0, 1e-12),
        ("suncatcher", "starlink_v2", 812.9, 1e-4),
        ("suncatcher", "starlink_v2_today", 14_631.6, 1e-5),
        ("suncatcher", "starlink_v1", 1485.7, 2e-5),
        ("suncatcher", "starlink_v1_today", 26_742.9, 2e-6),
        ("suncatcher", "iridium_next", 6880.0, 1e-12),
        ("suncatcher", "iridium_next_today", 123_840.0, 1e-12),
        ("suncatcher", "ground", 572.9, 1e-5),
        ("suncatcher", "ground_high", 3066.0, 1e-12),
        ("turyshev", "radiator_m2", 2495.0, 2e-4),
        ("turyshev", "radiator_kg_per_kw", 12.476, 1e-4),
    ],
)
def test_recomputed_value_with_all_its_digits(study, name, expected, rel):
    assert of(study)[name] == pytest.approx(expected, rel=rel)


def test_headline_of_suncatcher_is_its_table_as_long_as_all_it_leaves_out_is_zero():
    assert of("suncatcher")["orbit"] == pytest.approx(of("suncatcher")["starlink_v2"], rel=1e-12)
    assert of("suncatcher", chips_usd_per_w=1.0)["orbit"] == pytest.approx(of("suncatcher")["orbit"] + 200.0)


def test_starcloud_costs_are_the_sums_of_its_table():
    found = of("starcloud")
    assert found["energy_usd"] == pytest.approx(0.04 * 40e3 * 87_600.0)
    assert found["space_usd"] == pytest.approx(2e6 + 5e6 + 1.2e6)
    assert found["orbit"] == pytest.approx(8.2e6 / (40e3 * 87_600.0))
    assert found["ground"] == pytest.approx(167.16e6 / (40e3 * 87_600.0))


def test_results_without_public_inputs_are_read_with_their_sources():
    costs = studies.published_costs()
    assert all(cost.source and cost.year >= 2024 and cost.least <= cost.most for cost in costs)
    masses = {cost.source: (cost.least, cost.most) for cost in costs if cost.quantity == "specific_mass"}
    assert len(masses) == 11 and masses["Turyshev"] == (34.0, 59.0) and masses["McCalip"] == (27.0, 27.0)
    (ratio,) = (cost for cost in costs if cost.quantity == "orbit_over_ground")
    assert (ratio.least, ratio.most) == (0.8, 82.0)
    epoch = {cost.quantity: cost.least for cost in costs if cost.source == "Epoch AI"}
    assert epoch["ground_capex"] == epoch["ground_compute"] + epoch["ground_construction"] == 38e9


# --- What they get wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mended", "net_w_per_m2", "space_usd"),
    [
        (starcloud.emissivity_for_infrared, 584.760, 8.2e6),
        (starcloud.both_faces_see_the_earth, 521.98, 8.2e6),
        (starcloud.one_launch_price, 521.98, 9.0e6),
    ],
)
def test_errors_of_starcloud_mended_one_after_the_other(mended, net_w_per_m2, space_usd):
    found = mended(**assumed("starcloud"))
    assert float(found["net_w_per_m2"]) == pytest.approx(net_w_per_m2, rel=1e-5)
    assert float(found["space_usd"]) == pytest.approx(space_usd, rel=1e-12)


def test_starcloud_radiator_is_a_fifth_too_good():
    published, mended = of("starcloud"), studies.corrected("starcloud", assumed("starcloud"))
    assert published["net_w_per_m2"] / float(mended["net_w_per_m2"]) == pytest.approx(1.21, abs=0.005)
    assert float(mended["radiator_m2"]) == pytest.approx(40e6 / 521.98, rel=1e-5)


def test_mccalip_over_one_availability():
    found = mccalip.one_availability(**assumed("mccalip"))
    assert float(found["orbit"]) == pytest.approx(1.16656 / 0.85, rel=1e-5)
    assert float(found["ground"]) == pytest.approx(0.42576, rel=1e-5)


def test_mccalip_breakeven_launch_price_makes_both_bills_equal_only_with_all_costs():
    price = float(studies.corrected("mccalip", assumed("mccalip"))["breakeven_launch_usd_per_kg"])
    parts = of("mccalip")
    whole = parts["satellites"] / parts["satellites_exact"]
    others = (parts["total_usd"] - parts["launch_usd"] - parts["development_usd"]) / whole + parts["development_usd"]
    launched = parts["mass_kg"] / whole
    assert others + price * launched == pytest.approx(parts["ground_usd_per_w"] * 1e9, rel=1e-12)
    assert price < parts["breakeven_launch_usd_per_kg"] < 0.0


def test_mccalip_counts_whole_satellites_and_launches():
    found = of("mccalip", sunlit_fraction=0.97)
    assert found["satellites"] == math.ceil(found["satellites_exact"]) > 39_731
    assert found["launches"] == math.ceil(found["launches_exact"])
    assert found["orbit"] == pytest.approx(found["orbit_smooth"], rel=1.0 / 39_731)
    assert found["orbit"] > found["orbit_smooth"]


def test_discounting_raises_the_price_of_what_is_paid_first():
    rate, years = 0.08, 5.0
    free, dear = of("mccalip"), of("mccalip", discount_rate_per_year=rate)
    at_start = free["hardware_usd"] + free["launch_usd"] + free["development_usd"]
    recovery = rate / (1.0 - (1.0 + rate) ** -years)
    assert dear["orbit"] - free["orbit"] == pytest.approx((recovery - 1.0 / years) * at_start / 8.76e9, rel=1e-9)
    assert dear["total_usd"] == free["total_usd"]


# --- The way from theirs to ours --------------------------------------------------------------------------------------


@every_study
def test_waterfall_closes(study):
    assumptions = assumed(study)
    found, ours = studies.counterparts(study, assumptions, OURS)
    way = studies.waterfall(study, assumptions, found, ours)
    assert way.theirs == of(study)["orbit"] and way.ours == ours
    assert math.fsum(line.value for line in way.lines) == pytest.approx(way.ours - way.theirs, rel=1e-13)
    assert way.lines[-1].label == studies.LAST_LINE and len(way.lines) >= 6
    assert {line.unit for line in way.lines} == {studies.STUDIES[study].UNIT}


def levelised(chips_usd_per_w):
    """Cost of a mean kWh of the satellite of `OURS`, by capital recovery and operations on what is not chips."""
    capital = OURS["launch_usd_per_kg"] * OURS["satellite_mass_kg"]
    capital += (OURS["satellite_usd_per_w"] + chips_usd_per_w) * OURS["satellite_power_w"]
    rate, years = OURS["discount_rate_per_year"], OURS["service_life_years"]
    yearly = capital * rate / (1.0 - (1.0 + rate) ** -years)
    yearly += OURS["operations_fraction_per_year"] * OURS["satellite_usd_per_w"] * OURS["satellite_power_w"]
    return yearly / (OURS["specific_power_w_per_kg"] * OURS["satellite_mass_kg"] * 8.76)


@pytest.mark.parametrize("study", ["starcloud", "suncatcher", "semianalysis"])
def test_nothing_remains_where_ours_follows_from_what_the_study_knows(study):
    kwh = levelised(OURS["chips_usd_per_w"])
    ours = OURS | {"usd_per_kwh_chip": kwh, "usd_per_accelerator_hour": 1.2 * kwh}
    assumptions = assumed(study)
    way = studies.waterfall(study, assumptions, *studies.counterparts(study, assumptions, ours))
    assert way.lines[-1].value == pytest.approx(0.0, abs=1e-9 * way.ours)


def test_of_mccalip_there_remain_his_development_and_his_replaced_satellites():
    ours = OURS | {"usd_per_kwh_chip_without_chips": levelised(0.0), "ground_availability": 1.0}
    assumptions = assumed("mccalip", development_usd=0.0)
    found, result = studies.counterparts("mccalip", assumptions, ours | {"chip_failure_per_year": 0.0})
    way = studies.waterfall("mccalip", assumptions, found, result)
    assert way.lines[-1].value == pytest.approx(0.0, abs=1e-4 * way.ours)  # his satellites are whole


def test_turyshev_with_our_radiator_and_mass_costs_what_ours_weighs():
    assumptions = assumed("turyshev")
    found, _ = studies.counterparts("turyshev", assumptions, OURS)
    replaced = assumptions | {name: jnp.asarray(value) for name, (value, _) in found.items()}
    result = studies.results("turyshev", replaced)
    assert float(result["net_w_per_m2"]) == pytest.approx(700.0, rel=1e-12)
    assert float(result["kg_per_kw"]) == pytest.approx(1000.0 / 30.0, rel=1e-12)
    assert float(result["orbit"]) == pytest.approx((900.0 + 15.0 * 7e4 / 2000.0) / 30.0, rel=1e-12)
    assert float(turyshev.equivalent_temperature_k(500.9465793571584, 0.9, 0.85, 150.0)) == pytest.approx(350.0)


def test_a_line_is_the_change_that_one_assumption_makes():
    assumptions = assumed("mccalip")
    way = studies.waterfall("mccalip", assumptions, {"launch_usd_per_kg": (100.0, "a quote")}, 1.0)
    assert [line.label for line in way.lines] == [
        "launch_usd_per_kg: 500 to 100 (a quote)",
        "energy in orbit and on the ground over the same availability",
        studies.LAST_LINE,
    ]
    assert way.lines[0].value == pytest.approx(-400.0 * 29_390_054.79 / 43.8e9, rel=1e-8)


# --- Gradients --------------------------------------------------------------------------------------------------------


@every_study
def test_gradients_are_the_slopes(study):
    assumptions = assumed(study)
    names, values = list(assumptions), np.array([float(value) for value in assumptions.values()])

    def evaluate(vector):
        return studies.results(study, dict(zip(names, vector, strict=True)))

    steps = 1e-6 * np.maximum(np.abs(values), 1.0)
    slopes = jax.jit(jax.jacfwd(evaluate))(values)
    above, below = map(jax.jit(jax.vmap(evaluate)), (values + np.diag(steps), values - np.diag(steps)))
    for result, slope in slopes.items():
        by_hand = np.asarray(above[result] - below[result]) / (2.0 * steps)
        noise = 4e-15 * np.abs(np.asarray(above[result])) / steps
        assert np.all(np.abs(np.asarray(slope) - by_hand) <= 1e-5 * np.abs(by_hand) + noise), result


@every_study
def test_headline_follows_every_assumption_that_has_a_counterpart(study):
    headline = "orbit_smooth" if study == "mccalip" else "orbit"
    assumptions = assumed(study, **({"satellite_usd_per_w": 1.0} if study == "suncatcher" else {}))
    result, slope = jax.jit(jax.value_and_grad(lambda known: studies.results(study, known)[headline]))(assumptions)
    least = {name: 1e-9 * float(result) / max(float(assumptions[name]), 1.0) for name in assumptions}
    still = {name for name in studies.STUDIES[study].SUBSTITUTES if abs(float(slope[name])) < least[name]}
    # Without whole satellites their size costs nothing; the ground's availability enters with the correction alone.
    assert still == ({"satellite_power_w", "ground_availability"} if study == "mccalip" else set())


@pytest.mark.parametrize(
    ("function", "at_zero"), [(finance.mean_after_loss, -2.0), (finance.capital_recovery_per_year, 6.0 / 10.0)]
)
def test_without_loss_or_interest_the_slope_is_the_limit(function, at_zero):
    slope = jax.grad(lambda rate: function(rate, 5.0))
    assert float(slope(0.0)) == pytest.approx(at_zero, rel=1e-12)
    assert float(slope(1e-6)) == pytest.approx(at_zero, rel=1e-4)


def test_mean_after_loss_is_the_mean_of_its_years():
    assert float(finance.mean_after_loss(0.025, 5.0)) == pytest.approx(sum(0.975**k for k in range(5)) / 5.0, rel=1e-14)
    assert float(finance.mean_after_loss(0.0, 5.0)) == 1.0


# --- Profiles and bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*studies.STUDIES, "none"])
def test_profile_of_a_study_is_valid(name):
    assert config.profile("study", profile(name)).model == name


def test_no_study_has_no_result():
    assert registry.call(registry.models("study")["none"], {}) == {}
    with pytest.raises(ConfigError, match=r"^study = 'none': has no result; those with one: starcloud, mccalip, "):
        studies.rows("none", {})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "mcalip"}, "study.model = 'mcalip': not a known model; .*did you mean 'mccalip'"),
        ({"sunlit_fraction": 1.2}, "study.sunlit_fraction = 1.2: must be above 0 and at most 1"),
        ({"launch_usd_per_kg": -5.0}, "study.launch_usd_per_kg = -5.0: must be at least 0 usd/kg"),
        ({"launch_usd_per_kg": "cheap"}, "study.launch_usd_per_kg = 'cheap': must be a number"),
        ({"pue": 0.9}, "study.pue = 0.9: must be at least 1 and at most 5"),
        ({"cell_los_per_year": 0.1}, "study.cell_los_per_year = 0.1: unknown key .*did you mean 'cell_loss_per_year'"),
    ],
    ids=lambda part: next(iter(part)) if isinstance(part, dict) else "",
)
def test_bad_profile_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(ConfigError, match=sentence) as refused:
        config.profile("study", profile("mccalip") | change)
    assert "\n" not in str(refused.value)


def test_missing_assumption_is_refused():
    without = {key: value for key, value in profile("turyshev").items() if key != "power_overhead"}
    with pytest.raises(ConfigError, match=r"study\.power_overhead: missing; model 'turyshev' needs it"):
        config.profile("study", without)


def test_substitute_that_is_no_assumption_is_refused():
    with pytest.raises(
        ConfigError, match=r"study\.launch_usd_per_k: not an assumption .*did you mean 'launch_usd_per_kg'"
    ):
        studies.waterfall("mccalip", assumed("mccalip"), {"launch_usd_per_k": (1.0, "ours")}, 1.0)
    with pytest.raises(ConfigError, match=r"study = 'mccalp': has no result; .*did you mean 'mccalip'"):
        studies.waterfall("mccalp", {}, {}, 1.0)
