"""Many designs of one model: a column of values for each number that varies, checked before anything runs."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from kernels import registry
from kernels.quantity import Quantity
from twin.config import COHORT_SLOTS, FLEET_SLOTS
from twin.cross_checks import check_numbers
from twin.model import Model, check_plane
from twin.network_numbers import NETWORK, network_quantities, site_quantities
from twin.refusal import ConfigError, nearest
from twin.structure import Params, Structure


class Place(NamedTuple):
    """Where a number of a design lies in Params, the same in all these cohorts; keys have dots in what is nested."""

    cohorts: tuple[str, ...]
    slot: str
    key: str


class Column(NamedTuple):
    """The values of one number, (design,), with its place and quantity."""

    place: Place
    quantity: Quantity
    values: np.ndarray


def columns(model: Model, designs: Mapping[str, ArrayLike]) -> dict[str, Column]:
    """Checked values of every path, float64, (design,); ConfigError names the design, counted from 0, and its key."""
    if not designs:
        raise ConfigError("designs: no column; must map a path such as 'radiator.area_m2' to a value for each design")
    known = quantities(model.structure)
    found = {path: _column(path, values, known) for path, values in designs.items()}
    first, *others = found
    count = len(found[first].values)
    for path in others:
        if len(found[path].values) != count:
            raise ConfigError(f"{path}: {len(found[path].values)} values; must be as many as {first}, {count}")
    _check_together(model, found, count)
    return found


def places(structure: Structure, paths: Iterable[str]) -> dict[str, Place]:
    """Where the numbers at some paths lie; ConfigError for a path that is no single number."""
    known = quantities(structure)
    return {path: _found(path, known)[0] for path in paths}


def placed(params: Params, places: tuple[Place, ...], numbers: tuple[Any, ...]) -> Params:
    """Parameters with one design's numbers at their places."""
    design = {name: dict(own) for name, own in params.items()}
    for place, number in zip(places, numbers, strict=True):
        for cohort in place.cohorts:
            design[cohort][place.slot] = _with(design[cohort][place.slot], place.key.split("."), number)
    return design


def number(params: Params, place: Place) -> Any:
    """The number at a place, in the first of its cohorts."""
    return reduce(_inside, place.key.split("."), params[place.cohorts[0]][place.slot])


def _inside(held: Any, key: str) -> Any:
    return held[key] if isinstance(held, Mapping) else held[int(key)]


def _with(held: Any, keys: Sequence[str], number: Any) -> Any:
    first, *rest = keys
    if not isinstance(held, Mapping):
        return held.at[int(first)].set(number)
    return {**held, first: _with(held[first], rest, number) if rest else number}


def quantities(structure: Structure) -> dict[str, tuple[Place, Quantity]]:
    """Place and quantity of every number of the slots by path; with several cohorts, a cohort's name comes first.

    A value of an orbit's schedule has its number behind it: "workload.schedule.3".
    """
    names = tuple(cohort.name for cohort in structure.cohorts)
    models = {"workload": structure.workload_model, "atmosphere": structure.atmosphere_model}
    models["ground_network"] = structure.ground_network_model
    slots = [("", names, slot, models.get(slot)) for slot in FLEET_SLOTS]
    for cohort in structure.cohorts:
        prefix = f"{cohort.name}." if len(names) > 1 else ""
        slots += [(prefix, (cohort.name,), slot, cohort.model(slot) or None) for slot in COHORT_SLOTS]
    own = {
        f"{prefix}{slot}.{key}": (Place(cohorts, slot, key), parameter.quantity)
        for prefix, cohorts, slot, model in slots
        for key, parameter in registry.schema(slot, model).items()
    }
    for k in range(structure.workload_values):
        place, quantity = own["workload.schedule"]
        own[f"workload.schedule.{k}"] = place._replace(key=f"schedule.{k}"), replace(quantity, knots=0)
    for key, quantity in site_quantities(structure.sites).items():
        own[f"ground_network.{key}"] = Place(names, "ground_network", key), quantity
    return own | {
        f"{cohort.name + '.' if len(names) > 1 else ''}{NETWORK}.{key}": (Place((cohort.name,), NETWORK, key), quantity)
        for cohort in structure.cohorts
        for key, quantity in network_quantities(cohort).items()
    }


def _found(path: str, known: Mapping[str, tuple[Place, Quantity]]) -> tuple[Place, Quantity]:
    if path not in known:
        raise ConfigError(f"{path}: no number that a design can vary{nearest(path, known)}")
    place, quantity = known[path]
    if quantity.knots:
        single = f", such as {path}.0" if f"{path}.0" in known else ""
        raise ConfigError(f"{path}: is a curve; designs vary single numbers{single}")
    return place, quantity


def _column(path: str, values: ArrayLike, known: Mapping[str, tuple[Place, Quantity]]) -> Column:
    place, quantity = _found(path, known)
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(f"{path}: must be a column of numbers, one for each design") from None
    if column.ndim != 1 or not column.size:
        raise ConfigError(f"{path}: must be a column of numbers, one for each design; its shape is {column.shape}")
    for number, value in enumerate(column.tolist()):
        if not quantity.accepts(value):
            raise ConfigError(f"design {number}: {path} = {value:g}: must be {quantity.allowed}")
    return Column(place, quantity, column)


def _check_together(model: Model, found: Mapping[str, Column], count: int) -> None:
    """What no single range can refuse, design by design, as for the configuration of a run."""
    for cohort in model.structure.cohorts:
        own = [column for column in found.values() if cohort.name in column.place.cohorts]
        params = model.params[cohort.name]
        profiles = {
            slot: SimpleNamespace(
                model=cohort.model(slot), **{key: np.asarray(number).tolist() for key, number in params[slot].items()}
            )
            for slot in COHORT_SLOTS
        }
        checked = [column for column in own if column.place.slot in profiles]
        moves = any(column.place.slot == "orbit" for column in checked)
        for number in range(count if checked else 0):
            for place, _, values in checked:
                setattr(profiles[place.slot], place.key, float(values[number]))
            try:
                check_numbers(profiles)
                if moves:
                    check_plane(profiles["orbit"])
            except ConfigError as error:
                raise ConfigError(f"design {number}: {error}") from None


def read_csv(path: Path) -> dict[str, np.ndarray]:
    """Columns of a table whose header holds paths and whose rows are designs; ConfigError names file and line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(reader.line_num, row) for reader in [csv.reader(file)] for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a CSV table ({error})") from None
    if len(rows) < 2:
        raise ConfigError(f"{path}: must have a header of paths such as radiator.area_m2, and a row for each design")
    (_, header), *designs = rows
    names = [name.strip() for name in header]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path}: the column {twice!r} stands there twice")
    for line, row in designs:
        if len(row) != len(names):
            raise ConfigError(f"{path}, line {line}: {len(row)} values; the header has {len(names)}")
    return {
        name: np.array([_number(f"{path}, line {line}: {name}", row[k]) for line, row in designs])
        for k, name in enumerate(names)
    }


def _number(where: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{where} = {text!r}: must be a number") from None
