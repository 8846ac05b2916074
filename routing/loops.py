"""Whether a rule's calls could come back to it, through other rules, at any time and in any plan.

The answer is for the rules as they stand: armed ones, with the targets of all their periods, of all plans that the order may have on,
and of both kinds of fault, because any of them may be the one that counts when the call comes. What is in other networks is not seen
here; the engine reads where a call came from (Diversion, History-Info) for that.
"""

from typing import TYPE_CHECKING

from routing.model import Diversion, Target
from routing.number_sets import Piece, borders, dialled, scope_pieces, uniform
from routing.precedence import specificity
from routing.target_lists import every_target

if TYPE_CHECKING:
    from routing.directory import Directory, Place

MAX_HOPS = 10
"""Diversions that are followed when looking for a circle; longer chains are refused like one."""


def first_hops(diversion: Diversion, target: Target, directory: "Directory") -> list[Piece]:
    """Return the numbers that calls are sent to when a rule uses a target."""
    base = directory.base_of(diversion)
    if not target.keep_extension or base is None:
        return [Piece(target.number[1:], len(target.number) - 1)]
    sent = (dialled(piece, target, base) for piece in scope_pieces(diversion, directory))
    return [piece for piece in sent if piece is not None]


def circle(diversion: Diversion, target: Target, directory: "Directory") -> list[str]:
    """Return the numbers by which a call comes back to one that ``diversion`` is for, [] if it cannot.

    Breadth first, so the way is a shortest one. Whether the directory holds the diversion already does not matter.
    """
    own = borders(diversion, directory)
    start = next((piece.example for piece in scope_pieces(diversion, directory)), "")
    waiting = [(piece, [start]) for piece in first_hops(diversion, target, directory)]
    seen: set[Piece] = set()
    for piece, path in waiting:  # grows while it is walked
        for part in uniform(piece, directory, own):
            if part in seen:
                continue
            seen.add(part)
            here = [*path, part.example]
            if directory.covers(diversion, part.example):
                return here
            sent = _onward(part, diversion, directory)
            if sent and len(here) > MAX_HOPS:
                return [*here, sent[0].example]
            waiting += ((following, here) for following in sent)
    return []


def _onward(part: Piece, diversion: Diversion, directory: "Directory") -> list[Piece]:
    """Return where calls to a part are sent by rules other than ``diversion``."""
    number = part.example
    owner = directory.owner(number)
    if owner is None:
        return []
    rules = possible(number, directory, diversion.id)
    sent = (dialled(part, target, owner.base) for rule in rules for target in every_target(rule))
    return [piece for piece in sent if piece is not None]


def possible(number: str, directory: "Directory", without: str = "") -> list[Diversion]:
    """Return the armed rules of which each applies to a number in some plan and at some time, as if the one ``without`` were not held."""
    place = directory.place(number[1:])
    if place is None:
        return []
    armed = [rule for rule in _for_number(number[1:], place, directory) if rule.armed and rule.id != without]
    found: dict[str, Diversion] = {}
    for plan in {None, *(rule.plan for rule in armed)}:
        counting = [rule for rule in armed if rule.plan is None or rule.plan == plan]
        # At one level a rule of the plan goes before one that always counts.
        for rule in sorted(counting, key=lambda rule: (*specificity(rule)[:2], rule.plan is None, rule.id)):
            found[rule.id] = rule
            if directory.never_rests(rule):
                break  # it has targets at all times, so nothing behind it is asked
    return [found[key] for key in sorted(found)]


def _for_number(digits: str, place: "Place", directory: "Directory") -> list[Diversion]:
    """Return all rules for a number, also those that have no targets just now."""
    registry = directory.registry
    keys = {*registry.number_rules.get(digits, ()), *registry.order_rules.get(place.order, ())}
    if place.part is not None:
        keys |= {*place.part.ranges, *registry.block_rules.get(place.part.block, ())}
    return [registry.diversions[key] for key in keys if registry.diversions[key].order == place.order]
