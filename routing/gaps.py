"""Why a call to a number would not be sent to a target, in a few words; the slug and the values they are built from come along."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from routing.compile import Compiler
from routing.local_time import shown
from routing.precedence import Considered

if TYPE_CHECKING:
    from sipproxy._engine import SurveyRow


@dataclass(frozen=True, slots=True)
class Gap:
    """Why some numbers are not protected."""

    type: str
    """``no_rule``, ``unusable``, ``not_live``, ``not_routed``, ``line``, ``same_line``, ``same_site``, ``itself``, ``came_from``, or the
    reason by which the most specific rule was passed over (`routing.precedence.Reason`)."""
    text: str
    context: Mapping[str, str] = field(default_factory=dict)


_TARGETS = {
    "same_line": "the target leads back to the same line",
    "same_site": "the target is at the same site, which is out as well",
    "itself": "the target is the called number itself",
    "came_from": "the call was diverted from the target before",
}


def gap_of(compiler: Compiler, order: str, number: str, row: "SurveyRow") -> Gap:
    """Return why a number (E.164) of an order is not protected; ``row``: what the engine says of it."""
    decision, _, reason, _, _, in_force, _, left_out = row
    if decision in {"not_found", "bad_number"}:
        return _not_found(compiler, order, number, reason)
    if in_force:
        if left_out:
            return Gap(left_out, _TARGETS[left_out])
        return Gap("line", "the core is sent to the line itself, whatever becomes of the call")
    rules = compiler.explain_rules(number)
    if not rules:
        return _unused(compiler, order, number)
    texts = list(dict.fromkeys(_passed(item) for item in rules))
    return Gap(rules[0].reason, "; ".join(texts), rules[0].context)


def _not_found(compiler: Compiler, order: str, number: str, reason: str) -> Gap:
    held = compiler.directory.registry.orders[order]
    now = compiler.now
    if reason == "not_live" and held.active_from is not None and now < held.active_from:
        return Gap("not_live", f"not live until {shown(held.active_from)}", {"from": shown(held.active_from)})
    if reason == "not_live" and held.active_until is not None:
        return Gap("not_live", f"not live any more since {shown(held.active_until)}", {"until": shown(held.active_until)})
    directory = compiler.directory
    keys = [("number", key) for key in directory.registry.ids_of(number[1:])]
    keys += [("block", key) for key in sorted(directory.registry.blocks_of.get(order, ()))]
    why = next((what for kind, key in keys if (what := directory.problem(kind, key)) is not None), None)
    return Gap("not_routed", "not routed" + (f": {why.message}" if why is not None else ""))


def _unused(compiler: Compiler, order: str, number: str) -> Gap:
    """No rule can be used; there may be one that cannot."""
    directory = compiler.directory
    registry = directory.registry
    keys = {*registry.number_rules.get(number[1:], ()), *registry.order_rules.get(order, ())}
    place = directory.place(number[1:])
    if place is not None and place.part is not None:
        keys |= {*place.part.ranges, *registry.block_rules.get(place.part.block, ())}
    mine = sorted(key for key in keys if registry.diversions[key].order == order and registry.diversions[key].armed)
    for key in mine:
        what = directory.problem("diversion", key)
        if what is not None:
            return Gap("unusable", f"its rule cannot be used: {what.message}", {"rule": key})
    return Gap("no_rule", "no rule")


def _passed(rule: Considered) -> str:
    what, context = f"the rule for the {rule.level}", rule.context
    match rule.reason:
        case "not_armed":
            return f"{what} is inactive"
        case "other_plan":
            on = f"{context['on']!r} is on" if "on" in context else "no plan is on"
            return f"{what} belongs to the plan {context['plan']!r}, and {on}"
        case "period":
            return f"{what} rests now ({context['period']})"
        case "barred":
            return f"{what}: its targets for these times are barred"
        case "brake":
            return f"{what} rests: {context['brake']}"
        case _:
            return rule.text
