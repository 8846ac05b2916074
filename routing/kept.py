"""Targets that keep the extension: none of the numbers that they come to may be one that nobody may divert to.

The leading digits of a German base with three digits behind the country code tell what stands behind it (`routing.number_kinds`), but for
emergency numbers, which end on 110 or 112. Of a base abroad only the library can tell, number by number.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

from routing.model import Diversion, Target
from routing.number_kinds import NumberKind, classify
from routing.number_sets import dialled, scope_pieces
from routing.numbers import parse_base
from routing.rejection import Fault, RuleRejected, fault
from routing.target_policy import TargetPolicy, abroad_fault, target_fault

if TYPE_CHECKING:
    from routing.directory import Directory

_GERMANY = "49"
_LONGEST_EMERGENCY = 8
"""Area code of five digits and 110 or 112 (`routing.number_kinds`)."""
_EMERGENCY_ENDS = ("110", "112")


def kept_fault(diversion: Diversion, target: Target, place: str, policy: TargetPolicy, directory: "Directory") -> Fault | None:
    """Return why a target that keeps the extension may not be one of a rule; the rule is for a block or a range.

    Asked when the rule is saved and when it is used, because the block may have got other extensions meanwhile.
    """
    found = target_fault(target.number, policy, place, base=True) or _no_base(target.number, policy.home)
    if found is None:
        found = _emergency(diversion, target, directory)
    if found is None and not target.number.startswith(f"+{policy.home}"):
        found = _abroad(diversion, target, policy, directory)
    return Fault(found.type, place, found.message, found.context) if found is not None else None


@lru_cache(maxsize=4096)
def _no_base(number: str, home: str) -> Fault | None:
    try:
        parse_base(number, home=home)
    except RuleRejected as refused:
        return refused.faults[0]
    return None


def _emergency(diversion: Diversion, target: Target, directory: "Directory") -> Fault | None:
    """A short base and an extension may come to an emergency number: 0211 1 with 12 is 0211 112."""
    base = directory.base_of(diversion) or ""
    for extension in emergency_extensions(target.number[1:]):
        if directory.covers(diversion, base + extension):
            number, reached = target.number, target.number + extension
            return fault("target_keep_emergency", number=number, extension=extension, reached=reached)
    return None


@lru_cache(maxsize=4096)
def emergency_extensions(digits: str) -> tuple[str, ...]:
    """Return what makes an emergency number of a base (E.164 without ``+``): some hundred digit strings at most."""
    if not digits.startswith(_GERMANY):
        return ()
    longest = _LONGEST_EMERGENCY - len(digits) + len(_GERMANY)
    return tuple(ending for ending in _endings(longest) if classify(digits + ending)[0] is NumberKind.EMERGENCY)


def _endings(longest: int) -> Iterator[str]:
    """Yield the digits that a number may end with, up to that length, whose last three are 110 or 112 as far as they are here."""
    for width in range(longest + 1):
        for end in _EMERGENCY_ENDS:
            for head in product("0123456789", repeat=max(width - len(end), 0)):
                yield "".join(head) + end[max(len(end) - width, 0) :]


def _abroad(diversion: Diversion, target: Target, policy: TargetPolicy, directory: "Directory") -> Fault | None:
    base = directory.base_of(diversion)
    for piece in scope_pieces(diversion, directory):
        sent = dialled(piece, target, base)
        found = abroad_fault(sent.example, policy) if sent is not None else None
        # Not every extension of a block makes a whole number; what is none reaches nobody.
        if found is not None and not found.type.startswith("number_"):
            return found
    return None
