"""Python stands still for 30 s: calls, probes and registrations go on without it."""

import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, ping
from tests.harness.document import ACCOUNT, IDLE_LINE, TRUNK, idle_pair
from tests.harness.phone import Phone
from tests.harness.service import Service
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

STALLABLE = Path(__file__).parent.parent / "harness" / "stallable.py"
STALL_S = 30.0
MOST_S = 0.5
"""A REGISTER may wait for the store (`store_wait_s`, 0.1 s); nothing takes longer than this."""


@pytest.mark.timeout(180)
def test_calls_probes_and_registrations_go_on_while_python_is_stuck(start_service: StartService) -> None:
    launcher = [sys.executable, str(STALLABLE), str(STALL_S)]
    service = start_service(launcher=launcher)
    assert service.process is not None
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    late = Phone(proxy=service.address, user=ACCOUNT.user, password=ACCOUNT.password)
    phone.register_ok()
    with phone, Caller(service.address) as core:
        service.wait_for_health(TRUNK.line, "up")
        service.wait_for_health(IDLE_LINE, "down")

        os.kill(service.process.pid, signal.SIGUSR2)
        begun = time.monotonic()
        until(lambda: not _metrics_answer(service.metrics_port), what="Python to stand still")

        probes = phone.count("OPTIONS")
        took = []
        while time.monotonic() - begun < STALL_S - 5:
            took.append(_timed(lambda: core.whole_call(TRUNK.number)))
            took.append(_timed(lambda: _redirected(core, *idle_pair("007"))))
            took.append(_timed(late.register_ok))
            took.append(_timed(lambda: ping(core.endpoint, service.address)))
            time.sleep(0.2)
        assert max(took) < MOST_S, f"slowest of {len(took)}: {max(took):.3f} s"
        assert phone.count("OPTIONS") - probes > 20, "probes stopped"

        # The line dies while Python is stuck: the engine judges by itself.
        phone.silent = True
        until(lambda: core.dial(TRUNK.number).final.status == 302, what="a 302 while Python is stuck", timeout_s=4)
        assert time.monotonic() - begun < STALL_S, "the stall was over too early to prove anything"
        assert not _metrics_answer(service.metrics_port)

        until(lambda: _metrics_answer(service.metrics_port), what="Python to go on", timeout_s=30)
        assert service.wait_for_health(ACCOUNT.line, "up")["bindings"] == 1
        assert service.wait_for_health(TRUNK.line, "down")

        # The store has caught up: what happened meanwhile survives a kill of both.
        until(lambda: _saved(service), what="what happened meanwhile to be saved")
        since = service.lines()[TRUNK.line]["since_unix_ms"]
        service.kill_store()
        service.kill()
        service.start()
        assert core.dial(TRUNK.number).statuses == [302]
        assert service.lines()[TRUNK.line]["since_unix_ms"] == since
        assert service.lines()[ACCOUNT.line]["bindings"] == 1
    late.close()


def _redirected(core: Caller, number: str, target: str) -> None:
    final = core.dial(number).final
    assert final.status == 302
    assert target in final.first("contact")


def _saved(service: Service) -> bool:
    unsaved = json.loads(service.run("status", "--json"))["facts"]["unsaved"]
    return not unsaved["bindings"] and not unsaved["verdicts"]


def _timed(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def _metrics_answer(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=0.5):
            return True
    except OSError:
        return False
