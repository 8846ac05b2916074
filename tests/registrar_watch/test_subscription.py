"""One subscription against a scripted registrar on loopback: how it begins, is renewed, ends, fails, and whom it believes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from registrar_watch.reg_event import subscription as life
from registrar_watch.reg_event.transaction import Address
from registrar_watch.reg_event.watch import RegEventWatch, RegistrarAccess
from tests.harness.sip import Message, parse, response, uri

ACTIVE = """<?xml version="1.0"?><reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="0" state="full">
<registration aor="sip:alice@ims.example.org" id="1" state="active"><contact id="1" state="active" event="registered">
<uri>sip:alice@192.0.2.1</uri></contact></registration></reginfo>"""
GONE = ACTIVE.replace('version="0"', 'version="1"').replace(
    'state="active" event="registered"', 'state="terminated" event="expired"'
)
LINE, SLOT = "line-a", 7
Row = tuple[int, str, int, int, int, str]


class Registrar(asyncio.DatagramProtocol):
    """Plays the notifier: the test takes each SUBSCRIBE and says what comes back."""

    def __init__(self) -> None:
        self.requests: asyncio.Queue[Message] = asyncio.Queue()
        self.responses: asyncio.Queue[Message] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None
        self._cseq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # of a datagram endpoint

    def datagram_received(self, data: bytes, addr: Address) -> None:
        message = parse(data, addr)
        (self.responses if message.status else self.requests).put_nowait(message)

    @property
    def address(self) -> Address:
        assert self.transport is not None
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    def send(self, message: Message, to: Address) -> None:
        assert self.transport is not None
        self.transport.sendto(message.encode(), to)

    async def subscribe(self) -> Message:
        return await asyncio.wait_for(self.requests.get(), 5)

    def answer(self, request: Message, status: int, reason: str, *extra: tuple[str, str]) -> None:
        contact = (("Contact", f"<sip:{self.address[0]}:{self.address[1]}>"),) if status < 300 else ()
        self.send(response(request, status, reason, *contact, *extra, tag="notifier"), request.source)

    def notify(
        self, subscribe: Message, state: str, body: str = "", *, cseq: int = 0, change: tuple[str, str] = ("", "")
    ) -> Message:
        self._cseq = cseq or self._cseq + 1
        to, from_ = subscribe.one("from"), subscribe.one("to")
        request = Message(
            f"NOTIFY {uri(subscribe.one('contact'))} SIP/2.0",
            [
                ("Via", f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch=z9hG4bKn{self._cseq};rport"),
                ("Max-Forwards", "70"),
                ("From", from_ if ";tag=" in from_ else f"{from_};tag=notifier"),
                ("To", to),
                ("Call-ID", subscribe.call_id),
                ("CSeq", f"{self._cseq} NOTIFY"),
                ("Contact", f"<sip:{self.address[0]}:{self.address[1]}>"),
                ("Event", "reg"),
                ("Subscription-State", state),
                *((("Content-Type", "application/reginfo+xml"),) if body else ()),
            ],
            body.encode(),
        )
        request.headers = [(name, change[1] if name == change[0] else value) for name, value in request.headers]
        self.send(request, subscribe.source)
        return request

    async def answered(self) -> int:
        return (await asyncio.wait_for(self.responses.get(), 5)).status


class Scene:
    """The watch, its registrar, and what the engine would have been told."""

    def __init__(self, registrar: Registrar, watch: RegEventWatch, rows: list[Row]) -> None:
        self.registrar, self.watch, self.rows = registrar, watch, rows

    async def told(self, state: str) -> Row:
        for _ in range(250):
            if self.rows and self.rows[-1][1] == state:
                return self.rows[-1]
            await asyncio.sleep(0.02)
        raise AssertionError(f"the engine was not told {state}: {self.rows}")

    async def accepted(self, body: str = ACTIVE, state: str = "active;expires=60") -> Message:
        """Take the first SUBSCRIBE, accept it, and notify."""
        request = await self.registrar.subscribe()
        self.registrar.answer(request, 200, "OK", ("Expires", "60"))
        self.registrar.notify(request, state, body)
        assert await self.registrar.answered() == 200
        return request


@pytest_asyncio.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(life, "FIRST_RETRY_S", 0.1)
    registrar = Registrar()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: registrar, local_addr=("127.0.0.1", 0))
    access = RegistrarAccess(
        "ims", "ims.example.org", (registrar.address,), frozenset({"127.0.0.1"}), 60, ("watcher", "secret"), 1000.0, None
    )
    rows: list[Row] = []

    def report(batch: object, /) -> int:
        rows.extend(batch)  # type: ignore[call-overload]
        return len(rows)

    watch = RegEventWatch([access], report, {LINE: SLOT}.get, ("127.0.0.1", 0))
    await watch.open()
    watch.keep(LINE, ("ims", ("alice",)))
    yield Scene(registrar, watch, rows)
    watch.close()
    assert registrar.transport is not None
    registrar.transport.close()
    await asyncio.sleep(0)


async def test_what_is_notified_is_told(scene: Scene) -> None:
    first = await scene.accepted()
    assert (first.one("event"), first.one("accept")) == ("reg", "application/reginfo+xml")
    assert first.request_uri == "sip:alice@ims.example.org"
    slot, _, _, until, contacts, _ = await scene.told("present")
    assert (slot, until, contacts) == (SLOT, 0, 1)
    scene.registrar.notify(first, "active;expires=60", GONE)
    assert (await scene.told("expired"))[4] == 0


async def test_a_notify_may_come_before_the_answer(scene: Scene) -> None:
    request = await scene.registrar.subscribe()
    scene.registrar.notify(request, "active;expires=60", ACTIVE)
    await scene.told("present")
    scene.registrar.answer(request, 200, "OK", ("Expires", "60"))
    assert await scene.registrar.answered() == 200


async def test_it_is_renewed_in_its_dialog_before_its_end(scene: Scene) -> None:
    first = await scene.accepted(state="active;expires=1")
    again = await scene.registrar.subscribe()
    assert again.call_id == first.call_id
    assert again.cseq[0] == first.cseq[0] + 1
    assert "tag=notifier" in again.one("to")


async def test_a_gap_asks_for_the_full_state(scene: Scene) -> None:
    first = await scene.accepted()
    scene.registrar.notify(first, "active;expires=60", GONE.replace('"full"', '"partial"').replace('version="1"', 'version="5"'))
    assert "lost" in (await scene.told("unknown"))[5]
    again = await scene.registrar.subscribe()
    assert again.call_id == first.call_id
    scene.registrar.answer(again, 200, "OK", ("Expires", "60"))
    scene.registrar.notify(first, "active;expires=60", ACTIVE.replace('version="0"', 'version="6"'))
    await scene.told("present")


@pytest.mark.parametrize("reason", ["deactivated", "timeout"])
async def test_it_comes_back_at_once_where_the_reason_allows(scene: Scene, reason: str) -> None:
    first = await scene.accepted()
    scene.registrar.notify(first, f"terminated;reason={reason}")
    again = await scene.registrar.subscribe()
    assert again.call_id != first.call_id, "a new subscription"
    assert scene.rows[-1][1] == "present", "what is known holds until the next attempt fails"


@pytest.mark.parametrize("reason", ["probation;retry-after=1", "giveup;retry-after=1"])
async def test_it_waits_as_long_as_it_is_told(scene: Scene, reason: str) -> None:
    first = await scene.accepted()
    began = asyncio.get_running_loop().time()
    scene.registrar.notify(first, f"terminated;reason={reason}")
    await scene.told("unknown")
    await scene.registrar.subscribe()
    assert asyncio.get_running_loop().time() - began >= 1


@pytest.mark.parametrize("reason", ["rejected", "noresource"])
async def test_it_does_not_come_back_after_a_final_reason(scene: Scene, reason: str) -> None:
    first = await scene.accepted()
    scene.registrar.notify(first, f"terminated;reason={reason}")
    assert reason in (await scene.told("unknown"))[5]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scene.registrar.requests.get(), 0.5)


async def test_an_interval_too_brief_is_made_longer(scene: Scene) -> None:
    request = await scene.registrar.subscribe()
    scene.registrar.answer(request, 423, "Interval Too Brief", ("Min-Expires", "600"))
    again = await scene.registrar.subscribe()
    assert again.one("expires") == "600"


async def test_a_challenge_is_answered_once_with_the_secret(scene: Scene) -> None:
    request = await scene.registrar.subscribe()
    challenge = 'Digest realm="ims", nonce="abc", qop="auth", algorithm=SHA-256'
    scene.registrar.answer(request, 401, "Unauthorized", ("WWW-Authenticate", challenge))
    again = await scene.registrar.subscribe()
    assert 'username="watcher"' in again.one("authorization")
    scene.registrar.answer(again, 401, "Unauthorized", ("WWW-Authenticate", challenge))
    third = await scene.registrar.subscribe()
    scene.registrar.answer(third, 401, "Unauthorized", ("WWW-Authenticate", challenge))
    assert "401" in (await scene.told("unknown"))[5]


@pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (500, "Server Internal Error"), (489, "Bad Event")])
async def test_a_refusal_makes_the_registration_unknown_never_absent(scene: Scene, status: int, reason: str) -> None:
    request = await scene.registrar.subscribe()
    scene.registrar.answer(request, status, reason)
    assert str(status) in (await scene.told("unknown"))[5]
    assert {row[1] for row in scene.rows} == {"unknown"}


async def test_a_lost_dialog_is_begun_anew(scene: Scene) -> None:
    first = await scene.accepted(state="active;expires=1")
    renewal = await scene.registrar.subscribe()
    scene.registrar.answer(renewal, 481, "Subscription Does Not Exist")
    again = await scene.registrar.subscribe()
    assert again.call_id != first.call_id


async def test_an_accepted_subscription_without_a_notify_has_failed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "TIMER_N_S", 0.1)
    request = await scene.registrar.subscribe()
    scene.registrar.answer(request, 200, "OK", ("Expires", "60"))
    assert "no NOTIFY" in (await scene.told("unknown"))[5]


async def test_requests_are_repeated_until_they_are_answered(scene: Scene) -> None:
    first = await scene.registrar.subscribe()
    second = await scene.registrar.subscribe()
    assert (first.branch, first.cseq) == (second.branch, second.cseq)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("Call-ID", "another"), 481),
        (("To", "<sip:sipproxy@ims.example.org>;tag=another"), 481),
        (("From", "<sip:alice@ims.example.org>;tag=another"), 481),
        (("Event", "presence"), 489),
        (("Content-Type", "application/pidf+xml"), 415),
    ],
)
async def test_a_notify_of_another_dialog_or_kind_is_refused(scene: Scene, change: tuple[str, str], status: int) -> None:
    first = await scene.accepted()
    scene.registrar.notify(first, "active;expires=60", GONE, change=change)
    assert await scene.registrar.answered() == status
    await scene.told("present")
    assert len(scene.rows) == 1


async def test_a_repeated_notify_is_answered_again_and_an_older_one_refused(scene: Scene) -> None:
    first = await scene.accepted()
    scene.registrar.notify(first, "active;expires=60", GONE, cseq=5)
    assert await scene.registrar.answered() == 200
    scene.registrar.notify(first, "active;expires=60", GONE, cseq=5)
    assert await scene.registrar.answered() == 200
    scene.registrar.notify(first, "active;expires=60", ACTIVE, cseq=4)
    assert await scene.registrar.answered() == 500


async def test_a_hostile_document_is_refused_and_leaves_nothing_known(scene: Scene) -> None:
    first = await scene.accepted()
    bomb = '<!DOCTYPE r [<!ENTITY a "ha">]>' + ACTIVE.partition("?>")[2]
    scene.registrar.notify(first, "active;expires=60", bomb)
    assert await scene.registrar.answered() == 400
    assert "refused" in (await scene.told("unknown"))[5]


async def test_strangers_are_not_heard(scene: Scene) -> None:
    first = await scene.accepted()
    stranger = Registrar()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: stranger, local_addr=("127.0.0.2", 0))
    stranger.notify(first, "active;expires=60", GONE)
    for _ in range(100):
        if scene.watch.wire.strangers:
            break
        await asyncio.sleep(0.02)
    assert scene.watch.wire.strangers == 1
    assert stranger.responses.empty()
    assert scene.rows[-1][1] == "present"
    assert stranger.transport is not None
    stranger.transport.close()


async def test_ending_it_says_so_to_the_registrar(scene: Scene) -> None:
    first = await scene.accepted()
    scene.watch.keep(LINE, None)
    last = await scene.registrar.subscribe()
    assert (last.call_id, last.one("expires")) == (first.call_id, "0")
