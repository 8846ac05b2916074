"""When orders go live and end: targets are managed before, and take effect from the day of porting or new provision."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from routing.model import Order


class Calendar:
    """Which orders are live at the last ``now``, and when that changes. From the start on, until before the end."""

    def __init__(self, orders: Iterable[Order] = (), now: datetime | None = None) -> None:
        self._span: dict[str, tuple[datetime | None, datetime | None]] = {}
        self._at: defaultdict[datetime, set[str]] = defaultdict(set)
        self._times: list[datetime] = []
        self._dead: set[str] = set()
        self._now = now
        if now is not None:
            for order in orders:
                self.put(order.id, order, now)

    def put(self, key: str, order: Order | None, now: datetime) -> None:
        """Take the dates of a new or changed order; None when it is gone."""
        for time in _times(self._span.pop(key, (None, None))):
            self._at[time].discard(key)
            if not self._at[time]:
                del self._at[time]
                self._times.remove(time)
        self._dead.discard(key)
        if order is None or (order.active_from is None and order.active_until is None):
            return
        self._span[key] = (order.active_from, order.active_until)
        for time in _times(self._span[key]):
            if time not in self._at:
                insort(self._times, time)
            self._at[time].add(key)
        self._judge(key, now)

    def live(self, key: str) -> bool:
        """Return whether an order is live."""
        return key not in self._dead

    def advance(self, now: datetime) -> set[str]:
        """Move to ``now``, also backwards when a clock was put right; return the orders for which this changes something."""
        before = self._now
        self._now = now
        if before is None or before == now:
            return set()
        low, high = min(before, now), max(before, now)
        crossed = self._times[bisect_right(self._times, low) : bisect_right(self._times, high)]
        changed = set().union(*(self._at[time] for time in crossed))
        return {key for key in changed if self._judge(key, now)}

    def next_after(self, now: datetime) -> datetime | None:
        """Return the next time after ``now`` at which an order goes live or ends."""
        index = bisect_right(self._times, now)
        return self._times[index] if index < len(self._times) else None

    def _judge(self, key: str, now: datetime) -> bool:
        start, end = self._span[key]
        dead = (start is not None and now < start) or (end is not None and now >= end)
        changed = dead != (key in self._dead)
        if dead:
            self._dead.add(key)
        else:
            self._dead.discard(key)
        return changed


def _times(span: tuple[datetime | None, datetime | None]) -> set[datetime]:
    return {time for time in span if time is not None}
