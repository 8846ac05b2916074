"""Bindings and verdicts: what must survive a restart of ours. Written in batches, read by pages at start.

A batch costs one round trip however many of the 64 shards it touches, and is on disk (and at the replicas asked for) when
the call returns. Repeating a batch does no harm. Nothing here has a time to live in the store: a server that is told to
refuse writes on a full disk must not want to delete anything by itself.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import Redis

from rules_store import codec, schema
from rules_store.connection import Arg, StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.types import BindingRow, Garbage, VerdictRow

log = structlog.get_logger(__name__)

EXPIRED_KEPT_S: Final = 3600
"""Bindings that ran out are kept so long: after a longer stop of ours they still get their grace period."""
LIVE_KEPT: Final = 1000
_EXPIRED_AT_ONCE: Final = 20
_SCAN: Final = 1000

Row = TypeVar("Row")
_Op = tuple[str, str, str, int]  # op, field, value, expires


class _Shards:
    """What both stores share."""

    def __init__(self, connection: StoreConnection, on_garbage: Callable[[Garbage], None] | None = None) -> None:
        self._connection = connection
        self._on_garbage = on_garbage

    async def _save(self, ops: Iterable[tuple[str, _Op]], expired_before: str = "", at_most: int = 0) -> int:
        """Save the operations of each line's shard; returns how many expired bindings went on the way."""
        by_shard: dict[int, list[Arg]] = {}
        for line_id, op in ops:
            by_shard.setdefault(schema.shard(line_id), []).extend(op)
        return await self._call({n: (fields, expired_before, at_most) for n, fields in by_shard.items()})

    async def _call(self, shards: dict[int, tuple[list[Arg], str, int]]) -> int:
        calls: list[tuple[Sequence[str], Sequence[Arg]]] = []
        for n, (fields, before, at_most) in shards.items():
            keys = [schema.bindings(n), schema.expiries(n), schema.verdicts(n), schema.live_stream(n)]
            calls.append((keys, [LIVE_KEPT, before, at_most, *fields]))
        if not calls:
            return 0
        removed = 0
        for reply in await self._connection.run_all("save_live", calls, safe=True):
            if reply[0] == b"broken":
                raise BrokenKeyError(reply[1].decode(), self._connection.where)
            removed += int(reply[1])
        return removed

    async def _load(
        self, key: Callable[[int], str], decode: Callable[[bytes, bytes, str], Row | Garbage]
    ) -> AsyncIterator[list[Row]]:
        for number in range(schema.SHARDS):
            name, cursor, seen = key(number), 0, set[bytes]()
            while True:
                cursor, found = await self._scan(name, cursor)
                page: list[Row] = []
                for field, value in found.items():
                    if field in seen:  # HSCAN may return a field twice
                        continue
                    seen.add(field)
                    row = decode(field, value, f"{name} {field.decode(errors='replace')}")
                    if isinstance(row, Garbage):
                        self._report(row)
                    else:
                        page.append(row)
                if page:
                    yield page
                if not cursor:
                    break

    async def _scan(self, name: str, cursor: int) -> tuple[int, dict[bytes, bytes]]:
        async def scan(client: Redis) -> Any:
            if await client.type(name) not in {b"hash", b"none"}:
                return None
            return await client.hscan(name, cursor, count=_SCAN)

        answer: tuple[int, dict[bytes, bytes]] | None = await self._connection.repeat(scan)
        if answer is None:
            self._report(Garbage(name, "not a hash"))
            return 0, {}
        return answer

    def _report(self, garbage: Garbage) -> None:
        log.warning("store_garbage", where=garbage.where, why=garbage.why)
        if self._on_garbage is not None:
            self._on_garbage(garbage)


class BindingStore(_Shards):
    """Registered contacts. The later of two rows with the same line, user and contact holds."""

    async def save_bindings(self, rows: Sequence[BindingRow], removed: Sequence[BindingRow] = ()) -> None:
        """Save rows and remove others, all on disk when it returns. Raises `StoreError`, then all may be repeated.

        All or none within a shard; a lost connection may leave some shards done. ``removed`` goes first.
        """
        before = str(_now_ms() - EXPIRED_KEPT_S * 1000)
        await self._save(_binding_ops(rows, removed), before, _EXPIRED_AT_ONCE)

    async def remove_bindings(self, rows: Sequence[BindingRow]) -> None:
        """Remove rows; those that are not there are passed over."""
        await self._save(_binding_ops((), rows))

    async def remove_expired(self, before_unix_ms: int, at_most: int = 10_000) -> int:
        """Remove bindings that ran out before a time, some per shard at once until ``at_most``; returns how many."""
        per_shard, total = 500, 0
        waiting = set(range(schema.SHARDS))
        while waiting and total < at_most:
            for number in sorted(waiting):
                removed = await self._call({number: ([], str(before_unix_ms), per_shard)})
                total += removed
                if removed < per_shard:
                    waiting.discard(number)
        return total

    def load(self) -> AsyncIterator[list[BindingRow]]:
        """Read all, page by page, also those that ran out: the reader knows how long we were down."""
        return self._load(schema.bindings, codec.decode_binding)


class VerdictStore(_Shards):
    """Verdicts. Save each batch of verdict events at once: what is stored is then as old as the batch."""

    async def save_verdicts(self, rows: Sequence[VerdictRow]) -> None:
        """Save the verdicts; the last of several of one line holds. On disk when it returns. Raises `StoreError`."""
        last = {row["line_id"]: row for row in rows}
        await self._save((line, ("v", line, codec.encode_verdict(row), 0)) for line, row in last.items())

    async def remove_verdicts(self, line_ids: Sequence[str]) -> None:
        """Remove the verdicts of lines that are no more."""
        await self._save((line, ("V", line, "", 0)) for line in line_ids)

    def load(self) -> AsyncIterator[list[VerdictRow]]:
        """Read all, page by page."""
        return self._load(schema.verdicts, codec.decode_verdict)


def _binding_ops(rows: Sequence[BindingRow], removed: Sequence[BindingRow]) -> Iterator[tuple[str, _Op]]:
    for row in removed:
        yield row.line_id, ("B", codec.binding_field(row), "", 0)
    for row in rows:
        yield row.line_id, ("b", codec.binding_field(row), codec.encode_binding(row), row.expires_unix_ms)


def _now_ms() -> int:
    return int(time.time() * 1000)
