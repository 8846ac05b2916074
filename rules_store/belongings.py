"""What belongs to a customer: found by reading through, because nothing but this needs to know it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from routing.model import KINDS
from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.hashes import fields_in
from rules_store.log_reading import Chain, imports
from rules_store.reading import raw_pages, with_generation

PAGE: Final = 1000
Name = tuple[str, str]
_OF_ORDER: Final = tuple(kind for kind in KINDS if kind not in {"customer", "user", "order"})
# Inside of a JSON text no quotation mark stands without a backslash: these find fields, and nothing that somebody typed.
_ORDERS: Final = re.compile(rb'"order":"([^"]*)"')
_CUSTOMER: Final = re.compile(rb'"customer":"([^"]*)"')
_SITE: Final = re.compile(rb'"site":\{"id":"([^"]*)"')


@dataclass(slots=True)
class Belongings:
    """Names of everything of one customer.

    ``records``: (kind, id) → record, also of what does not parse. ``others``: numbers and blocks of other customers that
    are to move to one of his orders. ``versions``: his entries in the log, newest first. ``names``: what there is and what there
    ever was, as far as the log and the imports have it, without what is somebody else's now; ``former`` is that.
    ``kept``: (generation, kind:id) → what imports kept aside of him.
    """

    customer: str
    records: dict[Name, bytes] = field(default_factory=dict)
    others: dict[Name, bytes] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    names: set[Name] = field(default_factory=set)
    former: set[Name] = field(default_factory=set)
    sites: set[str] = field(default_factory=set)
    kept: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.names)

    def ids(self, kind: str) -> set[str]:
        """Return the ids of a kind, present and past, without those that are somebody else's now."""
        return {entity_id for found, entity_id in self.names if found == kind}

    def ever(self, kind: str) -> set[str]:
        """Return the ids of a kind that are his or were."""
        return self.ids(kind) | {entity_id for found, entity_id in self.former if found == kind}


async def belongings(connection: StoreConnection, customer: str) -> Belongings:
    """Find what belongs to a customer; takes time in proportion to all that is stored. Raises `StoreError`."""
    found = Belongings(customer)
    await _past(connection, found)
    await _kept(connection, found)
    record: Any = await with_generation(
        connection, lambda client, generation: client.hget(schema.entities(generation, "customer"), customer)
    )
    if record is not None:
        found.records["customer", customer] = record
    await _users(connection, found)
    await _orders(connection, found)
    orders = {order.encode() for order in found.ids("order")}
    for kind in _OF_ORDER:
        async for entity_id, text in _records(connection, kind):
            named = _ORDERS.findall(text)
            if named and named[0] in orders:
                found.records[kind, entity_id] = text
            elif orders.intersection(named):
                found.others[kind, entity_id] = text
    found.names.update(found.records)
    await _hand_over(connection, found)
    for (kind, _), text in found.records.items():
        if kind in {"order", "line"}:
            found.sites.update(site.decode(errors="replace") for site in _SITE.findall(text))
    return found


def is_his(record: bytes, customer: bytes, orders: Iterable[bytes]) -> bool:
    """Whether a record or entity is of the customer, or of one of the orders given: the first field that says so decides."""
    first = _ORDERS.search(record)
    owner = _CUSTOMER.search(record)
    if first is not None and (owner is None or first.start() < owner.start()):
        return first[1] in orders
    return owner is not None and owner[1] == customer


def is_about(event: Mapping[str, Any], found: Belongings) -> bool:
    """Whether an event names him, or a line, order or site of his."""
    named = {(kind, str(event.get(kind))) for kind in ("line", "order", "customer")}
    return bool(named & found.names) or str(event.get("site")) in found.sites


async def _past(connection: StoreConnection, found: Belongings) -> None:
    chain = Chain(connection, found.customer)
    while await chain.peek() is not None:
        entry = chain.take()
        found.versions.append(entry.version)
        found.names.add((entry.kind, entry.id))
        for state in (entry.before, entry.after):
            site = (state or {}).get("site")
            if isinstance(site, dict) and "id" in site:
                found.sites.add(str(site["id"]))


async def _kept(connection: StoreConnection, found: Belongings) -> None:
    """Find what imports kept aside of him; reads through what they kept, the orders first, for by them the rest is known."""
    customer = found.customer.encode()
    generations = [generation for _, generation in (await imports(connection)).values()]
    for generation in generations:
        async for name, text in _aside(connection, generation):
            if name.startswith(b"order:") and is_his(text, customer, ()):
                found.names.add(("order", name.partition(b":")[2].decode(errors="replace")))
    orders = {order.encode() for order in found.ids("order")}
    for generation in generations:
        async for name, text in _aside(connection, generation):
            kind, _, entity_id = name.decode(errors="replace").partition(":")
            if is_his(text, customer, orders) or name == b"customer:" + customer:
                found.kept[generation, name] = text
                found.names.add((kind, entity_id))
                found.sites.update(site.decode(errors="replace") for site in _SITE.findall(text))


async def _aside(connection: StoreConnection, generation: str) -> AsyncIterator[tuple[bytes, bytes]]:
    """Yield what stood there before an import; some twice."""
    async for fields in fields_in(connection, schema.before_import(generation)):
        for name, text in fields.items():
            yield name, text


async def _orders(connection: StoreConnection, found: Belongings) -> None:
    """Find his orders; one that he had and that is somebody else's now is not his any more, with all that belongs to it."""
    customer = found.customer.encode()
    async for entity_id, text in _records(connection, "order"):
        name = ("order", entity_id)
        if customer in _CUSTOMER.findall(text)[:1]:
            found.records[name] = text
            found.names.add(name)
        elif name in found.names:
            found.names.discard(name)
            found.former.add(name)


async def _hand_over(connection: StoreConnection, found: Belongings) -> None:
    """Tell apart what was his and is there still, as somebody else's."""
    for kind in KINDS:
        ids = sorted(entity_id for name, entity_id in found.names if name == kind and (kind, entity_id) not in found.records)
        for at in range(0, len(ids), PAGE):
            part = ids[at : at + PAGE]
            there: Any = await with_generation(
                connection,
                lambda client, generation, kind=kind, part=part: client.hmget(schema.entities(generation, kind), part),
            )
            found.former.update((kind, entity_id) for entity_id, text in zip(part, there, strict=True) if text is not None)
    found.names -= found.former


async def _records(connection: StoreConnection, kind: str) -> AsyncIterator[tuple[str, bytes]]:
    async for _, _, page in raw_pages(connection, kind, PAGE):
        for entity_id, text in page:
            yield entity_id.decode(errors="replace"), text


async def _users(connection: StoreConnection, found: Belongings) -> None:
    """Find his users. One that is the carrier's or another customer's now is not his any more."""
    start, end = f"[{found.customer} ", f"({found.customer}!"
    members: Any = await with_generation(
        connection, lambda client, generation: client.zrangebylex(schema.users(generation), start, end)
    )
    ids = [member.partition(b" ")[2] for member in members]
    if not ids:
        return
    records: Any = await with_generation(
        connection, lambda client, generation: client.hmget(schema.entities(generation, "user"), ids)
    )
    for user, record in zip(ids, records, strict=True):
        if record is not None:
            found.records["user", user.decode(errors="replace")] = record
