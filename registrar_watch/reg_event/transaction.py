"""The socket of all subscriptions, and the non-INVITE client transaction over UDP (RFC 3261 §17.1.2)."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from sipproxy._engine import MessageError, parse_message

if TYPE_CHECKING:
    from sipproxy._engine import ParsedMessage

Address = tuple[str, int]
_log = structlog.get_logger(__name__)
T1_S, T2_S, TIMER_F_S = 0.5, 4.0, 32.0
_MAX_RECEIVE = 65_535

OnResponse = Callable[["ParsedMessage | None"], None]
"""Told the final response, or None when Timer F fired."""


class ClientTransaction:
    """Repeats a request until it is answered. Provisional answers slow it down; Timer K is not needed, strays are ignored."""

    __slots__ = ("_data", "_give_up", "_interval_s", "_on_response", "_repeat", "_to", "_wire", "branch")

    def __init__(self, wire: "Wire", branch: str, data: bytes, to: Address, on_response: OnResponse) -> None:
        self.branch = branch
        self._wire = wire
        self._data = data
        self._to = to
        self._on_response = on_response
        self._interval_s = T1_S
        self._repeat: asyncio.TimerHandle | None = None
        self._give_up: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Send it."""
        loop = asyncio.get_running_loop()
        self._wire.transactions[self.branch] = self
        self._wire.send(self._data, self._to)
        self._repeat = loop.call_later(self._interval_s, self._timer_e)
        self._give_up = loop.call_later(TIMER_F_S, self._timer_f)

    def cancel(self) -> None:
        """Forget it; its answer is a stray then."""
        self._wire.transactions.pop(self.branch, None)
        for timer in (self._repeat, self._give_up):
            if timer is not None:
                timer.cancel()

    def handle(self, response: "ParsedMessage") -> None:
        """Take a response of this transaction."""
        if response.status < 200:  # noqa: PLR2004 - provisional
            self._interval_s = T2_S
            return
        self.cancel()
        self._on_response(response)

    def _timer_e(self) -> None:
        self._wire.send(self._data, self._to)
        self._interval_s = min(2 * self._interval_s, T2_S)
        self._repeat = asyncio.get_running_loop().call_later(self._interval_s, self._timer_e)

    def _timer_f(self) -> None:
        self.cancel()
        self._on_response(None)


class Wire(asyncio.DatagramProtocol):
    """One UDP socket. Responses go to their transactions, NOTIFYs to ``on_request``; whoever is not ``known`` is not heard."""

    def __init__(self, on_request: Callable[["ParsedMessage", Address], None], known: Callable[[str], bool]) -> None:
        self.transactions: dict[str, ClientTransaction] = {}
        self.strangers = 0
        """Datagrams of senders that are no registrar."""
        self.malformed = 0
        self._on_request = on_request
        self._known = known
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, host: str, port: int) -> None:
        """Bind the socket. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    @property
    def sent_by(self) -> str:
        """Our address as it stands in Via and Contact."""
        assert self._transport is not None  # noqa: S101 - opened before it is used
        host, port = self._transport.get_extra_info("sockname")[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram; what the network does not take is lost, as UDP may lose it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment] # of a datagram endpoint

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Take a datagram of a registrar."""
        if not self._known(addr[0]):
            self.strangers += 1
            return
        try:
            message = parse_message(data)
        except MessageError:
            self.malformed += 1
            return
        if not message.status:
            self._on_request(message, addr[:2])
            return
        transaction = self.transactions.get(message.branch or "")
        if transaction is not None and message.method == "SUBSCRIBE":
            transaction.handle(message)

    def error_received(self, exc: Exception) -> None:
        """ICMP: the request is repeated all the same, and Timer F ends it."""
        _log.debug("registrar not reachable", cause=str(exc))


def new_token(octets: int = 8) -> str:
    """Return random letters and digits for tags, branches and Call-IDs (RFC 3261 §19.3)."""
    return secrets.token_hex(octets)
