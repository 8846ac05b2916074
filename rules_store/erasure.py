"""Erasing a customer: his rules first, then every trace of them.

1. `remove_rules` removes his entities as ordinary writes, what refers to others first, so that every follower stops routing by
   them. A number of his that is to move to somebody else, or has moved, becomes the other one's; one that was to move
   to him stays where it is.
2. The caller waits until the services have taken that in and told what there was to tell.
3. `remove_traces` removes registrations, verdicts, events, single calls, what imports kept aside, his entries in the log with
   their secrets, and the change stream up to here. One entry in the log says that it was done, when, by whom, and how
   much there was; it holds his customer number and nothing else of him.

No import may be under way meanwhile: it could carry him along.

Each step may be repeated; the entries of the log go last, because by them what is gone already is known. The server's file
is written anew at the end, so that what was erased does not stand in its past. Backups are the operator's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import structlog

from routing.model import KINDS, Block, Entity, Number
from rules_store import codec, schema
from rules_store.belongings import Belongings, belongings, is_about
from rules_store.connection import Arg, StoreConnection, new_token
from rules_store.erased_versions import erase_versions
from rules_store.errors import StoreError
from rules_store.faults import BrokenKeyError
from rules_store.generations import remove_stale
from rules_store.hashes import fields_in
from rules_store.import_turn import no_imports
from rules_store.live_rows import by_shard, fields_of_lines
from rules_store.log_codec import log_head
from rules_store.log_reading import imports
from rules_store.reading import with_generation
from rules_store.removing import STEP, remove
from rules_store.repository import RulesStore
from rules_store.types import Author, Delete, Garbage, Put, Stored, Write
from rules_store.untrusted import json_object

log = structlog.get_logger(__name__)


class Erasure:
    """Erases one customer after the other."""

    def __init__(self, connection: StoreConnection) -> None:
        self._connection = connection
        self._rules = RulesStore(connection)

    async def find(self, customer: str) -> Belongings:
        """Say what there is. False when there is nothing. Raises `StoreError`."""
        return await belongings(self._connection, customer)

    async def remove_rules(self, found: Belongings, author: Author) -> int:
        """Remove his entities; returns the version of the last removal. Raises `StoreError`; may be repeated."""
        async with no_imports(self._connection):  # of which some could bring him back
            return await self._remove_rules(found, author)

    async def _remove_rules(self, found: Belongings, author: Author) -> int:
        orders = found.ids("order")
        writes: list[Write] = [write for name, text in found.others.items() if (write := _stays(name, text)) is not None]
        for kind in reversed(KINDS):
            for (found_kind, entity_id), record in found.records.items():
                if found_kind == kind:
                    writes.append(_handed_over((kind, entity_id), record, orders) or Delete(kind, entity_id))
        last = await self._rules.sequence()
        for at in range(0, len(writes), STEP):
            last = (await self._rules.write_many(writes[at : at + STEP], author=author, note="erasure of the customer"))[-1]
        return last

    async def remove_traces(self, found: Belongings, author: Author) -> dict[str, int]:
        """Remove every trace of him; returns how much of what. Raises `StoreError`; may be repeated."""
        async with no_imports(self._connection):
            return await self._remove_traces(found, author)

    async def _remove_traces(self, found: Belongings, author: Author) -> dict[str, int]:
        again = await self.find(found.customer)  # what was written since: the removals themselves
        again.names |= found.names - again.former
        again.former |= found.former
        again.sites |= found.sites
        counts = {kind: sum(1 for name in found.records if name[0] == kind) for kind in KINDS}
        counts |= await self._live(again)
        counts["counts_and_brakes"] = await self._counts(again)
        await remove_stale(self._connection)  # what a killed import left behind
        counts["kept_by_imports"] = await self._imports(again)
        await self._users(again)
        counts["versions"] = await erase_versions(self._connection, again)
        note = await self._note(found.customer, counts, author)
        await self._forget_changes(note)
        await self._rewrite_file()
        log.info("customer_erased", sequence=note, removed=counts)
        return counts

    # -- live state and events ------------------------------------------------------------------------------------------

    async def _live(self, found: Belongings) -> dict[str, int]:
        lines = found.ids("line")
        counts = {"registrations": 0, "verdicts": 0, "events": 0}
        fields = [field async for field, _ in fields_of_lines(self._connection, schema.bindings, lines)]
        counts["registrations"] = len(fields)
        by_number: dict[int, list[bytes]] = {}
        for field in fields:
            line = field.partition(b"\x1f")[0].decode(errors="replace")
            by_number.setdefault(schema.shard(line), []).append(field)
        for number, names in by_number.items():
            await remove(self._connection, "hdel", schema.bindings(number), names)
            await remove(self._connection, "zrem", schema.expiries(number), names)
        for number, names_of_shard in by_shard(lines).items():
            ids = sorted(names_of_shard)
            counts["verdicts"] += await remove(self._connection, "hdel", schema.verdicts(number), ids)
            await remove(self._connection, "hdel", schema.states(number), ids)
            await remove(self._connection, "zrem", schema.history_ages(number), ids)
            await remove(self._connection, "zrem", schema.diverted_ages(number), ids)
            lists = [key(number, line) for line in ids for key in (schema.history, schema.diverted)]
            for at in range(0, len(lists), STEP):
                part = lists[at : at + STEP]
                await self._connection.repeat(lambda client, part=part: client.unlink(*part))  # type: ignore[misc]
            stream = schema.live_stream(number)
            await self._connection.repeat(lambda client, stream=stream: client.xtrim(stream, maxlen=0, approximate=False))  # type: ignore[misc]
        for number in range(schema.SHARDS):
            counts["events"] += await self._events(number, found)
        await self._service_events(found)
        return counts

    async def _events(self, number: int, found: Belongings) -> int:
        """Remove his events from one shard's stream; followers of events see a gap."""
        key, start, gone = schema.events(number), "-", 0
        while True:
            page: Any = await self._connection.repeat(
                lambda client, start=start: client.xrange(key, start, "+", count=STEP)  # type: ignore[misc]
            )
            ids = [entry_id for entry_id, fields in page if _is_about(fields.get(b"e", b""), found)]
            if ids:
                gone += len(ids)
                await self._connection.repeat(lambda client, ids=ids: client.xdel(key, *ids))  # type: ignore[misc]
            if len(page) < STEP:
                return gone
            start = f"({page[-1][0].decode()}"

    async def _service_events(self, found: Belongings) -> None:
        key = schema.history(schema.shard(""), "")
        rows: Any = await self._connection.repeat(lambda client: client.lrange(key, 0, -1))
        for row in rows:
            if _is_about(row.split(b"\t", 3)[-1], found):
                await self._connection.repeat(lambda client, row=row: client.lrem(key, 0, row))  # type: ignore[misc]

    async def _counts(self, found: Belongings) -> int:
        """Remove how many changes he made within the hour, how many calls were diverted for his orders, and their brakes."""
        who = found.customer
        removed = await remove(self._connection, "hdel", schema.PACES, [who, f"{who} staff"])  # as rules_store/pace.py names them
        for number, orders in by_shard(found.ids("order")).items():
            for key in (schema.diverted_counts(number), schema.brakes(number)):
                removed += await remove(self._connection, "hdel", key, sorted(orders))
        return removed

    async def _users(self, found: Belongings) -> None:
        """Clear his range of the users, also of what there is no record of."""
        start, end = f"[{found.customer} ", f"({found.customer}!"
        await with_generation(
            self._connection, lambda client, generation: client.zremrangebylex(schema.users(generation), start, end)
        )

    # -- imports ----------------------------------------------------------------------------------------------------------

    async def _imports(self, found: Belongings) -> int:
        """Remove what imports kept aside of him."""
        removed = 0
        by_generation: dict[str, list[bytes]] = {}
        for generation, name in found.kept:
            by_generation.setdefault(generation, []).append(name)
        for generation, names in by_generation.items():
            removed += await remove(self._connection, "hdel", schema.before_import(generation), names)
        gone = {f"{kind}:{entity_id}".encode() for kind, entity_id in found.names}
        orders = found.ever("order")
        for _, generation in (await imports(self._connection)).values():
            removed += await self._of_others(schema.before_import(generation), gone, orders)
            await self._new_names(schema.new_by_import(generation), gone)
        return removed

    async def _of_others(self, key: str, gone: set[bytes], orders: set[str]) -> int:
        """Remove tombstones of his, and from what was kept of others that it was to move to him."""
        removed = 0
        async for fields in fields_in(self._connection, key):
            removed += await remove(self._connection, "hdel", key, [name for name in fields if name in gone])
            for name, record in fields.items():
                if name not in gone and (text := _without_move(name, record, orders)) is not None:
                    removed += 1
                    await self._connection.repeat(
                        lambda client, name=name, text=text: client.hset(key, name, text)  # type: ignore[misc]
                    )
        return removed

    async def _new_names(self, key: str, names: set[bytes]) -> None:
        at = 0
        while page := await self._one_element(key, at):
            kept = [name for name in page.split(b"\n") if name not in names]
            text = b"\n".join(kept)
            if text != page:
                await self._connection.repeat(lambda client, at=at, text=text: client.lset(key, at, text))  # type: ignore[misc]
            at += 1

    async def _one_element(self, key: str, at: int) -> bytes | None:
        found: Any = await self._connection.repeat(lambda client: client.lrange(key, at, at))
        return found[0] if found else None

    # -- the end ----------------------------------------------------------------------------------------------------------

    async def _note(self, customer: str, counts: dict[str, int], author: Author) -> int:
        keys = [schema.SEQ, schema.CHANGES, schema.RECENT, schema.TOUCH, *schema.LOG_KEYS]
        settings = self._connection.settings
        args: list[Arg] = [new_token(), settings.changes_kept, schema.RECENT_KEPT, customer, json.dumps(counts)]
        reply = await self._connection.save("log_note", keys, [*args, *log_head(settings, author, "", None)])
        if reply[0] == b"broken":
            raise BrokenKeyError(reply[1].decode(), self._connection.where)
        return int(reply[1])

    async def _forget_changes(self, note: int) -> None:
        """Cut the change stream before the note: a follower that was behind reads everything anew."""
        await self._connection.repeat(lambda client: client.xtrim(schema.CHANGES, minid=f"{note}-0", approximate=False))

    async def _rewrite_file(self) -> None:
        try:
            await self._connection.repeat(lambda client: client.bgrewriteaof())
        except StoreError as error:
            log.warning(
                "store_file_not_rewritten", why=error.what, remedy="BGREWRITEAOF on the server, so that its file forgets too"
            )


def _entity(name: tuple[str, str], record: bytes) -> Entity | None:
    stored = codec.decode_record(*name, record, "erasure")
    return None if isinstance(stored, Garbage) else stored.entity


def _handed_over(name: tuple[str, str], record: bytes, orders: Iterable[str]) -> Write | None:
    """Return the write that gives a number to the order it moves to; None when it moves nowhere else."""
    entity = _entity(name, record)
    if not isinstance(entity, Number | Block) or entity.move is None or entity.move.order in orders:
        return None
    move = entity.move
    return Put(entity.model_copy(update={"order": move.order, "line": move.line, "active_from": move.at, "move": None}))


def _stays(name: tuple[str, str], record: bytes) -> Write | None:
    """Return the write that takes a move to one of his orders back."""
    entity = _entity(name, record)
    return Put(entity.model_copy(update={"move": None})) if isinstance(entity, Number | Block) and entity.move else None


def _is_about(text: bytes, found: Belongings) -> bool:
    record = json_object(text)
    return record is not None and is_about(record, found)


def _without_move(name: bytes, record: bytes, orders: set[str]) -> bytes | None:
    """Return a record without its move to one of his orders; None when it has none."""
    kind, _, entity_id = name.decode(errors="replace").partition(":")
    stored = codec.decode_record(kind, entity_id, record, "erasure") if kind in {"number", "block"} else None
    if not isinstance(stored, Stored) or not isinstance(stored.entity, Number | Block):
        return None
    if stored.entity.move is None or stored.entity.move.order not in orders:
        return None
    return codec.encode_record(Stored(stored.entity.model_copy(update={"move": None}), stored.version))
