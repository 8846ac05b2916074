"""Counts of diverted calls by order, and which orders' rules rest, so that neither a restart nor another process begins anew.

Several processes add to the same counts; each is told what they all have counted. A batch whose answer was lost is added once more:
the brake is then a little early, never late.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from rules_store import schema
from rules_store.connection import Arg, StoreConnection
from rules_store.faults import BrokenKeyError
from rules_store.untrusted import json_object

log = structlog.get_logger(__name__)

Record = dict[str, Any]
Add = tuple[int, int, int]
"""(number of the minute, number of the quarter of an hour, calls)."""
_PAIR: Final = re.compile(rb"([0-9]{1,15})=([0-9]{1,15})(?![0-9])")


@dataclass(frozen=True, slots=True)
class Counted:
    """What all processes have counted of an order."""

    minutes: dict[int, int] = field(default_factory=dict)
    quarters: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class BrakeBatch:
    """What is to be written."""

    adds: dict[str, list[Add]] = field(default_factory=dict)
    zeroed: set[str] = field(default_factory=set)
    """Orders whose counts begin anew; before ``adds``."""
    levels: dict[str, Record | None] = field(default_factory=dict)
    """Order → level; None: none any more."""

    def __bool__(self) -> bool:
        return bool(self.adds or self.zeroed or self.levels)

    def before(self, later: BrakeBatch) -> BrakeBatch:
        """Return this batch with a later one behind it."""
        adds = {order: list(found) for order, found in self.adds.items() if order not in later.zeroed}
        for order, found in later.adds.items():
            adds.setdefault(order, []).extend(found)
        return BrakeBatch(adds, self.zeroed | later.zeroed, {**self.levels, **later.levels})


class BrakeStore:
    """Reads and writes. All methods raise `StoreError`."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection

    async def write(self, batch: BrakeBatch, oldest_minute: int, oldest_quarter: int) -> dict[str, Counted]:
        """Write a batch, one round trip; return what is counted of the orders that were added to. Older buckets are dropped."""
        shards: dict[int, tuple[list[Arg], list[str]]] = {}

        def op(name: str, order: str, value: str) -> None:
            args, _ = shards.setdefault(schema.shard(order), ([oldest_minute, oldest_quarter], []))
            args += (name, order, value)

        for order in sorted(batch.zeroed):
            op("z", order, "")
        for order, adds in batch.adds.items():
            op("a", order, ",".join(f"{minute} {quarter} {count}" for minute, quarter, count in adds))
            shards[schema.shard(order)][1].append(order)
        for order, level in batch.levels.items():
            op("L" if level is None else "l", order, "" if level is None else json.dumps(level, separators=(",", ":")))
        calls = [([schema.diverted_counts(number), schema.brakes(number)], args) for number, (args, _) in shards.items()]
        if not calls:
            return {}
        found: dict[str, Counted] = {}
        replies = await self._connection.run_all("brake", calls, safe=True)
        for (_, orders), reply in zip(shards.values(), replies, strict=True):
            if reply[0] == b"broken":
                raise BrokenKeyError(reply[1].decode(), self._connection.where)
            found |= {order: _counted(text) for order, text in zip(orders, reply[1:], strict=True)}
        return found

    async def counts(self) -> dict[str, Counted]:
        """Return what is counted of all orders; for a start."""
        return {order: _counted(text) for order, text in (await self._all(schema.diverted_counts)).items()}

    async def levels(self) -> dict[str, Record]:
        """Return the levels of all orders that have one. What does not parse is left out and logged."""
        found: dict[str, Record] = {}
        for order, text in (await self._all(schema.brakes)).items():
            record = json_object(text)
            if record is not None:
                found[order] = record
            else:
                log.warning("store_garbage", where=f"{schema.brakes(schema.shard(order))} {order}", why="not a level")
        return found

    async def _all(self, key: Any) -> dict[str, bytes]:
        """Read a hash of all shards in one round trip: it has the orders that diverted calls within a day, not all orders."""

        async def read(client: Redis) -> Any:
            pipe = client.pipeline(transaction=False)
            for number in range(schema.SHARDS):
                pipe.hgetall(key(number))
            return await pipe.execute(raise_on_error=False)

        pages: Sequence[Any] = await self._connection.repeat(read)
        return dict(_fields(pages, key))


def _fields(pages: Iterable[Any], key: Any) -> Iterable[tuple[str, bytes]]:
    for number, page in enumerate(pages):
        if isinstance(page, Mapping):
            yield from ((order.decode(errors="replace"), text) for order, text in page.items())
        else:
            log.warning("store_garbage", where=key(number), why=str(page))


def _counted(text: bytes) -> Counted:
    minutes, _, quarters = text.partition(b";")
    return Counted(_pairs(minutes), _pairs(quarters))


def _pairs(text: bytes) -> dict[int, int]:
    return {int(bucket): int(count) for bucket, count in _PAIR.findall(text)}
