"""Lines that the network says it cannot reach: real ICMP from a router, from the phone's own host, and refusals of our own stack."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER, GATEWAY_TARGET
from tests.harness.phone import Phone
from tests.harness.programs import need
from tests.harness.service import PROFILES, QUICK, Service
from tests.harness.waiting import until
from tests.root.conftest import DataLine, inside, ip

pytestmark = [pytest.mark.service, pytest.mark.root]

SIP_PORT = 5060
GATEWAY_PORT = 5088
BEHIND_ROUTER = "198.51.100.7"
AT_ONCE_S = 0.05
"""From the INVITE to its 302: the report of the network comes within a millisecond here."""
SLOW = {**QUICK, "interval_s": 20.0, "answer_timer_s": 5.0, "suspect_timer_s": 5.0}
"""Calls find the fault, not OPTIONS, and no timer of a call is over before the report counts."""


def _phone_stops(_line: DataLine, gateway: Phone) -> None:
    gateway.close()


def _phone_is_unplugged(line: DataLine, _gateway: Phone) -> None:
    ip("-n", line.customer, "address", "delete", f"{BEHIND_ROUTER}/32", "dev", "lo")
    ip("-n", line.customer, "route", "add", "unreachable", BEHIND_ROUTER)


def _router_forbids(line: DataLine, _gateway: Phone) -> None:
    ip("-n", line.customer, "address", "delete", f"{BEHIND_ROUTER}/32", "dev", "lo")
    ip("-n", line.customer, "route", "add", "prohibit", BEHIND_ROUTER)


@pytest.fixture
def gateway(data_line: DataLine) -> Iterator[Phone]:
    """The phone system of the static line, behind a router."""
    ip("-n", data_line.customer, "address", "add", f"{BEHIND_ROUTER}/32", "dev", "lo")
    ip("netns", "exec", data_line.customer, need("sysctl", "procps"), "-qw", "net.ipv4.ip_forward=1")
    ip("-n", data_line.core, "route", "add", f"{BEHIND_ROUTER}/32", "via", data_line.customer_address)
    with inside(data_line.customer):
        phone = Phone(proxy=(data_line.core_address, SIP_PORT), host=BEHIND_ROUTER, port=GATEWAY_PORT)
    with phone:
        yield phone


def _serve(data_line: DataLine, start_service: StartService) -> Service:
    here = data_line.core_address
    return start_service(
        host=here,
        port=SIP_PORT,
        gateway=GATEWAY_PORT,
        gateway_host=BEHIND_ROUTER,
        changes={
            "core_peers": [{"name": "core", "address": here, "interconnect": "core"}],
            "profiles": dict.fromkeys(PROFILES, SLOW),
        },
    )


def _diverted_at_once(core: Caller) -> None:
    begun = time.monotonic()
    call = core.dial(f"{GATEWAY_NUMBER}02")
    took = time.monotonic() - begun
    assert call.statuses == [100, 302]
    assert GATEWAY_TARGET in targets(call.final)[0]
    assert "cause=27" in call.final.one("reason")
    assert took < AT_ONCE_S


@pytest.mark.parametrize("fault", [_phone_stops, _phone_is_unplugged, _router_forbids], ids=lambda fault: fault.__name__[1:])
def test_the_call_that_meets_the_fault_is_diverted_at_once(
    data_line: DataLine, start_service: StartService, gateway: Phone, fault: Callable[[DataLine, Phone], None]
) -> None:
    with inside(data_line.core):
        service = _serve(data_line, start_service)
        with Caller(service.address, data_line.core_address) as core:
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}01")
            fault(data_line, gateway)
            _diverted_at_once(core)
            until(lambda: service.lines()[GATEWAY_LINE]["health"] in {"suspect", "down"}, what="the line to be in doubt")


@pytest.mark.usefixtures("gateway")
def test_calls_that_we_have_no_route_for_are_diverted_at_once_and_no_evidence_about_the_line(
    data_line: DataLine, start_service: StartService
) -> None:
    with inside(data_line.core):
        service = _serve(data_line, start_service)
        with Caller(service.address, data_line.core_address) as core:
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}01")
            ip("-n", data_line.core, "route", "replace", "unreachable", BEHIND_ROUTER)
            for _ in range(2 * int(SLOW["fall"])):
                _diverted_at_once(core)
            assert service.lines()[GATEWAY_LINE]["health"] == "up"
            ip("-n", data_line.core, "route", "replace", f"{BEHIND_ROUTER}/32", "via", data_line.customer_address)
            core.whole_call(f"{GATEWAY_NUMBER}01")


def test_a_closed_port_over_ipv6_diverts_at_once(namespace: str, start_service: StartService) -> None:
    with inside(namespace), Phone(proxy=("::1", SIP_PORT), host="::1", port=GATEWAY_PORT) as gateway:
        service = start_service(
            host="::1", port=SIP_PORT, gateway=GATEWAY_PORT, changes={"profiles": dict.fromkeys(PROFILES, SLOW)}
        )
        with Caller(service.address, "::1") as core:
            service.wait_for_health(GATEWAY_LINE, "up")
            gateway.close()
            begun = time.monotonic()
            call = core.dial(f"{GATEWAY_NUMBER}02")
            assert time.monotonic() - begun < AT_ONCE_S
            assert call.statuses == [100, 302]
            assert "cause=27" in call.final.one("reason")
