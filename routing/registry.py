"""The entities in a compact form, with the indices by which a change finds what depends on it.

Orders, lines, blocks and diversions are kept as they are; numbers, of which there may be millions, as tuples. Nothing is
judged here: an entity may refer to something that is not there (yet).

Numbers and blocks are held as they are at the instant ``now``: with the order and line of that time, and those that are not there
then are not here either. Those few that have dates are kept besides as they are stored (``dated``).
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from routing.dated import Dated
from routing.local_time import DAWN
from routing.model import (
    KINDS,
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Line,
    Number,
    NumberScope,
    Order,
    OrderScope,
    RangeScope,
    Site,
    User,
)
from routing.stays import Item, is_dated, stay_at
from routing.target_lists import every_target, is_plain


class NumberRow(NamedTuple):
    """A single number; ``digits`` without ``+``."""

    digits: str
    order: str
    line: str


Index = defaultdict[str, set[str]]


def _index() -> Index:
    return defaultdict(set)


class Registry:
    """Entities by kind and id, and who refers to whom."""

    def __init__(self) -> None:
        self.customers: dict[str, Customer] = {}
        self.users: dict[str, User] = {}
        self.orders: dict[str, Order] = {}
        self.lines: dict[str, Line] = {}
        self.blocks: dict[str, Block] = {}
        self.numbers: dict[str, NumberRow] = {}
        self.diversions: dict[str, Diversion] = {}
        self.users_of = _index()  # customer → users; "" → the carrier's own
        self.orders_of = _index()  # customer → orders
        self.orders_at = _index()  # site → orders
        self.lines_of = _index()  # order → lines
        self.lines_at = _index()  # site → lines that have it as a site of their own
        self.blocks_of = _index()  # order → blocks
        self.numbers_of = _index()  # order → numbers
        self.rules_of = _index()  # order → diversions of any scope
        self.order_rules = _index()  # order → diversions for the order
        self.block_rules = _index()  # block → diversions for the block
        self.range_rules = _index()  # block → diversions for a range of it
        self.number_rules = _index()  # digits → diversions for the number
        self.rules_to = _index()  # digits → diversions that have them as a target
        self.blocks_on = _index()  # line → blocks
        self.numbers_on = _index()  # line → numbers
        self._ids: dict[str, str | tuple[str, ...]] = {}  # digits → number ids, ascending; nearly always one
        self._sorted: list[str] = []  # digits that have a number or a rule of their own
        self._bulk = False
        self.dated = Dated()
        """Numbers and blocks with dates of their own or a move, as they are stored."""
        self.now = DAWN

    # -- changing -----------------------------------------------------------------------------------------------------

    def load(self, entities: Iterable[Entity]) -> None:
        """Add the full set to an empty registry at once; of several with one id the last counts."""
        found: dict[type[Entity], dict[str, Entity]] = {model: {} for model in KINDS.values()}
        for entity in entities:
            found[type(entity)][entity.id] = entity
        self._bulk = True
        self.customers.update(found[Customer])  # type: ignore[arg-type] # sorted by type
        for entity in (*found[User].values(), *found[Order].values()):
            self.put(entity)
        # The rest are hundreds of thousands: what `put` does, without looking for what was there before.
        for key, line in found[Line].items():
            self._add_line(key, line)  # type: ignore[arg-type] # sorted by type
        for block in found[Block].values():
            self.put(block)
        for key, number in found[Number].items():
            self._load_number(key, number)  # type: ignore[arg-type] # sorted by type
        for key, diversion in found[Diversion].items():
            self._add_diversion(key, diversion)  # type: ignore[arg-type] # sorted by type
        self._bulk = False
        # Both halves come nearly in order, which is what sorting is quick with.
        self._sorted = [*self._ids, *(digits for digits in self.number_rules if digits not in self._ids)]
        self._sorted.sort()

    def put(self, entity: Entity) -> None:
        """Add or replace one entity."""
        key = entity.id
        match entity:
            case Number():
                self._remove_number(key)
                there = self._there("number", entity)
                if there is not None:
                    self._add_number(key, NumberRow(entity.number[1:], *there))
            case Diversion():
                self.remove("diversion", key)
                self._add_diversion(key, entity)
            case Block():
                self._remove_block(key)
                there = self._there("block", entity)
                if there is not None:
                    self._add_block(entity, *there)
            case Line():
                self.remove("line", key)
                self._add_line(key, entity)
            case Order():
                self.remove("order", key)
                self.orders[key] = entity
                self.orders_at[entity.site.id].add(key)
                self.orders_of[entity.customer].add(key)
            case User():
                self.remove("user", key)
                self.users[key] = entity
                self.users_of[entity.customer or ""].add(key)
            case Customer():
                self.customers[key] = entity
            case _:
                raise TypeError(f"no entity of the domain: {type(entity).__name__}")

    def remove(self, kind: str, key: str) -> None:  # noqa: C901, PLR0912 - one short case per kind
        """Remove one entity; nothing happens if it is not there."""
        match kind:
            case "number":
                self.dated.remove("number", key)
                self._remove_number(key)
            case "diversion":
                diversion = self.diversions.pop(key, None)
                if diversion is not None:
                    _drop(self.rules_of, diversion.order, key)
                    self._unwatch(diversion, key)
            case "block":
                self.dated.remove("block", key)
                self._remove_block(key)
            case "line":
                line = self.lines.pop(key, None)
                if line is not None:
                    _drop(self.lines_of, line.order, key)
                    if line.site is not None:
                        _drop(self.lines_at, line.site.id, key)
            case "order":
                order = self.orders.pop(key, None)
                if order is not None:
                    _drop(self.orders_of, order.customer, key)
                    _drop(self.orders_at, order.site.id, key)
            case "user":
                user = self.users.pop(key, None)
                if user is not None:
                    _drop(self.users_of, user.customer or "", key)
            case "customer":
                self.customers.pop(key, None)
            case _:
                raise ValueError(f"no kind of entity: {kind!r}")

    def due(self, now: datetime) -> list[tuple[str, str, Item]]:
        """Move to ``now``, also backwards; return what is to be put again, because dates may have changed where it belongs."""
        before, self.now = self.now, now
        return [(kind, key, self.dated.of[kind, key]) for kind, key in sorted(self.dated.instants.crossed(before, now))]

    def find(self, kind: str, key: str) -> Entity | None:
        """Return one entity as it is stored, None if it is not held."""
        dated = self.dated.of.get((kind, key))
        if dated is not None:
            return dated
        if kind == "number":
            row = self.numbers.get(key)
            # Built without validation: it was valid when it came.
            return (
                None if row is None else Number.model_construct(id=key, order=row.order, line=row.line, number=f"+{row.digits}")
            )
        tables: dict[str, Mapping[str, Entity]] = {
            "customer": self.customers,
            "user": self.users,
            "order": self.orders,
            "line": self.lines,
            "block": self.blocks,
            "diversion": self.diversions,
        }
        if kind not in tables:
            raise ValueError(f"no kind of entity: {kind!r}")
        return tables[kind].get(key)

    def entities(self) -> list[Entity]:
        """Return all entities as they are stored."""
        numbers = (self.find("number", key) for key in self.numbers if ("number", key) not in self.dated.of)
        dated = (item for item in self.dated.of.values() if isinstance(item, Number))
        singles: list[Entity] = [*(number for number in numbers if number is not None), *dated]
        parents = (*self.customers.values(), *self.users.values(), *self.orders.values(), *self.lines.values())
        return [*parents, *self.stored_blocks(), *singles, *self.diversions.values()]

    def stored_blocks(self) -> Iterator[Block]:
        """Yield all blocks as they are stored, also those that are not there now."""
        yield from (block for key, block in self.blocks.items() if ("block", key) not in self.dated.of)
        yield from (item for item in self.dated.of.values() if isinstance(item, Block))

    def _there(self, kind: str, item: Item) -> tuple[str, str] | None:
        """Return order and line of an item now, None when it is not there; note its dates if it has some."""
        dated = is_dated(item)
        if self.dated.of.get((kind, item.id)) is not item:
            self.dated.remove(kind, item.id)
            if dated:
                self.dated.put(item)
        if not dated:
            return item.order, item.line
        stay = stay_at(item, self.now)
        return (stay.order, stay.line) if stay is not None else None

    def _add_line(self, key: str, line: Line) -> None:
        self.lines[key] = line
        self.lines_of[line.order].add(key)
        if line.site is not None:
            self.lines_at[line.site.id].add(key)

    def _add_diversion(self, key: str, diversion: Diversion) -> None:
        self.diversions[key] = diversion
        self.rules_of[diversion.order].add(key)
        self._watch(diversion, key)

    def _load_number(self, key: str, number: Number) -> None:
        if is_dated(number):
            self.put(number)
            return
        digits, order, line = number.number[1:], number.order, number.line
        if digits in self._ids:
            self._add_number(key, NumberRow(digits, order, line))
            return
        # A column of its own, because there are millions of them.
        self.numbers[key] = NumberRow(digits, order, line)
        self.numbers_of[order].add(key)
        self.numbers_on[line].add(key)
        self._ids[digits] = key

    def _add_block(self, block: Block, order: str, line: str) -> None:
        if (order, line) != (block.order, block.line):
            block = block.model_copy(update={"order": order, "line": line})
        self.blocks[block.id] = block
        self.blocks_of[order].add(block.id)
        self.blocks_on[line].add(block.id)

    def _remove_block(self, key: str) -> None:
        block = self.blocks.pop(key, None)
        if block is not None:
            _drop(self.blocks_of, block.order, key)
            _drop(self.blocks_on, block.line, key)

    def _add_number(self, key: str, row: NumberRow) -> None:
        self.numbers[key] = row
        self.numbers_of[row.order].add(key)
        self.numbers_on[row.line].add(key)
        held = self._ids.get(row.digits)
        if held is None:
            self._note(row.digits)
            self._ids[row.digits] = key
        else:
            self._ids[row.digits] = tuple(sorted({key, *((held,) if isinstance(held, str) else held)}))

    def _remove_number(self, key: str) -> None:
        row = self.numbers.pop(key, None)
        if row is None:
            return
        _drop(self.numbers_of, row.order, key)
        _drop(self.numbers_on, row.line, key)
        left = tuple(i for i in self.ids_of(row.digits) if i != key)
        if left:
            self._ids[row.digits] = left if len(left) > 1 else left[0]
        else:
            del self._ids[row.digits]
            self._forget(row.digits)

    def _watch(self, diversion: Diversion, key: str) -> None:
        targets = diversion.targets if is_plain(diversion) else every_target(diversion)
        for target in targets:
            self.rules_to[target.number[1:]].add(key)
        match diversion.scope:
            case NumberScope(number=number):
                self._note(number[1:])
                self.number_rules[number[1:]].add(key)
            case RangeScope(block=block):
                self.range_rules[block].add(key)
            case BlockScope(block=block):
                self.block_rules[block].add(key)
            case OrderScope():
                self.order_rules[diversion.order].add(key)

    def _unwatch(self, diversion: Diversion, key: str) -> None:
        for target in every_target(diversion):
            _drop(self.rules_to, target.number[1:], key)
        match diversion.scope:
            case NumberScope(number=number):
                _drop(self.number_rules, number[1:], key)
                self._forget(number[1:])
            case RangeScope(block=block):
                _drop(self.range_rules, block, key)
            case BlockScope(block=block):
                _drop(self.block_rules, block, key)
            case OrderScope():
                _drop(self.order_rules, diversion.order, key)

    def _note(self, digits: str) -> None:
        if not self._bulk and digits not in self._ids and digits not in self.number_rules:
            insort(self._sorted, digits)

    def _forget(self, digits: str) -> None:
        if not self._bulk and digits not in self._ids and digits not in self.number_rules:
            del self._sorted[bisect_left(self._sorted, digits)]

    # -- asking -------------------------------------------------------------------------------------------------------

    def ids_of(self, digits: str) -> tuple[str, ...]:
        """Return the ids of the single numbers with these digits, ascending."""
        held = self._ids.get(digits)
        if held is None:
            return ()
        return (held,) if isinstance(held, str) else held

    def single(self, digits: str) -> str | None:
        """Return the id of the single number with these digits if there is exactly one."""
        held = self._ids.get(digits)
        return held if isinstance(held, str) else None

    def site_of(self, line: str) -> Site | None:
        """Return where a line's equipment stands: its own site, else its order's; None if it or its order is not there."""
        held = self.lines.get(line)
        if held is None:
            return None
        order = self.orders.get(held.order)
        return held.site or (order.site if order is not None else None)

    def lines_of_site(self, site: str) -> set[str]:
        """Return the lines whose equipment stands at a site."""
        found = {line for order in self.orders_at.get(site, ()) for line in self.lines_of.get(order, ())}
        found |= self.lines_at.get(site, set())
        return {line for line in found if (held := self.site_of(line)) is not None and held.id == site}

    def watched(self) -> list[str]:
        """Return all digits that have a number or a rule of their own, ascending. Not a copy."""
        return self._sorted

    def watched_below(self, prefix: str) -> Iterator[str]:
        """Yield the digits that begin with ``prefix`` and have a number or a rule of their own."""
        for index in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            digits = self._sorted[index]
            if not digits.startswith(prefix):
                return
            yield digits


def _drop(index: Index, key: str, member: str) -> None:
    """Take a member out; an empty set goes too, and asking never leaves one behind."""
    members = index.get(key)
    if members is not None:
        members.discard(member)
        if not members:
            del index[key]
