"""Fins, flow through a radiator in segments, and boiling ammonia."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from omegaconf import OmegaConf
from scipy.integrate import solve_bvp, solve_ivp

import twin  # noqa: F401  64-bit numbers
from kernels import coolant_loop, radiator, thermal_network
from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4 as SIGMA
from kernels.registry import call
from kernels.thermal_network import Coefficients, Topology
from validation.rows import Measured, row

CONF = Path(__file__).parents[2] / "conf"


def fin_by_collocation(conduction_number, sink=0.0):
    """SciPy's answer: a fin with its root at 1, space at `sink`."""

    def slope(_, y):
        return np.vstack([y[1], conduction_number * (y[0] ** 4 - sink**4)])

    def ends(root, tip):
        return np.array([root[0] - 1.0, tip[1]])

    mesh = np.linspace(0.0, 1.0, 60)
    found = solve_bvp(slope, ends, mesh, np.vstack([1.0 - 0.2 * mesh, -0.2 + 0.2 * mesh]), tol=1e-10, max_nodes=100_000)
    assert found.success
    return -found.sol(0.0)[1] / (conduction_number * (1.0 - sink**4))


@row(
    "Efficiency of a radiating fin, conduction numbers 0.01 to 1",
    against="SciPy's solve_bvp",
    bound=1e-6,
)
def test_fin_efficiency() -> Measured:
    conduction = np.geomspace(0.01, 1.0, 9)
    ours = np.array([float(radiator.radiating_fin_efficiency(jnp.asarray(n))) for n in conduction])
    theirs = np.array([fin_by_collocation(n) for n in conduction])
    panel = {"facesheet_thickness_m": 0.4e-3, "conductivity_w_per_m_k": 167.0, "tube_spacing_m": 0.13}
    at = [float(radiator.fin_efficiency(jnp.asarray(0.895), **panel, design_temperature_k=t)) for t in (270, 300, 330)]
    number = 0.895 * SIGMA * 300.0**3 * 0.065**2 / (167.0 * 0.4e-3)
    warm = fin_by_collocation(number, 220.0 / 300.0)
    return Measured(
        float(np.abs(ours - theirs).max()),
        f"the reference panel {at[1]:.3f} at 300 K, {at[0]:.3f} at 270 and {at[2]:.3f} at 330 K (held at that of its "
        f"design temperature); {warm:.3f} against surroundings of 220 K instead of cold space",
    )


def rejected_w(segments, inlet_k, capacity_rate_w_per_k, emission_m2, absorbed_w):
    """Heat that a flow leaves in a chain of well-mixed radiator segments."""
    nodes = ("inlet", *(f"segment_{k}" for k in range(segments)))
    flows = tuple((k, k + 1, "radiator") for k in range(segments))
    topology = Topology(nodes, flows=flows, swept=tuple(range(segments)))
    share = jnp.full(segments, 1.0 / segments)
    numbers = Coefficients(
        (jnp.asarray(1e15), *(1e4 * share)), (), (), (), (), (jnp.asarray(0.0), *(emission_m2 * share))
    )
    rates = thermal_network.steady(*(jnp.asarray(capacity_rate_w_per_k),) * segments)
    source = (jnp.asarray(0.0), *(absorbed_w * share))
    temperature_k = (jnp.asarray(inlet_k),) * (segments + 1)
    for _ in range(60):
        temperature_k = thermal_network.step(topology, numbers, rates, source, temperature_k, 20.0).temperature_k
    return capacity_rate_w_per_k * (inlet_k - float(temperature_k[-1]))


@row(
    "Heat of a radiator in four segments along its flow, relative, at the reference design",
    against="the flow's differential equation, by SciPy",
    bound=0.001,
)
def test_segments() -> Measured:
    emission_m2, absorbed_w = 2 * 200.0 * 0.895 * 0.9025, 200.0 * 90.0
    words, found = [], []
    for inlet_k, rate in ((305.0, 17_000.0), (325.0, 3_600.0)):

        def fall(_, t, rate=rate):
            return (absorbed_w - emission_m2 * SIGMA * t**4) / rate

        outlet_k = solve_ivp(fall, (0.0, 1.0), [inlet_k], rtol=1e-11, atol=1e-9).y[0, -1]
        exact = rate * (inlet_k - outlet_k)
        errors = [rejected_w(n, inlet_k, rate, emission_m2, absorbed_w) / exact - 1.0 for n in (2, 4, 8)]
        words.append(f"{inlet_k - outlet_k:.1f} K: " + ", ".join(f"{100 * e:.3f}" for e in errors))
        found.append(abs(errors[1]))
    return Measured(found[0], f"per cent with 2, 4 and 8 segments, fall of {'; '.join(words)}")


# Vapour pressure of ammonia, ancillary equation of Gao, Wu, Bell, Harvey & Lemmon 2023 (NIST), J. Phys. Chem. Ref. Data
# 52, 013102: ln(p / p_c) = (T_c / T) sum n (1 - T / T_c)^t.
CRITICAL_K, CRITICAL_PA = 405.56, 11.3634e6
TERMS = ((-7.3128, 1.0), (3.8888, 1.5), (-2.9908, 1.6), (-2.8636, 3.7))
# Borgnakke & Sonntag, Fundamentals of Thermodynamics, table B.2.1: C, kPa.
TABLE = {-40: 71.7, -20: 190.2, 0: 429.6, 20: 857.5, 40: 1554.9, 60: 2614.4, 80: 4140.5, 100: 6253.7}


def ammonia():
    values = OmegaConf.to_container(OmegaConf.load(CONF / "coolant_loop" / "ammonia_two_phase.yaml"))
    return values, [values[f"saturation_{name}"] for name in ("a", "b_k", "c", "d_per_k")]


@row("Vapour pressure of ammonia, 230 to 380 K", against="NIST, Gao et al. 2023", bound=0.01)
def test_vapour_pressure() -> Measured:
    temperature = np.linspace(230.0, 380.0, 151)
    falls = sum(n * (1.0 - temperature / CRITICAL_K) ** t for n, t in TERMS)
    theirs = CRITICAL_PA * np.exp(CRITICAL_K / temperature * falls)
    _, curve = ammonia()
    ours = coolant_loop.saturation_pressure_pa(jnp.asarray(temperature), *curve)
    kelvin = jnp.asarray([273.15 + celsius for celsius in TABLE])
    tabulated = coolant_loop.saturation_pressure_pa(kelvin, *curve) / 1e3 / np.array(list(TABLE.values())) - 1.0
    return Measured(
        float(np.abs(ours / theirs - 1.0).max()), f"{100 * float(np.abs(tabulated).max()):.2f} % from table B.2.1"
    )


@row(
    "Boiling loop in the network: vapour quality of 100 kW",
    against="heat balance of the evaporator",
    bound=1e-6,
    kind="definition",
)
def test_vapour_quality() -> Measured:
    profile = ammonia()[0] | {"mass_flow_kg_per_s": 0.15, "heater_power_w": 0.0}
    topology = Topology(("plate", "one", "two"), flows=((0, 1, "main"), (1, 2, "main"), (2, 0, "main")))
    numbers = jax.tree.map(jnp.asarray, Coefficients((2e5, 1e5, 1e5), (), (), (), (), (0.0, 0.5 * 110.0, 0.5 * 110.0)))
    source = (jnp.asarray(1e5), jnp.asarray(0.0), jnp.asarray(0.0))
    temperature_k = (jnp.asarray(350.0),) * 3
    rate = call(coolant_loop.two_phase, profile, temperature_k[2], temperature_k[0]).capacity_rate_w_per_k
    rates = thermal_network.steady(rate, rate, rate)
    for _ in range(200):
        temperature_k = thermal_network.step(topology, numbers, rates, source, temperature_k, 100.0).temperature_k
    loop = call(coolant_loop.two_phase, profile, temperature_k[2], temperature_k[0])
    expected = (1e5 / 0.15 - 4740.0 * 3.0) / 1.186e6
    fall = float(temperature_k[0] - temperature_k[2])
    return Measured(
        abs(float(loop.vapour_quality) - expected),
        f"quality {expected:.3f}; the fluid falls by {fall:.2f} K on its way",
    )
