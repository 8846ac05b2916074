"""Thousands of phones in one process: each line has an address of its own, all answer through one socket."""

import asyncio
import random
from collections import Counter

from tests.faults.laboratory import plan
from tests.faults.laboratory.actors import Mode
from tests.faults.laboratory.namespaces import Namespace
from tests.faults.laboratory.truth import Timeline
from tests.faults.laboratory.wire import SDP, T1_S, T2_S, TIMER_B_S, Address, Packet, Socket, parse, response

_RING_S = 0.3
_KEEP_S = 40.0


class Fleet:
    """All phones of the namespace ``fleet``; they share one mode."""

    def __init__(self, where: Namespace, *, seed: int, answer_s: tuple[float, float] = (1.0, 8.0)) -> None:
        self._where, self._answer_s = where, answer_s
        self.phone = Timeline()
        self.counts: Counter[str] = Counter()
        self.received: dict[str, float] = {}
        """Call-ID → when the first copy of its INVITE arrived."""
        self._draw = random.Random(seed)
        self._last: dict[str, bytes] = {}
        self._open: dict[str, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._socket: Socket | None = None
        self._answers = False

    def start(self) -> None:
        """Open the port on all addresses."""
        with self._where.inside():
            self._socket = Socket("", plan.SIP_PORT, self._receive, every_address=True)
        self.behave("well")

    def behave(self, mode: Mode) -> None:
        """``silent`` or ``well``: answer nothing, or everything."""
        self._answers = mode == "well"
        self.phone.set(self._answers)

    def close(self) -> None:
        """End."""
        for timer in self._open.values():
            timer.cancel()
        if self._socket:
            self._socket.close()
            self._socket = None

    def _receive(self, data: bytes, source: Address, local: str, at: float) -> None:
        if data.startswith(b"OPTIONS "):
            self._options(data, source, local)
            return
        packet = parse(data)
        if packet is None or not packet.method:
            return
        self.counts[packet.method] += 1
        if packet.method == "INVITE":
            self._invite(packet, source, local, at)
        elif packet.method == "ACK":
            self._stop(packet.call_id)
        elif packet.method in {"CANCEL", "BYE"}:
            self._send(response(packet, 200, "OK", tag="fleet"), source, local)

    def _options(self, data: bytes, source: Address, local: str) -> None:
        """Answer a probe; by far the most frequent request, so only what is copied is read."""
        self.counts["OPTIONS"] += 1
        kept = [
            line if line[:2] not in {b"To", b"t:"} or b";tag=" in line else line + b";tag=fleet"
            for line in data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
            if line.partition(b":")[0].lower() in _COPIED
        ]
        self._send(b"SIP/2.0 200 OK\r\n" + b"\r\n".join(kept) + b"\r\nContent-Length: 0\r\n\r\n", source, local)

    def _invite(self, packet: Packet, source: Address, local: str, at: float) -> None:
        branch = packet.branch
        if branch in self._last:
            self._send(self._last[branch], source, local)
            return
        self.received.setdefault(packet.call_id, at)
        self._respond(packet, 100, "Trying", source, local)
        self._open[packet.call_id] = self._loop.call_later(_RING_S, self._ring, packet, source, local)
        self._loop.call_later(_KEEP_S + self._answer_s[1], self._last.pop, branch, None)

    def _respond(self, packet: Packet, status: int, reason: str, source: Address, local: str) -> None:
        extra = [] if status == 100 else [("Contact", f"<sip:fleet@{local}:{plan.SIP_PORT}>")]
        body = SDP if status == 200 else b""
        message = response(packet, status, reason, tag=f"f-{packet.branch[-8:]}", extra=extra, body=body)
        self._last[packet.branch] = message
        self._send(message, source, local)

    def _ring(self, packet: Packet, source: Address, local: str) -> None:
        self._respond(packet, 180, "Ringing", source, local)
        delay = self._draw.uniform(*self._answer_s)
        self._open[packet.call_id] = self._loop.call_later(delay, self._answer, packet, source, local, T1_S, TIMER_B_S)

    def _answer(self, packet: Packet, source: Address, local: str, interval: float, left: float) -> None:
        """Send the 200 and repeat it until its ACK (RFC 3261 §13.3.1.4)."""
        if left <= 0:
            return
        self._respond(packet, 200, "OK", source, local)
        again = (packet, source, local, min(2 * interval, T2_S), left - interval)
        self._open[packet.call_id] = self._loop.call_later(interval, self._answer, *again)

    def _stop(self, call_id: str) -> None:
        if timer := self._open.pop(call_id, None):
            timer.cancel()

    def _send(self, data: bytes, to: Address, source: str) -> None:
        if self._socket and self._answers:
            self._socket.send(data, to, source)


_COPIED = frozenset({b"via", b"v", b"from", b"f", b"to", b"t", b"call-id", b"i", b"cseq"})
