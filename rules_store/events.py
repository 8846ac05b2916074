"""What happened, in order: a numbered stream per shard, a bounded history per line, and what is going on now.

An event is one JSON object. It is written at least once and kept once: a batch that is repeated, because its answer was lost, is
recognised by process and number (rules_store/lua/save_events.lua). Events of one line stand in one shard and keep their
order; those of different lines are put in order by time when they are read together.

What a line's history costs is bounded by itself: its list has an upper length, what is too old goes (with each write some, with
`EventStore.sweep` all), and reading the newest entries takes time in proportion to what is read. Diverted calls have lists of
their own, kept for a shorter time; the streams, which have both, are kept for the shorter of the two.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from redis.asyncio import Redis

from rules_store import schema
from rules_store.connection import Arg, StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.hashes import field_in, fields_in
from rules_store.untrusted import LATEST_MS, json_object, whole

log = structlog.get_logger(__name__)

Record = dict[str, Any]
"""An event: id, node, boot, seq, at_unix_ms, kind, line, order, and what the kind brings (docs/operations.md)."""

Flag = Literal["e", "c", "d"]
"""event, summary of calls (joins the one before it in the line's history), diverted call."""

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its way to the store.

    ``state``: what is going on at the line from now on, a JSON text; "" removes it, None leaves it.
    """

    seq: int
    at_unix_ms: int
    line: str
    flag: Flag
    text: str
    state: str | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is stored: its shard, its number there, and the record."""

    shard: int
    number: int
    record: Record

    @property
    def order(self) -> tuple[int, str, int, int, int]:
        """What events of several lines are sorted by: time, then as their process told them."""
        record = self.record
        return record["at_unix_ms"], str(record.get("boot", "")), int(record.get("seq", 0)), self.shard, self.number


@dataclass(frozen=True, slots=True)
class Retention:
    """How long and how much is kept."""

    days: float = 90
    calls_days: float = 30
    """Diverted calls."""
    per_line: int = 500
    per_shard: int = 20_000
    """Entries of a shard's stream, for followers; histories do not depend on it."""


class EventStore:
    """Writes and reads events."""

    def __init__(self, connection: StoreConnection, retention: Retention | None = None) -> None:
        self._connection = connection
        self.retention = retention or Retention()

    async def save(self, boot: str, entries: Sequence[Entry]) -> int:
        """Append events of one process, in order; on disk when it returns. Returns how many were new. Raises `StoreError`.

        ``boot`` names the process and sorts by the time of its start; sequence numbers rise within it. A batch that raised is
        repeated whole or with more behind it.
        """
        head = self._head(boot)
        calls: dict[int, tuple[list[str], list[Arg]]] = {}
        for entry in entries:
            number = schema.shard(entry.line)
            keys, args = calls.setdefault(number, (_keys(number), list(head)))
            keys.append((schema.diverted if entry.flag == "d" else schema.history)(number, entry.line))
            state_op = "" if entry.state is None else "s" if entry.state else "S"
            args += (entry.seq, entry.at_unix_ms, entry.flag, entry.line, entry.text, state_op, entry.state or "")
        if not calls:
            return 0
        return sum(int(reply[1]) for reply in await self._run(list(calls.values())))

    async def sweep(self) -> None:
        """Remove what is too old from all shards, also from those to which nothing is written any more. Raises `StoreError`."""
        shards = list(range(schema.SHARDS))
        while shards:
            replies = await self._run([(_keys(number), self._head("")) for number in shards])
            shards = [number for number, reply in zip(shards, replies, strict=True) if int(reply[3])]

    def _head(self, boot: str) -> list[Arg]:
        now_ms = int(time.time() * 1000)
        kept = self.retention
        oldest, oldest_call = int(now_ms - kept.days * DAY_MS), int(now_ms - kept.calls_days * DAY_MS)
        return [boot, kept.per_shard, oldest, oldest_call, kept.per_line]

    async def _run(self, calls: list[tuple[list[str], list[Arg]]]) -> list[Any]:
        replies = await self._connection.run_all("save_events", calls, safe=True)
        for reply in replies:
            if reply[0] == b"broken":
                raise BrokenKeyError(reply[1].decode(), self._connection.where)
        return replies

    async def history(self, line_id: str, limit: int = 100, since_unix_ms: int = 0) -> list[StoredEvent]:
        """Return a line's newest events, oldest first; ``line_id`` "" is the service itself. Raises `StoreError`."""
        number = schema.shard(line_id)
        return await self._tail(schema.history(number, line_id), number, limit, since_unix_ms)

    async def diverted(self, line_id: str, limit: int = 100, since_unix_ms: int = 0) -> list[StoredEvent]:
        """Return a line's newest diverted calls, oldest first. Raises `StoreError`."""
        number = schema.shard(line_id)
        return await self._tail(schema.diverted(number, line_id), number, limit, since_unix_ms)

    async def recent(self, limit: int = 100, since_unix_ms: int = 0) -> list[StoredEvent]:
        """Return the newest events of all lines, oldest first, by time. Raises `StoreError`."""

        async def read(client: Redis) -> Any:
            pipe = client.pipeline(transaction=False)
            for number in range(schema.SHARDS):
                pipe.xrevrange(schema.events(number), count=limit)
            return await pipe.execute(raise_on_error=False)

        found: list[StoredEvent] = []
        for number, entries in enumerate(await self._connection.repeat(read)):
            if isinstance(entries, Exception):
                log.warning("store_garbage", where=schema.events(number), why=str(entries))
                continue
            found += (event for entry_id, fields in entries if (event := decode(number, entry_id, fields)) is not None)
        found = [event for event in found if event.record["at_unix_ms"] >= since_unix_ms]
        found.sort(key=lambda event: event.order)
        return found[-limit:]

    async def states(self) -> AsyncIterator[dict[str, Record]]:
        """Yield, page by page, what is going on: line → state. Raises `StoreError`."""
        for number in range(schema.SHARDS):
            key = schema.states(number)
            async for fields in fields_in(self._connection, key):
                page = {
                    line.decode(errors="replace"): state
                    for line, text in fields.items()
                    if (state := _object(text, key)) is not None
                }
                if page:
                    yield page

    async def state(self, line_id: str) -> Record | None:
        """Return what is going on at a line. Raises `StoreError`."""
        key = schema.states(schema.shard(line_id))
        text = await field_in(self._connection, key, line_id)
        return _object(text, key) if text is not None else None

    async def _tail(self, key: str, number: int, limit: int, since_unix_ms: int) -> list[StoredEvent]:
        async def read(client: Redis) -> Any:
            if await client.type(key) not in {b"list", b"none"}:
                return None
            return await client.lrange(key, -limit, -1)

        rows: list[bytes] | None = await self._connection.repeat(read)
        if rows is None:
            log.warning("store_garbage", where=key, why="not a list")
            return []
        events: list[StoredEvent] = []
        for row in rows:
            position, _, rest = row.partition(b"\t")
            record = _object(rest.split(b"\t", 2)[-1], key)
            place = whole(position)
            if record is not None and place is not None and record["at_unix_ms"] >= since_unix_ms:
                events.append(StoredEvent(number, place, record))
        return events


def decode(shard: int, entry_id: bytes, fields: dict[bytes, bytes]) -> StoredEvent | None:
    """Parse an entry of a shard's stream; None (and a warning) for what is not ours."""
    digits, _, rest = entry_id.partition(b"-")
    record = _object(fields.get(b"e", b""), schema.events(shard))
    number = whole(digits)
    if record is None or number is None or rest != b"0":
        return None
    return StoredEvent(shard, number, record)


def _keys(number: int) -> list[str]:
    return [
        schema.events(number),
        schema.event_counter(number),
        schema.event_marks(number),
        schema.states(number),
        schema.history_ages(number),
        schema.diverted_ages(number),
    ]


def _object(text: bytes, where: str) -> Record | None:
    found = json_object(text)
    if found is None or (":states" not in where and not _is_event(found)):
        log.warning("store_garbage", where=where, why="not an event")
        return None
    return found


def _is_event(record: Record) -> bool:
    at, number = record.get("at_unix_ms"), record.get("seq", 0)
    timed = type(at) is int and 0 <= at <= LATEST_MS
    return timed and type(number) is int and all(isinstance(record.get(name, ""), str) for name in ("kind", "line", "boot"))
