"""Which numbers a customer may divert to; checked when a rule is saved and again when it is compiled."""

from dataclasses import dataclass
from typing import Protocol

from routing.model import BlockScope, Customer, Diversion, RangeScope, Target
from routing.number_kinds import NumberKind, classify
from routing.numbers import MAX_DIGITS, ParsedNumber, parse_base, parse_number
from routing.rejection import Fault, RuleRejected, fault

MAX_HOPS = 10
"""Diversions that are followed when looking for a circle; longer chains are refused like one."""


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What a customer's targets may be; national subscribers' and freephone numbers unless it says more."""

    home: str = "49"
    allow_international: bool = False
    allow_shared_cost: bool = False


def target_policy(customer: Customer | None, home: str = "49") -> TargetPolicy:
    """Return what a customer may divert to; the default for one that is not there."""
    allowed = customer.allowances if customer is not None else ()
    return TargetPolicy(home, allow_international="international" in allowed, allow_shared_cost="shared_cost" in allowed)


@dataclass(frozen=True, slots=True)
class Owner:
    """Where a number of ours is delivered."""

    order: str
    site: str
    line: str
    base: str | None
    """Base of the block that holds it (E.164), None for a single number."""


class DomainView(Protocol):
    """What the checks need to know about the other entities; `routing.directory.Directory` is one."""

    def owner(self, number: str) -> Owner | None:
        """Return who has the E.164 number, None when it is not one of ours."""

    def applying(self, number: str) -> Diversion | None:
        """Return the armed diversion that applies to the E.164 number."""

    def scope_faults(self, diversion: Diversion) -> list[Fault]:
        """Return what is wrong with the numbers that a diversion is for."""

    def scope_owners(self, diversion: Diversion) -> list[Owner]:
        """Return where the numbers are delivered that a diversion is for, one owner per line."""

    def covers(self, diversion: Diversion, number: str) -> bool:
        """Return whether the E.164 number is one of those that a diversion is for."""

    def base_of(self, diversion: Diversion) -> str | None:
        """Return the base of the block that a block or range rule is for."""

    def longest(self, diversion: Diversion) -> int:
        """Return the digits of the longest extension that a block or range rule is for, 0 when it has no limit."""

    def example(self, diversion: Diversion) -> str | None:
        """Return one E.164 number that the diversion is for, to follow loops from."""


def parse_target(text: str, policy: TargetPolicy, location: str = "target", *, base: bool = False) -> str:
    """Return the canonical E.164 form of a target as typed; raises `RuleRejected` if it is no number or not allowed.

    ``base``: it is the base of a block that keeps the extension, and need not be a whole number.
    """
    if base:
        number = parse_base(text, home=policy.home, location=location)
        barred = target_fault(number, policy, location)
        if barred is not None:
            raise RuleRejected((barred,))
        return number
    parsed = parse_number(text, home=policy.home, location=location)
    found = _kind_fault(parsed, policy, location)
    if found is not None:
        raise RuleRejected((found,))
    return parsed.e164


def target_fault(number: str, policy: TargetPolicy, location: str = "target") -> Fault | None:
    """Return why a canonical number may not be a target, by its digits alone: no library, about a microsecond.

    This is the check at the time of use; `parse_target` is the full one.
    """
    digits = number[1:]
    kind, what = classify(digits)
    code = policy.home if digits.startswith(policy.home) else digits[:3]
    return _kind_fault(ParsedNumber(number, code, kind, what), policy, location)


def _kind_fault(parsed: ParsedNumber, policy: TargetPolicy, location: str) -> Fault | None:
    number, kind, what = parsed.e164, parsed.kind, parsed.what
    if kind is NumberKind.SATELLITE:
        return fault("target_satellite", location, number=number, prefix=what)
    if kind is NumberKind.SHARED_COST and policy.allow_shared_cost and parsed.country_code == policy.home:
        return None
    slug = _REFUSED.get(kind)
    if slug is not None:
        return fault(slug, location, number=number, what=what)
    if parsed.country_code != policy.home:
        if not policy.allow_international:
            return fault("target_international", location, number=number, code=parsed.country_code, home=policy.home)
        if kind is NumberKind.FREEPHONE:
            return fault("target_special", location, number=number, what="freephone number abroad")
    return None


_REFUSED = {
    NumberKind.EMERGENCY: "target_emergency",
    NumberKind.SHORT_CODE: "target_short_code",
    NumberKind.PREMIUM: "target_premium",
    NumberKind.SHARED_COST: "target_shared_cost",
    NumberKind.SPECIAL: "target_special",
}


def check_diversion(diversion: Diversion, policy: TargetPolicy, view: DomainView) -> list[Fault]:
    """Return all that is wrong with a diversion: its scope, each target, own numbers, same line or site, loops.

    ``view`` holds the other entities; whether it already holds this diversion does not matter.
    """
    faults = list(view.scope_faults(diversion))
    if faults:
        return faults
    owners = view.scope_owners(diversion)
    seen: set[tuple[str, bool]] = set()
    for index, target in enumerate(diversion.targets):
        place = f"targets[{index}]"
        key = (target.number, target.keep_extension)
        if key in seen:
            faults.append(fault("target_duplicate", place, number=target.number))
            continue
        seen.add(key)
        found = _one_target(diversion, target, place, policy, view=view, owners=owners)
        if found is not None:
            faults.append(found)
    return faults


def _one_target(
    diversion: Diversion, target: Target, place: str, policy: TargetPolicy, *, view: DomainView, owners: list[Owner]
) -> Fault | None:
    if target.keep_extension:
        if not isinstance(diversion.scope, RangeScope | BlockScope):
            return fault("target_keep_extension", place)
        # A block without ranges has no longest extension; the two digits that nearly all have must fit at least.
        if len(target.number) - 1 + (view.longest(diversion) or 2) > MAX_DIGITS:
            return fault("target_keep_length", place, number=target.number, limit=str(MAX_DIGITS))
        barred = target_fault(target.number, policy, place)
    else:
        try:
            parse_target(target.number, policy, place)
        except RuleRejected as refused:
            return refused.faults[0]
        barred = None
    if barred is not None:
        return barred
    return _own(diversion, target, place, view, owners)


def _own(diversion: Diversion, target: Target, place: str, view: DomainView, owners: list[Owner]) -> Fault | None:
    number = target.number
    if target.keep_extension and number == view.base_of(diversion):
        return fault("target_self", place, number=number)
    if not target.keep_extension and view.covers(diversion, number):
        return fault("target_self", place, number=number)
    start = view.example(diversion)
    reached = _dialled(target, start, view.base_of(diversion)) if start is not None else number
    owner = view.owner(reached)
    if owner is None:
        return None
    if any(owner.line == mine.line for mine in owners):
        return fault("target_same_line", place, number=number, line=owner.line)
    if any(owner.site == mine.site for mine in owners):
        return fault("target_same_site", place, number=number, site=owner.site)
    path = _circle(diversion, start, reached, view)
    return fault("target_loop", place, number=number, path=" → ".join(path)) if path else None


def _circle(diversion: Diversion, start: str | None, reached: str, view: DomainView) -> list[str]:
    """Follow the armed diversions from a target; return the path if it comes back to this diversion, else [].

    All targets of each rule are followed: any of them may be the one that is called. Breadth first, each number once.
    """
    paths = [[start or "", reached]]
    visited = {reached}
    while paths:
        path = paths.pop(0)
        following = view.applying(path[-1])
        if view.covers(diversion, path[-1]):
            return path
        if following is None or following.id == diversion.id:
            continue
        owner = view.owner(path[-1])
        base = owner.base if owner is not None else None
        for target in following.targets:
            number = _dialled(target, path[-1], base)
            if view.covers(diversion, number) or len(path) > MAX_HOPS:
                return [*path, number]
            if number not in visited:
                visited.add(number)
                paths.append([*path, number])
    return []


def _dialled(target: Target, called: str, base: str | None) -> str:
    """Return the number that a call to ``called`` is sent to."""
    if not target.keep_extension or base is None:
        return target.number
    return target.number + called[len(base) :]
