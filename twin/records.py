"""Trees of arrays and frozen structures as plain data under dotted keys, and back by their type annotations.

What is read back is data alone: the types are those that the caller names, none comes from the file.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import jax
import numpy as np

T = TypeVar("T")
_DOT = "%2E"  # a dot within a name


def flat(tree: Any) -> dict[str, np.ndarray]:
    """Every leaf of a tree under its dotted path, such as state.temperature_k.bus."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {".".join(_word(part) for part in path): np.asarray(leaf) for path, leaf in leaves}


def _word(part: Any) -> str:
    """An entry of a path: name of a field, key of a dict, or number in a tuple."""
    found = (getattr(part, kind) for kind in ("name", "key", "idx") if hasattr(part, kind))
    return str(next(found)).replace(".", _DOT)


def nested(leaves: Mapping[str, T]) -> dict[str, Any]:
    """Dotted keys as dicts in dicts."""
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *parents, last = (word.replace(_DOT, ".") for word in path.split("."))
        node = tree
        for word in parents:
            node = node.setdefault(word, {})
        node[last] = leaf
    return tree


def built(kind: Any, plain: Any) -> Any:
    """An object of a type from dicts and lists: named tuples, data classes, tuples and dicts by their annotations."""
    origin, arguments = get_origin(kind), get_args(kind)
    if type(None) in arguments:
        lacking = plain is None or (isinstance(plain, Mapping) and not plain)
        return None if lacking else built(arguments[0], plain)
    if isinstance(kind, type) and (hasattr(kind, "_fields") or is_dataclass(kind)):
        return kind(**{name: built(own, plain.get(name, {})) for name, own in get_type_hints(kind).items()})
    if origin is tuple:
        items = [plain[key] for key in sorted(plain, key=int)] if isinstance(plain, Mapping) else plain
        kinds = arguments[:1] * len(items) if arguments[-1] is Ellipsis else arguments
        return tuple(built(own, item) for own, item in zip(kinds, items, strict=True))
    if isinstance(plain, Mapping):
        of_key, of_value = arguments if origin is dict else (str, Any)
        return {_key(of_key, key): built(of_value, value) for key, value in plain.items()}
    return plain


def _key(kind: Any, text: str) -> Any:
    """A key of a dict: a name, or a pair of numbers as it is printed."""
    return tuple(map(int, text.strip("()").split(","))) if get_origin(kind) is tuple else text
