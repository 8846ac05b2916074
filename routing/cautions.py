"""What is not wrong with a document's rules, but should be known by whoever loads it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from routing.directory import Directory
from routing.limits import order_limits, rules_by_line
from routing.model import Diversion, Entity
from routing.rejection import RuleWarning, warn
from routing.rulefile import in_file
from routing.shared_targets import shared_targets


def warnings_of(placed: Iterable[tuple[str, Entity]], directory: Directory) -> Iterator[RuleWarning]:
    """Yield each shared target once, and each line with more rules than its limit."""
    shared: set[str] = set()
    orders: dict[str, str] = {}
    for place, entity in placed:
        if not isinstance(entity, Diversion):
            continue
        orders.setdefault(entity.order, place)
        for found in shared_targets(entity, directory, directory.carrier.shared_by, shared) if entity.armed else ():
            where = in_file(found.location, entity)
            yield replace(found, location=f"{place}.{where}" if where else place)
    for order, place in orders.items():
        limit = order_limits(directory, order).rules_per_line
        for line, count in sorted(rules_by_line(directory, order).items()):
            if count > limit:
                yield warn("limit_rules_passed", place, line=line, count=str(count), limit=str(limit))
