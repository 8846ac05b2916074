"""Processes of their own that write to a store and follow it: ``python -m tests.rules_store.crew writer|follower …``.

A *writer* tells what it is about to write before, and what became of it after: one JSON object a line, so that afterwards each change
in the store can be held against what somebody asked for. Each thing that it does has a note of its own, which stands in the log.
A *follower* follows until it is told a sequence number, then says what it has at that place.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from routing.model import Customer, Number
from rules_store import (
    ABSENT,
    Author,
    ConflictError,
    Delete,
    Expect,
    NumberTakenError,
    Put,
    RulesStore,
    StoreConnection,
    StoreError,
    StoreSettings,
    Undo,
    VersionGoneError,
    Write,
)
from tests.rules_store.following import Following

SHARED = 8
COUNTERS = 3
IMPORTER = "w0"


@dataclass(frozen=True, slots=True)
class Deed:
    """What is about to be done, and how."""

    kind: str
    writes: Sequence[Write]
    undoes: int | None = None


class Writer:
    """Changes a few things that the others change, too."""

    def __init__(self, connection: StoreConnection, name: str, seed: int) -> None:
        self._store, self._undo = RulesStore(connection), Undo(connection)
        self._name, self._chance = name, random.Random(seed)
        self._author = Author(name, "api")
        self._mine: list[int] = []

    async def run(self, steps: int) -> None:
        """Do it step by step."""
        for step in range(steps):
            await self._step(f"{self._name}/{step}")

    async def _step(self, note: str) -> None:
        try:
            deed = await self._deed()
            tell({"note": note, "deed": deed.kind, "writes": [told(write) for write in deed.writes], "undoes": deed.undoes})
            versions = await self._do(deed, note)
        except (ConflictError, NumberTakenError, VersionGoneError) as error:
            tell({"note": note, "refused": str(error)})
        except StoreError as error:
            tell({"note": note, "unknown": error.what})
        else:
            self._mine += versions
            tell({"note": note, "versions": versions})

    async def _deed(self) -> Deed:
        dice = self._chance.random()
        if dice < 0.35:
            return Deed("count", [await self._counted()])
        if dice < 0.55 and self._mine:
            plan = await self._undo.plan(self._chance.choice(self._mine), whole_write=True)
            return Deed("undo", plan.writes, plan.version)
        if dice < 0.7 and self._name == IMPORTER:  # one import at a time
            names = [f"M{n}" for n in range(12)] + [f"C{n}" for n in self._chance.sample(range(SHARED), 3)]
            return Deed("import", [Put(Customer(id=name, name=f"{self._chance.random()}")) for name in names])
        return Deed("write", self._several(3))

    async def _do(self, deed: Deed, note: str) -> list[int]:
        if deed.kind == "import":
            return [(await self._store.import_many(deed.writes, author=self._author, note=note, staged=True)).sequence]
        return await self._store.write_many(deed.writes, author=self._author, note=note, undoes=deed.undoes)

    async def _counted(self) -> Write:
        """One more, if nobody else was faster: a lost update would be missing in the sum."""
        key = f"K{self._chance.randrange(COUNTERS)}"
        stored = await self._store.get("customer", key)
        if stored is None:
            return Put(Customer(id=key, name="1"), ABSENT)
        assert isinstance(stored.entity, Customer)
        return Put(Customer(id=key, name=str(int(stored.entity.name) + 1)), stored.version)

    def _several(self, most: int) -> list[Write]:
        writes = [self._one() for _ in range(1 + self._chance.randrange(most))]
        return list({name_of(write): write for write in writes}.values())

    def _one(self) -> Write:
        n = self._chance.randrange(SHARED)
        if self._chance.random() < 0.2:
            return Delete(*self._chance.choice([("customer", f"C{n}"), ("number", f"N{n}")]))
        if self._chance.random() < 0.5:
            return Put(Customer(id=f"C{n}", name=f"{self._chance.random()}"))
        return Put(Number(id=f"N{n}", order="A1", line="L1", number=f"+49302312500{self._chance.randrange(SHARED)}"))


def name_of(write: Write) -> tuple[str, str]:
    """Return kind and id."""
    return (write.kind, write.id) if isinstance(write, Delete) else (type(write.entity).__name__.lower(), write.entity.id)


def told(write: Write) -> list[Any]:
    """Return kind, id, what is to be there, and what is expected."""
    expect: Expect = write.expect
    return [*name_of(write), None if isinstance(write, Delete) else write.entity.model_dump(mode="json"), expect]


def tell(line: dict[str, Any]) -> None:
    """Write a line at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def follow(connection: StoreConnection, page_size: int) -> None:
    """Follow until a number comes, and say what there is at that place."""
    async with Following(connection, page_size) as following:
        tell({"following": True})
        until = int(await asyncio.to_thread(sys.stdin.readline))
        await following.until(lambda: following.follower.sequence >= until and following.batches[-1].complete, 60)
        state = [[*name, version, entity.model_dump(mode="json")] for name, (version, entity) in following.state.items()]
        tell({"state": sorted(state, key=lambda row: row[:2]), "sequence": following.follower.sequence})


async def main(role: str, data_dir: str, binary: str, *rest: str) -> None:
    """Do what the role says, as a guest of the store's owner."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )  # standard output is for what is told
    settings = StoreSettings(data_dir=Path(data_dir), server_binary=Path(binary), timeout_s=20, disk_reserve_mb=0)
    connection = StoreConnection(settings)  # opened by the first call, which tries again while the store is away
    try:
        if role == "writer":
            name, seed, steps = rest
            await Writer(connection, name, int(seed)).run(int(steps))
        else:
            await follow(connection, int(rest[0]))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
