"""Removing many members of a key in small steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rules_store.connection import StoreConnection

STEP: Final = 500


async def remove(connection: StoreConnection, command: str, key: str, members: Sequence[str | bytes]) -> int:
    """Remove members by a command that takes them (``hdel``, ``zrem``, ``xdel``); returns how many there were. Raises `StoreError`."""
    removed = 0
    for at in range(0, len(members), STEP):
        part = members[at : at + STEP]
        removed += await connection.repeat(
            lambda client, part=part: getattr(client, command)(key, *part)  # type: ignore[misc]
        )
    return removed
