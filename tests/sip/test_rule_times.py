"""Rules with plans, times and targets for the phone system alone: calls to the real service and store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.phone import Phone
from tests.harness.service import Service

pytestmark = pytest.mark.service

NUMBER, LINE = "+493023125910", "line-a"
USUAL, PHONES, FLOOD, CLOSED = (f"+49171392003{digit}" for digit in range(4))


def document(line: dict[str, Any], *rules: dict[str, Any], **order: Any) -> dict[str, Any]:
    """One gateway with one block."""
    held = {
        "id": "order-a",
        "product": "PMX NGN",
        "site": {"id": "site-a", "address": "Teststraße 1", "state": "BE"},
        "lines": [{"id": LINE, **line}],
        "blocks": [{"base": "+493023125", "extensions": "900-999"}],
        "diversions": list(rules),
        **order,
    }
    return {"customers": [{"id": "c", "name": "Times", "orders": [held]}]}


@pytest.fixture
def service(start_service: StartService) -> Service:
    return start_service(load=False)


@pytest.fixture
def caller(service: Service) -> Iterator[Caller]:
    caller = Caller(service.address)
    yield caller
    caller.close()


def target(caller: Caller) -> str:
    final = caller.dial(NUMBER).final
    assert final.status == 302, final
    return targets(final)[0].removeprefix("sip:").partition("@")[0]


def test_a_phone_system_that_says_it_cannot_has_other_targets_than_one_that_is_gone(service: Service, caller: Caller) -> None:
    with Phone(proxy=service.address) as phone:
        line = {"peers": [phone.endpoint.sent_by], "profile_changes": {"interval_s": 1.0, "hold_s": 0.0}}
        service.load(document(line, {"to": USUAL, "phone_system_to": PHONES, "armed": True}))
        service.wait_for_answers(LINE)
        phone.options_status = (503, "Service Unavailable")
        service.wait_for_health(LINE, "down", timeout_s=20)
        assert target(caller) == PHONES
        said = [step["text"] for step in service.explain(NUMBER)["trace"]]
        assert any("its targets for when only the phone system is out" in text for text in said), said
        phone.options_status = (200, "OK")
        service.wait_for_health(LINE, "up", timeout_s=20)
        phone.silent = True
        service.wait_for_health(LINE, "down", timeout_s=20)
        assert target(caller) == USUAL


def test_the_plan_of_an_order_and_the_times_of_a_rule_say_where_calls_go(service: Service, caller: Caller) -> None:
    today = datetime.now(UTC).date()
    days = {"first": str(today - timedelta(days=1)), "last": str(today + timedelta(days=1))}
    line = {"peers": ["127.0.0.1:9"], "wish": "forced_down"}
    usual = {"to": USUAL, "armed": True}
    closed = {**usual, "periods": [{"name": "company holidays", "to": CLOSED, **days}]}
    flood = {"to": FLOOD, "armed": True, "plan": "flood"}
    service.load(document(line, usual, flood))
    assert target(caller) == USUAL
    service.load(document(line, closed, flood))
    assert target(caller) == CLOSED
    service.load(document(line, closed, flood, plan="flood"))
    assert target(caller) == FLOOD
    # A document that names no plan leaves the one that is on.
    service.load(document(line, closed, flood))
    assert target(caller) == FLOOD
    explained = service.explain(NUMBER)
    assert [rule["reason"] for rule in explained["rules"]] == ["applies", "plan_first"]
    service.load(document(line, closed, flood, plan=""))
    assert target(caller) == CLOSED
    assert any("(company holidays)" in step["text"] for step in service.explain(NUMBER)["trace"])
