"""Whether what an import brings, and what it removes, fits together with what stays."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from routing.bulk.faults import row_of
from routing.bulk.reading import Known, Reading
from routing.crosscheck import crosscheck
from routing.linefile import is_address
from routing.model import KINDS, Block, Customer, Diversion, Entity, Line, Number, Order, User
from routing.names import name_of
from routing.rejection import Fault, fault, reject

KIND_OF: Mapping[type[Entity], str] = {model: kind for kind, model in KINDS.items()}
Name = tuple[str, str]
"""Kind and id."""


@dataclass(frozen=True, slots=True)
class Replace:
    """What is in this scope and not in the file is removed: all (``kind`` "all"), a customer, or an order."""

    kind: str
    id: str = ""

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.kind}:{self.id}" if self.id else self.kind


def parse_replace(text: str) -> Replace:
    """Read ``all``, ``customer:100001`` or ``order:A-1001``. Raises `RuleRejected`."""
    kind, _, key = text.partition(":")
    if (kind == "all" and not key) or (kind in {"customer", "order"} and key):
        return Replace(kind, key)
    raise reject("field_value", "replace", text=text[:40], why="it is none of all, customer:ID and order:ID")


def inside(entity: Entity, scope: Replace, orders: Mapping[str, Order]) -> bool:
    """Return whether an entity belongs to a scope."""
    if scope.kind == "all":
        return True
    if scope.kind == "order":
        return (isinstance(entity, Order) and entity.id == scope.id) or getattr(entity, "order", None) == scope.id
    match entity:
        case Customer():
            return entity.id == scope.id
        case User() | Order():
            return entity.customer == scope.id
        case Line() | Block() | Number() | Diversion():
            order = orders.get(entity.order)
            return order is not None and order.customer == scope.id
        case _:
            return False


def _removed(scope: Replace | None, reading: Reading, names: Collection[Name]) -> dict[Name, Entity]:
    """Return what is stored in the scope, of the kinds that the files are about, and not in them."""
    if scope is None:
        return {}
    orders = stored_orders(reading.known)
    kept = {*names, *reading.unread}
    return {
        name: entity
        for name, entity in reading.known.items()
        if name[0] in reading.kinds
        and name not in kept
        and inside(entity, scope, orders)
        and not (reading.simple and isinstance(entity, Diversion) and (entity.plan is not None or entity.scope.kind == "order"))
    }


def stored_orders(known: Known) -> dict[str, Order]:
    """Return the orders among what is known."""
    return {key: entity for (kind, key), entity in known.items() if kind == "order" and isinstance(entity, Order)}


def check(reading: Reading, scope: Replace | None = None, registrars: Collection[str] = ()) -> dict[Name, Entity]:
    """Return what is to be removed. All that is wrong is added to ``reading.faults``; nothing is raised.

    ``registrars`` are the names of the configuration at which the users of foreign lines may register.
    """
    names = {(KIND_OF[type(entity)], entity.id) for _, entity in reading.placed}
    gone = _removed(scope, reading, names)
    check_with(reading, gone, scope, registrars)
    return gone


def check_with(
    reading: Reading, gone: Mapping[Name, Entity], scope: Replace | None = None, registrars: Collection[str] | None = None
) -> None:
    """Check what was read beside what stays when ``gone`` is removed; without ``registrars`` no line is looked at by itself."""
    known, faults = reading.known, reading.faults
    names = {(KIND_OF[type(entity)], entity.id) for _, entity in reading.placed}
    here = _Here(reading, gone)
    sound: list[tuple[str, Entity]] = []
    for place, entity in reading.placed:
        found = list(here.missing(place, entity))
        if scope is not None and not inside(entity, scope, here.orders):
            kind = KIND_OF[type(entity)]
            found.append(fault("scope_outside", place, kind=kind.capitalize(), id=entity.id, scope=str(scope)))
        if registrars is not None and isinstance(entity, Line):
            found += line_faults(place, entity, registrars)
        if found:
            faults.add(*(one for one in found if one.type != _SILENT))
        else:
            sound.append((place, entity))
    faults.add(*here.needed(names))
    staying = (entity for name, entity in known.items() if name not in gone)
    faults.add(*_by_row(crosscheck(sound, staying, now=reading.now), "target" if reading.simple else "targets"))


_SILENT = "follows"
"""Marks what only follows from a row that could not be read: nobody needs to be told."""


class _Here:
    """What there will be after the import."""

    def __init__(self, reading: Reading, gone: Mapping[Name, Entity]) -> None:
        self._reading = reading
        self._gone = gone
        self._new: dict[Name, Entity] = {(KIND_OF[type(entity)], entity.id): entity for _, entity in reading.placed}
        self.orders: Mapping[str, Order] = stored_orders(reading.known) | reading.orders

    def find(self, kind: str, key: str) -> Entity | None:
        """Return an entity as it will be."""
        name = kind, key
        return self._new.get(name) or (None if name in self._gone else self._reading.known.get(name))

    def missing(self, place: str, entity: Entity) -> Iterator[Fault]:
        """Yield the references of an entity that lead nowhere."""
        for field, kind, key in references(entity):
            if self.find(kind, key) is not None:
                continue
            if (kind, key) in self._reading.unread:
                yield Fault(_SILENT, place, "")
            else:
                yield fault("reference_missing", f"{place}.{field}", kind=kind, id=key)
        move = entity.move if isinstance(entity, Number | Block) else None
        line = self.find("line", move.line) if move is not None else None
        if move is not None and isinstance(line, Line) and line.order != move.order:
            yield fault("line_other_order", f"{place}.move_line", line=move.line, order=move.order)

    def needed(self, names: Collection[Name]) -> Iterator[Fault]:
        """Yield what would be removed though something that stays, and is not in the file, refers to it."""
        if not self._gone:
            return
        for name, entity in self._reading.known.items():
            if name in self._gone or name in names:
                continue
            for _, kind, key in references(entity):
                if (kind, key) in self._gone:
                    other = f"{name[0]} {name[1]!r}"
                    yield fault("reference_kept", "", kind=kind.capitalize(), id=key, other=other)


def references(entity: Entity) -> Iterator[tuple[str, str, str]]:
    """Yield what an entity refers to: column, kind, id."""
    match entity:
        case User():
            if entity.customer is not None:
                yield "customer", "customer", entity.customer
            for order in entity.orders:
                yield "orders", "order", order
        case Order():
            yield "customer", "customer", entity.customer
        case Line() | Diversion():
            yield "order", "order", entity.order
            block = getattr(getattr(entity, "scope", None), "block", None)
            if block is not None:
                yield "block", "block", block
        case Number() | Block():
            yield "order", "order", entity.order
            yield "line", "line", entity.line
            if entity.move is not None:
                yield "move_order", "order", entity.move.order
                yield "move_line", "line", entity.move.line


def _by_row(faults: list[Fault], targets: str) -> Iterator[Fault]:
    """Name places as columns: a load file's ``to`` is the column ``targets`` here."""
    for one in faults:
        row = row_of(one.location)
        field = one.location[len(row) :].lstrip(".").partition("[")[0].replace("move.", "move_")
        column = {"to": targets, "": ""}.get(field, field.removeprefix("scope."))
        yield Fault(one.type, f"{row}.{column}" if column else row, one.message, one.context)


def line_faults(place: str, line: Line, registrars: Collection[str]) -> Iterator[Fault]:
    """Yield what is wrong with a line by itself."""
    static, foreign = line.kind == "static", line.kind == "foreign"
    for wrong, column, problem, remedy in (
        (static and not line.peers, "peers", "A static line has no peers", "Add the addresses"),
        (static and line.users, "users", "A static line does not register", "Remove its users"),
        (not static and not line.users, "users", f"A {line.kind} line has no user", "Add the part before @"),
        (not static and line.peers, "peers", f"A {line.kind} line has no peers", "Remove them, or make it static"),
        (not foreign and line.registrar is not None, "registrar", "The line registers here", "Make it foreign, or remove it"),
    ):
        if wrong:
            yield fault("line_kind", f"{place}.{column}", problem=problem, remedy=remedy)
    if foreign and line.registrar not in registrars:
        yield fault("reference_missing", f"{place}.registrar", kind="registrar", id=line.registrar or "")
    for peer in line.peers:
        if not is_address(peer.address) and name_of(peer.address) is None:
            why = "an address has an IP address or a name, and a port, such as 192.0.2.1:5060 or pbx.example.net:5060"
            yield fault("field_value", f"{place}.peers", text=peer.address[:60], why=why)
    for user in line.users:
        if not user or len(user) > 128 or any(c.isspace() or c in '@<>"' for c in user):  # noqa: PLR2004 - as in a credential
            yield fault("field_value", f"{place}.users", text=user[:40], why="a user is the part before @, without blanks")
