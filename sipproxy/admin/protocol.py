"""The wire form of the admin socket, version 1.

One JSON object a line, UTF-8. Request: ``{"v": 1, "op": "status", "args": {…}}``. Answer: ``{"v": 1, "ok": true,
"result": …}`` or ``{"v": 1, "ok": false, "error": {"code", "message", "remedy", "faults": […]}}``. A connection carries
any number of requests, one after the other. An unknown version is refused, never guessed.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from sipproxy.errors import AdminError, Fault

VERSION = 1
MAX_LINE = 256 * 1024 * 1024  # a document of a million numbers has about 100 MB

Json = Any
"""What `json` can carry."""


@dataclass(frozen=True, slots=True)
class Request:
    """One operation with its arguments."""

    op: str
    args: dict[str, Json]


def encode_request(request: Request) -> bytes:
    """Write the request as one line."""
    return _line({"v": VERSION, "op": request.op, "args": request.args})


def decode_request(line: bytes) -> Request:
    """Read a request. Raises `AdminError` with code ``bad_request`` or ``version``."""
    table = _table(line)
    if table.get("v") != VERSION:
        message = f"this service speaks version {VERSION} of the admin protocol, the command version {table.get('v')!r}"
        code = "version"
        raise AdminError(code, message, "use the sipproxy command of the same release as the service")
    op, args = table.get("op"), table.get("args", {})
    if not isinstance(op, str) or not isinstance(args, dict):
        code = "bad_request"
        raise AdminError(code, "a request needs an op and a table of args")
    return Request(op, args)


def encode_result(result: Json) -> bytes:
    """Write a good answer as one line."""
    return _line({"v": VERSION, "ok": True, "result": result})


def encode_error(error: AdminError) -> bytes:
    """Write an error as data."""
    faults = [asdict(fault) for fault in error.faults]
    table = {"code": error.code, "message": error.message, "remedy": error.remedy, "faults": faults}
    return _line({"v": VERSION, "ok": False, "error": table})


def decode_answer(line: bytes) -> Json:
    """Return the result of an answer. Raises the `AdminError` that it carries."""
    table = _table(line)
    if table.get("v") != VERSION:
        code = "version"
        message = f"the service speaks version {table.get('v')!r} of the admin protocol, this command {VERSION}"
        raise AdminError(code, message, "use the sipproxy command of the same release as the service")
    if table.get("ok"):
        return table.get("result")
    error = table.get("error") or {}
    faults = tuple(Fault(**fault) for fault in error.get("faults", ()))
    raise AdminError(error.get("code", "unknown"), error.get("message", ""), error.get("remedy", ""), faults)


def _line(table: dict[str, Json]) -> bytes:
    return json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _table(line: bytes) -> dict[str, Json]:
    code = "bad_request"
    try:
        table = json.loads(line)
    except ValueError as error:
        raise AdminError(code, f"not a JSON line: {error}") from None
    if not isinstance(table, dict):
        raise AdminError(code, "not a JSON object")
    return table
