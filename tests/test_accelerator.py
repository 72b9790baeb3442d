"""Accelerators: power cap, governor, sleep, throttling and shutdown by heat. Measured chips: tests/validation."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from kernels import accelerator, registry
from kernels.workload import Character

CONF = Path(__file__).resolve().parents[1] / "conf"
CHIPS = ("a100_sxm", "a100_pcie", "h100_sxm", "h200_sxm", "b200", "gb300", "rubin", "tpu_v6e", "tpu_v7", "mi355x")


@cache
def profile(name: str) -> dict[str, jax.Array]:
    """What the model reads of a profile."""
    read = OmegaConf.load(CONF / "accelerator" / f"{name}.yaml")
    return {key: jnp.asarray(float(read[key])) for key in registry.parameters(accelerator.clock_scaled)}


@jax.jit
def operation_of(numbers, die_k, plate_k, request, *work):
    return registry.call(accelerator.clock_scaled, numbers, die_k, plate_k, request, Character(*work))


def operate(numbers, die_k=320.0, plate_k=300.0, request=1.0, intensity=1.0, floor=0.0, half_load=0.081, least=0.05):
    work = (intensity, 1.0, floor, half_load, least)
    return operation_of(numbers, *map(jnp.asarray, (die_k, plate_k, request, *work)))


demand_w = jax.jit(accelerator.demand_w)
run = jax.jit(accelerator.run)
clock_of = jax.jit(accelerator._clock)
drive_of = jax.jit(accelerator._drive)

chips = st.sampled_from(CHIPS)
temperatures = st.floats(260.0, 400.0)
requests = st.one_of(st.just(0.0), st.floats(1e-5, 1.2))  # below, switching power is less than the floor of a ratio
intensities = st.floats(0.1, 1.5)


# --- Governor --------------------------------------------------------------------------------------------------------


def round_trip(floors, knees, load_floors, half_loads, lowest):
    """Clocks from `lowest` of the highest one up, all loads: errors of the work done and of drive after inversion."""
    generator = np.random.default_rng(2)
    top = generator.uniform(0.5, 1.2, 100_000)
    clock = top * generator.uniform(lowest, 1.0, top.size)
    request = np.minimum(generator.uniform(0.02, 1.2, top.size), top)
    half_load = np.exp(generator.uniform(*np.log(half_loads), top.size))
    floor, knee, load_floor = (generator.uniform(*span, top.size) for span in (floors, knees, load_floors))
    law = accelerator.Law(*map(jnp.asarray, (floor, knee, load_floor, half_load, top)))
    drive = drive_of(jnp.asarray(clock), jnp.asarray(request), law)
    found = clock_of(drive, jnp.asarray(request), law)
    again = drive_of(found, jnp.asarray(request), law)
    done = np.abs(np.minimum(np.asarray(found), request) - np.minimum(clock, request))
    return done.max(), np.abs(np.asarray(again - drive)).max()


@pytest.mark.parametrize(
    ("floors", "knees", "load_floors", "half_loads", "work_error", "drive_error"),
    [
        ((0.557, 0.557), (0.58, 0.58), (0.3, 0.8), (0.07, 5.0), 1e-6, 3e-3),
        ((0.557, 0.557), (0.58, 0.58), (0.0, 0.0), (0.05, 0.3), 1e-6, 3e-3),
        ((0.4, 1.0), (0.0, 0.9), (0.0, 0.95), (0.01, 10.0), 1e-3, 2e-2),
    ],
    ids=["serving profiles", "matrix multiplication", "all ranges"],
)
@pytest.mark.parametrize("lowest", [0.02, 0.3])
def test_clock_inverts_drive(floors, knees, load_floors, half_loads, work_error, drive_error, lowest):
    """Three steps of Newton's method from the lowest of four tangents find the clock whose power is granted.

    The work done is what counts, for power is not computed back from the clock. Where all work is served and the clock
    lies below the voltage knee, power hardly depends on it, and the clock is found less well than the work.
    """
    work, drive = round_trip(floors, knees, load_floors, half_loads, lowest)
    assert work < work_error and drive < drive_error


@settings(deadline=None, max_examples=100)
@given(
    st.floats(0.02, 1.2),
    st.floats(0.4, 1.0),
    st.floats(0.0, 0.9),
    st.floats(0.0, 0.95),
    st.floats(0.01, 5.0),
    st.floats(0.5, 1.2),
    st.floats(0.0, 2.0),
)
def test_clock_follows_power_and_stays_in_range(request_fraction, floor, knee, load_floor, half_load, top, drive):
    request = jnp.asarray(min(request_fraction, top))
    law = accelerator.Law(*map(jnp.asarray, (floor, knee, load_floor, half_load, top)))
    low, high = (float(clock_of(jnp.asarray(d), request, law)) for d in (drive, drive + 0.05))
    assert 0.0 < low <= top and high <= top
    assert min(low, float(request)) <= min(high, float(request)) + 1e-3
    if drive >= float(drive_of(jnp.asarray(top), request, law)):
        assert low == pytest.approx(top, rel=1e-6)


def test_switching_rate_is_clock_times_voltage_squared():
    """Linear below the knee, 1 at the rated clock, its slope the derivative everywhere."""
    law = accelerator.Law(*map(jnp.asarray, (0.557, 0.58, 0.0, 0.1, 1.0)))
    clock = jnp.linspace(0.05, 1.2, 200)
    rate, slope = accelerator._switching(clock, law)
    np.testing.assert_allclose(rate[clock < 0.58], 0.557**2 * clock[clock < 0.58], rtol=1e-12)
    assert float(accelerator._switching(jnp.ones(()), law)[0]) == pytest.approx(1.0)
    derivative = jax.vmap(jax.grad(lambda x: accelerator._switching(x, law)[0]))(clock)
    np.testing.assert_allclose(slope, derivative, rtol=1e-12)


# --- Limits ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=150)
@given(chips, temperatures, temperatures, requests, intensities)
def test_power_cap_is_kept(name, die_k, plate_k, request_fraction, intensity):
    """The chip without its host never draws more than its cap, at any temperature and with any work."""
    numbers = profile(name)
    chips_now = operate(numbers, die_k, plate_k, request_fraction, intensity)
    result = run(chips_now, jnp.asarray(8.0), demand_w(chips_now, jnp.asarray(8.0)))
    assert float(result.chip_heat_w) <= 8.0 * float(numbers["power_cap_w"]) * (1.0 + 1e-9)


@pytest.mark.parametrize("name", CHIPS)
def test_large_matrix_multiplication_runs_at_the_cap(name):
    """Fully asked, cool: the chip sits on its cap, its host draws its full power, and less work draws less."""
    numbers = profile(name)
    die_k = numbers["leakage_reference_k"]
    full = operate(numbers, die_k, 290.0, 2.0)
    result = run(full, jnp.ones(()), demand_w(full, jnp.ones(())))
    at_top = float(full.standing_w + full.dynamic_w * full.asked_drive)
    assert float(result.chip_heat_w) == pytest.approx(min(float(numbers["power_cap_w"]), at_top), rel=1e-9)
    assert float(result.chip_heat_w) > 0.99 * float(numbers["power_cap_w"])
    nominal = accelerator.nominal_rate_flops(full)
    assert float(result.compute_rate_flops) == pytest.approx(float(nominal), rel=1e-6)
    assert float(result.chip_heat_w + result.host_heat_w) == pytest.approx(float(accelerator.nominal_power_w(full)))
    powers = [float(demand_w(operate(numbers, die_k, 290.0, u), jnp.ones(()))) for u in np.linspace(0.0, 1.1, 45)]
    assert (np.diff(powers) >= -1e-9).all() and powers[0] < 0.6 * powers[-1]


@settings(deadline=None, max_examples=150)
@given(chips, temperatures, temperatures, requests, intensities, st.floats(0.0, 1.0), st.floats(0.5, 1e4))
def test_power_becomes_heat(name, die_k, plate_k, request_fraction, intensity, part, alive):
    """All that the bus grants leaves as heat of chip or host; more power never does less work, nor more than asked."""
    numbers = profile(name)
    chips_now = operate(numbers, die_k, plate_k, request_fraction, intensity)
    count = jnp.asarray(alive)
    wanted = demand_w(chips_now, count)
    results = [run(chips_now, count, share * wanted) for share in (part, 1.0)]
    for share, result in zip((part, 1.0), results, strict=True):
        heat = float(result.chip_heat_w + result.host_heat_w)
        assert heat == pytest.approx(share * float(wanted), rel=1e-9, abs=1e-9)
        assert 0.0 <= float(result.clock_fraction) <= float(numbers["max_clock_fraction"])
    rates = [float(result.compute_rate_flops) / (alive * float(numbers["peak_flops"])) for result in results]
    assert rates[0] <= rates[1] + 1e-5 and rates[1] <= request_fraction + 1e-12
    limited = min(float(chips_now.cap_drive), float(chips_now.heat_drive)) < float(chips_now.asked_drive)
    if not limited and float(chips_now.on) == 1.0:
        asked = min(request_fraction, float(numbers["max_clock_fraction"]))
        assert rates[1] == pytest.approx(asked, rel=1e-4)


def test_without_power_nothing_runs():
    """Nothing at no power; asleep at sleep power; awake without work at standing power."""
    numbers = profile("h100_sxm")
    full = operate(numbers)
    host = float(full.host_standing_w)
    for each_w, chip_w in ((0.0, 0.0), (72.0 + host, 72.0), (float(full.standing_w) + host, float(full.standing_w))):
        result = run(full, jnp.asarray(8.0), jnp.asarray(8.0 * each_w))
        assert float(result.chip_heat_w) == pytest.approx(8.0 * chip_w, rel=1e-9)
        assert float(result.compute_rate_flops) < 1e-5 * 8.0 * float(numbers["peak_flops"])
    assert float(run(full, jnp.asarray(8.0), jnp.zeros(())).compute_rate_flops) == 0.0


@pytest.mark.parametrize("name", CHIPS)
def test_little_work_is_gathered_and_the_rest_sleeps(name):
    """Below the least load, power falls in proportion from that of the least load to sleep power."""
    numbers = profile(name)
    die_k, least = float(numbers["leakage_reference_k"]), 0.1 * float(numbers["max_clock_fraction"])

    def chip_w(request):
        chips_now = operate(numbers, die_k, 290.0, request, 0.15, floor=0.5, least=0.1)
        result = run(chips_now, jnp.ones(()), demand_w(chips_now, jnp.ones(())))
        assert float(result.compute_rate_flops) == pytest.approx(request * float(numbers["peak_flops"]), rel=1e-6)
        return float(result.chip_heat_w)

    sleep, full = float(numbers["sleep_power_w"]), chip_w(least)
    assert chip_w(0.0) == pytest.approx(sleep, rel=1e-9)
    for part in (0.25, 0.5):
        assert chip_w(part * least) == pytest.approx(sleep + part * (full - sleep), rel=1e-9)
    assert full < chip_w(1.001 * least) < 1.001 * full


# --- Heat ------------------------------------------------------------------------------------------------------------


def steady_die_k(numbers, plate_k: float) -> tuple[float, accelerator.Operation]:
    """Die temperature at which chip power, its leakage included, flows through the junction's resistance."""
    die_k = plate_k
    for _ in range(60):
        chips_now = operate(numbers, die_k, plate_k, 2.0)
        power = run(chips_now, jnp.ones(()), demand_w(chips_now, jnp.ones(()))).chip_heat_w
        die_k = 0.5 * die_k + 0.5 * (plate_k + float(numbers["junction_resistance_k_per_w"] * power))
    return die_k, chips_now


@pytest.mark.parametrize("name", CHIPS)
def test_die_settles_below_its_limit(name):
    """Throttled by a warm plate, the die sits on its limit; where idling alone passes it, below the shutdown one."""
    numbers = {key: float(value) for key, value in profile(name).items()}
    resistance, limit = numbers["junction_resistance_k_per_w"], numbers["max_temperature_k"]
    leakage = numbers["leakage_coefficient_per_k"] * (limit - numbers["leakage_reference_k"])
    idle_w = numbers["idle_power_w"] + numbers["leakage_power_w"] * np.exp(min(leakage, 2.0))
    settled = []
    for plate_k in np.linspace(290.0, 372.0, 12):
        die_k, chips_now = steady_die_k(profile(name), plate_k)
        if plate_k + resistance * idle_w <= limit:
            assert die_k <= limit + 1e-6
            settled.append(die_k)
        else:
            assert float(chips_now.heat_drive) < 1e-6
            assert die_k <= max(numbers["shutdown_temperature_k"], plate_k) + 1e-6
    throttled_k, chips_now = steady_die_k(profile(name), limit - resistance * 0.7 * numbers["power_cap_w"])
    assert throttled_k == pytest.approx(limit, abs=1e-3)
    assert float(chips_now.heat_drive) < float(chips_now.cap_drive)
    assert len(settled) > 5 and (np.diff(settled) > -1e-6).all()


@pytest.mark.parametrize("name", ["h100_sxm", "gb300"])
def test_throttling_is_continuous(name):
    """Demand falls with the plate from the cap to nothing without a jump: the steepest part is the shutdown band."""
    numbers = profile(name)
    plates = jnp.linspace(290.0, 375.0, 8501)
    along = operation_of(
        numbers,
        *(jnp.broadcast_to(jnp.asarray(v), plates.shape) for v in (350.0, plates, 2.0, 1.0, 1.0, 0.0, 0.081, 0.05)),
    )
    demand = np.asarray(demand_w(along, jnp.ones(plates.shape)))
    dynamic, host = float(numbers["dynamic_power_w"]), float(numbers["host_dynamic_power_w"])
    standing = float(along.standing_w[0] + along.host_standing_w)
    by_heat = (1.0 + host / dynamic) / float(numbers["junction_resistance_k_per_w"])
    steepest = max(by_heat, standing / accelerator.SHUTDOWN_BAND_K)
    falls = -np.diff(demand)
    assert (falls >= -1e-9).all() and falls.max() <= 0.0100001 * steepest
    assert demand[0] > float(numbers["power_cap_w"]) and demand[-1] == 0.0
    assert (np.diff(np.asarray(along.on)) <= 0.0).all() and float(along.on[0]) == 1.0 and float(along.on[-1]) == 0.0


def test_leakage_doubles_and_is_bounded():
    """H100 with 0.02 /K: twice the leakage 34.66 K above the reference, and e^2 at the most."""
    numbers = profile("h100_sxm")
    reference = float(numbers["leakage_reference_k"])
    leaks = [
        float(operate(numbers, reference + warmer).standing_w - numbers["idle_power_w"])
        for warmer in (0.0, np.log(2.0) / 0.02, 100.0, 300.0)
    ]
    np.testing.assert_allclose(np.array(leaks) / leaks[0], [1.0, 2.0, np.exp(2.0), np.exp(2.0)], rtol=1e-12)


def test_memory_limit_throttles_when_it_binds_first():
    """Poorly cooled memory settles on its own limit, with the die below its own."""
    numbers = profile("h100_sxm") | {"memory_resistance_k_per_w": jnp.asarray(0.8)}
    limit, plate_k = float(numbers["max_memory_temperature_k"]), 310.0
    _, chips_now = steady_die_k(numbers, plate_k)
    result = run(chips_now, jnp.ones(()), demand_w(chips_now, jnp.ones(())))
    assert plate_k + float(result.memory_rise_k) == pytest.approx(limit, abs=1e-6)
    assert float(chips_now.heat_drive) < float(chips_now.cap_drive)
    power = (limit - plate_k) / (0.8 * float(numbers["memory_power_fraction"]))
    assert float(result.chip_heat_w) == pytest.approx(power, rel=1e-9)


# --- Gradients -------------------------------------------------------------------------------------------------------


def test_gradients_match_finite_differences():
    """Heats and work by temperatures, request and granted power: uncapped, capped, throttled and short of power."""
    numbers = profile("h100_sxm")

    @jax.jit
    def outcome(values):
        die_k, plate_k, request, share = values
        work = Character(*map(jnp.asarray, (0.9, 0.5, 0.2, 0.1, 0.05)))
        chips_now = registry.call(accelerator.clock_scaled, numbers, die_k, plate_k, request, work)
        result = accelerator.run(chips_now, jnp.asarray(8.0), share * accelerator.demand_w(chips_now, jnp.asarray(8.0)))
        return jnp.stack([result.chip_heat_w, result.host_heat_w, 1e-12 * result.compute_rate_flops])

    slopes = jax.jit(jax.jacfwd(outcome))
    cases = ((330.0, 300.0, 0.4, 1.0), (330.0, 300.0, 1.0, 1.0), (355.0, 335.0, 0.9, 1.0), (330.0, 300.0, 0.9, 0.7))
    for case in cases:
        ours = np.asarray(slopes(jnp.array(case)))
        for k, value in enumerate(case):
            if k == 3 and value == 1.0:
                continue  # beyond its demand the satellite is not granted power
            delta = np.zeros(4)
            delta[k] = 1e-5 * value
            after, before = (np.asarray(outcome(jnp.asarray(case + sign * delta))) for sign in (1.0, -1.0))
            numeric = (after - before) / (2.0 * delta[k])
            np.testing.assert_allclose(ours[:, k], numeric, rtol=1e-3, atol=1e-4 * np.abs(ours[:, k]).max() + 1e-6)


def test_gradients_are_finite_at_the_edges():
    """Idle, at the limits, shut down, and without power."""
    numbers = profile("h100_sxm")

    @jax.jit
    @jax.grad
    def slope(values):
        die_k, plate_k, request, power_w, alive = values
        work = Character(*map(jnp.asarray, (1.0, 1.0, 0.0, 0.081, 0.05)))
        chips_now = registry.call(accelerator.clock_scaled, numbers, die_k, plate_k, request, work)
        result = accelerator.run(chips_now, alive, power_w)
        return accelerator.demand_w(chips_now, alive) + result.chip_heat_w + 1e-12 * result.compute_rate_flops

    for plate_k in (300.0, 345.0, 400.0):
        for request in (0.0, 0.5, 1.082):
            for power_w, alive in ((0.0, 8.0), (5000.0, 8.0), (0.0, 0.0)):
                assert np.isfinite(slope(jnp.array([340.0, plate_k, request, power_w, alive]))).all()
