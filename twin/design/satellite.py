"""A design as a profile of `conf/satellite/`: what it began from, the other choices, and the numbers that differ."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from twin import composing
from twin.conf_path import conf_dir
from twin.config import COHORT_SLOTS, FLEET_SLOTS
from twin.design.problem import Problem
from twin.design.spots import MONEY
from twin.refusal import ConfigError
from twin.tables import as_plain, at

NAME, BEFORE = "design", "reference"
FLEET = ("constellation", *FLEET_SLOTS)  # belongs to a run of satellites, not to one
SLOTS = (*(slot for slot in COHORT_SLOTS if slot not in FLEET), "thermal_network")
CHANCE = ("failures", "seed")  # belong to a run too, and are no profiles

Choices = Mapping[str, str]  # profile of each group
Values = Mapping[str, Any]


def check(problem: Problem, resolved: Values) -> None:
    """ConfigError for a number of a profile that only the scenarios choose: the design could not be written."""
    for variable in problem.variables:
        for path in (variable.path, *variable.scales):
            if at(resolved, path) is None:
                raise ConfigError(
                    f"design.variables.{variable.path}: {path} is only in profiles that the scenarios choose; "
                    f"must be in one of the whole problem ({path.partition('.')[0]}=PROFILE)"
                )


def numbers(problem: Problem, design: Sequence[float] | np.ndarray, resolved: Values) -> dict[str, float]:
    """Every number of the design by path, those in proportion included; a value of a curve has its number behind it."""
    found: dict[str, float] = {}
    for variable, value in zip(problem.variables, map(float, design), strict=True):
        found[variable.path] = value
        for path in variable.scales:
            found[path] = float(at(resolved, path)) * value / variable.first
    return found


def with_numbers(resolved: Values, found: Mapping[str, float], source: str) -> dict[str, Any]:
    """A configuration with numbers at their paths, each with its source."""
    changed = deepcopy(as_plain(resolved))
    for path, value in found.items():
        slot, _, key = path.partition(".")
        parent, _, last = path.rpartition(".")
        place = at(changed, parent)
        if isinstance(place, list):
            place[int(last)], key = value, key.rpartition(".")[0]
        else:
            place[last] = value
        changed[slot]["sources"] = {**(changed[slot].get("sources") or {}), key: source}
    return changed


def files(problem: Problem, design: Sequence[float] | np.ndarray, resolved: Values, choices: Choices) -> dict[str, str]:
    """`satellite/design.yaml`, and each chosen profile that conf/ does not have, by path in the folder."""
    changed = with_numbers(resolved, numbers(problem, design, resolved), f"optimised: {problem.name}")
    begins, own, slots = _begins(choices), _own(choices), _slots(problem)
    usual = composing.choices("simulate", [f"satellite={begins}"])
    chosen = {s: choices[s] for s in slots if s != "satellite" and s in choices and choices[s] != usual.get(s)}
    base = _base(begins, {slot: name for slot, name in chosen.items() if slot not in own})
    differs = {slot: changed[slot] if slot in own else _difference(changed[slot], base[slot]) for slot in slots}
    head = [begins, *({f"override /{slot}": name} for slot, name in chosen.items()), "_self_"]
    body = {"defaults": head, **{slot: values for slot, values in differs.items() if values}}
    title = f"# @package _global_\n# What {problem.name} made of the satellite {begins}.\n"
    return {f"satellite/{NAME}.yaml": title + _yaml(body)} | {
        f"{slot}/{name}.yaml": _yaml(changed[slot]) for slot, name in own.items()
    }


def commands(folder: Path, problem: Problem, resolved: Values, choices: Choices) -> dict[str, str]:
    """What simulates the design in each scenario: choices and numbers that belong to a run stand in the command."""
    whole = _run(problem, resolved, choices)
    given = (resolved.get("design") or {}).get("scenarios") or {}
    start = ["python", "scripts/simulate.py", "--config-dir", str(folder), f"satellite={NAME}"]
    found = {}
    for name in problem.scenarios:
        own = [override for override in given.get(name, ()) if _key(override).partition(".")[0] not in MONEY]
        keys = set(map(_key, own))
        found[name] = shlex.join([*start, *(line for line in whole if _key(line) not in keys), *own])
    return found


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _run(problem: Problem, resolved: Values, choices: Choices) -> list[str]:
    """Overrides of what belongs to a run, such as dates, failures and precision, and not to the satellite."""
    slots = [slot for slot in ("time", "precision", *FLEET) if slot not in _slots(problem)]
    usual = composing.choices("simulate", [f"satellite={_begins(choices)}"])
    chosen = {slot: choices[slot] for slot in slots if slot in choices and choices[slot] != usual.get(slot)}
    base = _base(_begins(choices), chosen)
    changed = [line for slot in slots for line in _overrides(slot, _difference(resolved[slot], base[slot]))]
    chance = [f"{key}={resolved[key]}" for key in CHANCE if resolved[key] != base[key]]
    return [*(f"{slot}={name}" for slot, name in chosen.items()), *chance, *changed]


def _begins(choices: Choices) -> str:
    """The satellite of conf/ that the design is told from."""
    name = choices.get("satellite", BEFORE)
    return name if _shipped("satellite", name) else BEFORE


def _own(choices: Choices) -> dict[str, str]:
    """Choices that come from elsewhere than conf/."""
    return {s: choices[s] for s in SLOTS if s != "satellite" and s in choices and not _shipped(s, choices[s])}


def _shipped(slot: str, name: str) -> bool:
    return (conf_dir() / slot / f"{name}.yaml").is_file()


def _slots(problem: Problem) -> list[str]:
    """Slots of a satellite, and of a run those in which a number is designed; those of money belong to neither."""
    paths = [path for variable in problem.variables for path in (variable.path, *variable.scales)]
    designed = {path.partition(".")[0] for path in paths}
    return [*SLOTS, *(slot for slot in FLEET if slot in designed)]


def _base(satellite: str, chosen: Choices) -> dict[str, Any]:
    return composing.composed("simulate", [f"satellite={satellite}", *(f"{s}={n}" for s, n in chosen.items())])[0]


def _yaml(values: Values) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)


def _difference(values: Values, base: Values) -> dict[str, Any]:
    """What of nested values another has not, or otherwise."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            if own := _difference(value, base[key]):
                found[key] = own
        elif key not in base or base[key] != value:
            found[key] = value
    return found


def _overrides(path: str, values: Values) -> Iterator[str]:
    """Nested numbers as overrides of the command line; what is told about them is left out."""
    for key, value in values.items():
        if key in ("sources", "name"):
            continue
        if isinstance(value, Mapping):
            yield from _overrides(f"{path}.{key}", value)
        else:
            yield f"{path}.{key}={json.dumps(value)}"
