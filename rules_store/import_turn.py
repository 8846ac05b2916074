"""One import at a time: whose turn it is stands in the store, and a turn of which nothing is heard is over."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Final

import structlog

from rules_store import schema
from rules_store.connection import StoreConnection, new_token
from rules_store.errors import StoreError
from rules_store.faults import BrokenKeyError
from rules_store.generations import remove_stale
from rules_store.reading import generation_in

log = structlog.get_logger(__name__)

SILENT_MS: Final = 30_000
"""An import that did nothing for so long is given up and may be replaced."""
_BEAT_S: Final = 8.0


async def begin(connection: StoreConnection, token: str, generation: str, silent_ms: int = SILENT_MS) -> tuple[int, str]:
    """Take the turn to build a generation; returns the version of what is imported, and the valid generation.

    Raises `StoreError`, retryable while it is another one's turn.
    """
    await connection.open()
    keys = [schema.GENERATION, schema.SEQ, schema.CHANGES, schema.IMPORT, schema.STALE]
    reply = await connection.save("import_begin", keys, [token, generation, silent_ms, connection.settings.changes_kept])
    if reply[0] == b"busy":
        raise StoreError("another import is under way", "Wait for its end.", retryable=True)
    if reply[0] == b"broken":
        raise BrokenKeyError(reply[1].decode(), connection.where)
    return int(reply[1]), generation_in(reply[2] or b"", connection.where)


async def drop(connection: StoreConnection, token: str, generation: str) -> None:
    """Give the turn up, and remove what was built, as far as the store lets us; the next import removes the rest."""
    try:
        await connection.run("import_drop", [schema.IMPORT], [token])
        await remove_stale(connection)
    except StoreError as error:
        log.warning("store_import_left_behind", generation=generation, why=error.what)


def lost() -> StoreError:
    """Return what is raised when it is another one's turn suddenly."""
    return StoreError("the import was given up: another one took its place", "Repeat it.", retryable=True)


@contextlib.asynccontextmanager
async def no_imports(connection: StoreConnection) -> AsyncIterator[None]:
    """Keep imports out meanwhile, by taking their turn. Raises `StoreError`, also at the end when the turn was lost."""
    token, generation = new_token(), secrets.token_hex(6)
    await begin(connection, token, generation)
    beating = asyncio.create_task(_beat(connection, token, generation))
    try:
        yield
        if beating.done():
            beating.result()
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await drop(connection, token, generation)


async def _beat(connection: StoreConnection, token: str, generation: str) -> None:
    while True:
        await asyncio.sleep(_BEAT_S)
        reply = await connection.run("import_gone", [schema.IMPORT, schema.gone(generation)], [token])
        if reply[0] != b"ok":
            raise lost()
