"""Which of a line's numbers an armed rule is for: whether its calls would be diverted at all, and what would not be."""

from collections.abc import Iterator
from dataclasses import dataclass

from routing.directory import Directory
from routing.model import Block, BlockScope, Diversion, NumberScope, OrderScope, RangeScope
from routing.precedence import choose, describe


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is armed for a line and what is not, in words."""

    armed: tuple[str, ...]
    """The armed rules for numbers of the line."""
    unarmed: tuple[str, ...]
    """Numbers and blocks of which some calls would still go to the line; at most `SHOWN`."""
    unarmed_count: int


SHOWN = 20


def armed_rules(directory: Directory, line: str) -> Iterator[Diversion]:
    """Yield the usable armed rules for numbers of a line, in time that grows with the rules of its order."""
    registry = directory.registry
    held = registry.lines.get(line)
    if held is None:
        return
    has_numbers = bool(registry.numbers_on.get(line) or registry.blocks_on.get(line))
    for key in sorted(registry.rules_of.get(held.order, ())):
        rule = registry.diversions[key]
        if directory.counts(rule) and has_numbers and _is_for(directory, rule, line):
            yield rule


def is_armed(directory: Directory, line: str) -> bool:
    """Return whether some calls to the line would be diverted while it is down."""
    return next(armed_rules(directory, line), None) is not None


def coverage(directory: Directory, line: str) -> Coverage:
    """Return what an outage of the line would divert, and what not."""
    registry = directory.registry
    rules = list(armed_rules(directory, line))
    whole = {rule.scope.block for rule in rules if isinstance(rule.scope, BlockScope)}
    unarmed: list[str] = []
    if not any(isinstance(rule.scope, OrderScope) for rule in rules):
        unarmed += (f"number {number}" for number in _bare_numbers(directory, line))
        for key in sorted(registry.blocks_on.get(line, ())):
            if key not in whole:
                unarmed.append(_bare_block(registry.blocks[key], rules))
    return Coverage(tuple(describe(rule) for rule in rules), tuple(unarmed[:SHOWN]), len(unarmed))


def _is_for(directory: Directory, rule: Diversion, line: str) -> bool:
    scope = rule.scope
    if isinstance(scope, NumberScope):
        place = directory.place(scope.number[1:])
        return place is not None and place.line == line and place.order == rule.order
    if isinstance(scope, BlockScope | RangeScope):
        block = directory.registry.blocks.get(scope.block)
        return block is not None and block.line == line and block.order == rule.order
    return True


def _bare_numbers(directory: Directory, line: str) -> Iterator[str]:
    registry = directory.registry
    for key in sorted(registry.numbers_on.get(line, ())):
        digits = registry.numbers[key].digits
        place = directory.place(digits)
        chosen = choose(directory.candidates(digits, place), directory.resting) if place is not None else None
        if place is not None and place.line == line and (chosen is None or not directory.counts(chosen)):
            yield f"+{digits}"


def _bare_block(block: Block, rules: list[Diversion]) -> str:
    some = any(
        (isinstance(rule.scope, RangeScope) and rule.scope.block == block.id)
        or (isinstance(rule.scope, NumberScope) and rule.scope.number.startswith(block.base))
        for rule in rules
    )
    return f"block {block.base}…, but for the rules named" if some else f"block {block.base}…"
