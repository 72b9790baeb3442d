"""The jobs of a sweep, ranked by the work that they deliver for each kilogram launched."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from twin.reporting import human
from twin.store import open_run

MARGIN = "accelerator_temperature_upper_margin_k"


@dataclass(frozen=True)
class Job:
    """One run of a sweep; `fleet` is empty for one that did not finish."""

    folder: Path
    status: str
    overrides: Mapping[str, str]
    fleet: Mapping[str, Any] = field(default_factory=dict)
    number_formats: tuple[str, ...] = ()

    @property
    def flop_per_kg(self) -> float:
        """Work delivered over the mass launched. [flop/kg]"""
        return self.fleet["delivered_flop"] / self.fleet["mass_kg"] if self.fleet else float("-inf")


class Column(NamedTuple):
    """A result: title for people, key in the CSV, value in SI from a summary, and its text."""

    title: str
    key: str
    take: Callable[[Mapping[str, Any]], Any]
    text: Callable[[Any], str]


COLUMNS = (
    Column("Per mass", "flop_per_kg", lambda n: n["delivered_flop"] / n["mass_kg"], lambda v: human.si(v, "FLOP/kg")),
    Column(
        "PFLOP/s\neach",
        "flops_per_satellite",
        lambda n: n["mean_compute_rate_flops"] / n["satellites"],
        lambda v: human.digits(v / 1e15),
    ),
    Column(
        "PFLOP/s\nper t",
        "flops_per_kg",
        lambda n: n["mean_compute_rate_flops"] / n["mass_kg"],
        lambda v: human.digits(v / 1e12),
    ),
    Column("kg/kW", "specific_mass_kg_per_kw", lambda n: n["specific_mass_kg_per_kw"], human.digits),
    Column("Die margin", "die_margin_k", lambda n: n.get(MARGIN), lambda v: f"{v:.1f} K"),
    Column("Lowest\ncharge", "min_state_of_charge", lambda n: n["min_state_of_charge"], human.percent),
    Column("Throttled", "throttled_fraction", lambda n: n["throttled_fraction"], human.percent),
    Column("Binds", "binding_limit", lambda n: n["binding_limit"], str),
)


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds runs of a sweep, at least one of them finished."""
    return folder.is_dir() and any(folder.glob("*/summary.json"))


def jobs(folder: Path) -> list[Job]:
    """All jobs below a folder, best first, those without a result last."""
    runs = [path for path in sorted(folder.iterdir(), key=_order) if _is_job(path)]
    told = _differences([_settings(path) for path in runs])
    found = [_job(path, overrides) for path, overrides in zip(runs, told, strict=True)]
    return sorted(found, key=lambda job: -job.flop_per_kg)


def _order(path: Path) -> tuple[int, str]:
    return (int(path.name) if path.name.isdigit() else -1, path.name)


def _is_job(path: Path) -> bool:
    return any((path / name).exists() for name in ("summary.json", "telemetry.zarr", ".hydra"))


def _job(path: Path, overrides: Mapping[str, str]) -> Job:
    if not (path / "summary.json").is_file():
        return Job(path, _status(path), overrides)
    summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
    cohorts = (_yaml(path / "config.yaml") or {}).get("cohorts") or {}
    formats = dict.fromkeys(str(c["accelerator"]["number_format"]) for c in cohorts.values() if "accelerator" in c)
    return Job(path, "finished", overrides, summary["fleet"], tuple(formats))


def _status(path: Path) -> str:
    try:
        status = str(open_run(path).attrs["status"])
    except (OSError, KeyError, ValueError):
        return "failed before its first frame"
    return "unfinished" if status == "running" else status


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


def header(ranked: Sequence[Job]) -> list[str]:
    """Column titles: rank and job, what varies, results."""
    return ["#", "Job", *_varied(ranked), *(column.title for column in COLUMNS)]


def _varied(ranked: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(key for job in ranked for key in job.overrides))


def cells(ranked: Sequence[Job]) -> list[list[str]]:
    """One row of text per job; a job without a result says why in the last column."""
    varied, rows = _varied(ranked), []
    for place, job in enumerate(ranked, 1):
        values = [column.take(job.fleet) if job.fleet else None for column in COLUMNS]
        texts = [human.NOTHING if v is None else c.text(v) for c, v in zip(COLUMNS, values, strict=True)]
        own = [str(place) if job.fleet else human.NOTHING, job.folder.name, *(job.overrides.get(k, "") for k in varied)]
        rows.append([*own, *(texts if job.fleet else [*texts[:-1], job.status])])
    return rows


def warning(ranked: Sequence[Job]) -> str:
    """A sentence when jobs count different kinds of work; else empty."""
    formats = sorted({name for job in ranked for name in job.number_formats})
    if len(formats) < 2:
        return ""
    return f"These jobs count FLOP in different number formats ({', '.join(formats)}); compare them with care."


def to_csv(ranked: Sequence[Job]) -> str:
    """The ranking in SI units."""
    text = io.StringIO()
    writer = csv.writer(text)
    varied = _varied(ranked)
    writer.writerow(["rank", "job", "status", *varied, *(column.key for column in COLUMNS)])
    for place, job in enumerate(ranked, 1):
        values = [column.take(job.fleet) if job.fleet else "" for column in COLUMNS]
        own = [place if job.fleet else "", job.folder.name, job.status, *(job.overrides.get(key, "") for key in varied)]
        writer.writerow([*own, *values])
    return text.getvalue()


def to_html(ranked: Sequence[Job]) -> str:
    """The ranking as a page that links to each job's report."""
    head = "".join(f"<th>{escape(title)}</th>" for title in header(ranked))
    rows = "\n".join("<tr>" + _row(job, row) + "</tr>" for job, row in zip(ranked, cells(ranked), strict=True))
    return _PAGE.format(head=head, rows=rows, warning=escape(warning(ranked)))


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
<p>By work delivered for each kilogram launched. {warning}</p>
<table><tr>{head}</tr>
{rows}
</table></body></html>
"""
