"""A follower hands out everything once and in order, and notices every gap."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from routing.model import Customer, Line
from rules_store import SERVICE, Erasure, Follower, Put, RulesStore, StoreConnection, StoreSettings, schema
from rules_store.wire import Wire
from tests.rules_store.following import Following, contents

MakeLine = Callable[..., Line]


async def test_it_begins_with_all_that_is_stored(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.write_many([Put(line(f"L{n}")) for n in range(25)])
    async with Following(connection, page_size=10) as following:
        assert following.state == await contents(store)
        assert [batch.complete for batch in following.batches] == [False, False, False, True]
        assert following.follower.sequence == 25


async def test_changes_come_in_order_and_once(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    async with Following(connection) as following:
        await store.put(line())
        await store.put(line(wish="drained"))
        await store.delete("line", "L1")
        await store.put(Customer(id="C1", name="x"))
        await following.until(lambda: following.follower.sequence == 4)
        assert following.handed_out == [("line", "L1", 1), ("line", "L1", 2), ("line", "L1", 3), ("customer", "C1", 4)]
        assert following.follower.state == "live"
        assert following.follower.age_s() < 60
        assert following.follower.resyncs == 0


async def test_a_note_moves_it_on_and_an_import_does_when_it_is_read(
    connection: StoreConnection, store: RulesStore, line: MakeLine
) -> None:
    async with Following(connection) as following:
        await store.put(Customer(id="C1", name="x"))
        erasure = Erasure(connection)
        found = await erasure.find("C1")
        await erasure.remove_rules(found, SERVICE)
        await erasure.remove_traces(found, SERVICE)
        noted = await store.sequence()
        await following.until(lambda: following.batches[-1].sequence == noted)
        imported = (await store.import_many([Put(line("L1"))], staged=True)).sequence
        await following.until(lambda: (following.batches[-1].sequence, following.batches[-1].complete) == (imported, True))
        early = [batch for batch in following.batches if batch.sequence >= imported and not batch.resync]
        assert early == []
        assert ("line", "L1") in following.state


async def test_a_trimmed_stream_is_noticed(settings: StoreSettings, line: MakeLine) -> None:
    small = settings.model_copy(update={"changes_kept": 10})
    async with StoreConnection(small) as connection:
        store = RulesStore(connection)
        async with Following(connection) as following:
            await store.put(line("L0"))
            await following.until(lambda: following.follower.sequence == 1)
            # More than the stream keeps, in one script: the follower cannot see it between two entries.
            await connection.repeat(lambda client: client.execute_command("CLIENT", "PAUSE", 300, "WRITE"))
            await store.write_many([Put(line(f"L{n}")) for n in range(2000)])
            await following.caught_up(store)
        async with Following(connection) as late:
            assert late.state == await contents(store)


async def test_entries_missing_in_the_stream_are_a_jump(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    async with Following(connection) as following:
        await store.put(line("L1"))
        await following.until(lambda: following.follower.sequence == 1)

        async def write_and_hide(client: object) -> None:
            # a change whose entry is lost, as after a trim: the numbers jump
            await client.incr(schema.SEQ)  # type: ignore[attr-defined]

        await connection.repeat(write_and_hide)
        await store.put(line("L2"))
        await following.caught_up(store)
        assert following.follower.resyncs >= 1
        assert following.follower.last_reason in {"jump", "trim"}
        assert [n for _, i, n in following.handed_out if i == "L1"] == [1], "an unchanged entity is not handed out again"


async def test_a_change_of_epoch_hands_out_everything_again(
    connection: StoreConnection, store: RulesStore, line: MakeLine
) -> None:
    await store.put(line("L1"))
    async with Following(connection) as following:
        await connection.repeat(lambda client: client.set(schema.EPOCH, "another"))
        await following.until(lambda: len(following.handed_out) == 2 and following.batches[-1].complete)
        assert following.follower.last_reason == "epoch"
        assert [n for _, i, n in following.handed_out if i == "L1"] == [1, 1]


async def test_a_regression_removes_ghosts(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.put(line("L1"))
    saved = await _dump(connection)
    await store.put(line("L1", wish="drained"))
    await store.put(line("L2"))
    async with Following(connection) as following:
        assert ("line", "L2") in following.state
        await _restore(connection, saved)
        await following.until(lambda: ("line", "L2") not in following.state)
        assert following.follower.last_reason == "regression"
        assert following.state == await contents(store)


async def test_a_regression_that_was_overtaken_is_noticed(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.put(line("L1"))
    saved = await _dump(connection)
    await store.put(line("L2"))
    async with Following(connection) as following:
        # Another history takes the same numbers before the follower looks: only the chain of tokens shows it.
        await _restore(connection, saved)
        await store.put(line("L3"))
        await store.put(line("L4"))
        await following.caught_up(store)
        assert following.follower.last_reason in {"rewritten", "regression"}
        assert set(following.state) == {("line", "L1"), ("line", "L3"), ("line", "L4")}


async def test_it_follows_over_kill_9_of_the_store(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    async with Following(connection) as following:
        await store.put(line("L1"))
        server = connection.server
        assert server is not None
        for n in range(2, 5):
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await store.put(line(f"L{n}"))
            await following.until(lambda n=n: ("line", f"L{n}") in following.state)  # type: ignore[misc]
        assert following.follower.resyncs == 0
        assert following.state == await contents(store)


class Breaking(Follower):
    """Loses its connection at the end of each full read, once."""

    broken = 0

    async def _check(self, wire: Wire) -> None:
        if self.state == "reading" and self.broken < 3:
            self.broken += 1
            await wire.close()
        await super()._check(wire)


async def test_a_full_read_whose_end_breaks_is_done_again(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.put(line("L1"))
    follower = Breaking(connection)
    async with asyncio.timeout(10):
        async for batch in follower.batches():
            if batch.complete:
                break
    assert follower.broken == 3
    assert (batch.sequence, follower.last_reason) == (1, "interrupted")


async def test_garbage_is_reported_and_skipped(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.write_many([Put(line("L1")), Put(line("L2"))])
    hash_key = schema.entities("1", "line")
    await connection.repeat(lambda client: client.hset(hash_key, "L1", b"\xff\x00"))
    await connection.repeat(lambda client: client.zadd(schema.index("1", "line"), {b"\xfe": 0}))
    await connection.repeat(lambda client: client.set(schema.entities("1", "block"), "x"))
    async with Following(connection) as following:
        assert set(following.state) == {("line", "L2")}
        places = {garbage.where for garbage in following.garbage}
        assert f"{hash_key} L1" in places
        assert schema.entities("1", "block") in places

        await connection.repeat(lambda client: client.incr(schema.SEQ))
        await connection.repeat(lambda client: client.xadd(schema.CHANGES, {b"\xff": b"\xff"}, id="3-0"))
        await connection.repeat(lambda client: client.xadd(schema.CHANGES, {"k": "line"}, id="3-7"))
        await connection.repeat(lambda client: client.incr(schema.SEQ))
        fields = {"k": "line", "i": "L9", "o": "p", "w": "t", "e": "{"}
        await connection.repeat(lambda client: client.xadd(schema.CHANGES, fields, id="4-0"))
        await store.put(line("L3"))
        await following.until(lambda: ("line", "L3") in following.state)
        assert following.follower.resyncs == 0
        assert {"changes 3-0", "changes 4-0", schema.CHANGES} <= {garbage.where for garbage in following.garbage}


async def test_a_stream_of_the_wrong_type_is_waited_out(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.put(line("L1"))
    async with Following(connection) as following:
        await connection.repeat(lambda client: client.rename(schema.CHANGES, "aside"))
        await connection.repeat(lambda client: client.set(schema.CHANGES, "x"))
        await following.until(lambda: any(garbage.where == schema.CHANGES for garbage in following.garbage))
        await connection.repeat(lambda client: client.rename("aside", schema.CHANGES))
        await store.put(line("L2"))
        await following.until(lambda: ("line", "L2") in following.state)


async def test_garbage_does_not_remove_what_is_known(connection: StoreConnection, store: RulesStore, line: MakeLine) -> None:
    await store.put(line("L1"))
    async with Following(connection) as following:
        await connection.repeat(lambda client: client.hset(schema.entities("1", "line"), "L1", "broken"))
        await connection.repeat(lambda client: client.set(schema.EPOCH, "another"))
        await following.until(lambda: following.follower.resyncs == 1 and following.batches[-1].complete)
        assert ("line", "L1") in following.state


async def test_it_waits_for_a_store_that_is_not_there_yet(tmp_path: Path, settings: StoreSettings, line: MakeLine) -> None:
    socket = tmp_path / "store" / "store.sock"
    late = StoreConnection(StoreSettings(url=f"unix://{socket}", timeout_s=0.2))
    following = Following(late)
    entering = asyncio.create_task(following.__aenter__())
    async with StoreConnection(settings) as connection:
        await RulesStore(connection).put(line())
        await entering
        assert ("line", "L1") in following.state or await following.caught_up(RulesStore(connection)) is None
        await following.__aexit__(None, None, None)
    await late.close()


async def _dump(connection: StoreConnection) -> dict[bytes, bytes]:
    async def dump(client: object) -> dict[bytes, bytes]:
        return {key: await client.dump(key) for key in await client.keys("*")}  # type: ignore[attr-defined]

    return await connection.repeat(dump)


async def _restore(connection: StoreConnection, saved: dict[bytes, bytes]) -> None:
    """Put the store back to an earlier state at once, as a fail-over to a replica that lags does."""

    async def restore(client: object) -> None:
        pipe = client.pipeline(transaction=True)  # type: ignore[attr-defined]
        pipe.flushall()
        for key, value in saved.items():
            pipe.restore(key, 0, value)
        await pipe.execute()

    await connection.repeat(restore)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the store's place more often than in service."""
    monkeypatch.setattr("rules_store.follower._CHECK_S", 0.1)
