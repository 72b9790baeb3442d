"""Launch: payload to the orbit by the rocket equation, cadence, carbon and what a launch costs."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from kernels import registry
from kernels.economics import launch
from twin import config
from twin.refusal import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf" / "launch"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))
SUN_SYNCHRONOUS_650 = (650e3, math.radians(97.99))


def profile(name):
    return yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))


def numbers(name):
    """PyYAML reads 1.0e5 as text."""
    return {k: float(v) for k, v in profile(name).items() if k not in ("name", "model", "sources")}


def payload(name, altitude_m, inclination_rad, **other):
    return registry.call(launch.payload_kg, numbers(name) | other, altitude_m, inclination_rad)


def price(name, years=0.0, cumulative_kg=0.0, launches_per_year=100.0, **other):
    kernel = registry.models("launch")[profile(name)["model"]]
    return registry.call(kernel, numbers(name) | other, *map(jnp.asarray, (years, cumulative_kg, launches_per_year)))


# --- Payload ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_payload_to_the_reference_orbit_is_the_reference_payload(name):
    own = numbers(name)
    back = payload(name, own["reference_altitude_m"], own["reference_inclination_rad"])
    assert float(back) == pytest.approx(own["reference_payload_kg"], rel=1e-12)


def test_raising_an_orbit_costs_the_rocket_equation_of_a_hohmann_transfer():
    """Both burns by the vis-viva equation, 200 to 650 km."""
    mu, low, high = 3.986004418e14, 6_578_137.0, 7_028_137.0
    axis = 0.5 * (low + high)
    perigee, apogee = (math.sqrt(mu * (2.0 / r - 1.0 / axis)) for r in (low, high))
    burns = perigee - math.sqrt(mu / low) + math.sqrt(mu / high) - apogee
    assert float(launch.raising_m_per_s(low, high)) == pytest.approx(burns, rel=1e-9)
    assert float(launch.raising_m_per_s(high, low)) == pytest.approx(-burns, rel=1e-9)
    by_hand = 220e3 * math.exp(-burns / (375.0 * 9.80665)) - 120e3
    assert float(payload("starship_contract", 650e3, 0.4974)) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize(
    ("inclination", "gain"), [(0.0, 465.1), (90.0, None), (180.0, -465.1)], ids=["equator", "pole", "retrograde"]
)
def test_the_turning_earth_gives_its_speed_at_the_equator(inclination, gain):
    """A site at the equator: the whole of it due east and due west, nothing but the cross term over the pole."""
    speed = 7_784.3
    needed = float(launch.ascent_m_per_s(speed, math.radians(inclination), 0.0))
    expected = math.hypot(speed, 465.1) if gain is None else speed - gain
    assert needed == pytest.approx(expected, abs=0.1)


def test_starship_carries_about_62_t_to_the_dawn_dusk_orbit():
    """100 t to low Earth orbit, 120 t dry and 375 s, with about 0.7 km/s more."""
    own = numbers("starship_contract")
    assert (own["stage_mass_kg"], own["specific_impulse_s"], own["reference_payload_kg"]) == (120e3, 375.0, 100e3)
    kg = float(payload("starship_contract", *SUN_SYNCHRONOUS_650))
    assert kg == pytest.approx(62e3, rel=0.04)
    assert 375.0 * 9.80665 * math.log(220e3 / (kg + 120e3)) == pytest.approx(700.0, rel=0.06)


@pytest.mark.parametrize("name", NAMES)
def test_payload_falls_with_altitude_and_with_inclination(name):
    altitude_m = np.linspace(200e3, 2000e3, 37)
    inclination_rad = np.radians(np.linspace(28.5, 180.0, 51))
    kg = np.asarray(payload(name, altitude_m[:, None], inclination_rad[None, :]))
    assert kg.shape == (37, 51) and (kg >= 0.0).all()
    up, round_ = np.diff(kg, axis=0)[kg[:-1] > 0.0], np.diff(kg, axis=1)[kg[:, :-1] > 0.0]
    assert (up < 0.0).all() and (round_ < 0.0).all()


def test_an_inclination_below_the_latitude_takes_a_turn_of_the_plane():
    kg = np.asarray(payload("falcon_9", 200e3, np.radians([28.5, 20.0, 10.0, 0.0])))
    assert (np.diff(kg) < 0.0).all() and kg[-1] < 0.5 * kg[0]


def test_what_cannot_be_reached_has_no_payload_and_a_finite_gradient():
    kg, slope = jax.value_and_grad(lambda altitude_m: payload("falcon_9", altitude_m, math.pi))(3e7)
    assert float(kg) == 0.0 and float(slope) == 0.0


@pytest.mark.parametrize("inclination", [10.0, 53.0, 97.99, 170.0])
def test_gradients_of_the_payload_equal_finite_differences(inclination):
    def kg(x):
        return payload("starship_contract", x[0] * 1e6, x[1], specific_impulse_s=x[2] * 100.0)

    at = jnp.array([0.65, math.radians(inclination), 3.75])
    slopes, step = np.asarray(jax.grad(kg)(at)), 1e-5
    for k, direction in enumerate(np.eye(3) * step):
        difference = (float(kg(at + direction)) - float(kg(at - direction))) / (2.0 * step)
        assert slopes[k] == pytest.approx(difference, rel=1e-6)


# --- Cadence and carbon -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_cadence_grows_from_the_first_to_what_the_pads_allow(name):
    own, years = numbers(name), np.linspace(0.0, 200.0, 401)
    rates = np.asarray(registry.call(launch.launches_per_year, own, years))
    ceiling = own["pads"] * own["pad_launches_per_year"]
    assert rates[0] == pytest.approx(own["first_launches_per_year"], rel=1e-12)
    assert rates[-1] == pytest.approx(ceiling, rel=1e-6)
    assert (np.diff(rates) >= 0.0).all() and (rates <= ceiling * (1.0 + 1e-12)).all()


def test_cadence_far_below_the_ceiling_grows_by_its_rate_each_year():
    own = numbers("starship_contract") | {"pads": 1e6, "cadence_growth_per_year": 0.5}
    rates = np.asarray(registry.call(launch.launches_per_year, own, np.arange(4.0)))
    np.testing.assert_allclose(rates[1:] / rates[:-1], 1.5, rtol=1e-5)


def test_cadence_above_the_ceiling_is_held_to_it():
    own = numbers("falcon_heavy") | {"first_launches_per_year": 1e3}
    np.testing.assert_allclose(registry.call(launch.launches_per_year, own, np.arange(3.0)), 15.0)


def test_gradient_of_the_cadence_equals_a_finite_difference():
    def rate(years):
        return registry.call(launch.launches_per_year, numbers("starship_learning"), years)

    difference = (rate(4.0 + 1e-4) - rate(4.0 - 1e-4)) / 2e-4
    assert float(jax.grad(rate)(4.0)) == pytest.approx(float(difference), rel=1e-7)


def test_carbon_of_a_launch_adds_up():
    """One ton of methane burnt and half of it vented, four of oxygen, two of vehicle, by hand."""
    kg = launch.launch_carbon_kg(
        fuel_mass_kg=1000.0,
        oxidizer_mass_kg=4000.0,
        vented_fuel_kg=500.0,
        built_mass_kg=2000.0,
        burnt_fuel_carbon_kg_per_kg=2.75,
        vented_fuel_carbon_kg_per_kg=30.0,
        made_fuel_carbon_kg_per_kg=1.0,
        made_oxidizer_carbon_kg_per_kg=0.2,
        vehicle_carbon_kg_per_kg=15.0,
    )
    assert float(kg) == pytest.approx(2750.0 + 15_000.0 + 1500.0 + 800.0 + 30_000.0)


@pytest.mark.parametrize("name", NAMES)
def test_carbon_is_a_few_times_that_of_the_burnt_fuel(name):
    own = numbers(name)
    kg = float(registry.call(launch.launch_carbon_kg, own))
    burnt = own["fuel_mass_kg"] * own["burnt_fuel_carbon_kg_per_kg"]
    assert burnt < kg < 4.5 * burnt


def test_starlinks_fill_the_fairing_of_their_launcher():
    """60 Starlink v1.0 of 260 kg fly under a Falcon 9's fairing (SpaceX, 2019): 100 kg in each m3 of its volume."""
    volume_m3 = float(registry.call(launch.fairing, numbers("falcon_9")))
    assert volume_m3 * 100.0 / 260.0 == pytest.approx(60.0, rel=0.02)


# --- Price ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("launched_kg", "usd_per_kg"), [(370e6, 199.635), (104e6, 300.115), (0.0, 1800.0)])
def test_learning_curve_of_suncatcher(launched_kg, usd_per_kg):
    """Aguera y Arcas et al., arXiv 2511.19468, 2025: under 200 and about 300 USD/kg after 370 000 and 104 000 t."""
    own = numbers("starship_learning")
    each = float(price("starship_learning", cumulative_kg=launched_kg)) / own["priced_payload_kg"]
    assert each == pytest.approx(usd_per_kg, rel=1e-3)


def test_what_others_launch_teaches_too_down_to_a_floor():
    alone = price("starship_learning", years=4.0, cumulative_kg=8e6)
    shared = price("starship_learning", years=4.0, cumulative_kg=0.0, other_mass_kg_per_year=2e6)
    assert float(alone) == pytest.approx(float(shared), rel=1e-12)
    assert float(price("starship_learning", cumulative_kg=1e13)) == pytest.approx(60.0 * 1e5)


def test_price_from_below_is_fixed_cost_over_cadence_and_a_flight():
    own = {
        "fixed_usd_per_year": 1e9,
        "vehicle_usd": 90e6,
        "flights_per_vehicle": 45.0,
        "expended_usd": 1e6,
        "refurbishment_usd": 2e6,
        "propellant_usd": 1e6,
        "margin_fraction": 0.5,
    }
    assert float(launch.learning_by_cadence(0.0, 0.0, 100.0, **own)) == pytest.approx(1.5 * (10e6 + 6e6))
    assert float(launch.learning_by_cadence(0.0, 0.0, 1e9, **own)) == pytest.approx(1.5 * 6e6, rel=1e-6)


def test_every_price_model_follows_the_shape_of_its_inputs():
    for name in ("falcon_9", "starship_learning", "starship_bottom_up"):
        assert price(name, years=np.zeros((3, 1)), cumulative_kg=np.zeros((1, 4))).shape == (3, 4)
        assert price(name, launches_per_year=np.ones((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_the_price_equal_finite_differences(name):
    def usd(x):
        return price(name, years=x[0], cumulative_kg=x[1] * 1e7, launches_per_year=x[2] * 100.0) / 1e6

    at = jnp.array([3.0, 1.2, 0.7])
    slopes, step = np.asarray(jax.grad(usd)(at)), 1e-5
    for k, direction in enumerate(np.eye(3) * step):
        difference = (float(usd(at + direction)) - float(usd(at - direction))) / (2.0 * step)
        assert slopes[k] == pytest.approx(difference, rel=1e-6, abs=1e-7)


def test_prices_per_kilogram_stand_in_the_order_of_their_claims():
    """To the reference orbit: the rockets of today, then Starship as sold, as modelled and as aimed at."""
    order = ("falcon_9", "falcon_heavy", "new_glenn", "starship_contract", "starship_bottom_up", "starship_target")
    each = [float(price(name, launches_per_year=500.0)) / numbers(name)["reference_payload_kg"] for name in order]
    assert each == sorted(each, reverse=True)


def test_profiles_share_a_reference_orbit():
    keys = ("reference_altitude_m", "reference_inclination_rad")
    assert len({tuple(numbers(name)[key] for key in keys) for name in NAMES}) == 1


# --- Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("falcon_9", {"price_usd": -1.0}, "launch.price_usd = -1.0: must be at least 0 usd"),
        (
            "falcon_9",
            {"first_launches_per_year": 0.0},
            "launch.first_launches_per_year = 0.0: must be above 0 per_year",
        ),
        ("falcon_9", {"pad_launches_per_year": 0.0}, "launch.pad_launches_per_year = 0.0: must be above 0 per_year"),
        ("falcon_9", {"success_fraction": 1.1}, "launch.success_fraction = 1.1: must be above 0 and at most 1"),
        (
            "starship_learning",
            {"learning_fraction": 1.0},
            "launch.learning_fraction = 1.0: must be at least 0 and at most 0.9",
        ),
        ("starship_learning", {"reference_mass_kg": 0.0}, "launch.reference_mass_kg = 0.0: must be above 0 kg"),
        (
            "falcon_9",
            {"price_us": 1.0},
            "launch.price_us = 1.0: unknown key (did you mean 'price_usd'?)",
        ),
        (
            "falcon_9",
            {"model": "learning_by_cadense"},
            "launch.model = 'learning_by_cadense': not a known model; known: fixed_price, learning_by_cadence, "
            "learning_by_mass (did you mean 'learning_by_cadence'?)",
        ),
    ],
    ids=lambda part: part if isinstance(part, str) and " " not in part else None,
)
def test_bad_input_gives_one_sentence(name, change, sentence):
    own = numbers(name) | {"model": profile(name)["model"]} | change
    with pytest.raises(ConfigError) as refused:
        config.profile("launch", own)
    assert str(refused.value) == sentence


def test_a_missing_number_names_the_model_that_needs_it():
    own = numbers("falcon_9") | {"model": "learning_by_mass"}
    del own["price_usd"]
    with pytest.raises(ConfigError, match=r"^launch.reference_price_usd_per_kg: missing; model 'learning_by_mass'"):
        config.profile("launch", own)
