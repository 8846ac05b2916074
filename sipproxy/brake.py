"""The brake at work: counts what the engine tells of diverted calls, lets rules rest, tells it, and keeps it in the store.

The engine tells every few seconds how many calls of a line were diverted, every one of them (`sipproxy._engine.CallsEvent`); so an order passes
its limit by what is diverted in these seconds. `routing.brake` decides. What was counted and decided is in the store within a second, and
read before the rules are at a start: a restart ends no rest and resets no count. While the store is away all goes on in memory.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from registrar_watch.history import History
from registrar_watch.outbox import now_ms
from routing.brake import MINUTE_MS, QUARTER_MS, Brake, Level, Shares, record_of, take_record
from routing.limits import order_limits
from rules_store import BrakeBatch, BrakeStore, Counted, StoreError
from sipproxy.config.model import Brake as Settings
from sipproxy.supply import Supply

if TYPE_CHECKING:
    from registrar_watch.going import LineBook
    from sipproxy._engine import CallsEvent

_log = structlog.get_logger(__name__)
_TICK_S = 5.0
"""So often windows are looked at that nothing is added to, and levels that other processes set."""
_RETRY_S = 1.0


class FraudBrake:
    """Counts per order. One event loop; `counts_by_level` may be asked from anywhere."""

    def __init__(
        self,
        supply: Supply,
        lines: "LineBook",
        history: History,
        store: BrakeStore,
        settings: Callable[[], Settings],
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._supply = supply
        self._lines = lines
        self._history = history
        self._store = store
        self._settings = settings
        self._clock = clock
        self._brakes: dict[str, Brake] = {}
        self._unjudged: set[str] = set()
        self._waiting = BrakeBatch()
        self._counted = asyncio.Event()
        self._changed = asyncio.Event()
        self._restored = False
        self._saving = asyncio.Lock()
        self._failing = False
        self._applied: dict[str, str] = {}
        self.trips: dict[str, int] = {"hour": 0, "day": 0}
        """How often a limit was reached, by its span."""

    # -- counting -----------------------------------------------------------------------------------------------------

    def calls(self, line: str, event: "CallsEvent") -> None:
        """Take what became of a line's calls; quick."""
        count = event["diverted"] + event["rescued"]
        order = self._lines.order_of(line) if count else ""
        if not order:
            return
        at = event["at_unix_ms"]
        self._brakes.setdefault(order, Brake()).add(at, count)
        self._waiting.adds.setdefault(order, []).append((at // MINUTE_MS, at // QUARTER_MS, count))
        self._unjudged.add(order)
        self._counted.set()

    async def run(self) -> None:
        """Judge what was counted, and now and then all, for windows slide. Never ends."""
        looked = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._counted.wait(), _RETRY_S if self._unjudged else _TICK_S)
            self._counted.clear()
            if time.monotonic() - looked >= _TICK_S:
                looked = time.monotonic()
                self._unjudged |= self._brakes.keys()
            self._judge()
            await self._apply()

    def _judge(self) -> None:
        if not self._supply.ready.is_set() or not self._lines.is_settled():
            return
        orders, self._unjudged = self._unjudged, set()
        shares, now = self._shares, self._clock()
        for order in orders:
            brake = self._brakes.get(order)
            if brake is None:
                continue
            before, since = brake.level, brake.since_ms
            if brake.judge(order_limits(self._supply.directory, order), shares, now) is not None:
                self._keep(order, brake)
                self._tell(order, brake, before, since)
            if brake.is_empty():
                del self._brakes[order]
                self._waiting.adds.setdefault(order, [])  # an empty record goes from the store too
        if self._waiting:
            self._changed.set()

    def _keep(self, order: str, brake: Brake) -> None:
        self._waiting.levels[order] = record_of(brake) if brake.level != "free" else None
        self._changed.set()

    def _tell(self, order: str, brake: Brake, before: Level, since: int) -> None:
        reached, now = brake.reached, self._clock()
        if reached is None:
            if before == "resting":
                _log.warning("the rules of the order count again", order=order)
                self._ended(order, "", since)
            return
        facts = {"order": order, "span": reached.span, "count": reached.count, "limit": reached.limit}
        if brake.level == "warned":
            _log.warning("many calls of the order are diverted", **facts)
            self._history.note("brake", {"change": "warned", **facts})
            return
        self.trips[reached.span] += 1
        ends = self.ends_at(order, brake, now)
        _log.error("diverted calls above the limit: the rules of the order rest", **facts, enabled=self._settings().enabled)
        change = "rests" if self._settings().enabled else "would_rest"
        self._history.note("brake", {"change": change, **facts, "ends_unix_ms": ends})

    def _ended(self, order: str, by: str, since: int) -> None:
        facts = {"order": order, "by": by, "by_itself": not by, "began_unix_ms": since}
        self._history.note("brake", {"change": "ended", **facts})

    @property
    def _shares(self) -> Shares:
        settings = self._settings()
        return Shares(settings.warn_share, settings.resume_share)

    async def _apply(self) -> None:
        """Have the engine route by what was decided."""
        resting = self._resting()
        if resting != self._applied:
            await self._supply.rest(resting)
            self._applied = resting

    def _resting(self) -> dict[str, str]:
        if not self._settings().enabled:
            return {}
        return {order: _why(brake) for order, brake in self._brakes.items() if brake.level == "resting"}

    # -- the store ------------------------------------------------------------------------------------------------------

    async def restore(self) -> None:
        """Take what was counted before a start, and which rules rest. Raises `StoreError`; then it may be called again."""
        counts, levels = await self._store.counts(), await self._store.levels()
        for order, counted in counts.items():
            self._take_counts(order, counted)
        self._take_levels(levels)
        self._restored = True
        self._unjudged |= self._brakes.keys()
        await self._apply()

    async def run_saving(self) -> None:
        """Write what waits, and look for what other processes decided. Never ends."""
        looked = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _TICK_S)
            self._changed.clear()
            try:
                if not self._restored:
                    await self.restore()
                await self.save()
                if time.monotonic() - looked >= _TICK_S:
                    self._take_levels(await self._store.levels())
                    looked = time.monotonic()
                self._failing = False
            except StoreError as error:
                if not self._failing:
                    _log.warning("counts of diverted calls not saved, trying on", what=error.what)
                self._failing = True
                self._changed.set()
            await self._apply()
            await asyncio.sleep(_RETRY_S)  # more comes: what a second brings is one round trip

    async def save(self) -> None:
        """Write what waits. Raises `StoreError`; then it waits on."""
        async with self._saving:
            batch, self._waiting = self._waiting, BrakeBatch()
            now = self._clock()
            oldest = Brake().hour.oldest(now), Brake().day.oldest(now)
            try:
                found = await self._store.write(batch, *oldest)
            except BaseException:
                self._waiting = batch.before(self._waiting)
                raise
            for order, counted in found.items():
                if order in self._brakes and order not in self._waiting.zeroed:
                    self._take_counts(order, counted)
                    self._unjudged.add(order)

    def _take_counts(self, order: str, counted: Counted) -> None:
        """Take what all processes counted, and add what waits to be written."""
        brake = self._brakes.setdefault(order, Brake())
        brake.hour.buckets, brake.day.buckets = dict(counted.minutes), dict(counted.quarters)
        for minute, quarter, count in self._waiting.adds.get(order, ()):
            brake.hour.buckets[minute] = brake.hour.buckets.get(minute, 0) + count
            brake.day.buckets[quarter] = brake.day.buckets.get(quarter, 0) + count

    def _take_levels(self, levels: Mapping[str, Mapping[str, Any]]) -> None:
        """Take the levels of the store, where nothing of ours waits to be written."""
        for order, record in levels.items():
            if order not in self._waiting.levels:
                try:
                    take_record(self._brakes.setdefault(order, Brake()), record)
                except (KeyError, TypeError, ValueError):
                    _log.warning("level of a brake does not parse", order=order)
        for order, brake in self._brakes.items():
            if brake.level != "free" and order not in levels and order not in self._waiting.levels:
                brake.release(self._clock())  # somebody else's operator did

    # -- for people -------------------------------------------------------------------------------------------------------

    async def release(self, order: str, by: str) -> bool:
        """Let the rules of an order count again and count anew; False if they do not rest. Raises `StoreError`: it holds until a restart."""
        brake = self._brakes.get(order)
        if brake is None or brake.level == "free":
            return False
        rested, since = brake.level == "resting", brake.since_ms
        brake.release(self._clock())
        self._waiting.adds.pop(order, None)
        self._waiting.zeroed.add(order)
        self._waiting.levels[order] = None
        self._changed.set()
        if rested:
            self._ended(order, by, since)
        _log.warning("brake released by hand", order=order, by=by)
        await self._apply()
        await self.save()
        return True

    def brakes(self) -> Mapping[str, Brake]:
        """Return what is counted by order, for those with diverted calls in the last day; to be read only."""
        return self._brakes

    def resting(self) -> list[str]:
        """Return the orders whose rules rest."""
        return sorted(self._resting())

    def ends_at(self, order: str, brake: Brake, now: int) -> int:
        """Return when rules that rest count again by themselves."""
        return brake.ends_at(order_limits(self._supply.directory, order), self._shares, now)

    def counts_by_level(self) -> dict[str, float]:
        """Return how many orders are warned and how many rest."""
        levels = [brake.level for brake in list(self._brakes.values())]
        return {"warned": float(levels.count("warned")), "resting": float(levels.count("resting"))}

    @property
    def is_unsaved(self) -> bool:
        """Whether something of it is not in the store yet."""
        return bool(self._waiting) or self._saving.locked()

    @property
    def is_enabled(self) -> bool:
        """Whether rules rest above the limits, or it is only told."""
        return self._settings().enabled


def _why(brake: Brake) -> str:
    """Return half a sentence; the subject is a rule."""
    reached = brake.reached
    if reached is None:
        return "too many calls of its order were diverted"
    span = "an hour" if reached.span == "hour" else "a day"
    return f"{reached.count} calls of its order were diverted within {span}, and {reached.limit} are allowed"
