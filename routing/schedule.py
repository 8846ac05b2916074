"""Which period of a diversion holds at an instant, and when that changes next.

A period speaks of the wall clock in Germany, and the wall clock has the say: an hour that is missing in March is passed over, one
that comes twice in October counts both times. Between 02:00 and 03:00 of that night a period that ends at 02:30 so holds, ends,
holds again and ends for good; whoever looks at a clock in that room sees the same.

A *window* is what a period means on one day: ``start``…``end``, into the following day when ``end`` is not above ``start``. Day,
dates and holiday are those on which the window starts. ``next_change`` goes from edge to edge of windows, never minute by minute.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from routing.holiday import is_holiday
from routing.local_time import BERLIN
from routing.model import Period, State, Weekday

HORIZON = timedelta(days=366 * 12)
"""So far ahead a change is looked for. Weekdays and dates meet again within 12 years, also across a century without a leap day."""

_DAY = timedelta(days=1)
_FAR = date(9000, 1, 1)
"""What begins later never begins."""
_MINUTE = timedelta(minutes=1)
_MINUTES = 24 * 60
_WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Window(NamedTuple):
    """Minutes after midnight: of the start, and of the end, which may be on the following day."""

    start: int
    end: int
    """At most 48 hours."""


def window_of(period: Period) -> Window:
    """Return when a period's window begins and ends on each of its days."""
    start, end = _minutes(period.start), _minutes(period.end)
    return Window(start, end if end > start else end + _MINUTES)


def period_at(periods: Sequence[Period], state: State | None, at: datetime) -> int | None:
    """Return the index of the first period that holds at the aware time ``at``, None when none does.

    ``state``: whose public holidays count; None: those that all states have.
    """
    if not periods:
        return None
    local = at.astimezone(BERLIN)
    return _first(periods, state, local.date(), local.hour * 60 + local.minute)


def next_change(periods: Sequence[Period], state: State | None, at: datetime) -> datetime | None:
    """Return the first instant after ``at`` (UTC) at which `period_at` answers otherwise; None: never, within `HORIZON`."""
    current = period_at(periods, state, at)
    if not periods:
        return None
    # A period that holds hides those behind it until it ends.
    asked = periods if current is None else periods[: current + 1]
    edges = [_edges(period, state, at) for period in asked]
    upcoming = [next(each, None) for each in edges]
    while True:
        instant = min((edge for edge in upcoming if edge is not None), default=None)
        if instant is None:
            return None
        if period_at(periods, state, instant) != current:
            return instant
        for index, edge in enumerate(upcoming):
            if edge == instant:
                upcoming[index] = next(edges[index], None)


class Outlook(NamedTuple):
    """Which period holds, and how long it stays so."""

    period: int | None
    """Its index; None: none holds."""
    since: datetime
    until: datetime | None
    """None: for ever."""


Shape = tuple[date | None, date | None, tuple[Weekday, ...], str, str, str]
"""All of a period that is about time."""

_MOST = 10_000


class Outlooks:
    """Remembers outlooks: of a hundred thousand rules many have the same times, and ask at the same instant."""

    def __init__(self) -> None:
        self._known: dict[tuple[State | None, tuple[Shape, ...]], Outlook] = {}

    def at(self, periods: Sequence[Period], state: State | None, now: datetime) -> Outlook:
        """Return what `period_at` and `next_change` answer at ``now``."""
        key = (state, tuple((p.first, p.last, p.days, p.start, p.end, p.holidays) for p in periods))
        known = self._known.get(key)
        if known is not None and known.since <= now and (known.until is None or now < known.until):
            return known
        if len(self._known) >= _MOST:
            self._known.clear()
        # Periods begin and end at whole minutes, so what holds now has held since the last of them at least.
        since = now.replace(second=0, microsecond=0)
        found = self._known[key] = Outlook(period_at(periods, state, now), since, next_change(periods, state, now))
        return found


def _first(periods: Sequence[Period], state: State | None, day: date, minute: int) -> int | None:
    for index, period in enumerate(periods):
        start, end = window_of(period)
        if (start <= minute < end and _has(period, state, day)) or (minute < end - _MINUTES and _has(period, state, day - _DAY)):
            return index
    return None


def _has(period: Period, state: State | None, day: date) -> bool:
    """Return whether a window of the period starts on that day."""
    if (period.first is not None and day < period.first) or (period.last is not None and day > period.last):
        return False
    if period.days and _WEEKDAYS[day.weekday()] not in period.days:
        return False
    return period.holidays == "any" or is_holiday(day, state) == (period.holidays == "only")


def _edges(period: Period, state: State | None, at: datetime) -> Iterator[datetime]:
    """Yield, ascending, the instants after ``at`` at which the period can begin or cease to hold, and perhaps some more."""
    window = window_of(period)
    previous = at
    for day in _days(period, window, at):
        for instant in sorted(_instants(period, window, state, day)):
            if instant > previous:
                previous = instant
                yield instant


def _days(period: Period, window: Window, at: datetime) -> Iterator[date]:
    """Yield the days, from that of ``at`` on, on which something can change; no further than `HORIZON` after the first of them."""
    day = at.astimezone(BERLIN).date()
    if period.first is not None and period.first > day:
        day = period.first
    if day > _FAR:
        return
    last_day = day + HORIZON
    if period.last is not None and period.last < last_day:
        # A window may end on the day after, and the last of several that touch ends there.
        last_day = period.last + _DAY
    if _is_whole(window) and period.holidays == "any" and len(set(period.days)) in {0, len(_WEEKDAYS)}:
        # One window from the first day to the last.
        if period.first == day:
            yield day
        if period.last is not None and last_day >= day:
            yield last_day
        return
    while day <= last_day:
        yield day
        day += _DAY


def _instants(period: Period, window: Window, state: State | None, day: date) -> set[datetime]:
    """Return the edges of windows that fall on ``day``: of the one that starts there, and of the one that started the day before."""
    today, yesterday = _has(period, state, day), _has(period, state, day - _DAY)
    found: set[datetime] = set()
    if _is_whole(window):
        # The windows of neighbouring days touch: there is an edge only where one of the two is missing.
        if today != yesterday:
            found |= _at(day, window.start)
            found |= _jumps(day)
        return found
    if today:
        found |= _at(day, window.start)
        if window.end <= _MINUTES:
            found |= _at(day, window.end)
    if yesterday and window.end > _MINUTES:
        found |= _at(day, window.end - _MINUTES)
    if found:
        found |= _jumps(day)
    return found


def _is_whole(window: Window) -> bool:
    return window.end - window.start == _MINUTES


def _at(day: date, minutes: int) -> set[datetime]:
    """Return when the clocks show that time (UTC): twice where an hour comes twice."""
    days, rest = divmod(minutes, _MINUTES)
    shown = datetime.combine(day + days * _DAY, time(rest // 60, rest % 60), tzinfo=BERLIN)
    return {shown.astimezone(UTC), shown.replace(fold=1).astimezone(UTC)}


@lru_cache(maxsize=4096)
def _jumps(day: date) -> frozenset[datetime]:
    """Return when the clocks are put forward or back on that day (UTC), mostly never; to the minute."""
    start, end = (datetime.combine(each, time(), tzinfo=BERLIN).astimezone(UTC) for each in (day, day + _DAY))
    before = start.astimezone(BERLIN).utcoffset()
    low, high = 0, (end - start) // _MINUTE
    if high == _MINUTES:
        return frozenset()
    while high - low > 1:
        middle = (low + high) // 2
        if (start + middle * _MINUTE).astimezone(BERLIN).utcoffset() == before:
            low = middle
        else:
            high = middle
    return frozenset({start + high * _MINUTE})


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])
