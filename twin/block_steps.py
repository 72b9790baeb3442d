"""The steps of one block: a scan under XLA, or one GPU kernel that holds a satellite in registers from step to step.

Both run the same `one_step`. The scan writes the state to memory in every step and reads it again; gradients go through
it. The kernel, forward only, reads what a satellite is once per block and writes what has become of it once. On a CPU
it is interpreted: the same numbers, for tests.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from twin.prepare import Shared

Carry = TypeVar("Carry")
Own = tuple[Any, ...]  # what a satellite is given for the block; leaves are () or (satellite,)
OneStep = Callable[[Shared, Own, Carry, Array], Carry]
Program = Callable[..., None]

# Satellites of one program: one for each thread of the four warps that Mosaic GPU runs together. A thread has 255
# registers, which one satellite fills.
WIDTH = 128


def block_steps(
    schedule: str, one_step: OneStep[Carry], shared: Shared, own: Own, carry: Carry, first: Array, steps: int
) -> Carry:
    """Carry after the steps from number `first` of the chunk on; its leaves are (satellite,)."""
    run = _kernel if schedule == "kernel" else _scan
    return run(one_step, shared, own, carry, first, steps)


def _scan(one_step: OneStep[Carry], shared: Shared, own: Own, carry: Carry, first: Array, steps: int) -> Carry:
    @partial(jax.checkpoint, prevent_cse=False)
    def body(own: Own, carry: Carry, number: Array) -> tuple[Carry, None]:
        return one_step(shared, own, carry, number), None

    return lax.scan(partial(body, own), carry, first + jnp.arange(steps, dtype=jnp.int32))[0]


def _kernel(one_step: OneStep[Carry], shared: Shared, own: Own, carry: Carry, first: Array, steps: int) -> Carry:
    """Satellites are padded to whole programs; what they share goes in as one vector, as kernels capture no arrays."""
    from jax.experimental import pallas as pl  # half a second that a scan need not wait for

    leaves, tree = jax.tree.flatten((shared, own, carry))
    begun, carry_tree = jax.tree.flatten(carry)
    shares = len(jax.tree.leaves(shared))
    alike = [number < shares or leaf.ndim == 0 for number, leaf in enumerate(leaves)]
    common = [leaf for leaf, same in zip(leaves, alike, strict=True) if same]
    rows = [_padded(leaf) for leaf, same in zip(leaves, alike, strict=True) if not same]

    def program(place: Array, first_ref: Any, common_ref: Any, *references: Any) -> None:
        mine = pl.ds(place * WIDTH, WIDTH)
        numbers, ins = _numbers(common_ref, common), iter(references[: len(rows)])
        shared, own, carry = tree.unflatten([next(numbers) if same else next(ins)[mine] for same in alike])

        def body(step: Array, flat: Sequence[Array]) -> list[Array]:
            return jax.tree.leaves(one_step(shared, own, carry_tree.unflatten(flat), first_ref[0] + step))

        after = lax.fori_loop(0, steps, body, jax.tree.leaves(carry))
        for out, value in zip(references[len(rows) :], after, strict=True):
            out[mine] = value

    shapes = [jax.ShapeDtypeStruct(rows[0].shape, leaf.dtype) for leaf in begun]
    after = lax.platform_dependent(
        first[None],
        jnp.concatenate([jnp.ravel(leaf) for leaf in common]),
        *rows,
        cuda=partial(_launch, program, shapes),
        default=partial(_interpret, program, shapes),
    )
    return carry_tree.unflatten([leaf[: begun[0].size] for leaf in after])


def _padded(leaf: Array) -> Array:
    """(satellite,) filled up to whole programs with copies of the last satellite."""
    return jnp.pad(leaf, (0, -leaf.size % WIDTH), mode="edge")


def _numbers(vector: Any, leaves: Sequence[Array]) -> Iterator[Any]:
    """The leaves that a vector was made of, number by number: scalars, and curves as lists of their knots."""
    at = 0
    for leaf in leaves:
        values = [vector[at + k] for k in range(leaf.size)]
        at += leaf.size
        yield values if leaf.ndim else values[0]


def _launch(program: Program, shapes: Sequence[jax.ShapeDtypeStruct], *arguments: Array) -> tuple[Array, ...]:
    """The programs as a kernel of Mosaic GPU, the compiler of Pallas that all supported versions of JAX share."""
    from jax.experimental.pallas import mosaic_gpu as plgpu

    def body(*references: Any) -> None:
        program(lax.axis_index("program"), *references)

    # From jax 0.11 on the default semantics takes minutes to lay out as many operations as a step has.
    lanes = plgpu.CompilerParams(lowering_semantics=plgpu.LoweringSemantics.Lane)
    grid = (shapes[0].shape[0] // WIDTH,)
    kernel = plgpu.kernel(body, out_type=list(shapes), grid=grid, grid_names=("program",), compiler_params=lanes)
    return tuple(kernel(*arguments))


def _interpret(program: Program, shapes: Sequence[jax.ShapeDtypeStruct], *arguments: Array) -> tuple[Array, ...]:
    """The programs one after the other, as operations of XLA."""
    from jax.experimental import pallas as pl

    def body(*references: Any) -> None:
        program(pl.program_id(0), *references)

    grid = (shapes[0].shape[0] // WIDTH,)
    return tuple(pl.pallas_call(body, out_shape=list(shapes), grid=grid, interpret=True)(*arguments))
