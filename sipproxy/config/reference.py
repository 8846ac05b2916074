"""The reference of all keys as Markdown, made from the model: ``python -m sipproxy.config.reference`` prints it."""

import json
import types
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sipproxy.config.model import Configuration

_NAMES = {str: "text", int: "whole number", float: "number", bool: "true/false", Path: "path"}


def _type(annotation: Any) -> str:
    if annotation in _NAMES:
        return _NAMES[annotation]
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in get_args(annotation))
    if origin is dict:
        return f"table of {_type(get_args(annotation)[1])}"
    if origin is list:
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is types.UnionType or origin is not None:
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _type(members[0])
    return str(annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined:
        return "—"
    return f"`{json.dumps(value)}`"


def _rows(model: type[BaseModel]) -> str:
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if _model_of(field.annotation) is None:
            description = (field.description or "").replace("|", "\\|")
            rows.append(f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {description} |")
    return "\n".join(rows)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and not get_origin(candidate) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _heading(name: str, annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is list:
        return f"[[{name}]]"
    return f"[{name}.NAME]" if origin is dict else f"[{name}]"


def reference() -> str:
    """All tables of the file with their keys."""
    parts = ["### Top of the file", _summary(Configuration), _rows(Configuration)]
    for name, field in Configuration.model_fields.items():
        model = _model_of(field.annotation)
        if model is not None:
            parts += [f"### `{_heading(name, field.annotation)}`", _summary(model), _rows(model)]
    return "\n\n".join(parts) + "\n"


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201 - this module is a command
