"""The service's own part of the history: names, the way into the store, and what a start and a stop tell."""

import os
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from registrar_watch.keep import Unsaved
from registrar_watch.outbox import Waiting
from rules_store import Entry, EventStore, Retention, StoreConnection, StoreError
from sipproxy._engine import BUILD, VERSION
from sipproxy.config.model import History

if TYPE_CHECKING:
    from sipproxy.service import Service

Record = dict[str, Any]


def node_name(settings: History) -> str:
    """Return the name of this process in events."""
    return settings.node or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:64] or "node"


def new_boot() -> str:
    """Return a name for this run of the process; names sort by the time of their start."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(3)}"


def event_store(connection: StoreConnection, settings: History) -> EventStore:
    """Return the store of events with the configured bounds."""
    return EventStore(connection, Retention(settings.keep_days, settings.keep_calls_days, settings.per_line))


def saver(store: EventStore) -> Callable[[str, Sequence[Waiting]], Awaitable[None]]:
    """Return what the outbox saves by."""

    async def save(boot: str, batch: Sequence[Waiting]) -> None:
        try:
            await store.save(boot, [Entry(w.seq, w.at_unix_ms, w.line, w.flag, w.text, w.state) for w in batch])
        except StoreError as error:
            raise Unsaved(str(error)) from None

    return save


async def told_before(store: EventStore, node: str) -> tuple[dict[str, Record], Record | None]:
    """Return what was going on by line, and how the last run of this node ended: its last start or stop. Raises `StoreError`."""
    states: dict[str, Record] = {}
    async for page in store.states():
        states |= page
    own = [event.record for event in await store.history("", store.retention.per_line) if event.record.get("node") == node]
    past = [record for record in own if record["kind"] in {"started", "stopped"}]
    return states, past[-1] if past else None


def started(service: "Service", past: Record | None) -> Record:
    """Return what a start tells: who, how the last run ended, and what was there again."""
    if past is None:
        before: Record = {"end": "unknown"}
    else:
        before = {
            "end": "stopped" if past["kind"] == "stopped" else "killed",
            "boot": past["boot"],
            "told_unix_ms": past["at_unix_ms"],
        }
    registry = service.supply.compiler.directory.registry
    return {
        "version": VERSION,
        "profile": BUILD["profile"],
        "pid": os.getpid(),
        "sequence": service.supply.sequence,
        "lines": len(registry.lines),
        "restored": dict(service.saving.restored),
        "before": before,
    }


def stopped(service: "Service") -> Record:
    """Return what an orderly stop tells."""
    return {"pid": os.getpid(), "uptime_s": round(time.time() - service.started_at, 1), "events": service.watch.events}
