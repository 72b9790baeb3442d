"""Adding up gradients over all members of a fleet: time and bisection of a ring, a torus and a full network.

A message of n bytes over a link of B bytes per second takes `latency_s` + n / B (Hockney 1994). Links carry B each way
at once; all run as fast as the slowest, for the members wait for each other. The additions themselves are not counted.
"""

import jax.numpy as jnp
from jax import Array

from kernels.quantity import Scalar


def one_way_ring_s(members: Scalar, size_byte: Array, byte_per_s: Array, latency_s: Scalar) -> Array:
    """All-reduce around a ring in one direction: 2 (p - 1) messages of n / p. [s]

    Reduce-scatter, then all-gather; no algorithm moves less per member (Patarasuk and Yuan, J. Parallel Distrib.
    Comput. 69, 2009, 117).
    """
    return 2.0 * (members - 1.0) * (latency_s + size_byte / (members * byte_per_s))


def ring_s(members: Scalar, size_byte: Array, byte_per_s: Array, latency_s: Scalar) -> Array:
    """All-reduce around a ring of two links a member: half of the data goes each way. [s]"""
    return one_way_ring_s(members, 0.5 * size_byte, byte_per_s, latency_s)


def torus_s(rows: Scalar, columns: Scalar, size_byte: Array, byte_per_s: Array, latency_s: Scalar) -> Array:
    """All-reduce on a torus of four links a member, all of which work at once. [s]

    Reduce-scatter along one axis, then the other; all-gather the way back. Half of the data begins with the rows,
    half with the columns, each of them in both directions.
    """

    def pass_s(members: Scalar, part_byte: Array) -> Array:
        return (members - 1.0) * (latency_s + part_byte / byte_per_s)

    stream_byte = 0.25 * size_byte
    last_byte = stream_byte / (rows * columns)
    first_s = jnp.maximum(pass_s(rows, stream_byte / rows), pass_s(columns, stream_byte / columns))
    return 2.0 * (first_s + jnp.maximum(pass_s(rows, last_byte), pass_s(columns, last_byte)))


def clos_s(members: Scalar, size_byte: Array, byte_per_s: Array, latency_s: Scalar) -> Array:
    """All-reduce on a network that never blocks, `byte_per_s` by all links of a member together. [s]

    Recursive halving, then doubling: twice log2 p messages (Thakur, Rabenseifner and Gropp, Int. J. High Perform.
    Comput. Appl. 19, 2005, 49; Traeff, arXiv 2410.14234, 2024, for a number of members that is no power of two).
    """
    rounds = jnp.ceil(jnp.log2(members))
    return 2.0 * (rounds * latency_s + (1.0 - 1.0 / members) * size_byte / byte_per_s)


def ring_bisection_byte_per_s(byte_per_s: Array) -> Array:
    """What two halves of a ring can send each other, each way. [byte/s]"""
    return 2.0 * byte_per_s


def torus_bisection_byte_per_s(rows: Scalar, columns: Scalar, byte_per_s: Array) -> Array:
    """What two halves of a torus can send each other, each way, cut across its longer axis. [byte/s]"""
    return 2.0 * jnp.minimum(rows, columns) * byte_per_s


def clos_bisection_byte_per_s(members: Scalar, byte_per_s: Array) -> Array:
    """What two halves of a network that never blocks can send each other, each way. [byte/s]"""
    return 0.5 * members * byte_per_s


def inside_s(accelerators: Scalar, size_byte: Array, byte_per_s: Array, latency_s: Scalar) -> Array:
    """What a satellite's own accelerators add to an all-reduce between satellites, each of them a member there. [s]

    They reduce-scatter first, so that each sends its share and their satellite `size_byte` in all, and all-gather last.
    """
    return one_way_ring_s(accelerators, size_byte, byte_per_s, latency_s)
