"""Served models: slots, times in service, and what they say of the rate of the chips."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from kernels import registry, serving

CONF = Path(__file__).parent.parent / "conf"
SERVED = sorted(path.stem for path in (CONF / "workload" / "serving").glob("*.yaml"))


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((CONF / "workload" / "serving" / f"{name}.yaml").read_text(encoding="utf-8"))


def service(name: str, load: float, prompt: float, output: float) -> serving.Service:
    found = registry.call(serving.service, read(name), *(jnp.asarray(float(x)) for x in (load, prompt, output)))
    return serving.Service._make(float(value) for value in found)


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("load", [0.0, 0.5, 0.9, 1.0, 1.5])
def test_slots_in_use_are_what_arrives_in_a_time_in_service(name: str, load: float) -> None:
    here, full = service(name, load, 500, 200), service(name, 1.0, 500, 200)
    alone = service(name, 0.0, 500, 200).service_s
    busy = min(load, 1.0) * here.service_s / full.service_s  # Little: of all slots
    assert here.service_s == pytest.approx(alone + busy * (full.service_s - alone), rel=1e-9)
    assert here.full_service_s == pytest.approx(full.service_s) and alone <= here.service_s <= full.service_s * (
        1 + 1e-9
    )


def test_time_in_service_is_that_per_token() -> None:
    prompt_s, output_s = registry.call(serving.full_seconds_per_token, read("h100_llama_70b"))
    full = service("h100_llama_70b", 1.0, 1155, 211)
    assert full.service_s == pytest.approx(1155 * float(prompt_s) + 211 * float(output_s))


def test_rate_of_slots_is_near_the_rate_assumed_for_the_chips() -> None:
    """Lengths of the Azure trace: 0.42 of the dense peak against the 0.35 that the workload assumes (0.1-0.5)."""
    profile, full = read("h100_llama_70b"), service("h100_llama_70b", 1.0, 1155, 211)
    rate = full.slots_per_accelerator / full.full_service_s * (1155 + 211) * profile["work_flop_per_token"]
    assert rate / 9.89e14 == pytest.approx(0.42, abs=0.03)


def test_measured_throughput_of_one_batch_comes_out() -> None:
    """Llama 3.1 70B on four H100, batch 256: 4915 output tokens a second measured.

    The prompts' length is not told with the measurement: 200 tokens are assumed because they fit, so that this says no
    more than that a plausible length does.
    """
    full = service("h100_llama_70b", 1.0, 200, 349)
    assert 256 * 349 / full.full_service_s == pytest.approx(4915.0, rel=0.1)


def test_products_in_bit_add_up() -> None:
    bit = serving.product_bit(jnp.asarray(1e15), 100.0, output_bit_per_flop=1e-12, output_bit_per_token=32.0)
    assert float(bit) == pytest.approx(1000.0 + 3200.0)
    assert float(serving.product_bit(jnp.asarray(1e15), 100.0)) == 0.0
    assert np.isfinite(service("h100_llama_70b", 0.5, 0, 0).output_token_s)
