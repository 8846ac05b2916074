"""What belongs to a customer: found by reading through, because nothing but this needs to know it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from routing.model import KINDS
from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.log_reading import Chain
from rules_store.reading import read_raw_page, with_generation

PAGE: Final = 1000
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
    ever was, as far as the log has it.
    """

    customer: str
    records: dict[tuple[str, str], bytes] = field(default_factory=dict)
    others: dict[tuple[str, str], bytes] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    names: set[tuple[str, str]] = field(default_factory=set)
    sites: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.names)

    def ids(self, kind: str) -> set[str]:
        """Return the ids of a kind, present and past."""
        return {entity_id for found, entity_id in self.names if found == kind}


async def belongings(connection: StoreConnection, customer: str) -> Belongings:
    """Find what belongs to a customer; takes time in proportion to all that is stored. Raises `StoreError`."""
    found = Belongings(customer)
    await _past(connection, found)
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
    for (kind, _), text in found.records.items():
        if kind in {"order", "line"}:
            found.sites.update(site.decode(errors="replace") for site in _SITE.findall(text))
    return found


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


async def _orders(connection: StoreConnection, found: Belongings) -> None:
    customer = found.customer.encode()
    async for entity_id, text in _records(connection, "order"):
        if customer in _CUSTOMER.findall(text):
            found.records["order", entity_id] = text
            found.names.add(("order", entity_id))


async def _records(connection: StoreConnection, kind: str) -> AsyncIterator[tuple[str, bytes]]:
    start: str | None = "-"
    while start is not None:
        page, start, _ = await read_raw_page(connection, kind, start, PAGE)
        for entity_id, text in page:
            if text is not None:
                yield entity_id, text


async def _users(connection: StoreConnection, found: Belongings) -> None:
    start, end = f"[{found.customer} ", f"({found.customer}!"
    members: Any = await with_generation(
        connection, lambda client, generation: client.zrangebylex(schema.users(generation), start, end)
    )
    ids = [member.partition(b" ")[2].decode(errors="replace") for member in members]
    if not ids:
        return
    records: Any = await with_generation(
        connection, lambda client, generation: client.hmget(schema.entities(generation, "user"), ids)
    )
    found.records.update({("user", user): record for user, record in zip(ids, records, strict=True) if record is not None})
