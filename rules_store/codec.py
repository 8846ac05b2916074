"""Between the values of `rules_store.types` and the bytes in the store.

A record is ``{"v":<version>,"c":[<claims>],"e":<entity>}``, always in this shape (rules_store/lua/records.lua reads it by
pattern). Reading trusts nothing: whatever does not parse becomes a `Garbage`, never an exception for the reader.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from routing.model import KINDS, Block, Entity, Number
from rules_store.older import upgraded_text
from rules_store.types import BindingRow, Change, FaultPlace, Garbage, Health, Put, Stored, VerdictRow, Write
from rules_store.untrusted import MOST

KIND_NUMBER: dict[str, int] = {kind: number for number, kind in enumerate(KINDS)}
KIND_OF: dict[type[Entity], str] = {model: kind for kind, model in KINDS.items()}

_PLACES = get_args(FaultPlace)
_RECORD = re.compile(rb'\{"v":([0-9]{1,15}),"c":\[.*?\],"e":(.*)\}', re.DOTALL)
_SEPARATOR = "\x1f"
_SAMPLE = 80


def kind_of(entity: Entity) -> str:
    """Return the kind of an entity; `TypeError` for something that is none of the domain's (our bug)."""
    try:
        return KIND_OF[type(entity)]
    except KeyError:
        raise TypeError(f"{type(entity).__name__} is not an entity that is stored") from None


def claims_of(entity: Entity) -> list[str]:
    """List what may belong to one entity at a time: a number, and each range of a block (or the whole block).

    Ranges that overlap without being equal are a matter of `routing`, which sees them all.
    """
    if isinstance(entity, Number):
        return [entity.number]
    if isinstance(entity, Block):
        return [f"{entity.base}/{r.first}-{r.last}" for r in entity.ranges] or [f"{entity.base}/*"]
    return []


def encode_write(write: Write) -> list[str | bytes]:
    """Return the seven fields that the scripts read: kind number, kind, id, op, expect, entity, claims."""
    if isinstance(write, Put):
        kind = kind_of(write.entity)
        entity = write.entity.model_dump_json()
        claims = json.dumps(claims_of(write.entity), separators=(",", ":"))
        return [str(KIND_NUMBER[kind]), kind, write.entity.id, "p", str(write.expect), entity, claims]
    if write.kind not in KINDS:
        raise TypeError(f"{write.kind!r} is not a kind of entity")
    return [str(KIND_NUMBER[write.kind]), write.kind, write.id, "d", str(write.expect), "", "[]"]


def decode_entity(kind: str, entity_id: str, text: bytes, where: str) -> Entity | Garbage:
    """Parse an entity and make sure that it is the one it is filed as."""
    model = KINDS.get(kind)
    if model is None:
        return Garbage(where, f"unknown kind {kind[:40]!r}")
    try:
        entity = model.model_validate_json(upgraded_text(kind, text) or text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return Garbage(where, f"{place}: {first['msg']}" if place else first["msg"], _sample(text))
    if entity.id != entity_id:
        return Garbage(where, f"filed as {entity_id} but its id is {entity.id}")
    return entity


def decode_record(kind: str, entity_id: str, record: bytes, where: str) -> Stored[Entity] | Garbage:
    """Parse a record of an entities' HASH."""
    split = split_record(record)
    if split is None:
        return Garbage(where, "not a record", _sample(record))
    version, text = split
    entity = decode_entity(kind, entity_id, text, where)
    return entity if isinstance(entity, Garbage) else Stored(entity, version)


@cache
def _many(kind: str) -> TypeAdapter[list[Entity]]:
    model: Any = KINDS[kind]
    return TypeAdapter(list[model])


def decode_page(kind: str, page: Sequence[tuple[str, bytes]], key: str) -> list[Stored[Entity] | Garbage]:
    """Parse the records of a page, each with the id under which it is filed in the HASH ``key``.

    A page without fault, as nearly all are, is parsed in one piece, which takes half the time. One with a fault is parsed record by
    record, so that only what does not parse is garbage.
    """
    found = _decode_at_once(kind, page)
    if found is not None:
        return found
    return [decode_record(kind, entity_id, record, f"{key} {entity_id}") for entity_id, record in page]


def _decode_at_once(kind: str, page: Sequence[tuple[str, bytes]]) -> list[Stored[Entity] | Garbage] | None:
    """Return all records of a page, None when one of them is not exactly what it should be."""
    splits = [split_record(record) for _, record in page]
    whole = [split for split in splits if split is not None]
    if kind not in KINDS or len(whole) != len(page):
        return None
    try:
        entities = _many(kind).validate_json(b"[" + b",".join([text for _, text in whole]) + b"]")
    except ValidationError:
        return None
    if len(entities) != len(page) or any(e.id != key for e, (key, _) in zip(entities, page, strict=True)):
        return None
    return [Stored(entity, version) for entity, (version, _) in zip(entities, whole, strict=True)]


def encode_record(stored: Stored[Entity]) -> bytes:
    """Return the record of an entity, as the scripts write it."""
    claims = json.dumps(claims_of(stored.entity), separators=(",", ":"))
    return f'{{"v":{stored.version},"c":{claims},"e":{stored.entity.model_dump_json()}}}'.encode()


def split_record(record: bytes) -> tuple[int, bytes] | None:
    """Return version and entity text without parsing the entity; None when it is no record."""
    found = _RECORD.fullmatch(record)
    return (int(found[1]), found[2]) if found is not None else None


def decode_change(entry_id: bytes, fields: dict[bytes, bytes]) -> tuple[int, str, Change | Garbage | None]:
    """Parse an entry of the change stream: its sequence number, its op, and the change (None for a mark without one).

    ``op`` is ``p`` put, ``d`` deleted, ``n`` note, ``i`` import switched. Raises `ValueError` when even the id is not ours.
    """
    seq_text, _, rest = entry_id.partition(b"-")
    if rest != b"0":
        raise ValueError(f"stream id {entry_id!r} is not <sequence>-0")
    seq, where = int(seq_text), f"changes {entry_id.decode()}"
    try:
        kind, entity_id, op = fields[b"k"].decode(), fields[b"i"].decode(), fields[b"o"].decode()
        if op in {"n", "i"}:
            return seq, op, None
        if op == "d":
            known = kind in KINDS
            return seq, op, Change(kind, entity_id, seq, None) if known else Garbage(where, "unknown kind")
        if op != "p":
            return seq, op, Garbage(where, f"unknown operation {op[:10]!r}")
        entity = decode_entity(kind, entity_id, fields[b"e"], where)
    except (KeyError, UnicodeDecodeError):
        return seq, "?", Garbage(where, "fields are missing or not UTF-8", _sample(repr(fields).encode()))
    return seq, op, entity if isinstance(entity, Garbage) else Change(kind, entity_id, seq, entity)


def binding_field(row: BindingRow) -> str:
    """Name a binding within its shard: line, user of the AoR, contact (RFC 3261 §10.3 binds by AoR and contact)."""
    return _SEPARATOR.join((row.line_id, row.user, row.contact))


def encode_binding(row: BindingRow) -> str:
    """Return what is not in the field's name."""
    rest = [row.received, row.expires_unix_ms, row.call_id, row.cseq, row.q_milli, row.user_agent]
    return json.dumps(rest, separators=(",", ":"), ensure_ascii=False)


def decode_binding(field: bytes, value: bytes, where: str) -> BindingRow | Garbage:
    """Parse a binding."""
    try:
        line_id, user, contact = field.decode().split(_SEPARATOR)
        received, expires, call_id, cseq, q_milli, user_agent = json.loads(value)
    except (ValueError, TypeError, RecursionError) as error:
        return Garbage(where, f"not a binding: {type(error).__name__}", _sample(value))
    numbers, texts = (expires, cseq, q_milli), (received, call_id, user_agent)
    if not all(type(n) is int and 0 <= n < MOST for n in numbers) or not all(isinstance(t, str) for t in texts):
        return Garbage(where, "not a binding: wrong types", _sample(value))
    return BindingRow(line_id, contact, received, expires, call_id, cseq, q_milli, user_agent, user)


def encode_verdict(row: VerdictRow) -> str:
    """Return a verdict without its line id, which names the field."""
    rest = [row["health"], row["since_unix_ms"], row["cause"], row["evidence"], row["place"]]
    return json.dumps(rest, separators=(",", ":"), ensure_ascii=False)


def decode_verdict(field: bytes, value: bytes, where: str) -> VerdictRow | Garbage:
    """Parse a verdict. One without a place is from an older release; a place nobody knows is unclear."""
    try:
        line_id = field.decode()
        fields: list[Any] = json.loads(value)
        health, since, cause, evidence, *rest = fields
    except (ValueError, TypeError, RecursionError) as error:
        return Garbage(where, f"not a verdict: {type(error).__name__}", _sample(value))
    sound = isinstance(health, str) and isinstance(cause, str) and type(since) is int and 0 <= since < MOST
    if not sound or health not in get_args(Health):
        return Garbage(where, "not a verdict: wrong types", _sample(value))
    place: FaultPlace = rest[0] if rest and rest[0] in _PLACES else "unclear"
    return VerdictRow(line_id=line_id, health=health, since_unix_ms=since, cause=cause, evidence=str(evidence), place=place)


def _sample(raw: bytes) -> str:
    return raw[:_SAMPLE].decode(errors="replace")
