"""What an import would change: per kind, field by field, and what that means for callers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from routing.bulk.check import KIND_OF, Name
from routing.bulk.reading import Known
from routing.differences import Difference, differences
from routing.directory import Directory
from routing.local_time import DAWN
from routing.model import (
    KINDS,
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
)
from routing.precedence import choose, describe
from routing.target_policy import NATIONAL, CarrierPolicy


@dataclass(frozen=True, slots=True)
class Change:
    """One entity that is added (no ``before``), removed (no ``after``) or changed."""

    kind: str
    id: str
    before: Entity | None
    after: Entity | None

    @property
    def fields(self) -> list[Difference]:
        """What differs, secrets not shown; nothing for what is added or removed."""
        return differences(self.before, self.after) if self.before is not None and self.after is not None else []


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


def compare(
    entities: Iterable[Entity],
    known: Known,
    gone: Mapping[Name, Entity],
    now: datetime = DAWN,
    carrier: CarrierPolicy = NATIONAL,
) -> Diff:
    """Return what the entities of a file change in what is known, with those removed that are ``gone``.

    What numbers are protected is told for the instant ``now``, and for what ``carrier`` lets be a target.
    """
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
    _protection(diff, known, now, carrier)
    return diff


def _switched(diff: Diff) -> None:
    for change in diff.changes:
        before = isinstance(change.before, Diversion) and change.before.armed
        after = isinstance(change.after, Diversion) and change.after.armed
        rule = change.after or change.before
        if before != after and isinstance(rule, Diversion):
            (diff.switched_on if after else diff.switched_off).append(f"{rule.id} ({describe(rule)})")


def _protection(diff: Diff, known: Known, now: datetime, carrier: CarrierPolicy) -> None:
    """Look at the numbers that the changes are about, before and after; nothing else can have lost its rule."""
    if not diff.changes:
        return
    before = directory_of(known.values(), now, carrier)
    after_known = dict(known)
    for change in diff.changes:
        if change.after is None:
            del after_known[change.kind, change.id]
        else:
            after_known[change.kind, change.id] = change.after
    after = directory_of(after_known.values(), now, carrier)
    touched: set[_Probe] = set()
    for directory, side in ((before, "before"), (after, "after")):
        for change in diff.changes:
            entity = getattr(change, side)
            if entity is not None:
                touched.update(_touched(entity, directory))
    for probe in sorted(touched):
        was, will_be = _armed(before, probe), _armed(after, probe)
        if was and will_be is False:
            diff.unprotected.append(probe.shown)
        elif will_be and was is False:
            diff.protected.append(probe.shown)


class _Probe(NamedTuple):
    """Numbers whose rules are looked at: one number (for a range its first), or without ``digits`` the whole of a block."""

    shown: str
    digits: str
    block: str


def directory_of(entities: Iterable[Entity], now: datetime = DAWN, carrier: CarrierPolicy = NATIONAL) -> Directory:
    """Return the directory of a full set of entities at an instant."""
    directory = Directory(carrier)
    directory.registry.now = now
    directory.registry.load(entities)
    directory.settle()
    return directory


def _touched(entity: Entity, directory: Directory) -> Iterator[_Probe]:
    """Yield the numbers and blocks whose rules an entity may change."""
    registry = directory.registry
    match entity:
        case Number(number=number) | Diversion(scope=NumberScope(number=number)):
            yield _Probe(number, number[1:], "")
        case Block(id=key) | Diversion(scope=BlockScope(block=key)):
            yield _Probe(f"block {key}", "", key)
        case Diversion(scope=RangeScope(block=key, first=first, last=last)):
            block = registry.blocks.get(key)
            if block is not None:
                yield _Probe(f"{block.base}-{first}…{last}", block.base[1:] + first, key)
        case Diversion(scope=OrderScope(), order=key) | Order(id=key):
            for number in registry.numbers_of.get(key, ()):
                digits = registry.numbers[number].digits
                yield _Probe(f"+{digits}", digits, "")
            yield from (_Probe(f"block {block}", "", block) for block in registry.blocks_of.get(key, ()))
        case Customer(id=key):
            for order in registry.orders_of.get(key, ()):
                yield from _touched(registry.orders[order], directory)
        case _:
            pass


def _armed(directory: Directory, probe: _Probe) -> bool | None:
    """Return whether an armed rule is for a number, or for the whole of a block; None when there is no such number."""
    if probe.digits:
        place = directory.place(probe.digits)
        if place is None:
            return None
        chosen = choose(directory.candidates(probe.digits, place), directory.resting)
        return chosen is not None and directory.counts(chosen)
    registry = directory.registry
    block = registry.blocks.get(probe.block)
    if block is None:
        return None
    rules = {*registry.block_rules.get(block.id, ()), *registry.order_rules.get(block.order, ())}
    return any(directory.counts(registry.diversions[rule]) for rule in rules)


def _what(change: Change) -> str:
    if change.before is None:
        return "added"
    return "removed" if change.after is None else "changed"


def _one(change: Change) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": change.kind, "id": change.id, "what": _what(change)}
    if change.before is not None and change.after is not None:
        found["fields"] = [{"field": one.path, "before": one.before, "after": one.after} for one in change.fields]
    elif change.after is not None:
        found["after"] = _public(change.after)
    elif change.before is not None:
        found["before"] = _public(change.before)
    return found


def _public(entity: Entity) -> dict[str, Any]:
    return entity.model_dump(mode="json", exclude={"credentials"}, exclude_defaults=True)
