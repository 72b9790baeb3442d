"""The jobs of a sweep, ranked: runs by work per kilogram, deployments by what orbit costs, designs by their aim."""

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from twin.refusal import ConfigError
from twin.reporting import human, ranking_kinds
from twin.reporting.ranking_kinds import Column, Kind, Result
from twin.run_folder import DESIGN, SUMMARY

SUMMARIES = (SUMMARY, DESIGN)


class Job(NamedTuple):
    """One job of a sweep; `result` is empty for one that did not finish."""

    folder: Path
    status: str
    overrides: Mapping[str, str]
    result: Result


class Ranking(NamedTuple):
    """Jobs of one kind, best first, those without a result last."""

    kind: Kind
    jobs: Sequence[Job]

    @property
    def columns(self) -> Sequence[Column]:
        """Columns for the results that there are."""
        return self.kind.columns([job.result for job in self.jobs if job.result])


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds jobs of a sweep, at least one of them finished."""
    ended = (path.parent for name in SUMMARIES for path in folder.glob(f"*/{name}"))
    return folder.is_dir() and any(map(ranking_kinds.of, ended))


def rank(folder: Path) -> Ranking:
    """All jobs below a folder that is a sweep; ConfigError where they are of different kinds."""
    paths = [path for path in sorted(folder.iterdir(), key=_order) if _is_job(path)]
    kind = _kind(folder, paths)
    told = _differences([_settings(path) for path in paths])
    found = [_job(kind, path, overrides) for path, overrides in zip(paths, told, strict=True)]
    return Ranking(kind, sorted(found, key=lambda job: (not job.result, -kind.merit(job.result) if job.result else 0)))


def _kind(folder: Path, paths: Sequence[Path]) -> Kind:
    kinds = {kind.name: (kind, path.name) for path in reversed(paths) if (kind := ranking_kinds.of(path))}
    if len(kinds) > 1:
        both = " and ".join(f"{name} ({example})" for name, (_, example) in sorted(kinds.items()))
        raise ConfigError(f"{folder}: holds both {both}; move them to a folder of each kind to rank them")
    return next(kind for kind, _ in kinds.values())


def _order(path: Path) -> tuple[int, str]:
    return (int(path.name) if path.name.isdigit() else -1, path.name)


def _is_job(path: Path) -> bool:
    return any((path / name).exists() for name in (*SUMMARIES, "telemetry.zarr", ".hydra"))


def _job(kind: Kind, path: Path, overrides: Mapping[str, str]) -> Job:
    if not kind.ended(path):
        return Job(path, kind.status(path), overrides, {})
    try:
        return Job(path, "finished", overrides, kind.read(path))
    except ConfigError:
        return Job(path, "damaged", overrides, {})


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def _settings(path: Path) -> dict[str, str]:
    """Overrides that Hydra recorded; else the whole configuration by dotted key."""
    overrides = _yaml(path / ".hydra" / "overrides.yaml")
    if overrides is not None:
        pairs = (str(override).lstrip("+~").partition("=") for override in overrides)
        return {key: value for key, _, value in pairs}
    return _leaves(_yaml(path / "config.yaml") or {})


def _leaves(values: Mapping[str, Any], path: str = "") -> dict[str, str]:
    """Dotted keys of a configuration; a profile with a name stands for all its numbers."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if key in ("sources", "cohorts"):
            continue
        if isinstance(value, Mapping):
            found |= _leaves(value, f"{path}{key}.")
        else:
            found[f"{path}{key}"] = str(value)
    return found


def _differences(settings: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """What sets each job apart: keys whose value is not the same in all jobs."""
    keys = dict.fromkeys(key for each in settings for key in each)
    varied = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    named = {key.removesuffix("name") for key in varied if key.endswith(".name")}
    kept = [key for key in varied if key.endswith(".name") or not any(key.startswith(stem) for stem in named)]
    return [{key.removesuffix(".name"): each.get(key, "") for key in kept} for each in settings]


def header(ranking: Ranking) -> list[str]:
    """Column titles: rank and job, what varies, results."""
    return ["#", "Job", *_varied(ranking), *(column.title for column in ranking.columns if column.shown)]


def _varied(ranking: Ranking) -> list[str]:
    return list(dict.fromkeys(key for job in ranking.jobs for key in job.overrides))


def cells(ranking: Ranking) -> list[list[str]]:
    """One row of text per job; a job without a result says why in the last column."""
    varied, columns, rows = _varied(ranking), [column for column in ranking.columns if column.shown], []
    for place, job in enumerate(ranking.jobs, 1):
        values = [column.take(job.result) if job.result else None for column in columns]
        texts = [human.NOTHING if v is None else c.text(v) for c, v in zip(columns, values, strict=True)]
        first = str(place) if job.result else human.NOTHING
        own = [first, job.folder.name, *(job.overrides.get(key, "") for key in varied)]
        rows.append([*own, *(texts if job.result else [*texts[:-1], job.status])])
    return rows


def order(ranking: Ranking) -> str:
    """By what the jobs are ranked, and in which terms."""
    terms = _terms(ranking)
    return f"{ranking.kind.order} ({', '.join(terms)})." if terms else f"{ranking.kind.order}."


def warning(ranking: Ranking) -> str:
    """A sentence when jobs count in different terms; else empty."""
    terms = _terms(ranking)
    return f"These jobs {ranking.kind.unlike}; compare them with care." if len(terms) > 1 else ""


def _terms(ranking: Ranking) -> list[str]:
    return sorted({term for job in ranking.jobs if job.result for term in ranking.kind.terms(job.result)})


def to_csv(ranking: Ranking) -> str:
    """The ranking in SI units."""
    text = io.StringIO()
    writer = csv.writer(text)
    varied, columns = _varied(ranking), ranking.columns
    writer.writerow(["rank", "job", "status", *varied, *(column.key for column in columns)])
    for place, job in enumerate(ranking.jobs, 1):
        values = [column.take(job.result) if job.result else "" for column in columns]
        first = place if job.result else ""
        writer.writerow([first, job.folder.name, job.status, *(job.overrides.get(key, "") for key in varied), *values])
    return text.getvalue()


def to_html(ranking: Ranking) -> str:
    """The ranking as a page that links to each job's report."""
    head = "".join(f"<th>{escape(title)}</th>" for title in header(ranking))
    rows = "\n".join("<tr>" + _row(job, row) + "</tr>" for job, row in zip(ranking.jobs, cells(ranking), strict=True))
    return _PAGE.format(head=head, rows=rows, told=escape(f"{order(ranking)} {warning(ranking)}".strip()))


def _row(job: Job, row: Sequence[str]) -> str:
    texts = [escape(text) for text in row]
    if (job.folder / "report.html").is_file():
        texts[1] = f'<a href="{escape(job.folder.name)}/report.html">{texts[1]}</a>'
    return "".join(f"<td>{text}</td>" for text in texts)


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Ranking of a sweep</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1f2933; margin: 2rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #dde3e9; }}
</style></head><body>
<h1>Ranking of a sweep</h1>
<p>{told}</p>
<table><tr>{head}</tr>
{rows}
</table></body></html>
"""
