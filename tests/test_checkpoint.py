"""Checkpoints: what is restored is what was saved, or nothing."""

from collections import Counter
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from twin.checkpoint import Checkpoints, DamagedError

RECORD = {"step": 60, "frame": 12, "marks": [0.1, 1e300], "versions": {"jax_version": "1"}}
CORRUPTIONS = 200


def leaves() -> dict[str, np.ndarray]:
    """Like those of a run: some constant, some not, in both precisions."""
    draws = np.random.default_rng(0)
    return {
        "state.a.temperature_k.bus": draws.normal(300.0, 5.0, 500).astype(np.float32),
        "state.a.state_of_charge": np.ones(500, np.float32),
        "slow.a.age_s": np.full(500, 86400.0),
        "totals.a.delivered_flop": draws.random(500) * 1e20,
        "totals.a.max_accelerator_temperature_k": np.full(500, -np.inf),
    }


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoints:
    """Five checkpoints saved, of which three are kept."""
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=3)
    for step in (20, 40, 60, 80, 100):
        checkpoints.save(step, {name: jnp.asarray(leaf) for name, leaf in leaves().items()}, RECORD)
    checkpoints.close()
    return checkpoints


def same(found: dict[str, np.ndarray]) -> bool:
    expected = leaves()
    return found.keys() == expected.keys() and all(
        found[name].dtype == leaf.dtype and found[name].tobytes() == leaf.tobytes() for name, leaf in expected.items()
    )


def test_what_is_restored_is_what_was_saved(saved: Checkpoints) -> None:
    assert saved.steps() == [100, 80, 60]
    found, record = saved.load(80)
    assert same(found) and record == RECORD


def test_a_flipped_byte_anywhere_is_noticed_or_does_nothing(saved: Checkpoints) -> None:
    """Each of 200 random bytes, over all files of a checkpoint, every file among them."""
    files = sorted(path for path in (saved.folder / "100").rglob("*") if path.is_file())
    draws, outcomes = np.random.default_rng(3), Counter()
    for number in range(CORRUPTIONS):
        path = files[number % len(files)]
        intact = path.read_bytes()
        if not intact:
            continue
        changed = bytearray(intact)
        changed[draws.integers(len(intact))] ^= int(draws.integers(1, 256))
        path.write_bytes(changed)
        try:
            found, record = saved.load(100)
            outcomes["harmless" if same(found) and record == RECORD else "silently wrong"] += 1
        except DamagedError:
            outcomes["refused"] += 1
        finally:
            path.write_bytes(intact)
    print(dict(outcomes))
    assert outcomes["silently wrong"] == 0 and outcomes["refused"] > CORRUPTIONS / 4
    assert same(saved.load(100)[0])


@pytest.mark.parametrize("lost", ["record", "state", "state/manifest.ocdbt", "state/d"])
def test_a_missing_part_is_noticed(saved: Checkpoints, lost: str) -> None:
    (saved.folder / "100" / lost).rename(saved.folder / "gone")
    with pytest.raises(DamagedError):
        saved.load(100)


def test_one_set_aside_makes_room(saved: Checkpoints) -> None:
    saved.set_aside(100)
    assert saved.steps() == [80, 60] and (saved.folder / "damaged-100").is_dir()
    saved.save(100, {name: jnp.asarray(leaf) for name, leaf in leaves().items()}, RECORD)
    saved.close()
    assert same(saved.load(100)[0])


def test_a_clock_that_jumps_back_changes_nothing(saved: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are told apart by their steps, not by when they were written."""
    monkeypatch.setattr("time.time", lambda: 1e9)
    monkeypatch.setattr("time.time_ns", lambda: 10**18)
    saved.save(120, {name: jnp.asarray(leaf) for name, leaf in leaves().items()}, {**RECORD, "step": 120})
    saved.close()
    assert saved.steps() == [120, 100, 80] and saved.load(120)[1]["step"] == 120
