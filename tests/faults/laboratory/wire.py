"""SIP on the laboratory's sockets: a reader and a writer that cost microseconds, and arrival times from the kernel.

`tests.harness.sip` checks each message that the product sends; here hundreds a second are only followed, so that the load
takes no time from the systems under test. Times are seconds since 1970 (`time.time`): one clock for packets, faults and logs.
"""

import asyncio
import contextlib
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Address = tuple[str, int]

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
MAX_DATAGRAM = 65_535

T1_S, T2_S, T4_S = 0.5, 4.0, 5.0
"""RFC 3261 §17.1.1.1, the values of the core and of the phones."""
TIMER_B_S = 64 * T1_S

_SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_IP_PKTINFO = 8
_RECEIVE_BUFFER = 4 << 20
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length"}
_BURST = 64


@dataclass(slots=True)
class Packet:
    """A request (``method`` is set) or a response (``status`` is set)."""

    method: str
    status: int
    uri: str
    fields: dict[str, list[str]]
    """Header fields by lower-case name; values as received, in order."""

    def first(self, name: str) -> str:
        """Return the first value, "" when the field is absent."""
        values = self.fields.get(name)
        return values[0] if values else ""

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.first("call-id")

    @property
    def cseq_method(self) -> str:
        """Method of CSeq."""
        return self.first("cseq").rpartition(" ")[2]

    @property
    def branch(self) -> str:
        """Branch of the top Via."""
        return parameter(self.first("via").partition(",")[0], "branch")


def parse(data: bytes) -> Packet | None:
    """Read a message; None for keep-alives and for what is no SIP."""
    head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    start, *lines = head.split("\r\n")
    words = start.split(" ", 2)
    if len(words) < 3:
        return None
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            fields.setdefault(_COMPACT.get(key, key), []).append(value.strip())
    if words[0] == "SIP/2.0":
        return Packet("", int(words[1]) if words[1].isdigit() else 0, "", fields)
    return Packet(words[0], 0, words[1], fields)


def request(method: str, uri: str, fields: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """Write a request."""
    return _message(f"{method} {uri} SIP/2.0", fields, body)


def response(
    asked: Packet, status: int, reason: str, *, tag: str, extra: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> bytes:
    """Write a response to ``asked`` (RFC 3261 §8.2.6): Via, From, To with our tag, Call-ID, CSeq, and Record-Route (§12.1.1)."""
    copied = [
        (name, value) for name in ("via", "record-route", "from", "call-id", "cseq") for value in asked.fields.get(name, ())
    ]
    to = asked.first("to")
    copied.append(("to", to if parameter(to, "tag") or status == 100 else f"{to};tag={tag}"))
    return _message(f"SIP/2.0 {status} {reason}", [*copied, *extra], body)


def _message(start: str, fields: Iterable[tuple[str, str]], body: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    content = "Content-Type: application/sdp\r\n" if body else ""
    return f"{start}\r\n{head}{content}Content-Length: {len(body)}\r\n\r\n".encode() + body


_PARAMETER = re.compile(r";\s*([\w-]+)\s*(?:=\s*([^;\s,]+))?")


def parameter(value: str, name: str) -> str:
    """Return a header parameter, "" when it is absent."""
    return next((found[2] or "" for found in _PARAMETER.finditer(value.rpartition(">")[2] or value) if found[1] == name), "")


def uris(values: Iterable[str]) -> list[str]:
    """Return the URIs of Contact, Route or Record-Route values, lists taken apart."""
    return [uri for value in values for uri in re.findall(r"<([^>]*)>", value) or [value.partition(";")[0].strip()]]


def host_port(uri: str) -> Address:
    """Return host and port of a SIP URI; 5060 where it names none."""
    hostport = uri.partition(":")[2].partition(";")[0].rpartition("@")[2]
    host, _, port = hostport.partition(":")
    return host, int(port or 5060)


class Socket:
    """A UDP socket of the laboratory: hands each datagram with its time of arrival to ``receive(data, source, local, at)``.

    It is made in the namespace of the calling thread and stays there. With ``transparent`` it is bound to every address of its
    namespace, and ``local`` says which one a datagram came to; `send` can then answer from that address.
    """

    def __init__(
        self, host: str, port: int, receive: Callable[[bytes, Address, str, float], None], *, every_address: bool = False
    ) -> None:
        self._receive = receive
        self._every = every_address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        # Thousands of lines answer through one socket; the limit of the system holds for others, root may pass it.
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, 33, _RECEIVE_BUFFER)  # SO_RCVBUFFORCE
        if every_address:
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self.socket.settimeout(0)
        self.socket.bind(("0.0.0.0" if every_address else host, port))
        self.host, self.port = host, self.socket.getsockname()[1]
        self.refused = 0
        """ICMP errors that the kernel reported on this socket."""
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._readable)

    def close(self) -> None:
        """Close: the port is then refused by the host (ICMP port unreachable)."""
        if self.socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.socket.fileno())
            self.socket.close()

    def send(self, data: bytes, to: Address, source: str = "") -> None:
        """Send one datagram; what the local network refuses is lost, as any packet may be."""
        try:
            if source and self._every:
                information = struct.pack("@i4s4s", 0, socket.inet_aton(source), b"\0" * 4)
                self.socket.sendmsg([data], [(socket.IPPROTO_IP, _IP_PKTINFO, information)], 0, to)
            else:
                self.socket.sendto(data, to)
        except OSError:
            self.refused += 1

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                data, ancillary, _, source = self.socket.recvmsg(MAX_DATAGRAM, 128)
            except BlockingIOError:
                return
            except OSError:
                self.refused += 1
                continue
            at, local = time.time(), self.host
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("@qq", value[:16])
                    at = seconds + nanoseconds / 1e9
                elif level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
                    local = socket.inet_ntoa(value[4:8])
            self._receive(data, source, local, at)
            if self.socket.fileno() < 0:
                return
