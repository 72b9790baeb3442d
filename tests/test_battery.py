"""Battery: the circuit's power balance, energy over long sequences, and where charging and discharging stop."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from kernels import battery, registry
from kernels import safe_math as sm

PACKS = ("nca_pack", "nmc_pack", "lfp_pack", "lco_pack", "saft_ves180")
WARM_K = 298.15
COOL_K = 287.0


@cache
def profile(name: str) -> dict[str, jax.Array]:
    chosen = twin.compose("simulate", [f"battery={name}"]).cohorts[0].profiles["battery"]
    schema = registry.schema("battery", "equivalent_circuit")
    return {key: jnp.asarray(getattr(chosen, key), dtype=jnp.float64) for key in schema}


@jax.jit
def pack_at(numbers, state_of_charge, temperature_k, health, growth=1.0):
    return registry.call(battery.equivalent_circuit, numbers, state_of_charge, temperature_k, health, growth)


def pack_of(name, state_of_charge, temperature_k=WARM_K, health=1.0, growth=1.0) -> battery.Pack:
    return pack_at(profile(name), *map(jnp.asarray, (state_of_charge, temperature_k, health, growth)))


def without_entropy(name: str) -> dict[str, jax.Array]:
    return profile(name) | {"entropic_coefficient_v_per_k": jnp.zeros(21)}


charge = jax.jit(battery.charge)
stored_energy_j = jax.jit(battery.stored_energy_j)


@partial(jax.jit, static_argnames="to_empty")
def cycle(numbers, state_of_charge, parts, step_s, to_empty=False):
    """Steps at a part of the limit, from full discharge (-1), as for work or for essential loads, to full charge (1).

    Gives charges, terminal energies, heats and stored energies.
    """

    def one(charge_now, part):
        pack = pack_at(numbers, charge_now, jnp.asarray(COOL_K), jnp.asarray(0.9), jnp.asarray(1.2))
        discharge_w = pack.discharge_limit_w if to_empty else pack.working_limit_w
        power_w = part * jnp.where(part > 0.0, pack.charge_limit_w, discharge_w)
        after = battery.charge(pack, charge_now, power_w, step_s)
        stored = battery.stored_energy_j(pack, after.state_of_charge)
        return after.state_of_charge, (after.state_of_charge, power_w * step_s, after.heat_w * step_s, stored)

    return jax.lax.scan(one, state_of_charge, parts)[1]


seeds = st.integers(0, 2**32 - 1)


def sequence(seed: int) -> jax.Array:
    """Sixty parts of the limit: six stretches at rest, at full charge, at full discharge or somewhere between."""
    generator = np.random.default_rng(seed)
    levels = generator.choice([-1.0, 1.0, 0.0, generator.uniform(-1.0, 1.0)], 6)
    return jnp.asarray(np.repeat(levels, 10))


def energy_residual(name, start, parts, step_s) -> tuple[float, float]:
    """Terminal energy less heat less change of stored energy, and what passed the terminals, over the pack's energy."""
    first = stored_energy_j(pack_of(name, start, COOL_K, health=0.9), jnp.asarray(start))
    _, terminal, heat, stored = cycle(profile(name), jnp.asarray(start), parts, step_s)
    whole = float(profile(name)["energy_j"])
    return float(terminal.sum() - heat.sum() - (stored[-1] - first)) / whole, float(jnp.abs(terminal).sum()) / whole


@pytest.mark.parametrize("name", PACKS)
@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(0.1, 1.0), st.floats(0.5, 10.0))
def test_energy_is_conserved(name, seed, start, step_s):
    """Terminal energy less heat is the change of stored energy, within 2e-6 of the pack's energy in sixty steps.

    The 4 C cells cross the corners of their steeper curve faster, which costs up to 5e-5.
    """
    residual, _ = energy_residual(name, start, sequence(seed), step_s)
    assert abs(residual) < (5e-5 if name == "lfp_pack" else 2e-6)


@pytest.mark.parametrize("name", PACKS)
def test_energy_error_falls_with_the_step(name):
    """Down to half and up again: of what passes the terminals, below 1e-6 at 10 s and 1e-8 at 1 s."""
    lost = {}
    for step_s in (1.0, 10.0):
        steps = int(600 / step_s)
        parts = jnp.concatenate([jnp.full(steps, -0.6), jnp.full(3 * steps, 0.8)])
        residual, passed = energy_residual(name, 0.9, parts, step_s)
        assert passed > 0.1
        lost[step_s] = abs(residual) / passed
    assert lost[10.0] < 1e-6 and lost[1.0] < 1e-8


@settings(deadline=None, max_examples=50)
@given(st.floats(0.0, 1.0), st.floats(-1.0, 1.0), st.floats(1.0, 60.0))
def test_current_solves_the_circuit(state_of_charge, part, step_s):
    """Constant voltage v behind r: the current of a terminal power p is the root of p = (v + r i) i near zero."""
    numbers = without_entropy("nca_pack") | {"open_circuit_voltage_v": jnp.full(21, 3.6)}
    pack = pack_at(numbers, jnp.asarray(0.5), jnp.asarray(WARM_K), jnp.asarray(1.0))
    power_w = part * float(pack.cells) * 24.0
    after = charge(pack, jnp.asarray(state_of_charge), power_w, step_s)
    current_a = (float(after.state_of_charge) - state_of_charge) * float(pack.capacity_c) / step_s
    r, cell_w = float(pack.resistance_ohm), power_w / float(pack.cells)
    root = (-3.6 + np.sqrt(3.6**2 + 4.0 * r * cell_w)) / (2.0 * r)
    assert current_a == pytest.approx(root, rel=1e-7, abs=1e-6)
    assert float(after.heat_w) == pytest.approx(float(pack.cells) * r * root**2, rel=1e-7, abs=1e-6)


@pytest.mark.parametrize("name", PACKS)
def test_sloping_voltage_is_taken_in_the_middle_of_the_step(name):
    """p = (v + r i) i holds with the open-circuit voltage half way between the charges before and after."""
    for state_of_charge, part in ((0.6, -1.0), (0.6, 1.0), (0.33, -0.5)):
        pack = pack_of(name, state_of_charge)
        power_w = part * float(pack.charge_limit_w if part > 0 else pack.discharge_limit_w)
        after = charge(pack, jnp.asarray(state_of_charge), power_w, 10.0)
        moved = float(after.state_of_charge) - state_of_charge
        current_a = moved * float(pack.capacity_c) / 10.0
        voltage = sm.interpolate(pack.open_circuit_voltage_v, jnp.asarray(state_of_charge + 0.5 * moved))
        given_w = float(pack.cells * (voltage + pack.resistance_ohm * current_a) * current_a)
        assert given_w == pytest.approx(power_w, rel=1e-5)
        entropic = sm.interpolate(pack.entropic_coefficient_v_per_k, jnp.asarray(state_of_charge + 0.5 * moved))
        heat_w = float(pack.cells * current_a * (pack.resistance_ohm * current_a + WARM_K * entropic))
        assert float(after.heat_w) == pytest.approx(heat_w, rel=1e-4)


@pytest.mark.parametrize("name", PACKS)
def test_pack_holds_its_rated_energy(name):
    """Between empty and full, at beginning of life, and less by health; limits are the rated currents of the cells."""
    numbers = profile(name)
    for health in (1.0, 0.7):
        pack = pack_of(name, 0.6, health=health)
        free = pack.cells * pack.capacity_c * sm.integral(pack.open_circuit_voltage_v, jnp.ones(()))
        assert float(free) == pytest.approx(health * float(numbers["energy_j"]), rel=1e-12)
        entropic_v = WARM_K * np.trapezoid(numbers["entropic_coefficient_v_per_k"], dx=0.05)
        bound = float(stored_energy_j(pack, jnp.ones(())) - free)
        assert bound == pytest.approx(-float(pack.cells * pack.capacity_c) * entropic_v, rel=1e-9)
        assert float(stored_energy_j(pack, jnp.zeros(()))) == 0.0
        for limit_w, rate in (
            (pack.charge_limit_w, numbers["charge_rate_per_h"]),
            (-pack.discharge_limit_w, -numbers["discharge_rate_per_h"]),
        ):
            after = charge(pack, jnp.asarray(0.6), limit_w, 0.01)
            assert float(after.state_of_charge - 0.6) == pytest.approx(float(rate) * 0.01 / 3600.0, rel=1e-5)


@pytest.mark.parametrize("name", PACKS)
@settings(deadline=None, max_examples=60)
@given(st.floats(1e-6, 1.0), st.floats(200.0, 360.0), st.floats(0.5, 1.0))
def test_limits_close_at_the_edges(name, state_of_charge, temperature_k, health):
    """No charging when cold, hot or full; no discharging when hot or empty, nor for work below the reserve."""
    numbers = {key: float(value) for key, value in profile(name).items() if value.ndim == 0}
    reserve = numbers["reserve_fraction"]
    cold, hot = temperature_k <= numbers["min_charge_temperature_k"], temperature_k >= numbers["max_temperature_k"]
    for fraction in (state_of_charge, 0.0, reserve, 1.0):
        pack = pack_of(name, fraction, temperature_k, health)
        assert pack.charge_limit_w >= 0.0 and pack.discharge_limit_w >= pack.working_limit_w >= 0.0
        none_w = 1e-9 if fraction > 1.0 - 1e-12 else 0.0  # rounding, just below full
        assert (float(pack.charge_limit_w) <= none_w) == (cold or hot or fraction > 1.0 - 1e-12)
        assert (float(pack.working_limit_w) == 0.0) == (hot or fraction <= reserve)
        assert (float(pack.discharge_limit_w) == 0.0) == (hot or fraction == 0.0)
    if not hot:
        assert pack.working_limit_w == pack.discharge_limit_w  # full


@pytest.mark.parametrize("name", PACKS)
@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(0.0, 1.0), st.floats(1.0, 30.0))
def test_charge_stays_between_its_floor_and_full(name, seed, start, step_s):
    """Never above full; work takes it no lower than the reserve and essential loads no lower than empty.

    Holds while a step at the highest rate is shorter than the taper: 45 s for the 4 C cells, 90 s for 2 C.
    """
    for to_empty, floor in ((False, float(profile(name)["reserve_fraction"])), (True, 0.0)):
        charges, *_ = cycle(profile(name), jnp.asarray(start), sequence(seed), step_s, to_empty=to_empty)
        assert float(charges.max()) <= 1.0 + 1e-12
        assert float(charges.min()) >= min(start, floor) - 1e-12


@pytest.mark.parametrize("name", PACKS)
def test_limits_are_monotone(name):
    """Discharge rises with charge, both fade towards the temperature limits, and more power moves more charge."""
    grid = jnp.linspace(0.0, 1.0, 201)
    numbers = profile(name)
    by_charge = pack_at(numbers, grid, jnp.full(201, WARM_K), jnp.ones(201))
    for limit in (by_charge.discharge_limit_w, by_charge.working_limit_w):
        assert (np.diff(limit) >= -1e-9).all()
    taper = np.asarray(grid >= 1.0 - numbers["taper_fraction"])
    assert (np.diff(np.asarray(by_charge.charge_limit_w)[taper]) < 0.0).all()
    steady = without_entropy(name) | {"resistance_activation_temperature_k": jnp.asarray(0.0)}
    by_heat = pack_at(steady, jnp.full(201, 0.6), jnp.linspace(250.0, 350.0, 201), jnp.ones(201))
    middle = 96  # 298 K
    for limit in (by_heat.charge_limit_w, by_heat.discharge_limit_w, by_heat.working_limit_w):
        assert (np.diff(limit[:middle]) >= 0.0).all() and (np.diff(limit[middle:]) <= 0.0).all()
    pack = pack_at(steady, jnp.asarray(0.6), jnp.asarray(WARM_K), jnp.ones(()))
    powers = jnp.linspace(-pack.discharge_limit_w, pack.charge_limit_w, 101)
    after = charge(pack, jnp.full(101, 0.6), powers, 10.0)
    assert (np.diff(after.state_of_charge) > 0.0).all()
    heat, charging = np.asarray(after.heat_w), np.asarray(powers > 0.0)
    assert (np.diff(heat[charging]) > 0.0).all() and (np.diff(heat[~charging]) < 0.0).all()


def test_gradients_match_finite_differences():
    """Charge and heat after a step at 70 % of the limit, by charge, temperature, health, resistance and energy."""
    numbers = profile("nca_pack")

    @jax.jit
    def outcome(values):
        state_of_charge, temperature_k, health, resistance_ohm, energy_j, part, growth, activation_k = values
        changed = numbers | {"resistance_ohm": resistance_ohm, "energy_j": energy_j}
        changed |= {"resistance_activation_temperature_k": activation_k}
        pack = pack_at(changed, state_of_charge, temperature_k, health, growth)
        power_w = part * jnp.where(part > 0.0, pack.charge_limit_w, pack.working_limit_w)
        after = battery.charge(pack, state_of_charge, power_w, 10.0)
        return jnp.stack([after.state_of_charge, 1e-3 * after.heat_w, 1e-6 * power_w])

    slopes = jax.jit(jax.jacfwd(outcome))
    for state_of_charge, temperature_k, part in ((0.62, 298.0, 0.7), (0.22, 290.0, -0.7), (0.97, 275.0, 0.7)):
        at = np.array([state_of_charge, temperature_k, 0.9, 0.035, float(numbers["energy_j"]), part, 1.1, 2000.0])
        ours = np.asarray(slopes(jnp.asarray(at)))
        for k, value in enumerate(at):
            delta = np.zeros(8)
            delta[k] = 1e-6 * abs(value)
            numeric = (outcome(jnp.asarray(at + delta)) - outcome(jnp.asarray(at - delta))) / (2.0 * delta[k])
            np.testing.assert_allclose(ours[:, k], numeric, rtol=1e-6, atol=1e-8 * np.abs(ours).max() / abs(value))


def test_gradients_are_finite_at_empty_full_and_standing():
    numbers = profile("lfp_pack")

    @jax.jit
    @jax.grad
    def slope(values):
        state_of_charge, temperature_k, power_w = values
        pack = pack_at(numbers, state_of_charge, temperature_k, jnp.ones(()))
        after = battery.charge(pack, state_of_charge, power_w, 10.0)
        return (
            after.state_of_charge + after.heat_w + pack.charge_limit_w + pack.discharge_limit_w + pack.working_limit_w
        )

    reserve = float(numbers["reserve_fraction"])
    cold, hot = float(numbers["min_charge_temperature_k"]), float(numbers["max_temperature_k"])
    for state_of_charge in (0.0, reserve, 0.5, 1.0):
        for temperature_k in (cold, 298.0, hot):
            assert np.isfinite(slope(jnp.array([state_of_charge, temperature_k, 0.0]))).all()


@pytest.mark.parametrize("name", PACKS)
def test_resistance_follows_temperature_charge_and_age(name):
    """Arrhenius from 25 C, a quadratic rise below a fifth of charge, and the growth of ageing."""
    numbers = {key: float(value) for key, value in profile(name).items() if value.ndim == 0}
    reference = numbers["resistance_ohm"]
    assert float(pack_of(name, 0.5).resistance_ohm) == pytest.approx(reference, rel=1e-12)
    cold = np.exp(numbers["resistance_activation_temperature_k"] * (1.0 / 263.15 - 1.0 / 298.15))
    assert float(pack_of(name, 0.5, 263.15).resistance_ohm) == pytest.approx(reference * cold, rel=1e-12)
    assert float(pack_of(name, 0.0).resistance_ohm) == pytest.approx(reference * (1 + numbers["empty_resistance_rise"]))
    assert float(pack_of(name, 0.5, growth=1.3).resistance_ohm) == pytest.approx(1.3 * reference, rel=1e-12)


@pytest.mark.parametrize("name", PACKS)
@settings(deadline=None, max_examples=40)
@given(st.floats(0.0, 1.0), st.floats(233.0, 318.0), st.floats(1.0, 3.0))
def test_terminals_stay_between_empty_and_full_voltage(name, state_of_charge, temperature_k, growth):
    """At its limits a cell, however cold and old, stays within the open-circuit voltages of empty and full.

    The entropic coefficient moves the open-circuit voltage itself by up to 0.7 mV/K.
    """
    numbers = profile(name)
    pack = pack_of(name, state_of_charge, temperature_k, 0.8, growth)
    low, high = float(numbers["open_circuit_voltage_v"][0]), float(numbers["open_circuit_voltage_v"][-1])
    slack = 1e-6 + abs(temperature_k - WARM_K) * 0.75e-3
    for limit_w in (pack.charge_limit_w, -pack.discharge_limit_w):
        after = charge(pack, jnp.asarray(state_of_charge), limit_w, 1e-3)
        current_a = float(after.state_of_charge - state_of_charge) * float(pack.capacity_c) / 1e-3
        if abs(current_a) > 1e-3:
            assert low - slack <= float(limit_w) / float(pack.cells) / current_a <= high + slack


def test_cold_cells_give_less():
    """The same pack at -20 C: the voltage at full current would fall below empty, so the current falls."""
    warm, cold = (pack_of("nmc_pack", 0.3, temperature, growth=2.0) for temperature in (298.15, 243.15))
    assert 0.0 < float(cold.discharge_limit_w) < 0.95 * float(warm.discharge_limit_w)


def test_reversible_heat_has_the_sign_of_the_entropic_coefficient():
    """A slow charge where dU/dT < 0 cools the cell and the same discharge heats it by as much: i T dU/dT."""
    pack = pack_of("nmc_pack", 0.1)
    small_w = 1e-4 * float(pack.discharge_limit_w)
    charging, discharging = (float(charge(pack, jnp.asarray(0.1), sign * small_w, 1.0).heat_w) for sign in (1.0, -1.0))
    current_a = small_w / float(sm.interpolate(pack.open_circuit_voltage_v, jnp.asarray(0.1)))
    assert charging < 0.0 < discharging
    assert discharging == pytest.approx(-charging, rel=1e-2)
    assert charging == pytest.approx(current_a * WARM_K * -0.0003692, rel=1e-2)


def test_heater_is_proportional():
    numbers = {"heater_power_w": 400.0, "heater_set_point_k": 283.15, "heater_band_k": 5.0}
    demand = battery.heater_demand_w(jnp.array([250.0, 278.15, 280.65, 283.15, 300.0]), **numbers)
    np.testing.assert_allclose(demand, [400.0, 400.0, 200.0, 0.0, 0.0], rtol=1e-12)
