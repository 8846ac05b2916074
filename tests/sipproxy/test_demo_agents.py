"""The demo's own SIP agents, against each other over loopback."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sipproxy.demo.message import Message, digest_answer, response_to, tag_of, uri_of
from sipproxy.demo.ua import Address, Caller, Phone, UserAgent, host_port


class Registrar(UserAgent):
    """Challenges once and checks the answer against one made from the stored password."""

    def __init__(self, password: str) -> None:
        super().__init__()
        self.password = password

    def handle_request(self, request: Message, peer: Address) -> None:
        """Answer a REGISTER."""
        challenge = 'Digest realm="test", nonce="abc", qop="auth", algorithm=SHA-256'
        given = request.get("Authorization")
        if not given:
            return self.send(response_to(request, 401, "Unauthorized", "t", WWW_Authenticate=challenge), peer)
        cnonce = given.partition('cnonce="')[2].partition('"')[0]
        expected = digest_answer(challenge, "REGISTER", request.uri, username="trunk", password=self.password, cnonce=cnonce)
        status = 200 if given == expected else 403
        return self.send(response_to(request, status, "", "t", Contact=request.get("Contact")), peer)


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    phone = Phone(("127.0.0.1", 9), "trunk", "secret")
    await phone.open()
    yield phone
    phone.close()


async def test_call_is_answered_acknowledged_and_ended(phone: Phone) -> None:
    seen: list[tuple[str, str]] = []
    phone.on_message = lambda way, message, _: seen.append((way, message.method or str(message.status)))
    caller = Caller(phone.address)
    await caller.open()
    result = await caller.call("+493023125010")
    assert result.status == 200
    assert result.dialog is not None
    assert (await caller.hang_up(result.dialog)).status == 200
    caller.close()
    assert seen == [
        ("received", "INVITE"),
        ("sent", "180"),
        ("sent", "200"),
        ("received", "ACK"),
        ("received", "BYE"),
        ("sent", "200"),
    ]


@pytest.mark.parametrize(("password", "status"), [("secret", 200), ("wrong", 403)])
async def test_phone_registers_with_digest(phone: Phone, password: str, status: int) -> None:
    registrar = Registrar("secret")
    await registrar.open()
    phone.registrar = registrar.address
    phone.password = password
    assert (await phone.register()).status == status
    registrar.close()


async def test_dead_phone_is_silent_and_revived_at_the_same_address(phone: Phone) -> None:
    registrar = Registrar("secret")
    await registrar.open()
    phone.registrar = registrar.address
    before = phone.address
    phone.die()
    caller = Caller(before)
    await caller.open()
    attempt = asyncio.ensure_future(caller.call("+493023125010"))
    await phone.revive()
    assert phone.address == before
    assert (await attempt).status == 200
    caller.close()
    registrar.close()


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_digest_is_that_of_rfc_7616(algorithm: str) -> None:
    # RFC 7616 §3.9.1
    challenge = (
        f'Digest realm="http-auth@example.org", qop="auth", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    expected = {
        "MD5": "8ca523f5e9506fed4657c9700eebdbec",
        "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
    }
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    answer = digest_answer(challenge, "GET", "/dir/index.html", username="Mufasa", password="Circle of Life", cnonce=cnonce)
    assert f'response="{expected[algorithm]}"' in answer


def test_message_survives_printing_and_parsing() -> None:
    text = (
        b"INVITE sip:a@b SIP/2.0\r\nv: SIP/2.0/UDP h:1;branch=z9hG4bKx, SIP/2.0/UDP i\r\n"
        b'm: "A, B" <sip:a@b>, <sip:c@d>\r\nCSeq: 7 INVITE\r\nContent-Length: 2\r\n\r\nhi'
    )
    message = Message.parse(text)
    assert message.branch == "z9hG4bKx"
    assert message.all("Contact") == ['"A, B" <sip:a@b>', "<sip:c@d>"]
    assert message.cseq == (7, "INVITE")
    assert Message.parse(bytes(message)) == message


def test_parts_of_header_fields() -> None:
    assert uri_of('"X" <sip:a@b;user=phone>;tag=1') == "sip:a@b;user=phone"
    assert tag_of("<sip:a@b;tag=no>;tag=yes") == "yes"
    assert host_port("sip:[::1]:5070;lr") == ("::1", 5070)
    assert host_port("sip:a@192.0.2.1") == ("192.0.2.1", 5060)
