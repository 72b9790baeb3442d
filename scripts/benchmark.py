"""Speed of the twin on this machine: `python scripts/benchmark.py [--quick] [--peers] [--out FILE]`.

Every case runs in a process of its own, warm, several times, and blocks on its result; medians are quoted. Results are
printed and appended to FILE (benchmark.jsonl), one JSON object per invocation. Peers want `pip install -e .[peers]`.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

Case = dict[str, Any]
QUIET = ["output.report=false"]
WORK = ["workload=inference_azure_conv", "scheduler=sunlight_aware", "ground_network=optical_ten_sites"]
VARIABLES = (
    ("radiator", "area_m2"),
    ("array", "area_m2"),
    ("battery", "energy_j"),
    ("orbit", "altitude_m"),
    ("accelerator", "count"),
)
BYTES_PER_GB = 1e9


def seconds(call: Any, repeats: int) -> tuple[float, float]:
    """Median wall and CPU seconds of a call that blocks on its result, after one that warms up."""
    call()
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def loop(case: Case) -> Case:
    """The compiled chunk alone, frames left on the device: speed, compile time, memory."""
    import jax
    import jax.numpy as jnp

    import twin
    from twin import programs, run
    from twin.segments import segments
    from twin.structure import moment

    n, length_s = case["satellites"], case["duration_s"]
    overrides = [f"constellation.satellites={n}", f"precision={case.get('precision', 'float32')}", *QUIET]
    clocks = [f"time.duration_s={length_s}", f"time.chunk_s={length_s}"]
    model = twin.build(twin.compose("simulate", [*overrides, *clocks, *case.get("overrides", [])]))
    schedule = model.structure.schedule
    began = time.perf_counter()
    (segment,) = segments(schedule.steps, schedule.save_steps, schedule.exchange_steps)
    program = programs.chunk(model, segment).result()
    compile_s = time.perf_counter() - began
    tiles = programs.tiles_of(model.structure, run.prepared(model))
    environment = programs.of_any_length(model).environment
    now = jax.tree.map(lambda number: jnp.asarray(number, dtype=jnp.float64), moment(schedule, 1.0, 0))
    demand, carry = jnp.asarray(model.environment.traced_flops), [tiles.carry]

    def once() -> None:
        carry[0], frames = program(tiles.shared, tiles.each, environment, now, demand, carry[0])
        jax.block_until_ready((carry[0], frames))

    wall_s, cpu_s = seconds(once, case.get("repeats", 5))
    memory = program.memory_analysis()
    steps = n * schedule.steps
    return {
        "device": f"{model.structure.devices} x {jax.devices()[0].device_kind}",
        "steps_per_s": steps / wall_s,
        "steps_per_cpu_s": steps / cpu_s,
        "compile_s": compile_s,
        "bytes_per_satellite": (memory.argument_size_in_bytes + memory.temp_size_in_bytes) / n if memory else None,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / BYTES_PER_GB,
    }


def whole_run(case: Case) -> Case:
    """A run as a user starts it, with telemetry written to disk or kept in memory; the second one counts."""
    import twin

    overrides = [f"constellation.satellites={case['satellites']}", *QUIET, f"time.duration_s={case['duration_s']}"]
    config = twin.compose("simulate", [*overrides, *case.get("overrides", [])])
    facts: Case = {}
    for _ in range(case.get("repeats", 2)):
        with tempfile.TemporaryDirectory() as folder:
            data = twin.simulate(config, Path(folder) / "run" if case["telemetry"] else None)
            facts = json.loads(data.attrs["summary"])["run"]
    return {
        "steps_per_s": facts["satellite_steps"] / facts["wall_s"],
        "wall_s": facts["wall_s"],
        "compile_s": facts["compile_s"],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / BYTES_PER_GB,
    }


def gradient(case: Case) -> Case:
    """Forward run and reverse-mode gradient of the delivered work by five design variables."""
    import jax
    import jax.numpy as jnp

    import twin

    overrides = [f"constellation.satellites={case['satellites']}", *QUIET, f"time.duration_s={case['duration_s']}"]
    model = twin.build(twin.compose("simulate", [*overrides, "array.area_m2=300", "workload.utilization=0.9"]))
    (name,) = model.params

    def delivered(values: Any) -> Any:
        design = dict(model.params[name])
        for k, (slot, key) in enumerate(VARIABLES):
            design[slot] = {**design[slot], key: values[k]}
        return twin.objective(model.structure, {**model.params, name: design}, model.environment)["delivered_flop"]

    values = jnp.stack([model.params[name][slot][key] for slot, key in VARIABLES])
    steps = case["satellites"] * model.structure.schedule.steps
    result: Case = {}
    for word, function in (("forward", jax.jit(delivered)), ("gradient", jax.jit(jax.grad(delivered)))):
        began = time.perf_counter()
        compiled = function.lower(values).compile()
        compile_s = time.perf_counter() - began
        wall_s, cpu_s = seconds(lambda run=compiled: jax.block_until_ready(run(values)), 3)
        memory = compiled.memory_analysis()
        result |= {
            f"{word}_steps_per_s": steps / wall_s,
            f"{word}_steps_per_cpu_s": steps / cpu_s,
            f"{word}_compile_s": compile_s,
            f"{word}_buffers_gb": memory.temp_size_in_bytes / BYTES_PER_GB if memory else None,
        }
    return result | {"ratio": result["forward_steps_per_s"] / result["gradient_steps_per_s"]}


def ceilings(case: Case) -> Case:
    """What all devices together can do: copy memory, and multiply and add in registers or cache."""
    import jax
    import jax.numpy as jnp
    from jax import lax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    import twin

    twin.build(twin.compose("simulate", QUIET))  # every core a device
    devices = jax.devices()
    mesh = Mesh(devices, ("device",))
    split = PartitionSpec("device")

    def on_all(function: Any, size: int) -> float:
        numbers = jax.device_put(jnp.ones(size * len(devices), jnp.float32), NamedSharding(mesh, split))
        run = jax.jit(jax.shard_map(function, mesh=mesh, in_specs=split, out_specs=split))
        return seconds(lambda: jax.block_until_ready(run(numbers)), 5)[0]

    def chain(x: Any) -> Any:
        def body(_: Any, parts: tuple[Any, ...]) -> tuple[Any, ...]:
            for _ in range(8):
                parts = tuple(part * 0.999 + 0.001 for part in parts)
            return parts

        return sum(lax.fori_loop(0, rounds, body, tuple(x + k for k in range(8))))

    rounds, width = case["rounds"], 128 if jax.default_backend() == "cpu" else 1 << 20
    copied, flops = 1 << 26, 2 * 8 * 8 * rounds * width * len(devices)
    return {
        "copy_gb_per_s": 2 * 4 * copied * len(devices) / on_all(lambda x: x + 1.0, copied) / BYTES_PER_GB,
        "gflop_per_s": flops / on_all(chain, width) / 1e9,
        **step_cost(),
    }


def step_cost() -> Case:
    """Arithmetic and memory of one satellite's step, as XLA counts them before it fuses anything."""
    import jax
    import jax.numpy as jnp

    import twin
    from twin import ageing, anchor, exchange, programs
    from twin.step import step

    n = 128
    model = twin.build(twin.compose("simulate", [f"constellation.satellites={n}", "distributed.devices=1", *QUIET]))
    (design,) = model.structure.cohorts
    cohort = programs.prepare(model.structure, model.params, model.environment)[design.name]
    place = anchor.anchor_at(cohort.each, model.environment.start_days, jnp.zeros(()))
    now = ageing.condition(design, cohort.shared, cohort.slow)
    inputs = exchange.Inputs(*(jnp.ones(n) for _ in range(4)))
    single = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (cohort.shared, place, inputs, cohort.state, now))
    lowered = jax.jit(step, static_argnums=0).lower(design, *single, jnp.float32(0.0), jnp.float32(20.0))
    cost = lowered.cost_analysis() or {}
    state = len(jax.tree.leaves(cohort.state))
    return {"flop_per_step": cost["flops"] / n, "bytes_of_state_per_step": 2 * 4 * state}


def basilisk(case: Case) -> Case:
    """See `benchmark_peers.basilisk`."""
    from benchmark_peers import basilisk as run

    return run(case["satellites"], case["threads"])


def propagators(case: Case) -> Case:
    """See `benchmark_peers.propagators`."""
    from benchmark_peers import propagators as run

    return run(case["satellites"])


CASES = {f.__name__: f for f in (loop, whole_run, gradient, ceilings, basilisk, propagators)}


def plan(quick: bool, peers: bool) -> list[tuple[str, Case]]:
    """Names and settings of the cases of an invocation."""
    # Two hours each, so that what happens once per chunk weighs the same; the largest fleets run once when warm.
    sizes = [(1, 5), (10, 5), (100, 5), (1000, 5), (10_000, 5)] + ([] if quick else [(100_000, 1), (1_000_000, 1)])
    cases: list[tuple[str, Case]] = [("ceilings", {"rounds": 20_000})]
    cases += [("loop", {"satellites": n, "duration_s": 7200, "repeats": repeats}) for n, repeats in sizes]
    cases += [("loop", {"satellites": 10_000, "duration_s": 7200, "precision": "float64"})]
    cases += [("loop", {"satellites": 10_000, "duration_s": 7200, "overrides": WORK})]
    cases += [("whole_run", {"satellites": 1000, "duration_s": 86400, "telemetry": on}) for on in (False, True)]
    cases += [("gradient", {"satellites": 1000, "duration_s": 21600 if quick else 86400})]
    if peers:
        cases += [("basilisk", {"satellites": n, "threads": 2}) for n in (10, 1000)]
        cases += [("propagators", {"satellites": 1000})]
    return cases


def main() -> None:
    """Run every case in a process of its own, print what it found and append all of it to a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fleets up to 10 000 satellites, a shorter gradient")
    parser.add_argument("--peers", action="store_true", help="also Basilisk, sgp4 and heyoka on this machine")
    parser.add_argument("--only", choices=sorted(CASES), help="one kind of case")
    parser.add_argument("--out", type=Path, default=Path("benchmark.jsonl"), help="file to append to")
    parser.add_argument("--case", nargs=2, metavar=("NAME", "SETTINGS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        name, settings = arguments.case
        print(json.dumps(CASES[name](json.loads(settings))))
        return
    results = []
    for name, settings in plan(arguments.quick, arguments.peers):
        if arguments.only in (None, name):
            results.append({"case": name, **settings, **in_own_process(name, settings)})
            print(sentence(results[-1]), flush=True)
    fractions(results)
    record = {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), **machine(), "cases": results}
    with arguments.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def in_own_process(name: str, settings: Case) -> Case:
    """What a case found, or why it found nothing."""
    command = [sys.executable, __file__, "--case", name, json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def fractions(results: list[Case]) -> None:
    """Print how much of each ceiling the largest fleet's loop reaches; the larger fraction is what binds."""
    probe = next((r for r in results if r["case"] == "ceilings" and "failed" not in r), None)
    loops = [
        r for r in results if r["case"] == "loop" and "failed" not in r and not {"precision", "overrides"} & set(r)
    ]
    if probe is None or not loops:
        return
    best = max(loops, key=lambda r: r["steps_per_s"])
    rate = best["steps_per_s"]
    arithmetic = rate * probe["flop_per_step"] / (probe["gflop_per_s"] * 1e9)
    memory = rate * probe["bytes_of_state_per_step"] / (probe["copy_gb_per_s"] * BYTES_PER_GB)
    best |= {"fraction_of_arithmetic": arithmetic, "fraction_of_memory_if_state_left_the_cache": memory}
    print(f"best loop: {arithmetic:.0%} of the arithmetic ceiling, {memory:.0%} of the memory ceiling")


def machine() -> Case:
    """What the figures were taken on."""
    names = ("jax", "jaxlib", "numpy")
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": os.getloadavg()[0],
    }


def sentence(result: Case) -> str:
    """A result on one line, numbers to three digits."""
    words = [f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in result.items() if k != "case"]
    return f"{result['case']}: " + ", ".join(words)


if __name__ == "__main__":
    main()
