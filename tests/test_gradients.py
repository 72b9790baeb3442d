"""Gradients of delivered compute through a whole orbit, against finite differences and against a finer step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import twin

# A design in which heat binds in the later half of the sunlit arc, the array in the earlier half, and the battery's
# power in eclipse; 24 satellites round the orbit.
DESIGN = [
    "time.duration_s=5700",
    "constellation.satellites=24",
    "precision=float64",
    "distributed.devices=2",
    "distributed.tile=8",
    "array.area_m2=240",
    "radiator.area_m2=95",
    "battery.energy_j=1.2e8",
    "battery.initial_state_of_charge=0.9",
    "battery.discharge_rate_per_h=0.3",
]
PATHS = (("array", "area_m2"), ("radiator", "area_m2"), ("battery", "energy_j"), ("orbit", "altitude_m"))


def delivered(model):
    """Delivered work [ZFLOP] as a function of the four design variables, their values, and all metrics."""
    (name,) = model.params

    def function(values):
        params = {name: {slot: dict(profile) for slot, profile in model.params[name].items()}}
        for (slot, key), value in zip(PATHS, values, strict=True):
            params[name][slot][key] = value
        metrics = twin.objective(model.structure, params, model.environment)
        return metrics["delivered_flop"] / 1e21, metrics

    return function, jnp.stack([model.params[name][slot][key] for slot, key in PATHS])


ONE_DEVICE = ["distributed.devices=1", "distributed.tile=24"]


def built(*overrides):
    return delivered(twin.build(twin.compose("simulate", [*DESIGN, *overrides])))


@pytest.fixture(scope="module")
def compiled():
    """The gradient's program over two devices, at the default step."""
    function, values = built()
    return function, values, jax.jit(jax.value_and_grad(function, has_aux=True)).lower(values).compile()


@pytest.fixture(scope="module")
def default_step(compiled):
    function, values, program = compiled
    (value, metrics), gradient = program(values)
    return function, values, value, metrics, gradient


@pytest.fixture(scope="module")
def fine_step():
    """The gradient's program at a step of 2 s."""
    function, values = built("time.step_s=2")
    return values, jax.jit(jax.grad(lambda x: function(x)[0])).lower(values).compile()


def test_each_variable_binds(default_step):
    _, values, value, metrics, gradient = default_step
    assert metrics["throttled_fraction"] > 0.2
    assert metrics["power_limited_fraction"] > 0.2
    assert metrics["sunlit_fraction"] < 0.82
    assert (np.abs(gradient * values / value) > 0.01).all()


def test_gradient_equals_finite_difference(default_step):
    """The gradient of two devices, against differences of the run on one."""
    _, values, value, _, gradient = default_step
    function, _ = built(*ONE_DEVICE)
    evaluate = jax.jit(lambda x: function(x)[0])
    np.testing.assert_allclose(evaluate(values), value, rtol=1e-12)
    for k in range(len(PATHS)):
        change = 1e-5 * values[k]
        difference = (evaluate(values.at[k].add(change)) - evaluate(values.at[k].add(-change))) / (2 * change)
        np.testing.assert_allclose(gradient[k], difference, rtol=1e-3, err_msg=".".join(PATHS[k]))


@pytest.mark.slow
def test_gradient_at_default_step_is_that_of_a_fine_step(default_step, fine_step):
    *_, gradient = default_step
    values, program = fine_step
    np.testing.assert_allclose(gradient, program(values), rtol=0.02)


@pytest.mark.slow
def test_memory_grows_with_blocks_not_with_steps(compiled, fine_step):
    """Ten times the steps in as many blocks: only the states of one block of one tile are ten times as many."""
    coarse, fine = (program.memory_analysis().temp_size_in_bytes for program in (compiled[-1], fine_step[-1]))
    assert fine < 2 * coarse


@pytest.mark.slow
def test_batch_of_designs_is_one_compile(default_step):
    """`vmap` over the parameters gives each design's own answer."""
    function, values, value, *_ = default_step
    batch = jnp.stack([values, values * jnp.asarray([1.1, 1.0, 1.0, 1.0])])
    together = jax.jit(jax.vmap(lambda x: function(x)[0]))(batch)
    np.testing.assert_allclose(together[0], value, rtol=1e-9)
    assert together[1] > together[0]
