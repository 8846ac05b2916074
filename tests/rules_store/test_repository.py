"""Entities are written atomically, by version, and numbers belong to one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from routing.model import Block, Customer, ExtensionRange, Line, Number, User
from rules_store import (
    ABSENT,
    ANY,
    ConflictError,
    Delete,
    NumberTakenError,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    schema,
)
from rules_store.repository import MANY_MAX, encode

MakeLine = Callable[..., Line]


def number(entity_id: str, digits: str = "+493023125000", line_id: str = "L1") -> Number:
    return Number(id=entity_id, order="A1", line=line_id, number=digits)


async def test_what_was_put_is_read_back(store: RulesStore, line: MakeLine) -> None:
    stored = await store.put(line(users=("ä", "b")))
    assert await store.get("line", "L1") == stored
    assert stored.version == stored.seq == await store.sequence() == 1


async def test_absent_is_none(store: RulesStore) -> None:
    assert await store.get("line", "L1") is None
    assert await store.get_many("line", []) == {}


async def test_a_stale_version_is_a_conflict_that_carries_the_current(store: RulesStore, line: MakeLine) -> None:
    first = await store.put(line(), ABSENT)
    second = await store.put(line(wish="drained"), first.version)
    with pytest.raises(ConflictError) as caught:
        await store.put(line(wish="drill"), first.version)
    assert caught.value.current == second
    assert await store.get("line", "L1") == second


async def test_creating_twice_is_a_conflict(store: RulesStore, line: MakeLine) -> None:
    await store.put(line(), ABSENT)
    with pytest.raises(ConflictError):
        await store.put(line(), ABSENT)


async def test_expecting_a_version_of_what_is_gone_is_a_conflict_without_current(store: RulesStore, line: MakeLine) -> None:
    stored = await store.put(line())
    await store.delete("line", "L1", stored.version)
    with pytest.raises(ConflictError) as caught:
        await store.put(line(), stored.version)
    assert caught.value.current is None


async def test_a_version_is_never_used_again_after_deletion(store: RulesStore, line: MakeLine) -> None:
    first = await store.put(line())
    await store.delete("line", "L1")
    second = await store.put(line())
    assert second.version > first.version + 1


async def test_a_write_of_many_is_all_or_nothing(store: RulesStore, line: MakeLine) -> None:
    await store.put(line("L2"))
    before = await store.sequence()
    with pytest.raises(ConflictError) as caught:
        await store.write_many([Put(line("L1")), Put(line("L2"), ABSENT), Put(line("L3"))])
    assert caught.value.index == 1
    assert await store.get("line", "L1") is None
    assert await store.get("line", "L3") is None
    assert await store.sequence() == before


async def test_many_get_consecutive_versions(store: RulesStore, line: MakeLine) -> None:
    versions = await store.write_many([Put(line(f"L{n}")) for n in range(300)])
    assert versions == list(range(1, 301))


async def test_the_largest_write_goes_through(store: RulesStore) -> None:
    writes = [Put(number(f"N{n}", f"+493021{n:06}")) for n in range(MANY_MAX)]
    assert len(await store.write_many(writes)) == MANY_MAX
    assert sum([len(page) async for page in store.pages("number", 700)]) == MANY_MAX


async def test_misuse_is_told_apart_from_faults_of_the_store(store: RulesStore, line: MakeLine) -> None:
    with pytest.raises(ValueError, match="twice"):
        await store.write_many([Put(line()), Delete("line", "L1")])
    with pytest.raises(ValueError, match="import_many"):
        await store.write_many([Put(line(f"L{n}")) for n in range(MANY_MAX + 1)])
    with pytest.raises(TypeError):
        await store.delete("unicorn", "U1")
    assert await store.sequence() == 0


async def test_a_number_belongs_to_one_entity(store: RulesStore) -> None:
    await store.put(number("N1"))
    with pytest.raises(NumberTakenError) as caught:
        await store.put(number("N2"))
    assert (caught.value.claim, caught.value.owner) == ("+493023125000", "number:N1")
    assert await store.owner_of("+493023125000") == "number:N1"


async def test_a_number_is_free_after_change_and_deletion(store: RulesStore) -> None:
    await store.put(number("N1"))
    await store.put(number("N1", "+493023125001"))
    await store.put(number("N2"))
    await store.delete("number", "N1")
    await store.put(number("N3", "+493023125001"))
    assert await store.owner_of("+493023125000") == "number:N2"
    assert await store.owner_of("+493023125001") == "number:N3"


async def test_numbers_may_be_exchanged_within_one_write(store: RulesStore) -> None:
    one, two = "+493023125001", "+493023125002"
    await store.write_many([Put(number("N1", one)), Put(number("N2", two))])
    await store.write_many([Put(number("N1", two)), Put(number("N2", one))])
    assert await store.owner_of(one) == "number:N2"
    assert await store.owner_of(two) == "number:N1"


async def test_one_write_cannot_give_a_number_twice(store: RulesStore) -> None:
    with pytest.raises(NumberTakenError):
        await store.write_many([Put(number("N1")), Put(number("N2"))])
    assert await store.owner_of("+493023125000") is None


async def test_a_block_holds_its_ranges(store: RulesStore) -> None:
    ranges = (ExtensionRange(first="10", last="19"), ExtensionRange(first="20", last="29"))
    await store.put(Block(id="B1", order="A1", line="L1", base="+493023125", ranges=ranges))
    with pytest.raises(NumberTakenError):
        await store.put(Block(id="B2", order="A1", line="L1", base="+493023125", ranges=ranges[1:]))
    await store.put(Block(id="B3", order="A1", line="L1", base="+493023125"))


async def users_of(store: RulesStore, customer: str | None, size: int = 2) -> list[str]:
    return [stored.entity.id async for page in store.users_of(customer, size) for stored in page]


async def test_users_are_found_by_their_customer(store: RulesStore) -> None:
    def user(entity_id: str, customer: str | None) -> User:
        return User(id=entity_id, name="x", role="editor", customer=customer)

    await store.write_many([Put(user(f"U{n}", "C1")) for n in range(5)])
    await store.write_many([Put(user("V1", "C10")), Put(user("V2", "C")), Put(user("S1", None))])
    assert await users_of(store, "C1") == ["U0", "U1", "U2", "U3", "U4"]
    assert await users_of(store, None) == ["S1"]
    await store.write_many([Put(user("U1", "C10")), Delete("user", "U3")])
    assert await users_of(store, "C1") == ["U0", "U2", "U4"]
    assert await users_of(store, "C10") == ["U1", "V1"]
    await store.import_many(
        [Delete("user", "U0"), Put(user("U9", "C1")), *(Put(number(f"N{n}", f"+493021{n:06}")) for n in range(5000))]
    )
    assert await users_of(store, "C1") == ["U2", "U4", "U9"]
    assert await users_of(store, "C10") == ["U1", "V1"]


async def test_pages_come_in_the_order_of_ids_and_end(store: RulesStore, line: MakeLine) -> None:
    ids = sorted(f"L{n}" for n in range(25))
    await store.write_many([Put(line(i)) for i in reversed(ids)])
    pages = [[stored.entity.id for stored in page] async for page in store.pages("line", 10)]
    assert pages == [ids[:10], ids[10:20], ids[20:]]
    assert [page async for page in store.pages("customer")] == []
    assert [len(page) async for page in store.pages("line", 25)] == [25]


async def test_of_many_racing_writers_one_wins(store: RulesStore) -> None:
    outcomes = await asyncio.gather(
        *(store.put(Customer(id="C1", name=f"writer {n}"), ABSENT) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 19
    assert await store.sequence() == 1


async def test_counting_by_versions_loses_no_increment(store: RulesStore) -> None:
    await store.put(Customer(id="C1", name="0"))

    async def increment() -> None:
        while True:
            stored = await store.get("customer", "C1")
            assert stored is not None
            try:
                await store.put(Customer(id="C1", name=str(int(stored.entity.name) + 1)), stored.version)  # type: ignore[attr-defined]
            except ConflictError:
                continue
            return

    await asyncio.gather(*(increment() for _ in range(12)))
    stored = await store.get("customer", "C1")
    assert stored is not None
    assert stored.entity == Customer(id="C1", name="12")


@pytest.mark.parametrize(
    ("key", "command"),
    [
        (schema.SEQ, ("SET", schema.SEQ, "many")),
        (schema.CHANGES, ("SET", schema.CHANGES, "x")),
        (schema.RECENT, ("SET", schema.RECENT, "x")),
        (schema.claims("1"), ("SET", schema.claims("1"), "x")),
        (schema.index("1", "number"), ("SET", schema.index("1", "number"), "x")),
        (schema.LOG, ("SET", schema.LOG, "x")),
        (schema.LOG, ("XADD", schema.LOG, "999-0", "x", "y")),
        (schema.HEADS, ("SET", schema.HEADS, "x")),
        (schema.SECRETS, ("SET", schema.SECRETS, "x")),
        (schema.users("1"), ("SET", schema.users("1"), "x")),
        (schema.gone("1"), ("SET", schema.gone("1"), "x")),
        (schema.entities("1", "order"), ("SET", schema.entities("1", "order"), "x")),
        (schema.entities("1", "number"), ("SET", schema.entities("1", "number"), "x")),
    ],
)
async def test_a_broken_key_stops_a_write_before_it_wrote_anything(
    store: RulesStore, connection: StoreConnection, key: str, command: tuple[str, ...]
) -> None:
    await store.put(Customer(id="C1", name="x"))
    await connection.repeat(lambda client: client.delete(key))
    await connection.repeat(lambda client: client.execute_command(*command))
    with pytest.raises(StoreError) as caught:
        await store.write_many([Put(Customer(id="C2", name="y")), Put(number("N1"))])
    assert key in caught.value.what
    assert await store.get("customer", "C2") is None


async def test_a_record_that_does_not_parse_is_no_silent_absence(
    store: RulesStore, connection: StoreConnection, line: MakeLine
) -> None:
    await store.write_many([Put(line("L1")), Put(line("L2"))])
    await connection.repeat(lambda client: client.hset(schema.entities("1", "line"), "L1", '{"v":1,"c":[],"e":{"id":9}}'))
    with pytest.raises(StoreError, match="does not parse"):
        await store.get("line", "L1")
    with pytest.raises(StoreError, match="does not parse"):
        await store.put(line("L1"), ABSENT)
    assert [[s.entity.id for s in page] async for page in store.pages("line")] == [["L2"]]
    await store.put(line("L1"), ANY)
    assert await store.get("line", "L1") is not None


async def test_a_repeated_write_is_done_once(connection: StoreConnection, line: MakeLine) -> None:
    keys = [schema.GENERATION, schema.SEQ, schema.CHANGES, schema.RECENT, schema.TOUCH]
    keys += [*schema.LOG_KEYS, *schema.generation_keys("1")]
    args = ["1", "token-1", 100, 100, 2, "who", "cli", "", "", "", 0, 1000, 1, *encode([Put(line(), ABSENT)])]
    first = await connection.save("write", keys, args)
    assert await connection.save("write", keys, args) == first == [b"ok", b"1"]
    assert await connection.repeat(lambda client: client.xlen(schema.CHANGES)) == 1


async def test_a_counter_behind_the_stream_is_healed_with_a_new_epoch(
    store: RulesStore, connection: StoreConnection, line: MakeLine
) -> None:
    await store.put(line())
    epoch = connection.epoch
    await connection.repeat(lambda client: client.xadd(schema.CHANGES, {"x": "y"}, id="500-0"))
    with pytest.raises(StoreError):
        await store.put(line("L2"))
    assert (await store.put(line("L2"))).version == 501
    assert connection.epoch != epoch


async def test_the_store_survives_being_emptied(store: RulesStore, connection: StoreConnection, line: MakeLine) -> None:
    await store.put(line())
    await connection.repeat(lambda client: client.flushall())
    assert await store.get("line", "L1") is None
    assert (await store.put(line("L2"), ABSENT)).version == 1
