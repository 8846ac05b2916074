"""A caller that asks one question at a time: where is this number diverted to? For what is checked, not for load."""

import contextlib
import re
import secrets
import socket
import time
from typing import NamedTuple

_CONTACT = re.compile(rb"\r\nContact:[^\r]*?sip:(\+[0-9]+)@")
_TO = re.compile(rb"\r\nTo:([^\r]*)\r\n")
_TOKEN = re.compile(rb"\r\nCall-ID: *([0-9a-f]+)\r\n")
_PROVISIONAL = 200
_REDIRECT = 302


class Answer(NamedTuple):
    """A final answer."""

    status: int
    target: str
    """Number of the first Contact, "" without one."""


class Caller:
    """One socket, connected to the service; not thread-safe."""

    def __init__(self, service: str) -> None:
        """``service``: address and port (IPv4)."""
        host, _, port = service.rpartition(":")
        self._service = service
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, int(port)))
        self._here = "{}:{}".format(*self._socket.getsockname())

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, number: str) -> bytes:
        """Send an INVITE for an E.164 number; return what its answer is known by."""
        token = secrets.token_hex(8)
        lines = (
            f"INVITE sip:{number}@{self._service};user=phone SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bK{token};rport",
            "Max-Forwards: 70",
            f"From: <sip:+496990009123@{self._here};user=phone>;tag={token}",
            f"To: <sip:{number}@{self._service};user=phone>",
            f"Call-ID: {token}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:+496990009123@{self._here}>",
            "Content-Length: 0",
        )
        self._send(lines)
        return token.encode()

    def receive(self, number: str, timeout_s: float) -> tuple[bytes, Answer] | None:
        """Return the next final answer, acknowledged (RFC 3261 §17.1.1.3), and its token; None when none comes in time."""
        limit = time.monotonic() + timeout_s
        while (left := limit - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65_535)
            except TimeoutError:
                return None
            except ConnectionError:  # nobody is there yet
                time.sleep(min(0.001, left))
                continue
            token, to = _TOKEN.search(data), _TO.search(data)
            status = int(data[8:11])
            if status < _PROVISIONAL or token is None or to is None:
                continue
            self._acknowledge(number, token[1].decode(), to[1].decode().strip())
            contact = _CONTACT.search(data)
            return token[1], Answer(status, contact[1].decode() if contact is not None and status == _REDIRECT else "")
        return None

    def call(self, number: str, timeout_s: float = 5.0) -> Answer | None:
        """Call a number; None when no final answer comes in time."""
        limit = time.monotonic() + timeout_s
        while time.monotonic() < limit:
            wanted = self.send(number)
            repeat = min(time.monotonic() + 0.5, limit)
            while (left := repeat - time.monotonic()) > 0:
                found = self.receive(number, left)
                if found is not None and found[0] == wanted:
                    return found[1]
        return None

    def _acknowledge(self, number: str, token: str, to: str) -> None:
        lines = (
            f"ACK sip:{number}@{self._service};user=phone SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bK{token};rport",
            "Max-Forwards: 70",
            f"From: <sip:+496990009123@{self._here};user=phone>;tag={token}",
            f"To: {to}",
            f"Call-ID: {token}",
            "CSeq: 1 ACK",
            "Content-Length: 0",
        )
        self._send(lines)

    def _send(self, lines: tuple[str, ...]) -> None:
        # What an earlier datagram brought back (ICMP) is told at the next one.
        with contextlib.suppress(ConnectionError):
            self._socket.send("\r\n".join((*lines, "", "")).encode())
