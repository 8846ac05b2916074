"""Reading a parsed document field by field: each value knows its place, faults are gathered, nothing is raised half-way."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from routing.rejection import Fault, RuleRejected, fault

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_NAMES: Mapping[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number with a point",
    dict: "a group of fields",
    list: "a list",
    type(None): "nothing",
}


def named(kind: type) -> str:
    """Return what a kind of value is called in messages."""
    return _NAMES.get(kind, kind.__name__)


class Group:
    """A group of fields at a place of the document."""

    def __init__(self, value: object, location: str, faults: list[Fault], known: tuple[str, ...]) -> None:
        """A value that is no group is a fault and reads as an empty one; so is a field that is not ``known``."""
        self.location = location
        self.faults = faults
        self.sound = isinstance(value, dict)
        self._fields: Mapping[object, object] = value if isinstance(value, dict) else {}
        if not self.sound:
            faults.append(fault("field_type", location, found=named(type(value)), wanted=named(dict), hint=""))
        for name in self._fields:
            if name not in known:
                shown = str(name)[:40]
                faults.append(fault("field_unknown", self.at(shown), field=shown, known=", ".join(known)))

    def at(self, field: str) -> str:
        """Return the place of a field."""
        return f"{self.location}.{field}" if self.location else field

    def has(self, field: str) -> bool:
        """Return whether a field is there and is not empty."""
        return self._fields.get(field) is not None

    def raw(self, field: str) -> object:
        """Return a field as it is, None if it is missing."""
        return self._fields.get(field)

    def value(self, field: str, kind: type[T], *, needed: bool = False, hint: str = "") -> T | None:
        """Return a field if it is of ``kind``; a wrong or a missing needed one is a fault and reads as None."""
        found = self._fields.get(field)
        if found is None:
            if needed and self.sound:
                self.faults.append(fault("field_missing", self.at(field), field=field))
            return None
        # YAML reads true as a bool, which Python counts among the whole numbers.
        if isinstance(found, kind) and not (kind is int and isinstance(found, bool)):
            return found
        if kind is str and isinstance(found, int | float):
            hint = " by putting it in quotes; without them leading zeros are lost"
        self.faults.append(fault("field_type", self.at(field), found=named(type(found)), wanted=named(kind), hint=hint))
        return None

    def items(self, field: str) -> Iterator[tuple[str, object]]:
        """Yield place and value of the items of a list; a missing list has none."""
        found: list[object] | None = self.value(field, list)
        for index, item in enumerate(found or ()):
            yield f"{self.at(field)}[{index}]", item

    def one_or_many(self, field: str) -> Iterator[tuple[str, object]]:
        """Yield place and value of the items of a list, or of a single value that stands for a list of one."""
        found = self._fields.get(field)
        if isinstance(found, list):
            yield from self.items(field)
        elif found is not None:
            yield self.at(field), found

    def say(self, type_: str, field: str = "", /, **context: str) -> None:
        """Add a fault at a field, or at the group itself."""
        self.faults.append(fault(type_, self.at(field) if field else self.location, **context))

    def take(self, refused: RuleRejected) -> None:
        """Add the faults of a refusal, which name their own places."""
        self.faults.extend(refused.faults)


def build(kind: type[M], group: Group, /, **fields: object) -> M | None:
    """Build a model from what was read; what it refuses is a fault at the field. None stands for what was missing."""
    given = {name: value for name, value in fields.items() if value is not None}
    before = len(group.faults)
    try:
        return kind(**given)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False):
            if item["type"] == "missing":
                continue  # its absence was reported when it was read
            place = ".".join(str(part) for part in item["loc"])
            shown = "" if place in _SECRET else str(item["input"])[:40]
            group.say("field_value", place, text=shown, why=why_not(item["msg"], place))
        if len(group.faults) == before and not group.faults:
            group.say("field_value", text=kind.__name__, why="it is not complete")
        return None


_SECRET = frozenset({"ha1", "password"})
_ID_RULE = "letters, digits, dots, hyphens and underscores only, at most 64, the first a letter or digit"


def why_not(message: str, place: str) -> str:
    """Return why a model refused a value at a field, as the second half of a sentence."""
    if place in {"id", "block", "line", "order"}:
        return f"a name has {_ID_RULE}"
    return message[0].lower() + message[1:]
