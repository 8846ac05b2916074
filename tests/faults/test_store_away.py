"""The store is missing at start, dies again and again, or its disk is full: calls go on, and nothing acknowledged is lost."""

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller, targets
from tests.harness.document import ACCOUNT, CLIENT, IDLE_LINE, TRUNK, document, idle_pair
from tests.harness.external_store import ExternalStore
from tests.harness.phone import Phone
from tests.harness.service import Service, is_store
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.faults]

NEW_TARGET = "+491713920099"
VERDICT_AGE_S = 1.0
LAST_KNOWN = "data/last-known-rules.jsonl"


@pytest.fixture
def external(folder: Path) -> Iterator[ExternalStore]:
    """Give a running store that is not the service's own."""
    store = ExternalStore(folder / "redis")
    store.start()
    yield store
    store.kill()


def dial(service: Service, number: str) -> tuple[int, list[str]]:
    """Call and return status and targets; an answered call is ended."""
    with Caller(service.address) as core:
        call = core.dial(number)
        if call.final.status == 200:
            core.hang_up(call)
        return call.final.status, targets(call.final)


def saved(service: Service) -> bool:
    """Say whether nothing waits for the store any more."""
    unsaved = json.loads(service.run("status", "--json"))["facts"]["unsaved"]
    return not unsaved["bindings"] and not unsaved["verdicts"]


def wait_for_store(service: Service) -> None:
    """Wait until the store is followed."""
    until(
        lambda: json.loads(service.run("status", "--json"))["facts"]["store"]["state"] == "live",
        what="the store to be followed",
        timeout_s=30,
    )


def refused(service: Service, *command: str) -> str:
    """Run a command that must be refused because nothing can be saved; return what it said."""
    done = service.try_run(*command)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "not saved" in said
    assert "try:" in said, "no remedy"
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ({"server_binary": "/nonexistent/valkey-server"}, "server_binary /nonexistent/valkey-server cannot be executed"),
        ({"url": "redis://sip:geheim@127.0.0.1:9", "timeout_s": 1}, "the store at redis://127.0.0.1:9 cannot be reached"),
    ],
    ids=["no program", "no server"],
)
def test_start_without_a_store_says_why_and_answers_503(start_service: StartService, store: dict[str, Any], why: str) -> None:
    service = start_service(changes={"store": store}, load=False)
    until(lambda: "no rules yet" in service.log(), what="the start to go on without rules", timeout_s=20)
    assert why in service.log()
    assert dial(service, TRUNK.number)[0] == 503, "the core tries elsewhere"
    file = service.folder / "document.json"
    file.write_text(json.dumps(document(gateway=5999)), encoding="utf-8")
    assert why in refused(service, "load", str(file))
    shown = service.run("status")
    assert "running without rules" in shown
    assert "not reached yet" in shown
    assert service.stop() == 0
    assert "geheim" not in service.log(), "the password of the store's url"


def test_data_directory_that_cannot_be_used_ends_the_start(folder: Path) -> None:
    folder.joinpath("file").write_text("no directory")
    service = Service(folder / "s0", changes={"data_dir": str(folder / "file" / "data")})
    with pytest.raises(AssertionError):
        service.start()
    assert service.process is not None
    assert service.process.returncode == 1
    assert "data_dir" in service.log()
    assert "Not a directory" in service.log()
    assert "Traceback" not in service.log()


def test_start_without_the_store_routes_by_the_last_known_rules(start_service: StartService, external: ExternalStore) -> None:
    service = start_service(changes={"store": {"url": external.url, "timeout_s": 1}, "registrar": {"restart_grace_s": 60}})
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    phone.register_ok()
    with phone:
        service.wait_for_health(TRUNK.line, "up")
        until((service.folder / LAST_KNOWN).exists, what="the rules to be written down", timeout_s=20)
        until(lambda: saved(service), what="all to be saved")
        external.kill()
        service.kill()
        service.start()
        until(lambda: "last known rules" in service.log(), what="the last known rules", timeout_s=20)

        # Rules are there, registrations are not: a phone that registers is called, the others are diverted.
        status, to = dial(service, TRUNK.number)
        assert status == 302
        assert TRUNK.target in to[0]
        late = Phone(proxy=service.address, user=ACCOUNT.user, password=ACCOUNT.password)
        late.register_ok()
        with late:
            assert dial(service, ACCOUNT.number)[0] == 200
            assert "cannot be reached" in refused(service, "divert", "set", ACCOUNT.number, "--to", NEW_TARGET)

            external.start()
            wait_for_store(service)
            until(lambda: dial(service, TRUNK.number)[0] == 200, what="the stored registration to be used")
            assert phone.count("REGISTER") == 0
            until(lambda: saved(service), what="the new registration to be saved")
            service.run("divert", "set", ACCOUNT.number, "--to", NEW_TARGET)


def test_rules_that_come_late_bring_registrations_and_verdicts(start_service: StartService, external: ExternalStore) -> None:
    service = start_service(changes={"store": {"url": external.url, "timeout_s": 1}})
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    phone.register_ok()
    with phone:
        since = service.wait_for_health(IDLE_LINE, "down")["since_unix_ms"]
        service.wait_for_health(TRUNK.line, "up")
        until(lambda: saved(service), what="all to be saved")
        time.sleep(VERDICT_AGE_S)
        external.kill()
        service.kill()
        (service.folder / LAST_KNOWN).unlink(missing_ok=True)
        service.start()
        until(lambda: "no rules yet" in service.log(), what="the start without rules", timeout_s=20)
        mark = len(service.log())

        external.start()
        until(lambda: "rules are there" in service.log()[mark:], what="the rules", timeout_s=20)
        assert dial(service, TRUNK.number)[0] == 200
        assert service.lines()[IDLE_LINE]["since_unix_ms"] == since
        number, target = idle_pair("111")
        assert target in dial(service, number)[1][0]
        assert not re.search(r"line down .*line=line-trunk", service.log()[mark:]), "no verdict without the stored registration"


class Load:
    """Calls and registrations without a pause, one thread each, as long as the block lasts."""

    def __init__(self, service: Service, phones: list[Phone]) -> None:
        self.failures: list[str] = []
        self._service, self._phones = service, phones
        self._counts = {self._call: 0, self._register: 0}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=(work,)) for work in self._counts]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def done(self) -> list[int]:
        """How often each was done."""
        return list(self._counts.values())

    def went_on_since(self, before: list[int]) -> bool:
        """Say whether each was done some more times."""
        return all(now > then + 5 for now, then in zip(self.done, before, strict=True))

    def _repeat(self, work: Callable[[], None]) -> None:
        while not self._stop.wait(0.01):
            try:
                work()
            except AssertionError as error:
                self.failures.append(str(error))
            self._counts[work] += 1

    def _call(self) -> None:
        with Caller(self._service.address) as core:
            core.whole_call(TRUNK.number)
            assert core.dial(idle_pair("001")[0]).final.status == 302

    def _register(self) -> None:
        for phone in self._phones:
            phone.register_ok()


@pytest.mark.timeout(120)
def test_store_that_dies_again_and_again_disturbs_no_call_and_no_registration(start_service: StartService) -> None:
    service = start_service()
    phones = [Phone(proxy=service.address, user=who.user, password=who.password) for who in (ACCOUNT, CLIENT)]
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    service.wait_for_health(TRUNK.line, "up")
    service.wait_for_health(IDLE_LINE, "down")
    with trunk:
        with Load(service, phones) as load:
            for _ in range(4):
                before = load.done
                killed = service.kill_store()
                until(lambda before=before: load.went_on_since(before), what="calls and registrations")
                until(lambda killed=killed: _runs(service, killed), what="a new store", timeout_s=30)
        assert load.failures == []
        until(lambda: saved(service), what="what happened meanwhile to be saved", timeout_s=30)

        service.kill_store()
        service.kill()
        service.start()
        lines = service.lines()
        assert {line: lines[line]["bindings"] for line in (TRUNK.line, ACCOUNT.line, CLIENT.line)} == {
            TRUNK.line: 1,
            ACCOUNT.line: 1,
            CLIENT.line: 1,
        }
        assert dial(service, TRUNK.number)[0] == 200
    for phone in phones:
        phone.close()


def _runs(service: Service, killed: int) -> bool:
    return any(is_store(pid) and pid != killed for pid in service.descendants())


def growing(number: int) -> dict[str, Any]:
    """Return a document of a size that fills a small disk soon."""
    orders = [
        {
            "id": f"order-{number}-{n}",
            "product": "sipTrunk 2.0",
            "site": {"id": f"site-{number}-{n}", "address": "Musterstraße 1, Musterstadt"},
            "lines": [{"id": f"line-{number}-{n}", "user": f"user-{number}-{n}", "password": "secret"}],
        }
        for n in range(20)
    ]
    return {"customers": [{"id": f"customer-{number}", "name": "Muster AG", "orders": orders}]}


@pytest.mark.timeout(180)
def test_full_disk_refuses_clearly_and_loses_nothing_acknowledged(start_service: StartService, folder: Path) -> None:
    # A limit of file size stands in for a full disk: the append fails in the same place.
    program = shutil.which("valkey-server") or shutil.which("redis-server")
    assert program, "this test needs valkey-server or redis-server"
    server = folder / "server"
    server.write_text(f"#!/bin/bash\ntrap '' XFSZ\nulimit -S -f 256\nexec {program} \"$@\"\n")
    server.chmod(0o755)
    service = start_service(changes={"store": {"server_binary": str(server), "timeout_s": 2}})
    trunk = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password)
    trunk.register_ok()
    with trunk:
        service.wait_for_health(TRUNK.line, "up")
        until(lambda: saved(service), what="the registration to be saved")
        file = service.folder / "growing.json"
        acknowledged = []
        for number in range(40):
            file.write_text(json.dumps(growing(number)), encoding="utf-8")
            done = service.try_run("load", str(file))
            if done.returncode:
                said = done.stdout + done.stderr
                assert done.returncode == 1, said
                assert "not saved" in said
                break
            acknowledged.append(number)
        else:
            pytest.fail("the limit was never reached")
        assert acknowledged
        # The server restarts in a state that refuses writes and says why; what was kept is served, calls go on.
        until(
            lambda: "disk is full" in service.try_run("divert", "set", ACCOUNT.number, "--to", NEW_TARGET).stderr,
            what="the reason in words",
            timeout_s=30,
        )
        assert dial(service, TRUNK.number)[0] == 200
        late = Phone(proxy=service.address, user=ACCOUNT.user, password=ACCOUNT.password)
        late.register_ok()
        late.close()

        service.kill_store()
        service.kill()
        server.write_text(f'#!/bin/bash\nexec {program} "$@"\n')
        service.start()
        assert service.lines()[TRUNK.line]["bindings"] == 1
        for number in acknowledged:
            file.write_text(json.dumps(growing(number)), encoding="utf-8")
            summary = json.loads(service.run("load", str(file), "--dry-run", "--json"))["summary"]
            # A password makes new hashes of the same text, so every row must be there unchanged.
            assert {kind: row["new"] + row["changed"] for kind, row in summary.items() if row["new"] + row["changed"]} == {}
        assert dial(service, TRUNK.number)[0] == 200
        service.run("divert", "set", ACCOUNT.number, "--to", NEW_TARGET)
