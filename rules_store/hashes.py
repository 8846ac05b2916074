"""Reading hashes that somebody else may have put something else in the place of: that is reported, and reads as empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from rules_store.connection import StoreConnection

log = structlog.get_logger(__name__)

_SCAN: Final = 1000


async def fields_in(connection: StoreConnection, key: str) -> AsyncIterator[dict[bytes, bytes]]:
    """Yield the fields of a hash by pages; some may come twice. Raises `StoreError`."""
    cursor = 0
    while True:

        async def scan(client: Redis, cursor: int = cursor) -> Any:
            return await client.hscan(key, cursor, count=_SCAN) if await _is_hash(client, key) else None

        page: tuple[int, dict[bytes, bytes]] | None = await connection.repeat(scan)
        if page is None:
            return
        cursor, fields = page
        if fields:
            yield fields
        if not cursor:
            return


async def field_in(connection: StoreConnection, key: str, name: str) -> bytes | None:
    """Return a field of a hash; None when it is not there. Raises `StoreError`."""

    async def read(client: Redis) -> Any:
        return await client.hget(key, name) if await _is_hash(client, key) else None

    found: bytes | None = await connection.repeat(read)
    return found


async def _is_hash(client: Redis, key: str) -> bool:
    kind = await client.type(key)
    if kind not in {b"hash", b"none"}:
        log.warning("store_garbage", where=key, why="not a hash")
    return bool(kind == b"hash")
