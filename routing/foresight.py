"""Looking ahead: at which later instants rules have to be checked again, because numbers come, go or move then."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime

from routing.directory import Directory
from routing.model import Block, Diversion
from routing.stays import Item, stays
from routing.target_lists import every_target

Rule = tuple[str, Diversion]
"""Place in the input, and the rule."""


def foresee(rules: Sequence[Rule], directory: Directory) -> Iterator[tuple[datetime, str, Diversion]]:
    """Yield the rules that an instant touches, with the directory moved to that instant; instants in order, from its ``now`` on.

    Touched are, as far as they count then, the rules of the orders that a number or block leaves or comes to, and those with a target in it.
    """
    instants = directory.registry.dated.instants.after(directory.registry.now)
    if not instants or not rules:
        return
    by_order: dict[str, set[int]] = {}
    for index, (_, rule) in enumerate(rules):
        by_order.setdefault(rule.order, set()).add(index)
    targets = sorted((target.number, index) for index, (_, rule) in enumerate(rules) for target in every_target(rule))
    for at in instants:
        touched: set[int] = set()
        for item in directory.advance(at):
            for stay in stays(item):
                touched |= by_order.get(stay.order, set())
            touched.update(_leading_to(item, targets))
        for place, rule in (rules[index] for index in sorted(touched)):
            if directory.belongs(rule):
                yield at, place, rule


def _leading_to(item: Item, targets: list[tuple[str, int]]) -> Iterator[int]:
    """Yield the rules with a target in a number or block, or with one that keeps the extension and may come to lie in it."""
    digits = item.base if isinstance(item, Block) else item.number
    for position in range(bisect_left(targets, (digits, 0)), len(targets)):
        number, index = targets[position]
        if not number.startswith(digits):
            break
        yield index
    for size in range(2, len(digits)):
        for position in range(bisect_left(targets, (digits[:size], 0)), len(targets)):
            number, index = targets[position]
            if number != digits[:size]:
                break
            yield index
