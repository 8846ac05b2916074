"""The load file: customers to diversions in one nested document, checked whole before anything is written.

docs/load-file.md describes the format for people.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from routing.blocks import parse_block
from routing.crosscheck import crosscheck
from routing.linefile import LINE_FIELDS, read_line, read_site
from routing.local_time import DAWN, NoInstantError, read_instant
from routing.model import (
    Block,
    Customer,
    Entity,
    Limits,
    Move,
    Number,
    Order,
    Site,
)
from routing.numbers import parse_base, parse_number
from routing.products import PRODUCTS, Product, product
from routing.reader import Group, build, named
from routing.rejection import Fault, RuleRejected, RuleWarning
from routing.rulefile import DIVERSION_FIELDS, Placed, attempt, moved, read_diversion, read_extensions
from routing.target_policy import NATIONAL, CarrierPolicy, TargetPolicy, target_policy

DEFAULT_TIME_ZONE = "Europe/Berlin"
_TOP = ("time_zone", "customers")
_CUSTOMER = ("id", "name", "allowances", "limits", "orders")
_ORDER = (
    "id",
    "product",
    "site",
    "data_line",
    "bandwidth",
    "active_from",
    "active_until",
    "plan",
    "lines",
    "numbers",
    "blocks",
    "diversions",
)
_ITEM_DATES = ("active_from", "active_until", "move")
_NUMBER = ("id", "number", "line", *_ITEM_DATES)
_BLOCK = ("id", "base", "extensions", "line", *_ITEM_DATES)
_MOVE = ("at", "order", "line")


def parse_document(
    obj: object,
    realm: str,
    existing: Iterable[Entity] = (),
    registrars: Collection[str] = (),
    carrier: CarrierPolicy = NATIONAL,
    *,
    now: datetime = DAWN,
    told: list[RuleWarning] | None = None,
) -> list[Entity]:
    """Turn a parsed YAML or JSON document into entities, in the order in which they refer to each other.

    ``realm`` is the registrar's, for HA1; ``registrars`` are the names of those of others. ``existing`` are the entities already
    stored; those with the same kind and id are replaced, the others must fit with the new ones. ``carrier`` says what may be a
    target; what is over at ``now`` is not checked; warnings are added to ``told``. The plan of an order that the document does not
    name is not set (``model_fields_set``). Raises `RuleRejected` with all faults at once; then nothing is returned.
    """
    reading = _Reading(realm, registrars, carrier)
    reading.document(obj)
    checked = crosscheck(_attached(reading.placed), existing, carrier, now, told=told)
    found = [replace(item, location=moved(item.location, reading.entries)) for item in checked]
    if told:
        told[:] = [replace(item, location=moved(item.location, reading.entries)) for item in told]
    reading.faults = _once(reading.faults, found)
    if reading.faults:
        raise RuleRejected(reading.faults)
    order = {kind: rank for rank, kind in enumerate(_KIND_ORDER)}
    return sorted((entity for _, entity in reading.placed), key=lambda entity: order[type(entity).__name__])


_FOLLOWS = frozenset({"scope_number", "scope_block"})
_REFERS = frozenset({"reference_missing", "line_other_order"})
_ORDER_PLACE = re.compile(r"customers\[[0-9]+\]\.orders\[[0-9]+\]")


def _once(read: list[Fault], found: list[Fault]) -> list[Fault]:
    """Join the faults of both passes; leave out what only follows from another fault of the same order."""
    unread = {_order_place(item) for item in read}
    loose = unread | {_order_place(item) for item in found if item.type in _REFERS}
    return read + [
        item
        for item in found
        if not (item.type in _REFERS and _order_place(item) in unread)
        and not (item.type in _FOLLOWS and _order_place(item) in loose)
    ]


def _order_place(item: Fault) -> str | None:
    match = _ORDER_PLACE.match(item.location)
    return match.group() if match is not None else None


def _attached(placed: list[tuple[str, Entity]]) -> list[tuple[str, Entity]]:
    """Leave out what belongs to an order that could not be read."""
    read = {None, *(entity.id for _, entity in placed if isinstance(entity, Order))}
    return [(place, entity) for place, entity in placed if getattr(entity, "order", None) in read]


_KIND_ORDER = ("Customer", "Order", "Line", "Block", "Number", "Diversion")


class _Reading:
    """One pass over a document: entities with their places, and the faults."""

    def __init__(self, realm: str, registrars: Collection[str], carrier: CarrierPolicy) -> None:
        self.carrier = carrier
        self.realm = realm
        self.registrars = registrars
        self.placed: list[tuple[str, Entity]] = []
        self.faults: list[Fault] = []
        self.zone: tzinfo = UTC
        self.entries: Placed = {}

    def document(self, obj: object) -> None:
        top = Group(obj, "", self.faults, _TOP)
        name = top.value("time_zone", str) or DEFAULT_TIME_ZONE
        try:
            self.zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            top.say("field_value", "time_zone", text=name[:40], why="there is no such time zone, try Europe/Berlin")
        if top.sound and not top.has("customers"):
            top.say("field_missing", "customers", field="customers")
        for place, item in top.items("customers"):
            self.customer(Group(item, place, self.faults, _CUSTOMER))

    def customer(self, group: Group) -> None:
        key = group.value("id", str, needed=True)
        fields = {"name": group.value("name", str, needed=True)}
        limits = self.limits(group) if group.has("limits") else None
        customer = build(Customer, group, id=key, allowances=group.value("allowances", list), limits=limits, **fields)
        if customer is not None:
            self.placed.append((group.location, customer))
        owner = customer.id if customer is not None else "unknown"
        for place, item in group.items("orders"):
            self.order(Group(item, place, self.faults, _ORDER), owner, target_policy(customer, self.carrier))

    def limits(self, group: Group) -> Limits | None:
        known = tuple(Limits.model_fields)
        held = Group(group.raw("limits"), group.at("limits"), self.faults, known)
        return build(Limits, held, **{name: held.value(name, int) for name in known})

    def order(self, group: Group, customer: str, policy: TargetPolicy) -> None:
        key = group.value("id", str, needed=True) or "?"
        text = group.value("product", str, needed=True)
        held = product(text) if text is not None else None
        if text is not None and held is None:
            group.say("product_unknown", "product", product=text[:40], known=", ".join(PRODUCTS))
        site = read_site(group)
        start, end = self.date(group, "active_from"), self.date(group, "active_until")
        if start is not None and end is not None and end <= start:
            group.say("order_dates", "active_until", until=end.isoformat(), start=start.isoformat())
        order = build(
            Order,
            group,
            id=key,
            customer=customer,
            product=held.name if held is not None else "?",
            site=site or Site(id="unknown", address=""),
            data_line=group.value("data_line", str),
            bandwidth=group.value("bandwidth", str),
            active_from=start,
            active_until=end,
            plan=group.value("plan", str) or None,
        )
        if order is not None and group.raw("plan") == "":
            # Said, not left out: none is on.
            order = order.model_copy(update={"plan": None})
        if order is not None:
            self.placed.append((group.location, order))
        self.inside(group, key, held, policy)

    def inside(self, group: Group, order: str, held: Product | None, policy: TargetPolicy) -> None:
        lines: list[str] = []
        for place, item in group.items("lines"):
            inner = Group(item, place, self.faults, LINE_FIELDS)
            line = read_line(
                inner, order, held, self.realm, wish_until=self.date(inner, "wish_until"), registrars=self.registrars
            )
            # One that cannot be read still is the line of the numbers that name none.
            lines.append(line.id if line is not None else "unread")
            if line is not None:
                self.placed.append((place, line))
        only = lines[0] if len(lines) == 1 else None
        for place, item in group.items("numbers"):
            self.number(item, place, order, only, held)
        for place, item in group.items("blocks"):
            self.block(item, place, order, only, held)
        for place, item in group.items("diversions"):
            diversion = read_diversion(Group(item, place, self.faults, DIVERSION_FIELDS), order, policy, self.entries)
            if diversion is not None:
                self.placed.append((place, diversion))

    def number(self, item: object, place: str, order: str, only: str | None, held: Product | None) -> None:
        group = Group({"number": item} if isinstance(item, str | int | float) else item, place, self.faults, _NUMBER)
        text = group.value("number", str, needed=True)
        number = attempt(group, lambda: parse_number(text or "", location=group.at("number")).e164) if text is not None else None
        line = self.line(group, only)
        self.allowed(group, "number", held)
        dates = self.item_dates(group)
        if number is None or line is None:
            return
        key = group.value("id", str) or f"n{number[1:]}"
        built = build(Number, group, id=key, order=order, line=line, number=number, **dates)
        if built is not None:
            self.placed.append((place, built))

    def block(self, item: object, place: str, order: str, only: str | None, held: Product | None) -> None:
        group = Group({"base": item} if isinstance(item, str | int | float) else item, place, self.faults, _BLOCK)
        text = group.value("base", str, needed=True)
        line = self.line(group, only)
        self.allowed(group, "block", held)
        before = len(self.faults)
        ranges = read_extensions(group)
        unread = len(self.faults) > before and not ranges
        dates = self.item_dates(group)
        if text is None:
            return
        where = group.at("base")
        if group.has("extensions"):
            base = attempt(group, lambda: parse_base(text, location=where))
        else:
            notation = attempt(group, lambda: parse_block(text, location=where))
            base, ranges = notation if notation is not None else (None, ranges)
        if base is None or line is None or unread:
            return
        key = group.value("id", str) or f"b{base[1:]}"
        built = build(Block, group, id=key, order=order, line=line, base=base, ranges=ranges, **dates)
        if built is not None:
            self.placed.append((place, built))

    def line(self, group: Group, only: str | None) -> str | None:
        """Return the line that a number or block names, or the only one of its order."""
        if group.has("line") or only is None:
            return group.value("line", str, needed=True)
        return only

    def allowed(self, group: Group, kind: str, held: Product | None) -> None:
        if held is not None and kind not in held.numbers:
            what, instead = ("blocks", "numbers") if kind == "block" else ("single numbers", "blocks")
            group.say("order_numbers", product=held.name, what=what, instead=instead)

    def item_dates(self, group: Group) -> dict[str, object]:
        """Read the dates and the move of a number or block."""
        dates: dict[str, object] = {name: self.date(group, name) for name in ("active_from", "active_until")}
        if not group.has("move"):
            return dates
        inner = Group(group.raw("move"), group.at("move"), self.faults, _MOVE)
        if inner.sound and not inner.has("at"):
            inner.say("field_missing", "at", field="at")
        order, line = inner.value("order", str, needed=True), inner.value("line", str, needed=True)
        at = self.date(inner, "at")
        return {**dates, "move": build(Move, inner, at=at, order=order, line=line)}

    def date(self, group: Group, field: str) -> datetime | None:
        """Read a day (from midnight in the document's time zone) or a time; without offset it is in that zone too."""
        value = group.raw(field)
        try:
            return read_instant(value, self.zone)
        except NoInstantError as error:
            group.say("field_value", field, text=str(value)[:40], why=str(error))
        except TypeError:
            group.say("field_type", field, found=named(type(value)), wanted="a date such as 2026-12-01", hint="")
        return None
