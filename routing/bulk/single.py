"""What can be said of one entity and the order that it belongs to: the product's rules, dates, addresses, users."""

from collections.abc import Collection, Iterator
from typing import Final

from routing.linefile import is_address
from routing.model import Block, Entity, Line, Number, Order, User
from routing.names import name_of
from routing.number_kinds import NumberKind, classify
from routing.products import PRODUCTS, product
from routing.rejection import Fault, fault
from routing.stays import date_faults

_LONGEST_USER: Final = 128
_STAFF: Final = frozenset(("operator", "auditor"))
_NO_SUBSCRIBER: Final = frozenset((NumberKind.EMERGENCY, NumberKind.SHORT_CODE, NumberKind.SATELLITE))


def single_faults(place: str, entity: Entity, order: Order | None, registrars: Collection[str]) -> Iterator[Fault]:
    """Yield what is wrong with an entity; ``order`` is the one that it belongs to, if any.

    ``registrars`` are the names of the configuration at which the users of a foreign line may register.
    """
    match entity:
        case Order():
            if product(entity.product) is None:
                shown = entity.product[:40]
                yield fault("product_unknown", f"{place}.product", product=shown, known=", ".join(PRODUCTS))
            yield from _dates(place, entity)
        case Line():
            yield from _line(place, entity, order, registrars)
        case Number() | Block():
            for found in date_faults(entity):
                yield Fault(found.type, f"{place}.{found.location.replace('.', '_')}", found.message, found.context)
            yield from _kind_of_number(place, entity, order)
            yield from _number(place, entity)
        case User():
            yield from _user(place, entity)
        case _:
            pass


def _dates(place: str, order: Order) -> Iterator[Fault]:
    start, end = order.active_from, order.active_until
    if start is not None and end is not None and end <= start:
        yield fault("order_dates", f"{place}.active_until", until=end.isoformat(), start=start.isoformat())


def _kind_of_number(place: str, entity: Number | Block, order: Order | None) -> Iterator[Fault]:
    held = product(order.product) if order is not None else None
    kind = "number" if isinstance(entity, Number) else "block"
    if held is not None and kind not in held.numbers:
        what, instead = ("blocks", "numbers") if kind == "block" else ("single numbers", "blocks")
        yield fault("order_numbers", f"{place}.order", product=held.name, what=what, instead=instead)


def _number(place: str, entity: Number | Block) -> Iterator[Fault]:
    """Yield what canonical digits alone tell; what was typed was looked at when it was read, what is in JSON lines was not."""
    text, column = (entity.number, "number") if isinstance(entity, Number) else (entity.base, "base")
    kind, what = classify(text[1:])
    if kind in _NO_SUBSCRIBER:
        why = f"it is no subscriber's number ({what or kind.value})"
        yield fault("field_value", f"{place}.{column}", text=text, why=why)
    elif text.startswith("+490"):
        yield fault("number_zero_after_country", f"{place}.{column}", text=text, suggestion=f"+49{text[3:].lstrip('0')}")


def _user(place: str, user: User) -> Iterator[Fault]:
    if user.role in _STAFF and (user.customer is not None or user.orders):
        yield fault("field_value", f"{place}.role", text=user.role, why="it is a role of the carrier's staff, without a customer")
    if user.role not in _STAFF and user.customer is None:
        yield fault("field_value", f"{place}.customer", text="", why=f"an {user.role} belongs to a customer")


def _line(place: str, line: Line, order: Order | None, registrars: Collection[str]) -> Iterator[Fault]:
    held = product(order.product) if order is not None else None
    if held is not None and line.kind not in held.line_kinds:
        problem, remedy = f"A line of {held.name} cannot be {line.kind}", f"Use {held.line_kind}"
        yield fault("line_kind", f"{place}.kind", problem=problem, remedy=remedy)
    static, foreign = line.kind == "static", line.kind == "foreign"
    for wrong, column, problem, remedy in (
        (static and not line.peers, "peers", "A static line has no peers", "Add the addresses"),
        (static and line.users, "users", "A static line does not register", "Remove its users"),
        (not static and not line.users, "users", f"A {line.kind} line has no user", "Add the part before @"),
        (not static and line.peers, "peers", f"A {line.kind} line has peers", "Remove them, or make it static"),
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
        if not user or len(user) > _LONGEST_USER or any(c.isspace() or c in '@<>"' for c in user):
            yield fault("field_value", f"{place}.users", text=user[:40], why="a user is the part before @, without blanks")
