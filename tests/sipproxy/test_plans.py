"""Plans by command: rules that belong to one, the switch of a whole order, and the way back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import running
from tests.harness.caller import Caller, targets
from tests.harness.service import Service
from tests.harness.waiting import until

pytestmark = pytest.mark.service
NUMBER, USUAL, FLOOD = "+493023125010", "+491713920000", "+491713920001"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One trunk that is down, with a rule."""
    order = {
        "id": "A-1",
        "product": "sipTrunk 2.0",
        "site": {"id": "s", "address": ""},
        "lines": [{"id": "l", "user": "u", "password": "never used"}],
        "blocks": [{"id": "b", "base": "030 23125", "extensions": "000-099"}],
        "diversions": [{"block": "b", "to": USUAL, "armed": True}],
    }
    with running() as service:
        service.load({"customers": [{"id": "c", "name": "c", "orders": [order]}]})
        service.wait_for_health("l", "down")
        yield service


@pytest.fixture
def caller(service: Service) -> Iterator[Caller]:
    with Caller(service.address) as caller:
        yield caller


def goes_to(caller: Caller, target: str) -> None:
    """Wait until calls go there: the service follows the store."""
    until(lambda: targets(caller.dial(NUMBER).final)[0].startswith(f"sip:{target}@"), what=f"calls to go to {target}")


def refused(service: Service, *arguments: str) -> str:
    done = service.try_run(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def test_a_plan_is_made_switched_and_taken_back(service: Service, caller: Caller) -> None:
    assert "no plan is on" in service.run("plan", "A-1")
    assert "its plans: none" in refused(service, "plan", "A-1", "Hochwasser")
    made = service.run("divert", "set", "block:b", "--to", FLOOD, "--plan", "Hochwasser", "--note", "from the crisis team")
    assert "plan Hochwasser" in made
    assert "while the line is down and the order has this plan on" in made
    assert '"note": "from the crisis team"' in service.run("log", "diversion:b.block.Hochwasser", "--json")
    goes_to(caller, USUAL)
    until(lambda: "Hochwasser" in service.run("plan", "A-1"), what="the service to know the plan")
    shown = service.run("plan", "A-1", "Hochwasser", "--note", "water at 8 m")
    assert "the plan Hochwasser is on" in shown
    goes_to(caller, FLOOD)
    assert "is on (as before)" in service.run("plan", "A-1", "Hochwasser")
    entries = versions(service)
    assert (entries[0]["note"], entries[0]["via"], entries[0]["changes"]) == (
        "water at 8 m",
        "cli",
        ["plan: nothing → Hochwasser"],
    )
    service.run("undo", str(entries[0]["version"]))
    goes_to(caller, USUAL)
    service.run("plan", "A-1", "Hochwasser")
    goes_to(caller, FLOOD)
    assert "no plan is on" in service.run("plan", "A-1", "--off")
    goes_to(caller, USUAL)


def versions(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(service.run("log", "order:A-1", "--json"))
    return found


def test_a_plan_without_an_armed_rule_is_switched_and_told(service: Service) -> None:
    service.run("divert", "set", "order:A-1", "--to", FLOOD, "--plan", "Ferien", "--disarmed")
    until(lambda: "Ferien" in service.run("plan", "A-1"), what="the service to know the plan")
    assert "No rule of the plan 'Ferien' of order A-1 is armed" in service.run("plan", "A-1", "Ferien")
    service.run("divert", "arm", "order:A-1", "--plan", "Ferien")
    until(lambda: "1 rule, 1 armed" in service.run("plan", "A-1"), what="the service to know that it is armed")
    service.run("plan", "A-1", "--off")
    assert "removed" in service.run("divert", "remove", "order:A-1", "--plan", "Ferien")
    until(lambda: "Ferien" not in service.run("plan", "A-1"), what="the plan to be gone with its only rule")


def test_a_removed_rule_leaves_its_calls_to_the_next_and_comes_back(service: Service, caller: Caller) -> None:
    goes_to(caller, USUAL)
    service.run("divert", "set", NUMBER, "--to", FLOOD)
    goes_to(caller, FLOOD)
    shown = service.run("divert", "remove", NUMBER)
    assert "the rule is gone" in shown
    goes_to(caller, USUAL)
    assert "has no diversion of its own" in refused(service, "divert", "remove", NUMBER)
    service.run("undo", shown.partition("(version ")[2].partition(")")[0])
    goes_to(caller, FLOOD)
    service.run("divert", "remove", NUMBER)
    goes_to(caller, USUAL)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "A-1", "hochwasser"), "No rule of order A-1 belongs to the plan 'hochwasser'"),
        (("plan", "A-9"), "there is no order 'A-9'"),
        (("plan", "A-9", "x"), "there is no order 'A-9'"),
        (("plan", "A-9", "--off"), "there is no order 'A-9'"),
        (("divert", "arm", "block:b", "--plan", "nie gesehen"), "has no diversion of its own"),
        (("divert", "set", "block:b", "--to", USUAL, "--plan", " x"), "is no name of a plan"),
        (("divert", "set", "block:b", "--to", USUAL, "--note", "x" * 501), "the note is too long"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(service: Service, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(service, *arguments)


def test_a_plan_and_off_together_are_wrong_usage(service: Service) -> None:
    assert service.try_run("plan", "A-1", "x", "--off").returncode == 2
