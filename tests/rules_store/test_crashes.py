"""kill -9 at any moment: nothing acknowledged is missing, nothing is there twice, nothing is half loaded."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from routing.model import Customer, Entity, Number
from rules_store import (
    ABSENT,
    Author,
    ConflictError,
    Delete,
    Follower,
    NumberTakenError,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    StoreSettings,
    Undo,
    VersionGoneError,
    VersionLog,
    Write,
    schema,
)
from rules_store.importing import Import
from tests.rules_store.following import Following, contents


class _KilledError(Exception):
    """In place of the end of our own process."""


def kill(connection: StoreConnection) -> None:
    server = connection.server
    assert server is not None
    if server.pid:
        os.kill(server.pid, signal.SIGKILL)


def number(n: int, line: str = "L1") -> Number:
    return Number(id=f"N{n:06}", order="A1", line=line, number=f"+493021{n:06}")


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_writers_lose_nothing_and_repeat_nothing(settings: StoreSettings, seed: int) -> None:
    chance = random.Random(seed)
    acknowledged: dict[str, dict[str, int]] = {}
    done: list[str] = []
    async with StoreConnection(settings) as connection:
        store = RulesStore(connection)

        async def write(writer: int) -> None:
            known: dict[str, int] = {}
            mine = acknowledged.setdefault(f"{writer}", known)
            for n in range(25):
                entity_id = f"C{writer}-{chance.randrange(6)}"
                expect = mine.get(entity_id)
                stored = await store.put(Customer(id=entity_id, name=f"{n}"), ABSENT if expect is None else expect)
                mine[entity_id] = stored.version
                done.append(entity_id)
                if len(done) % 20 == 0:  # the other writers are in the middle of something
                    kill(connection)

        async with Following(connection) as following:
            # A write that was done twice would conflict with itself here.
            await asyncio.wait_for(asyncio.gather(*(write(n) for n in range(6))), 60)
            await following.caught_up(store)
            expected = {entity_id: version for known in acknowledged.values() for entity_id, version in known.items()}
            found = {entity_id: version for (_, entity_id), (version, _) in (await contents(store)).items()}
            assert found == expected
            assert await store.sequence() == 6 * 25, "every write was counted once"
            assert following.follower.resyncs == 0


class Writer:
    """Changes a few customers and numbers at random, and keeps what was acknowledged: version → (kind, id, what is there)."""

    def __init__(self, connection: StoreConnection, name: str, chance: random.Random) -> None:
        self.author = Author(name, "api")
        self.acknowledged: dict[int, tuple[str, str, Entity | None]] = {}
        self._store, self._undo = RulesStore(connection), Undo(connection)
        self._chance = chance
        self._mine: list[int] = []

    async def write(self) -> None:
        """Do one thing; what is refused changes nothing."""
        dice = self._chance.random()
        with contextlib.suppress(ConflictError, NumberTakenError, VersionGoneError):
            if dice < 0.2 and self._mine:
                await self._take_back(self._chance.choice(self._mine))
            else:
                await self._change([self._one() for _ in range(1 + int(3 * self._chance.random()))])

    def _one(self) -> Write:
        n = self._chance.randrange(8)
        if self._chance.random() < 0.2:
            return Delete(*self._chance.choice([("customer", f"C{n}"), ("number", f"N{n}")]))
        if self._chance.random() < 0.5:
            return Put(Customer(id=f"C{n}", name=f"{self._chance.random()}"))
        return Put(Number(id=f"N{n}", order="A1", line="L1", number=f"+49302312500{self._chance.randrange(8)}"))

    async def _change(self, writes: list[Write]) -> None:
        named = {(w.kind, w.id) if isinstance(w, Delete) else (type(w.entity).__name__.lower(), w.entity.id): w for w in writes}
        versions = await self._store.write_many(list(named.values()), author=self.author)
        self._keep(versions, list(named.items()))

    async def _take_back(self, version: int) -> None:
        plan = await self._undo.plan(version, whole_write=True)
        versions = await self._undo.carry_out(plan, self.author)
        entries = [((entry.kind, entry.id), write) for entry, write in zip(plan.entries, plan.writes, strict=True)]
        self._keep(versions, entries)

    def _keep(self, versions: list[int], writes: list[tuple[tuple[str, str], Write]]) -> None:
        for version, ((kind, entity_id), write) in zip(versions, writes, strict=True):
            self.acknowledged[version] = (kind, entity_id, write.entity if isinstance(write, Put) else None)
            self._mine.append(version)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_saved_version_is_in_the_log_once_and_all_followers_converge(settings: StoreSettings, seed: int) -> None:
    async with StoreConnection(settings) as connection, StoreConnection(settings) as guest:
        writers = [Writer(connection if n % 2 else guest, f"writer {n}", random.Random(100 * seed + n)) for n in range(6)]
        done = 0

        async def work(writer: Writer) -> None:
            nonlocal done
            for _ in range(25):
                await writer.write()
                done += 1
                if done % 25 == 0:  # the other writers are in the middle of something
                    kill(connection)

        async with Following(connection) as one, Following(guest, page_size=3) as other:
            await asyncio.wait_for(asyncio.gather(*(work(writer) for writer in writers)), 90)
            store, log = RulesStore(connection), VersionLog(connection)
            found = await contents(store)
            await one.caught_up(store)
            await other.caught_up(store)

        saved = {version: what for writer in writers for version, what in writer.acknowledged.items()}
        assert sorted(saved) == list(range(1, await store.sequence() + 1)), "no version was given twice, none was written unseen"
        entries = [entry async for page in log.log() for entry in page][::-1]
        assert [entry.version for entry in entries] == sorted({entry.version for entry in entries})
        state: dict[tuple[str, str], tuple[int, dict[str, object]]] = {}
        histories: dict[tuple[str, str], list[int]] = {}
        for entry in entries:
            kind, entity_id, entity = saved.pop(entry.version)
            name = (entry.kind, entry.id)
            assert name == (kind, entity_id)
            assert entry.after == (None if entity is None else entity.model_dump(mode="json"))
            assert entry.before == (state[name][1] if name in state else None), "each begins where the one before ended"
            assert entry.previous == (histories[name][-1] if name in histories else None)
            histories.setdefault(name, []).append(entry.version)
            if entry.after is None:
                del state[name]
            else:
                state[name] = (entry.version, entry.after)
        assert all(entity is None for _, _, entity in saved.values()), "only the removal of nothing is not in the log"
        assert {name: version for name, (version, _) in state.items()} == {name: version for name, (version, _) in found.items()}
        for name, versions in histories.items():
            assert [entry.version for entry in await log.history(*name, limit=1000)] == versions[::-1]


async def test_histories_have_no_gap_when_an_import_is_switched_among_writers_and_kills(settings: StoreSettings) -> None:
    async with StoreConnection(settings) as connection:
        store, log = RulesStore(connection), VersionLog(connection)
        writers = [Writer(connection, f"writer {n}", random.Random(n)) for n in range(4)]
        finished = asyncio.Event()

        async def work(writer: Writer) -> None:
            while not finished.is_set():
                await writer.write()
                await asyncio.sleep(0.005)

        tasks = [asyncio.create_task(work(writer)) for writer in writers]
        named: list[Write] = [Put(Customer(id=f"C{n}", name="imported")) for n in range(3)]
        named += [Delete("customer", "C3"), Delete("number", "N1")]
        for _ in range(2):
            kill(connection)
            fresh = [Put(Customer(id=f"M{random.random()}", name="new")) for _ in range(5001)]
            await store.import_many([*named, *fresh], author=Author("importer", "import"))
        finished.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)

        entries = {entry.version: entry async for page in log.log() for entry in page}
        acknowledged = {version for writer in writers for version in writer.acknowledged}
        missing = acknowledged - set(entries)
        assert all(writer.acknowledged[v][2] is None for writer in writers for v in missing & set(writer.acknowledged))
        for kind, ids in (("customer", range(8)), ("number", range(8))):
            for n in ids:
                entity_id = f"{kind[0].upper()}{n}"
                story = await log.history(kind, entity_id, limit=10_000)
                told = {entry.version for entry in story if entry.imported is None}
                assert told == {v for v, entry in entries.items() if (entry.kind, entry.id) == (kind, entity_id)}
                for newer, older in pairwise(story):
                    assert newer.before == older.after, "each begins where the one before ended"
                stored = await store.get(kind, entity_id)
                now = stored.entity.model_dump(mode="json") if stored is not None else None
                assert (story[0].after if story else None) == now


async def test_an_import_is_invisible_until_it_is_whole(connection: StoreConnection, store: RulesStore) -> None:
    await store.write_many([Put(number(n)) for n in range(100)])
    async with Following(connection) as following:
        writes = [Delete("number", number(7).id), *(Put(number(n, "L2")) for n in range(50, 6000))]
        result = await store.import_many(writes)
        assert result.staged
        await following.caught_up(store)
        found = await contents(store)
        assert len(found) == 5999
        assert {name: entity.line for (_, name), (_, entity) in found.items() if name <= "N000051"} == {  # type: ignore[attr-defined]
            **{number(n).id: "L1" for n in range(50) if n != 7},
            **{number(n).id: "L2" for n in (50, 51)},
        }
        assert await store.owner_of("+493021000007") is None
        assert await store.owner_of("+493021005999") == "number:N005999"
        assert following.follower.last_reason == "import"
        assert await connection.repeat(lambda client: client.smembers(schema.STALE)) == set()


async def test_others_may_write_during_an_import(connection: StoreConnection, store: RulesStore) -> None:
    await store.write_many([Put(Customer(id=f"C{n}", name="old")) for n in range(10)])
    done = asyncio.Event()

    async def others() -> int:
        n = 0
        while not done.is_set():
            await store.put(Customer(id=f"C{n % 10}", name=f"new {n}"))
            await store.put(Customer(id=f"D{n}", name="x"))
            await store.delete("customer", f"D{n - 1}")
            n += 1
            await asyncio.sleep(0.02)
        return n

    task = asyncio.create_task(others())
    await store.import_many([Put(number(n)) for n in range(6000)])
    done.set()
    count = await task
    found = await contents(store)
    assert len(found) == 6000 + 10 + 1
    stored = await store.get("customer", f"C{(count - 1) % 10}")
    assert stored is not None
    assert stored.entity == Customer(id=f"C{(count - 1) % 10}", name=f"new {count - 1}")


async def test_an_import_gets_its_turn_among_writers_that_never_pause(store: RulesStore) -> None:
    done = asyncio.Event()

    async def others(writer: int) -> int:
        count = 0
        while not done.is_set():
            await store.put(Customer(id=f"C{writer}", name=f"{count}"))
            count += 1
        return count

    tasks = [asyncio.create_task(others(n)) for n in range(8)]
    result = await asyncio.wait_for(store.import_many([Put(number(n)) for n in range(200)], staged=True), 60)
    done.set()
    counts = await asyncio.gather(*tasks)
    assert await store.owner_of(number(7).number) == f"number:{number(7).id}"
    found = await contents(store)
    assert [found["customer", f"C{n}"][1] for n in range(8)] == [Customer(id=f"C{n}", name=f"{counts[n] - 1}") for n in range(8)]
    assert result.staged


async def test_an_import_with_a_taken_number_changes_nothing(connection: StoreConnection, store: RulesStore) -> None:
    await store.put(Number(id="X", order="A1", line="L1", number="+493021005500"))
    before = await contents(store)
    with pytest.raises(NumberTakenError):
        await store.import_many([Put(number(n)) for n in range(6000)])
    assert await contents(store) == before
    assert await connection.repeat(lambda client: client.smembers(schema.STALE)) == set()
    await store.import_many([Delete("number", "X"), *(Put(number(n)) for n in range(6000))])
    assert await store.owner_of("+493021005500") == "number:N005500"


async def test_an_import_survives_kill_9_of_the_store(connection: StoreConnection, store: RulesStore) -> None:
    await store.put(number(1, "before"))
    task = asyncio.create_task(store.import_many([Put(number(n)) for n in range(12_000)]))
    for _ in range(3):
        await asyncio.sleep(0.1)
        kill(connection)
    await task
    assert len(await contents(store)) == 12_000


@pytest.mark.parametrize("step", ["_copy", "_stage", "_commit"])
async def test_an_importer_killed_on_its_way_leaves_what_was_there(
    settings: StoreSettings, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with StoreConnection(settings) as connection:
        store = RulesStore(connection)
        await store.write_many([Put(number(n, "before")) for n in range(10)])
        before = await contents(store)

        async def die(_self: Import) -> None:
            kill(connection)
            raise _KilledError

        async def nothing(_self: Import) -> None:
            """Who was killed cleans up nothing."""

        with monkeypatch.context() as patch:
            patch.setattr(Import, step, die)
            patch.setattr(Import, "_give_up", nothing)
            with pytest.raises(_KilledError):
                await store.import_many([Put(number(n)) for n in range(6000)])
    async with StoreConnection(settings) as connection:
        store = RulesStore(connection)
        assert await contents(store) == before
        assert await store.owner_of("+493021005000") is None
        with pytest.raises(StoreError, match="another import"):
            await store.import_many([Put(number(n)) for n in range(6000)])
        monkeypatch.setattr("rules_store.importing._SILENT_MS", 0)
        await store.import_many([Put(number(n)) for n in range(6000)])
        assert len(await contents(store)) == 6000
        assert await connection.repeat(lambda client: client.smembers(schema.STALE)) == set()
        keys = await connection.repeat(lambda client: client.keys("{r}:*:number"))
        assert len(keys) == 1, "the abandoned generation is gone"


async def test_a_cancelled_follower_ends(connection: StoreConnection) -> None:
    for pause in (0, 0.001, 0.01, 0.05):
        follower = Follower(connection)
        task = asyncio.create_task(anext(_endless(follower)))
        await asyncio.sleep(pause)
        task.cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(task, return_exceptions=True)


async def _endless(follower: Follower):  # type: ignore[no-untyped-def]  # noqa: ANN202
    async for _ in follower.batches():
        pass
    yield None


async def test_a_conflict_is_no_retry(connection: StoreConnection, tmp_path: Path) -> None:
    store = RulesStore(connection)
    await store.put(Customer(id="C1", name="a"), ABSENT)
    kill(connection)
    with pytest.raises(ConflictError):
        await store.put(Customer(id="C1", name="b"), ABSENT)
