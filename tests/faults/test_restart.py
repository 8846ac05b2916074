"""A restart in mid-fault: no diversion is dropped, and none begins without evidence."""

import json
import time
from typing import Any

import pytest

from sipproxy.admin.client import AdminClient
from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER, TRUNK
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.service import Service
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

NUMBERS = (TRUNK.number, f"{GATEWAY_NUMBER}15")


def told(service: Service, line: str) -> list[dict[str, Any]]:
    """Return a line's diversions, oldest first."""
    client = AdminClient(service.folder / "data/admin.sock", start_hint="")
    events = client.request("history", line=line, limit=500)["events"]
    return [event for event in events if event["kind"] == "diversion"]


def saved(service: Service) -> bool:
    """Say whether nothing waits for the store."""
    facts = json.loads(service.run("status", "--json"))["facts"]
    return not any((*facts["unsaved"].values(), facts["history"]["waiting"]))


def both_up(service: Service) -> None:
    """Wait until both lines are up and have answered OPTIONS."""
    for line in (TRUNK.line, GATEWAY_LINE):
        service.wait_for_health(line, "up")
    service.wait_for_answers(TRUNK.line, GATEWAY_LINE)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_lines_that_are_down_are_diverted_from_the_first_call_after_the_start(start_service: StartService, how: str) -> None:
    port = free_port()
    service = start_service(gateway=port, changes={"registrar": {"restart_grace_s": 60}})
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    gateway = Phone(proxy=service.address, port=port)
    with trunk, gateway, Caller(service.address) as core:
        both_up(service)
        trunk.silent = gateway.silent = True
        for line in (TRUNK.line, GATEWAY_LINE):
            service.wait_for_health(line, "down")
        until(lambda: saved(service), what="all to be saved")
        before = {line: told(service, line) for line in (TRUNK.line, GATEWAY_LINE)}
        _ = service.kill() if how == "killed" else service.stop()
        service.start()
        for number in NUMBERS:
            began = time.monotonic()
            call = core.dial(number)
            assert call.final.status == 302, f"{number} was not diverted"
            assert targets(call.final)
            assert time.monotonic() - began < 1.0, "at once, without asking the line: it is known to be down"
        for line, events in before.items():
            assert events[-1]["change"] == "began"
            assert told(service, line) == events, "the diversion goes on; it neither ended nor began again"
        trunk.silent = gateway.silent = False
        for line, events in before.items():
            service.wait_for_health(line, "up")
            known = len(events)
            until(lambda line=line, known=known: len(told(service, line)) == known + 1, what="its end to be told")
            assert told(service, line)[-1]["began_unix_ms"] == events[-1]["at_unix_ms"]
        for number in NUMBERS:
            core.whole_call(number)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_lines_that_live_get_their_calls_from_the_first_one_after_the_start(start_service: StartService, how: str) -> None:
    port = free_port()
    service = start_service(gateway=port, changes={"registrar": {"restart_grace_s": 60}})
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    gateway = Phone(proxy=service.address, port=port)
    with trunk, gateway, Caller(service.address) as core:
        both_up(service)
        until(lambda: saved(service), what="all to be saved")
        before = {line: told(service, line) for line in (TRUNK.line, GATEWAY_LINE)}
        for _ in range(2):
            _ = service.kill() if how == "killed" else service.stop()
            service.start()
            for number in NUMBERS:
                core.whole_call(number)
        time.sleep(1.0)  # what would begin without evidence would begin now
        for number in NUMBERS:
            core.whole_call(number)
        for line, events in before.items():
            assert told(service, line) == events
