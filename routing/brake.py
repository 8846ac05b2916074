"""The brake against fraud: how many calls of an order were diverted in the last hour and the last day, and what follows.

Somebody who can set a target, or makes a line look dead, can have calls sent where they cost money. So an order has limits
(`routing.limits`). From `warn_share` of one on there is a warning; when one is reached the order's rules *rest*: they count as not armed.
While they rest nothing is diverted, so the windows empty by themselves; when no more than `resume_share` of each limit is left, the rules
count again. Not sooner: rules that come back for one call a minute would be an alarm a minute. An operator can end it at once; then
the counting begins anew.

Counts are kept in buckets: of a minute for the hour, of a quarter for the day. A window is so wide at least, and at most one bucket wider.
No clock here: times are arguments, milliseconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from routing.products import ProductLimits

MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

Span = Literal["hour", "day"]
Level = Literal["free", "warned", "resting"]


@dataclass(frozen=True, slots=True)
class Shares:
    """At which shares of a limit something happens."""

    warn: float = 0.8
    resume: float = 0.5


@dataclass(slots=True)
class Window:
    """Counts of the last ``width_ms``, in buckets of ``step_ms``."""

    step_ms: int
    width_ms: int
    buckets: dict[int, int] = field(default_factory=dict)
    """Number of the bucket (time divided by the step) → count."""

    def add(self, at_ms: int, count: int) -> None:
        """Add calls at a time; the order of times does not matter."""
        number = at_ms // self.step_ms
        self.buckets[number] = self.buckets.get(number, 0) + count

    def forget(self, now_ms: int) -> None:
        """Drop what is older than the window."""
        oldest = self.oldest(now_ms)
        for number in [number for number in self.buckets if number < oldest]:
            del self.buckets[number]

    def oldest(self, now_ms: int) -> int:
        """Return the number of the oldest bucket that has a part in the window."""
        return (now_ms - self.width_ms) // self.step_ms

    def total(self, now_ms: int) -> int:
        """Return the calls in the window."""
        oldest = self.oldest(now_ms)
        return sum(count for number, count in self.buckets.items() if number >= oldest)

    def falls_to(self, count: int, now_ms: int) -> int:
        """Return when the window holds no more than ``count`` calls if no more come; ``now_ms`` if that is so already."""
        left = self.total(now_ms)
        for number in sorted(self.buckets):
            if left <= count:
                break
            if number >= self.oldest(now_ms):
                left -= self.buckets[number]
                now_ms = (number + 1) * self.step_ms + self.width_ms
        return now_ms


def hour_window() -> Window:
    """Return an empty window of an hour."""
    return Window(MINUTE_MS, HOUR_MS)


def day_window() -> Window:
    """Return an empty window of a day."""
    return Window(QUARTER_MS, DAY_MS)


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit, or a share of one, that was reached."""

    span: Span
    count: int
    limit: int


@dataclass(slots=True)
class Brake:
    """What is counted of one order, and whether its rules rest."""

    hour: Window = field(default_factory=hour_window)
    day: Window = field(default_factory=day_window)
    level: Level = "free"
    since_ms: int = 0
    """Since when the level is what it is."""
    reached: Reached | None = None
    """What brought the level about."""

    def add(self, at_ms: int, count: int) -> None:
        """Count diverted calls."""
        self.hour.add(at_ms, count)
        self.day.add(at_ms, count)

    def judge(self, limits: ProductLimits, shares: Shares, now_ms: int) -> Level | None:
        """Work out the level now; return it if it is another one than before."""
        self.hour.forget(now_ms)
        self.day.forget(now_ms)
        before = self.level
        over, near = self._highest(limits, 1.0, now_ms), self._highest(limits, shares.warn, now_ms)
        if self.level == "resting":
            if self._highest(limits, shares.resume, now_ms, above=True) is None:
                self._become("free", None, now_ms)
        elif over is not None:
            self._become("resting", over, now_ms)
        elif near is not None:
            self._become("warned", near, now_ms)
        elif self._highest(limits, shares.resume, now_ms, above=True) is None:
            # Warned until it is over for good: a count that swings around the share is one warning.
            self._become("free", None, now_ms)
        return self.level if self.level != before else None

    def release(self, now_ms: int) -> None:
        """Let the rules count again, and count anew from now on."""
        self.hour.buckets.clear()
        self.day.buckets.clear()
        self.level, self.since_ms, self.reached = "free", now_ms, None

    def ends_at(self, limits: ProductLimits, shares: Shares, now_ms: int) -> int:
        """Return when rules that rest count again if nobody releases them."""
        hour = self.hour.falls_to(int(limits.diverted_per_hour * shares.resume), now_ms)
        return max(hour, self.day.falls_to(int(limits.diverted_per_day * shares.resume), now_ms))

    def is_empty(self) -> bool:
        """Return whether there is nothing to keep."""
        return self.level == "free" and not self.hour.buckets and not self.day.buckets

    def _become(self, level: Level, reached: Reached | None, now_ms: int) -> None:
        if level != self.level:
            self.level, self.since_ms, self.reached = level, now_ms, reached

    def _highest(self, limits: ProductLimits, share: float, now_ms: int, *, above: bool = False) -> Reached | None:
        """Return the limit of which a share is reached (``above``: passed), the fuller one of two."""
        counts: list[tuple[Span, int, int]] = [
            ("hour", self.hour.total(now_ms), limits.diverted_per_hour),
            ("day", self.day.total(now_ms), limits.diverted_per_day),
        ]
        found = [item for item in counts if (item[1] > int(item[2] * share) if above else item[1] >= item[2] * share)]
        return Reached(*max(found, key=lambda item: item[1] / item[2])) if found else None


def record_of(brake: Brake) -> dict[str, Any]:
    """Return the level as it is stored; the counts are stored apart, because several processes add to them."""
    reached = brake.reached
    return {
        "level": brake.level,
        "since_unix_ms": brake.since_ms,
        "span": reached.span if reached is not None else "",
        "count": reached.count if reached is not None else 0,
        "limit": reached.limit if reached is not None else 0,
    }


def take_record(brake: Brake, record: Mapping[str, Any]) -> None:
    """Take a stored level. Raises `KeyError`, `TypeError` or `ValueError` for one that is none."""
    level, span = record["level"], record["span"]
    if level not in {"free", "warned", "resting"} or span not in {"", "hour", "day"}:
        raise ValueError(f"no level: {level!r}, {span!r}")
    brake.level, brake.since_ms = level, int(record["since_unix_ms"])
    brake.reached = Reached(span, int(record["count"]), int(record["limit"])) if span else None
