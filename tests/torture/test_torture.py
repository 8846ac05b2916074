"""The messages of RFC 4475 and RFC 5118 on the wire, against the running service, as the manifest wants them answered.

The answer goes to the port of the top Via on the address that the packet came from (RFC 3261 §18.2.2), so the tests send from
an address of their own and listen there on every port that the vectors name.
"""

import json
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.caller import Caller, ping
from tests.harness.document import IDLE_LINE, idle_pair
from tests.harness.service import Service
from tests.harness.sip import Endpoint, Message, parse

pytestmark = [pytest.mark.service, pytest.mark.torture]

VECTORS = Path(__file__).parent.parent / "vectors" / "torture"
MESSAGES: list[dict[str, Any]] = json.loads((VECTORS / "manifest.json").read_text(encoding="utf-8"))["messages"]
SOURCE = "127.0.0.61"
ANSWER_S = 2.0
SILENCE_S = 0.3

SILENT = {"unreason", "noreason", "scalarlg", "bigcode", "bcast"}
"""Responses that belong to nothing: dropped."""

# What the manifest's words mean in status codes. "Well-formed handling" is any answer but 400.
BAD_REQUEST = {400}
STATUSES: dict[str, set[int]] = {
    "200 with 2 bindings|401|403|404": {200, 401, 403, 404},
    "forward|404|501+Allow|405": {403, 404, 405, 501},
    "forward|404|501|405": {403, 404, 405, 501},
    "exactly one response, to the REGISTER (200|401|403|404)": {200, 401, 403, 404},
    "400": BAD_REQUEST,
    "UDP 400; TCP close after timeout": BAD_REQUEST,
    "UDP 400; TCP error and/or close": BAD_REQUEST,
    "505": {505},
    "501|400": {400, 501},
    "400 (ideal)|silent drop": BAD_REQUEST,
    "416": {416},
    "416|404": {404, 416},
    "registrar 400; proxy forwards": BAD_REQUEST,
    "420 + Unsupported": {420},
    "401 + WWW-Authenticate|200|405": {200, 401, 405},
    "483|200 (final recipient of OPTIONS)": {200, 483},
    "200|401": {200, 401, 403, 404},  # the registrar does not know the user: refused for that, not for the form
    "400|200 with Route kept inside the contact URI|401": {200, 400, 401, 403, 404},
    "200|401|403|404": {200, 401, 403, 404},
}
LIBERAL = ("liberal processing", "processing with headers stripped", "normal processing")


def _allowed(vector: dict[str, Any], status: int) -> bool:
    accept = vector["accept"]
    if accept in STATUSES:
        return status in STATUSES[accept]
    if any(word in accept for word in LIBERAL):
        return 200 <= status <= 699
    return 200 <= status <= 699 and status != 400


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[int, Endpoint]]:
    """Bind every port that a vector's top Via names, on an address that nobody else uses."""
    wanted = {vector["top_via_port"] or 5060 for vector in MESSAGES} | {5060}
    bound = {port: Endpoint(SOURCE, port) for port in sorted(wanted)}
    yield bound
    for endpoint in bound.values():
        endpoint.close()


@pytest.mark.parametrize("vector", MESSAGES, ids=lambda vector: f"{vector['rfc']}-{vector['name']}")
def test_vector_is_handled_as_the_manifest_says(vector: dict[str, Any], service: Service, ports: dict[int, Endpoint]) -> None:
    for endpoint in ports.values():
        _drain(endpoint)
    sender = ports[vector["top_via_port"] or 5060]
    sender.send((VECTORS / vector["wire"]).read_bytes(), service.address)

    if vector["name"] in SILENT:
        received = _received(ports, SILENCE_S)
        assert received == [], f"a stray response was answered with {received[0].start}"
    else:
        received = _received(ports, ANSWER_S)
        finals = [message for message in received if message.status >= 200]
        if finals or vector["name"] != "insuf":  # without Call-ID, From and To silence is allowed
            assert finals, f"no answer; wanted: {vector['accept']}"
            refused = [message.start for message in finals if not _allowed(vector, message.status)]
            assert not refused, f"{refused[0]}; wanted: {vector['accept']}"
            _look_closer(vector, finals)

    assert ping(sender, service.address).status == 200, "the proxy does not answer OPTIONS any more"
    _good_call(service)


def _look_closer(vector: dict[str, Any], finals: list[Message]) -> None:
    first = finals[0]
    name = vector["name"]
    if name == "dblreq":
        assert {message.cseq[1] for message in finals} == {"REGISTER"}, "octets behind the message were processed"
    if name == "intmeth" and first.status == 501:
        assert first.all("allow"), "501 lists what is supported (RFC 3261 §21.5.2)"
    if name == "bext01":
        assert first.all("unsupported"), "420 names what is not supported (RFC 3261 §21.4.15)"
    if name == "regaut01" and first.status == 401:
        assert first.all("www-authenticate")


def _good_call(service: Service) -> None:
    service_line, target = idle_pair("042")
    with Caller(service.address) as core:
        call = core.dial(service_line)
        assert call.final.status == 302, f"the good call ended with {call.final.start}; line {IDLE_LINE} is down"
        assert target in call.final.first("contact")


def _received(ports: dict[int, Endpoint], wait_s: float) -> list[Message]:
    """Return what arrives until the first final response and a moment after it, or nothing within ``wait_s``."""
    found: list[Message] = []
    deadline = time.monotonic() + wait_s
    while (left := deadline - time.monotonic()) > 0:
        readable, _, _ = select.select([endpoint.socket for endpoint in ports.values()], [], [], left)
        for sock in readable:
            data, source = sock.recvfrom(65_535)
            message = parse(data, source[:2])
            found.append(message)
            if message.status >= 200:
                deadline = min(deadline, time.monotonic() + 0.05)
    return found


def _drain(endpoint: Endpoint) -> None:
    while endpoint.receive(0.001):
        pass
