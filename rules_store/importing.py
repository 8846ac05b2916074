"""Loads of any size, all or nothing: a new generation is built beside the valid one, then one small script switches.

1. *begin* reserves a generation and a sequence number, which becomes the version of all that is imported;
2. the valid generation is copied page by page inside the server (nothing to do for a first load);
3. what the import names is taken out of the copy, and kept aside as what stood there before; then it is put in, with the same
   check of numbers as any write;
4. what others changed meanwhile, read from the change stream, is copied again, unless the import names it;
5. *commit* switches if nothing changed since step 4, else step 4 is done again. The log gets one entry, which points to what was
   kept aside: by that the import can be undone, and the history of an entity goes on behind it.

Killed before 5, the valid generation is untouched; what was built stands in the set of stale generations and is removed by
the next import. Killed after 5, the import is done. In between there is nothing: 5 is one script.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from routing.model import KINDS
from rules_store import codec, schema
from rules_store.connection import Arg, StoreConnection, new_token
from rules_store.errors import NumberTakenError, StoreError
from rules_store.faults import BrokenKeyError
from rules_store.finishing import to_the_end
from rules_store.generations import remove_stale
from rules_store.import_turn import SILENT_MS, begin, drop, lost
from rules_store.log_codec import log_head
from rules_store.since import Guard, unchanged
from rules_store.types import ANY, Author, Put, Write

Origin = tuple[str, int | None]
"""Note, and the version that is undone."""

log = structlog.get_logger(__name__)

Progress = Callable[[str, int, int], None]
"""Is told the step (``copy``, ``stage``, ``switch``), how much of it is done, and of how much (0: not known)."""

PAGE: Final = 1000
_SILENT_MS: Final = SILENT_MS
_ROUNDS: Final = 100
_PATIENT: Final = 10
"""Rounds after which other writers are held, for they are faster than we are."""
_HOLD_MS: Final = 500


def silent(step: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """``count`` entities were written; ``sequence`` is the store's after it; ``staged``: through a new generation."""

    count: int
    sequence: int
    staged: bool


class Import:
    """One import under way. Memory: the writes themselves and the set of their names."""

    def __init__(
        self,
        connection: StoreConnection,
        writes: Sequence[Write],
        author: Author,
        origin: Origin,
        *,
        guard: Guard | None = None,
        progress: Progress = silent,
    ) -> None:
        self._connection = connection
        self._guard = guard
        self._progress = progress
        self._writes = writes
        self._author = author
        self._note, self._undoes = origin
        self._page = 0
        self._token = new_token()
        self._new = secrets.token_hex(6)
        self._old = ""
        self._version = 0
        self._names: set[tuple[str, str]] = set()

    async def run(self) -> ImportResult:
        """Do it. Raises `StoreError`, `NumberTakenError`, `ConflictError`, `ValueError`; then the valid generation is as it was.

        Cancelled before the switch it is given up; cancelled at the switch it is done to its end, as if nobody had asked.
        """
        self._check()
        await self._begin()
        try:
            await self._unchanged(self._version)
            await self._copy()
            await self._stage()
            sequence = await to_the_end(self._switch())
        except BaseException:
            await self._give_up()
            raise
        log.info("store_imported", count=len(self._writes), sequence=sequence, generation=self._new)
        return ImportResult(len(self._writes), sequence, staged=True)

    async def _switch(self) -> int:
        sequence = await self._commit()
        try:
            await remove_stale(self._connection)
        except StoreError as error:  # it is switched, and the next import removes the rest
            log.warning("store_import_left_behind", generation=self._old, why=error.what)
        return sequence

    async def _unchanged(self, until: int | None = None) -> None:
        if self._guard is not None:
            await unchanged(self._connection, self._guard, until)

    def _check(self) -> None:
        for write in self._writes:
            name = _name(write)
            if name in self._names:
                raise ValueError(f"{name[0]} {name[1]} stands twice in one import")
            if write.expect != ANY:
                raise ValueError(f"{name[0]} {name[1]}: a large import cannot expect a version")
            self._names.add(name)

    async def _begin(self) -> None:
        self._version, self._old = await begin(self._connection, self._token, self._new, _SILENT_MS)
        await remove_stale(self._connection)

    async def _copy(self) -> None:
        copied = 0
        for kind in KINDS:
            start = "-"
            while start:
                last = (await self._copy_call(kind, [start, PAGE]))[1]
                start = "(" + last.decode() if last else ""
                copied += PAGE if last else 0
                self._progress("copy", copied, 0)
        await self._copy_gone()

    async def _copy_gone(self) -> None:
        cursor = 0
        while True:
            key = schema.gone(self._old)
            cursor, found = await self._connection.repeat(
                lambda client, key=key, cursor=cursor: client.hscan(key, cursor, count=PAGE)  # type: ignore[misc]
            )
            args: list[Arg] = [self._token, *(part for pair in found.items() for part in pair)]
            if found:
                self._held(await self._connection.run("import_gone", [schema.IMPORT, schema.gone(self._new)], args))
            if not cursor:
                return

    async def _copy_call(self, kind: str, args: list[str | int]) -> list[Any]:
        old, new = self._old, self._new
        keys = [schema.IMPORT, schema.entities(old, kind), schema.index(old, kind), schema.gone(old)]
        keys += [schema.entities(new, kind), schema.index(new, kind), schema.claims(new), schema.users(new), schema.gone(new)]
        keys.append(schema.claims(old))
        reply = await self._connection.run("import_copy", keys, [self._token, kind, *args])
        if reply[0] == b"taken":
            entity_id, claim, owner = (text.decode(errors="replace") for text in reply[1:4])
            raise NumberTakenError(kind, entity_id, claim, owner)
        if reply[0] == b"broken":
            raise BrokenKeyError(reply[1].decode(), self._connection.where)
        return self._held(reply)

    async def _stage(self) -> None:
        size = len(self._writes)
        for delete_first in (True, False):
            for at in range(0, size, PAGE):
                self._progress("stage", at + (0 if delete_first else size), 2 * size)
                page = self._writes[at : at + PAGE]
                fields: list[str | bytes] = []
                for write in page:
                    if delete_first:
                        kind, entity_id = _name(write)
                        fields += [str(codec.KIND_NUMBER[kind]), kind, entity_id, "t", ANY, "", "[]"]
                    else:
                        fields += codec.encode_write(write)
                await self._stage_call(fields, at)

    async def _stage_call(self, fields: list[str | bytes], at: int) -> None:
        self._page += 1
        keys = [schema.IMPORT, schema.before_import(self._new), schema.new_by_import(self._new)]
        keys += schema.generation_keys(self._new)
        args = [self._token, self._version, self._page, len(fields) // 7, *fields]
        reply = await self._connection.run("import_stage", keys, args)
        if reply[0] == b"taken":
            position = int(reply[1]) - 1
            kind, entity_id = str(fields[7 * position + 1]), str(fields[7 * position + 2])
            claim, owner = (text.decode(errors="replace") for text in reply[2:4])
            raise NumberTakenError(kind, entity_id, claim, owner, at + position)
        self._held(reply)

    async def _commit(self) -> int:
        connection = self._connection
        keys = [schema.GENERATION, schema.SEQ, schema.CHANGES, schema.IMPORT, schema.STALE, schema.RECENT, schema.TOUCH]
        keys += [*schema.LOG_KEYS, schema.IMPORTS]
        done = self._version
        for round_ in range(_ROUNDS):
            args: list[Arg] = [self._token, self._old, self._new, done, connection.settings.changes_kept]
            args += [self._version, len(self._writes), _HOLD_MS if round_ >= _PATIENT else 0]
            args += log_head(connection.settings, self._author, self._note, self._undoes)
            self._progress("switch", 0, 1)
            reply = await connection.save("import_commit", keys, args)
            if reply[0] == b"ok":
                connection.generation = self._new
                return int(reply[1])
            if reply[0] == b"broken":
                raise BrokenKeyError(reply[1].decode(), connection.where)
            if reply[0] != b"behind":
                self._held(reply)
            await self._unchanged()
            done = await self._catch_up(done)
        raise StoreError("the import never caught up with other writers", "Try when there are fewer.", retryable=True)

    async def _catch_up(self, done: int) -> int:
        """Copy again what others changed after ``done``; returns the sequence up to which that is complete."""
        changed: dict[str, set[str]] = {}
        ours: dict[str, set[str]] = {}
        async for seq, kind, entity_id in self._changes(done):
            if seq != done + 1:
                break
            done = seq
            if kind in KINDS:
                (ours if (kind, entity_id) in self._names else changed).setdefault(kind, set()).add(entity_id)
        else:
            for kind, ids in changed.items():  # first all out, so that a number may have moved between entities
                fields: list[str | bytes] = []
                for entity_id in ids:
                    fields += [str(codec.KIND_NUMBER[kind]), kind, entity_id, "x", ANY, "", "[]"]
                await self._stage_call(fields, 0)
            for kind, ids in changed.items():
                await self._copy_call(kind, ["", 0, *sorted(ids)])
            for kind, ids in ours.items():
                keys = [schema.IMPORT, schema.before_import(self._new), schema.entities(self._old, kind), schema.gone(self._old)]
                self._held(await self._connection.run("import_before", keys, [self._token, kind, *sorted(ids)]))
            return done
        raise StoreError("changes made during the import are no longer in the stream", "Repeat it.", retryable=True)

    async def _changes(self, after: int) -> AsyncIterator[tuple[int, str, str]]:
        while True:
            start = f"({after}-0"
            entries = await self._connection.repeat(
                lambda client, start=start: client.xrange(schema.CHANGES, start, "+", count=PAGE)  # type: ignore[misc]
            )
            for entry_id, fields in entries:
                after = int(entry_id.partition(b"-")[0])
                yield after, fields.get(b"k", b"").decode(errors="replace"), fields.get(b"i", b"").decode(errors="replace")
            if len(entries) < PAGE:
                return

    async def _give_up(self) -> None:
        await drop(self._connection, self._token, self._new)

    def _held(self, reply: list[Any]) -> list[Any]:
        if reply[0] != b"ok":
            raise lost()
        return reply


def _name(write: Write) -> tuple[str, str]:
    return (codec.kind_of(write.entity), write.entity.id) if isinstance(write, Put) else (write.kind, write.id)
