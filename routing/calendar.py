"""What dates alone change: when orders go live and end, when an operator's wish is over.

Targets are managed before their order is live, and take effect from the day of porting or new provision. The dates of single
numbers and blocks, and their moves, are in `routing.stays`.
"""

from collections.abc import Iterable
from datetime import datetime

from routing.instants import Instants
from routing.model import Line, Order

Span = tuple[datetime | None, datetime | None]
"""From the first on, until before the second; None: always, for ever."""


def order_span(order: Order | None) -> Span:
    """Return when calls to an order are routed."""
    return (None, None) if order is None else (order.active_from, order.active_until)


def wish_span(line: Line | None) -> Span:
    """Return when a line's wish holds."""
    return (None, None) if line is None else (None, line.wish_until)


class Calendar:
    """Which keys are live at the last ``now``, and when that changes."""

    def __init__(self, spans: Iterable[tuple[str, Span]] = (), now: datetime | None = None) -> None:
        self._span: dict[str, Span] = {}
        self._dead: set[str] = set()
        self._now = now
        if now is not None:
            self._span = {key: span for key, span in spans if span != (None, None)}
            for key in self._span:
                self._judge(key, now)
        self._instants = Instants((key, _times(span)) for key, span in self._span.items())

    def put(self, key: str, span: Span, now: datetime) -> None:
        """Take the dates of what is new, changed or gone."""
        self._instants.put(key, _times(span))
        self._span.pop(key, None)
        self._dead.discard(key)
        if span != (None, None):
            self._span[key] = span
            self._judge(key, now)

    def live(self, key: str) -> bool:
        """Return whether it is live; what has no dates is."""
        return key not in self._dead

    def advance(self, now: datetime) -> set[str]:
        """Move to ``now``, also backwards when a clock was put right; return the keys for which this changes something."""
        before = self._now
        self._now = now
        if before is None or before == now:
            return set()
        return {key for key in self._instants.crossed(before, now) if self._judge(key, now)}

    def next_after(self, now: datetime) -> datetime | None:
        """Return the next time after ``now`` at which something goes live or ends."""
        return self._instants.next_after(now)

    def _judge(self, key: str, now: datetime) -> bool:
        start, end = self._span[key]
        dead = (start is not None and now < start) or (end is not None and now >= end)
        changed = dead != (key in self._dead)
        if dead:
            self._dead.add(key)
        else:
            self._dead.discard(key)
        return changed


def _times(span: Span) -> set[datetime]:
    return {time for time in span if time is not None}
