"""One SIPp scenario per feature, against the running service."""

from pathlib import Path

import pytest

from tests.conftest import StartService
from tests.harness.caller import Caller
from tests.harness.digest import algorithm as challenge_algorithm
from tests.harness.document import (
    ACCOUNT,
    BRIEF,
    GATEWAY_LINE,
    GATEWAY_NUMBER,
    GATEWAY_TARGET,
    IDLE_LINE,
    TRUNK,
    UNKNOWN_NUMBER,
    Registered,
    idle_pair,
)
from tests.harness.phone import Phone
from tests.harness.service import Service
from tests.harness.sipp import Sipp

pytestmark = [pytest.mark.service, pytest.mark.sip]

CALLS = 20
GATEWAY_ROWS = [[f"{GATEWAY_NUMBER}{extension:02}"] for extension in range(CALLS)]


def test_calls_of_a_line_that_is_down_are_redirected_with_extension_kept(service: Service, folder: Path) -> None:
    service.wait_for_health(IDLE_LINE, "down")
    rows = [idle_pair(f"{extension:03}") for extension in range(CALLS)]
    Sipp("redirect", folder, remote=service.address, rows=rows, calls=CALLS).run()


@pytest.mark.parametrize("scenario", ["call", "cancel", "reinvite"])
def test_calls_of_a_healthy_line_are_proxied(scenario: str, service: Service, folder: Path, gateway_port: int) -> None:
    with Sipp(f"uas_{scenario}", folder, port=gateway_port):
        service.wait_for_health(GATEWAY_LINE, "up")
        Sipp(scenario, folder, remote=service.address, rows=GATEWAY_ROWS, calls=CALLS).run()


def test_calls_follow_the_gateway_down_and_up_again(service: Service, folder: Path, gateway_port: int) -> None:
    rows = [[row[0], GATEWAY_TARGET] for row in GATEWAY_ROWS[:3]]
    with Sipp("uas_call", folder, port=gateway_port):
        service.wait_for_health(GATEWAY_LINE, "up")
        Sipp("call", folder, remote=service.address, rows=rows, calls=3).run()
    service.wait_for_health(GATEWAY_LINE, "down")
    Sipp("redirect", folder, remote=service.address, rows=rows, calls=3).run()
    with Sipp("uas_call", folder, port=gateway_port):
        service.wait_for_health(GATEWAY_LINE, "up")
        Sipp("call", folder, remote=service.address, rows=rows, calls=3).run()


def test_digest_registration_with_the_right_password(service: Service, folder: Path) -> None:
    Sipp("register", folder, remote=service.address, rows=[_row(ACCOUNT, service)], calls=1).run()


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_a_phone_registers_with_the_algorithm_that_it_knows(service: Service, algorithm: str) -> None:
    phone = Phone(proxy=service.address, user=TRUNK.user, password=TRUNK.password, algorithm=algorithm)
    refused = phone.register(password="wrong")
    offered = [challenge_algorithm(challenge) for challenge in refused.all("www-authenticate")]
    assert refused.status in {401, 403}
    assert offered in ([], ["SHA-256", "MD5"]), "the strongest comes first (RFC 8760 §2.3)"
    phone.register_ok()
    assert phone.register(expires_s=0).status == 200
    phone.close()


def test_digest_registration_with_a_wrong_password_is_refused(service: Service, folder: Path) -> None:
    Sipp("register_wrong", folder, remote=service.address, rows=[_row(ACCOUNT, service, password="wrong")], calls=1).run()


def test_an_old_nonce_is_stale_and_the_phone_registers_with_a_new_one(folder: Path, start_service: StartService) -> None:
    service = start_service(changes={"registrar": {"nonce_life_s": 10}})
    Sipp("register_stale", folder, remote=service.address, rows=[_row(ACCOUNT, service)], calls=1, timeout_s=40).run()


def test_a_binding_ends_when_its_time_is_over(service: Service, folder: Path) -> None:
    Sipp("register_expiry", folder, remote=service.address, rows=[_row(BRIEF, service, expires_s=2)], calls=1).run()
    service.wait_for_health(BRIEF.line, "down")
    with Caller(service.address) as core:
        assert core.dial(BRIEF.number).final.status == 302


def test_the_proxy_answers_options_itself(service: Service, folder: Path) -> None:
    Sipp("options", folder, remote=service.address, calls=5).run()


def test_a_number_that_nobody_has_gets_404(service: Service) -> None:
    with Caller(service.address) as core:
        assert core.dial(UNKNOWN_NUMBER).statuses[-1] == 404


def _row(phone: Registered, service: Service, *, password: str = "", expires_s: int = 600) -> list[str]:
    host, port = service.address
    credentials = f"[authentication username={phone.user} password={password or phone.password}]"
    return [phone.user, credentials, f"{host}:{port}", str(expires_s)]
