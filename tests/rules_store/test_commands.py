"""What the server is asked to do while rules are followed and changed does not grow with what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from routing.model import Customer, Line
from rules_store import Delete, Put, RulesStore, StoreConnection
from tests.rules_store.following import Following

MakeLine = Callable[..., Line]

# By the servers' own documentation: constant, logarithmic, or in proportion to what is asked for, which is one entity or entry.
CHEAP = {
    *("evalsha", "get", "mget", "set", "incr", "exists", "type", "time", "ping", "info", "script|load", "eval", "client|setname"),
    *("client|setinfo", "hget", "hmget", "hset", "hdel", "hexists", "zadd", "zrem", "zscore", "zcard", "xadd", "xread", "xrange"),
    *("xrevrange", "xlen", "multi", "exec", "select", "command|list", "config|get", "config|resetstat", "zremrangebyrank"),
}
# The follower asks these by the clock.
TIMED = {"xread", "xrange", "mget", "get", "ping", "info", "config|resetstat"}


@pytest.fixture
async def stats(connection: StoreConnection) -> Callable[[], Any]:
    async def calls() -> dict[str, int]:
        found = await connection.repeat(lambda client: client.info("commandstats"))
        return {name.removeprefix("cmdstat_"): int(values["calls"]) for name, values in found.items()}

    return calls


async def test_no_command_of_the_steady_state_grows_with_what_is_stored(
    connection: StoreConnection, store: RulesStore, line: MakeLine, stats: Callable[[], Any]
) -> None:
    seen: list[dict[str, int]] = []
    for size in (20, 2000):
        await store.import_many([Put(line(f"{size}-{n}")) for n in range(size)])
        async with Following(connection) as following:
            await connection.repeat(lambda client: client.config_resetstat())
            for n in range(10):
                await store.put(line(f"{size}-{n}", wish="drained"))
                await store.write_many([Put(Customer(id=f"C{size}-{n}", name="x")), Delete("line", f"{size}-{10 + n}")])
                await store.get_many("line", [f"{size}-{n}", "none"])
            sequence = await store.sequence()
            await following.until(lambda sequence=sequence: following.follower.sequence == sequence)  # type: ignore[misc]
            seen.append(await stats())
            assert following.follower.resyncs == 0
    few, many = seen
    assert set(few) - CHEAP == set()
    assert set(many) - CHEAP == set()
    assert {name: calls for name, calls in many.items() if name not in TIMED} == {
        name: calls for name, calls in few.items() if name not in TIMED
    }


async def test_a_start_reads_by_pages_and_scans_nothing(
    connection: StoreConnection, store: RulesStore, line: MakeLine, stats: Callable[[], Any]
) -> None:
    await store.import_many([Put(line(f"{n:04}")) for n in range(2500)])
    await connection.repeat(lambda client: client.config_resetstat())
    async with Following(connection, page_size=1000) as following:
        assert len(following.state) == 2500
        asked = await stats()
    # Three pages of lines, and one of each of the other six kinds.
    assert asked["zrange"] == 9
    assert [name for name in asked if "scan" in name or name in {"keys", "hgetall", "hvals", "hkeys", "smembers"}] == []
