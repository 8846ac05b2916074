"""A consumer of a follower, as the service is one: it keeps what complete batches say, and can be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from routing.model import KINDS, Entity
from rules_store import Batch, Follower, Garbage, RulesStore, StoreConnection


class Following:
    """``state`` is (kind, id) → (version, entity) after the last complete batch."""

    def __init__(self, connection: StoreConnection, page_size: int = 1000) -> None:
        self.garbage: list[Garbage] = []
        self.follower = Follower(connection, on_garbage=self.garbage.append, page_size=page_size)
        self.state: dict[tuple[str, str], tuple[int, Entity]] = {}
        self.batches: list[Batch] = []
        self.handed_out: list[tuple[str, str, int]] = []
        self._moved = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await self.until(lambda: bool(self.batches) and self.batches[-1].complete)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pending = {}
        async for batch in self.follower.batches():
            async with self._moved:
                self.batches.append(batch)
                for change in batch.changes:
                    pending[change.kind, change.id] = change
                    self.handed_out.append((change.kind, change.id, change.version))
                if batch.complete:
                    for name, change in pending.items():
                        if change.entity is None:
                            self.state.pop(name, None)
                        else:
                            self.state[name] = (change.version, change.entity)
                    pending = {}
                self._moved.notify_all()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 20) -> None:
        """Wait until the condition holds; it is looked at after each batch, and now and then."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                async with self._moved:
                    try:
                        async with asyncio.timeout(0.1):
                            await self._moved.wait()
                    except TimeoutError:
                        continue

    async def caught_up(self, store: RulesStore) -> None:
        """Wait until the state equals what is stored."""
        expected = await contents(store)
        await self.until(lambda: self.state == expected)


async def contents(store: RulesStore) -> dict[tuple[str, str], tuple[int, Entity]]:
    """Read all that is stored."""
    return {
        (kind, stored.entity.id): (stored.version, stored.entity)
        for kind in KINDS
        async for page in store.pages(kind)
        for stored in page
    }
