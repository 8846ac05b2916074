"""The outbox keeps order and loses nothing quietly while the store is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registrar_watch.keep import Unsaved
from registrar_watch.outbox import Outbox, Waiting


class Store:
    """Keeps once what may come twice, as the script does: by process and number, which must rise."""

    def __init__(self) -> None:
        self.away = False
        self.half = False
        """True: what comes is written, but the answer is lost."""
        self.held: list[dict[str, Any]] = []
        self.last = 0
        self.refused = asyncio.Event()

    async def save(self, boot: str, batch: Sequence[Waiting]) -> None:  # noqa: ARG002 - one process is all there is
        """Take a batch."""
        await asyncio.sleep(0)
        if not self.away:
            for entry in batch:
                if entry.seq > self.last:
                    self.held.append(json.loads(entry.text))
                    self.last = entry.seq
        if self.away or self.half:
            self.half = False
            self.refused.set()
            raise Unsaved("away")


@pytest.fixture
def store() -> Store:
    return Store()


def outbox(store: Store, limit: int = 1000) -> Outbox:
    return Outbox(store.save, node="n", boot="b", limit=limit)


@pytest.fixture
async def box(store: Store) -> AsyncIterator[Outbox]:
    made = outbox(store, limit=5000)
    task = asyncio.ensure_future(made.run())
    yield made
    task.cancel()


def put(box: Outbox, number: int) -> None:
    box.put({"kind": "test", "line": f"L{number % 3}", "at_unix_ms": number, "number": number})


async def test_events_come_numbered_in_order_with_their_process(box: Outbox, store: Store) -> None:
    for number in range(2500):
        put(box, number)
    assert await box.drained(5)
    assert [event["number"] for event in store.held] == list(range(2500))
    assert [event["id"] for event in store.held[:2]] == ["b-1", "b-2"]
    assert (box.written, box.lost, len(box)) == (2500, 0, 0)


async def test_a_store_that_is_away_gets_all_afterwards_and_an_answer_that_was_lost_doubles_nothing(
    box: Outbox, store: Store
) -> None:
    store.away = True
    for number in range(5):
        put(box, number)
    await store.refused.wait()
    assert box.failing
    for number in range(5, 10):
        put(box, number)
    store.away, store.half = False, True
    assert await box.drained(5)
    assert [event["number"] for event in store.held] == list(range(10))
    assert not box.failing


async def test_what_has_no_room_is_counted_and_told_in_its_place(store: Store) -> None:
    box = outbox(store, limit=1000)
    for number in range(1500):
        put(box, number)
    assert (box.lost, len(box)) == (500, 1000)
    task = asyncio.ensure_future(box.run())
    assert await box.drained(5)
    task.cancel()
    told, first, *_ = store.held
    assert (told["kind"], told["count"], told["from_unix_ms"], told["at_unix_ms"]) == ("lost", 500, 0, 499)
    assert first["number"] == 500
    seqs = [event["seq"] for event in store.held]
    assert seqs == list(range(500, 1501))


@given(st.lists(st.sampled_from(["put", "put", "put", "away", "back", "half", "turn"]), max_size=60))
@settings(max_examples=60)
def test_whatever_the_store_does_order_holds_and_each_event_is_there_or_counted(steps: list[str]) -> None:
    async def play() -> None:
        store = Store()
        box = outbox(store, limit=5)
        number = 0
        for step in [*steps, "back", "turn", "turn", "turn", "turn", "turn", "turn"]:
            if step == "put":
                put(box, number)
                number += 1
            elif step == "turn":
                if len(box):
                    await box._flush()
            else:
                store.away = step == "away"
                store.half = step == "half"
        seqs = [event["seq"] for event in store.held]
        assert seqs == sorted(set(seqs))
        lost = sum(event["count"] for event in store.held if event["kind"] == "lost")
        kept = sum(event["kind"] == "test" for event in store.held)
        assert len(box) == 0
        assert kept + lost == number
        assert lost == box.lost

    asyncio.run(play())
