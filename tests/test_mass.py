"""The mass budget: parts add up, every size counts, propellant solves the rocket equation with the mass it moves."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from shared_run import ORBIT, SATELLITES

import twin
from kernels import mass_and_cost as mass
from kernels import propulsion, radiation
from kernels.constants import YEAR_S
from twin.prepare import prepare
from twin.refusal import ConfigError

SIZES = [
    ("array", "area_m2"),
    ("array", "structure_mass_kg_per_m2"),
    ("solar_cell", "areal_mass_kg_per_m2"),
    ("battery", "energy_j"),
    ("radiator", "area_m2"),
    ("coolant_loop", "fluid_mass_kg"),
    ("coolant_loop", "hardware_mass_kg"),
    ("accelerator", "count"),
    ("accelerator", "module_mass_kg"),
    ("accelerator", "host_mass_kg"),
    ("accelerator", "power_cap_w"),
    ("power_bus", "specific_mass_kg_per_w"),
    ("power_bus", "harness_specific_mass_kg_per_w"),
    ("satellite", "bus_mass_kg"),
    ("satellite", "bus_power_w"),
    ("satellite", "bus_face_area_m2"),
    ("satellite", "structure_fraction"),
    ("satellite", "margin_fraction"),
    ("propulsion", "thruster_count"),
    ("propulsion", "thruster_mass_kg"),
    ("propulsion", "tank_fraction"),
    ("propulsion", "reserve_fraction"),
    ("station_keeping", "design_life_years"),
    ("station_keeping", "hold_fraction"),
    ("station_keeping", "avoidance_manoeuvres_per_year"),
    ("orbit", "altitude_m"),
]
LIGHTER = [("propulsion", "specific_impulse_s"), ("battery", "specific_energy_j_per_kg")]


@pytest.fixture(scope="module")
def satellite():
    """Parameters of the reference satellite and its mass as a function of them."""
    model = twin.build(twin.compose("simulate", ["constellation.satellites=2", "precision=float64"]))
    (name,) = model.params

    @jax.jit
    def launch_kg(own: dict[str, Any]):
        return prepare(model.structure, {name: own}, model.environment)[name].budget.mass_kg

    return model.params[name], launch_kg


@pytest.fixture(scope="module")
def gradient(satellite):
    own, launch_kg = satellite
    return jax.jit(jax.grad(launch_kg))(own)


def test_gradient_of_mass_is_finite_in_every_parameter(gradient):
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize(("slot", "key"), SIZES)
def test_every_area_count_and_size_adds_mass(satellite, gradient, slot, key):
    own, launch_kg = satellite
    more = {**own, slot: {**own[slot], key: own[slot][key] * 1.01}}
    change = float(launch_kg(more) - launch_kg(own))
    assert change > 0.0 if (slot, key) != ("orbit", "altitude_m") else change != 0.0
    if key != "design_life_years":  # it moves the dates at which a jagged record is read
        assert float(gradient[slot][key] * own[slot][key]) * 0.01 == pytest.approx(change, rel=0.05)


@pytest.mark.parametrize(("slot", "key"), LIGHTER)
def test_better_hardware_is_lighter(gradient, slot, key):
    assert float(gradient[slot][key]) < 0.0


def test_parts_add_up_and_keep_their_fractions():
    components = {"array": jnp.asarray(300.0), "bus": jnp.asarray(200.0)}
    parts = mass.launch_parts_kg(
        components, jnp.asarray(0.2), jnp.asarray(0.1), jnp.asarray(0.15), jnp.asarray(0.05), jnp.asarray(12.0)
    )
    kg = {name: float(value) for name, value in parts.items()}
    dry = sum(kg.values()) - kg["propellant"]
    assert kg["propellant"] == pytest.approx(0.05 * dry + 12.0)
    assert kg["tanks"] == pytest.approx(0.15 * kg["propellant"])
    assert kg["structure"] == pytest.approx(0.2 * (dry - kg["contingency"]))
    assert kg["contingency"] == pytest.approx(0.1 * (dry - kg["contingency"]))


def test_propellant_is_that_of_the_equation_of_motion():
    """Five years of thrust against a drag and of avoidance, then a disposal, integrated."""
    thruster = propulsion.Thruster(jnp.asarray(16e3), jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))
    plan = propulsion.Plan(jnp.asarray(1.0), jnp.asarray(5.0 * YEAR_S), jnp.asarray(4e-7), jnp.zeros(()))
    drag_n, disposal, final_kg = 4e-3, 170.0, 900.0
    need = propulsion.need(thruster, plan, jnp.asarray(drag_n), jnp.asarray(disposal))
    first = final_kg + float(need.per_final_kg) * final_kg + float(need.constant_kg)

    def burn(t: float, m: np.ndarray) -> list[float]:
        del t
        return [-float(propulsion.use_kg_per_s(plan, thruster.exhaust_m_per_s, jnp.asarray(drag_n), jnp.asarray(m[0])))]

    before = solve_ivp(burn, (0.0, 5.0 * YEAR_S), [first], rtol=1e-10).y[0, -1]
    after = before * (1.0 - float(propulsion.spent_fraction(jnp.asarray(disposal), thruster.exhaust_m_per_s)))
    assert after == pytest.approx(final_kg, rel=1e-8)


def test_propellant_without_avoidance_is_the_limit():
    thruster = propulsion.Thruster(jnp.asarray(16e3), jnp.zeros(()), jnp.zeros(()), jnp.zeros(()))

    def constant_kg(avoidance: float) -> float:
        plan = propulsion.Plan(jnp.asarray(1.0), jnp.asarray(YEAR_S), jnp.asarray(avoidance), jnp.zeros(()))
        return float(propulsion.need(thruster, plan, jnp.asarray(1e-3), jnp.zeros(())).constant_kg)

    assert constant_kg(0.0) == pytest.approx(1e-3 * YEAR_S / 16e3)
    assert constant_kg(1e-9) == pytest.approx(constant_kg(0.0), rel=1e-5)


def test_summary_lists_the_parts():
    summary = twin.simulate(twin.compose("simulate", ORBIT)).attrs["summary"]
    numbers = json.loads(summary)["cohorts"]["reference"]
    parts = [value for name, value in numbers.items() if name.startswith("mass_") and name != "mass_kg"]
    assert len(parts) == 15
    mass_kg = numbers["satellite_mass_kg"]
    assert sum(parts) == pytest.approx(mass_kg) == pytest.approx(numbers["mass_kg"] / SATELLITES)


def test_a_design_that_no_propellant_carries_is_refused(tmp_path) -> None:
    config = twin.compose(
        "simulate", [*ORBIT, "propulsion.specific_impulse_s=70", "orbit.altitude_m=3e7", "orbit=mid_inclination_550"]
    )
    with pytest.raises(ConfigError, match=r"propulsion.specific_impulse_s = 70: no launch mass of reference carries"):
        twin.simulate(config, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_thicker_shield_is_weighed_beyond_what_the_structure_brings() -> None:
    profile = {"structure_shielding_m": 0.01, "shielded_area_m2": 0.15}
    assert float(radiation.shield_kg(96.0, 0.01, **profile)) == 0.0
    assert float(radiation.shield_kg(96.0, 0.012, **profile)) == pytest.approx(2700.0 * 0.15 * 0.002 * 96.0)
    slope = jax.grad(lambda shielding_m: radiation.shield_kg(96.0, shielding_m, **profile))
    assert float(slope(0.01)) == pytest.approx(2700.0 * 0.15 * 96.0) and float(slope(0.009)) == 0.0
