"""Frames from the loop to the store: their order, how blocks are joined, and what a failure leaves."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from synthetic_run import axes_of, frames_of

import twin
from twin import store
from twin.chunks import one_behind
from twin.frames import in_order
from twin.structure import Schedule

EXCHANGES, TILES, BLOCKS, TILE = 4, 3, 2, 5
SCHEDULE = Schedule(step_ms=1000, steps=80, save_steps=10, exchange_steps=20, chunk_steps=80)


def raw() -> np.ndarray:
    return np.random.default_rng(0).random((EXCHANGES, TILES, BLOCKS, TILE))


def test_frames_are_in_order_of_time_and_satellite() -> None:
    ordered = np.asarray(in_order(SCHEDULE, {"altitude_m": jnp.asarray(raw())})["altitude_m"])
    assert ordered.shape == (EXCHANGES * BLOCKS, TILES * TILE) and ordered.dtype == np.float32
    for exchange, tile, block, place in np.ndindex(EXCHANGES, TILES, BLOCKS, TILE):
        value = ordered[exchange * BLOCKS + block, tile * TILE + place]
        assert value == np.float32(raw()[exchange, tile, block, place])


def test_save_intervals_of_several_exchanges_join_means_and_keep_last_ends() -> None:
    values = raw()[:, :, :1]
    schedule = replace(SCHEDULE, save_steps=40)
    frames = in_order(schedule, {name: jnp.asarray(values) for name in ("load_power_w", "altitude_m")})
    flat = values.reshape(EXCHANGES, TILES * TILE)
    np.testing.assert_allclose(frames["load_power_w"], flat.reshape(2, 2, -1).mean(axis=1), rtol=1e-7)
    np.testing.assert_array_equal(frames["altitude_m"], flat[1::2].astype(np.float32))


def written(folder: Path, at_once: int, satellites: int = 3, frames: int = 40) -> tuple[store.Store, xr.Dataset]:
    """A store of made-up frames, appended in pieces, and what it should hold."""
    axes = axes_of(satellites, frames)
    whole = frames_of(satellites, frames)
    writer = store.Store.create(folder / "telemetry.zarr", axes, at_once, {})
    for first in range(0, frames, at_once):
        writer.append({name: values[first : first + at_once] for name, values in whole.items()})
    return writer, store.in_memory(whole, axes, {})


@pytest.mark.parametrize("values_per_chunk", [1, 45, 2**20])
@pytest.mark.parametrize("at_once", [pytest.param(1, marks=pytest.mark.slow), 7, 40])
def test_store_is_the_same_however_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, values_per_chunk: int
) -> None:
    monkeypatch.setattr(store, "VALUES_PER_CHUNK", values_per_chunk)
    monkeypatch.setattr(store, "LEAST_SATELLITES", 2)
    writer, expected = written(tmp_path, at_once)
    writer.close("finished")
    xr.testing.assert_equal(twin.open_run(tmp_path).compute(), expected)


def test_frames_that_wait_are_written_when_a_run_fails(tmp_path: Path) -> None:
    writer, expected = written(tmp_path, at_once=1, frames=store.MOST_TOGETHER + 5)
    assert twin.open_run(tmp_path).sizes["time"] == store.MOST_TOGETHER
    writer.close("failed", "interrupted")
    left = twin.open_run(tmp_path)
    assert left.attrs["status"] == "failed" and left.attrs["failure"] == "interrupted"
    xr.testing.assert_equal(left.compute(), expected)


def test_the_next_chunk_begins_before_the_last_one_is_taken() -> None:
    begun: list[int] = []

    def chunks() -> Iterator[int]:
        for number in range(3):
            begun.append(number)
            yield number

    seen = [(number, list(begun)) for number in one_behind(chunks())]
    assert seen == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2])]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_chunk_that_cannot_begin_loses_none_before_it(error: type[BaseException]) -> None:
    def chunks() -> Iterator[int]:
        yield 0
        yield 1
        raise error("no memory")

    taken: list[int] = []
    with pytest.raises(error, match="no memory"):
        taken.extend(one_behind(chunks()))
    assert taken == [0, 1]
