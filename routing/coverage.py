"""Which of a line's numbers an armed rule is for: whether its calls would be diverted at all, and what would not be.

Asked whenever the verdict on a line changes, so only the rules are looked at; what a call would get in a certain fault, the engine is
asked in `routing.protection`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from routing.directory import Directory
from routing.model import BlockScope, Diversion, NumberScope, RangeScope
from routing.precedence import choose, describe
from routing.spans import joined
from routing.stretches import stretches_on


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is armed for a line and what is not, in words."""

    armed: tuple[str, ...]
    """The armed rules for numbers of the line."""
    unarmed: tuple[str, ...]
    """Rows of numbers whose calls would still go to the line; at most `SHOWN`."""
    unarmed_count: int
    """How many such rows there are."""


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
    bare = [item for item in stretches_on(directory, line) if not _is_ruled(directory, item.example[1:])]
    spans, more = joined(bare)
    armed = tuple(describe(rule) for rule in armed_rules(directory, line))
    return Coverage(armed, tuple(span.text for span in spans[:SHOWN]), len(spans) + more)


def _is_for(directory: Directory, rule: Diversion, line: str) -> bool:
    scope = rule.scope
    if isinstance(scope, NumberScope):
        place = directory.place(scope.number[1:])
        return place is not None and place.line == line and place.order == rule.order
    if isinstance(scope, BlockScope | RangeScope):
        block = directory.registry.blocks.get(scope.block)
        return block is not None and block.line == line and block.order == rule.order
    return True


def _is_ruled(directory: Directory, digits: str) -> bool:
    place = directory.place(digits)
    chosen = choose(directory.candidates(digits, place), directory.resting) if place is not None else None
    return chosen is not None and directory.counts(chosen)
