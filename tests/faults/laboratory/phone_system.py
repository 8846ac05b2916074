"""The customer's phone system: registers or stands as a static gateway, answers, and breaks in every way that the field knows.

Modes are switched while it runs; what it could have answered is written down as it happens.

The server transaction repeats its last response for a repeated INVITE (RFC 3261 §17.2.1), a 2xx is repeated until its ACK
(§13.3.1.4), other final responses likewise (Timer G). A broken mode silences repetitions as well.
"""

import asyncio
import enum
import random
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.faults.laboratory.namespaces import Namespace
from tests.faults.laboratory.truth import Timeline
from tests.faults.laboratory.wire import SDP, T1_S, T2_S, TIMER_B_S, Address, Packet, Socket, parameter, parse, request, response
from tests.harness import digest

RING_AFTER_S = 0.3
_REGISTER_RETRY_S = 5.0
"""After a REGISTER that failed. Phones wait longer; the laboratory counts from the registration, so waiting teaches nothing."""
_KEEP_S = 40.0
_ON_THE_WAY_S = 0.01


class Mode(enum.Enum):
    """How the phone system behaves."""

    NORMAL = "normal"
    HUNG = "reads, never answers"
    REFUSES = "503 to everything"
    RETRY_AFTER = "503 with Retry-After"
    TRYING_ONLY = "100, nothing more"
    OPTIONS_ONLY = "answers OPTIONS, not INVITE"
    CALLS_ONLY = "answers INVITE, not OPTIONS"
    BUSY = "486 to every call"
    DEAD = "not running"

    @property
    def answers_calls(self) -> bool:
        """An INVITE is answered by a phone."""
        return self in {Mode.NORMAL, Mode.CALLS_ONLY, Mode.BUSY}


@dataclass(frozen=True, slots=True)
class Account:
    """How a phone system registers."""

    user: str
    password: str
    registrar: Address
    domain: str = ""
    expires_s: int = 300
    refresh_s: float = 60.0
    keep_alive_s: float = 15.0
    """CRLF CRLF that keeps the router's mapping open (RFC 5626 §3.5.1, as many phones do without the pong)."""


@dataclass
class _Ringing:
    invite: Packet
    source: Address
    local: str
    last: bytes = b""
    final: bool = False
    acknowledged: bool = False
    interval: float = T1_S
    timer: asyncio.TimerHandle | None = None


@dataclass
class _Registration:
    call_id: str = field(default_factory=lambda: secrets.token_hex(8))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    cseq: int = 0
    branch: str = ""
    challenge: str = ""
    nonce_count: int = 0
    expires: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0


class PhoneSystem:
    """One phone system on one address. ``phone`` and ``registered`` say over time whether it could answer calls."""

    def __init__(
        self,
        where: Namespace,
        host: str,
        port: int,
        *,
        name: str,
        seed: int,
        account: Account | None = None,
        answer_s: tuple[float, float] = (1.0, 8.0),
    ) -> None:
        self.where = where
        self.host, self.port, self.name = host, port, name
        self.account = account
        self.answer_s = answer_s
        self.phone, self.registered = Timeline(), Timeline()
        self.counts: Counter[str] = Counter()
        """Requests received, by method; in every mode but `Mode.DEAD`."""
        self.received: dict[str, list[float]] = {}
        """Call-ID → times at which copies of its INVITE arrived."""
        self.sent_180: dict[str, float] = {}
        """Call-ID → when the first 180 went out: this call was answered by a phone, whatever became of the packet."""
        self.mode = Mode.DEAD
        self.refreshing = True
        """False: registers no more (a phone system that forgot), and answers on."""
        self._draw = random.Random(seed)
        self._calls: dict[str, _Ringing] = {}
        """By branch: the server transactions."""
        self._dialogs: dict[str, list[_Ringing]] = {}
        """By Call-ID."""
        self._registration = _Registration()
        self._tasks: list[asyncio.Task[None]] = []
        self._expiry: asyncio.TimerHandle | None = None
        self._socket: Socket | None = None
        self._loop = asyncio.get_running_loop()

    # ---- life and modes ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Power up: open the port; register, when there is an account."""
        with self.where.inside():
            self._socket = Socket(self.host, self.port, self._receive)
        self.switch(Mode.NORMAL)
        if self.account:
            self._registration = _Registration()
            self._tasks = [self._loop.create_task(self._register_always(self.account))]
            self._tasks.append(self._loop.create_task(self._keep_alive(self.account)))
        else:
            self.registered.begin()

    @property
    def runs(self) -> bool:
        """Its port is open."""
        return self._socket is not None

    def kill(self) -> None:
        """Power down without a word: the host answers its port with ICMP, calls and registration are forgotten."""
        self.switch(Mode.DEAD)
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        for call in self._calls.values():
            if call.timer:
                call.timer.cancel()
        self._calls.clear()
        self._dialogs.clear()
        if self._socket:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """End for good."""
        self.kill()
        if self._expiry:
            self._expiry.cancel()

    def switch(self, mode: Mode) -> None:
        """Behave like ``mode`` from now on."""
        self.mode = mode
        self.phone.set(mode.answers_calls)

    # ---- registration ------------------------------------------------------------------------------------------------------

    async def deregister(self) -> None:
        """Remove the registration and stay away."""
        self.refreshing = False
        self.registered.end()
        if self.account:
            await self._register(self.account, 0)

    def reregister(self) -> None:
        """Register again, now."""
        self.refreshing = True
        if self.account:
            self._tasks.append(self._loop.create_task(self._register_once(self.account)))

    def binding_lost(self) -> None:
        """The registrar's binding leads nowhere any more (the router has a new port or address)."""
        self.registered.end()

    async def _register_once(self, account: Account) -> None:
        await self._register(account, account.expires_s)

    async def _register_always(self, account: Account) -> None:
        while True:
            done = True
            if self.refreshing:
                done = await self._register(account, account.expires_s)
            await asyncio.sleep(account.refresh_s if done else _REGISTER_RETRY_S)

    async def _keep_alive(self, account: Account) -> None:
        while True:
            await asyncio.sleep(account.keep_alive_s)
            self._send(b"\r\n\r\n", account.registrar)

    async def _register(self, account: Account, expires: int) -> bool:
        """Register and answer one challenge; say whether it was a 200."""
        status = await self._register_transaction(account, expires)
        if status == 401:
            status = await self._register_transaction(account, expires)
        return 200 <= status < 300

    async def _register_transaction(self, account: Account, expires: int) -> int:
        """Send REGISTER with Timer E and F (RFC 3261 §17.1.2.2); return the final status, 0 when none came."""
        state = self._registration
        state.cseq += 1
        state.branch, state.status, state.expires = f"z9hG4bK{secrets.token_hex(8)}", 0, expires
        state.answered.clear()
        message = self._register_message(account, state)
        interval, until = T1_S, time.monotonic() + TIMER_B_S
        while time.monotonic() < until and not state.answered.is_set():
            self._send(message, account.registrar)
            try:
                await asyncio.wait_for(state.answered.wait(), interval)
            except TimeoutError:
                interval = min(2 * interval, T2_S)
        return state.status

    def _register_message(self, account: Account, state: _Registration) -> bytes:
        domain = account.domain or f"{account.registrar[0]}:{account.registrar[1]}"
        aor, uri = f"<sip:{account.user}@{domain}>", f"sip:{domain}"
        fields = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch={state.branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"{aor};tag={state.tag}"),
            ("To", aor),
            ("Call-ID", f"{state.call_id}@{self.host}"),
            ("CSeq", f"{state.cseq} REGISTER"),
            ("Contact", f"<sip:{account.user}@{self.host}:{self.port}>"),
            ("Expires", str(state.expires)),
        ]
        if state.challenge:
            state.nonce_count += 1
            credentials = {"method": "REGISTER", "uri": uri, "username": account.user, "password": account.password}
            answered = digest.answer(state.challenge, **credentials, nonce_count=state.nonce_count)
            fields.append(("Authorization", answered))
        return request("REGISTER", uri, fields)

    def _registered(self, packet: Packet, at: float) -> None:
        state = self._registration
        if packet.branch != state.branch or packet.status < 200:
            return
        if packet.status == 401:
            challenges = packet.fields.get("www-authenticate", [])
            state.challenge = next((c for c in challenges if digest.algorithm(c) == "MD5"), challenges[0] if challenges else "")
            state.nonce_count = 0
        if 200 <= packet.status < 300 and state.expires:
            granted = self._granted(packet) or state.expires
            self.registered.begin(at)
            if self._expiry:
                self._expiry.cancel()
            # The registrar began to count before its 200 came here.
            self._expiry = self._loop.call_later(granted - _ON_THE_WAY_S, self.registered.end)
        state.status = packet.status
        state.answered.set()

    def _granted(self, packet: Packet) -> int:
        mine = f"{self.host}:{self.port}"
        for value in packet.fields.get("contact", ()):
            for one in value.split(","):
                if mine in one and (text := parameter(one, "expires")).isdigit():
                    return int(text)
        text = packet.first("expires")
        return int(text) if text.isdigit() else 0

    # ---- requests ----------------------------------------------------------------------------------------------------------

    def _send(self, data: bytes, to: Address, source: str = "") -> None:
        if self._socket and self.mode is not Mode.HUNG:
            self._socket.send(data, to, source)

    def _receive(self, data: bytes, source: Address, local: str, at: float) -> None:
        packet = parse(data)
        if packet is None:
            return
        if packet.status:
            if packet.cseq_method == "REGISTER" and self.mode is not Mode.HUNG:
                self._registered(packet, at)
            return
        self.counts[packet.method] += 1
        if packet.method == "INVITE":
            self.received.setdefault(packet.call_id, []).append(at)
        if self.mode is Mode.HUNG:
            return
        if packet.method == "INVITE":
            self._invite(packet, source, local)
        elif packet.method == "ACK":
            self._acknowledged(packet)
        elif packet.method == "CANCEL":
            self._cancel(packet, source, local)
        elif packet.method == "OPTIONS":
            self._options(packet, source, local)
        else:
            self._send(response(packet, 200, "OK", tag=self._tag(packet)), source, local)

    def _options(self, packet: Packet, source: Address, local: str) -> None:
        if self.mode is Mode.CALLS_ONLY:
            return
        if self.mode in {Mode.REFUSES, Mode.RETRY_AFTER}:
            self._send(self._unavailable(packet), source, local)
        else:
            self._send(response(packet, 200, "OK", tag=self._tag(packet)), source, local)

    def _unavailable(self, packet: Packet) -> bytes:
        extra = [("Retry-After", "10")] if self.mode is Mode.RETRY_AFTER else []
        return response(packet, 503, "Service Unavailable", tag=self._tag(packet), extra=extra)

    def _tag(self, packet: Packet) -> str:
        return f"{self.name}-{packet.branch[-8:]}"

    # ---- INVITE server transaction -------------------------------------------------------------------------------------------

    def _invite(self, packet: Packet, source: Address, local: str) -> None:
        known = self._calls.get(packet.branch)
        if known:
            if known.last and not (known.final and known.acknowledged):
                self._send(known.last, known.source, known.local)
            return
        if self.mode is Mode.OPTIONS_ONLY:
            return
        call = _Ringing(packet, source, local)
        self._calls[packet.branch] = call
        self._dialogs.setdefault(packet.call_id, []).append(call)
        self._loop.call_later(_KEEP_S + self.answer_s[1], self._forget, packet)
        if self.mode in {Mode.REFUSES, Mode.RETRY_AFTER}:
            self._final(call, self._unavailable(packet))
            return
        self._provisional(call, response(packet, 100, "Trying", tag=""))
        if self.mode is not Mode.TRYING_ONLY:
            call.timer = self._loop.call_later(RING_AFTER_S, self._ring, call)

    def _forget(self, packet: Packet) -> None:
        self._calls.pop(packet.branch, None)
        self._dialogs.pop(packet.call_id, None)

    def _provisional(self, call: _Ringing, message: bytes) -> None:
        call.last = message
        self._send(message, call.source, call.local)

    def _ring(self, call: _Ringing) -> None:
        if not self.mode.answers_calls:
            return
        packet = call.invite
        self.sent_180.setdefault(packet.call_id, time.time())
        contact = [("Contact", f"<sip:{self.name}@{self.host}:{self.port}>")]
        self._provisional(call, response(packet, 180, "Ringing", tag=self._tag(packet), extra=contact))
        call.timer = self._loop.call_later(self._draw.uniform(*self.answer_s), self._answer, call)

    def _answer(self, call: _Ringing) -> None:
        if not self.mode.answers_calls:
            return
        packet = call.invite
        if self.mode is Mode.BUSY:
            self._final(call, response(packet, 486, "Busy Here", tag=self._tag(packet)))
            return
        contact = [("Contact", f"<sip:{self.name}@{self.host}:{self.port}>")]
        self._final(call, response(packet, 200, "OK", tag=self._tag(packet), extra=contact, body=SDP))

    def _final(self, call: _Ringing, message: bytes) -> None:
        call.last, call.final = message, True
        self._repeat(call, time.monotonic() + TIMER_B_S)

    def _repeat(self, call: _Ringing, until: float) -> None:
        if call.acknowledged or time.monotonic() > until:
            return
        self._send(call.last, call.source, call.local)
        call.timer = self._loop.call_later(call.interval, self._repeat, call, until)
        call.interval = min(2 * call.interval, T2_S)

    def _acknowledged(self, packet: Packet) -> None:
        # The ACK of a 2xx has a branch of its own (RFC 3261 §13.2.2.4): the call is found by its Call-ID.
        for call in self._dialogs.get(packet.call_id, ()):
            call.acknowledged = True
            if call.timer and call.final:
                call.timer.cancel()

    def _cancel(self, packet: Packet, source: Address, local: str) -> None:
        call = self._calls.get(packet.branch)
        if call is None:
            self._send(response(packet, 481, "Call/Transaction Does Not Exist", tag=self._tag(packet)), source, local)
            return
        self._send(response(packet, 200, "OK", tag=self._tag(packet)), source, local)
        if not call.final:
            if call.timer:
                call.timer.cancel()
            self._final(call, response(call.invite, 487, "Request Terminated", tag=self._tag(call.invite)))
