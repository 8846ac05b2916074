"""How much a customer may do: rules per line, changes an hour, diverted calls; the product's numbers unless the customer has others."""

from collections import Counter
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from routing.model import Customer, Diversion
from routing.products import DEFAULT_LIMITS, ProductLimits, product
from routing.rejection import Fault, RuleWarning, fault, warn

if TYPE_CHECKING:
    from routing.directory import Directory


def limits_of(customer: Customer | None, product_name: str) -> ProductLimits:
    """Return the limits of a customer's order of that product; an unknown product has the default ones."""
    held = product(product_name)
    limits = held.limits if held is not None else DEFAULT_LIMITS
    own = customer.limits if customer is not None else None
    changes = {item.name: getattr(own, item.name) for item in fields(ProductLimits)} if own is not None else {}
    return replace(limits, **{name: value for name, value in changes.items() if value is not None})


def order_limits(directory: "Directory", order: str) -> ProductLimits:
    """Return the limits of an order that is held; the default ones for one that is not."""
    held = directory.registry.orders.get(order)
    if held is None:
        return DEFAULT_LIMITS
    return limits_of(directory.registry.customers.get(held.customer), held.product)


def lines_of_rule(diversion: Diversion, directory: "Directory") -> set[str]:
    """Return the lines for whose numbers a rule is, without single extensions that have a line of their own."""
    if diversion.order not in directory.registry.orders:
        return set()
    return {owner.line for owner in directory.scope_owners(diversion)}


def rules_by_line(directory: "Directory", order: str) -> Counter[str]:
    """Return how many rules, armed or not, the lines of an order have."""
    registry = directory.registry
    rules = (registry.diversions[key] for key in registry.rules_of.get(order, ()))
    return Counter(line for rule in rules for line in lines_of_rule(rule, directory))


def rules_fault(diversion: Diversion, directory: "Directory", location: str = "scope") -> Fault | None:
    """Return whether a rule is one too many for a line; one that replaces another of its id is none more.

    Ask before the directory holds it. Lines that have too many already (the limit was lowered) keep what they have.
    """
    over = _over(diversion, directory)
    if over is None:
        return None
    line, count, limit = over
    return fault("limit_rules", location, line=line, count=str(count), limit=str(limit))


def rules_warning(diversion: Diversion, directory: "Directory", location: str = "scope") -> RuleWarning | None:
    """Return what staff is told who save a rule too many."""
    over = _over(diversion, directory)
    if over is None:
        return None
    line, count, limit = over
    return warn("limit_rules_passed", location, line=line, count=str(count + 1), limit=str(limit))


def _over(diversion: Diversion, directory: "Directory") -> tuple[str, int, int] | None:
    """Return a line that has no room for the rule, with its rules and its limit."""
    held = directory.registry.diversions.get(diversion.id)
    limit = order_limits(directory, diversion.order).rules_per_line
    before = lines_of_rule(held, directory) if held is not None and held.order == diversion.order else set()
    new = lines_of_rule(diversion, directory) - before
    if not new:
        return None
    counts = rules_by_line(directory, diversion.order)
    full = sorted(line for line in new if counts[line] >= limit)
    return (full[0], counts[full[0]], limit) if full else None
