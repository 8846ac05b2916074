"""How many numbers have the same target: one phone cannot take the calls of a whole company."""

from typing import TYPE_CHECKING

from routing.model import Block, Diversion, NumberScope, OrderScope, RangeScope
from routing.rejection import RuleWarning, warn
from routing.target_lists import every_target, target_lists

if TYPE_CHECKING:
    from routing.directory import Directory

OPEN_BLOCK = 100
"""Numbers that a block without ranges counts for: two digits behind the base are usual."""


def shared_targets(diversion: Diversion, directory: "Directory", bound: int, told: set[str] | None = None) -> list[RuleWarning]:
    """Return a warning for each target that more than ``bound`` numbers of ours lead to, ``diversion`` included.

    Rules of all times, plans and faults count, as long as they are armed. A target that keeps the extension is shared by nobody.
    ``told`` holds the targets that were warned of; they are left out, and those found here are added.
    """
    found: list[RuleWarning] = []
    told = set() if told is None else told
    seen: set[str] = set()
    for place, targets in target_lists(diversion):
        for index, target in enumerate(targets):
            if target.keep_extension or target.number in told or target.number in seen:
                continue
            seen.add(target.number)
            count = numbers_to(target.number, diversion, directory)
            if count > bound:
                told.add(target.number)
                found.append(warn("target_shared", f"{place}[{index}]", number=target.number, count=str(count)))
    return found


def numbers_to(number: str, diversion: Diversion, directory: "Directory") -> int:
    """Return how many numbers lead to a target, with ``diversion`` as given in place of what is held under its id."""
    registry = directory.registry
    held = (registry.diversions[key] for key in registry.rules_to.get(number[1:], ()) if key != diversion.id)
    orders: dict[str, list[Diversion]] = {}
    for rule in (diversion, *(rule for rule in held if rule.armed)):
        if any(target.number == number and not target.keep_extension for target in every_target(rule)):
            orders.setdefault(rule.order, []).append(rule)
    return sum(_numbers_of(order, rules, directory) for order, rules in orders.items())


def _numbers_of(order: str, rules: list[Diversion], directory: "Directory") -> int:
    """Return how many numbers of an order the rules are for; numbers of several rules count once as far as scopes nest."""
    registry = directory.registry
    total = len(registry.numbers_of.get(order, ())) + sum(
        _size(registry.blocks[key]) for key in registry.blocks_of.get(order, ())
    )
    if any(isinstance(rule.scope, OrderScope) for rule in rules):
        return total
    return min(total, sum(_count(rule, directory) for rule in rules))


def _count(rule: Diversion, directory: "Directory") -> int:
    scope = rule.scope
    if isinstance(scope, NumberScope):
        return 1
    if isinstance(scope, RangeScope):
        return int(scope.last) - int(scope.first) + 1
    block = directory.block_of(rule)
    return _size(block) if block is not None else 0


def _size(block: Block) -> int:
    return sum(int(held.last) - int(held.first) + 1 for held in block.ranges) if block.ranges else OPEN_BLOCK
