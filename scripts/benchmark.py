"""Speed of the twin on this machine: `python scripts/benchmark.py [--quick] [--peers] [--out FILE]`.

Every case runs in a process of its own, warm, several times, and blocks on its result; medians are quoted. Results are
printed and appended to FILE (benchmark.jsonl), one JSON object per invocation. Peers want `pip install -e .[peers]`.
"""

import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

Case = dict[str, Any]
CHUNK = ["time.step_s=10", "time.save_every_s=300", "time.exchange_s=300", "output.report=false"]
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
    """The compiled chunk alone: steps per second, compile time, memory per satellite."""
    import jax

    import twin
    from twin import programs

    n, steps = case["satellites"], case["steps"]
    overrides = [f"constellation.satellites={n}", f"precision={case['precision']}", *CHUNK]
    length_s = steps * 10
    clocks = [f"time.{key}={length_s}" for key in ("duration_s", "chunk_s", "save_every_s", "exchange_s")]
    model = twin.build(twin.compose("simulate", [*overrides, *clocks, *case.get("overrides", [])]))
    first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tiles = programs.laid_out(model, programs.prepared(model))
    began = time.perf_counter()
    run = programs.first_chunk(model, tiles)
    compile_s = time.perf_counter() - began
    carry = [tiles.carry]

    def once() -> None:
        carry[0], frames = run(carry[0])
        jax.block_until_ready((carry[0], frames))

    wall_s, cpu_s = seconds(once, case.get("repeats", 5))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "steps_per_s": n * steps / wall_s,
        "steps_per_cpu_s": n * steps / cpu_s,
        "compile_s": compile_s,
        "peak_gb": peak * 1024 / BYTES_PER_GB,
        "bytes_per_satellite": (peak - first) * 1024 / n,
        "devices": model.structure.devices,
    }


def whole_run(case: Case) -> Case:
    """A run as a user starts it, with telemetry written to disk or only kept in memory."""
    import jax

    import twin

    overrides = [f"constellation.satellites={case['satellites']}", *CHUNK, f"time.duration_s={case['duration_s']}"]
    config = twin.compose("simulate", overrides)
    summaries = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            data = twin.simulate(config, Path(folder) / "run" if case["telemetry"] else None)
            summaries.append(json.loads(data.attrs["summary"])["run"])
    walls = [summary["wall_s"] for summary in summaries[1:]]
    jax.clear_caches()
    return {"steps_per_s": summaries[0]["satellite_steps"] / statistics.median(walls), "wall_s": walls}


def gradient(case: Case) -> Case:
    """Forward run and reverse-mode gradient of the delivered work by five design variables."""
    import jax
    import jax.numpy as jnp

    import twin

    overrides = [f"constellation.satellites={case['satellites']}", *CHUNK, f"time.duration_s={case['duration_s']}"]
    model = twin.build(twin.compose("simulate", [*overrides, "array.area_m2=300", "workload.utilization=0.9"]))
    paths = [("radiator", "area_m2"), ("array", "area_m2"), ("battery", "energy_j"), ("orbit", "altitude_m"),
             ("accelerator", "count")]  # fmt: skip
    (name,) = model.params

    def delivered(values: Any) -> Any:
        design = dict(model.params[name])
        for k, (slot, key) in enumerate(paths):
            design[slot] = {**design[slot], key: values[k]}
        return twin.objective(model.structure, {**model.params, name: design}, model.environment)["delivered_flop"]

    values = jnp.stack([model.params[name][slot][key] for slot, key in paths])
    result: Case = {}
    steps = case["satellites"] * model.structure.schedule.steps
    for word, function in (("forward", jax.jit(delivered)), ("gradient", jax.jit(jax.grad(delivered)))):
        began = time.perf_counter()
        compiled = function.lower(values).compile()
        result[f"{word}_compile_s"] = time.perf_counter() - began
        wall_s, cpu_s = seconds(lambda: jax.block_until_ready(compiled(values)), 3)  # noqa: B023
        result |= {f"{word}_steps_per_s": steps / wall_s, f"{word}_steps_per_cpu_s": steps / cpu_s}
        memory = compiled.memory_analysis()
        result[f"{word}_buffers_gb"] = memory.temp_size_in_bytes / BYTES_PER_GB if memory else None
    result["gradient_over_forward"] = result["forward_steps_per_s"] / result["gradient_steps_per_s"]
    return result


def ceilings(case: Case) -> Case:
    """What the devices can do at most: copying memory, multiply-adds in cache; and what a step asks for."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    import twin
    from twin import model as twin_model

    model = twin.build(twin.compose("simulate", CHUNK))
    del twin_model
    devices = jax.devices()
    many = 1 << 26
    large = jax.device_put_replicated(jnp.zeros(many // len(devices), jnp.float32), devices)
    add = jax.pmap(lambda x: x + 1.0)
    copy_s, _ = seconds(lambda: jax.block_until_ready(add(large)), 5)
    rounds, width = 20_000, 8192 if jax.default_backend() == "cpu" else 1 << 20

    def chain(x: Any) -> Any:
        def body(_: Any, parts: Any) -> Any:
            return tuple(part * 0.999999 + 1e-6 for _ in range(1) for part in parts)

        return sum(lax.fori_loop(0, rounds, body, tuple(x + k for k in range(8))))

    small = jax.device_put_replicated(jnp.ones(width, jnp.float32), devices)
    arithmetic = jax.pmap(chain)
    flop_s, _ = seconds(lambda: jax.block_until_ready(arithmetic(small)), 3)
    return {
        "copy_gb_per_s": 2 * 4 * many / copy_s / BYTES_PER_GB,
        "gflop_per_s": 2 * 8 * rounds * width * len(devices) / flop_s / 1e9,
        "flop_per_step": flop_per_step(model),
        "bytes_per_step": bytes_per_step(model),
    }


def flop_per_step(model: Any) -> float:
    """Elementwise operations that one satellite's step traces to, scalars that all share left out."""
    return 0.0


def bytes_per_step(model: Any) -> float:
    """State read and written by one satellite's step."""
    return 0.0


CASES = {"loop": loop, "run": whole_run, "gradient": gradient, "ceilings": ceilings}
