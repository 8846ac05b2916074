"""``kill -9`` of the store, of the proxy, and of both: what was acknowledged is there afterwards."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import StartService
from tests.harness.caller import Call, Caller, targets
from tests.harness.document import (
    ACCOUNT,
    GATEWAY_LINE,
    GATEWAY_NUMBER,
    IDLE_LINE,
    TRUNK,
    TRUNK_OWN_NUMBER,
    idle_pair,
)
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.service import Service, alive
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

NEW_TARGET = "+491713920099"
VERDICT_AGE_S = 1.0
"""Verdicts are written at least this often."""


@contextlib.contextmanager
def registered(service: Service, *, port: int = 0) -> Iterator[Phone]:
    """Give a trunk's phone system that is registered and answers."""
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password, port=port)
    phone.register_ok(expires_s=600)
    with phone:
        yield phone


def redirect_of(service: Service, number: str) -> list[str]:
    """Return the targets of a call, which must be redirected."""
    with Caller(service.address) as core:
        final = core.dial(number).final
        assert final.status == 302, final.start
        return targets(final)


def endpoint_invites(phone: Phone) -> int:
    """How many INVITEs reached the phone's socket, answered or not."""
    return sum(message.method == "INVITE" for message in list(phone.endpoint.seen))


def save_rule(service: Service, target: str) -> None:
    """Save a diversion; when this returns it is acknowledged."""
    service.run("divert", "set", ACCOUNT.number, "--to", target)


def test_killed_store_calls_go_on_and_it_comes_back(start_service: StartService) -> None:
    service = start_service()
    service.wait_for_health(ACCOUNT.line, "down")
    with registered(service), Caller(service.address) as core:
        service.wait_for_health(TRUNK.line, "up")
        save_rule(service, NEW_TARGET)
        killed = service.kill_store()

        core.whole_call(TRUNK.number)
        assert NEW_TARGET in redirect_of(service, ACCOUNT.number)[0]

        until(lambda: not alive(killed), what="the killed store to be gone")
        until(lambda: _store_runs(service, killed), timeout_s=30, what="a new store")
        until(
            lambda: service.try_run("divert", "disarm", ACCOUNT.number).returncode == 0, timeout_s=30, what="a write to be saved"
        )
        # A rule that is not armed is passed over: the order's own holds again (docs/routing.md).
        until(lambda: ACCOUNT.target in redirect_of(service, ACCOUNT.number)[0], what="the saved change to be in force")
        core.whole_call(TRUNK.number)


@pytest.mark.parametrize("store_too", [False, True], ids=["proxy", "both"])
def test_killed_proxy_has_rules_registrations_and_verdicts_after_restart(start_service: StartService, *, store_too: bool) -> None:
    service = start_service()
    with registered(service) as phone:
        service.wait_for_health(TRUNK.line, "up")
        service.wait_for_health(IDLE_LINE, "down")
        since = service.lines()[IDLE_LINE]["since_unix_ms"]
        save_rule(service, NEW_TARGET)
        time.sleep(VERDICT_AGE_S)  # the promise: a verdict is stored at most this late

        family = service.descendants()
        if store_too:
            service.kill_store()
        service.kill()
        if store_too:
            until(lambda: not any(alive(pid) for pid in family), what="every process to be gone")
        service.start()

        # The very first calls: nobody has registered again and no probe had time to fall.
        with Caller(service.address) as core:
            core.whole_call(TRUNK.number)
        number, target = idle_pair("123")
        assert target in redirect_of(service, number)[0]
        assert service.lines()[IDLE_LINE]["since_unix_ms"] == since, "the verdict is the stored one"
        service.wait_for_health(ACCOUNT.line, "down")
        assert NEW_TARGET in redirect_of(service, ACCOUNT.number)[0]
        assert phone.count("REGISTER") == 0


def test_every_acknowledged_registration_survives_a_kill_of_both(start_service: StartService) -> None:
    service = start_service()
    phones = [
        Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password),
        Phone(proxy=service.address, user=ACCOUNT.user, password=ACCOUNT.password, algorithm="MD5"),
    ]
    for phone in phones:
        phone.register_ok()
    # At once: a 200 waits for the store (`store_wait_s`), so what it promised is on disk.
    service.kill_store()
    service.kill()
    service.start()
    with contextlib.ExitStack() as running:
        for phone in phones:
            running.enter_context(phone)
        lines = service.lines()
        assert {lines[TRUNK.line]["bindings"], lines[ACCOUNT.line]["bindings"]} == {1}
        with Caller(service.address) as core:
            core.whole_call(TRUNK_OWN_NUMBER)
            core.whole_call(ACCOUNT.number)


DEFAULT_GRACE = {"registrar": {"restart_grace_s": 60}}
AT_ONCE_S = 0.3
"""Far below the answer timer: the decision was made without asking the line."""


@pytest.mark.parametrize("store_too", [False, True], ids=["proxy", "both"])
@pytest.mark.parametrize("grace", [{}, DEFAULT_GRACE], ids=["no grace", "default grace"])
def test_a_line_whose_phone_died_is_diverted_at_once_after_restart(
    start_service: StartService, grace: dict[str, Any], *, store_too: bool
) -> None:
    gateway_port = free_port()
    gateway = Phone(proxy=("127.0.0.1", 1), port=gateway_port)
    service = start_service(gateway=gateway_port, changes=grace)
    with registered(service) as phone, gateway:
        service.wait_for_health(TRUNK.line, "up")
        service.wait_for_health(GATEWAY_LINE, "up")
        until(lambda: phone.count("OPTIONS") > 1 and gateway.count("OPTIONS") > 1, what="OPTIONS to be answered")
        phone.silent = gateway.silent = True
        lines = (TRUNK.line, GATEWAY_LINE)
        since = {line: service.wait_for_health(line, "down")["since_unix_ms"] for line in lines}
        time.sleep(VERDICT_AGE_S)  # the promise: a verdict is stored at most this late

        if store_too:
            service.kill_store()
        service.kill()
        invites = [endpoint_invites(phone), endpoint_invites(gateway)]
        service.start()

        with Caller(service.address) as core:
            for number in (TRUNK.number, f"{GATEWAY_NUMBER}01"):
                begun = time.monotonic()
                assert core.dial(number).statuses == [302]
                assert time.monotonic() - begun < AT_ONCE_S
        assert [endpoint_invites(phone), endpoint_invites(gateway)] == invites, "the dead were not asked"
        assert {line: service.lines()[line]["since_unix_ms"] for line in lines} == since

        phone.silent = gateway.silent = False
        for line in lines:
            service.wait_for_health(line, "up")
        with Caller(service.address) as core:
            core.whole_call(TRUNK.number)
            core.whole_call(f"{GATEWAY_NUMBER}01")


def test_packets_that_wait_during_a_start_find_the_stored_verdicts(start_service: StartService) -> None:
    service = start_service()
    service.wait_for_health(IDLE_LINE, "down")
    with registered(service):
        service.wait_for_health(TRUNK.line, "up")
        time.sleep(VERDICT_AGE_S)
        service.kill()
        number, target = idle_pair("042")
        with Caller(service.address) as core:
            calls = [core.invite(number), core.invite(TRUNK.number)]
            again = threading.Event()

            def repeat() -> None:
                while not again.wait(0.05):
                    for invite in calls:
                        core.endpoint.send(invite, service.address)

            sender = threading.Thread(target=repeat)
            sender.start()
            try:
                service.start()
            finally:
                again.set()
                sender.join()
            diverted = core.finish(Call(calls[0]))
            assert diverted.statuses == [302]
            assert target in targets(diverted.final)[0]
            answered = core.finish(Call(calls[1]))
            assert answered.final.status == 200, answered.final
            core.hang_up(answered)


def test_a_binding_that_ran_out_while_we_were_down_gets_its_grace(start_service: StartService) -> None:
    service = start_service(changes=DEFAULT_GRACE)
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    granted = phone.register_ok(expires_s=3)
    over = time.monotonic() + 3
    assert granted.status == 200
    service.kill_store()
    service.kill()
    until(lambda: time.monotonic() > over + 0.2, what="the binding to run out")
    service.start()
    with phone, Caller(service.address) as core:
        assert service.lines()[TRUNK.line]["bindings"] == 1
        core.whole_call(TRUNK.number)


def test_missing_store_refuses_writes_clearly_and_loses_nothing(start_service: StartService) -> None:
    service = start_service()
    service.wait_for_health(ACCOUNT.line, "down")
    # Stopped, not dead: the hardest case for time-outs.
    pid = service.store_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        refused = service.try_run("divert", "set", ACCOUNT.number, "--to", NEW_TARGET)
        assert refused.returncode == 1
        assert "not saved" in (refused.stdout + refused.stderr).lower()
        assert ACCOUNT.target in redirect_of(service, ACCOUNT.number)[0]
        with registered(service), Caller(service.address) as core:
            until(lambda: _final_status(core, TRUNK.number) == 200, what="a call of a line registered meanwhile")
    finally:
        os.kill(pid, signal.SIGCONT)
    until(
        lambda: service.try_run("divert", "set", ACCOUNT.number, "--to", NEW_TARGET).returncode == 0,
        timeout_s=30,
        what="a write to be saved again",
    )
    until(lambda: NEW_TARGET in redirect_of(service, ACCOUNT.number)[0], what="the saved rule to be in force")


def _store_runs(service: Service, killed: int) -> bool:
    with contextlib.suppress(AssertionError, OSError):
        return service.store_pid() != killed
    return False


def _final_status(core: Caller, number: str) -> int:
    call = core.dial(number)
    if call.final.status == 200:
        core.hang_up(call)
    return call.final.status
