"""A deployment month by month: balances of units, mass and money, constraints, and what follows from the numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from synthetic_life import life, shape_and_numbers

from kernels.economics import finance, supply, vintages
from twin.deployment import course, measures, metrics, space
from twin.deployment.outcome import BEAMED, ORBIT, Outcome, outcome
from twin.deployment.project import Numbers
from twin.deployment.space_prices import CHIPS

LIFE = life()
SHAPE, NUMBERS = shape_and_numbers(["deployment.target_power_w=1e8", "supply=unlimited", "launch=starship_target"])
_outcome = jax.jit(outcome, static_argnums=0)


def with_numbers(changes: dict[str, float]):
    """The numbers with some of them changed, by path."""
    numbers = {slot: dict(own) for slot, own in NUMBERS.items()}
    for path, value in changes.items():
        slot, _, key = path.rpartition(".")
        numbers[slot][key] = jnp.asarray(value, dtype=jnp.float64)
    return numbers


@pytest.fixture(scope="module")
def base() -> Outcome:
    return _outcome(SHAPE, LIFE, NUMBERS)


PARTS = (
    "solar_array",
    "battery",
    "radiator_and_loop",
    "power_electronics",
    "bus_and_structure",
    "propulsion",
    "laser_terminals",
    "integration",
    "accelerators",
    "hosts",
    "launch",
)
PLAN = vintages.Plan(*map(jnp.asarray, (1e8, 0.0, 5.0, 0.02, 0.1, 100.0)))


def test_units_are_launched_lost_failed_retired_or_in_orbit_in_every_month(base: Outcome) -> None:
    for place, found in base.courses.items():
        events = found.events
        gone = events.lost_at_launch + events.failed + events.retired
        np.testing.assert_allclose(np.cumsum(events.launched - gone), found.units, rtol=1e-12, err_msg=place)


def test_a_vintage_loses_what_fails_and_is_retired(base: Outcome) -> None:
    """From month to month all vintages together lose what the events say; one of them decays, and then is gone."""
    orbit = base.courses[ORBIT]
    by_age, events = np.asarray(orbit.by_age), orbit.events
    np.testing.assert_allclose(by_age[:, 0], events.launched - events.lost_at_launch, rtol=1e-12)
    lost = np.sum(by_age[:-1], axis=1) - np.sum(by_age[1:, 1:], axis=1)
    np.testing.assert_allclose(lost, (events.failed + events.retired)[1:], rtol=1e-9, atol=1e-9)
    ages = np.arange(80)
    left = np.where(ages < 60, np.exp(-0.01 * ages / 12.0), 0.0)
    np.testing.assert_allclose(by_age[10 + ages, ages], by_age[10, 0] * left, rtol=1e-12)


def test_twice_the_prices_are_twice_the_costs(base: Outcome) -> None:
    """Every cost is made of prices in the configuration, and of nothing else."""
    prices = {f"{slot}.{key}": 2.0 * float(own[key]) for slot, own in NUMBERS.items() for key in own if "usd" in key}
    twice = _outcome(SHAPE, LIFE, with_numbers(prices))
    for place, found in base.courses.items():
        for name, usd in found.costs_usd.items():
            assert (np.asarray(usd) >= 0.0).all()
            np.testing.assert_allclose(twice.courses[place].costs_usd[name], 2.0 * usd, rtol=1e-12, err_msg=name)


def test_nominal_power_is_that_of_a_new_satellite() -> None:
    """Accelerators that fail in the first year count as delivered less, not as placed less."""
    worn = LIFE._replace(accelerators_alive=0.9 * LIFE.accelerators_alive)
    found = _outcome(SHAPE, worn, NUMBERS)
    orbit, of = found.courses[ORBIT], found.metrics[ORBIT]
    invested = float(orbit.events.launched @ orbit.unit.capital_usd)
    placed_w = float(np.sum(orbit.events.launched) * LIFE.nominal_power_w)
    assert float(of["usd_per_w_nominal"]) == pytest.approx(invested / placed_w, rel=1e-12)


def test_satellites_of_twice_the_mass_take_twice_the_launches() -> None:
    often = {"launch.first_launches_per_year": 1e4, "launch.pad_launches_per_year": 1e4}
    once, twice = (
        _outcome(SHAPE, LIFE, with_numbers(often | {"deployment.mass_scale": scale})).courses[ORBIT]
        for scale in (1.0, 2.0)
    )
    np.testing.assert_allclose(twice.events.launched, once.events.launched, rtol=1e-12)
    np.testing.assert_allclose(twice.launches, 2.0 * once.launches, rtol=1e-12)
    assert float(np.sum(once.launched_kg) / np.sum(once.events.launched)) == pytest.approx(5000.0, rel=1e-12)


def test_a_constant_fleet_is_replaced_at_the_rate_of_its_life() -> None:
    """In equilibrium units over their mean life are what is launched (Little, Oper. Res. 9, 1961)."""
    law = vintages.law(PLAN, jnp.ones(120))
    grown = course.grow(
        law, jnp.full(6000, 1000.0), lambda units, month: jnp.full(1, 25.0), jnp.ones(()), jnp.ones(6000)
    )
    mean_life_months = float(vintages.survivors(law).sum())
    assert np.asarray(grown.events.launched)[-1200:].mean() == pytest.approx(1000.0 / mean_life_months, rel=1e-3)


def test_survival_is_exponential_until_the_end_of_the_service_life() -> None:
    kept = np.asarray(vintages.survivors(vintages.law(PLAN, jnp.ones(120))))
    months = np.arange(120)
    np.testing.assert_allclose(kept, np.where(months < 60, np.exp(-0.02 * months / 12.0), 0.0), rtol=1e-12)


def test_a_life_that_ends_within_a_month_ends_for_its_part_of_the_units() -> None:
    plan = PLAN._replace(service_life_years=jnp.asarray(5.0 + 0.25 / 12.0), loss_per_year=jnp.zeros(()))
    kept = np.asarray(vintages.survivors(vintages.law(plan, jnp.ones(120))))
    assert kept[59] == 1.0 and kept[60] == pytest.approx(0.25) and kept[61] == 0.0


@pytest.mark.parametrize("resource", supply.RESOURCES)
def test_no_more_is_launched_than_a_resource_allows(resource: str) -> None:
    """One resource is scarce, all others are not: it binds in every month in which the target does not."""
    key = next(k for k in NUMBERS["supply"] if k.startswith(resource) and k.endswith("per_year") and "growth" not in k)
    most = f"most_{key}"
    per_unit = float(space.demand_of(LIFE, NUMBERS)[resource])
    scarce = {f"supply.{key}": 30.0 * per_unit}
    scarce |= {f"supply.{most}": 30.0 * per_unit} if most in NUMBERS["supply"] else {}
    share = NUMBERS["supply"].get(f"{resource}_share", 1.0)
    found = _outcome(SHAPE, LIFE, with_numbers(scarce)).courses[ORBIT]
    launched = np.asarray(found.events.launched)
    assert launched.max() == pytest.approx(30.0 * float(share) / 12.0, rel=1e-9)
    assert space.LIMITS[int(found.binding[5])] == resource


def test_a_target_within_reach_is_reached_and_held(base: Outcome) -> None:
    power_w = np.asarray(base.courses[ORBIT].work.nominal_power_w)
    # Chips go on failing within a month, and a year of life ends with a step.
    assert power_w[120:].min() > 0.96e8 and power_w.max() < 1.03e8
    assert float(base.metrics[ORBIT]["years_to_1_gw"]) == np.inf


def test_years_to_a_power_are_interpolated_within_the_month() -> None:
    power_w = jnp.asarray([0.0, 1e9, 3e9, 2e9])
    assert float(metrics.years_to(power_w, 2e9)) == pytest.approx(2.5 / 12.0)
    assert float(metrics.years_to(power_w, 4e9)) == np.inf
    assert float(metrics.years_to(power_w, 0.0)) == 0.0


def test_levelised_cost_without_interest_is_the_total() -> None:
    found = _outcome(SHAPE, LIFE, with_numbers({"economics.discount_rate_per_year": 0.0})).metrics
    for place in found:
        for name in measures.DENOMINATORS:
            total, levelised = (float(found[place][f"{kind}_usd_per_{name}"]) for kind in ("total", "levelised"))
            assert levelised == pytest.approx(total, rel=1e-9)


def test_the_cost_of_a_satellite_over_its_life_from_its_parts(base: Outcome) -> None:
    """Without interest, loss, insurance and servicing a unit costs its parts, its launch, operations and disposal."""
    plain = {
        "economics.discount_rate_per_year": 0.0,
        "deployment.loss_per_year": 0.0,
        "deployment.commissioning_years": 0.0,
        "deployment.insurance_fraction": 0.0,
        "deployment.spares_fraction": 0.0,
        "launch.success_fraction": 1.0,
    }
    found = _outcome(SHAPE, LIFE, with_numbers(plain)).courses[ORBIT]
    launched = np.asarray(found.events.launched)
    first = int(np.argmax(launched > 1.0))
    part_usd = {name: float(usd[first]) / launched[first] for name, usd in found.costs_usd.items() if name in PARTS}
    hardware = sum(usd for name, usd in part_usd.items() if name not in (*CHIPS, "launch"))
    operations = 5.0 * (0.01 * hardware + 0.05 * 1e5)
    chips = sum(part_usd[name] for name in CHIPS)
    expected = hardware + chips + part_usd["launch"] + operations + 5e3
    assert float(found.unit.cost_usd[first]) == pytest.approx(expected, rel=1e-9)
    assert float(found.unit.chips_usd[first]) == pytest.approx(chips, rel=1e-9)
    alive = np.asarray(LIFE.accelerators_alive)[:5]
    assert float(found.unit.accelerator_hours[first]) == pytest.approx(alive.sum() * finance.HOURS_PER_YEAR, rel=1e-9)


def test_servicing_takes_launches_and_chips_and_costs_money() -> None:
    served = _outcome(SHAPE, life(visits=0.4), NUMBERS).courses[ORBIT]
    assert float(np.sum(served.costs_usd["servicing"])) > 0.0 and float(np.sum(served.costs_usd["repairs"])) > 0.0
    satellites = float(np.sum(served.events.launched * LIFE.mass_kg))
    assert float(np.sum(served.launched_kg)) > satellites
    asked = np.sum(served.demand_per_year["accelerators"]) / 12.0
    assert asked > 100.0 * np.sum(served.events.launched)


def test_replaced_chips_are_no_cost_without_chips(base: Outcome) -> None:
    """Failing chips are repaired on the ground: a cost of chips, so that it leaves the cost of all else alone."""
    faultless = _outcome(SHAPE, life(alive_per_year=1.0), NUMBERS).metrics["grid"]
    name = "levelised_usd_per_pflop_day"
    assert float(faultless[f"{name}_without_chips"]) == pytest.approx(
        float(base.metrics["grid"][f"{name}_without_chips"])
    )
    assert float(faultless[name]) < float(base.metrics["grid"][name])


def test_time_to_power_delays_the_ground_and_costs_it_value(base: Outcome) -> None:
    later = _outcome(SHAPE, LIFE, with_numbers({"ground.grid.queue_years": 9.0}))
    earlier = _outcome(SHAPE, LIFE, with_numbers({"ground.grid.queue_years": 3.0}))
    power_w = np.asarray(later.courses["grid"].work.nominal_power_w)
    assert (power_w[: 9 * 12 - 1] == 0.0).all() and power_w[-1] == pytest.approx(1e8, rel=1e-6)
    shift = np.asarray(earlier.courses["grid"].work.nominal_power_w)[: -6 * 12]
    np.testing.assert_allclose(power_w[6 * 12 :], shift, rtol=1e-9)


def test_progress_makes_later_chips_better_and_work_cheaper() -> None:
    same, better = (
        _outcome(SHAPE, LIFE, with_numbers({"economics.accelerator_progress_per_year": g})) for g in (0.0, 0.2)
    )
    gain = np.asarray(better.courses[ORBIT].unit.flop / same.courses[ORBIT].unit.flop)
    np.testing.assert_allclose(gain, 1.2 ** (np.arange(SHAPE.months) / 12.0), rtol=1e-9)
    assert float(better.metrics["grid"]["levelised_usd_per_pflop_day"]) < float(
        same.metrics["grid"]["levelised_usd_per_pflop_day"]
    )


def test_launch_price_follows_the_mass_that_has_been_launched() -> None:
    shape, numbers = shape_and_numbers(
        ["launch=starship_learning", "deployment.target_power_w=1e9", "supply=unlimited"]
    )
    found = _outcome(shape, LIFE, numbers).courses[ORBIT]
    price = np.asarray(found.costs_usd["launch"]) / np.asarray(found.launches)
    assert (np.diff(price) <= 1e-9).all() and price[-1] < 0.6 * price[0]


PATHS = (
    "launch.reference_price_usd_per_kg",
    "deployment.mass_scale",
    "deployment.service_life_years",
    "manufacture.cell_price_usd_per_w",
    "economics.discount_rate_per_year",
)


@pytest.fixture(scope="module")
def priced():
    """Cost of work in orbit, its gradient by all numbers, and the numbers; the service life ends within a month."""
    shape, numbers = shape_and_numbers(["launch=starship_learning", "deployment.service_life_years=5.03"])

    def cost(numbers: Numbers) -> jax.Array:
        return outcome(shape, LIFE, numbers).metrics[ORBIT]["levelised_usd_per_pflop_day"]

    return jax.jit(cost), jax.jit(jax.grad(cost))(numbers), numbers


@pytest.mark.parametrize("path", PATHS)
def test_gradient_of_cost_per_work_equals_finite_differences(priced, path: str) -> None:
    cost, slopes, numbers = priced
    slot, _, key = path.rpartition(".")
    at = float(numbers[slot][key])
    step = 1e-5 * at

    def beside(value: float) -> float:
        changed = {**numbers, slot: {**numbers[slot], key: jnp.asarray(value, dtype=jnp.float64)}}
        return float(cost(changed))

    difference = (beside(at + step) - beside(at - step)) / (2.0 * step)
    assert float(slopes[slot][key]) == pytest.approx(difference, rel=1e-4) and difference != 0.0


def test_another_number_is_no_other_program(base: Outcome) -> None:
    compiled = _outcome._cache_size()
    _outcome(SHAPE, LIFE, with_numbers({"launch.price_usd": 3e7, "ground.grid.pue": 1.4}))
    assert _outcome._cache_size() == compiled


def test_beamed_power_and_sites_have_the_same_metrics(base: Outcome) -> None:
    assert {*base.metrics} == {ORBIT, *SHAPE.sites, BEAMED}
    assert len({tuple(sorted(of)) for of in base.metrics.values()}) == 1
