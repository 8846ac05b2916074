"""Taking a version back: a new write that restores what stood there before.

It expects to find the entity as that version left it. If somebody changed it since, it is refused by a `ConflictError` with
the present state and the one that was wanted; ``force`` writes over that. Changes that were taken back themselves, or
changed nothing, do not stand in the way, so that several are undone one after the other. What is undone can be undone in turn, for it is a
version like any other. Whether the restored state still fits (a number that is somebody else's now, a line that is gone)
is seen by the store for numbers, and by the caller for everything else: `Undo.plan` shows what would be written.

An HA1 is not in the log. The state before, with its secrets, stands in a key of its own for as long as its entry; nothing
but this module reads it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from routing.model import KINDS, Entity
from rules_store import codec, schema
from rules_store.connection import StoreConnection
from rules_store.errors import ConflictError, VersionGoneError
from rules_store.hashes import field_in
from rules_store.log_codec import UNREADABLE, Version
from rules_store.log_reading import imports
from rules_store.repository import MANY_MAX, RulesStore
from rules_store.since import Guard
from rules_store.types import ABSENT, ANY, Author, Delete, Expect, Garbage, Put, Stored, Write
from rules_store.versions import VersionLog

_PAGE: Final = 1000
_FAR: Final = 400
"""Versions of an entity that are looked through; a person does not take more than half of them back in a row."""


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What taking versions back would write. ``entries``: what is taken back, one import or the changes of one write."""

    entries: tuple[Version, ...]
    writes: tuple[Write, ...]
    sequence: int = 0
    """The store's state that was looked at."""
    force: bool = False

    @property
    def version(self) -> int:
        """The version that is named as undone."""
        return self.entries[0].version


class Undo:
    """Plans and does it."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._log = VersionLog(connection)
        self._rules = RulesStore(connection)

    async def plan(self, version: int, *, whole_write: bool = False, force: bool = False) -> UndoPlan:
        """Say what taking back a version would write; ``whole_write``: with all that was written together with it.

        An import is always taken back whole. Raises `VersionGoneError` for what is not in the log, `ConflictError` where that
        shows already, `StoreError`.
        """
        sequence = await self._rules.sequence()
        entry = await self._log.version(version)
        if entry is not None and entry.op == "erase":
            raise VersionGoneError(version, "it erased a customer, and nothing of that is kept")
        if entry is None or (entry.op != "import" and entry.kind not in KINDS):
            raise VersionGoneError(version)
        if entry.op == "import":
            back = tuple([write async for write in self._import(entry, force=force)])
            return UndoPlan((entry,), back, sequence, force)
        entries = [entry]
        if whole_write and entry.count > 1:
            entries = await self._log.between(entry.first, entry.last)
            if len(entries) != entry.count:
                raise VersionGoneError(entry.first)
        return UndoPlan(tuple(entries), tuple([await self._one(one, force=force) for one in entries]), sequence, force)

    async def undo(
        self, version: int, author: Author, *, whole_write: bool = False, force: bool = False, note: str = ""
    ) -> list[int]:
        """Take a version back; returns the new versions (of a large import: that of the import which takes it back).

        Raises as `plan`, and `NumberTakenError` when a number went to somebody else meanwhile. Then nothing was written.
        """
        return await self.carry_out(await self.plan(version, whole_write=whole_write, force=force), author, note=note)

    async def carry_out(self, plan: UndoPlan, author: Author, *, note: str = "") -> list[int]:
        """Write what was planned. Raises as `RulesStore.write_many`."""
        if len(plan.writes) <= MANY_MAX:
            return await self._rules.write_many(plan.writes, author=author, note=note, undoes=plan.version)
        # A large import cannot expect versions: `plan` has looked at them, and the guard sees what was changed since.
        names = {_name(write) for write in plan.writes}
        guard = None if plan.force else Guard(plan.sequence, lambda change: (change.kind, change.id) in names)
        anyway = [_anyway(write) for write in plan.writes]
        result = await self._rules.import_many(anyway, author=author, note=note, undoes=plan.version, guard=guard)
        return [result.sequence]

    async def _one(self, entry: Version, *, force: bool) -> Write:
        before = await self._before(entry)
        expect: Expect = ANY
        if not force:
            current = await self._rules.get(entry.kind, entry.id)
            stands = current.version if current is not None else await self._log.removed_at(entry.kind, entry.id)
            if (current is None) != (entry.after is None) or not await self._is_as_after(entry, entry.kind, entry.id, stands):
                raise ConflictError(entry.kind, entry.id, current, wanted=before)
            expect = ABSENT if current is None else current.version
        return Delete(entry.kind, entry.id, expect) if before is None else Put(before, expect)

    async def _is_as_after(self, entry: Version, kind: str, entity_id: str, stands: int | None) -> bool:
        """Whether an entity is as ``entry`` left it: in that version, or after others that changed nothing or took each other back."""
        made = entry.imported or entry.version
        if stands is None or stands <= made:
            return stands == made
        chain = await self._log.history(kind, entity_id, _FAR)
        at = 0
        while at < len(chain) and chain[at].version != entry.version:
            one = chain[at]
            if one.undoes is not None:
                later = (n for n in range(at + 1, len(chain)) if chain[n].first <= one.undoes <= chain[n].last)
                at = next(later, len(chain))
            elif not _changed_nothing(one):
                return False
            at += 1
        return at < len(chain)

    async def _before(self, entry: Version) -> Entity | None:
        if entry.before is None:
            return None
        text = await field_in(self._connection, schema.SECRETS, str(entry.version))
        if text is None:
            text = json.dumps(entry.before).encode()
        entity = codec.decode_entity(entry.kind, entry.id, text, f"log {entry.version}")
        if isinstance(entity, Garbage):
            why = "it did not parse" if UNREADABLE in entry.before else entity.why
            raise VersionGoneError(entry.version, f"what stood there before cannot be restored: {why}")
        return entity

    async def _import(self, entry: Version, *, force: bool) -> AsyncIterator[Write]:
        """Yield what takes an import back. Raises `VersionGoneError` when it is not kept what stood there before."""
        places = await imports(self._connection)
        if entry.imported is None or entry.imported not in places:
            raise VersionGoneError(entry.version, "what stood there before is kept of the newest large imports only")
        async for page in self._before_import(places[entry.imported][1]):
            present = await self._present(page) if not force else {}
            for (kind, entity_id), record in page.items():
                before = _restored(kind, entity_id, record, entry.version)
                current = present.get((kind, entity_id))
                if not force:
                    stands = current.version if current is not None else await self._log.removed_at(kind, entity_id)
                    if not await self._is_as_after(entry, kind, entity_id, stands):
                        raise ConflictError(kind, entity_id, current, wanted=before)
                expect: Expect = ANY if force else ABSENT if current is None else current.version
                yield Delete(kind, entity_id, expect) if before is None else Put(before, expect)

    async def _present(self, page: dict[tuple[str, str], bytes]) -> dict[tuple[str, str], Stored[Entity]]:
        by_kind: dict[str, list[str]] = {}
        for kind, entity_id in page:
            by_kind.setdefault(kind, []).append(entity_id)
        return {
            (kind, entity_id): stored
            for kind, ids in by_kind.items()
            for entity_id, stored in (await self._rules.get_many(kind, ids)).items()
        }

    async def _before_import(self, generation: str) -> AsyncIterator[dict[tuple[str, str], bytes]]:
        """Yield by pages what stood there before an import, with its secrets; ``b""`` where there was nothing."""
        key, cursor, held = schema.before_import(generation), 0, set[bytes]()
        while True:
            cursor, fields = await self._connection.repeat(
                lambda client, cursor=cursor: client.hscan(key, cursor, count=_PAGE)  # type: ignore[misc]
            )
            fresh = {name: record for name, record in fields.items() if name not in held and _split(name)[0] in KINDS}
            held.update(fresh)
            yield {_split(name): b"" if record.isdigit() else record for name, record in fresh.items()}
            if not cursor:
                break
        names, at = schema.new_by_import(generation), 0
        while page := await self._connection.repeat(lambda client, at=at: client.lrange(names, at, at)):  # type: ignore[misc]
            yield {_split(name): b"" for name in page[0].split(b"\n") if name not in held and _split(name)[0] in KINDS}
            at += 1


def _changed_nothing(version: Version) -> bool:
    """Whether a version is the one before once more. Where there are secrets that cannot be seen."""
    state = version.after
    return state is not None and state == version.before and not state.get("credentials")


def _restored(kind: str, entity_id: str, record: bytes, version: int) -> Entity | None:
    if not record:
        return None
    stored = codec.decode_record(kind, entity_id, record, f"before import {version}")
    if isinstance(stored, Garbage):
        raise VersionGoneError(version, f"what stood there before cannot be restored: {stored.where}: {stored.why}")
    return stored.entity


def _name(write: Write) -> tuple[str, str]:
    return (codec.kind_of(write.entity), write.entity.id) if isinstance(write, Put) else (write.kind, write.id)


def _anyway(write: Write) -> Write:
    return Put(write.entity) if isinstance(write, Put) else Delete(write.kind, write.id)


def _split(name: bytes) -> tuple[str, str]:
    kind, _, entity_id = name.decode(errors="replace").partition(":")
    return kind, entity_id
