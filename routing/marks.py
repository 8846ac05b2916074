"""What a change of one entity touches."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from routing.blocks import decompose, is_range
from routing.directory import Directory
from routing.model import (
    Block,
    BlockScope,
    Customer,
    Diversion,
    Entity,
    Line,
    Number,
    NumberScope,
    Order,
    RangeScope,
)
from routing.stays import Item


@dataclass(slots=True)
class Marks:
    """What has to be worked out again."""

    lines: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    timed: set[str] = field(default_factory=set)
    """Rules of which only the time is another than when they were judged."""
    blocks: set[str] = field(default_factory=set)
    """Blocks whose claims have to be settled again."""
    keys: set[str] = field(default_factory=set)
    """Prefixes."""
    digits: set[str] = field(default_factory=set)
    """Numbers that have, had or may get an entry of their own."""


def mark(marks: Marks, directory: Directory, entity: Entity | None, other: Entity | None, *, dates_only: bool = False) -> None:
    """Mark what depends on ``entity``; called with the old state before a change, and with the new one after it.

    ``other`` is the other of the two states: where they agree in all that others see of them, others are left alone.
    """
    marker = _Marker(marks, directory)
    match entity:
        case Number():
            marks.digits.add(entity.number[1:])
        case Diversion():
            marker.diversion(entity, other if isinstance(other, Diversion) else None)
        case Block():
            marker.block(entity)
        case Line():
            marks.lines.add(entity.id)
            if not isinstance(other, Line) or other.order != entity.order:
                marker.delivered_on(entity.id)
            if not isinstance(other, Line) or other.site != entity.site:
                marker.timed_rules_of(entity.order)
        case Order():
            marker.order(entity, other if isinstance(other, Order) else None, dates_only=dates_only)
        case Customer():
            if not isinstance(other, Customer) or other.allowances != entity.allowances:
                marker.customer(entity.id)
        case _:
            pass


def mark_rule(marks: Marks, directory: Directory, diversion: Diversion) -> None:
    """Mark a rule and the numbers that it is for."""
    _Marker(marks, directory).rule(diversion)


class _Marker:
    def __init__(self, marks: Marks, directory: Directory) -> None:
        self.marks = marks
        self.directory = directory
        self.registry = directory.registry

    def customer(self, key: str) -> None:
        for order in self.registry.orders_of.get(key, ()):
            for rule in self.registry.rules_of.get(order, ()):
                self.rule(self.registry.diversions[rule])

    def order(self, order: Order, other: Order | None, *, dates_only: bool) -> None:
        key = order.id
        if not dates_only:
            self.marks.lines |= self.registry.lines_of.get(key, set())
            if other is None or (other.customer, other.product) != (order.customer, order.product):
                for rule in self.registry.rules_of.get(key, ()):
                    self.rule(self.registry.diversions[rule])
            if other is None:
                self.marks.blocks |= self.registry.blocks_of.get(key, set())
                self.arriving(self.registry.dated.arriving(order=key))
        if other is not None and (other.plan, other.site) != (order.plan, order.site):
            self.timed_rules_of(key)
        dates = other is None or (other.active_from, other.active_until) != (order.active_from, order.active_until)
        if dates_only or dates:
            self.numbers_of(key)

    def timed_rules_of(self, order: str) -> None:
        """Mark the rules of an order that its plan or the public holidays of a site may change; not yet their numbers."""
        for key in self.registry.rules_of.get(order, ()):
            rule = self.registry.diversions[key]
            if rule.plan is not None or rule.periods:
                self.marks.rules.add(key)

    def delivered_on(self, line: str) -> None:
        for number in self.registry.numbers_on.get(line, ()):
            self.marks.digits.add(self.registry.numbers[number].digits)
        for block in self.registry.blocks_on.get(line, ()):
            self.block(self.registry.blocks[block])
        self.arriving(self.registry.dated.arriving(line=line))

    def arriving(self, items: Iterable[Item]) -> None:
        """Mark what moves to an order or line: it is told as a problem while that is missing."""
        for item in items:
            if isinstance(item, Block):
                self.marks.blocks.add(item.id)
            else:
                self.marks.digits.add(item.number[1:])

    def block(self, block: Block) -> None:
        self.marks.blocks.add(block.id)
        self.within(block)
        self.marks.rules |= self.registry.block_rules.get(block.id, set())
        self.marks.rules |= self.registry.range_rules.get(block.id, set())

    def within(self, block: Block) -> None:
        """Mark the entries of a block and all numbers with an entry of their own behind its base."""
        held = self.directory.prefixes.held.get(block.id, set())
        self.marks.keys |= held
        self.marks.digits |= held
        self.marks.digits.update(self.registry.watched_below(block.base[1:]))

    def numbers_of(self, order: str) -> None:
        for number in self.registry.numbers_of.get(order, ()):
            self.marks.digits.add(self.registry.numbers[number].digits)
        for block in self.registry.blocks_of.get(order, ()):
            self.within(self.registry.blocks[block])

    def diversion(self, diversion: Diversion, other: Diversion | None) -> None:
        if other is None or (other.order, other.scope) != (diversion.order, diversion.scope):
            self.rule(diversion)
            if isinstance(diversion.scope, RangeScope):
                self.marks.blocks.add(diversion.scope.block)
        elif (other.armed, other.plan) != (diversion.armed, diversion.plan):
            self.rule(diversion)
        else:
            # Other targets or times: which numbers it applies to stays as it is, unless its judgement says otherwise.
            self.marks.rules.add(diversion.id)

    def rule(self, diversion: Diversion) -> None:
        """Mark a rule and the numbers that it is for."""
        self.marks.rules.add(diversion.id)
        scope = diversion.scope
        if isinstance(scope, NumberScope):
            self.marks.digits.add(scope.number[1:])
        elif isinstance(scope, BlockScope | RangeScope):
            block = self.registry.blocks.get(scope.block)
            if block is not None and isinstance(scope, RangeScope):
                self.part(block, scope)
            elif block is not None:
                self.within(block)
        else:
            self.numbers_of(diversion.order)

    def part(self, block: Block, scope: RangeScope) -> None:
        """Mark the entries of a part of a block and the numbers with an entry of their own in it."""
        if not is_range(scope.first, scope.last):
            return  # such a rule is for nothing
        prefixes = tuple(block.base[1:] + prefix for prefix in decompose(scope.first, scope.last))
        held = {key for key in self.directory.prefixes.held.get(block.id, ()) if key.startswith(prefixes)}
        self.marks.keys |= held
        self.marks.digits |= held
        for prefix in prefixes:
            self.marks.digits.update(self.registry.watched_below(prefix))
