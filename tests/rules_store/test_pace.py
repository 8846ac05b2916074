"""Changes within an hour: counted for all processes together, given back, and never refused to staff."""

from __future__ import annotations

import asyncio

import pytest

from routing.products import ProductLimits
from routing.rejection import RuleRejected
from rules_store import ChangePace, StoreConnection, StoreError, StoreSettings, schema

LIMITS = ProductLimits(rules_per_line=1, changes_per_hour=10, diverted_per_hour=1, diverted_per_day=1)
T0 = 1_800_000_000


class Clock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = float(T0)

    def __call__(self) -> float:
        return self.now


async def changes(pace: ChangePace, count: int) -> int:
    """Make so many changes; return how many were admitted."""
    outcomes = await asyncio.gather(*(pace.admit("c", LIMITS) for _ in range(count)), return_exceptions=True)
    assert all(not isinstance(found, BaseException) or isinstance(found, RuleRejected) for found in outcomes)
    return sum(not isinstance(found, BaseException) for found in outcomes)


async def test_two_processes_share_one_limit(connection: StoreConnection, settings: StoreSettings) -> None:
    clock = Clock()
    async with StoreConnection(settings) as guest:
        one, two = ChangePace(connection, clock), ChangePace(guest, clock)
        admitted = await asyncio.gather(changes(one, 8), changes(two, 8))
        assert sum(admitted) == 10
        with pytest.raises(RuleRejected) as refused:
            await two.admit("c", LIMITS)
        assert (refused.value.faults[0].type, refused.value.faults[0].context["minutes"]) == ("limit_changes", "60")
        await one.admit("other", LIMITS)


async def test_the_hour_slides(connection: StoreConnection) -> None:
    clock = Clock()
    pace = ChangePace(connection, clock)
    assert await changes(pace, 4) == 4
    clock.now += 30 * 60
    assert await changes(pace, 9) == 6
    with pytest.raises(RuleRejected) as refused:
        await pace.admit("c", LIMITS)
    assert refused.value.faults[0].context["minutes"] == "30"
    clock.now += 30 * 60
    assert await changes(pace, 9) == 4
    clock.now += 3600
    assert await changes(pace, 99) == 10


async def test_a_change_that_did_not_happen_is_given_back(connection: StoreConnection) -> None:
    clock = Clock()
    pace = ChangePace(connection, clock)
    admitted = [await pace.admit("c", LIMITS) for _ in range(10)]
    clock.now += 120
    for each in admitted[:3]:
        await pace.give_back(each)
    assert await changes(pace, 9) == 3


async def test_staff_is_told_and_locks_nobody_out(connection: StoreConnection) -> None:
    pace = ChangePace(connection, Clock())
    told = [(await pace.admit("c", LIMITS, staff=True)).warnings for _ in range(12)]
    assert [bool(found) for found in told] == [False] * 10 + [True] * 2
    assert told[-1][0].type == "limit_changes_passed"
    assert told[-1][0].context["count"] == "12"
    assert await changes(pace, 12) == 10


async def test_garbage_counts_nothing_and_a_wrong_key_is_named(connection: StoreConnection) -> None:
    pace = ChangePace(connection, Clock())

    async def put(client: object) -> None:
        await client.hset(schema.PACES, "c", "nonsense, 1=x; 99=")  # type: ignore[attr-defined]

    await connection.repeat(put)
    assert await changes(pace, 12) == 10

    async def spoil(client: object) -> None:
        await client.set(schema.PACES, "x")  # type: ignore[attr-defined]

    await connection.repeat(spoil)
    with pytest.raises(StoreError, match="paces"):
        await pace.admit("c", LIMITS)


async def test_who_changed_nothing_for_an_hour_is_swept_out(connection: StoreConnection) -> None:
    clock = Clock()
    pace = ChangePace(connection, clock)
    await pace.admit("old", LIMITS)
    await connection.repeat(lambda client: client.hset(schema.PACES, "garbage", "\x00 none"))
    clock.now += 59 * 60
    await pace.admit("new", LIMITS)
    await pace.sweep()
    assert set(await connection.repeat(lambda client: client.hkeys(schema.PACES))) == {b"old", b"new"}
    clock.now += 60
    await pace.sweep()
    assert await connection.repeat(lambda client: client.hkeys(schema.PACES)) == [b"new"]
    assert await pace.counted("new") == {"customer": {(T0 + 59 * 60) // 60: 1}}


async def test_a_minute_that_is_far_ahead_counts_for_nobody(connection: StoreConnection) -> None:
    await connection.repeat(lambda client: client.hset(schema.PACES, "c", f"{T0 // 60 + 10_000}=99"))
    assert await changes(ChangePace(connection, Clock()), 99) == 10
