"""What others changed since a sequence number: asked before something is written that was worked out from the state then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from rules_store import codec, schema
from rules_store.connection import StoreConnection
from rules_store.errors import ConflictError, StoreError
from rules_store.types import Change, Garbage, Stored

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Guard:
    """The state at ``sequence`` was looked at; a change since then for which ``matters`` is true refuses the write."""

    sequence: int
    matters: Callable[[Change], bool]


async def changes_since(connection: StoreConnection, sequence: int, until: int | None = None) -> AsyncIterator[Change]:
    """Yield what was changed after ``sequence``, in order, up to ``until``.

    Raises `StoreError` (retryable) when an import was switched since, or when that is no longer in the stream.
    """
    after = sequence
    again = "Look at the difference anew, and repeat it."
    while True:
        start = f"({after}-0"
        entries = await connection.repeat(
            lambda client, start=start: client.xrange(schema.CHANGES, start, "+", count=_PAGE)  # type: ignore[misc] # bound now
        )
        for entry_id, fields in entries:
            number, op, change = codec.decode_change(entry_id, fields)
            if number != after + 1:
                raise StoreError("too much was changed meanwhile", again, retryable=True)
            after = number
            if until is not None and number > until:
                return
            if op == "i":
                raise StoreError("another import was switched meanwhile", again, retryable=True)
            if change is not None and not isinstance(change, Garbage):
                yield change
        if len(entries) < _PAGE:
            return


async def unchanged(connection: StoreConnection, guard: Guard, until: int | None = None) -> None:
    """Raise `ConflictError` for the first change since that matters."""
    async for change in changes_since(connection, guard.sequence, until):
        if guard.matters(change):
            current = Stored(change.entity, change.version) if change.entity is not None else None
            raise ConflictError(change.kind, change.id, current)
