"""The life of a satellite: what a run of the same fleet adds up to, year by year, and its derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from synthetic_life import shape_and_numbers

import twin
from kernels.constants import YEAR_S
from twin.deployment.life import Mark, _yearly, check, jacobian, life, lives
from twin.deployment.outcome import ORBIT, outcome

YEARS, SATELLITES = 2, 2
# Windows of an orbit every fortnight; an array that limits the work, so that everything depends on it; visits.
RUN = [
    "time=life_sampled",
    f"time.duration_s={YEARS * YEAR_S}",
    "time.weight=207",
    f"constellation.satellites={SATELLITES}",
    "constellation.planes=1",  # at the hour of the node itself
    "array.area_m2=300",
    "environment.earth_flattening=0",
    "servicing=visits",
    "servicing.visit_interval_years=0.7",
    "servicing.campaign_years=0.3",
    "failures=expected",
    "precision=float64",
    "distributed.devices=1",
]
# Each number and half the width of its central difference.
WIDTHS = {
    "orbit.altitude_m": 0.1,
    "array.area_m2": 1e-3,
    "radiator.area_m2": 1e-3,
    "accelerator.count": 1e-4,
    "accelerator.power_cap_w": 1e-3,
}


def built(*overrides):
    return twin.build(twin.compose("simulate", [*RUN, *overrides]))


@pytest.fixture(scope="module")
def model():
    return built()


@pytest.fixture(scope="module")
def alone():
    """A function of a model: its life, compiled on its own."""
    program = jax.jit(life, static_argnums=0)
    return lambda model: program(model.structure, model.params, model.environment)


@pytest.fixture(scope="module")
def table(model):
    """Designs: as the model; its node at 06:00; 1000 km high; then each number less and more."""
    (params,) = model.params.values()
    paths = ("orbit.ltan_h", *WIDTHS)
    base = {path: float(params[path.split(".")[0]][path.split(".")[1]]) for path in paths}
    rows = [base, base | {"orbit.ltan_h": 6.0}, base | {"orbit.altitude_m": 1e6}]
    rows += [base | {path: base[path] + sign * width} for path, width in WIDTHS.items() for sign in (-1.0, 1.0)]
    return {path: [row[path] for row in rows] for path in paths}


@pytest.fixture(scope="module")
def designed(model, table):
    return lives(model, table)


def row(found, number):
    return jax.tree.map(lambda leaf: leaf[number], found)


# --- What a run gives -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_years_add_up_to_the_summary_of_the_run(model, alone):
    one = alone(model)
    metrics = jax.jit(twin.objective, static_argnums=0)(model.structure, model.params, model.environment)
    fleet = {
        "delivered_flop": one.delivered_flops.sum() * YEAR_S,
        "accelerator_energy_j": one.accelerator_power_w.sum() * YEAR_S,
        "servicing_visits": one.visits.sum(),
        "accelerators_replaced": one.accelerators_replaced.sum(),
        "spares_mass_kg": one.resupply_kg.sum(),
        "mass_kg": one.mass_kg,
        "nominal_power_w": one.nominal_power_w,
        "nominal_compute_rate_flops": one.nominal_flops,
    }
    for name, value in fleet.items():
        np.testing.assert_allclose(SATELLITES * value, metrics[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(one.sunlit_fraction.mean(), metrics["sunlit_fraction"], rtol=1e-9)
    np.testing.assert_allclose(sum(one.parts_kg.values()), one.mass_kg, rtol=1e-12)
    assert metrics["accelerators_replaced"] > 1.0


@pytest.mark.slow
def test_a_design_is_the_model_built_with_its_numbers(alone, designed, table):
    number = 2
    single = alone(built(*(f"{path}={values[number]}" for path, values in table.items())))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12), row(designed, number), single)


def test_a_design_does_not_depend_on_the_numbers_of_its_model(designed, table):
    other = built(*(f"{path}={values[2]}" for path, values in table.items()))
    found = lives(other, {path: values[::-1] for path, values in table.items()})
    jax.tree.map(
        partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-12), row(found, slice(None, None, -1)), designed
    )


@pytest.mark.parametrize(("number", "published"), [(0, 0.9600), (1, 0.9615)], ids=["node at 18:00", "node at 06:00"])
def test_sunlit_fraction_of_a_dawn_dusk_year(designed, number, published):
    """Mean of a year at 650 km by the geometry of the shadow of a sphere, to a tenth of a percent point."""
    np.testing.assert_allclose(designed.sunlit_fraction[number], published, atol=1e-3)


def test_array_falls_and_visits_renew(designed, model):
    health, alive = designed.array_health[0], designed.accelerators_alive[0]
    assert 1.0 > health[0] > health[1] > 0.9
    (params,) = model.params.values()
    count = float(params["accelerator"]["count"])
    lost = count - alive + np.cumsum(designed.accelerators_replaced[0])
    assert np.all(alive < count) and lost[1] > lost[0] > 0.0
    # Two satellites in turn, the first early: each is visited two or three times in two years.
    assert 2.0 <= designed.visits[0].sum() <= 3.0


def test_what_a_satellite_is(designed, model):
    (params,) = model.params.values()
    cell, array = params["solar_cell"], params["array"]
    sheet_w = cell["max_power_voltage_v"][0] * cell["max_power_current_a_per_m2"][0]
    np.testing.assert_allclose(designed.array_power_w[0], array["area_m2"] * array["packing_fraction"] * sheet_w)
    np.testing.assert_allclose(designed.altitude_m[[0, 2]], [650e3, 1e6])
    np.testing.assert_allclose(np.degrees(designed.inclination_rad[[0, 2]]), [97.986, 99.479], rtol=1e-4)


def test_higher_orbits_see_more_sun_and_weaker_cells_do_less(designed, table, model):
    assert np.all(designed.sunlit_fraction[2] > designed.sunlit_fraction[0] + 0.01)
    assert np.all(designed.delivered_flops[2] > designed.delivered_flops[0])
    (name,) = model.params
    weaker = built("solar_cell=xtj_prime")
    cell = weaker.params[name]["solar_cell"]
    cell["max_power_current_a_per_m2"] = 0.95 * cell["max_power_current_a_per_m2"]
    one = row(lives(weaker, table), 0)
    np.testing.assert_allclose(one.array_power_w, 0.95 * designed.array_power_w[0])
    assert np.all(one.delivered_flops < designed.delivered_flops[0])
    np.testing.assert_allclose(one.mass_kg, designed.mass_kg[0])


# --- Derivatives ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slopes(model):
    return jacobian(model, WIDTHS)


@pytest.mark.slow
@pytest.mark.parametrize("path", WIDTHS)
def test_derivatives_are_those_of_differences(designed, slopes, path):
    less = 3 + 2 * list(WIDTHS).index(path)
    for name in ("delivered_flops", "mass_kg", "accelerator_power_w", "sunlit_fraction", "accelerators_alive"):
        values, slope = np.asarray(getattr(designed, name)), np.asarray(getattr(slopes[path], name))
        difference = (values[less + 1] - values[less]) / (2.0 * WIDTHS[path])
        assert np.all(np.isfinite(slope))
        np.testing.assert_allclose(slope, difference, rtol=1e-3, atol=1e-9 * np.max(values[0]), err_msg=name)


@pytest.mark.slow
def test_derivative_of_mass_by_area(slopes, model):
    (params,) = model.params.values()
    assert slopes["radiator.area_m2"].parts_kg["radiator"] == params["radiator"]["areal_mass_kg_per_m2"]
    assert slopes["radiator.area_m2"].radiator_area_m2 == 1.0 and slopes["orbit.altitude_m"].altitude_m == 1.0


# --- Years, and what has none -----------------------------------------------------------------------------------------


def test_years_of_uneven_marks():
    """What is added at one rate, and what changes at one rate, whatever the marks; equal marks are one."""
    years = jnp.sort(jnp.concatenate([jnp.linspace(0.0, 2.2, 98), jnp.asarray([0.0, 0.9, 0.9, 1.4])]))
    rates = ("delivered_flops", "asked_flops", "accelerator_power_w", "sunlit_fraction")
    added = dict.fromkeys(rates, 3.0 * YEAR_S * years) | {"visits": 2.0 * years}
    curves = _yearly(Mark(YEAR_S * years, added, {"array_health": 1.0 - 0.1 * years**2}), 2)
    np.testing.assert_allclose(curves["delivered_flops"], 3.0)
    np.testing.assert_allclose(curves["visits"], 2.0)
    # The mean of 1 - t^2/10 in years one and two, by trapezia.
    np.testing.assert_allclose(curves["array_health"], [1.0 - 0.1 / 3.0, 1.0 - 0.7 / 3.0], atol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ([], "time.duration_s = 86400: must be at least a year, 31557600, "),
        (
            ["time=life_sampled", "servicing=replacement"],
            "servicing.least_accelerators_fraction = 0.5: must be 0: deployment replaces satellites itself",
        ),
        (
            ["time=life_sampled", "servicing=visits", "servicing.service_life_years=10.5"],
            "servicing.service_life_years = 10.5: must be longer than the 10 years of the run and "
            "servicing.campaign_years: deployment replaces satellites itself",
        ),
        (["experiment=mixed_fleet"], "cohorts = .*, .*: must be one design, whose life deployment repeats"),
    ],
    ids=["less than a year", "replacement", "service life", "two designs"],
)
def test_runs_without_a_life(overrides, sentence):
    with pytest.raises(twin.ConfigError, match=f"^{sentence}"):
        check(twin.build(twin.compose("simulate", [*overrides, "distributed.devices=1"])))


def test_paths_that_are_no_number(model):
    with pytest.raises(twin.ConfigError, match="did you mean"):
        jacobian(model, ["radiator.aera_m2"])
    with pytest.raises(twin.ConfigError, match=r"battery\.open_circuit_voltage_v: is a curve"):
        jacobian(model, ["battery.open_circuit_voltage_v"])


@pytest.mark.slow
def test_sampled_life_is_that_of_dense_windows():
    """Ten years without visits, as the profile has them, against windows four times as dense: half a percent."""

    def of(weight):
        run = [choice for choice in RUN if not choice.startswith("servicing")]
        run += [f"time.weight={weight}", f"time.duration_s={10 * YEAR_S}", "precision=float32", "array.area_m2=480"]
        own = twin.build(twin.compose("simulate", run))
        return jax.jit(life, static_argnums=0)(own.structure, own.params, own.environment)

    weight = twin.compose("simulate", ["time=life_sampled"]).time.weight
    sampled, dense = of(weight), of(weight // 4)
    for name in ("delivered_flops", "accelerator_power_w", "sunlit_fraction", "array_health"):
        np.testing.assert_allclose(getattr(sampled, name), getattr(dense, name), rtol=5e-3, err_msg=name)
    assert np.all(np.diff(sampled.array_health) < 0.0) and not np.any(sampled.resupply_kg)


@pytest.mark.slow
def test_altitude_and_cell_move_the_money(alone, model):
    """What a deployment pays for its work follows from the simulated satellite: its orbit, its cells."""
    shape, numbers = shape_and_numbers(["deployment.service_life_years=2", "launch=starship_target"], YEARS)
    program = jax.jit(outcome, static_argnums=0)

    def cost(model):
        found = program(shape, alone(model), numbers)
        return float(found.metrics[ORBIT]["levelised_usd_per_pflop_day"]), found.courses[ORBIT]

    base, course = cost(model)
    higher, above = cost(built("orbit.altitude_m=1000000"))
    weaker, other = cost(built("solar_cell=solaero_ztj"))
    assert abs(higher / base - 1.0) > 1e-3 and abs(weaker / base - 1.0) > 1e-3
    # The array limits the work: weaker cells deliver less of it.
    assert float(other.unit.flop[0]) < float(course.unit.flop[0])
    # A satellite to 1000 km takes more of a launch than one to 650 km.
    assert float(above.launches[0] / above.events.launched[0]) > float(course.launches[0] / course.events.launched[0])
