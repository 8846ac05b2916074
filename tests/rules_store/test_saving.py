"""Saving for somebody: judged, counted, written whole, and never over somebody else's change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from routing.directory import Directory
from routing.model import KINDS, Customer, Diversion, Entity, Limits, Line, Number, NumberScope, Order, Site, Target, User
from routing.rejection import RuleRejected
from rules_store import (
    ABSENT,
    ANY,
    Asker,
    Author,
    ConflictError,
    Delete,
    Put,
    RuleSaving,
    RulesStore,
    StoreConnection,
    Undo,
    VersionLog,
)
from rules_store.saving import MOST

N1, N2 = "+496990009001", "+496990009002"
ADA = Asker(Author("ada", "portal", "192.0.2.1"), "ada")
STAFF = Asker(Author("root", "cli", "admin socket"))


def order(key: str, customer: str) -> Order:
    return Order(id=key, customer=customer, product="sipTrunk 2.0", site=Site(id=f"at-{key}", address=""))


WORLD: tuple[Entity, ...] = (
    Customer(id="c", name="c", limits=Limits(changes_per_hour=3)),
    Customer(id="d", name="d"),
    User(id="ada", name="Ada", role="editor", customer="c"),
    order("o", "c"),
    order("f", "d"),
    Line(id="lo", order="o", kind="registered"),
    Line(id="lf", order="f", kind="registered"),
    Number(id="n1", order="o", line="lo", number=N1),
    Number(id="n2", order="f", line="lf", number=N2),
)


def rule(target: str = "+491713920001", key: str = "r", *, number: str = N1, of: str = "o", armed: bool = True) -> Diversion:
    return Diversion(id=key, order=of, scope=NumberScope(number=number), targets=(Target(number=target),), armed=armed)


@pytest.fixture
async def store(connection: StoreConnection) -> RulesStore:
    store = RulesStore(connection)
    await store.write_many([Put(entity) for entity in WORLD])
    return store


@pytest.fixture
def saving(connection: StoreConnection, store: RulesStore) -> RuleSaving:
    @contextlib.asynccontextmanager
    async def lend(_: int) -> AsyncIterator[Directory]:
        directory = Directory()
        directory.registry.now = datetime.now(UTC)
        directory.registry.load([stored.entity for kind in KINDS async for page in store.pages(kind) for stored in page])
        directory.settle()
        yield directory

    return RuleSaving(connection, lend)


async def refused(work: Any) -> list[str]:
    with pytest.raises(RuleRejected) as found:
        await work
    return [fault.type for fault in found.value.faults]


async def test_a_save_is_a_version_of_whoever_asked(connection: StoreConnection, store: RulesStore, saving: RuleSaving) -> None:
    saved = await saving.save([Put(rule(), ABSENT)], ADA, note="holidays")
    stored = await store.get("diversion", "r")
    assert stored is not None
    assert (stored.entity, stored.version) == (rule(), saved.versions[0])
    (entry,) = await VersionLog(connection).history("diversion", "r", 10)
    assert (entry.author, entry.note) == (ADA.author, "holidays")


async def test_what_is_wrong_is_told_whole_and_nothing_is_written(store: RulesStore, saving: RuleSaving) -> None:
    writes = [Put(rule("+49110"), ABSENT), Put(rule(key="foreign", number=N2, of="o"), ABSENT)]
    assert await refused(saving.save(writes, ADA)) == ["target_emergency", "scope_number"]
    assert [fault.type for fault in (await saving.review(writes, ADA)).faults] == ["target_emergency", "scope_number"]
    assert await store.get_many("diversion", ["r", "foreign"]) == {}


async def test_two_editors_get_a_conflict_with_both_states(saving: RuleSaving) -> None:
    first = (await saving.save([Put(rule(), ABSENT)], ADA)).versions[0]
    await saving.save([Put(rule("+491713920002"), first)], STAFF)
    with pytest.raises(ConflictError) as conflict:
        await saving.save([Put(rule("+491713920003"), first)], ADA)
    assert [str(one) for one in conflict.value.differences()] == ["targets[0].number: +491713920002 → +491713920003"]


async def test_of_many_editors_at_once_one_wins(saving: RuleSaving) -> None:
    saves = (saving.save([Put(rule(f"+49171392000{index}"), ABSENT)], STAFF) for index in range(5))
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 4


async def test_a_conflict_shows_nobody_the_rule_of_another_customer(store: RulesStore, saving: RuleSaving) -> None:
    theirs = await store.put(rule(key="theirs", number=N2, of="f"))
    assert await refused(saving.save([Put(rule(key="theirs"), ABSENT)], ADA)) == ["reference_missing"]
    assert await refused(saving.save([Delete("diversion", "theirs", 1)], ADA)) == ["reference_missing"]
    assert await store.get("diversion", "theirs") == theirs


async def test_a_lock_holds_from_the_next_save_on(store: RulesStore, saving: RuleSaving) -> None:
    await saving.save([Put(rule(), ABSENT)], ADA)
    await store.put(User(id="ada", name="Ada", role="editor", customer="c", locked=True))
    assert await refused(saving.save([Put(rule(key="s", number=N2, of="f"), ABSENT)], ADA)) == ["user_locked"]
    await store.delete("user", "ada")
    assert await refused(saving.save([Put(rule(), ABSENT)], ADA)) == ["reference_missing"]


async def test_changes_are_counted_when_they_were_written_only(saving: RuleSaving) -> None:
    version = (await saving.save([Put(rule(), ABSENT)], ADA)).versions[0]
    for _ in range(5):
        await refused(saving.save([Put(rule("+49110"), version)], ADA))
        with pytest.raises(ConflictError):
            await saving.save([Put(rule(), ABSENT)], ADA)
    for index in (2, 3):
        version = (await saving.save([Put(rule(f"+49171392000{index}"), version)], ADA)).versions[0]
    assert await refused(saving.save([Put(rule("+491713920004"), version)], ADA)) == ["limit_changes"]
    # Switching off is always possible, and the carrier's staff is only told.
    version = (await saving.save([Put(rule("+491713920003", armed=False), version)], ADA)).versions[0]
    for index in (4, 5, 6):
        saved = await saving.save([Put(rule(f"+49171392000{index}"), version)], STAFF)
        assert saved.warnings == ()
        version = saved.versions[0]
    told = (await saving.save([Put(rule("+491713920007"), version)], STAFF)).warnings
    assert [warning.type for warning in told] == ["limit_changes_passed"]


async def test_a_plan_is_switched_by_a_customer(store: RulesStore, saving: RuleSaving) -> None:
    stored = await store.get("order", "o")
    assert stored is not None
    wanted = stored.entity.model_copy(update={"plan": "Hochwasser"})
    await saving.save([Put(wanted, stored.version)], ADA)
    assert (await store.get_many("order", ["o"]))["o"].entity == wanted
    assert await refused(saving.save([Put(order("new", "c"), ABSENT)], ADA)) == ["reference_missing"]


async def test_a_customer_takes_a_version_back_by_the_same_way(connection: StoreConnection, saving: RuleSaving) -> None:
    first = (await saving.save([Put(rule(), ABSENT)], ADA)).versions[0]
    second = (await saving.save([Put(rule("+491713920002"), first)], ADA)).versions[0]
    plan = await Undo(connection).plan(second)
    version = (await saving.save(plan.writes, ADA, undoes=plan.version)).versions[0]
    entry = await VersionLog(connection).version(version)
    assert entry is not None
    assert (entry.undoes, entry.author.who) == (second, "ada")


@pytest.mark.parametrize(
    "writes",
    [
        [Put(rule(), ANY)],
        [Put(rule(), ABSENT), Delete("diversion", "r", 1)],
        [Put(Customer(id="c", name="c"), 1)],
        [Delete("order", "o", 1)],
        [Put(rule(key=f"r{index}"), ABSENT) for index in range(MOST + 1)],
    ],
    ids=["any", "twice", "other kind", "order", "too many"],
)
async def test_a_faulty_face_is_told(saving: RuleSaving, writes: list[Put | Delete]) -> None:
    with pytest.raises(ValueError, match="save"):
        await saving.save(writes, STAFF)
