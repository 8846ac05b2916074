"""Fields of the live state that belong to some lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.hashes import fields_in

_SEPARATOR: Final = b"\x1f"


def by_shard(lines: Iterable[str]) -> dict[int, set[str]]:
    """Sort lines by the shard that has them."""
    shards: dict[int, set[str]] = {}
    for line in lines:
        shards.setdefault(schema.shard(line), set()).add(line)
    return shards


async def fields_of_lines(
    connection: StoreConnection, key: Callable[[int], str], lines: Iterable[str]
) -> AsyncIterator[tuple[bytes, bytes]]:
    """Yield the fields of a shard's HASH whose name is a line, or begins with one; reads through the shards of the lines."""
    for number, wanted in by_shard(lines).items():
        names = {line.encode() for line in wanted}
        async for page in fields_in(connection, key(number)):
            for field, value in page.items():
                if field.partition(_SEPARATOR)[0] in names:
                    yield field, value
