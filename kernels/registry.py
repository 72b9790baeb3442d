"""Named models per slot: a function's keyword-only parameters are the schema of its YAML.

`@model("battery")` offers a function as a choice of `model:` in `conf/battery/*.yaml`.
`@part("battery")` adds a function, and its parameters, to every profile of the slot, or of one model with `of`.
Positional arguments are inputs that the twin passes; keyword-only arguments are parameters.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from kernels.quantity import Quantity

Function = TypeVar("Function", bound=Callable[..., Any])

_models: dict[str, dict[str, Callable[..., Any]]] = {}
_parts: dict[str, list[tuple[str | None, Callable[..., Any]]]] = {}


@dataclass(frozen=True)
class Parameter:
    """One keyword-only parameter of a kernel: its quantity and default (None: required)."""

    quantity: Quantity
    default: float | None


@cache
def parameters(function: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Parameters of a kernel by name; TypeError when one lacks a unit or its name the unit's suffix."""
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for name, argument in inspect.signature(function).parameters.items():
        if argument.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        quantity = next((m for m in getattr(hints[name], "__metadata__", ()) if isinstance(m, Quantity)), None)
        if quantity is None:
            raise TypeError(f"{function.__module__}.{function.__name__}: {name} has no Quantity")
        if not name.endswith(quantity.suffix):
            raise TypeError(f"{function.__module__}.{function.__name__}: {name} must end in {quantity.suffix}")
        default = None if argument.default is inspect.Parameter.empty else float(argument.default)
        found[name] = Parameter(quantity, default)
    return found


def _inputs(function: Callable[..., Any]) -> list[str]:
    arguments = inspect.signature(function).parameters.values()
    return [a.name for a in arguments if a.kind is not inspect.Parameter.KEYWORD_ONLY]


def model(slot: str, name: str = "") -> Callable[[Function], Function]:
    """Register a function as a selectable model of a slot, under its own name unless another is given.

    All models of a slot take the same inputs.
    """

    def register(function: Function) -> Function:
        siblings = _models.setdefault(slot, {})
        for other in siblings.values():
            if _inputs(other) != _inputs(function):
                raise TypeError(f"models of slot {slot!r} take {_inputs(other)}, {function.__name__} differs")
        parameters(function)
        siblings[name or function.__name__] = function
        return function

    return register


def part(slot: str, of: str | None = None) -> Callable[[Function], Function]:
    """Register a function whose parameters belong to every profile of a slot, or to those of one model."""

    def register(function: Function) -> Function:
        parameters(function)
        _parts.setdefault(slot, []).append((of, function))
        return function

    return register


def models(slot: str) -> Mapping[str, Callable[..., Any]]:
    """Selectable models of a slot by name; empty when its profiles have no choice of model."""
    return _models.get(slot, {})


def schema(slot: str, model_name: str | None) -> dict[str, Parameter]:
    """All parameters of a profile: those of the chosen model and of every part of the slot."""
    functions = [function for of, function in _parts.get(slot, []) if of in (None, model_name)]
    if model_name is not None:
        functions.append(_models[slot][model_name])
    merged: dict[str, Parameter] = {}
    for function in functions:
        for name, parameter in parameters(function).items():
            if name in merged:
                raise TypeError(f"parameter {slot}.{name} is declared twice")
            merged[name] = parameter
    return merged


def call(function: Callable[..., Any], profile: Mapping[str, Any], *inputs: Any) -> Any:
    """Evaluate a kernel with its parameters taken from a profile by name."""
    return function(*inputs, **{name: profile[name] for name in parameters(function)})
