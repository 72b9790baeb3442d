"""A problem of design answered: the best satellite, what limits it, and what else was asked; written to a folder."""

import json
from pathlib import Path

import numpy as np

from twin import answer_folder, run_folder
from twin.design import doubt, elasticities, folder, measures, pareto, satellite
from twin.design.descent import Settings
from twin.design.elasticities import Number
from twin.design.folder import Answer
from twin.design.journal import Journal
from twin.design.judge import Judge
from twin.design.problem import Evaluate, Problem
from twin.design.program import Watch, unwatched
from twin.design.schema import Front
from twin.design.setup import DesignConfig, Setup, build_setup
from twin.design.solution import Solution
from twin.design.solve import solve
from twin.design.spots import found as found_at
from twin.tables import Table, as_plain


def checked(config: DesignConfig, run_dir: Path | None = None) -> Setup:
    """The problem, built; ConfigError, before anything runs, for all that would be refused later."""
    setup = build_setup(config)
    satellite.check(setup.problem, config.resolved)
    doubt.of_setup(setup)
    if run_dir is not None:
        _journal(run_dir, config).known(setup.problem)
    return setup


def optimize(
    config: DesignConfig,
    run_dir: str | Path | None = None,
    watch: Watch = unwatched,
    setup: Setup | None = None,
) -> Answer:
    """The best design of a problem, its status infeasible where no design holds all limits.

    Writes configuration, journal, tables, profile and summary to `run_dir`; with the journal of a run that was cut off
    it goes on where that stopped. ConfigError when the configuration cannot be built, or the folder holds something
    else.
    """
    setup = checked(config) if setup is None else setup
    judge = doubt.judge_of(setup)
    if run_dir is None:
        return _answer(config, setup, judge, watch)
    path = Path(run_dir)
    folder.finished(path, config.resolved)
    with run_folder.claimed(path):
        answer_folder.begin(path, config.resolved)
        answer = _answer(config, setup, _journal(path, config).over(setup.problem, judge), watch)
        folder.write(path, answer)
    return answer


def _journal(run_dir: Path, config: DesignConfig) -> Journal:
    return Journal(run_dir, json.dumps([as_plain(config.resolved), folder.versions()], sort_keys=True))


def _answer(config: DesignConfig, setup: Setup, judge: Evaluate, watch: Watch) -> Answer:
    """The best design, and what else is asked of it."""
    problem, settings = setup.problem, Settings(**setup.design.solver.model_dump())
    uncertain = doubt.of_setup(setup)
    found = solve(problem, judge, settings, watch)
    before = judge(problem.first[None]).values[0]
    asked = {"elasticities": elasticities.table(problem, found, _numbers(setup, found.design))}
    if setup.design.pareto is not None and found.status != "infeasible":
        asked["pareto"] = _front(problem, judge, settings, setup.design.pareto, found, watch)
    if uncertain is not None and found.status != "infeasible":
        asked |= doubt.asked(uncertain, found.design)
    return Answer(problem, found, before, config.resolved, config.choices, asked)


def _numbers(setup: Setup, design: np.ndarray) -> list[Number]:
    """Numbers whose elasticities are asked for, and the slopes of rows by them."""
    spots = [
        spot for path in setup.design.sensitivities for spot in found_at("design.sensitivities", path, setup.known)
    ]
    if not spots:
        return []
    by = Judge(setup).slopes_by([spot.path for spot in spots], design)
    return [
        Number(spot.path, spot.quantity.unit, values, slopes)
        for spot, values, slopes in zip(spots, by.numbers.T, by.slopes.T, strict=True)
    ]


def _front(
    problem: Problem,
    judge: Evaluate,
    settings: Settings,
    asked: Front,
    chosen: Solution,
    watch: Watch,
) -> Table:
    """The best design at each bound of a second measure."""
    measure = measures.MEASURES[asked.measure]
    size = max(abs(bound or 0.0) for bound in (asked.low, asked.high))
    second = pareto.Second(measure.name, asked.over, asked.kind, measure.unit, measures.scale(measure, size))
    span = asked.points, asked.low, asked.high
    points = pareto.front(problem, judge, settings, chosen, second, *span, watch=watch)
    return folder.pareto(problem, second, points, chosen)
