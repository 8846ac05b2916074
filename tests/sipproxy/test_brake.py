"""The brake at the running service: real calls, over a restart, released by itself never too soon and by hand at once."""

from typing import Any

import pytest

from sipproxy.admin.client import AdminClient
from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.document import document, idle_pair
from tests.harness.ports import free_port
from tests.harness.service import Service
from tests.harness.waiting import until

pytestmark = [pytest.mark.service]
ORDER = "order-idle"
"""Its line never registers, so each call to it is diverted."""
LIMIT = 10


def limited(per_hour: int = LIMIT) -> dict[str, Any]:
    """Return the document with few diverted calls allowed."""
    found = document(gateway=free_port())
    found["customers"][0]["limits"] = {"diverted_per_hour": per_hour, "diverted_per_day": 1000}
    return found


def ask(service: Service, op: str, **args: object) -> Any:
    """Ask the service itself: a command takes half a second to start."""
    return AdminClient(service.folder / "data/admin.sock", start_hint="").request(op, **args)


def counts(service: Service) -> dict[str, Any]:
    """Return what the brake knows of the order; {} for nothing."""
    rows = [row for row in ask(service, "brake")["orders"] if row["order"] == ORDER]
    return rows[0] if rows else {}


def told(service: Service) -> list[str]:
    """Return what the brake told, oldest first."""
    return [event["change"] for event in ask(service, "events", limit=1000)["events"] if event["kind"] == "brake"]


def divert(core: Caller, count: int) -> None:
    """Make calls that must be diverted."""
    number, target = idle_pair("010")
    for _ in range(count):
        assert targets(core.dial(number).final)[0].startswith(f"sip:{target}")


def wait_for(service: Service, level: str, hour: int) -> dict[str, Any]:
    """Wait until the engine has told of so many calls, and the order has this level."""

    def found() -> dict[str, Any] | None:
        row = counts(service)
        return row if row and (row["level"], row["hour"]) == (level, hour) else None

    return until(found, timeout_s=20, what=f"{ORDER} to be {level} after {hour} calls, it is {counts(service)}")


@pytest.fixture
def braked(start_service: StartService) -> Service:
    """Return a service whose rules of the order rest."""
    service = start_service(load=False, changes={"brake": {"enabled": True}})
    service.load(limited())
    with Caller(service.address) as core:
        divert(core, LIMIT - 2)
        wait_for(service, "warned", LIMIT - 2)
        divert(core, 2)
        wait_for(service, "resting", LIMIT)
    return service


def rests(service: Service) -> bool:
    """Say whether a call is refused because its rule rests."""
    with Caller(service.address) as core:
        return core.dial(idle_pair("010")[0]).final.status == 480


def test_above_the_limit_the_rules_of_the_order_rest_and_all_views_say_why(braked: Service) -> None:
    until(lambda: rests(braked), what="the rules to rest")
    why = f"{LIMIT} calls of its order were diverted within an hour, and {LIMIT} are allowed"
    explained = braked.explain(idle_pair("010")[0])
    assert explained["decision"] == "unavailable"
    assert any(why in rule["text"] for rule in explained["rules"])
    line = braked.lines()["line-idle"]
    assert (line["armed"], line["diverting"], line["rests"]) == (False, False, why)
    assert ORDER in braked.run("status")
    assert why in braked.run("line", "show", "line-idle")
    assert f"{LIMIT} of {LIMIT}" in braked.run("brake")
    until(lambda: told(braked) == ["warned", "rests"], what="warning and alarm to be told once each")
    until(lambda: "its rules rest: " in braked.run("history", "line-idle"), what="the end of the diversion with its reason")
    found = braked.metrics()
    assert found['sipproxy_brake_orders{level="resting"}'] == 1
    assert found['sipproxy_brake_trips_total{span="hour"}'] == 1
    assert "the rules of the order rest" in braked.log()
    row = counts(braked)
    assert row["ends_unix_ms"] > row["since_unix_ms"] + 55 * 60_000


def test_a_restart_ends_no_rest_and_resets_no_count(braked: Service) -> None:
    until(lambda: rests(braked), what="the rules to rest")
    until(lambda: told(braked) == ["warned", "rests"], what="warning and alarm to be stored")
    until(lambda: not ask(braked, "brake")["unsaved"], what="counts and rest to be stored")
    for end in (braked.kill, braked.stop):
        end()
        braked.start()
        assert rests(braked)
        row = counts(braked)
        assert (row["level"], row["hour"]) == ("resting", LIMIT)
    assert told(braked) == ["warned", "rests"]


def test_a_release_by_hand_counts_anew(braked: Service) -> None:
    until(lambda: rests(braked), what="the rules to rest")
    braked.run("brake", "release", ORDER)
    assert not rests(braked)
    with Caller(braked.address) as core:
        divert(core, 3)
    until(lambda: told(braked)[:3] == ["warned", "rests", "ended"], what="the release to be told")
    braked.stop()
    braked.start()
    assert not rests(braked)
    again = braked.try_run("brake", "release", ORDER)
    assert again.returncode == 1
    assert "do not rest" in again.stderr
    assert braked.try_run("brake", "release", "nobody").returncode == 1


def test_a_raised_limit_lets_the_rules_count_again(braked: Service) -> None:
    until(lambda: rests(braked), what="the rules to rest")
    braked.load(limited(per_hour=1000))
    until(lambda: not rests(braked), timeout_s=20, what="the rules to count again")
    until(lambda: told(braked)[-1] == "ended", what="the end to be told")


def test_with_the_brake_off_all_is_told_and_nothing_rests(start_service: StartService) -> None:
    service = start_service(load=False, changes={"brake": {"enabled": False}})
    service.load(limited())
    with Caller(service.address) as core:
        divert(core, LIMIT)
        wait_for(service, "resting", LIMIT)
        divert(core, 1)
    until(lambda: told(service)[-1:] == ["would_rest"], what="the limit to be told")
    assert "the brake is off" in service.run("brake")


def test_a_shared_target_is_told_and_saved(start_service: StartService) -> None:
    service = start_service()
    done = service.run("divert", "set", "block:block-idle", "--to", "+491713920044")
    assert "400 numbers" in done
    (target,) = service.explain(idle_pair("010")[0])["targets"]
    assert target.startswith("sip:+491713920044@")
    assert "400 numbers" not in service.run("divert", "disarm", "block:block-idle")
