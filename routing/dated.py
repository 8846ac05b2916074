"""The few numbers and blocks with dates of their own or a move, as they are stored, and the ways to find them."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from routing.blocks import holds
from routing.instants import Instants
from routing.model import Number
from routing.stays import Item, instants_of, stays

Key = tuple[str, str]
"""Kind (number or block) and id."""


class Dated:
    """Numbers and blocks with dates, present or not."""

    def __init__(self) -> None:
        self.of: dict[Key, Item] = {}
        self.instants: Instants[Key] = Instants()
        self._arriving: defaultdict[str, set[Key]] = defaultdict(set)
        self._behind: defaultdict[str, set[Key]] = defaultdict(set)  # number, or base of a block
        self._sizes: Counter[int] = Counter()  # lengths of those

    def put(self, item: Item) -> None:
        """Add an item that is not held."""
        key = _key(item)
        self.of[key] = item
        self.instants.put(key, instants_of(item))
        digits = _digits(item)
        self._behind[digits].add(key)
        self._sizes[len(digits)] += 1
        if item.move is not None:
            self._arriving[_order(item.move.order)].add(key)
            self._arriving[_line(item.move.line)].add(key)

    def remove(self, kind: str, id_: str) -> None:
        """Remove an item if it is held."""
        key = (kind, id_)
        item = self.of.pop(key, None)
        if item is None:
            return
        self.instants.put(key, ())
        digits = _digits(item)
        _drop(self._behind, digits, key)
        self._sizes[len(digits)] -= 1
        if item.move is not None:
            _drop(self._arriving, _order(item.move.order), key)
            _drop(self._arriving, _line(item.move.line), key)

    def arriving(self, *, order: str = "", line: str = "") -> list[Item]:
        """Return the items that move to an order or a line, at whatever time."""
        return [self.of[key] for key in sorted(self._arriving.get(_order(order) if order else _line(line), ()))]

    def with_number(self, digits: str) -> Iterator[Item]:
        """Yield the items that hold a number (digits): single numbers first, then blocks, the longer base first."""
        if not self.of:
            return
        for size in sorted((size for size, count in self._sizes.items() if count and size <= len(digits)), reverse=True):
            for key in sorted(self._behind.get(digits[:size], ()), reverse=True):
                item = self.of[key]
                if size == len(digits) if isinstance(item, Number) else holds(item.base, item.ranges, f"+{digits}"):
                    yield item

    def has(self, digits: str) -> bool:
        """Return whether an item has these digits as its number or base."""
        return digits in self._behind

    def blocks(self) -> list[str]:
        """Return the ids of the blocks."""
        return [key for kind, key in self.of if kind == "block"]

    def numbers(self) -> set[str]:
        """Return the digits of the single numbers."""
        return {item.number[1:] for item in self.of.values() if isinstance(item, Number)}

    def ever_in(self, order: str, kind: str, id_: str) -> bool:
        """Return whether an item belongs to an order at some time."""
        item = self.of.get((kind, id_))
        return item is not None and any(stay.order == order for stay in stays(item))


def _key(item: Item) -> Key:
    return ("number" if isinstance(item, Number) else "block", item.id)


def _digits(item: Item) -> str:
    return item.number[1:] if isinstance(item, Number) else item.base[1:]


def _order(key: str) -> str:
    return f"order {key}"


def _line(key: str) -> str:
    return f"line {key}"


def _drop(index: defaultdict[str, set[Key]], name: str, key: Key) -> None:
    index[name].discard(key)
    if not index[name]:
        del index[name]
