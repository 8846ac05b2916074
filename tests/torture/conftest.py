"""Services for the torture messages, each with a gateway that takes the good calls and sees whatever is forwarded."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness.document import GATEWAY_LINE, IDLE_LINE, document
from tests.harness.phone import Phone
from tests.harness.ports import free_port
from tests.harness.service import Service
from tests.torture.vectors import USERS


@dataclass
class Stage:
    """A service and the phone system behind its static line."""

    service: Service
    gateway: Phone

    def forwarded(self) -> list[str]:
        """Return the start lines of what the gateway received, probes apart."""
        return [message.start for message in list(self.gateway.log) if message.method != "OPTIONS"]


@contextmanager
def _stage(*, open_registrar: bool) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="sipproxy-"))
    changes = {"sip": {"domains": ["example.com"]}, "registrar": {"open": open_registrar}}
    service = Service(folder, changes=changes)
    port = free_port()
    try:
        service.start()
        service.load(_document(port))
        with Phone(proxy=service.address, port=port) as gateway:
            service.wait_for_health(GATEWAY_LINE, "up")
            service.wait_for_health(IDLE_LINE, "down")
            yield Stage(service, gateway)
    finally:
        service.close()
        shutil.rmtree(folder, ignore_errors=True)


def _document(gateway: int) -> dict[str, object]:
    """Add a line for each user that the vectors register."""
    loaded = document(gateway=gateway)
    loaded["customers"][0]["orders"] += [
        {
            "id": f"order-torture-{at}",
            "product": "sipAccount 2.0",
            "site": {"id": f"site-torture-{at}", "address": "Musterstraße 1, Musterstadt"},
            "lines": [{"id": f"line-torture-{at}", "user": user, "password": "of a torture line"}],
            "numbers": [f"+49699000950{at}"],
        }
        for at, user in enumerate(USERS)
    ]
    return loaded


@pytest.fixture(scope="module")
def digest_stage() -> Iterator[Stage]:
    """Give a service whose registrar wants digest."""
    with _stage(open_registrar=False) as stage:
        yield stage


@pytest.fixture(scope="module")
def open_stage() -> Iterator[Stage]:
    """Give a service whose registrar lets anybody in."""
    with _stage(open_registrar=True) as stage:
        yield stage
