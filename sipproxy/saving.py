"""Registrations and verdicts between engine and store: save, restore, and set right after a gap."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog

from registrar_watch.history import History
from registrar_watch.keep import Keeper, Unsaved
from registrar_watch.names import BindingKey, LineNames, binding_key
from rules_store import BindingRow, BindingStore, StoreError, VerdictRow, VerdictStore
from sipproxy._engine import Engine

if TYPE_CHECKING:
    from sipproxy._engine import BindingRow as EngineBinding
    from sipproxy._engine import VerdictRow as EngineVerdict

_log = structlog.get_logger(__name__)
_PAGE = 1000
_VERDICT_PAUSE_S = 0.05  # what a kill takes from the stored verdicts is this and the time of one write


def stored_binding(line_id: str, row: "EngineBinding") -> BindingRow:
    """Name an engine row by its line."""
    _, contact, received, expires, call_id, cseq, q_milli, agent, user = row
    return BindingRow(line_id, contact, received, expires, call_id, cseq, q_milli, agent, user)


def stored_verdict(line_id: str, row: "EngineVerdict") -> VerdictRow:
    """Name an engine verdict by its line."""
    return {
        "line_id": line_id,
        "health": row["health"],
        "since_unix_ms": row["since_unix_ms"],
        "cause": row["cause"],
        "evidence": row["evidence"],
        "place": row["place"],
    }


def engine_verdict(slot: int, row: VerdictRow) -> "EngineVerdict":
    """Name a stored verdict by its slot."""
    return {
        "line": slot,
        "health": row["health"],
        "since_unix_ms": row["since_unix_ms"],
        "cause": row["cause"],
        "evidence": row["evidence"],
        "place": row["place"],
    }


class Saving:
    """The two keepers and the way back."""

    def __init__(
        self,
        engine: Engine,
        names: LineNames,
        stores: tuple[BindingStore, VerdictStore],
        stored: Callable[[int], None],
        history: History,
    ) -> None:
        self._history = history
        self.read_again = False
        """Set when events were lost: the next comparison tells the history what it missed."""
        self.on_restored: Callable[[list[tuple[str, EngineVerdict]]], None] = lambda _rows: None
        """Is told of stored verdicts that hold, by line."""
        self.restored = {"bindings": 0, "verdicts": 0}
        """What the last `restore` gave back."""
        self._engine = engine
        self._names = names
        self._binding_store, self._verdict_store = stores
        self.bindings: Keeper[BindingKey, EngineBinding] = Keeper("bindings", self._save_bindings, stored)
        self.verdicts: Keeper[str, EngineVerdict] = Keeper("verdicts", self._save_verdicts, lambda _mark: None, _VERDICT_PAUSE_S)

    async def _save_bindings(self, batch: "Mapping[BindingKey, EngineBinding | None]") -> None:
        kept = [stored_binding(key[0], row) for key, row in batch.items() if row is not None]
        gone = [
            BindingRow(line, contact, "", 0, "", 0, 0, "", user) for (line, user, contact), row in batch.items() if row is None
        ]
        try:
            await self._binding_store.save_bindings(kept, gone)
        except StoreError as error:
            raise Unsaved(str(error)) from None

    async def _save_verdicts(self, batch: "Mapping[str, EngineVerdict | None]") -> None:
        kept = [stored_verdict(line, row) for line, row in batch.items() if row is not None]
        gone = [line for line, row in batch.items() if row is None]
        try:
            if kept:
                await self._verdict_store.save_verdicts(kept)
            if gone:
                await self._verdict_store.remove_verdicts(gone)
        except StoreError as error:
            raise Unsaved(str(error)) from None

    async def restore(self) -> None:
        """Give the engine what the store has. Raises `StoreError`; what was given stays given.

        At any time: the engine takes a verdict only for a line that it has not judged, a binding only where none is newer.
        """
        bindings = 0
        verdicts = await self._restore_verdicts()
        async for page in self._binding_store.load():
            bindings += self._engine.restore_bindings(
                [(slot, *_columns(row)) for row in page if (slot := self._names.line_slot(row.line_id)) is not None]
            )
        self.restored = {"bindings": bindings, "verdicts": verdicts}
        _log.info("restored from the store", **self.restored)

    async def _restore_verdicts(self) -> int:
        verdicts = 0
        async for rows in self._verdict_store.load():
            named: list[tuple[str, EngineVerdict]] = [
                (row["line_id"], engine_verdict(slot, row))
                for row in rows
                if (slot := self._names.line_slot(row["line_id"])) is not None
            ]
            verdicts += self._engine.restore_verdicts([row for _, row in named])
            self.on_restored(self._history.restored(named))
        return verdicts

    def forget(self, line_ids: list[str]) -> None:
        """Remove the verdicts of lines that no longer exist; the engine ends their bindings itself."""
        for line in line_ids:
            self.verdicts.put(line, None, 0)

    async def reconcile(self) -> None:
        """Make the store say what the engine has: after lost events, or when the store lost its memory. Raises `StoreError`."""
        await self._reconcile_bindings()
        again, self.read_again = self.read_again, False
        await self._reconcile_verdicts(again=again)

    async def _reconcile_bindings(self) -> None:
        stored: dict[BindingKey, BindingRow] = {}
        async for page in self._binding_store.load():
            stored.update({(row.line_id, row.user, row.contact): row for row in page})
        live: set[BindingKey] = set()
        changed = offset = 0
        # On the event loop, page by page: an event that is newer than a page is handled after it and wins.
        while rows := self._engine.bindings(offset, _PAGE):
            for row in rows:
                line = self._names.line_id(row[0])
                if line is None:
                    continue
                key = binding_key(line, row)
                live.add(key)
                if stored.get(key) != stored_binding(line, row):
                    self.bindings.put(key, row, 0)
                    changed += 1
            offset += len(rows)
            await asyncio.sleep(0)
        now_ms = time.time() * 1000
        ghosts = [key for key, row in stored.items() if key not in live and row.expires_unix_ms < now_ms]
        for key in ghosts:
            self.bindings.put(key, None, 0)
        _log.info("bindings compared with the store", live=len(live), saved_again=changed, removed=len(ghosts))

    async def _reconcile_verdicts(self, *, again: bool) -> None:
        stored: dict[str, VerdictRow] = {}
        async for page in self._verdict_store.load():
            stored.update({row["line_id"]: row for row in page})
        offset = 0
        while rows := self._engine.verdicts(offset, _PAGE):
            for row in rows:
                line = self._names.line_id(row["line"])
                if line is not None and stored.get(line) != stored_verdict(line, row):
                    self.verdicts.put(line, row, 0)
                if line is not None and again:
                    self._history.read_again(line, row)
            offset += len(rows)
            await asyncio.sleep(0)


def _columns(row: BindingRow) -> tuple[str, str, int, str, int, int, str, str]:
    return (
        row.contact,
        row.received,
        row.expires_unix_ms,
        row.call_id,
        row.cseq,
        row.q_milli,
        row.user_agent,
        row.user,
    )
