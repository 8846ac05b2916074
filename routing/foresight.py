"""Looking ahead: at which later instants rules have to be checked again, because numbers come, go or move then."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from routing.directory import Directory
from routing.model import Block, Diversion, NumberScope, OrderScope
from routing.stays import Item, stays
from routing.target_lists import every_target

Rule = tuple[str, Diversion]
"""Place in the input, and the rule."""


def foresee(rules: Sequence[Rule], directory: Directory) -> Iterator[tuple[datetime, str, Diversion]]:
    """Yield the rules that an instant touches, with the directory moved to that instant; instants in order, from its ``now`` on.

    Touched by a number or block that comes, goes or moves are, as far as they count then, the rules that are for it, and those of
    which a call may get to it, also by way of rules that are stored.
    """
    instants = directory.registry.dated.instants.after(directory.registry.now)
    if not instants or not rules:
        return
    touching = _Touching([rule for _, rule in rules], directory)
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for position, (_, rule) in enumerate(rules):
        positions[rule.id].append(position)
    for at in instants:
        touched = touching.by(directory.advance(at)) & positions.keys()
        for place, rule in (rules[each] for each in sorted(each for key in touched for each in positions[key])):
            if directory.belongs(rule):
                yield at, place, rule


class _Touching:
    """Rules by what they are for, and by where they lead."""

    def __init__(self, rules: Sequence[Diversion], directory: Directory) -> None:
        self._directory = directory
        self._of_block: defaultdict[str, set[str]] = defaultdict(set)
        self._of_order: defaultdict[str, set[str]] = defaultdict(set)
        self._around: defaultdict[str, set[str]] = defaultdict(set)  # base of a block → rules for the block or a part of it
        numbers: list[tuple[str, str]] = []
        for rule in rules:
            scope = rule.scope
            if isinstance(scope, NumberScope):
                numbers.append((scope.number, rule.id))
            elif isinstance(scope, OrderScope):
                self._of_order[rule.order].add(rule.id)
            else:
                self._of_block[scope.block].add(rule.id)
                self._around[directory.base_of(rule) or ""].add(rule.id)
        self._numbers = _Digits(numbers)
        self._rules = {**directory.registry.diversions, **{rule.id: rule for rule in rules}}
        self._targets = _Digits((target.number, rule.id) for rule in self._rules.values() for target in every_target(rule))

    def by(self, items: Iterable[Item]) -> set[str]:
        """Return the rules that items touch when they come, go or move."""
        found: set[str] = set()
        leading: set[str] = set()
        areas: list[str] = []
        for item in items:
            found |= self._for(item)
            areas.append(_digits(item))
        for area in areas:  # grows while it is walked
            for key in {*self._targets.within(area), *self._targets.before(area)} - leading:
                leading.add(key)
                areas += self._areas(self._rules[key]) if self._rules[key].armed else ()
        return found | leading

    def _for(self, item: Item) -> set[str]:
        """Return the rules that are for an item, or for something around or in it."""
        digits = _digits(item)
        found = {key for stay in stays(item) for key in self._of_order.get(stay.order, ())}
        if isinstance(item, Block):
            found |= self._of_block.get(item.id, set())
            found.update(self._numbers.within(digits))
        else:
            found.update(self._numbers.at(digits))
        for size in range(2, len(digits) + 1):
            found |= self._around.get(digits[:size], set())
        return found

    def _areas(self, rule: Diversion) -> list[str]:
        """Return the numbers that a rule is for, each or by their common digits."""
        if isinstance(rule.scope, NumberScope):
            return [rule.scope.number]
        registry = self._directory.registry
        if not isinstance(rule.scope, OrderScope):
            base = self._directory.base_of(rule)
            return [base] if base is not None else []
        numbers = [f"+{registry.numbers[key].digits}" for key in registry.numbers_of.get(rule.order, ())]
        return numbers + [registry.blocks[key].base for key in registry.blocks_of.get(rule.order, ())]


class _Digits:
    """Rules by a number."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = sorted(pairs)

    def at(self, digits: str) -> Iterator[str]:
        """Yield those of a number."""
        for position in range(bisect_left(self._pairs, (digits, "")), len(self._pairs)):
            number, key = self._pairs[position]
            if number != digits:
                return
            yield key

    def within(self, digits: str) -> Iterator[str]:
        """Yield those of all numbers that begin with some digits."""
        for position in range(bisect_left(self._pairs, (digits, "")), len(self._pairs)):
            number, key = self._pairs[position]
            if not number.startswith(digits):
                return
            yield key

    def before(self, digits: str) -> Iterator[str]:
        """Yield those of the numbers that some digits begin with: of a base that keeps the extension."""
        for size in range(2, len(digits)):
            yield from self.at(digits[:size])


def _digits(item: Item) -> str:
    return item.base if isinstance(item, Block) else item.number
