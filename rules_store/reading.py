"""Reads that notice when an import switched the generation under them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis

from routing.model import Entity
from rules_store import codec, schema
from rules_store.connection import StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.types import Garbage, Stored

log = structlog.get_logger(__name__)


class Command(Protocol):
    """Queues one command on a pipeline for the generation given."""

    def __call__(self, client: Any, generation: str) -> object:
        """Queue it."""


async def with_generation(connection: StoreConnection, command: Command) -> Any:
    """Run one command on the keys of the valid generation, in one round trip as a rule."""

    async def once(client: Redis) -> Any:
        while True:
            generation = connection.generation
            pipe = client.pipeline(transaction=True)
            pipe.get(schema.GENERATION)
            command(pipe, generation)
            valid, answer = await pipe.execute()
            if valid is None or valid.decode() == generation:
                return answer
            connection.generation = valid.decode()

    return await connection.repeat(once)


async def read_raw_page(
    connection: StoreConnection, kind: str, start: str, size: int
) -> tuple[list[tuple[str, bytes | None]], str | None, str]:
    """Read one page of a kind unparsed: (id, record) in the order of the ids, where the next page starts, and the key.

    Raises `StoreError`; for an index or hash of the wrong type too.
    """
    while True:
        generation = connection.generation
        keys = [schema.GENERATION, schema.entities(generation, kind), schema.index(generation, kind)]
        reply = await connection.run("page", keys, [generation, start, size])
        if reply[0] == b"ok":
            break
        if reply[0] == b"broken":
            raise BrokenKeyError(reply[1].decode(errors="replace"), connection.where)
        connection.generation = reply[1].decode()
    pairs: list[Any] = reply[1]
    last = pairs[-2] if len(pairs) == 2 * size else None
    following = None if last is None else "(" + last.decode(errors="surrogateescape")
    page = [(raw.decode(errors="replace"), record) for raw, record in zip(pairs[::2], pairs[1::2], strict=True)]
    return page, following, keys[1]


async def read_page(
    connection: StoreConnection,
    kind: str,
    start: str,
    size: int,
    on_garbage: Callable[[Garbage], None] | None = None,
) -> tuple[list[Stored[Entity] | str], str | None]:
    """Read one page of a kind: the entities, and where the next page starts (None after the last).

    In place of a record that does not parse stands its id: it exists, but nobody can say what it is.
    Raises `StoreError`; for an index or hash of the wrong type too.
    """
    raw, following, key = await read_raw_page(connection, kind, start, size)
    return _parsed(kind, raw, key, on_garbage), following


async def read_pages(
    connection: StoreConnection, kind: str, size: int, on_garbage: Callable[[Garbage], None] | None = None
) -> AsyncGenerator[list[Stored[Entity] | str], None]:
    """Read all pages of a kind as `read_page` does; while one is parsed and handled, the server looks for the next."""
    asked = asyncio.ensure_future(read_raw_page(connection, kind, "-", size))
    try:
        while True:
            raw, following, key = await asked
            if following is not None:
                asked = asyncio.ensure_future(read_raw_page(connection, kind, following, size))
                await asyncio.sleep(0)  # it is sent before the work begins
            yield _parsed(kind, raw, key, on_garbage)
            if following is None:
                return
    finally:
        if not asked.done():
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


def _parsed(
    kind: str, raw: list[tuple[str, bytes | None]], key: str, on_garbage: Callable[[Garbage], None] | None
) -> list[Stored[Entity] | str]:
    found: list[Stored[Entity] | str] = []
    for (entity_id, _), stored in zip(raw, codec.decode_page(kind, raw, key), strict=True):
        if isinstance(stored, Garbage):
            log.warning("store_garbage", where=stored.where, why=stored.why)
            if on_garbage is not None:
                on_garbage(stored)
            found.append(entity_id)
        else:
            found.append(stored)
    return found
