"""Which numbers may be targets at all: what is barred for all, and what a customer has besides.

Three layers: classes that nobody may have (emergency, short codes, premium, satellite …, `routing.target_classes.NEVER`); what the
carrier bars for all of its customers, by class or by leading digits; and what is barred unless a customer has the allowance
(abroad, shared cost). A number is looked at twice: by the library when a rule is saved, by its digits when it is compiled.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from routing.number_kinds import NumberKind, classify
from routing.numbers import ParsedNumber, parse_base, parse_number
from routing.rejection import Fault, RuleRejected, fault
from routing.target_classes import TargetClass, target_class

if TYPE_CHECKING:
    from routing.model import Customer


@dataclass(frozen=True, slots=True)
class CarrierPolicy:
    """What holds for all customers of the carrier."""

    home: str = "49"
    """Country code of what is national."""
    barred: frozenset[TargetClass] = frozenset()
    """Classes that no customer may divert to, also with an allowance."""
    barred_prefixes: tuple[str, ...] = ()
    """Leading digits (E.164 with ``+``) that no customer may divert to."""
    shared_by: int = 50
    """A target for more numbers than this is worth a warning."""


NATIONAL = CarrierPolicy()
"""The default."""


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What a customer's targets may be; national subscribers' and freephone numbers unless it says more."""

    home: str = "49"
    allow_international: bool = False
    allow_shared_cost: bool = False
    barred: frozenset[TargetClass] = frozenset()
    barred_prefixes: tuple[str, ...] = ()


def target_policy(customer: "Customer | None", carrier: CarrierPolicy = NATIONAL) -> TargetPolicy:
    """Return what a customer may divert to; the default for one that is not there."""
    allowed = customer.allowances if customer is not None else ()
    return TargetPolicy(
        carrier.home,
        allow_international="international" in allowed,
        allow_shared_cost="shared_cost" in allowed,
        barred=carrier.barred,
        barred_prefixes=carrier.barred_prefixes,
    )


def parse_target(text: str, policy: TargetPolicy, location: str = "target", *, base: bool = False) -> str:
    """Return the canonical E.164 form of a target as typed; raises `RuleRejected` if it is no number or not allowed.

    ``base``: it is the base of a block that keeps the extension, and need not be a whole number.
    """
    if base:
        number = parse_base(text, home=policy.home, location=location)
        barred = target_fault(number, policy, location, base=True)
        if barred is not None:
            raise RuleRejected((barred,))
        return number
    parsed = parse_number(text, home=policy.home, location=location)
    found = _kind_fault(parsed, policy, location)
    if found is not None:
        raise RuleRejected((found,))
    return parsed.e164


def target_fault(number: str, policy: TargetPolicy, location: str = "target", *, base: bool = False) -> Fault | None:
    """Return why a canonical number may not be a target, as far as its digits tell: about a microsecond.

    This is the check at the time of use; `parse_target` is the full one. Only a number abroad is shown to the library here too,
    for nobody else knows the premium numbers of other countries.
    """
    digits = number[1:]
    kind, what = classify(digits)
    if kind is NumberKind.SUBSCRIBER and digits.startswith(policy.home) and not policy.barred and not policy.barred_prefixes:
        return None  # nearly all: a subscriber at home, of whom nothing more is asked
    code = policy.home if digits.startswith(policy.home) else digits[:3]
    found = _kind_fault(ParsedNumber(number, code, kind, what), policy, location, base=base)
    if found is not None or base or code == policy.home:
        return found
    refused = abroad_fault(number, policy)
    return Fault(refused.type, location, refused.message, refused.context) if refused is not None else None


@lru_cache(maxsize=4096)
def abroad_fault(number: str, policy: TargetPolicy) -> Fault | None:
    """Return what the library says against a canonical number abroad, without a place."""
    try:
        return _kind_fault(parse_number(number, home=policy.home), policy, "")
    except RuleRejected as refused:
        return refused.faults[0]


def _kind_fault(parsed: ParsedNumber, policy: TargetPolicy, location: str, *, base: bool = False) -> Fault | None:
    number, kind, what = parsed.e164, parsed.kind, parsed.what
    if kind is NumberKind.SATELLITE:
        return fault("target_satellite", location, number=number, prefix=what)
    is_home = parsed.country_code == policy.home
    slug = _REFUSED.get(kind)
    if slug is not None and not (kind is NumberKind.SHARED_COST and policy.allow_shared_cost and is_home):
        return fault(slug, location, number=number, what=what)
    if not is_home:
        if not policy.allow_international:
            return fault("target_international", location, number=number, code=parsed.country_code, home=policy.home)
        if kind is NumberKind.FREEPHONE:
            return fault("target_special", location, number=number, what="freephone number abroad")
    return _barred(number, policy, location, base=base)


_REFUSED = {
    NumberKind.EMERGENCY: "target_emergency",
    NumberKind.SHORT_CODE: "target_short_code",
    NumberKind.PREMIUM: "target_premium",
    NumberKind.SHARED_COST: "target_shared_cost",
    NumberKind.SPECIAL: "target_special",
}


def _barred(number: str, policy: TargetPolicy, location: str, *, base: bool) -> Fault | None:
    """Return whether the carrier bars the number; a base is barred with what may come behind it."""
    found = target_class(number, policy.home)
    if found in policy.barred:
        return fault("target_barred", location, number=number, what=found.replace("_", " "))
    for prefix in policy.barred_prefixes:
        if number.startswith(prefix) or (base and prefix.startswith(number)):
            return fault("target_barred", location, number=number, what=f"{prefix}…")
    return None
