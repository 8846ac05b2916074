"""How many changes a customer made within the last hour, counted for all processes together.

`ChangePace.admit` is asked before a write and given back when the write did not happen. Staff are never refused: their changes are
counted apart, so that a clean-up by the carrier does not lock the customer out, and above the limit they are told so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from routing.products import ProductLimits
from routing.rejection import RuleWarning, reject, warn
from rules_store import schema
from rules_store.connection import StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.hashes import field_in, fields_in

log = structlog.get_logger(__name__)

_MINUTE_S: Final = 60
_PAIR: Final = re.compile(rb"([0-9]{1,15})=([0-9]{1,15})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A change that was counted."""

    who: str
    minute: int
    warnings: tuple[RuleWarning, ...] = ()


class ChangePace:
    """Counts changes. All methods raise `StoreError`."""

    def __init__(self, connection: StoreConnection, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._clock = clock

    async def admit(self, customer: str, limits: ProductLimits, *, staff: bool = False) -> Admitted:
        """Count one change, a whole import being one. Raises `RuleRejected` (``limit_changes``) above the limit; then it is not counted."""
        who = f"{customer} staff" if staff else customer  # no id has a blank
        minute = int(self._clock()) // _MINUTE_S
        limit = limits.changes_per_hour
        total, wait_min = await self._count(who, minute, 0 if staff else limit, 1)
        if wait_min:
            raise reject("limit_changes", "", count=str(total), limit=str(limit), minutes=str(wait_min))
        if total <= limit:
            return Admitted(who, minute)
        log.warning("staff_over_limit", customer=customer, changes=total, limit=limit)
        return Admitted(who, minute, (warn("limit_changes_passed", "", count=str(total), limit=str(limit)),))

    async def give_back(self, admitted: Admitted) -> None:
        """Take back what was counted for a write that did not happen."""
        await self._count(admitted.who, admitted.minute, 0, -1)

    async def counted(self, customer: str) -> dict[str, dict[int, int]]:
        """Return the changes by minute (Unix time divided by 60): those of the ``customer`` and those of ``staff`` for him."""
        names = {"customer": customer, "staff": f"{customer} staff"}
        found = {by: _minutes(await field_in(self._connection, schema.PACES, who) or b"") for by, who in names.items()}
        return {by: minutes for by, minutes in found.items() if minutes}

    async def sweep(self) -> None:
        """Remove what is older than an hour of those who changed nothing since. Raises `StoreError`."""
        minute = int(self._clock()) // _MINUTE_S
        async for fields in fields_in(self._connection, schema.PACES):
            for who, text in fields.items():
                if max(_minutes(text), default=0) <= minute - 60:
                    await self._connection.run("pace", [schema.PACES], [who, minute, 0, 0])

    async def _count(self, who: str, minute: int, limit: int, more: int) -> tuple[int, int]:
        """Return the changes in the hour, and the minutes until there is room (0: they were counted)."""
        reply = await self._connection.save("pace", [schema.PACES], [who, minute, limit, more])
        if reply[0] == b"broken":
            raise BrokenKeyError(reply[1].decode(), self._connection.where)
        return int(reply[1]), max(int(reply[2]), 1) if reply[0] == b"over" else 0


def _minutes(text: bytes) -> dict[int, int]:
    return {int(minute): int(count) for minute, count in _PAIR.findall(text)}
