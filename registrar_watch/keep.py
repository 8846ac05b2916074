"""Write-behind with memory: what changed is kept until the store has it, and tried again until then.

One batch is on its way at a time; what changes meanwhile is the next batch, so load decides the batch size. The keeper here
keeps the newest value of each key: while the store is away nothing is lost and nothing grows beyond one entry per key; when it
is back, the first batch carries all. The outbox (`registrar_watch.outbox`) keeps every event in order.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

import structlog

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Save = Callable[[Mapping[K, V | None]], Awaitable[None]]
"""Writes values by key, None removes; raises `Unsaved` when the store cannot."""

_log = structlog.get_logger(__name__)
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 2.0


class Unsaved(Exception):  # noqa: N818 - the name says what is the case
    """The store could not save; the same batch may succeed later."""


class WriteBehind(ABC):
    """Saves batches one after the other, waits longer after each failure, and says so once in the log."""

    def __init__(self, name: str, pause_s: float) -> None:
        """``name`` is for the log; ``pause_s`` collects between batches."""
        self._name = name
        self._pause_s = pause_s
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.failing = False
        """Whether the last attempt failed."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many entries wait to be saved."""

    @abstractmethod
    async def _save_batch(self) -> int:
        """Save what waits, or the first part of it; return how many entries. Raises `Unsaved`: then they wait as before."""

    def _changed(self) -> None:
        """Something waits."""
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Save until cancelled."""
        retry_s = _FIRST_RETRY_S
        while True:
            await self._wake.wait()
            if await self._flush():
                retry_s = _FIRST_RETRY_S
                if self._pause_s:
                    await asyncio.sleep(self._pause_s)
            else:
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, _LAST_RETRY_S)

    async def drained(self, timeout_s: float) -> bool:
        """Wait until everything is saved; False when that takes longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        return self._idle.is_set()

    async def _flush(self) -> bool:
        try:
            saved = await self._save_batch()
        except Unsaved as error:
            if not self.failing:
                _log.warning("not saved, kept in memory", what=self._name, waiting=len(self), cause=str(error))
            self.failing = True
            return False
        if self.failing:
            self.failing = False
            _log.info("saving again", what=self._name, saved=saved)
        if not len(self):
            self._wake.clear()
            self._idle.set()
        return True


class Keeper(WriteBehind, Generic[K, V]):
    """Saves the newest value of each key. `None` as a value removes the key."""

    def __init__(self, name: str, save: Save[K, V], saved: Callable[[int], None], pause_s: float = 0.0) -> None:
        """``saved(mark)`` is told the highest mark whose entries are all on disk."""
        super().__init__(name, pause_s)
        self._save = save
        self._saved = saved
        self._pending: dict[K, V | None] = {}
        self._mark = 0

    def __len__(self) -> int:
        """Return how many values wait to be saved; those on their way are not among them."""
        return len(self._pending)

    def put(self, key: K, value: V | None, mark: int) -> None:
        """Keep ``value`` for ``key`` until it is saved. Marks must not fall."""
        self._pending[key] = value
        self._mark = max(self._mark, mark)
        self._changed()

    async def _save_batch(self) -> int:
        batch, mark = self._pending, self._mark
        self._pending = {}
        try:
            await self._save(batch)
        except BaseException:
            self._pending = {**batch, **self._pending}  # what came meanwhile is newer
            raise
        self._saved(mark)
        return len(batch)
