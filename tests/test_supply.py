"""What the world can make: growth to a ceiling, shares, and what a fleet asks of it."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest
from jax import Array
from omegaconf import OmegaConf

from kernels import registry
from kernels.economics import supply
from kernels.economics.supply import RESOURCES, Output
from twin import config
from twin.config import ConfigError

CONF = Path(__file__).resolve().parents[1] / "conf" / "supply"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


class Satellite(NamedTuple):
    """What a satellite takes of the supply."""

    array_power_w: Array = jnp.asarray(150e3)
    accelerators: Array = jnp.asarray(96.0)
    battery_energy_j: Array = jnp.asarray(130.0 * 3.6e6)
    radiator_area_m2: Array = jnp.asarray(200.0)


SATELLITE = Satellite()


def profile(name: str) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))  # type: ignore[return-value]


def output(name: str, years: float, **changed: Any) -> dict[str, Output]:
    return registry.call(supply.output_per_year, profile(name) | changed, jnp.asarray(years))


GROWING = {
    "batteries_kwh_per_year": 1e6,
    "batteries_growth_per_year": 0.5,
    "most_batteries_kwh_per_year": 3e6,
    "batteries_share": 0.1,
}


@pytest.mark.parametrize(("years", "world"), ((0.0, 1e6), (1.0, 1.5e6), (2.5, 1e6 * 1.5**2.5), (3.0, 3e6), (20.0, 3e6)))
def test_output_grows_to_its_ceiling(years: float, world: float) -> None:
    made = output("world_2026", years, **GROWING)["batteries"]
    assert float(made.world) == pytest.approx(world, rel=1e-12)
    assert float(made.ours) == pytest.approx(0.1 * world, rel=1e-12)


def test_output_may_shrink() -> None:
    made = output("world_2026", 2.0, **(GROWING | {"batteries_growth_per_year": -0.5}))["batteries"]
    assert float(made.world) == pytest.approx(0.25e6)


@pytest.mark.parametrize("name", NAMES)
def test_every_resource_has_a_world_and_a_part_of_it(name: str) -> None:
    for years in (0.0, 7.0, 30.0):
        made = output(name, years)
        assert tuple(made) == RESOURCES == tuple(supply.SUPPLY_UNITS)
        assert all(0.0 < float(each.ours) <= float(each.world) for each in made.values())
    assert float(made["satellites"].ours) == float(made["satellites"].world)


def test_gradients_are_those_of_finite_differences() -> None:
    values = {
        key: jnp.asarray(number) for key, number in profile("world_2026").items() if key not in ("name", "sources")
    }

    def log_total(values: dict[str, jax.Array]) -> jax.Array:
        made = (registry.call(supply.output_per_year, values, jnp.asarray(years)) for years in (2.5, 40.0))
        return sum((jnp.log(each.world * each.ours) for year in made for each in year.values()), jnp.zeros(()))

    slopes = jax.jit(jax.grad(log_total))(values)
    for key, value in values.items():
        step = 1e-5 * value
        up, down = (log_total(values | {key: value + sign * step}) for sign in (1.0, -1.0))
        assert float(slopes[key]) == pytest.approx(float((up - down) / (2.0 * step)), rel=1e-5), key
        assert float(slopes[key]) > 0.0


def test_demand_is_in_the_units_of_the_supply() -> None:
    demand = supply.demand_per_satellite(SATELLITE, 4.0)
    assert {name: float(each) for name, each in demand.items()} == pytest.approx(
        {
            "solar_cells": 150e3,
            "accelerators": 96.0,
            "batteries": 130.0,
            "radiators": 200.0,
            "laser_terminals": 4.0,
            "satellites": 1.0,
        }
    )


def test_nothing_binds_where_supply_is_unlimited() -> None:
    """A million satellites a year, the most that anyone has announced."""
    wanted, made = supply.demand_per_satellite(SATELLITE, 4.0), output("unlimited", 0.0)
    assert max(1e6 * float(wanted[name] / made[name].world) for name in supply.RESOURCES) < 1e-6


def test_cells_made_for_space_do_not_carry_a_gigawatt() -> None:
    """Ten years of growth of today's makers still give less than a thousand satellites of 150 kW a year."""
    made = output("space_grade_cells", 10.0)["solar_cells"]
    assert float(made.world) < 1000.0 * 150e3
    assert float(output("tripled_panels", 0.0)["solar_cells"].world) == pytest.approx(
        3.0 * float(output("world_2026", 0.0)["solar_cells"].world)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    (
        ({"satellites_per_year": 0.0}, r"supply.satellites_per_year = 0.*above 0 per_year"),
        ({"solar_cells_w_per_year": 0.0}, r"supply.solar_cells_w_per_year = 0.*above 0 W/year"),
        ({"batteries_kwh_per_year": -1.0}, r"supply.batteries_kwh_per_year = -1.*above 0 kWh/year"),
        ({"most_radiators_m2_per_year": 0.0}, r"supply.most_radiators_m2_per_year = 0.*above 0 m2/year"),
        ({"accelerators_share": 0.0}, r"supply.accelerators_share = 0.*above 0 and at most 1"),
        ({"accelerators_share": 1.5}, r"supply.accelerators_share = 1.5.*above 0 and at most 1"),
        ({"accelerator_per_year": 1e6}, r"supply.accelerator_per_year.*accelerators_per_year"),
    ),
    ids=("no_satellites", "no_cells", "negative_batteries", "no_ceiling", "no_share", "more_than_all", "misspelt"),
)
def test_impossible_supply_is_refused_in_one_sentence(change: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        config.profile("supply", profile("world_2026") | change)
    assert "\n" not in str(refused.value)
