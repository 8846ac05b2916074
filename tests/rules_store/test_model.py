"""Random operations against a dict: the store answers as the dict would."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.model import Number
from rules_store import ABSENT, ANY, ConflictError, Delete, NumberTakenError, Put, RulesStore, StoreConnection, StoreSettings
from rules_store.types import Expect, Write
from tests.rules_store.following import Following, contents

IDS = st.sampled_from(["N1", "N2", "N3"])
NUMBERS = st.sampled_from(["+493023125001", "+493023125002", "+493023125003"])
EXPECT = st.sampled_from(["absent", "any", "current", "stale"])
ONE = st.tuples(st.sampled_from(["put", "put", "delete"]), IDS, NUMBERS, EXPECT)
OPERATIONS = st.lists(st.lists(ONE, min_size=1, max_size=3, unique_by=lambda one: one[1]), max_size=15)

Model = dict[str, tuple[int, str]]


class Rejected(Exception):  # noqa: N818 - an outcome of the model
    """The model refuses the write."""


def expectation(name: str, current: tuple[int, str] | None) -> Expect:
    if name == "absent":
        return ABSENT
    if name == "any":
        return ANY
    version = current[0] if current else 999_999
    return version if name == "current" else version + 1


def apply(model: Model, writes: list[Write], sequence: int) -> Model:
    for write in writes:
        entity_id = write.entity.id if isinstance(write, Put) else write.id
        current = model.get(entity_id)
        if write.expect == ABSENT:
            if current is not None:
                raise Rejected
        elif write.expect != ANY and (current is None or current[0] != write.expect):
            raise Rejected
    after = dict(model)
    for position, write in enumerate(writes):
        if isinstance(write, Put):
            assert isinstance(write.entity, Number)
            after[write.entity.id] = (sequence + position + 1, write.entity.number)
        else:
            after.pop(write.id, None)
    numbers = [number for _, number in after.values()]
    if len(numbers) != len(set(numbers)):
        raise Rejected
    return after


def test_the_store_behaves_like_a_dict(server_binary: Path, tmp_path: Path) -> None:
    chosen = StoreSettings(data_dir=tmp_path / "store", server_binary=server_binary, disk_reserve_mb=0)
    with asyncio.Runner() as runner:
        connection = StoreConnection(chosen)
        runner.run(connection.open())

        @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
        @given(OPERATIONS)
        def check(operations: list[list[tuple[str, str, str, str]]]) -> None:
            runner.run(compare(connection, operations))

        try:
            check()
        finally:
            runner.run(connection.close())


async def compare(connection: StoreConnection, operations: list[list[tuple[str, str, str, str]]]) -> None:
    await connection.repeat(lambda client: client.flushall())
    connection.lost()
    store, model, sequence = RulesStore(connection), Model(), 0
    async with Following(connection) as following:
        for group in operations:
            writes: list[Write] = []
            for op, entity_id, number, expect_name in group:
                expect = expectation(expect_name, model.get(entity_id))
                entity = Number(id=entity_id, order="A1", line="L1", number=number)
                writes.append(Put(entity, expect) if op == "put" else Delete("number", entity_id, expect))
            outcome: Any
            try:
                expected: Model | None = apply(model, writes, sequence)
            except Rejected:
                expected = None
            try:
                outcome = await store.write_many(writes)
            except (ConflictError, NumberTakenError) as error:
                outcome = error
            if expected is None:
                assert isinstance(outcome, Exception)
            else:
                assert outcome == [sequence + n + 1 for n in range(len(writes))]
                model, sequence = expected, sequence + len(writes)
            assert await store.sequence() == sequence
        found = await contents(store)
        assert {i: (version, entity.number) for (_, i), (version, entity) in found.items()} == model  # type: ignore[attr-defined]
        for _, number in model.values():
            assert await store.owner_of(number) in {f"number:{i}" for i in model}
        await following.caught_up(store)
