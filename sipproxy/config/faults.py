"""pydantic's errors as faults that a newcomer understands: the key as it is written in the file, and the remedy."""

import difflib
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sipproxy.config.model import Configuration
from sipproxy.config.positions import Path, line_of
from sipproxy.config.types import NAME_PATTERN
from sipproxy.errors import Fault

_TYPES = {
    "string_type": ("text", 'put it in quotes: "…"'),
    "int_type": ("a whole number", "write it without quotes and without a decimal point"),
    "int_from_float": ("a whole number", "write it without a decimal point"),
    "float_type": ("a number", "write it without quotes"),
    "bool_type": ("true or false", "write true or false without quotes"),
    "list_type": ("a list", "put it in brackets: [ … ]"),
    "dict_type": ("a table", "write it as a [table]"),
    "model_type": ("a table", "write it as a [table]"),
    "path_type": ("a path", 'put it in quotes: "…"'),
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def key_text(path: Iterable[str | int]) -> str:
    """Write the key as people write it: ``core_peers[1].address``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and not get_origin(annotation):
        if issubclass(annotation, BaseModel):
            yield annotation
    elif isinstance(annotation, UnionType) or get_origin(annotation):
        for argument in get_args(annotation):
            yield from _models(argument)


def known_keys(path: Path) -> list[str]:
    """Return the keys that the table at ``path`` may hold."""
    model: type[BaseModel] = Configuration
    for part in path:
        if isinstance(part, str) and part in model.model_fields:
            model = next(iter(_models(model.model_fields[part].annotation)), model)
    return list(model.model_fields)


def _remedy(error: ErrorDetails, path: Path) -> tuple[str, str]:  # noqa: PLR0911 - one return per kind of error
    kind, context = error["type"], error.get("ctx", {})
    value = "(hidden)" if path == ("store", "url") else repr(error.get("input"))  # an URL may carry a password
    if kind == "extra_forbidden":
        keys = known_keys(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), keys, n=1, cutoff=0.6)
        return "unknown key", f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(sorted(keys))}"
    if kind == "missing":
        return "is missing", f"add {path[-1]} = …; docs/configuration.md tells what it means"
    if kind in _TYPES:
        wanted, remedy = _TYPES[kind]
        return f"{value} is not {wanted}", remedy
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{value} is out of bounds", f"it must be {words} {context[name]}"
    if kind == "too_short":
        return "has too few entries", f"give at least {context['min_length']}"
    if kind == "too_long":
        return "has too many entries", f"give at most {context['max_length']}"
    if kind == "literal_error":
        return f"{value} is not one of the choices", f"choose {context['expected']}"
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return f"{value} is no name", "use letters, digits, dots, dashes and underscores; at most 64"
    if kind == "string_pattern_mismatch":
        return _form(context["pattern"], path, value)
    return error["msg"], str(context.get("remedy", "docs/configuration.md tells what it means"))


def _form(pattern: str, path: Path, value: str) -> tuple[str, str]:
    if pattern == NAME_PATTERN:
        return f"{value} is no name", "use letters, digits, dots, dashes and underscores; at most 64"
    if path == ("store", "url"):
        return f"{value} does not name a store", 'write "embedded", or redis://HOST:PORT, rediss://HOST:PORT or unix:///PATH'
    return f"{value} does not have the right form", f"it must match {pattern}"


def faults_of(errors: Iterable[ErrorDetails], file: str, found: Mapping[Path, int]) -> tuple[Fault, ...]:
    """One fault per place; a union that refused a value in each of its members counts once."""
    faults: dict[Path, Fault] = {}
    for error in errors:
        path = _in_file(error["loc"])
        message, remedy = _remedy(error, path)
        faults.setdefault(path, Fault(file, key_text(path), message, remedy, line_of(path, dict(found))))
    return tuple(faults.values())


def _in_file(loc: Path) -> Path:
    """Pydantic names the member of a union in the location; the file does not have it."""
    return tuple(
        part
        for part in loc
        if not (isinstance(part, str) and ("[" in part or part in {"str", "int", "float", "bool"}) and part != loc[0])
    )
