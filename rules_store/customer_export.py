"""Everything that is stored about a customer, as one JSON object, without secrets."""

from __future__ import annotations

import time
from typing import Any, Final

from routing.differences import hidden
from routing.model import KINDS
from rules_store import codec, schema
from rules_store.audit import audit_record
from rules_store.belongings import Belongings, Name, belongings, is_about
from rules_store.brake_store import BrakeStore
from rules_store.connection import StoreConnection
from rules_store.events import EventStore, StoredEvent
from rules_store.live_rows import fields_of_lines
from rules_store.older import upgraded
from rules_store.pace import ChangePace
from rules_store.types import Garbage
from rules_store.untrusted import json_object
from rules_store.versions import VersionLog

FORMAT: Final = 1
_EVENTS: Final = 100_000


async def export_customer(connection: StoreConnection, customer: str) -> dict[str, Any] | None:
    """Return what is stored about a customer; None when there is nothing. Raises `StoreError`.

    ``entities`` by kind, each with its ``version``; ``versions`` from the log, newest first; ``kept_by_imports``: what stood there
    before large imports; ``registrations``, ``verdicts``, ``going_on`` (a diversion, a drill, a wish) and ``events`` by line, and
    ``service_events`` about his sites and orders. ``diverted_calls`` stand by themselves: they are data of calls, with masked
    numbers, and kept for a shorter time. ``diverted_counts`` and ``brakes`` by order; ``changes_of_the_hour`` by minute (Unix
    time divided by 60). HA1s read "(secret)".
    """
    found = await belongings(connection, customer)
    if not found:
        return None
    lines = sorted(found.ids("line"))
    events = EventStore(connection)
    told = {line: _records(await events.history(line, _EVENTS)) for line in lines}
    calls = {line: _records(await events.diverted(line, _EVENTS)) for line in lines}
    versions = [
        audit_record(entry)
        async for page in VersionLog(connection).log(customer=customer)
        for entry in page
        if entry.op != "import"
    ]
    orders = sorted(found.ids("order"))
    brakes = BrakeStore(connection)
    counts = {order: counted for order, counted in (await brakes.counts()).items() if order in orders}
    levels = await brakes.levels()
    return {
        "format": FORMAT,
        "customer": customer,
        "exported_unix_ms": int(time.time() * 1000),
        "entities": _entities(found.records),
        "versions": versions,
        "kept_by_imports": _kept(found),
        "registrations": await _registrations(connection, lines),
        "verdicts": await _verdicts(connection, lines),
        "going_on": {line: state for line in lines if (state := await events.state(line)) is not None},
        "events": {line: rows for line, rows in told.items() if rows},
        "service_events": [record for record in _records(await events.history("", _EVENTS)) if is_about(record, found)],
        "diverted_calls": {line: rows for line, rows in calls.items() if rows},
        "diverted_counts": {order: {"minutes": one.minutes, "quarters": one.quarters} for order, one in counts.items()},
        "brakes": {order: levels[order] for order in orders if order in levels},
        "changes_of_the_hour": await ChangePace(connection).counted(customer),
    }


def _entities(records: dict[Name, bytes]) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for (kind, entity_id), record in sorted(records.items()):
        kinds.setdefault(kind, []).append(_entity(kind, entity_id, record))
    return kinds


def _entity(kind: str, entity_id: str, record: bytes) -> dict[str, Any]:
    split = codec.split_record(record)
    state = json_object(split[1]) if split is not None else None
    if split is None or state is None:
        return {"id": entity_id, "unreadable": True}
    return {"version": split[0], **hidden(upgraded(kind, state))}


def _kept(found: Belongings) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for (generation, name), record in sorted(found.kept.items()):
        kind, _, entity_id = name.decode(errors="replace").partition(":")
        if not record.isdigit():
            rows.append({"generation": generation, "kind": kind, **_entity(kind, entity_id, record)})
    return rows


def _records(events: list[StoredEvent]) -> list[dict[str, Any]]:
    return [event.record for event in events]


async def _registrations(connection: StoreConnection, lines: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    async for field, value in fields_of_lines(connection, schema.bindings, lines):
        row = codec.decode_binding(field, value, "bindings")
        if not isinstance(row, Garbage):
            names = ("user", "contact", "received", "expires_unix_ms", "call_id", "user_agent")
            found.setdefault(row.line_id, []).append({name: getattr(row, name) for name in names})
    return found


async def _verdicts(connection: StoreConnection, lines: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    async for field, value in fields_of_lines(connection, schema.verdicts, lines):
        row = codec.decode_verdict(field, value, "verdicts")
        if not isinstance(row, Garbage):
            found[row["line_id"]] = {name: what for name, what in row.items() if name != "line_id"}
    return found
