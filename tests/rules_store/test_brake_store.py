"""Counts of diverted calls and levels of brakes: added up over processes, kept over a kill."""

from __future__ import annotations

import asyncio
import os
import signal

from hypothesis import given
from hypothesis import strategies as st

from rules_store import BrakeBatch, BrakeStore, Counted, StoreConnection, StoreSettings, schema

MINUTE, QUARTER = 30_000_000, 2_000_000
LEVEL = {"level": "resting", "since_unix_ms": 1, "span": "hour", "count": 100, "limit": 100}


def batch(*adds: tuple[int, int], order: str = "o") -> BrakeBatch:
    """Return a batch of calls: minutes and quarters after the first, one call each."""
    return BrakeBatch({order: [(MINUTE + minute, QUARTER + quarter, 1) for minute, quarter in adds]})


async def test_processes_add_to_the_same_counts(connection: StoreConnection, settings: StoreSettings) -> None:
    async with StoreConnection(settings) as guest:
        stores = [BrakeStore(connection), BrakeStore(guest)]
        work = [store.write(batch((n % 3, 0)), 0, 0) for n in range(30) for store in stores]
        await asyncio.gather(*work)
        expected = Counted({MINUTE: 20, MINUTE + 1: 20, MINUTE + 2: 20}, {QUARTER: 60})
        assert await stores[1].write(batch(), 0, 0) == {"o": expected}
        assert await stores[0].counts() == {"o": expected}


async def test_old_buckets_go_and_an_empty_record_with_them(connection: StoreConnection) -> None:
    store = BrakeStore(connection)
    await store.write(batch((0, 0), (1, 1)), 0, 0)
    assert await store.write(batch((2, 1)), MINUTE + 1, QUARTER + 1) == {
        "o": Counted({MINUTE + 1: 1, MINUTE + 2: 1}, {QUARTER + 1: 2})
    }
    await store.write(batch(), MINUTE + 9, QUARTER + 9)
    assert await store.counts() == {}


async def test_levels_and_counts_survive_kill_9(connection: StoreConnection) -> None:
    store = BrakeStore(connection)
    orders = [f"o{n}" for n in range(200)]
    adds = {order: [(MINUTE, QUARTER, 3)] for order in orders}
    await store.write(BrakeBatch(adds, levels=dict.fromkeys(orders, LEVEL)), 0, 0)
    assert connection.server is not None
    pid = connection.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await store.levels() == dict.fromkeys(orders, LEVEL)
    assert await store.counts() == dict.fromkeys(orders, Counted({MINUTE: 3}, {QUARTER: 3}))


async def test_a_release_zeroes_and_what_comes_after_counts(connection: StoreConnection) -> None:
    store = BrakeStore(connection)
    await store.write(BrakeBatch({"o": [(MINUTE, QUARTER, 100)]}, levels={"o": LEVEL}), 0, 0)
    released = BrakeBatch(zeroed={"o"}, levels={"o": None})
    assert await store.write(released.before(batch((1, 0))), 0, 0) == {"o": Counted({MINUTE + 1: 1}, {QUARTER: 1})}
    assert await store.levels() == {}


async def test_garbage_counts_nothing(connection: StoreConnection) -> None:
    store = BrakeStore(connection)
    number = schema.shard("o")

    async def spoil(client: object) -> None:
        await client.hset(schema.diverted_counts(number), "o", "what=is;this")  # type: ignore[attr-defined]
        await client.hset(schema.brakes(number), "o", "{")  # type: ignore[attr-defined]
        await client.set(schema.brakes((number + 1) % schema.SHARDS), "x")  # type: ignore[attr-defined]

    await connection.repeat(spoil)
    assert await store.levels() == {}
    assert await store.counts() == {"o": Counted()}
    assert await store.write(batch((0, 0)), 0, 0) == {"o": Counted({MINUTE: 1}, {QUARTER: 1})}


ADDS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5)), max_size=4)
BATCHES = st.builds(
    BrakeBatch,
    adds=st.dictionaries(st.sampled_from("ab"), ADDS, max_size=2),
    zeroed=st.sets(st.sampled_from("ab")),
    levels=st.dictionaries(st.sampled_from("ab"), st.sampled_from([None, LEVEL]), max_size=2),
)


def applied(state: dict[str, dict[int, int]], batch: BrakeBatch) -> dict[str, dict[int, int]]:
    """Apply a batch as the script does: zeroed first."""
    found = {order: dict(counts) for order, counts in state.items() if order not in batch.zeroed}
    for order, adds in batch.adds.items():
        for minute, _, count in adds:
            counts = found.setdefault(order, {})
            counts[minute] = counts.get(minute, 0) + count
    return found


@given(st.lists(BATCHES, max_size=5))
def test_batches_that_waited_come_to_the_same_as_one_after_the_other(batches: list[BrakeBatch]) -> None:
    one_by_one: dict[str, dict[int, int]] = {"a": {0: 7}}
    waiting = BrakeBatch()
    for each in batches:
        one_by_one = applied(one_by_one, each)
        waiting = waiting.before(each)
    assert applied({"a": {0: 7}}, waiting) == one_by_one
    assert waiting.levels == {order: level for each in batches for order, level in each.levels.items()}
