"""What binds, said of numbers made up for the purpose."""

from types import SimpleNamespace
from typing import Any

import pytest

from twin import limits

DURATION_S = 1000.0
ALLOWED = {
    "max_accelerator_temperature_k": 360.0,
    "max_memory_temperature_k": 370.0,
    "max_overheat_k": 0.0,
    "max_battery_temperature_k": 318.0,
    "min_battery_temperature_k": 273.0,
    "max_coolant_temperature_k": 380.0,
    "min_coolant_temperature_k": 236.0,
    "max_radiator_temperature_k": 373.0,
    "max_vapour_quality": 0.8,
    "min_state_of_charge": 0.2,
    "max_dose_gy": 20.0,
}
EASY: dict[str, Any] = {
    "satellites": 1.0,
    "throttled_fraction": 0.0,
    "power_limited_fraction": 0.0,
    "shed_energy_j": 0.0,
    "curtailed_energy_j": 0.0,
    "battery_energy_j": 0.0,
    "load_energy_j": 1e9,
    "underserved_fraction": 0.0,
    "accelerators_alive": 10.0,
    "assigned_flop": 1e20,
    "delivered_flop": 1e20,
    "work_lost_to_upsets_flop": None,
    "max_accelerator_temperature_k": 320.0,
    "max_memory_temperature_k": 330.0,
    "max_overheat_k": -40.0,
    "max_battery_temperature_k": 296.0,
    "min_battery_temperature_k": 294.5,
    "max_coolant_temperature_k": 300.0,
    "min_coolant_temperature_k": 280.0,
    "max_radiator_temperature_k": 310.0,
    "max_vapour_quality": None,
    "min_state_of_charge": 0.7,
    "max_dose_gy": 0.5,
}

BUDGET: Any = SimpleNamespace(limits=ALLOWED, set_point_k=298.0, accelerators=10.0, payload_off_s=0.0)
HOT_DIE = {
    "throttled_fraction": 0.2,
    "underserved_fraction": 0.2,
    "max_overheat_k": 7.0,
    "max_accelerator_temperature_k": 360.0,
}


def verdicts(**changed: Any) -> list[limits.Verdict]:
    """What binds a design at ease, once these numbers differ."""
    flat = EASY | changed
    return limits.verdicts(flat, limits.margins(flat, BUDGET), BUDGET, DURATION_S)


def test_margins_carry_the_unit_of_their_limit() -> None:
    found = limits.margins(EASY, BUDGET)
    assert found["dose_upper_margin_gy"] == 19.5
    assert found["battery_temperature_lower_margin_k"] == 21.5
    assert found["state_of_charge_lower_margin"] == pytest.approx(0.5)
    assert "vapour_quality_upper_margin" not in found


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({**HOT_DIE}, "die temperature", "the die would be 7.0 K above its limit"),
        (
            {
                **HOT_DIE,
                "max_overheat_k": 3.0,
                "max_accelerator_temperature_k": 330.0,
                "max_memory_temperature_k": 370.0,
            },
            "memory temperature",
            "the memory would be 3.0 K above its limit",
        ),
        (
            {**HOT_DIE, "max_coolant_temperature_k": 310.0},
            "radiator",
            "7.0 K too hot, and the coolant comes 12.0 K above its set point",
        ),
        (
            {"power_limited_fraction": 0.1, "shed_energy_j": 1e6, "curtailed_energy_j": 4e5},
            "array",
            "short of power 10.0% of the time, by 1 kW in the mean, of which it had 40% to spare at other times",
        ),
        (
            {"power_limited_fraction": 0.1, "shed_energy_j": 1e6, "curtailed_energy_j": 4e6},
            "battery",
            "all of which the array had to spare at other times",
        ),
        ({"max_battery_temperature_k": 320.0}, "battery temperature too high", "2.0 K beyond the limit"),
        ({"min_coolant_temperature_k": 230.0}, "coolant temperature too low", "6.0 K beyond the limit"),
        ({"max_vapour_quality": 0.85}, "dry-out of the evaporator", "5.0 points beyond the limit"),
        ({"min_state_of_charge": 0.15}, "state of charge too low", "5.0 points beyond the limit"),
        (
            {"max_dose_gy": 22.5},
            "radiation dose above what the accelerators were tested to",
            "2.5 Gy beyond the limit",
        ),
        ({"delivered_flop": 8e19}, "power cap of the accelerators", "20.0% of the work asked is above"),
    ],
)
def test_what_binds_is_named_with_its_size(changed: dict[str, float], name: str, words: str) -> None:
    (found,) = verdicts(**changed)
    assert found.name == name
    assert words in found.reason


def test_work_lost_to_upsets_is_not_the_caps_doing() -> None:
    (found,) = verdicts(delivered_flop=8e19, work_lost_to_upsets_flop=2e19)
    assert found.name == "upsets"


def test_failed_accelerators_and_a_drained_battery_are_named() -> None:
    (found,) = verdicts(delivered_flop=7e19, accelerators_alive=7.0)
    assert found.name == "failed accelerators" and "30.0% of them" in found.reason
    (found,) = limits.verdicts(EASY | {"battery_energy_j": -2e8}, {}, BUDGET, 2.0e4)
    assert found.name == "array" and "10 kW in the mean" in found.reason


def test_heat_that_leaves_no_work_undone_does_not_bind() -> None:
    (found,) = verdicts(**HOT_DIE | {"underserved_fraction": 0.0})
    assert found.name == "demand"


def test_all_that_binds_is_named() -> None:
    found = verdicts(**HOT_DIE, min_state_of_charge=0.15)
    assert [verdict.name for verdict in found] == ["die temperature", "state of charge too low"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "nothing binds and no limit is near"),
        ({"max_battery_temperature_k": 310.0}, "nothing binds; nearest limit: battery temperature, 8.0 K away"),
        ({"min_state_of_charge": 0.25}, "nothing binds; nearest limit: state of charge, 5.0 points away"),
        ({"max_dose_gy": 18.0}, "nothing binds; nearest limit: dose, 2 Gy away"),
        ({"max_dose_gy": 18.0, "max_battery_temperature_k": 310.0}, "nearest limit: battery temperature, 8.0 K away"),
    ],
)
def test_a_demand_that_is_met_names_the_nearest_limit_in_its_own_unit(changed: dict[str, float], words: str) -> None:
    (found,) = verdicts(**changed)
    assert found.name == "demand"
    assert words in found.reason
