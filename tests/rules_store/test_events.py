"""Events: once per id, in order, bounded per line and in time, and a follower that is told of every gap."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from rules_store import Entry, EventFeed, EventStore, Gap, Retention, StoreConnection, StoredEvent, StoreError, schema

NOW = int(time.time() * 1000)
DAY_MS = 86_400_000
BOOT = "01a2000000000000aa"


def event(seq: int, line: str = "L1", *, at: int = NOW, flag: str = "e", state: str | None = None, **facts: Any) -> Entry:
    record = {"id": f"{BOOT}-{seq}", "seq": seq, "at_unix_ms": at, "kind": "test", "line": line, **facts}
    return Entry(seq, at, line, flag, json.dumps(record), state)  # type: ignore[arg-type]


def seqs(events: list[StoredEvent]) -> list[int]:
    return [item.record["seq"] for item in events]


async def test_a_batch_that_is_repeated_is_kept_once(connection: StoreConnection) -> None:
    store = EventStore(connection)
    batch = [event(n, f"L{n % 5}") for n in range(1, 101)]
    assert await store.save(BOOT, batch) == 100
    assert await store.save(BOOT, batch) == 0
    assert await store.save(BOOT, [*batch[50:], event(101)]) == 1
    assert seqs(await store.recent(1000)) == list(range(1, 102))
    assert seqs(await store.history("L1")) == [*range(1, 101, 5), 101]


async def test_each_process_counts_for_itself(connection: StoreConnection) -> None:
    store = EventStore(connection)
    await store.save(BOOT, [event(1), event(2)])
    await store.save("01a2000000000001bb", [event(1), event(2)])
    assert seqs(await store.history("L1")) == [1, 2, 1, 2]
    assert await store.save(BOOT, [event(2), event(3)]) == 1, "the older one is remembered"


async def test_what_was_saved_survives_kill_9_and_a_repeated_batch_after_it(connection: StoreConnection) -> None:
    store = EventStore(connection)
    batch = [event(n, f"L{n % 9}", state='{"wish":["drill",1,"",""]}') for n in range(1, 201)]
    await store.save(BOOT, batch)
    server = connection.server
    assert server is not None
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert await store.save(BOOT, batch) == 0
    assert sorted(seqs(await store.recent(1000))) == list(range(1, 201))


async def test_newest_first_to_be_read_and_oldest_to_go(connection: StoreConnection) -> None:
    store = EventStore(connection, Retention(per_line=10))
    await store.save(BOOT, [event(n) for n in range(1, 31)])
    assert seqs(await store.history("L1")) == list(range(21, 31))
    assert seqs(await store.history("L1", limit=3)) == [28, 29, 30]
    assert seqs(await store.history("L1", since_unix_ms=NOW + 1)) == []
    assert seqs(await store.recent(100)) == list(range(1, 31)), "the stream has bounds of its own"


async def test_a_line_that_flaps_takes_nothing_from_the_others(connection: StoreConnection) -> None:
    store = EventStore(connection, Retention(per_line=20, per_shard=100))
    quiet = next(f"Q{n}" for n in range(1000) if schema.shard(f"Q{n}") == schema.shard("L1"))
    await store.save(BOOT, [event(1, quiet)])
    for start in range(2, 2002, 500):
        await store.save(BOOT, [event(n) for n in range(start, start + 500)])
    assert seqs(await store.history(quiet)) == [1]
    length = await connection.repeat(lambda client: client.xlen(schema.events(schema.shard("L1"))))
    assert length < 400


async def test_what_is_too_old_goes_by_itself(connection: StoreConnection) -> None:
    store = EventStore(connection, Retention(days=90, calls_days=30))
    silent = next(f"S{n}" for n in range(1000) if schema.shard(f"S{n}") == schema.shard("L1"))
    old, less_old = NOW - 91 * DAY_MS, NOW - 31 * DAY_MS
    await store.save(BOOT, [event(1, silent, at=old), event(2, at=old), event(3, at=less_old), event(4, at=less_old, flag="d")])
    await store.save(BOOT, [event(5), event(6, flag="d")])
    assert seqs(await store.history("L1")) == [3, 5]
    assert seqs(await store.diverted("L1")) == [6]
    assert seqs(await store.recent()) == [5, 6], "the stream has calls, so it is kept as long as they"
    assert await connection.repeat(lambda client: client.exists(schema.history(schema.shard(silent), silent))) == 0


async def test_what_is_too_old_goes_also_where_nothing_is_written_any_more(connection: StoreConnection) -> None:
    writer = EventStore(connection, Retention(days=3650, calls_days=3650))
    old, less_old = NOW - 91 * DAY_MS, NOW - 31 * DAY_MS
    batch = [event(n, f"L{n % 50}", at=old, flag="d" if n % 2 else "e") for n in range(1, 3001)]
    await writer.save(BOOT, batch)
    await writer.save(BOOT, [event(3001, "L1", at=less_old, flag="d"), event(3002, "L1", flag="d"), event(3003, "L2")])
    store = EventStore(connection, Retention(days=90, calls_days=30))
    await store.sweep()
    assert seqs(await store.diverted("L1")) == [3002]
    assert seqs(await store.history("L2")) == [3003]
    assert sorted(seqs(await store.recent(5000))) == [3002, 3003]
    left = await connection.repeat(lambda client: client.keys("*:diverted:*")) + await connection.repeat(
        lambda client: client.keys("*:history:*")
    )
    assert sorted(left) == sorted(
        key.encode() for key in (schema.diverted(schema.shard("L1"), "L1"), schema.history(schema.shard("L2"), "L2"))
    )
    await writer.save(BOOT, [event(3004, "L1", flag="d")])
    assert seqs(await store.diverted("L1")) == [3002, 3004]


async def test_summaries_of_calls_join_and_never_push_other_events_out(connection: StoreConnection) -> None:
    store = EventStore(connection, Retention(per_line=10))
    await store.save(BOOT, [event(1)])
    for n in range(2, 52):
        await store.save(BOOT, [event(n, at=NOW + n, flag="c", from_unix_ms=NOW, counts={"offered": 2, "failed": 0})])
    await store.save(BOOT, [event(52)])
    await store.save(BOOT, [event(53, flag="c", from_unix_ms=NOW, counts={"offered": 1})])
    found = await store.history("L1")
    assert seqs(found) == [1, 51, 52, 53]
    assert found[1].record["counts"] == {"offered": 100, "failed": 0}
    assert found[1].record["from_unix_ms"] == NOW
    much_later = NOW + 2 * DAY_MS
    await store.save(BOOT, [event(54, at=much_later, flag="c", from_unix_ms=much_later, counts={"offered": 1})])
    assert seqs(await store.history("L1"))[-2:] == [53, 54], "a day is the most that joins"


async def test_states_change_in_the_same_write_as_the_event(connection: StoreConnection) -> None:
    store = EventStore(connection)
    await store.save(BOOT, [event(1, state='{"a":1}'), event(2, "L2", state='{"b":2}'), event(3), event(4, "L3", state="{}")])
    await store.save(BOOT, [event(5, "L2", state="")])
    states: dict[str, Any] = {}
    async for page in store.states():
        states |= page
    assert states == {"L1": {"a": 1}, "L3": {}}
    assert await store.state("L1") == {"a": 1}
    assert await store.state("L2") is None
    await store.save(BOOT, [event(5, "L2", state='{"b":3}')])
    assert await store.state("L2") is None, "a repeated entry changes nothing"


async def test_a_key_of_a_foreign_type_is_named_and_nothing_is_written(connection: StoreConnection) -> None:
    store = EventStore(connection)
    key = schema.history(schema.shard("L1"), "L1")
    await connection.repeat(lambda client: client.set(key, "foreign"))
    with pytest.raises(StoreError, match="history:L1"):
        await store.save(BOOT, [event(1)])
    assert await store.recent() == []
    assert await store.history("L1") == []
    await connection.repeat(lambda client: client.delete(key))
    assert await store.save(BOOT, [event(1)]) == 1


async def test_a_counter_that_was_set_back_does_not_stop_the_stream(connection: StoreConnection) -> None:
    store = EventStore(connection)
    await store.save(BOOT, [event(n) for n in range(1, 6)])
    await connection.repeat(lambda client: client.set(schema.event_counter(schema.shard("L1")), 2))
    await store.save(BOOT, [event(6)])
    assert [(item.number, item.record["seq"]) for item in await store.recent()] == [(n, n) for n in range(1, 7)]


async def test_a_feed_goes_on_where_another_stood(connection: StoreConnection) -> None:
    store = EventStore(connection)
    await store.save(BOOT, [event(1), event(2, "L2")])
    fresh = EventFeed(connection)
    assert await fresh.page() == [], "it begins with what comes"
    whole = EventFeed(connection, "")
    assert seqs([item for item in await whole.page() if isinstance(item, StoredEvent)]) == [1, 2]
    await store.save(BOOT, [event(3), event(4, "L2"), event(5, "L3")])
    resumed = EventFeed(connection, whole.position)
    for feed in (fresh, whole, resumed):
        assert sorted(seqs([item for item in await feed.page() if isinstance(item, StoredEvent)])) == [3, 4, 5]
        assert await feed.page() == []
    with pytest.raises(ValueError, match="no position"):
        EventFeed(connection, "1.2.3")


async def test_a_feed_says_what_was_trimmed_before_it_came(connection: StoreConnection) -> None:
    store = EventStore(connection, Retention(days=90))
    old = NOW - 91 * DAY_MS
    feed = EventFeed(connection, "")
    await store.save(BOOT, [event(n, at=old) for n in range(1, 8)])
    await store.save(BOOT, [event(8), event(9)])
    shard = schema.shard("L1")
    gap, *rest = await feed.page()
    assert gap == Gap(shard, 7)
    assert seqs([item for item in rest if isinstance(item, StoredEvent)]) == [8, 9]


async def test_a_feed_outlives_the_store(connection: StoreConnection) -> None:
    store = EventStore(connection)
    feed = EventFeed(connection, "")
    seen: list[int] = []
    whole = asyncio.Event()

    async def follow() -> None:
        async for item in feed.events():
            assert isinstance(item, StoredEvent)
            seen.append(item.record["seq"])
            if len(seen) == 30:
                whole.set()

    task = asyncio.ensure_future(follow())
    try:
        for n in range(1, 31):
            await store.save(BOOT, [event(n, f"L{n}")])
            if n in {10, 20}:
                server = connection.server
                assert server is not None
                assert server.pid is not None
                os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(whole.wait(), 20)
    finally:
        task.cancel()
    assert sorted(seen) == list(range(1, 31))


async def test_times_of_entries_need_not_rise(connection: StoreConnection) -> None:
    store = EventStore(connection)
    first = event(1)
    await store.save(BOOT, [first, replace(event(2), at_unix_ms=NOW - 5000)])
    assert seqs(await store.history("L1")) == [1, 2]
