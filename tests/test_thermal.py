"""The thermal network against closed forms, a root finder and a tight stiff solver."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import root

import twin
from kernels import thermal_network
from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4 as SIGMA
from kernels.thermal_network import steady
from twin import config
from twin.ageing import condition
from twin.anchor import anchor_at
from twin.exchange import Inputs
from twin.prepare import prepare
from twin.step import fluxes, step, valve


@pytest.fixture(scope="module")
def satellite(small):
    """Structure, network, flows and sources of the reference satellite at full load in sunlight."""
    cohort = small.structure.cohorts[0]
    prepared = prepare(small.structure, small.params, small.environment)[cohort.name]
    network = prepared.shared.network
    names = cohort.topology.nodes
    heat = dict.fromkeys(names, 0.0) | {
        "accelerator": 7.0e4,
        "cold_plate": 1.5e4,
        "coolant_return": 6.0e3,
        "bus": 1.5e3,
        "battery": 5e2,
        "array": 3.5e5,
    }
    heat |= {f"radiator_{k}": 2.5e3 for k in range(1, 5)}
    rate = 2.0e4
    branch = {"main": rate, "radiator": 0.9 * rate, "bypass": 0.1 * rate}
    flows = tuple(jnp.asarray(branch[name]) for _, _, name in cohort.topology.flows)
    return cohort, network, flows, tuple(jnp.asarray(heat[name]) for name in names)


def run_network(cohort, network, flows, source, temperature_k, step_s, steps):
    def body(temperature_k, _):
        return thermal_network.step(
            cohort.topology, network, steady(*flows), source, temperature_k, step_s
        ).temperature_k, None

    return jax.jit(lambda t: jax.lax.scan(body, t, None, length=steps)[0])(temperature_k)


def test_steady_state_equals_root_finder(satellite):
    cohort, network, flows, source = satellite
    first = tuple(jnp.asarray(300.0) for _ in cohort.topology.nodes)
    ours = np.array(run_network(cohort, network, flows, source, first, 30.0, 20_000))

    def residual(values):
        return np.array(thermal_network.heat_flow_w(cohort.topology, network, flows, source, tuple(values)))

    theirs = root(residual, np.full(len(first), 320.0), method="hybr", tol=1e-12)
    assert theirs.success
    np.testing.assert_allclose(ours, theirs.x, atol=0.01)


def test_second_order_and_stiff(satellite):
    """Halving the step quarters the error, and a step far beyond every time constant stays finite."""
    cohort, network, flows, source = satellite
    first = tuple(jnp.asarray(280.0 + 4.0 * k) for k in range(len(cohort.topology.nodes)))
    reference = np.array(run_network(cohort, network, flows, source, first, 0.5, 1200))
    errors = [
        np.abs(np.array(run_network(cohort, network, flows, source, first, h, int(600 / h))) - reference).max()
        for h in (10.0, 5.0)
    ]
    assert errors[0] / errors[1] > 3.3
    coarse = np.array(run_network(cohort, network, flows, source, first, 600.0, 100))
    assert np.isfinite(coarse).all() and (coarse > 100).all()


def test_jacobian_is_the_derivative(satellite):
    cohort, network, flows, source = satellite
    temperatures = jnp.linspace(250.0, 350.0, len(cohort.topology.nodes))

    def flow(values):
        return jnp.stack(thermal_network.heat_flow_w(cohort.topology, network, flows, source, tuple(values)))

    dense = np.zeros((temperatures.size,) * 2)
    for (i, j), value in thermal_network.jacobian_w_per_k(cohort.topology, network, flows, tuple(temperatures)).items():
        dense[i, j] = value
    np.testing.assert_allclose(dense, jax.jacobian(flow)(temperatures), rtol=1e-12, atol=1e-9)


def test_isolated_plate_cools_as_the_closed_form():
    """C dT/dt = -sigma A T^4 has 1/T^3 = 1/T0^3 + 3 sigma A t / C."""
    topology = thermal_network.Topology(nodes=("plate",))
    one = (jnp.asarray(1.0),)
    numbers = thermal_network.Coefficients((jnp.asarray(1800.0),), (), (), (), (), one)
    temperature, radiated = (jnp.asarray(330.0),), 0.0
    for _ in range(400):
        after = thermal_network.step(topology, numbers, steady(), (jnp.asarray(0.0),), temperature, 5.0)
        temperature, radiated = after.temperature_k, radiated + 5.0 * after.radiated_w[0]
    exact = (330.0**-3 + 3 * SIGMA * 2000.0 / 1800.0) ** (-1 / 3)
    assert abs(temperature[0] - exact) < 0.02
    assert abs(radiated - 1800.0 * (330.0 - temperature[0])) < 1e-6 * radiated


def test_node_without_capacity_follows_at_once():
    """A massless node between a source and space sits at its equilibrium after one step."""
    topology = thermal_network.Topology(nodes=("foil", "plate"), conductive=((0, 1),))
    numbers = thermal_network.Coefficients(
        (jnp.asarray(0.0), jnp.asarray(5e3)), (jnp.asarray(0.5),), (), (), (), (jnp.asarray(0.04), jnp.asarray(0.5))
    )
    source, temperature = (jnp.asarray(20.0), jnp.asarray(10.0)), (jnp.asarray(300.0), jnp.asarray(290.0))
    for _ in range(200):
        temperature = thermal_network.step(topology, numbers, steady(), source, temperature, 30.0).temperature_k
    flows = thermal_network.heat_flow_w(topology, numbers, (), source, temperature)
    assert abs(flows[0]) < 1e-3


def test_node_without_capacity_survives_a_jump_of_its_heat():
    """Foil that comes out of the shadow: at once at the root of its balance, from any start."""
    topology = thermal_network.Topology(nodes=("foil", "plate"), radiative=((0, 1),), massless=(0,))
    numbers = thermal_network.Coefficients(
        (jnp.asarray(0.0), jnp.asarray(5e3)), (), (jnp.asarray(0.03),), (), (), (jnp.asarray(0.04), jnp.asarray(0.5))
    )
    for start, sun in ((293.0, 0.0), (150.0, 190.0), (400.0, 0.0), (30.0, 500.0)):
        foil, plate = thermal_network.settled_k(
            topology, numbers, (), (jnp.asarray(sun), jnp.asarray(0.0)), (jnp.asarray(start), jnp.asarray(290.0))
        )
        assert foil == pytest.approx(((sun / SIGMA + 0.03 * 290.0**4) / 0.07) ** 0.25, rel=1e-8) and plate == 290.0


def test_massless_foil_on_a_conductor_solves_the_quartic():
    topology = thermal_network.Topology(nodes=("foil", "plate"), conductive=((0, 1),), massless=(0,))

    def foil(conductance):
        numbers = thermal_network.Coefficients(
            (jnp.asarray(0.0), jnp.asarray(5e3)), (conductance,), (), (), (), (jnp.asarray(0.04), jnp.asarray(0.5))
        )
        source, start = (jnp.asarray(20.0), jnp.asarray(0.0)), (jnp.asarray(300.0), jnp.asarray(290.0))
        return thermal_network.settled_k(topology, numbers, (), source, start)[0]

    for conductance in (1e-6, 1e-2, 0.5, 1e3):
        roots = np.roots([0.04 * SIGMA, 0, 0, conductance, -20.0 - conductance * 290.0])
        root = next(r.real for r in roots if abs(r.imag) < 1e-6 and r.real > 0)
        assert foil(jnp.asarray(conductance)) == pytest.approx(root, rel=1e-8)
    numeric = (foil(jnp.asarray(0.501)) - foil(jnp.asarray(0.499))) / 0.002
    assert jax.grad(foil)(jnp.asarray(0.5)) == pytest.approx(float(numeric), rel=1e-5)


def test_radiator_with_hardly_any_flow_stays_above_zero(satellite):
    """A swept node radiates in part as its upstream end does; with a flow of 1 % that must not freeze it."""
    cohort, network, flows, source = satellite
    first = tuple(jnp.asarray(300.0) for _ in cohort.topology.nodes)
    trickle = tuple(0.01 * rate for rate in flows)
    quiet = tuple(0.02 * heat for heat in source)
    assert len(cohort.topology.swept) == 4
    end = np.array(run_network(cohort, network, trickle, quiet, first, 60.0, 3000))
    assert np.isfinite(end).all() and end.min() > 60.0


@pytest.mark.slow
def test_design_whose_components_all_sit_on_the_bus():
    """A network that names only its bus runs in full: no heat is lost between components and nodes."""
    nodes = {"box": {"heat_capacity_j_per_k": 5e6}, "wing": {"heat_capacity_j_per_k": 1e6}}
    face = {"frame": "body", "normal_x": 0.0, "normal_y": 1.0, "normal_z": 0.0, "area_share": 1.0}
    network = config.thermal_network(
        {
            "ports": {"bus": ["box"]},
            "nodes": nodes,
            "couplings": {"joint": {"from": "box", "to": "wing", "conductance_w_per_k": 5e3}},
            "surfaces": {"side": face | {"nodes": ["wing"], "area_of": "radiator", "optics": "coating"}},
        }
    )
    run = twin.compose("simulate", ["time.duration_s=3000", "constellation.satellites=1", "distributed.devices=1"])
    model = twin.build(replace(run, cohorts=(replace(run.cohorts[0], thermal_network=network),)))
    metrics = jax.jit(twin.objective, static_argnums=0)(model.structure, model.params, model.environment)
    assert float(metrics["heat_balance_residual"]) < 1e-4
    assert float(metrics["load_energy_j"]) > 1e6 and 200.0 < float(metrics["max_battery_temperature_k"]) < 400.0


@pytest.mark.slow
def test_transient_through_eclipse_matches_radau(small):
    """The whole step against SciPy's Radau on the same physics in continuous time: near it, and second order."""
    cohort = small.structure.cohorts[0]
    prepared = prepare(small.structure, small.params, small.environment)[cohort.name]
    anchor = anchor_at(prepared.each, small.environment.start_days, jnp.asarray(0.0))
    now = condition(cohort, prepared.shared, prepared.slow)
    asked = 0.9 * prepared.shared.nominal_flops * prepared.slow.accelerators_alive
    inputs, nodes = Inputs(asked, asked, jnp.ones_like(asked), asked), cohort.topology.nodes
    many, instant_s, end_s = (cohort, prepared.shared, anchor, inputs), 1e-3, 5820.0

    @partial(jax.jit, static_argnums=(1, 2))
    def run(state, step_s, steps):
        def advance(state, number):
            state, _ = step(*many, state, now, number * step_s, step_s)
            return state, jnp.stack([state.temperature_k[node][0] for node in nodes])

        return jax.lax.scan(advance, state, jnp.arange(steps))

    @jax.jit
    def derivative(time_s, values):
        temperature = {node: values[k] * jnp.ones(cohort.satellites) for k, node in enumerate(nodes)}
        charge = values[-1] * jnp.ones(cohort.satellites)
        still = jax.tree.map(jnp.zeros_like, settled)
        state = still._replace(temperature_k=temperature, state_of_charge=charge)
        flux = fluxes(*many, state, now, time_s, instant_s)
        rates = valve(cohort, prepared.shared, flux.served).at(tuple(temperature.values()))
        heat = thermal_network.heat_flow_w(
            cohort.topology, prepared.shared.network, rates, flux.source_w, tuple(temperature.values())
        )
        rates = [h[0] / c for h, c in zip(heat, prepared.shared.network.heat_capacity_j_per_k, strict=True)]
        return jnp.stack([*rates, (flux.charged.state_of_charge - charge)[0] / instant_s])

    settled, _ = run(prepared.state, 10.0, 600)
    settled = settled._replace(rise_k=jax.tree.map(jnp.zeros_like, settled.rise_k))
    first = [float(settled.temperature_k[node][0]) for node in nodes] + [float(settled.state_of_charge[0])]
    theirs = solve_ivp(
        lambda t, y: np.asarray(derivative(t, y)),
        (0.0, end_s),
        first,
        method="Radau",
        t_eval=np.arange(60.0, end_s + 1.0, 60.0),
        rtol=1e-7,
        atol=1e-5,
        max_step=20.0,
    )
    assert theirs.success
    worst = {}
    for step_s in (15.0, 30.0, 60.0):
        _, ours = run(settled, step_s, round(end_s / step_s))
        every = round(60.0 / step_s)
        worst[step_s] = np.abs(np.asarray(ours)[every - 1 :: every] - theirs.y[:-1].T).max(axis=0)
    assert worst[30.0].max() < 0.2, dict(zip(nodes, worst[30.0], strict=True))
    light = nodes.index("array")
    assert 3.3 * worst[15.0][light] < worst[30.0][light] < worst[60.0][light] / 3.3, worst


def test_heat_that_comes_early_in_the_step():
    """Half a step of light on a plate, first or second half, against the closed form: of second order, and balanced."""
    topology = thermal_network.Topology(nodes=("plate", "sink"), conductive=((0, 1),))
    numbers = thermal_network.Coefficients(
        (jnp.asarray(2.0e3), jnp.asarray(1e12)), (jnp.asarray(8.0),), (), (), (), (jnp.asarray(0.0),) * 2
    )
    start, pulse_w, slow_s = (jnp.asarray(300.0),) * 2, 1.2e3, 2.0e3 / 8.0

    def relative_error(lean: float, step_s: float) -> float:
        kept = np.exp(-0.5 * step_s / slow_s)
        exact_k = pulse_w / 8.0 * (1.0 - kept) * (kept if lean > 0.0 else 1.0)
        source, early = ((jnp.asarray(share * pulse_w), jnp.asarray(0.0)) for share in (0.5, lean))
        after = thermal_network.step(topology, numbers, steady(), source, start, step_s, early).temperature_k
        warmed_j = 2.0e3 * (after[0] - 300.0) + 1e12 * (after[1] - 300.0)
        assert warmed_j == pytest.approx(0.5 * pulse_w * step_s, rel=1e-2)
        return abs(float(after[0]) - 300.0 - exact_k) / exact_k

    for lean in (0.125, -0.125):
        errors = [relative_error(lean, step_s) for step_s in (60.0, 30.0, 15.0)]
        assert errors[0] < 5e-3
        assert errors[0] / errors[1] > 3.5 and errors[1] / errors[2] > 3.5
