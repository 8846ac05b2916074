"""What is different between two states of an entity, in words that a person who edits it understands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

SECRET_FIELDS: Final = frozenset({"ha1"})
"""Fields whose values are told to nobody, only that they differ."""
HIDDEN: Final = "(secret)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. ``path``: ``targets[0].number``; ``""`` for the whole entity, which one of them lacks.

    ``before`` and ``after`` are JSON values, None for what is not there; secrets read `HIDDEN`.
    """

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        """``targets[0].number: +493023125010 → +493023125011``."""
        if not self.path:
            return "absent → present" if self.before is None else "present → absent"
        return f"{self.path}: {_shown(self.before)} → {_shown(self.after)}"


def differences(before: BaseModel | Mapping[str, Any] | None, after: BaseModel | Mapping[str, Any] | None) -> list[Difference]:
    """List what differs between two states, in the order of the fields; None: there is no such entity.

    Lists are compared by position; what is null and what is not there are alike. Secrets are compared, and not shown.
    """
    one, other = _plain(before), _plain(after)
    if one is None or other is None:
        return [] if one is other else [Difference("", hidden(one), hidden(other))]
    return list(_mappings("", one, other))


def hidden(value: Any, field: str = "") -> Any:
    """Return a JSON value without its secrets."""
    if isinstance(value, Mapping):
        return {name: hidden(inner, name) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(inner, field) for inner in value]
    return HIDDEN if field in SECRET_FIELDS and value else value


def _plain(state: BaseModel | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return state.model_dump(mode="json") if isinstance(state, BaseModel) else state


def _mappings(path: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    for name in [*one, *(name for name in other if name not in one)]:
        yield from _values(f"{path}.{name}" if path else name, one.get(name), other.get(name), name)


def _values(path: str, one: Any, other: Any, field: str) -> Iterator[Difference]:
    if one == other:
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        yield from _mappings(path, one, other)
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            first = one[index] if index < len(one) else None
            second = other[index] if index < len(other) else None
            yield from _values(f"{path}[{index}]", first, second, field)
    else:
        yield Difference(path, hidden(one, field), hidden(other, field))


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items() if inner not in (None, [], "")) or "empty"
    if isinstance(value, list | tuple):
        return "; ".join(_shown(inner) for inner in value) or "empty"
    return str(value) if value != "" else "empty"
