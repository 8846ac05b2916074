"""Bindings and verdicts: what was saved is loaded again, whatever happened in between."""

from __future__ import annotations

import os
import signal
import time

import pytest

from rules_store import BindingRow, BindingStore, Garbage, StoreConnection, StoreError, VerdictRow, VerdictStore, schema

NOW = int(time.time() * 1000)


def binding(n: int, *, expires: int = NOW + 3_600_000, contact: str = "sip:a@192.0.2.1:5060") -> BindingRow:
    return BindingRow(f"L{n}", contact, "192.0.2.1:5060", expires, f"call-{n}", n, 1000, 'Gerät "x"', "+493023125000")


def verdict(n: int, health: str = "down") -> VerdictRow:
    return {
        "line_id": f"L{n}",
        "health": health,
        "since_unix_ms": NOW,
        "cause": "options_timeout",
        "evidence": "3 × nichts",
        "place": "unclear",
    }  # type: ignore[typeddict-item]


async def load(store: BindingStore) -> set[BindingRow]:
    rows = [row async for page in store.load() for row in page]
    assert len(rows) == len(set(rows))
    return set(rows)


async def test_bindings_survive_kill_9(connection: StoreConnection) -> None:
    store = BindingStore(connection)
    rows = [binding(n) for n in range(3000)]
    await store.save_bindings(rows)
    server = connection.server
    assert server is not None
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert await load(store) == set(rows)


async def test_the_later_row_holds_and_removed_ones_are_gone(connection: StoreConnection) -> None:
    store = BindingStore(connection)
    await store.save_bindings([binding(1), binding(2), binding(3)])
    await store.save_bindings([binding(1, expires=NOW + 7_200_000)], removed=[binding(2)])
    await store.remove_bindings([binding(3), binding(4)])
    assert await load(store) == {binding(1, expires=NOW + 7_200_000)}


async def test_a_line_may_have_several_contacts(connection: StoreConnection) -> None:
    store = BindingStore(connection)
    rows = {binding(1, contact=f'sip:a@192.0.2.{n};x="y z"') for n in range(5)}
    await store.save_bindings(sorted(rows, key=lambda row: row.contact))
    assert await load(store) == rows


async def test_expired_bindings_are_removed(connection: StoreConnection) -> None:
    store = BindingStore(connection)
    old = [binding(n, expires=NOW - 1000 - n) for n in range(100)]
    await store.save_bindings([*old, binding(500)])
    assert await store.remove_expired(NOW) == 100
    assert await load(store) == {binding(500)}
    assert await store.remove_expired(NOW) == 0


async def test_saving_drops_those_that_ran_out_long_ago(connection: StoreConnection) -> None:
    store = BindingStore(connection)
    await store.save_bindings([binding(1, expires=NOW - 10 * 3_600_000, contact="sip:old@192.0.2.9")])
    await store.save_bindings([binding(1)])
    assert await load(store) == {binding(1)}


async def test_verdicts_survive_kill_9_and_the_last_holds(connection: StoreConnection) -> None:
    store = VerdictStore(connection)
    await store.save_verdicts([verdict(n) for n in range(1000)])
    await store.save_verdicts([verdict(1, "down"), verdict(1, "up")])
    await store.remove_verdicts(["L2"])
    server = connection.server
    assert server is not None
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    rows = {row["line_id"]: row async for page in store.load() for row in page}
    assert len(rows) == 999
    assert rows["L1"] == verdict(1, "up")
    assert "L2" not in rows


async def test_the_streams_stay_short(connection: StoreConnection) -> None:
    store = VerdictStore(connection)
    lines = [n for n in range(20_000) if schema.shard(f"L{n}") == 5]
    assert len(lines) > 200
    for _ in range(8):
        await store.save_verdicts([verdict(n) for n in lines])
    length = await connection.repeat(lambda client: client.xlen(schema.live_stream(5)))
    assert length >= 1000
    assert length < 1300


async def test_nothing_to_save_needs_no_store(connection: StoreConnection) -> None:
    await BindingStore(connection).save_bindings([])
    await VerdictStore(connection).save_verdicts([])


async def test_garbage_is_reported_and_skipped(connection: StoreConnection) -> None:
    garbage: list[Garbage] = []
    bindings, verdicts = BindingStore(connection, garbage.append), VerdictStore(connection, garbage.append)
    await bindings.save_bindings([binding(1)])
    await verdicts.save_verdicts([verdict(1)])
    shard = schema.shard("L1")
    other = (shard + 1) % schema.SHARDS
    junk = {b"\xff": b"x", b"L": b"[]", b"a\x1fb\x1fc": b'["1","2","3","4","5","6"]', b"d\x1fe\x1ff": b"[" * 50_000}
    await connection.repeat(lambda client: client.hset(schema.bindings(shard), mapping=junk))
    await connection.repeat(lambda client: client.hset(schema.verdicts(shard), mapping={**junk, b"L7": b'["dead",1,"",""]'}))
    await connection.repeat(lambda client: client.set(schema.verdicts(other), "x"))
    assert await load(bindings) == {binding(1)}
    assert [row async for page in verdicts.load() for row in page] == [verdict(1)]
    assert len(garbage) == 4 + 5 + 1
    with pytest.raises(StoreError, match="does not hold what it should"):
        await verdicts.save_verdicts([verdict(n) for n in range(500)])
