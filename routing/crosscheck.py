"""Whether the entities of a document fit together, and with those that are stored."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from routing.cautions import warnings_of
from routing.directory import Directory
from routing.foresight import foresee
from routing.local_time import DAWN, shown
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
    RangeScope,
    User,
)
from routing.overlaps import block_faults, number_faults
from routing.rejection import Fault, RuleWarning, fault
from routing.rulefile import in_file
from routing.stays import product_fault, stay_at
from routing.target_policy import NATIONAL, CarrierPolicy
from routing.targets import check_diversion

_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
Placed = list[tuple[str, Entity]]


def crosscheck(
    placed: Placed,
    existing: Iterable[Entity],
    carrier: CarrierPolicy = NATIONAL,
    now: datetime = DAWN,
    *,
    told: list[RuleWarning] | None = None,
) -> list[Fault]:
    """Return what is wrong with the new entities (each with its place) beside each other and beside ``existing``.

    Rules are checked as of ``now``, and again for each later instant at which numbers come, go or move. What is over is not looked at.
    Warnings, which keep nothing from being saved, are added to ``told``.
    """
    faults, places = _ids(placed)
    stored = list(existing)
    new = {(_KIND_OF[type(entity)], entity.id) for _, entity in placed}
    directory = Directory(carrier)
    directory.registry.now = now
    directory.registry.load([*(e for e in stored if (_KIND_OF[type(e)], e.id) not in new), *(entity for _, entity in placed)])
    directory.settle()
    faults += _owners(placed, stored, now)
    holders = _user_index(directory)
    scopes = _scope_index(directory)
    for place, entity in placed:
        match entity:
            case Number():
                faults += (*_item(place, entity, directory), *number_faults(place, entity, directory))
            case Block():
                faults += _item(place, entity, directory)
            case Line():
                faults += _users(place, entity, holders, places)
            case Diversion():
                faults += _diversion(place, entity, directory, scopes)
            case _:
                pass
    faults += block_faults([(place, entity) for place, entity in placed if isinstance(entity, Block)], directory)
    if told is not None:
        told += warnings_of(placed, directory)
    return faults + _later(placed, directory, faults)


def _ids(placed: Placed) -> tuple[list[Fault], dict[tuple[str, str], str]]:
    """Each id once per kind; two numbers of the same id are the same number twice."""
    faults: list[Fault] = []
    places: dict[tuple[str, str], str] = {}
    for place, entity in placed:
        kind = _KIND_OF[type(entity)]
        first = places.setdefault((kind, entity.id), place)
        if first != place:
            faults.append(fault("id_duplicate", place, id=entity.id, kind=kind, other=first))
    return faults, places


def _owners(placed: Placed, stored: list[Entity], now: datetime) -> Iterator[Fault]:
    """An id may be loaded again, but not to take something away from another order or customer."""
    owned = {(type(entity), entity.id): entity for entity in stored}
    for place, entity in placed:
        before = owned.get((type(entity), entity.id))
        owner = _owner(before) if before is not None else None
        if owner is None or owner == _owner(entity) or _has_moved_to(before, entity, now):
            continue
        yield fault("id_taken", place, kind=_KIND_OF[type(entity)], id=entity.id, owner=owner)


def _has_moved_to(before: Entity | None, entity: Entity, now: datetime) -> bool:
    """Return whether an item is loaded under the order to which it has moved meanwhile."""
    if not isinstance(before, Number | Block) or not isinstance(entity, Number | Block):
        return False
    stay = stay_at(before, now)
    return stay is not None and stay.order == entity.order


def _owner(entity: Entity) -> str | None:
    match entity:
        case Customer():
            return None
        case User():
            return f"customer {entity.customer}"
        case Order():
            return f"customer {entity.customer}"
        case Line() | Block() | Number() | Diversion():
            return f"order {entity.order}"
        case _:
            return None


def _item(place: str, entity: Number | Block, directory: Directory) -> Iterator[Fault]:
    """Yield what is wrong with the order, the line, the dates and the move of a number or block."""
    registry = directory.registry
    line = registry.lines.get(entity.line)
    where = f"{place}.line"
    if line is None:
        yield fault("reference_missing", where, kind="line", id=entity.line)
    elif line.order != entity.order:
        yield fault("line_other_order", where, line=entity.line, order=entity.order)
    for found in directory.item_faults(entity):
        yield Fault(found.type, f"{place}.{found.location}", found.message, found.context)
    order = registry.orders.get(entity.move.order) if entity.move is not None else None
    what = product_fault(entity, order) if order is not None else None
    if what is not None:
        yield Fault(what.type, f"{place}.{what.location}", what.message, what.context)


def _users(place: str, entity: Line, holders: dict[str, list[str]], places: dict[tuple[str, str], str]) -> Iterator[Fault]:
    for user in entity.users:
        for other in holders.get(user, ()):
            # Of two new lines the later one is told.
            later = places.get(("line", other), "") <= place
            if other != entity.id and later:
                yield fault("line_user_taken", f"{place}.users", user=user, other=other)


def _user_index(directory: Directory) -> dict[str, list[str]]:
    """User → lines."""
    held: dict[str, list[str]] = {}
    for line in directory.registry.lines.values():
        for user in line.users:
            held.setdefault(user, []).append(line.id)
    return held


def _scope_index(directory: Directory) -> dict[tuple[str, ...], list[str]]:
    """Order, plan and scope → diversions, ascending. Rules of different plans may be for the same numbers."""
    held: dict[tuple[str, ...], list[str]] = {}
    for key in sorted(directory.registry.diversions):
        held.setdefault(_scope_key(directory.registry.diversions[key]), []).append(key)
    return held


def _scope_key(entity: Diversion) -> tuple[str, ...]:
    plan = entity.plan or ""
    match entity.scope:
        case NumberScope(number=number):
            return entity.order, plan, "number", number
        case RangeScope(block=block, first=first, last=last):
            return entity.order, plan, "range", block, first, last
        case BlockScope(block=block):
            return entity.order, plan, "block", block
        case _:
            return entity.order, plan, "order"


def _diversion(place: str, entity: Diversion, directory: Directory, scopes: dict[tuple[str, ...], list[str]]) -> Iterator[Fault]:
    yield from _rule(place, entity, directory)
    for key in scopes.get(_scope_key(entity), ()):
        if key != entity.id:
            yield fault("scope_duplicate", place, other=key)


def _rule(place: str, entity: Diversion, directory: Directory) -> Iterator[Fault]:
    belongs = directory.belongs(entity)
    for found in check_diversion(entity, directory.policy(entity.order), directory):
        if not belongs and found.type in _BY_PLACE:
            continue  # where things are when it counts is looked at then
        where = in_file(found.location, entity)
        yield Fault(found.type, f"{place}.{where}" if where else place, found.message, found.context)


_BY_PLACE = frozenset({"target_same_line", "target_same_site", "target_loop"})


def _later(placed: Placed, directory: Directory, told: list[Fault]) -> list[Fault]:
    """Return what will be wrong with rules at later instants and is not wrong now. The directory is moved on by this."""
    rules = [(place, entity) for place, entity in placed if isinstance(entity, Diversion)]
    seen = {(item.type, item.location) for item in told}
    faults: list[Fault] = []
    for at, place, rule in foresee(rules, directory):
        for found in _rule(place, rule, directory):
            if (found.type, found.location) not in seen:
                seen.add((found.type, found.location))
                since = shown(at)
                message = f"From {since} on: {found.message}"
                faults.append(Fault(found.type, found.location, message, {**found.context, "since": since}))
    return faults
