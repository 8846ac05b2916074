"""Write-behind with memory: what changed is kept until the store has it, newest value only, and tried again until then.

One batch is on its way at a time; what changes meanwhile is the next batch, so load decides the batch size. While the
store is away nothing is lost and nothing grows beyond one entry per key; when it is back, the first batch carries all.
"""

import asyncio
import contextlib
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


class Keeper(Generic[K, V]):
    """Saves the newest value of each key. `None` as a value removes the key."""

    def __init__(self, name: str, save: Save[K, V], saved: Callable[[int], None], pause_s: float = 0.0) -> None:
        """``saved(mark)`` is told the highest mark whose entries are all on disk; ``pause_s`` collects between batches."""
        self._name = name
        self._save = save
        self._saved = saved
        self._pause_s = pause_s
        self._pending: dict[K, V | None] = {}
        self._mark = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.failing = False
        """Whether the last attempt failed."""

    def __len__(self) -> int:
        """Return how many values wait to be saved."""
        return len(self._pending)

    def put(self, key: K, value: V | None, mark: int) -> None:
        """Keep ``value`` for ``key`` until it is saved. Marks must not fall."""
        self._pending[key] = value
        self._mark = max(self._mark, mark)
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
        batch, mark = self._pending, self._mark
        self._pending = {}
        self._wake.clear()
        try:
            await self._save(batch)
        except Unsaved as error:
            self._pending = {**batch, **self._pending}  # what came meanwhile is newer
            self._wake.set()
            self._failed(error)
            return False
        except BaseException:
            self._pending = {**batch, **self._pending}
            raise
        if self.failing:
            self.failing = False
            _log.info("saving again", what=self._name, saved=len(batch))
        if not self._pending:
            self._idle.set()
        self._saved(mark)
        return True

    def _failed(self, error: Unsaved) -> None:
        if not self.failing:
            _log.warning("not saved, kept in memory", what=self._name, waiting=len(self._pending), cause=str(error))
        self.failing = True
