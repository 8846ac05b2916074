"""Counts what a system under test sends towards the lines: requests by method, as they leave its own card."""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Callable

from tests.faults.laboratory.namespaces import Namespace

_ALL_PROTOCOLS = 0x0003
_OUTGOING = 4
_BURST = 256
_BYTES = 1024
"""Enough to find CSeq in a response."""
_UDP = 17
_METHODS = (b"OPTIONS ", b"INVITE ", b"CANCEL ", b"ACK ", b"BYE ")


class Tap:
    """Reads a copy of each packet that ``port`` sends. Packets are counted while the port is up, whatever becomes of them later."""

    def __init__(self, namespace: Namespace, port: str) -> None:
        with namespace.inside():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ALL_PROTOCOLS))
            self._socket.bind((port, _ALL_PROTOCOLS))
        self._socket.settimeout(0)
        self.counts: Counter[str] = Counter()
        self.registration: Callable[[float], None] | None = None
        """Called with the time of each 200 to a REGISTER that the system sends."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Stop counting."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(_BURST):
                data, (_, _, kind, *_) = self._socket.recvfrom(_BYTES)
                if kind == _OUTGOING:
                    self._count(data)

    def _count(self, packet: bytes) -> None:
        header = (packet[0] & 15) * 4
        if packet[9] == _UDP:
            payload = packet[header + 8 : header + 16]
            for method in _METHODS:
                if payload.startswith(method):
                    self.counts[method.decode().strip()] += 1
            if (
                self.registration
                and payload == b"SIP/2.0 "
                and packet[header + 16 : header + 19] == b"200"
                and b" REGISTER" in packet
            ):
                self.registration(time.time())
