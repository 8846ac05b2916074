"""What the running service says would happen, and what then does: the same 302, header by header."""

import json
from typing import Any

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller
from tests.harness.document import ACCOUNT, TRUNK, TRUNK_OWN_NUMBER, TRUNK_OWN_TARGET, idle_pair
from tests.harness.phone import Phone
from tests.harness.service import Service
from tests.harness.sip import Message
from tests.sip.test_rule_times import LINE, NUMBER, PHONES, USUAL, document

pytestmark = [pytest.mark.service]


def simulate(service: Service, number: str, *arguments: str) -> dict[str, Any]:
    return json.loads(service.run("simulate", number, "--json", *arguments))  # type: ignore[no-any-return]


def is_as_foretold(answer: Message, foretold: dict[str, Any]) -> None:
    """The status and every header field that the simulator named are those of the answer, to the letter."""
    assert answer.status == foretold["status"]
    said = [(name, value) for name, value in foretold["headers"]]
    assert {name for name, _ in said} >= {"Contact", "Diversion", "Reason"}
    assert [(name, ", ".join(answer.all(name.lower()))) for name, _ in said] == said


def test_calls_get_exactly_the_302_that_was_foretold(start_service: StartService) -> None:
    service = start_service(load=False)
    with Phone(proxy=service.address) as phone, Caller(service.address) as caller:
        line = {"peers": [phone.endpoint.sent_by], "profile_changes": {"interval_s": 1.0, "hold_s": 0.0}}
        two = [USUAL, "+491713920039"]
        service.load(document(line, {"to": two, "phone_system_to": PHONES, "armed": True}))
        service.wait_for_answers(LINE)
        foretold = simulate(service, NUMBER, "--fault", "phone-system")
        silent = simulate(service, NUMBER, "--fault", "data-line", "--offers-history")
        assert [target["number"] for target in foretold["targets"]] == [PHONES]
        assert [target["q"] for target in silent["targets"]] == ["1.0", "0.9"]
        # Nothing of the service was touched by asking.
        assert service.lines()[LINE]["health"] == "up"
        phone.options_status = (503, "Service Unavailable")
        service.wait_for_health(LINE, "down", timeout_s=20)
        is_as_foretold(caller.dial(NUMBER).final, foretold)
        phone.options_status = (200, "OK")
        service.wait_for_health(LINE, "up", timeout_s=20)
        phone.silent = True
        service.wait_for_health(LINE, "down", timeout_s=20)
        is_as_foretold(caller.dial(NUMBER, ("Supported", "histinfo")).final, silent)


def test_a_registration_that_is_missing_and_a_chain_are_foretold(start_service: StartService) -> None:
    service = start_service(changes={"interconnects": [{"name": "core", "max_diversions": 2}]})
    called, target = idle_pair("010")
    with Caller(service.address) as caller:
        foretold = simulate(service, called, "--fault", "unregistered")
        assert [held["number"] for held in foretold["targets"]] == [target]
        is_as_foretold(caller.dial(called).final, foretold)
        for chain in ([target], ["+494066969000", "+494066969001"], [called]):
            options = [option for number in chain for option in ("--diverted-from", number)]
            foretold = simulate(service, called, "--fault", "unregistered", *options)
            headers = [("Diversion", f"<sip:{number}@core.example.net>;reason=out-of-service") for number in chain]
            assert caller.dial(called, *headers).final.status == foretold["status"] == 480


def test_simulate_and_coverage_read_well(start_service: StartService) -> None:
    service = start_service()
    said = service.run("simulate", TRUNK_OWN_NUMBER, "--fault", "router", "--at", "2026-12-24 18:30")
    assert f"→ 302 to {TRUNK_OWN_TARGET}" in said
    assert "Thu 24 Dec 2026 18:30 CET" in said
    assert "order-trunk" in said
    service.run("divert", "disarm", TRUNK_OWN_NUMBER)
    assert f"302 to {TRUNK.target}" in service.run("simulate", TRUNK_OWN_NUMBER, "--fault", "router")
    assert "400 of 400 numbers protected" in service.run("coverage", "order-trunk")
    service.run("divert", "disarm", "block:block-trunk")
    gap = service.run("coverage", "order-trunk")
    assert "0 of 400 numbers protected" in gap
    assert "the rule for the block is inactive" in gap
    assert "+49 30 23125-000…-076" in gap
    found = json.loads(service.run("coverage", "--customer", "4711", "--json"))
    assert (found["protected"], found["counted"]) == (504, 904)
    assert {report["order"]: report["protected"] for report in found["orders"]}[f"order-{ACCOUNT.user}"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "030 1", "--at", "2026-03-29 02:30"), "the clocks go forward over 02:30"),
        (("simulate", "030 1", "--at", "2026-10-25 02:30"), "02:30 comes twice"),
        (("simulate", "030 1", "--at", "tomorrow"), "no date"),
        (("simulate", "030 1", "--fault", "flood"), "no fault is named"),
        (("simulate", "030 1", "--interconnect", "nobody"), "no interconnect is named"),
        (("coverage", "nothing"), "there is no order"),
        (("coverage", "--customer", "nobody"), "there is no customer"),
        (("coverage",), "name one order"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(service: Service, arguments: tuple[str, ...], said: str) -> None:
    done = service.try_run(*arguments)
    assert done.returncode in {1, 2}
    assert said in " ".join((done.stdout + done.stderr).split())
