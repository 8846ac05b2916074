"""What was changed can be taken back, and what was taken back too; nobody's later change is overwritten unseen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.model import KINDS, Credential, Entity, Line, Number
from rules_store import (
    ABSENT,
    ANY,
    Author,
    ConflictError,
    Delete,
    NumberTakenError,
    Put,
    RulesStore,
    StoreConnection,
    StoreSettings,
    Undo,
    VersionGoneError,
    VersionLog,
)
from rules_store.types import Write
from tests.routing.bulk_strategies import ENTITIES
from tests.rules_store.following import contents
from tests.rules_store.test_versions import ADA, BOB, HA1, number, rule

EVE = Author("eve", "api", "198.51.100.9")


@pytest.fixture
def undo(connection: StoreConnection) -> Undo:
    return Undo(connection)


async def entities(store: RulesStore) -> dict[tuple[str, str], Entity]:
    return {name: entity for name, (_, entity) in (await contents(store)).items()}


async def test_a_change_is_taken_back_and_the_taking_back_too(store: RulesStore, undo: Undo, connection: StoreConnection) -> None:
    await store.put(rule())
    changed = await store.put(rule(armed=True), author=ADA)
    (undone,) = await undo.undo(changed.version, EVE, note="by mistake")
    stored = await store.get("diversion", "R1")
    assert stored is not None
    assert (stored.entity, stored.version) == (rule(), undone)
    entry = await VersionLog(connection).version(undone)
    assert entry is not None
    assert (entry.author, entry.note, entry.undoes) == (EVE, "by mistake", changed.version)
    await undo.undo(undone, ADA)
    again = await store.get("diversion", "R1")
    assert again is not None
    assert again.entity == rule(armed=True)


async def test_a_creation_is_taken_back_by_a_removal_and_a_removal_by_a_return(store: RulesStore, undo: Undo) -> None:
    created = await store.put(rule())
    (removed,) = await undo.undo(created.version, ADA)
    assert await store.get("diversion", "R1") is None
    await undo.undo(removed, ADA)
    assert (await entities(store))["diversion", "R1"] == rule()


async def test_a_removal_restores_the_secrets(store: RulesStore, undo: Undo) -> None:
    line = Line(id="L1", order="A1", kind="registered", credentials=(Credential(username="u", algorithm="MD5", ha1=HA1),))
    await store.put(line)
    removed = await store.delete("line", "L1")
    await undo.undo(removed, ADA)
    assert (await entities(store))["line", "L1"] == line


async def test_a_later_change_is_a_conflict_that_shows_both_states(store: RulesStore, undo: Undo) -> None:
    await store.put(rule())
    changed = await store.put(rule(armed=True), author=ADA)
    later = await store.put(rule("+496990009001", armed=True), author=BOB)
    with pytest.raises(ConflictError) as caught:
        await undo.undo(changed.version, EVE)
    assert (caught.value.current, caught.value.wanted) == (later, rule())
    assert [str(one) for one in caught.value.differences()] == [
        "armed: yes → no",
        "targets[0].number: +496990009001 → +496990009000",
    ]
    assert (await entities(store))["diversion", "R1"] == later.entity
    await undo.undo(changed.version, EVE, force=True)
    assert (await entities(store))["diversion", "R1"] == rule()


async def test_a_removal_that_was_made_good_is_a_conflict(store: RulesStore, undo: Undo) -> None:
    await store.put(rule())
    removed = await store.delete("diversion", "R1")
    await store.put(rule(armed=True))
    with pytest.raises(ConflictError):
        await undo.undo(removed, EVE)
    await store.delete("diversion", "R1")
    with pytest.raises(ConflictError):  # absent again, but by another removal
        await undo.undo(removed, EVE)
    await undo.undo(removed, EVE, force=True)
    assert (await entities(store))["diversion", "R1"] == rule()


async def test_a_number_that_went_to_somebody_else_stays_there(store: RulesStore, undo: Undo) -> None:
    await store.put(number(1))
    removed = await store.delete("number", number(1).id)
    await store.put(Number(id="other", order="A2", line="L2", number=number(1).number))
    with pytest.raises(NumberTakenError):
        await undo.undo(removed, EVE, force=True)


async def test_what_was_written_together_is_taken_back_together(store: RulesStore, undo: Undo) -> None:
    await store.write_many([Put(number(1)), Put(number(2))])
    before = await entities(store)
    versions = await store.write_many([Put(number(1, "L9")), Delete("number", "N9"), Delete("number", number(2).id), Put(rule())])
    plan = await undo.plan(versions[2], whole_write=True)
    assert [entry.id for entry in plan.entries] == [number(1).id, number(2).id, "R1"]
    back = await undo.undo(versions[3], EVE, whole_write=True)
    assert await entities(store) == before
    assert back == [7, 8, 9]
    await undo.undo(back[0], EVE, whole_write=True)
    assert (await entities(store))["diversion", "R1"] == rule()


async def test_one_of_them_changed_since_stops_all(store: RulesStore, undo: Undo) -> None:
    versions = await store.write_many([Put(number(1)), Put(number(2))])
    await store.put(number(2, "L9"))
    before = await entities(store)
    with pytest.raises(ConflictError):
        await undo.undo(versions[0], EVE, whole_write=True)
    assert await entities(store) == before
    await undo.undo(versions[0], EVE)
    assert list(await entities(store)) == [("number", number(2).id)]


async def test_a_write_of_which_a_part_left_the_log_is_not_taken_back(settings: StoreSettings) -> None:
    async with StoreConnection(settings.model_copy(update={"log_kept": 1000})) as connection:
        store, undo = RulesStore(connection), Undo(connection)
        versions = await store.write_many([Put(number(n)) for n in range(1010)])
        await VersionLog(connection).trim()
        with pytest.raises(VersionGoneError):
            await undo.undo(versions[-1], EVE, whole_write=True)
        with pytest.raises(VersionGoneError):
            await undo.undo(versions[0], EVE)
        await undo.undo(versions[-1], EVE)


@pytest.mark.parametrize("version", [0, -1, 2**53, 10**30])
async def test_what_is_no_version_cannot_be_taken_back(undo: Undo, version: int) -> None:
    with pytest.raises(VersionGoneError):
        await undo.plan(version)


async def test_what_never_was_cannot_be_taken_back(undo: Undo) -> None:
    with pytest.raises(VersionGoneError, match="version 17"):
        await undo.undo(17, EVE)


async def test_a_large_import_is_taken_back_whole_and_again(store: RulesStore, undo: Undo) -> None:
    secret = Line(id="L1", order="A1", kind="registered", credentials=(Credential(username="u", algorithm="MD5", ha1=HA1),))
    await store.write_many([Put(number(n, "old")) for n in range(20)] + [Put(secret)])
    before = await entities(store)
    writes: list[Write] = [Delete("number", number(7).id), Delete("line", "L1"), Delete("number", "none")]
    writes += [Put(number(n, "new")) for n in range(10, 5200)]
    imported = await store.import_many(writes, author=ADA)
    after = await entities(store)
    (back,) = await undo.undo(imported.sequence, EVE)
    assert await entities(store) == before
    await undo.undo(back, EVE)
    assert await entities(store) == after


async def test_imports_of_the_same_are_taken_back_one_after_the_other(store: RulesStore, undo: Undo) -> None:
    states, done = [await entities(store)], []
    for line in ("one", "two", "three"):
        writes: list[Write] = [Put(number(n, line)) for n in range(3)]
        if line == "three":
            writes[2] = Delete("number", number(2).id)
        done.append((await store.import_many(writes, author=ADA, staged=True)).sequence)
        states.append(await entities(store))
    undone = []
    for position in (2, 1, 0):
        undone += [(await undo.undo(done[position], EVE))[-1]]
        assert await entities(store) == states[position]
    for position, version in enumerate(reversed(undone)):
        await undo.undo(version, ADA, whole_write=True)
        assert await entities(store) == states[position + 1]


async def test_an_import_is_not_taken_back_over_later_changes(store: RulesStore, undo: Undo) -> None:
    imported = await store.import_many([Put(number(n)) for n in range(5001)], author=ADA)
    await store.put(number(17, "later"))
    with pytest.raises(ConflictError) as caught:
        await undo.undo(imported.sequence, EVE)
    assert caught.value.entity_id == number(17).id
    await undo.undo(imported.sequence, EVE, force=True)
    assert await entities(store) == {}


async def test_a_change_between_plan_and_undo_of_an_import_stops_it(store: RulesStore, undo: Undo) -> None:
    imported = await store.import_many([Put(number(n)) for n in range(5001)], author=ADA)
    plan = await undo.plan(imported.sequence)
    await store.put(rule())
    await store.put(number(17, "later"))
    with pytest.raises(ConflictError):
        await undo.carry_out(plan, EVE)
    assert len(await entities(store)) == 5002


async def test_what_others_change_during_an_import_is_what_stood_there_before(store: RulesStore, undo: Undo) -> None:
    await store.write_many([Put(number(n, "old")) for n in range(10)])
    done = asyncio.Event()

    async def others() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            await store.write_many([Put(number(1, f"turn-{turn}")), Delete("number", number(2).id)])
            await store.write_many([Put(number(2, f"turn-{turn}")), Delete("number", number(3).id), Put(number(9001))])
            await asyncio.sleep(0.01)

    task = asyncio.create_task(others())
    imported = await store.import_many([Put(number(n, "new")) for n in range(5100)], author=ADA)
    done.set()
    await task
    # What the others wrote last, before or after the import, is what there is without the import.
    history = await VersionLog(undo._connection).history("number", number(1).id, limit=2)
    assert all(entry.previous is not None for entry in history)
    await undo.undo(imported.sequence, EVE, force=True)
    found = await entities(store)
    assert ("number", number(3).id) not in found
    assert set(found) >= {("number", number(n).id) for n in (0, 1, 4, 5, 6, 7, 8, 9)}
    assert ("number", number(5000).id) not in found


NUMBERS = st.builds(
    Number,
    id=st.sampled_from(["a", "b", "c"]),
    order=st.just("A1"),
    line=st.sampled_from(["L1", "L2"]),
    number=st.sampled_from(["+493023125001", "+493023125002", "+493023125003", "+493023125004"]),
)
RULES = st.builds(rule, st.sampled_from(["+496990009000", "+496990009001"]), armed=st.booleans(), entity_id=st.sampled_from("ab"))
LINES = st.builds(
    Line,
    id=st.sampled_from("ab"),
    order=st.just("A1"),
    kind=st.just("registered"),
    users=st.lists(st.text(max_size=4), max_size=2).map(tuple),
    credentials=st.lists(
        st.builds(Credential, username=st.text(min_size=1, max_size=8), algorithm=st.just("MD5"), ha1=st.just(HA1)), max_size=2
    ).map(tuple),
)
# Of every kind, with every field: few ids, so that they meet.
ANYTHING = st.builds(lambda entity, key: entity.model_copy(update={"id": key}), ENTITIES, st.sampled_from("ab"))
WRITES = st.one_of(
    st.builds(Put, st.one_of(NUMBERS, RULES, LINES)),
    st.builds(Put, ANYTHING),
    st.builds(Delete, st.sampled_from(["number", "diversion", "line", *KINDS]), st.sampled_from(["a", "b", "c"])),
)


def name_of(write: Write) -> tuple[str, str]:
    if isinstance(write, Delete):
        return write.kind, write.id
    return next(kind for kind, model in KINDS.items() if isinstance(write.entity, model)), write.entity.id


STAGED = st.sampled_from([False, False, False, True])
"""Whether they are written as a large import is: beside the valid generation, and switched."""
GROUPS = st.lists(st.tuples(st.lists(WRITES, min_size=1, max_size=5, unique_by=name_of), STAGED), min_size=1, max_size=6)


def test_undo_after_change_is_the_identity(server_binary: Path, tmp_path: Path) -> None:
    chosen = StoreSettings(data_dir=tmp_path / "store", server_binary=server_binary, disk_reserve_mb=0)
    with asyncio.Runner() as runner:
        connection = StoreConnection(chosen)
        runner.run(connection.open())

        @settings(max_examples=40)
        @given(GROUPS)
        def check(groups: list[tuple[list[Write], bool]]) -> None:
            runner.run(there_and_back(connection, groups))

        try:
            check()
        finally:
            runner.run(connection.close())


async def there_and_back(connection: StoreConnection, groups: list[tuple[list[Write], bool]]) -> None:
    """Do all the changes, take them back one after the other, newest first, and then the taking back, newest first again."""
    await connection.repeat(lambda client: client.flushall())
    connection.lost()
    store, undo, log = RulesStore(connection), Undo(connection), VersionLog(connection)
    states = [await entities(store)]
    done: list[int] = []
    for group, staged in groups:
        try:
            if staged:
                # An import removes only what it saw.
                group = [write for write in group if isinstance(write, Put) or name_of(write) in states[-1]]  # noqa: PLW2901
                if not group:
                    continue
                versions = [(await store.import_many(group, author=ADA, staged=True)).sequence]
            else:
                versions = await store.write_many(group, author=ADA)
        except NumberTakenError:
            continue
        real = [entry.version for entry in await log.between(versions[0], versions[-1])]
        if real:  # else everything in it was the removal of nothing
            done.append(real[-1])
            states.append(await entities(store))
    undone: list[int] = []
    for position in range(len(done), 0, -1):
        undone += (await undo.undo(done[position - 1], BOB, whole_write=True))[-1:]
        assert await entities(store) == states[position - 1]
    for position, version in enumerate(reversed(undone)):
        await undo.undo(version, EVE, whole_write=True)
        assert await entities(store) == states[position + 1]


async def test_a_version_that_changed_nothing_does_not_stand_in_the_way(store: RulesStore, undo: Undo) -> None:
    await store.put(rule())
    changed = await store.put(rule(armed=True))
    await store.put(rule(armed=True), author=BOB)
    await undo.undo(changed.version, EVE)
    assert (await entities(store))["diversion", "R1"] == rule()


async def test_a_new_password_stands_in_the_way_though_the_log_does_not_show_it(store: RulesStore, undo: Undo) -> None:
    def line(ha1: str, *users: str) -> Line:
        credential = Credential(username="u", algorithm="MD5", ha1=ha1)
        return Line(id="L1", order="A1", kind="registered", users=users, credentials=(credential,))

    await store.put(line(HA1))
    changed = await store.put(line(HA1, "a"))
    await store.put(line("f" * 32, "a"))
    with pytest.raises(ConflictError) as caught:
        await undo.undo(changed.version, EVE)
    assert HA1 not in "".join(map(str, caught.value.differences()))


async def test_two_editors_of_one_version_get_a_conflict_not_an_overwrite(store: RulesStore) -> None:
    begun = await store.put(rule())
    first = await store.put(rule(armed=True), begun.version, author=ADA)
    with pytest.raises(ConflictError) as caught:
        await store.put(rule("+496990009001"), begun.version, author=BOB)
    assert (caught.value.current, caught.value.wanted) == (first, rule("+496990009001"))
    assert [one.path for one in caught.value.differences()] == ["armed", "targets[0].number"]


async def test_expectations_of_a_plan_are_those_of_the_versions(store: RulesStore, undo: Undo) -> None:
    changed = await store.put(rule())
    removed = await store.delete("diversion", "R1")
    assert (await undo.plan(removed)).writes == (Put(rule(), ABSENT),)
    assert (await undo.plan(changed.version, force=True)).writes == (Delete("diversion", "R1", ANY),)
