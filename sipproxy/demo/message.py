"""SIP messages for a test agent: start line, header fields in order, body. Readable first; it never carries real traffic."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Self

_COMPACT = {
    "i": "Call-ID",
    "m": "Contact",
    "e": "Content-Encoding",
    "l": "Content-Length",
    "c": "Content-Type",
    "f": "From",
    "s": "Subject",
    "k": "Supported",
    "t": "To",
    "v": "Via",
}  # RFC 3261 §7.3.3
_SEVERAL = {"via", "record-route", "route", "contact", "diversion", "history-info"}
_COMMA = re.compile(r',(?=(?:[^"<>]|"[^"]*"|<[^>]*>)*$)')


@dataclass(slots=True)
class Message:
    """A request (``method``) or a response (``status``)."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    def get(self, name: str) -> str:
        """Return the first value of a header field, "" if there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Return all values of a header field; lists in one field are taken apart (RFC 3261 §7.3.1)."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        if name.lower() not in _SEVERAL:
            return found
        return [item.strip() for value in found for item in _COMMA.split(value)]

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq."""
        number, _, method = self.get("CSeq").partition(" ")
        return int(number), method.strip()

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        via = self.all("Via")
        found = re.search(r";\s*branch=([^;,\s]+)", via[0]) if via else None
        return found[1] if found else ""

    def __bytes__(self) -> bytes:
        body = self.body.encode()
        start = f"{self.method} {self.uri} SIP/2.0" if self.method else f"SIP/2.0 {self.status} {self.reason}"
        lines = [start, *(f"{key}: {value}" for key, value in self.headers), f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a datagram. Raises `ValueError` if it is no SIP message."""
        head, _, body = data.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        message = cls(body=body.decode(errors="replace"))
        if start.startswith("SIP/2.0 "):
            _, status, message.reason = [*start.split(" ", 2), ""][:3]
            message.status = int(status)
        else:
            message.method, message.uri, _ = start.split(" ", 2)
        for line in lines:
            name, _, value = line.partition(":")
            name = _COMPACT.get(name.strip().lower(), name.strip())
            if name.lower() != "content-length":
                message.headers.append((name, value.strip()))
        return message


def uri_of(value: str) -> str:
    """Return the URI of a ``name-addr`` or ``addr-spec`` (RFC 3261 §20.10), without header parameters."""
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.partition(";")[0].strip()


def tag_of(value: str) -> str:
    """Return the tag parameter of a From or To."""
    found = re.search(r";\s*tag=([^;\s]+)", value.rpartition(">")[2] or value)
    return found[1] if found else ""


def response_to(request: Message, status: int, reason: str, tag: str = "", **headers: str) -> Message:
    """Build a response with what RFC 3261 §8.2.6.2 copies from the request."""
    copied = [(key, value) for key, value in request.headers if key.lower() in {"via", "from", "call-id", "cseq"}]
    to = request.get("To")
    copied.append(("To", to if tag_of(to) or not tag else f"{to};tag={tag}"))
    if status < 300:  # noqa: PLR2004 - the dialog's route set, RFC 3261 §12.1.1
        copied += [(key, value) for key, value in request.headers if key.lower() == "record-route"]
    return Message(status=status, reason=reason, headers=copied + [(k.replace("_", "-"), v) for k, v in headers.items()])


def digest_answer(challenge: str, method: str, uri: str, *, username: str, password: str, cnonce: str) -> str:
    """Return the value of Authorization for a challenge (RFC 7616 §3.4, RFC 8760), with ``qop=auth`` if it is offered."""
    given = {key.lower(): quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', challenge)}
    name = given.get("algorithm", "MD5")

    def digest(text: str) -> str:
        data = text.encode()
        if name.upper() == "SHA-256":
            return hashlib.sha256(data).hexdigest()
        return hashlib.md5(data, usedforsecurity=False).hexdigest()

    ha1 = digest(f"{username}:{given['realm']}:{password}")
    ha2 = digest(f"{method}:{uri}")
    fields = {"username": username, "realm": given["realm"], "nonce": given["nonce"], "uri": uri}
    plain = {"algorithm": name}
    if "auth" in given.get("qop", "").split(","):
        fields |= {"cnonce": cnonce}
        plain |= {"qop": "auth", "nc": "00000001"}
        fields["response"] = digest(f"{ha1}:{given['nonce']}:00000001:{cnonce}:auth:{ha2}")
    else:
        fields["response"] = digest(f"{ha1}:{given['nonce']}:{ha2}")
    if "opaque" in given:
        fields["opaque"] = given["opaque"]
    parts = [f'{key}="{value}"' for key, value in fields.items()] + [f"{key}={value}" for key, value in plain.items()]
    return "Digest " + ", ".join(parts)
