"""Which rule applies to a number, and why: number before sub-range before block before order.

The most specific rule that *counts* applies; one that is not armed, or rests, is passed over as if it were not there. docs/routing.md
says why. Of rules for the same numbers one of a plan goes before one without, so that switching the plan on is enough.
If no rule counts the most specific one is still named to the engine, so that arming it later changes a rule, not a million
numbers.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from routing.model import Diversion, NumberScope, OrderScope, RangeScope
from routing.standing import Rest, Standing

Level = Literal["number", "range", "block", "order"]
Reason = Literal["applies", "not_armed", "other_plan", "period", "barred", "brake", "plan_first", "less_specific"]
"""Why a rule applies or is passed over."""

_NONE: Mapping[str, Rest] = {}
_NO_STANDING: Mapping[str, Standing] = {}


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule that was looked at for a number, most specific first."""

    rule_id: str
    level: Level
    armed: bool
    applies: bool
    text: str
    """English sentences: why it applies or does not."""
    reason: Reason = "applies"
    context: Mapping[str, str] = field(default_factory=dict)
    """What the text was built from: ``what`` the rule is for, and ``winner``, ``plan``, ``on`` (the plan that is), ``period`` or
    ``phone_system_period``, and ``ring_times`` where they matter."""


def level_of(diversion: Diversion) -> Level:
    """Return the level of a diversion, by its scope."""
    return diversion.scope.kind


def specificity(diversion: Diversion) -> tuple[int, int, bool, str]:
    """Return the key by which rules for one number are sorted: level, the smaller range, with a plan before without, the id.

    Rules of a plan that is not on rest, so it does not matter where they stand.
    """
    scope = diversion.scope
    span = int(scope.last) - int(scope.first) if isinstance(scope, RangeScope) else 0
    return _ORDER[scope.kind], span, diversion.plan is None, diversion.id


_ORDER: dict[Level, int] = {"number": 0, "range": 1, "block": 2, "order": 3}


def choose(candidates: Sequence[Diversion], resting: Container[str] = ()) -> Diversion | None:
    """Return the rule to name to the engine: the first that counts, else the first; ``candidates`` are sorted.

    ``resting``: ids of armed rules that do not count now.
    """
    for diversion in candidates:
        if diversion.armed and diversion.id not in resting:
            return diversion
    return candidates[0] if candidates else None


def consider(
    candidates: Iterable[Diversion],
    resting: Mapping[str, Rest] = _NONE,
    standings: Mapping[str, Standing] = _NO_STANDING,
) -> list[Considered]:
    """Say of each of the sorted ``candidates`` whether it applies, and why.

    ``standings`` holds what rules with periods come to now.
    """
    result: list[Considered] = []
    winner: Diversion | None = None
    for diversion in candidates:
        rest = resting.get(diversion.id)
        context = {"what": describe(diversion)}
        applies = False
        if not diversion.armed:
            reason: Reason = "not_armed"
        elif rest is not None:
            reason = rest.reason
            context |= rest.context
        elif winner is None:
            reason, applies, winner = "applies", True, diversion
            context |= _of_winner(diversion, standings.get(diversion.id))
        else:
            reason = "less_specific"
            context["winner"] = describe(winner)
            if winner.plan is not None and diversion.plan is None and specificity(winner)[:2] == specificity(diversion)[:2]:
                reason, context["plan"] = "plan_first", winner.plan
        text = _text(reason, context, rest)
        result.append(Considered(diversion.id, level_of(diversion), diversion.armed, applies, text, reason, context))
    return result


RING_TIMES = (
    "Its ring times act only where the call is forwarded by us; behind a 302 only the order of the targets counts, "
    "and whoever follows it decides how long each rings."
)


def _of_winner(diversion: Diversion, standing: Standing | None) -> Mapping[str, str]:
    """Return what is to be said of the rule that applies, besides that it does."""
    found: dict[str, str] = {}
    if diversion.plan is not None:
        found["plan"] = diversion.plan
    if standing is not None and standing.index is not None:
        # A period for the phone system alone leaves the other targets as they are.
        key = "period" if diversion.periods[standing.index].targets else "phone_system_period"
        found[key] = standing.period
    now = standing if standing is not None else diversion
    if any(target.ring_s is not None for target in (*now.targets, *now.phone_system_targets)):
        found["ring_times"] = RING_TIMES
    return found


def _text(reason: Reason, context: Mapping[str, str], rest: Rest | None) -> str:
    rule = f"The rule for {context['what']}"
    match reason:
        case "not_armed":
            return f"{rule} is not armed, so the next one is looked at."
        case "plan_first":
            return f"{rule} is armed, but for the same numbers the rule of the plan {context['plan']!r} goes first."
        case "less_specific":
            return f"{rule} is armed, but the rule for {context['winner']} is more specific."
        case "applies":
            sentences = [f"{rule} is armed and the most specific one that is: it applies."]
            if "plan" in context:
                sentences.append(f"Its plan {context['plan']!r} is on.")
            if "period" in context:
                sentences.append(f"Its targets are those for these times ({context['period']}).")
            if "phone_system_period" in context:
                times = f"these times ({context['phone_system_period']})"
                sentences.append(
                    f"When only the phone system is out its targets are those for {times}, for any other fault its own."
                )
            return " ".join([*sentences, *([RING_TIMES] if "ring_times" in context else [])])
        case _:
            why = rest.text if rest is not None else ""
            return f"{rule} is armed but does not count now: {why}. So the next one is looked at."


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
