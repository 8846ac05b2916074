"""Following the store: a full read, then every change in order, and never a silent gap.

The position is a sequence number together with the token of the entry that has it; each entry names the token of the one
before. The follower reads everything anew when
the numbers jump, when they go back, when the entry at its position is gone or is another one (a fail-over lost writes and
new ones took their numbers), when the epoch changes, and when an import switched the generation. Entities whose version is
known already are not handed out again; after a break of history (epoch, going back, another entry) versions prove
nothing, and all are. What is no longer there is handed out as removed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final, Literal

import structlog

from routing.model import KINDS, Entity
from rules_store import codec, schema
from rules_store.connection import StoreConnection
from rules_store.errors import StoreError
from rules_store.faults import BrokenKeyError
from rules_store.reading import read_pages
from rules_store.types import Batch, Change, Garbage, Stored
from rules_store.untrusted import whole
from rules_store.wire import Wire

log = structlog.get_logger(__name__)

State = Literal["starting", "reading", "live", "disconnected"]
Reason = Literal["start", "interrupted", "jump", "trim", "import", "epoch", "regression", "rewritten"]
_BREAKS: Final = frozenset({"epoch", "regression", "rewritten"})
_CHECK_S: Final = 1.0
_COUNT: Final = 500
_BACKOFF_FIRST_S: Final = 0.02
_BACKOFF_LAST_S: Final = 1.0


class Follower:
    """Hands out what is stored and what changes. One reader at a time; position and versions outlive lost connections.

    ``sequence``: position. ``resyncs``: full reads after the first. ``last_reason``: why the last full read was made.
    ``state``: "starting", "reading" (a full read), "live", or "disconnected" (what was handed out still holds).
    """

    def __init__(
        self, connection: StoreConnection, *, on_garbage: Callable[[Garbage], None] | None = None, page_size: int = 1000
    ) -> None:
        self.sequence = 0
        self.epoch = ""
        self.resyncs = 0
        self.last_reason: Reason | None = None
        self.state: State = "starting"
        self._connection = connection
        self._on_garbage = on_garbage
        self._page_size = page_size
        self._position = "0-0"
        self._token: bytes | None = None
        self._link: bytes | None = None  # what the next entry names: the token of the last one, also of one that is none of ours
        self._held: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        self._needed: Reason | None = "start"
        self._heard = -math.inf
        self._checked = -math.inf

    @property
    def synced(self) -> bool:
        """Whether no full read is due."""
        return self._needed is None

    def age_s(self) -> float:
        """Seconds since the store last confirmed that nothing is missing; infinite before the first time."""
        return time.monotonic() - self._heard

    async def batches(self) -> AsyncIterator[Batch]:
        """Yield changes for ever, over lost connections. Cancel the task, or close the iterator, to end it."""
        backoff = _BACKOFF_FIRST_S
        while True:
            wire: Wire | None = None
            try:
                wire = await self._connection.dedicated()
                await self._check(wire)
                while True:
                    async for batch in self._turn(wire):
                        yield batch
                    if self.synced:
                        backoff = _BACKOFF_FIRST_S
                    else:  # a second full read at once would be the third: do not hammer
                        await asyncio.sleep(backoff)
                        backoff = min(2 * backoff, _BACKOFF_LAST_S)
            except BrokenKeyError as error:
                self._report(Garbage(error.key, error.what))
            except StoreError as error:
                if self.state != "disconnected":
                    log.warning("follower_disconnected", what=error.what, sequence=self.sequence)
            finally:
                if wire is not None:
                    await wire.close()
            self.state = "disconnected"
            self._connection.lost()
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _BACKOFF_LAST_S)

    async def _turn(self, wire: Wire) -> AsyncIterator[Batch]:
        if self._needed is not None:
            async for batch in self._read_all(wire, self._needed):
                yield batch
            return
        self.state = "live"
        entries = await self._entries(wire, block=True)
        before = self.sequence
        changes = self._take(entries)
        if changes or self.sequence > before:  # also behind a note: somebody may wait for its sequence
            yield Batch(tuple(changes), self.sequence, self.epoch)
        if self.synced and time.monotonic() - self._checked > _CHECK_S:
            await self._check(wire)

    async def _read_all(self, wire: Wire, reason: Reason) -> AsyncIterator[Batch]:
        """Read everything by pages at a known sequence, then what came meanwhile. Sets `_needed` if it must be done again."""
        await self._begin(reason)
        epoch, seq, token = await self._place(wire)
        self.epoch, self.sequence, self._token, self._position = epoch, seq, token, f"{seq}-0"
        self._link = token
        for kind in KINDS:
            async for changes in self._read_kind(kind):
                yield Batch(changes, seq, epoch, complete=False, resync=True)
        self._needed = None
        try:
            while entries := await self._entries(wire, block=False):
                changes = tuple(self._take(entries))
                if changes:
                    yield Batch(changes, self.sequence, epoch, complete=False, resync=True)
                if not self.synced:
                    return
            await self._check(wire)
        except BaseException:
            self._needed = "interrupted"  # else what was handed out would be held back until the next change
            raise
        if self.synced:
            yield Batch((), self.sequence, epoch, complete=True, resync=True)

    async def _begin(self, reason: Reason) -> None:
        self.state, self.last_reason = "reading", reason
        if reason not in {"start", "interrupted"}:
            self.resyncs += 1
            log.warning("follower_resync", reason=reason, sequence=self.sequence)
            self._connection.lost()  # have the server checked and, if need be, its counter healed
            await self._connection.open()
        if reason in _BREAKS:
            for versions in self._held.values():
                versions.update(dict.fromkeys(versions, -1))
        self._needed = "interrupted"  # holds if anything from here on raises

    async def _read_kind(self, kind: str) -> AsyncIterator[tuple[Change, ...]]:
        held = self._held[kind]
        # Without anything held, as at the start, nothing can be a ghost.
        seen: set[str] | None = set() if held else None
        try:
            async with aclosing(read_pages(self._connection, kind, self._page_size, self._on_garbage)) as pages:
                async for page in pages:
                    changes = _new_in(kind, page, held, seen)
                    if changes:
                        yield changes
        except BrokenKeyError as error:
            if error.key == schema.GENERATION:
                raise  # then nobody can say what is stored
            self._report(Garbage(error.key, error.what))
            return  # what is known of this kind still holds
        if seen is None:
            return
        ghosts = tuple(Change(kind, entity_id, self.sequence, None) for entity_id in held if entity_id not in seen)
        for ghost in ghosts:
            del held[ghost.id]
        if ghosts:
            yield ghosts

    def _take(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Change]:
        """Move on over entries of the stream; returns what is new. Sets `_needed` at a jump or an import."""
        changes: list[Change] = []
        for entry_id, fields in entries:
            try:
                seq, op, change = codec.decode_change(entry_id, fields)
            except ValueError as error:
                self._report(Garbage(schema.CHANGES, str(error)))
                self._position, self._link = entry_id.decode(), fields.get(b"w")
                continue
            if seq != self.sequence + 1:
                self._needed = "jump"
                break
            if fields.get(b"l") not in {None, self._link or b""}:  # its predecessor is not the one that we saw
                self._needed = "rewritten"
                break
            if op == "i":
                self._needed = "import"  # its sequence is reached when that is read
                break
            self.sequence, self._position, self._token = seq, entry_id.decode(), fields.get(b"w")
            self._link = self._token
            if isinstance(change, Garbage):
                self._report(change)
            elif change is not None and self._is_new(change):
                changes.append(change)
        return changes

    def _is_new(self, change: Change) -> bool:
        held = self._held[change.kind]
        version = held.get(change.id)
        if version is not None and change.version <= version:
            return False
        if change.entity is None:
            held.pop(change.id, None)
            return version is not None
        held[change.id] = change.version
        return True

    async def _entries(self, wire: Wire, *, block: bool) -> list[tuple[bytes, dict[bytes, bytes]]]:
        wait: list[str | int] = ["BLOCK", int(_CHECK_S * 1000)] if block else []
        command = ["XREAD", "COUNT", _COUNT, *wait, "STREAMS", schema.CHANGES, self._position]
        reply = await wire.ask(*command, extra_s=_CHECK_S)
        return [(entry_id, _pairs(fields)) for entry_id, fields in reply[0][1]] if reply else []

    async def _check(self, wire: Wire) -> None:
        """Compare the store's place with ours; sets `_needed` when they do not fit."""
        if self._needed is not None:
            return
        epoch, seq, token = await self._place(wire, self.sequence)
        if epoch != self.epoch:
            self._needed = "epoch"
        elif seq < self.sequence:
            self._needed = "regression"
        elif token is not None and token != self._token:
            self._needed = "rewritten"
        elif token is None and seq > self.sequence:
            self._needed = "trim"
        elif seq > self.sequence and not await self._entries(wire, block=False):
            self._needed = "jump"
        else:
            self._heard = self._checked = time.monotonic()

    async def _place(self, wire: Wire, at: int | None = None) -> tuple[str, int, bytes | None]:
        """Read the store's epoch and sequence, and the token of the entry ``at`` (default: the last)."""
        epoch, text = await wire.ask("MGET", schema.EPOCH, schema.SEQ)
        number = whole(text)
        if (text is not None and number is None) or (text is None and epoch is not None):
            raise BrokenKeyError(schema.SEQ, self._connection.where)
        seq = number or 0
        asked = f"{seq if at is None else at}-0"
        try:
            found = await wire.ask("XRANGE", schema.CHANGES, asked, asked)
        except StoreError as error:
            if "WRONGTYPE" in error.what:
                raise BrokenKeyError(schema.CHANGES, self._connection.where) from None
            raise
        token = _pairs(found[0][1]).get(b"w") if found else None
        return (epoch or b"").decode(errors="replace"), seq, token

    def _report(self, garbage: Garbage) -> None:
        log.warning("store_garbage", where=garbage.where, why=garbage.why)
        if self._on_garbage is not None:
            self._on_garbage(garbage)


def _new_in(kind: str, page: list[Stored[Entity] | str], held: dict[str, int], seen: set[str] | None) -> tuple[Change, ...]:
    """Return what of a page is not held in its version, and note it as held; all that is there goes into ``seen``."""
    changes: list[Change] = []
    for item in page:
        if isinstance(item, str):
            if seen is not None:
                seen.add(item)
            continue
        entity, version = item
        key = entity.id
        if seen is not None:
            seen.add(key)
        if held.get(key) != version:
            held[key] = version
            changes.append(Change(kind, key, version, entity))
    return tuple(changes)


def _pairs(flat: list[Any]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=False))
