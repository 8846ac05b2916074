"""Writing anew what is left of an older schema.

Records are read in both shapes for ever (`rules_store.older`), so nothing has to be converted before calls are routed; `migrate`
writes the old ones anew at leisure, as versions like any other. A release refuses data of a newer schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from routing.model import Entity
from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.errors import ConflictError
from rules_store.older import upgraded_text
from rules_store.reading import read_pages, with_generation
from rules_store.repository import RulesStore
from rules_store.types import Author, Garbage, Put, Stored

log = structlog.get_logger(__name__)

_CONVERTED: Final = ("customer",)


@dataclass(slots=True)
class Migrated:
    """What `migrate` did: how many records it wrote anew, and what it could not read and left where it was."""

    written: int = 0
    garbage: list[Garbage] = field(default_factory=list)


async def migrate(connection: StoreConnection) -> Migrated:
    """Write anew what is left of an older schema; nothing when there is none. May be called by several at once.

    A record that somebody else writes meanwhile is in the present schema then, and left alone. Raises `StoreError`; the
    next call goes on where this one ended.
    """
    done = Migrated()
    before: Any = await connection.repeat(lambda client: client.hget(schema.META, "from"))
    if before is None:
        return done
    rules = RulesStore(connection)
    author = Author("sipproxy", "service", "migration")
    note = f"schema {before.decode(errors='replace')[:20]} to {schema.SCHEMA}"
    for kind in _CONVERTED:
        async for page in read_pages(connection, kind, 500, done.garbage.append):
            for stored in await _old(connection, kind, [item for item in page if isinstance(item, Stored)]):
                try:
                    await rules.write_many([Put(stored.entity, stored.version)], author=author, note=note)
                    done.written += 1
                except ConflictError:
                    continue
    await connection.repeat(lambda client: client.hdel(schema.META, "from"))
    log.info("store_migrated", schema=schema.SCHEMA, written=done.written, garbage=len(done.garbage))
    return done


async def _old(connection: StoreConnection, kind: str, page: list[Stored[Entity]]) -> list[Stored[Entity]]:
    """Return those of a page whose records are still in an older shape."""
    if not page:
        return []
    ids = [stored.entity.id for stored in page]
    records: list[Any] = await with_generation(
        connection, lambda client, generation: client.hmget(schema.entities(generation, kind), ids)
    )
    return [
        stored
        for stored, record in zip(page, records, strict=True)
        if record is not None and upgraded_text(kind, record.partition(b'],"e":')[2][:-1]) is not None
    ]
