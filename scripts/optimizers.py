"""Our search beside other optimisers on the same problems: writes the section of docs/optimization.md.

    python scripts/optimizers.py                            # conf/design/compare_4.yaml, 8, 32 and 100
    python scripts/optimizers.py 4 8 --seeds 3 --seconds 60

Wants `pip install -e .[compare]`: pymoo and cma. Every run is kept in optimizers.jsonl; the section is written from the
newest runs of each problem there.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # noqa: E402
from optimizer_methods import METHODS, OURS, Judge, Look, Meter, reached, run  # noqa: E402

from twin.design.problem import Problem  # noqa: E402
from twin.refusal import ConfigError  # noqa: E402

SIZES = (4, 8, 32, 100)
TOLERANCE = 1e-3  # of the scale of a limit, by which a design may miss it and count as feasible
NEAR = 0.01  # of the best known value
NEARBY = 0.2  # of the bounds: how far from the problem's own start those of further seeds lie, at most
PEERS = ("pymoo", "cma")
HEADING = "## Against other optimisers"
SPENT = "optimizers.jsonl"


class Costs(NamedTuple):
    """What a call takes, medians; [s]."""

    value_s: float
    slopes_s: float
    batched_s: float  # for each design of a batch

    @property
    def ratio(self) -> float:
        """Evaluations that a call with slopes counts as."""
        return max(self.slopes_s / self.value_s, 1.0)


def check_peers() -> None:
    """ConfigError where a package of the rivals is missing."""
    for name in PEERS:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise ConfigError(f"{name}: missing; install what is compared with: pip install -e .[compare]") from None


def starts(problem: Problem, seeds: int) -> list[np.ndarray]:
    """The problem's own start, and others near it, (variable,)."""
    span = problem.high - problem.low
    drawn = np.random.default_rng(0).uniform(-NEARBY, NEARBY, (max(seeds - 1, 0), len(problem.variables)))
    return [problem.first, *np.clip(problem.first + drawn * span, problem.low, problem.high)]


def measured(judge: Judge, problem: Problem, batch: int, repeats: int = 21) -> Costs:
    """What calls take, in turns; the first ones, which compile, do not count."""
    designs = np.array(starts(problem, batch))
    calls: tuple[Callable[[], Any], ...] = (
        lambda: judge.values(designs[:1]),
        lambda: judge(designs[:1]),
        lambda: judge.values(designs),
    )
    times = np.array([[_seconds(call) for call in calls] for _ in range(repeats + 1)])[1:]
    value_s, slopes_s, all_s = np.median(times, axis=0)
    return Costs(float(value_s), float(slopes_s), float(all_s) / batch)


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def progress(looks: Sequence[Look]) -> list[Look]:
    """Looks at feasible designs that are better than all before."""
    better: list[Look] = []
    for look in looks:
        if look.violation <= TOLERANCE and (not better or look.objective < better[-1].objective):
            better.append(look)
    return better


class Budget(NamedTuple):
    """How much is run."""

    seeds: int  # starts of each method
    each: int  # evaluations of a run, for each variable
    seconds: float  # of a run
    batch: int  # designs in a call of a method that has several, where that is faster for each


def compared(size: int, budget: Budget, tell: Callable[[str], None]) -> dict[str, Any]:
    """Every method from every start on one problem: costs of a call, and the progress of each run."""
    import twin
    from twin.design.judge import Judge as SteadyJudge
    from twin.design.setup import build_setup

    setup = build_setup(twin.compose_design([f"experiment=compare_{size}"]))
    problem, judge = setup.problem, SteadyJudge(setup)
    costs = measured(judge, problem, budget.batch)
    tell(f"{size} variables: {1e3 * costs.value_s:.1f} ms, with slopes {1e3 * costs.slopes_s:.1f} ms")
    width = budget.batch if costs.batched_s < costs.value_s else 1
    runs = []
    for name in METHODS:
        for seed, first in enumerate(starts(problem, budget.seeds)):
            meter = Meter(problem, judge, costs.ratio, width, budget.each * size, budget.seconds)
            found = run(name, meter, first, seed)
            runs.append({"method": name, "seed": seed, "spent": meter.evaluations, "progress": progress(found)})
            best = progress(found)[-1].objective if progress(found) else np.nan
            tell(f"{name}, seed {seed}: {best:.1f} after {meter.evaluations:.0f} in {found[-1].wall_s:.0f} s")
    return {"size": size, "budget": budget, "costs": costs, "runs": runs}


def facts() -> dict[str, str]:
    """Machine, versions, date, and what it takes to repeat the runs: the command and the commit, if there is one."""
    versions = {name: importlib.metadata.version(name) for name in ("jax", "scipy", *PEERS)}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return {
        "where": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": f"{told}, Python {platform.python_version()}",
        "date": f"{datetime.now(UTC):%d %B %Y}",
        "command": shlex.join(["python", "scripts/optimizers.py", *sys.argv[1:]]),
        "commit": commit(),
    }


def commit() -> str:
    """Short name of the commit of the tree, with what has changed since as `-dirty`; empty where there is none."""
    try:
        described = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(described, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class Summary(NamedTuple):
    """How a method fared on a problem over all seeds; infinite medians where most runs did not get there."""

    method: str
    reached: int
    evaluations: float
    wall_s: float
    excess: float  # of the best feasible value over the best known, median; NaN where there is none


def summaries(result: dict[str, Any]) -> list[Summary]:
    """A row for each method."""
    runs = [(run["method"], [Look(*look) for look in run["progress"]]) for run in result["runs"]]
    best = min(look.objective for _, looks in runs for look in looks)
    found = []
    for name in dict.fromkeys(name for name, _ in runs):
        own = [looks for method, looks in runs if method == name]
        ends = [reached(looks, best + NEAR * abs(best), TOLERANCE) for looks in own]
        evaluations, walls = zip(*((e.evaluations, e.wall_s) if e else (np.inf, np.inf) for e in ends), strict=True)
        excess = [(looks[-1].objective - best) / abs(best) if looks else np.inf for looks in own]
        there = sum(end is not None for end in ends)
        found.append(Summary(name, there, *map(_middle, (evaluations, walls, excess))))
    return found


def _middle(values: Sequence[float]) -> float:
    """The median as one of the values, the upper one of two: infinite ones are not averaged."""
    return float(sorted(values)[len(values) // 2])


def section(results: Sequence[dict[str, Any]]) -> str:
    """The section of the document, from the newest results of each problem."""
    newest = {result["size"]: result for result in results}
    parts = [HEADING, _introduction(list(newest.values())), _costs(newest), _table(newest)]
    return "\n\n".join([*parts, *(_verdict(size, summaries(newest[size])) for size in sorted(newest))]) + "\n"


def _introduction(results: Sequence[dict[str, Any]]) -> str:
    told = results[-1]["facts"]
    given = {result["size"]: Budget(*result["budget"]) for result in results}
    budgets = "; ".join(
        f"{size * given[size].each} evaluations or {given[size].seconds:g} s for {size} variables"
        for size in sorted(given)
    )
    return (
        f"Written by `scripts/optimizers.py` on {told['date']}: {told['where']}; {told['versions']}.\n"
        f"To repeat it: {_repeated(results)}.\n\n"
        "The problems are `conf/design/compare_*.yaml`: the lightest satellite of the reference's class on its steady\n"
        "orbit of the longest eclipse. All methods see the same judge, starts and bounds. A call of ours, value and\n"
        "slopes, counts as many evaluations as it takes longer than a value.\n\n"
        f"*Reached* is a design within {100.0 * NEAR:g} % of the best that any run found, which misses no limit by\n"
        f"more than {TOLERANCE:g} of its scale. Figures are medians over the starts, *not reached* where most did not\n"
        "get there within their budget. The last column tells of the end of the budget.\n"
        f"Budgets of a run, whichever ends first: {budgets}."
    )


def _repeated(results: Sequence[dict[str, Any]]) -> str:
    """The command of each run, the commit that it ran at, and the problems that it had."""
    sizes: dict[str, list[str]] = {}
    for result in sorted(results, key=lambda result: result["size"]):
        told = result["facts"]  # those of older runs have neither
        at = f" at commit {told['commit']}" if told.get("commit") else ""
        sizes.setdefault(f"`{told.get('command', 'not kept')}`{at}", []).append(str(result["size"]))
    return "; ".join(f"{command} ({', '.join(own)} variables)" for command, own in sizes.items())


def _costs(newest: dict[int, dict[str, Any]]) -> str:
    lines = [
        "| variables | value | value and slopes | ratio | value, each of a batch |",
        "| --- | --- | --- | --- | --- |",
    ]
    for size in sorted(newest):
        costs = Costs(*newest[size]["costs"])
        value, slopes, batched = (f"{1e3 * seconds:.1f} ms" for seconds in costs)
        lines.append(f"| {size} | {value} | {slopes} | {costs.slopes_s / costs.value_s:.2f} | {batched} |")
    return "\n".join(lines)


def _table(newest: dict[int, dict[str, Any]]) -> str:
    lines = [
        "| variables | method | starts that reached it | evaluations | wall time | best found above the best known |",
        "|" + " --- |" * 6,
    ]
    for size in sorted(newest):
        for row in summaries(newest[size]):
            there = np.isfinite(row.evaluations)
            spent = (f"{row.evaluations:.0f}", f"{row.wall_s:.1f} s") if there else ("not reached", "not reached")
            excess = f"{100.0 * row.excess:.2f} %" if np.isfinite(row.excess) else "nothing feasible"
            cells = (size, row.method, f"{row.reached} of {Budget(*newest[size]['budget']).seeds}", *spent, excess)
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _verdict(size: int, rows: Sequence[Summary]) -> str:
    """What the comparison says of a problem, in one line."""
    mine = min((row for row in rows if row.method in OURS), key=lambda row: row.evaluations)
    other = min((row for row in rows if row.method not in OURS), key=lambda row: row.evaluations)
    if not np.isfinite(mine.evaluations):
        return f"- {size} variables: ours did not reach it from most starts."
    if not np.isfinite(other.evaluations):
        return f"- {size} variables: {mine.method} reaches it in {mine.evaluations:.0f} evaluations, no other does."
    ratio, walls = other.evaluations / mine.evaluations, other.wall_s / mine.wall_s
    return (
        f"- {size} variables: the best of the others, {other.method}, takes {ratio:.1f} times the evaluations of "
        f"{mine.method} and {walls:.1f} times its wall time."
    )


def replaced(text: str, new: str) -> str:
    """A document with its section put in place of the one it has, or at its end."""
    before, _, rest = text.partition(HEADING)
    _, mark, after = rest.partition("\n## ")
    return f"{before.rstrip()}\n\n{new}".lstrip() + (f"\n## {after}" if mark else "")


def main(arguments: Sequence[str]) -> None:
    """Compare, keep, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, choices=SIZES, help="variables; all problems where none is named")
    parser.add_argument("--seeds", type=int, default=3, help="starts of each method")
    parser.add_argument("--evaluations", type=int, default=200, help="of a run, for each variable")
    parser.add_argument("--seconds", type=float, default=600.0, help="of a run")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs/optimization.md", help="document whose section is written"
    )
    parser.add_argument("--batch", type=int, default=16, help="designs in a call, where that is faster for each")
    given = parser.parse_args(arguments)
    budget = Budget(given.seeds, given.evaluations, given.seconds, given.batch)
    check_peers()
    for size in given.sizes or SIZES:
        result = compared(size, budget, lambda line: print(line, flush=True))
        with Path(SPENT).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**result, "facts": facts()}) + "\n")
    results = [json.loads(line) for line in Path(SPENT).read_text(encoding="utf-8").splitlines()]
    text = given.out.read_text(encoding="utf-8") if given.out.exists() else ""
    given.out.write_text(replaced(text, section(results)), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
