"""Reading the log's entries: by number, along a chain, and behind an import."""

from __future__ import annotations

from typing import Any, Final

import structlog
from redis.asyncio import Redis

from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.hashes import field_in
from rules_store.log_codec import Version, decode_version
from rules_store.types import Garbage
from rules_store.untrusted import MOST, whole

log = structlog.get_logger(__name__)

PAGE: Final = 200
Raw = tuple[bytes, dict[bytes, bytes]]
Place = tuple[int, str]
"""Version of the switch of an import, and the generation that it built."""


def parsed(entries: list[Raw]) -> list[Version]:
    """Parse entries; what is none of ours is reported and left out."""
    found: list[Version] = []
    for entry_id, fields in entries:
        version = decode_version(entry_id, fields)
        if isinstance(version, Garbage):
            log.warning("store_garbage", where=version.where, why=version.why)
        else:
            found.append(version)
    return found


async def entries_between(connection: StoreConnection, first: int, last: int, count: int = PAGE) -> list[Raw]:
    """Read raw entries, oldest first."""
    found: Any = await connection.repeat(lambda client: client.xrange(schema.LOG, f"{first}-0", f"{last}-0", count=count))
    return list(found)


async def entries_down_from(connection: StoreConnection, last: int, count: int = PAGE) -> list[Raw]:
    """Read raw entries, newest first."""
    found: Any = await connection.repeat(lambda client: client.xrevrange(schema.LOG, f"{last}-0", "-", count=count))
    return list(found)


def number_of(entry: Raw) -> int:
    """Return the version that an entry stands for."""
    return int(entry[0].partition(b"-")[0])


async def walk(connection: StoreConnection, start: int, field: str, limit: int) -> tuple[int | None, list[Version]]:
    """Follow ``field`` (``p``: same entity, ``q``: same customer) from ``start`` on, newest first.

    Returns where to go on, None at the end of the chain; what is not in the log ends the walk at its number.
    """
    found: list[Version] = []
    at: int | None = start
    while at is not None and len(found) < limit:
        asked = min(PAGE, limit - len(found))
        reply = await connection.run("log_walk", [schema.LOG, schema.ERASED], [at, field, asked])
        if reply[0] == b"broken":
            raise BrokenKeyError(reply[1].decode(), connection.where)
        found += parsed([(entry_id, dict(zip(flat[::2], flat[1::2], strict=False))) for entry_id, flat in reply[2]])
        at = int(reply[1]) if reply[1] else None
        if len(reply[2]) < asked:
            break
    return at, found


async def version_before(connection: StoreConnection, until_unix_ms: int) -> int:
    """Return a version at or a little behind the last one that is older than the time given, by halving the numbers."""
    text: Any = await connection.repeat(lambda client: client.get(schema.SEQ))
    low, high = 0, whole(text) or 0
    top = high
    while high - low > PAGE:
        middle = (low + high) // 2
        page = await entries_between(connection, middle, high, 1)
        if not page or (whole(page[0][1].get(b"t")) or 0) >= until_unix_ms:
            high = middle
        else:
            low = max(middle, number_of(page[0]))
    return min(top, high + PAGE)


async def imports(connection: StoreConnection) -> dict[int, Place]:
    """Return the large imports of which it is kept what stood there before, by the version of what they brought."""

    async def read(client: Redis) -> Any:
        if await client.type(schema.IMPORTS) in {b"zset", b"none"}:
            return await client.zrange(schema.IMPORTS, 0, -1, withscores=True)
        log.warning("store_garbage", where=schema.IMPORTS, why="not a sorted set")
        return []

    members: Any = await connection.repeat(read)
    found: dict[int, Place] = {}
    for member, switched in members:
        imported, _, generation = member.decode(errors="replace").partition(" ")
        version = whole(imported)
        if version is not None and 0 <= switched < MOST and schema.is_generation(generation):
            found[version] = (int(switched), generation)
    return found


class Chain:
    """The entries of one customer, newest first; ``"*"``: large imports."""

    def __init__(self, connection: StoreConnection, customer: str) -> None:
        self._connection = connection
        self._customer = customer
        self._held: list[Version] = []
        self._next: int | None = None
        self._begun = False

    async def peek(self) -> Version | None:
        """Return the next one without going on; None at the end."""
        if not self._begun:
            self._begun = True
            customer = self._customer
            self._next = whole(await field_in(self._connection, schema.HEADS, customer))
        if not self._held and self._next is not None:
            start = self._next
            self._next, self._held = await walk(self._connection, start, "q", PAGE)
            if len(self._held) < PAGE:
                self._next = None
            self._held.reverse()
        return self._held[-1] if self._held else None

    def take(self) -> Version:
        """Take what `peek` showed."""
        return self._held.pop()
