"""What happened is in the store: readable, in order, once, over a store that was away and a proxy that was killed."""

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from routing.profiles import PROFILES
from sipproxy._engine import detection_bounds
from sipproxy.admin.client import AdminClient
from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.document import ACCOUNT, GATEWAY_LINE, IDLE_LINE, TRUNK, VOIP
from tests.harness.phone import Phone
from tests.harness.service import QUICK, Service, command
from tests.harness.waiting import until

pytestmark = [pytest.mark.service]


def ask(service: Service, op: str, **args: object) -> Any:
    """Ask the service itself: a command takes half a second to start."""
    return AdminClient(service.folder / "data/admin.sock", start_hint="").request(op, **args)


def told(service: Service, line: str, **more: object) -> list[dict[str, Any]]:
    """Return a line's events, oldest first."""
    found: list[dict[str, Any]] = ask(service, "history", line=line, **more)["events"]
    return found


def starts(service: Service) -> list[dict[str, Any]]:
    """Return the starts of the process, oldest first."""
    return [event for event in ask(service, "events", limit=1000)["events"] if event["kind"] == "started"]


def written(service: Service) -> None:
    """Wait until neither an event nor a verdict waits for the store."""

    def saved() -> bool:
        found = service.metrics()
        return not found["sipproxy_history_waiting"] and not found['sipproxy_unsaved{kind="verdicts"}']

    until(saved, what="all to be written", timeout_s=60)


def shapes(events: list[dict[str, Any]]) -> list[str]:
    """Return the events in two words each; counts of calls have no fixed place."""
    words = {"verdict": "health", "wish": "wish"}
    return [f"{e['kind']} {e.get(words.get(e['kind'], 'change'), '')}".strip() for e in events if e["kind"] != "calls"]


def wait_for(service: Service, line: str, *last: str, timeout_s: float = 15.0) -> list[dict[str, Any]]:
    """Wait until the newest events have these shapes; return all."""

    def found() -> list[dict[str, Any]] | None:
        events = told(service, line)
        return events if shapes(events)[-len(last) :] == list(last) else None

    return until(found, timeout_s=timeout_s, what=f"{line} to end with {last}, it has {shapes(told(service, line))}")


@pytest.fixture
def trunk() -> Iterator[list[Phone]]:
    """Collect phones, to end them."""
    phones: list[Phone] = []
    yield phones
    for phone in phones:
        phone.close()


def registered(service: Service, phones: list[Phone]) -> Phone:
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    phone.register_ok()
    phones.append(phone)
    service.wait_for_health(TRUNK.line, "up")
    phone.start()
    service.wait_for_answers(TRUNK.line)
    return phone


def test_an_outage_is_told_from_its_evidence_to_the_first_call_that_is_delivered_again(
    start_service: StartService, trunk: list[Phone]
) -> None:
    service = start_service()
    phone = registered(service, trunk)
    wait_for(service, TRUNK.line, "verdict up", "diversion ended")
    phone.silent = True
    wait_for(service, TRUNK.line, "verdict suspect", "verdict down", "diversion began")
    with Caller(service.address) as core:
        for _ in range(3):
            assert targets(core.dial(TRUNK.number).final)[0].startswith(f"sip:{TRUNK.target}")
        phone.silent = False
        wait_for(service, TRUNK.line, "verdict up", "diversion ended")
        core.whole_call(TRUNK.number)
    events = wait_for(service, TRUNK.line, "diversion ended", "returned")
    assert shapes(events) == [
        "verdict down",  # it had not registered yet
        "diversion began",
        "registration added",
        "verdict up",
        "diversion ended",
        "verdict suspect",
        "verdict down",
        "diversion began",
        "verdict up",
        "diversion ended",
        "returned",
    ]
    down, began = events[6], events[7]
    assert down["cause"] == began["cause"] == "options_timeout"
    assert "OPTIONS" in down["evidence"]
    assert began["place"]
    assert events[9]["diverted"] == 3
    assert events[9]["why"] == "the line is back"
    ids = [event["id"] for event in events]
    assert len(set(ids)) == len(ids)
    assert {event["line"] for event in events} == {TRUNK.line}
    assert {event["order"] for event in events} == {"order-trunk"}

    calls = [event for event in told(service, TRUNK.line, calls=True) if event["kind"] == "diverted"]
    assert len(calls) == 3
    assert all(call["number"].startswith(TRUNK.number[:-3]) and TRUNK.number not in call["number"] for call in calls)
    shown = service.run("history", TRUNK.line)
    assert "calls are diverted: OPTIONS not answered" in shown
    assert "3 diverted in" in shown
    german = service.run("history", TRUNK.line, "--lang", "de")
    assert any(words in german for words in ("nicht unterscheidbar", "Störung de", "Störung in"))
    assert TRUNK.line in service.run("events")
    assert "started (" in service.run("events")


def test_follow_shows_events_as_they_happen(start_service: StartService) -> None:
    service = start_service()
    arguments = [*command(), "events", "--follow", "--json", "--config", str(service.config_file)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as follower:
        try:
            assert follower.stdout is not None
            kinds = [json.loads(follower.stdout.readline())["kind"]]
            service.run("line", "drain", GATEWAY_LINE, "--note", "Umbau")
            while kinds[-1] != "wish":
                kinds.append(json.loads(follower.stdout.readline())["kind"])
        finally:
            follower.kill()
    assert "started" in kinds


def test_an_unknown_line_and_a_wrong_time_get_a_sentence(start_service: StartService) -> None:
    service = start_service()
    done = service.try_run("history", "line-nobody")
    assert done.returncode == 1
    assert "there is no line 'line-nobody'" in done.stderr
    assert service.try_run("history", TRUNK.line, "--since", "soon").returncode == 2
    assert service.try_run("line", "drain", "line-nobody").returncode == 1


def test_what_happens_while_the_store_is_away_is_all_there_afterwards_in_order_and_once(
    start_service: StartService, trunk: list[Phone], folder: Any
) -> None:
    program = folder / "server"
    binary = subprocess.run(
        ["which", "valkey-server", "redis-server"], capture_output=True, text=True, check=False
    ).stdout.split()
    if not binary:
        pytest.skip("this test needs valkey-server or redis-server")
    program.write_text(f'#!/bin/sh\nexec {binary[0]} "$@"\n')
    program.chmod(0o755)
    service = start_service(changes={"store": {"server_binary": str(program), "timeout_s": 1}})
    phone = registered(service, trunk)
    before = len(wait_for(service, TRUNK.line, "verdict up", "diversion ended"))
    program.write_text("#!/bin/sh\nexit 1\n")
    service.kill_store()
    for silent, health in ((True, "down"), (False, "up"), (True, "down"), (False, "up")):
        phone.silent = silent
        service.wait_for_health(TRUNK.line, health)
    waiting = service.metrics()["sipproxy_history_waiting"]
    assert waiting >= 10
    assert "events wait for the store, 100000 at most" in service.run("status")
    assert "not readable" in service.try_run("history", TRUNK.line).stderr
    program.write_text(f'#!/bin/sh\nexec {binary[0]} "$@"\n')
    written(service)
    outage = ["verdict suspect", "verdict down", "diversion began", "verdict up", "diversion ended"]
    events = told(service, TRUNK.line)
    assert shapes(events[before:]) == [*outage, *outage]
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))
    assert service.metrics()['sipproxy_history_events_total{fate="lost"}'] == 0


def test_a_kill_loses_nothing_that_was_told_and_tells_nothing_twice(start_service: StartService, trunk: list[Phone]) -> None:
    service = start_service()
    phone = registered(service, trunk)
    phone.silent = True
    before = wait_for(service, TRUNK.line, "diversion began")
    written(service)
    service.kill()
    service.start()
    first, second = until(lambda: both if len(both := starts(service)) == 2 else None, what="the second start to be told")
    assert (first["before"]["end"], second["before"]["end"]) == ("unknown", "killed")
    assert second["restored"]["bindings"] == 1
    assert second["restored"]["verdicts"] > 1
    assert first["boot"] < second["boot"]
    after = told(service, TRUNK.line)
    assert after[: len(before)] == before
    assert "diversion began" not in shapes(after[len(before) :]), "the diversion goes on, it begins no second time"

    phone.silent = False
    ended = wait_for(service, TRUNK.line, "verdict up", "diversion ended")[-1]
    assert ended["began_unix_ms"] == before[-1]["at_unix_ms"]
    service.stop()
    service.start()
    until(
        lambda: [event["before"]["end"] for event in starts(service)] == ["unknown", "killed", "stopped"],
        what="the third start to be told",
    )


def test_wishes_are_stored_with_their_author_and_act_at_once(start_service: StartService, trunk: list[Phone]) -> None:
    service = start_service()
    registered(service, trunk)
    with Caller(service.address) as core:
        service.run("line", "force-down", TRUNK.line, "--minutes", "30", "--note", "Tausch der Anlage")
        assert service.wait_for_health(TRUNK.line, "down")["wish"] == "forced_down"
        until(lambda: core.dial(TRUNK.number).final.status == 302, what="the wish to act")
        shown = service.run("line", "show", TRUNK.line)
        assert "forced_down by " in shown
        assert "Tausch der Anlage" in shown
        assert "up since" in shown, "the observation is not touched"
        told_bounds = " ".join(shown.split())
        bounds = detection_bounds({**PROFILES["registered"], **QUICK})
        assert f"is noticed within {bounds['clean_s']:g} s on a line that lost nothing for long," in told_bounds
        assert f"{bounds['fresh_s']:g} s on one that is new, {bounds['bound_s']:g} s on the worst" in told_bounds
        assert f"is noticed within {bounds['recovery_s']:g} s after a first fall" in told_bounds
        service.run("line", "enable", TRUNK.line)
        until(lambda: service.lines()[TRUNK.line]["wish"] == "enabled", what="the wish to be taken back")
        core.whole_call(TRUNK.number)
    events = wait_for(service, TRUNK.line, "wish enabled", "diversion ended", "returned")
    wish = next(event for event in events if event["kind"] == "wish")
    assert (wish["wish"], wish["previous"], wish["note"]) == ("forced_down", "enabled", "Tausch der Anlage")
    assert wish["by"]
    # A line that is forced up is tried whatever is observed; a document that names no wish leaves it alone.
    service.run("line", "force-up", IDLE_LINE)
    service.wait_for_health(IDLE_LINE, "up")
    service.run("load", str(service.folder / "document.json"))
    assert service.lines()[IDLE_LINE]["wish"] == "forced_up"


def test_a_drill_diverts_proves_it_and_ends_by_command(start_service: StartService, trunk: list[Phone]) -> None:
    service = start_service()
    registered(service, trunk)
    refused = service.try_run("drill", GATEWAY_LINE, "--minutes", "500")
    assert refused.returncode == 2
    service.run("drill", TRUNK.line, "--minutes", "5", "--note", "Probe")
    with Caller(service.address) as core:
        until(lambda: core.dial(TRUNK.number).final.status == 302, what="calls to be diverted")
        assert core.dial(TRUNK.number).final.status == 302
        service.run("drill", "end", TRUNK.line)
        until(lambda: service.lines()[TRUNK.line]["wish"] == "enabled", what="the drill to end")
        core.whole_call(TRUNK.number)
    wait_for(service, TRUNK.line, "drill ended", "diversion ended", "returned")
    proof = json.loads(service.run("drill", "report", TRUNK.line, "--json"))
    assert proof["by"]
    assert proof["note"] == "Probe"
    assert proof["began_unix_ms"] < proof["ended_unix_ms"] < proof["returned_unix_ms"]
    assert proof["diverted"] == len(proof["calls"]) >= 2
    assert {call["target"].lstrip("+") for call in proof["calls"]} == {TRUNK.target.lstrip("+")}
    assert TRUNK.number not in json.dumps(proof["calls"])
    shown = service.run("drill", "report", TRUNK.line)
    assert "and back  first call delivered" in shown
    assert "extensions" in shown or "block block-trunk" in shown, "what was armed"


def test_a_drill_without_an_armed_rule_is_refused_with_the_remedy(start_service: StartService) -> None:
    service = start_service()
    service.run("divert", "disarm", "order:order-phone-b")
    done = service.try_run("drill", ACCOUNT.line, "--minutes", "5")
    assert done.returncode == 1
    assert "no armed rule" in done.stderr
    assert "sipproxy divert set" in done.stderr
    assert service.lines()[ACCOUNT.line]["wish"] == "enabled"
    # A site or an order drills the lines that have one.
    assert VOIP.line in service.run("drill", "site:site-order-phone-c", "--minutes", "5")
    assert "there is no order" in service.try_run("drill", "order:nobody", "--minutes", "5").stderr
    assert "there is no line 'nobody'" in service.try_run("drill", "report", "nobody").stderr


def test_a_drill_ends_at_its_instant_also_while_the_proxy_is_down(start_service: StartService, trunk: list[Phone]) -> None:
    service = start_service()
    phone = registered(service, trunk)
    document = json.loads((service.folder / "document.json").read_text())
    line = document["customers"][0]["orders"][0]["lines"][0]
    ends = time.time() + 12
    line |= {"wish": "drill", "wish_until": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(ends))}
    service.load(document)
    began = wait_for(service, TRUNK.line, "drill began", "diversion began")
    until_ms = began[-2]["until_unix_ms"]
    written(service)
    service.kill()
    until(lambda: time.time() * 1000 > until_ms, timeout_s=20, what="the drill's end")
    service.start()
    with Caller(service.address) as core:
        core.whole_call(TRUNK.number)
    events = wait_for(service, TRUNK.line, "drill ended", "diversion ended", "returned")
    ended = next(event for event in events if event["kind"] == "drill" and event["change"] == "ended")
    assert ended["by_itself"] is True
    assert ended["at_unix_ms"] == until_ms
    assert phone.count("INVITE") == 1
