"""Everything that is stored about a customer, as one JSON object, without secrets."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from routing.differences import hidden
from routing.model import KINDS
from rules_store import codec, schema
from rules_store.audit import audit_record
from rules_store.belongings import Belongings, belongings
from rules_store.connection import StoreConnection
from rules_store.events import EventStore, StoredEvent
from rules_store.live_rows import fields_of_lines
from rules_store.older import upgraded
from rules_store.types import Garbage
from rules_store.versions import VersionLog

FORMAT: Final = 1
_EVENTS: Final = 100_000


async def export_customer(connection: StoreConnection, customer: str) -> dict[str, Any] | None:
    """Return what is stored about a customer; None when there is nothing. Raises `StoreError`.

    ``entities`` by kind, each with its ``version``; ``versions`` from the log, newest first; ``registrations``, ``verdicts`` and
    ``events`` by line. ``diverted_calls`` stand by themselves: they are data of calls, with masked numbers, and kept for a
    shorter time. HA1s read "(secret)".
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
    return {
        "format": FORMAT,
        "customer": customer,
        "exported_unix_ms": int(time.time() * 1000),
        "entities": _entities(found),
        "versions": versions,
        "registrations": await _registrations(connection, lines),
        "verdicts": await _verdicts(connection, lines),
        "events": {line: rows for line, rows in told.items() if rows},
        "diverted_calls": {line: rows for line, rows in calls.items() if rows},
    }


def _entities(found: Belongings) -> dict[str, list[dict[str, Any]]]:
    kinds: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for (kind, entity_id), record in sorted(found.records.items()):
        split = codec.split_record(record)
        try:
            state = json.loads(split[1]) if split is not None else None
        except (ValueError, RecursionError):
            state = None
        if split is None or not isinstance(state, dict):
            kinds[kind].append({"id": entity_id, "unreadable": True})
        else:
            kinds[kind].append({"version": split[0], **hidden(upgraded(kind, state))})
    return kinds


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
