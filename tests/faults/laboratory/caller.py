"""The carrier's core: places calls all the time at a steady rate and follows each one to its end.

Timers are those of RFC 3261 §17.1.1.2 (A and B, T1 = 500 ms) and §13.2.2.4 (an ACK for each 2xx). A 302 is recorded with its
targets; the core does not follow it. Whatever a caller must never see is written down as a violation: two different final
answers, an answer after the diversion, a provisional answer after the final one.
"""

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.laboratory.wire import (
    SDP,
    T1_S,
    T2_S,
    TIMER_B_S,
    Address,
    Packet,
    Socket,
    host_port,
    parse,
    request,
    response,
    uris,
)

RING_PATIENCE_S = 20.0
"""A caller hangs up after so much ringing; the laboratory's phones answer within 8 s."""
_LINGER_S = 40.0
"""How long an ended call is remembered, for answers that must not come."""


@dataclass
class CallRecord:
    """What became of one INVITE. Times are seconds since 1970, 0 where it did not happen."""

    number: str
    call_id: str
    sent: float
    copies: int = 1
    trying: float = 0.0
    ringing: float = 0.0
    final: float = 0.0
    status: int = 0
    """Final status; 408 made up by the caller itself when nothing came is ``gave_up``, not a status."""
    phone: str = ""
    """User part of the Contact of a 2xx: who answered."""
    targets: list[str] = field(default_factory=list)
    """Contacts of a 3xx, in order."""
    gave_up: float = 0.0
    """When the caller had enough: no answer at all (Timer B), 100 alone for as long, or ringing without end."""
    bye_status: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def reached_phone(self) -> bool:
        """A phone rang or answered."""
        return bool(self.ringing) or 200 <= self.status < 300

    @property
    def diverted(self) -> bool:
        """The call was answered with targets."""
        return 300 <= self.status < 400 and bool(self.targets)

    @property
    def delay_s(self) -> float:
        """INVITE to final answer."""
        return self.final - self.sent if self.final else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the record without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}


class _Call:
    """A running call: its record, its timers and what its later requests need."""

    __slots__ = ("bye", "cancelled", "ended", "from_", "interval", "invite", "record", "tags", "timer", "to", "via")

    def __init__(self, record: CallRecord) -> None:
        self.record = record
        self.timer: asyncio.TimerHandle | None = None
        self.interval = T1_S
        self.invite, self.via, self.from_, self.to = b"", "", "", ""
        self.bye: bytes = b""
        self.tags: set[str] = set()
        self.cancelled = self.ended = False


class Core:
    """A core peer with one socket: `place` calls one number, `run` calls at a steady rate."""

    def __init__(self, proxy: Address, host: str, port: int = 5060, *, domain: str = "") -> None:
        self.proxy = proxy
        self.domain = domain or f"{proxy[0]}:{proxy[1]}"
        self.socket = Socket(host, port, self._receive)
        self.records: list[CallRecord] = []
        self.late_s = 0.0
        """The longest that a call was placed after it was due: how long this process stood still."""
        self.answered_options = 0
        self._calls: dict[str, _Call] = {}
        self._open = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """Stop all timers and close the socket."""
        for call in self._calls.values():
            if call.timer:
                call.timer.cancel()
        self._calls.clear()
        self.socket.close()

    @property
    def open_calls(self) -> int:
        """Calls that have no outcome yet."""
        return self._open

    # ---- placing -----------------------------------------------------------------------------------------------------------

    async def run(self, numbers: Sequence[str], rate: float, duration_s: float, seed: int) -> None:
        """Call at ``rate`` a second for ``duration_s``: a steady beat with seeded jitter of ± half a step, numbers drawn by seed."""
        begun = time.time()
        for offset, number in schedule(numbers, rate, duration_s, seed):
            await asyncio.sleep(max(0.0, begun + offset - time.time()))
            self.late_s = max(self.late_s, time.time() - begun - offset)
            self.place(number)

    def place(self, number: str) -> CallRecord:
        """Send one INVITE; the record fills as the call goes on."""
        key = secrets.token_hex(8)
        call_id = f"{key}@{self.socket.host}"
        record = CallRecord(number, call_id, time.time())
        call = _Call(record)
        me = f"{self.socket.host}:{self.socket.port}"
        uri = f"sip:{number}@{self.domain};user=phone"
        call.via = f"SIP/2.0/UDP {me};branch=z9hG4bK{key};rport"
        call.from_, call.to = f"<sip:+493066000001@{me};user=phone>;tag={key[:8]}", f"<{uri}>"
        fields = [*self._head(call, "1 INVITE"), ("Contact", f"<sip:core@{me}>"), ("Supported", "histinfo")]
        call.invite = request("INVITE", uri, fields, SDP)
        self.records.append(record)
        self._calls[call_id] = call
        self._open += 1
        self._settled.clear()
        self.socket.send(call.invite, self.proxy)
        call.timer = self._loop.call_later(call.interval, self._timer_a, call)
        return record

    async def settle(self, limit_s: float = TIMER_B_S + RING_PATIENCE_S) -> None:
        """Wait until every call has an outcome; `limit_s` bounds it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), limit_s)

    def _head(self, call: _Call, cseq: str, *, via: str = "", to: str = "") -> list[tuple[str, str]]:
        return [
            ("Via", via or call.via),
            ("Max-Forwards", "70"),
            ("From", call.from_),
            ("To", to or call.to),
            ("Call-ID", call.record.call_id),
            ("CSeq", cseq),
        ]

    # ---- timers ------------------------------------------------------------------------------------------------------------

    def _timer_a(self, call: _Call) -> None:
        """Repeat the INVITE, T1 doubling without end, until Timer B (RFC 3261 §17.1.1.2)."""
        elapsed = time.time() - call.record.sent
        if elapsed + 0.001 >= TIMER_B_S:
            self._give_up(call)
            return
        self.socket.send(call.invite, self.proxy)
        call.record.copies += 1
        call.interval *= 2
        call.timer = self._loop.call_later(min(call.interval, TIMER_B_S - elapsed), self._timer_a, call)

    def _give_up(self, call: _Call) -> None:
        """End a call that nobody answered; where a provisional answer came, with CANCEL (RFC 3261 §9.1)."""
        call.record.gave_up = time.time()
        if call.record.trying or call.record.ringing:
            call.cancelled = True
            uri = call.to.strip("<>")
            self.socket.send(request("CANCEL", uri, self._head(call, "1 CANCEL")), self.proxy)
        self._end(call)

    def _end(self, call: _Call) -> None:
        call.ended = True
        self._open -= 1
        if not self._open:
            self._settled.set()
        if call.timer:
            call.timer.cancel()
        call.timer = self._loop.call_later(_LINGER_S, self._calls.pop, call.record.call_id, None)

    # ---- receiving ---------------------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, source: Address, _local: str, at: float) -> None:
        packet = parse(data)
        if packet is None:
            return
        if packet.method:
            self._asked(packet, source)
            return
        call = self._calls.get(packet.call_id)
        if call is None:
            return
        if packet.cseq_method == "INVITE":
            self._answered(call, packet, at)
        elif packet.cseq_method == "BYE" and packet.status >= 200:
            call.record.bye_status = call.record.bye_status or packet.status
            call.bye = b""

    def _asked(self, packet: Packet, source: Address) -> None:
        """Answer OPTIONS of a proxy that probes us, and a BYE."""
        if packet.method in {"OPTIONS", "BYE"}:
            self.answered_options += packet.method == "OPTIONS"
            self.socket.send(response(packet, 200, "OK", tag="core"), source)

    def _answered(self, call: _Call, packet: Packet, at: float) -> None:
        record = call.record
        if packet.status < 200:
            self._provisional(call, packet, at)
        elif packet.status < 300:
            self._success(call, packet, at)
        else:
            self._refusal(call, packet, at)
        if record.final and not call.ended:
            self._end(call)

    def _provisional(self, call: _Call, packet: Packet, at: float) -> None:
        record = call.record
        if record.final:
            # One that crossed the final answer on its way is not worth a word; a later one is.
            if packet.status > 100 and at - record.final > 0.05:
                record.violations.append(f"{packet.status} after {record.status}")
            return
        if not record.trying and not record.ringing:
            if call.timer:
                call.timer.cancel()
            left = TIMER_B_S - (at - record.sent)
            call.timer = self._loop.call_later(max(left, 0.0), self._give_up, call)
        if packet.status == 100:
            record.trying = record.trying or at
        elif not record.ringing:
            record.ringing = at
            if call.timer:
                call.timer.cancel()
            call.timer = self._loop.call_later(RING_PATIENCE_S, self._give_up, call)

    def _success(self, call: _Call, packet: Packet, at: float) -> None:
        record = call.record
        tag = packet.first("to").rpartition("tag=")[2]
        repeated = tag in call.tags
        call.tags.add(tag)
        if not record.final and not record.gave_up:
            record.final, record.status = at, packet.status
            contacts = uris(packet.fields.get("contact", ()))
            record.phone = contacts[0].partition("@")[0].removeprefix("sip:") if contacts else ""
        elif not repeated and not (record.gave_up and call.cancelled):
            record.violations.append(f"{packet.status} after {record.status or 'giving up'}")
        self._hang_up(call, packet, bye=not repeated)

    def _hang_up(self, call: _Call, packet: Packet, *, bye: bool) -> None:
        """Acknowledge each 2xx and end the dialog (RFC 3261 §13.2.2.4, §15.1.1), along the recorded route (§12.1.2)."""
        contacts, routes = uris(packet.fields.get("contact", ())), uris(packet.fields.get("record-route", ()))
        if not contacts:
            return
        routes.reverse()
        hop = host_port(routes[0]) if routes else self.proxy
        route = [("Route", f"<{uri}>") for uri in routes]
        to = packet.first("to")
        me = f"{self.socket.host}:{self.socket.port}"

        def head(cseq: str) -> list[tuple[str, str]]:
            via = f"SIP/2.0/UDP {me};branch=z9hG4bK{secrets.token_hex(8)};rport"
            return [*self._head(call, cseq, via=via, to=to), *route]

        self.socket.send(request("ACK", contacts[0], head("1 ACK")), hop)
        if bye:
            call.bye = request("BYE", contacts[0], head("2 BYE"))
            self._send_bye(call, hop, T1_S, time.time() + TIMER_B_S)

    def _send_bye(self, call: _Call, hop: Address, interval: float, until: float) -> None:
        """Repeat the BYE up to its answer (RFC 3261 §17.1.2.2)."""
        if call.bye and time.time() < until:
            self.socket.send(call.bye, hop)
            self._loop.call_later(interval, self._send_bye, call, hop, min(2 * interval, T2_S), until)

    def _refusal(self, call: _Call, packet: Packet, at: float) -> None:
        record = call.record
        uri = call.to.strip("<>")
        self.socket.send(request("ACK", uri, self._head(call, "1 ACK", to=packet.first("to"))), self.proxy)
        if record.gave_up:
            return
        if not record.final:
            record.final, record.status = at, packet.status
            record.targets = uris(packet.fields.get("contact", ())) if packet.status < 400 else []
        elif record.status != packet.status:
            record.violations.append(f"{packet.status} after {record.status}")


def schedule(numbers: Sequence[str], rate: float, duration_s: float, seed: int) -> Iterator[tuple[float, str]]:
    """Yield offset and number of each call: one a step of ``1 / rate``, at a seeded place within it."""
    draw = random.Random(seed)
    for step in range(int(rate * duration_s)):
        yield (step + draw.random()) / rate, draw.choice(numbers)


__all__ = ["CallRecord", "Core", "schedule"]
