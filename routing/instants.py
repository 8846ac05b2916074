"""What happens when: keys by the instants at which something about them changes."""

from bisect import bisect_right, insort
from collections.abc import Hashable, Iterable
from datetime import datetime
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Instants(Generic[K]):
    """Keys with their instants, in order of time. What has none costs nothing."""

    def __init__(self, items: Iterable[tuple[K, Iterable[datetime]]] = ()) -> None:
        """Take many at once; each key once."""
        self._times_of: dict[K, tuple[datetime, ...]] = {}
        self._at: dict[datetime, set[K]] = {}
        for key, times in items:
            for time in self._note(key, times):
                self._at.setdefault(time, set()).add(key)
        self._times = sorted(self._at)

    def put(self, key: K, times: Iterable[datetime]) -> None:
        """Take the instants of a key in place of those that it had; none removes it."""
        if times == () and key not in self._times_of:
            return
        for time in self._times_of.pop(key, ()):
            keys = self._at[time]
            keys.discard(key)
            if not keys:
                del self._at[time]
                del self._times[bisect_right(self._times, time) - 1]
        for time in self._note(key, times):
            if time not in self._at:
                insort(self._times, time)
                self._at[time] = set()
            self._at[time].add(key)

    def crossed(self, one: datetime, other: datetime) -> set[K]:
        """Return the keys with an instant after the earlier of two and up to the later, whichever of them comes first."""
        low, high = min(one, other), max(one, other)
        times = self._times[bisect_right(self._times, low) : bisect_right(self._times, high)]
        return {key for time in times for key in self._at[time]}

    def next_after(self, now: datetime) -> datetime | None:
        """Return the first instant after ``now``."""
        index = bisect_right(self._times, now)
        return self._times[index] if index < len(self._times) else None

    def after(self, now: datetime) -> list[datetime]:
        """Return all instants after ``now``, in order."""
        return self._times[bisect_right(self._times, now) :]

    def _note(self, key: K, times: Iterable[datetime]) -> tuple[datetime, ...]:
        different = tuple(set(times))
        if different:
            self._times_of[key] = different
        return different
