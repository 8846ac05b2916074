"""Lines whose phones register at somebody else's Kamailio: what happens there moves our verdicts, and calls go back to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.caller import Caller, targets
from tests.harness.phone import Phone
from tests.harness.registrar import DOMAIN, ForeignRegistrar
from tests.harness.service import QUICK, Service
from tests.harness.sip import Endpoint, Message, host_port
from tests.harness.waiting import until

pytestmark = [pytest.mark.service, pytest.mark.timeout(120)]

NUMBER, TARGET = "+493023125400", "+491713920040"
LINE, USER = "line-elsewhere", "alice"
FOREIGN = {**QUICK, "trying_timer_s": 3.0, "hold_s": 0.2}
"""The profile's judge_options is left as the product has it: a foreign line is not probed."""


def document(user: str = USER) -> dict[str, object]:
    return {
        "customers": [
            {
                "id": "4712",
                "name": "Anderswo GmbH",
                "orders": [
                    {
                        "id": "order-elsewhere",
                        "product": "sipAccount 2.0",
                        "site": {"id": "site-elsewhere", "address": "Musterstraße 2, Musterstadt"},
                        "lines": [{"id": LINE, "registrar": "ims", "user": user}],
                        "numbers": [NUMBER],
                        "diversions": [{"to": TARGET, "armed": True}],
                    }
                ],
            }
        ]
    }


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[ForeignRegistrar]:
    kamailio = ForeignRegistrar(tmp_path / "kamailio").start()
    try:
        yield kamailio
    finally:
        kamailio.stop()


def running(tmp_path: Path, registrar: ForeignRegistrar, **access: object) -> Service:
    entry = {"name": "ims", "addresses": [host_port(registrar.address)], "domain": DOMAIN, "expires_s": 60, **access}
    service = Service(tmp_path / "service", changes={"registrars": [entry]})
    service.settings["profiles"] |= {"foreign": FOREIGN, "registrar": QUICK}
    service.start()
    service.load(document())
    return service


@pytest.fixture
def service(tmp_path: Path, registrar: ForeignRegistrar) -> Iterator[Service]:
    found = running(tmp_path, registrar)
    try:
        yield found
    finally:
        found.close()


class Handset:
    """A phone and the socket that registers it, so that it can register while it answers calls."""

    def __init__(self, registrar: ForeignRegistrar) -> None:
        self.phone = Phone(proxy=registrar.address, user=USER, domain=DOMAIN).start()
        self._registrant = Phone(proxy=registrar.address, user=USER, domain=DOMAIN)

    def register(self, expires_s: int) -> Message:
        return self._registrant.register(expires_s, contact=f"<sip:{USER}@{self.phone.endpoint.sent_by}>")

    def register_ok(self, expires_s: int) -> None:
        answered = self.register(expires_s)
        assert answered.status == 200, answered

    def close(self) -> None:
        self.phone.close()
        self._registrant.close()


@pytest.fixture
def phone(registrar: ForeignRegistrar) -> Iterator[Handset]:
    found = Handset(registrar)
    try:
        yield found
    finally:
        found.close()


def subscribed(service: Service) -> None:
    name = 'sipproxy_registrar_subscriptions{phase="active"}'
    until(lambda: service.metrics().get(name) == 1, what="the subscription to be active")


def test_registering_expiring_and_leaving_elsewhere_move_the_verdict(
    service: Service, registrar: ForeignRegistrar, phone: Handset
) -> None:
    subscribed(service)
    with Caller(service.address) as caller:
        phone.register_ok(expires_s=60)
        line = service.wait_for_health(LINE, "up")
        assert line["cause"] == "registered"
        assert line["bindings"] == 1
        call = caller.whole_call(NUMBER)
        assert call.final.status == 200
        invite = next(message for message in phone.phone.log if message.method == "INVITE")
        assert host_port(registrar.address) in invite.all("via")[0], "the call went by the registrar's network"
        # The phone leaves.
        phone.register_ok(expires_s=0)
        line = service.wait_for_health(LINE, "down")
        assert line["cause"] in {"removed", "not_registered"}
        diverted = caller.dial(NUMBER)
        assert diverted.final.status == 302
        assert any(TARGET in target for target in targets(diverted.final))
        # It comes back, and then says nothing any more until its registration is over.
        phone.register_ok(expires_s=6)
        service.wait_for_health(LINE, "up")
        line = service.wait_for_health(LINE, "down")
        assert line["cause"] == "expired"
        assert caller.dial(NUMBER).final.status == 302


def test_a_phone_that_dies_with_its_registration_alive_diverts_each_call(
    service: Service, registrar: ForeignRegistrar, phone: Handset
) -> None:
    subscribed(service)
    with Caller(service.address) as caller:
        phone.register_ok(expires_s=60)
        service.wait_for_health(LINE, "up")
        phone.phone.silent = True
        for _ in range(3):
            assert caller.dial(NUMBER).final.status == 302
        service.wait_for_health(LINE, "down")
        assert service.lines()["registrar/ims"]["effective"] == "up", "its registrar is not at fault"


def test_a_registrar_that_is_gone_makes_the_registration_unknown_and_diverts_nothing_at_once(
    service: Service, registrar: ForeignRegistrar, phone: Handset
) -> None:
    subscribed(service)
    with Caller(service.address) as caller:
        phone.register_ok(expires_s=60)
        service.wait_for_health(LINE, "up")
        registrar.stop()
        service.wait_for_health("registrar/ims", "down")
        assert service.lines()[LINE]["effective"] == "up"
        # A call still is tried, and saves itself.
        assert caller.dial(NUMBER).final.status == 302
        assert service.lines()[LINE]["effective"] == "up", "the customer's line is not at fault"
        registrar.start()
        phone.register_ok(expires_s=60)
        service.wait_for_health("registrar/ims", "up")
        assert caller.whole_call(NUMBER).final.status == 200


def test_a_core_that_registers_at_us_itself_says_who_is_there(tmp_path: Path) -> None:
    with Endpoint() as core, Phone(proxy=("127.0.0.1", core.port)) as phone:
        # The core's network is one phone here: calls for the line go there.
        entry = {
            "name": "ims",
            "addresses": [phone.endpoint.sent_by],
            "domain": DOMAIN,
            "mode": "third_party",
        }
        service = Service(tmp_path / "service", changes={"registrars": [entry]})
        service.settings["profiles"] |= {"foreign": FOREIGN, "registrar": QUICK}
        try:
            service.start()
            service.load(document())
            registrant = Phone(proxy=service.address, user=USER, domain=DOMAIN)
            contact = f"<sip:scscf@{core.sent_by}>"
            assert registrant.register(600, contact=contact).status == 200
            service.wait_for_health(LINE, "up")
            with Caller(service.address) as caller:
                caller.whole_call(NUMBER)
                invite = next(message for message in phone.log if message.method == "INVITE")
                assert invite.request_uri == f"sip:{USER}@{DOMAIN}"
                assert registrant.register(0, contact=contact).status == 200
                assert service.wait_for_health(LINE, "down")["cause"] == "removed"
                assert caller.dial(NUMBER).final.status == 302
            assert registrant.register(5, contact=contact).status == 200
            service.wait_for_health(LINE, "up")
            assert service.wait_for_health(LINE, "down")["cause"] == "expired"
            registrant.close()
        finally:
            service.close()


def test_a_register_that_passes_brings_calls_back_by_our_path(tmp_path: Path, registrar: ForeignRegistrar) -> None:
    service = running(tmp_path, registrar, mode="path")
    phone = Phone(proxy=service.address, user=USER, domain=DOMAIN)
    try:
        phone.register_ok(8)
        with phone, Caller(service.address) as caller:
            assert service.wait_for_health(LINE, "up")["bindings"] == 1
            caller.whole_call(NUMBER)
            invite = next(message for message in phone.log if message.method == "INVITE")
            vias = [value.partition(";")[0].partition(" ")[2] for value in invite.all("via")]
            us, them = host_port(service.address), host_port(registrar.address)
            assert vias[:3] == [us, them, us], "by us to the registrar's network, and by its Path back through us"
            assert service.wait_for_health(LINE, "down")["cause"] == "expired"
            assert caller.dial(NUMBER).final.status == 302
    finally:
        service.close()
