"""Reading and writing rules: one round trip, one atomic script, versions instead of locks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final

import structlog

from routing.model import Entity
from rules_store import codec, schema
from rules_store.connection import Arg, StoreConnection, new_token
from rules_store.errors import ConflictError, NumberTakenError, StoreError
from rules_store.faults import BrokenKeyError
from rules_store.importing import Import, ImportResult, Progress, silent
from rules_store.log_codec import log_head
from rules_store.reading import generation_in, read_pages, with_generation
from rules_store.since import Guard
from rules_store.types import ANY, SERVICE, Author, Delete, Expect, Garbage, Put, Stored, Write
from rules_store.untrusted import whole

log = structlog.get_logger(__name__)

MANY_MAX: Final = 5000
"""Most entities in one script call; larger loads go through `RulesStore.import_many`. The server does nothing else for
about 10 µs an entity meanwhile."""
_HELD_S: Final = 0.02
ENTITY_MAX: Final = 256 * 1024
"""Largest entity in bytes: each write also stands in the change stream."""


class RulesStore:
    """Customers, users, orders, lines, blocks, numbers and diversions.

    Every write is on disk when the call returns (see docs/store.md, "Saved"). All methods raise `StoreError`.
    """

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    async def get(self, kind: str, entity_id: str) -> Stored[Entity] | None:
        """Read one entity. A record that does not parse is a `StoreError`, for nobody may overwrite it unseen."""
        return (await self.get_many(kind, [entity_id])).get(entity_id)

    async def get_many(self, kind: str, ids: Sequence[str]) -> dict[str, Stored[Entity]]:
        """Read some entities; those that do not exist are left out."""
        if not ids:
            return {}
        records = await with_generation(
            self._connection, lambda client, generation: client.hmget(schema.entities(generation, kind), list(ids))
        )
        found: dict[str, Stored[Entity]] = {}
        for entity_id, record in zip(ids, records, strict=True):
            if record is not None:
                found[entity_id] = self._stored(kind, entity_id, record)
        return found

    async def pages(self, kind: str, size: int = 1000) -> AsyncIterator[list[Stored[Entity]]]:
        """Read a kind by pages, ids in lexical order. Records that do not parse are left out and logged.

        Each entity that is there from beginning to end is read once; what is written meanwhile may be in or not.
        """
        async with aclosing(read_pages(self._connection, kind, size)) as pages:
            async for page in pages:
                stored = [item for item in page if isinstance(item, Stored)]
                if stored:
                    yield stored

    async def users_of(self, customer: str | None, size: int = 1000) -> AsyncIterator[list[Stored[Entity]]]:
        """Read the users of a customer by pages, None: the carrier's own. Takes time in proportion to them alone.

        Records that do not parse are left out and logged.
        """
        start = f"[{customer or ''} ".encode()
        end = f"({customer or ''}!"  # the sign behind the blank
        while True:
            members: list[bytes] = await with_generation(
                self._connection,
                lambda client, generation, start=start: client.zrangebylex(schema.users(generation), start, end, 0, size),
            )
            ids = [member.partition(b" ")[2].decode(errors="replace") for member in members]
            found = await self._known("user", ids)
            if found:
                yield found
            if len(members) < size:
                return
            start = b"(" + members[-1]

    async def owner_of(self, number: str) -> str | None:
        """Return which entity holds a number or block range (``"number:N1"``), None when it is free."""
        owner = await with_generation(self._connection, lambda client, generation: client.hget(schema.claims(generation), number))
        return owner.decode(errors="replace") if owner is not None else None

    async def sequence(self) -> int:
        """Return the number of the last change."""
        text = await self._connection.repeat(lambda client: client.get(schema.SEQ))
        return whole(text) or 0

    async def put(self, entity: Entity, expect: Expect = ANY, *, author: Author = SERVICE, note: str = "") -> Stored[Entity]:
        """Write one entity. Raises `ConflictError`, `NumberTakenError` or `StoreError`; then nothing was promised."""
        versions = await self.write_many([Put(entity, expect)], author=author, note=note)
        return Stored(entity, versions[0])

    async def delete(self, kind: str, entity_id: str, expect: Expect = ANY, *, author: Author = SERVICE, note: str = "") -> int:
        """Remove one entity; returns the version of the deletion. `ANY` is content with nothing there."""
        return (await self.write_many([Delete(kind, entity_id, expect)], author=author, note=note))[0]

    async def write_many(
        self,
        writes: Sequence[Write],
        *,
        author: Author = SERVICE,
        note: str = "",
        undoes: int | None = None,
    ) -> list[int]:
        """Write up to `MANY_MAX` entities, all or none, in one script; returns the new versions in order.

        ``author`` and ``note`` (why, one line) stand in the log of versions, which is written with it
        (`rules_store.versions`); ``undoes`` is the version that this takes back.

        Raises `ConflictError`, `NumberTakenError`, `StoreError`; `ValueError` for too many, too large or one entity twice.
        """
        if not writes:
            return []
        if len(writes) > MANY_MAX:
            raise ValueError(f"{len(writes)} entities in one write, at most {MANY_MAX}; use import_many")
        changes = encode(writes)
        connection, token = self._connection, new_token()
        origin = log_head(connection.settings, author, note, undoes)
        while True:
            generation = connection.generation
            keys = [schema.GENERATION, schema.SEQ, schema.CHANGES, schema.RECENT, schema.TOUCH, *schema.LOG_KEYS]
            keys += schema.generation_keys(generation)
            head: list[Arg] = [generation, token, connection.settings.changes_kept, schema.RECENT_KEPT]
            head += [codec.KIND_NUMBER["order"], *origin, len(writes)]
            reply = await connection.save("write", keys, [*head, *changes])
            if reply[0] == b"ok":
                first = int(reply[1])
                return list(range(first, first + len(writes)))
            if reply[0] == b"hold":  # an import is about to be switched
                await asyncio.sleep(_HELD_S)
                continue
            if reply[0] != b"generation":
                raise self._refused(writes, reply)
            if reply[1]:
                connection.generation = generation_in(reply[1], connection.where)
            else:  # the store was emptied under us
                connection.generation = schema.FIRST_GENERATION
                connection.lost()
                await connection.open()

    async def import_many(
        self,
        writes: Iterable[Write],
        *,
        author: Author = SERVICE,
        note: str = "",
        undoes: int | None = None,
        guard: Guard | None = None,
        progress: Progress = silent,
        staged: bool = False,
    ) -> ImportResult:
        """Write any number of entities, all or none, also if we or the store are killed in the middle.

        Up to `MANY_MAX` this is `write_many`, unless ``staged`` says otherwise. Above, a whole new generation is built beside the
        valid one and switched to by one small script; expectations must be `ANY` there, and ``guard`` says which changes of
        others refuse it. One import at a time. Raises as `write_many`.
        """
        chosen = list(writes)
        if len(chosen) <= MANY_MAX and not staged:
            versions = await self.write_many(chosen, author=author, note=note, undoes=undoes)
            return ImportResult(len(chosen), versions[-1] if versions else await self.sequence(), staged=False)
        return await Import(self._connection, chosen, author, (note, undoes), guard=guard, progress=progress).run()

    async def _known(self, kind: str, ids: Sequence[str]) -> list[Stored[Entity]]:
        """Read some entities, in order; what is not there or does not parse is left out."""
        key = schema.entities(self._connection.generation, kind)
        records: Any = await with_generation(
            self._connection, lambda client, generation: client.hmget(schema.entities(generation, kind), list(ids) or [""])
        )
        found: list[Stored[Entity]] = []
        for entity_id, record in zip(ids, records, strict=False):
            stored = codec.decode_record(kind, entity_id, record, f"{key} {entity_id}") if record is not None else None
            if isinstance(stored, Garbage):
                log.warning("store_garbage", where=stored.where, why=stored.why)
            elif stored is not None:
                found.append(stored)
        return found

    def _stored(self, kind: str, entity_id: str, record: bytes) -> Stored[Entity]:
        where = f"{schema.entities(self._connection.generation, kind)} {entity_id}"
        stored = codec.decode_record(kind, entity_id, record, where)
        if isinstance(stored, Garbage):
            what = f"the record {where} in the store at {self._connection.where} does not parse: {stored.why}"
            raise StoreError(what, "Write it anew or remove it; see docs/store.md, recovery.", retryable=False)
        return stored

    def _refused(self, writes: Sequence[Write], reply: list[Any]) -> Exception:
        outcome = reply[0].decode()
        if outcome == "broken":
            self._connection.lost()  # opening heals a counter that lags behind the stream
            return BrokenKeyError(reply[1].decode(errors="replace"), self._connection.where)
        position = int(reply[1]) - 1
        write = writes[position]
        kind, entity_id = (codec.kind_of(write.entity), write.entity.id) if isinstance(write, Put) else (write.kind, write.id)
        if outcome == "taken":
            claim, owner = (text.decode(errors="replace") for text in reply[2:4])
            return NumberTakenError(kind, entity_id, claim, owner, position)
        try:
            current = self._stored(kind, entity_id, reply[2]) if reply[2] else None
        except StoreError as error:
            return error
        wanted = write.entity if isinstance(write, Put) else None
        return ConflictError(kind, entity_id, current, position, wanted)


def encode(writes: Sequence[Write]) -> list[str | bytes]:
    """Return the fields of all writes for the scripts. Raises `ValueError` for one entity twice or one too large."""
    fields: list[str | bytes] = []
    seen: set[tuple[str | bytes, str | bytes]] = set()
    for write in writes:
        encoded = codec.encode_write(write)
        name = (encoded[1], encoded[2])
        if name in seen:
            raise ValueError(f"{encoded[1]!s} {encoded[2]!s} stands twice in one write")
        if len(encoded[5]) > ENTITY_MAX:
            raise ValueError(f"{encoded[1]!s} {encoded[2]!s} is larger than {ENTITY_MAX} bytes")
        seen.add(name)
        fields += encoded
    return fields
