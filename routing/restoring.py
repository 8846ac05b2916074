"""Whether what an undo restores or removes fits beside everything else: as strict as for a new document."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from routing.crosscheck import crosscheck
from routing.local_time import DAWN
from routing.model import KINDS, Entity
from routing.references import references
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
        for _, kind, entity_id in references(entity)
        if (kind, entity_id) not in names
    ]
    faults += _still_used(others, gone)
    # What refers to nothing cannot be looked at any further.
    return faults or crosscheck(placed, others, carrier, now)


def _still_used(others: Iterable[Entity], gone: Collection[Name]) -> Iterator[Fault]:
    told: set[Name] = set()
    if not gone:
        return
    for entity in others:
        for _, kind, key in references(entity):
            if (kind, key) in gone and (kind, key) not in told:
                told.add((kind, key))
                user = f"{_KIND_OF[type(entity)]} {entity.id}"
                yield fault("still_used", f"{kind} {key}", kind=kind, id=key, user=user)
