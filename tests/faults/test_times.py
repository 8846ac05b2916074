"""The times that a customer sees with the products' own profiles: fault to first 302, repair to first proxied call."""

import time
from collections.abc import Callable

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller
from tests.harness.document import GATEWAY_LINE, GATEWAY_NUMBER, TRUNK
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.verdicts import TURN_S, answer_to_up_s, silence_to_down_s
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

# routing/profiles.py, "registered" and "gateway"
DEFAULTS = {"interval_s": 10.0, "fast_interval_s": 0.5, "timeout_s": 1.0, "fall": 3, "rise": 2, "hold_s": 5.0}
ANSWER_TIMER_S = 2.0


@pytest.mark.timeout(120)
def test_a_fault_without_calls_is_a_verdict_within_the_bound(
    start_service: StartService, record_testsuite_property: Callable[[str, object], None]
) -> None:
    port = free_port()
    service = start_service(gateway=port, changes={"profiles": {"registered": {}, "gateway": {}}})
    gateway = Phone(proxy=service.address, port=port)
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    phones = {TRUNK.line: trunk, GATEWAY_LINE: gateway}
    numbers = {TRUNK.line: TRUNK.number, GATEWAY_LINE: f"{GATEWAY_NUMBER}01"}
    with gateway, trunk, Caller(service.address) as core:
        for line, phone in phones.items():
            service.wait_for_health(line, "up", timeout_s=15)
            until(lambda phone=phone: phone.count("OPTIONS"), what="OPTIONS to be answered", timeout_s=15)
            core.whole_call(numbers[line])

        for phone in phones.values():
            phone.silent = True
        begun = time.time()
        for line in phones:
            down = service.wait_for_health(line, "down", timeout_s=30)["since_unix_ms"] / 1000 - begun
            record_testsuite_property(f"{line}: silence to down, seconds", round(down, 1))
            assert down < silence_to_down_s(DEFAULTS) + TURN_S
            assert core.dial(numbers[line]).statuses == [302]

        for phone in phones.values():
            phone.silent = False
        begun = time.time()
        for line in phones:
            up = service.wait_for_health(line, "up", timeout_s=30)["since_unix_ms"] / 1000 - begun
            record_testsuite_property(f"{line}: answers again to up, seconds", round(up, 1))
            assert up < answer_to_up_s(DEFAULTS) + TURN_S
            core.whole_call(numbers[line])


@pytest.mark.timeout(120)
def test_the_first_call_after_a_fault_is_diverted_by_the_answer_timer(
    start_service: StartService, record_testsuite_property: Callable[[str, object], None]
) -> None:
    service = start_service(changes={"profiles": {"registered": {}}})
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    with trunk, Caller(service.address) as core:
        service.wait_for_health(TRUNK.line, "up", timeout_s=15)
        core.whole_call(TRUNK.number)
        trunk.silent = True
        begun = time.monotonic()
        assert core.dial(TRUNK.number).final.status == 302
        first = time.monotonic() - begun
        record_testsuite_property("fault to first 302, seconds", round(first, 2))
        assert first < ANSWER_TIMER_S + TURN_S
