"""Reads that notice when an import switched the generation under them, and that trust neither records nor indices."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from redis import exceptions
from redis.asyncio import Redis

from routing.model import Entity
from rules_store import codec, schema
from rules_store.connection import StoreConnection
from rules_store.errors import StoreError
from rules_store.faults import BrokenKeyError
from rules_store.types import Garbage, Stored
from rules_store.untrusted import MOST, whole

log = structlog.get_logger(__name__)

Raw = tuple[bytes, bytes]
"""An id and its record."""
OnGarbage = Callable[[Garbage], None]


class Command(Protocol):
    """Queues one command on a pipeline for the generation given."""

    def __call__(self, client: Any, generation: str) -> object:
        """Queue it."""


async def with_generation(connection: StoreConnection, command: Command) -> Any:
    """Run one command on the keys of the valid generation, in one round trip as a rule. Raises `StoreError`."""

    async def once(client: Redis) -> Any:
        while True:
            generation = connection.generation
            pipe = client.pipeline(transaction=True)
            pipe.get(schema.GENERATION)
            command(pipe, generation)
            valid, answer = await pipe.execute(raise_on_error=False)
            if isinstance(valid, exceptions.ResponseError) and str(valid).startswith("WRONGTYPE"):
                raise BrokenKeyError(schema.GENERATION, connection.where)
            for reply in (valid, answer):
                if isinstance(reply, Exception):
                    raise reply
            if valid is None or valid == generation.encode():
                return answer
            connection.generation = generation_in(valid, connection.where)

    return await connection.repeat(once)


def generation_in(text: bytes, where: str) -> str:
    """Return the name of a generation. Raises `BrokenKeyError` for what can be none."""
    name = text.decode(errors="replace")
    if not schema.is_generation(name):
        raise BrokenKeyError(schema.GENERATION, where)
    return name


async def raw_pages(
    connection: StoreConnection, kind: str, size: int, on_garbage: OnGarbage | None = None
) -> AsyncGenerator[tuple[str, int | None, list[Raw]], None]:
    """Yield a kind unparsed by pages, in the order of the ids: its key, the store's sequence, and (id, record).

    While a page is handled, the server looks for the next. An index that does not name what there is (lost, of a foreign type,
    or written to by something else than our scripts) is reported, done without, and mended. Raises `StoreError`; for a hash
    of the wrong type too.
    """
    start, size = b"-", max(size, 1)
    asked = asyncio.ensure_future(_page(connection, kind, start, size))
    try:
        while True:
            page = await asked
            if not page.is_sound(start):
                for missing in page.missing:
                    where = f"{page.key} {missing.decode(errors='replace')}"
                    _tell(Garbage(where, "in the index, but there is no record"), on_garbage)
                _tell(Garbage(page.index, "the index does not name what there is; read without it"), on_garbage)
                async for raw in _without_index(connection, kind, size):
                    yield page.key, None, [(one, record) for one, record in raw if start == b"-" or one > start[1:]]
                return
            is_last = len(page.ids) < size
            if not is_last:
                start = b"(" + page.ids[-1]
                asked = asyncio.ensure_future(_page(connection, kind, start, size))
                await asyncio.sleep(0)  # it is sent before the work begins
            yield page.key, page.sequence, list(zip(page.ids, page.records, strict=True))
            if is_last:
                return
    finally:
        if not asked.done():
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Page:
    key: str
    index: str
    ids: list[bytes]
    records: list[Any]
    sequence: int | None
    is_complete: bool
    """Whether the index has as many ids as there are records."""

    @property
    def missing(self) -> list[bytes]:
        """Ids without a record."""
        return [one for one, record in zip(self.ids, self.records, strict=True) if record is None]

    def is_sound(self, start: bytes) -> bool:
        """Whether it can be true: all there, in rising order behind the start."""
        rising = all(map(operator.lt, [start[1:], *self.ids], self.ids))
        return self.is_complete and rising and None not in self.records


async def _page(connection: StoreConnection, kind: str, start: bytes, size: int) -> _Page:
    while True:
        generation = connection.generation
        keys = [schema.GENERATION, schema.entities(generation, kind), schema.index(generation, kind), schema.SEQ]
        reply = await connection.run("page", keys, [generation, start, size])
        if reply[0] == b"ok":
            return _Page(keys[1], keys[2], reply[1][::2], reply[1][1::2], whole(reply[2]), reply[3] == reply[4])
        if reply[0] == b"generation":
            connection.generation = generation_in(reply[1], connection.where)
        elif reply[1] == keys[2].encode():
            return _Page(keys[1], keys[2], [], [], None, is_complete=False)
        else:
            raise BrokenKeyError(reply[1].decode(errors="replace"), connection.where)


async def _without_index(connection: StoreConnection, kind: str, size: int) -> AsyncIterator[list[Raw]]:
    """Read the hash itself, in no order, and have the index name what is there."""
    seen: set[bytes] = set()
    generation, cursor = connection.generation, 0
    while True:
        cursor, found = await with_generation(
            connection,
            lambda client, generation, cursor=cursor: client.hscan(schema.entities(generation, kind), cursor, count=size),
        )
        if connection.generation != generation:  # an import was switched: that is another hash
            generation, cursor = connection.generation, 0
            continue
        page = [(entity_id, record) for entity_id, record in found.items() if entity_id not in seen]
        seen.update(entity_id for entity_id, _ in page)
        await _mend(connection, kind, [entity_id for entity_id, _ in page])
        if page:
            yield page
        if not cursor:
            break
    await _mend_foreign(connection, kind, seen)


async def _mend_foreign(connection: StoreConnection, kind: str, seen: set[bytes]) -> None:
    """Take from the index what there is no record of."""
    cursor: int = 0
    while True:
        try:
            cursor, members = await with_generation(
                connection,
                lambda client, generation, cursor=cursor: client.zscan(schema.index(generation, kind), cursor, count=1000),
            )
        except StoreError:
            return  # of a foreign type; that was told
        await _mend(connection, kind, [member for member, _ in members if member not in seen])
        if not cursor:
            return


async def _mend(connection: StoreConnection, kind: str, ids: list[bytes]) -> None:
    generation = connection.generation
    keys = [schema.GENERATION, schema.entities(generation, kind), schema.index(generation, kind), schema.users(generation)]
    if not ids:
        return
    try:
        reply = await connection.run("mend_index", keys, [generation, kind, *ids])
    except StoreError as error:  # reading goes on
        log.warning("store_index_not_mended", key=keys[2], why=error.what)
        return
    if reply[0] == b"broken":
        log.warning("store_index_not_mended", key=keys[2], remedy="remove the key; it is made anew from what is stored")


async def read_pages(
    connection: StoreConnection, kind: str, size: int, on_garbage: OnGarbage | None = None
) -> AsyncGenerator[list[Stored[Entity] | str], None]:
    """Yield the entities of a kind by pages, ids in lexical order.

    In place of a record that does not parse stands its id: it exists, but nobody can say what it is.
    Raises `StoreError`; for a hash of the wrong type too.
    """
    async with aclosing(raw_pages(connection, kind, size, on_garbage)) as pages:
        async for key, sequence, raw in pages:
            page = [(entity_id.decode(errors="replace"), record) for entity_id, record in raw]
            yield _parsed(kind, page, key, MOST if sequence is None else sequence, on_garbage)


def _parsed(
    kind: str, page: list[tuple[str, bytes]], key: str, sequence: int, on_garbage: OnGarbage | None
) -> list[Stored[Entity] | str]:
    found: list[Stored[Entity] | str] = []
    for (entity_id, _), decoded in zip(page, codec.decode_page(kind, page, key), strict=True):
        stored = decoded
        if isinstance(stored, Stored) and stored.version > sequence:
            why = f"its version {stored.version} was never given: the last one is {sequence}"
            stored = Garbage(f"{key} {entity_id}", why)
        if isinstance(stored, Garbage):
            _tell(stored, on_garbage)
            found.append(entity_id)
        else:
            found.append(stored)
    return found


def _tell(garbage: Garbage, on_garbage: OnGarbage | None) -> None:
    log.warning("store_garbage", where=garbage.where, why=garbage.why)
    if on_garbage is not None:
        on_garbage(garbage)
