"""A small SIP user agent over UDP: `Phone` registers and answers calls, `Caller` makes them.

Client transactions retransmit as RFC 3261 §17.1 says (T1 = 0.5 s, doubling); the phone repeats its answers to repeated
requests and its 200 until the ACK comes. Everything that is sent and received is shown to ``on_message``.
"""

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sipproxy.demo.message import Message, digest_answer, response_to, tag_of, uri_of

Address = tuple[str, int]
Way = Literal["sent", "received", "lost"]
"""Lost: it arrived at a machine that is dead."""
Observer = Callable[[Way, Message, Address], None]

T1_S = 0.5
T2_S = 4.0
TRANSACTION_S = 64 * T1_S  # Timers B and F
UNAUTHORIZED = 401


class NoAnswer(Exception):  # noqa: N818 - the name says what is the case
    """The transaction timed out, or the peer's host said that nobody listens."""


def _ignore(_way: Way, _message: Message, _peer: Address) -> None:
    """Observe nothing."""


class UserAgent(asyncio.DatagramProtocol):
    """One UDP socket; client transactions wait by branch and method, requests go to `handle_request`."""

    def __init__(self, on_message: Observer = _ignore) -> None:
        self.address: Address = ("127.0.0.1", 0)
        self.on_message = on_message
        self.deaf = False
        """Whether everything that arrives is dropped and nothing is sent: a machine without power, or cut off."""
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[tuple[str, str], asyncio.Queue[Message]] = {}

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the socket; port 0 takes a free one."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, port), family=family)
        self.address = self._transport.get_extra_info("sockname")[:2]

    def close(self) -> None:
        """Close the socket without a word to anybody."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    @property
    def sent_by(self) -> str:
        """Host and port as they stand in Via and Contact."""
        host, port = self.address
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def send(self, message: Message, peer: Address) -> None:
        """Send one datagram; a deaf or closed agent swallows it, as a dead machine would."""
        if self._transport is not None and not self.deaf:
            self.on_message("sent", message, peer)
            self._transport.sendto(bytes(message), peer)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Give responses to their transaction and requests to the agent; drop what is no SIP (keep-alives)."""
        try:
            message = Message.parse(data)
        except ValueError:
            return
        self.on_message("lost" if self.deaf else "received", message, addr[:2])
        if self.deaf:
            return
        if message.method:
            self.handle_request(message, addr[:2])
        elif queue := self._waiting.get((message.branch, message.cseq[1])):
            queue.put_nowait(message)
        else:
            self.handle_stray(message, addr[:2])

    def error_received(self, exc: Exception) -> None:
        """Ignore ICMP errors: the transaction's timers decide."""

    def handle_request(self, request: Message, peer: Address) -> None:
        """Answer a request; the base refuses all but ACK."""
        if request.method != "ACK":
            self.send(response_to(request, 501, "Not Implemented", secrets.token_hex(4)), peer)

    def handle_stray(self, response: Message, peer: Address) -> None:
        """See a response that no transaction waits for."""

    def new_branch(self) -> str:
        """Return a Via value with a new branch (RFC 3261 §8.1.1.7)."""
        return f"SIP/2.0/UDP {self.sent_by};rport;branch=z9hG4bK{secrets.token_hex(8)}"

    async def request(
        self, request: Message, peer: Address, on_provisional: Callable[[Message], None] = lambda _: None
    ) -> Message:
        """Run a client transaction to its final response. Raises `NoAnswer` after Timer B or F."""
        key = (request.branch, request.method)
        queue = self._waiting[key] = asyncio.Queue()
        try:
            async with asyncio.timeout(TRANSACTION_S):
                return await self._exchange(request, peer, queue, on_provisional)
        except TimeoutError:
            raise NoAnswer(f"{request.method} {request.uri}: no final response") from None
        finally:
            del self._waiting[key]

    async def _exchange(
        self, request: Message, peer: Address, queue: asyncio.Queue[Message], on_provisional: Callable[[Message], None]
    ) -> Message:
        interval: float | None = T1_S
        self.send(request, peer)
        while True:
            try:
                response = await asyncio.wait_for(queue.get(), interval)
            except TimeoutError:
                self.send(request, peer)
                interval = min(2 * (interval or T1_S), TRANSACTION_S if request.method == "INVITE" else T2_S)
                continue
            if response.status >= 200:  # noqa: PLR2004 - final
                return response
            on_provisional(response)
            interval = None if request.method == "INVITE" else T2_S  # RFC 3261 §17.1.1.2, §17.1.2.2


@dataclass(slots=True)
class Dialog:
    """What a caller keeps of an answered call (RFC 3261 §12.1.2)."""

    call_id: str
    local: str
    remote: str
    target: str
    route: list[str]
    cseq: int


@dataclass(slots=True)
class Result:
    """How a call attempt ended."""

    status: int
    call_id: str
    contacts: list[str] = field(default_factory=list)
    response: Message = field(default_factory=Message)
    dialog: Dialog | None = None
    took_s: float = 0.0


class Caller(UserAgent):
    """The carrier's core as the proxy sees it: sends INVITE, ACK and BYE, and follows the route set."""

    def __init__(self, proxy: Address, on_message: Observer = _ignore) -> None:
        super().__init__(on_message)
        self.proxy = proxy

    async def call(self, number: str, caller: str = "+493023125900", call_id: str = "") -> Result:
        """INVITE a number and acknowledge whatever comes. Raises `NoAnswer`."""
        host, port = self.proxy
        via, call_id = self.new_branch(), call_id or f"{secrets.token_hex(8)}@{self.address[0]}"
        local = f"<sip:{caller}@{self.sent_by}>;tag={secrets.token_hex(4)}"
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {self.address[0]}\r\ns=-\r\nc=IN IP4 {self.address[0]}\r\n"
            "t=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
        )
        invite = Message(
            "INVITE",
            f"sip:{number}@{host}:{port};user=phone",
            headers=[
                ("Via", via),
                ("Max-Forwards", "70"),
                ("From", local),
                ("To", f"<sip:{number}@{host}:{port};user=phone>"),
                ("Call-ID", call_id),
                ("CSeq", "1 INVITE"),
                ("Contact", f"<sip:{self.sent_by}>"),
                ("Supported", "histinfo"),
                ("Content-Type", "application/sdp"),
            ],
            body=sdp,
        )
        began = time.monotonic()
        final = await self.request(invite, self.proxy)
        result = Result(final.status, call_id, [uri_of(value) for value in final.all("Contact")], final)
        result.took_s = time.monotonic() - began
        if final.status < 300:  # noqa: PLR2004 - success
            result.dialog = Dialog(call_id, local, final.get("To"), result.contacts[0], final.all("Record-Route")[::-1], 1)
            self._in_dialog("ACK", result.dialog)
        else:
            self._acknowledge_refusal(invite, final)
        return result

    async def hang_up(self, dialog: Dialog) -> Message:
        """BYE. Raises `NoAnswer`."""
        dialog.cseq += 1
        request, peer = self._request_in(dialog, "BYE")
        return await self.request(request, peer)

    def _in_dialog(self, method: str, dialog: Dialog) -> None:
        self.send(*self._request_in(dialog, method))

    def _request_in(self, dialog: Dialog, method: str) -> tuple[Message, Address]:
        """Build a request inside a dialog, along its route set (RFC 3261 §12.2.1.1, loose routing)."""
        headers = [
            ("Via", self.new_branch()),
            ("Max-Forwards", "70"),
            ("From", dialog.local),
            ("To", dialog.remote),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{dialog.cseq} {method}"),
        ]
        headers += [("Route", route) for route in dialog.route]
        next_hop = uri_of(dialog.route[0]) if dialog.route else dialog.target
        return Message(method, dialog.target, headers=headers), host_port(next_hop)

    def _acknowledge_refusal(self, invite: Message, final: Message) -> None:
        """ACK a final response other than 2xx, inside the INVITE's transaction (RFC 3261 §17.1.1.3)."""
        kept = [(key, value) for key, value in invite.headers if key in {"Via", "Max-Forwards", "From", "Call-ID"}]
        headers = [*kept, ("To", final.get("To")), ("CSeq", "1 ACK")]
        self.send(Message("ACK", invite.uri, headers=headers), self.proxy)


class Phone(UserAgent):
    """A phone system at the customer's: registers with digest, rings and answers, can die without a word."""

    def __init__(self, registrar: Address, user: str, password: str, on_message: Observer = _ignore) -> None:
        super().__init__(on_message)
        self.registrar = registrar
        self.user = user
        self.password = password
        self.ring_s = 0.05
        self.calls: list[str] = []
        self._call_id = f"{secrets.token_hex(8)}@phone"
        self._cseq = 0
        self._answers: dict[tuple[str, str], Message] = {}
        self._unacknowledged: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def die(self) -> None:
        """Lose power: nobody is told and nothing answers, not even the host (no ICMP); the registration stays behind."""
        self.deaf = True
        self._forget_calls()

    async def revive(self) -> Message:
        """Power on again at the same address; registers as a phone system does when it has started."""
        self.deaf = False
        return await self.register()

    def close(self) -> None:
        """Close the socket; from now on the host answers with ICMP port unreachable."""
        self._forget_calls()
        super().close()

    def _forget_calls(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    async def register(self, expires_s: int = 600) -> Message:
        """REGISTER, answering one challenge. Raises `NoAnswer`; a refusal is returned."""
        response = await self._register(expires_s, "")
        if response.status == UNAUTHORIZED:
            challenges = response.all("WWW-Authenticate")
            uri = self._registrar_uri()
            secret = {"username": self.user, "password": self.password, "cnonce": secrets.token_hex(8)}
            answer = digest_answer(challenges[0], "REGISTER", uri, **secret)
            response = await self._register(expires_s, answer)
        return response

    async def _register(self, expires_s: int, authorization: str) -> Message:
        self._cseq += 1
        host, port = self.registrar
        aor = f"<sip:{self.user}@{host}:{port}>"
        headers = [
            ("Via", self.new_branch()),
            ("Max-Forwards", "70"),
            ("From", f"{aor};tag={secrets.token_hex(4)}"),
            ("To", aor),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", f"<sip:{self.user}@{self.sent_by}>"),
            ("Expires", str(expires_s)),
        ]
        if authorization:
            headers.append(("Authorization", authorization))
        return await self.request(Message("REGISTER", self._registrar_uri(), headers=headers), self.registrar)

    def _registrar_uri(self) -> str:
        host, port = self.registrar
        return f"sip:{host}:{port}"

    def handle_request(self, request: Message, peer: Address) -> None:
        """Answer INVITE, ACK, BYE, CANCEL and OPTIONS."""
        if request.method == "ACK":
            if task := self._unacknowledged.pop(request.get("Call-ID"), None):
                task.cancel()
            return
        if answered := self._answers.get((request.branch, request.method)):
            self.send(answered, peer)
        elif request.method == "INVITE":
            task = asyncio.ensure_future(self._ring(request, peer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif request.method in {"OPTIONS", "BYE", "CANCEL"}:
            self._answer(request, peer, response_to(request, 200, "OK", secrets.token_hex(4)))
        else:
            super().handle_request(request, peer)

    def _answer(self, request: Message, peer: Address, response: Message) -> None:
        self._answers[request.branch, request.method] = response
        self.send(response, peer)

    async def _ring(self, invite: Message, peer: Address) -> None:
        tag = tag_of(invite.get("To")) or secrets.token_hex(4)
        contact = f"<sip:{self.user}@{self.sent_by}>"
        self.calls.append(invite.uri)
        self._answer(invite, peer, response_to(invite, 180, "Ringing", tag, Contact=contact))
        await asyncio.sleep(self.ring_s)
        answer = response_to(invite, 200, "OK", tag, Contact=contact, Content_Type="application/sdp")
        answer.body = invite.body
        self._answer(invite, peer, answer)
        task = asyncio.ensure_future(self._repeat(answer, peer))
        self._unacknowledged[invite.get("Call-ID")] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _repeat(self, answer: Message, peer: Address) -> None:
        """Repeat a 2xx until its ACK comes (RFC 3261 §13.3.1.4)."""
        interval, left = T1_S, TRANSACTION_S
        while left > 0:
            await asyncio.sleep(interval)
            self.send(answer, peer)
            left -= interval
            interval = min(2 * interval, T2_S)


def host_port(uri: str) -> Address:
    """Return where a ``sip:`` URI with a literal address is sent to."""
    rest = uri.partition(":")[2].rpartition("@")[2].partition(";")[0]
    host, _, port = rest.rpartition(":") if not rest.endswith("]") and ":" in rest else (rest, "", "5060")
    return host.strip("[]"), int(port)
