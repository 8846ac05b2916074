"""What may not be a target of one rule, though it may be one for others: its own numbers, line and site, and circles."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.kept import kept_fault
from routing.loops import circle, first_hops
from routing.model import BlockScope, Diversion, NumberScope, OrderScope, RangeScope, Target
from routing.number_sets import Piece, borders, scope_pieces, uniform
from routing.numbers import MAX_DIGITS
from routing.rejection import Fault, RuleRejected, fault
from routing.target_lists import target_lists
from routing.target_policy import TargetPolicy, parse_target, target_fault, target_policy

if TYPE_CHECKING:
    from routing.directory import Directory

__all__ = ["Owner", "TargetPolicy", "check_diversion", "parse_target", "target_fault", "target_policy"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Where a number of ours is delivered."""

    order: str
    site: str
    line: str
    base: str | None
    """Base of the block that holds it (E.164), None for a single number."""


def check_diversion(diversion: Diversion, policy: TargetPolicy, view: "Directory") -> list[Fault]:
    """Return all that is wrong with a diversion: its scope, and each target of each time, plan and kind of fault.

    ``view`` holds the other entities; whether it already holds this diversion does not matter.
    """
    faults = list(view.scope_faults(diversion))
    if faults:
        return faults
    mine = _Mine(diversion, view)
    for name, targets in target_lists(diversion):
        seen: set[tuple[str, bool]] = set()
        for index, target in enumerate(targets):
            place = f"{name}[{index}]"
            key = (target.number, target.keep_extension)
            if key in seen:
                faults.append(fault("target_duplicate", place, number=target.number))
                continue
            seen.add(key)
            found = _by_itself(diversion, target, place, policy, view) or mine.fault(target, place)
            if found is not None:
                faults.append(found)
    return faults


def _by_itself(diversion: Diversion, target: Target, place: str, policy: TargetPolicy, view: "Directory") -> Fault | None:
    """Return what is wrong with the number of a target."""
    if not target.keep_extension:
        try:
            parse_target(target.number, policy, place)
        except RuleRejected as refused:
            return refused.faults[0]
        return None
    if not isinstance(diversion.scope, RangeScope | BlockScope):
        return fault("target_keep_extension", place)
    # A block without ranges has no longest extension; the two digits that nearly all have must fit at least.
    if len(target.number) - 1 + (view.longest(diversion) or 2) > MAX_DIGITS:
        return fault("target_keep_length", place, number=target.number, limit=str(MAX_DIGITS))
    return kept_fault(diversion, target, place, policy, view)


class _Mine:
    """What goes down together with the numbers of a diversion, worked out once for all of its targets."""

    def __init__(self, diversion: Diversion, view: "Directory") -> None:
        self.diversion = diversion
        self.view = view
        self.cuts = borders(diversion, view)
        registry = view.registry
        lines = {owner.line for owner in view.scope_owners(diversion)}
        # Extensions may have lines of their own, as those of a centrex have.
        alone = isinstance(diversion.scope, NumberScope | OrderScope) or len(registry.lines_of.get(diversion.order, ())) <= 1
        for prefix in {piece.digits for piece in scope_pieces(diversion, view)} if not alone else ():
            for digits in registry.watched_below(prefix):
                place = view.place(digits)
                if place is not None and place.order == diversion.order and view.covers(diversion, f"+{digits}"):
                    lines.add(place.line)
        self.lines = lines
        found = (registry.site_of(line) for line in lines)
        self.sites = {site.id for site in found if site is not None}

    def fault(self, target: Target, place: str) -> Fault | None:
        """Return why a target does not help when the rule is used."""
        number, view = target.number, self.view
        if target.keep_extension and number == view.base_of(self.diversion):
            return fault("target_self", place, number=number)
        for part in self._reached(target):
            reached = part.example
            if view.covers(self.diversion, reached):
                return fault("target_self", place, number=number)
            owner = view.owner(reached)
            if owner is None:
                continue
            if owner.line in self.lines:
                return fault("target_same_line", place, number=number, line=owner.line)
            # When only the phone system is out, another line at the same site is reached.
            if owner.site in self.sites and "phone_system_targets" not in place:
                return fault("target_same_site", place, number=number, site=owner.site)
        path = circle(self.diversion, target, view)
        return fault("target_loop", place, number=number, path=" → ".join(path)) if path else None

    def _reached(self, target: Target) -> Iterator[Piece]:
        for piece in first_hops(self.diversion, target, self.view):
            yield from uniform(piece, self.view, self.cuts)
