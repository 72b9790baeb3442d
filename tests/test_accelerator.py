"""Accelerators: power cap, governor, throttling and shutdown by heat, and measured curves of real chips."""

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

CONF = Path(__file__).resolve().parents[1] / "conf"
CHIPS = ("a100_sxm", "h100_sxm", "h200_sxm", "b200", "gb300", "rubin", "tpu_v6e", "tpu_v7", "mi355x")


@cache
def profile(name: str) -> dict[str, jax.Array]:
    """What the model reads of a profile."""
    read = OmegaConf.load(CONF / "accelerator" / f"{name}.yaml")
    return {key: jnp.asarray(float(read[key])) for key in registry.parameters(accelerator.clock_scaled)}


@jax.jit
def operation_of(numbers, die_k, plate_k, request, intensity, efficiency):
    return registry.call(accelerator.clock_scaled, numbers, die_k, plate_k, request, intensity, efficiency)


def operate(numbers, die_k=320.0, plate_k=300.0, request=1.0, intensity=1.0, efficiency=1.0):
    return operation_of(numbers, *map(jnp.asarray, (die_k, plate_k, request, intensity, efficiency)))


demand_w = jax.jit(accelerator.demand_w)
run = jax.jit(accelerator.run)
clock_of = jax.jit(accelerator._clock)
drive_of = jax.jit(accelerator._drive)

chips = st.sampled_from(CHIPS)
temperatures = st.floats(260.0, 400.0)
requests = st.one_of(st.just(0.0), st.floats(0.0, 1.2))
intensities = st.floats(0.1, 1.5)


# --- Governor --------------------------------------------------------------------------------------------------------


def round_trip(exponents, half_loads, lowest):
    """Clocks from `lowest` of the highest one up, all loads: differences of clock and of drive after the inversion."""
    generator = np.random.default_rng(2)
    top = generator.uniform(0.5, 1.2, 100_000)
    clock = top * generator.uniform(lowest, 1.0, top.size)
    request = np.minimum(generator.uniform(0.0, 1.2, top.size), top)
    exponent = generator.uniform(*exponents, top.size)
    half_load = np.exp(generator.uniform(*np.log(half_loads), top.size))
    shape = [jnp.asarray(value) for value in (request, exponent, half_load)]
    drive = drive_of(jnp.asarray(clock), *shape)
    found = clock_of(drive, *shape, jnp.asarray(top))
    return np.abs(np.asarray(found) - clock).max(), np.abs(np.asarray(drive_of(found, *shape) - drive)).max()


@pytest.mark.parametrize(
    ("exponents", "half_loads", "lowest", "clock_error", "drive_error"),
    [
        ((3.0, 3.0), (0.018, 0.081), 0.2, 1e-5, 1e-6),
        ((3.0, 3.0), (0.018, 0.081), 0.02, 5e-4, 2e-6),
        ((2.0, 4.6), (0.01, 0.3), 0.3, 5e-5, 2e-6),
        ((2.0, 4.6), (0.01, 0.3), 0.02, 2e-3, 2e-6),
    ],
    ids=["profiles, working clocks", "profiles, all clocks", "all ranges, working clocks", "all ranges, all clocks"],
)
def test_clock_inverts_drive(exponents, half_loads, lowest, clock_error, drive_error):
    """Three steps of Newton's method find the clock whose power is granted, for exponents from 2 to 4.6."""
    clock, drive = round_trip(exponents, half_loads, lowest)
    assert clock < clock_error and drive < drive_error


@settings(deadline=None, max_examples=100)
@given(requests, st.floats(2.0, 4.6), st.floats(0.01, 0.3), st.floats(0.5, 1.2), st.floats(0.0, 2.0))
def test_clock_follows_power_and_stays_in_range(request_fraction, exponent, half_load, top, drive):
    request = min(request_fraction, top)
    shape = [jnp.asarray(value) for value in (request, exponent, half_load)]
    low, high = (float(clock_of(jnp.asarray(d), *shape, jnp.asarray(top))) for d in (drive, drive + 0.05))
    assert 0.0 < low <= top and low <= high + 1e-5 and high <= top
    if drive >= float(drive_of(jnp.asarray(top), *shape)):
        assert low == pytest.approx(top, rel=1e-6)


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
    assert float(result.chip_heat_w) == pytest.approx(float(numbers["power_cap_w"]), rel=1e-9)
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
    numbers = profile("h100_sxm")
    result = run(operate(numbers), jnp.asarray(8.0), jnp.zeros(()))
    assert float(result.chip_heat_w) == float(result.host_heat_w) == float(result.compute_rate_flops) == 0.0
    half = run(
        operate(numbers), jnp.asarray(8.0), 4.0 * (operate(numbers).standing_w + operate(numbers).host_standing_w)
    )
    assert float(half.compute_rate_flops) < 1e-3 * 8.0 * float(numbers["peak_flops"])


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
        numbers, *(jnp.broadcast_to(jnp.asarray(v), plates.shape) for v in (350.0, plates, 2.0, 1.0, 1.0))
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


# --- Measured curves -------------------------------------------------------------------------------------------------


def test_law_of_the_a100_clock_sweep():
    """M. Giordano, UCL, GPU power-frequency benchmarks, 2026: A100 PCIe, compute loop at locked clocks, cap at 300 W.

    a + b f^3 with the profile's exponent fits the uncapped points to 4 %, with 53 W at rest (58-62 W measured idle).
    The 1410 MHz point, 296 W, is limited by the cap and lies 10 % above the law. The profile itself is that of the
    400 W module under matrix multiplication, 1.6-1.8 times as much at these clocks, and is not meant to meet them.
    """
    clock = np.array([1005.0, 1110.0, 1200.0, 1305.0]) / 1410.0
    power = np.array([135.0, 152.0, 179.0, 225.0])
    numbers = dict(profile("a100_sxm"))
    law = np.stack([np.ones(4), clock ** float(numbers["clock_exponent"])], axis=1)
    idle_w, dynamic_w = np.linalg.lstsq(law, power, rcond=None)[0]
    assert idle_w == pytest.approx(58.0, abs=8.0)
    numbers |= {key: jnp.zeros(()) for key in ("leakage_power_w", "host_idle_power_w", "host_dynamic_power_w")}
    numbers |= {"idle_power_w": idle_w, "dynamic_power_w": dynamic_w, "power_cap_w": jnp.asarray(300.0)}
    modelled = []
    for fraction in (*clock, 1.0):
        locked = operate(numbers | {"max_clock_fraction": jnp.asarray(fraction)}, request=fraction)
        modelled.append(float(demand_w(locked, jnp.ones(()))))
    np.testing.assert_allclose(modelled[:4], power, rtol=0.04)
    assert modelled[4] == pytest.approx(296.0, rel=0.12) and modelled[4] < 300.0


def test_throughput_under_power_caps_of_an_a100():
    """Same source: caps of 300 to 150 W at a request of 1410 MHz keep 1.000 to 0.771 of the throughput.

    The governor under the fitted law (296 W at full clock) keeps the order and is low by up to 8 %: near the top real
    power rises more steeply than the cube.
    """
    caps = np.array([300.0, 250.0, 225.0, 200.0, 175.0, 150.0])
    kept = np.array([1.000, 0.958, 0.926, 0.889, 0.836, 0.771])
    numbers = dict(profile("a100_sxm"))
    numbers |= {key: jnp.zeros(()) for key in ("leakage_power_w", "host_idle_power_w", "host_dynamic_power_w")}
    numbers |= {"idle_power_w": jnp.asarray(58.0), "dynamic_power_w": jnp.asarray(238.0)}
    rates = []
    for cap in caps:
        chips_now = operate(numbers | {"power_cap_w": jnp.asarray(cap)}, request=1.0)
        result = run(chips_now, jnp.ones(()), demand_w(chips_now, jnp.ones(())))
        rates.append(float(result.compute_rate_flops / numbers["peak_flops"]))
    assert (np.diff(rates) < 0.0).all()
    np.testing.assert_allclose(rates, kept, rtol=0.08)


def test_serving_curve_of_the_h100():
    """ML.ENERGY benchmark v3, 2026: board power and throughput of Llama 3.1 70B in bf16 on four H100, batch 8 to 1024.

    With power intensity 0.40 and the die at 45 C: within 1 % fully loaded, -11 % at batch 8, up to +20 % at batch 32,
    where real power has hardly begun to rise; 9 % on average. At the profile's 65 C leakage adds 8 % fully loaded and
    up to 30 % at batch 32. The saturation, fitted to all models of 32B and more, rises too early for this one.
    """
    tokens_per_s = np.array([117.4, 215.7, 371.7, 627.6, 811.1, 969.1, 1115.3, 1228.8, 1329.7, 1480.3, 1626.9, 1706.8])
    measured_w = np.array([441.4, 451.0, 448.6, 500.4, 525.4, 545.9, 573.3, 588.6, 585.9, 623.2, 633.8, 636.9])
    numbers = profile("h100_sxm")
    top = float(numbers["max_clock_fraction"])
    for die_k, full, most, mean in ((318.15, 0.02, 0.20, 0.10), (338.15, 0.10, 0.31, 0.17)):
        modelled_w = []
        for load in tokens_per_s / tokens_per_s[-1]:
            chips_now = operate(numbers, die_k, 290.0, load * top, 0.40, 0.35)
            result = run(chips_now, jnp.ones(()), demand_w(chips_now, jnp.ones(())))
            modelled_w.append(float(result.chip_heat_w))
        error = np.array(modelled_w) / measured_w - 1.0
        assert abs(error[-1]) < full and np.abs(error).max() < most and np.abs(error).mean() < mean
        assert (np.diff(modelled_w) > 0.0).all() and modelled_w[0] > 0.55 * modelled_w[-1]


# --- Gradients -------------------------------------------------------------------------------------------------------


def test_gradients_match_finite_differences():
    """Heats and work by temperatures, request and granted power: uncapped, capped, throttled and short of power."""
    numbers = profile("h100_sxm")

    @jax.jit
    def outcome(values):
        die_k, plate_k, request, share = values
        chips_now = registry.call(
            accelerator.clock_scaled, numbers, die_k, plate_k, request, jnp.asarray(0.9), jnp.asarray(0.5)
        )
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
        chips_now = registry.call(
            accelerator.clock_scaled, numbers, die_k, plate_k, request, jnp.ones(()), jnp.ones(())
        )
        result = accelerator.run(chips_now, alive, power_w)
        return accelerator.demand_w(chips_now, alive) + result.chip_heat_w + 1e-12 * result.compute_rate_flops

    for plate_k in (300.0, 345.0, 400.0):
        for request in (0.0, 0.5, 1.082):
            for power_w, alive in ((0.0, 8.0), (5000.0, 8.0), (0.0, 0.0)):
                assert np.isfinite(slope(jnp.array([340.0, plate_k, request, power_w, alive]))).all()
