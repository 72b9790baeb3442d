"""Strict numerics for every test, and a small reference run to share."""

import gc
import os
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Workers and files compile the same loops: let them share.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "jax"))
# Eight devices whatever the machine; and each operation its own function, which compiles in half the time.
os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8 --xla_backend_extra_options=xla_cpu_use_multi_output_fusion=true"
)
# The tests compile for most of their time: code that runs half as fast is compiled in half of it.
# XLA refuses flags that it does not know, and the second may go.
if os.environ["JAX_PLATFORMS"] == "cpu":
    os.environ["XLA_FLAGS"] += " --xla_backend_optimization_level=0"
    if version("jaxlib").startswith("0.10."):
        os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

import jax
import pytest

import twin
from twin import programs

jax.config.update("jax_numpy_rank_promotion", "raise")

ONE_ORBIT = ["time.duration_s=6000", "time.save_every_s=300", "time.exchange_s=300", "constellation.satellites=4"]


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """A process holds only so many machine functions: those of a file are dropped when it ends."""
    yield
    programs.forget()
    gc.collect()


@pytest.fixture(scope="session")
def small():
    """Four satellites for one orbit in eclipse season, float64, on one device."""
    return twin.build(twin.compose("simulate", [*ONE_ORBIT, "precision=float64", "distributed.devices=1"]))
