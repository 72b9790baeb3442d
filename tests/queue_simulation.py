"""First come, first served at many servers, event by event: what formulas of waits are held against."""

import heapq

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def waits_s(arrival_s: Floats, service_s: Floats, servers: int) -> Floats:
    """Wait of each request, in order of arrival."""
    free_s = [0.0] * servers
    waits = np.empty(len(arrival_s))
    for i, (arrival, service) in enumerate(zip(arrival_s.tolist(), service_s.tolist(), strict=True)):
        start = max(arrival, free_s[0])
        waits[i] = start - arrival
        heapq.heapreplace(free_s, start + service)
    return waits


def mixed_exponentials(generator: np.random.Generator, scv: float, count: int) -> Floats:
    """Times of mean 1 and a squared coefficient of variation above 1: two exponentials with balanced means."""
    often = 0.5 * (1.0 + np.sqrt((scv - 1.0) / (scv + 1.0)))
    chosen = generator.random(count) < often
    return generator.exponential(size=count) / np.where(chosen, 2.0 * often, 2.0 * (1.0 - often))
