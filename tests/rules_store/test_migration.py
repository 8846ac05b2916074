"""Data of an older release are read at once and written anew at leisure; those of a newer one are refused."""

from __future__ import annotations

import pytest

from routing.model import Customer, Order, Site
from rules_store import (
    ABSENT,
    Author,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    StoreSettings,
    Undo,
    VersionLog,
    migrate,
    schema,
)
from tests.rules_store.following import Following

OLD = '{"v":%d,"c":[],"e":{"id":"%s","name":"Hafenbau","allow_international":%s}}'


async def put_old(connection: StoreConnection, *, garbage: bool = False) -> None:
    """Make the store what schema 1 had: no log, customers with the old field."""
    rows = {"C1": OLD % (1, "C1", "true"), "C2": OLD % (2, "C2", "false")}
    if garbage:
        rows["C3"] = '{"v":3,"c":[],"e":{"id":7}}'
    key, ids = schema.entities("1", "customer"), schema.index("1", "customer")
    await connection.repeat(lambda client: client.hset(key, mapping=rows))  # type: ignore[arg-type]
    await connection.repeat(lambda client: client.zadd(ids, dict.fromkeys(rows, 0)))
    await connection.repeat(lambda client: client.set(schema.SEQ, str(len(rows))))
    fields = {"k": "customer", "i": "C1", "o": "p", "w": "t", "l": "", "e": OLD[OLD.index('"e":') + 4 : -1] % ("C1", "true")}
    await connection.repeat(lambda client: client.xadd(schema.CHANGES, fields, id=f"{len(rows)}-0"))  # type: ignore[arg-type]
    await connection.repeat(lambda client: client.hset(schema.META, "schema", "1"))
    connection.lost()
    await connection.open()


async def test_old_records_are_read_and_written_anew(store: RulesStore, connection: StoreConnection) -> None:
    await store.sequence()
    await put_old(connection)
    stored = await store.get("customer", "C1")
    assert stored is not None
    assert stored.entity == Customer(id="C1", name="Hafenbau", allowances=("international",))
    async with Following(connection) as following:
        assert following.state["customer", "C2"] == (2, Customer(id="C2", name="Hafenbau"))
        assert (await migrate(connection)).written == 2
        await following.caught_up(store)
    raw = await connection.repeat(lambda client: client.hget(schema.entities("1", "customer"), "C1"))
    assert b"allow_international" not in (raw or b"")
    assert (await migrate(connection)).written == 0
    entry = (await VersionLog(connection).history("customer", "C1"))[0]
    assert (entry.note, entry.previous) == ("schema 1 to 2", 1)
    assert entry.before == {"id": "C1", "name": "Hafenbau", "allowances": ["international"]}
    assert entry.after == stored.entity.model_dump(mode="json")


async def test_a_change_is_taken_back_before_and_after_the_migration(store: RulesStore, connection: StoreConnection) -> None:
    await store.sequence()
    await put_old(connection)
    undo, author = Undo(connection), Author("ada", "cli")
    for customer in ("C1", "C2"):
        before = await store.get("customer", customer)
        assert before is not None
        changed = await store.put(Customer(id=customer, name="Werft"), before.version, author=author)
        if customer == "C2":
            await migrate(connection)
        assert await undo.undo(changed.version, author)
        after = await store.get("customer", customer)
        assert after is not None
        assert after.entity == before.entity


async def test_garbage_is_told_and_skipped(store: RulesStore, connection: StoreConnection) -> None:
    await store.sequence()
    await put_old(connection, garbage=True)
    done = await migrate(connection)
    assert done.written == 2
    assert ["C3" in found.where for found in done.garbage] == [True]
    await store.put(Order(id="A1", customer="C1", product="sipTrunk 2.0", site=Site(id="S", address="")), ABSENT)


async def test_a_record_that_was_written_meanwhile_is_left_alone(store: RulesStore, connection: StoreConnection) -> None:
    await store.sequence()
    await put_old(connection)
    later = await store.put(Customer(id="C1", name="renamed"), 1)
    assert (await migrate(connection)).written == 1
    assert await store.get("customer", "C1") == later


async def test_the_schema_is_the_present_one_as_soon_as_we_write(connection: StoreConnection) -> None:
    await put_old(connection)
    assert await connection.repeat(lambda client: client.hget(schema.META, "schema")) == b"2"


@pytest.mark.parametrize(("found", "told"), [("3", "newer release"), ("0", "release that wrote"), ("x", "release that wrote")])
async def test_a_schema_that_is_not_ours_is_refused_with_words(settings: StoreSettings, found: str, told: str) -> None:
    async with StoreConnection(settings) as connection:
        await connection.repeat(lambda client: client.hset(schema.META, "schema", found))
        await connection.repeat(lambda client: client.set("{r}:untouched", "1"))
        connection.lost()
        with pytest.raises(StoreError, match=told) as caught:
            await RulesStore(connection).write_many([Put(Customer(id="C1", name="x"))])
        assert not caught.value.retryable
        assert repr(found) in caught.value.what
