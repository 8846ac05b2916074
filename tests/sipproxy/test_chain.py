"""Calls that were diverted before, at the running service."""

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller
from tests.harness.document import idle_pair

pytestmark = [pytest.mark.service]


def test_a_circle_and_a_long_chain_end_here_and_are_counted(start_service: StartService) -> None:
    service = start_service(changes={"interconnects": [{"name": "core", "max_diversions": 2}]})
    called, target = idle_pair("010")

    def status(*diverted: str) -> int:
        with Caller(service.address) as core:
            headers = [("Diversion", f"<sip:{number}@core.example.net>;reason=out-of-service") for number in diverted]
            return core.dial(called, *headers).final.status

    elsewhere = ["+494066969000", "+494066969001"]
    assert status() == 302
    assert status(elsewhere[0]) == 302
    assert status(*elsewhere) == 480
    assert status(called) == 480
    assert status(target) == 480
    refused = service.metrics()
    assert refused['sipproxy_diversions_refused_total{why="too_many"}'] == 1
    # From the called number itself, and from the only target.
    assert refused['sipproxy_diversions_refused_total{why="circle"}'] == 2
