"""Dates against a clock that is set: the table is always that of the time on the wall, and never late for long."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from routing.compile import Compiler
from routing.model import Customer, Diversion, Entity, Line, Move, Number, Order, OrderScope, Site, Target
from rules_store import Follower, StoreConnection, StoreSettings
from sipproxy._engine import Engine
from sipproxy.config.engine_settings import engine_settings
from sipproxy.config.load import load
from sipproxy.profiles import profile_settings
from sipproxy.supply import Supply

CONFIGURATION = """\
data_dir = "data"
[sip]
listen = ["127.0.0.1:0"]
workers = 1
[[core_peers]]
name = "core"
address = "127.0.0.1"
interconnect = "core"
[[interconnects]]
name = "core"
[registrar]
realm = "test.invalid"
"""
LATE_S = 3.0
"""What a test grants; the service promises one second, a busy machine does not."""
MOVE = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # half past two for the second time
BEGINS, ENDS = datetime(2026, 11, 30, 23, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)
WORLD: list[Entity] = [
    Customer(id="c", name="c"),
    *(Order(id=key, customer="c", product="sipTrunk 2.0", site=Site(id=key, address="")) for key in ("a", "b")),
    Order(id="d", customer="c", product="sipTrunk 2.0", site=Site(id="d", address=""), active_from=BEGINS, active_until=ENDS),
    *(Line(id=key, order=key, kind="registered", users=(key,), wish="forced_down") for key in ("a", "b", "d")),
    Number(id="n", order="a", line="a", number="+496990009000", move=Move(at=MOVE, order="b", line="b")),
    Number(id="m", order="d", line="d", number="+496990009001"),
    *(
        Diversion(id=key, order=key, scope=OrderScope(), armed=True, targets=(Target(number=f"+49171392000{index}"),))
        for index, key in enumerate(("a", "b", "d"))
    ),
]


class Clock:
    """A clock on the wall that a test sets; it stands still in between."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A real engine that routes and takes no packets."""
    file = tmp_path / "sipproxy.toml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    loaded = load(file)
    engine = Engine(engine_settings(loaded.configuration, loaded.peers, profile_settings(loaded), b"0" * 32))
    yield engine
    engine.stop()


def target(engine: Engine, number: str) -> str | None:
    """Where a call to the number is sent now."""
    found = engine.explain(number, "core")
    return found["targets"][0] if found["decision"] == "redirect" else None


async def becomes(condition: Callable[[], bool]) -> float:
    """Wait until it holds; return how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < LATE_S, "the date was not followed in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


async def test_a_clock_that_is_set_forward_and_back_is_followed_within_a_second(engine: Engine, tmp_path: Path) -> None:
    clock = Clock(MOVE - timedelta(days=100))
    connection = StoreConnection(StoreSettings(url="embedded", data_dir=tmp_path / "never-opened"))
    supply = Supply(engine, Compiler(), lambda: Follower(connection), clock)
    await supply.adopt(WORLD, 1)
    following = asyncio.ensure_future(supply.follow_dates())
    try:
        assert "+491713920000" in (target(engine, "+496990009000") or "")
        # A machine that slept: the time-out in hand was for a hundred days.
        clock.now = MOVE
        await becomes(lambda: "+491713920001" in (target(engine, "+496990009000") or ""))
        assert target(engine, "+496990009001") is None, "its order is not live yet"
        clock.now = BEGINS
        await becomes(lambda: "+491713920002" in (target(engine, "+496990009001") or ""))
        clock.now = MOVE - timedelta(seconds=1)
        await becomes(lambda: "+491713920000" in (target(engine, "+496990009000") or ""))
        assert target(engine, "+496990009001") is None, "the clock was set back before its start"
        clock.now = ENDS
        await becomes(lambda: "+491713920001" in (target(engine, "+496990009000") or ""))
        assert target(engine, "+496990009001") is None, "its order is over"
    finally:
        following.cancel()
