"""A customer of whom something stands in every kind of key that there is: nothing is left of him, and the others keep theirs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from routing.model import Customer, Entity, Line, Move, Number, Order, Site
from routing.products import ProductLimits
from rules_store import (
    BrakeBatch,
    BrakeStore,
    ChangePace,
    Delete,
    Entry,
    Erasure,
    EventStore,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    VerdictStore,
    VersionLog,
    export_customer,
    schema,
)
from rules_store.import_turn import no_imports
from tests.rules_store.following import Following, contents
from tests.rules_store.test_customer_data import NOW, everything, live, of
from tests.rules_store.test_versions import ADA, BOB

AT = datetime(2027, 1, 1, tzinfo=UTC)
LIMITS = ProductLimits(rules_per_line=100, changes_per_hour=100, diverted_per_hour=100, diverted_per_day=100)
HIS = re.compile(rb"-A|[OLNUDSBC]A\b|\+49302312500|\+493023125900|past-|\+49302312571")
"""His ids, texts and numbers."""
FLEETING = {schema.IMPORT, schema.STALE, schema.TOUCH, schema.ERASED}
"""Keys that are there only now and then, and hold nothing of anybody."""


def site() -> Site:
    return Site(id="S1", address="x")


def past() -> list[Entity]:
    """An order of his of which nothing but an import's memory tells that it was his."""
    return [
        Order(id="past-order", customer="CA", product="sipTrunk 2.0", site=site()),
        Line(id="past-line", order="past-order", kind="registered"),
        Number(id="past-number", order="past-order", line="past-line", number="+493023125710"),
    ]


def transferred(customer: str) -> Order:
    return Order(id="T1", customer=customer, product="sipTrunk 2.0", site=Site(id="ST", address="Kai 1"))


def line_of(order: str) -> Line:
    return Line(id="TL1", order=order, kind="registered")


@pytest.fixture
async def full(store: RulesStore, connection: StoreConnection) -> StoreConnection:
    """Two customers, and something in every kind of key."""
    for tag in "AB":
        await store.write_many([Put(entity) for entity in of(tag)], author=ADA)
        await store.put(of(tag)[-1].model_copy(update={"armed": True}), author=BOB, note=f"Note-{tag}")
        await store.put(of(tag)[3].model_copy(update={"access": "node"}), author=BOB)  # its secret is kept for an undo
        await ChangePace(connection).admit(f"C{tag}", LIMITS)
        await ChangePace(connection).admit(f"C{tag}", LIMITS, staff=True)
        levels: dict[str, dict[str, object] | None] = {f"O{tag}": {"level": "warned"}}
        await BrakeStore(connection).write(BrakeBatch({f"O{tag}": [(28_000_000, 1_900_000, 3)]}, set(), levels), 0, 0)
        await live(connection, tag)
    # A number that goes from him to the other, one that comes from the other, and an order that went to the other.
    going = Number(id="G1", order="OA", line="LA", number="+493023125991", move=Move(at=AT, order="OB", line="LB"))
    coming = Number(id="G2", order="OB", line="LB", number="+493023125992", move=Move(at=AT, order="OA", line="LA"))
    await store.write_many([Put(going), Put(coming), Put(transferred("CA")), Put(line_of("T1"))], author=ADA)
    await store.put(transferred("CB"), author=ADA)
    await store.put(line_of("T1").model_copy(update={"access": "node"}), author=ADA)
    await VerdictStore(connection).save_verdicts(
        [{"line_id": "TL1", "health": "up", "since_unix_ms": NOW, "cause": "", "evidence": "", "place": "unclear"}]
    )
    # Imports: what they brought, what they changed of both, and an order that came and went by them alone.
    named: list[Entity] = [Customer(id=f"C{tag}", name=f"New-Name-{tag}") for tag in "AB"]
    await store.import_many([Put(entity) for entity in [*named, *past(), coming]], author=ADA, staged=True)
    gone = [Delete("diversion", "DA")]
    gone += [Delete(kind, f"past-{kind}") for kind in ("number", "line", "order")]
    await store.import_many([*gone, Put(coming.model_copy(update={"line": "LB"}))], author=ADA, staged=True)
    text = json.dumps({"kind": "verdict", "line": "past-line", "order": "past-order", "at_unix_ms": NOW})
    events = [Entry(n, NOW, "past-line", flag, text, '{"x":1}') for n, flag in ((1, "e"), (2, "d"))]  # type: ignore[arg-type]
    await EventStore(connection).save("01a2000000000000cc", events)
    text = json.dumps({"kind": "brake", "line": "", "order": "OA", "at_unix_ms": NOW})
    await EventStore(connection).save("01a2000000000000dd", [Entry(1, NOW, "", "e", text)])
    await connection.repeat(lambda client: client.zadd(schema.users(connection.generation), {"CA lost": 0}))
    return connection


async def test_something_of_him_is_in_every_kind_of_key(full: StoreConnection) -> None:
    kinds = {re.sub(r"\{b\d\d\}", "{b}", re.sub(f":{full.generation}:", ":G:", key)) for key in await everything(full)}
    made = {re.sub(r":(history|diverted):.*", r":\1:", kind) for kind in kinds}
    at = [getattr(schema, name) for name in vars(schema) if name.isupper() and str(getattr(schema, name)).startswith("{r}")]
    shard = [schema.bindings, schema.expiries, schema.verdicts, schema.live_stream, schema.events, schema.event_counter]
    shard += [schema.event_marks, schema.states, schema.diverted_counts, schema.brakes, schema.history_ages, schema.diverted_ages]
    expected = {*at, *schema.generation_keys("G"), schema.before_import("G"), schema.new_by_import("G")}
    expected |= {re.sub(r"\{b\d\d\}", "{b}", key(1)) for key in shard} | {"{b}:history:", "{b}:diverted:"}
    ours = {key for key in made if ":G:" in key or "{b}" in key or key in at}
    assert expected - ours <= FLEETING | {"{r}:G:new"}
    assert ours <= expected, "a kind of key that this test does not know: erase it, and put something there"


async def test_nothing_is_left_of_him_anywhere(full: StoreConnection) -> None:
    store, erasure = RulesStore(full), Erasure(full)
    before = await contents(store)
    dump = await everything(full)
    hit = {key for key, value in dump.items() if HIS.search(value) or HIS.search(key.encode())}
    assert {schema.PACES, schema.LOG, schema.HEADS, schema.CHANGES} <= hit
    async with Following(full) as following:
        found = await erasure.find("CA")
        assert ("line", "past-line") in found.names
        assert {("order", "T1"), ("line", "TL1")} <= found.former
        await erasure.remove_rules(found, BOB)
        counts = await erasure.remove_traces(found, BOB)
        after = await contents(store)
        await following.caught_up(store)
    assert counts["counts_and_brakes"] == 4
    dump = await everything(full)
    left = {key: value for key, value in dump.items() if HIS.search(value) or HIS.search(key.encode())}
    assert list(left) == [schema.LOG]
    assert len(HIS.findall(left[schema.LOG])) == 1, "only that he was erased"

    # What is the others' is there, and what went to them.
    assert set(after) == {name for name in before if not name[1].endswith("A")}
    assert after["order", "T1"] == before["order", "T1"]
    assert after["line", "TL1"] == before["line", "TL1"]
    assert after["number", "G1"][1].order == "OB"  # type: ignore[attr-defined]
    assert after["number", "G2"][1] == before["number", "G2"][1].model_copy(update={"move": None})
    assert await full.repeat(lambda client: client.hexists(schema.verdicts(schema.shard("TL1")), "TL1"))
    assert set(await BrakeStore(full).counts()) == set(await BrakeStore(full).levels()) == {"OB"}
    assert await ChangePace(full).counted("CA") == {}
    assert set(await ChangePace(full).counted("CB")) == {"customer", "staff"}


async def test_histories_of_the_others_go_on_behind_what_was_taken_out(full: StoreConnection, store: RulesStore) -> None:
    log = VersionLog(full)
    plain = Number(id="G3", order="OB", line="LB", number="+493023125993")
    moving = plain.model_copy(update={"move": Move(at=AT, order="OA", line="LA")})
    versions = [(await store.put(entity, author=ADA)).version for entity in (plain, moving, plain)]
    erasure = Erasure(full)
    before = [entry.version async for page in log.log(customer="CB") for entry in page]
    found = await erasure.find("CA")
    await erasure.remove_rules(found, BOB)
    await erasure.remove_traces(found, BOB)
    story = await log.history("number", "G3")
    assert [entry.version for entry in story] == [versions[0]]
    after = [entry.version async for page in log.log(customer="CB") for entry in page]
    assert set(before) - set(after) >= set(versions[1:])
    assert min(after) == min(before), "the walk reaches the oldest"
    taken: Any = await full.repeat(lambda client: client.zrange(schema.ERASED, 0, -1, withscores=True))
    assert {int(score) for _, score in taken} >= set(versions[1:])
    async with StoreConnection(full.settings.model_copy(update={"log_kept": 1})) as few:
        await VersionLog(few).trim()
    assert await full.repeat(lambda client: client.exists(schema.ERASED)) == 0, "it goes with what it stood for"


async def test_while_an_import_is_under_way_nothing_is_erased(full: StoreConnection, store: RulesStore) -> None:
    erasure = Erasure(full)
    before = await contents(store)
    found = await erasure.find("CA")
    async with no_imports(full):
        with pytest.raises(StoreError, match="another import is under way"):
            await erasure.remove_rules(found, BOB)
    assert await contents(store) == before
    await erasure.remove_rules(found, BOB)
    await erasure.remove_traces(found, BOB)
    assert await full.repeat(lambda client: client.exists(schema.IMPORT)) == 0


async def test_an_export_has_what_is_in_each_kind_of_key_and_nothing_of_others(full: StoreConnection) -> None:
    found = await export_customer(full, "CA")
    assert found is not None
    empty = {name for name, what in found.items() if not what}
    assert empty == set()
    assert {row["id"] for rows in found["entities"].values() for row in rows} == {"CA", "UA", "OA", "LA", "BA", "NA", "G1"}
    assert {(row["kind"], row["id"]) for row in found["kept_by_imports"]} >= {("order", "past-order"), ("diversion", "DA")}
    assert set(found["going_on"]) == {"LA", "past-line"}
    assert set(found["events"]) == {"LA", "past-line"}
    assert {event["kind"] for event in found["service_events"]} == {"site", "brake"}
    assert found["diverted_counts"] == {"OA": {"minutes": {28_000_000: 3}, "quarters": {1_900_000: 3}}}
    assert found["brakes"] == {"OA": {"level": "warned"}}
    assert {by: sum(minutes.values()) for by, minutes in found["changes_of_the_hour"].items()} == {"customer": 1, "staff": 1}
    assert "TL1" not in found["verdicts"], "that line is somebody else's now"
    text = json.dumps(found)
    assert not re.search(r"-B|[LNUDSB]B\b", text.replace('"order": "OB", "line": "LB"', "").replace('"line": "LB"', ""))
