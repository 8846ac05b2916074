"""The messages of one subscription: SUBSCRIBE within its dialog (RFC 3261 §12), and the answers to its NOTIFYs."""

import ipaddress
import re
from typing import TYPE_CHECKING

from registrar_watch.reg_event.reginfo import CONTENT_TYPE
from registrar_watch.reg_event.transaction import Address, new_token

if TYPE_CHECKING:
    from sipproxy._engine import ParsedMessage

_URI_HOST = re.compile(r"^sips?:(?:[^@]*@)?(\[[0-9A-Fa-f:.]+\]|[^:;?\[\]]+)(?::(\d{1,5}))?(?:[;?].*)?$")
_UNESCAPED = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/]")
DEFAULT_PORT = 5060


class Dialog:
    """Identity, sequence numbers and route of a subscription's dialog."""

    __slots__ = ("aor", "call_id", "cseq", "local_tag", "local_uri", "remote_cseq", "remote_tag", "route", "target")

    def __init__(self, aor: str, local_uri: str) -> None:
        self.aor = aor
        self.local_uri = local_uri
        self.call_id = new_token(12)
        self.local_tag = new_token()
        self.remote_tag: str | None = None
        self.cseq = 0
        self.remote_cseq: int | None = None
        self.target = aor
        self.route: list[str] = []

    def settle(self, message: "ParsedMessage") -> None:
        """Take the remote side from the first 2xx (RFC 3261 §12.1.2) or NOTIFY (§12.1.1), the target from any (§12.2)."""
        is_request = not message.status
        if self.remote_tag is None:
            self.remote_tag = message.from_tag if is_request else message.to_tag
            self.route = list(message.record_routes) if is_request else list(reversed(message.record_routes))
        if message.contact_uris:
            self.target = message.contact_uris[0]

    def subscribe(self, sent_by: str, branch: str, expires_s: int, authorization: tuple[str, str] | None) -> bytes:
        """Return the next SUBSCRIBE; within the dialog once that stands."""
        self.cseq += 1
        to = f"<{self.aor}>" if self.remote_tag is None else f"<{self.aor}>;tag={self.remote_tag}"
        lines = [
            f"SUBSCRIBE {self.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {sent_by};rport;branch={branch}",
            "Max-Forwards: 70",
            *(f"Route: {value}" for value in self.route),
            f"From: <{self.local_uri}>;tag={self.local_tag}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} SUBSCRIBE",
            f"Contact: <sip:reg-event@{sent_by}>",
            "Event: reg",
            f"Accept: {CONTENT_TYPE}",
            f"Expires: {expires_s}",
        ]
        if authorization is not None:
            lines.append(f"{authorization[0]}: {authorization[1]}")
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("latin-1", "replace")

    def next_hop(self) -> Address | None:
        """Return where requests of the dialog go: the first route, else the target; None if that is no address."""
        uri = self.route[0].partition("<")[2].partition(">")[0] if self.route else self.target
        return address_of(uri)


def address_of(uri: str) -> Address | None:
    """Return the address in a SIP URI that needs no look-up."""
    match = _URI_HOST.match(uri)
    if match is None:
        return None
    host = match[1].strip("[]")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return None
    return host, int(match[2] or DEFAULT_PORT)


def aor_of(user: str, domain: str) -> str:
    """Return the address-of-record as a URI; what may not stand in a user part is escaped (RFC 3261 §25.1)."""
    escaped = "".join(
        chr(octet) if _UNESCAPED.match(chr(octet)) else f"%{octet:02X}" for octet in user.encode("utf-8", "surrogateescape")
    )
    return f"sip:{escaped}@{domain}"


def answer(request: "ParsedMessage", source: Address, status: int, reason: str, *extra: tuple[str, str]) -> bytes:
    """Return a response to a request in a dialog (RFC 3261 §8.2.6)."""
    lines = [f"SIP/2.0 {status} {reason}"]
    first = True
    for name, value in request.headers:
        if name.lower() == "via" and first:
            first = False
            lines.append(f"Via: {_received(value, source)}")
        elif name.lower() in {"via", "from", "to", "call-id", "cseq"}:
            tag = f";tag={new_token()}" if name.lower() == "to" and request.to_tag is None else ""
            lines.append(f"{name}: {value}{tag}")
    lines += [f"{name}: {value}" for name, value in extra]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("latin-1", "replace")


def _received(via: str, source: Address) -> str:
    """Fill ``rport`` (RFC 3581 §4) and ``received`` (RFC 3261 §18.2.1) into the topmost hop."""
    top, comma, rest = via.partition(",")
    filled = re.sub(r";\s*rport(?=\s*(?:;|$))", f";rport={source[1]}", top, count=1, flags=re.IGNORECASE)
    return f"{filled};received={source[0]}{comma}{rest}"
