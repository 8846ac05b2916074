"""Events on their way to the store: in order, until they are there.

One batch is on its way at a time; while the store is away everything waits in memory, up to a limit. Beyond it the oldest go, and
in their place, in front of the next batch, stands one event `lost` that says how many: it takes the number of the last of
them, so that numbers go on rising.
"""

import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from registrar_watch.keep import WriteBehind

Record = dict[str, Any]
Flag = Literal["e", "c", "d"]

_log = structlog.get_logger(__name__)
_BATCH = 2000
_COLLECT_S = 0.02


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event with its number; the shape that the store takes (`rules_store.Entry`)."""

    seq: int
    at_unix_ms: int
    line: str
    flag: Flag
    text: str
    state: str | None = None


class Outbox(WriteBehind):
    """Numbers events, keeps them and saves them in batches."""

    def __init__(
        self,
        save: Callable[[str, Sequence[Waiting]], Awaitable[None]],
        *,
        node: str,
        boot: str,
        limit: int = 100_000,
    ) -> None:
        """``save(boot, batch)`` raises `Unsaved` when the store cannot; ``boot`` names this process and sorts by its start."""
        super().__init__("events", _COLLECT_S)
        self._save = save
        self.node = node
        self.boot = boot
        self.limit = limit
        """Events that may wait; one batch under way comes to that."""
        self._waiting: deque[Waiting] = deque()
        self._flying: list[Waiting] = []
        self._seq = 0
        self._dropped: list[Waiting] = []  # first and last of a row of lost ones
        self._dropped_count = 0
        self.written = 0
        """Events that are in the store."""
        self.lost = 0
        """Events that had no room while the store was away."""

    def __len__(self) -> int:
        """Return how many events wait to be saved."""
        return len(self._waiting) + len(self._flying)

    def put(self, record: Record, *, flag: Flag = "e", state: Record | Literal[""] | None = None) -> Record:
        """Number an event and keep it until it is saved; returns it as it will be stored.

        ``record`` has ``kind``, ``line`` ("" for the service) and ``at_unix_ms``. ``state``: what goes on at the line from now
        on, "" for nothing any more; None leaves that.
        """
        self._seq += 1
        full = self._numbered(self._seq, record)
        text = None if state is None else _json(state) if state else ""
        self._waiting.append(Waiting(self._seq, record["at_unix_ms"], record["line"], flag, _json(full), text))
        if len(self._waiting) > self.limit:
            self._drop()
        self._changed()
        return full

    async def _save_batch(self) -> int:
        """Save a batch; one that could not be saved goes first, and grows up to where events were dropped."""
        batch = self._flying
        if not batch and self._dropped_count:
            batch.append(self._gap())
        while self._waiting and len(batch) < _BATCH and not self._dropped_count:
            batch.append(self._waiting.popleft())
        await self._save(self.boot, batch)
        self.written += len(batch)
        self._flying = []
        return len(batch)

    def _drop(self) -> None:
        gone = self._waiting.popleft()
        self._dropped = [self._dropped[0] if self._dropped else gone, gone]
        self._dropped_count += 1
        self.lost += 1
        if self._dropped_count == 1:
            _log.error("events are lost: the store is away for too long", limit=self.limit)

    def _gap(self) -> Waiting:
        first, last = self._dropped
        record = self._numbered(
            last.seq,
            {
                "kind": "lost",
                "line": "",
                "at_unix_ms": last.at_unix_ms,
                "count": self._dropped_count,
                "from_unix_ms": first.at_unix_ms,
                "why": "the store was away for too long",
            },
        )
        self._dropped, self._dropped_count = [], 0
        return Waiting(last.seq, last.at_unix_ms, "", "e", _json(record))

    def _numbered(self, seq: int, record: Record) -> Record:
        return {"id": f"{self.boot}-{seq}", "node": self.node, "boot": self.boot, "seq": seq, **record}


def now_ms() -> int:
    """Return the time as events carry it."""
    return int(time.time() * 1000)


def _json(record: Record) -> str:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)
