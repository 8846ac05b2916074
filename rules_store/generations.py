"""Generations that are not valid any more, and what stood there before imports: kept as long as it is of use, then removed."""

from __future__ import annotations

from typing import Any, Final

import structlog

from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.untrusted import whole

log = structlog.get_logger(__name__)

PAGE: Final = 1000


async def remove_stale(connection: StoreConnection) -> None:
    """Remove generations that are neither valid nor being built. UNLINK frees in the background.

    What stood there before an import stays, for the newest ``imports_kept`` imports.
    """
    found: set[Any] = await connection.repeat(lambda client: client.smembers(schema.STALE))
    valid = await connection.repeat(lambda client: client.get(schema.GENERATION))
    building = await connection.repeat(lambda client: client.hget(schema.IMPORT, "gen"))
    kept = await forget_imports(connection)
    for generation in found - {valid, building}:
        name = generation.decode(errors="replace")
        keys = schema.generation_keys(name)
        if name not in kept:
            keys += _set_aside(name)
        await connection.repeat(lambda client, keys=keys: client.unlink(*keys))  # type: ignore[misc]
        await connection.repeat(lambda client, name=generation: client.srem(schema.STALE, name))  # type: ignore[misc]


async def forget_imports(connection: StoreConnection, older_than: int = 0) -> set[str]:
    """Remove what stood there before imports that are too many, or switched before the version given.

    Returns the generations of those that are kept.
    """
    found: Any = await connection.repeat(lambda client: client.zrange(schema.IMPORTS, 0, -1, desc=True, withscores=True))
    kept: set[str] = set()
    for member, switched in found:
        version, _, generation = member.decode(errors="replace").partition(" ")
        if whole(version) is None or not schema.is_generation(generation):
            log.warning("store_garbage", where=f"{schema.IMPORTS} {member!r}", why="not an import; removed")
            await connection.repeat(lambda client, member=member: client.zrem(schema.IMPORTS, member))  # type: ignore[misc]
            continue
        if len(kept) < connection.settings.imports_kept and switched >= older_than:
            kept.add(generation)
            continue
        await _forget_removals(connection, version.encode())
        keys = _set_aside(generation)
        await connection.repeat(lambda client, keys=keys: client.unlink(*keys))  # type: ignore[misc]
        await connection.repeat(lambda client, member=member: client.zrem(schema.IMPORTS, member))  # type: ignore[misc]
    return kept


async def _forget_removals(connection: StoreConnection, version: bytes) -> None:
    """Remove the tombstones of what an import removed: what they point to goes."""
    cursor = 0
    while True:
        key = schema.gone(connection.generation)
        found: Any
        cursor, found = await connection.repeat(
            lambda client, key=key, cursor=cursor: client.hscan(key, cursor, count=PAGE)  # type: ignore[misc]
        )
        names = [name for name, removed in found.items() if removed == version]
        if names:
            await connection.repeat(lambda client, key=key, names=names: client.hdel(key, *names))  # type: ignore[misc]
        if not cursor:
            return


def _set_aside(generation: str) -> list[str]:
    return [schema.before_import(generation), schema.new_by_import(generation)]
