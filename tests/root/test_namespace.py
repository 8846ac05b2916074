"""What needs a network of one's own: the well-known port, IPv6, and a data line that is cut without a word."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, ping, targets
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER, GATEWAY_TARGET
from tests.harness.phone import Phone
from tests.root.conftest import ip

pytestmark = [pytest.mark.service, pytest.mark.root]

_CLONE_NEWNET = 0x40000000
SIP_PORT = 5060
GATEWAY_PORT = 5088
FAR = "127.66.0.1"
"""An address that the test cuts off."""


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Run this thread, and what it starts, in a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home, Path(f"/run/netns/{namespace}").open("rb") as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            libc.setns(home.fileno(), _CLONE_NEWNET)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"], ids=["IPv4", "IPv6"])
def test_calls_on_the_well_known_port(namespace: str, start_service: StartService, host: str) -> None:
    with inside(namespace):
        service = start_service(host=host, port=SIP_PORT, gateway=GATEWAY_PORT)
        with Phone(proxy=service.address, host=host, port=GATEWAY_PORT), Caller(service.address, host) as core:
            assert ping(core.endpoint, service.address).status == 200
            if host == "127.0.0.1":
                service.wait_for_health(GATEWAY_LINE, "up")
                core.whole_call(f"{GATEWAY_NUMBER}01")


def test_a_cut_line_is_diverted_and_comes_back(namespace: str, start_service: StartService) -> None:
    """A route that swallows packets: no ICMP, no refusal, as when a data line is cut."""
    with inside(namespace):
        service = start_service(port=SIP_PORT, gateway=GATEWAY_PORT, gateway_host=FAR)
        with Phone(proxy=service.address, host=FAR, port=GATEWAY_PORT), Caller(service.address) as core:
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}01")

            ip("-n", namespace, "rule", "add", "to", FAR, "blackhole", "priority", "0")
            final = core.dial(f"{GATEWAY_NUMBER}02").final
            assert final.status == 302, "the very call that meets the fault is diverted"
            assert GATEWAY_TARGET in targets(final)[0]
            service.wait_for_health(GATEWAY_LINE, "down")

            ip("-n", namespace, "rule", "delete", "to", FAR, "blackhole", "priority", "0")
            service.wait_for_health(GATEWAY_LINE, "up")
            core.whole_call(f"{GATEWAY_NUMBER}03")
