"""Collectives against every message of small rings, tori and full networks, and against what no network can beat."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest

from kernels import collective

BYTE_PER_S, LATENCY_S, WORD = 1.25e9, 2e-6, 8


class Message(NamedTuple):
    source: int
    to: int
    words: np.ndarray


class Phase(NamedTuple):
    """Rounds of messages that follow each other; they are added to what is there, or take its place."""

    adds: bool
    rounds: list[list[Message]]


Lines = Sequence[Sequence[int]]


def passed(lines: Lines, chunk: Mapping[int, np.ndarray]) -> list[list[Message]]:
    """Every member passes on along its line: first its own chunk, then what it was given last."""
    return [
        [Message(k, line[(i + 1) % len(line)], chunk[line[i - r]]) for line in lines for i, k in enumerate(line)]
        for r in range(len(lines[0]) - 1)
    ]


def phases(axes: Sequence[Lines], owned: Mapping[int, np.ndarray]) -> list[Phase]:
    """All-reduce of the words that members own: scattered along each axis in turn, gathered the way back."""
    if not axes:
        return []
    lines, *rest = axes
    chunk = {k: np.array_split(owned[k], len(line))[i] for line in lines for i, k in enumerate(line)}
    after = {k: chunk[line[(i + 1) % len(line)]] for line in lines for i, k in enumerate(line)}
    return [Phase(True, passed(lines, chunk)), *phases(rest, after), Phase(False, passed(lines, after))]


def halving(members: int, words: np.ndarray) -> list[Phase]:
    """Recursive halving with the member whose number differs in one bit, then doubling."""
    owned, down, up = dict.fromkeys(range(members), words), [], []
    bit = members // 2
    while bit:
        parts = {k: np.array_split(owned[k], 2) for k in owned}
        down.append([Message(k, k ^ bit, parts[k][int(not k & bit)]) for k in owned])
        owned = {k: parts[k][int(bool(k & bit))] for k in owned}
        up.insert(0, [Message(k, k ^ bit, owned[k]) for k in owned])
        bit //= 2
    return [Phase(True, down), Phase(False, up)]


def played(members: int, streams: Sequence[Sequence[Phase]], words: int) -> tuple[float, float]:
    """Time of streams side by side, phase by phase, and bytes that a member sends; the sum must reach all."""
    values = np.random.default_rng(1).integers(0, 99, (members, words))
    total, time_s, sent = values.sum(axis=0), 0.0, 0
    for together in zip(*streams, strict=True):
        used = [{(m.source, m.to) for messages in phase.rounds for m in messages} for phase in together]
        assert not [both for both in combinations(used, 2) if both[0] & both[1]], "two streams share a link"
        longest_s = 0.0
        for phase in together:
            stream_s = 0.0
            for messages in phase.rounds:
                before = values.copy()
                for source, to, which in messages:
                    values[to, which] = before[source, which] + phase.adds * before[to, which]
                sent += sum(m.words.size for m in messages)
                stream_s += LATENCY_S + max(m.words.size for m in messages) * WORD / BYTE_PER_S
            longest_s = max(longest_s, stream_s)
        time_s += longest_s
    assert (values == total).all()
    return time_s, sent * WORD / members


def both_ways(axes: Sequence[Lines], words: np.ndarray) -> list[list[Phase]]:
    """Two streams, one along the lines and one against them, each with half of the words."""
    members = sum(len(line) for line in axes[0])
    back = [[line[::-1] for line in lines] for lines in axes]
    halves = zip((axes, back), np.array_split(words, 2), strict=True)
    return [phases(way, dict.fromkeys(range(members), half)) for way, half in halves]


@pytest.mark.parametrize("members", [3, 4, 5, 9])
def test_ring_takes_the_time_of_its_messages(members):
    words = 2 * 60 * members
    time_s, sent = played(members, both_ways([[range(members)]], np.arange(words)), words)
    assert float(collective.ring_s(members, words * WORD, BYTE_PER_S, LATENCY_S)) == pytest.approx(time_s, rel=1e-12)
    assert sent == pytest.approx(2 * (members - 1) / members * words * WORD)


@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (3, 4), (4, 4), (3, 7)])
def test_torus_takes_the_time_of_its_messages(rows, columns):
    """Half of the data goes along columns of members first (each `rows` long), half along rows first."""
    members, words = rows * columns, 4 * 10 * rows * columns
    grid = np.arange(members).reshape(rows, columns)
    down, along = grid.T.tolist(), grid.tolist()
    half = np.array_split(np.arange(words), 2)
    time_s, sent = played(members, [*both_ways([down, along], half[0]), *both_ways([along, down], half[1])], words)
    found_s = float(collective.torus_s(rows, columns, words * WORD, BYTE_PER_S, LATENCY_S))
    assert found_s == pytest.approx(time_s, rel=1e-12)
    assert sent == pytest.approx(2 * (members - 1) / members * words * WORD)


@pytest.mark.parametrize("members", [2, 4, 8, 16])
def test_full_network_takes_the_time_of_its_messages(members):
    words = 16 * members
    time_s, sent = played(members, [halving(members, np.arange(words))], words)
    assert float(collective.clos_s(members, words * WORD, BYTE_PER_S, LATENCY_S)) == pytest.approx(time_s, rel=1e-12)
    assert sent == pytest.approx(2 * (members - 1) / members * words * WORD)


def test_each_is_as_fast_as_its_links_allow_for_large_messages():
    """2 (p - 1) / p n over what a member's links carry together (Patarasuk and Yuan 2009)."""
    least_s = 2.0 * 80.0 / 81.0 * 1e12 / BYTE_PER_S
    assert float(collective.one_way_ring_s(81.0, 1e12, BYTE_PER_S, 0.0)) == pytest.approx(least_s)
    assert float(collective.ring_s(81.0, 1e12, BYTE_PER_S, 0.0)) == pytest.approx(least_s / 2.0)
    assert float(collective.torus_s(9.0, 9.0, 1e12, BYTE_PER_S, 0.0)) == pytest.approx(least_s / 4.0)
    assert float(collective.clos_s(81.0, 1e12, 4.0 * BYTE_PER_S, 0.0)) == pytest.approx(least_s / 4.0)


def test_small_messages_take_the_latency_of_their_rounds():
    assert float(collective.ring_s(81.0, 0.0, BYTE_PER_S, 1.0)) == 160.0
    assert float(collective.torus_s(9.0, 9.0, 0.0, BYTE_PER_S, 1.0)) == 32.0
    assert float(collective.clos_s(81.0, 0.0, BYTE_PER_S, 1.0)) == 14.0


def cut(links: Sequence[tuple[int, int]], members: int) -> int:
    """Fewest links between two halves, of all ways to halve."""
    halves = (set(half) for half in combinations(range(members), members // 2))
    return min(sum((a in half) != (b in half) for a, b in links) for half in halves)


def test_bisection_is_the_fewest_links_between_two_halves():
    ring = [(k, (k + 1) % 8) for k in range(8)]
    assert float(collective.ring_bisection_byte_per_s(1.0)) == cut(ring, 8)  # type: ignore[arg-type]
    place = np.arange(12).reshape(3, 4)
    torus = [(int(a), int(b)) for axis in (0, 1) for a, b in zip(place.flat, np.roll(place, 1, axis).flat, strict=True)]
    assert float(collective.torus_bisection_byte_per_s(3.0, 4.0, 1.0)) == cut(torus, 12)  # type: ignore[arg-type]
    assert float(collective.clos_bisection_byte_per_s(8.0, 1.0)) == 4.0  # type: ignore[arg-type]


def test_accelerators_of_a_satellite_add_one_ring_of_their_own():
    """Three satellites of four accelerators, by every message: scatter inside, add up between, gather inside."""
    satellites, each, words = 3, 4, 2 * 3 * 4 * 6
    inside = np.arange(satellites * each).reshape(satellites, each).tolist()
    between = np.transpose(inside).tolist()
    ways = phases([inside, between], dict.fromkeys(range(satellites * each), np.arange(words)))
    time_s, _ = played(satellites * each, [ways], words)
    inside_s = float(collective.inside_s(each, words * WORD, BYTE_PER_S, LATENCY_S))
    between_s = float(collective.one_way_ring_s(satellites, words / each * WORD, BYTE_PER_S, LATENCY_S))
    assert inside_s + between_s == pytest.approx(time_s, rel=1e-12)
