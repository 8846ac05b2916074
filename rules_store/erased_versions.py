"""Taking a customer out of the log of versions: his own entries, and those of others that name him.

Where an entry of somebody else led to is noted (`schema.ERASED`), so that the histories of the others go on behind it
(rules_store/lua/log_walk.lua).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from rules_store import schema
from rules_store.belongings import Belongings
from rules_store.connection import StoreConnection
from rules_store.log_reading import entries_between, number_of
from rules_store.reading import with_generation
from rules_store.removing import STEP, remove
from rules_store.untrusted import MOST, whole

_NAMING: Final = re.compile(rb'"(order|line|customer)":"([^"]*)"')


async def erase_versions(connection: StoreConnection, found: Belongings) -> int:
    """Remove what the log has of him, and his tombstones; returns how many entries. Raises `StoreError`; may be repeated.

    The oldest go first, so that what a kill leaves is still a chain from its newest entry on. Reads through the log.
    """
    taken = [entry async for entry in _naming(connection, found)]
    for at in range(0, len(taken), STEP):
        left = {str(one): one.version for one in taken[at : at + STEP]}
        await connection.repeat(lambda client, left=left: client.zadd(schema.ERASED, left))  # type: ignore[misc]
    versions = sorted({*found.versions, *(entry.version for entry in taken)})
    for at in range(0, len(versions), STEP):
        part = versions[at : at + STEP]
        await remove(connection, "hdel", schema.SECRETS, [str(version) for version in part])
        await remove(connection, "xdel", schema.LOG, [f"{version}-0" for version in part])
    await remove(connection, "hdel", schema.HEADS, [found.customer])
    names = sorted(f"{kind}:{entity_id}" for kind, entity_id in found.names)
    for at in range(0, len(names), STEP):
        some = names[at : at + STEP]
        await with_generation(connection, lambda client, generation, some=some: client.hdel(schema.gone(generation), *some))
    return len(versions)


async def _naming(connection: StoreConnection, found: Belongings) -> AsyncIterator[Taken]:
    """Yield entries that are not in his chain and name him all the same."""
    naming, his, at = Naming(found), set(found.versions), 1
    while page := await entries_between(connection, at, MOST - 1, STEP):
        for entry in page:
            fields = entry[1]
            if number_of(entry) not in his and naming.is_in(fields):
                yield Taken(number_of(entry), whole(fields.get(b"p")), whole(fields.get(b"q")))
        at = number_of(page[-1]) + 1


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry of somebody else that goes, and where it leads to."""

    version: int
    before: int | None
    before_of_customer: int | None

    def __str__(self) -> str:
        """As rules_store/lua/log_walk.lua reads it."""
        return " ".join("" if one is None else str(one) for one in (self.version, self.before, self.before_of_customer))


class Naming:
    """Tells whether an entry of the log names a customer, or something that is or was his alone."""

    def __init__(self, found: Belongings) -> None:
        self._names = {f"{kind}:{entity_id}".encode() for kind, entity_id in found.names}
        self._users = {user.encode() for user in found.ids("user")}
        self._ids = {b"order": found.ids("order"), b"line": found.ids("line"), b"customer": {found.customer}}

    def is_in(self, fields: Mapping[bytes, bytes]) -> bool:
        """Whether an entry names him."""
        if fields.get(b"o") == b"e":
            return False  # that somebody was erased is what stays
        if fields.get(b"w") in self._users:
            return True
        if not fields.get(b"c") and fields.get(b"k", b"") + b":" + fields.get(b"i", b"") in self._names:
            return True
        states = fields.get(b"b", b"") + fields.get(b"a", b"")
        return any(value.decode(errors="replace") in self._ids[kind] for kind, value in _NAMING.findall(states))
