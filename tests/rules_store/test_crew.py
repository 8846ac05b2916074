"""Several processes write at random while their one store is killed again and again (kill -9): what was saved is there, once, and all agree.

Held against each other: what each writer asked for and was told, the log of versions, the change stream, what is stored in the
end, and what followers in other processes have.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

import pytest

from rules_store import RulesStore, StoreConnection, StoreSettings, Version, VersionLog, schema
from tests.rules_store.following import contents

WRITERS = 4
STEPS = 40
FOLLOWERS = (3, 50, 1000)
KILL_AFTER = (10, 30)
"""Lines that the writers tell between two kills."""
Name = tuple[str, str]
State = dict[Name, tuple[int, dict[str, Any]]]


@dataclass
class Asked:
    """What a writer asked for, and what it was told."""

    deed: str = ""
    writes: list[list[Any]] = field(default_factory=list)
    versions: list[int] | None = None
    refused: str = ""
    unknown: str = ""


class Crew:
    """The processes."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._processes: list[asyncio.subprocess.Process] = []
        self.lines = 0
        self.moved = asyncio.Event()

    async def start(self, role: str, *arguments: str) -> asyncio.subprocess.Process:
        """Start one."""
        command = [sys.executable, "-m", "tests.rules_store.crew", role, str(self._settings.data_dir)]
        process = await asyncio.create_subprocess_exec(
            *command,
            str(self._settings.server_binary),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
        )
        self._processes.append(process)
        return process

    async def told_by(self, process: asyncio.subprocess.Process) -> list[dict[str, Any]]:
        """Read what a writer tells until it ends."""
        assert process.stdout is not None
        told: list[dict[str, Any]] = []
        async for line in process.stdout:
            told.append(json.loads(line))
            self.lines += 1
            self.moved.set()
        assert await process.wait() == 0
        return told

    async def stop(self) -> None:
        """End what still runs."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def kill_now_and_then(connection: StoreConnection, crew: Crew, chance: random.Random) -> int:
    """Kill the server whenever the writers got somewhere since the last time. Cancelled at the end."""
    kills = 0
    try:
        while True:
            until = crew.lines + chance.randrange(*KILL_AFTER)
            while crew.lines < until:
                crew.moved.clear()
                await crew.moved.wait()
            assert connection.server is not None
            if connection.server.pid:
                os.kill(connection.server.pid, signal.SIGKILL)
                kills += 1
    except asyncio.CancelledError:
        return kills


def asked_for(told: list[dict[str, Any]]) -> dict[str, Asked]:
    """Put together what was asked and what was answered, by note."""
    found: dict[str, Asked] = {}
    for line in told:
        asked = found.setdefault(line["note"], Asked())
        asked.deed = line.get("deed", asked.deed)
        asked.writes = line.get("writes", asked.writes)
        asked.versions = line.get("versions", asked.versions)
        asked.refused, asked.unknown = line.get("refused", asked.refused), line.get("unknown", asked.unknown)
    return found


def check_answers(asked: dict[str, Asked], entries: dict[int, Version], removals: set[int]) -> None:
    """What was saved is in the log once, what was refused is not, what nobody knows is there whole or not at all."""
    by_note: dict[str, list[Version]] = {}
    for entry in entries.values():
        by_note.setdefault(entry.note, []).append(entry)
    assert by_note.keys() <= asked.keys()
    for note, one in asked.items():
        found = by_note.get(note, [])
        assert len({entry.first for entry in found}) <= 1, f"{note} was applied twice"
        if one.refused:
            assert not found, f"{note} was refused, and is in the log"
        elif one.versions is not None:
            saved = {entry.version for entry in found}
            assert saved <= set(one.versions), note
            assert set(one.versions) - saved <= removals, f"{note} was saved, and is not in the log"
        elif found and one.deed != "import":
            assert found[0].count == len(found)


def replayed(asked: dict[str, Asked], entries: list[Version]) -> State:
    """Go through the log from the beginning; each entry must begin where the state before ended."""
    state: State = {}
    for entry in entries:
        one = asked[entry.note]
        if entry.op == "import":
            assert entry.imported is not None
            for kind, key, after, _ in one.writes:
                state.pop((kind, key), None)
                if after is not None:
                    state[kind, key] = (entry.imported, after)
            continue
        name = (entry.kind, entry.id)
        version, before = state.get(name, (None, None))
        (wanted,) = (write for write in one.writes if (write[0], write[1]) == name)
        assert entry.before == before
        assert version is None or entry.previous == version
        assert entry.after == wanted[2]
        if wanted[3] != "any":
            assert version == (None if wanted[3] == "absent" else wanted[3]), f"{entry.note} did not find what it expected"
        if entry.after is None:
            del state[name]
        else:
            state[name] = (entry.version, entry.after)
    return state


async def stream(connection: StoreConnection, last: int) -> tuple[set[int], set[int]]:
    """Read the change stream; returns what changed and what was removed. It has every number up to the last, once and linked."""
    rows: Any = await connection.repeat(lambda client: client.xrange(schema.CHANGES))
    assert [row[0] for row in rows] == [f"{number}-0".encode() for number in range(1, last + 1)]
    token = b""
    for _, fields in rows:
        assert fields[b"l"] == token
        token = fields[b"w"]
    ops = {int(row[0].partition(b"-")[0]): row[1][b"o"] for row in rows}
    return {number for number, op in ops.items() if op in b"pi"}, {number for number, op in ops.items() if op == b"d"}


def check_counters(asked: dict[str, Asked], entries: list[Version], state: State) -> None:
    """Nobody's count was overwritten: each one is one more than the one before it, or takes one back."""
    for number in range(3):
        name = ("customer", f"K{number}")
        counts = [entry for entry in entries if (entry.kind, entry.id) == name and asked[entry.note].deed == "count"]
        for entry in counts:
            before = int(entry.before["name"]) if entry.before else 0
            assert entry.after is not None
            assert int(entry.after["name"]) == before + 1
        assert (name in state) or not counts or any(asked[entry.note].deed == "undo" for entry in entries if entry.id == name[1])


@pytest.mark.parametrize("seed", [1, 2])
async def test_writers_in_several_processes_over_kill_9_of_their_store(
    settings: StoreSettings, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr("rules_store.embedded._BACKOFF_LAST_S", 0.1)  # it dies more often than any server should
    async with StoreConnection(settings) as connection, asyncio.timeout(110):
        crew, store, log = Crew(settings), RulesStore(connection), VersionLog(connection)
        try:
            followers = [await crew.start("follower", str(size)) for size in FOLLOWERS]
            for follower in followers:
                assert follower.stdout is not None
                assert json.loads(await follower.stdout.readline()) == {"following": True}
            writers = [await crew.start("writer", f"w{n}", str(10 * seed + n), str(STEPS)) for n in range(WRITERS)]
            killer = asyncio.create_task(kill_now_and_then(connection, crew, chance))
            told = await asyncio.gather(*(crew.told_by(writer) for writer in writers))
            killer.cancel()
            assert await killer >= 8, "the store was killed again and again"
            last = await store.sequence()
            states = [json.loads((await follower.communicate(f"{last}\n".encode()))[0]) for follower in followers]
        finally:
            await crew.stop()

        asked = asked_for([line for lines in told for line in lines])
        entries = [entry async for page in log.log() for entry in page][::-1]
        by_version = {entry.version: entry for entry in entries}
        assert list(by_version) == sorted(by_version), "each version is in the log once, in order"
        changed, removed = await stream(connection, last)
        assert changed <= by_version.keys() <= changed | removed, "only the removal of nothing is not in the log"
        check_answers(asked, by_version, removed)
        state = replayed(asked, entries)
        stored = await contents(store)
        assert state == {name: (version, entity.model_dump(mode="json")) for name, (version, entity) in stored.items()}
        check_counters(asked, entries, state)
        rows = sorted([*name, version, entity] for name, (version, entity) in state.items())
        for told_state in states:
            assert told_state == {"state": rows, "sequence": last}
        deeds = {asked[entry.note].deed for entry in entries}
        assert deeds == {"count", "write", "undo", "import"}, "everything happened"
