"""The log of versions: every change is in it once, with who and what, and can be found from its entity and its customer."""

from __future__ import annotations

import time

import pytest

from routing.model import Block, Credential, Customer, Diversion, Line, Number, Order, OrderScope, Site, Target, User
from rules_store import ABSENT, Author, Delete, Put, RulesStore, StoreConnection, StoreSettings, Version, VersionLog, schema

ADA = Author("ada", "portal", "192.0.2.7")
BOB = Author("bob", "cli")
HA1 = "0123456789abcdef0123456789abcdef"


def order(entity_id: str = "A1", customer: str = "C1") -> Order:
    return Order(id=entity_id, customer=customer, product="sipTrunk 2.0", site=Site(id="S1", address="Hafen 1"))


def rule(text: str = "+496990009000", *, armed: bool = False, entity_id: str = "R1") -> Diversion:
    return Diversion(id=entity_id, order="A1", scope=OrderScope(), armed=armed, targets=(Target(number=text),))


def number(n: int, line: str = "L1") -> Number:
    return Number(id=f"N{n:06}", order="A1", line=line, number=f"+493021{n:06}")


@pytest.fixture
def versions(connection: StoreConnection) -> VersionLog:
    return VersionLog(connection)


async def all_of(versions: VersionLog, **which: object) -> list[Version]:
    return [entry async for page in versions.log(**which) for entry in page]  # type: ignore[arg-type]


async def test_a_change_tells_who_when_whence_and_what(store: RulesStore, versions: VersionLog) -> None:
    first = await store.put(order(), ABSENT, author=ADA, note="new customer")
    second = await store.put(rule(), author=ADA)
    third = await store.put(rule(armed=True), author=BOB, note="on\nholiday")
    entry = await versions.version(third.version)
    assert entry is not None
    assert (entry.author, entry.note, entry.op, entry.kind, entry.id) == (BOB, "on holiday", "put", "diversion", "R1")
    assert (entry.customer, entry.previous, entry.first, entry.last, entry.count) == (
        "C1",
        second.version,
        third.version,
        third.version,
        1,
    )
    assert entry.before == rule().model_dump(mode="json")
    assert entry.after == rule(armed=True).model_dump(mode="json")
    created = await versions.version(first.version)
    assert created is not None
    assert (created.before, created.previous, created.author) == (None, None, ADA)
    assert 0 <= entry.at_unix_ms - created.at_unix_ms < 60_000


async def test_the_history_of_one_entity_is_a_walk_also_over_removal_and_return(store: RulesStore, versions: VersionLog) -> None:
    one = (await store.put(rule())).version
    await store.put(rule(entity_id="R2"))
    two = (await store.put(rule(armed=True))).version
    three = await store.delete("diversion", "R1")
    assert [entry.version for entry in await versions.history("diversion", "R1")] == [three, two, one]
    four = (await store.put(rule(), ABSENT)).version
    found = await versions.history("diversion", "R1")
    assert [entry.version for entry in found] == [four, three, two, one]
    assert [entry.op for entry in found] == ["put", "delete", "put", "put"]
    assert [entry.version for entry in await versions.history("diversion", "R1", limit=2)] == [four, three]
    assert await versions.history("diversion", "R9") == []


async def test_what_is_refused_is_not_in_the_log(store: RulesStore, connection: StoreConnection) -> None:
    await store.put(rule())
    with pytest.raises(Exception, match="somebody else"):
        await store.put(rule(armed=True), ABSENT)
    assert await connection.repeat(lambda client: client.xlen(schema.LOG)) == 1


async def test_a_removal_of_nothing_is_no_change(store: RulesStore, versions: VersionLog) -> None:
    await store.write_many([Delete("line", "L9"), Put(rule())])
    assert [entry.id for entry in await all_of(versions)] == ["R1"]


async def test_the_log_of_a_customer_holds_what_is_his_and_nothing_else(store: RulesStore, versions: VersionLog) -> None:
    await store.put(Customer(id="C1", name="Hafenbau"))
    await store.put(Customer(id="C2", name="Backhaus"))
    await store.write_many([Put(number(1)), Put(Line(id="L1", order="A1", kind="registered")), Put(order())])
    await store.put(order("B1", "C2"))
    await store.put(Block(id="B", order="B1", line="L2", base="+493023125"))
    await store.put(User(id="U1", name='"customer":"C1"', role="editor", customer="C2"))
    await store.put(User(id="U2", name="staff", role="operator"))
    await store.delete("number", "N000001")
    assert [entry.id for entry in await all_of(versions, customer="C1")] == ["N000001", "A1", "L1", "N000001", "C1"]
    assert [entry.id for entry in await all_of(versions, customer="C2")] == ["U1", "B", "B1", "C2"]
    assert [entry.id for entry in await all_of(versions, customer="")] == ["U2"]


async def test_what_outlives_its_order_stays_the_customers(store: RulesStore, versions: VersionLog) -> None:
    await store.write_many([Put(order()), Put(rule())])
    await store.delete("order", "A1")
    await store.delete("diversion", "R1")
    assert len(await all_of(versions, customer="C1")) == 4


async def test_a_span_of_time_is_found_in_a_long_log(store: RulesStore, versions: VersionLog) -> None:
    for n in range(4):
        await store.write_many([Put(number(n * 500 + k)) for k in range(500)])
    entries = await all_of(versions)
    assert [entry.version for entry in entries] == list(range(2000, 0, -1))
    times = sorted({entry.at_unix_ms for entry in entries})
    assert len(times) == 4
    found = await all_of(versions, since_unix_ms=times[1], until_unix_ms=times[3])
    assert [entry.version for entry in found] == list(range(1500, 500, -1))
    assert await all_of(versions, until_unix_ms=times[0]) == []
    assert await all_of(versions, since_unix_ms=times[3] + 1) == []


async def test_no_secret_is_in_the_log(store: RulesStore, versions: VersionLog, connection: StoreConnection) -> None:
    credential = Credential(username='"ha1":"x"', algorithm="MD5", ha1=HA1)
    line = Line(id="L1", order="A1", kind="registered", credentials=(credential,))
    await store.put(line)
    await store.put(line.model_copy(update={"users": ("a",)}))
    await store.delete("line", "L1")
    raw = await connection.repeat(lambda client: client.xrange(schema.LOG))
    assert HA1.encode() not in repr(raw).encode()
    entry = (await versions.history("line", "L1"))[0]
    assert entry.before is not None
    assert entry.before["credentials"] == [{"username": '"ha1":"x"', "algorithm": "MD5", "ha1": ""}]


async def test_old_entries_go_in_small_steps_and_what_hung_on_them_too(settings: StoreSettings) -> None:
    kept = settings.model_copy(update={"log_kept": 1000})
    async with StoreConnection(kept) as connection:
        store, versions = RulesStore(connection), VersionLog(connection)
        credential = Credential(username="u", algorithm="MD5", ha1=HA1)
        line = Line(id="L1", order="A1", kind="registered", credentials=(credential,))
        await store.put(line)
        await store.delete("line", "L1")
        await store.write_many([Put(number(n)) for n in range(1500)])
        assert await versions.removed_at("line", "L1") is None
        assert await connection.repeat(lambda client: client.hlen(schema.SECRETS)) == 0
        assert await connection.repeat(lambda client: client.xlen(schema.LOG)) == 1000
        async with StoreConnection(kept.model_copy(update={"log_kept": 700})) as other:
            assert await VersionLog(other).trim(step=70) == 300
            assert await VersionLog(other).trim() == 0
        assert await connection.repeat(lambda client: client.xlen(schema.LOG)) == 700
        assert await versions.history("number", number(1).id) == []
        assert len(await versions.history("number", number(1400).id)) == 1


async def test_entries_older_than_is_kept_go(settings: StoreSettings) -> None:
    async with StoreConnection(settings.model_copy(update={"log_days": 1.0})) as connection:
        store, versions = RulesStore(connection), VersionLog(connection)
        fields = {
            "w": "",
            "v": "cli",
            "s": "",
            "n": "",
            "u": "",
            "f": "1",
            "l": "1",
            "m": "1",
            "k": "line",
            "i": "L1",
            "o": "d",
            "c": "",
        }
        fields |= {"q": "", "p": "", "b": "{}", "a": "", "t": str(int((time.time() - 2 * 86_400) * 1000))}
        for n in range(1, 21):
            await connection.repeat(lambda client, n=n: client.xadd(schema.LOG, fields, id=f"{n}-0"))  # type: ignore[misc]
        await connection.repeat(lambda client: client.set(schema.SEQ, "20"))
        await store.put(number(1))
        assert len(await all_of(versions)) == 21
        assert await versions.trim(step=3) == 20
        assert [entry.version for entry in await all_of(versions)] == [21]


async def test_the_history_goes_on_behind_a_large_import(store: RulesStore, versions: VersionLog) -> None:
    one = (await store.put(number(1, "old"))).version
    two = (await store.put(number(2))).version
    three = await store.delete("number", number(2).id)
    await store.put(number(3))
    result = await store.import_many(
        [Delete("number", number(3).id), *(Put(number(n)) for n in range(6000) if n != 3)], author=ADA, note="from a file"
    )
    five = (await store.put(number(1, "new"), author=BOB)).version
    found = await versions.history("number", number(1).id)
    assert [entry.version for entry in found] == [five, result.sequence, one]
    assert (found[1].author, found[1].note, found[1].op) == (ADA, "from a file", "put")
    assert [(entry.before or {}).get("line") for entry in found] == ["L1", "old", None]
    assert [(entry.after or {}).get("line") for entry in found] == ["new", "L1", "old"]
    assert [entry.version for entry in await versions.history("number", number(2).id)] == [result.sequence, three, two]
    removed = await versions.history("number", number(3).id)
    assert [(entry.version, entry.op) for entry in removed] == [(result.sequence, "delete"), (removed[1].version, "put")]
    assert [entry.version for entry in await versions.history("number", number(5).id)] == [result.sequence]


async def test_tombstones_of_imports_go_with_what_they_point_to(settings: StoreSettings) -> None:
    async with StoreConnection(settings.model_copy(update={"imports_kept": 1})) as connection:
        store, versions = RulesStore(connection), VersionLog(connection)
        await store.import_many([Put(number(n)) for n in range(5002)])
        await store.import_many([Delete("number", number(n).id) for n in range(5001)])
        assert await versions.removed_at("number", number(1).id) is not None
        await store.import_many([Put(number(n, "L2")) for n in range(6000, 11_001)])
        assert await versions.removed_at("number", number(1).id) is None


async def test_an_import_that_is_no_longer_kept_ends_the_history(settings: StoreSettings) -> None:
    async with StoreConnection(settings.model_copy(update={"imports_kept": 1})) as connection:
        store, versions = RulesStore(connection), VersionLog(connection)
        await store.import_many([Put(number(n)) for n in range(5001)])
        second = await store.import_many([Put(number(n, "L2")) for n in range(5001)])
        assert [entry.version for entry in await versions.history("number", number(1).id)] == [second.sequence]
        keys = await connection.repeat(lambda client: client.keys("{r}:*:new"))
        assert keys == [], "the second import brought nothing new, and what the first brought is forgotten"


async def test_garbage_in_the_log_is_skipped(store: RulesStore, versions: VersionLog, connection: StoreConnection) -> None:
    await store.put(rule())
    await connection.repeat(lambda client: client.xadd(schema.LOG, {"x": "y"}, id="1-5"))
    await store.put(rule(armed=True))
    assert [entry.version for entry in await all_of(versions)] == [2, 1]
