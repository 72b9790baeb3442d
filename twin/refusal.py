"""How input is refused: one clear sentence with key, what was given, what is allowed and the nearest valid name."""

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

NUMBER = "must be a number, in the unit that its key names, without a unit of its own"
WHOLE, GROUP = "must be a whole number", "must be a group of keys, not a single value"
WORDS = {  # for what Pydantic has its own
    "float_type": NUMBER,
    "float_parsing": NUMBER,
    "int_type": WHOLE,
    "int_from_float": WHOLE,
    "dict_type": GROUP,
    "model_type": GROUP,
    "list_type": "must be a list",
    "string_type": "must be text",
    "bool_type": "must be true or false",
}


class ConfigError(Exception):
    """A refused input; its text is the one sentence, on one line, that the user reads."""

    def __init__(self, text: str) -> None:
        super().__init__(text.replace("\n", "\\n").replace("\r", "\\r"))


def parse_utc(text: str) -> datetime:
    """An ISO 8601 instant in UTC; ValueError when it is none or lies outside 1950-2050."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be an instant in UTC, ISO 8601, such as 2026-06-14T00:00:00") from None
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    if not 1950 <= instant.year < 2050:
        raise ValueError("must lie in 1950-2049, where the Sun's position is accurate")
    return instant


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name most like a word, as a remark for an error message; empty when none is close."""
    close = difflib.get_close_matches(word, [name for name in known if name != word], n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def sentence(where: str, error: Mapping[str, Any], known: Iterable[str], model_name: str | None) -> str:
    """The first error of a model as one sentence: key, what was given, what is allowed."""
    path = ".".join([where, *(str(part) for part in error["loc"])]).strip(".")
    given = error.get("input")
    kind, message = error["type"], error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"{path} = {given!r}: unknown key{nearest(str(error['loc'][-1]), known)}"
    if kind == "missing":
        needs = f"; model {model_name!r} needs it" if model_name else ""
        return f"{path}: missing{needs}"
    message = WORDS[kind] if kind in WORDS else message.replace("Input should be", "must be")
    if kind in ("too_short", "too_long"):
        least, most, has = (error["ctx"].get(key) for key in ("min_length", "max_length", "actual_length"))
        message = f"must have at {f'least {least}' if kind == 'too_short' else f'most {most}'} items, not {has}"
    return f"{path} = {given!r}: {message[:1].lower()}{message[1:]}"
