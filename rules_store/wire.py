"""One connection that is never replaced under its user: when it breaks, that shows.

The driver's pools connect anew without a word, perhaps to another server after a fail-over. A follower must know, because
the new server's history may not be the one it has followed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis import exceptions
from redis.asyncio.connection import AbstractConnection

from rules_store.faults import LostError, store_error


class Wire:
    """A connected connection; commands are asked one after the other. Raises `StoreError`, `LostError` once it broke."""

    def __init__(self, connection: AbstractConnection, where: str, timeout_s: float) -> None:
        self._connection = connection
        self._where = where
        self._timeout_s = timeout_s

    async def connect(self) -> None:
        """Connect; once."""
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            raise store_error(error, self._where) from error

    async def ask(self, *command: str | bytes | int, extra_s: float = 0.0) -> Any:
        """Send a command and return its raw RESP2 answer; ``extra_s`` is how long the command itself may block."""
        if not self._connection.is_connected:
            raise LostError(f"the connection to the store at {self._where} is lost", "It is tried again.", retryable=True)
        try:
            async with asyncio.timeout(self._timeout_s + extra_s):
                await self._connection.send_command(*command)
                return await self._connection.read_response()
        except (exceptions.RedisError, OSError, TimeoutError) as error:
            if not isinstance(error, exceptions.ResponseError):
                await self.close()
            raise store_error(error, self._where) from error

    async def close(self) -> None:
        """Close without waiting for the other end. Idempotent."""
        await self._connection.disconnect(nowait=True)
