"""What an import would change: per kind, field by field, and what that means for callers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from routing.bulk.check import KIND_OF, Name
from routing.bulk.reading import Known
from routing.directory import Directory
from routing.model import (
    KINDS,
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
)
from routing.precedence import choose, describe

HIDDEN: Final = "(not shown)"
"""In place of values that nobody shall read."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, such as ``site.address``; None: it was not there, or is not there any more."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One entity that is added (no ``before``), removed (no ``after``) or changed."""

    kind: str
    id: str
    before: Entity | None
    after: Entity | None

    @property
    def fields(self) -> list[FieldChange]:
        """What differs; nothing for what is added or removed."""
        if self.before is None or self.after is None:
            return []
        return list(_fields(self.before.model_dump(mode="json"), self.after.model_dump(mode="json"), ""))


@dataclass
class Diff:
    """All that an import would do, in the order in which the kinds refer to each other; removed entities last."""

    changes: list[Change] = field(default_factory=list)
    unchanged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    switched_on: list[str] = field(default_factory=list)
    """Rules that are armed from then on, and were not there or not armed before."""
    switched_off: list[str] = field(default_factory=list)
    unprotected: list[str] = field(default_factory=list)
    """Numbers and blocks of which calls would be diverted now in a failure, and would not be any more."""
    protected: list[str] = field(default_factory=list)
    """The other way round."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many of each kind are added, changed, removed and unchanged."""
        found = {kind: {"added": 0, "changed": 0, "removed": 0, "unchanged": self.unchanged[kind]} for kind in KINDS}
        for change in self.changes:
            found[change.kind][_what(change)] += 1
        return found

    def as_json(self) -> dict[str, Any]:
        """Return everything, for machines."""
        return {
            "counts": self.counts(),
            "changes": [_one(change) for change in self.changes],
            "switched_on": self.switched_on,
            "switched_off": self.switched_off,
            "protected": self.protected,
            "unprotected": self.unprotected,
        }


def compare(entities: Iterable[Entity], known: Known, gone: Mapping[Name, Entity]) -> Diff:
    """Return what the entities of a file change in what is known, with those removed that are ``gone``."""
    diff = Diff()
    ranks = {kind: rank for rank, kind in enumerate(KINDS)}
    for entity in entities:
        kind = KIND_OF[type(entity)]
        before = known.get((kind, entity.id))
        if before == entity:
            diff.unchanged[kind] += 1
        else:
            diff.changes.append(Change(kind, entity.id, before, entity))
    diff.changes.sort(key=lambda change: ranks[change.kind])
    removed = [Change(kind, key, entity, None) for (kind, key), entity in gone.items()]
    diff.changes += sorted(removed, key=lambda change: -ranks[change.kind])
    _switched(diff)
    _protection(diff, known)
    return diff


def _switched(diff: Diff) -> None:
    for change in diff.changes:
        before = isinstance(change.before, Diversion) and change.before.armed
        after = isinstance(change.after, Diversion) and change.after.armed
        rule = change.after or change.before
        if before != after and isinstance(rule, Diversion):
            (diff.switched_on if after else diff.switched_off).append(f"{rule.id} ({describe(rule)})")


def _protection(diff: Diff, known: Known) -> None:
    """Look at the numbers that the changes are about, before and after; nothing else can have lost its rule."""
    if not diff.changes:
        return
    before = directory_of(known.values())
    after_known = dict(known)
    for change in diff.changes:
        if change.after is None:
            del after_known[change.kind, change.id]
        else:
            after_known[change.kind, change.id] = change.after
    after = directory_of(after_known.values())
    touched: set[tuple[str, str]] = set()
    for directory, side in ((before, "before"), (after, "after")):
        for change in diff.changes:
            entity = getattr(change, side)
            if entity is not None:
                touched.update(_touched(entity, directory))
    for kind, key in sorted(touched):
        was, now = _armed(before, kind, key), _armed(after, kind, key)
        if was and now is False:
            diff.unprotected.append(key)
        elif now and was is False:
            diff.protected.append(key)


def directory_of(entities: Iterable[Entity]) -> Directory:
    """Return the directory of a full set of entities."""
    directory = Directory()
    directory.registry.load(entities)
    directory.settle()
    return directory


def _touched(entity: Entity, directory: Directory) -> Iterator[tuple[str, str]]:
    """Yield the numbers (E.164) and blocks (id) whose rules an entity may change."""
    registry = directory.registry
    match entity:
        case Number():
            yield "number", entity.number
        case Block():
            yield "block", entity.id
        case Diversion(scope=NumberScope(number=number)):
            yield "number", number
        case Diversion(scope=BlockScope(block=block) | RangeScope(block=block)):
            yield "block", block
        case Diversion(scope=OrderScope(), order=key) | Order(id=key):
            yield from (("number", f"+{registry.numbers[number].digits}") for number in registry.numbers_of.get(key, ()))
            yield from (("block", block) for block in registry.blocks_of.get(key, ()))
        case Customer(id=key):
            for order in registry.orders_of.get(key, ()):
                yield from _touched(registry.orders[order], directory)
        case Line():
            pass


def _armed(directory: Directory, kind: str, key: str) -> bool | None:
    """Return whether an armed rule is for a number, or for the whole of a block; None when there is no such number."""
    if kind == "number":
        place = directory.place(key[1:])
        if place is None:
            return None
        chosen = choose(directory.candidates(key[1:], place), directory.resting)
        return chosen is not None and directory.counts(chosen)
    block = directory.registry.blocks.get(key)
    if block is None:
        return None
    rules = {*directory.registry.block_rules.get(key, ()), *directory.registry.order_rules.get(block.order, ())}
    return any(directory.counts(directory.registry.diversions[rule]) for rule in rules)


def _what(change: Change) -> str:
    if change.before is None:
        return "added"
    return "removed" if change.after is None else "changed"


def _one(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": change.kind, "id": change.id, "what": _what(change)}
    if change.before is not None and change.after is not None:
        found["fields"] = [{"field": one.field, "before": one.before, "after": one.after} for one in change.fields]
    elif change.after is not None:
        found["after"] = _public(change.after)
    elif change.before is not None:
        found["before"] = _public(change.before)
    return found


def _public(entity: Entity) -> dict[str, Any]:
    return entity.model_dump(mode="json", exclude={"credentials"}, exclude_defaults=True)


def _fields(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> Iterator[FieldChange]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        where = f"{prefix}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _fields(old, new, f"{where}.")
        elif name == "credentials":
            yield FieldChange(where, HIDDEN, HIDDEN)
        else:
            yield FieldChange(where, old, new)
