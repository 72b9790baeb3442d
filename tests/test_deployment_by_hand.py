"""A deployment of four satellites over three years, and the same chips on the ground, computed by hand to the cent."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from synthetic_life import YEARS, life, shape_and_numbers

from twin.deployment import beside
from twin.deployment.life import Life
from twin.deployment.outcome import ORBIT, Outcome, outcome
from twin.deployment.project import Project

# A satellite of 5 t with 100 accelerators of 100 kW and 1e17 FLOP/s; it does nine tenths of that.
UNFAILING = life(alive_per_year=1.0)
MONTH_H = 8766.0 / 12.0
MONTH_S = 365.25 * 86400.0 / 12.0
MONTHS = 36
SATELLITES = 4.0

PLAIN = {
    # Satellites that serve for two years, in orbit at once, without losses.
    "deployment.target_power_w": 4e5,
    "deployment.spares_fraction": 0.0,
    "deployment.service_life_years": 2.0,
    "deployment.loss_per_year": 0.0,
    "deployment.commissioning_years": 0.0,
    "deployment.stowed_density_kg_per_m3": 1000.0,
    "deployment.operations_fraction": 0.01,
    "deployment.ground_segment_usd_per_w_year": 0.05,
    "deployment.insurance_fraction": 0.0,
    "deployment.visit_price_usd": 1e6,
    "deployment.disposal_price_usd": 5e3,
    # Twenty satellites of 5 t a launch.
    "launch.price_usd": 1e7,
    "launch.reference_payload_kg": 1e5,
    "launch.reference_altitude_m": 6.5e5,
    "launch.reference_inclination_rad": 1.71,
    "launch.fairing_volume_m3": 684.0,
    "launch.success_fraction": 1.0,
    "launch.first_launches_per_year": 100.0,
    "manufacture.cell_price_usd_per_w": 1.0,
    "manufacture.panel_price_usd_per_m2": 100.0,
    "manufacture.battery_price_usd_per_kwh": 900.0,
    "manufacture.radiator_price_usd_per_m2": 1000.0,
    "manufacture.coolant_loop_price_usd_per_kg": 100.0,
    "manufacture.power_electronics_price_usd_per_w": 0.5,
    "manufacture.bus_price_usd_per_kg": 1000.0,
    "manufacture.structure_price_usd_per_kg": 100.0,
    "manufacture.propulsion_price_usd_per_kg": 1000.0,
    "manufacture.propellant_price_usd_per_kg": 10.0,
    "manufacture.laser_terminal_price_usd": 25e3,
    "manufacture.laser_terminal_count": 4.0,
    "manufacture.integration_fraction": 0.1,
    "manufacture.accelerator_price_usd": 30e3,
    "manufacture.host_price_usd": 10e3,
    "manufacture.repair_price_fraction": 0.5,
    "manufacture.development_cost_usd": 1e6,
    "manufacture.learning_rate": 0.0,
    "manufacture.accelerator_carbon_kg": 160.0,
    "manufacture.host_carbon_kg": 375.0,
    "economics.discount_rate_per_year": 0.0,
    "economics.accelerator_hour_price_usd_per_h": 2.5,
    # Nine tenths of the time, at once, for as long as it is asked.
    "ground.grid.building_usd_per_w": 2.0,
    "ground.grid.cooling_usd_per_w": 1.0,
    "ground.grid.electrical_usd_per_w": 1.0,
    "ground.grid.facility_life_years": 12.0,
    "ground.grid.maintenance_usd_per_w_year": 0.2,
    "ground.grid.staff_usd_per_w_year": 0.1,
    "ground.grid.facility_availability": 0.9,
    "ground.grid.grid_availability": 1.0,
    "ground.grid.facility_build_years": 0.0,
    "ground.grid.queue_years": 0.0,
    "ground.grid.pue": 1.25,
    "ground.grid.water_l_per_kwh": 0.4,
    "ground.grid.embodied_carbon_kg_per_w": 1.5,
    "ground.grid.electricity_usd_per_kwh": 0.08,
    "ground.grid.electricity_growth_per_year": 0.0,
    "ground.grid.connection_usd_per_w": 0.0,
    "ground.grid.grid_carbon_kg_per_kwh": 0.3,
}
PARTS_USD = {
    "solar_array": 1.5e5 * 1.0 + 500.0 * 100.0,
    "battery": 4e8 / 3.6e6 * 900.0,
    "radiator_and_loop": 200.0 * 1000.0 + 300.0 * 100.0,
    "power_electronics": 1e5 * 0.5,
    "bus_and_structure": 300.0 * 1000.0 + (500.0 + 400.0) * 100.0,
    "propulsion": (40.0 + 20.0) * 1000.0 + 40.0 * 10.0,
    "laser_terminals": 4.0 * 25e3,
}
INTEGRATION_USD = 0.1 * sum(PARTS_USD.values())
HARDWARE_USD = 1.1 * sum(PARTS_USD.values())
CHIPS_USD = 100.0 * (30e3 + 10e3)
LAUNCH_USD = 1e7 / 20.0
OPERATIONS_USD_PER_YEAR = 0.01 * HARDWARE_USD + 0.05 * 1e5
# What the chips of a satellite do in a month.
ORBIT_KWH, GROUND_KWH = (part * 100.0 * MONTH_H for part in (0.9, 0.9 * 0.9))
ORBIT_H, GROUND_H = (part * 100.0 * MONTH_H for part in (1.0, 0.9))

SHAPE, NUMBERS = shape_and_numbers(
    [
        "deployment.horizon_years=3",
        "deployment.service_life_years=2",
        "supply=unlimited",
        "launch=starship_target",
        "analysis=none",
    ]
)
_outcome = jax.jit(outcome, static_argnums=0)


def numbers(changes: dict[str, float]) -> dict[str, Any]:
    """The plain deployment with some of its numbers changed, by path."""
    changed = {slot: dict(own) for slot, own in NUMBERS.items()}
    for path, value in (PLAIN | changes).items():
        slot, _, key = path.rpartition(".")
        assert key in changed[slot], path
        changed[slot][key] = jnp.asarray(value, dtype=jnp.float64)
    return changed


def found(satellite: Life = UNFAILING, **changes: float) -> Outcome:
    """Changes with __ for the dots of their paths."""
    satellite = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64), satellite)  # one program for all
    return _outcome(SHAPE, satellite, numbers({path.replace("__", "."): value for path, value in changes.items()}))


def spent(of: Outcome, place: str) -> dict[str, float]:
    """What each thing costs in all, without what costs nothing."""
    sums = {name: float(np.sum(usd)) for name, usd in of.courses[place].costs_usd.items()}
    return {name: usd for name, usd in sums.items() if usd != 0.0}


def cents(usd: Any) -> Any:
    return pytest.approx(usd, rel=1e-12, abs=0.005)


@pytest.fixture(scope="module")
def plain() -> Outcome:
    return found()


@pytest.fixture(scope="module")
def interest() -> Outcome:
    return found(economics__discount_rate_per_year=0.1)


def worth(month: int) -> float:
    """What a payment in the middle of a month is worth today at 10 % a year."""
    return 1.1 ** (-(month + 0.5) / 12.0)


# --- Orbit ------------------------------------------------------------------------------------------------------------


def test_orbit_pays_for_two_generations(plain: Outcome) -> None:
    """Four satellites at once, four more when they have served; a year of the second generation is left."""
    made = 2.0 * SATELLITES
    bill = {name: made * usd for name, usd in PARTS_USD.items()} | {
        "integration": made * INTEGRATION_USD,
        "accelerators": made * 3e6,
        "hosts": made * 1e6,
        "launch": 2.0 * SATELLITES / 20.0 * 1e7,
        "operations": SATELLITES * 3.0 * OPERATIONS_USD_PER_YEAR,
        "disposal": SATELLITES * 5e3,
        "development": 1e6,
    }
    assert spent(plain, ORBIT) == cents(bill)
    assert float(plain.metrics[ORBIT]["total_usd"]) == cents(sum(bill.values()))
    left = {"chips": SATELLITES * 0.5 * CHIPS_USD, "rest": SATELLITES * 0.5 * (HARDWARE_USD + LAUNCH_USD)}
    assert {name: float(usd) for name, usd in plain.courses[ORBIT].residual_usd.items()} == cents(left)
    assert float(plain.metrics[ORBIT]["residual_usd"]) == cents(sum(left.values()))


def test_orbit_is_paid_for_watts_and_work(plain: Outcome) -> None:
    metrics = plain.metrics[ORBIT]
    assert float(metrics["usd_per_w_nominal"]) == cents((HARDWARE_USD + CHIPS_USD + LAUNCH_USD) / 1e5)
    assert float(metrics["usd_per_w_nominal_without_chips"]) == cents((HARDWARE_USD + LAUNCH_USD) / 1e5)
    assert float(metrics["delivered_fraction"]) == pytest.approx(0.9, rel=1e-12)
    assert float(metrics["usd_per_w_delivered"]) == cents((HARDWARE_USD + CHIPS_USD + LAUNCH_USD) / 9e4)
    assert float(metrics["usd_per_w_delivered_without_chips"]) == cents((HARDWARE_USD + LAUNCH_USD) / 9e4)
    rest = 6.0 * (HARDWARE_USD + LAUNCH_USD) + 12.0 * OPERATIONS_USD_PER_YEAR + SATELLITES * 5e3 + 1e6
    whole = rest + 6.0 * CHIPS_USD
    kwh, hours = (SATELLITES * MONTHS * each for each in (ORBIT_KWH, ORBIT_H))
    for kind in ("total", "levelised"):
        assert float(metrics[f"{kind}_usd_per_kwh"]) == pytest.approx(whole / kwh, rel=1e-12)
        assert float(metrics[f"{kind}_usd_per_kwh_without_chips"]) == pytest.approx(rest / kwh, rel=1e-12)
        assert float(metrics[f"{kind}_usd_per_accelerator_hour"]) == pytest.approx(whole / hours, rel=1e-12)
    # Four satellites at nine tenths of their rate, of which an hour of an accelerator of 1e15 FLOP/s is sold.
    revenue = SATELLITES * 90.0 * MONTHS * MONTH_H * 2.5
    assert float(metrics["revenue_usd"]) == cents(revenue)
    assert float(metrics["net_present_value_usd"]) == cents(revenue - whole)
    assert float(metrics["delivered_flop"]) == pytest.approx(SATELLITES * 9e16 * MONTHS * MONTH_S, rel=1e-12)


def test_orbit_at_interest(interest: Outcome) -> None:
    """Months are paid in their middle; what is left is worth something at the end, after three years."""
    once = worth(0) + worth(24)
    monthly = sum(worth(month) for month in range(MONTHS))
    end = 1.1**-3.0
    rest = SATELLITES * (
        once * (HARDWARE_USD + LAUNCH_USD)
        + monthly * OPERATIONS_USD_PER_YEAR / 12.0
        + worth(24) * 5e3
        - end * 0.5 * (HARDWARE_USD + LAUNCH_USD)
    )
    rest += worth(0) * 1e6
    whole = rest + SATELLITES * (once - 0.5 * end) * CHIPS_USD
    metrics = interest.metrics[ORBIT]
    assert float(metrics["net_present_value_usd"]) == cents(SATELLITES * monthly * 90.0 * MONTH_H * 2.5 - whole)
    kwh, hours = (SATELLITES * monthly * each for each in (ORBIT_KWH, ORBIT_H))
    assert float(metrics["levelised_usd_per_kwh"]) == pytest.approx(whole / kwh, rel=1e-12)
    assert float(metrics["levelised_usd_per_kwh_without_chips"]) == pytest.approx(rest / kwh, rel=1e-12)
    assert float(metrics["levelised_usd_per_accelerator_hour"]) == pytest.approx(whole / hours, rel=1e-12)


def test_a_satellite_of_each_month_over_its_life(interest: Outcome) -> None:
    """As its fleet, of which it pays an even share; prices do not change."""
    two_years = sum(worth(month) for month in range(24))
    usd = HARDWARE_USD + CHIPS_USD + LAUNCH_USD + two_years * OPERATIONS_USD_PER_YEAR / 12.0 + 1.1**-2.0 * 5e3
    unit = interest.courses[ORBIT].unit
    np.testing.assert_allclose(unit.cost_usd, np.full(MONTHS, usd), rtol=1e-12)
    np.testing.assert_allclose(unit.energy_kwh, np.full(MONTHS, two_years * ORBIT_KWH), rtol=1e-12)
    np.testing.assert_allclose(unit.accelerator_hours, np.full(MONTHS, two_years * ORBIT_H), rtol=1e-12)


def test_insurance_is_a_part_of_what_is_launched() -> None:
    usd = spent(found(deployment__insurance_fraction=0.03), ORBIT)["insurance"]
    assert usd == cents(8.0 * 0.03 * (HARDWARE_USD + CHIPS_USD + LAUNCH_USD))


def test_launches_that_fail_are_paid_for_and_made_good() -> None:
    """Of five satellites four arrive, in each of the two generations; what arrived has a value at the end."""
    lossy = found(launch__success_fraction=0.8)
    usd = spent(lossy, ORBIT)
    assert usd["accelerators"] == cents(10.0 * 3e6) and usd["launch"] == cents(10.0 * LAUNCH_USD)
    assert usd["disposal"] == cents(4.0 * 5e3)
    metrics = lossy.metrics[ORBIT]
    assert float(metrics["residual_usd"]) == cents(2.0 * (HARDWARE_USD + CHIPS_USD + LAUNCH_USD))
    assert float(metrics["usd_per_w_nominal"]) == cents(1.25 * (HARDWARE_USD + CHIPS_USD + LAUNCH_USD) / 1e5)


def test_a_short_fairing_takes_fewer_satellites() -> None:
    """50 kg in each of 684 m3 are 34.2 t, of a payload of 100 t."""
    usd = spent(found(deployment__stowed_density_kg_per_m3=50.0), ORBIT)["launch"]
    assert usd == cents(8.0 * 5.0 / 34.2 * 1e7)


def test_spares_stand_by() -> None:
    """0.8 of a satellite more than the target asks: made, launched, run and disposed of, but without its own work."""
    plain, spared = found(), found(deployment__spares_fraction=0.2)
    once, more = spent(plain, ORBIT), spent(spared, ORBIT)
    assert more == cents({name: usd * (1.0 if name == "development" else 1.2) for name, usd in once.items()})
    course, metrics = spared.courses[ORBIT], spared.metrics[ORBIT]
    np.testing.assert_allclose(course.units, np.full(MONTHS, 4.8), rtol=1e-12)
    np.testing.assert_allclose(course.work.nominal_power_w, np.full(MONTHS, 4e5), rtol=1e-12)
    np.testing.assert_allclose(course.work.accelerator_power_w, np.full(MONTHS, 3.6e5), rtol=1e-12)
    np.testing.assert_allclose(course.work.accelerators, np.full(MONTHS, 400.0), rtol=1e-12)
    np.testing.assert_allclose(course.work.compute_flops, np.full(MONTHS, 3.6e17), rtol=1e-12)
    # 4.8 satellites are bought for 4 x 90 kW.
    each = HARDWARE_USD + CHIPS_USD + LAUNCH_USD
    assert float(metrics["usd_per_w_delivered"]) == cents(4.8 * each / 3.6e5)
    assert float(metrics["usd_per_w_nominal"]) == cents(each / 1e5)
    assert float(metrics["delivered_fraction"]) == pytest.approx(0.9 / 1.2, rel=1e-12)
    # A satellite at work pays for its fifth of a spare all its life.
    usd = 1.2 * (each + 2.0 * OPERATIONS_USD_PER_YEAR + 5e3)
    assert float(course.unit.cost_usd[0]) == cents(usd)
    assert float(course.unit.energy_kwh[0]) == pytest.approx(24.0 * ORBIT_KWH, rel=1e-12)


def test_chips_that_have_failed_are_worth_nothing_at_the_end() -> None:
    """A fifth of the chips is gone in the second and third year: satellites are added to make up for it.

    All serve for three years. In months 12 and 24 the target lacks 4 x 0.2, then 0.8 x 0.2; at the end the first four
    have served their time, the second have a third of it left and eight tenths of their chips.
    """
    alive = jnp.where(jnp.arange(YEARS) == 0, 100.0, 80.0)
    failing = UNFAILING._replace(
        accelerators_alive=alive, accelerator_power_w=9e2 * alive, delivered_flops=9e14 * alive
    )
    orbit = found(failing, deployment__service_life_years=3.0).courses[ORBIT]
    launched = np.zeros(MONTHS)
    launched[[0, 12, 24]] = 4.0, 0.8, 0.16
    np.testing.assert_allclose(orbit.events.launched, launched, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(orbit.work.nominal_power_w, np.full(MONTHS, 4e5), rtol=1e-12)
    chips = (0.8 * 0.8 / 3.0 + 0.16 * 2.0 / 3.0) * CHIPS_USD
    rest = (0.8 / 3.0 + 0.16 * 2.0 / 3.0) * (HARDWARE_USD + LAUNCH_USD)
    assert {name: float(usd) for name, usd in orbit.residual_usd.items()} == cents({"chips": chips, "rest": rest})


def test_servicing_pays_visits_chips_with_their_hosts_and_the_launch_of_both() -> None:
    """A satellite is visited every second year, with ten accelerators and 100 kg."""
    every = jnp.ones(YEARS)
    served = UNFAILING._replace(visits=0.5 * every, accelerators_replaced=5.0 * every, resupply_kg=50.0 * every)
    usd = spent(found(served), ORBIT)
    satellite_years = SATELLITES * 3.0
    assert usd["servicing"] == cents(satellite_years * 0.5 * 1e6)
    assert usd["repairs"] == cents(satellite_years * 5.0 * 40e3)
    assert usd["launch"] == cents(8.0 * LAUNCH_USD + satellite_years * 50.0 * 1e7 / 1e5)


# --- Ground -----------------------------------------------------------------------------------------------------------


def test_the_ground_pays_for_a_building_its_energy_and_two_generations(plain: Outcome) -> None:
    kwh = SATELLITES * MONTHS * GROUND_KWH
    bill = {
        "accelerators": 8.0 * 3e6,
        "hosts": 8.0 * 1e6,
        "facility": 4e5 * 4.0,
        "energy": kwh * 1.25 * 0.08,
        "operations": 4e5 * 0.3 * 3.0,
    }
    assert spent(plain, "grid") == cents(bill)
    metrics = plain.metrics["grid"]
    assert float(metrics["total_usd"]) == cents(sum(bill.values()))
    left = {"chips": SATELLITES * 0.5 * CHIPS_USD, "rest": 4e5 * 4.0 * 9.0 / 12.0}
    assert {name: float(usd) for name, usd in plain.courses["grid"].residual_usd.items()} == cents(left)
    assert float(metrics["usd_per_w_nominal"]) == cents(CHIPS_USD / 1e5 + 4.0)
    assert float(metrics["usd_per_w_nominal_without_chips"]) == cents(4.0)
    assert float(metrics["delivered_fraction"]) == pytest.approx(0.81, rel=1e-12)
    assert float(metrics["usd_per_w_delivered"]) == cents((CHIPS_USD / 1e5 + 4.0) / 0.81)
    assert float(metrics["usd_per_w_delivered_without_chips"]) == cents(4.0 / 0.81)
    rest = 4e5 * 4.0 * 3.0 / 12.0 + bill["energy"] + bill["operations"]
    whole = rest + 6.0 * CHIPS_USD
    assert float(metrics["levelised_usd_per_kwh"]) == pytest.approx(whole / kwh, rel=1e-12)
    assert float(metrics["levelised_usd_per_kwh_without_chips"]) == pytest.approx(rest / kwh, rel=1e-12)
    hours = SATELLITES * MONTHS * GROUND_H
    assert float(metrics["levelised_usd_per_accelerator_hour"]) == pytest.approx(whole / hours, rel=1e-12)
    revenue = SATELLITES * MONTHS * 81.0 * MONTH_H * 2.5
    assert float(metrics["net_present_value_usd"]) == cents(revenue - whole)


def test_the_ground_emits_and_drinks(plain: Outcome) -> None:
    """Chips and hosts of two generations, the building, and energy at the meter; water by energy of the computers."""
    kwh = SATELLITES * MONTHS * GROUND_KWH
    kg = 8.0 * 100.0 * (160.0 + 375.0) + 4e5 * 1.5 + kwh * 1.25 * 0.3
    assert float(plain.metrics["grid"]["carbon_kg"]) == pytest.approx(kg, rel=1e-12)
    assert float(plain.metrics["grid"]["carbon_kg_per_kwh"]) == pytest.approx(kg / kwh, rel=1e-12)
    assert float(np.sum(plain.courses["grid"].water_l)) == pytest.approx(0.4 * kwh, rel=1e-12)
    assert float(plain.metrics["grid"]["water_l_per_kwh"]) == pytest.approx(0.4, rel=1e-12)


def ground_value_usd(first: int) -> float:
    """Present value at 10 % of a site that has power from a month on, by hand."""
    months = range(first, MONTHS)
    monthly = sum(worth(month) for month in months)
    earned = SATELLITES * monthly * 81.0 * MONTH_H * 2.5
    run = SATELLITES * monthly * (GROUND_KWH * 1.25 * 0.08 + 1e5 * 0.3 / 12.0)
    chips = SATELLITES * CHIPS_USD * sum(worth(month) for month in range(first, MONTHS, 24))
    building = 4e5 * 4.0 * worth(first)
    served = (MONTHS - first) / 12.0
    left = SATELLITES * CHIPS_USD * (math.ceil(served / 2.0) - served / 2.0) + 4e5 * 4.0 * (1.0 - served / 12.0)
    return earned - run - chips - building + 1.1**-3.0 * left


def test_waiting_costs_the_value_of_the_years_lost(interest: Outcome) -> None:
    late = found(economics__discount_rate_per_year=0.1, ground__grid__queue_years=1.0).metrics["grid"]
    at_once = interest.metrics["grid"]
    assert float(at_once["net_present_value_usd"]) == cents(ground_value_usd(0))
    assert float(late["net_present_value_usd"]) == cents(ground_value_usd(12))
    assert float(late["cost_of_waiting_usd"]) == cents(ground_value_usd(0) - ground_value_usd(12))
    assert float(at_once["cost_of_waiting_usd"]) == 0.0


@pytest.mark.parametrize(
    ("life_years", "wait_years", "built", "left"),
    [(2.0, 0.0, [0, 24], 0.5), (1.0, 0.0, [0, 12, 24], 0.0), (1.5, 0.0, [0, 18], 0.0), (1.25, 1.0, [12, 27], 0.4)],
    ids=lambda value: str(value).replace(" ", ""),
)
def test_a_building_is_rebuilt_when_its_life_is_over(
    life_years: float, wait_years: float, built: list[int], left: float
) -> None:
    grid = found(ground__grid__facility_life_years=life_years, ground__grid__queue_years=wait_years).courses["grid"]
    usd = np.zeros(MONTHS)
    usd[built] = 4e5 * 4.0
    np.testing.assert_allclose(grid.costs_usd["facility"], usd, rtol=1e-9, atol=1e-3)
    assert float(grid.residual_usd["rest"]) == cents(4e5 * 4.0 * left)


@pytest.mark.parametrize(
    ("alive", "replaced", "failing"),
    [
        ([100.0] * YEARS, 8.0, [0.08, 0.08]),
        # A year's mean is that of its middle: ten fail in half a year, then ten from one middle to the next.
        ([95.0, 85.0, *[75.0] * (YEARS - 2)], 0.0, [10.0 / 97.5, 10.0 / 90.0]),
    ],
    ids=["replaced in orbit", "lost in orbit"],
)
def test_what_fails_is_put_right_on_the_ground(alive: list[float], replaced: float, failing: list[float]) -> None:
    """The chips' first two years, then the first again; at half the price of the accelerators."""
    satellite = UNFAILING._replace(
        accelerators_alive=jnp.asarray(alive), accelerators_replaced=jnp.full(YEARS, replaced)
    )
    of = found(satellite)
    years = [failing[0], failing[1], failing[0]]
    repaired = SATELLITES * sum(years)
    assert spent(of, "grid")["repairs"] == cents(repaired * 0.5 * 3e6)
    grid = of.courses["grid"]
    kwh = SATELLITES * MONTHS * GROUND_KWH
    kg = 8.0 * 100.0 * (160.0 + 375.0) + repaired * 100.0 * 160.0 + 4e5 * 1.5 + kwh * 1.25 * 0.3
    assert float(np.sum(grid.carbon_kg)) == pytest.approx(kg, rel=1e-12)
    assert float(np.sum(grid.demand_per_year["accelerators"])) / 12.0 == pytest.approx(100.0 * (8.0 + repaired))


def test_scarce_chips_put_right_what_fails_before_any_are_added() -> None:
    """A block's chips are made each month; a hundredth of those in place fails each month."""
    satellite = UNFAILING._replace(accelerators_replaced=jnp.full(YEARS, 12.0))
    grid = found(satellite, supply__accelerators_per_year=1200.0).courses["grid"]
    np.testing.assert_allclose(grid.units[:3], [1.0, 1.99, 1.99 + 1.0 - 0.0199], rtol=1e-12)


def test_a_block_of_each_month_over_the_life_of_its_chips(interest: Outcome) -> None:
    """It pays the building off evenly over twelve years, of which it takes two."""
    two_years = sum(worth(month) for month in range(24)) / 12.0
    twelve_years = (1.0 - 1.1**-12.0) / math.log(1.1)
    yearly = 1e5 * (4.0 / twelve_years + 0.3) + 12.0 * GROUND_KWH * 1.25 * 0.08
    np.testing.assert_allclose(
        interest.courses["grid"].unit.cost_usd, np.full(MONTHS, CHIPS_USD + two_years * yearly), rtol=1e-12
    )


# --- Beside a study ---------------------------------------------------------------------------------------------------


def test_ours_beside_a_study() -> None:
    """Cells that lose a hundredth in the second year of two; a fifth of the chips gone in it, which are made up for."""
    alive = jnp.asarray([100.0, 80.0, *[60.0] * (YEARS - 2)])
    failing = UNFAILING._replace(
        accelerators_alive=alive, accelerator_power_w=9e2 * alive, delivered_flops=9e14 * alive
    )
    of = found(failing)
    project = Project(None, SHAPE, numbers({}), 0, "by hand")  # type: ignore[arg-type]
    ours = beside.ours(project, failing, of)
    metrics = of.metrics[ORBIT]
    by_hand = {
        "sunlit_fraction": 0.96,
        "array_health": 0.995,
        "array_loss_per_year": 0.01,
        "specific_power_w_per_kg": 900.0 * 90.0 / 5000.0,
        "satellite_mass_kg": 5000.0,
        "satellite_power_w": 1e5,
        "launch_usd_per_kg": 100.0,
        "satellite_usd_per_w": HARDWARE_USD / 1e5,
        "chips_usd_per_w": CHIPS_USD / 1e5,
        "chip_failure_per_year": 0.1,
        "service_life_years": 2.0,
        "discount_rate_per_year": 0.0,
        "operations_fraction_per_year": 0.01,
        "radiator_w_per_m2": 900.0 * 90.0 / 200.0,
        "radiator_kg_per_m2": 3.0,
        "ground_availability": 0.9,
        "usd_per_kwh_chip": float(metrics["levelised_usd_per_kwh"]),
        "usd_per_kwh_chip_without_chips": float(metrics["levelised_usd_per_kwh_without_chips"]),
        "usd_per_w_delivered_without_chips": float(metrics["usd_per_w_delivered_without_chips"]),
        "usd_per_accelerator_hour": float(metrics["levelised_usd_per_accelerator_hour"]),
    }
    assert ours == pytest.approx(by_hand, rel=1e-9)
