"""The messages of RFC 4475 and RFC 5118 on the wire, against the running service, as the manifest wants them answered.

The answer goes to the port of the top Via on the address that the packet came from (RFC 3261 §18.2.2), so the tests send from
an address of their own and listen there on every port that the vectors name. Each vector is sent as it is; then, because its
users are no numbers and a proxy for numbers would forward none of them, with its Request-URI aimed at a number of a healthy
line; and each REGISTER to a registrar without digest as well. After each, real calls must work.
"""

import os
import re
import select
import time
from collections.abc import Iterator

import pytest

from tests.harness.caller import Caller, ping
from tests.harness.document import GATEWAY_NUMBER, idle_pair
from tests.harness.sip import Endpoint, Message, parameter, parse, uri
from tests.torture.conftest import Stage
from tests.torture.vectors import BY_NAME, VECTORS, Vector

pytestmark = [pytest.mark.service, pytest.mark.torture]

# Runs side by side must not take each other's fixed ports.
SOURCE = f"127.61.{os.getpid() // 250 % 250}.{os.getpid() % 250 + 1}"
ANSWER_S = 2.0
SILENCE_S = 0.3
MORE_S = 0.1
AIMED_AT = f"{GATEWAY_NUMBER}61"

REGISTERS = [vector for vector in VECTORS if vector.method == "REGISTER"]
FOR_NUMBERS = [vector for vector in VECTORS if vector.method != "REGISTER" and not vector.is_response]
FORWARDED = {
    *("wsinv", "esc01", "longreq", "baddate", "invut", "sdp01", "inv2543"),
    *("ipv6-in-sdp", "mult-ip-in-sdp", "ipv4-mapped-ipv6"),
    *("intmeth", "esc02", "lwsdisp", "semiuri", "transports", "badbranch"),
    *("via-received-param-no-delim", "ipv6-correct-abnf-2-colons"),
    *("badaspec", "ipv6-bug-abnf-3-colons"),
}
"""What a proxy has to forward if the number is right, and two whose faults, in To, harm nobody.

Not ``mpart01``: its Route leads elsewhere, and we are no relay. Of the other invalid ones it forwards none."""

BOUND = {
    "escnull": ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"],
    "dblreq": ["sip:j.user@host.example.com"],
    "regaut01": [],
    "cparam01": ["sip:+19725552222@gw1.example.net"],
    "cparam02": ["sip:+19725552222@gw1.example.net;unknownparam"],
    "regescrt": ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"],
}
"""The contacts that a registrar without digest binds."""

CHALLENGED = {*BOUND, "regbadct"}
"""What a registrar with digest challenges before it looks at the contacts (RFC 3261 §10.3)."""

HOP_BY_HOP = {"via", "v", "max-forwards", "route", "record-route", "content-length", "l"}


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[int, Endpoint]]:
    """Bind every port that a vector's top Via names, on an address that nobody else uses."""
    bound = {port: Endpoint(SOURCE, port) for port in sorted({vector.port for vector in VECTORS})}
    yield bound
    for endpoint in bound.values():
        endpoint.close()


def _named(vector: Vector) -> str:
    return f"{vector.rfc}-{vector.name}"


@pytest.mark.parametrize("vector", VECTORS, ids=_named)
def test_a_vector_is_handled_as_the_manifest_says(vector: Vector, digest_stage: Stage, ports: dict[int, Endpoint]) -> None:
    finals = _exchange(vector, vector.wire, digest_stage, ports)
    if vector.is_response:
        assert finals == [], f"a stray response was answered with {finals[0].start}"
    elif finals or not vector.may_be_dropped:
        answer = _only(finals)
        assert answer.status in vector.allowed, f"{answer.start}; wanted: {vector.accept}"
        _look_closer(vector, answer)
    assert digest_stage.forwarded() == []
    _still_alive(digest_stage, ports[vector.port])


@pytest.mark.parametrize("vector", FOR_NUMBERS, ids=_named)
def test_a_vector_for_a_number_is_forwarded_whole_and_clean_or_not_at_all(
    vector: Vector, open_stage: Stage, ports: dict[int, Endpoint]
) -> None:
    # Not where the vectors are sent as they are: by their branches both would be one transaction.
    wire = _aimed(vector)
    finals = _exchange(vector, wire, open_stage, ports)
    copies = [message for message in list(open_stage.gateway.log) if len(message.all("via")) > 1]
    assert bool(copies) == (vector.name in FORWARDED), f"forwarded {copies}, answered {finals}"
    if copies:
        assert _only(finals).status == 200, "the gateway's answer goes back"
        for copy in copies:
            _is_whole_and_clean(copy, parse(wire))
    elif finals or not vector.may_be_dropped:
        answer = _only(finals)
        assert answer.status in vector.allowed, f"{answer.start}; wanted: {vector.accept}"
    _still_alive(open_stage, ports[vector.port])


@pytest.mark.parametrize("vector", REGISTERS, ids=_named)
def test_an_open_registrar_binds_what_a_vector_says(vector: Vector, open_stage: Stage, ports: dict[int, Endpoint]) -> None:
    answer = _only(_exchange(vector, _with_own_branch(vector, vector.wire), open_stage, ports))
    assert answer.status in vector.allowed, f"{answer.start}; wanted: {vector.accept}"
    if vector.name in BOUND:
        assert answer.status == 200
        assert sorted(BOUND[vector.name]) == sorted(uri(contact) for contact in answer.all("contact"))
        assert not any(parameter(contact, "unknownparam") for contact in answer.all("contact"))
        fetched = _register(vector, open_stage, ports[5060])
        assert sorted(BOUND[vector.name]) == sorted(uri(contact) for contact in fetched.all("contact"))
        removed = _register(vector, open_stage, ports[5060], ("Contact", "*"), ("Expires", "0"))
        assert removed.all("contact") == []
    else:
        assert answer.status != 200, "a binding of something that is none"
    assert open_stage.forwarded() == [], "octets behind the message were processed"
    _still_alive(open_stage, ports[5060])


def _look_closer(vector: Vector, answer: Message) -> None:
    if vector.name in CHALLENGED:
        assert answer.status == 401
        assert answer.all("www-authenticate")
    if answer.status in {405, 501}:
        assert answer.all("allow"), "what is supported has to be listed (RFC 3261 §21.4.6, §21.5.2)"
    if vector.name == "dblreq":
        assert answer.cseq[1] == "REGISTER", "octets behind the message were processed"
    if vector.name == "bext01":
        unsupported = {tag.strip() for value in answer.all("unsupported") for tag in value.split(",")}
        assert unsupported >= {"noProxiesSupportThis", "norDoAnyProxiesSupportThis"}


def _is_whole_and_clean(copy: Message, original: Message) -> None:
    assert re.fullmatch(rf"{re.escape(original.method)} sip:[^ <>?]+ SIP/2\.0", copy.start), "the request line is made anew"
    unchanged = [(name, value) for name, value in copy.headers if name.lower() not in HOP_BY_HOP]
    assert unchanged == [(name, value) for name, value in original.headers if name.lower() not in HOP_BY_HOP]
    assert copy.body == original.body[: int(original.first("content-length") or len(original.body))]
    assert int(copy.first("max-forwards")) == int(original.first("max-forwards") or 71) - 1
    ours, received, *others = copy.all("via")
    first, *rest = original.all("via")
    assert parameter(ours, "branch").startswith("z9hG4bK")
    assert others == rest
    without = re.compile(r";received=[^;]*")
    assert without.sub("", received) == without.sub("", first)
    assert parameter(received, "received") == SOURCE


def _aimed(vector: Vector) -> bytes:
    """Return the vector with a number as the user of its Request-URI; one in a dialog of nobody begins one instead."""
    wire = vector.wire
    if vector.name == "wsinv":
        for taken, instead in [
            (rb" ;   tag    = 1918181833n", b""),
            (rb"Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n", b""),
        ]:
            assert len(re.findall(taken, wire)) == 1
            wire = re.sub(taken, instead, wire)
    start, line_end, rest = wire.partition(b"\r\n")
    start = re.sub(rb"sip:(?:[^ ]*@)?[^ ;>?]*", f"sip:{AIMED_AT}@example.com".encode(), start, count=1)
    return _with_own_branch(vector, start + line_end + rest)


def _with_own_branch(vector: Vector, wire: bytes) -> bytes:
    """Tell the vectors apart that name the same branch and host: two of one method would be one transaction."""
    return re.sub(rb"(?<=z9hG4bK)(kdjuw|as3-111)\b", vector.name.encode(), wire)


def _exchange(vector: Vector, wire: bytes, stage: Stage, ports: dict[int, Endpoint]) -> list[Message]:
    """Send octets from where the vector says; return the final responses."""
    for endpoint in ports.values():
        while endpoint.receive(0.001):
            pass
    stage.gateway.log.clear()
    ports[vector.port].send(wire, stage.service.address)
    received = _received(ports, SILENCE_S if vector.is_response else ANSWER_S)
    # An open registrar binds the test's address, which is then asked for OPTIONS as any phone is.
    asked = [message.start for message in received if not message.status and message.method != "OPTIONS"]
    assert asked == []
    return [message for message in received if message.status >= 200]


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
                deadline = min(deadline, time.monotonic() + MORE_S)
    return found


def _only(finals: list[Message]) -> Message:
    assert len(finals) == 1, f"one final response is wanted, got {[message.start for message in finals]}"
    return finals[0]


def _register(vector: Vector, stage: Stage, sender: Endpoint, *extra: tuple[str, str]) -> Message:
    """Ask for the bindings of the vector's address-of-record, or change them, with a REGISTER in good form."""
    to = BY_NAME[vector.name].header("To")
    request = sender.request("REGISTER", "sip:example.com", *extra, to=to)
    sender.send(request, stage.service.address)
    answered = sender.expect(
        lambda message: message.status >= 200 and message.call_id == request.call_id, what="answer to a REGISTER"
    )
    assert answered.status == 200
    return answered


def _still_alive(stage: Stage, sender: Endpoint) -> None:
    """Call a healthy line to the end, and a line that is down."""
    assert ping(sender, stage.service.address).status == 200, "the proxy does not answer OPTIONS any more"
    number, target = idle_pair("042")
    with Caller(stage.service.address) as core:
        core.whole_call(f"{GATEWAY_NUMBER}42")
        diverted = core.dial(number)
        assert diverted.final.status == 302, f"the good call ended with {diverted.final.start}"
        assert target in diverted.final.first("contact")
