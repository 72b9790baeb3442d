"""Digital twin of a fleet of orbital AI datacenters.

    config = twin.compose("simulate", ["accelerator=b200"])
    result = twin.simulate(config)

Importing this package is light; JAX loads with the first use. Phases, totals and parameters need 64-bit numbers,
so JAX is switched to them here, for the whole process. Compiled programs are kept on disk, in the user's cache folder:
JAX_COMPILATION_CACHE_DIR names another one, JAX_ENABLE_COMPILATION_CACHE=0 keeps none.
"""

import gc
import os
import platform
import sys
import zlib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any


def _cache_folder() -> str:
    """One folder for each kind of processor: code compiled for one need not run on another."""
    try:
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        kind = next((line for line in cpu.splitlines() if line.startswith(("flags", "Features"))), "")
    except OSError:
        kind = platform.processor()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    name = f"{platform.machine()}-{zlib.crc32(kind.encode()):08x}"
    return str(Path(base).expanduser() / "orbital-datacenter-twin" / name)


# Whoever names a folder or a limit of his own keeps it.
_SETTINGS = {
    "JAX_COMPILATION_CACHE_DIR": _cache_folder(),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05",
}
if "jax" in sys.modules:
    _config = sys.modules["jax"].config
    _config.update("jax_enable_x64", True)
    if _config.jax_compilation_cache_dir is None:
        _config.update("jax_compilation_cache_dir", _SETTINGS["JAX_COMPILATION_CACHE_DIR"])
else:
    os.environ["JAX_ENABLE_X64"] = "1"
    for _name, _value in _SETTINGS.items():
        os.environ.setdefault(_name, _value)

# Tracing makes millions of objects, nearly all of which stay: to look through them every 700 takes a quarter of it.
if gc.get_threshold() == (700, 10, 10):
    gc.set_threshold(100_000, 50, 100)

# For XLA on CPU. Without the first it computes the whole step anew for every output: three times slower to run, twice
# to compile. The second makes the steps of a tile one machine function, without a task per operation: a fifth faster.
_OPTIONS = "xla_cpu_use_multi_output_fusion=true,xla_cpu_small_while_loop_byte_threshold=1000000"
if "xla_backend_extra_options" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_extra_options={_OPTIONS}".strip()

if TYPE_CHECKING:
    from twin.composing import compose as compose
    from twin.composing import compose_design as compose_design
    from twin.composing import compose_project as compose_project
    from twin.config import Config as Config
    from twin.config import ConfigError as ConfigError
    from twin.deployment.findings import deploy as deploy
    from twin.design.optimize import optimize as optimize
    from twin.ensembles import ensemble as ensemble
    from twin.health import HealthError as HealthError
    from twin.metrics import objective as objective
    from twin.model import Model as Model
    from twin.model import build as build
    from twin.run import simulate as simulate
    from twin.store import open_run as open_run

_HOME = {
    "Config": "config",
    "ConfigError": "config",
    "HealthError": "health",
    "Model": "model",
    "build": "model",
    "compose": "composing",
    "compose_design": "composing",
    "compose_project": "composing",
    "deploy": "deployment.findings",
    "ensemble": "ensembles",
    "objective": "metrics",
    "open_run": "store",
    "optimize": "design.optimize",
    "simulate": "run",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'twin' has no attribute {name!r}")
    module = import_module(f"twin.{_HOME[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value
