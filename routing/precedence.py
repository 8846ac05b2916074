"""Which rule applies to a number, and why: number before sub-range before block before order.

The most specific *armed* rule applies; a rule that is not armed is passed over as if it were not there. docs/routing.md says why.
If no rule is armed the most specific one is still named to the engine, so that arming it later changes a rule, not a million
numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from routing.model import Diversion, NumberScope, OrderScope, RangeScope

Level = Literal["number", "range", "block", "order"]


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule that was looked at for a number, most specific first."""

    rule_id: str
    level: Level
    armed: bool
    applies: bool
    text: str
    """One English sentence: why it applies or does not."""


def level_of(diversion: Diversion) -> Level:
    """Return the level of a diversion, by its scope."""
    return diversion.scope.kind


def specificity(diversion: Diversion) -> tuple[int, int, str]:
    """Return the key by which rules for one number are sorted: level, then the smaller range, then the id."""
    scope = diversion.scope
    span = int(scope.last) - int(scope.first) if isinstance(scope, RangeScope) else 0
    return _ORDER[scope.kind], span, diversion.id


_ORDER: dict[Level, int] = {"number": 0, "range": 1, "block": 2, "order": 3}


def choose(candidates: Sequence[Diversion]) -> Diversion | None:
    """Return the rule to name to the engine: the first armed one, else the first; ``candidates`` are sorted."""
    for diversion in candidates:
        if diversion.armed:
            return diversion
    return candidates[0] if candidates else None


def consider(candidates: Iterable[Diversion]) -> list[Considered]:
    """Say of each of the sorted ``candidates`` whether it applies, and why."""
    result: list[Considered] = []
    winner: Diversion | None = None
    for diversion in candidates:
        what = describe(diversion)
        if not diversion.armed:
            text = f"The rule for {what} is not armed, so the next one is looked at."
        elif winner is None:
            text = f"The rule for {what} is armed and the most specific one that is: it applies."
        else:
            text = f"The rule for {what} is armed, but the rule for {describe(winner)} is more specific."
        applies = diversion.armed and winner is None
        if applies:
            winner = diversion
        result.append(Considered(diversion.id, level_of(diversion), diversion.armed, applies, text))
    return result


def describe(diversion: Diversion) -> str:
    """Return what a diversion is for, in a few words, without looking at other entities."""
    scope = diversion.scope
    if isinstance(scope, NumberScope):
        return f"number {scope.number}"
    if isinstance(scope, RangeScope):
        return f"extensions {scope.first}-{scope.last} of block {scope.block}"
    if isinstance(scope, OrderScope):
        return f"order {diversion.order}"
    return f"block {scope.block}"
