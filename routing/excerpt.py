"""The entities that have a say in calls to some numbers: what is compiled to simulate them, out of millions.

That is more than an order: a number inside a block may be somebody else's, a longer prefix goes before a shorter one, and a target may
lead to a line that is out as well. Taken along is what claims the numbers or a target of theirs at any time, with its order, line and
customer; of rules those of the orders that are asked about, and those for ranges, which cut the blocks of others.
"""

from bisect import bisect_left
from collections.abc import Iterable

from routing.directory import Directory
from routing.model import Block, Diversion, Entity, Number
from routing.stays import Item, stays
from routing.target_lists import target_lists

MAX_ENTITIES = 250_000
"""More than the largest order has; some seconds of work."""


class TooLargeError(Exception):
    """What is asked about has more entities than are simulated at once."""


def excerpt(directory: Directory, orders: Iterable[str]) -> list[Entity]:
    """Return what has a say in calls to all numbers of some orders. Raises `TooLargeError`."""
    found = _Excerpt(directory)
    registry = directory.registry
    wanted = {order for order in orders if order in registry.orders}
    for order in sorted(wanted):
        found.take_order(order)
        for line in registry.lines_of.get(order, ()):
            found.take_line(line)
        for key in registry.numbers_of.get(order, ()):
            found.take_number(key)
        for key in registry.blocks_of.get(order, ()):
            found.take_block(key)
        for key in registry.rules_of.get(order, ()):
            found.take_rule(registry.diversions[key])
    for item in registry.dated.of.values():
        if any(stay.order in wanted for stay in stays(item)):
            found.take_item(item)
    return found.closed({block.base[1:] for block in found.blocks()}, found.numbers())


def excerpt_of_number(directory: Directory, digits: str) -> list[Entity]:
    """Return what has a say in calls to one number (without ``+``). Raises `TooLargeError`."""
    found = _Excerpt(directory)
    registry = directory.registry
    found.take_holders(digits)
    for item in registry.dated.with_number(digits):
        found.take_item(item)
    rules = set(registry.number_rules.get(digits, ()))
    for block in found.blocks():
        rules |= registry.block_rules.get(block.id, set())
    for order in tuple(found.orders):
        rules |= registry.order_rules.get(order, set())
    for key in rules:
        found.take_rule(registry.diversions[key])
    return found.closed(set(), {digits})


class _Excerpt:
    """Collects; each entity once."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.registry = directory.registry
        self.orders: set[str] = set()
        self._lines: set[str] = set()
        self._items: dict[tuple[str, str], Item] = {}
        self._rules: dict[str, Diversion] = {}

    def numbers(self) -> set[str]:
        """The single numbers among them, as digits."""
        return {item.number[1:] for item in self._items.values() if isinstance(item, Number)}

    def blocks(self) -> list[Block]:
        return [item for item in self._items.values() if isinstance(item, Block)]

    def take_order(self, key: str) -> None:
        if key in self.registry.orders:
            self.orders.add(key)

    def take_line(self, key: str) -> None:
        line = self.registry.lines.get(key)
        if line is not None:
            self._lines.add(key)
            self.take_order(line.order)

    def take_item(self, item: Item) -> None:
        key = ("block" if isinstance(item, Block) else "number", item.id)
        if key in self._items:
            return
        if len(self._items) >= MAX_ENTITIES:
            raise TooLargeError
        self._items[key] = item
        self.take_order(item.order)
        self.take_line(item.line)
        if item.move is not None:
            self.take_order(item.move.order)
            self.take_line(item.move.line)
        if isinstance(item, Block):
            for rule in self.registry.range_rules.get(item.id, ()):
                self._rules[rule] = self.registry.diversions[rule]

    def take_number(self, key: str) -> None:
        found = self.registry.find("number", key)
        if isinstance(found, Number):
            self.take_item(found)

    def take_block(self, key: str) -> None:
        found = self.registry.find("block", key)
        if isinstance(found, Block):
            self.take_item(found)

    def take_rule(self, rule: Diversion) -> None:
        self._rules[rule.id] = rule
        self.take_order(rule.order)

    def take_holders(self, digits: str) -> None:
        """What holds a number now."""
        for key in self.registry.ids_of(digits):
            if ("number", key) not in self._items:
                self.take_number(key)
        for key in self.directory.prefixes.above(digits):
            self.take_block(key)

    def take_below(self, prefix: str) -> None:
        """What holds numbers that begin with a prefix now."""
        for digits in self.registry.watched_below(prefix):
            for key in self.registry.ids_of(digits):
                self.take_number(key)
        prefixes = self.directory.prefixes
        for key in prefixes.above(prefix) | prefixes.claiming_below(prefix):
            self.take_block(key)

    def closed(self, prefixes: set[str], numbers: set[str]) -> list[Entity]:
        """Return everything, with what else holds numbers below prefixes, single ones, and those that the rules lead to."""
        for rule in tuple(self._rules.values()):
            for _, targets in target_lists(rule):
                for target in targets:
                    (prefixes if target.keep_extension else numbers).add(target.number[1:])
        for digits in numbers:
            self.take_holders(digits)
        below = sorted(prefixes)
        for position, prefix in enumerate(below):
            # What begins with an earlier one was taken with that.
            if position == 0 or not any(prefix[:size] in prefixes for size in range(1, len(prefix))):
                self.take_below(prefix)
            else:
                self.take_holders(prefix)
        self._take_dated(prefixes, numbers)
        registry = self.registry
        lines = [registry.lines[key] for key in sorted(self._lines)]
        orders = [registry.orders[key] for key in sorted(self.orders)]
        owners = sorted({order.customer for order in orders} & registry.customers.keys())
        parents: list[Entity] = [*(registry.customers[key] for key in owners), *orders, *lines]
        return [*parents, *self._items.values(), *self._rules.values()]

    def _take_dated(self, prefixes: set[str], numbers: set[str]) -> None:
        """What holds them at another time."""
        of = self.registry.dated.of
        if not of:
            return
        known = sorted(prefixes | numbers)
        for item in tuple(of.values()):
            digits = (item.base if isinstance(item, Block) else item.number)[1:]
            at = bisect_left(known, digits)
            holds = at < len(known) and known[at].startswith(digits)
            if holds or any(digits[:size] in prefixes for size in range(1, len(digits))):
                self.take_item(item)
