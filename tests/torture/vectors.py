"""The vectors of RFC 4475 and RFC 5118, and what the manifest's words mean in status codes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "vectors" / "torture"

USERS = ["user", "j.user", "watson", "null-\0-null"]
"""Whom the vectors register at example.com."""

# "Well-formed handling" is any final answer but 400.
BAD_REQUEST = frozenset({400})
REGISTERED = frozenset({200, 401, 403, 404})
_STATUSES: dict[str, frozenset[int]] = {
    "200 with 2 bindings|401|403|404": REGISTERED,
    "forward|404|501+Allow|405": frozenset({403, 404, 405, 501}),
    "forward|404|501|405": frozenset({403, 404, 405, 501}),
    "exactly one response, to the REGISTER (200|401|403|404)": REGISTERED,
    "400": BAD_REQUEST,
    "UDP 400; TCP close after timeout": BAD_REQUEST,
    "UDP 400; TCP error and/or close": BAD_REQUEST,
    "505": frozenset({505}),
    "501|400": frozenset({400, 501}),
    "400 (ideal)|silent drop": BAD_REQUEST,
    "416": frozenset({416}),
    "416|404": frozenset({404, 416}),
    "registrar 400; proxy forwards": BAD_REQUEST,
    "420 + Unsupported": frozenset({420}),
    "401 + WWW-Authenticate|200|405": frozenset({200, 401, 405}),
    "483|200 (final recipient of OPTIONS)": frozenset({200, 483}),
    "200|401": frozenset({200, 401}),
    "400|200 with Route kept inside the contact URI|401": frozenset({200, 400, 401}),
    "200|401|403|404": REGISTERED,
}
_LIBERAL = ("liberal processing", "processing with headers stripped", "normal processing")
_FINAL = frozenset(range(200, 700))


@dataclass(frozen=True)
class Vector:
    """One message and what the manifest says about it."""

    name: str
    rfc: str
    kind: str
    """``valid…``, ``invalid…`` or ``app``."""
    method: str
    port: int
    """Where answers go: the port of the top Via (RFC 3261 §18.2.2)."""
    accept: str
    wire: bytes

    @property
    def is_response(self) -> bool:
        """A response that belongs to nothing has to be dropped."""
        return self.method.isdigit()

    @property
    def may_be_dropped(self) -> bool:
        """Whether silence is right as well."""
        return "silent drop" in self.accept

    @property
    def allowed(self) -> frozenset[int]:
        """The final status codes that are right."""
        if self.accept in _STATUSES:
            return _STATUSES[self.accept]
        return _FINAL if any(word in self.accept for word in _LIBERAL) else _FINAL - BAD_REQUEST

    def header(self, name: str) -> str:
        """Return the value of a header field that stands once and in one line."""
        head = self.wire.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
        found = [line.partition(":")[2].strip() for line in head.split("\r\n") if line.lower().startswith(f"{name.lower()}:")]
        assert len(found) == 1, f"{name} of {self.name}: {found}"
        return found[0]


def _read(entry: dict[str, Any]) -> Vector:
    return Vector(
        name=entry["name"],
        rfc=entry["rfc"],
        kind=entry["class"],
        method=str(entry["method_or_code"]),
        port=entry["top_via_port"] or 5060,
        accept=entry["accept"],
        wire=(FOLDER / entry["wire"]).read_bytes(),
    )


VECTORS: list[Vector] = [_read(entry) for entry in json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))["messages"]]
BY_NAME = {vector.name: vector for vector in VECTORS}
