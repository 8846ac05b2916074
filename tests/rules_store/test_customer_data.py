"""A customer's data: all of it is given out, nothing of it is left behind, and nobody else's is touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from routing.model import (
    Block,
    BlockScope,
    Credential,
    Customer,
    Diversion,
    Entity,
    Line,
    Move,
    Number,
    Order,
    Site,
    Target,
    User,
)
from rules_store import (
    BindingRow,
    BindingStore,
    Delete,
    Entry,
    Erasure,
    EventStore,
    Put,
    RulesStore,
    StoreConnection,
    VerdictStore,
    VersionLog,
    audit_lines,
    export_customer,
    schema,
)
from tests.rules_store.following import Following, contents
from tests.rules_store.test_versions import ADA, BOB, HA1

NOW = 1_800_000_000_000


def of(tag: str) -> list[Entity]:
    """Everything that a customer can have; each text of his has his tag in it."""
    n = ord(tag) - ord("A")
    credential = Credential(username=f"user-{tag}", algorithm="MD5", ha1=HA1)
    return [
        Customer(id=f"C{tag}", name=f"Name-{tag}"),
        User(id=f"U{tag}", name=f"Person-{tag}", role="owner", customer=f"C{tag}"),
        Order(id=f"O{tag}", customer=f"C{tag}", product="sipTrunk 2.0", site=Site(id=f"S{tag}", address=f"Street-{tag}")),
        Line(id=f"L{tag}", order=f"O{tag}", kind="registered", users=(f"user-{tag}",), credentials=(credential,)),
        Block(id=f"B{tag}", order=f"O{tag}", line=f"L{tag}", base=f"+4930231250{n}"),
        Number(id=f"N{tag}", order=f"O{tag}", line=f"L{tag}", number=f"+4930231259{n}0"),
        Diversion(
            id=f"D{tag}",
            order=f"O{tag}",
            scope=BlockScope(block=f"B{tag}"),
            targets=(Target(number="+496990009000"),),
            note=f"Note-{tag}",
        ),
    ]


async def live(connection: StoreConnection, tag: str) -> None:
    row = BindingRow(f"L{tag}", f"sip:{tag}@192.0.2.9", "192.0.2.9:5060", NOW, f"call-{tag}", 1, 1000, "phone", f"user-{tag}")
    await BindingStore(connection).save_bindings([row])
    verdict = {"health": "down", "since_unix_ms": NOW, "cause": "timeout", "evidence": f"evidence-{tag}", "place": "unclear"}
    await VerdictStore(connection).save_verdicts([{"line_id": f"L{tag}", **verdict}])  # type: ignore[typeddict-item]
    events = EventStore(connection)

    def text(kind: str, line: str, **more: object) -> str:
        return json.dumps({"kind": kind, "line": line, "at_unix_ms": NOW, **more})

    entries = [
        Entry(
            1,
            NOW,
            f"L{tag}",
            "e",
            text("verdict", f"L{tag}", order=f"O{tag}", evidence=f"evidence-{tag}"),
            json.dumps({"x": f"state-{tag}"}),
        ),
        Entry(2, NOW, f"L{tag}", "d", text("diverted", f"L{tag}", order=f"O{tag}", number=f"+49…{tag}")),
        Entry(3, NOW, "", "e", text("site", "", site=f"S{tag}", evidence=f"Street-{tag}")),
    ]
    await events.save("01a2000000000000aa" if tag == "A" else "01a2000000000000bb", entries)


async def everything(connection: StoreConnection) -> dict[str, bytes]:
    """Read every key as it is, for a search through all of it."""
    found: dict[str, bytes] = {}
    for key in await connection.repeat(lambda client: client.keys("*")):
        kind = await connection.repeat(lambda client, key=key: client.type(key))  # type: ignore[misc]
        read = {
            b"string": lambda client, key=key: client.get(key),
            b"hash": lambda client, key=key: client.hgetall(key),
            b"zset": lambda client, key=key: client.zrange(key, 0, -1, withscores=True),
            b"set": lambda client, key=key: client.smembers(key),
            b"list": lambda client, key=key: client.lrange(key, 0, -1),
            b"stream": lambda client, key=key: client.xrange(key),
        }[kind]
        found[key.decode()] = repr(await connection.repeat(read)).encode()  # type: ignore[arg-type]
    return found


def traces(found: dict[str, bytes], tag: str) -> list[str]:
    """Name the keys in which something of a customer stands."""
    words = [f"-{tag}", *(f"{letter}{tag}" for letter in "OLNUDSB")]
    return sorted(
        key
        for key, value in found.items()
        if any(word.encode() in value or word in key for word in words) or f"C{tag}".encode() in value
    )


@pytest.fixture
async def two(store: RulesStore, connection: StoreConnection) -> StoreConnection:
    """A store with two customers that are alike, with a past, imports and live state."""
    for tag in "AB":
        await store.write_many([Put(entity) for entity in of(tag)], author=ADA)
        await store.put(of(tag)[-1].model_copy(update={"armed": True}), author=BOB, note=f"Note-{tag}")
    filling = [Put(Number(id=f"X{n}", order="OX", line="LX", number=f"+493021{n:06}")) for n in range(5000)]
    changed = [Put(entity.model_copy(update={"name": f"New-Name-{tag}"})) for tag in "AB" for entity in of(tag)[:1]]
    former = [Delete("diversion", f"D{tag}") for tag in "AB"]
    await store.import_many([*filling, *changed, *former], author=ADA)
    for tag in "AB":
        await live(connection, tag)
    return connection


async def test_an_export_has_everything_and_no_secret(two: StoreConnection) -> None:
    found = await export_customer(two, "CA")
    assert found is not None
    text = json.dumps(found)
    assert HA1 not in text
    assert [row["id"] for rows in found["entities"].values() for row in rows] == ["CA", "UA", "OA", "LA", "BA", "NA"]
    assert found["registrations"]["LA"][0]["contact"] == "sip:A@192.0.2.9"
    assert found["verdicts"]["LA"]["evidence"] == "evidence-A"
    assert [event["kind"] for event in found["events"]["LA"]] == ["verdict"]
    assert [event["number"] for event in found["diverted_calls"]["LA"]] == ["+49…A"]
    assert {entry["id"] for entry in found["versions"]} == {"CA", "UA", "OA", "LA", "BA", "NA", "DA"}
    assert "-B" not in text


async def test_of_nobody_there_is_nothing_to_export(connection: StoreConnection) -> None:
    assert await export_customer(connection, "CX") is None


async def test_nothing_is_left_of_an_erased_customer_and_all_of_the_others(two: StoreConnection) -> None:
    erasure, before = Erasure(two), await contents(RulesStore(two))
    assert traces(await everything(two), "A") != []
    kept = traces(await everything(two), "B")
    async with Following(two) as following:
        found = await erasure.find("CA")
        await erasure.remove_rules(found, BOB)
        counts = await erasure.remove_traces(found, BOB)
        after = await contents(RulesStore(two))
        assert after == {name: what for name, what in before.items() if not name[1].endswith("A")}
        await following.caught_up(RulesStore(two))
    assert (counts["order"], counts["registrations"], counts["verdicts"]) == (1, 1, 1)
    assert counts["versions"] >= 14
    left = await everything(two)
    assert traces(left, "A") == ["{r}:log"], "only the note that it was done"
    assert [key for key in traces(left, "B") if key != "{r}:changes"] == [key for key in kept if key != "{r}:changes"]
    entries = [entry async for page in VersionLog(two).log() for entry in page]
    assert (entries[0].op, entries[0].id, entries[0].author, entries[0].customer) == ("erase", "CA", BOB, "")
    assert entries[0].after == counts
    assert not any("-A" in json.dumps([entry.before, entry.after]) for entry in entries[1:])


async def test_erasing_may_be_repeated_from_any_point(two: StoreConnection) -> None:
    erasure = Erasure(two)
    await erasure.remove_rules(await erasure.find("CA"), BOB)
    again = await erasure.find("CA")  # as after a kill: only the log still knows
    assert again.ids("line") == {"LA"}
    await erasure.remove_traces(again, BOB)
    assert traces(await everything(two), "A") == ["{r}:log"]
    assert not await erasure.find("CA")


async def test_what_a_killed_import_left_behind_goes_too(two: StoreConnection) -> None:
    await two.repeat(lambda client: client.sadd(schema.STALE, "dead"))
    for key in (schema.entities("dead", "line"), schema.before_import("dead")):
        await two.repeat(lambda client, key=key: client.hset(key, "LA", "trace-A"))  # type: ignore[misc]
    erasure = Erasure(two)
    found = await erasure.find("CA")
    await erasure.remove_rules(found, BOB)
    await erasure.remove_traces(found, BOB)
    assert traces(await everything(two), "A") == ["{r}:log"]


async def test_numbers_that_move_to_others_are_theirs(store: RulesStore, connection: StoreConnection) -> None:
    at = datetime(2027, 1, 1, tzinfo=UTC)
    await store.write_many([Put(entity) for tag in "AB" for entity in of(tag)])
    leaving = Number(id="N1", order="OA", line="LA", number="+493023125991", move=Move(at=at, order="OB", line="LB"))
    coming = Number(id="N2", order="OB", line="LB", number="+493023125992", move=Move(at=at, order="OA", line="LA"))
    await store.write_many([Put(leaving), Put(coming)])
    erasure = Erasure(connection)
    await erasure.remove_rules(await erasure.find("CA"), BOB)
    found = await contents(store)
    assert found["number", "N1"][1] == leaving.model_copy(update={"order": "OB", "line": "LB", "active_from": at, "move": None})
    assert found["number", "N2"][1] == coming.model_copy(update={"move": None})


async def test_the_audit_export_is_lines_of_json_without_secrets(two: StoreConnection) -> None:
    lines = [line async for line in audit_lines(VersionLog(two), customer="CB")]
    assert HA1 not in "".join(lines)
    records = [json.loads(line) for line in lines]
    versions = [record["version"] for record in records]
    assert versions == sorted(versions, reverse=True)
    assert {record["who"] for record in records} == {"ada", "bob"}
    assert {record["op"] for record in records} == {"put", "import"}
    everything_ = [json.loads(line) async for line in audit_lines(VersionLog(two))]
    assert len(everything_) == 17


async def test_a_record_that_does_not_parse_is_erased_too(two: StoreConnection) -> None:
    raw = '{"v":9,"c":[],"e":{"id":"LG","order":"OA","rubbish":"trace-A"}}'
    await two.repeat(lambda client: client.hset(f"{{r}}:{two.generation}:line", "LG", raw))
    await two.repeat(lambda client: client.zadd(f"{{r}}:{two.generation}:line:ids", {"LG": 0}))
    erasure = Erasure(two)
    found = await erasure.find("CA")
    await erasure.remove_rules(found, BOB)
    await erasure.remove_traces(found, BOB)
    assert traces(await everything(two), "A") == ["{r}:log"]
