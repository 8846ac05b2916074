"""Garbage in every family of keys: it is reported and skipped, everything else is there, and life goes on."""

# ruff: noqa: PT017 - what an error says is looked at only where there is one
from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from routing.model import KINDS, Customer, Entity, User
from routing.products import ProductLimits
from rules_store import (
    Author,
    BindingStore,
    BrakeBatch,
    BrakeStore,
    ChangePace,
    Entry,
    EventFeed,
    EventStore,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    StoreSettings,
    Undo,
    VerdictStore,
    VersionGoneError,
    VersionLog,
    audit_lines,
    export_customer,
    migrate,
    schema,
)
from rules_store.faults import BrokenKeyError
from sipproxy.telling import tell
from tests.rules_store.following import Following, contents
from tests.rules_store.garbage import Litter, replace
from tests.rules_store.test_customer_data import live, of
from tests.rules_store.test_versions import ADA

SOFT_SEEDS = range(8)
LIMITS = ProductLimits(rules_per_line=1000, changes_per_hour=1000, diverted_per_hour=1000, diverted_per_day=1000)
CONTROL = {schema.META, schema.EPOCH, schema.SEQ, schema.GENERATION, schema.CHANGES, schema.LOG, schema.HEADS}


async def fill(connection: StoreConnection) -> dict[tuple[str, str], Entity]:
    """Put something into every family of keys; returns the entities."""
    store = RulesStore(connection)
    for tag in "AB":
        await store.write_many([Put(entity) for entity in of(tag)], author=ADA)
    await store.put(Customer(id="CX", name="gone"))
    await store.delete("customer", "CX")
    await store.import_many([Put(Customer(id=f"CM{n}", name="imported")) for n in range(20)], author=ADA, staged=True)
    await store.put(of("A")[-1].model_copy(update={"armed": True}), author=ADA)
    for tag in "AB":
        await live(connection, tag)
        batch = BrakeBatch(adds={f"O{tag}": [(28_000_000, 1_900_000, 3)]}, levels={f"O{tag}": {"level": "warned"}})
        await BrakeStore(connection).write(batch, 28_000_000, 1_900_000)
        await ChangePace(connection).admit(f"C{tag}", LIMITS)
    await connection.repeat(lambda client: client.sadd(schema.STALE, "dead"))
    await connection.repeat(lambda client: client.hset(schema.entities("dead", "line"), "L", "x"))
    await connection.repeat(lambda client: client.set(schema.TOUCH, "x"))
    await connection.repeat(lambda client: client.zadd(schema.ERASED, {"2 1 1": 2}))
    await connection.repeat(lambda client: client.hset(schema.IMPORT, mapping={"token": "t", "gen": "aa", "alive_unix_ms": "1"}))
    return {name: entity for name, (_, entity) in (await contents(store)).items()}


def readers(connection: StoreConnection) -> dict[str, Callable[[], Awaitable[object]]]:
    """Everything that reads, as the service and the commands do."""
    store, log, events = RulesStore(connection), VersionLog(connection), EventStore(connection)

    async def everything(pages: AsyncIterator[object]) -> list[object]:
        return [page async for page in pages]

    async def histories() -> None:
        for name in [(kind, of("A")[n].id) for n, kind in enumerate(KINDS)] + [("customer", "CX"), ("customer", "CM1")]:
            json.dumps([str(entry) for entry in await log.history(*name)])

    async def told() -> None:
        found = await events.recent() + [event for line in ("LA", "LB", "") for event in await events.history(line)]
        assert all(tell(event.record) for event in found + await events.diverted("LA"))

    async def customers() -> None:
        for customer in ("CA", "CB", "CX"):
            json.dumps(await export_customer(connection, customer))

    return {
        "contents": lambda: contents(store),
        "users": lambda: everything(store.users_of("CA")),
        "log": lambda: everything(log.log()),
        "log since": lambda: everything(log.log(since_unix_ms=int(time.time() * 1000) - 1000, until_unix_ms=2**52)),
        "log of a customer": lambda: everything(log.log(customer="CA")),
        "audit": lambda: everything(audit_lines(log)),
        "histories": histories,
        "customer export": customers,
        "events": told,
        "feed": lambda: EventFeed(connection, "").page(),
        "states": lambda: everything(events.states()),
        "bindings": lambda: everything(BindingStore(connection).load()),
        "verdicts": lambda: everything(VerdictStore(connection).load()),
        "brake counts": lambda: BrakeStore(connection).counts(),
        "brake levels": lambda: BrakeStore(connection).levels(),
        "paces": lambda: ChangePace(connection).counted("CA"),
        "owner": lambda: store.owner_of("+493023125900"),
        "migration": lambda: migrate(connection),
        "sweep of paces": lambda: ChangePace(connection).sweep(),
    }


def writers(connection: StoreConnection) -> dict[str, Callable[[], Awaitable[object]]]:
    """Everything that writes; a `StoreError` that says what to do is an answer, too."""
    events = EventStore(connection)
    text = json.dumps({"kind": "verdict", "line": "LA", "at_unix_ms": 1})

    async def undo_all() -> None:
        for version in range(1, 30):
            try:
                await Undo(connection).plan(version, force=True)
            except VersionGoneError:
                continue

    return {
        "events": lambda: events.save("02", [Entry(n, 1, line, "e", text) for n, line in enumerate(("LA", "LB", ""), 1)]),
        "sweep": events.sweep,
        "trim": lambda: VersionLog(connection).trim(),
        "pace": lambda: ChangePace(connection).admit("CA", LIMITS),
        "brake": lambda: BrakeStore(connection).write(BrakeBatch({"OA": [(28_000_001, 1_900_001, 1)]}), 28_000_000, 1_900_000),
        "expired": lambda: BindingStore(connection).remove_expired(1),
        "undo": undo_all,
    }


async def put_and_see(connection: StoreConnection, following: Following) -> None:
    """What is written from now on is followed."""
    store = RulesStore(connection)
    for attempt in range(3):  # a counter that lags behind heals with the next connection
        try:
            stored = await store.put(Customer(id="CNEW", name="new"))
            break
        except BrokenKeyError:
            if attempt == 2:
                raise
    user = await store.put(User(id="UNEW", name="new", role="viewer"))
    await following.until(lambda: following.state.get(("customer", "CNEW"), (0,))[0] == stored.version)
    await following.until(lambda: following.state.get(("user", "UNEW"), (0,))[0] == user.version)


@pytest.mark.parametrize("seed", SOFT_SEEDS)
async def test_random_garbage_everywhere_at_once(settings: StoreSettings, seed: int) -> None:
    async with StoreConnection(settings) as connection:
        before = await fill(connection)
        generation = connection.generation

        async def litter(client):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            done = Litter(client, random.Random(seed))
            for key in sorted(await client.keys("*")):
                if key != schema.META.encode():  # a schema that nobody knows is refused, not skipped
                    await done.into(key)
            return done

        places: list[tuple[str, bytes]] = (await connection.repeat(litter)).places
    async with StoreConnection(settings) as connection, Following(connection) as following:
        state = {name: entity for name, (_, entity) in following.state.items()}
        keys = {schema.entities(generation, kind): kind for kind in KINDS}
        hit = {(keys[key], place.decode(errors="replace")) for key, place in places if key in keys}
        assert {name: entity for name, entity in state.items() if name in before and name not in hit} == {
            name: entity for name, entity in before.items() if name not in hit
        }, "everything else is there"
        told = " ".join(garbage.where for garbage in following.garbage)
        for kind, entity_id in hit - state.keys():
            assert f"{kind} {entity_id}" in told, "what is missing was reported"
        for name, reader in readers(connection).items():
            try:
                await reader()
            except StoreError as error:
                pytest.fail(f"{name}: {error}")
        for writer in writers(connection).values():
            try:
                await writer()
            except StoreError as error:
                assert error.remedy
        await put_and_see(connection, following)


def families() -> list[str]:
    """Name one key of each family, as `fill` makes them; G stands for the generation."""
    rules = [schema.META, schema.EPOCH, schema.SEQ, schema.GENERATION, schema.CHANGES, schema.RECENT, schema.TOUCH, schema.STALE]
    rules += [schema.PACES, schema.IMPORT, *schema.LOG_KEYS, schema.IMPORTS, schema.ERASED]
    rules += [*schema.generation_keys("G"), schema.before_import("G"), schema.new_by_import("G")]
    shard, order = schema.shard("LA"), schema.shard("OA")
    live_keys = [schema.bindings, schema.expiries, schema.verdicts, schema.live_stream, schema.events, schema.event_counter]
    live_keys += [schema.event_marks, schema.states, schema.history_ages, schema.diverted_ages]
    found = [key(shard) for key in live_keys] + [schema.diverted_counts(order), schema.brakes(order)]
    return rules + found + [schema.history(shard, "LA"), schema.diverted(shard, "LA")]


@pytest.mark.parametrize("family", families())
async def test_a_key_of_a_foreign_type(settings: StoreSettings, family: str) -> None:
    chance = random.Random(family)
    async with StoreConnection(settings) as connection:
        before = await fill(connection)
        key = family.replace(":G:", f":{connection.generation}:")
        await replace(connection, key, chance)
    async with StoreConnection(settings) as connection:
        following = Following(connection)
        entered = key not in {schema.SEQ, schema.GENERATION, schema.CHANGES}
        if entered:
            await following.__aenter__()
            lost = {kind for kind in KINDS if key == schema.entities(connection.generation, kind)}
            assert {name: entity for name, (_, entity) in following.state.items()} == {
                name: entity for name, entity in before.items() if name[0] not in lost
            }
        for name, reader in readers(connection).items():
            try:
                await reader()
            except StoreError as error:
                assert error.remedy, name
                assert key in CONTROL or key.startswith(f"{{r}}:{connection.generation}:"), f"{name}: {error}"
        for writer in writers(connection).values():
            try:
                await writer()
            except StoreError as error:
                assert error.remedy
        await connection.repeat(lambda client: client.delete(key))  # what the messages say to do
        connection.lost()
        if not entered:
            await following.__aenter__()
        try:
            await put_and_see(connection, following)
            stored = await contents(RulesStore(connection))
            lost = {kind for kind in KINDS if key == schema.entities(connection.generation, kind)}
            assert {name[0] for name in stored} >= {name[0] for name in before} - lost
        finally:
            await following.__aexit__(None, None, None)


async def test_a_number_filed_under_what_is_not_there_can_be_taken(connection: StoreConnection, store: RulesStore) -> None:
    number = of("A")[5]
    claims = schema.claims(connection.generation)
    for owner in (b"number:N9", b"\xff\xfe", b"line:", b"gone:x"):
        await connection.repeat(lambda client, owner=owner: client.hset(claims, "+493023125900", owner))  # type: ignore[misc]
        await store.put(number)
        assert await store.owner_of("+493023125900") == "number:NA"


async def test_an_index_that_was_lost_is_made_anew(connection: StoreConnection, store: RulesStore) -> None:
    await fill(connection)
    before = await contents(store)
    index = schema.index(connection.generation, "customer")
    for spoil in (
        lambda client: client.delete(index),
        lambda client: client.zadd(index, {"CB": 5, "AAA": -3, b"\xff": 1}),
        lambda client: client.zrem(index, "CA"),
    ):
        await connection.repeat(spoil)  # type: ignore[arg-type]
        with pytest.raises(BrokenKeyError):
            await store.import_many([Put(Customer(id="CQ", name="q"))], staged=True)
        assert await contents(store) == before
        members = await connection.repeat(lambda client: client.zrange(index, 0, -1, withscores=True))
        assert members == [(name[1].encode(), 0.0) for name in sorted(before) if name[0] == "customer"]


async def test_a_lost_generation_is_that_of_the_newest_import(connection: StoreConnection, store: RulesStore) -> None:
    await fill(connection)
    before, generation = await contents(store), connection.generation
    for garbage in (b"zzz", b"\xff", b"", None):
        if garbage is None:
            await connection.repeat(lambda client: client.delete(schema.GENERATION))
        else:
            await connection.repeat(lambda client, garbage=garbage: client.set(schema.GENERATION, garbage))  # type: ignore[misc]
        connection.lost()
        assert await contents(store) == before
        assert connection.generation == generation


async def test_a_chain_that_leads_back_to_itself_ends(connection: StoreConnection, store: RulesStore) -> None:
    await store.put(Customer(id="CA", name="a"), author=Author("ada", "api"))
    rows: Any = await connection.repeat(lambda client: client.xrange(schema.LOG))
    fields = dict(rows[0][1])
    version = await store.sequence() + 1
    await connection.repeat(lambda client: client.xadd(schema.LOG, {**fields, b"p": version, b"q": version}, f"{version}-0"))
    await connection.repeat(lambda client: client.hset(schema.HEADS, "CA", version))
    pages = [page async for page in VersionLog(connection).log(customer="CA")]
    assert [entry.version for page in pages for entry in page] == [version]
