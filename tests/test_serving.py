"""Served models: slots, times in service, and what they say of the rate of the chips."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

import twin
from kernels import accelerator, registry, serving
from kernels.serving import Lengths
from twin import prepare
from twin.config import ConfigError

CONF = Path(__file__).parent.parent / "conf"
CHIPS = {"h100": "h100_sxm", "b200": "b200"}
AZURE, MOONCAKE = (1155.0, 211.0), (12035.0, 343.0)
PROMPT_TOKENS = 250.0  # assumption for all prompts of the measurements
MEASURED = [  # mean batch, mean tokens put out, tokens a second: ML.ENERGY benchmark v3, 2026, LM-Arena chat, full
    ("h100_llama_8b", 511, 397, 9806),
    ("h100_llama_70b", 255, 349, 4915),
    ("h100_llama_405b_fp8", 128, 361, 1896),
    ("h100_qwen3_14b", 253, 625, 5760),
    ("h100_qwen3_32b", 256, 634, 5155),
    ("h100_qwen3_235b", 128, 863, 2626),
    ("b200_llama_8b", 255, 399, 7664),
    ("b200_llama_70b", 255, 361, 5372),
    ("b200_llama_405b", 255, 366, 3587),
    ("b200_llama_405b_fp8", 128, 369, 2170),
    ("b200_qwen3_8b", 511, 655, 12164),
    ("b200_qwen3_14b", 511, 621, 11858),
    ("b200_qwen3_32b", 256, 627, 6444),
    ("b200_qwen3_235b", 128, 868, 2603),
    ("b200_deepseek_v31", 256, 836, 4534),
]
SERVED = sorted(path.stem for path in (CONF / "workload" / "serving").glob("*.yaml"))


def read(name: str) -> dict[str, Any]:
    values = OmegaConf.load(CONF / "workload" / "serving" / f"{name}.yaml")
    return {str(key): float(value) for key, value in values.items() if isinstance(value, int | float)}


def chip_of(name: str) -> dict[str, Any]:
    values = OmegaConf.load(CONF / "accelerator" / f"{CHIPS[name.partition('_')[0]]}.yaml")
    return {str(key): float(value) for key, value in values.items() if isinstance(value, int | float)}


def of_slots_flops(name: str, lengths: tuple[float, float]) -> float:
    """Work of an accelerator with all its slots busy."""
    full = service(name, 1.0, *lengths)
    return float(full.slots_per_accelerator / full.full_service_s) * sum(lengths) * read(name)["work_flop_per_token"]


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


@pytest.mark.parametrize("name", SERVED)
@pytest.mark.parametrize("lengths", [AZURE, MOONCAKE])
def test_nominal_rate_of_the_chips_fills_every_slot(name: str, lengths: tuple[float, float]) -> None:
    """But for the power cap, which holds three of the profiles up to half a percent below their measured rate."""
    params = {"workload": read(name), "accelerator": chip_of(name)}
    work = prepare.character(params, Lengths(*map(jnp.asarray, lengths)))
    die_k = jnp.asarray(params["accelerator"]["leakage_reference_k"])
    chip = registry.call(accelerator.clock_scaled, params["accelerator"], die_k, 0.5 * die_k, jnp.ones(()), work)
    assert float(accelerator.nominal_rate_flops(chip)) == pytest.approx(of_slots_flops(name, lengths), rel=0.005)


@pytest.mark.parametrize(
    ("name", "of_peak"),
    [("h100_llama_70b", 0.42), ("b200_qwen3_235b", 0.075), ("b200_deepseek_v31", 0.125), ("h100_llama_405b_fp8", 0.71)],
)
def test_what_is_served_sets_how_far_chips_are_used(name: str, of_peak: float) -> None:
    """Part of the dense peak in bf16 with the lengths of the Azure trace, worked out from slots and times by hand."""
    chip = chip_of(name)
    work = prepare.character({"workload": read(name), "accelerator": chip}, Lengths(*map(jnp.asarray, AZURE)))
    assert float(work.work_efficiency) * chip["max_clock_fraction"] == pytest.approx(of_peak, rel=0.02)


def test_a_model_that_needs_more_accelerators_than_there_are_is_refused() -> None:
    config = twin.compose("simulate", ["workload=inference_azure_conv", "accelerator.count=2"])
    with pytest.raises(ConfigError, match=r"accelerators_per_replica = 4: a satellite of reference has 2 accelerators"):
        twin.build(config)


def test_a_model_measured_on_another_accelerator_is_refused() -> None:
    served = ["workload=inference_azure_conv", "workload/serving=b200_llama_70b"]
    with pytest.raises(ConfigError, match=r"workload\.measured_on = 'NVIDIA B200.*not of 'NVIDIA H100"):
        twin.compose("simulate", served)
    assert twin.compose("simulate", [*served, "accelerator=b200"]).workload.measured_on == "NVIDIA B200 SXM 180 GB"
    assert twin.compose("simulate", [*served, "workload.measured_on=null"]).workload.measured_on is None


@pytest.mark.parametrize(("name", "batch", "output_tokens", "tokens_per_s"), MEASURED)
def test_measured_throughput_of_full_batches_comes_out(
    name: str, batch: float, output_tokens: float, tokens_per_s: float
) -> None:
    """Within a fifth, with one length of prompts for all, as none is published with the measurements."""
    full = service(name, 1.0, PROMPT_TOKENS, output_tokens)
    assert batch * output_tokens / full.full_service_s == pytest.approx(tokens_per_s, rel=0.2)


def test_products_in_bit_add_up() -> None:
    bit = serving.product_bit(jnp.asarray(1e15), 100.0, output_bit_per_flop=1e-12, output_bit_per_token=32.0)
    assert float(bit) == pytest.approx(1000.0 + 3200.0)
    assert float(serving.product_bit(jnp.asarray(1e15), 100.0)) == 0.0
    assert np.isfinite(service("h100_llama_70b", 0.5, 0, 0).output_token_s)
