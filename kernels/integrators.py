"""Time integrators for stiff systems whose Jacobian is known."""

from collections.abc import Callable, Mapping

from jax import Array

# Gamma of the L-stable two-stage Rosenbrock method ROS2 (Verwer et al. 1999, SIAM J. Sci. Comput. 20, 1456).
ROS2_GAMMA = 1.0 - 0.5**0.5

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
    """One step of ROS2 for M y' = f(y) + g(t): the new state and the two stage increments.

    `mass_over_step` is the diagonal of M over the step; zero rows (algebraic equations) are allowed. f carries the mean
    of g, `early` its first moment: the mean of (1/2 - u) g, u being the time since the start over the step. Second
    order for any Jacobian, L-stable with the exact one. A linear part phi of f has the step mean
    (phi(y) + phi(y + u1) + gamma phi' (u1 + u2)) / 2, which `step_mean` evaluates.

    What comes early acts on the end through J times its moment. The two stages weigh alike in the sum and differ by
    (1 - 2 gamma) J step in their effect: the moment over (1/2 - gamma), added to the first and taken from the second,
    has that effect and leaves the sum, and so the account of energy, untouched.
    """
    size = len(state)
    matrix = {index: -ROS2_GAMMA * entry for index, entry in jacobian.items()}
    for i in range(size):
        matrix[i, i] = matrix[i, i] + mass_over_step[i]
    solve = factorise(matrix, size)
    shift = tuple(moment / (0.5 - ROS2_GAMMA) for moment in early)
    first = solve(tuple(f + g for f, g in zip(right_hand_side(state), shift, strict=True)))
    middle = tuple(y + u for y, u in zip(state, first, strict=True))
    slope = tuple(f - g for f, g in zip(right_hand_side(middle), shift, strict=True))
    second = solve(tuple(f - 2.0 * m * u for f, m, u in zip(slope, mass_over_step, first, strict=True)))
    new = tuple(y + 1.5 * u + 0.5 * v for y, u, v in zip(state, first, second, strict=True))
    return new, first, second


def step_mean(start: Array, middle: Array, derivative: Array, first: Array, second: Array) -> Array:
    """Mean over a ROS2 step of one flux of the right-hand side, exactly as the step counted it.

    `start` and `middle` are the flux at both stages, `derivative` its Jacobian entry, `first` and `second` the
    increments.
    """
    return 0.5 * (start + middle + ROS2_GAMMA * derivative * (first + second))
