"""From the store's rules to the engine's table: the first full read, every change after it, and what dates change.

Rules: a change that is small is compiled and applied at once, on the event loop, because it is quicker than handing it over;
a large one runs in a thread. One at a time, in the order of the store. When the engine refuses a delta (a bug), the whole
table is built anew; when that fails too, the engine goes on with what it has, and `status` says so.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from routing.compile import Change, Compiler
from routing.model import Entity
from routing.overrides import Changes
from routing.target_policy import CarrierPolicy
from rules_store import Batch, Follower, StoreError
from sipproxy._engine import DeltaError, Engine, RouteTable
from sipproxy.collection import Collector

if TYPE_CHECKING:
    from routing.directory import Directory
    from sipproxy._engine import Delta

_log = structlog.get_logger(__name__)
_INLINE = 200
"""Changes up to this number are some milliseconds of work."""
_LEND_S = 10.0
"""How long a save waits for rules as new as the store's: after a large import they are read in full."""
_LONGEST_SLEEP_S = 1.0
"""How late a date may be after the clock was set or the machine slept: waits are measured by a clock that does neither."""


class Supply:
    """Keeps the engine's table equal to the store."""

    def __init__(
        self,
        engine: Engine,
        compiler: Compiler,
        new_follower: Callable[[], Follower],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``clock`` tells the time in UTC, also backwards when it was put right."""
        self._engine = engine
        self._clock = clock
        self._compiler = compiler
        self._new_follower = new_follower
        self._follower = new_follower()
        self._resyncs_before = 0
        self._lock = asyncio.Lock()
        self._moved = asyncio.Event()
        self._changed = asyncio.Event()
        self._advanced = asyncio.Event()
        self.ready = asyncio.Event()
        """Set when the first full read is in the engine."""
        self.sequence = 0
        self.derived: dict[str, tuple[str, Changes]] = {}
        """Profiles of lines with changes of their own: name → (profile, changes)."""
        self._needed: dict[str, tuple[str, Changes]] = {}
        self.on_profiles: Callable[[], None] = lambda: None
        """Called when `derived` has more than before; may be called in a thread."""
        self.fault = ""
        """Why the table is not the store's; "" when it is."""
        self.before_first: Callable[[], Awaitable[None]] = _nothing
        """Awaited when lines have slots for the first time and the engine does not route by them yet; must not raise."""
        self.on_resync: Callable[[], None] = lambda: None
        self.on_lines_removed: Callable[[list[str]], None] = lambda _ids: None
        self.on_changed: Callable[[Iterable[str] | None], None] = lambda _ids: None
        """Told the lines whose wish or rules may be others now, None for any; the engine routes by them already."""

        self.on_lines_changed: Callable[[list[str] | None], None] = lambda _ids: None
        """Called with the lines that a change touched, None: all may be others."""

    @property
    def compiler(self) -> Compiler:
        """The compiler; to be read only while nothing `is_changing` it, or inside `settled`."""
        return self._compiler

    @property
    def is_changing(self) -> bool:
        """Whether somebody holds the rules, perhaps in a thread."""
        return self._lock.locked()

    @property
    def state(self) -> str:
        """How the store is followed: starting, reading, live, disconnected."""
        return self._follower.state

    @property
    def resyncs(self) -> int:
        """How often the store was read in full after the first time."""
        return self._resyncs_before + self._follower.resyncs

    def age_s(self) -> float:
        """Return the seconds since the table was known to be the store's."""
        return self._follower.age_s()

    def line_id(self, slot: int) -> str | None:
        """Return the line that has or had the slot."""
        return self._compiler.line_id(slot)

    def line_slot(self, line_id: str) -> int | None:
        """Return the slot of a line."""
        return self._compiler.line_slot(line_id)

    def rule_id(self, slot: int) -> str | None:
        """Return the diversion that has or had the slot."""
        return self._compiler.rule_id(slot)

    @contextlib.asynccontextmanager
    async def settled(self) -> AsyncIterator[Compiler]:
        """Lend the compiler while nothing changes it."""
        async with self._lock:
            yield self._compiler

    @contextlib.asynccontextmanager
    async def lend(self, sequence: int) -> "AsyncIterator[Directory]":
        """Lend the entities as they are compiled once they are the store's at ``sequence``. Raises `StoreError` when that takes long."""
        try:
            await asyncio.wait_for(self.reached(sequence), _LEND_S)
        except TimeoutError:
            raise StoreError("the rules are being read anew", "Try again in a moment.", retryable=True) from None
        async with self._lock:
            yield self._compiler.directory

    @property
    def directory(self) -> "Directory":
        """The entities as they are compiled; whole only inside `settled`."""
        return self._compiler.directory

    def product_of(self, line_id: str) -> str:
        """Return the product of a line's order, "" if the line is gone."""
        registry = self.directory.registry
        line = registry.lines.get(line_id)
        order = registry.orders.get(line.order) if line is not None else None
        return order.product if order is not None else ""

    async def follow(self) -> None:
        """Follow the store until cancelled. Begun again after a fault, it reads everything anew: what was in hand is gone."""
        self._resyncs_before = self.resyncs + 1 if self.ready.is_set() else 0
        self._follower = self._new_follower()
        held: dict[tuple[str, str], Change] = {}
        full = True
        with Collector() as collector:
            async for batch in self._follower.batches():
                if batch.resync:
                    collector.rest()
                held.update({(kind, key): (kind, key, entity) for kind, key, _, entity in batch.changes})
                if not batch.complete:
                    continue
                changes, held = list(held.values()), {}
                await self._take(batch, changes, full=full)
                full = False
                collector.resume()

    async def adopt(self, entities: list[Entity], sequence: int) -> None:
        """Route by rules that are not from the store, until it answers; its full set is then applied as a difference."""
        async with self._lock:
            await self._all(entities, before_first=_nothing)
            self.sequence = sequence
            self.ready.set()
        self.on_lines_changed(None)

    async def resolved(self, name: str, addresses: tuple[str, ...]) -> None:
        """Send the calls of a named peer to these addresses from now on."""
        async with self._lock:
            self._apply(self._compiler.resolve(name, addresses))

    async def changed(self) -> None:
        """Wait until the rules are others than they were."""
        await self._changed.wait()
        self._changed.clear()

    async def reached(self, sequence: int) -> None:
        """Wait until the engine routes by the store's state at this sequence or a later one."""
        while self.sequence < sequence:
            await self._advanced.wait()

    async def follow_dates(self) -> None:
        """Apply what dates change, when they do; by the clock on the wall, also when that is set back or forward."""
        await self.ready.wait()
        while True:
            self._moved.clear()
            async with self._lock:
                deltas, lines, at = await self._advance()
            if deltas:
                lines |= {spec["line_id"] for delta in deltas for spec in delta.get("lines", ())}
                ruled = any(delta.get("rules") or delta.get("rules_removed") for delta in deltas)
                self.on_changed(None if ruled else lines)
            wait_s = _LONGEST_SLEEP_S if at is None else (at - self._clock()).total_seconds()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), min(max(wait_s, 0.0), _LONGEST_SLEEP_S))

    async def _advance(self) -> tuple[list["Delta"], set[str], datetime | None]:
        """Move the table to the present; return what this changed, lines whose numbers came or went, and when to do it next."""
        before, now = self._compiler.now, self._clock()
        at = self._compiler.next_change_at(before)
        if now >= before and (at is None or now < at):
            return [], set(), at
        lines = self._compiler.directory.lines_due(now)
        # At a midnight there may be thousands of numbers.
        deltas = await asyncio.to_thread(self._compiler.advance, now)
        await asyncio.to_thread(self._apply, deltas)
        if deltas:
            late_ms = round((self._clock() - at).total_seconds() * 1000) if at is not None and at <= now else None
            numbers = sum(len(delta.get("exact", ())) + len(delta.get("prefixes", ())) for delta in deltas)
            _log.info("a date has come", at=str(at or now), late_ms=late_ms, numbers=numbers)
        return deltas, lines, self._compiler.next_change_at(now)

    async def rest(self, orders: Mapping[str, str]) -> None:
        """Let the rules of these orders rest, and those of all others count; order → why."""
        async with self._lock:
            registry = self._compiler.directory.registry
            changed = self._compiler.directory.braked.keys() ^ orders.keys()
            lines = {line for order in changed for line in registry.lines_of.get(order, ())}
            self._apply(self._compiler.rest(orders))
        if lines:
            self.on_changed(lines)

    async def judge_targets(self, carrier: CarrierPolicy) -> None:
        """Judge all targets anew when the carrier's policy is another one."""
        if carrier == self._compiler.directory.carrier:
            return
        async with self._lock:
            await asyncio.to_thread(lambda: self._apply(self._compiler.judge_targets(carrier)))
        self.on_changed(None)

    async def _take(self, batch: Batch, changes: list[Change], *, full: bool) -> None:
        removed = [id_ for kind, id_, entity in changes if kind == "line" and entity is None]
        touched = self._touched(changes) if not full and len(changes) <= _INLINE else None
        began = time.monotonic()
        async with self._lock:
            if full:
                await self._all([entity for _, _, entity in changes if entity is not None], before_first=self.before_first)
            elif len(changes) > _INLINE:
                await asyncio.to_thread(self._change, changes)
            else:
                self._change(changes)
        self.sequence = batch.sequence
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()
        self._moved.set()
        if changes:
            self._changed.set()
        if batch.resync:
            took_ms = round((time.monotonic() - began) * 1000)
            _log.info("rules read in full", entities=len(changes), sequence=batch.sequence, took_ms=took_ms)
            for problem in self._compiler.problems():
                _log.warning("entity not used", kind=problem.kind, id=problem.id, why=problem.message)
        if removed:
            self.on_lines_removed(removed)
        if changes:
            self.on_changed(touched)
        lines = None if full else [id_ for kind, id_, _ in changes if kind == "line"]
        if lines is None or lines:
            self.on_lines_changed(lines)
        if batch.resync and self.ready.is_set():
            self.on_resync()
        self.ready.set()

    def _touched(self, changes: list[Change]) -> set[str]:
        """Return the lines whose wish or rules these changes may touch; called before they are taken."""
        registry = self._compiler.directory.registry
        lines: set[str] = set()
        for kind, id_, entity in changes:
            if kind == "line":
                lines.add(id_)
                continue
            for state in (entity, registry.find(kind, id_)):
                lines |= registry.lines_of.get(getattr(state, "order", id_), set())
                move = getattr(state, "move", None)
                if move is not None:
                    lines.add(move.line)
        return lines

    async def _all(self, entities: list[Entity], *, before_first: Callable[[], Awaitable[None]]) -> None:
        """Compile the full set: into a new table the first time, as a difference later."""
        if self.ready.is_set():
            await asyncio.to_thread(lambda: self._apply(self._compiler.load(entities, self._clock())))
            return
        table = await asyncio.to_thread(self._first_table, entities)
        await before_first()
        await asyncio.to_thread(self._engine.replace, table)

    def _first_table(self, entities: list[Entity]) -> RouteTable:
        table = RouteTable()
        for delta in self._compiler.load(entities, self._clock()):
            table.apply(delta)
        self._tell_profiles()
        return table

    def _change(self, changes: list[Change]) -> None:
        self._apply(self._compiler.change(changes, self._clock()))

    def _tell_profiles(self) -> None:
        """Let the engine know the profiles of lines before the lines. Those that no line has any more go with the next ones."""
        wanted = self._compiler.derived()
        if not wanted.keys() <= self.derived.keys():
            # Until the delta is applied, lines still have the old ones.
            self.derived = self._needed | wanted
            self.on_profiles()
        self._needed = wanted

    def _apply(self, deltas: "Iterable[Delta]") -> None:
        self._tell_profiles()
        try:
            for delta in deltas:
                self._engine.apply(delta)
            self.fault = ""
        except DeltaError as error:
            _log.error("the engine refused a change, building the table anew", where=error.args)
            self._rebuild()

    def _rebuild(self) -> None:
        try:
            table = RouteTable()
            for delta in self._compiler.snapshot():
                table.apply(delta)
            self._engine.replace(table)
            self.fault = ""
        except DeltaError as error:
            self.fault = f"the engine refused the rules: {error}"
            _log.critical("the engine goes on with its last table", cause=str(error))


async def _nothing() -> None:
    """Do nothing."""
