"""The plans of an order: which there are, and whether one can be switched on.

A rule with a plan counts only while its order has that plan on (`routing.precedence`), so switching is one write of the order.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from routing.model import PlanName
from routing.rejection import Fault, RuleWarning, fault, warn

if TYPE_CHECKING:
    from routing.directory import Directory


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that rules of an order belong to."""

    name: PlanName
    rules: tuple[str, ...]
    """Their ids, ascending."""
    armed: int
    """How many of them are armed."""


def plans_of(order: str, directory: "Directory") -> list[Plan]:
    """Return the plans of an order, by name; [] for an order that is not held."""
    registry = directory.registry
    found: dict[PlanName, list[str]] = {}
    for key in sorted(registry.rules_of.get(order, ())):
        plan = registry.diversions[key].plan
        if plan is not None:
            found.setdefault(plan, []).append(key)
    return [Plan(name, tuple(keys), sum(registry.diversions[key].armed for key in keys)) for name, keys in sorted(found.items())]


def plan_fault(order: str, name: PlanName | None, directory: "Directory") -> Fault | None:
    """Return why a plan cannot be switched on. A name that no rule has would be a slip of the pen; None (off) is always right."""
    if name is None:
        return None
    known = [plan.name for plan in plans_of(order, directory)]
    return None if name in known else fault("plan_unknown", "plan", order=order, plan=name, known=", ".join(known) or "none")


def plan_warning(order: str, name: PlanName | None, directory: "Directory") -> RuleWarning | None:
    """Return what whoever switches a plan on should know."""
    if any(plan.name == name and not plan.armed for plan in plans_of(order, directory)):
        return warn("plan_not_armed", "plan", order=order, plan=str(name))
    return None
