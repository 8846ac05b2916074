"""The log of versions for auditors: one JSON object a line, newest first, without secrets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from routing.differences import hidden
from rules_store.log_codec import Version
from rules_store.versions import VersionLog


def audit_record(entry: Version) -> dict[str, Any]:
    """Return an entry as auditors get it; times are ISO 8601 in UTC. The fields are described in docs/operations.md."""
    return {
        "version": entry.version,
        "at": datetime.fromtimestamp(entry.at_unix_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "who": entry.author.who,
        "via": entry.author.via,
        "source": entry.author.source,
        "note": entry.note,
        "op": entry.op,
        "kind": entry.kind,
        "id": entry.id,
        "customer": entry.customer,
        "before": hidden(entry.before),
        "after": hidden(entry.after),
        "previous": entry.previous,
        "write": [entry.first, entry.last],
        "count": entry.count,
        "undoes": entry.undoes,
    }


async def audit_lines(
    log: VersionLog, *, since_unix_ms: int = 0, until_unix_ms: int | None = None, customer: str | None = None
) -> AsyncIterator[str]:
    """Yield the entries of a span of time as lines without their ends. Raises `StoreError`."""
    async for page in log.log(since_unix_ms=since_unix_ms, until_unix_ms=until_unix_ms, customer=customer):
        for entry in page:
            yield json.dumps(audit_record(entry), ensure_ascii=False, separators=(",", ":"))
