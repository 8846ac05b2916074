"""The aiosip client (0.2.0, of 2017): it registers and asks OPTIONS.

It imports on Python 3.11 only after two names are put back. It reads one challenge where the registrar offers two, and answers
qop in the way of RFC 2069, so the computing of the answer is replaced as well; messages, transport and dialog are its own.
"""

import asyncio
import collections
import collections.abc
import types
import warnings
from typing import Any

import pytest

from tests.harness import digest
from tests.harness.document import CLIENT
from tests.harness.ports import free_port
from tests.harness.service import Service

pytestmark = [pytest.mark.service, pytest.mark.phones]
ANSWER_S = 5


class Answer:
    """Stands in for ``aiosip.auth.Auth``: answers the MD5 challenge among those offered."""

    @staticmethod
    def from_authenticate_header(authenticate: str | list[str], method: str, uri: str, username: str, password: str) -> str:
        """Return the Authorization value."""
        offered = [authenticate] if isinstance(authenticate, str) else authenticate
        challenge = next(value for value in offered if digest.algorithm(value) == "MD5")
        return digest.answer(challenge, method=method, uri=uri, username=username, password=password)


@pytest.fixture
def aiosip(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import aiosip with the names that Python no longer has."""
    monkeypatch.setattr(asyncio, "coroutine", types.coroutine, raising=False)
    monkeypatch.setattr(collections, "MutableMapping", collections.abc.MutableMapping, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import aiosip as module  # noqa: PLC0415 - only possible with the two names in place
        from aiosip import dialog  # noqa: PLC0415

    monkeypatch.setattr(dialog, "Auth", Answer)
    return module


async def _start_dialog(aiosip: Any, service: Service, to_uri: str) -> tuple[Any, Any]:
    app = aiosip.Application(loop=asyncio.get_running_loop())
    local = free_port()
    dialog = await app.start_dialog(
        from_uri=f"sip:{CLIENT.user}@{service.address[0]}:{service.address[1]}",
        to_uri=to_uri,
        contact_uri=f"sip:{CLIENT.user}@127.0.0.1:{local}",
        local_addr=("127.0.0.1", local),
        remote_addr=service.address,
        password=CLIENT.password,
    )
    return app, dialog


async def test_an_aiosip_client_registers(aiosip: Any, service: Service) -> None:
    app, dialog = await _start_dialog(aiosip, service, f"sip:{CLIENT.user}@{service.address[0]}:{service.address[1]}")
    try:
        answered = await asyncio.wait_for(dialog.register(expires=120), ANSWER_S)
    finally:
        _close(app)
    assert answered.status_code == 200
    assert service.wait_for_health(CLIENT.line, "up")["bindings"] == 1


async def test_an_aiosip_client_asks_options(aiosip: Any, service: Service) -> None:
    app, dialog = await _start_dialog(aiosip, service, f"sip:{service.address[0]}:{service.address[1]}")
    try:
        answered = await asyncio.wait_for(dialog.send_message("OPTIONS", payload=""), ANSWER_S)
    finally:
        _close(app)
    assert answered.status_code == 200


def _close(app: Any) -> None:
    for transport in app._transports.values():
        transport.close()
