"""The prefix table: what blocks claim, settled into one entry per prefix, changed in place.

A *claim* says: numbers that begin with a key and have between ``low`` and ``high`` digits belong to a part of a block. Several
claims may have the same key: ``-1`` and ``-100…-199`` beside each other claim ``1`` with lengths that do not touch, and a range
inside an open block claims some lengths of what the block claims. The engine's table has one entry per prefix, so each key keeps
one claim, the one of the longest numbers, and hands the others down to its ten children; what arrives at its full length is a
single number (a *point*). A claim of a longer key always goes before one that was handed down, so the outcome is that of the longest
prefix whose bounds admit the number.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Part(NamedTuple):
    """Numbers of a block that are treated alike."""

    block: str
    ranges: tuple[str, ...]
    """The diversions for a range that hold these numbers, most specific first."""


class Claim(NamedTuple):
    """Sorted by precedence: the longer key, then ranges before the open rest, then the block's id."""

    rank: tuple[int, int, str]
    low: int
    high: int
    part: Part


Entry = tuple[int, int, Part]
"""(min_len, max_len, part); lengths are those of the whole number."""


def claim(key: str, low: int, high: int, part: Part, *, rest: bool = False) -> Claim:
    """Build the claim of ``part`` under ``key``; ``rest`` for the extensions of a block that no range names."""
    return Claim((-len(key), int(rest), part.block), low, high, part)


_MANY = 2000
"""Keys that come or go, from which on sorting all anew is quicker than putting each in its place."""


class PrefixTable:
    """Claims by key, and what they come to: ``entries`` (prefix → bounds and part) and ``points`` (number → part)."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.points: dict[str, Part] = {}
        self.held: defaultdict[str, set[str]] = defaultdict(set)
        """Block → keys of its entries and points."""
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self._down: dict[str, tuple[Claim, ...]] = {}
        self.overlaps: dict[str, frozenset[tuple[str, str]]] = {}
        """Key → (block that has numbers there, block that claims the same and does not get them)."""
        self._lengths: dict[int, int] = {}
        self._sizes: tuple[int, ...] = ()  # key lengths in use, longest first
        self._sorted: list[str] | None = None  # keys of entries and points, once somebody asked for them
        self._stale: set[str] = set()  # keys that may have come or gone since

    def load(self, claims: Iterable[tuple[str, Claim]]) -> None:
        """Take all claims into an empty table. A key with one claim, as nearly all are, has nothing to settle."""
        contested: set[str] = set()
        for key, item in claims:
            held = self._claims.get(key)
            if held is None:
                self._claims[key] = (item,)
            elif item not in held:
                self._claims[key] = (*held, item)
                contested.add(key)
        for key, (item, *more) in self._claims.items():
            size = len(key)
            if more:
                continue
            if item.high > size:
                self.entries[key] = (item.low, item.high, item.part)
                self._lengths[size] = self._lengths.get(size, 0) + 1
            elif item.low == size:
                self.points[key] = item.part
            else:
                continue
            self.held[item.part.block].add(key)
        self._sizes = tuple(sorted(self._lengths, reverse=True))
        touched: set[str] = set()
        for key in sorted(contested, key=len):
            self._settle(key, touched)

    def change(self, old: Iterable[tuple[str, Claim]], new: Iterable[tuple[str, Claim]]) -> set[str]:
        """Replace the claims of a block; return the keys and numbers whose outcome may be another one now."""
        before, after = set(old), set(new)
        keys = set()
        for key, gone in before - after:
            kept = tuple(c for c in self._claims[key] if c != gone)
            if kept:
                self._claims[key] = kept
            else:
                del self._claims[key]
            keys.add(key)
        for key, added in after - before:
            self._claims[key] = (*self._claims.get(key, ()), added)
            keys.add(key)
        touched: set[str] = set()
        for key in sorted(keys, key=len):
            self._settle(key, touched)
        if self._sorted is not None:
            self._stale |= touched
        return touched

    def lookup(self, digits: str) -> Part | None:
        """Return the part that holds the number: the longest prefix whose bounds admit it."""
        point = self.points.get(digits)
        if point is not None:
            return point
        length = len(digits)
        for size in self._sizes:
            entry = self.entries.get(digits[:size])
            if entry is not None and entry[0] <= length <= entry[1]:
                return entry[2]
        return None

    def below(self, prefix: str) -> Iterator[str]:
        """Yield the keys of entries and points that are longer than ``prefix`` and begin with it, ascending.

        The first time the keys are sorted, after that only what changed is put in its place.
        """
        keys = self._keys()
        for index in range(bisect_right(keys, prefix), len(keys)):
            key = keys[index]
            if not key.startswith(prefix):
                return
            yield key

    def _keys(self) -> list[str]:
        if self._sorted is None or len(self._stale) > _MANY:
            self._sorted = sorted(self.entries.keys() | self.points.keys())
            self._stale = set()
        for key in self._stale:
            at = bisect_left(self._sorted, key)
            held = at < len(self._sorted) and self._sorted[at] == key
            if key in self.entries or key in self.points:
                if not held:
                    self._sorted.insert(at, key)
            elif held:
                del self._sorted[at]
        self._stale.clear()
        return self._sorted

    def above(self, digits: str) -> set[str]:
        """Return the blocks that claim something under a leading part of ``digits``, or under all of them."""
        found = (self._claims.get(digits[:size], ()) for size in range(1, len(digits) + 1))
        return {item.part.block for claims in found for item in claims}

    def claiming_below(self, prefix: str) -> set[str]:
        """Return the blocks that claim something under keys longer than ``prefix`` that begin with it."""
        return {item.part.block for key in self.below(prefix) for item in self._claims.get(key, ())}

    def _settle(self, key: str, touched: set[str]) -> None:
        size = len(key)
        claims = (*self._claims.get(key, ()), *self._down.get(key[:-1], ()))
        segments = _segments(claims, size)
        _put(self.overlaps, key, _overlaps(claims) if len(claims) > 1 else None)
        point: Part | None = None
        entry: Entry | None = None
        down: tuple[Claim, ...] = ()
        if segments and segments[-1].high > size:
            kept = segments.pop()
            entry = (kept.low, kept.high, kept.part)
        if segments:
            if segments[0].low == size:
                point = segments[0].part
            down = tuple(c._replace(low=max(c.low, size + 1)) for c in segments if c.high > size)
        if self.points.get(key) != point:
            self._hold(key, self.points.get(key), point)
            touched.add(key)
            _put(self.points, key, point)
        old = self.entries.get(key)
        if old != entry:
            self._hold(key, old[2] if old else None, entry[2] if entry else None)
            touched.add(key)
            self._count(size, bool(entry) - bool(old))
            _put(self.entries, key, entry)
        self._release(key)
        if self._down.get(key, ()) != down:
            _put(self._down, key, down or None)
            for digit in "0123456789":
                self._settle(key + digit, touched)

    def _hold(self, key: str, old: Part | None, new: Part | None) -> None:
        if old is not None:
            self.held[old.block].discard(key)
        if new is not None:
            self.held[new.block].add(key)

    def _release(self, key: str) -> None:
        """Put back what `_hold` took away when a point and an entry of the same block share the key."""
        entry, point = self.entries.get(key), self.points.get(key)
        for part in (entry[2] if entry else None, point):
            if part is not None:
                self.held[part.block].add(key)

    def _count(self, size: int, by: int) -> None:
        count = self._lengths.get(size, 0) + by
        _put(self._lengths, size, count or None)
        if len(self._sizes) != len(self._lengths):
            self._sizes = tuple(sorted(self._lengths, reverse=True))


def _put(table: dict, key: object, value: object) -> None:  # type: ignore[type-arg] # one line for four tables
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


def _overlaps(claims: tuple[Claim, ...]) -> frozenset[tuple[str, str]] | None:
    """Return the pairs of blocks that claim the same numbers with equal right, the one that gets them first."""
    pairs = {
        (a.part.block, b.part.block)
        for a in claims
        for b in claims
        if a.rank < b.rank and a.rank[:2] == b.rank[:2] and a.part.block != b.part.block and a.low <= b.high and b.low <= a.high
    }
    return frozenset(pairs) or None


def _segments(claims: tuple[Claim, ...], size: int) -> list[Claim]:
    """Return what the claims come to by length: disjoint, ascending, neighbours with the same part joined."""
    if len(claims) == 1:
        return list(claims)
    by_length: dict[int, Claim] = {}
    for item in sorted(claims):
        for length in range(max(item.low, size), item.high + 1):
            by_length.setdefault(length, item)
    segments: list[Claim] = []
    for length in sorted(by_length):
        item = by_length[length]
        last = segments[-1] if segments else None
        if last is not None and last.high == length - 1 and last.part == item.part and last.rank == item.rank:
            segments[-1] = last._replace(high=length)
        else:
            segments.append(item._replace(low=length, high=length))
    return segments
