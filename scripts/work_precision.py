"""Accuracy against cost of the step: `python scripts/work_precision.py` writes docs/work_precision.md and its figure.

Methods of diffrax may be named: `python scripts/work_precision.py Kvaerno5`.

Wants `pip install -e .[validation]`: diffrax solves the same equations in continuous time, matplotlib draws.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import diffrax  # noqa: E402  # pyright: ignore[reportMissingImports]
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import matplotlib  # noqa: E402  # pyright: ignore[reportMissingImports]
import numpy as np  # noqa: E402
from jax import Array, lax  # noqa: E402
from rich.progress import track  # noqa: E402

import twin  # noqa: E402
from kernels import thermal_network  # noqa: E402
from twin.ageing import condition  # noqa: E402
from twin.anchor import anchor_at  # noqa: E402
from twin.exchange import Inputs  # noqa: E402
from twin.prepare import prepare  # noqa: E402
from twin.state import State  # noqa: E402
from twin.step import fluxes, step, valve  # noqa: E402

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  # pyright: ignore[reportMissingImports]

HEAD = """# Accuracy against cost of the step

Written by `python scripts/work_precision.py`. 24 satellites round a 650 km dawn-dusk orbit in eclipse season (14 June),
their second orbit (6 000 s), float64, compared every 120 s. The *reference* design is that of `make run` at 0.9 of its
peak load: its mixing valve, its charger and its eclipses work. In the *scarce* design array, radiator and battery are
too small: chips are throttled by heat, shed in eclipse, switched off and started again.

Cells are the largest / root-mean-square error against the twin's own step of 0.125 s; what the twin at 0.25 s
differs from it says how sure that is. Where diffrax has rows, it solves the same right-hand side, fluxes of
an instant into the same network, in continuous time; its CPU time counts the slowest of the satellites that
it solves at once. CPU time is per satellite and orbit, on one machine, without compilation; it is for ratios.

![Largest error against steps and CPU time](work_precision.svg)"""

SATELLITES, ORBIT_S, GRID_S = 24, 6000.0, 120.0
INSTANT_S = 1e-3  # over which the twin's fluxes become those of an instant
STEPS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0)
SCARCE = (
    "array.area_m2=240",
    "radiator.area_m2=95",
    "battery.energy_j=1.2e8",
    "battery.initial_state_of_charge=0.9",
    "battery.discharge_rate_per_h=0.3",
)
# Overrides, and the work asked as a fraction of what all accelerators do at their cap.
DESIGNS: dict[str, tuple[tuple[str, ...], float]] = {"reference": ((), 0.9), "scarce": (SCARCE, 1.0)}
ADAPTIVE = {"Kvaerno3": (1e-2, 1e-3, 1e-4), "Kvaerno5": (1e-2, 1e-3, 1e-4, 1e-6)}
FIXED_S = {"ImplicitEuler": (5.0, 10.0, 30.0, 60.0), "Heun": (1.0, 2.0)}
SHOWN = {"array": "array, K", "die": "die, K", "coolant": "coolant, K", "battery": "battery, K"}
SHOWN |= {"charge": "charge, 1e-4", "delivered": "delivered, %", "energy": "array energy, %"}

Grid = dict[str, Array]  # values by name, (grid, satellite)


class Result(NamedTuple):
    """A solution and what it took: steps per orbit, CPU seconds per satellite and orbit."""

    label: str
    setting: str
    steps: float
    cpu_s: float
    grid: Grid


class Problem:
    """One design in eclipse season: 24 satellites round a dawn-dusk orbit, the second orbit of their run."""

    def __init__(self, overrides: tuple[str, ...], load: float) -> None:
        choices = ["precision=float64", "distributed.devices=1", "constellation.planes=1", *overrides]
        model = twin.build(twin.compose("simulate", [*choices, f"constellation.satellites={SATELLITES}"]))
        (self.cohort,) = model.structure.cohorts
        made = jax.jit(prepare, static_argnums=0)(model.structure, model.params, model.environment)[self.cohort.name]
        self.shared, self.anchor = made.shared, anchor_at(made.each, model.environment.start_days, jnp.zeros(()))
        self.now = condition(self.cohort, made.shared, made.slow)
        self.peak_flops = made.shared.nominal_flops * made.slow.accelerators_alive
        self.inputs = Inputs(load * self.peak_flops, load * self.peak_flops, jnp.ones(SATELLITES), self.peak_flops)
        self.first = jax.tree.map(lambda leaf: leaf[-1], self._steps(made.state, 0.0, 1.0)[0])

    def _shown(self, state: State, delivered_s: Array, energy_j: Array) -> Grid:
        ports, nodes = self.cohort.ports, self.cohort.topology.nodes
        at = {"array": ports.array, "die": ports.accelerator, "battery": ports.battery}
        at |= {"supply": ports.coolant_supply, "return": ports.coolant_return}
        values = {name: state.temperature_k[nodes[port[0]]] for name, port in at.items()}
        return values | {"charge": state.state_of_charge, "delivered": delivered_s, "energy": energy_j}

    @partial(jax.jit, static_argnums=0)
    def _steps(self, state: State, start_s: float, step_s: float) -> tuple[State, Array, Array]:
        """States on the grid, and the integrals of work (over the peak rate) and of array power up to there."""
        count = jnp.round(GRID_S / step_s).astype(int)
        many = (self.cohort, self.shared, self.anchor, self.inputs)

        def to_next(carry: tuple[State, Array, Array], number: Array) -> tuple[Any, Any]:
            def one(k: Array, carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
                state, work, energy = carry
                state, out = step(*many, state, self.now, start_s + (number * count + k) * step_s, step_s)
                work = work + step_s * out["compute_rate_flops"] / self.peak_flops
                return state, work, energy + step_s * out["array_power_w"]

            carry = lax.fori_loop(0, count, one, carry)
            return carry, carry

        zero = jnp.zeros(SATELLITES)
        return lax.scan(to_next, (state, zero, zero), jnp.arange(round(ORBIT_S / GRID_S)))[1]

    def by_steps(self, step_s: float) -> Result:
        """The twin's own step."""
        (path, cpu_s) = timed(self._steps, self.first, ORBIT_S, step_s)
        return Result("twin", f"{step_s:g} s", ORBIT_S / step_s, cpu_s, self._shown(*path))

    def _slope(self, time_s: Any, y: dict[str, Array], args: tuple[Any, ...]) -> dict[str, Array]:
        """The same physics in continuous time, for one satellite: leaves (1,)."""
        anchor, inputs, now, peak_flops = args
        nodes, network = self.cohort.topology.nodes, self.shared.network
        state = State(
            temperature_k={node: y[node] for node in nodes},
            rise_k=dict.fromkeys(self.cohort.sensed, jnp.zeros(1)),
            state_of_charge=y["charge"],
            charge_rise=jnp.zeros(1),
            cycle_top=jnp.ones(1),
        )
        flux = fluxes(self.cohort, self.shared, anchor, inputs, state, now, time_s, jnp.asarray(INSTANT_S))
        temperatures = tuple(y[node] for node in nodes)
        rates = valve(self.cohort, self.shared, flux.served).at(temperatures)
        heat = thermal_network.heat_flow_w(self.cohort.topology, network, rates, flux.source_w, temperatures)
        slopes = {node: h / c for node, h, c in zip(nodes, heat, network.heat_capacity_j_per_k, strict=True)}
        slopes["charge"] = (flux.charged.state_of_charge - y["charge"]) / INSTANT_S
        return slopes | {"work": flux.work.compute_rate_flops / peak_flops, "energy": flux.bus.array_w / 1e5}

    @partial(jax.jit, static_argnums=(0, 1, 2))
    def _diffrax(self, solver: diffrax.AbstractSolver, adaptive: bool, step_s: float, tolerance: float) -> Any:
        times = ORBIT_S + GRID_S * (1.0 + jnp.arange(round(ORBIT_S / GRID_S)))
        control = diffrax.PIDController(rtol=tolerance, atol=tolerance, dtmax=60.0)  # not to step over an eclipse

        def one(index: Array) -> tuple[Any, Array]:
            def own(leaf: Array) -> Array:
                whole = leaf.ndim and leaf.shape[0] == SATELLITES
                return lax.dynamic_slice_in_dim(leaf, index, 1) if whole else leaf

            *args, first = jax.tree.map(own, (self.anchor, self.inputs, self.now, self.peak_flops, self.first))
            start = (
                first.temperature_k
                | {"charge": first.state_of_charge}
                | dict.fromkeys(("work", "energy"), jnp.zeros(1))
            )
            solution = diffrax.diffeqsolve(
                diffrax.ODETerm(self._slope),
                solver,
                ORBIT_S,
                2.0 * ORBIT_S,
                step_s,
                start,
                tuple(args),
                saveat=diffrax.SaveAt(ts=times),
                stepsize_controller=control if adaptive else diffrax.ConstantStepSize(),
                max_steps=200_000,
            )
            return solution.ys, solution.stats["num_steps"]

        return jax.vmap(one)(jnp.arange(SATELLITES))

    def by_diffrax(self, name: str, setting: float) -> Result:
        """A method of diffrax: adaptive with a tolerance, or with fixed steps."""
        adaptive = name in ADAPTIVE
        solver = getattr(diffrax, name)
        newton = diffrax.VeryChord(rtol=1e-6, atol=1e-6)
        solver = solver(root_finder=newton) if name == "ImplicitEuler" else solver()
        (ys, steps), cpu_s = timed(self._diffrax, solver, adaptive, 1.0 if adaptive else setting, setting)
        y = {name: leaf[..., 0].T for name, leaf in ys.items()}
        state = self.first._replace(temperature_k=y, state_of_charge=y["charge"])
        label = f"{setting:.0e}" if adaptive else f"{setting:g} s"
        return Result(name, label, float(steps.mean()), cpu_s, self._shown(state, y["work"], 1e5 * y["energy"]))


def timed(function: Any, *arguments: Any) -> tuple[Any, float]:
    """Result and CPU seconds per satellite of a call, not counting the compilation."""
    jax.block_until_ready(function(*arguments))
    before = time.process_time()
    result = jax.block_until_ready(function(*arguments))
    return result, (time.process_time() - before) / SATELLITES


def errors(grid: Grid, exact: Grid) -> dict[str, tuple[float, float]]:
    """Largest and root-mean-square error over grid and satellites; of integrals, at the end and relative."""
    apart = {name: np.asarray(grid[name] - exact[name]) for name in exact}
    apart |= {"die": apart["die"], "coolant": np.stack([apart.pop("supply"), apart.pop("return")])}
    apart["charge"] = 1e4 * apart["charge"]
    for name in ("delivered", "energy"):
        apart[name] = 100.0 * apart[name][-1] / np.asarray(exact[name][-1])
    return {name: (float(np.abs(a).max()), float(np.sqrt((a * a).mean()))) for name, a in apart.items()}


def table(results: list[Result], exact: Grid) -> str:
    """Markdown table of the errors: largest / root mean square."""
    rows = ["| method | step, tolerance | steps | CPU ms | " + " | ".join(SHOWN.values()) + " |"]
    rows.append("| --- " * (4 + len(SHOWN)) + "|")
    for result in results:
        found = errors(result.grid, exact)
        cells = [f"{found[name][0]:.2g} / {found[name][1]:.2g}" for name in SHOWN]
        cost = f"{result.steps:.0f} | {1e3 * result.cpu_s:.2g}"
        rows.append(f"| {result.label} | {result.setting} | {cost} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def draw(solved: dict[str, tuple[list[Result], Grid]], path: Path) -> None:
    """Error against steps and against CPU time, a row of panels for each design and cost."""
    names = ("array", "coolant", "charge", "delivered")
    figure, axes = plt.subplots(2 * len(solved), len(names), figsize=(14, 12), layout="constrained")
    for row, (design, cost) in enumerate((design, cost) for design in solved for cost in ("steps", "cpu_s")):
        results, exact = solved[design]
        for axis, name in zip(axes[row], names, strict=True):
            for label in dict.fromkeys(result.label for result in results):
                own = [result for result in results if result.label == label]
                worst = [errors(result.grid, exact)[name][0] for result in own]
                axis.loglog([getattr(result, cost) for result in own], worst, ".-", label=label)
            axis.set(xlabel={"steps": "steps per orbit", "cpu_s": "CPU s per satellite and orbit"}[cost])
            axis.set(ylabel=f"largest error: {SHOWN[name]}", title=f"{design} design")
            axis.grid(alpha=0.3)
    axes[0, 0].legend()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Solve both designs with every method, or with the twin and the named ones, and write page and figure."""
    methods = {name: xs for name, xs in (ADAPTIVE | FIXED_S).items() if name in (sys.argv[1:] or ADAPTIVE | FIXED_S)}
    solved, parts = {}, [HEAD]
    for design, (overrides, load) in DESIGNS.items():
        problem = Problem(overrides, load)
        exact, half = problem.by_steps(0.125).grid, problem.by_steps(0.25).grid
        work = [partial(problem.by_steps, step_s) for step_s in STEPS_S]
        work += [partial(problem.by_diffrax, name, x) for name, xs in methods.items() for x in xs]
        results = [solve() for solve in track(work, design)]
        solved[design] = results, exact
        sure = "; ".join(f"{title} {errors(half, exact)[name][0]:.1e}" for name, title in SHOWN.items())
        parts += [f"## {design.capitalize()} design", f"The twin at 0.25 s: {sure}.", table(results, exact)]
    docs = ROOT / "docs"
    draw(solved, docs / "work_precision.svg")
    (docs / "work_precision.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
