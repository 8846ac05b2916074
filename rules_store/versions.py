"""The log of versions: who changed what, when, from where, and what stood there before.

Each write appends to it in the same atomic script, so there is no version without its entry and no entry without its version. The
history of an entity is a walk from the version of its record; that of a customer one from his newest entry: neither needs
an index nor reads what belongs to others. An import through a new generation is one entry, which points to what stood there
before (`rules_store.importing`).

Secrets are not in it: an HA1 reads ``""``. What undo needs of them stands apart and goes with its entry (`rules_store.undo`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from rules_store import codec, schema
from rules_store.connection import StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.generations import forget_imports
from rules_store.hashes import field_in
from rules_store.log_codec import State, Version, cutoff_unix_ms, redacted
from rules_store.log_reading import (
    PAGE,
    Chain,
    Place,
    entries_between,
    entries_down_from,
    imports,
    number_of,
    parsed,
    version_before,
    walk,
)
from rules_store.reading import generation_in, with_generation
from rules_store.untrusted import MOST, whole

_WRITE_MOST: Final = 10_000
"""More than any write through one script."""


class VersionLog:
    """Reads the log of versions. All methods raise `StoreError`; an entry that does not parse is left out and reported."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    async def version(self, version: int) -> Version | None:
        """Return one entry; None when it is not in the log (any more), or when nothing was changed under that number.

        For the version of what a large import brought, that is the entry of the import.
        """
        if not 0 < version < MOST:
            return None
        found = await self.between(version, version)
        if not found and (place := (await imports(self._connection)).get(version)) is not None:
            found = await self.between(place[0], place[0])
        return found[0] if found else None

    async def between(self, first: int, last: int) -> list[Version]:
        """Return the entries ``first`` to ``last``, oldest first."""
        found: list[Version] = []
        last = min(last, first + _WRITE_MOST)  # what an entry says of its write may be garbage
        while first <= last:
            page = await entries_between(self._connection, first, last)
            found += parsed(page)
            if len(page) < PAGE:
                break
            first = number_of(page[-1]) + 1
        return found

    async def history(self, kind: str, entity_id: str, limit: int = 100) -> list[Version]:
        """Return what was done to one entity, newest first; also when it is removed. Ends where the log does.

        What a large import did to it is told as its change, under the version of the import.
        """
        places = await imports(self._connection)
        found: list[Version] = []
        start, after = await self._present(kind, entity_id)
        while start is not None and len(found) < limit:
            start, page = await walk(self._connection, start, "p", limit - len(found))
            found += page
            after = page[-1].before if page else after
            if start is None or start not in places or len(found) == limit:
                break
            step = await self._import_of(kind, entity_id, places[start], after)
            if step is None:
                break
            if step.before is not None or step.after is not None:  # else it removed what was not there
                found.append(step)
            start, after = step.previous, step.before
        return found

    async def log(
        self,
        *,
        since_unix_ms: int = 0,
        until_unix_ms: int | None = None,
        customer: str | None = None,
        before: int | None = None,
    ) -> AsyncIterator[list[Version]]:
        """Yield the entries of a span of time by pages, newest first; ``until_unix_ms`` itself is not in it.

        With ``customer`` what is his, and all large imports, which may hold something of his. ``before``: only versions below,
        to go on after a page.
        """
        pages = self._all(until_unix_ms, before) if customer is None else self._of_customer(customer)
        async for page in pages:
            chosen = [
                entry
                for entry in page
                if entry.at_unix_ms >= since_unix_ms
                and (until_unix_ms is None or entry.at_unix_ms < until_unix_ms)
                and (before is None or entry.version < before)
            ]
            if chosen:
                yield chosen
            # A clock may have been set back between two entries, hardly by a page.
            if page and all(entry.at_unix_ms < since_unix_ms for entry in page):
                return

    async def trim(self, step: int = 256) -> int:
        """Remove what is older or more than is kept, in small steps; returns how many entries went."""
        connection, removed = self._connection, 0
        settings = connection.settings
        await connection.open()
        while True:
            generation = connection.generation
            keys = [schema.GENERATION, *schema.LOG_KEYS, schema.gone(generation)]
            reply = await connection.run("trim_log", keys, [generation, cutoff_unix_ms(settings), settings.log_kept, step])
            if reply[0] == b"broken":
                raise BrokenKeyError(reply[1].decode(), connection.where)
            if reply[0] == b"generation":
                connection.generation = generation_in(reply[1], connection.where)
                continue
            removed += int(reply[1])
            if int(reply[1]) < step:
                oldest = int(reply[2] or 0)
                await forget_imports(connection, oldest)
                await connection.repeat(
                    lambda client, oldest=oldest: client.zremrangebyscore(schema.ERASED, "-inf", f"({oldest}")  # type: ignore[misc]
                )
                return removed

    async def removed_at(self, kind: str, entity_id: str) -> int | None:
        """Return the version at which something was removed; None when it is there, never was, or it is not known."""
        text: Any = await with_generation(
            self._connection, lambda client, generation: client.hget(schema.gone(generation), f"{kind}:{entity_id}")
        )
        return whole(text)

    async def _present(self, kind: str, entity_id: str) -> tuple[int | None, State | None]:
        """Return the newest version of an entity, and what it is without its secrets."""
        record: Any = await with_generation(
            self._connection, lambda client, generation: client.hget(schema.entities(generation, kind), entity_id)
        )
        if record is None:
            return await self.removed_at(kind, entity_id), None
        split = codec.split_record(record)
        return (split[0], redacted(split[1], kind)) if split is not None else (None, None)

    async def _import_of(self, kind: str, entity_id: str, place: Place, after: State | None) -> Version | None:
        """Tell an import as a change of one entity."""
        switched, generation = place
        entry = await self.version(switched)
        if entry is None:
            return None
        key, name = schema.before_import(generation), f"{kind}:{entity_id}"
        record = await field_in(self._connection, key, name)
        before, previous = None, None
        if record is not None and record.isdigit():
            previous = whole(record)
        elif record is not None and (split := codec.split_record(record)) is not None:
            previous, before = split[0], redacted(split[1], kind)
        return entry.as_change(kind, entity_id, before, after, previous)

    async def _all(self, until_unix_ms: int | None, before: int | None) -> AsyncIterator[list[Version]]:
        if until_unix_ms is None:
            text: Any = await self._connection.repeat(lambda client: client.get(schema.SEQ))
            end = whole(text) or 0
        else:
            end = await version_before(self._connection, until_unix_ms)
        if before is not None:
            end = min(end, before - 1)
        while end > 0 and (page := await entries_down_from(self._connection, end)):
            yield parsed(page)
            end = number_of(page[-1]) - 1

    async def _of_customer(self, customer: str) -> AsyncIterator[list[Version]]:
        """Walk along the customer's entries and the imports' at once, newest first."""
        his, all_imports = Chain(self._connection, customer), Chain(self._connection, "*")
        while True:
            page: list[Version] = []
            while len(page) < PAGE:
                first, second = await his.peek(), await all_imports.peek()
                if first is None and second is None:
                    break
                newer = second is None or (first is not None and first.version > second.version)
                page.append((his if newer else all_imports).take())
            if not page:
                return
            yield page
