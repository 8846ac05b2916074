"""The keeper saves the newest value of each key, in batches, and loses nothing while the store is away."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar_watch.keep import Keeper, Unsaved
from registrar_watch.names import mask


class Disk:
    """A store that can be away; remembers what it holds and each batch."""

    def __init__(self) -> None:
        self.away = False
        self.held: dict[str, int] = {}
        self.batches: list[dict[str, int | None]] = []
        self.marks: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.refused = asyncio.Event()

    async def save(self, batch: Mapping[str, int | None]) -> None:
        """Take a batch whole or not at all."""
        self.asked.set()
        await self.gate.wait()
        if self.away:
            self.refused.set()
            raise Unsaved("away")
        self.batches.append(dict(batch))
        for key, value in batch.items():
            if value is None:
                self.held.pop(key, None)
            else:
                self.held[key] = value


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def keeper(disk: Disk) -> AsyncIterator[Keeper[str, int]]:
    keeper: Keeper[str, int] = Keeper("things", disk.save, disk.marks.append)
    task = asyncio.ensure_future(keeper.run())
    yield keeper
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_value_is_saved_and_its_mark_confirmed(disk: Disk, keeper: Keeper[str, int]) -> None:
    keeper.put("a", 1, 7)
    assert await keeper.drained(5)
    assert disk.held == {"a": 1}
    assert disk.marks == [7]


async def test_what_changes_during_a_write_goes_with_the_next_one(disk: Disk, keeper: Keeper[str, int]) -> None:
    disk.gate.clear()
    keeper.put("a", 1, 1)
    await disk.asked.wait()  # the first batch is on its way
    keeper.put("b", 1, 2)
    keeper.put("b", 2, 3)
    disk.gate.set()
    assert await keeper.drained(5)
    assert disk.batches == [{"a": 1}, {"b": 2}]
    assert disk.marks == [1, 3]


async def test_nothing_is_confirmed_or_lost_while_the_store_is_away(disk: Disk, keeper: Keeper[str, int]) -> None:
    disk.away = True
    keeper.put("a", 1, 1)
    keeper.put("b", 1, 2)
    await disk.refused.wait()
    keeper.put("a", None, 3)
    assert disk.marks == []
    disk.away = False
    assert await keeper.drained(5)
    assert disk.held == {"b": 1}
    assert disk.marks == [3]
    assert not keeper.failing


async def test_drained_says_no_when_the_store_stays_away(disk: Disk, keeper: Keeper[str, int]) -> None:
    disk.away = True
    keeper.put("a", 1, 1)
    assert not await keeper.drained(0.01)
    assert len(keeper) == 1


@given(st.lists(st.one_of(st.booleans(), st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers())))))
@settings(max_examples=60)
def test_store_ends_with_the_last_value_of_each_key(steps: list[bool | tuple[str, int | None]]) -> None:
    async def play() -> tuple[dict[str, int], dict[str, int]]:
        disk = Disk()
        keeper: Keeper[str, int] = Keeper("things", disk.save, disk.marks.append)
        expected: dict[str, int] = {}
        for mark, step in enumerate(steps, start=1):
            if isinstance(step, bool):
                disk.away = step
                await keeper._flush()
                continue
            key, value = step
            keeper.put(key, value, mark)
            expected.pop(key, None)
            if value is not None:
                expected[key] = value
        disk.away = False
        await keeper._flush()
        return expected, disk.held

    expected, held = asyncio.run(play())
    assert expected == held


def test_numbers_are_masked() -> None:
    assert mask("+493023125010") == "+493023125…"
    assert mask("12") == "…"
