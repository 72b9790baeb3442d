"""Time integrators for stiff systems whose Jacobian is known."""

from collections.abc import Callable, Mapping

from jax import Array

# Gamma of the L-stable two-stage Rosenbrock methods of Verwer et al. 1999, SIAM J. Sci. Comput. 20, 1456.
GAMMA = 1.0 - 0.5**0.5

Vector = tuple[Array, ...]
Matrix = Mapping[tuple[int, int], Array]


def elimination_order(pattern: frozenset[tuple[int, int]], size: int) -> tuple[int, ...]:
    """Order that keeps fill-in small: always eliminate the row with the fewest neighbours left."""
    neighbours = {i: {j for a, j in pattern if a == i and j != i} for i in range(size)}
    for i, j in pattern:
        if i != j:
            neighbours[j].add(i)
    order = []
    while neighbours:
        pivot = min(neighbours, key=lambda i: (len(neighbours[i]), i))
        linked = neighbours.pop(pivot)
        for i in linked:
            neighbours[i] |= linked - {i}
            neighbours[i].discard(pivot)
        order.append(pivot)
    return tuple(order)


def factorise(matrix: Matrix, size: int) -> Callable[[Vector], Vector]:
    """LU factors of a sparse, diagonally dominant matrix, unrolled at trace time; returns its solver.

    Entries are arrays of the satellite axis or scalars; absent entries cost nothing.
    """
    order = elimination_order(frozenset(matrix), size)
    entries = dict(matrix)
    inverse = {}
    for place, pivot in enumerate(order):
        inverse[pivot] = 1.0 / entries[pivot, pivot]
        rest = order[place + 1 :]
        row = [j for j in rest if (pivot, j) in entries]
        for i in rest:
            if (i, pivot) not in entries:
                continue
            factor = entries[i, pivot] * inverse[pivot]
            entries[i, pivot] = factor
            for j in row:
                change = factor * entries[pivot, j]
                entries[i, j] = entries[i, j] - change if (i, j) in entries else -change

    def solve(right: Vector) -> Vector:
        values = list(right)
        for place, pivot in enumerate(order):
            for i in order[place + 1 :]:
                if (i, pivot) in entries:
                    values[i] = values[i] - entries[i, pivot] * values[pivot]
        for place in reversed(range(size)):
            pivot = order[place]
            for j in order[place + 1 :]:
                if (pivot, j) in entries:
                    values[pivot] = values[pivot] - entries[pivot, j] * values[j]
            values[pivot] = values[pivot] * inverse[pivot]
        return tuple(values)

    return solve


def rosenbrock2(
    right_hand_side: Callable[[Vector], Vector],
    jacobian: Matrix,
    mass_over_step: Vector,
    state: Vector,
    early: Vector,
) -> tuple[Vector, Vector, Vector]:
    """One step of a Rosenbrock method for M y' = f(y) + g(t): the new state, the middle one and its last increment.

    Verwer's family with b2 = 1: f counts at the middle state alone, which overshoots less on stiff nodes than the end
    that b2 = 1/2 asks for. `mass_over_step` is the diagonal of M over the step; zero rows (algebraic equations) are
    allowed. f carries the mean of g, `early` its first moment: the mean of (1/2 - u) g, u being the time since the
    start over the step. Second order for any Jacobian, L-stable with the exact one.

    What comes early acts on the end through J times its moment. The first stage has a weight of 0 in the sum and acts
    through (1/2 - gamma) J: what it gets more than the second does just that, and leaves the account of energy alone.
    """
    size = len(state)
    matrix = {index: -GAMMA * entry for index, entry in jacobian.items()}
    for i in range(size):
        matrix[i, i] = matrix[i, i] + mass_over_step[i]
    solve = factorise(matrix, size)
    slope = right_hand_side(state)
    first = solve(tuple(f + moment / (0.5 - GAMMA) for f, moment in zip(slope, early, strict=True)))
    middle = tuple(y + 0.5 * u for y, u in zip(state, first, strict=True))
    slope = right_hand_side(middle)
    last = solve(tuple(f - m * u for f, m, u in zip(slope, mass_over_step, first, strict=True)))
    return tuple(y + u + v for y, u, v in zip(state, first, last, strict=True)), middle, last


def step_mean(middle: Array, change: Array) -> Array:
    """Mean over a step of one flux of the right-hand side, exactly as the step counted it.

    `middle` is the flux at the middle state, `change` the flux's part of the Jacobian times the last increment.
    """
    return middle + GAMMA * change
