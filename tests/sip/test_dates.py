"""What dates change while the service runs, while it is down, and by themselves: calls to the real service and store."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.service import Service
from tests.harness.sip import Address

pytestmark = pytest.mark.service

MOVING, COMING, GOING, PORTED_IN, PORTED_OUT = (f"+49699000900{digit}" for digit in range(5))
BLOCK = "+4930231259"
OLD, NEW, LIVE, ENDED = (f"+49171392001{digit}" for digit in range(4))
AHEAD_S = 10.0
"""Time to load the rules and to see what holds before the instant."""
LATE_S = 3.0


def order(key: str, target: str, numbers: list[Any], blocks: tuple[Any, ...] = (), **dates: str) -> dict[str, Any]:
    """An order whose line is forced down, so that calls tell by their target whose rule applied."""
    return {
        "id": key,
        "product": "sipTrunk 2.0",
        "site": {"id": f"site-{key}", "address": "Teststraße 1"},
        "lines": [{"id": f"line-{key}", "user": f"user-{key}", "password": "never used", "wish": "forced_down"}],
        "numbers": numbers,
        "blocks": list(blocks),
        "diversions": [{"to": target, "armed": True}],
        **dates,
    }


def document(at: datetime) -> dict[str, Any]:
    """Orders and numbers for which something happens at one instant."""
    when = at.isoformat()
    move = {"at": when, "order": "new", "line": "line-new"}
    orders = [
        order(
            "old",
            OLD,
            [
                {"number": MOVING, "move": move},
                {"number": PORTED_IN, "active_from": when},
                {"number": PORTED_OUT, "active_until": when},
            ],
            ({"base": BLOCK, "extensions": "00-99", "move": move},),
        ),
        order("new", NEW, []),
        order("coming", LIVE, [COMING], active_from=when),
        order("going", ENDED, [GOING], active_until=when),
    ]
    orders[1]["diversions"].append({"number": f"{BLOCK}07", "to": f"{NEW[:-1]}9", "armed": True})
    return {"customers": [{"id": "c", "name": "Dates", "orders": orders}]}


BEFORE = {MOVING: OLD, f"{BLOCK}07": OLD, f"{BLOCK}08": OLD, COMING: 404, GOING: ENDED, PORTED_IN: 404, PORTED_OUT: OLD}
AFTER = {
    MOVING: NEW,
    f"{BLOCK}07": f"{NEW[:-1]}9",
    f"{BLOCK}08": NEW,
    COMING: LIVE,
    GOING: 404,
    PORTED_IN: OLD,
    PORTED_OUT: 404,
}


@pytest.fixture
def call() -> Iterator[Callable[[Service, str], str | int]]:
    """Call a number: the target of its 302, or the status."""
    callers: dict[Address, Caller] = {}

    def dial(service: Service, number: str) -> str | int:
        if service.address not in callers:
            callers[service.address] = Caller(service.address)
        caller = callers[service.address]
        final = caller.dial(number).final
        return targets(final)[0].removeprefix("sip:").partition("@")[0] if final.status == 302 else final.status

    yield dial
    for caller in callers.values():
        caller.close()


def test_orders_and_numbers_change_by_themselves_at_the_instant(
    start_service: StartService, call: Callable[[Service, str], str | int]
) -> None:
    service = start_service(load=False)
    at = datetime.now(UTC) + timedelta(seconds=AHEAD_S)
    service.load(document(at))
    assert {number: call(service, number) for number in BEFORE} == BEFORE
    assert datetime.now(UTC) < at, "the machine was too slow to see what held before"
    seen = before = call(service, MOVING)
    while seen == before:
        began = datetime.now(UTC)
        assert began < at + timedelta(seconds=LATE_S), "the move is late"
        seen = call(service, MOVING)
    assert datetime.now(UTC) >= at, "the move came early"
    assert {number: call(service, number) for number in AFTER} == AFTER


def test_a_service_that_was_down_at_the_instant_starts_with_what_holds_now(
    start_service: StartService, call: Callable[[Service, str], str | int]
) -> None:
    service = start_service(load=False)
    at = datetime.now(UTC) + timedelta(seconds=AHEAD_S)
    service.load(document(at))
    assert {number: call(service, number) for number in BEFORE} == BEFORE
    service.stop()
    assert datetime.now(UTC) < at, "the machine was too slow to be down at the instant"
    time.sleep(max((at - datetime.now(UTC)).total_seconds(), 0.0))  # the instant itself, not a hope
    service.start()
    assert {number: call(service, number) for number in AFTER} == AFTER
