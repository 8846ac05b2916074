"""SIP over plain sockets: enough of a message to read one and to build one, and a socket that waits for what a test expects."""

import itertools
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

Address = tuple[str, int]

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "e": "content-encoding"}
MAX_DATAGRAM = 65_535


@dataclass
class Message:
    """A request or response. Header fields keep their order; names are compared without case."""

    start: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    source: Address = ("", 0)

    @property
    def method(self) -> str:
        """Method of a request, "" for a response."""
        return "" if self.start.startswith("SIP/2.0 ") else self.start.split(" ", 1)[0]

    @property
    def request_uri(self) -> str:
        """Request-URI of a request."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """Status code of a response, 0 for a request."""
        return int(self.start.split(" ", 2)[1]) if self.start.startswith("SIP/2.0 ") else 0

    def all(self, name: str) -> list[str]:
        """Every value of a header field, split at top-level commas where the field is a list."""
        wanted = name.lower()
        values = [value for key, value in self.headers if COMPACT.get(key.lower(), key.lower()) == wanted]
        if wanted in {"via", "contact", "route", "record-route", "diversion", "history-info", "reason"}:
            values = [part for value in values for part in split_list(value)]
        return values

    def one(self, name: str) -> str:
        """The only value of a header field."""
        values = self.all(name)
        assert len(values) == 1, f"{name} occurs {len(values)} times in\n{self}"
        return values[0]

    def first(self, name: str) -> str:
        """The first value of a header field, "" when there is none."""
        return next(iter(self.all(name)), "")

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.first("call-id")

    @property
    def cseq(self) -> tuple[int, str]:
        """CSeq as number and method."""
        number, method = self.one("cseq").split()
        return int(number), method

    @property
    def branch(self) -> str:
        """Branch of the top Via."""
        return parameter(self.first("via"), "branch")

    def encode(self) -> bytes:
        """The message as it goes to the wire; Content-Length is computed unless the test set its own."""
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        if not any(name.lower() in {"content-length", "l"} for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body

    def __str__(self) -> str:
        return self.encode().decode("utf-8", "backslashreplace")


def parse(data: bytes, source: Address = ("", 0)) -> Message:
    """Read a message that the product has sent; anything sloppy in it is an error."""
    head, separator, body = data.partition(b"\r\n\r\n")
    assert separator, f"no end of header: {data!r}"
    # A header field may go over several lines (RFC 3261 §7.3.1).
    start, *lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "surrogateescape")).split("\r\n")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        assert colon, f"no colon in {line!r}"
        headers.append((name.strip(), value.strip()))
    return Message(start, headers, body, source)


def split_list(value: str) -> list[str]:
    """Split at commas outside of quotes and angle brackets."""
    parts, depth, quoted, begin = [], 0, False, 0
    for at, char in enumerate(value):
        if char == '"' and value[at - 1 : at] != "\\":
            quoted = not quoted
        elif not quoted and char in "<>":
            depth += 1 if char == "<" else -1
        elif not quoted and not depth and char == ",":
            parts.append(value[begin:at].strip())
            begin = at + 1
    return [*parts, value[begin:].strip()]


def parameter(value: str, name: str) -> str:
    """Return the header parameter ``;name=value`` of a field value, "" when there is none."""
    for part in value.rpartition(">")[2].split(";")[1:]:
        key, _, text = part.partition("=")
        if key.strip().lower() == name:
            return text.strip().strip('"')
    return ""


def uri(value: str) -> str:
    """Return the URI of a name-addr or addr-spec."""
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.partition(";")[0].strip()


def host_port(address: Address) -> str:
    """Write an address as URIs and Via have it: IPv6 in brackets (RFC 3261 §25.1)."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def token() -> str:
    """Return a fresh branch suffix, tag or Call-ID."""
    return secrets.token_hex(8)


def response(request: Message, status: int, reason: str, *extra: tuple[str, str], tag: str = "", body: bytes = b"") -> Message:
    """Build the response to ``request`` (RFC 3261 §8.2.6.2)."""
    headers = [
        (name, value) for name, value in request.headers if name.lower() in {"via", "v", "from", "f", "call-id", "i", "cseq"}
    ]
    headers += [("Record-Route", value) for value in request.all("record-route")]
    to = request.one("to")
    headers.append(("To", f"{to};tag={tag}" if tag and not parameter(to, "tag") else to))
    return Message(f"SIP/2.0 {status} {reason}", [*headers, *extra], body)


@dataclass
class Endpoint:
    """A UDP socket of a test. What arrives and is not expected yet waits in order."""

    host: str = "127.0.0.1"
    port: int = 0
    seen: list[Message] = field(default_factory=list)
    """Everything received so far, expected or not."""

    def __post_init__(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((self.host, self.port))
        self.port = self.socket.getsockname()[1]
        self._pending: list[Message] = []

    def close(self) -> None:
        """Close the socket; the port is then silent (ICMP port unreachable)."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sent_by(self) -> str:
        """The address as Via, Contact and Request-URI write it."""
        return host_port((self.host, self.port))

    def send(self, message: Message | bytes, to: Address) -> None:
        """Send one datagram."""
        self.socket.sendto(message if isinstance(message, bytes) else message.encode(), to)

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next message within ``timeout_s``, or None."""
        self.socket.settimeout(max(timeout_s, 0.001))
        try:
            data, source = self.socket.recvfrom(MAX_DATAGRAM)
        except (TimeoutError, ConnectionRefusedError):
            return None
        message = parse(data, source[:2])
        self.seen.append(message)
        return message

    def expect(self, wanted: Callable[[Message], bool], *, what: str, timeout_s: float = 5.0) -> Message:
        """Return the first message that is ``wanted``; others stay for later. Raises `AssertionError` naming ``what``."""
        deadline = time.monotonic() + timeout_s
        for at, message in enumerate(self._pending):
            if wanted(message):
                return self._pending.pop(at)
        while (left := deadline - time.monotonic()) > 0:
            received = self.receive(left)
            if received is None:
                continue
            if wanted(received):
                return received
            self._pending.append(received)
        seen = "\n".join(f"  {message.start}" for message in self.seen[-10:]) or "  nothing"
        raise AssertionError(f"{what}: not received within {timeout_s} s by {self.sent_by}; received:\n{seen}")

    def silent(self, wanted: Callable[[Message], bool], *, for_s: float) -> bool:
        """Say whether nothing ``wanted`` arrives for a while. Only for what must not happen."""
        try:
            self.expect(wanted, what="", timeout_s=for_s)
        except AssertionError:
            return True
        return False

    def via(self, branch: str | None = None, *, rport: bool = True) -> str:
        """Return a Via for a request from here."""
        return f"SIP/2.0/UDP {self.sent_by};branch=z9hG4bK{branch or token()}" + (";rport" if rport else "")

    def request(
        self,
        method: str,
        target: str,
        *extra: tuple[str, str],
        to: str = "",
        cseq: int = 1,
        via: str = "",
        from_: str = "",
        call_id: str = "",
    ) -> Message:
        """Build a request; ``extra`` are more header fields, what is not given is made up."""
        return Message(
            f"{method} {target} SIP/2.0",
            [
                ("Via", via or self.via()),
                ("Max-Forwards", "70"),
                ("From", from_ or f"<sip:tester@{self.sent_by}>;tag={token()}"),
                ("To", to or f"<{target}>"),
                ("Call-ID", call_id or f"{token()}@{self.host}"),
                ("CSeq", f"{cseq} {method}"),
                *extra,
            ],
        )


def answers(request: Message) -> Callable[[Message], bool]:
    """Match any response to ``request``."""
    return lambda message: bool(message.status) and message.call_id == request.call_id and message.cseq == request.cseq


def final(request: Message) -> Callable[[Message], bool]:
    """Match a final response to ``request``."""
    is_answer = answers(request)
    return lambda message: is_answer(message) and message.status >= 200


def counter() -> Iterator[int]:
    """CSeq numbers."""
    return itertools.count(1)
