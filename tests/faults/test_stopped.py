"""Our own process stands still, all of it: what happened to nobody but us is held against nobody."""

import os
import signal
import threading
import time

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller
from tests.harness.document import ACCOUNT, GATEWAY_LINE, GATEWAY_NUMBER
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

STOPPED_S = 4.0
EXPIRES_S = 3
"""The registration runs out while we are stopped; its refresh lies in our socket."""


def test_a_stopped_process_finds_no_fault_in_others(start_service: StartService) -> None:
    port = free_port()
    service = start_service(gateway=port)
    assert service.process is not None
    account = Phone(proxy=service.address, user=ACCOUNT.user, password=ACCOUNT.password)
    with Phone(proxy=service.address, port=port) as gateway, Caller(service.address) as core:
        service.wait_for_health(GATEWAY_LINE, "up")
        until(lambda: gateway.count("OPTIONS") > 1, what="OPTIONS to be answered")
        account.register_ok(expires_s=EXPIRES_S)
        os.kill(service.process.pid, signal.SIGSTOP)
        stopped_ms = time.time() * 1000
        time.sleep(STOPPED_S / 2)
        refresh = threading.Thread(target=account.register_ok)
        refresh.start()
        time.sleep(STOPPED_S / 2)
        os.kill(service.process.pid, signal.SIGCONT)
        refresh.join()

        # Long enough for every time-out of the past to have its effect.
        probes = gateway.count("OPTIONS")
        until(lambda: gateway.count("OPTIONS") > probes + 2, what="more OPTIONS")
        lines = service.lines()
        for line in (GATEWAY_LINE, ACCOUNT.line):
            assert lines[line]["health"] == "up"
            assert lines[line]["since_unix_ms"] < stopped_ms, "its verdict changed"
        assert lines[ACCOUNT.line]["bindings"] == 1
        assert service.metrics()["sipproxy_worker_stalls_total"] >= 1
        core.whole_call(f"{GATEWAY_NUMBER}01")
    account.close()
