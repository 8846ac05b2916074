"""Whether what an undo restores or removes fits beside everything else: as strict as for a new document."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from routing.crosscheck import crosscheck
from routing.local_time import DAWN
from routing.model import (
    KINDS,
    Block,
    BlockScope,
    Diversion,
    Entity,
    Line,
    Number,
    Order,
    RangeScope,
    User,
)
from routing.rejection import Fault, fault
from routing.target_policy import NATIONAL, CarrierPolicy

_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
Name = tuple[str, str]


def restoring_faults(
    restored: Iterable[Entity],
    removed: Collection[Name],
    existing: Iterable[Entity],
    carrier: CarrierPolicy = NATIONAL,
    *,
    now: datetime = DAWN,
) -> list[Fault]:
    """Return what is wrong with writing ``restored`` and removing ``removed`` (kind, id), beside ``existing`` as it is now.

    The place of each fault is ``kind id``. Dates that are over at ``now`` are not looked at. Takes time in proportion to all entities.
    """
    placed = [(f"{_KIND_OF[type(entity)]} {entity.id}", entity) for entity in restored]
    written = {(_KIND_OF[type(entity)], entity.id) for _, entity in placed}
    gone = set(removed) - written
    others = [entity for entity in existing if (_KIND_OF[type(entity)], entity.id) not in gone | written]
    names = {(_KIND_OF[type(entity)], entity.id) for entity in others} | written
    faults = [
        fault("reference_missing", place, kind=kind, id=entity_id)
        for place, entity in placed
        for kind, entity_id in references(entity)
        if (kind, entity_id) not in names
    ]
    faults += _still_used(others, gone)
    # What refers to nothing cannot be looked at any further.
    return faults or crosscheck(placed, others, carrier, now)


def references(entity: Entity) -> Iterator[Name]:
    """Yield kind and id of what an entity refers to."""
    match entity:
        case User():
            if entity.customer is not None:
                yield "customer", entity.customer
        case Order():
            yield "customer", entity.customer
        case Line():
            yield "order", entity.order
        case Number() | Block():
            yield "order", entity.order
            yield "line", entity.line
            if entity.move is not None:
                yield "order", entity.move.order
                yield "line", entity.move.line
        case Diversion():
            yield "order", entity.order
            if isinstance(entity.scope, BlockScope | RangeScope):
                yield "block", entity.scope.block
        case _:
            return


def _still_used(others: Iterable[Entity], gone: Collection[Name]) -> Iterator[Fault]:
    told: set[Name] = set()
    if not gone:
        return
    for entity in others:
        for name in references(entity):
            if name in gone and name not in told:
                told.add(name)
                user = f"{_KIND_OF[type(entity)]} {entity.id}"
                yield fault("still_used", f"{name[0]} {name[1]}", kind=name[0], id=name[1], user=user)
