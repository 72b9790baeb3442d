"""No published study."""

from jax import Array

from kernels.registry import model


@model("study")
def none() -> dict[str, Array]:
    """No study, no results."""
    return {}
