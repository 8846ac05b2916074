"""An import that was worked out from a state of the store is written only if nothing that matters was changed since."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from routing.model import Line, Number
from rules_store import (
    ABSENT,
    Change,
    ConflictError,
    Delete,
    Guard,
    NumberTakenError,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    changes_since,
)


def _number(n: int) -> Number:
    return Number(id=f"N{n}", order="A1", line="L1", number=f"+49302100{n:04}")


def _about(*names: str) -> Callable[[Change], bool]:
    return lambda change: change.id in names


async def test_changes_since_are_told_in_order(connection: StoreConnection, store: RulesStore, line: Callable[..., Line]) -> None:
    await store.put(line("L1"))
    before = await store.sequence()
    await store.put(line("L2"))
    await store.delete("line", "L1")
    found = [(change.id, change.entity is None) async for change in changes_since(connection, before)]
    assert found == [("L2", False), ("L1", True)]
    assert [change async for change in changes_since(connection, await store.sequence())] == []


async def test_a_change_that_matters_refuses_a_staged_import(store: RulesStore, line: Callable[..., Line]) -> None:
    seen = await store.sequence()
    await store.put(line("L1"))
    for names, refused in ((("L1",), True), (("L2",), False)):
        guard = Guard(seen, _about(*names))
        if refused:
            with pytest.raises(ConflictError, match="L1"):
                await store.import_many([Put(_number(1))], guard=guard, staged=True)
            assert await store.get("number", "N1") is None
        else:
            result = await store.import_many([Put(_number(1))], guard=guard, staged=True)
            assert result.staged
            assert await store.get("number", "N1") is not None


async def test_a_change_during_the_staging_refuses_the_switch(store: RulesStore, line: Callable[..., Line]) -> None:
    steps: list[str] = []
    changed: list[asyncio.Task[object]] = []

    def progress(step: str, _done: int, _total: int) -> None:
        if step == "stage" and not changed:
            changed.append(asyncio.ensure_future(store.put(line("L1"))))
        steps.append(step)

    guard = Guard(await store.sequence(), _about("L1"))
    with pytest.raises(ConflictError):
        await store.import_many([Put(_number(n)) for n in range(3000)], guard=guard, progress=progress, staged=True)
    await changed[0]
    assert [page async for page in store.pages("number")] == []
    assert steps[0] == "copy"
    assert "switch" in steps


async def test_a_number_that_somebody_takes_during_the_staging_refuses_the_switch(store: RulesStore) -> None:
    taking: list[asyncio.Task[object]] = []
    faster = _number(1).model_copy(update={"id": "faster"})

    def progress(step: str, _done: int, _total: int) -> None:
        if step == "stage" and not taking:
            taking.append(asyncio.ensure_future(store.put(faster)))

    with pytest.raises(NumberTakenError):
        await store.import_many([Put(_number(n)) for n in range(3000)], progress=progress, staged=True)
    await taking[0]
    assert [stored.entity async for page in store.pages("number") for stored in page] == [faster]
    assert await store.owner_of(faster.number) == "number:faster"


async def test_an_import_in_between_refuses(store: RulesStore) -> None:
    seen = await store.sequence()
    await store.import_many([Put(_number(1))], staged=True)
    with pytest.raises(StoreError, match="import was switched"):
        await store.import_many([Put(_number(2))], guard=Guard(seen, _about()), staged=True)


async def test_cancelled_while_staging_nothing_is_changed_and_the_next_may_begin(store: RulesStore) -> None:
    task: asyncio.Task[object]

    def progress(step: str, done: int, _total: int) -> None:
        if step == "stage" and done >= 2000:
            task.cancel()

    task = asyncio.ensure_future(store.import_many([Put(_number(n)) for n in range(5000)], progress=progress, staged=True))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.get("number", "N1") is None
    await store.import_many([Put(_number(1))], staged=True)
    assert await store.get("number", "N1") is not None


async def test_cancelled_at_the_switch_it_is_done_to_its_end(store: RulesStore) -> None:
    task: asyncio.Task[object]

    def progress(step: str, _done: int, _total: int) -> None:
        if step == "switch":
            asyncio.get_running_loop().call_soon(task.cancel)

    task = asyncio.ensure_future(store.import_many([Put(_number(1)), Delete("line", "L9")], progress=progress, staged=True))
    await task
    assert await store.get("number", "N1") is not None
    assert (await store.put(_number(2), ABSENT)).version
