"""The comparison of optimisers: what is counted, when a design counts as reached, and how the section is written."""

import importlib.metadata
import sys
from pathlib import Path

import closed_forms
import numpy as np
import pytest

import twin

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import optimizer_methods as methods  # noqa: E402
import optimizers  # noqa: E402
from optimizer_methods import Look, Meter, SpentError  # noqa: E402


class Toy:
    """(x-3)^2 + (y-2)^2 with x + y <= 3 and x <= 1.5, 2.5 at its best; as a judge that knows how often it is asked."""

    def __init__(self):
        self.problem, self.counted = closed_forms.quadratic()
        self.calls = []

    def __call__(self, designs):
        self.calls.append(("slopes", len(designs)))
        return self.counted(designs)

    def values(self, designs):
        self.calls.append(("values", len(designs)))
        return self.counted(designs).values

    def meter(self, width=1, most=1e4):
        return Meter(self.problem, self, slopes_cost=1.5, width=width, most_evaluations=most, most_s=60.0)


def test_calls_are_counted_by_what_they_cost():
    toy = Toy()
    meter = toy.meter(width=2)
    meter.functions(np.full((5, 2), 0.5))
    meter.with_slopes(np.zeros((2, 2)))
    assert toy.calls == [("values", 2), ("values", 2), ("values", 1), ("slopes", 1), ("slopes", 1)]
    assert meter.evaluations == 5 + 2 * 1.5
    assert [look.evaluations for look in meter.looks] == [2, 2, 4, 4, 5, 6.5, 8.0]
    assert meter.looks[0].objective == 13.0 and meter.looks[0].violation == 0.0  # the middle of the bounds is 0, 0


def test_a_spent_budget_stops_a_search():
    toy = Toy()
    meter = toy.meter(most=3)
    with pytest.raises(SpentError):
        meter.functions(np.zeros((4, 2)))
    assert meter.evaluations == 3 and len(meter.looks) == 3
    assert len(methods.run("COBYLA", toy.meter(most=7), toy.problem.first, 0)) == 7


def test_reached_is_the_first_feasible_look_that_is_good_enough():
    looks = [Look(1, 0.1, 5.0, 0.0), Look(2, 0.2, 1.0, 0.5), Look(3, 0.3, 2.0, 1e-4), Look(4, 0.4, 1.5, 0.0)]
    assert methods.reached(looks, 2.0, 1e-3) == looks[2]
    assert methods.reached(looks, 2.0, 1e-5) == looks[3]
    assert methods.reached(looks, 1.0, 1e-3) is None
    assert optimizers.progress(looks) == [looks[0], looks[2], looks[3]]


@pytest.mark.parametrize("name", list(methods.METHODS))
def test_every_method_finds_the_known_optimum(name):
    if name in ("NSGA-II", "CMA-ES"):
        pytest.importorskip("pymoo" if name == "NSGA-II" else "cma")
    toy = Toy()
    looks = methods.run(name, toy.meter(width=16, most=3000 if name == "NSGA-II" else 1000), toy.problem.first, 0)
    assert methods.reached(looks, 2.5 * 1.01, 1e-3)
    assert optimizers.progress(looks)[-1].objective > 2.5 - 0.05


def result():
    """Of two methods from three starts: ours is there always, the other once."""
    near, far = [[10.0, 1.0, 101.0, 0.0], [20.0, 2.0, 100.0, 0.0]], [[30.0, 3.0, 150.0, 0.0]]
    late = [[90.0, 9.0, 100.5, 0.0]]
    runs = [{"method": "ours, SLSQP", "seed": k, "spent": 20.0, "progress": near} for k in range(3)]
    runs += [{"method": "COBYLA", "seed": k, "spent": 99.0, "progress": p} for k, p in enumerate((late, far, []))]
    told = {"where": "here", "versions": "none", "date": "today", "command": "python scripts/optimizers.py 4"}
    told["commit"] = "abc1234"
    return {"size": 4, "budget": [3, 200, 9.0, 16], "costs": [0.01, 0.015, 0.02], "runs": runs, "facts": told}


def test_a_method_has_reached_it_when_most_starts_did():
    mine, other = optimizers.summaries(result())
    assert mine == ("ours, SLSQP", 3, 10.0, 1.0, 0.0)
    assert other == ("COBYLA", 1, np.inf, np.inf, 0.5)


def test_section_takes_the_place_of_the_one_before():
    written = optimizers.section([result()])
    assert "| 4 | COBYLA | 1 of 3 | not reached | not reached | 50.00 % |" in written
    assert "| 4 | 10.0 ms | 15.0 ms | 1.50 | 20.0 ms |" in written
    assert "ours, SLSQP reaches it in 10 evaluations, no other does" in written
    document = f"# Optimization\n\nFirst.\n\n{optimizers.HEADING}\n\nOld.\n\n## Last\n\nEnd.\n"
    once = optimizers.replaced(document, written)
    assert once.startswith("# Optimization\n\nFirst.\n\n## Against") and once.endswith("\n## Last\n\nEnd.\n")
    assert "Old." not in once and optimizers.replaced(once, written) == once
    assert optimizers.replaced("# Title\n", written) == f"# Title\n\n{written}"


def test_section_says_how_to_repeat_each_run():
    eight, bare = {**result(), "size": 8}, {**result(), "size": 32}
    bare["facts"] = {**bare["facts"], "command": "python scripts/optimizers.py 32", "commit": ""}
    written = optimizers.section([eight, result(), bare])
    assert (
        "\nTo repeat it: `python scripts/optimizers.py 4` at commit abc1234 (4, 8 variables); "
        "`python scripts/optimizers.py 32` (32 variables).\n" in written
    )


def test_facts_have_the_command_and_the_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1")
    monkeypatch.setattr(sys, "argv", ["optimizers.py", "4", "--seconds", "60"])
    assert optimizers.facts()["command"] == "python scripts/optimizers.py 4 --seconds 60"
    monkeypatch.setattr(optimizers, "ROOT", tmp_path)
    assert optimizers.facts()["commit"] == ""


def test_missing_rivals_are_told(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(twin.ConfigError, match=r"^pymoo: missing; .* pip install -e \.\[compare\]$"):
        optimizers.main(["4"])
