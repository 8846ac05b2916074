"""One answer to "may this rule be saved?": what forbids it, and what whoever saves it should know."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.limits import rules_fault, rules_warning
from routing.model import Diversion
from routing.rejection import Fault, RuleWarning
from routing.shared_targets import shared_targets
from routing.targets import check_diversion

if TYPE_CHECKING:
    from routing.directory import Directory


@dataclass(frozen=True, slots=True)
class Review:
    """What is to be said of a rule before it is saved."""

    faults: tuple[Fault, ...]
    """Nothing may be saved while there is one."""
    warnings: tuple[RuleWarning, ...]


_NO_RULE = frozenset({"reference_missing", "product_not_eligible"})
"""Faults with which it is not worth looking at the rest."""


def review(diversion: Diversion, directory: "Directory", *, staff: bool) -> Review:
    """Judge a rule beside those that ``directory`` holds; ``staff`` may have more rules than a customer, and is told.

    A rule that differs from the held one in nothing but that it is off is right, whatever its targets are: switching off is always possible.
    """
    held = directory.registry.diversions.get(diversion.id)
    if held is not None and not diversion.armed and held.model_copy(update={"armed": False}) == diversion:
        return Review((), ())
    faults = check_diversion(diversion, directory.policy(diversion.order), directory)
    warnings: list[RuleWarning] = []
    if not any(found.location.startswith("scope") or found.type in _NO_RULE for found in faults):
        if staff:
            warnings += filter(None, (rules_warning(diversion, directory),))
        else:
            faults += filter(None, (rules_fault(diversion, directory),))
        if diversion.armed:
            warnings += shared_targets(diversion, directory, directory.carrier.shared_by)
    return Review(tuple(faults), tuple(warnings))
