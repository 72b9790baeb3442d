"""The thermal network: a box satellite in an industry code, order of convergence, energy."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from scipy.integrate import solve_ivp

import twin
from kernels import sunlight, thermal_network
from kernels.thermal_network import Coefficients, Topology
from twin import config as twin_config
from twin.prepare import prepare
from validation.rows import Measured, row

BOX = Path(__file__).parents[1] / "data" / "thermal_desktop_50kg"
PANELS = ("px", "mx", "py", "my", "pz", "mz", "mli")
# Constants of the compared program's settings.
SOLAR_W_PER_M2, ALBEDO, INFRARED_W_PER_M2 = 1367.0, 0.3, 221.0
EARTH_M, ORBIT_M, GRAVITY_M3_PER_S2 = 6.378e6, 6.878e6, 3.986e14
STEP_S, END_S = 10.0, 40_000.0


def box_satellite():
    """Structure and numbers of the box: a YAML file through the twin's own schema, `build` and `prepare`."""
    values = yaml.safe_load((BOX / "box_satellite_7.yaml").read_text())
    config = twin.compose("simulate", ["constellation.satellites=1", "precision=float64", "distributed.devices=1"])
    box = replace(config.cohorts[0], thermal_network=twin_config.thermal_network(values))
    model = twin.build(replace(config, cohorts=(box,)))
    return model.structure.cohorts[0], prepare(model.structure, model.params, model.environment)[box.name].shared


def earth_w_per_m2(angle_rad, beta_rad):
    """Reflected light and infrared that arrive at the six panels at one place in the orbit; +z to the Sun. (6), (6)"""
    noon, ahead, normal = np.eye(3)
    sun = np.cos(beta_rad) * noon + np.sin(beta_rad) * normal
    zenith = np.cos(angle_rad) * noon + np.sin(angle_rad) * ahead
    velocity = np.cos(angle_rad) * ahead - np.sin(angle_rad) * noon
    y = velocity - (velocity @ sun) * sun
    y = normal if np.linalg.norm(y) < 1e-6 else y / np.linalg.norm(y)
    x = np.cross(y, sun)
    panels = np.array([x, -x, y, -y, sun, -sun])
    ratio = ORBIT_M / EARTH_M
    view = sunlight.earth_view_factor(jnp.asarray(-panels @ zenith), jnp.asarray(ratio))

    # Rings and sectors of the visible cap, of equal area each; Lambert reflection with the local height of the Sun.
    height = 1.0 - (np.arange(200) + 0.5) / 200 * (1.0 - 1.0 / ratio)
    around = (np.arange(180) + 0.5) / 180 * 2.0 * np.pi
    side = np.cross(zenith, panels[np.argmin(np.abs(panels @ zenith))])
    side /= np.linalg.norm(side)
    ring = np.sqrt(1.0 - height**2)[:, None, None]
    ground = height[:, None, None] * zenith + ring * (
        np.cos(around)[:, None] * side + np.sin(around)[:, None] * np.cross(zenith, side)
    )
    away = ratio * zenith - ground
    distance = np.linalg.norm(away, axis=-1)
    area = 2.0 * np.pi * (1.0 - 1.0 / ratio) / (height.size * around.size)
    leaving = np.maximum(ground @ sun, 0.0) * np.sum(ground * away, axis=-1) / distance**4 * area / np.pi
    arriving = np.maximum(-np.einsum("pc,rsc->prs", panels, away), 0.0)
    return SOLAR_W_PER_M2 * ALBEDO * np.einsum("prs,rs->p", arriving, leaving), INFRARED_W_PER_M2 * np.asarray(view)


def orbit_sources_w(surfaces, beta_rad):
    """Heat into the seven nodes for every step: direct light as it falls, Earth interpolated between 12 places."""
    period_s = 2.0 * np.pi * np.sqrt(ORBIT_M**3 / GRAVITY_M3_PER_S2)
    dark = np.sqrt(1.0 - (EARTH_M / ORBIT_M) ** 2) / max(np.cos(beta_rad), 1e-9)  # cosine at the cylinder's edge
    half_night = np.arccos(dark) if dark < 1.0 else 0.0
    edges = [np.pi - half_night, np.pi + half_night] if half_night else []
    places = np.sort(np.concatenate([np.arange(12) * np.pi / 6.0, edges]))
    loads = [earth_w_per_m2(angle, beta_rad) for angle in places]
    absorptivity = np.array([float(o.absorptivity) for o in surfaces.optics])
    emissivity = np.array([float(o.emissivity) for o in surfaces.optics])
    heat = np.array([absorptivity * albedo + emissivity * infrared for albedo, infrared in loads])
    middle = (np.arange(END_S / STEP_S) + 0.5) * STEP_S
    angle = np.mod(2.0 * np.pi * middle / period_s, 2.0 * np.pi)
    panels = np.array([np.interp(angle, places, column, period=2.0 * np.pi) for column in heat.T]).T
    half_step = np.pi * STEP_S / period_s
    panels[:, 4] += absorptivity[4] * SOLAR_W_PER_M2 * (1.0 - overlap(angle, half_step, half_night))
    return on_nodes(panels)


def overlap(angle, half_step, half_night):
    """Part of each step in the shadow, which is centred on the angle pi."""
    first = np.maximum(angle - half_step, np.pi - half_night)
    last = np.minimum(angle + half_step, np.pi + half_night)
    return np.maximum(last - first, 0.0) / (2.0 * half_step)


def on_nodes(panels):
    """Heat per panel to heat per node: what falls on MY goes to its insulation."""
    nodes = np.concatenate([panels, panels[:, 3:4]], axis=1)
    nodes[:, 3] = 0.0
    return nodes


def deep_space_sources_w(surfaces, panel):
    panels = np.zeros((int(END_S / STEP_S), 6))
    panels[:, panel] = SOLAR_W_PER_M2 * float(surfaces.optics[panel].absorptivity)
    return on_nodes(panels)


CASES = {
    "deepspace-sun-px": lambda surfaces: deep_space_sources_w(surfaces, 0),
    "deepspace-sun-py": lambda surfaces: deep_space_sources_w(surfaces, 2),
    "deepspace-sun-pz": lambda surfaces: deep_space_sources_w(surfaces, 4),
    "alt500-beta0": lambda surfaces: orbit_sources_w(surfaces, 0.0),
    "alt500-beta60": lambda surfaces: orbit_sources_w(surfaces, np.pi / 3.0),
    "alt500-beta90": lambda surfaces: orbit_sources_w(surfaces, np.pi / 2.0),
}


@row(
    "Box satellite of seven nodes, six cases, worst panel at any time",
    against="Thermal Desktop (ut-issl comparison/50kg)",
    bound=1.0,
    unit="K",
)
@pytest.mark.slow
def test_box_satellite() -> Measured:
    cohort, shared = box_satellite()
    sources = np.stack([make(shared.surfaces) for make in CASES.values()], axis=-1)  # (step, node, case)

    @jax.jit
    def run(sources):
        def one(temperature_k, source_w):
            after = thermal_network.step(
                cohort.topology, shared.network, thermal_network.steady(), tuple(source_w), temperature_k, STEP_S
            ).temperature_k
            return after, jnp.stack(after)

        first = tuple(jnp.full(len(CASES), 293.15) for _ in PANELS)
        return jax.lax.scan(one, first, sources)[1]

    ours = np.concatenate([np.full((1, 7, len(CASES)), 293.15), run(sources)]) - 273.15
    worst, insulation = {}, {}
    for k, name in enumerate(CASES):
        table = np.loadtxt(BOX / f"{name}_subset.csv", delimiter=",", skiprows=1)
        error = np.abs(ours[np.rint(table[:, 0] / STEP_S).astype(int), :, k] - table[:, 1:])
        worst[name], insulation[name] = error[:, :6].max(), error[1:, 6].max()
    words = ", ".join(f"{name} {error:.2f}" for name, error in worst.items())
    return Measured(max(worst.values()), f"{words} K; insulation without mass {max(insulation.values()):.2f} K")


def test_inner_exchange_of_the_box_is_gebharts():
    """The YAML's numbers follow from the view factors of a cube (opposite 0.19982) and an emissivity of 0.85."""
    opposite = (np.log(np.sqrt(4 / 3)) + 2 * np.sqrt(2) * np.arctan(1 / np.sqrt(2)) - np.pi / 2) * 2 / np.pi
    views = np.full((6, 6), (1 - opposite) / 4) * (1 - np.eye(6))
    views[[0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4]] = opposite
    exchange = 0.85 * np.linalg.solve(np.eye(6) - 0.15 * views, 0.85 * views)
    radiative = yaml.safe_load((BOX / "box_satellite_7.yaml").read_text())["radiative"]
    for name, link in list(radiative.items())[1:]:
        assert abs(link["exchange_m2"] - exchange[PANELS.index(link["from"]), PANELS.index(link["to"])]) < 1e-8, name


# A node of every kind: plates that radiate and exchange, a loop between two of them, a boundary, a massless foil.
MIXED = Topology(
    nodes=("plate", "pipe", "panel", "foil"),
    conductive=((0, 1), (2, 3)),
    radiative=((0, 2),),
    flows=((1, 2, "main"), (2, 1, "main")),
    boundaries=(0,),
    swept=(0,),
    massless=(3,),
)


def mixed(emission_m2, exchange_m2):
    numbers = Coefficients(
        heat_capacity_j_per_k=(4e3, 900.0, 2e3, 0.0),
        conductance_w_per_k=(8.0, 0.5),
        exchange_m2=(exchange_m2,),
        boundary_conductance_w_per_k=(1.5,),
        boundary_temperature_k=(280.0,),
        emission_m2=emission_m2,
    )
    return jax.tree.map(jnp.asarray, numbers), (jnp.asarray(25.0), jnp.asarray(25.0))


def heat_w(time_s):
    """Sources that change through an hour."""
    turn = 2.0 * np.pi * time_s / 3600.0
    waves = jnp.sin(turn), jnp.cos(turn), jnp.sin(2.0 * turn)
    return 300.0 + 200.0 * waves[0], 50.0 + 40.0 * waves[1], 20.0 * waves[2], 30.0 + 25.0 * waves[0]


@row(
    "Order of convergence of the network's step, radiating nodes under changing heat",
    against="2, from errors at steps of 40 to 5 s against SciPy's Radau at 1e-11",
    bound=0.1,
    unit="",
    kind="definition",
)
def test_order_of_convergence() -> Measured:
    numbers, rates = mixed((0.9, 0.05, 1.6, 0.04), 0.3)
    first = jnp.array([300.0, 295.0, 290.0])

    def run(step_s):
        def one(temperature_k, number):
            source = heat_w((number + 0.5) * step_s)
            return thermal_network.step(
                MIXED, numbers, thermal_network.steady(*rates), source, temperature_k, step_s
            ).temperature_k, None

        start = (*first, jnp.asarray(290.0))
        return jnp.stack(jax.lax.scan(one, start, jnp.arange(round(3600.0 / step_s)))[0][:3])

    @jax.jit
    def slope(time_s, values):
        settled = thermal_network.settled_k(MIXED, numbers, rates, heat_w(time_s), (*values, jnp.asarray(290.0)))
        flows = thermal_network.heat_flow_w(MIXED, numbers, rates, heat_w(time_s), settled)
        return jnp.stack(flows[:3]) / jnp.stack(numbers.heat_capacity_j_per_k[:3])

    exact = solve_ivp(lambda t, y: np.asarray(slope(t, y)), (0, 3600), first, "Radau", rtol=1e-11, atol=1e-10).y[:, -1]
    steps = np.array([40.0, 20.0, 10.0, 5.0])
    errors = [float(jnp.abs(run(step_s) - exact).max()) for step_s in steps]
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    return Measured(abs(order - 2.0), f"order {order:.3f}; error {errors[2]:.1e} K at a step of 10 s")


@row(
    "Energy of the network over 1000 steps: heat in - heat out - change of stored heat",
    against="conservation: 0, relative to the heat in, float64",
    bound=1e-13,
    unit="",
    kind="definition",
)
def test_energy_balance() -> Measured:
    residuals = []
    for emission_m2, exchange_m2 in (((0.0,) * 4, 0.0), ((0.9, 0.05, 1.6, 0.04), 0.3)):
        numbers, rates = mixed(emission_m2, exchange_m2)
        numbers = numbers._replace(boundary_conductance_w_per_k=(jnp.asarray(0.0),))

        def one(carry, number, numbers=numbers, rates=rates):
            temperature_k, gained_j = carry
            source = heat_w(10.0 * number)
            after = thermal_network.step(MIXED, numbers, thermal_network.steady(*rates), source, temperature_k, 10.0)
            return (after.temperature_k, gained_j + 10.0 * (sum(source) - sum(after.radiated_w))), sum(source)

        start = tuple(jnp.asarray(t) for t in (300.0, 295.0, 290.0, 290.0))
        (end, gained_j), heat = jax.jit(lambda c, one=one: jax.lax.scan(one, c, jnp.arange(1000)))((start, 0.0))
        stored_j = sum(c * (b - a) for c, a, b in zip(numbers.heat_capacity_j_per_k, start, end, strict=True))
        residuals.append(abs(float(gained_j - stored_j)) / (10.0 * float(heat.sum())))
    return Measured(residuals[0], f"linear links alone; with radiation {residuals[1]:.0e}")
