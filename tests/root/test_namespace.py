"""What needs a network of one's own: the well-known port, IPv6, and a data line that is cut without a word."""

import time

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, ping, targets
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER, GATEWAY_TARGET
from tests.harness.phone import Phone
from tests.harness.service import QUICK
from tests.harness.verdicts import TURN_S, answer_to_up_s, silence_to_down_s
from tests.harness.waiting import until
from tests.root.conftest import DataLine, inside

pytestmark = [pytest.mark.service, pytest.mark.root]

SIP_PORT = 5060
GATEWAY_PORT = 5088


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], ids=["IPv4", "IPv6"])
def test_calls_on_the_well_known_port(namespace: str, start_service: StartService, host: str) -> None:
    with inside(namespace):
        service = start_service(host=host, port=SIP_PORT, gateway=GATEWAY_PORT)
        with Phone(proxy=service.address, host=host, port=GATEWAY_PORT), Caller(service.address, host) as core:
            assert ping(core.endpoint, service.address).status == 200
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}01")


def test_a_cut_line_is_diverted_and_comes_back(data_line: DataLine, start_service: StartService) -> None:
    here, there = data_line.core_address, data_line.customer_address
    with inside(data_line.customer):
        gateway = Phone(proxy=(here, SIP_PORT), host=there, port=GATEWAY_PORT)
    with inside(data_line.core), gateway:
        core_peers = [{"name": "core", "address": here, "interconnect": "core"}]
        service = start_service(
            host=here, port=SIP_PORT, gateway=GATEWAY_PORT, gateway_host=there, changes={"core_peers": core_peers}
        )
        with Caller(service.address, here) as core:
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}01")

            data_line.cut()
            final = core.dial(f"{GATEWAY_NUMBER}02").final
            assert final.status == 302, "the very call that meets the fault is diverted"
            assert GATEWAY_TARGET in targets(final)[0]
            service.wait_for_health(GATEWAY_LINE, "down")

            data_line.repair()
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}03")


def test_a_silent_cut_is_a_verdict_within_the_computed_bound(data_line: DataLine, start_service: StartService) -> None:
    here, there = data_line.core_address, data_line.customer_address
    with inside(data_line.customer):
        gateway = Phone(proxy=(here, SIP_PORT), host=there, port=GATEWAY_PORT)
    with inside(data_line.core), gateway:
        core_peers = [{"name": "core", "address": here, "interconnect": "core"}]
        service = start_service(
            host=here, port=SIP_PORT, gateway=GATEWAY_PORT, gateway_host=there, changes={"core_peers": core_peers}
        )
        with Caller(service.address, here) as core:
            service.wait_for_health(GATEWAY_LINE, "up")
            until(lambda: gateway.count("OPTIONS") > 1, what="OPTIONS to be answered")

            # No call helps: only the silence of OPTIONS tells.
            data_line.cut()
            begun = time.time()
            down = service.wait_for_health(GATEWAY_LINE, "down")
            assert down["since_unix_ms"] / 1000 - begun < silence_to_down_s(QUICK) + TURN_S
            invites = gateway.count("INVITE")
            diverted = core.dial(f"{GATEWAY_NUMBER}02")
            assert diverted.statuses == [302], "at once: no 100, the line is not asked"
            assert GATEWAY_TARGET in targets(diverted.final)[0]
            assert gateway.count("INVITE") == invites

            data_line.repair()
            begun = time.time()
            up = service.wait_for_health(GATEWAY_LINE, "up")
            assert up["since_unix_ms"] / 1000 - begun < answer_to_up_s(QUICK) + TURN_S
            core.whole_call(f"{GATEWAY_NUMBER}03")
