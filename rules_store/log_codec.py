"""Between an entry of the log and the bytes in the store; the fields are those of rules_store/lua/versions.lua."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from rules_store.connection import Arg
from rules_store.older import upgraded
from rules_store.settings import StoreSettings
from rules_store.types import Author, Garbage, Via, plain
from rules_store.untrusted import LATEST_MS, json_object, whole

State = dict[str, Any]
"""An entity as the log has it: its JSON object, with ``""`` in the place of every HA1."""
Op = Literal["put", "delete", "import", "erase"]

_OPS: Final[dict[bytes, Op]] = {b"p": "put", b"d": "delete", b"i": "import", b"e": "erase"}
_DAY_MS: Final = 86_400_000
_NOTE: Final = 500


@dataclass(frozen=True, slots=True)
class Version:
    """One change of one entity; or one large import, or the erasure of a customer (then ``id`` says whose).

    ``version``: the store's sequence number of it, and the version of the record that it made. ``before`` and ``after``: the
    entity without its secrets, None where there was none. ``previous``: the version of this entity before, None for the
    first or when it is not known. ``first``…``last`` are the versions of one write, of ``count``
    entities. ``customer``: whose it is; ``""`` for the carrier's own.
    """

    version: int
    at_unix_ms: int
    author: Author
    note: str
    op: Op
    kind: str
    id: str
    customer: str
    before: State | None
    after: State | None
    previous: int | None
    first: int
    last: int
    count: int
    undoes: int | None = None
    imported: int | None = None
    """Of an import: the version of all that it brought."""
    customer_before: int | None = None
    """The version before of anything of this customer."""

    def as_change(self, kind: str, entity_id: str, before: State | None, after: State | None, previous: int | None) -> Version:
        """Tell this import as what it did to one entity."""
        op: Op = "delete" if after is None else "put"
        return replace(self, op=op, kind=kind, id=entity_id, customer="", before=before, after=after, previous=previous)


def log_head(settings: StoreSettings, author: Author, note: str, undoes: int | None) -> list[Arg]:
    """Return what the scripts that write the log want to know: who, and what of the log is kept."""
    undone = "" if undoes is None else str(undoes)
    return [author.who, author.via, author.source, plain(note, _NOTE), undone, cutoff_unix_ms(settings), settings.log_kept]


def cutoff_unix_ms(settings: StoreSettings) -> int:
    """Return the time before which entries are not kept."""
    return int(time.time() * 1000 - settings.log_days * _DAY_MS)


def decode_version(entry_id: bytes, fields: dict[bytes, bytes]) -> Version | Garbage:
    """Parse an entry. States of an older schema are told in the present one."""
    where = f"log {entry_id.decode(errors='replace')}"
    try:
        version, at = whole(entry_id.removesuffix(b"-0")), whole(fields[b"t"])
        if version is None or at is None or at > LATEST_MS:
            return Garbage(where, "not an entry of the log: its number or time cannot be", repr(fields)[:80])
        op = _OPS[fields[b"o"]]
        kind, entity_id = fields[b"k"].decode(), fields[b"i"].decode()
        before, after = (b"", b"") if op == "import" else (fields[b"b"], fields[b"a"])
        return Version(
            version,
            at,
            _author(fields),
            fields[b"n"].decode(errors="replace"),
            op,
            kind,
            entity_id,
            fields[b"c"].decode(errors="replace"),
            _state(kind, before),
            _state(kind, after),
            _number(fields[b"p"]),
            int(fields[b"f"]),
            int(fields[b"l"]),
            int(fields[b"m"]),
            undoes=_number(fields[b"u"]),
            imported=int(fields[b"a"]) if op == "import" else None,
            customer_before=_number(fields[b"q"]),
        )
    except (KeyError, ValueError) as error:
        return Garbage(where, f"not an entry of the log: {type(error).__name__}", repr(fields)[:80])


def redacted(text: bytes, kind: str) -> State | None:
    """Parse the text of an entity and take its secrets out. None for what is no JSON object."""
    state = _state(kind, text)
    credentials = (state or {}).get("credentials")
    for credential in credentials if isinstance(credentials, list) else ():
        if isinstance(credential, dict):
            credential["ha1"] = ""
    return state


def _author(fields: dict[bytes, bytes]) -> Author:
    via = fields[b"v"].decode(errors="replace")
    known: Via = via if via in get_args(Via) else "service"  # type: ignore[assignment]
    return Author(fields[b"w"].decode(errors="replace"), known, fields[b"s"].decode(errors="replace"))


def _state(kind: str, text: bytes) -> State | None:
    if not text:
        return None
    state = json_object(text)
    if state is None:
        return {UNREADABLE: text[:80].decode(errors="replace")}
    return upgraded(kind, state)


UNREADABLE: Final = "unreadable"
"""The one field of a state that did not parse."""


def _number(text: bytes) -> int | None:
    return whole(text)
