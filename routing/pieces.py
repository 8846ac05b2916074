"""Into which prefixes a block falls, with the range rules that hold each: the same for all blocks of one shape."""

from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from routing.blocks import decompose

Range = tuple[str, str]
"""First and last extension, of equal length."""


class Piece(NamedTuple):
    """Extensions that begin with ``prefix`` and have ``least`` to ``most`` digits."""

    prefix: str
    least: int
    most: int
    rules: tuple[int, ...]
    """Of the range rules those that hold them, in the order given."""
    rest: bool
    """They are what a block without ranges has besides its range rules."""


@lru_cache(maxsize=4096)
def pieces(ranges: tuple[Range, ...], rules: tuple[Range, ...], room: int) -> tuple[Piece, ...]:
    """Return the pieces of a block with these ranges and range rules; ``room``: digits that may come behind its base.

    Without ranges it has all extensions of any length. A hundred thousand blocks have few shapes, so they are remembered.
    """
    return tuple(_pieces(ranges, rules, room))


def _pieces(ranges: tuple[Range, ...], rules: tuple[Range, ...], room: int) -> Iterator[Piece]:
    if not ranges:
        yield Piece("", 0, room, (), rest=True)
        ranges = rules
    seen: set[tuple[str, int]] = set()
    for width in sorted({len(first) for first, _ in ranges}):
        if width > room:
            continue
        spans = [(int(first), int(last)) for first, last in ranges if len(first) == width]
        ruled = [(int(first), int(last), index) for index, (first, last) in enumerate(rules) if len(first) == width]
        for low, high, held in _cut(spans, ruled):
            for prefix in decompose(str(low).zfill(width), str(high).zfill(width)):
                if (prefix, width) not in seen:
                    seen.add((prefix, width))
                    yield Piece(prefix, width, width, held, rest=False)


def _cut(spans: list[tuple[int, int]], ruled: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield disjoint pieces of the union of ``spans`` with the rules that hold each piece, in the order given."""
    # From edge to edge: what begins and ends there, spans counted and rules by their place in the order.
    inside = Counter[int]()
    for first, last in spans:
        inside[first] += 1
        inside[last + 1] -= 1
    begins, ends = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    for rank, (first, last, _) in enumerate(ruled):
        begins[first].append(rank)
        ends[last + 1].append(rank)
    open_spans, held = 0, list[int]()
    previous: tuple[int, int, tuple[int, ...]] | None = None
    for low, high in pairwise(sorted({*inside, *begins, *ends})):
        open_spans += inside[low]
        for rank in ends[low]:
            del held[bisect_left(held, rank)]
        for rank in begins[low]:
            insort(held, rank)
        if not open_spans:
            continue
        rules = tuple(ruled[rank][2] for rank in held)
        if previous is not None and previous[1] == low - 1 and previous[2] == rules:
            previous = (previous[0], high - 1, rules)
            continue
        if previous is not None:
            yield previous
        previous = (low, high - 1, rules)
    if previous is not None:
        yield previous
