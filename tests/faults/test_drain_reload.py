"""SIGTERM lets running calls end; SIGHUP takes a good configuration and keeps the old one when the new one is faulty."""

import signal
import time

import pytest

from tests.conftest import StartService
from tests.harness.caller import Call, Caller, ping
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.service import toml
from tests.harness.sip import answers
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

STRANGER = "127.0.0.2"
DRAIN_S = 6


def test_sigterm_finishes_a_running_call_refuses_new_ones_and_ends(start_service: StartService) -> None:
    port = free_port()
    service = start_service(gateway=port, changes={"limits": {"drain_s": DRAIN_S}})
    gateway = Phone(proxy=service.address, port=port)
    gateway.answer_after_s = 1.5
    with gateway, Caller(service.address) as core, Caller(service.address) as other:
        service.wait_for_health(GATEWAY_LINE, "up")
        assert service.process is not None
        call = Call(core.invite(f"{GATEWAY_NUMBER}01"))
        core.endpoint.send(call.invite, service.address)
        is_answer = answers(call.invite)
        core.endpoint.expect(lambda message: is_answer(message) and message.status == 180, what="ringing")

        service.process.send_signal(signal.SIGTERM)
        until(lambda: ping(other.endpoint, service.address).status == 503, what="OPTIONS to say that we are leaving")
        refused = other.dial(f"{GATEWAY_NUMBER}02")
        assert refused.statuses == [503], "the core tries elsewhere"

        core.finish(call)
        assert call.final.status == 200, "the running call is answered"
        assert core.hang_up(call).status == 200, "and ends in order"
        until(lambda: service.process.poll() is not None, what="the process to end", timeout_s=DRAIN_S + 10)
        assert service.process.returncode == 0
        assert "stopped" in service.log()
        assert service.orphans() == []


def test_sigterm_of_an_idle_service_ends_it_at_once(start_service: StartService) -> None:
    service = start_service(changes={"limits": {"drain_s": 60}})
    begun = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - begun < 10


def test_sighup_keeps_the_old_configuration_on_a_fault_and_takes_a_good_one(start_service: StartService) -> None:
    port = free_port()
    peers = [{"name": "core", "address": "127.0.0.1", "interconnect": "core"}]
    service = start_service(gateway=port, changes={"core_peers": peers})
    assert service.process is not None
    with Phone(proxy=service.address, port=port), Caller(service.address) as core, Caller(service.address, STRANGER) as stranger:
        service.wait_for_health(GATEWAY_LINE, "up")
        core.whole_call(f"{GATEWAY_NUMBER}01")
        assert stranger.dial(f"{GATEWAY_NUMBER}02").statuses == [403]

        second = {"name": "second", "address": STRANGER, "interconnect": "cores"}
        service.settings["core_peers"] = [*peers, second]
        service.config_file.write_text(toml(service.settings), encoding="utf-8")
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "not reloaded, the old one stays" in service.log(), what="the fault to be told")
        assert "core_peers[1].interconnect" in service.log()
        assert "known: core" in service.log()
        assert stranger.dial(f"{GATEWAY_NUMBER}02").statuses == [403]
        core.whole_call(f"{GATEWAY_NUMBER}03")

        second["interconnect"] = "core"
        service.config_file.write_text(toml(service.settings), encoding="utf-8")
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "configuration reloaded" in service.log(), what="the new configuration")
        stranger.whole_call(f"{GATEWAY_NUMBER}04")
        core.whole_call(f"{GATEWAY_NUMBER}05")
