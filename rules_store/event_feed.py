"""Following all events from a place on: nothing twice, and a gap is told, never passed over.

A *position* names the last number seen of each shard. It is a short text that a follower keeps wherever it likes and gives back
later, also in another process. Numbers have no gaps as they are written; where the next one is not the next number, entries
were trimmed meanwhile (or a fail-over lost them), and a `Gap` says how many.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.errors import StoreError
from rules_store.events import StoredEvent, decode
from rules_store.untrusted import whole

log = structlog.get_logger(__name__)
_COUNT: Final = 200
_POLL_S: Final = 0.25
_CHECK_S: Final = 5.0
_BACKOFF_LAST_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that this follower will not see: trimmed before it came, or lost by a fail-over (``missing`` is 0 then)."""

    shard: int
    missing: int


class EventFeed:
    """Hands out events from a position on. One reader at a time.

    ``position``: None begins with the next event, "" with the oldest that is kept, else where another feed stood.
    Raises `ValueError` for a text that is no position.
    """

    def __init__(self, connection: StoreConnection, position: str | None = None) -> None:
        self._connection = connection
        self._at: list[int] | None = None if position is None else _parse(position)
        self._checked = 0.0

    @property
    def position(self) -> str:
        """Where to go on: after the last event that was handed out. "" before the first read."""
        return "" if self._at is None else ".".join(format(number, "x") if number else "" for number in self._at)

    async def page(self) -> list[StoredEvent | Gap]:
        """Return what there is now, at most some hundred per shard, by time. Raises `StoreError`; the position stays then."""
        if self._at is None:
            self._at = await self._newest()
        at = self._at
        replies = await self._connection.repeat(lambda client: _read(client, at))
        found: list[StoredEvent] = []
        gaps: list[StoredEvent | Gap] = []
        reached = list(at)
        for shard, entries in replies:
            for entry_id, fields in entries:
                number = int(entry_id.partition(b"-")[0])
                if number == reached[shard]:
                    continue  # not ours: our ids end in 0
                if number != reached[shard] + 1:
                    gaps.append(Gap(shard, number - reached[shard] - 1))
                reached[shard] = number
                event = decode(shard, entry_id, fields)
                if event is not None:
                    found.append(event)
        if not found and time.monotonic() - self._checked > _CHECK_S:
            gaps += self._regressions(reached, await self._newest())
            self._checked = time.monotonic()
        self._at = reached
        found.sort(key=lambda event: event.order)
        return [*gaps, *found]

    async def events(self) -> AsyncIterator[StoredEvent | Gap]:
        """Yield events and gaps for ever, over lost connections. Close the iterator, or cancel its task, to end it.

        `position` moves page by page: a follower that keeps it after each event sees at most a page again.
        """
        backoff = _POLL_S
        while True:
            try:
                page = await self.page()
            except StoreError as error:
                log.warning("event_feed_disconnected", what=error.what)
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _BACKOFF_LAST_S)
                continue
            backoff = _POLL_S
            for item in page:
                yield item
            if not page:
                await asyncio.sleep(_POLL_S)

    async def _newest(self) -> list[int]:
        async def read(client: Redis) -> Any:
            pipe = client.pipeline(transaction=False)
            for shard in range(schema.SHARDS):
                pipe.get(schema.event_counter(shard))
            return await pipe.execute(raise_on_error=False)

        return [whole(text) or 0 if isinstance(text, bytes) else 0 for text in await self._connection.repeat(read)]

    def _regressions(self, reached: list[int], newest: list[int]) -> list[StoredEvent | Gap]:
        """Find shards whose entries are all gone, or whose numbers went back; moves ``reached``."""
        gaps: list[StoredEvent | Gap] = []
        for shard, number in enumerate(newest):
            if number < reached[shard]:
                gaps.append(Gap(shard, 0))
                reached[shard] = number
        return gaps


async def _read(client: Redis, at: list[int]) -> list[tuple[int, list[tuple[bytes, dict[bytes, bytes]]]]]:
    pipe = client.pipeline(transaction=False)
    for shard, number in enumerate(at):
        pipe.xrange(schema.events(shard), min=f"{number + 1}-0", count=_COUNT)
    pages = enumerate(await pipe.execute(raise_on_error=False))
    return [(shard, page) for shard, page in pages if not isinstance(page, Exception)]  # of a foreign type: writers tell it


def _parse(position: str) -> list[int]:
    if not position:
        return [0] * schema.SHARDS
    numbers = [int(part, 16) if part else 0 for part in position.split(".")]
    if len(numbers) != schema.SHARDS or min(numbers) < 0:
        raise ValueError(f"{position[:40]!r} is no position of an event feed")
    return numbers
