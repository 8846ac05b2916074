"""Whether the entities of a document fit together, and with those that are stored."""

from collections.abc import Iterable, Iterator

from routing.blocks import common, too_long
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
    RangeScope,
    User,
)
from routing.numbers import MAX_DIGITS
from routing.rejection import Fault, fault
from routing.target_policy import NATIONAL, CarrierPolicy
from routing.targets import check_diversion

_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
Placed = list[tuple[str, Entity]]


def crosscheck(placed: Placed, existing: Iterable[Entity], carrier: CarrierPolicy = NATIONAL) -> list[Fault]:
    """Return what is wrong with the new entities (each with its place) beside each other and beside ``existing``."""
    faults, places = _ids(placed)
    stored = list(existing)
    new = {(_KIND_OF[type(entity)], entity.id) for _, entity in placed}
    directory = Directory(carrier)
    directory.registry.load([*(e for e in stored if (_KIND_OF[type(e)], e.id) not in new), *(entity for _, entity in placed)])
    directory.settle()
    faults += _owners(placed, stored)
    holders = _user_index(directory)
    scopes = _scope_index(directory)
    for place, entity in placed:
        match entity:
            case Number():
                faults += _number(place, entity, directory)
            case Line():
                faults += _users(place, entity, holders, places)
            case Diversion():
                faults += _diversion(place, entity, directory, scopes)
            case _:
                pass
    faults += _blocks(placed, directory)
    return faults


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


def _owners(placed: Placed, stored: list[Entity]) -> Iterator[Fault]:
    """An id may be loaded again, but not to take something away from another order or customer."""
    owned = {(type(entity), entity.id): owner for entity in stored if (owner := _owner(entity)) is not None}
    for place, entity in placed:
        before = owned.get((type(entity), entity.id))
        if before is not None and before != _owner(entity):
            kind = _KIND_OF[type(entity)]
            yield fault("id_taken", place, kind=kind, id=entity.id, owner=before)


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


def _line(place: str, entity: Number | Block, directory: Directory) -> Iterator[Fault]:
    line = directory.registry.lines.get(entity.line)
    where = f"{place}.line"
    if line is None:
        yield fault("reference_missing", where, kind="line", id=entity.line)
    elif line.order != entity.order:
        yield fault("line_other_order", where, line=entity.line, order=entity.order)


def _number(place: str, entity: Number, directory: Directory) -> Iterator[Fault]:
    yield from _line(place, entity, directory)
    registry = directory.registry
    where = f"{place}.number"
    for other in registry.ids_of(entity.number[1:]):
        if other != entity.id:
            yield fault("number_taken", where, number=entity.number, other=f"number {other}")
    part = directory.prefixes.lookup(entity.number[1:])
    if part is not None:
        # A number may be taken out of one's own block; out of another customer's it would be theft.
        block = registry.blocks[part.block]
        if registry.orders[block.order].customer != registry.orders[entity.order].customer:
            yield fault("number_taken", where, number=entity.number, other=f"block {block.id}")


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


def _blocks(placed: Placed, directory: Directory) -> Iterator[Fault]:
    """Blocks may lie inside each other only where one is the open rest of the other's numbers, and of the same customer."""
    registry = directory.registry
    by_base: dict[str, list[Block]] = {}
    for block in registry.blocks.values():
        by_base.setdefault(block.base, []).append(block)
    where = {entity.id: place for place, entity in placed if isinstance(entity, Block)}
    for block in [entity for _, entity in placed if isinstance(entity, Block)]:
        yield from _line(where[block.id], block, directory)
        if too_long(block.base, block.ranges):
            yield fault("block_long", f"{where[block.id]}.base", limit=str(MAX_DIGITS))
    for inner in registry.blocks.values():
        for size in range(2, len(inner.base) + 1):
            for outer in by_base.get(inner.base[:size], ()):
                if outer.id == inner.id or (outer.base == inner.base and outer.id < inner.id):
                    continue
                yield from _overlap(inner, outer, where)


def _overlap(inner: Block, outer: Block, where: dict[str, str]) -> Iterator[Fault]:
    place, other = (where[inner.id], outer) if inner.id in where else (where.get(outer.id), inner)
    if place is None:
        return  # both are stored: not this document's fault
    example = common(inner.base, inner.ranges, outer.base, outer.ranges)
    if example is not None:
        yield fault("block_overlap", f"{place}.base", other=other.id, example=example)


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
    for found in check_diversion(entity, directory.policy(entity.order), directory):
        yield Fault(found.type, _in_file(place, found.location, entity), found.message, found.context)
    for key in scopes.get(_scope_key(entity), ()):
        if key != entity.id:
            yield fault("scope_duplicate", place, other=key)


def _in_file(place: str, location: str, entity: Diversion) -> str:
    """Turn a place in the entity into one in the file, where targets are ``to`` and the scope is spread out."""
    if location.startswith("targets"):
        inner = location.replace("targets", "to", 1)
        return f"{place}.{inner}" if len(entity.targets) > 1 else f"{place}.to"
    return f"{place}.{location.removeprefix('scope.')}" if location.startswith("scope.") else place
